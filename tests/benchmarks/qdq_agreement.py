"""Quantized (QDQ) models against ONNX Runtime with graph optimizations off: integer outputs, byte by byte.

    python -m tests.benchmarks.qdq_agreement                 # all int8 models
    python -m tests.benchmarks.qdq_agreement kws_dscnn_int8 --samples 64 --json

The inputs are the realistic ones of examples/prepare_data.py. Exit code 0 when every classifier agrees on the top class
of at least 99.5 % of the samples (a tie on either side is agreement; ``top1_same_index`` breaks ties by the first
index instead), else 5.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from examples.prepare_data import SETS, data_folder, prepare
from gatewright.compiler.frontend import import_model
from gatewright.compiler.passes.pipeline import simplify
from gatewright.compiler.quantize import QuantizeOptions, quantize
from gatewright.compiler.samples import samples_of
from gatewright.compiler.verification.comparison import top1_agreement
from gatewright.compiler.verification.model import integer_tensors, tail_outputs
from tests.benchmarks.accuracy import models_folder

__all__ = ["CLASSIFIERS", "OTHERS", "measure"]

CLASSIFIERS = ("ic_resnet8_int8", "ic_resnet_large_int8", "kws_dscnn_int8", "vww_mobilenetv1_025_int8")
"""Must agree on the top class."""
OTHERS = ("ad_toycar_ae_int8", "sww_ref_int8", "micro_speech_quantized", "person_detect", "mobilenet_v1_0.25_128_quant",
          "mobilenet_v2_1.0_224_quant")  # fmt: skip
"""Differences are reported."""
LEAST_AGREEMENT = 0.995


def measure(model: str, count: int = 256) -> dict[str, object]:
    """Differences of one model over ``count`` samples (or as many as there are)."""
    import onnxruntime

    path = models_folder() / SETS[model][0] / f"{model}.onnx"
    samples = prepare(model, data_folder()).x[:count]
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    theirs = np.concatenate([session.run(None, {name: x[None]})[0] for x in samples])
    quantized = quantize(simplify(import_model(path))[0], None, QuantizeOptions())
    assert quantized.float_graph is not None
    assert quantized.integer is not None
    assert quantized.tail is not None
    given = samples_of({"x": samples}, quantized.float_graph.inputs)
    (ours,) = tail_outputs(quantized.tail, integer_tensors(quantized.integer, given), len(given)).values()
    apart = np.abs(theirs.astype(np.int64) - ours.astype(np.int64))
    return {
        "model": model,
        "samples": len(samples),
        "top1_agreement": top1_agreement(_rows(theirs), _rows(ours)),
        "top1_same_index": float(np.mean(_rows(theirs).argmax(axis=1) == _rows(ours).argmax(axis=1))),
        "max_lsb": int(apart.max()),
        "mean_lsb": float(apart.mean()),
        "differing_elements": float(np.mean(apart != 0)),
    }


def _rows(array: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    return array.reshape(len(array), -1).astype(np.float64)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", default=[*CLASSIFIERS, *OTHERS])
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    rows, missed = [], False
    for model in given.models or [*CLASSIFIERS, *OTHERS]:
        row = measure(model, given.samples)
        agreement = row["top1_agreement"]
        missed |= model in CLASSIFIERS and isinstance(agreement, float) and agreement < LEAST_AGREEMENT
        rows.append(row)
        if not given.json:
            print("  ".join(f"{k}={v:.5g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()), flush=True)
    if given.json:
        json.dump({"schema_version": 1, "command": "qdq_agreement", "results": rows}, sys.stdout, indent=1)
        print()
    return 5 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
