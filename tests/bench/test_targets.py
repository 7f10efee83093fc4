"""Targets whose time is modelled: what they say, and what the verb makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatewright.compiler.errors import ExitCode
from gatewright.targets.base import ModelledTiming, Target
from gatewright.targets.cpu import CpuTarget
from gatewright.targets.lattice import LatticeTarget
from gatewright.targets.xilinx import XilinxTarget
from tests.bench.test_loadgen import ROW
from tests.cli.conftest import Gatewright


def _write(directory: Path, **files: object) -> Path:
    for name, data in files.items():
        (directory / f"{name}.json").write_text(json.dumps(data))
    return directory


def _lattice(flash_cycles: int = 0) -> dict[str, object]:
    return {
        "settings": {"clock_mhz": 24.0, "latency_cycles": 480, "interval_cycles": 240, "flash_cycles": flash_cycles}
    }


def test_a_target_is_timed_by_the_clock_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert CpuTarget.modelled(tmp_path) is None
    assert "modelled" in vars(Target) and "modelled" not in vars(CpuTarget)


def test_lattice_has_exact_cycles_at_the_clock_of_its_bitstream(tmp_path: Path) -> None:
    built = {"bitstream": "design/build/network.bin", "clock_mhz": 48.0}
    timing = LatticeTarget.modelled(_write(tmp_path, plan=_lattice(), build=built, measured={"clock_mhz": 77.7}))
    assert timing is not None and "48 MHz" in timing.model
    assert (timing.latency_seconds, timing.interval_seconds) == (480 / 48e6, 240 / 48e6)
    timing = LatticeTarget.modelled(_write(tmp_path, build={"bitstream": ""}))
    assert timing is not None and "no bitstream" in timing.model
    assert (timing.latency_seconds, timing.interval_seconds) == (480 / 24e6, 240 / 24e6)


def test_lattice_waits_for_its_flash_chip(tmp_path: Path) -> None:
    timing = LatticeTarget.modelled(_write(tmp_path, plan=_lattice(600), build={"bitstream": ""}))
    assert timing is not None and (timing.latency_seconds, timing.interval_seconds) == (600 / 24e6, 600 / 24e6)


def test_xilinx_has_estimated_cycles_or_those_of_synthesis(tmp_path: Path) -> None:
    plan = {"settings": {"clock_mhz": 100.0, "latency_cycles": 700, "interval_cycles": 320}}
    timing = XilinxTarget.modelled(_write(tmp_path, plan=plan))
    assert timing is not None and "estimated" in timing.model and "unmeasured" in timing.model
    assert (timing.latency_seconds, timing.interval_seconds) == (700 / 1e8, 320 / 1e8)
    measured = {"clock_mhz": 137.0, "latency_cycles": 720.0, "interval_cycles": 330.0}
    timing = XilinxTarget.modelled(_write(tmp_path, measured=measured))
    assert timing is not None and "C synthesis" in timing.model
    assert (timing.latency_seconds, timing.interval_seconds) == (720 / 1e8, 330 / 1e8)  # no faster than it is clocked
    timing = XilinxTarget.modelled(_write(tmp_path, measured=measured | {"clock_mhz": 80.0}))
    assert timing is not None and timing.latency_seconds == 720 / 8e7


def _pretend(monkeypatch: pytest.MonkeyPatch, latency: float, interval: float) -> None:
    monkeypatch.setattr(
        CpuTarget, "modelled", classmethod(lambda cls, directory: ModelledTiming(latency, interval, "a made-up model"))
    )
    monkeypatch.setattr(CpuTarget, "load", classmethod(lambda cls, directory: pytest.fail("nothing is to be run")))


def test_rows_say_that_time_is_modelled(
    gatewright: Gatewright, compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend(monkeypatch, 2e-3, 1e-3)
    ended = gatewright("bench", compiled, "--json", "--duration", 1)
    assert ended.code == 0 and all(set(row) == ROW for row in ended.results)
    single, multi, server, offline = ended.results
    assert {row["time"] for row in ended.results} == {"modelled"}
    assert {row["source"] for row in ended.results} == {"a made-up model"}
    assert single["value"] == 2e-3 and multi["value"] == 2e-3 + 7e-3
    assert offline["value"] == pytest.approx(1000, rel=1e-3) and 800 < server["value"] < 1000
    assert server["bound_met"] and server["latency_bound_seconds"] == 0.015
    table = gatewright("bench", compiled, "--scenario", "offline")
    assert "modelled" in table.out and "a made-up model" in table.out and "no MLPerf submission" in table.out
    assert "wall clock" not in table.out
    assert gatewright("bench", compiled, "--json", "--duration", 1).out == ended.out


@pytest.mark.parametrize(("bound", "code"), [("1", ExitCode.CONSTRAINT), ("50", ExitCode.OK)])
def test_a_bound_decides_the_exit_code(
    bound: str, code: ExitCode, gatewright: Gatewright, compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend(monkeypatch, 20e-3, 1e-3)
    arguments = ("bench", compiled, "--scenario", "server", "--json", "--duration", 1)
    ended = gatewright(*arguments, "--latency-bound-ms", bound)
    assert ended.code == code and ended.results[0]["valid"] == (code == ExitCode.OK)
    unasked = gatewright(*arguments)  # 15 ms are not kept, but nobody asked for them
    assert unasked.code == 0 and not unasked.results[0]["valid"] and unasked.results[0]["value"] == 0


@pytest.mark.parametrize("times", [(0.0, 1e-3), (1e-3, 0.0), (float("nan"), 1e-3), (1e-3, float("inf"))])
def test_a_model_without_time_is_refused(
    times: tuple[float, float], gatewright: Gatewright, compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend(monkeypatch, *times)
    ended = gatewright("bench", compiled)
    assert ended.code == ExitCode.UNSUPPORTED and "GW4390" in ended.err
