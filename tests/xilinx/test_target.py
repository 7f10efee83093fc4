"""XilinxTarget: check, plan and estimate on hand-made graphs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from gatewright.compiler.errors import ConstraintError, ExitCode, TargetError, UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Input
from gatewright.targets.base import BuildPlan, TargetName
from gatewright.targets.xilinx import XilinxTarget
from gatewright.targets.xilinx.options import XilinxOptions
from tests.xilinx.graphs import mlp, model_of, residual_cnn, single_conv

MEASURED_NAMES = ("latency_cycles", "interval_cycles", "latency_us", "inferences_per_second")


def target(variant: str = "zcu104") -> XilinxTarget:
    return XilinxTarget(TargetName("xilinx", variant))


def plan(graph: IntegerGraph, variant: str = "zcu104", **options: Any) -> BuildPlan:
    return target(variant).plan(model_of(graph), options)


def row(made: BuildPlan, layer: str) -> dict[str, object]:
    return next(dict(r) for r in made.layers if r["layer"] == layer)


def test_plan_is_plain_deterministic_data() -> None:
    first, second = plan(residual_cnn()), plan(residual_cnn())
    assert first.digest() == second.digest()
    assert json.loads(json.dumps(first.to_json())) == first.to_json()
    assert {"layer", "op", "strategy", "reuse_factor", "interval_cycles", "latency_cycles"} <= set(first.layers[0])


def test_plan_depends_on_the_graph() -> None:
    assert plan(residual_cnn(8)).digest() != plan(residual_cnn(16)).digest()


def test_streams_for_images_arrays_for_vectors() -> None:
    assert plan(residual_cnn()).settings["io_type"] == "io_stream"
    assert plan(mlp()).settings["io_type"] == "io_parallel"
    assert plan(mlp(), io_type="io_stream").settings["io_type"] == "io_stream"


@pytest.mark.parametrize("variant", ["zcu104", "pynq-z2", "arty-a7-35t", "cora-z7-07s"])
def test_the_design_fits(variant: str) -> None:
    made = plan(residual_cnn(), variant)
    for name, used in made.settings["resources"].items():
        if name != "csynth_lut":
            assert used <= made.settings["available"][name] * made.settings["utilisation"], name


def test_a_larger_device_is_no_slower() -> None:
    intervals = [
        plan(residual_cnn(16), v).settings["interval_cycles"] for v in ("cora-z7-07s", "pynq-z2", "alveo-u250")
    ]
    assert intervals == sorted(intervals, reverse=True) and intervals[0] > intervals[-1]


@pytest.mark.parametrize(
    "graph", [residual_cnn(), mlp(), single_conv(9, 9, 12, 20, 3, 2, 1)], ids=["cnn", "mlp", "conv"]
)
@pytest.mark.parametrize("variant", ["cora-z7-07s", "zcu104"])
def test_reuse_factors_are_accepted_by_hls4ml(graph: IntegerGraph, variant: str) -> None:
    from hls4ml.backends import get_backend

    from gatewright.schedules.fpga.kernels import kernels

    vitis = get_backend("Vitis")
    described = {k.layer: k for k in kernels(graph)}
    checked = 0
    for r in plan(graph, variant).layers:
        kernel = described[r["layer"]]
        if kernel.foldable and r["strategy"] == "resource" and not r["cycle_model"].endswith("_serial"):
            assert vitis._validate_reuse_factor(kernel.n_in, kernel.n_out, r["reuse_factor"]), r
            checked += 1
    assert checked or variant == "zcu104"


@pytest.mark.parametrize(
    ("variant", "io_type"),
    [("cora-z7-07s", "io_stream"), ("zcu104", "io_stream"), ("alveo-u250", "io_parallel")],
)
def test_the_lowering_takes_every_choice_as_it_is(variant: str, io_type: str) -> None:
    from gatewright.hls.lowering.driver import design

    graph = residual_cnn()
    made = plan(graph, variant, io_type=io_type)
    builder = design(graph, made.layers, io_type).builder
    products = {"Dense", "Conv2D", "DepthwiseConv2D"}
    # what strategies mean for these layers in streams
    serial = {"GatewrightDepthwise": "resource", "GatewrightPointwise": "resource", "GatewrightConvolution": "serial"}
    taken = {}
    for layer in builder.layers:
        config, kind = builder.config[layer["name"]], layer["class_name"]
        if kind in products | set(serial):
            strategy = serial.get(kind) or config["Strategy"].lower()
            taken[builder.origin[layer["name"]]] = (strategy, config["ReuseFactor"])
    assert taken == {name: (row(made, name)["strategy"], row(made, name)["reuse_factor"]) for name in taken}
    assert set(taken) == {"first", "second", "depthwise", "pointwise", "logits"}


def test_skip_connection_has_room_for_the_whole_image() -> None:
    from gatewright.schedules.fpga.dataflow import stream_resources

    graph = residual_cnn()
    made = plan(graph)
    depths = made.settings["fifo_depths"]
    assert depths["first"] == 10 and depths["second"] == 10  # a row of the padded image their readers take
    once = stream_resources(graph, graph["second"], 10)
    forked = stream_resources(graph, graph["first"], 10)
    assert forked.lut > once.lut  # hls4ml's copies, 64 beats each


def test_options_are_obeyed() -> None:
    made = plan(
        residual_cnn(), clock_mhz=150, strategy={"second": "resource"}, reuse_factor={"second": 36}, project_name="net",
        backend="vivado",
    )  # fmt: skip
    assert (row(made, "second")["strategy"], row(made, "second")["reuse_factor"]) == ("resource", 36)
    assert made.settings["clock_period_ns"] == pytest.approx(6.6667)
    assert (made.settings["project_name"], made.settings["backend"]) == ("net", "Vivado")


def test_one_reuse_factor_for_all_becomes_the_closest_accepted() -> None:
    made = plan(mlp(), "alveo-u250", reuse_factor=100)
    assert [r["reuse_factor"] for r in made.layers] == [128, 128, 128, 160]
    assert {r["strategy"] for r in made.layers} == {"resource"}
    assert {r["strategy"] for r in plan(mlp(), "alveo-u250", reuse_factor=1, strategy="latency").layers} == {"latency"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"reuse": 3}, "no such option"),
        ({"reuse_factor": 0}, "greater than or equal to 1"),
        ({"reuse_factor": "four"}, "'four'"),
        ({"reuse_factor": {"second": 35}}, "35 is not accepted for a 72 x 8 product"),
        ({"reuse_factor": {"nowhere": 4}}, "no layer 'nowhere'"),
        ({"strategy": {"nowhere": "latency"}}, "no layer 'nowhere'"),
        ({"io_type": "io_serial"}, "'io_serial'"),
        ({"clock_mhz": -5}, "greater than 0"),
        ({"backend": "vivado_accelerator"}, "does not know zcu104"),
        ({"project_name": "gatewright"}, "the generated code uses this name"),
    ],
)
def test_wrong_options(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan(residual_cnn(), **options)
    assert said in str(caught.value) and caught.value.code == "GW0402"


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        # 256 KiB of weights in 225 KiB of block RAM
        (single_conv(4, 4, 512, 512, 1), ("18 Kbit block RAMs; xc7z007s has 100;", "layer 'conv' (conv2d)")),
        (residual_cnn(72), ("LUT; xc7z007s has 14400;", "layer 'sum' (add)")),
    ],
    ids=["block RAM", "logic"],
)
def test_nothing_fits(graph: IntegerGraph, said: tuple[str, ...]) -> None:
    with pytest.raises(ConstraintError) as caught:
        plan(graph, "cora-z7-07s")
    error = caught.value
    assert error.exit_code == ExitCode.CONSTRAINT and error.code == "GW4203"
    assert all(text in error.reason for text in said), error.reason
    assert any("larger part" in action for action in error.actions)


def test_set_reuse_factors_that_do_not_fit_say_so() -> None:
    with pytest.raises(ConstraintError) as caught:
        plan(residual_cnn(32), "cora-z7-07s", reuse_factor=1)
    assert "reuse factors set" in caught.value.reason
    assert "unset" in caught.value.actions[0]


def test_options_may_bring_limits_of_the_lowering() -> None:
    graph = residual_cnn()
    two = IntegerGraph(list(graph), ["logits", "max"])
    assert plan(two, "pynq-z2", utilisation=1).settings["backend"] == "Vitis"
    with pytest.raises(TargetError) as caught:
        plan(two, "pynq-z2", backend="vivado_accelerator")
    assert caught.value.code == "GW4207" and "one input and one output" in caught.value.reason


def test_a_tight_design_comes_with_a_warning() -> None:
    device = target("cora-z7-07s")
    made = [device.plan(model_of(residual_cnn(channels)), {}) for channels in (4, 44)]
    shares = [p.settings["utilisation"] for p in made]
    assert shares[0] == 0.8 < shares[1] <= 1
    assert not made[0].settings["warnings"]
    assert "may fail to place and route" in made[1].settings["warnings"][0]
    assert "may fail to place and route" in device.estimate(made[1]).totals["lut"].error
    for p in made:
        used, available = p.settings["resources"], p.settings["available"]
        assert all(used[name] <= available[name] * p.settings["utilisation"] for name in available)
    with pytest.raises(ConstraintError) as caught:
        device.plan(model_of(residual_cnn(44)), {"utilisation": 0.8})
    assert caught.value.code == "GW4203"


def test_a_serial_kernel_says_that_no_report_covers_it() -> None:
    made = plan(
        residual_cnn(), strategy={**dict.fromkeys(("depthwise", "pointwise", "second"), "resource"), "first": "serial"}
    )
    estimate = target().estimate(made)
    figures = {layer.layer: layer.figures for layer in estimate.layers}
    assert figures["depthwise"]["lut"].model == "serial" and figures["depthwise"]["lut"].error == "unmeasured"
    assert figures["pointwise"]["interval_cycles"].model == "pointwise_serial"
    assert figures["average"]["latency_cycles"].error == "unmeasured"
    assert figures["second"]["lut"].model == "logic" and "C synthesis" in figures["second"]["lut"].error
    assert figures["first"]["lut"].model == "serial" and figures["first"]["latency_cycles"].model == "conv_serial"
    assert "4 of 9 layers are kernels of ours that no synthesis report covers" in estimate.totals["lut"].error


def test_unrolling_beyond_the_limit_is_refused() -> None:
    graph = mlp((128, 64, 10))
    with pytest.raises(TargetError) as caught:
        plan(graph, strategy="latency")
    assert caught.value.code == "GW4202" and caught.value.place == "fc0" and "8192" in caught.value.reason


def test_arrays_beyond_the_partition_limit_are_refused() -> None:
    assert plan(residual_cnn(), "alveo-u250", io_type="io_parallel").settings["io_type"] == "io_parallel"
    with pytest.raises(UsageError) as caught:
        plan(single_conv(40, 40, 3, 4, 3), io_type="io_parallel")
    assert "'x' has 4800" in caught.value.reason


def test_check_reports_everything_at_once() -> None:
    model = model_of(mlp((5000, 4, 4500)))
    findings = target().check(model)
    errors = [f for f in findings if f.severity == "error"]
    assert [f.place for f in errors] == ["fc0", "fc1"] and {f.code for f in errors} == {"GW4201"}
    assert all(f.actions for f in findings)
    assert any(f.code == "GW4205" for f in findings)  # 40 000 bits at the border


def test_check_passes_on_what_the_lowering_says() -> None:
    batch = mlp((4, 3))
    layers = [replace(x, output=replace(x.output, shape=(2, *x.output.shape[1:]))) for x in batch]
    findings = target().check(model_of(IntegerGraph(layers, ["fc0"])))
    assert [(f.code, f.place) for f in findings] == [("GW4207", "x")]


def test_check_warns_of_unknown_resources() -> None:
    findings = target("xc7k160tfbg484-1").check(model_of(mlp()))
    assert [(f.severity, f.code) for f in findings] == [("warning", "GW4204")]
    made = plan(mlp(), "xc7k160tfbg484-1")
    assert "xc7k160tfbg484-1" in made.settings["warnings"][0]


def test_a_float_model_is_refused() -> None:
    model = replace(model_of(mlp()), integer=None)
    assert [f.code for f in target().check(model)] == ["GW4206"]
    with pytest.raises(TargetError):
        target().plan(model, {})


def test_estimate_names_models_and_errors() -> None:
    made = plan(residual_cnn())
    estimate = target().estimate(made)
    assert set(MEASURED_NAMES) < set(estimate.totals)
    for figure in estimate.totals.values():
        assert figure.error and figure.measured is None
        assert figure.model in estimate.models or figure.model == "set"
    for layer in estimate.layers:
        assert all(f.model in estimate.models or f.model == "none" for f in layer.figures.values()), layer
    assert [layer.layer for layer in estimate.layers] == [r["layer"] for r in made.layers]
    interval = estimate.totals["interval_cycles"].value
    assert interval == max(layer.figures["interval_cycles"].value for layer in estimate.layers)
    assert estimate.totals["inferences_per_second"].value == pytest.approx(200e6 / interval, rel=1e-3)
    assert estimate.totals["latency_cycles"].value >= interval


def test_every_layer_but_inputs_has_a_row() -> None:
    graph = residual_cnn()
    assert [r["layer"] for r in plan(graph).layers] == [x.name for x in graph if not isinstance(x, Input)]


def test_variants_and_options_are_described() -> None:
    names = [name for name, _ in XilinxTarget.variants()]
    assert "xilinx:zcu104" in names and "xilinx:xcvu13p" in names and len(names) == len(set(names))
    for name in names:
        XilinxTarget(TargetName.parse(name))
    described = XilinxTarget.options()
    assert set(described) == set(XilinxOptions.model_fields)
    assert all(described.values())
    assert "conv2d" in XilinxTarget.supported_layers() and "input" not in XilinxTarget.supported_layers()


def test_planning_imports_no_tool() -> None:
    code = (
        "import sys; from tests.xilinx.graphs import mlp, model_of; from gatewright.targets.base import TargetName;"
        "from gatewright.targets.xilinx import XilinxTarget; t = XilinxTarget(TargetName('xilinx', 'zcu104'));"
        "m = model_of(mlp()); t.check(m); t.estimate(t.plan(m, {}));"
        "sys.exit(','.join(x for x in ('tvm', 'hls4ml', 'onnx') if x in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
