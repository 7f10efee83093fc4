"""What must be true of a module between passes: Relax's own checks and a table of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tvm import ir, relax

from gatewright.compiler.errors import GraphError
from gatewright.compiler.floatgraph.operators import OPERATORS
from gatewright.compiler.floatgraph.relax_calls import operator_name, tensor_type

__all__ = ["RULES", "count_nodes", "verify"]

# Operators whose operands must agree in element type.
_SAME_DTYPE = frozenset((
    "add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "matmul", "nn.conv1d", "nn.conv2d",
    "nn.conv1d_transpose", "nn.conv2d_transpose", "nn.prelu", "equal", "less", "less_equal", "greater", "greater_equal",
    "not_equal",
))  # fmt: skip


def _bindings(module: ir.IRModule) -> Iterator[relax.Binding]:
    for function in module.functions.values():
        if isinstance(function, relax.Function):
            for block in function.body.blocks:
                yield from block.bindings


def _one_main(module: ir.IRModule) -> Iterator[tuple[str, str]]:
    """There is one public function, ``main``, with a body of bindings."""
    names = [var.name_hint for var, f in module.functions.items() if isinstance(f, relax.Function)]
    if "main" not in names:
        yield "main", "the module has no function 'main'"
    elif not isinstance(module["main"].body, relax.SeqExpr):
        yield "main", "its body is no sequence of bindings"


def _well_formed(module: ir.IRModule) -> Iterator[tuple[str, str]]:
    """Relax's own rules: variables defined once and before use, normal form, dataflow blocks pure."""
    try:
        relax.analysis.well_formed(module)
    except Exception as error:  # what TVM raises depends on the rule
        yield "main", str(error).strip().splitlines()[-1]


def _static(module: ir.IRModule) -> Iterator[tuple[str, str]]:
    """Every tensor has a static shape."""
    for binding in _bindings(module):
        fields = [binding.var.ty]
        while fields:
            found = fields.pop()
            if isinstance(found, ir.TupleType):
                fields.extend(found.fields)
            elif isinstance(found, relax.TensorType):
                try:
                    tensor_type(relax.Var("v", found))
                except GraphError as error:
                    yield binding.var.name, error.reason


def _known_operators(module: ir.IRModule) -> Iterator[tuple[str, str]]:
    """Every call is of an operator with a NumPy form, or of a function of the module."""
    for binding in _bindings(module):
        call = binding.value
        if isinstance(call, relax.Call) and not isinstance(call.op, ir.GlobalVar):
            name = operator_name(call)
            if name not in OPERATORS and name != "split":
                yield binding.var.name, f"no NumPy form of operator {name!r}"


def _same_dtypes(module: ir.IRModule) -> Iterator[tuple[str, str]]:
    """Operands of arithmetic agree in element type."""
    for binding in _bindings(module):
        call = binding.value
        if isinstance(call, relax.Call) and operator_name(call) in _SAME_DTYPE:
            kinds = {str(operand.ty.dtype.dtype) for operand in call.args if isinstance(operand.ty, relax.TensorType)}
            if len(kinds) > 1:
                yield binding.var.name, f"operands of {operator_name(call)} are of types {', '.join(sorted(kinds))}"


RULES: Mapping[str, Callable[[ir.IRModule], Iterator[tuple[str, str]]]] = {
    "one_main": _one_main,
    "well_formed": _well_formed,
    "static_shapes": _static,
    "known_operators": _known_operators,
    "same_dtypes": _same_dtypes,
}
"""Rule name -> findings as (place, reason); the docstring of a rule says what it demands."""


def verify(module: ir.IRModule, after: str) -> None:
    """Check every rule.

    Args:
        module: what to check.
        after: the pass that made it, or ``import``.

    Raises:
        GraphError: GW2010 names the pass, the rule and all places.
    """
    for name, rule in RULES.items():
        found = list(rule(module))
        if found:
            places = "; ".join(f"{place}: {reason}" for place, reason in found[:20])
            raise GraphError(
                "GW2010", f"after {after}", f"rule {name} is broken: {places}",
                "remove or replace these operators in the model" if after == "import" else "please report this model",
            )  # fmt: skip


def count_nodes(module: ir.IRModule) -> int:
    """Calls of operators in all Relax functions."""
    return sum(
        isinstance(binding.value, relax.Call) and isinstance(binding.value.op, ir.Op) for binding in _bindings(module)
    )
