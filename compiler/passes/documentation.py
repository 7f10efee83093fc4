"""The page of passes, written from their docstrings.

python -m gatewright.compiler.passes.documentation compiler/passes/README.md     # rewrites the file
"""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import MISSING, fields
from pathlib import Path

from gatewright.compiler.passes import PASSES

__all__ = ["main", "page"]

_HEAD = """# Passes over Relax

Written by `python -m gatewright.compiler.passes.documentation compiler/passes/README.md`; a test keeps it current.

`simplify` (pipeline.py) runs all but the last in this order, again and again until nothing changes. After every pass
that changed something the structure is verified (structure.py); with `--validate-passes` the model is executed before
and after it on the same inputs (validation.py). `fuse_layers` is for float builds and runs last.

A pass is one file here with one `tvm.transform.module_pass` of the file's name: a frozen dataclass whose fields are
its options and whose docstring shows before and after. It is listed in `PASSES` (\\_\\_init\\_\\_.py) and placed in
`one_round` (pipeline.py). Most are a table of rules given to `rewrite` (rewriting.py).
"""


def page() -> str:
    """The whole page, Markdown."""
    parts = [_HEAD]
    for name, thunk in PASSES.items():
        kind = thunk()
        parts.append(f"\n## {name}\n\n{_markdown(inspect.cleandoc(kind.__doc__))}\n")
        if defaults := [f"`{f.name}` = `{f.default}`" for f in fields(kind()) if f.default is not MISSING]:
            parts.append(f"\nDefaults: {', '.join(defaults)}.\n")
    return "".join(parts)


def _markdown(docstring: str) -> str:
    """A docstring in reStructuredText's few forms as Markdown."""
    # Markdown takes the indented lines behind `::` as code by themselves.
    body, mark, options = docstring.replace("``", "`").replace("\n::\n", "\n").partition("\nAttributes:\n")
    # "    name: text" becomes a list item, deeper lines go on with it
    items = re.sub(r"^    (\w+): ", r"* `\1`: ", options, flags=re.MULTILINE)
    text = body + mark.replace("Attributes", "Options") + "\n" * bool(mark) + re.sub(r"^ {8}", "  ", items, flags=re.M)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text


def main(path: Path) -> None:
    """Write the page to ``path``."""
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
