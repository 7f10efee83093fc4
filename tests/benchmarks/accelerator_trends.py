"""NVDLA-like accelerators against NVDLA's spreadsheet, and other accelerators as a trend.

python -m tests.benchmarks.accelerator_trends            prints the tables
python -m tests.benchmarks.accelerator_trends --update   rewrites targets/accelerator/ACCURACY.md from them
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gatewright.schedules.accelerator.spec import read_spec
from gatewright.schedules.accelerator.timing.nvdla import LayerCycles, NvdlaCore, Winograd, layer_cycles, network_cycles
from tests.accelerator.nvdla_sheet import NETWORKS, layers
from tests.benchmarks import accelerator_peers as peers

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "targets" / "accelerator" / "ACCURACY.md"
SPEC = ROOT / "targets" / "accelerator" / "specs" / "nvdla-large.toml"
SRAM_BYTES, SRAM_BYTES_PER_CYCLE, DENSE_BATCH = 4 << 20, 25, 16
EXPLAINED_FROM = 0.05
# GoogLeNet's tab, from inception 3b on, counts the weights of Winograd layers untransformed; the other tabs do not.
WINOGRAD: dict[str, Winograd] = {"AlexNet": "stored", "GoogLeNet": "on-load", "ResNet-50": "stored"}
# (network, memory, layers) -> why the spreadsheet says something else.
REASONS = (
    ("GoogLeNet|ResNet-50", "DRAM", "fc.*", "the tab charges all weights to one image; its header says 16 share them"),
    (
        "ResNet-50",
        "DRAM",
        "Conv1|Res2._branch2b",
        "the tab rounds 64 kernels up to 128 here, to 16 where there is SRAM",
    ),
    ("ResNet-50", "DRAM", "Res3a_branch1", "the tab reads the features twice; reading the weights twice is less"),
    (
        "GoogLeNet",
        "DRAM",
        "inception 3a 3x3",
        "the tab counts transformed weights here, untransformed ones after",
    ),
    ("GoogLeNet", "SRAM", ".*pool proj", "the tab reads the weights from SRAM, too"),
    ("GoogLeNet", "SRAM", "inception 5. 1x1.*", "the tab shares weights between 2 images and reads features from DRAM"),
    ("GoogLeNet", "SRAM", "inception 5. 3x3", "the tab sends results to DRAM from inception 5a on"),
    ("ResNet-50", "SRAM", "Res2a.*", "the tab sends results to DRAM only from Res2b_branch2b on"),
)
# NVDLA's primer: MACs as channels x kernels (nvdla/hw spec/defs; 128 and 32 are guesses), buffer KiB, DRAM GB/s, fps
PRIMER = (
    (64, 32, 512, 20, 269), (64, 16, 256, 15, 153), (32, 16, 256, 10, 93), (32, 8, 256, 5, 46),
    (16, 8, 256, 2, 20), (8, 8, 128, 1, 7.3), (8, 4, 128, 0.5, 3.6),
)  # fmt: skip


_HEAD = """\
# How far the accelerator models are from what others published

Written by `python -m tests.benchmarks.accelerator_trends --update`; a test keeps it so.

Grades of published figures: R ran by us; L read in a public repository; W read on the web; M quoted from a paper,
not verified again."""
_NVDLA = """\
## NVDLA: cycles per layer against its spreadsheet (L)

