"""ONNX graph, already normalised, to Relax through TVM's own importer. Imports tvm: import this module lazily."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Mapping
from typing import Any

import onnx
from tvm import relax
from tvm.ir import IRModule
from tvm.relax.frontend.onnx.onnx_frontend import ONNXGraphImporter

from gatewright.compiler.errors import FrontendError

__all__ = ["emit"]


class _NamingImporter(ONNXGraphImporter):  # type: ignore[misc]
    """TVM's importer, but every node's result is bound to a variable that bears the node's name.

    Upstream nests calls freely and lets the block builder call everything ``lv7``; reports, errors and the integer
    graph want the names of the model.
    """

    node_name = ""

    def _convert_operator(self, op_name: str, inputs: list[Any], attrs: dict[str, Any], opset: int) -> Any:
        self.node_name = attrs["tvm_custom"]["name"]
        result = super()._convert_operator(op_name, inputs, attrs, opset)
        if isinstance(result, relax.Call) and isinstance(result.ty, relax.TensorType):
            return self.bb.emit(result, name_hint=_identifier(self.node_name))
        return result


def _identifier(name: str) -> str:
    """``name`` as Relax text can print it: the first of the names tf2onnx joins with ``;``, at most 64 characters."""
    first = name.split(";", maxsplit=1)[0]
    text = re.sub(r"\W+", "_", first, flags=re.ASCII).strip("_")[-64:].strip("_") or "node"
    return f"n{text}" if text[0].isdigit() else text


def emit(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]], opset: int) -> IRModule:
    """Import ``model``.

    Args:
        model: normalised: static shapes, default-domain operators the importer knows, no control flow.
        shapes: shape of every graph input.
        opset: version of the default domain.

    Returns:
        An IRModule with one function ``main``; weights are constants.

    Raises:
        FrontendError: GW1090 when the importer refuses a node; names it.
    """
    importer = _NamingImporter({name: list(shape) for name, shape in shapes.items()}, "float32", False, False)
    # On an error upstream prints to stdout, which belongs to --json.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importer.from_onnx(model.graph, opset)
        except Exception as error:
            reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            raise FrontendError(
                "GW1090",
                f"node {importer.node_name!r}",
                f"TVM's importer refuses it: {reason[0]}",
                "simplify the model with onnxsim or export it with static shapes",
                "report the model to gatewright",
            ) from error
