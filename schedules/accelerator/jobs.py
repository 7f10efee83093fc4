"""Layers as jobs: shapes, operands, and the constants folded into what the machine computes.

Zero points of activations are folded into biases: ``sum((x - z) * w) + b = sum(x * w) + (b - z * sum(w))``, modulo
2**32, which is exact because the true sum is proven to fit 32 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from gatewright.compiler.integer.layers import (
    Add,
    AvgPool2d,
    Conv2d,
    Dense,
    MaxPool2d,
    Multiply,
    Requantize,
    Table,
)
from gatewright.compiler.integer.requantization import rounding_half
from gatewright.compiler.integer.tensor import IntArray, TensorType
from gatewright.schedules.accelerator.analysis import Analysis, Operation
from gatewright.schedules.accelerator.lowering.convolution import ConvJob
from gatewright.schedules.accelerator.lowering.window import Factors, WindowJob
from gatewright.schedules.accelerator.packing import (
    StoredWeights,
    pack_parameters,
    pack_taps,
    pack_weights,
    stored_weights,
)
from gatewright.schedules.accelerator.places import Place
from gatewright.schedules.accelerator.shapes import ConvShape
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.tile import Tiling

__all__ = [
    "ConstantStore",
    "convolution_constants",
    "convolution_job",
    "convolution_shape",
    "window_constants",
    "window_job",
]


class ConstantStore(Protocol):
    """Where constants of layers come to lie."""

    def address(self, layer: str, role: str) -> int:
        """DRAM address of the constant ``role`` (weights, parameters, taps) of ``layer``."""
        ...


class _Form(NamedTuple):
    """What instructions say of the weights of a layer (see :class:`StoredWeights`)."""

    passes: int
    zero: int
    signed: bool


_FORMS: WeakKeyDictionary[Conv2d | Dense, _Form] = WeakKeyDictionary()
"""A search asks for every candidate; the answer takes a look at every weight."""


def _image_weight(layer: Conv2d | Dense, source: tuple[int, ...]) -> IntArray:
    """Weights as (O, I / groups, KH, KW); behind a flattened image a matrix product is a window of its size."""
    if isinstance(layer, Conv2d):
        return layer.weight
    if len(source) == 4:
        return layer.weight.reshape(-1, *source[1:])
    return layer.weight[:, :, None, None]


def _stored(layer: Conv2d | Dense, source: tuple[int, ...]) -> StoredWeights:
    return stored_weights(_image_weight(layer, source), layer.weight_zero_point, layer.weight_signed)


def _form(layer: Conv2d | Dense) -> _Form:
    if layer not in _FORMS:
        weights = stored_weights(layer.weight, layer.weight_zero_point, layer.weight_signed)
        _FORMS[layer] = _Form(weights.passes, weights.zero, weights.signed)
    return _FORMS[layer]


def _read_shape(analysis: Analysis, op: Operation, index: int = 0) -> tuple[int, ...]:
    """Shape an operand is read in: that of the stored tensor where a flattening was absorbed."""
    name = op.layer.inputs[index]
    if isinstance(op.layer, Dense) and analysis.stored[name] != name:
        stored = analysis.storages[analysis.stored[name]]
        flat = analysis.storages[name]
        # A reshape that moves nothing is read as what it is; one that was absorbed as the image.
        if stored.is_image and stored.grid[1:] != (1, 1) and len(flat.shape) == 2:
            return stored.shape
    return analysis.graph[name].output.shape


def convolution_shape(spec: Spec, analysis: Analysis, op: Operation) -> ConvShape:
    """Shape of a convolution or matrix product."""
    layer = op.layer
    assert isinstance(layer, Conv2d | Dense)
    source, target = _read_shape(analysis, op), analysis.storages[op.name]
    samples, height, width, channels = _pixels(source)
    pitch = -(-channels // spec.alignment_bytes) * spec.alignment_bytes
    passes = _form(layer).passes
    if isinstance(layer, Conv2d):
        return ConvShape(
            samples, height, width, channels, pitch, layer.output.shape[2], layer.output.shape[3],
            layer.output.shape[1], target.pitch_bytes, (layer.weight.shape[2], layer.weight.shape[3]), layer.strides,
            layer.dilation, layer.padding, layer.groups, passes, spec.matrix.rows, spec.matrix.columns,
        )  # fmt: skip
    kernel = (height, width) if len(source) == 4 else (1, 1)
    out_width = 1 if len(source) == 4 else width
    return ConvShape(
        samples, height, width, channels, pitch, 1, out_width, layer.weight.shape[0], target.pitch_bytes, kernel,
        (1, 1), (1, 1), (0, 0, 0, 0), 1, passes, spec.matrix.rows, spec.matrix.columns,
    )  # fmt: skip


def _pixels(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """(samples, height, width, channels)."""
    if len(shape) == 4:
        return shape[0], shape[2], shape[3], shape[1]
    return 1, 1, int(np.prod(shape[:-1], dtype=np.int64)), shape[-1]


def _folded_bias(layer: Conv2d | Dense, zero_point: int) -> IntArray:
    axes = tuple(range(1, layer.weight.ndim))
    per_output = int(np.prod(layer.weight.shape[1:]))
    total = layer.weight.astype(np.int64).sum(axis=axes) - per_output * layer.weight_zero_point.astype(np.int64)
    return layer.bias.astype(np.int64) - zero_point * total


def convolution_job(
    spec: Spec, analysis: Analysis, op: Operation, shape: ConvShape, places: Mapping[str, Place], store: ConstantStore
) -> ConvJob:
    """The job of a convolution or matrix product."""
    layer = op.layer
    assert isinstance(layer, Conv2d | Dense)
    kind = analysis.graph[layer.inputs[0]].output
    weights = _form(layer)
    return ConvJob(
        op.name, shape, places[op.reads[0]], places[op.name], store.address(op.name, "weights"),
        store.address(op.name, "parameters"), kind.zero_point & 0xFF, kind.signed, weights.signed, weights.zero,
        layer.output.zero_point, layer.clamp,
    )  # fmt: skip


def convolution_constants(
    spec: Spec, analysis: Analysis, op: Operation, shape: ConvShape, tiling: Tiling
) -> dict[str, np.ndarray]:
    """Bytes of the weights, as tiled, and of the parameters."""
    layer = op.layer
    assert isinstance(layer, Conv2d | Dense)
    zero = analysis.graph[layer.inputs[0]].output.zero_point
    return {
        "weights": pack_weights(shape, tiling, _stored(layer, _read_shape(analysis, op))),
        "parameters": pack_parameters(_folded_bias(layer, zero), layer.multiplier, layer.shift, spec.matrix.columns),
    }


def window_constants(spec: Spec, analysis: Analysis, op: Operation) -> dict[str, np.ndarray]:
    """Bytes of taps, tables and parameters of a layer of the vector unit."""
    layer = op.layer
    if isinstance(layer, Conv2d):
        kind = analysis.graph[layer.inputs[0]].output
        weights = stored_weights(layer.weight, layer.weight_zero_point, layer.weight_signed)
        bias = _folded_bias(layer, kind.zero_point)
        return {
            "taps": pack_taps(weights, spec.matrix.columns),
            "parameters": pack_parameters(bias, layer.multiplier, layer.shift, spec.matrix.columns),
        }
    if isinstance(layer, Table):
        return {"taps": _table_bytes(layer, analysis.graph[layer.inputs[0]].output)}
    return {}


def _table_bytes(layer: Table, kind: TensorType) -> np.ndarray:
    """256 entries by the operand's byte; bytes it cannot have map to 0."""
    table = np.zeros(256, np.uint8)
    values = np.arange(kind.qmin, kind.qmax + 1)
    table[values & 0xFF] = (layer.table.astype(np.int64) & 0xFF).astype(np.uint8)
    return table


