"""The loop order of reductions: a row at a time, and the same numbers bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tvm
import tvm_ffi
from tvm import relax

from gatewright.schedules.cpu.reductions import rows_innermost
from gatewright.targets.cpu.build import processor_target

Shape = tuple[int, ...]


def kernel(operator: Any, *shapes: Shape) -> tvm.ir.IRModule:
    """One operator on float32 inputs of ``shapes``, as TIR and calls of it."""
    builder = relax.BlockBuilder()
    inputs = [relax.Var(f"x{i}", relax.TensorType(shape, "float32")) for i, shape in enumerate(shapes)]
    with builder.function("main", inputs):
        with builder.dataflow():
            result = builder.emit_output(operator(*inputs))
        builder.emit_func_output(result)
    return relax.transform.LegalizeOps()(builder.get())


def run(module: tvm.ir.IRModule, *arrays: np.ndarray) -> np.ndarray:
    """The result of ``main``."""
    executable = relax.build(module, processor_target("x86-64-v2"))
    machine = relax.VirtualMachine(executable, tvm.cpu())
    result: np.ndarray = machine["main"](*(tvm.runtime.tensor(array) for array in arrays)).numpy()
    return result


CASES: list[tuple[str, Any, tuple[Shape, ...]]] = [
    ("convolution", lambda x, w: relax.op.nn.conv2d(x, w, padding=1), ((1, 3, 6, 7), (4, 3, 3, 3))),
    ("depthwise", lambda x, w: relax.op.nn.conv2d(x, w, groups=3, strides=2), ((2, 3, 7, 7), (3, 1, 3, 3))),
    ("pointwise", lambda x, w: relax.op.nn.conv2d(x, w), ((1, 5, 4, 6), (3, 5, 1, 1))),
    ("strided pointwise", lambda x, w: relax.op.nn.conv2d(x, w, strides=2), ((1, 5, 5, 6), (3, 5, 1, 1))),
    ("matrix product", relax.op.matmul, ((3, 5), (5, 7))),
    ("maximum", lambda x: relax.op.nn.max_pool2d(x, pool_size=(3, 2), strides=(2, 1)), ((1, 2, 7, 6),)),
]


@pytest.mark.parametrize(("name", "operator", "shapes"), CASES, ids=[case[0] for case in CASES])
def test_same_bits_in_another_order(name: str, operator: Any, shapes: tuple[Shape, ...]) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    before = kernel(operator, *shapes)
    after = rows_innermost(before)
    assert not tvm_ffi.structural_equal(before, after)
    # Each sum is added up in the same order, and x86-64-v2 has no fused multiply-add: every bit is the same.
    np.testing.assert_array_equal(run(after, *arrays), run(before, *arrays))


def test_a_sum_along_the_row_stays() -> None:
    before = kernel(lambda x: relax.op.sum(x, axis=-1), (4, 5))
    assert tvm_ffi.structural_equal(before, rows_innermost(before))
