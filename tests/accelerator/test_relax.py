"""Partitions inside the Relax VM: equal to the golden reference, alone and among CPU code, also in a new process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tvm
from tvm import ir, relax

from gatewright.compiler.driver import Request, Silent, prepare
from gatewright.compiler.errors import ConstraintError, TargetError, UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Add, Input, Requantize
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.integer.text import print_graph
from gatewright.compiler.integer.to_relax import emit
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.schedules.accelerator import image
from gatewright.schedules.accelerator.analysis import analyse
from gatewright.schedules.accelerator.embedding import embed, extract
from gatewright.schedules.accelerator.planner import plan_network
from gatewright.schedules.accelerator.serialization import Package
from gatewright.schedules.accelerator.spec import parse_spec
from gatewright.targets.accelerator.database import resolve, shipped_text
from gatewright.targets.accelerator.relax import codegen, runtime
from gatewright.targets.accelerator.relax.layers import graph_of_partition, partitions
from gatewright.targets.accelerator.relax.partition import partition
from tests.conftest import ROOT
from tests.strategies import random_graph, random_inputs

SPEC = "systolic-8x8-ws"
BYTES = TensorType((1, 6, 5, 5), 8, True, 0.5)
Tensors = Mapping[str, npt.NDArray[Any]]


def rescaled(name: str, source: str) -> Requantize:
    return Requantize(name, (source,), BYTES, 3 << 20, 22, (-128, 127))


def mixed_graph() -> IntegerGraph:
    """Two layers for the accelerator, a sum of three that no instruction computes, and two more."""
    three = Add("sum", ("a", "b", "x"), BYTES, np.array([1 << 20, 1 << 19, 3 << 18]), 21, (-128, 127))
    layers = [
        Input("x", (), BYTES), rescaled("a", "x"), rescaled("b", "a"), three, rescaled("c", "sum"), rescaled("d", "c")
    ]  # fmt: skip
    return IntegerGraph(layers, ["d", "b"])


def compiled(module: ir.IRModule) -> Any:
    return tvm.compile(codegen.run_codegen(module), "llvm")


def results(executable: Any, graph: IntegerGraph, inputs: Tensors, function: str = "main") -> dict[str, Any]:
    machine = relax.VirtualMachine(executable, tvm.cpu())
    result = machine[function](*(tvm.runtime.tensor(inputs[layer.name]) for layer in graph.inputs))
    tensors = [result] if len(graph.outputs) == 1 else list(result)
    return {name: tensor.numpy() for name, tensor in zip(graph.outputs, tensors, strict=True)}


def assert_same(got: Tensors, expected: Tensors) -> None:
    assert list(got) == list(expected)
    for name, array in expected.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_array_equal(got[name], array, name)


def placed(module: ir.IRModule) -> list[list[str]]:
    """Layers by partition."""
    graphs = [graph_of_partition(body) for body in partitions(module).values()]
    return sorted([layer.name for layer in graph if layer.op != "input"] for graph in graphs)


def test_two_partitions_with_cpu_code_between() -> None:
    graph = mixed_graph()
    module = partition(emit(graph), SPEC)
    assert placed(module) == [["a", "b"], ["c", "d"]]
    executable = compiled(module)
    for seed in range(3):
        inputs = random_inputs(graph, seed)
        assert_same(results(executable, graph, inputs), Reference(graph).run(inputs))


def test_a_partition_is_the_part_of_the_graph() -> None:
    graph = mixed_graph()
    (first,) = [
        part for body in partitions(partition(emit(graph), SPEC)).values()
        if "a" in (part := graph_of_partition(body))
    ]  # fmt: skip
    assert sorted(first.outputs) == ["a", "b"]
    assert print_graph(first)[0] == print_graph(IntegerGraph(graph.layers[:3], first.outputs))[0]


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "spec"), [(14, SPEC), (17, "vta-pynq"), (31, "nvdla-small")])
def test_random_graphs_on_every_family(seed: int, spec: str) -> None:
    graph = random_graph(seed, layers=6)
    module = partition(emit(graph), spec)
    assert placed(module)
    inputs = random_inputs(graph, seed)
    assert_same(results(compiled(module), graph, inputs), Reference(graph).run(inputs))


@pytest.mark.parametrize("seed", [44, 118])
def test_no_partition_needs_the_host(seed: int) -> None:
    """A reshape that is free inside the whole graph is none the accelerator computes at a partition's border."""
    spec, module = resolve(SPEC), emit(random_graph(seed, layers=8))
    graphs = [graph_of_partition(body) for body in partitions(partition(module, spec)).values()]
    assert graphs and not any(analyse(spec, graph).host_layers for graph in graphs)


