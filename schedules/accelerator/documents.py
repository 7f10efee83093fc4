"""TOML files as typed data, and in one sentence what is wrong with them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

__all__ = ["parse_document", "read_document", "validate"]

Document = TypeVar("Document", bound=BaseModel)


def validate(kind: type[Document], data: Mapping[str, Any]) -> Document:
    """Typed data.

    Raises:
        ValueError: the first thing that is wrong, with its key.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}") from None


def parse_document(kind: type[Document], text: str) -> Document:
    """Typed data from TOML.

    Raises:
        ValueError: as :func:`validate`, or that the text is no TOML.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is no TOML: {error}") from None
    return validate(kind, data)


def read_document(path: Path) -> str:
    """The text of a file.

    Raises:
        ValueError: why it cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is no UTF-8 text") from None
    except OSError as error:
        raise ValueError(error.strerror or "cannot be read") from None
