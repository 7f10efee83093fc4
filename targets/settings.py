"""Options of a family (``--set FAMILY.KEY=VALUE``) read into its class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gatewright.compiler.errors import UsageError

__all__ = ["parse_options"]

Options = TypeVar("Options", bound=BaseModel)


def parse_options(
    kind: type[Options], options: Mapping[str, Any], family: str, code: str, action: Callable[[str], str] | None = None
) -> Options:
    """Options from plain data.

    Args:
        kind: the family's class.
        options: by name.
        family: for the messages.
        code: of the error.
        action: name of an option with a wrong value -> what to do; by default to read what the family takes.

    Raises:
        UsageError: ``code`` on an unknown option or a value it does not take.
    """
    try:
        return kind.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            known = ", ".join(kind.model_fields)
            raise UsageError(code, f"{family}.{name}", "no such option", f"known options: {known}") from None
        advice = action(name) if action is not None else f"see 'gatewright targets {family}' for what it takes"
        raise UsageError(code, f"{family}.{name}", f"{options[name]!r}: {first['msg'].lower()}", advice) from None
