"""The device whose resources stand in where a part's own are unknown."""

from __future__ import annotations

from gatewright.targets.xilinx.database import Device, Site, devices

__all__ = ["assumed_device"]


def assumed_device(site: Site) -> Device:
    """The site's device; else the smallest known one of its family; else the smallest with the same DSP slices."""
    if site.device is not None:
        return site.device
    for candidates in (
        [d for d in devices().values() if d.family == site.family],
        [d for d in devices().values() if d.dsp.kind == site.dsp.kind],
    ):
        if candidates:
            return min(candidates, key=lambda d: (d.resources.lut, d.name))
    raise AssertionError(f"no device with {site.dsp.kind}")  # the data has devices of every kind (tests)
