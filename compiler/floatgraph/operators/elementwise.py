"""Unary, binary and ternary operators on elements, with broadcasting."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators.types import Array, Operator, integer, number

__all__ = ["ELEMENTWISE"]

_erf = np.frompyfunc(math.erf, 1, 1)  # NumPy has no erf; the C library's, element by element, is exact to an ulp


def _ufunc(function: Callable[..., Any]) -> Operator:
    def operator(node: Node, *operands: Array) -> Array:
        return np.asarray(function(*operands))

    return operator


def _divide(node: Node, a: Array, b: Array) -> Array:
    if np.issubdtype(a.dtype, np.integer):  # ONNX Div of integers truncates towards zero
        quotient = np.floor_divide(np.abs(a), np.where(b == 0, 1, np.abs(b)))
        return np.asarray(quotient * np.sign(a) * np.sign(b), a.dtype)
    return np.asarray(np.divide(a, b))


def _erf_of(x: Array) -> Array:
    return np.asarray(_erf(x.astype(np.float64)), np.float64).astype(x.dtype)


def _sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))  # never overflows
    return np.asarray(np.where(x >= 0, 1 / (1 + small), small / (1 + small)), x.dtype)


def _clip(node: Node, x: Array) -> Array:
    low, high = number(node.attributes["min"]), number(node.attributes["max"])
    if np.issubdtype(x.dtype, np.integer):
        info = np.iinfo(x.dtype)
        low, high = max(low, info.min), min(high, info.max)
    return np.asarray(np.minimum(np.maximum(x, x.dtype.type(low)), x.dtype.type(high)))


def _gelu_tanh(x: Array) -> Array:
    inner = x.dtype.type(math.sqrt(2 / math.pi)) * (x + x.dtype.type(0.044715) * x * x * x)
    return np.asarray(x * (1 + np.tanh(inner)) / 2, x.dtype)


def _selu(x: Array) -> Array:
    alpha, scale = x.dtype.type(1.6732632423543772), x.dtype.type(1.0507009873554805)
    return np.asarray(scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), x.dtype)


def _leakyrelu(node: Node, x: Array) -> Array:
    return np.asarray(np.where(x > 0, x, x * x.dtype.type(node.attributes["alpha"])))


def _softplus(node: Node, x: Array) -> Array:
    beta = x.dtype.type(node.attributes.get("beta", 1.0))
    return np.asarray(np.logaddexp(x * beta, x.dtype.type(0)) / beta, x.dtype)


def _prelu(node: Node, x: Array, alpha: Array) -> Array:
    axis = integer(node.attributes.get("axis", 1)) % x.ndim
    if alpha.ndim <= 1:
        alpha = alpha.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    return np.asarray(np.where(x > 0, x, x * alpha))


def _trunc_mod(a: Array, b: Array) -> Array:
    return np.asarray(np.fmod(a, b))


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    # arithmetic
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "power": np.power, "maximum": np.maximum,
    "minimum": np.minimum, "floor_divide": np.floor_divide, "mod": _trunc_mod, "floor_mod": np.mod,
    "atan2": np.arctan2, "log_add_exp": np.logaddexp,
    "ewise_fma": lambda a, b, c: a * b + c,
    # comparison and logic
    "equal": np.equal, "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal,
    "greater": np.greater, "greater_equal": np.greater_equal, "logical_and": np.logical_and,
    "logical_or": np.logical_or, "logical_xor": np.logical_xor, "logical_not": np.logical_not,
    "bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
    "bitwise_not": np.bitwise_not, "left_shift": np.left_shift, "right_shift": np.right_shift,
    "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "where": np.where,
    # unary mathematics
    "abs": np.abs, "negative": np.negative, "exp": np.exp, "log": np.log, "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x), "square": np.square, "sign": np.sign, "floor": np.floor, "ceil": np.ceil,
    "round": np.round,  # half to even, as ONNX Round
    "trunc": np.trunc, "erf": _erf_of, "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh,
    "tanh": np.tanh, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "sigmoid": _sigmoid,
    # activations
    "nn.relu": lambda x: np.maximum(x, x.dtype.type(0)),
    "nn.relu6": lambda x: np.minimum(np.maximum(x, x.dtype.type(0)), x.dtype.type(6)),
    "nn.silu": lambda x: x * _sigmoid(x),
    "nn.gelu": lambda x: np.asarray(x * (1 + _erf_of(x * x.dtype.type(math.sqrt(0.5)))) / 2, x.dtype),
    "nn.gelu_tanh": _gelu_tanh, "nn.selu": _selu,
}  # fmt: skip

ELEMENTWISE: Mapping[str, Operator] = {
    **{name: _ufunc(function) for name, function in _FUNCTIONS.items()},
    "divide": _divide,
    "clip": _clip,
    "nn.leakyrelu": _leakyrelu,
    "nn.softplus": _softplus,
    "nn.prelu": _prelu,
}
"""Operators whose result element depends on the operand elements at the same (broadcast) position only."""
