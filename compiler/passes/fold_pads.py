"""Padding as part of the convolution or pooling that follows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import tvm
from tvm import ir, relax

from gatewright.compiler.floatgraph.relax_calls import attributes_of
from gatewright.compiler.passes.expressions import remake, shape_of
from gatewright.compiler.passes.rewriting import Rule, Scope, rewrite

__all__ = ["FoldPads"]

# Their results are never negative.
_NON_NEGATIVE = ("nn.relu", "nn.relu6", "sigmoid", "exp", "square", "nn.softmax")


@tvm.transform.module_pass(opt_level=0, name="fold_pads")
@dataclass(frozen=True)
class FoldPads:
    """Merge a constant padding of the spatial axes into the convolution or pooling that reads it.

    ::

        lv1 = nn.pad(x, (0,0, 0,0, 1,1, 2,2), 0)
        lv2 = conv2d(lv1, w, padding=(0,0,0,0))         ->   lv2 = conv2d(x, w, padding=(1,2,1,2))

    * convolution: the value is 0.
    * average pooling: the value is 0; the padding then counts (``count_include_pad``). One that already pads without
      counting, or in ceil mode, is left alone.
    * max pooling: the value is -inf, or 0 where x is never negative (it comes out of a relu, sigmoid, ...) and
      every window meets at least one element of x.
    """

    def transform_module(self, module: ir.IRModule, context: object) -> ir.IRModule:
        """Apply to ``main``."""
        return rewrite(module, _RULES)


def _padding(scope: Scope, x: relax.Expr) -> tuple[relax.Expr, tuple[int, ...], float] | None:
    """Operand, (before..., after...) of the spatial axes, and value of a constant padding that makes ``x``."""
    call = scope.definition(x, "nn.pad")
    if call is None:
        return None
    attributes = attributes_of(call)
    widths, value = attributes["pad_width"], attributes["pad_value"]
    assert isinstance(widths, tuple) and isinstance(value, (int, float))
    numbers = [int(width) for width in widths]  # type: ignore[arg-type]
    if attributes["pad_mode"] != "constant" or any(numbers[:4]) or any(width < 0 for width in numbers):
        return None
    return call.args[0], (*numbers[4::2], *numbers[5::2]), float(value)


def _sum(call: relax.Call, widths: tuple[int, ...]) -> tuple[int, ...]:
    own = attributes_of(call)["padding"]
    assert isinstance(own, tuple)
    return tuple(int(a) + b for a, b in zip(own, widths, strict=True))  # type: ignore[arg-type]


def _convolution(scope: Scope, call: relax.Call) -> relax.Expr | None:
    found = _padding(scope, call.args[0])
    if found is None or found[2] != 0:
        return None
    return remake(call, found[0], padding=_sum(call, found[1]))


def _average(scope: Scope, call: relax.Call) -> relax.Expr | None:
    found = _padding(scope, call.args[0])
    attributes = attributes_of(call)
    if found is None or found[2] != 0 or attributes["ceil_mode"]:
        return None
    if any(attributes["padding"]) and not attributes["count_include_pad"]:  # type: ignore[arg-type]
        return None
    return remake(call, found[0], padding=_sum(call, found[1]), count_include_pad=True)


def _maximum(scope: Scope, call: relax.Call) -> relax.Expr | None:
    found = _padding(scope, call.args[0])
    if found is None or attributes_of(call)["ceil_mode"]:
        return None
    x, widths, value = found
    padding = _sum(call, widths)
    if value == -math.inf or (value == 0 and _never_negative(scope, x) and _always_meets(call, x, padding)):
        return remake(call, x, padding=padding)
    return None


def _never_negative(scope: Scope, x: relax.Expr) -> bool:
    call = scope.definition(x, *_NON_NEGATIVE, "clip")
    if call is not None and call.op.name == "relax.clip":
        low = attributes_of(call)["min"]
        return isinstance(low, (int, float)) and low >= 0
    return call is not None


def _always_meets(call: relax.Call, x: relax.Expr, padding: tuple[int, ...]) -> bool:
    """Whether every window holds an element of x: padding below the kernel's size, undilated, on both sides."""
    kernel, dilation = attributes_of(call)["pool_size"], attributes_of(call)["dilation"]
    assert isinstance(kernel, tuple) and isinstance(dilation, tuple)
    limits = [int(size) for size in kernel] * 2  # type: ignore[arg-type]
    plain = all(step == 1 for step in dilation) and min(shape_of(x)[2:]) >= 1
    return plain and all(pad < limit for pad, limit in zip(padding, limits, strict=True))


_RULES: Mapping[str, Rule] = {
    "nn.conv1d": _convolution,
    "nn.conv2d": _convolution,
    "nn.avg_pool1d": _average,
    "nn.avg_pool2d": _average,
    "nn.max_pool1d": _maximum,
    "nn.max_pool2d": _maximum,
}
