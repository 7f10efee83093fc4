"""Systolic arrays timed as SCALE-Sim times them: closed forms that equal what SCALE-Sim 3.0.0 reports.

SCALE-Sim (Samajdar et al., "A Systematic Methodology for Characterizing Scalability of DNN Accelerators using
SCALE-Sim", ISPASS 2020; "SCALE-Sim v3", arXiv 2504.15377, 2025) lays a product of matrices out on an array of R rows
and C columns and counts the cycles one by one. Three dataflows say which operand stays in the array: weights (``ws``),
outputs (``os``) or inputs (``is``). With ``InterfaceBandwidth: CALC`` memories never stall the array, and its loops
collapse to the formulas below, read off ``scalesim/compute/systolic_compute_{ws,os,is}.py`` and
``single_layer_sim.py`` of that version::

    dataflow   S_r  S_c  T     cycles a fold       folds
    ws         K    N    M     2 R + C + T - 2     ceil(S_r / R) ceil(S_c / C)
    is         K    M    N     2 R + C + T - 2     ceil(S_r / R) ceil(S_c / C)
    os         M    N    K       R + C + T - 2     ceil(S_r / R) ceil(S_c / C)

    cycles = folds x cycles a fold - 1

for M x K inputs times K x N weights. S_r and S_c are the matrix that is laid over the array, T what streams through.

What it counts, and what a machine need not do the same way:

* A partial fold costs as much as a full one, its idle rows and columns included.
* Folds follow each other without overlap: loading stationary operands (R cycles of ws and is), skew and drain are paid
  by every fold. An array with shadow registers for the next weights overlaps them.
* os has no drain: results leave as soon as they are complete, and no cycles are charged for shifting them out. (The
  papers' equation is 2 R + C + T - 2 for every dataflow.)
* SCALE-Sim reports the index of the last cycle, counted from 0, as "Total Cycles": hence the -1. A single
  multiplication on one os processing element takes 0 cycles, and overall utilisation may exceed 100 %.
* Every layer stands alone. Operands are words of one byte, batch is 1; pooling, element-wise layers and requantization
  take no time. "Total Cycles (incl. prefetch)" adds the first fill of the memories and is not modelled here.

``tests/benchmarks/scale_sim.py`` runs SCALE-Sim beside this module; ``tests/accelerator/scale_sim_runs.csv`` keeps what
it reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["DATAFLOWS", "ComputeReport", "Dataflow", "Gemm", "compute_cycles", "compute_report"]

Dataflow = Literal["ws", "os", "is"]
"""Weight-, output- or input-stationary."""

DATAFLOWS: tuple[Dataflow, ...] = ("ws", "os", "is")
"""Every dataflow."""

Count = TypeVar("Count", int, NDArray[np.int64])

# What lies over the array's rows, over its columns, and what streams through it; SCALE-Sim's S_r, S_c and T.
_LAYOUT: Mapping[Dataflow, tuple[str, str, str]] = {"ws": ("k", "n", "m"), "os": ("m", "n", "k"), "is": ("k", "m", "n")}


@dataclass(frozen=True)
class Gemm(Generic[Count]):
    """A product of an m x k and a k x n matrix, or many of them at once.

    Attributes:
        m: rows of the input and of the result; pixels of a convolution's result.
        n: columns of the weights and of the result; a convolution's output channels.
        k: what is summed over; values of a convolution's window.

    Every attribute is an integer, or an array of int64; arrays broadcast with each other.

    Raises:
        TypeError: something is no integer.
        ValueError: something is less than 1.
    """

    m: Count
    n: Count
    k: Count

    def __post_init__(self) -> None:
        for name in ("m", "n", "k"):
            object.__setattr__(self, name, _counts(name, getattr(self, name)))

    @property
    def macs(self) -> Count:
        """Multiplications with accumulation."""
        return self.m * self.n * self.k

    @staticmethod
    def of_convolution(
        image: tuple[int, int],
        kernel: tuple[int, int],
        input_channels: int,
        output_channels: int,
        stride: tuple[int, int] = (1, 1),
    ) -> Gemm[int]:
        """A convolution without padding, as SCALE-Sim counts it: a row of the input matrix for every window.

        Padding is none of SCALE-Sim's: ``image`` is the padded one. Its result has ceil((image - kernel) / stride) + 1
        rows and columns, where frameworks round down: a last window that lies partly outside the image counts as a
        whole one. A 1x1 convolution of stride 2 over 32 pixels gives 17, not 16; to count 16, pass an image of 31.
        A depthwise convolution is a product per channel, each with one input channel and one output channel
        (SCALE-Sim: a layer whose name contains "DP").

        Args:
            image: height and width of the padded input.
            kernel: height and width of the window.
            input_channels: of the input.
            output_channels: of the result; SCALE-Sim's "Num Filter".
            stride: vertical and horizontal; SCALE-Sim's topology files have one for both.

        Raises:
            ValueError: a size is less than 1, or the window is larger than the image.
        """
        if min(stride) < 1 or min(kernel) < 1:
            raise ValueError(f"kernel {kernel} and stride {stride} must be at least 1")
        if kernel[0] > image[0] or kernel[1] > image[1]:
            raise ValueError(f"the window {kernel} is larger than the image {image}")
        height, width = (
            -(-(size - window) // step) + 1 for size, window, step in zip(image, kernel, stride, strict=True)
        )
        return Gemm(height * width, output_channels, kernel[0] * kernel[1] * input_channels)


@dataclass(frozen=True)
class ComputeReport:
    """A line of SCALE-Sim's COMPUTE_REPORT.csv in CALC mode; arrays where the GEMM or the array's size is one.

    Attributes:
        cycles: "Total Cycles"; equal to SCALE-Sim's. Its "Stall Cycles" are 0.
        overall_utilisation: "Overall Util %": multiplications of all there is room for in ``cycles``; equal, bit for
            bit.
        mapping_efficiency: "Mapping Efficiency %": processing elements in use, on average over folds. The exact
            quotient: SCALE-Sim adds a rounded float per fold, so its last digits differ (1e-12 of the value).
        compute_utilisation: "Compute Util %": multiplications of all there is room for in the cycles of a fold, on
            average over folds; rounded as above. For ws and is SCALE-Sim divides by 2 R + 2 C + T - 3, C - 1 cycles
            more than it charges for the fold.
    """

    cycles: int | NDArray[np.int64]
    overall_utilisation: float | NDArray[np.float64]
    mapping_efficiency: float | NDArray[np.float64]
    compute_utilisation: float | NDArray[np.float64]


def compute_cycles(gemm: Gemm[Count], rows: Count | int, columns: Count | int, dataflow: Dataflow) -> Count:
    """SCALE-Sim's "Total Cycles" in CALC mode: the array is never stalled.

    Args:
        gemm: what is multiplied.
        rows: of the array (ArrayHeight); an integer, or an array that broadcasts with the GEMM's.
        columns: of the array (ArrayWidth), likewise.
        dataflow: which operand stays in the array.

    Returns:
        Cycles; an integer if everything is one, else an array of int64.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is less than 1, or the dataflow is unknown.
    """
    r, c, (s_r, s_c, t) = _laid_out(gemm, rows, columns, dataflow)
    return -(-s_r // r) * -(-s_c // c) * _fold_cycles(r, c, t, dataflow) - 1


def compute_report(gemm: Gemm[Count], rows: Count | int, columns: Count | int, dataflow: Dataflow) -> ComputeReport:
    """SCALE-Sim's COMPUTE_REPORT in CALC mode; arguments as of :func:`compute_cycles`.

    Raises:
        TypeError: as :func:`compute_cycles`.
        ValueError: as :func:`compute_cycles`.
        ZeroDivisionError: no cycles: one multiplication on one os processing element. So does SCALE-Sim.
    """
    r, c, (s_r, s_c, t) = _laid_out(gemm, rows, columns, dataflow)
    cycles = compute_cycles(gemm, rows, columns, dataflow)
    if np.any(np.equal(cycles, 0)):
        raise ZeroDivisionError("the utilisation of no cycles is undefined")
    room = -(-s_r // r) * r * -(-s_c // c) * c
    streamed = _fold_cycles(r, c, t, dataflow) + (0 if dataflow == "os" else c - 1)
    return ComputeReport(
        cycles,
        overall_utilisation=gemm.macs * 100 / (cycles * r * c),
        mapping_efficiency=s_r * s_c * 100 / room,
        compute_utilisation=gemm.macs * 100 / (room * streamed),
    )


def _laid_out(gemm: Gemm[Count], rows: Any, columns: Any, dataflow: Dataflow) -> tuple[Any, Any, tuple[Any, Any, Any]]:
    """(R, C, (S_r, S_c, T)), checked."""
    if dataflow not in _LAYOUT:
        raise ValueError(f"unknown dataflow {dataflow!r}: one of {', '.join(DATAFLOWS)}")
    over_rows, over_columns, through = (getattr(gemm, name) for name in _LAYOUT[dataflow])
    return _counts("rows", rows), _counts("columns", columns), (over_rows, over_columns, through)


def _fold_cycles(r: Any, c: Any, t: Any, dataflow: Dataflow) -> Any:
    """Cycles of a fold; ws and is load the stationary operand first, a row a cycle."""
    return (0 if dataflow == "os" else r) + r + c + t - 2


def _counts(name: str, value: Any) -> Any:
    """``value`` as Python integer (no overflow) or array of int64."""
    if isinstance(value, int | np.integer):
        checked: Any = int(value)
        least = checked
    else:
        checked = np.asarray(value)
        if checked.dtype.kind not in "iu":
            raise TypeError(f"{name} must be an integer or an array of integers, not {value!r}")
        checked = checked.astype(np.int64)
        least = int(checked.min(initial=1))
    if least < 1:
        raise ValueError(f"{name} must be at least 1, not {least}")
    return checked
