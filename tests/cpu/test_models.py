"""Real quantized models: the CPU library equals the golden reference on them too, and compiles in seconds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.integer.reference import Reference
from gatewright.targets.cpu import CpuTarget
from tests.strategies import random_inputs

# Layer types between them: convolutions of every kind, dense, residual add, both poolings, slice, concat.
MODELS = ["kws_dscnn_int8", "ic_resnet8_int8", "sww_ref_int8"]


@pytest.mark.models
@pytest.mark.parametrize("name", MODELS)
def test_equals_the_reference(name: str, models: Path, tmp_path: Path) -> None:
    from gatewright.compiler.frontend import import_model
    from gatewright.compiler.passes.pipeline import simplify
    from gatewright.compiler.quantize.driver import quantize
    from gatewright.compiler.quantize.options import QuantizeOptions

    start = time.process_time()
    imported = import_model(models / "mlperf_tiny" / f"{name}.onnx")
    model = quantize(simplify(imported)[0], None, QuantizeOptions())
    target = CpuTarget.named("cpu")
    target.build(target.plan(model, {}), tmp_path)
    assert time.process_time() - start < 10  # seconds of processor time, so that a busy machine does not matter
    assert model.integer is not None
    library, reference = CpuTarget.load(tmp_path), Reference(model.integer)
    for seed in range(4):
        inputs = random_inputs(model.integer, seed)
        got = library.run(inputs)
        for tensor, expected in reference.run(inputs).items():
            np.testing.assert_array_equal(got[tensor], expected, tensor)
