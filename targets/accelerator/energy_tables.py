"""The shipped tables of energy by operation, and the look-up of one: a name, or the path of a TOML file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from gatewright.compiler.errors import UsageError
from gatewright.schedules.accelerator.documents import parse_document, read_document
from gatewright.schedules.accelerator.energy import EnergyTable

__all__ = ["energy_table", "shipped_tables"]


@cache
def shipped_tables() -> Mapping[str, EnergyTable]:
    """Name -> table of everything in ``energy/``."""
    folder = files("gatewright.targets.accelerator").joinpath("energy")
    entries = sorted((e for e in folder.iterdir() if e.name.endswith(".toml")), key=lambda entry: entry.name)
    return {entry.name.removesuffix(".toml"): _parsed(entry.read_text("utf-8"), entry.name) for entry in entries}


def energy_table(name: str) -> EnergyTable:
    """The table a spec's ``energy`` means.

    Raises:
        UsageError: GW4320 when it is neither a shipped name nor a readable file with a table in it.
    """
    if name in shipped_tables():
        return shipped_tables()[name]
    if not name.endswith(".toml"):
        near = difflib.get_close_matches(name, shipped_tables(), 3) or list(shipped_tables())
        raise _refused(name, "no such table of energy", f"did you mean {', '.join(near)}?")
    try:
        text = read_document(Path(name))
    except ValueError as error:
        raise _refused(name, str(error), "name a readable TOML file") from None
    return _parsed(text, name)


def _parsed(text: str, place: str) -> EnergyTable:
    try:
        return parse_document(EnergyTable, text)
    except ValueError as error:
        raise _refused(place, str(error), "start from a table in targets/accelerator/energy") from None


def _refused(place: str, reason: str, action: str) -> UsageError:
    return UsageError("GW4320", f"energy table {place}", reason, action)
