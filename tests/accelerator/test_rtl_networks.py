"""Real models through the RTL: equal bytes, and the cycles of the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewright.compiler.driver import Request, Silent, prepare
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.hls.accelerator.simulation import build_simulation
from gatewright.targets.accelerator import AcceleratorTarget
from gatewright.targets.accelerator.building import load_package
from tests.accelerator.rtl_networks import compare
from tests.strategies import random_inputs


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ic_resnet8_int8", "kws_dscnn_int8"])
def test_a_network_through_the_rtl(models: Path, tmp_path: Path, name: str) -> None:
    ready = prepare(
        Request(models / "mlperf_tiny" / f"{name}.onnx", options=QuantizeOptions(profile="scaled")), Silent()
    )
    target = AcceleratorTarget.named("sim:systolic-8x8-ws")
    folder = tmp_path / "artefact"
    folder.mkdir()
    target.build(target.plan(ready.model, {}), folder)
    package = load_package(folder)
    found = compare(package, build_simulation(package.spec, tmp_path / "rtl"), dict(random_inputs(package.graph, 1)))
    assert found.instructions > 50
    assert (found.wrong_bytes, found.off_model, found.off_contract) == (0, 0, 0)
    assert found.modelled_cycles == found.cycles
