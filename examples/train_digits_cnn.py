"""Train the example CNN (depthwise, residual, pooling) on the digits and write it as ONNX with its arrays.

python -m examples.train_digits_cnn [folder]      # default: examples/digits; about a minute on one core
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from examples.digits_data import Array, Labels, load, write_arrays
from examples.layers import Adam, Conv, Dense, GlobalAveragePool, MaxPool, Relu, Residual, Sequence

__all__ = ["build", "export", "main", "train"]

EPOCHS = 40
BATCH = 32


def build(rng: np.random.Generator) -> Sequence:
    """1x8x8 -> conv 12 -> residual(depthwise, 1x1) -> max pool -> conv 24 -> global average pool -> 10 scores."""
    return Sequence(
        Conv(rng, 1, 12, 3), Relu(),
        Residual(Conv(rng, 12, 12, 3, groups=12), Relu(), Conv(rng, 12, 12, 1)), Relu(),
        MaxPool(),
        Conv(rng, 12, 24, 3), Relu(),
        GlobalAveragePool(),
        Dense(rng, 24, 10),
    )  # fmt: skip


def train(x: Array, y: Labels, epochs: int = EPOCHS, seed: int = 0) -> Sequence:
    """Cross-entropy, Adam, a rate falling along a half cosine, images shifted by up to one pixel."""
    rng = np.random.default_rng(seed)
    network = build(rng)
    optimizer = Adam(network.parameters())
    steps = epochs * (len(x) // BATCH)
    for step in range(steps):
        picked = rng.integers(0, len(x), BATCH)
        batch = np.roll(x[picked], tuple(rng.integers(-1, 2, 2)), axis=(2, 3))
        scores = network.forward(batch)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        grad = odds / odds.sum(axis=1, keepdims=True)
        grad[np.arange(BATCH), y[picked]] -= 1
        network.backward(grad / np.float32(BATCH))
        optimizer.step(0.004 * 0.5 * (1 + np.cos(np.pi * step / steps)))
    return network


def export(network: Sequence, path: Path) -> None:
    """Write the network as ONNX opset 17 with a symbolic batch, softmax last."""
    first, _, residual, _, _, second, _, _, dense = network.layers
    assert isinstance(first, Conv) and isinstance(residual, Residual)
    assert isinstance(second, Conv) and isinstance(dense, Dense)
    depthwise, _, pointwise = residual.layers
    assert isinstance(depthwise, Conv) and isinstance(pointwise, Conv)
    named: dict[str, Conv | Dense] = {
        "stem": first, "depthwise": depthwise, "pointwise": pointwise, "features": second, "classifier": dense,
    }  # fmt: skip
    initializers = [
        numpy_helper.from_array(array, f"{name}.{part}")
        for name, layer in named.items()
        for part, array in (("weight", layer.weight), ("bias", layer.bias))
    ]

    def conv(name: str, source: str, result: str) -> onnx.NodeProto:
        layer = named[name]
        assert isinstance(layer, Conv)
        pad, kernel = layer.kernel // 2, layer.kernel
        inputs = [source, f"{name}.weight", f"{name}.bias"]
        return helper.make_node(
            "Conv", inputs, [result], name, kernel_shape=[kernel] * 2, pads=[pad] * 4, group=layer.groups
        )

    nodes = [
        conv("stem", "x", "stem_conv"),
        helper.make_node("Relu", ["stem_conv"], ["stem_out"], "stem_relu"),
        conv("depthwise", "stem_out", "depthwise_conv"),
        helper.make_node("Relu", ["depthwise_conv"], ["depthwise_out"], "depthwise_relu"),
        conv("pointwise", "depthwise_out", "pointwise_out"),
        helper.make_node("Add", ["stem_out", "pointwise_out"], ["sum"], "residual"),
        helper.make_node("Relu", ["sum"], ["residual_out"], "residual_relu"),
        helper.make_node("MaxPool", ["residual_out"], ["pooled"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        conv("features", "pooled", "features_conv"),
        helper.make_node("Relu", ["features_conv"], ["features_out"], "features_relu"),
        helper.make_node("GlobalAveragePool", ["features_out"], ["average"], "average"),
        helper.make_node("Flatten", ["average"], ["flat"], "flatten"),
        helper.make_node("Gemm", ["flat", "classifier.weight", "classifier.bias"], ["scores"], "classifier", transB=1),
        helper.make_node("Softmax", ["scores"], ["probabilities"], "softmax", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits_cnn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="gatewright-examples")
    model.ir_version = 8  # the version of opset 17, so that older readers take the file
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main(folder: Path, epochs: int = EPOCHS) -> float:
    """Train, write model and arrays into ``folder``; returns the accuracy on the test images."""
    x_train, y_train, x_test, y_test = load()
    network = train(x_train.reshape(-1, 1, 8, 8), y_train, epochs)
    accuracy = float((network.forward(x_test.reshape(-1, 1, 8, 8)).argmax(axis=1) == y_test).mean())
    folder.mkdir(parents=True, exist_ok=True)
    export(network, folder / "digits_cnn.onnx")
    write_arrays(folder, "digits_cnn", (1, 8, 8))
    return accuracy


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "digits"
    print(f"digits_cnn: test accuracy {main(target):.1%}")
