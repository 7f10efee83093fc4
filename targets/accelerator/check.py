"""Findings: what runs on the host, and why."""

from __future__ import annotations

from gatewright.compiler.model import QuantizedModel
from gatewright.schedules.accelerator.analysis import analyse
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.base import Finding

__all__ = ["check_model"]


def check_model(model: QuantizedModel, spec: Spec, target: str) -> list[Finding]:
    """All findings for ``model`` on ``spec``: only a missing integer graph keeps it off."""
    if model.integer is None:
        return [
            Finding(
                "error", "GW4330", target, "an accelerator needs an integer graph",
                ("compile with --profile fixed or --profile scaled",),
            )
        ]  # fmt: skip
    return [
        Finding("note", "GW4331", name, f"runs on the host: {reason}", ("take a spec that covers it, or accept it",))
        for name, reason in analyse(spec, model.integer).host_layers.items()
    ]
