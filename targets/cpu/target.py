"""The CPU target: check, plan, estimate; compiling and loading stand in modules of their own."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from gatewright.compiler.errors import TargetError, UsageError
from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.integer.layers import LAYER_TYPES, Layer
from gatewright.compiler.model import QuantizedModel
from gatewright.targets.base import (
    BuildPlan,
    Estimate,
    Figure,
    Finding,
    IntegerLibrary,
    JsonValue,
    LayerEstimate,
    Target,
)
from gatewright.targets.cpu.processor import resolve

__all__ = ["CpuTarget"]

_COUNTED = {"macs": "MAC", "constant_bytes": "B", "activation_bytes": "B"}
_MODEL = "count"


class CpuTarget(Target):
    """A native shared library: every layer runs, since the integer graph is plain integer Relax."""

    @classmethod
    def variants(cls) -> Sequence[tuple[str, str]]:
        """Three rows; LLVM's full list of processors would need tvm."""
        machine = platform.machine()
        return (
            ("cpu", f"shared library for any {machine} machine (LLVM's {resolve('')})"),
            ("cpu:native", "shared library for this machine's processor"),
            ("cpu:<mcpu>", "shared library for a processor LLVM knows, e.g. cpu:x86-64-v3, cpu:skylake"),
        )

    @classmethod
    def supported_layers(cls) -> Mapping[str, str]:
        """All of them."""
        return {op: "" for op in LAYER_TYPES if op != "input"}

    def check(self, model: QuantizedModel) -> list[Finding]:
        """Nothing to find but a processor nobody knows.

        Raises:
            UsageError: GW0210 on an unknown processor.
        """
        resolve(self.name.variant)
        return []

    def plan(self, model: QuantizedModel, options: Mapping[str, JsonValue]) -> BuildPlan:
        """Rows of work and bytes per layer, and the processor.

        Raises:
            UsageError: GW0211 on any option, since there are none; GW0210 on an unknown processor.
            TargetError: GW4101 when the model holds neither an integer nor a float graph.
        """
        if options:
            raise UsageError(
                "GW0211", f"target {str(self.name)!r}", f"unknown settings: {', '.join(sorted(options))}",
                "leave them out, or write 'family.key=value' for another target's; cpu has none",
            )  # fmt: skip
        from gatewright.targets.cpu.plan import float_digest, float_rows, integer_rows  # networkx: not for lists

        if model.integer is not None:
            digest, rows = model.integer.digest(), integer_rows(model.integer)
            profile: str = model.integer.profile
        elif model.float_graph is not None:
            digest, rows, profile = float_digest(model.float_graph), float_rows(model.float_graph), "float"
        else:
            raise TargetError("GW4101", model.name, "there is no graph to compile", "compile from the ONNX model")
        settings = {"mcpu": resolve(self.name.variant), "profile": profile}
        return BuildPlan(str(self.name), digest, {}, rows, settings, model)

    def estimate(self, plan: BuildPlan) -> Estimate:
        """Exact counts of work and bytes; no cycles, since no model of them has been held against measurement."""
        layers = [
            LayerEstimate(row["layer"], row["op"], {name: _count(row[name], name) for name in _COUNTED if name in row})
            for row in plan.layers
        ]
        totals = {
            name: _count(sum(layer.figures[name].value for layer in layers if name in layer.figures), name)
            for name in _COUNTED
            if plan.settings["profile"] != "float"
        }
        models = {_MODEL: "counted from the graph: multiply-accumulates, constants, activations read and written once"}
        return Estimate(plan.target, totals, tuple(layers), models if totals else {})

    def build(self, plan: BuildPlan, directory: Path) -> None:
        """Compile and link.

        Raises:
            ToolError: GW5201 without a C++ compiler to link with, GW5202 when linking fails.
            TargetError: GW4101 when the float model's Relax module is gone (a plan made from an artefact).
        """
        from gatewright.targets.cpu.build import build_library
        from gatewright.targets.cpu.lowering import inlined

        model, graph = plan.model, plan.model.integer
        mcpu = str(plan.settings["mcpu"])
        if graph is not None:
            inputs, outputs = ([_spec(layer) for layer in layers] for layers in (graph.inputs, _outputs(model)))
            build_library(inlined(graph), mcpu, inputs, outputs, directory)
        elif model.float_module is not None and model.float_graph is not None:
            floats = model.float_graph
            build_library(model.float_module, mcpu, floats.inputs, floats.outputs, directory)
        else:
            raise TargetError("GW4101", model.name, "there is no graph to compile", "compile from the ONNX model")

    @classmethod
    def load(cls, directory: Path) -> IntegerLibrary:
        """Open the library; tvm is not imported."""
        from gatewright.targets.cpu.library import CpuLibrary

        return CpuLibrary(directory)


def _outputs(model: QuantizedModel) -> list[Layer]:
    assert model.integer is not None
    return [model.integer[name] for name in model.integer.outputs]


def _spec(layer: Layer) -> TensorSpec:
    return TensorSpec(layer.name, layer.output.shape, layer.output.dtype.name)


def _count(value: float, name: str) -> Figure:
    return Figure(value, _COUNTED[name], _MODEL, error="exact")
