"""One hostile model: what is written, and what the front end has to answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import onnx

__all__ = ["LIMIT", "MAKERS", "UNSUPPORTED", "Case", "Content", "case"]

UNSUPPORTED, LIMIT = 3, 7


@dataclass(frozen=True)
class Case:
    """One model and what the front end has to answer.

    Attributes:
        name: of the case and its folder.
        path: the file to import.
        exit_code, code: of the error.
        places: texts the message has to contain: node, tensor, byte or file.
    """

    name: str
    path: Path
    exit_code: int
    code: str
    places: tuple[str, ...]


Content: TypeAlias = "onnx.ModelProto | bytes | None"
MAKERS: list[tuple[str, int, str, tuple[str, ...], Callable[[Path], Content]]] = []


def case(code: str, *places: str, exit_code: int = UNSUPPORTED) -> Callable[[Any], Any]:
    """Registers a function that gets the case's folder and returns the content of ``model.onnx``, if it makes one."""

    def register(make: Callable[[Path], Content]) -> Callable[[Path], Content]:
        MAKERS.append((make.__name__, exit_code, code, places, make))
        return make

    return register
