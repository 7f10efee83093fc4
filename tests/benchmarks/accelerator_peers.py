"""Closed forms set beside published figures of TPUv1, Eyeriss, Gemmini and Ethos-U: trend, not validation.

None of these machines is modelled here in full; each function says what its figure is. Grades of the published figures:
R: ran by us; L: read in a public repository; M: quoted from a paper, not verified again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gatewright.schedules.accelerator.spec import Matrix
from gatewright.schedules.accelerator.timing.layers import LayerShape
from tests.accelerator import nvdla_sheet, tiny_shapes


@dataclass(frozen=True)
class Trend:
    """One figure: what we compute and what was published."""

    what: str
    ours: float
    published: float
    grade: str

    @property
    def ratio(self) -> float:
        """ours / published; infinite beside a published 0."""
        return self.ours / self.published if self.published else math.inf


# TPUv1, ISCA'17, tables 1 and 3. ops: MACs a weight byte serves, batch included.
# app: (million weights, ops, array active %, weight stall %, weight shift %, non-matrix %, TOPS)
TPU_APPS = {
    "MLP0": (20, 200, 12.7, 53.9, 15.9, 17.5, 12.3),
    "MLP1": (5, 168, 10.6, 44.2, 13.4, 31.9, 9.7),
    "LSTM0": (52, 64, 8.2, 58.1, 15.8, 17.9, 3.7),
    "LSTM1": (34, 96, 10.5, 62.1, 17.1, 10.3, 2.8),
    "CNN0": (8, 2888, 78.2, 0.0, 0.0, 21.8, 86.0),
    "CNN1": (100, 1750, 46.2, 28.1, 7.0, 18.7, 14.1),
}
_TPU_SIDE, _TPU_MHZ, _TPU_WEIGHT_GBS = 256, 700, 34


def tpu() -> Iterator[Trend]:
    """Share of cycles the array multiplies and waits for weights, and TOPS.

    A 256 x 256 weight-stationary array with a second register for the next weights: a fold of 64 KiB comes from DRAM at
    34 GB/s in 1,349 cycles, and as many rows stream through it as a weight byte serves MACs. Unified buffer, vector
    work, host and half-empty folds cost nothing here. The published wait is weight stall plus weight shift.
    """
    for app, (mega, ops, active, stall, shift, _, tops) in TPU_APPS.items():
        folds = math.ceil(mega * 1e6 / _TPU_SIDE**2)
        load = math.ceil(_TPU_SIDE**2 * _TPU_MHZ / (_TPU_WEIGHT_GBS * 1000))
        total = load + folds * max(ops, load) + 2 * _TPU_SIDE - 2
        busy = folds * ops / total
        yield Trend(f"{app} array active %", 100 * busy, active, "M")
        yield Trend(f"{app} waits for weights %", 100 * (1 - busy), stall + shift, "M")
        yield Trend(f"{app} TOPS", 2e-6 * _TPU_SIDE**2 * _TPU_MHZ * busy, tops, "M")


# Eyeriss, JSSC'17, AlexNet, batch 4, 200 MHz: (processing ms, total ms, active PEs)
EYERISS = {
    "CONV1": (16.5, 20.9, 154),
    "CONV2": (39.2, 41.9, 135),
    "CONV3": (21.8, 23.6, 156),
    "CONV4": (16.0, 18.4, 156),
    "CONV5": (10.0, 10.5, 156),
}
# AlexNet's convolutions: MACs of an image (both groups), filter rows, output rows.
_ALEXNET = {
    "CONV1": (105_415_200, 11, 55),
    "CONV2": (223_948_800, 5, 27),
    "CONV3": (149_520_384, 3, 13),
    "CONV4": (112_140_288, 3, 13),
    "CONV5": (74_760_192, 3, 13),
}


def eyeriss_active(filter_rows: int, output_rows: int) -> int:
    """Processing elements in use: filter rows x output rows, repeated or split as often as 12 x 14 allows."""
    stacked = 12 // filter_rows
    if output_rows <= 14:
        return filter_rows * output_rows * stacked
    return filter_rows * min(output_rows, 14 * stacked)


def eyeriss() -> Iterator[Trend]:
    """Lower bound: every active element does one MAC a cycle. Row-stationary passes and transfers are not modelled."""
    for name, (processing, total, active) in EYERISS.items():
        macs, rows, outputs = _ALEXNET[name]
        bound = 4 * macs / eyeriss_active(rows, outputs) / 200e3
        yield Trend(f"{name} active PEs", eyeriss_active(rows, outputs), active, "M")
        yield Trend(f"{name} processing ms (lower bound)", bound, processing, "M")
        yield Trend(f"{name} total ms (lower bound)", bound, total, "M")


def pipelined_ws(layers: Sequence[LayerShape], side: int) -> int:
    """Cycles of a weight-stationary array with shadow weights, side x side: the latency function of such specs."""
    latency = Matrix(rows=side, columns=side, dataflow="ws").latency
    cycles = 0
    for x in layers:
        blocks, outputs = -(-x.depth // side), -(-x.outputs // x.groups // side)
        cycles += x.groups * int(
            latency(m=x.pixels, kb=blocks, nb=outputs, k=x.depth, n=x.outputs // x.groups, r=side, c=side)
        )
    return cycles


def gemmini() -> Iterator[Trend]:
    """Cycles a frame of a 16 x 16 weight-stationary array that memory never stalls: a lower bound for Gemmini.

    ResNet-50's and AlexNet's shapes are those of NVDLA's spreadsheet. The FPGA run is a whole Linux process (four
    images, their sum divided by 4; convolution, matrix product and residual addition).
    """
    resnet = pipelined_ws([x.shape for x in nvdla_sheet.layers("ResNet-50")], 16)
    alexnet = pipelined_ws([x.shape for x in nvdla_sheet.layers("AlexNet")], 16)
    yield Trend("ResNet-50 Mcycles (22.8 fps at 1 GHz, DAC'21)", resnet / 1e6, 1000 / 22.8, "M")
    yield Trend("AlexNet Mcycles (79.3 fps at 1 GHz, DAC'21)", alexnet / 1e6, 1000 / 79.3, "M")
    fpga = (508_263_409 + 818_013_564 + 32_258_198) / 4
    yield Trend("ResNet-50 Mcycles (FPGA, luffca.com 2022-06)", resnet / 1e6, fpga / 1e6, "W")


# Vela 5.2.0, Ethos_U55_High_End_Embedded, Shared_Sram: total cycles on U55-128 and U55-256, run by us.
VELA = {
    "KWS DS-CNN": (tiny_shapes.ds_cnn, 89_900, 58_340),
    "IC ResNet-8": (tiny_shapes.resnet8, 201_747, 141_933),
    "VWW MobileNetV1 0.25": (tiny_shapes.mobilenet, 220_870, 161_459),
    "AD autoencoder": (tiny_shapes.autoencoder, 201_184, 201_184),
}


def ethos() -> Iterator[Trend]:
    """Ethos-U55 beside Vela's estimate, itself a model: see :func:`ethos_cycles`."""
    shapes: Callable[[], list[LayerShape]]
    for name, (shapes, *published) in VELA.items():
        for macs, cycles in zip((128, 256), published, strict=True):
            ours = sum(ethos_cycles(layer, macs) for layer in shapes())
            yield Trend(f"{name} on U55-{macs}, kcycles", ours / 1e3, cycles / 1e3, "R")


