"""The front end: an ONNX file in, one static Relax function out. The only place that imports ``onnx``.

``import_model`` is all other packages call. Neither this package nor anything it does before a model is accepted
imports tvm: a rejected file costs no compiler start.

Codes of its errors:

===============  ===========================================================================================
code             meaning
===============  ===========================================================================================
GW1001 - GW1005  the file: missing, no regular file, unreadable, empty, changing
GW1010           not the wire format of an ONNX model, or damaged
GW1011 - GW1013  no graph; an IR version, an operator set that is not known
GW1020 - GW1023  names: made twice, made by nobody, in a cycle, an output nobody makes
GW1024           a node against its operator's declaration: inputs, outputs, attributes
GW1025, GW1026   functions that call themselves; sparse tensors
GW1030 - GW1032  tensors: data that does not fit the shape, element type, NaN or infinity
GW1040 - GW1042  external data: outside the model's folder, missing, wrong offset or length
GW1050 - GW1053  inputs: dimensions to be given, given shapes that contradict, unknown names, types
GW1060           shapes or values that contradict the operator's definition
GW1070           quantization parameters
GW1090           TVM's importer refuses a node
GW2100           operators that are not supported, all of them
GW6001 - GW6010  limits: file, nesting, nodes, tensors, tensor bytes, total bytes, rank, fields, names, external data
===============  ===========================================================================================
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
