"""Every resampling operator -> ``Resize(x, sizes)`` of 18 over at most 3 spatial axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.axes import axis_of
from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.scope import Scope, UnsupportedError

__all__ = ["RULES"]


def upsample(node: Node, scope: Scope) -> Sequence[Node]:
    """``Upsample`` (7, 9) -> ``Resize`` with the coordinates Upsample always had: asymmetric, rounded down."""
    scales = node.attributes.get("scales") if node.version < 9 else scope.constant(node.input(1))
    if scales is None:
        raise UnsupportedError("its scales depend on the data", "export the model with constant scales")
    return [
        node.make(
            "Resize",
            [node.inputs[0], "", scope.add(f"{node.name}/scales", np.asarray(scales, np.float32))],
            node.outputs[0],
            18,
            mode=node.attributes.get("mode", "nearest"),
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    ]


def resize(node: Node, scope: Scope) -> Sequence[Node] | None:
    """Scales, partial axes and policies -> sizes for every axis; the version-10 form -> asymmetric coordinates."""
    if node.version < 11:
        return upsample(node, scope)
    x = scope.shape(node.inputs[0])
    if node.attributes.get("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        raise UnsupportedError("tf_crop_and_resize is not supported", "cut with Slice and then Resize")
    if node.attributes.get("antialias", 0):
        raise UnsupportedError("antialias is not supported", "export the model with antialias=False")
    sizes, exact = _sizes(node, scope, x)
    if len(x) < 3 or sizes[:2] != x[:2]:
        raise UnsupportedError(
            f"resizes {list(x)} to {list(sizes)}; batch and channels must stay",
            "transpose the tensor to channels first",
        )
    _check_ratio(x, sizes, exact)
    names = [node.inputs[0], "", "", scope.add(f"{node.name}/sizes", sizes)]
    kept = {k: v for k, v in node.attributes.items() if k not in ("axes", "keep_aspect_ratio_policy", "antialias")}
    single = [axis for axis in range(2, len(x)) if sizes[axis] == 1]
    if single and kept.get("coordinate_transformation_mode") == "align_corners":
        return _from_first(node, scope, sizes, single, kept)
    if len(x) == 3:
        return _as_2d(node, scope, sizes, kept)
    if node.version == 18 and scope.constant(node.input(3)) is not None and kept == dict(node.attributes):
        return None
    return [node.make("Resize", names, node.outputs[0], 18, **kept)]


def _from_first(
    node: Node, scope: Scope, sizes: tuple[int, ...], single: list[int], kept: dict[str, object]
) -> Sequence[Node]:
    """``align_corners`` to one element takes the first; TVM would divide by ``size - 1`` there.

    Cut to the first element, doubled, resized from two to two, cut again.
    """
    x = scope.shape(node.inputs[0])
    first, pair, resized = (scope.fresh(f"{node.name}/{part}") for part in ("first", "pair", "resized"))
    doubled = [2 if i in single else size for i, size in enumerate(sizes)]
    wide = [2 if i in single else size for i, size in enumerate(x)]
    starts, ends = (
        scope.add(f"{node.name}/starts", [0] * len(single)),
        scope.add(f"{node.name}/ends", [1] * len(single)),
    )
    axes = scope.add(f"{node.name}/axes", single)
    return [
        node.make("Slice", [node.inputs[0], starts, ends, axes], first, 13),
        node.make("Expand", [first, scope.add(f"{node.name}/wide", wide)], pair, 13),
        node.make("Resize", [pair, "", "", scope.add(f"{node.name}/doubled", doubled)], resized, 18, **kept),
        node.make("Slice", [resized, starts, ends, axes], node.outputs[0], 13),
    ]


def _as_2d(node: Node, scope: Scope, sizes: tuple[int, ...], kept: dict[str, object]) -> Sequence[Node]:
    """A 1-D resize as a 2-D one whose rows are the channels: TVM has no Relax operator for it.

    With two rows or more no axis has the single element that ``align_corners`` stumbles over; a lone channel is fine
    in all other modes, and in that one goes the way of :func:`_from_first`.
    """
    x = scope.shape(node.inputs[0])
    wide, done = scope.fresh(f"{node.name}/rows"), scope.fresh(f"{node.name}/resized")
    rows = scope.add(f"{node.name}/rows_shape", [x[0], 1, x[1], x[2]])
    target = scope.add(f"{node.name}/sizes", [sizes[0], 1, sizes[1], sizes[2]])
    return [
        node.make("Reshape", [node.inputs[0], rows], wide, 13),
        node.make("Resize", [wide, "", "", target], done, 18, **kept),
        node.make("Reshape", [done, scope.add(f"{node.name}/shape", sizes)], node.outputs[0], 13),
    ]


def _sizes(node: Node, scope: Scope, x: tuple[int, ...]) -> tuple[tuple[int, ...], dict[int, float]]:
    """Output sizes, and the scale by axis where scales were given."""
    axes = [axis_of(node, axis, len(x)) for axis in node.attributes.get("axes", range(len(x)))]
    names = {"scales": node.input(2), "sizes": node.input(3)}
    given = {key: scope.constant(name) for key, name in names.items() if name}
    given = {key: value for key, value in given.items() if value is None or value.size}
    if len(given) != 1:
        raise FrontendError("GW1060", node.where(), "needs either scales or sizes", "export the model again")
    ((key, value),) = given.items()
    if value is None:
        raise UnsupportedError(f"its {key} depend on the data", "export the model with constant sizes")
    if value.size != len(axes):
        raise FrontendError("GW1060", node.where(), f"has {value.size} {key} for {len(axes)} axes", "export it again")
    sizes = list(x)
    exact: dict[int, float] = {}
    if key == "scales":
        for axis, scale in zip(axes, value.reshape(-1), strict=True):
            exact[axis] = float(scale)
            sizes[axis] = math.floor(x[axis] * float(scale))
    else:
        if node.attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise UnsupportedError("keep_aspect_ratio_policy is not supported", "export the model with the final sizes")
        for axis, size in zip(axes, value.reshape(-1), strict=True):
            sizes[axis] = int(size)
    if any(s <= 0 for s in sizes):
        raise FrontendError(
            "GW1060", node.where(), f"would resize {list(x)} to {sizes}", "check scales and input shape"
        )
    return tuple(sizes), exact


def _check_ratio(x: tuple[int, ...], sizes: tuple[int, ...], exact: dict[int, float]) -> None:
    """TVM computes the scale as output size over input size; ONNX uses the scale given, where one is given."""
    for axis, scale in exact.items():
        if not math.isclose(sizes[axis] / x[axis], scale, rel_tol=1e-6):
            raise UnsupportedError(
                f"scale {scale:g} of axis {axis} gives no whole size ({x[axis]} -> {x[axis] * scale:g})",
                "export the model with sizes instead of scales",
            )


RULES = {("", "Upsample"): upsample, ("", "Resize"): resize}
