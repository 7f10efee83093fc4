"""Who may import whom (design section 3), read from the source: what is never run is checked too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repository.modules import ROOT, module_name, sources

# A family folder -> what it must not import. Imports for type checkers only are free.
FORBIDDEN = {
    "compiler": ("gatewright.targets", "gatewright.schedules", "gatewright.hls", "hls4ml"),
    "schedules": ("gatewright.targets", "hls4ml"),
    "hls": ("gatewright.targets",),
    "targets": (),
}
# The contract and plain data types of targets are no target.
ALLOWED = ("gatewright.targets.base",)


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(imported module, whether at module level) outside ``if TYPE_CHECKING``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    stack: list[tuple[ast.AST, bool]] = [(tree, True)]
    while stack:
        node, top = stack.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            stack += [(child, top) for child in node.orelse]
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from ((f"{node.module}.{alias.name}", top) for alias in node.names)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        stack += [(child, top and not inside) for child in ast.iter_child_nodes(node)]


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("package", FORBIDDEN)
def test_layers_import_downwards_only(package: str) -> None:
    wrong = [
        f"{module_name(path)} imports {name}"
        for path in sources(package)
        for name, _ in _imports(path)
        if any(_within(name, banned) for banned in FORBIDDEN[package]) and not any(_within(name, ok) for ok in ALLOWED)
    ]
    assert not wrong


def test_only_the_front_end_imports_onnx() -> None:
    allowed = ROOT / "compiler" / "frontend"
    wrong = [
        f"{module_name(path)} imports {name}"
        for path in sources()
        for name, _ in _imports(path)
        if _within(name, "onnx") and not path.is_relative_to(allowed)
    ]
    assert not wrong


def test_the_reader_of_imports_sees_them(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tvm\nimport onnx\n\ndef f():\n"
        "    from a.b import c\n"
    )
    assert set(_imports(source)) == {("typing.TYPE_CHECKING", True), ("onnx", True), ("a.b.c", False)}


def test_modules_are_small() -> None:
    """A reader holds a module of 500 lines in mind; half of them are at most 200."""
    lengths = {module_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert not {name: length for name, length in lengths.items() if length > 500}
    assert sorted(lengths.values())[len(lengths) // 2] <= 200


def test_no_dumping_grounds() -> None:
    assert not [path for path in sources() if path.stem in ("utils", "util", "helpers", "misc", "common")]