def _half(shift: int) -> int:
    return int(rounding_half(np.array(shift, np.int64)))


def window_job(
    spec: Spec, analysis: Analysis, op: Operation, places: Mapping[str, Place], store: ConstantStore
) -> WindowJob:
    """The job of a layer of the vector unit."""
    layer, source, target = op.layer, places[op.reads[0]], places[op.name]
    kind = analysis.graph[layer.inputs[0]].output
    fields = {"a_signed": int(kind.signed), "output_zero": layer.output.zero_point}
    match layer:
        case Conv2d():
            weights = _form(layer)
            fields |= {"weight_signed": int(weights.signed), "weight_zero": weights.zero, **_clamp(layer.clamp)}
            return WindowJob(
                op.name, "depthwise", source, target, fields, None, layer.weight.shape[2:], layer.strides,
                layer.dilation, layer.padding, kind.zero_point & 0xFF, store.address(op.name, "taps"),
                store.address(op.name, "parameters"),
            )  # fmt: skip
        case MaxPool2d():
            return WindowJob(
                op.name, "max", source, target, fields | _clamp(layer.clamp), None, layer.kernel, layer.strides,
                layer.dilation, layer.padding, kind.qmin & 0xFF,
            )  # fmt: skip
        case AvgPool2d():
            return _average(op, layer, kind, source, target, fields | _clamp(layer.clamp))
        case Table():
            return WindowJob(
                op.name, "table", source, target, {"a_signed": 0}, taps_address=store.address(op.name, "taps")
            )
        case Requantize():
            fields |= {"multiplier": layer.multiplier, "shift": layer.shift, **_clamp(layer.clamp)}
            fields["addend"] = _half(layer.shift) - kind.zero_point * layer.multiplier
            return WindowJob(op.name, "rescale", source, target, fields)
        case Add() | Multiply():
            return _pair(analysis, op, layer, places)
    raise TypeError(f"{layer.op} is no work of the vector unit")


