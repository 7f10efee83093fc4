"""A damaged model is imported or refused; nothing else may happen, whatever byte or field was changed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, helper

from gatewright.compiler.errors import GatewrightError
from gatewright.compiler.frontend import Limits
from gatewright.compiler.frontend.importer import normalise
from tests.frontend.onnx_models import build

NUMBERS = [-(2**63), -(2**31), -5, -1, 0, 1, 2, 3, 7, 2**31, 2**62, 2**63 - 1]


def sample() -> onnx.ModelProto:
    """A model with an operator of every kind that rewrites look into."""

    def node(op: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
        return helper.make_node(op, inputs.split(), [output], name=f"{op}_{output}", **attributes)

    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("DequantizeLinear", "q s z", "d"),
        node("DequantizeLinear", "w ws wz", "wd", axis=0),
        node("Conv", "d wd b", "c", strides=[1, 1], pads=[1, 1, 1, 1], group=1),
        node("Clip", "c low high", "clip"),
        node("MaxPool", "clip", "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Resize", "pool   scales".replace("   ", " none "), "up", mode="nearest"),
        node("Slice", "up starts ends axes", "cut"),
        node("ReduceMean", "cut", "mean", axes=[2, 3], keepdims=0),
        node("Shape", "mean", "shape"),
        node("Reshape", "mean shape", "same"),
        node("Gemm", "same g", "gemm", transB=1, alpha=0.5),
        node("Softmax", "gemm", "soft", axis=-1),
        node("Concat", "soft gemm", "both", axis=1),
        node("Gather", "both index", "y", axis=1),
    ]
    rng = np.random.default_rng(0)
    constants = {
        "s": np.float32(0.1), "z": np.int8(0), "w": rng.integers(-9, 9, (4, 2, 3, 3)).astype(np.int8),
        "ws": np.full(4, 0.1, np.float32), "wz": np.zeros(4, np.int8), "b": np.ones(4, np.float32),
        "low": np.float32(0), "high": np.float32(6), "none": np.zeros(0, np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32), "starts": np.array([0]), "ends": np.array([3]),
        "axes": np.array([2]), "g": np.ones((3, 4), np.float32), "index": np.array([0, -1]),
    }  # fmt: skip
    return build(nodes, {"x": np.zeros((1, 2, 8, 8), np.float32)}, ["y"], constants, 13)


def change_bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 3])):
        i = rng.randrange(len(changed))
        kind = rng.random()
        if kind < 0.5:
            changed[i] = rng.choice([0, 1, 7, 8, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        elif kind < 0.8:
            changed[i] ^= 1 << rng.randrange(8)
        elif kind < 0.9:
            del changed[i : i + rng.choice([1, 2, 8])]
        else:
            changed[i:i] = bytes(rng.randrange(256) for _ in range(rng.choice([1, 4])))
    return bytes(changed)


def change_fields(data: bytes, rng: random.Random) -> bytes:
    model = onnx.ModelProto.FromString(data)
    for _ in range(rng.choice([1, 1, 2])):
        rng.choice([_attribute, _wiring, _tensor, _input])(model.graph, rng)
    if rng.random() < 0.1:
        model.opset_import[0].version = rng.randint(6, 30)
    return bytes(model.SerializeToString())


def _attribute(graph: onnx.GraphProto, rng: random.Random) -> None:
    node = rng.choice([n for n in graph.node if n.attribute])
    attribute = rng.choice(list(node.attribute))
    if rng.random() < 0.2:
        node.attribute.remove(attribute)
    elif attribute.type == AttributeProto.INT:
        attribute.i = rng.choice(NUMBERS)
    elif attribute.type == AttributeProto.INTS and attribute.ints and rng.random() < 0.6:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(NUMBERS)
    elif attribute.type == AttributeProto.INTS:
        attribute.ints.append(rng.choice(NUMBERS))
    else:
        attribute.type = rng.randrange(15)


def _wiring(graph: onnx.GraphProto, rng: random.Random) -> None:
    node = rng.choice(list(graph.node))
    names = ["", *(name for other in graph.node for name in (*other.input, *other.output))]
    kind = rng.random()
    if kind < 0.4 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif kind < 0.6 and node.input:
        del node.input[-1]
    elif kind < 0.7:
        node.output.append(rng.choice(["", "more"]))
    elif kind < 0.8:
        graph.output[0].name = rng.choice(names)
    else:
        node.op_type = rng.choice(
            [other.op_type for other in graph.node] + ["Pad", "Tile", "ConvTranspose", "LRN", "OneHot"]
        )


def _tensor(graph: onnx.GraphProto, rng: random.Random) -> None:
    tensor = rng.choice(list(graph.initializer))
    kind = rng.random()
    if kind < 0.3 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
    elif kind < 0.4:
        tensor.dims.append(1)
    elif kind < 0.6:
        tensor.data_type = rng.randrange(30)
    elif tensor.raw_data:
        raw = bytearray(tensor.raw_data)
        raw[rng.randrange(len(raw))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
        tensor.raw_data = bytes(raw)


def _input(graph: onnx.GraphProto, rng: random.Random) -> None:
    kind = graph.input[0].type.tensor_type
    if rng.random() < 0.3:
        kind.elem_type = rng.randrange(25)
    elif rng.random() < 0.3:
        del kind.shape.dim[-1]
    else:
        kind.shape.dim[rng.randrange(len(kind.shape.dim))].dim_value = rng.choice([1, 2, 3, 5, 0, -1, 2**40])


@pytest.mark.parametrize("change", [change_bytes, change_fields])
def test_damage_is_refused_in_words(change: Callable[[bytes, random.Random], bytes], tmp_path: Path) -> None:
    data = sample().SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    normalise(path, {}, Limits())
    rng = random.Random(5)
    outcomes: Counter[str] = Counter()
    for _ in range(500):
        path.write_bytes(change(data, rng))
        try:
            normalise(path, {}, Limits())
            outcomes["imported"] += 1
        except GatewrightError as error:
            assert error.reason and error.actions
            outcomes[error.code] += 1
    # Otherwise the damage was too gross, or none.
    assert 20 < outcomes["imported"] < 450
    assert len(outcomes) >= 6
