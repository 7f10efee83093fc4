"""Relax forms of operators that TVM's importer writes as loops of its own (``emit_te``), which no pass can read, or
with shapes computed at run time, which here are all known.

Each takes the node's Relax inputs (None where absent) and attributes as TVM's importer decodes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tvm import relax

__all__ = ["FORMS"]

Form = Callable[[Any, Mapping[str, Any]], Any]

_PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def _numpy(constant: Any) -> Any:
    return constant.value.numpy()


def _text(attrs: Mapping[str, Any], name: str, default: str) -> str:
    value = attrs.get(name, default)
    return value.decode() if isinstance(value, bytes) else str(value)


def _clip(inputs: Any, attrs: Mapping[str, Any]) -> Any:
    """``Clip(x, lo, hi)`` -> ``clip`` with numbers, or ``maximum``/``minimum`` where one bound is missing."""
    x, low, high = inputs[0], inputs[1], inputs[2]
    constants = [b is not None and hasattr(b, "value") for b in (low, high)]
    floating = x.ty.dtype.dtype.startswith("float")
    if all(constants) and floating:
        bounds = [float(_numpy(b)) for b in (low, high)]
        if np.isfinite(bounds).all() and bounds[0] <= bounds[1]:
            return relax.op.clip(x, bounds[0], bounds[1])
    # An infinite bound is none; with lo > hi ONNX says hi wins.
    if low is not None and not (constants[0] and floating and _numpy(low) == -np.inf):
        x = relax.op.maximum(x, low)
    if high is not None and not (constants[1] and floating and _numpy(high) == np.inf):
        x = relax.op.minimum(x, high)
    return x


def _pad(inputs: Any, attrs: Mapping[str, Any]) -> Any:
    """``Pad(x, pads, value)`` -> ``nn.pad``, whose widths go axis by axis."""
    begins, ends = np.split(_numpy(inputs[1]), 2)
    widths = [int(w) for pair in zip(begins, ends, strict=True) for w in pair]
    value = 0.0 if inputs[2] is None else float(_numpy(inputs[2]).reshape(()))
    return relax.op.nn.pad(inputs[0], widths, _PAD_MODES[_text(attrs, "mode", "constant")], value)


def _tile(inputs: Any, attrs: Mapping[str, Any]) -> Any:
    return relax.op.tile(inputs[0], [int(r) for r in _numpy(inputs[1])])


def _cumsum(inputs: Any, attrs: Mapping[str, Any]) -> Any:
    """``CumSum(x, axis)`` with its ``reverse`` and ``exclusive``."""
    x, axis = inputs[0], int(_numpy(inputs[1]).reshape(()))
    data = relax.op.flip(x, axis) if attrs.get("reverse", 0) else x
    summed = relax.op.cumsum(data, axis, exclusive=bool(attrs.get("exclusive", 0)))
    return relax.op.flip(summed, axis) if attrs.get("reverse", 0) else summed


def _einsum(inputs: Any, attrs: Mapping[str, Any]) -> Any:
    return relax.op.einsum(relax.Tuple(list(inputs)), _text(attrs, "equation", "").replace(" ", ""))


def _positive(indices: Any, extents: Any) -> Any:
    """``indices`` counted from the front of an axis of ``extents`` (a number, or one per coordinate).

    Constant ones are so already. Computed ones are also clamped to the axis: native code would read beside it.
    """
    if hasattr(indices, "value"):
        return indices
    dtype = indices.ty.dtype.dtype
    end = np.asarray(extents, dtype)
    zero, last = relax.const(np.zeros((), dtype), dtype), relax.const(end - end.dtype.type(1), dtype)
    turned = relax.op.where(relax.op.less(indices, zero), relax.op.add(indices, relax.const(end, dtype)), indices)
    return relax.op.minimum(relax.op.maximum(turned, zero), last)


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(d) for d in tensor.ty.shape)


def _gather(inputs: Any, attrs: Mapping[str, Any]) -> Any:
    axis = attrs.get("axis", 0) % len(_shape(inputs[0]))
    return relax.op.take(inputs[0], _positive(inputs[1], _shape(inputs[0])[axis]), axis)


def _gather_elements(inputs: Any, attrs: Mapping[str, Any]) -> Any:
    axis = attrs.get("axis", 0) % len(_shape(inputs[0]))
    return relax.op.gather_elements(inputs[0], _positive(inputs[1], _shape(inputs[0])[axis]), axis)


def _gather_nd(inputs: Any, attrs: Mapping[str, Any]) -> Any:
    batch = attrs.get("batch_dims", 0)
    coordinates = _shape(inputs[1])[-1]
    extents = _shape(inputs[0])[batch : batch + coordinates]
    return relax.op.gather_nd(inputs[0], _positive(inputs[1], extents), batch)


def _scatter_nd(inputs: Any, attrs: Mapping[str, Any]) -> Any:
    extents = _shape(inputs[0])[: _shape(inputs[1])[-1]]
    reduction = _text(attrs, "reduction", "none").replace("none", "update")
    return relax.op.scatter_nd(inputs[0], _positive(inputs[1], extents), inputs[2], reduction)


def _scatter_elements(inputs: Any, attrs: Mapping[str, Any]) -> Any:
    axis = attrs.get("axis", 0) % len(_shape(inputs[0]))
    reduction = _text(attrs, "reduction", "none").replace("none", "update")
    indices = _positive(inputs[1], _shape(inputs[0])[axis])
    return relax.op.scatter_elements(inputs[0], indices, inputs[2], axis, reduction)


FORMS: Mapping[str, Form] = {
    "Clip": _clip,
    "CumSum": _cumsum,
    "Einsum": _einsum,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Pad": _pad,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Tile": _tile,
}
