"""hls4ml models as layer lists, for the tests of the back end."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Layers = list[dict[str, Any]]
Precisions = dict[str, dict[str, str]]


def graph(
    backend: str, directory: Path, layers: Layers, precisions: Precisions, outputs: Sequence[str] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None, **config: Any,
) -> Any:  # fmt: skip
    """A ModelGraph of ``backend``.

    Args:
        backend: its name in hls4ml.
        directory: output folder.
        layers: hls4ml's layer list.
        precisions: types by layer.
        outputs: layers that are outputs, the last by default.
        settings: more entries of ``LayerName``.
        config: arguments of ``create_config``.
    """
    from hls4ml.model.graph import ModelGraph
    from hls4ml.utils.config import create_config

    from gatewright.hls.extension import quiet

    config = {"io_type": "io_parallel", **config}
    found = create_config(output_dir=str(directory), project_name="zoo", backend=backend, **config)
    names = [layer["name"] for layer in layers]
    found["HLSConfig"] = {
        "Model": {"Precision": {"default": "ap_fixed<16,6>"}, "ReuseFactor": 1, "Strategy": "Latency"},
        "LayerName": {
            name: {"Precision": dict(precisions.get(name, {})), **(settings or {}).get(name, {})} for name in names
        },
    }
    with quiet():
        return ModelGraph.from_layer_list(found, copy.deepcopy(layers), outputs=outputs and list(outputs))


class Zoo:
    """Collects layers."""

    def __init__(self, shape: Sequence[int], kind: str, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.layers: Layers = [{"class_name": "InputLayer", "name": "x", "input_shape": list(shape)}]
        self.precisions: Precisions = {"x": {"result": kind}}
        self.outputs: list[str] = []

    def add(self, name: str, kind: str, types: str, source: str | Sequence[str] = "x", **attributes: Any) -> None:
        """Add a layer; ``types`` is ``name=type`` in words; layers called ``mid_...`` are no outputs."""
        inputs = [source] if isinstance(source, str) else list(source)
        self.layers.append({"class_name": kind, "name": name, "inputs": inputs, **attributes})
        self.precisions[name] = dict(word.split("=", 1) for word in types.split())
        if not name.startswith("mid_"):
            self.outputs.append(name)

    def values(self, *shape: int, reach: float = 1.0) -> Any:
        """Random numbers."""
        return self.rng.uniform(-reach, reach, shape)


def mlp() -> tuple[Layers, Precisions]:
    """Two dense layers with a rounding, saturating ReLU between them; their types hold all weights."""
    zoo = Zoo([16], "ap_fixed<8,4,AP_RND,AP_SAT>", 0)

    def dense(name: str, source: str, n_in: int, n_out: int, types: str, fraction: int) -> None:
        weight, bias = zoo.values(n_in, n_out) * 2**fraction, zoo.values(n_out) * 16
        zoo.add(name, "Dense", types, source, n_in=n_in, n_out=n_out,
                weight_data=np.floor(weight) / 2**fraction, bias_data=np.floor(bias) / 16)  # fmt: skip

    dense("fc0", "x", 16, 8, "weight=ap_fixed<4,1> bias=ap_fixed<6,2> accum=auto result=auto", 3)
    zoo.add("r0", "Activation", "result=ap_ufixed<6,3,AP_RND,AP_SAT>", "fc0", activation="relu", n_in=8)
    types = "weight=ap_fixed<5,1> bias=ap_fixed<9,2> accum=ap_fixed<16,5> result=ap_fixed<9,4,AP_RND>"
    dense("fc1", "r0", 8, 5, types, 4)
    return zoo.layers, zoo.precisions


def flat_zoo() -> tuple[Zoo, Any]:
    """Every activation, dense and normalization, all casts; the input."""
    zoo = Zoo([12], "ap_fixed<14,5,AP_RND_CONV,AP_SAT>", 1)

    def act(name: str, types: str, activation: str, source: str = "x", kind: str = "Activation", **more: Any) -> None:
        zoo.add(name, kind, types, source, activation=activation, n_in=12, **more)

    act("relu_wrap", "result=ap_ufixed<6,2,AP_RND>", "relu")
    act("relu_sat", "result=ap_ufixed<6,2,AP_TRN,AP_SAT>", "relu")
    act("relu6", "result=ap_fixed<7,4,AP_RND_CONV,AP_SAT>", "relu6")
    act("even", "result=ap_fixed<8,4,AP_RND_CONV,AP_SAT_SYM>", "linear")
    act("to_zero", "result=ap_fixed<8,4,AP_TRN_ZERO,AP_WRAP>", "linear")
    act("half_down", "result=ap_fixed<8,4,AP_RND_MIN_INF,AP_WRAP>", "linear")
    act("up_sat", "result=ap_fixed<20,4,AP_TRN,AP_SAT>", "linear")
    act("up_wrap", "result=ap_fixed<20,3>", "linear")
    act("sigmoid", "result=ap_fixed<12,2>", "sigmoid")
    act("tanh", "result=ap_fixed<10,2,AP_RND>", "tanh")
    act("softplus", "result=ap_fixed<16,6>", "softplus")
    act("softsign", "result=ap_fixed<16,6>", "softsign")
    act("mid_narrow", "result=ap_fixed<9,5>", "linear")
    act("sigmoid9", "result=ap_fixed<12,2>", "sigmoid", "mid_narrow")
    types = "result=ap_fixed<16,6> param=ap_fixed<8,2>"
    act("elu", types, "ELU", "mid_narrow", "ELU", activ_param=0.75)
    act("selu", "result=ap_fixed<16,6>", "selu", "mid_narrow")
    types = "result=ap_fixed<12,5,AP_RND> param=ap_fixed<8,2>"
    act("leaky", types, "LeakyReLU", kind="LeakyReLU", activ_param=0.3)
    act("threshold", types, "ThresholdedReLU", "mid_narrow", "ThresholdedReLU", activ_param=0.8)
    act("slopes", types, "prelu", kind="PReLU", param_data=zoo.values(12))
    act("hard_s", "result=ap_fixed<12,3>", "hard_sigmoid", kind="HardActivation", slope=0.2, shift=0.5)
    act("hard_t", "result=ap_fixed<12,3>", "hard_tanh", kind="HardActivation", slope=0.2, shift=0.5)
    for name, types in {
        "bn": "result=ap_fixed<12,5,AP_RND,AP_SAT> scale=ap_fixed<8,2> bias=ap_fixed<20,3>",
        "bn_trn": "result=ap_fixed<9,5> scale=ap_fixed<8,2> bias=ap_fixed<30,3>",
    }.items():
        zoo.add(name, "BatchNormalization", types, n_in=12, n_filt=-1, scale_data=zoo.values(12, reach=1.9),
                bias_data=zoo.values(12, reach=2))  # fmt: skip
    for name, types in {
        "fc_wrap": "result=ap_fixed<10,5,AP_RND> accum=ap_fixed<22,4> weight=ap_fixed<8,1> bias=ap_fixed<24,2>",
        "fc_sat": "result=ap_fixed<10,3,AP_RND,AP_SAT> accum=ap_fixed<20,4> weight=ap_fixed<8,1> bias=ap_fixed<14,2>",
        "fc_trn": "result=ap_fixed<10,5> accum=auto weight=ap_fixed<8,1,AP_RND> bias=ap_fixed<28,2>",
    }.items():
        zoo.add(name, "Dense", types, n_in=12, n_out=6, weight_data=zoo.values(12, 6, reach=0.9),
                bias_data=zoo.values(6))  # fmt: skip
    zoo.add("ternary", "Dense", "result=ap_fixed<20,9> accum=auto weight=ap_int<2> bias=ap_fixed<8,2>", n_in=12,
            n_out=6, weight_data=zoo.rng.integers(-1, 2, (12, 6)).astype(float), bias_data=zoo.values(6))  # fmt: skip
    x = np.concatenate([zoo.values(20, 12, reach=20), zoo.values(20, 12, reach=3)])
    return zoo, np.concatenate([x, (np.arange(-600, 600) / 37.5).reshape(100, 12)])


def image_zoo() -> tuple[Zoo, Any]:
    """Convolutions, pooling, merging and movement on a small image; the input."""
    zoo = Zoo([6, 5, 3], "ap_fixed<8,3,AP_RND,AP_SAT>", 2)
    last = {"data_format": "channels_last"}
    result = "weight=ap_fixed<6,1> bias=ap_fixed<8,2> accum=auto result=ap_fixed<9,4,AP_RND,AP_SAT>"

    def geometry(prefix: str, h: int, w: int, k: Sequence[int], s: Sequence[int], p: Sequence[int]) -> dict[str, Any]:
        names = {"filt": ("filt_height", "filt_width"), "pool": ("pool_height", "pool_width")}[prefix]
        return {
            "in_height": h, "in_width": w, names[0]: k[0], names[1]: k[1], "stride_height": s[0], "stride_width": s[1],
            "out_height": (h + p[0] + p[2] - k[0]) // s[0] + 1, "out_width": (w + p[1] + p[3] - k[1]) // s[1] + 1,
            **dict(zip(("pad_top", "pad_left", "pad_bottom", "pad_right"), p, strict=True)), **last,
        }  # fmt: skip

    def conv(name: str, source: str, h: int, w: int, filters: int, k: Any, s: Any, p: Any) -> None:
        zoo.add(name, "Conv2D", result, source, **geometry("filt", h, w, k, s, p), n_chan=3, n_filt=filters,
                weight_data=zoo.values(*k, 3, filters), bias_data=zoo.values(filters))  # fmt: skip

    def pool(name: str, types: str, k: Any, s: Any, p: Any = (0, 0, 0, 0), source: str = "x", **more: Any) -> None:
        kind = "MaxPooling2D" if name.startswith("max") else "AveragePooling2D"
        zoo.add(name, kind, types, source, **geometry("pool", 6, 5, k, s, p), n_filt=3, **more)

    conv("same", "x", 6, 5, 4, (3, 3), (1, 1), (1, 1, 1, 1))
    conv("strided", "x", 6, 5, 2, (3, 2), (2, 1), (0, 1, 1, 0))
    conv("point", "x", 6, 5, 4, (1, 1), (1, 1), (0, 0, 0, 0))
    zoo.add("depthwise", "DepthwiseConv2D", result, **geometry("filt", 6, 5, (3, 3), (1, 1), (1, 1, 1, 1)), n_chan=3,
            n_filt=3, depth_multiplier=1, depthwise_data=zoo.values(3, 3, 3, 1), bias_data=zoo.values(3))  # fmt: skip
    pads = {"pad_top": 1, "pad_bottom": 2, "pad_left": 0, "pad_right": 1, "in_height": 6, "in_width": 5}
    for name in ("mid_zeros", "zeros"):
        zoo.add(name, "ZeroPadding2D", "", **pads, out_height=9, out_width=6, n_chan=3, **last)
    conv("padded", "mid_zeros", 9, 6, 2, (3, 3), (2, 2), (0, 0, 0, 0))
    zoo.add("mid_u", "Activation", "result=ap_ufixed<6,2,AP_RND,AP_SAT>", activation="relu", n_in=90)
    around = (1, 1, 1, 1)
    pool("max", "accum=auto result=ap_fixed<8,3>", (2, 2), (2, 2))
    pool("max_pad", "accum=ap_fixed<10,4> result=ap_fixed<8,3>", (3, 3), (2, 2), around)
    pool("max_pad_u", "accum=ap_fixed<10,4> result=ap_fixed<8,3>", (3, 3), (2, 2), around, "mid_u")
    pool("mean", "accum=ap_fixed<14,8> result=ap_fixed<9,4>", (2, 2), (2, 2))
    pool("mean_cut", "accum=ap_fixed<12,7> result=ap_fixed<7,3,AP_RND>", (2, 2), (2, 2))
    pool("mean_pad", "accum=ap_fixed<16,8> result=ap_fixed<9,4,AP_RND>", (3, 3), (2, 2), around)
    pool("mean_count", "accum=ap_fixed<14,9> result=ap_fixed<9,4>", (3, 3), (2, 2), around, count_pad=True)
    pool("mean_u", "accum=ap_fixed<16,8> result=ap_fixed<9,4,AP_RND>", (3, 2), (1, 1), (1, 0, 1, 0), "mid_u")
    pool("mean_cast", "accum=ap_fixed<10,7> result=ap_fixed<9,4,AP_RND>", (3, 2), (3, 2))
    for name in ("GlobalAveragePooling2D", "GlobalMaxPooling2D"):
        zoo.add(name.lower(), name, "accum=ap_fixed<20,9> result=ap_fixed<12,3>", in_height=6, in_width=5, n_filt=3,
                **last)  # fmt: skip
    for op, kind in {
        "add": "ap_fixed<7,4,AP_RND>", "subtract": "ap_fixed<9,4>", "multiply": "ap_fixed<9,4,AP_RND,AP_SAT>",
        "average": "ap_fixed<8,4>", "maximum": "ap_fixed<6,3>", "minimum": "ap_fixed<7,3,AP_RND,AP_SAT>",
    }.items():  # fmt: skip
        zoo.add(f"m_{op}", "Merge", f"result={kind}", ("x", "mid_u"), op=op)
    for axis in (1, 2, 3):
        zoo.add(f"cat{axis}", "Concatenate", "result=ap_fixed<7,4,AP_RND>", ("x", "mid_u"), op="concatenate3d",
                axis=axis)  # fmt: skip
    zoo.add("turned", "Transpose", "", perm=[2, 0, 1])
    zoo.add("resized", "Resize", "", in_height=6, in_width=5, out_height=12, out_width=7, n_chan=3, algorithm="nearest",
            **last)  # fmt: skip
    zoo.add("cropped", "Cropping2D", "", in_height=6, in_width=5, out_height=3, out_width=3, n_chan=3, crop_top=1,
            crop_bottom=2, crop_left=2, crop_right=0, **last)  # fmt: skip
    zoo.add("bn", "BatchNormalization", "result=ap_fixed<12,5,AP_RND,AP_SAT> scale=ap_fixed<8,2> bias=ap_fixed<9,3>",
            n_in=90, n_filt=3, scale_data=zoo.values(3, reach=1.9), bias_data=zoo.values(3, reach=2))  # fmt: skip
    zoo.add("mid_flat", "Reshape", "", "mid_u", target_shape=[-1])
    zoo.add("fc", "Dense", result, "mid_flat", n_in=90, n_out=5, weight_data=zoo.values(90, 5), bias_data=zoo.values(5))
    return zoo, zoo.values(40, 6, 5, 3, reach=5)


def onnx_network() -> Any:
    """A convolutional ONNX model as hls4ml's converter wants it: channels last, everything explicit."""
    from onnx import TensorProto, helper, numpy_helper

    rng, last = np.random.default_rng(5), "qonnx.custom_op.channels_last"
    constants = {
        "w": rng.uniform(-0.9, 0.9, (4, 2, 3, 3)), "b": rng.uniform(-0.9, 0.9, 4),
        "d": rng.uniform(-0.9, 0.9, (64, 3)), "db": rng.uniform(-0.9, 0.9, 3),
    }  # fmt: skip
    arrays = {name: array.astype(np.float32) for name, array in constants.items()}
    arrays["s"] = np.array([1, -1], np.int64)
    window = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1]}
    halves = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 0, 0]}
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv", domain=last, dilations=[1, 1], group=1, **window),
        helper.make_node("Relu", ["c"], ["r"], "act"),
        helper.make_node("MaxPool", ["r"], ["p"], "pool", domain=last, **halves),
        helper.make_node("Reshape", ["p", "s"], ["f"], "flat"),
        helper.make_node("MatMul", ["f", "d"], ["m"], "fc"),
        helper.make_node("Add", ["m", "db"], ["y"], "fcb"),
    ]
    shapes = {"c": [1, 8, 8, 4], "r": [1, 8, 8, 4], "p": [1, 4, 4, 4], "f": [1, 64], "m": [1, 3]}

    def info(name: str, shape: Sequence[int], kind: int = TensorProto.FLOAT) -> Any:
        return helper.make_tensor_value_info(name, kind, list(shape))

    known = [info(name, shape) for name, shape in shapes.items()]
    known += [info(name, a.shape, helper.np_dtype_to_tensor_dtype(a.dtype)) for name, a in arrays.items()]
    made = helper.make_graph(
        nodes, "g", [info("x", [1, 8, 8, 2])], [info("y", [1, 3])],
        [numpy_helper.from_array(a, name) for name, a in arrays.items()], value_info=known,
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(last, 1)])
