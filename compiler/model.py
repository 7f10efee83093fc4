"""What the stages hand to each other: the imported model and the quantized model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tvm.ir import IRModule

    from gatewright.compiler.floatgraph.graph import FloatGraph, TensorSpec
    from gatewright.compiler.integer.graph import IntegerGraph

__all__ = ["ImportedModel", "QuantizedModel"]


@dataclass(frozen=True)
class ImportedModel:
    """A float (or QDQ) model as Relax, straight from the front end or after passes.

    Attributes:
        name: file stem.
        module: one function ``main``; parameters are the model's inputs in order; weights are constants.
        inputs, outputs: as ONNX declares them, shapes made static; ``main`` returns the outputs (a tuple when
            there are several).
        facts: opset, producer, sha256 of the file: for the manifest and ``inspect``.
    """

    name: str
    module: IRModule
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class QuantizedModel:
    """The integer graph with all that surrounds it.

    Attributes:
        name: model name.
        float_module: simplified float Relax module (None only in tests that hand-make an integer graph).
        float_graph: the same as a FloatGraph: the reference ``verify`` compares with.
        integer: the integer graph, or None with profile ``float``.
        tail: the host tail: its inputs bear the names of ``integer.outputs`` (integer dtype), its outputs are the
            model's; it dequantizes first. None with profile ``float``.
        facts: of the front end and the quantizer (options, ranges, SQNR table) for report and manifest.
    """

    name: str
    float_module: IRModule | None
    float_graph: FloatGraph | None
    integer: IntegerGraph | None
    tail: FloatGraph | None
    facts: Mapping[str, object] = field(default_factory=dict)