`targets/accelerator/specs/nvdla-large.toml` timed by `schedules/accelerator/timing/nvdla.py`: 2048 MACs, 512 KB of
convolution buffer, 1 GHz, DRAM 10 GB/s; in the rows SRAM also 4 MB that read 25 GB/s and write 25 GB/s. Reference:
NVDLA's performance spreadsheet (github.com/nvdla/hw, perf/), kept in `tests/accelerator/nvdla_reference.csv`. The
spreadsheet is a model, not a measurement: this is agreement of models. Taken from it as input: shapes, sizes,
bandwidths, the dense batch of 16. Several rules were inferred from its numbers (the module's text lists them), so its
layers are no independent test of those rules.

Its tabs contradict each other on Winograd weights: those of AlexNet and ResNet-50 count them as transformed (4x4), as
NVDLA documents; that of GoogLeNet does so up to inception 3a only. The column "mean abs. error" takes each tab's way
(GoogLeNet untransformed, the others transformed); "one rule" transforms everywhere; "strict array" transforms
everywhere and rounds channels up to 64 and kernels to 32, as the array is built, instead of to 16 (NVDLA's special
mode for image input, which helps first layers, is not modelled). One rule has no other ground than that it brings the
model nearer: with SRAM, results go to DRAM as well where some layer does not fit; without it ResNet-50 with SRAM is
{:.1%} off."""
_MISSES = """\
Layers off by 5 % or more, with the reason. Most other DRAM-bound layers are 2.4 % above: the spreadsheet divides KiB
by GB/s."""
_PRIMER = """\
## NVDLA: the primer's seven sizes, int8 ResNet-50, no SRAM (L)

The primer calls its figures estimates and does not say whether Winograd, batches or weight compression are in them.
Left: Winograd, channels and kernels rounded to 16; right: no Winograd (as in the files of nvdla/hw spec/defs), rounded
to the array. Arrays of 128 and 32 MACs are guesses (16x8, 8x4). Nothing was fitted to these rows; the smaller machines
come out too fast."""
_TPU = """\
## TPUv1 (trend, not validation)

Jouppi et al., ISCA 2017, tables 1 and 3. Ours: a 256x256 weight-stationary array, 700 MHz, weights from DRAM at
34 GB/s, nothing else. Published waiting is weight stall plus weight shift. Vector work (10 to 32 % of the published
cycles) is missing, and so are half-empty folds: the published active share counts them in full, TOPS do not. CNN1 has
shallow layers and dense ones, which an average of operations per weight byte hides."""
_EYERISS = """\
## Eyeriss (trend, not validation)

Chen et al., JSSC 2017, AlexNet, batch 4, 200 MHz. Ours: MACs / (active elements x clock), a lower bound; the active
elements follow from the 12x14 array. Row-stationary passes, stalls and transfers are not modelled."""
_GEMMINI = """\
## Gemmini 16x16 (trend, not validation)

Genc et al., DAC 2021, and an FPGA run on luffca.com. Ours: the array alone, a lower bound: no DRAM, no scratchpad
misses, no CPU between tiles."""
_ETHOS = """\
## Ethos-U55 (trend, not validation)

Vela 5.2.0, Ethos_U55_High_End_Embedded, Shared_Sram: estimates, not silicon. Ours: rates read in Vela's source, shapes
of the MLPerf Tiny networks. Weights are neither compressed nor fetched during earlier layers, which Vela does: that is
most of the difference on VWW and AD, both bound by flash. No latency, no search for block sizes."""


@dataclass(frozen=True)
class Compared:
    """A layer of the spreadsheet beside ours; cycles."""

    network: str
    memory: str
    name: str
    parts: LayerCycles
    sheet: float

    @property
    def error(self) -> float:
        """ours / sheet - 1."""
        return self.parts.cycles / self.sheet - 1

    @property
    def reason(self) -> str:
        """Why the two differ, "" if nobody wrote it down."""
        for network, memory, name, text in REASONS:
            if re.fullmatch(network, self.network) and memory == self.memory and re.fullmatch(name, self.name):
                return text
        return ""


def core(memory: str, winograd: Winograd) -> NvdlaCore:
    """What ``nvdla-large.toml`` describes, with what the spreadsheet's header adds."""
    sram = SRAM_BYTES if memory == "SRAM" else 0
    return NvdlaCore.of(
        read_spec(SPEC), winograd=winograd, dense_batch=DENSE_BATCH, sram_bytes=sram,
        sram_bytes_per_cycle=SRAM_BYTES_PER_CYCLE,
    )  # fmt: skip


def compare(network: str, memory: str, machine: NvdlaCore) -> list[Compared]:
    """Every layer of a network; ``memory`` is ``DRAM`` (no SRAM) or ``SRAM``."""
    rows = layers(network)
    parts = network_cycles([row.shape for row in rows], machine)
    sheet = [(row.sram if memory == "SRAM" else row.dram_only)["max"] for row in rows]
    return [
        Compared(network, memory, row.shape.name, part, cycles)
        for row, part, cycles in zip(rows, parts, sheet, strict=True)
    ]


def mean_error(rows: Sequence[Compared]) -> float:
    """Mean of |error| over layers."""
    return sum(abs(row.error) for row in rows) / len(rows)


def nvdla_summary() -> Iterator[tuple[str, ...]]:
    """Per network and memory: layers, both totals, their error, mean |error|, and the same under other assumptions."""
    for memory in ("DRAM", "SRAM"):
        for network in NETWORKS:
            machine = core(memory, WINOGRAD[network])
            rows = compare(network, memory, machine)
            ours, sheet = sum(row.parts.cycles for row in rows), sum(row.sheet for row in rows)
            strict = replace(
                machine, channel_granularity=machine.atomic_c, kernel_granularity=machine.atomic_k, winograd="stored"
            )
            yield (
                network,
                memory,
                str(len(rows)),
                f"{sheet:,.0f}",
                f"{ours:,}",
                f"{ours / sheet - 1:+.1%}",
                f"{mean_error(rows):.1%}",
                f"{mean_error(compare(network, memory, core(memory, 'stored'))):.1%}",
                f"{mean_error(compare(network, memory, strict)):.1%}",
            )


def error_without_write_back() -> float:
    """Mean abs. error of ResNet-50 with SRAM where results stay in SRAM."""
    machine, rows = core("SRAM", WINOGRAD["ResNet-50"]), layers("ResNet-50")
    cycles = [
        layer_cycles(row.shape, machine, input_in_dram=index == 0, output_in_dram=False).cycles
        for index, row in enumerate(rows)
    ]
    return sum(abs(ours / row.sram["max"] - 1) for ours, row in zip(cycles, rows, strict=True)) / len(rows)


def nvdla_misses() -> Iterator[tuple[str, ...]]:
    """Layers off by 5 % or more, worst first."""
    rows = [
        row
        for memory in ("DRAM", "SRAM")
        for network in NETWORKS
        for row in compare(network, memory, core(memory, WINOGRAD[network]))
        if abs(row.error) >= EXPLAINED_FROM
    ]
    for row in sorted(rows, key=lambda row: -abs(row.error)):
        yield (
            row.network, row.memory, row.name, f"{row.sheet:,.0f}", f"{row.parts.cycles:,}", row.parts.bound,
            f"{row.error:+.1%}", row.reason,
        )  # fmt: skip


def primer() -> Iterator[tuple[str, ...]]:
    """ResNet-50 frames a second of the primer's seven sizes: channels and kernels rounded to 16, and to the array."""
    shapes = [row.shape for row in layers("ResNet-50")]
    for atomic_c, atomic_k, kib, gbs, fps in PRIMER:
        loose = NvdlaCore(atomic_c, atomic_k, kib << 10, gbs, dense_batch=DENSE_BATCH)
        strict = replace(loose, winograd="none", channel_granularity=atomic_c, kernel_granularity=atomic_k)
        rates = [1e9 / sum(parts.cycles for parts in network_cycles(shapes, machine)) for machine in (loose, strict)]
        yield (
            str(atomic_c * atomic_k), str(kib), str(gbs), str(fps),
            *(text for rate in rates for text in (f"{rate:.1f}", f"{rate / fps - 1:+.0%}")),
        )  # fmt: skip


def trends(rows: Iterator[peers.Trend]) -> Iterator[tuple[str, ...]]:
    """Rows of a trend table."""
    for row in rows:
        ratio = f"{row.ratio:.2f}" if row.published else "-"
        yield row.what, f"{row.ours:.1f}", f"{row.published:.1f}", row.grade, ratio


def table(head: str, rows: Iterator[tuple[str, ...]]) -> str:
    """A Markdown table; ``head`` names the columns, separated by |."""
    lines = [tuple(cell.strip() for cell in head.split("|")), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def page() -> str:
    """ACCURACY.md."""
    trend_head = "figure | ours | published | grade | ours / published"
    sections = (
        _HEAD,
        _NVDLA.format(error_without_write_back()),
        table(
            "network | memory | layers | sheet cycles | our cycles | total | mean abs. error | one rule | strict array",
            nvdla_summary(),
        ),
        _MISSES,
        table("network | memory | layer | sheet | ours | bound | error | reason", nvdla_misses()),
        _PRIMER,
        table("MACs | buffer KB | DRAM GB/s | primer fps | Winograd | error | strict | error", primer()),
        _TPU,
        table(trend_head, trends(peers.tpu())),
        _EYERISS,
        table(trend_head, trends(peers.eyeriss())),
        _GEMMINI,
        table(trend_head, trends(peers.gemmini())),
        _ETHOS,
        table(trend_head, trends(peers.ethos())),
    )
    return "\n\n".join(sections) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="rewrite targets/accelerator/ACCURACY.md")
    options = parser.parse_args()
    text = page()
    if options.update:
        PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
