"""The QONNX dialect (Brevitas, QKeras through QONNX): recognised and reported, not imported yet.

Its operators stand in domains of their own or, in files of some exporters, in ONNX's.
"""

from __future__ import annotations

from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.scope import UnsupportedError

__all__ = ["qonnx_refusal"]

_DOMAINS = ("onnx.brevitas", "qonnx.custom_op.", "finn.custom_op.")
_IN_ANY_DOMAIN = frozenset({"Quant", "IntQuant", "BipolarQuant", "FloatQuant", "Trunc", "MultiThreshold"})


def qonnx_refusal(node: Node) -> UnsupportedError | None:
    """What to say about a node of the dialect; None for any other node."""
    if not node.domain.startswith(_DOMAINS) and node.op not in _IN_ANY_DOMAIN:
        return None
    return UnsupportedError(
        f"{node.op} is of the QONNX dialect, which is not imported yet",
        "convert the file to QDQ form with the qonnx package (qonnx-convert with the output style qcdq)",
    )
