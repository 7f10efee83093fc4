"""Instruction set extensions: what a library needs and what this machine has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

__all__ = ["absent", "needed"]

# LLVM's name -> the flag in /proc/cpuinfo. Only what LLVM uses unasked in integer and float code.
_FLAGS: Mapping[str, str] = {
    "sse3": "pni", "ssse3": "ssse3", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "popcnt": "popcnt", "movbe": "movbe",
    "avx": "avx", "avx2": "avx2", "fma": "fma", "f16c": "f16c", "bmi": "bmi1", "bmi2": "bmi2", "lzcnt": "abm",
    "avx512f": "avx512f", "avx512bw": "avx512bw", "avx512cd": "avx512cd", "avx512dq": "avx512dq",
    "avx512vl": "avx512vl", "avx512ifma": "avx512ifma", "avx512vbmi": "avx512vbmi", "avx512vbmi2": "avx512_vbmi2",
    "avx512vnni": "avx512_vnni", "avx512bitalg": "avx512_bitalg", "avx512vpopcntdq": "avx512_vpopcntdq",
    "avx512bf16": "avx512_bf16", "avx512fp16": "avx512_fp16", "avxvnni": "avx_vnni", "gfni": "gfni",
}  # fmt: skip


def needed(features: Iterable[str]) -> list[str]:
    """Those of LLVM's feature names that can be looked for on a machine, sorted."""
    return sorted(feature for feature in map(str, features) if feature in _FLAGS)


def absent(features: Iterable[str]) -> list[str]:
    """Those of ``features`` that this machine lacks; none where the machine does not say (no Linux, no x86)."""
    flags = _machine_flags()
    return [feature for feature in features if flags and _FLAGS.get(feature, "fpu") not in flags]


@cache
def _machine_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    found = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(found.partition(":")[2].split())
