"""Post-training quantization: float or QDQ graph in, integer graph and host tail out."""

from gatewright.compiler.quantize.driver import quantize, quantize_graph
from gatewright.compiler.quantize.options import QuantizeOptions

__all__ = ["QuantizeOptions", "quantize", "quantize_graph"]
