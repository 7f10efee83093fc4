"""Rebuilding ``main`` binding by binding: what every pass of ours stands on.

A pass is a table of rules, operator name -> function. The walk goes once through the bindings in order; each rule sees
a call whose operands are already rewritten and returns what stands in its place, or None. Bindings nobody reads any
more are dropped. When no rule did anything, the module comes back as the same object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from tvm import ir, relax

from gatewright.compiler.floatgraph.relax_calls import operator_name, tensor_type

__all__ = ["EVERY", "TUPLE_ITEM", "Rule", "Scope", "rewrite"]

EVERY = "*"
"""Key of the rule for every operator that has none of its own."""

TUPLE_ITEM = "tuple item"
"""Key of the rule for ``t[i]``."""


class Scope:
    """What a rule may ask and do.

    Attributes:
        name: name of the binding being rewritten; what the rule returns will bear it. A rule may change it.
    """

    def __init__(self, uses: Mapping[relax.Var, int]) -> None:
        self.name = ""
        self._builder = relax.BlockBuilder()
        self._uses: Counter[relax.Var] = Counter(uses)
        self._values: dict[relax.Var, relax.Expr] = {}
        self._bindings: list[tuple[relax.Var, relax.Expr]] = []

    # What a rule asks.

    def definition(self, expression: relax.Expr, *ops: str) -> relax.Call | None:
        """The call that makes ``expression``, if it is a call of one of ``ops`` (of any operator if none is given)."""
        value = self._values.get(expression, expression) if isinstance(expression, relax.Var) else expression
        if not isinstance(value, relax.Call):
            return None
        name = operator_name(value)
        return value if name is not None and (not ops or name in ops) else None

    def tuple_source(self, item: relax.TupleGetItem) -> relax.Expr:
        """What stands behind the tuple an item is taken of."""
        return self._values.get(item.tuple_value, item.tuple_value)

    def operands_of_tuple(self, expression: relax.Expr) -> list[relax.Expr] | None:
        """Fields of a tuple expression or of a variable bound to one."""
        value = self._values.get(expression, expression) if isinstance(expression, relax.Var) else expression
        return list(value.fields) if isinstance(value, ir.Tuple) else None

    def is_used_once(self, expression: relax.Expr) -> bool:
        """Whether only the call being rewritten reads ``expression``."""
        return isinstance(expression, relax.Var) and self._uses[expression] <= 1

    # What a rule does.

    def emit(self, value: relax.Expr, name: str = "") -> relax.Expr:
        """Bind an intermediate call; a variable or constant is its own name."""
        if isinstance(value, _NEEDS_NO_NAME):
            return value
        value = self._builder.normalize(value)
        var = relax.DataflowVar(name or self.name or "lv", value.ty)
        self._bindings.append((var, value))
        self._values[var] = value
        return var

    # What the walk does.

    def typed(self, value: relax.Expr) -> relax.Expr:
        """``value`` with its type inferred."""
        return self._builder.normalize(value) if isinstance(value, relax.Call) else value

    def bind(self, old: relax.Var, value: relax.Expr) -> relax.Expr:
        """The new expression for ``old``: a variable bound to ``value``, or ``value`` itself if it needs no binding."""
        if isinstance(value, _NEEDS_NO_NAME):
            new = value
        else:
            value = self._builder.normalize(value)
            new = relax.DataflowVar(self.name, value.ty)
            self._bindings.append((new, value))
            self._values[new] = value
        if isinstance(old.ty, relax.TensorType) and tensor_type(new) != tensor_type(old):
            raise TypeError(f"{old.name}: a rule changed its type from {tensor_type(old)} to {tensor_type(new)}")
        if isinstance(new, relax.Var):
            self._uses[new] += self._uses[old]
        return new

    def keep(self, var: relax.Var, value: relax.Expr) -> relax.Expr:
        """A binding nothing happened to: the same objects, so that no type is inferred again."""
        self._bindings.append((var, value))
        self._values[var] = value
        return var

    def live(self, result: relax.Expr) -> list[tuple[relax.Var, relax.Expr]]:
        """The bindings ``result`` needs, in order."""
        wanted = set(_variables(result))
        kept = []
        for var, value in reversed(self._bindings):
            if var in wanted:
                kept.append((var, value))
                wanted.update(_variables(value))
        return kept[::-1]


Rule = Callable[[Scope, relax.Call], relax.Expr | None]
"""What stands in the call's place, or None to leave it."""

