"""Targets, found through their entry points: the compiler imports none of them.

A target family is a line under ``[project.entry-points."gatewright.targets"]`` of any installed package: its name and
the class, a :class:`gatewright.targets.base.Target`. Nothing is imported before somebody asks for that family.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from gatewright.compiler.errors import UsageError

if TYPE_CHECKING:
    from gatewright.targets.base import Target

__all__ = ["families", "family_class", "get_target"]

_GROUP = "gatewright.targets"


@functools.cache
def families() -> Mapping[str, EntryPoint]:
    """Target families by name, sorted.

    Raises:
        UsageError: GW0021 when two packages register the same family.
    """
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=_GROUP), key=lambda entry: (entry.name, entry.value)):
        known = found.setdefault(entry.name, entry)
        if known.value != entry.value:
            raise UsageError(
                "GW0021",
                entry.name,
                f"two packages register this target family: {known.value} and {entry.value}",
                "uninstall one of the packages",
            )
    return found


def family_class(family: str) -> type[Target]:
    """The class of a family.

    Raises:
        UsageError: GW0020 when there is none of that name.
    """
    if family not in families():
        raise UsageError(
            "GW0020",
            family,
            "no such target family",
            *(f"did you mean {name!r}?" for name in difflib.get_close_matches(family, families(), n=2)),
            f"use one of: {', '.join(families())}",
            "run 'gatewright targets'",
        )
    loaded: type[Target] = families()[family].load()
    return loaded


def get_target(name: str) -> Target:
    """The target the user calls ``name``, e.g. ``cpu`` or ``xilinx:zcu104``.

    Raises:
        UsageError: no such family, or the family has no such variant.
    """
    return family_class(name.partition(":")[0]).named(name)
