"""Every module can be imported, says what it offers, and documents it."""

from __future__ import annotations

import ast
import importlib
import inspect

import pytest

from tests.repository.modules import module_name, sources


@pytest.mark.parametrize("name", [module_name(path) for path in sources() if path.read_text(encoding="utf-8").strip()])
def test_module_offers_documented_names(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    only_a_docstring = len(ast.parse(inspect.getsource(module)).body) == 1
    assert only_a_docstring or hasattr(module, "__all__"), f"{name} has no __all__"
    offered = getattr(module, "__all__", [])
    assert len(set(offered)) == len(offered)
    for item in offered:
        thing = getattr(module, item)
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__module__ == name:
            assert inspect.getdoc(thing), f"{name}.{item} has no docstring"
