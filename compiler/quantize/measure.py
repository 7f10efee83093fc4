"""What the user sees of every layer: range, scale, signal to noise, saturation, accumulator width."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.floatgraph.operators.types import Array
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Layer
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.integer.semantics import accumulator_bits
from gatewright.compiler.quantize.calibrate.data import batches, fitting
from gatewright.compiler.quantize.calibrate.histogram import Histogram
from gatewright.compiler.quantize.dialect import Program
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.compiler.quantize.parameters import Parameters
from gatewright.compiler.quantize.region import Region
from gatewright.compiler.runtime.boundary import quantize_inputs

__all__ = ["layer_rows"]

Row = dict[str, object]


def layer_rows(
    program: Program,
    region: Region,
    graph: IntegerGraph,
    samples: Mapping[str, Array] | None,
    histograms: Mapping[str, Histogram],
    options: QuantizeOptions,
) -> list[Row]:
    """One row of plain data a layer; what was not measured is None.

    ``sqnr_db`` compares the dequantized golden result with the float tensor on the first ``measure_samples``
    calibration samples; ``saturated`` is the part of the elements at an end of the clamp that is no end of the real
    range (0 of a ReLU does not count).
    """
    widths = accumulator_bits(graph)
    measured: dict[str, tuple[float | None, float]] = {}
    if samples is not None and options.measure_samples:
        measured = _measure(program, region, graph, samples, options)
    rows: list[Row] = []
    for layer in graph:
        kind, seen = layer.output, histograms.get(layer.name)
        sqnr, saturated = measured.get(layer.name, (None, None))
        rows.append(
            {
                "layer": layer.name,
                "op": layer.op,
                "type": kind.code,
                "min": None if seen is None else seen.low,
                "max": None if seen is None else seen.high,
                "scale": kind.scale,
                "zero_point": kind.zero_point,
                "sqnr_db": sqnr,
                "saturated": saturated,
                "accumulator_bits": widths.get(layer.name),
            }
        )
    return rows


def _measure(
    program: Program,
    region: Region,
    graph: IntegerGraph,
    samples: Mapping[str, Array],
    options: QuantizeOptions,
) -> dict[str, tuple[float | None, float]]:
    batch = next(batches(program.source.inputs, samples, fitting(program.source, options.measure_samples)))
    bounds = {block.name: (block.low, block.high) for block in region.blocks}
    real: dict[str, Array] = {name: array for name, array in batch.items() if name in graph}

    def keep(node: Node, value: Array) -> None:
        if node.name in graph:
            real[node.name] = value

    execute(program.source, batch, keep)
    found: dict[str, tuple[float | None, float]] = {}

    def compare(layer: Layer, q: npt.NDArray[np.integer]) -> None:
        truth, kind = real.pop(layer.name, None), layer.output
        if truth is None or truth.shape != q.shape or truth.dtype.kind != "f":
            return
        parameters = Parameters(kind.bits, kind.signed, kind.scale, kind.zero_point)
        truth = np.asarray(truth, np.float64)
        noise = float(np.mean((parameters.dequantize(q.astype(np.int64)) - truth) ** 2))
        signal = float(np.mean(truth**2))
        sqnr = None if signal == 0 else (math.inf if noise == 0 else 10 * math.log10(signal / noise))
        low, high = bounds.get(layer.name, (-math.inf, math.inf))
        rounded = None if sqnr is None or math.isinf(sqnr) else round(sqnr, 2)
        found[layer.name] = (rounded, _saturated(q, parameters, low, high))

    Reference(graph).run(quantize_inputs(graph, batch), compare)
    return found


def _saturated(q: npt.NDArray[np.integer], parameters: Parameters, low: float, high: float) -> float:
    """Part of the elements at an end of the integer range, where that end is not the bound of a fused clip."""
    least, greatest = parameters.limits
    lower, upper = parameters.clamp(low, high)
    count = 0
    if lower == least and parameters.signed and not (math.isfinite(low) and parameters.range[0] <= low):
        count += int(np.count_nonzero(q == least))
    if upper == greatest and not (math.isfinite(high) and parameters.range[1] >= high):
        count += int(np.count_nonzero(q == greatest))
    return round(count / max(q.size, 1), 6)
