"""What a user can choose about quantization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal, get_args

from gatewright.compiler.errors import UsageError
from gatewright.compiler.integer.graph import Profile

__all__ = ["CalibrationMethod", "QuantizeOptions"]

CalibrationMethod = Literal["minmax", "percentile", "entropy", "mse"]
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "profile": get_args(Profile),
    "calibration": get_args(CalibrationMethod),
    "weights": ("per_channel", "per_tensor"),
    "activations": ("asymmetric", "symmetric"),
}
_RANGES: Mapping[str, tuple[int, int]] = {
    "weight_bits": (2, 8),
    "activation_bits": (2, 16),
    "input_bits": (2, 16),
    "multiplier_bits": (8, 31),
    "batch_size": (1, 1 << 16),
    "measure_samples": (0, 1 << 20),
}


@dataclass(frozen=True)
class QuantizeOptions:
    """Options of ``gatewright quantize``.

    The defaults are the ones that keep the accuracy promises of both profiles (tests/benchmarks/accuracy.py).

    Attributes:
        profile: ``scaled`` (any float32 scale) or ``fixed`` (every scale a power of two, every zero point 0).
        weight_bits: width of the weights, 2..8.
        activation_bits: width of every tensor between layers, 2..16; tables want at most 8.
        input_bits: width of the quantized model inputs; None is the greater of 8 and ``activation_bits``.
        calibration: how a range is chosen from what was observed (:mod:`gatewright.compiler.quantize.calibrate`);
            profile fixed then takes the power of two with the least squared error near it (minmax: that covers it).
        percentile: part of the values that a ``percentile`` range covers, in percent, above 50 up to 100.
        weights: one scale a tensor or one an output channel.
        activations: ``asymmetric`` gives signed tensors a zero point; ``fixed`` is always symmetric.
        multiplier_bits: m, width of the requantization multipliers, 8..31.
        bias_correction: shift biases so that quantization keeps the mean of every channel.
        equalize: cross-layer equalization of weight ranges before anything is quantized.
        batch_size: samples run at once while calibrating and measuring.
        measure_samples: how many calibration samples the per-layer table (SQNR, saturation) is measured on, fewer
            where tensors are large; 0: none.
        seed: of everything random (nothing is, today; kept in the manifest).
    """

    profile: Profile = "scaled"
    weight_bits: int = 8
    activation_bits: int = 8
    input_bits: int | None = None
    calibration: CalibrationMethod = "mse"
    percentile: float = 99.99
    weights: Literal["per_channel", "per_tensor"] = "per_channel"
    activations: Literal["asymmetric", "symmetric"] = "asymmetric"
    multiplier_bits: int = 31
    bias_correction: bool = True
    equalize: bool = False
    batch_size: int = 64
    measure_samples: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            UsageError: GW0301 with the field, its value and what it may be.
        """
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise _wrong(name, getattr(self, name), "one of " + ", ".join(choices))
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if name == "input_bits" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise _wrong(name, value, f"a whole number from {low} to {high}")
        if not isinstance(self.percentile, (int, float)) or not 50 < self.percentile <= 100:
            raise _wrong("percentile", self.percentile, "above 50 and at most 100")

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> QuantizeOptions:
        """Options from plain data (command line, manifest).

        Raises:
            UsageError: GW0301 on an unknown name or a bad value.
        """
        known = {field.name for field in fields(cls)}
        for name in values:
            if name not in known:
                names = ", ".join(sorted(known))
                raise UsageError("GW0301", name, "no such quantization option", f"use one of {names}")
        return cls(**values)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, object]:
        """Plain data for the manifest."""
        return asdict(self)

    @property
    def symmetric(self) -> bool:
        """Whether every zero point is 0."""
        return self.profile == "fixed" or self.activations == "symmetric"

    @property
    def boundary_bits(self) -> int:
        """Width of the quantized model inputs."""
        return self.input_bits if self.input_bits is not None else max(8, self.activation_bits)


def _wrong(name: str, value: object, wanted: str) -> UsageError:
    return UsageError("GW0301", name, f"{value!r} is not {wanted}", f"choose {wanted}")
