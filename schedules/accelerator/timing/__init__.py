"""Timing of accelerators: roofline, closed forms, and the event-driven model."""
