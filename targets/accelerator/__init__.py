"""Simulated accelerators: ``sim:<spec>``."""

from gatewright.targets.accelerator.target import AcceleratorTarget

__all__ = ["AcceleratorTarget"]
