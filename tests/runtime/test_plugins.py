"""Target families: found through entry points, duplicates refused, misspelt names answered."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from gatewright.compiler import plugins
from gatewright.compiler.errors import UsageError


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    """The registered entry points, to change."""
    found = [EntryPoint("cpu", "gatewright.targets.cpu:CpuTarget", "gatewright.targets")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: found)
    plugins.families.cache_clear()
    yield found
    plugins.families.cache_clear()


def test_similar_names_are_suggested(entries: list[EntryPoint]) -> None:
    with pytest.raises(UsageError, match="GW0020 cpuu") as caught:
        plugins.get_target("cpuu:native")
    assert "did you mean 'cpu'?" in caught.value.actions


def test_two_packages_of_one_family(entries: list[EntryPoint]) -> None:
    entries.append(EntryPoint("cpu", "elsewhere:OtherTarget", "gatewright.targets"))
    with pytest.raises(UsageError, match=r"GW0021 cpu: .*elsewhere:OtherTarget"):
        plugins.families()


def test_one_package_seen_twice(entries: list[EntryPoint]) -> None:
    entries.append(entries[0])
    assert list(plugins.families()) == ["cpu"]


def test_nothing_is_loaded_by_listing(entries: list[EntryPoint]) -> None:
    entries.append(EntryPoint("broken", "no.such.module:Target", "gatewright.targets"))
    assert list(plugins.families()) == ["broken", "cpu"]