def _clamp(clamp: tuple[int, int]) -> dict[str, int]:
    return {"clamp_low": clamp[0], "clamp_high": clamp[1]}


def _average(
    op: Operation, layer: AvgPool2d, kind: TensorType, source: Place, target: Place, fields: dict[str, int]
) -> WindowJob:
    positions = layer.kernel[0] * layer.kernel[1]
    multiplier, shift = layer.multiplier.astype(np.int64), layer.shift.astype(np.int64)
    addend = rounding_half(shift) - positions * kind.zero_point * multiplier
    factors = None
    if multiplier.shape == (1, 1):
        fields |= {"multiplier": int(multiplier[0, 0]), "shift": int(shift[0, 0]), "addend": int(addend[0, 0])}
    else:
        factors = Factors(multiplier, shift, addend)
    return WindowJob(
        op.name, "sum", source, target, fields, None, layer.kernel, layer.strides, (1, 1), layer.padding,
        kind.zero_point & 0xFF, factors=factors,
    )  # fmt: skip


def _pair(analysis: Analysis, op: Operation, layer: Add | Multiply, places: Mapping[str, Place]) -> WindowJob:
    kinds = [analysis.graph[name].output for name in layer.inputs]
    # The operand of the result's shape is the first: the second may be spread.
    order = (0, 1) if kinds[0].shape == layer.output.shape else (1, 0)
    a, b = (kinds[index] for index in order)
    fields = {
        "a_signed": int(a.signed), "b_signed": int(b.signed), "output_zero": layer.output.zero_point,
        "shift": layer.shift, **_clamp(layer.clamp),
    }  # fmt: skip
    if isinstance(layer, Add):
        first, second = (int(layer.multiplier[index]) for index in order)
        fields |= {"multiplier": first, "multiplier_b": second}
        fields["addend"] = _half(layer.shift) - a.zero_point * first - b.zero_point * second
    else:
        fields |= {"multiplier": layer.multiplier, "a_zero": a.zero_point, "b_zero": b.zero_point}
        fields["addend"] = _half(layer.shift)
    source, other = (places[op.reads[index]] for index in order)
    return WindowJob(op.name, layer.op, source, places[op.name], fields, second=other)
