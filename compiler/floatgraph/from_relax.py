"""Reading a Relax module as a :class:`FloatGraph`."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from tvm import ir, relax

from gatewright.compiler.errors import GraphError
from gatewright.compiler.floatgraph.graph import Attribute, FloatGraph, Node
from gatewright.compiler.floatgraph.operators.types import integers
from gatewright.compiler.floatgraph.relax_calls import attributes_of, operator_name, tensor_operands, tensor_type
from gatewright.compiler.model import ImportedModel

__all__ = ["read"]

# What Relax calls a binding when nobody named it, and what passes make of that.
_AUTOMATIC = re.compile(r"(lv|gv)\d*(_(transposed|scale|flat|weight|data))?")

_Value = str | tuple["_Value", ...]
"""A value while reading: the name of a tensor, or a tuple of values."""


def read(model: ImportedModel) -> FloatGraph:
    """The main function of ``model`` in neutral form; calls of other Relax functions (composites) are inlined.

    One node makes one tensor: an operator with several results becomes a node a result (``split`` becomes strided
    slices, of ``batch_norm`` and ``dropout`` only the first result exists, others carry the attribute ``result``).

    Raises:
        GraphError: GW2002 on something that is not an operator on tensors, GW2003 on a shape that is not static.
    """
    reader = _Reader(model.module, {spec.name for spec in model.inputs})
    main = model.module["main"]
    names: list[_Value] = [spec.name for spec in model.inputs]
    result = reader.function(main, names)
    results = _flatten(result)
    return FloatGraph(model.inputs, model.outputs, results, tuple(reader.nodes), reader.constants)


def _flatten(value: _Value) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(name for item in value for name in _flatten(item))


class _Reader:
    def __init__(self, module: ir.IRModule, taken: set[str]) -> None:
        self.module = module
        self.nodes: list[Node] = []
        self.constants: dict[str, npt.NDArray[np.generic]] = {}
        self.taken = taken
        self.counts: dict[str, int] = {}
        self.known: dict[object, str] = {}

    def name(self, wanted: str, op: str) -> str:
        """A free name: the binding's own where somebody gave it one, else the operator's and a number."""
        if wanted and not _AUTOMATIC.fullmatch(wanted):
            if wanted not in self.taken:
                self.taken.add(wanted)
                return wanted
            stem = wanted
        else:
            stem = op.rpartition(".")[2]
        while True:
            count = self.counts[stem] = self.counts.get(stem, -1) + 1
            if f"{stem}_{count}" not in self.taken:
                self.taken.add(f"{stem}_{count}")
                return f"{stem}_{count}"

    def function(self, function: relax.Function, arguments: list[_Value]) -> _Value:
        environment: dict[relax.Var, _Value] = dict(zip(function.params, arguments, strict=True))
        body = function.body
        if isinstance(body, relax.SeqExpr):
            for block in body.blocks:
                for binding in block.bindings:
                    environment[binding.var] = self.value(binding.value, environment, binding.var.name)
            body = body.body
        return self.value(body, environment, "")

    def value(self, expression: relax.Expr, environment: Mapping[relax.Var, _Value], wanted: str) -> _Value:
        if isinstance(expression, relax.Var):
            return environment[expression]
        if isinstance(expression, ir.GenericConst):
            return self.constant(expression)
        if isinstance(expression, ir.Tuple):
            return tuple(self.value(field, environment, "") for field in expression.fields)
        if isinstance(expression, relax.TupleGetItem):
            return self.value(expression.tuple_value, environment, "")[expression.index]
        if isinstance(expression, relax.Call):
            return self.call(expression, environment, wanted)
        raise GraphError(
            "GW2002", wanted or "main", f"{type(expression).__name__} is not an operation on tensors",
            "remove control flow and run-time shapes from the model",
        )  # fmt: skip

    def constant(self, constant: ir.GenericConst) -> str:
        name = self.known.get(constant)
        if name is None:
            array = constant.value.numpy()
            array.flags.writeable = False
            name = self.known[constant] = self.name("", "constant")
            self.constants[name] = array
        return name

    def call(self, call: relax.Call, environment: Mapping[relax.Var, _Value], wanted: str) -> _Value:
        if isinstance(call.op, ir.GlobalVar):
            function = self.module[call.op]
            if isinstance(function, relax.Function):
                return self.function(function, [self.value(a, environment, "") for a in call.args])
        if isinstance(call.op, relax.Var | relax.Function):
            raise GraphError("GW2002", wanted, "a call of a local function", "please report this model")
        op = operator_name(call)
        if op is None or op.startswith(("call_", "invoke_")):
            raise GraphError(
                "GW2002", wanted, f"{op or 'a call'} of lowered code, not an operator", "please report this model"
            )
        operands = tuple(n for x in tensor_operands(call) for n in _flatten(self.value(x, environment, "")))
        attributes = attributes_of(call)
        if op == "strided_slice":
            attributes = _without_whole_axes(attributes, tensor_type(call.args[0])[0])
        if not isinstance(call.ty, ir.TupleType):
            return self.node(op, operands, attributes, call, wanted)
        if op == "split":
            return self.split(call, operands[0], attributes)
        if op in ("nn.batch_norm", "nn.dropout"):
            return (
                self.node(op, operands, attributes, _Typed(call.ty.fields[0]), wanted),
                *[""] * (len(call.ty.fields) - 1),
            )
        return tuple(
            self.node(op, operands, {**attributes, "result": i}, _Typed(field), wanted)
            for i, field in enumerate(call.ty.fields)
        )

    def node(
        self, op: str, operands: tuple[str, ...], attributes: Mapping[str, Attribute], typed: relax.Expr, wanted: str
    ) -> str:
        shape, dtype = tensor_type(typed)
        name = self.name(wanted, op)
        self.nodes.append(Node(name, op, operands, attributes, shape, dtype))
        return name

    def split(self, call: relax.Call, operand: str, attributes: Mapping[str, Attribute]) -> _Value:
        axis = attributes["axis"]
        shape, _ = tensor_type(call.args[0])
        assert isinstance(axis, int)
        axis %= len(shape)
        parts: list[_Value] = []
        begin = 0
        for field in call.ty.fields:
            size = tensor_type(_Typed(field))[0][axis]
            where: dict[str, Attribute] = {"axes": (axis,), "begin": (begin,), "end": (begin + size,), "strides": (1,)}
            parts.append(self.node("strided_slice", (operand,), where, _Typed(field), ""))
            begin += size
        return tuple(parts)


class _Typed:
    """Something with a type, for results that are no expression of their own."""

    def __init__(self, ty: ir.Type) -> None:
        self.ty = ty


def _without_whole_axes(attributes: Mapping[str, Attribute], shape: tuple[int, ...]) -> dict[str, Attribute]:
    """Drop axes that are taken whole, so that a slice of other axes leaves the batch axis alone."""
    columns = [integers(attributes.get(key)) for key in ("axes", "begin", "end", "strides")]
    columns[3] = columns[3] or (1,) * len(columns[0])
    kept = [
        (axis % len(shape), begin, end, stride)
        for axis, begin, end, stride in zip(*columns, strict=True)
        if not (stride == 1 and begin in (0, -shape[axis]) and end >= shape[axis])
    ]
    left = list(zip(*kept, strict=True)) or [(), (), (), ()]
    return {**attributes, **dict(zip(("axes", "begin", "end", "strides"), left, strict=True))}
