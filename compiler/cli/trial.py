"""Quantizing without calibration data, to see what a target says about a model's structure."""

from __future__ import annotations

from gatewright.compiler.driver import Request, Steps
from gatewright.compiler.model import ImportedModel, QuantizedModel

__all__ = ["trial_model"]

_SAMPLES = 4


def trial_model(imported: ImportedModel, request: Request, steps: Steps) -> QuantizedModel:
    """Quantize with the request's calibration data, else with normal noise; float models stay float.

    Raises:
        GatewrightError: the model cannot be quantized.
    """
    import numpy as np

    from gatewright.compiler.floatgraph.from_relax import read
    from gatewright.compiler.quantize.driver import quantize
    from gatewright.compiler.samples import read_samples

    if request.options is None:
        return QuantizedModel(imported.name, imported.module, read(imported), None, None, imported.facts)
    if request.calibration is not None:
        calibration = read_samples(request.calibration, imported.inputs).stacked()
    else:
        rng = np.random.default_rng(request.seed)
        calibration = {}
        for spec in imported.inputs:
            shape = (_SAMPLES * spec.shape[0], *spec.shape[1:]) if len(spec.shape) > 1 else spec.shape
            noise = rng.standard_normal(shape)
            calibration[spec.name] = (noise if np.dtype(spec.dtype).kind == "f" else np.abs(noise)).astype(spec.dtype)
    with steps.step("quantize"):
        return quantize(imported, calibration, request.options)
