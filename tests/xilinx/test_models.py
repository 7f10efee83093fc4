"""Real models: the four of MLPerf Tiny get a sensible plan."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gatewright.schedules.fpga.choices import legal_reuse_factors
from gatewright.schedules.fpga.kernels import kernels
from gatewright.targets.base import TargetName
from gatewright.targets.xilinx import XilinxTarget
from tests.benchmarks.xilinx_published import quantized


@pytest.mark.models
@pytest.mark.parametrize(
    "name", ["ic_resnet8_fp32", "kws_dscnn_fp32", "vww_mobilenetv1_025_fp32", "ad_toycar_ae_fp32"]
)  # fmt: skip
@pytest.mark.parametrize("profile", ["fixed", "scaled"])
def test_mlperf_tiny_on_a_zcu104(name: str, profile: str, models: Path) -> None:
    model = quantized(models / "mlperf_tiny" / f"{name}.onnx", profile)
    target = XilinxTarget(TargetName("xilinx", "zcu104"))
    assert not [f for f in target.check(model) if f.severity == "error"]
    begin = time.monotonic()
    plan = target.plan(model, {})
    assert time.monotonic() - begin < 2  # the promise of the search; 0.3 s measured for the MobileNet
    assert model.integer is not None
    for kernel, row in zip(kernels(model.integer), plan.layers, strict=True):
        if kernel.foldable:
            assert row["reuse_factor"] in legal_reuse_factors(kernel, row["strategy"]), row
    used, share = plan.settings["resources"], plan.settings["utilisation"]
    assert all(used[resource] <= count * share for resource, count in plan.settings["available"].items())
    assert share == 0.8 and not plan.settings["warnings"]
