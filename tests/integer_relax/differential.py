"""Compiling a graph in memory and comparing it with the golden reference."""

from __future__ import annotations

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.integer.text import attributes_of
from tests.strategies import random_inputs


def differences(graph: IntegerGraph, runs: int = 3) -> list[str]:
    """Layers whose tensors are not the reference's, byte for byte, as the CPU target compiles them."""
    import tvm
    from tvm import relax

    from gatewright.targets.cpu.build import processor_target
    from gatewright.targets.cpu.lowering import inlined, lowered

    processor = processor_target("x86-64-v2")
    executable = relax.build(lowered(inlined(graph), processor), processor, relax_pipeline=None)
    main = relax.VirtualMachine(executable, tvm.cpu())["main"]
    reference, wrong = Reference(graph), []
    for seed in range(runs):
        inputs = random_inputs(graph, seed)
        result = main(*(tvm.runtime.tensor(inputs[layer.name]) for layer in graph.inputs))
        tensors = [result] if len(graph.outputs) == 1 else list(result)
        for (name, expected), tensor in zip(reference.run(inputs).items(), tensors, strict=True):
            got = tensor.numpy()
            if got.dtype != expected.dtype or got.shape != expected.shape or (got != expected).any():
                layer = graph[name]
                wrong.append(f"{layer.op} {name} {attributes_of(layer)} {layer.output} in profile {graph.profile}")
    return wrong
