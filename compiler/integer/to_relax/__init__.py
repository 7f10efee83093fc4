"""The integer graph as Relax: one composite function a layer, plain integer operators inside."""

from gatewright.compiler.integer.to_relax.module import COMPOSITE_ATTRIBUTE, GRAPH_ATTRIBUTE, LAYER_ATTRIBUTE, emit

__all__ = ["COMPOSITE_ATTRIBUTE", "GRAPH_ATTRIBUTE", "LAYER_ATTRIBUTE", "emit"]
