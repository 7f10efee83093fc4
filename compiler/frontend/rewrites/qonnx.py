"""The QONNX dialect (Brevitas, QKeras through QONNX): recognised, reported, not imported yet.

Its operators stand in domains of their own, or, in files of some exporters, in ONNX's.
"""

from __future__ import annotations

from collections.abc import Sequence

from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.scope import Scope, UnsupportedError

__all__ = ["RULES"]

_DOMAINS = ("onnx.brevitas", "qonnx.custom_op.general", "finn.custom_op.general", "")
_QUANTIZERS = ("Quant", "IntQuant", "BipolarQuant", "FloatQuant", "Trunc", "MultiThreshold")
_CHANNELS_LAST = "qonnx.custom_op.channels_last"


def refuse(node: Node, scope: Scope) -> Sequence[Node]:
    """Every operator of the dialect -> a finding that says what to do."""
    raise UnsupportedError(
        f"{node.op} is of the QONNX dialect, which is not imported yet",
        "convert the file to QDQ form with the qonnx package (qonnx-convert with the output style qcdq)",
    )


RULES = {
    **{(domain, op): refuse for domain in _DOMAINS for op in _QUANTIZERS},
    **{(_CHANNELS_LAST, op): refuse for op in ("Conv", "MaxPool", "AveragePool", "BatchNormalization")},
}