def test_another_spec_at_code_generation_may_leave_layers_to_the_host() -> None:
    graph = random_graph(62, layers=6, operators=["conv2d"], max_bits=8)
    module = partition(emit(graph), SPEC)
    narrow = shipped_text(SPEC).replace("[matrix]\n", "[matrix]\nweight_bits = 1\n")
    hosted = [analyse(parse_spec(narrow, "here"), graph_of_partition(body)) for body in partitions(module).values()]
    assert any(analysis.host_layers for analysis in hosted)
    executable = tvm.compile(codegen.run_codegen(module, {"spec": narrow}), "llvm")
    inputs = random_inputs(graph)
    assert_same(results(executable, graph, inputs), Reference(graph).run(inputs))


@pytest.mark.slow
@pytest.mark.parametrize("max_bits", [8, 16])
def test_many_random_graphs(max_bits: int) -> None:
    layers = 0
    for seed in range(10):
        graph = random_graph(1000 + seed, layers=6, max_bits=max_bits)
        module = partition(emit(graph), SPEC)
        layers += sum(map(len, placed(module)))
        inputs = random_inputs(graph, seed)
        assert_same(results(compiled(module), graph, inputs), Reference(graph).run(inputs))
    assert layers > 10


@pytest.fixture(scope="module")
def digits() -> tuple[IntegerGraph, list[Tensors]]:
    """The digits CNN, and four samples as integers."""
    folder = ROOT / "examples" / "digits"
    calibration = folder / "digits_cnn_calib.npz"
    request = Request(folder / "digits_cnn.onnx", options=QuantizeOptions(), calibration=calibration)
    graph = prepare(request, Silent()).model.integer
    assert graph is not None
    (kind,) = (layer.output for layer in graph.inputs)
    with np.load(folder / "digits_cnn_test.npz") as test:
        levels = np.round(test["x"][:4] / kind.scale) + kind.zero_point
    samples = np.clip(levels, kind.qmin, kind.qmax).astype(kind.dtype)
    return graph, [{graph.inputs[0].name: sample[None]} for sample in samples]


def test_digits_in_one_partition_and_in_a_new_process(
    digits: tuple[IntegerGraph, list[Tensors]], tmp_path: Path
) -> None:
    graph, samples = digits
    module = partition(emit(graph), "systolic-16x16-ws")
    assert placed(module) == [[layer.name for layer in graph if layer.op != "input"]]
    executable = compiled(module)
    expected = [Reference(graph).run(sample) for sample in samples]
    for sample, array in zip(samples, expected, strict=True):
        assert_same(results(executable, graph, sample), array)
    executable.export_library(str(tmp_path / "digits.so"))
    np.savez(tmp_path / "in.npz", *(array for sample in samples for array in sample.values()))
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format("import gatewright.targets.accelerator.relax.runtime")],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Neither the compiler of gatewright nor the code generator was needed.
    assert done.stdout.split() == ["[]"]
    with np.load(tmp_path / "out.npz") as got:
        for index, array in enumerate(expected):
            np.testing.assert_array_equal(got[f"arr_{index}"], *array.values())


