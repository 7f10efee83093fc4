"""Reading and making Relax expressions inside rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tvm import ir, relax

from gatewright.compiler.floatgraph.graph import Attribute, Node
from gatewright.compiler.floatgraph.operators import OPERATORS
from gatewright.compiler.floatgraph.relax_calls import attributes_of, operator_name, tensor_type

__all__ = ["array_of", "constant", "evaluate", "remake", "shape_of", "uniform_value"]

Array = npt.NDArray[Any]


def array_of(expression: relax.Expr) -> Array | None:
    """The value of a constant expression, else None."""
    if isinstance(expression, ir.GenericConst):
        return np.asarray(expression.value.numpy())
    return None


def constant(array: npt.ArrayLike, dtype: str) -> relax.Expr:
    """A tensor constant of ``dtype``."""
    return relax.const(np.ascontiguousarray(np.asarray(array, dtype)).reshape(np.shape(array)), dtype)


def shape_of(expression: relax.Expr) -> tuple[int, ...]:
    """Static shape."""
    return tensor_type(expression)[0]


def uniform_value(expression: relax.Expr) -> float | None:
    """The number every element of a constant is, or None when elements differ or it is no constant."""
    array = array_of(expression)
    if array is None or array.size == 0:
        return None
    first = array.reshape(-1)[0]
    return float(first) if bool(np.all(array == first)) else None


def evaluate(call: relax.Call, operands: Sequence[Array]) -> Array:
    """The result of a call on constant operands, computed as the float interpreter would."""
    op = operator_name(call)
    assert op is not None
    shape, dtype = tensor_type(call)
    node = Node(op, op, (), attributes_of(call), shape, dtype)
    with np.errstate(all="ignore"):
        return np.asarray(OPERATORS[op](node, *operands))


def remake(call: relax.Call, *operands: relax.Expr, **changes: Attribute) -> relax.Expr:
    """The same operator on other operands, with some attributes changed.

    ``remake(conv, x, w, padding=(1, 1, 1, 1))``. Operands replace the call's from the first on; compile-time operands
    (shapes) stay unless they are given.
    """
    arguments = [*operands, *list(call.args)[len(operands) :]]
    if not changes:
        return relax.Call(call.op, arguments, call.attrs, call.ty_args)
    attributes: Mapping[str, Any] = {**_declared(call), **changes}
    function: Any = relax.op
    for part in str(operator_name(call)).split("."):
        function = getattr(function, part)
    return function(*arguments, **attributes)


def _declared(call: relax.Call) -> dict[str, Attribute]:
    """Attributes proper, without compile-time operands."""
    if call.attrs is None:
        return {}
    return {field.name: getattr(call.attrs, field.name) for field in type(call.attrs).__tvm_ffi_type_info__.fields}
