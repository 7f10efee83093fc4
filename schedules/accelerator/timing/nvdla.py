"""A convolution core like NVDLA's, layer by layer: cycles of the MAC array, of DRAM and of a second, on-chip SRAM.

A layer takes as long as its slowest part; parts overlap fully, layers not at all. That is how NVIDIA sizes NVDLA (the
primer's chapter "Area and Performance", https://github.com/nvdla/doc) and how its performance spreadsheet computes
(https://github.com/nvdla/hw, perf/NVDLA_OpenSource_Performance.xlsx). **The spreadsheet is a model, too**: where this
module agrees with it, two models agree, and neither has been held against silicon here.

Where each rule comes from:

* documented (nvdla/doc: unit description, scalability parameters): atomic-C x atomic-K MACs; kernels are handled in
  groups of atomic-K; Winograd only for 3x3 kernels, 16 multiplications for 4 results instead of 36; its weights are
  turned from 3x3 into 4x4 by software, before they are loaded; in multi-batch mode up to 32 images share the weights
  of a dense layer; the convolution buffer holds weights and features.
* documented (primer): features are read again for every part of the weights that the buffer cannot hold.
* inferred from the spreadsheet's numbers, with no document behind them: channels and kernels round up to 16, not to
  the atomic sizes (``channel_granularity``, ``kernel_granularity``: a strict array is slower on narrow layers); a
  convolution of strides s_y, s_x is stored and fetched as one of stride 1 over s_y s_x times the channels, its kernel
  rounded up, but multiplied without the zeros that this adds; no cycle is lost to filling pipelines, to short stripes
  or to latency; with SRAM, as many images as it holds share each layer's weights, and where not even one image of some
  layer fits with its weights, every result goes to DRAM as well.

Not as in the spreadsheet, on purpose: the faster of "weights stay, features return" and "features stay, weights
return" is taken, where it keeps the smaller operand; a 3x3 layer whose transformed weights do not fit the buffer is
convolved directly; a GB/s is 10^9 bytes a second (the spreadsheet divides KiB by it: 2.4 % less time); a residual
operand is read from SRAM, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.layers import LayerShape

__all__ = ["LayerCycles", "NvdlaCore", "layer_cycles", "network_cycles"]

Winograd = Literal["none", "stored", "on-load"]


@dataclass(frozen=True)
class NvdlaCore:
    """Parameters of the core; bandwidths in bytes a cycle.

    Attributes:
        atomic_c, atomic_k: channels in and kernels side by side; their product is the number of MACs.
        buffer_bytes: convolution buffer (CBUF), shared by features and weights.
        dram_bytes_per_cycle: reads and writes together.
        winograd: ``none``; ``stored``: weights of 3x3 layers lie in memory as 4x4; ``on-load``: as 3x3.
        dense_batch: images that share the weights of a dense layer.
        sram_bytes: second memory, which holds features; 0: none.
        sram_bytes_per_cycle: of reads, and again of writes.
        channel_granularity, kernel_granularity: what channels and kernels round up to.
    """

    atomic_c: int
    atomic_k: int
    buffer_bytes: int
    dram_bytes_per_cycle: float
    winograd: Winograd = "stored"
    dense_batch: int = 1
    sram_bytes: int = 0
    sram_bytes_per_cycle: float = math.inf
    channel_granularity: int = 16
    kernel_granularity: int = 16

    @property
    def macs(self) -> int:
        """Multiply-accumulates a cycle."""
        return self.atomic_c * self.atomic_k

    @staticmethod
    def of(
        spec: Spec,
        *,
        winograd: Winograd = "stored",
        dense_batch: int = 1,
        sram_bytes: int = 0,
        sram_bytes_per_cycle: float = math.inf,
    ) -> NvdlaCore:
        """The core a spec describes; a spec knows nothing of Winograd, of batches and of a second memory.

        The convolution buffer is the activation and the weight scratchpad together: NVDLA deals its banks out anew for
        every layer.
        """
        pads = spec.scratchpads
        return NvdlaCore(
            spec.matrix.rows, spec.matrix.columns, pads.activation.bytes + pads.weight.bytes, spec.dma.bytes_per_cycle,
            winograd, dense_batch, sram_bytes, sram_bytes_per_cycle,
        )  # fmt: skip


@dataclass(frozen=True)
class LayerCycles:
    """One layer, per image.

    Attributes:
        mac, dram, sram_read, sram_write: cycles each part takes by itself.
        dram_bytes: moved to and from DRAM.
        feature_reads, weight_reads: times the features and the weights are read.
    """

    mac: int
    dram: int
    sram_read: int
    sram_write: int
    dram_bytes: int
    feature_reads: int
    weight_reads: int

    @property
    def cycles(self) -> int:
        """The slowest part."""
        return max(self.mac, self.dram, self.sram_read, self.sram_write)

    @property
    def bound(self) -> str:
        """Name of the slowest part."""
        return max(("mac", "dram", "sram_read", "sram_write"), key=lambda part: int(getattr(self, part)))


@dataclass(frozen=True)
class _Data:
    """Bytes of a layer as they lie in memory; least_*: what must be in the buffer at once."""

    features: int
    weights: int
    outputs: int
    residual: int
    least_features: int
    least_weights: int

    def fits(self, buffer_bytes: int) -> bool:
        return self.least_features + self.least_weights <= buffer_bytes


def layer_cycles(
    layer: LayerShape, core: NvdlaCore, *, shared_by: int = 1, input_in_dram: bool = True, output_in_dram: bool = True
) -> LayerCycles:
    """One layer by itself.

    Args:
        layer: a convolution or dense layer of one image; anything else only moves data.
        core: what runs it.
        shared_by: images that share one fetch of a convolution's weights (``core.dense_batch`` share a dense layer's).
        input_in_dram: features come from DRAM; else from SRAM.
        output_in_dram: results go to DRAM; to SRAM, too, if there is any.

    Raises:
        ValueError: the least data the array can work on does not fit the convolution buffer.
    """
    winograd = _is_winograd(layer, core)
    data = _data(layer, core, winograd)
    if winograd and not data.fits(core.buffer_bytes):
        winograd, data = False, _data(layer, core, winograd=False)
    if not data.fits(core.buffer_bytes):
        needed = data.least_features + data.least_weights
        raise ValueError(
            f"{layer.name}: {needed} bytes must be in a convolution buffer of {core.buffer_bytes} bytes at once"
        )
    images = core.dense_batch if layer.kind == "dense" else shared_by
    mac = _mac_cycles(layer, core, winograd)

    def moved(feature_reads: int, weight_reads: int) -> LayerCycles:
        features = data.features * feature_reads
        from_sram = (0 if input_in_dram else features) + (data.residual if core.sram_bytes else 0)
        dram_bytes = (
            -(-data.weights * weight_reads // images)
            + (features if input_in_dram else 0)
            + (data.outputs if output_in_dram else 0)
            + (0 if core.sram_bytes else data.residual)
        )
        return LayerCycles(
            mac=mac,
            dram=math.ceil(dram_bytes / core.dram_bytes_per_cycle),
            sram_read=math.ceil(from_sram / core.sram_bytes_per_cycle),
            sram_write=math.ceil(data.outputs / core.sram_bytes_per_cycle) if core.sram_bytes else 0,
            dram_bytes=dram_bytes,
            feature_reads=feature_reads,
            weight_reads=weight_reads,
        )

    keep_weights = moved(-(-data.weights // (core.buffer_bytes - data.least_features)) or 1, 1)
    keep_features = moved(1, -(-data.features // (core.buffer_bytes - data.least_weights)))
    return min(keep_weights, keep_features, key=lambda parts: (parts.cycles, parts.dram_bytes))


def network_cycles(layers: Sequence[LayerShape], core: NvdlaCore) -> tuple[LayerCycles, ...]:
    """Every layer of a network, one after the other; the first one's features come from DRAM.

    Raises:
        ValueError: see :func:`layer_cycles`.
    """
    if not core.sram_bytes:
        return tuple(layer_cycles(layer, core) for layer in layers)
    fitting = min((_images_in_sram(layer, core) for layer in layers if layer.kind == "conv"), default=1)
    return tuple(
        layer_cycles(layer, core, shared_by=max(fitting, 1), input_in_dram=index == 0, output_in_dram=fitting < 1)
        for index, layer in enumerate(layers)
    )


def _images_in_sram(layer: LayerShape, core: NvdlaCore) -> int:
    data = _data(layer, core, _is_winograd(layer, core))
    return (core.sram_bytes - data.weights) // (data.features + data.outputs)


def _mac_cycles(layer: LayerShape, core: NvdlaCore, winograd: bool) -> int:
    if layer.kind not in ("conv", "dense"):
        return 0
    extension = layer.strides[0] * layer.strides[1]
    depth = _extended(layer, core) * layer.kernel[0] * layer.kernel[1]
    kernels = layer.groups * _up(layer.outputs // layer.groups, core.kernel_granularity)
    work, rate = depth * kernels * layer.pixels // layer.batch, extension * core.macs
    if winograd:
        work, rate = work * 4, rate * 9
    return -(-work // rate)


def _data(layer: LayerShape, core: NvdlaCore, winograd: bool) -> _Data:
    (kernel_y, kernel_x), (stride_y, stride_x) = layer.kernel, layer.strides
    extended, extension = _extended(layer, core) * layer.groups, stride_y * stride_x
    rows, columns = -(-kernel_y // stride_y), -(-kernel_x // stride_x)
    area = 16 if winograd and core.winograd == "stored" else rows * columns
    window = 4 if winograd else rows * stride_y
    one_kernel = area * extended // layer.groups if layer.kind in ("conv", "dense") else 0
    features = -(-extended * layer.height * layer.width // extension)
    outputs = _up(layer.outputs, core.kernel_granularity) * layer.stored_pixels // layer.batch
    band = -(-extended * layer.width * min(window, layer.height) // extension)
    return _Data(
        features=features,
        weights=one_kernel * layer.outputs,
        outputs=outputs,
        residual=outputs if layer.residual or layer.kind == "eltwise" else 0,
        least_features=features if layer.kind == "dense" else band,
        least_weights=one_kernel * min(core.atomic_k, layer.outputs),
    )


def _extended(layer: LayerShape, core: NvdlaCore) -> int:
    """Channels of one group after the extension for strides, rounded up."""
    return _up(layer.channels // layer.groups * layer.strides[0] * layer.strides[1], core.channel_granularity)


def _is_winograd(layer: LayerShape, core: NvdlaCore) -> bool:
    plain = layer.kind == "conv" and layer.groups == 1
    return core.winograd != "none" and plain and layer.kernel == (3, 3) and layer.strides == (1, 1)


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
