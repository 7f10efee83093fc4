"""Accuracy of quantized models against float, on the shared models and data, through the golden reference.

    python -m tests.benchmarks.accuracy                        # the models and bounds of the table below
    python -m tests.benchmarks.accuracy resnet20_cifar10 --profile fixed --set calibration=entropy --json

Models stand in GATEWRIGHT_MODELS (default ``../shared/models``), data in GATEWRIGHT_DATA (``../shared/data``). The exit
code is 0 when every bound holds, else 4.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from examples.prepare_data import ROOT, SETS, data_folder, prepare
from gatewright.compiler.frontend import import_model
from gatewright.compiler.passes.pipeline import simplify
from gatewright.compiler.quantize import QuantizeOptions, quantize
from gatewright.compiler.samples import samples_of
from gatewright.compiler.verification.model import measure as compare

__all__ = ["BOUNDS", "measure"]

# Greatest loss of accuracy against float, in points, by model and profile; None: report only.
BOUNDS: Mapping[str, Mapping[str, float | None]] = {
    "qkeras_mnist_cnn": {"scaled": 0.3, "fixed": 0.3},
    "qkeras_mnist_dense": {"scaled": 0.3, "fixed": 0.3},
    "kws_dscnn_fp32": {"scaled": 0.7, "fixed": 0.7},
    "ic_resnet8_fp32": {"scaled": 0.4, "fixed": 0.7},
    "resnet20_cifar10": {"scaled": 0.4, "fixed": 0.7},
    "vww_mobilenetv1_025_fp32": {"scaled": None, "fixed": None},
    "ad_toycar_ae_fp32": {"scaled": None, "fixed": None},
}


def models_folder() -> Path:
    """GATEWRIGHT_MODELS, or ``../shared/models`` beside the repository."""
    return Path(os.environ.get("GATEWRIGHT_MODELS", ROOT.parent / "shared" / "models"))


def measure(model: str, options: QuantizeOptions, limit: int | None = None) -> dict[str, object]:
    """Quantize one model and run it and its float form over the evaluation samples.

    Args:
        model: file stem, a key of ``prepare_data.SETS``.
        options: of the quantizer.
        limit: evaluate this many samples only.
    """
    samples = prepare(model, data_folder())
    imported, _ = simplify(import_model(models_folder() / SETS[model][0] / f"{model}.onnx"))
    start = time.perf_counter()
    quantized = quantize(imported, {"x": samples.calib}, replace(options, measure_samples=0))
    seconds = time.perf_counter() - start
    arrays = {"x": samples.x} if samples.y is None else {"x": samples.x, "y": samples.y}
    result = compare(quantized, samples_of(arrays, imported.inputs).head(limit))
    lost = None
    if result.float_accuracy is not None and result.accuracy is not None:
        lost = round(100 * (result.float_accuracy - result.accuracy), 3)
    return {
        "model": model, "profile": options.profile, **result.to_json(), "lost_points": lost,
        "quantize_seconds": round(seconds, 2),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", default=list(BOUNDS))
    parser.add_argument("--profile", choices=("scaled", "fixed"), action="append")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="a quantization option")
    parser.add_argument("--limit", type=int, help="evaluate this many samples only")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    extra = {key: _value(text) for key, _, text in (item.partition("=") for item in given.set)}
    rows, missed = [], False
    for model in given.models or list(BOUNDS):
        for profile in given.profile or ("scaled", "fixed"):
            row = measure(model, QuantizeOptions.from_mapping({**extra, "profile": profile}), given.limit)
            bound, lost = BOUNDS.get(model, {}).get(profile), row["lost_points"]
            row["bound_points"] = bound
            missed |= bound is not None and isinstance(lost, float) and lost > bound
            rows.append(row)
            if not given.json:
                print("  ".join(f"{key}={_text(value)}" for key, value in row.items()), flush=True)
    if given.json:
        json.dump({"schema_version": 1, "command": "accuracy", "results": rows}, sys.stdout, indent=1)
        print()
    return 4 if missed else 0


def _value(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _text(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    raise SystemExit(main())
