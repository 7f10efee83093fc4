"""Pages say what the code says. (Their commands are run by ``make docs``.)"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatewright.compiler.cli.main import VERBS
from gatewright.compiler.errors import ExitCode
from gatewright.compiler.reports.support import replaced
from tests.repository.modules import ROOT
from tests.repository.readme import agrees, commands, main

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md")


def test_support_tables_are_current() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert replaced(text) == text, "run: python -m gatewright.compiler.reports.support README.md"


@pytest.mark.parametrize("page", PAGES)
def test_what_pages_name_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for path in re.findall(r"`((?:compiler|targets|schedules|hls|tests|examples|\.ci)/[\w/.-]*)`", text):
        assert (ROOT / path).exists(), f"{page} names {path}"
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / page).parent.joinpath(link).exists(), f"{page} links {link}"
    for verb in re.findall(r"gatewright (\w+) ", text):
        assert verb in VERBS or verb in ("to", "is", "compiles", "and", "exists"), f"{page} names the verb {verb}"


def test_readme_lists_every_exit_code() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = text.partition("exit codes are ")[2].partition(".")[0]
    assert {int(number) for number in re.findall(r"\b(\d+) [a-z]", listed)} == {int(code) for code in ExitCode}


def test_the_runner_of_examples_notices_a_difference(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo one \\\n    two\none two\n$ echo three; false\nthree\n```\n")
    assert commands("$ echo one \\\n    two\none two\n") == [("echo one \\\n    two", "one two\n")]
    (problem,) = main(page, update=False)
    assert "exit code 1" in problem
    page.write_text("```console\n$ seq 3\n1\n...\n```\n```pycon\n>>> 1 + 1\n3\n```\n```sh\nfalse\n```\n")
    (problem,) = main(page, update=False)
    assert "Expected:\n    3\nGot:\n    2" in problem
    assert not main(page, update=True)[1:]


@pytest.mark.parametrize(
    ("got", "same"),
    [
        ("cpu   500   0 of 5000   0.06619   97.00%\n", True),
        ("cpu  500  0 of 5000  0.06630  97.20%\n", True),  # another order of summation
        ("cpu  500  1 of 5000  0.06619  97.00%\n", False),  # a whole number differs
        ("cpu  500  0 of 5000  0.07619  97.00%\n", False),  # more than rounding
        ("gpu  500  0 of 5000  0.06619  97.00%\n", False),
        ("cpu  500  0 of 5000  0.06619\n", False),
    ],
)
def test_outputs_agree_up_to_the_rounding_of_decimals(got: str, same: bool) -> None:
    assert agrees("cpu  500  0 of 5000  0.06619  97.00%\n", got) is same
