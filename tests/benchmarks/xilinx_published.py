"""How far the Xilinx estimates are from what others measured.

    python tests/benchmarks/xilinx_published.py            prints both tables
    python tests/benchmarks/xilinx_published.py --update   rewrites targets/xilinx/accuracy.toml first

First table: the models on published designs (targets/xilinx/published.toml). Second table: the four MLPerf Tiny models
planned here for ZCU104, Pynq-Z2 and Arty A7-100T beside the FPGA results submitted to MLPerf Tiny; most submitted
networks are smaller ones for the same task, so the second table compares tasks, not designs. It needs the shared
models (GATEWRIGHT_MODELS).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from gatewright.compiler.errors import ConstraintError
from gatewright.compiler.model import QuantizedModel
from gatewright.targets.base import TargetName
from gatewright.targets.xilinx import XilinxTarget
from gatewright.targets.xilinx.accuracy import comparison, render

ROOT = Path(__file__).resolve().parent.parent.parent
BOARDS = ("zcu104", "pynq-z2", "arty-a7-100t")
MODELS = {
    "ic_resnet8_fp32": "ic",
    "kws_dscnn_fp32": "kws",
    "vww_mobilenetv1_025_fp32": "vww",
    "ad_toycar_ae_fp32": "ad",
}
SUBMITTED = {
    # task -> (what, inferences per second), from the MLPerf Tiny results (rounds v0.7, v1.0, v1.1)
    "ic": (("hls4ml RN07 Pynq-Z2", 36.6), ("hls4ml RN08 Pynq-Z2", 130.8), ("fpgaConvNet ResNet-8 ZC706", 6790.0)),
    "kws": (("FINN W3A3 MLP Pynq-Z2", 57268.1), ("fpgaConvNet DS-CNN Zedboard", 3088.0)),
    "vww": (("fpgaConvNet MobileNet ZC706", 1388.0),),
    "ad": (("hls4ml AD08 Pynq-Z2", 53365.4), ("hls4ml AD08 Arty A7-100T", 30685.7)),
}


def quantized(path: Path, profile: str) -> QuantizedModel:
    """The model with smooth random calibration data: plans depend on shapes and widths, hardly on values."""
    import numpy as np

    from gatewright.compiler.frontend import import_model
    from gatewright.compiler.passes.pipeline import simplify
    from gatewright.compiler.quantize.driver import quantize
    from gatewright.compiler.quantize.options import QuantizeOptions

    model, _ = simplify(import_model(path))
    rng = np.random.default_rng(0)
    samples = {spec.name: rng.random((8, *spec.shape[1:])).astype(np.float32) for spec in model.inputs}
    return quantize(model, samples, QuantizeOptions(profile=profile))  # type: ignore[arg-type]  # from argv


def published_rows() -> Iterator[str]:
    """The first table."""
    yield f"{'design':40} {'figure':16} {'estimated':>12} {'measured':>12} {'error':>8}"
    for row in comparison():
        yield (
            f"{row.design:40} {row.figure:16} {row.estimated:12,.0f} {row.measured:12,.1f} {row.error_percent:+7.1f}%"
        )


def planned_rows(folder: Path, profile: str) -> Iterator[str]:
    """The second table."""
    head = f"{'model':26} {'board':14} {'inf/s':>10} {'latency us':>11} {'LUT':>8} {'FF':>8} {'DSP':>5} {'RAMB18':>7}"
    yield f"profile {profile}\n{head} of the device"
    for name, task in MODELS.items():
        model = quantized(folder / "mlperf_tiny" / f"{name}.onnx", profile)
        for board in BOARDS:
            target = XilinxTarget(TargetName("xilinx", board))
            try:
                plan = target.plan(model, {})
            except ConstraintError as error:
                yield f"{name:26} {board:14} {error.code}: {error.reason}"
                continue
            totals = {figure: f.value for figure, f in target.estimate(plan).totals.items()}
            yield (
                f"{name:26} {board:14} {totals['inferences_per_second']:10,.0f} {totals['latency_us']:11,.1f} "
                f"{totals['lut']:8,} {totals['ff']:8,} {totals['dsp']:5} {totals['bram_18k']:7} "
                f"{plan.settings['utilisation']:.0%}"
            )
        for what, rate in SUBMITTED[task]:
            yield f"{'':26} submitted: {what}: {rate:,.1f} inf/s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="rewrite targets/xilinx/accuracy.toml")
    parser.add_argument("--profile", choices=("fixed", "scaled"), default="fixed")
    options = parser.parse_args()
    if options.update:
        (ROOT / "targets" / "xilinx" / "accuracy.toml").write_text(render(comparison()), encoding="utf-8")
    print(*published_rows(), sep="\n")
    folder = Path(os.environ.get("GATEWRIGHT_MODELS", ROOT.parent / "shared" / "models"))
    if not folder.is_dir():
        print(f"\nno shared models at {folder}: the second table is left out")
        return
    print()
    print(*planned_rows(folder, options.profile), sep="\n")


if __name__ == "__main__":
    main()
