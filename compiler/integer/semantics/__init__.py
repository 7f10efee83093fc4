"""What every layer computes: the one executable table the golden reference, the verifier and the targets read."""

from gatewright.compiler.integer.semantics.operator import Interval, Operator, Proof
from gatewright.compiler.integer.semantics.table import SEMANTICS, accumulator_bits, prove, value_ranges

__all__ = ["SEMANTICS", "Interval", "Operator", "Proof", "accumulator_bits", "prove", "value_ranges"]
