"""Every rounding mode in hardware beside the interpreter of stages, and the hls4ml layers that need them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.hls.extension import quiet
from gatewright.hls.lattice import project
from gatewright.hls.lattice.plugin import products, register
from gatewright.hls.lattice.plugin.lowering import lower
from gatewright.hls.lattice.simulation import Simulation, build
from gatewright.hls.ports import all_physical
from gatewright.schedules.stream.hardware import Fold
from gatewright.schedules.stream.reference import execute
from gatewright.schedules.stream.rescaling import Scaling, scaling_of
from gatewright.schedules.stream.stages import Design, Mac, Map, Pool, Port, Rescale, Stage, Stream, Window
from tests.lattice.plugin_models import Zoo, graph
from tests.lattice.random_designs import _side_by_side, _step, assembled

MODES = ("half_up", "floor", "half_even", "toward_zero")
SAMPLES, CHANNELS, PIXELS = 8, 4, 256
BITS = 11
"""All values of so many bits go through every position: ``SAMPLES * PIXELS == 1 << BITS``."""


def rescale(
    rounding: str, wrap: bool = False, bias: Any = 0, multiplier: Any = 1, shift: Any = 0, zero_point: int = 0,
    low: int = -128, high: int = 127, acc: tuple[int, int] = (-(1 << BITS - 1), (1 << BITS - 1) - 1),
) -> Rescale:  # fmt: skip
    b, m, n = np.broadcast_arrays(*(np.atleast_1d(np.asarray(a, np.int64)) for a in (bias, multiplier, shift)))
    value = (acc[0] + int(b.min()), acc[1] + int(b.max()))
    return Rescale(b.copy(), m.copy(), n.copy(), zero_point, low, high, *acc, *value, rounding, wrap)


# -- hardware costs what it must ---------------------------------------------------------------------------------------


def _scaling(*arguments: Any, **more: Any) -> Scaling:
    return scaling_of(rescale(*arguments, **more), "mult18")


def test_a_mode_is_made_only_where_values_need_it() -> None:
    needed = {rounding: _scaling(rounding, shift=3) for rounding in MODES}
    assert [needed[rounding].mode for rounding in MODES] == ["add", "add", "half_even", "toward_zero"]
    assert [needed[rounding].latency for rounding in MODES] == [4, 4, 5, 6]
    assert _scaling("toward_zero", shift=3, acc=(0, 9)).mode == _scaling("toward_zero").mode == "add"
    assert _scaling("half_even", multiplier=8, shift=3).mode == "add"  # exact


def test_a_multiplier_costs_one_cycle_more_toward_zero() -> None:
    modes = ("half_up", "floor", "toward_zero")
    assert [_scaling(rounding, multiplier=3, shift=5).latency for rounding in modes] == [8, 8, 9]


@pytest.mark.parametrize("more", [{"multiplier": 3, "shift": 4}, {"shift": [3, 4]}])
def test_half_to_even_has_one_shift(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="half to even"):
        _scaling("half_even", **more)


# -- in hardware -------------------------------------------------------------------------------------------------------

BIAS = (-700, -3, 0, 513)


def _rescales() -> Iterator[tuple[str, Rescale, Stream]]:
    """Name, rescale and result of every case."""
    narrow, byte = (Stream(PIXELS, CHANNELS, bits, True, -1 << bits - 1, (1 << bits - 1) - 1) for bits in (6, 8))
    unsigned = Stream(PIXELS, CHANNELS, 5, False, 0, 31)
    constants = {
        "shift": {"multiplier": 1, "shift": (3, 0, 5, 4)},
        "multiply": {"multiplier": (181, 255, 3, 64), "shift": (10, 9, 4, 12)},
        "wide": {"multiplier": (1344391461, (1 << 31) - 1, 5, 0), "shift": (36, 40, 0, 3)},
    }  # fmt: skip
    for rounding, wrap, (name, given) in itertools.product(MODES, (False, True), constants.items()):
        if rounding == "half_even":
            if name != "shift":
                continue
            given = {"shift": 4}
        ends = {"low": -20, "high": 25}
        yield f"{rounding}_{name}_{int(wrap)}", rescale(rounding, wrap, BIAS, **given, zero_point=-5, **ends), narrow
    for rounding in ("half_even", "toward_zero"):
        for shift in (0, 1, 10, 11, 12, 14):
            yield f"{rounding}_by_{shift}", rescale(rounding, shift=shift), byte
        yield f"{rounding}_unsigned", rescale(rounding, shift=5, zero_point=9, low=0, high=31), unsigned
        yield f"{rounding}_lowest", rescale(rounding, bias=-1024, shift=6, zero_point=40), byte
        yield f"{rounding}_highest", rescale(rounding, bias=5000, shift=6, zero_point=-90), byte


def _designs() -> Iterator[tuple[Design, Fold, np.ndarray]]:
    """A design of one stage, its folding, and its input."""
    rng = np.random.default_rng(0)
    values = np.arange(1 << BITS)[:, None].repeat(CHANNELS, axis=1) - (1 << BITS - 1)
    values = values.reshape(SAMPLES, PIXELS * CHANNELS)
    x = Stream(PIXELS, CHANNELS, BITS, True, int(values.min()), int(values.max()))
    for i, (_, how, out) in enumerate(_rescales()):
        yield _alone(Map("m", ("x",), out, "m", x, how), x), Fold((1, 2, 4)[i % 3]), values
    window = Window(16, 16, 2, (2, 2), (2, 2), padding=(1, 1, 1, 1), pad=0)
    x = Stream(256, 2, 8, True, -128, 127)
    rows, columns = window.output
    places = rows * columns * 2
    for maximum, more in (
        (False, {"multiplier": rng.integers(80, 255, places), "shift": rng.integers(9, 12, places)}),
        (False, {"multiplier": 683, "shift": 11}),
        (True, {"shift": 3}),
    ):
        how = rescale("toward_zero", acc=(-512, 508), **more)
        stage = Pool("m", ("x",), Stream(rows * columns, 2, 8, True, -128, 127), "m", x, window, maximum, how)
        yield _alone(stage, x), Fold(1), rng.choice((-128, -3, -2, -1, 0, 1, 2, 3, 127, 50), (SAMPLES, x.elements))


def _alone(stage: Stage, x: Stream) -> Design:
    def port(name: str, stream: Stream) -> Port:
        return Port(name, name, (1, stream.elements), np.arange(stream.elements), "int16")

    return Design("one", (port("x", x),), (port("m", stage.output),), {"x": x}, (stage,))


@pytest.mark.slow
def test_every_mode_in_hardware(tmp_path: Path) -> None:
    """One build: every rounding, with and without multiplier, clamped and wrapped, over all values; to the cycle."""
    cases = list(_designs())
    names = [name for name, _, _ in _rescales()] + ["pool_places", "pool_mean", "pool_maximum"]
    assert len(cases) == len(names)
    folds = {f"c{i}_m": fold for i, (_, fold, _) in enumerate(cases)}
    network, _ = assembled(_side_by_side([design for design, _, _ in cases]), folds, "ecp5")
    project.write(network, tmp_path)
    build(tmp_path)
    simulation = Simulation(tmp_path)
    inputs = {f"c{i}:x": values.astype(np.int16) for i, (_, _, values) in enumerate(cases)}
    expected = [execute(design, {"x": values})["m"] for design, _, values in cases]
    for options in ({}, {"back_pressure": (0.6, 0.5), "seed": 1}):
        made = simulation.run(inputs, **options)
        unequal = [name for i, name in enumerate(names) if not np.array_equal(made[f"c{i}:m"], expected[i])]
        assert not unequal
    assert all(len(np.unique(array)) > 2 for name, array in zip(names, expected, strict=True) if "_by_" not in name)

    fed = all_physical(simulation.inputs, {name: array[:1] for name, array in inputs.items()})
    empty = [np.zeros((1, port["tokens"] * port["lanes"]), np.int32) for port in simulation.outputs]
    cycles = _step(simulation, fed, empty, 1)
    entered, left = cycles[: len(cases)], cycles[len(cases) :]
    assert [port["name"] for port in simulation.outputs] == [f"c{i}:m" for i in range(len(cases))]
    late = [out[-1] - into[0] + 1 for into, out in zip(entered, left, strict=True)]
    assert late == [assembled(design, {"m": fold}, "ecp5")[1].latency_cycles for design, fold, _ in cases]


# -- hls4ml layers that need them --------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    with quiet():
        from hls4ml.backends import get_available_backends, register_backend
        from hls4ml.writer.writers import register_writer
    if "lattice" not in get_available_backends():
        register(register_backend=register_backend, register_writer=register_writer)


def _rounding_zoo() -> tuple[Zoo, Any]:
    """Layers that round to even or toward zero, weights of -1, 0 and 1 among them, and the input."""
    zoo = Zoo([6, 5, 3], "ap_fixed<14,5,AP_RND,AP_SAT>", 4)
    types = {
        "even": "result=ap_fixed<8,4,AP_RND_CONV,AP_SAT>", "even_wrap": "result=ap_fixed<8,3,AP_RND_CONV,AP_WRAP>",
        "to_zero": "result=ap_fixed<8,4,AP_TRN_ZERO,AP_WRAP>", "to_zero_sat": "result=ap_fixed<7,3,AP_TRN_ZERO,AP_SAT>",
    }  # fmt: skip
    for name, kind in types.items():
        zoo.add(name, "Activation", kind, activation="linear", n_in=90)
    zoo.add("table", "Activation", "result=ap_fixed<16,6>", activation="softsign", n_in=90)
    zoo.add("mid_flat", "Reshape", "", target_shape=[-1])
    for name, choice in (("ternary", (-1, 0, 1)), ("binary", (-1, 1))):
        kinds = "result=ap_fixed<9,6,AP_RND_CONV,AP_SAT> accum=auto weight=ap_int<2> bias=ap_fixed<8,2>"
        zoo.add(name, "Dense", kinds, "mid_flat", n_in=90, n_out=6, bias_data=np.arange(-3, 3) / 8,
                weight_data=zoo.rng.choice(choice, (90, 6)).astype(float))  # fmt: skip
    geometry = {
        "in_height": 6, "in_width": 5, "pool_height": 3, "pool_width": 3, "stride_height": 2, "stride_width": 2,
        "out_height": 3, "out_width": 3, "pad_top": 1, "pad_left": 1, "pad_bottom": 1, "pad_right": 1, "n_filt": 3,
        "data_format": "channels_last",
    }  # fmt: skip
    zoo.add("mean", "AveragePooling2D", "accum=ap_fixed<20,9> result=ap_fixed<9,4,AP_RND>", **geometry)
    zoo.add("global", "GlobalAveragePooling2D", "accum=ap_fixed<20,10> result=ap_fixed<12,3>", in_height=6, in_width=5,
            n_filt=3, data_format="channels_last")  # fmt: skip
    return zoo, np.concatenate([zoo.values(30, 6, 5, 3, reach=r) for r in (20, 4)])


def _cast(x: Any, width: int, integer: int, whole: Any, saturate: bool) -> Any:
    """Independent of the plug-in: floats all along; ``whole`` rounds."""
    q, half = whole(x * 2.0 ** (width - integer)), 2.0 ** (width - 1)
    q = np.clip(q, -half, half - 1) if saturate else (q + half) % (2 * half) - half
    return q * 2.0 ** (integer - width)


def test_hls4ml_layers_that_round_to_even_and_toward_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are written, where GW4251 was all there was, and mean what fixed-point arithmetic says."""
    zoo, x = _rounding_zoo()
    model = graph("Lattice", tmp_path, zoo.layers, zoo.precisions, zoo.outputs)
    lowered = lower(model)
    modes = {scaling_of(s.rescale, "mult18").mode for s in lowered.design.stages if isinstance(s, Map | Pool)}
    macs = [stage for stage in lowered.design.stages if isinstance(stage, Mac)]
    assert len(macs) == 2 and all(stage.ternary for stage in macs)
    assert modes == {"add", "half_even", "toward_zero"}
    with quiet():
        model.write()
    assert (tmp_path / "design.json").is_file()
    monkeypatch.setattr(products, "run", lambda _, inputs: execute(lowered.design, inputs))
    made = dict(zip(zoo.outputs, model.predict(x), strict=True))
    a = np.clip(np.floor(x * 512 + 0.5), -8192, 8191) / 512
    flat = a.reshape(len(a), -1)
    assert np.array_equal(made["even"], _cast(flat, 8, 4, np.round, True))
    assert np.array_equal(made["even_wrap"], _cast(flat, 8, 3, np.round, False))
    assert np.array_equal(made["to_zero"], _cast(flat, 8, 4, np.trunc, False))
    assert np.array_equal(made["to_zero_sat"], _cast(flat, 7, 3, np.trunc, True))
    for name in ("ternary", "binary"):
        dense = next(layer for layer in zoo.layers if layer["name"] == name)
        exact = flat @ dense["weight_data"] + dense["bias_data"]
        assert np.array_equal(made[name], _cast(exact, 9, 6, np.round, True))
    total = a.sum(axis=(1, 2))
    assert np.array_equal(made["global"], _cast(np.trunc(total * 1024 / 30) / 1024, 12, 3, np.floor, False))


@pytest.mark.slow
def test_the_same_layers_in_rtl(tmp_path: Path) -> None:
    zoo, x = _rounding_zoo()
    model = graph("Lattice", tmp_path, zoo.layers, zoo.precisions, zoo.outputs)
    with quiet():
        model.compile()
    made = model.predict(x[::7])
    design = lower(model).design
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "run", lambda _, inputs: execute(design, inputs))
        expected = model.predict(x[::7])
    unequal = [name for name, a, b in zip(zoo.outputs, made, expected, strict=True) if not np.array_equal(a, b)]
    assert not unequal
