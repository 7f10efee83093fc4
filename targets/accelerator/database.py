"""The shipped specs, and the look-up of a target variant: a name, or the path of a TOML file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from gatewright.compiler.errors import UsageError
from gatewright.schedules.accelerator.spec import Spec, parse_spec, read_spec

__all__ = ["resolve", "shipped", "shipped_text", "text_of"]


@cache
def _texts() -> Mapping[str, str]:
    folder = files("gatewright.targets.accelerator").joinpath("specs")
    found = {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return {name: found[name].read_text("utf-8") for name in sorted(found)}


@cache
def shipped() -> Mapping[str, Spec]:
    """Name -> spec of everything in ``specs/``."""
    return {name: parse_spec(text, f"{name}.toml") for name, text in _texts().items()}


def shipped_text(name: str) -> str:
    """The TOML of a shipped spec."""
    return _texts()[name]


def text_of(variant: str) -> str:
    """The TOML of what :func:`resolve` found."""
    return _texts()[variant] if variant in _texts() else Path(variant).read_text("utf-8")


def resolve(variant: str) -> Spec:
    """The spec that ``sim:<variant>`` means.

    Raises:
        UsageError: GW0408 when it is neither a shipped name nor a file; GW4301, GW4302 on what the file says.
    """
    if variant in shipped():
        return shipped()[variant]
    if variant.endswith(".toml"):
        return read_spec(Path(variant))
    near = difflib.get_close_matches(variant, shipped(), 3) or list(shipped())
    raise UsageError(
        "GW0408", f"sim:{variant}", "no such accelerator",
        f"did you mean {', '.join(f'sim:{name}' for name in near)}?", "a spec of your own: sim:path/to/spec.toml",
    )  # fmt: skip