_NEEDS_NO_NAME = (relax.Var, ir.GenericConst, relax.ShapeExpr)


def rewrite(module: ir.IRModule, rules: Mapping[str, Rule]) -> ir.IRModule:
    """Apply ``rules`` to every binding of ``main`` once, in order, and drop what is no longer read."""
    main = module["main"]
    bindings = [binding for block in main.body.blocks for binding in block.bindings]
    uses: Counter[relax.Var] = Counter(v for b in bindings for v in _variables(b.value))
    uses.update(_variables(main.body.body))
    scope = Scope(uses)
    known: dict[relax.Var, relax.Expr] = {param: param for param in main.params}
    changed = False
    for binding in bindings:
        original = binding.value
        value = _substitute(original, known)
        same = value is original
        scope.name = binding.var.name
        replaced = _apply(rules, scope, value if same else scope.typed(value))
        changed |= replaced is not None
        if same and replaced is None and not isinstance(value, _NEEDS_NO_NAME):
            known[binding.var] = scope.keep(binding.var, value)
        else:
            known[binding.var] = scope.bind(binding.var, value if replaced is None else replaced)
    result = _substitute(main.body.body, known)
    kept = scope.live(result)
    if not changed and len(kept) == sum(not isinstance(b.value, relax.Var) for b in bindings):
        return module
    out = ir.IRModule(dict(module.functions.items()), attrs=module.attrs)
    out["main"] = _function(main, kept, result)
    return out


def _apply(rules: Mapping[str, Rule], scope: Scope, value: relax.Expr) -> relax.Expr | None:
    if isinstance(value, relax.TupleGetItem):
        rule = rules.get(TUPLE_ITEM)
    elif isinstance(value, relax.Call):
        rule = rules.get(operator_name(value) or "", rules.get(EVERY))
    else:
        rule = None
    return None if rule is None else rule(scope, value)


def _variables(expression: relax.Expr) -> Iterator[relax.Var]:
    """Variables an expression in normal form reads; one read twice stands twice."""
    if isinstance(expression, relax.Var):
        yield expression
    elif isinstance(expression, relax.Call):
        for operand in expression.args:
            yield from _variables(operand)
    elif isinstance(expression, ir.Tuple):
        for field in expression.fields:
            yield from _variables(field)
    elif isinstance(expression, relax.TupleGetItem):
        yield from _variables(expression.tuple_value)


def _substitute(expression: relax.Expr, known: Mapping[relax.Var, relax.Expr]) -> relax.Expr:
    if isinstance(expression, relax.Var):
        return known[expression]
    if isinstance(expression, relax.Call):
        old = list(expression.args)
        operands = [_substitute(operand, known) for operand in old]
        if all(a is b or a.same_as(b) for a, b in zip(operands, old, strict=True)):
            return expression
        return relax.Call(expression.op, operands, expression.attrs, expression.ty_args, expression.span)
    if isinstance(expression, ir.Tuple):
        old = list(expression.fields)
        fields = [_substitute(field, known) for field in old]
        return expression if all(a.same_as(b) for a, b in zip(fields, old, strict=True)) else ir.Tuple(fields)
    if isinstance(expression, relax.TupleGetItem):
        source = _substitute(expression.tuple_value, known)
        return expression if source.same_as(expression.tuple_value) else relax.TupleGetItem(source, expression.index)
    return expression


def _function(
    main: relax.Function, bindings: Sequence[tuple[relax.Var, relax.Expr]], result: relax.Expr
) -> relax.Function:
    """``main`` with one dataflow block; what leaves the block is a plain variable, as Relax demands."""
    block = [relax.VarBinding(var, value) for var, value in bindings]
    inside = {var for var, _ in bindings}
    leaving: dict[relax.Var, relax.Expr] = {}
    for var in _variables(result):
        if var in inside and var not in leaving:
            leaving[var] = relax.Var("gv", var.ty)
            block.append(relax.VarBinding(leaving[var], var))
    keep = {var: var for var in _variables(result)}
    body = relax.SeqExpr([relax.DataflowBlock(block)], _substitute(result, {**keep, **leaving}))
    builder = relax.BlockBuilder()
    return relax.Function(main.params, builder.normalize(body), main.ret_ty, True, main.attrs)
