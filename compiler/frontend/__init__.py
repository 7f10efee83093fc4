"""The front end: an ONNX file in, one static Relax function out. The only place that imports ``onnx``.

``import_model`` is all other packages call. Neither this package nor anything it does before a model is accepted
imports tvm: a rejected file costs no compiler start.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gatewright.compiler.frontend.limits import Limits

if TYPE_CHECKING:
    from gatewright.compiler.model import ImportedModel

__all__ = ["Limits", "import_model"]


def import_model(
    path: Path,
    *,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    limits: Limits | None = None,
) -> ImportedModel:
    """Load, check, normalise and import one ONNX model.

    Args:
        path: the ``.onnx`` file.
        input_shapes: static shapes by input name, for inputs with unknown dimensions.
        limits: what a file may ask for; None takes the defaults.

    Returns:
        The model as Relax; parameters of ``main`` are the model's inputs in order, weights are constants.

    Raises:
        FrontendError: GW1xxx: the file is corrupt, hostile, of an unknown dialect or needs ``--input-shape``.
        GraphError: GW2xxx: operators nobody supports, all of them in one error.
        LimitError: GW6xxx: the file asks for more than ``limits`` grants.
    """
    from gatewright.compiler.frontend.importer import run

    return run(Path(path), dict(input_shapes or {}), limits or Limits())
