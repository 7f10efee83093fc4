"""The foldings a kernel may have: strategy and reuse factor, with cycles and resources of each."""

from __future__ import annotations

from dataclasses import dataclass

from gatewright.hls.reuse import legal_reuse_factors as accepted_reuse_factors
from gatewright.hls.reuse import serial_groups, serial_reuse_factors
from gatewright.schedules.fpga.costs import Dsp, kernel_resources, uses_dsp
from gatewright.schedules.fpga.cycles import IoType, Strategy, Timing, is_serial, timing
from gatewright.schedules.fpga.kernels import Kernel
from gatewright.schedules.fpga.limits import PARTITION_LIMIT, UNROLL_LIMIT
from gatewright.schedules.fpga.resources import Resources

__all__ = ["Choice", "choices", "illegal", "legal_reuse_factors", "make_choice", "meant"]


_SERIAL_TURNS = 4


@dataclass(frozen=True)
class Choice:
    """One folding of one kernel, with what it costs."""

    strategy: Strategy
    reuse_factor: int
    timing: Timing
    resources: Resources


def illegal(kernel: Kernel) -> str | None:
    """Why no folding of ``kernel`` passes the HLS tools' partition limits, or None."""
    if kernel.foldable:
        # a serial depthwise kernel keeps its window in memories: only the beat is registers
        inputs = kernel.channels_in if kernel.kind == "depthwise" else kernel.n_in
        for count, what in ((inputs, "inputs of a window"), (kernel.n_out, "outputs")):
            if count > PARTITION_LIMIT:
                return f"{count} {what} are registers, and the tools partition at most {PARTITION_LIMIT} elements"
    return None


def legal_reuse_factors(kernel: Kernel, strategy: Strategy, io_type: IoType = "io_stream") -> tuple[int, ...]:
    """Reuse factors hls4ml accepts for ``kernel`` and computes right, below the unroll limit, ascending."""
    if not kernel.foldable:
        return _divisors_of_beat(kernel)
    products = kernel.n_in * kernel.n_out
    if strategy == "latency":
        # Product1 x Product2 are unrolled whatever the reuse factor is (nnet_dense_latency.h)
        unrolled = kernel.n_in if kernel.kind == "depthwise" else products
        return (1,) if unrolled <= UNROLL_LIMIT else ()
    if is_serial(kernel, strategy, io_type):
        return _serial(kernel)
    if strategy == "serial":
        return ()
    valid = accepted_reuse_factors(kernel.n_in, kernel.n_out)
    if io_type == "io_parallel" and kernel.kind != "dense":
        # the array convolution reads past its window above n_in (nnet_conv2d_resource.h); depthwise has no such kernel
        valid = tuple(rf for rf in valid if rf <= kernel.n_in and kernel.kind != "depthwise")
    return tuple(rf for rf in valid if products // rf <= UNROLL_LIMIT and (rf > 1 or products == 1))


def _serial(kernel: Kernel) -> tuple[int, ...]:
    """Of the serial kernels: a word of a memory needs some turns to be written before it is read again, so the groups
    of channels are all of them, or many, or one (then its words are registers)."""
    depthwise = kernel.kind == "depthwise"
    products = kernel.taps * kernel.channels_in * (1 if depthwise else kernel.n_out)

    def far(reuse_factor: int) -> bool:
        if kernel.kind == "pointwise":
            return reuse_factor > 1 or products == 1
        groups = reuse_factor if depthwise else serial_groups(kernel.n_out, reuse_factor)[0]
        return groups >= _SERIAL_TURNS or groups == kernel.channels_in or (groups == 1 and not depthwise)

    factors = serial_reuse_factors(1 if depthwise else kernel.channels_in, kernel.n_out)
    return tuple(rf for rf in factors if far(rf) and products // rf <= UNROLL_LIMIT)


def _divisors_of_beat(kernel: Kernel) -> tuple[int, ...]:
    channels = kernel.channels_out
    if kernel.kind != "elementwise" and not (kernel.kind in ("window", "reduce") and kernel.multiplier_bits):
        return (1,)
    return tuple(rf for rf in range(1, channels + 1) if channels % rf == 0)


def meant(kernel: Kernel, strategy: Strategy, io_type: IoType) -> Strategy:
    """``serial`` is ``resource`` for layers whose only folded kernel is serial, and for those that have none."""
    return "resource" if strategy == "serial" and not is_serial(kernel, strategy, io_type) else strategy


def make_choice(kernel: Kernel, strategy: Strategy, reuse_factor: int, io_type: IoType, dsp: Dsp) -> Choice:
    """Cycles and resources of one folding."""
    slow = uses_dsp(kernel.data_bits, kernel.weight_bits)
    times = timing(kernel, strategy, reuse_factor, io_type, slow)
    resources = kernel_resources(kernel, strategy, reuse_factor, io_type, dsp)
    return Choice(strategy, reuse_factor, times, resources)


def choices(
    kernel: Kernel, io_type: IoType, dsp: Dsp, strategy: Strategy | None = None, reuse_factor: int | None = None
) -> tuple[Choice, ...]:
    """All legal foldings, the fastest first; ``strategy`` and ``reuse_factor`` narrow them where they are given."""
    found: list[Choice] = []
    strategies: tuple[Strategy, ...] = ("latency", "resource", "serial") if kernel.foldable else ("latency",)
    for candidate in strategies:
        if strategy is not None and kernel.foldable and candidate != meant(kernel, strategy, io_type):
            continue
        legal = legal_reuse_factors(kernel, candidate, io_type)
        for factor in legal if reuse_factor is None else (rf for rf in legal if rf == reuse_factor):
            found.append(make_choice(kernel, candidate, factor, io_type, dsp))
    return tuple(sorted(found, key=lambda c: (c.timing.interval_cycles, c.strategy, c.reuse_factor)))
