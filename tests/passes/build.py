"""Small Relax models for the tests of passes, and running one pass checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from tvm import ir, relax

from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.floatgraph.relax_calls import tensor_type
from gatewright.compiler.model import ImportedModel
from gatewright.compiler.passes.structure import verify
from gatewright.compiler.passes.validation import compare, outputs, sample_inputs

Shape = tuple[int, ...]


def make(body: Callable[..., Any], *inputs: Shape | tuple[Shape, str]) -> ImportedModel:
    """The model ``body(emit, x0, x1, ...)``; an input is a shape, or a shape and a dtype.

    ``emit`` binds a call; the body returns an expression or a list of them.
    """
    specs = [
        TensorSpec(f"x{i}", *(entry if isinstance(entry[-1], str) else (entry, "float32")))  # type: ignore[arg-type]
        for i, entry in enumerate(inputs)
    ]
    params = [relax.Var(spec.name, relax.TensorType(spec.shape, spec.dtype)) for spec in specs]
    builder = relax.BlockBuilder()
    with builder.function("main", params):
        with builder.dataflow():
            made = body(builder.emit, *params)
            several = isinstance(made, list)
            fields = [
                builder.emit_output(field) if isinstance(field, relax.DataflowVar | relax.Call) else field
                for field in (made if several else [made])
            ]
        builder.emit_func_output(ir.Tuple(fields) if several else fields[0])
    module = builder.get()
    results = [TensorSpec(f"y{i}", *tensor_type(field)) for i, field in enumerate(fields)]
    return ImportedModel("test", module, tuple(specs), tuple(results))


def const(*shape: int, seed: int = 0, dtype: str = "float32") -> Any:
    """A random constant: floats away from zero, integers over the range of int8."""
    generator = np.random.default_rng(seed)
    if dtype != "float32":
        return relax.const(generator.integers(-100, 100, shape).astype(dtype), dtype)
    values = generator.uniform(0.25, 2, shape) * generator.choice([-1, 1], shape)
    return relax.const(np.asarray(values, np.float32), "float32")


def scalar(value: float, dtype: str = "float32") -> Any:
    """A constant of rank 0."""
    return relax.const(np.asarray(value, dtype), dtype)


def apply(step: Any, model: ImportedModel) -> ImportedModel:
    """One pass, with every check: structure before and after, same outputs."""
    verify(model.module, "import")
    after = replace(model, module=step(model.module))
    verify(after.module, step.info.name)
    inputs = sample_inputs(model.inputs, 1)
    compare(outputs(model, inputs), outputs(after, inputs), step.info.name)
    return after


def ops(model: ImportedModel) -> list[str]:
    """Operators in order."""
    return [node.op for node in read(model).nodes]


def text(model: ImportedModel) -> str:
    """Operators, operands and shapes, one line each; what golden files hold."""
    graph = read(model)
    lines = [f"input {spec.name} {list(spec.shape)} {spec.dtype}" for spec in graph.inputs]
    lines += [f"constant {name} {list(array.shape)} {array.dtype}" for name, array in graph.constants.items()]
    skipped = {"data_layout", "kernel_layout", "out_layout", "layout", "out_dtype"}
    for node in graph.nodes:
        attributes = {k: v for k, v in node.attributes.items() if k not in skipped}
        arguments = ", ".join([*node.inputs, *(f"{k}={v}" for k, v in attributes.items())])
        lines.append(f"{node.name} = {node.op}({arguments}) {list(node.shape)} {node.dtype}")
    return "\n".join([*lines, "output " + ", ".join(graph.results), ""])
