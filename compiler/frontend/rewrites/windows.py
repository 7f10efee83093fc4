"""Convolutions and pools: explicit pads, kernel shapes and groups that fit, one form for every operator set.

Formulas of auto_pad and output sizes: ONNX operator documentation of Conv, ConvTranspose, MaxPool and AveragePool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.scope import Scope, UnsupportedError

__all__ = ["RULES"]

_MOST_SPATIAL = 3
# The version every node ends in: the first that has all the attributes stated.
_VERSIONS = {"Conv": 11, "ConvTranspose": 11, "MaxPool": 12, "AveragePool": 19}


@dataclass(frozen=True)
class _Window:
    """Geometry per spatial axis."""

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]

    @property
    def extent(self) -> tuple[int, ...]:
        """Input elements from the first to the last one under the kernel."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))


def _window(node: Node, size: tuple[int, ...], kernel: tuple[int, ...]) -> _Window:
    """The node's geometry with defaults filled in, pads still as stated.

    Raises:
        FrontendError: GW1060 when a list has the wrong length or a value below its least.
    """
    rank = len(size)
    if not 1 <= rank <= _MOST_SPATIAL:
        raise UnsupportedError(
            f"windows over {rank} axes are not supported, only over 1 to {_MOST_SPATIAL}",
            "reshape the tensor around the node",
        )
    values: dict[str, tuple[int, ...]] = {"kernel_shape": kernel}
    for key, count, default, least in (
        ("kernel_shape", rank, 1, 1),
        ("strides", rank, 1, 1),
        ("dilations", rank, 1, 1),
        ("pads", 2 * rank, 0, 0),
    ):
        value = values.get(key) or tuple(node.attributes.get(key, ())) or (default,) * count
        if len(value) != count or any(not least <= v < 2**31 for v in value):
            raise FrontendError(
                "GW1060",
                node.where(),
                f"{key} is {list(value)}; {count} numbers from {least} to 2147483647 are needed",
                "export the model again",
            )
        values[key] = value
    return _Window(size, values["kernel_shape"], values["strides"], values["dilations"], values["pads"])


