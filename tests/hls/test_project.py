"""The written project: golden text, the same bytes every time, no path of this machine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gatewright.hls import project
from tests.hls.graphs import settings, small_graph

BACKENDS = ("Vitis", "Vivado", "VivadoAccelerator")


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def written(folder: Path, backend: str = "Vitis", io_type: str = "io_stream") -> Path:
    more = {"board": "pynq-z2"} if backend == "VivadoAccelerator" else {}
    project.write(small_graph(), [], settings(io_type, backend, **more), folder)
    return folder


@pytest.mark.parametrize("file", ["net.cpp", "defines.h", "parameters.h"])
def test_generated_code_reads_so(file: str, golden: Callable[[str, str], None], tmp_path: Path) -> None:
    text = (written(tmp_path / "p") / "firmware" / file).read_text()
    golden(f"hls/small/{file}", "\n".join(line.rstrip() for line in text.splitlines()) + "\n")


@pytest.mark.parametrize("backend", BACKENDS)
def test_same_bytes_in_two_folders_and_no_path(backend: str, tmp_path: Path) -> None:
    one, two = written(tmp_path / "one", backend), written(tmp_path / "two" / "deep", backend)
    assert digests(one) == digests(two)
    home = re.compile(rb"/(home|root|usr|tmp|work|build|site-packages)/")
    for path in one.rglob("*"):
        if path.is_file() and path.relative_to(one).parts[:2] != ("firmware", "ap_types"):
            found = home.search(path.read_bytes().replace(b"/usr/bin/env", b""))
            assert found is None, f"{path.name}: {found}"
            assert str(tmp_path).encode() not in path.read_bytes()


def test_the_stamp_follows_the_plan(tmp_path: Path) -> None:
    one = (written(tmp_path / "one") / "hls4ml_config.yml").read_text()
    rows = [{"layer": "logits", "op": "dense", "strategy": "resource", "reuse_factor": 2}]
    project.write(small_graph(), rows, settings(), tmp_path / "two")
    two = (tmp_path / "two" / "hls4ml_config.yml").read_text()
    stamp = re.compile(r"^Stamp: .*$", re.MULTILINE)
    assert stamp.search(one) and stamp.search(two)
    assert stamp.findall(one) != stamp.findall(two)


@pytest.mark.parametrize("io_type", ["io_stream", "io_parallel"])
def test_no_layer_falls_back_to_the_default_precision(io_type: str, tmp_path: Path) -> None:
    text = (written(tmp_path / "p", io_type=io_type) / "firmware" / "defines.h").read_text()
    assert "ap_fixed<16,6>" not in text
    assert "typedef" in text
