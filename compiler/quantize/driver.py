"""Quantization from end to end: float graph and calibration data in, integer graph and host tail out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gatewright.compiler.errors import QuantizeError
from gatewright.compiler.floatgraph.graph import FloatGraph
from gatewright.compiler.floatgraph.operators.types import Array
from gatewright.compiler.integer.verifier import verify
from gatewright.compiler.model import ImportedModel, QuantizedModel
from gatewright.compiler.quantize.annotate import (
    calibrated_parameters,
    is_power_of_two,
    require_complete,
    stated_parameters,
    tensors_of,
)
from gatewright.compiler.quantize.bias_correction import corrections
from gatewright.compiler.quantize.calibrate.data import calibration_samples
from gatewright.compiler.quantize.calibrate.observe import collect
from gatewright.compiler.quantize.dialect import Program, read_dialect
from gatewright.compiler.quantize.equalize import equalize
from gatewright.compiler.quantize.grouping import group
from gatewright.compiler.quantize.lower import Lowering, lower
from gatewright.compiler.quantize.measure import layer_rows
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.compiler.quantize.region import split
from gatewright.compiler.quantize.tail import build_tail

__all__ = ["quantize", "quantize_graph"]


def quantize(model: ImportedModel, calibration: Mapping[str, Array] | None, options: QuantizeOptions) -> QuantizedModel:
    """Quantize a simplified model.

    Args:
        model: after :func:`gatewright.compiler.passes.pipeline.simplify`.
        calibration: arrays named as the inputs (or one array ``x``) with a leading axis of samples; not needed for a
            model that is quantized completely (QDQ).
        options: widths, profile, methods.

    Returns:
        The integer graph, verified, and the host tail. ``facts["layers"]`` holds a row of plain data a layer,
        ``facts["quantization"]`` the options.

    Raises:
        QuantizeError: GW33xx where no integer form exists, GW31xx where the verifier refuses.
        UsageError: GW03xx on calibration data that does not fit.
    """
    from gatewright.compiler.floatgraph.from_relax import read  # imports tvm

    quantized = quantize_graph(model.name, read(model), calibration, options)
    return replace(quantized, float_module=model.module, facts={**model.facts, **quantized.facts})


def quantize_graph(
    name: str, graph: FloatGraph, calibration: Mapping[str, Array] | None, options: QuantizeOptions
) -> QuantizedModel:
    """As :func:`quantize`, from a float graph and without tvm; ``float_module`` is None."""
    source = equalize(graph) if options.equalize else graph
    program = read_dialect(source)
    _check_profile(program, options)
    region = split(program, group(program, powers_of_two=options.profile == "fixed"))
    parameters = stated_parameters(program, region)
    samples = None if calibration is None else calibration_samples(graph.inputs, calibration)
    missing = [tensor for tensor in tensors_of(region) if tensor not in parameters]
    histograms = {}
    if samples is None:
        require_complete(region, parameters, bool(program.parameters))
    elif missing:
        histograms = collect(source, samples, missing, options.batch_size)
        parameters = calibrated_parameters(program, region, parameters, histograms, options)
    context = Lowering(program, options, parameters)
    if options.bias_correction and samples is not None:
        context.corrections = corrections(program, region, parameters, samples, options)
    integer = verify(lower(region, context))
    tail = build_tail(program, region.outputs, {layer.name: layer.output for layer in integer})
    rows = layer_rows(program, region, integer, samples, histograms, options)
    facts = {"quantization": options.to_json(), "layers": rows}
    return QuantizedModel(name, None, graph, integer, tail, facts)


def _check_profile(program: Program, options: QuantizeOptions) -> None:
    """A model that states its own scales cannot be ``fixed`` unless they are powers of two already."""
    if options.profile != "fixed":
        return
    for tensor, parameters in program.parameters.items():
        if not is_power_of_two(parameters.scale) or parameters.zero_point:
            raise QuantizeError(
                "GW3306", tensor,
                f"the model states scale {parameters.scale:g} and zero point {parameters.zero_point}, and profile "
                "fixed takes only powers of two and 0",
                "use --profile scaled for models that are quantized already",
                "start from the float model",
            )  # fmt: skip
