"""Versions: which IR and operator sets a model is written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx

from gatewright.compiler.errors import FrontendError

__all__ = ["OLDEST_OPSET", "newest_opset", "opset_versions", "parse"]

# Before 7 broadcasting was an attribute of each operator and BatchNormalization had five outputs.
OLDEST_OPSET = 7
# IR 3 is ONNX 1.0, the first with opset_import.
_OLDEST_IR = 3


def newest_opset() -> int:
    """The newest version of ONNX's own operator set that the installed onnx package defines."""
    return int(onnx.defs.onnx_opset_version())


def parse(data: bytes, place: str) -> onnx.ModelProto:
    """Parse what :func:`~gatewright.compiler.frontend.wire.walk` let through.

    Raises:
        FrontendError: GW1010 no ONNX model, GW1011 no graph in it, GW1012 an IR version nobody here knows.
    """
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception as error:
        raise FrontendError(
            "GW1010", place, f"is no ONNX model, or a damaged one: {error}", "export or download the model again"
        ) from None
    if not model.HasField("graph") or not (model.graph.node or model.graph.output):
        raise FrontendError(
            "GW1011", place, "holds no graph", "check that it is an ONNX model and not only its weights"
        )
    if not _OLDEST_IR <= model.ir_version <= onnx.IR_VERSION:
        raise FrontendError(
            "GW1012",
            place,
            f"has IR version {model.ir_version}; {_OLDEST_IR} to {onnx.IR_VERSION} are known",
            "export the model again with an onnx version of today" if model.ir_version < _OLDEST_IR else "update onnx",
        )
    return model


def opset_versions(imports: Iterable[onnx.OperatorSetIdProto], place: str) -> Mapping[str, int]:
    """Operator set versions by domain; ``ai.onnx`` and "" are the same domain.

    Raises:
        FrontendError: GW1013 when ONNX's own set is missing, stated twice, or of a version outside the known range.
    """
    versions: dict[str, int] = {}
    for entry in imports:
        domain = "" if entry.domain == "ai.onnx" else entry.domain
        if versions.setdefault(domain, entry.version) != entry.version:
            raise FrontendError(
                "GW1013",
                place,
                f"imports operator set {domain or 'ai.onnx'!r} in two versions",
                "export the model again",
            )
    if "" not in versions:
        raise FrontendError(
            "GW1013", place, "does not say which version of the ONNX operator set it uses", "export the model again"
        )
    if not OLDEST_OPSET <= versions[""] <= newest_opset():
        raise FrontendError(
            "GW1013",
            place,
            f"uses opset {versions['']}; {OLDEST_OPSET} to {newest_opset()} are supported",
            "export the model with opset 17"
            if versions[""] < OLDEST_OPSET
            else "update onnx, or export the model with an older opset",
        )
    return versions
