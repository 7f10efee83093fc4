"""The external code generator ``relax.ext.gatewright_sim``: partitions -> runtime modules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax, tirx

from gatewright.compiler.errors import GatewrightError, UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.schedules.accelerator.embedding import digest, embed
from gatewright.schedules.accelerator.image import packaged
from gatewright.schedules.accelerator.planner import Plan, plan_network
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.serialization import Package
from gatewright.schedules.accelerator.spec import Spec, parse_spec
from gatewright.targets.accelerator import database
from gatewright.targets.accelerator.options import AcceleratorOptions, parse
from gatewright.targets.accelerator.relax import runtime
from gatewright.targets.accelerator.relax.layers import CODEGEN, graph_of_partition, partitions

__all__ = ["SPEC_ATTRIBUTE", "compile_partitions", "modelled_cycles", "register", "resolve_spec", "run_codegen"]

SPEC_ATTRIBUTE = "gatewright.spec"
"""Attribute of a partition: the accelerator it was cut for, as JSON."""
_SYMBOL = "global_symbol"
_CONSTANTS = "const_name_to_constant"
_failures: list[GatewrightError] = []
"""Errors on their way through C++, for :func:`run_codegen`."""


def register() -> None:
    """Make the code generator known to ``relax.transform.RunCodegen``, as often as one likes.

    ``RunCodegen({"gatewright_sim": options})`` takes ``spec`` (a name, a path or TOML text; by default the accelerator
    given to ``partition``) and the settings of the command line's ``--set sim.KEY=VALUE``.
    """
    tvm_ffi.register_global_func(f"relax.ext.{CODEGEN}", _generate, override=True)


def resolve_spec(text: str) -> Spec:
    """A spec from the name of a shipped one, the path of a TOML file, or TOML text.

    Raises:
        UsageError: GW0408 on an unknown name, GW4301 on an impossible spec, GW4302 on an unreadable file.
    """
    return parse_spec(text, "spec") if "\n" in text else database.resolve(text)


def compile_partitions(functions: Sequence[relax.Function], options: Mapping[str, Any]) -> list[tvm.runtime.Module]:
    """A runtime module for every partition; its function bears the partition's symbol.

    Args:
        functions: with the attribute ``global_symbol``.
        options: see :func:`register`.

    Raises:
        UsageError: GW0408, GW4301, GW4302 on the spec, GW0409 on an option.
        ConstraintError: GW4308: a layer fits the accelerator in no tiling.
        ValueError: a function is no partition that ``partition`` made.
    """
    settings, given = _settings(options)
    modules = []
    for function in functions:
        spec = given or _spec_of(function)
        plan = _plan(spec, graph_of_partition(function), settings)
        modules.append(_module(str(function.attrs[_SYMBOL]), packaged(spec, plan)))
    return modules


def run_codegen(module: ir.IRModule, options: Mapping[str, Any] | None = None) -> ir.IRModule:
    """``RunCodegen`` for the accelerator's partitions, without what it leaves behind.

    ``RunCodegen`` keeps the constants of a partition beside its program, where no one reads them: the library would
    hold the weights twice.

    Args:
        module: that ``partition`` made.
        options: see :func:`register`.

    Raises:
        UsageError, ConstraintError, ValueError: as :func:`compile_partitions`.
    """
    register()
    _failures.clear()
    try:
        compiled = relax.transform.RunCodegen({CODEGEN: dict(options or {})})(module)
    except RuntimeError:
        if _failures:
            raise _failures.pop() from None
        raise
    kept = {
        name: value
        for name, value in (compiled.attrs.get(_CONSTANTS) or {}).items()
        if f"_{CODEGEN}_const_" not in str(name)
    }
    return compiled.with_attr(_CONSTANTS, kept) if kept else compiled.without_attr(_CONSTANTS)


def modelled_cycles(module: ir.IRModule, options: Mapping[str, Any] | None = None) -> dict[str, int]:
    """Cycles of one inference by the event-driven model, by partition.

    Args:
        module: between ``partition`` and ``RunCodegen``.
        options: those ``RunCodegen`` will get.

    Raises:
        UsageError, ConstraintError: as :func:`compile_partitions`.
    """
    settings, given = _settings(options or {})
    return {
        variable.name_hint: _plan(given or _spec_of(body), graph_of_partition(body), settings).schedule.cycles
        for variable, body in partitions(module).items()
    }


def _generate(functions: Any, options: Any, constant_names: Any) -> list[tvm.runtime.Module]:
    """What RunCodegen calls."""
    plain = {str(key): _plain(value) for key, value in (options or {}).items()}
    try:
        return compile_partitions(list(functions), plain)
    except GatewrightError as error:
        # The type of an error does not outlive the way through C++; its text does.
        _failures.append(error)
        raise RuntimeError(error.render()) from error


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _settings(options: Mapping[str, Any]) -> tuple[AcceleratorOptions, Spec | None]:
    rest = dict(options)
    spec = rest.pop("spec", None)
    return parse(rest), None if spec is None else resolve_spec(str(spec))


def _spec_of(function: relax.Function) -> Spec:
    if SPEC_ATTRIBUTE not in function.attrs:
        raise UsageError(
            "GW0408", f"RunCodegen {CODEGEN}", "no accelerator is named",
            "partition with gatewright's partition(), or give RunCodegen the option 'spec'",
        )  # fmt: skip
    return Spec.model_validate(json.loads(str(function.attrs[SPEC_ATTRIBUTE])))


def _plan(spec: Spec, graph: IntegerGraph, settings: AcceleratorOptions) -> Plan:
    """The plan of a partition."""
    return plan_network(spec, graph, Budget(settings.candidates, settings.search_seconds))


def _module(symbol: str, package: Package) -> tvm.runtime.Module:
    """A compiled function ``symbol(inputs..., outputs...)`` that holds its program and calls the run time.

    ::

        if not runtime.holds(DIGEST):
            runtime.load(DIGEST, TEXT)
        runtime.execute(DIGEST, inputs..., outputs...)
    """
    text, graph = embed(package), package.graph
    name = ir.StringImm(digest(text))
    layers = [*graph.inputs, *(graph[output] for output in graph.outputs)]
    buffers = [
        tirx.decl_buffer(layer.output.shape, str(layer.output.dtype), f"tensor_{index}")
        for index, layer in enumerate(layers)
    ]
    absent = tirx.call_packed(runtime.HOLDS, name) == 0
    load = tirx.Evaluate(tirx.call_packed(runtime.LOAD, name, ir.StringImm(text)))
    addresses = [tirx.buffer_data(buffer) for buffer in buffers]
    execute = tirx.Evaluate(tirx.call_packed(runtime.EXECUTE, name, *addresses))
    body = tirx.SeqStmt([tirx.IfThenElse(absent, load, None), execute])
    function = tirx.PrimFunc(buffers, body).with_attr(_SYMBOL, symbol)
    return tvm.compile(ir.IRModule({symbol: function}), target="llvm").mod
