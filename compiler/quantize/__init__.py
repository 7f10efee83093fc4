"""Post-training quantization: float or QDQ graph in, integer graph and host tail out."""

from gatewright.compiler.quantize.driver import quantize, quantize_graph
from gatewright.compiler.quantize.evaluate import Evaluation, evaluate
from gatewright.compiler.quantize.options import QuantizeOptions

__all__ = ["Evaluation", "QuantizeOptions", "evaluate", "quantize", "quantize_graph"]
