"""gatewright's layers in hls4ml: classes, templates and kernels, registered through its extension API.

A layer here is data: the name of a kernel in ``firmware/``, constants and types of its config struct, and tables. The
templates are registered with the Vivado back end alone, whose template flow Vitis and VivadoAccelerator run too.

Importing this module imports hls4ml (0.6 s); nothing else in gatewright does at import time.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from hls4ml.backends import FPGABackend, get_backend
from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.model.layers import Layer, register_layer
from hls4ml.model.types import IntegerPrecisionType

from gatewright.hls.reuse import legal_reuse_factors

__all__ = ["BACKENDS", "FIRMWARE", "GatewrightLayer", "fast_legality", "quiet", "register"]

FIRMWARE = Path(__file__).resolve().parent / "firmware"
BACKENDS = ("Vivado", "Vitis", "VivadoAccelerator")


class GatewrightLayer(Layer):
    """Base of our layers.

    Attributes of a node (keys of its dictionary in the layer list):
        out_shape: physical shape of the result.
        constants: name -> integer, bool or enumerator text, in the config struct.
        typedefs: name -> HLS type, in the config struct.
        tables: name -> (values, width, signed): constant arrays, arguments of the kernel after the result.
    """

    kernel: ClassVar[str] = ""

    def initialize(self) -> None:
        """Make the result variable and the tables (hls4ml calls this)."""
        self.add_output_variable(self.attributes["out_shape"], var_name=self.name + "_out")
        for name, (values, width, signed) in self.attributes["tables"].items():
            self.add_weights_variable(
                name=name,
                var_name=f"{self.name}_{name}",
                type_name=f"{self.name}_{name}_t",
                precision=IntegerPrecisionType(width=width, signed=signed),
                data=values,
            )


class GatewrightRequantize(GatewrightLayer):
    """``clamp((x * M + half) >> n)``, M and n per channel or pixel."""

    kernel = "requantize"


class GatewrightRescale(GatewrightLayer):
    """``clamp(((x - zero_point) * M + half) >> n)``, M and n constants."""

    kernel = "rescale"


class GatewrightAffine(GatewrightLayer):
    """``x * weight[channel] + bias[channel]``, exact."""

    kernel = "affine"


class GatewrightConvolution(GatewrightLayer):
    """Convolution, a few channels and outputs a cycle, requantized."""

    kernel = "convolution"


class GatewrightDepthwise(GatewrightLayer):
    """Depthwise convolution, a few channels a cycle, requantized."""

    kernel = "depthwise"


class GatewrightPointwise(GatewrightLayer):
    """Pointwise convolution, a few products a cycle, requantized."""

    kernel = "pointwise"


class GatewrightAverage(GatewrightLayer):
    """Average over the whole image, a few channels a cycle, requantized."""

    kernel = "average"


class GatewrightTable(GatewrightLayer):
    """``entries[x - low]``."""

    kernel = "table"


class GatewrightSum(GatewrightLayer):
    """``a * M_a + b * M_b``; the last link of a chain requantizes."""

    kernel = "weighted_sum"


class GatewrightMultiply(GatewrightLayer):
    """``clamp((a * b * M + half) >> n)``."""

    kernel = "multiply"


class GatewrightWindow(GatewrightLayer):
    """Window maximum or window sum."""

    kernel = "window"


class GatewrightReduce(GatewrightLayer):
    """Maximum or sum over the whole image."""

    kernel = "reduce"


class GatewrightGather(GatewrightLayer):
    """``x[source[i]]`` or a constant."""

    kernel = "gather"


class GatewrightJoin(GatewrightLayer):
    """Concatenation of two tensors."""

    kernel = "join"


class GatewrightRepack(GatewrightLayer):
    """Same elements, beats of another size."""

    kernel = "repack"


LAYERS: tuple[type[GatewrightLayer], ...] = (
    GatewrightRequantize,
    GatewrightRescale,
    GatewrightAffine,
    GatewrightConvolution,
    GatewrightDepthwise,
    GatewrightPointwise,
    GatewrightAverage,
    GatewrightTable,
    GatewrightSum,
    GatewrightMultiply,
    GatewrightWindow,
    GatewrightReduce,
    GatewrightGather,
    GatewrightJoin,
    GatewrightRepack,
)


class GatewrightConfig(LayerConfigTemplate):
    """The config struct of one of our layers."""

    def __init__(self) -> None:
        super().__init__(LAYERS)

    def format(self, node: Any) -> str:
        """C++ text of the struct."""
        lines = [f"struct config{node.index} {{"]
        lines += [f"    typedef {kind} {name};" for name, kind in node.get_attr("typedefs").items()]
        lines += [f"    typedef {node.get_weights(name).type.name} {name}_t;" for name in node.get_attr("tables")]
        constants = {**node.get_attr("constants"), "reuse_factor": int(node.get_attr("reuse_factor"))}
        lines += [f"    static const {_constant(name, value)};" for name, value in constants.items()]
        return "\n".join([*lines, "};", ""])


class GatewrightCall(FunctionCallTemplate):
    """The call of one of our kernels."""

    def __init__(self) -> None:
        super().__init__(LAYERS, include_header=["nnet_utils/gatewright.h"])

    def format(self, node: Any) -> str:
        """C++ text of the call."""
        inputs = [node.get_input_variable(name) for name in node.inputs]
        output = node.get_output_variable()
        types = ", ".join([*(v.type.name for v in inputs), output.type.name, f"config{node.index}"])
        tables = [node.get_weights(name).name for name in node.get_attr("tables")]
        arguments = ", ".join([*(v.name for v in inputs), output.name, *tables])
        return f"gatewright::{node.kernel}<{types}>({arguments});"


def _constant(name: str, value: int | bool | str) -> str:
    if isinstance(value, bool):
        return f"bool {name} = {str(value).lower()}"
    if isinstance(value, str):
        return f"gatewright::{value.split('::')[0]} {name} = gatewright::{value}"
    if -(1 << 31) < value < 1 << 31:
        return f"int {name} = {value}"
    return f"long long {name} = {value}LL"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """hls4ml prints progress, warns about choices that are ours (strategies spelt in capitals, nearest legal reuse
    factors) and leaves files open."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def fast_legality() -> Iterator[None]:
    """hls4ml tries every integer up to n_in * n_out as a reuse factor, in Python: most of the time a conversion takes
    (2.3 of 2.7 s for MobileNetV1 0.25). Here it gets the same list from the divisors; a test compares the two."""
    slow = FPGABackend.get_valid_reuse_factors
    FPGABackend.get_valid_reuse_factors = lambda backend, n_in, n_out: list(legal_reuse_factors(n_in, n_out))
    try:
        yield
    finally:
        FPGABackend.get_valid_reuse_factors = slow


_registered = False


def register() -> None:
    """Make our layers known to hls4ml, once."""
    global _registered
    if _registered:
        return
    for layer in LAYERS:
        register_layer(layer.__name__, layer)
    vivado = get_backend("Vivado")
    vivado.register_template(GatewrightConfig)
    vivado.register_template(GatewrightCall)
    for name in BACKENDS:
        for header in sorted(FIRMWARE.glob("gatewright*.h")):
            get_backend(name).register_source(header)
    _registered = True
