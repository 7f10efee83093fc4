"""Findings: what keeps a model off a device, and what the user should know."""

from __future__ import annotations

from gatewright.compiler.model import QuantizedModel
from gatewright.hls.lattice.database import Site
from gatewright.targets.base import Finding
from gatewright.targets.lattice.layers import SUPPORTED

__all__ = ["check_model"]


def check_model(model: QuantizedModel, site: Site, target: str) -> list[Finding]:
    """All findings for ``model`` on ``site``."""
    graph = model.integer
    if graph is None:
        return [
            Finding(
                "error", "GW4213", target, "hardware needs an integer graph",
                ("compile with --profile fixed or --profile scaled",),
            )
        ]  # fmt: skip
    findings = []
    for layer in graph:
        if layer.op != "input" and layer.op not in SUPPORTED:
            findings.append(
                Finding("error", "GW4214", layer.name, f"no stage computes {layer.op}", ("use the cpu target",))
            )
        shape = layer.output.shape
        if shape and shape[0] != 1:
            findings.append(
                Finding(
                    "error", "GW4215", layer.name, f"the batch is {shape[0]}; streams carry one sample after another",
                    ("export the model with batch 1, or set --input-shape",),
                )
            )  # fmt: skip
    if not site.device.bitstream:
        findings.append(
            Finding(
                "warning", "GW4216", site.name, f"RTL and simulation only: {site.device.why_no_bitstream}",
                ("choose an iCE40 or ECP5 device for a bitstream",),
            )
        )  # fmt: skip
    return findings
