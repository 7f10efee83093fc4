"""The shipped tables of energy by operation, and the look-up of one: a name, or the path of a TOML file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from gatewright.compiler.errors import UsageError
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
        text = Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "is no UTF-8 text"
        raise _refused(name, reason, "name a readable TOML file") from None
    return _parsed(text, name)


def _parsed(text: str, place: str) -> EnergyTable:
    try:
        return EnergyTable.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise _refused(place, f"is no TOML: {error}", "mend the line it names") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}"
        raise _refused(place, reason, "start from a table in targets/accelerator/energy") from None


def _refused(place: str, reason: str, action: str) -> UsageError:
    return UsageError("GW4320", f"energy table {place}", reason, action)
