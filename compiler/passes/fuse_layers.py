"""Fusion of a layer with its bias, residual addition and activation into one composite function."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import ir, relax
from tvm.relax.dpl import is_const, is_op, wildcard

__all__ = ["FuseLayers", "composite_names"]

_LAYERS = {
    "conv2d": "relax.nn.conv2d",
    "conv1d": "relax.nn.conv1d",
    "conv2d_transpose": "relax.nn.conv2d_transpose",
    "dense": "relax.matmul",
}
_ACTIVATIONS = {
    name.rpartition(".")[2]: name
    for name in (
        "relax.nn.relu", "relax.clip", "relax.nn.leakyrelu", "relax.nn.silu", "relax.nn.gelu", "relax.sigmoid",
        "relax.tanh",
    )
}  # fmt: skip


@tvm.transform.module_pass(opt_level=0, name="fuse_layers")
@dataclass(frozen=True)
class FuseLayers:
    """Put a convolution or matrix product and what follows it into one private function, attribute ``Composite``.

    ::

        lv1 = conv2d(x, w)
        lv2 = add(lv1, b)                     @fused(x, w, b, y)  Composite="gatewright.float.conv2d_bias_add_relu"
        lv3 = add(lv2, y)             ->      lv4 = fused(x, w, b, y)
        lv4 = relu(lv3)

    The name lists what is inside, in order: a layer, ``bias`` (a constant), ``add`` (the residual), an activation.
    A value with another reader ends the function. Runs last and only for float builds: nothing is computed
    differently, and the float graph reads the same with and without it.

    Attributes:
        residual: take the residual addition in.
    """

    residual: bool = True

    def transform_module(self, module: ir.IRModule, context: object) -> ir.IRModule:
        """Apply to the module; adds functions."""
        patterns = [(name, pattern) for name, pattern in _patterns() if self.residual or "_add" not in name]
        return relax.transform.FuseOpsByPattern(patterns, bind_constants=False, annotate_codegen=False)(module)


def composite_names() -> tuple[str, ...]:
    """All values the attribute ``Composite`` may have."""
    return tuple(name for name, _ in _patterns())


def _patterns() -> list[tuple[str, Any]]:
    """Longest first, a bias before a residual: FuseOpsByPattern takes the first that matches."""
    found: list[tuple[tuple[int, bool], str, Any]] = []
    for layer, op in _LAYERS.items():
        for bias, residual, activation in itertools.product((True, False), (True, False), (*_ACTIVATIONS, "")):
            parts = [layer, *["bias"] * bias, *["add"] * residual, *[activation] * bool(activation)]
            if len(parts) == 1:
                continue
            order = (-len(parts), not bias)
            found.append((order, "gatewright.float." + "_".join(parts), _pattern(op, bias, residual, activation)))
    found.sort(key=lambda entry: entry[:2])
    return [(name, pattern) for _, name, pattern in found]


def _pattern(op: str, bias: bool, residual: bool, activation: str) -> Any:
    pattern = is_op(op)(wildcard(), wildcard())
    if bias:
        pattern = is_op("relax.add")(pattern, is_const())
    if residual:
        pattern = is_op("relax.add")(pattern, wildcard()) | is_op("relax.add")(wildcard(), pattern)
    if activation:
        bounds = [wildcard(), wildcard()] if activation == "clip" else []
        pattern = is_op(_ACTIVATIONS[activation])(pattern, *bounds)
    return pattern
