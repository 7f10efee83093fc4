"""The tables of supported targets and operators in README.md, written from the code.

python -m gatewright.compiler.reports.support README.md     # rewrites the marked block
"""

from __future__ import annotations

import sys
from pathlib import Path

from gatewright.compiler.plugins import families, family_class

__all__ = ["BEGIN", "END", "main", "replaced", "support_tables"]

BEGIN = "<!-- support tables: begin (python -m gatewright.compiler.reports.support README.md) -->"
END = "<!-- support tables: end -->"


def support_tables() -> str:
    """Targets, layers by target family, and ONNX operators, as Markdown."""
    from gatewright.compiler.frontend.operators import supported_operators
    from gatewright.compiler.integer.layers import LAYER_TYPES

    names = list(families())
    lines = ["| target | what it is |", "|---|---|"]
    for name in names:
        lines += [f"| `{target}` | {text} |" for target, text in family_class(name).variants()]
    lines += ["", f"| integer layer | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    layers = {name: family_class(name).supported_layers() for name in names}
    for op in LAYER_TYPES:
        if op != "input":
            cells = [(layers[name][op] or "yes") if op in layers[name] else "no" for name in names]
            lines.append(f"| `{op}` | {' | '.join(cells)} |")
    lines += [
        "",
        "Operators the front end reads, opset 7 to the newest, in float and, where the dialect has them, quantized:",
        "",
    ]
    lines += [f"* `{domain}` ({len(ops)}): {', '.join(ops)}" for domain, ops in supported_operators().items()]
    return "\n".join(lines)


def replaced(text: str) -> str:
    """``text`` with a fresh block between the marks.

    Raises:
        ValueError: the marks are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the marks of the support tables are missing")
    return f"{before}{BEGIN}\n\n{support_tables()}\n\n{END}{after}"


def main(path: Path) -> None:
    """Rewrite the block in the file ``path``."""
    path.write_text(replaced(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