def _auto_pads(node: Node, window: _Window) -> tuple[int, ...]:
    """Explicit pads in ONNX's order: all begins, then all ends."""
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return window.pads
    if mode == "VALID":
        return (0,) * len(window.pads)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise FrontendError("GW1060", node.where(), f"auto_pad {mode!r} does not exist", "export the model again")
    begins, ends = [], []
    for size, extent, stride in zip(window.size, window.extent, window.strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        begin = total // 2 if mode == "SAME_UPPER" else total - total // 2
        begins.append(begin)
        ends.append(total - begin)
    return (*begins, *ends)


def _explicit(node: Node, window: _Window, pads: tuple[int, ...]) -> Sequence[Node] | None:
    """The node with every list stated, or None when it is so already."""
    stated = {
        "kernel_shape": window.kernel,
        "strides": window.strides,
        "dilations": window.dilations,
        "pads": pads,
    }
    version = _VERSIONS[node.op]
    complete = all(node.attributes.get(key) == value for key, value in stated.items())
    if complete and "auto_pad" not in node.attributes and node.version == version:
        return None
    return [replace(node.with_attributes(drop=["auto_pad"], **stated), version=version)]


def conv(node: Node, scope: Scope) -> Sequence[Node] | None:
    """``auto_pad`` and defaults -> explicit lists; channel counts are checked, which ONNX's inference does not."""
    x, w = scope.shape(node.inputs[0]), scope.shape(node.inputs[1])
    if len(x) != len(w) or len(x) < 3:
        raise FrontendError(
            "GW1060",
            node.where(),
            f"input {list(x)} and weights {list(w)} do not go together",
            "export the model again",
        )
    group = node.attributes.get("group", 1)
    transposed = node.op == "ConvTranspose"
    inputs, outputs = (w[0], w[1] * group) if transposed else (w[1] * group, w[0])
    if group < 1 or x[1] != inputs or outputs % group or inputs % group:
        raise FrontendError(
            "GW1060",
            node.where(),
            f"input {list(x)} has {x[1]} channels, weights {list(w)} with group {group} want {inputs}",
            "check the input layout: channels come second",
        )
    if node.input(2) and scope.shape(node.inputs[2]) != (outputs,):
        raise FrontendError(
            "GW1060",
            node.where(),
            f"its bias has the shape {list(scope.shape(node.inputs[2]))}, not [{outputs}]",
            "export the model again",
        )
    window = _window(node, x[2:], tuple(w[2:]))
    stated_kernel = tuple(node.attributes.get("kernel_shape", ()))
    if stated_kernel and stated_kernel != window.kernel:
        raise FrontendError(
            "GW1060",
            node.where(),
            f"kernel_shape is {list(stated_kernel)}, its weights {list(w)} say {list(window.kernel)}",
            "export the model again",
        )
    if transposed:
        return _transposed(node, window)
    _check_covers(node, window, pads := _auto_pads(node, window))
    return _explicit(node, window, pads)


def _check_covers(node: Node, window: _Window, pads: tuple[int, ...]) -> None:
    rank = len(window.size)
    for i in range(rank):
        room = window.size[i] + pads[i] + pads[rank + i]
        if window.extent[i] > room:
            raise FrontendError(
                "GW1060",
                node.where(),
                f"its kernel spans {window.extent[i]} elements on spatial axis {i}, the padded input has {room}",
                "check the input shape: the model may want larger inputs",
            )


def _transposed(node: Node, window: _Window) -> Sequence[Node] | None:
    """``output_shape`` and ``auto_pad`` -> explicit pads and output padding."""
    rank = len(window.size)
    extra = tuple(node.attributes.get("output_padding", ())) or (0,) * rank
    wanted = tuple(node.attributes.get("output_shape", ()))[-rank:]
    if len(extra) != rank or (wanted and len(wanted) != rank) or min(extra) < 0:
        raise FrontendError(
            "GW1060",
            node.where(),
            f"output_padding {list(extra)} or output_shape {list(wanted)} do not fit {rank} spatial axes",
            "export the model again",
        )
    mode = node.attributes.get("auto_pad", "NOTSET")
    pads = window.pads
    if wanted or mode in ("SAME_UPPER", "SAME_LOWER"):
        sizes = wanted or tuple(s * stride for s, stride in zip(window.size, window.strides, strict=True))
        begins, ends = [], []
        for i in range(rank):
            total = window.strides[i] * (window.size[i] - 1) + extra[i] + window.extent[i] - sizes[i]
            # A negative total means rows beyond the last full window: output padding makes them.
            if total < 0:
                extra = (*extra[:i], extra[i] - total, *extra[i + 1 :])
                total = 0
            # The wording differs from Conv's: SAME_UPPER puts the odd element at the end, all else at the begin.
            half = total // 2
            begins.append(half if mode == "SAME_UPPER" else total - half)
            ends.append(total - half if mode == "SAME_UPPER" else half)
        pads = (*begins, *ends)
    elif mode == "VALID":
        pads = (0,) * (2 * rank)
    if any(e >= s for e, s in zip(extra, window.strides, strict=True)):
        raise UnsupportedError(
            f"output padding {list(extra)} is not below the strides {list(window.strides)}",
            "export the model with an explicit Pad after the node",
        )
    stated = node.with_attributes(drop=["auto_pad", "output_shape"], output_padding=extra)
    if stated.attributes == node.attributes:
        return _explicit(node, window, pads)
    return _explicit(stated, window, pads) or [stated]


def pool(node: Node, scope: Scope) -> Sequence[Node] | None:
    """``auto_pad`` and defaults -> explicit lists; one version for all."""
    if any(node.outputs[1:]):
        raise UnsupportedError("its output Indices is not supported", "replace MaxUnpool by Resize or ConvTranspose")
    if node.attributes.get("storage_order", 0):
        node = node.with_attributes(drop=["storage_order"])
    if len(node.outputs) > 1:
        node = replace(node, outputs=node.outputs[:1])
    x = scope.shape(node.inputs[0])
    window = _window(node, x[2:], ())
    pads = _auto_pads(node, window)
    _check_covers(node, window, pads)
    rank = len(window.size)
    if any(p >= e for p, e in zip(pads, window.extent * 2, strict=True)):
        raise FrontendError(
            "GW1060",
            node.where(),
            f"pads {list(pads)} are not below the kernel's extent {list(window.extent)}: a window of padding",
            "export the model with an explicit Pad before the node",
        )
    if rank == _MOST_SPATIAL and node.op == "AveragePool" and node.attributes.get("ceil_mode", 0):
        raise UnsupportedError("ceil_mode over 3 axes is not supported", "export the model with ceil_mode=False")
    return _explicit(node, window, pads)


def lp_pool(node: Node, scope: Scope) -> Sequence[Node]:
    """``LpPool(x)`` -> ``Pow(AveragePool(|x|^p) * window, 1/p)``, padding counted."""
    x, y = node.inputs[0], node.outputs[0]
    p = float(node.attributes.get("p", 2))
    if p < 1:
        raise FrontendError(
            "GW1060", node.where(), f"p is {p:g}; norms have a p of 1 or more", "export the model again"
        )
    window = _window(node, scope.shape(x)[2:], ())
    dtype = scope.dtype(x)
    powered, averaged, summed = (scope.fresh(f"{node.name}/{part}") for part in ("power", "mean", "sum"))
    magnitude = scope.fresh(f"{node.name}/abs")
    count = 1
    for k in window.kernel:
        count *= k
    keep = {k: v for k, v in node.attributes.items() if k != "p"}
    return [
        node.make("Abs", [x], magnitude, 13),
        node.make("Pow", [magnitude, scope.add(f"{node.name}/p", p, dtype)], powered, 13),
        node.make("AveragePool", [powered], averaged, 19, **{**keep, "count_include_pad": 1}),
        node.make("Mul", [averaged, scope.add(f"{node.name}/count", float(count), dtype)], summed, 13),
        node.make("Pow", [summed, scope.add(f"{node.name}/1_p", 1.0 / p, dtype)], y, 13),
    ]


RULES = {
    ("", "Conv"): conv,
    ("", "ConvTranspose"): conv,
    ("", "MaxPool"): pool,
    ("", "AveragePool"): pool,
    ("", "LpPool"): lp_pool,
}