_PROGRAM = """
import sys
import numpy as np
import tvm
from tvm import relax
{}
machine = relax.VirtualMachine(tvm.runtime.load_module("digits.so"), tvm.cpu())
with np.load("in.npz") as samples:
    np.savez("out.npz", *(machine["main"](tvm.runtime.tensor(samples[name])).numpy() for name in samples.files))
unwanted = ("gatewright.targets.accelerator.relax.codegen", "gatewright.compiler.integer.to_relax", "onnx", "hls4ml")
print([name for name in unwanted if name in sys.modules])
"""


@pytest.mark.slow
def test_a_process_without_the_run_time_is_told_what_to_import(tmp_path: Path) -> None:
    graph = mixed_graph()
    compiled(partition(emit(graph), SPEC)).export_library(str(tmp_path / "digits.so"))
    np.savez(tmp_path / "in.npz", *random_inputs(graph).values())
    done = subprocess.run([sys.executable, "-c", _PROGRAM.format("")], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    message = "Cannot find function gatewright.targets.accelerator.relax.runtime."
    assert message in done.stderr


def test_float_code_around_and_tvm_own_pass() -> None:
    """A second function calls the network and goes on in float; TVM's own RunCodegen compiles the partitions."""
    graph = mixed_graph()
    module = emit(graph)
    builder = relax.BlockBuilder(module)
    x = relax.Var("x", relax.TensorType(BYTES.shape, "int8"))
    with builder.function("halves", [x]):
        with builder.dataflow():
            both = builder.emit(relax.Call(module.get_global_var("main"), [x]))
            floats = builder.emit(relax.op.astype(builder.emit(relax.TupleGetItem(both, 0)), "float32"))
            result = builder.emit_output(relax.op.multiply(floats, relax.const(0.5, "float32")))
        builder.emit_func_output(result)
    cut = partition(builder.get().with_attrs(dict(module.attrs.items())), SPEC)
    codegen.register()
    with_libraries = relax.transform.RunCodegen()(cut)
    machine = relax.VirtualMachine(tvm.compile(with_libraries, "llvm"), tvm.cpu())
    inputs = random_inputs(graph)
    got = machine["halves"](tvm.runtime.tensor(inputs["x"])).numpy()
    np.testing.assert_array_equal(got, Reference(graph).run(inputs)["d"].astype(np.float32) / 2)


def test_a_layer_behind_a_foreign_operator_stays_on_the_cpu() -> None:
    graph = IntegerGraph([Input("x", (), BYTES), rescaled("a", "x"), rescaled("b", "a")], ["b"])
    module = emit(graph)
    first, second = (module.get_global_var(name) for name in ("requantize_0_a", "requantize_1_b"))
    builder = relax.BlockBuilder(module)
    x = relax.Var("x", relax.TensorType(BYTES.shape, "int8"))
    with builder.function("mirrored", [x]):
        with builder.dataflow():
            flipped = builder.emit(relax.op.flip(builder.emit(relax.Call(first, [x])), axis=3))
            result = builder.emit_output(relax.Call(second, [flipped]))
        builder.emit_func_output(result)
    cut = partition(builder.get().with_attrs(dict(module.attrs.items())), SPEC, "mirrored")
    assert placed(cut) == [["a"]]
    inputs = random_inputs(graph)
    got = results(compiled(cut), graph, inputs, "mirrored")
    # Nothing in the graph looks at neighbours: mirrored in the middle is mirrored at the end.
    np.testing.assert_array_equal(got["b"], Reference(graph).run(inputs)["b"][..., ::-1])


def test_nothing_to_run_leaves_the_module_to_the_cpu() -> None:
    wide = TensorType((1, 4), 16, True)
    graph = IntegerGraph([Input("x", (), wide), Requantize("y", ("x",), wide, 1, 1, (-99, 99))], ["y"])
    module = partition(emit(graph), SPEC)
    assert placed(module) == [] and codegen.modelled_cycles(module) == {}
    inputs = random_inputs(graph)
    assert_same(results(compiled(module), graph, inputs), Reference(graph).run(inputs))


def test_spec_by_text_and_by_option() -> None:
    graph = mixed_graph()
    text = shipped_text("systolic-4x4-ws")
    module = partition(emit(graph), text)
    by_name = codegen.modelled_cycles(partition(emit(graph), "systolic-4x4-ws"))
    assert codegen.modelled_cycles(module) == by_name
    other = codegen.modelled_cycles(module, {"spec": "systolic-32x32-ws"})
    assert other.keys() == by_name.keys() and other != by_name
    executable = tvm.compile(codegen.run_codegen(module, {"spec": text, "candidates": 2}), "llvm")
    inputs = random_inputs(graph)
    assert_same(results(executable, graph, inputs), Reference(graph).run(inputs))


def test_the_run_time_knows_the_cycles() -> None:
    graph = IntegerGraph([Input("x", (), BYTES), rescaled("only here", "x")], ["only here"])
    module = partition(emit(graph), SPEC)
    before = set(runtime.cycles())
    results(compiled(module), graph, random_inputs(graph))
    (digest,) = set(runtime.cycles()) - before
    assert [runtime.cycles()[digest]] == list(codegen.modelled_cycles(module).values())
    assert runtime.cycles()[digest] > 0


def test_constants_lie_in_the_library_once() -> None:
    module = partition(emit(random_graph(0, layers=6)), SPEC)
    codegen.register()
    assert "const_name_to_constant" in relax.transform.RunCodegen()(module).attrs
    assert "const_name_to_constant" not in codegen.run_codegen(module).attrs


def packaged(graph: IntegerGraph) -> Package:
    spec = resolve(SPEC)
    return image.packaged(spec, plan_network(spec, graph))


def test_embedding_round_trip() -> None:
    package = packaged(random_graph(4, layers=6))
    text = embed(package)
    back = extract(text, "here")
    assert text == embed(package) and text.isascii()
    assert back.spec == package.spec and back.program.tensors == package.program.tensors
    np.testing.assert_array_equal(back.constants, package.constants)
    for ours, theirs in zip(back.program.runs, package.program.runs, strict=True):
        np.testing.assert_array_equal(ours.words, theirs.words)
    for layer in package.graph:
        assert back.graph[layer.name].output == layer.output


@pytest.mark.parametrize("damage", [lambda t: t[:-40], lambda t: "?" + t[1:], lambda t: "", lambda t: t[:80] + t[90:]])
def test_a_damaged_embedding_is_refused(damage: Any) -> None:
    text = embed(packaged(mixed_graph()))
    with pytest.raises(TargetError, match="GW4309"):
        extract(damage(text), "here")


def test_what_is_wrong_is_said() -> None:
    module = emit(mixed_graph())
    with pytest.raises(UsageError, match="GW0408"):
        partition(module, "systolic-7x7")
    with pytest.raises(UsageError, match="GW4301"):
        partition(module, "name = 'a'\n")
    cut = partition(module, SPEC)
    with pytest.raises(UsageError, match="GW0408"):
        codegen.run_codegen(cut, {"spec": "systolic-7x7"})
    with pytest.raises(UsageError, match="GW0409"):
        codegen.run_codegen(cut, {"colour": "blue"})
    codegen.register()
    with pytest.raises(RuntimeError, match=r"(?s)GW0408.*did you mean"):
        relax.transform.RunCodegen({"gatewright_sim": {"spec": "systolic-7x7"}})(cut)
    with pytest.raises(ValueError, match=r"gatewright\.graph"):
        partition(tvm.IRModule({}), SPEC)


def test_a_layer_that_fits_in_no_tiling(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise ConstraintError("GW4308", "a", "no tile of the layer fits", "take a larger one")

    monkeypatch.setattr(codegen, "plan_network", refuse)
    with pytest.raises(ConstraintError, match="GW4308"):
        codegen.run_codegen(partition(emit(mixed_graph()), SPEC))
