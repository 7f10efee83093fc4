"""Latency functions in spec files: integer arithmetic over named quantities, evaluated on numbers or arrays."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["Expression", "expression"]

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
}
_CALLS: Mapping[str, Callable[[Any, Any], Any]] = {
    "max": np.maximum,
    "min": np.minimum,
    "ceil": lambda a, b: -(-a // b),
}
_LIMIT = 500


class Expression:
    """``+ - * //``, ``max(a, b)``, ``min(a, b)`` and ``ceil(a, b)`` (quotient rounded up) over integers and symbols.

    Args:
        text: the expression.
        symbols: names it may use.

    Raises:
        ValueError: it says anything else.
    """

    def __init__(self, text: str, symbols: Sequence[str]) -> None:
        if len(text) > _LIMIT:
            raise ValueError(f"a latency function has at most {_LIMIT} characters")
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, RecursionError, MemoryError):
            raise ValueError(f"{text!r} is no expression") from None
        self.text = text
        self._root = _checked(tree, frozenset(symbols))

    def __call__(self, **values: Any) -> Any:
        """The value for numbers or NumPy arrays by symbol."""
        return self._root(values)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


@functools.lru_cache(maxsize=1024)
def expression(text: str, symbols: tuple[str, ...]) -> Expression:
    """An :class:`Expression`, parsed once however often it is asked for."""
    return Expression(text, symbols)


def _checked(node: ast.expr, symbols: frozenset[str]) -> Callable[[Mapping[str, Any]], Any]:
    match node:
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            return lambda values: value
        case ast.Name(id=name) if name in symbols:
            return lambda values: values[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            act, a, b = _BINARY[type(op)], _checked(left, symbols), _checked(right, symbols)
            return lambda values: act(a(values), b(values))
        case ast.Call(func=ast.Name(id=name), args=[left, right], keywords=[]) if name in _CALLS:
            act, a, b = _CALLS[name], _checked(left, symbols), _checked(right, symbols)
            return lambda values: act(a(values), b(values))
    allowed = f"integers, + - * //, {', '.join(f'{name}(a, b)' for name in _CALLS)} over {', '.join(sorted(symbols))}"
    raise ValueError(f"{ast.unparse(node)!r} is not allowed in a latency function: it takes {allowed}")
