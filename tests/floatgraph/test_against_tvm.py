"""The NumPy operators compute what TVM computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax

from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.passes.validation import sample_inputs
from tests.passes.build import const, make, scalar

op = relax.op
nn = relax.op.nn
image = relax.op.image

_F = tvm.tirx.FloatImm

# One module an operand shape: a compilation costs more than all the operators in it.
_IMAGE: dict[str, Callable[[Any], Any]] = {
    "conv": lambda x: nn.conv2d(x, const(6, 4, 3, 2), strides=(2, 1), padding=(1, 0, 2, 1), dilation=(1, 2)),
    "grouped conv": lambda x: nn.conv2d(x, const(6, 2, 3, 3), groups=2, padding=1),
    "depthwise conv": lambda x: nn.conv2d(x, const(8, 1, 3, 3), groups=4, padding=1, strides=2),
    "transposed conv": lambda x: nn.conv2d_transpose(
        x, const(4, 3, 3, 4), strides=(2, 3), padding=(1, 2, 0, 1), output_padding=(1, 2)
    ),
    "max pool": lambda x: nn.max_pool2d(x, (3, 2), (2, 2), (1, 1, 0, 1)),
    "max pool dilated": lambda x: nn.max_pool2d(x, (2, 2), (1, 2), 0, (2, 3)),
    "max pool ceil": lambda x: nn.max_pool2d(x, (2, 3), (2, 2), ceil_mode=True),
    "avg pool": lambda x: nn.avg_pool2d(x, (3, 2), (2, 2), (1, 1, 1, 0), count_include_pad=False),
    "avg pool counted": lambda x: nn.avg_pool2d(x, (3, 2), (2, 2), (1, 1, 1, 0), count_include_pad=True),
    "avg pool ceil": lambda x: nn.avg_pool2d(x, (2, 2), (2, 2), ceil_mode=True, count_include_pad=False),
    "global pool": lambda x: nn.adaptive_avg_pool2d(x, 1),
    "adaptive pool": lambda x: nn.adaptive_avg_pool2d(x, (3, 4)),
    "batch norm": lambda x: relax.TupleGetItem(
        nn.batch_norm(x, const(4), const(4, seed=1), const(4, seed=2), op.abs(const(4, seed=3)), 1, training=False), 0
    ),
    "layer norm": lambda x: nn.layer_norm(x, const(9), const(9, seed=1), [-1]),
    "group norm": lambda x: nn.group_norm(x, const(4), const(4, seed=1), 2, 1, [2, 3]),
    "instance norm": lambda x: nn.instance_norm(x, const(4), const(4, seed=1), 1, [2, 3]),
    "rms norm": lambda x: nn.rms_norm(x, const(9), [-1]),
    "softmax": lambda x: nn.softmax(x, 1),
    "log softmax": lambda x: nn.log_softmax(x, -1),
    "prelu": lambda x: nn.prelu(x, const(4)),
    "pad": lambda x: nn.pad(x, (0, 0, 1, 0, 2, 1, 0, 3), pad_value=1.5),
    "pad reflect": lambda x: nn.pad(x, (0, 0, 0, 0, 2, 1, 0, 3), "reflect"),
    "pad replicate": lambda x: nn.pad(x, (0, 0, 0, 0, 2, 1, 0, 3), "replicate"),
    "matmul": lambda x: op.matmul(x, const(9, 5)),
    "transpose": lambda x: op.permute_dims(x, (0, 3, 1, 2)),
    "slice": lambda x: op.strided_slice(x, [1, 3], [3, -1], [0, -9], [-2, -2]),
    "take": lambda x: op.take(x, relax.const(np.array([[3, 0], [1, 1]]), "int64"), 1),
    "gather elements": lambda x: op.gather_elements(x, relax.const(np.ones((2, 4, 7, 2), np.int64)), 3),
    "concat": lambda x: op.concat([x, nn.relu(x)], 1),
    "stack": lambda x: op.stack([x, x], 2),
    "tile": lambda x: op.tile(x, (1, 2, 1, 1)),
    "repeat": lambda x: op.repeat(x, 2, 2),
    "flip": lambda x: op.flip(x, 2),
    "broadcast": lambda x: op.broadcast_to(op.strided_slice(x, [1], [0], [1]), (2, 5, 7, 9)),
    "reshape": lambda x: op.reshape(x, (2, 28, 9)),
    "mean": lambda x: op.mean(x, [1, -1], True),
    "max": lambda x: op.max(x, [2]),
    "prod": lambda x: op.prod(x, [3]),
    "variance": lambda x: op.variance(x, [2, 3]),
    "argmax": lambda x: op.argmax(x, 1, True),
    "cumsum": lambda x: op.cumsum(x, 2),
    "topk": lambda x: relax.TupleGetItem(op.topk(x, 3, 3, "both", True, "int64"), 0),
    "argsort": lambda x: op.argsort(x, 3, True, "int64"),
    "quantize": lambda x: op.quantize(x, scalar(0.25), scalar(-3, "int8"), 1, "int8"),
    "quantize by channel": lambda x: op.quantize(
        x, relax.const(np.array([0.1, 0.2, 0.3, 0.4], np.float32)), relax.const(np.arange(4, dtype="uint8")), 1, "uint8"
    ),
    "round trip": lambda x: op.dequantize(
        op.quantize(x, scalar(0.25), scalar(7, "int8"), 1, "int8"), scalar(0.25), scalar(7, "int8"), 1
    ),
}  # fmt: skip
_RESIZES = [
    (method, mode, rounding)
    for method in ("nearest_neighbor", "linear", "cubic")
    for mode in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "tf_half_pixel_for_nn")
    for rounding in (("round_prefer_floor", "round_prefer_ceil", "floor", "ceil") if method[0] == "n" else ("",))
]
_ELEMENTWISE: dict[str, Callable[[Any], Any]] = {
    **{
        name: getattr(op, name)
        for name in ("abs", "atan", "ceil", "cos", "cosh", "erf", "exp", "floor", "negative", "sigmoid", "sign",
                     "sin", "sinh", "square", "tan", "tanh", "trunc", "asinh", "isnan", "isinf", "isfinite")
    },
    **{name: getattr(nn, name) for name in ("relu", "relu6", "silu", "gelu", "gelu_tanh", "selu", "softplus")},
    **{
        name: lambda x, name=name: getattr(op, name)(op.abs(x)) for name in ("log", "sqrt", "rsqrt")
    },
    **{
        name: lambda x, name=name: getattr(op, name)(x, const(5, seed=4))
        for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "floor_mod", "mod", "less",
                     "less_equal", "greater", "greater_equal", "equal", "not_equal", "floor_divide")
    },
    "round": lambda x: op.round(op.multiply(op.round(op.multiply(x, scalar(4.0))), scalar(0.5))),
    "leakyrelu": lambda x: nn.leakyrelu(x, 0.1),
    "clip": lambda x: op.clip(x, _F("float32", -0.5), _F("float32", 0.75)),
    "power": lambda x: op.power(op.abs(x), scalar(1.7)),
    "where": lambda x: op.where(op.greater(x, scalar(0.0)), x, const(3, 5)),
    "astype": lambda x: op.astype(op.multiply(x, scalar(10.0)), "int32"),
    "logical": lambda x: op.logical_xor(op.greater(x, scalar(0.3)), op.less(x, scalar(1.0))),
    "tril": lambda x: op.tril(x, -1),
    "full like": lambda x: op.full_like(x, scalar(3.0)),
}  # fmt: skip


def _check(shape: tuple[int, ...], builds: Sequence[tuple[str, Callable[[Any], Any]]]) -> None:
    def body(emit: Any, x: Any) -> Any:
        return [emit(build(x)) for _, build in builds]

    model = make(body, shape)
    inputs = sample_inputs(model.inputs, 3)
    machine = relax.VirtualMachine(tvm.compile(model.module, "llvm"), tvm.cpu())
    expected = machine["main"](tvm.runtime.tensor(inputs["x0"]))
    found = execute(read(model), inputs)
    wrong = []
    for (name, _), spec, tensor in zip(builds, model.outputs, expected, strict=True):
        y, z = tensor.numpy(), found[spec.name]
        # 1e-5: float32 sums in another order, TVM's polynomials for exp, erf and the like
        if y.shape != z.shape or y.dtype != z.dtype or not np.allclose(y, z, 1e-5, 1e-5, equal_nan=True):
            wrong.append((name, y.shape, z.shape, y.dtype, z.dtype, np.max(np.abs(y.astype(float) - z), initial=0)))
    assert not wrong


def test_layers_and_moves() -> None:
    _check((2, 4, 7, 9), list(_IMAGE.items()))


def test_elementwise() -> None:
    _check((3, 5), list(_ELEMENTWISE.items()))


@pytest.mark.parametrize("size", [(9, 5), (4, 15)])
def test_resize(size: tuple[int, int]) -> None:
    builds = [
        (
            f"{method} {mode} {rounding}",
            lambda x, method=method, mode=mode, rounding=rounding: image.resize2d(
                x, size, None, "NCHW", method, mode, rounding or "round", -0.75, 1 if rounding else 0
            ),
        )
        for method, mode, rounding in _RESIZES
    ]
    _check((1, 2, 6, 7), builds)


def test_one_dimension() -> None:
    builds: list[tuple[str, Callable[[Any], Any]]] = [
        ("conv", lambda x: nn.conv1d(x, const(6, 2, 3), strides=2, padding=(1, 2), dilation=2, groups=2)),
        ("transposed", lambda x: nn.conv1d_transpose(x, const(4, 3, 4), strides=3, padding=(1, 0), output_padding=1)),
        ("max pool", lambda x: nn.max_pool1d(x, (3,), (2,), (1, 1))),
        ("avg pool", lambda x: nn.avg_pool1d(x, (3,), (2,), (1, 0))),
        ("global pool", lambda x: nn.adaptive_avg_pool1d(x, 1)),
    ]
    _check((2, 4, 11), builds)
