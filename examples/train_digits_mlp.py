"""Train the example MLP on the digits with scikit-learn and write it as ONNX with its arrays.

python -m examples.train_digits_mlp [folder]      # default: examples/digits; some seconds
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.neural_network import MLPClassifier

from examples.digits_data import load, write_arrays

__all__ = ["export", "main"]

HIDDEN = (32, 32)


def export(classifier: MLPClassifier, path: Path) -> None:
    """Write the classifier's scores (before softmax) as ONNX opset 13: one Gemm and ReLU a layer."""
    nodes, initializers, source = [], [], "x"
    last = len(classifier.coefs_) - 1
    for i, (weight, bias) in enumerate(zip(classifier.coefs_, classifier.intercepts_, strict=True)):
        initializers += [
            numpy_helper.from_array(weight.T.astype(np.float32), f"dense{i}.weight"),
            numpy_helper.from_array(bias.astype(np.float32), f"dense{i}.bias"),
        ]
        result = "scores" if i == last else f"dense{i}_out"
        nodes.append(
            helper.make_node("Gemm", [source, f"dense{i}.weight", f"dense{i}.bias"], [result], f"dense{i}", transB=1)
        )
        source = result
        if i != last:
            source = f"relu{i}_out"
            nodes.append(helper.make_node("Relu", [result], [source], f"relu{i}"))
    graph = helper.make_graph(
        nodes,
        "digits_mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 10])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="gatewright-examples")
    model.ir_version = 7  # the version of opset 13
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main(folder: Path) -> float:
    """Train, write model and arrays into ``folder``; returns the accuracy on the test images."""
    x_train, y_train, x_test, y_test = load()
    classifier = MLPClassifier(HIDDEN, random_state=0, max_iter=400)
    classifier.fit(x_train, y_train)
    folder.mkdir(parents=True, exist_ok=True)
    export(classifier, folder / "digits_mlp.onnx")
    write_arrays(folder, "digits_mlp", (64,))
    return float(classifier.score(x_test, y_test))


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "digits"
    print(f"digits_mlp: test accuracy {main(target):.1%}")