def ethos_cycles(layer: LayerShape, macs: int) -> int:
    """A layer takes its slowest part: dot products, results, weights from flash, features through SRAM.

    Rates as in Vela's npu_performance.py and architecture_features.py (L): blocks of 2 x (macs / 128) pixels x 8
    channels every 4 cycles, times kernel positions and blocks of 32 channels in (or four positions and 8 channels);
    never less than 32 cycles for the weights of 8 channels; 2 or 4 results a cycle; 8 bytes of SRAM and 1 byte of flash
    a cycle. Weights are not compressed, and neither block sizes, cascading nor latency are modelled.
    """
    positions = layer.kernel[0] * layer.kernel[1]
    high = macs // 128
    blocks = -(-layer.out_width // 2) * -(-layer.out_height // high)
    step = max(32, 4 * blocks) * -(-layer.outputs // 8)
    by_depth = positions * -(-layer.channels // 32)
    by_position = -(-positions // 4) * -(-layer.channels // 8)
    results = -(-layer.stored_pixels * layer.outputs // (2 * high))
    if layer.kind == "eltwise":
        work, results = 0, layer.stored_pixels * layer.outputs * 3 // (2 * high)
    elif layer.kind == "pool":
        work = max(4, positions) * blocks * -(-layer.outputs // 8)
    elif layer.depthwise:
        work = step * -(-positions // 4)
    else:
        work = step * min(by_depth, by_position)
    sram = layer.channels * layer.height * layer.width + layer.outputs * layer.stored_pixels
    constants = layer.weights + 10 * layer.outputs * (layer.weights > 0)
    return max(work, results, constants, -(-sram // 8))
