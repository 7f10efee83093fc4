"""Readable names in the generated code: ``conv1_out`` for ``layer7_out``, ``config_conv1`` for ``config7``."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["rename"]

_NUMBERED = re.compile(r"layer\d+_(out|t|index)|layer\d+_cpy(\d+)|[wb]\d+")
_IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*\b")


def rename(model: Any) -> None:
    """Replace hls4ml's numbered identifiers by ones made of layer names, in variables, types and generated code.

    hls4ml numbers layers in the order it makes them, so one layer more renumbers everything behind it; names keep the
    generated code readable and its differences small. A number says little even inside hls4ml: a layer it replaced (a
    pointwise convolution) keeps the variables of the older number. So every name is taken from its owner.
    """
    names: dict[str, str] = {}

    def renamed(thing: Any, new: str) -> None:
        """Rename a numbered thing; one that shares its name with an earlier one follows it."""
        if _NUMBERED.fullmatch(thing.name):
            thing.name = names.setdefault(thing.name, new)

    for layer in model.get_layers():
        for variable in layer.get_variables():
            found = _NUMBERED.fullmatch(variable.name)
            copy = found and found[2]
            renamed(variable.type, f"{layer.name}_t")
            renamed(variable, f"{layer.name}_{copy}" if copy else f"{layer.name}_out")
        for field, weight in layer.weights.items():
            renamed(weight, f"{layer.name}_{field}")
        for field, kind in layer.types.items():
            renamed(kind, f"{layer.name}_{field}")
        for part in ("", "_mult"):
            names[f"config{layer.index}{part}"] = f"config_{layer.name}{part}"
    for layer in model.get_layers():
        for code in ("function_cpp", "config_cpp"):
            text = layer.get_attr(code, None)
            if isinstance(text, str):
                layer.set_attr(code, _IDENTIFIER.sub(lambda found: names.get(found[0], found[0]), text))
