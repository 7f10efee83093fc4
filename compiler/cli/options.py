"""Options several verbs share, and how their texts become values."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click

from gatewright.compiler.errors import UsageError

if TYPE_CHECKING:
    from gatewright.compiler.artifact.schema import Manifest

__all__ = [
    "artifact_argument",
    "built_targets",
    "model_argument",
    "model_options",
    "parse_bits",
    "parse_input_shapes",
    "parse_settings",
    "quantize_options",
    "settings_for",
    "target_options",
]

Command = TypeVar("Command", bound=Callable[..., Any])

_FILE = click.Path(path_type=Path)  # existence is checked where the file is opened: one message, one exit code

model_argument = click.argument("model", type=_FILE)
artifact_argument = click.argument("artifact", type=_FILE)


def model_options(function: Command) -> Command:
    """How a model file is read: shapes, pass validation."""
    for option in (
        click.option("--validate-passes", is_flag=True, help="Run the model before and after every pass and compare."),
        click.option(
            "--input-shape", "input_shapes", multiple=True, metavar="NAME:[D,...]",
            help="Shape of an input with symbolic dimensions; a symbolic batch is 1 by default.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def quantize_options(function: Command) -> Command:
    """``--calib --profile --bits --seed`` and one option for every other field of ``QuantizeOptions``."""
    fixed = (
        click.option("--calib", type=_FILE, metavar="FILE.npz", help="Representative inputs; QDQ models need none."),
        click.option("--profile", type=click.Choice(["scaled", "fixed", "float"]), default="scaled", show_default=True,
                     help="Any scale; powers of two only; or no integers at all."),
        click.option("--bits", default="8,8", show_default=True, metavar="W,A", help="Bits: weights, activations."),
        click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True),
    )  # fmt: skip
    for option in reversed((*fixed, *_quantizer_fields())):
        function = option(function)
    return function


@functools.cache
def _quantizer_fields() -> tuple[Callable[[Any], Any], ...]:
    """A click option for every field that is not spelled out above: type, default and help are the field's own."""
    from dataclasses import fields

    from gatewright.compiler.quantize.options import QuantizeOptions

    help_texts = _attribute_texts(inspect.getdoc(QuantizeOptions) or "")
    kinds = get_type_hints(QuantizeOptions)
    options = []
    for field in fields(QuantizeOptions):
        if field.name in ("profile", "weight_bits", "activation_bits", "seed"):
            continue
        kind, flag = kinds[field.name], "--" + field.name.replace("_", "-")
        text = help_texts.get(field.name, "")
        if kind is bool:
            both = f"{flag}/--no-{flag[2:]}"
            options.append(click.option(both, field.name, default=field.default, show_default=True, help=text))
            continue
        numeric = [k for k in (kind, *get_args(kind)) if k in (int, float)]
        shape: Any = click.Choice(get_args(kind)) if get_origin(kind) is Literal else numeric[0]
        shown = field.default is not None
        options.append(click.option(flag, field.name, type=shape, default=field.default, show_default=shown, help=text))
    return tuple(options)


def _attribute_texts(docstring: str) -> dict[str, str]:
    """Field -> its sentence in the ``Attributes:`` section, as plain text."""
    section = docstring.partition("Attributes:")[2]
    texts: dict[str, str] = {}
    for match in re.finditer(r"^    (\w+): (.*(?:\n {8,}.*)*)", section, re.MULTILINE):
        text = " ".join(match[2].split()).replace("``", "")
        text = re.sub(r" ?\(:mod:`[^`]*`\)", "", text).replace("None is", "default:")
        texts[match[1]] = text[:1].upper() + text[1:]
    return texts


def target_options(function: Command) -> Command:
    """``-t``, repeatable, and ``--set``."""
    for option in (
        click.option(
            "--set", "settings", multiple=True, metavar="[FAMILY.]KEY=VALUE",
            help="An option of the targets, e.g. xilinx.reuse_factor=4; 'gatewright targets FAMILY' lists them.",
        ),
        click.option("-t", "--target", "targets", multiple=True, help="Target, e.g. cpu or xilinx:zcu104; repeatable."),
    ):  # fmt: skip
        function = option(function)
    return function


def parse_input_shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """``NAME:[1,3,32,32]``, split at the last ``:[``, so that names may hold colons.

    Raises:
        UsageError: GW0004.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, found, dimensions = text.rpartition(":[")
        numbers = dimensions.removesuffix("]").split(",") if dimensions != "]" else []
        sound = found and name and dimensions.endswith("]") and all(re.fullmatch(r" *[0-9]+ *", n) for n in numbers)
        if not sound or name in shapes:
            reason = f"{name!r} is given twice" if sound else f"{text!r} is not NAME:[D,D,...]"
            raise UsageError("GW0004", "--input-shape", reason, "write e.g. --input-shape 'x:[1,3,32,32]'")
        shapes[name] = tuple(int(n) for n in numbers)
    return shapes


def parse_bits(text: str) -> tuple[int, int]:
    """``W,A`` -> (weight bits, activation bits).

    Raises:
        UsageError: GW0005.
    """
    match = re.fullmatch(r" *([0-9]{1,2}) *, *([0-9]{1,2}) *", text)
    if not match:
        raise UsageError("GW0005", "--bits", f"{text!r} is not W,A", "write e.g. --bits 8,8")
    return int(match[1]), int(match[2])


def parse_settings(texts: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` -> value: a number, true/false or JSON where it reads as such, else the text itself.

    Raises:
        UsageError: GW0006.
    """
    settings: dict[str, Any] = {}
    for text in texts:
        key, found, value = text.partition("=")
        if not found or not key or key in settings:
            reason = f"{key!r} is given twice" if key in settings else f"{text!r} is not KEY=VALUE"
            raise UsageError("GW0006", "--set", reason, "write e.g. --set xilinx.reuse_factor=4")
        try:
            settings[key] = json.loads(value)
        except (ValueError, RecursionError):
            settings[key] = value
    return settings


def settings_for(settings: Mapping[str, Any], known: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Any]]:
    """Hand every setting to the families it concerns.

    Args:
        settings: by ``family.key``, or by ``key`` alone: then every family that has the option takes it.
        known: family -> its options, of the families that take part.

    Returns:
        Family -> its own settings.

    Raises:
        UsageError: GW0018 on a setting nobody takes.
    """
    chosen: dict[str, dict[str, Any]] = {family: {} for family in known}
    for name, value in settings.items():
        family, dot, key = name.partition(".")
        takers = [f for f, options in known.items() if name in options]
        if dot and family in known:
            chosen[family][key] = value
        elif takers:
            for taker in takers:
                chosen[taker].setdefault(name, value)
        else:
            listed = [f"{f}.{option}" for f, options in known.items() for option in options]
            raise UsageError(
                "GW0019",
                f"--set {name}",
                "no target here has this option",
                f"use one of: {', '.join(listed) or 'none'}",
            )
    return chosen


def built_targets(artifact: Path, manifest: Manifest, targets: Sequence[str]) -> tuple[str, ...]:
    """The targets named, or all that are built.

    Raises:
        UsageError: GW0016 when one is not built, or none is.
    """
    for name in targets:
        if name not in manifest.targets:
            known = ", ".join(manifest.targets) or "none"
            raise UsageError("GW0016", name, f"is not built in {artifact} (built: {known})", "name a built target")
    chosen = tuple(targets) or tuple(manifest.targets)
    if not chosen:
        raise UsageError("GW0016", str(artifact), "holds no built target", "compile with -t")
    return chosen
