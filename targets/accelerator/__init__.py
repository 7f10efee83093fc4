"""Simulated accelerators: ``sim:<spec>``."""
