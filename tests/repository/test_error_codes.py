"""A code stands for one thing: users search for it, scripts act on it."""

from __future__ import annotations

import re

from tests.repository.modules import ROOT, sources

# The same fault met in several places; everything else is raised by one package alone.
SHARED = {
    "GW0016",  # which target of an artefact
    "GW0101",  # an input is missing: reference, run time, both libraries
    "GW0102",  # an input has the wrong shape
    "GW0103",  # an input holds values its type does not
    "GW0104",  # an input that the model does not have
    "GW1901",  # a file of an artefact is not what gatewright writes
    "GW5001",  # no g++ for the C simulation
}


def test_a_code_is_raised_by_one_package() -> None:
    owners: dict[str, set[str]] = {}
    for path in sources():
        # Raised, not merely told apart: the code is an argument.
        for code in re.findall(r'"(GW\d{4})",', path.read_text(encoding="utf-8")):
            owners.setdefault(code, set()).add("/".join(path.relative_to(ROOT).parts[:2]))
    assert len(owners) > 60
    several = {code: sorted(folders) for code, folders in owners.items() if len(folders) > 1 and code not in SHARED}
    assert several == {}
