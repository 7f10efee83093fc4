"""A normalised graph to Relax through TVM's own importer. Imports tvm: import this module lazily."""

from __future__ import annotations

import contextlib
import io
import keyword
import re
import warnings
from typing import Any

import numpy as np
import onnx
import tvm
from onnx import helper
from tvm import relax
from tvm.ir import IRModule
from tvm.relax.frontend.onnx.onnx_frontend import ONNXGraphImporter

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.frontend.infer import to_proto
from gatewright.compiler.frontend.relax_forms import FORMS
from gatewright.compiler.frontend.sweep import Normal

__all__ = ["emit"]


class _Importer(ONNXGraphImporter):
    """TVM's importer with three things of our own.

    Every node's result is bound to a variable that bears the node's name: upstream nests calls freely and lets the
    block builder call everything ``lv7``. Every node is converted at its own version. And the operators in ``FORMS``
    become Relax operators where upstream writes loops.
    """

    node_name = ""

    def __init__(self, normal: Normal) -> None:
        super().__init__({spec.name: list(spec.shape) for spec in normal.inputs}, "float32", False, True)
        self._normal = normal
        self._versions = {node.name: node.version for node in normal.nodes}

    def _parse_graph_initializers(self, graph: Any) -> None:
        for name, array in self._normal.constants.items():
            self._nodes[name] = relax.const(tvm.runtime.tensor(np.asarray(array, order="C")))

    def _sanitize_name(self, name: str) -> str:
        return str(self._name_supply.fresh_name(_identifier(name)))

    def _convert_operator(self, op_name: str, inputs: list[Any], attrs: dict[str, Any], opset: int) -> Any:
        self.node_name = attrs["tvm_custom"]["name"]
        if (form := FORMS.get(op_name)) is not None:
            result = self.bb.normalize(form(inputs, attrs))
        else:
            result = super()._convert_operator(op_name, inputs, attrs, self._versions[self.node_name])
        if isinstance(result, relax.Call) and isinstance(result.ty, relax.TensorType):
            return self.bb.emit(result, name_hint=_identifier(self.node_name))
        return result


def _identifier(name: str) -> str:
    """``name`` as Relax text can print it: the first of the names tf2onnx joins with ``;``, at most 64 characters."""
    first = name.split(";", maxsplit=1)[0]
    text = re.sub(r"\W+", "_", first, flags=re.ASCII).strip("_")[-64:].strip("_") or "node"
    return f"n{text}" if text[0].isdigit() or keyword.iskeyword(text) else text


def _value(spec: TensorSpec) -> onnx.ValueInfoProto:
    element_type = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    return helper.make_tensor_value_info(spec.name, element_type, spec.shape)


def emit(normal: Normal) -> IRModule:
    """Import ``normal``.

    Returns:
        An IRModule with one function ``main``; weights are constants.

    Raises:
        FrontendError: GW1090 when the importer refuses a node; names it.
    """
    graph = helper.make_graph([], "main", [_value(spec) for spec in normal.inputs], [])
    graph.node.extend(to_proto(node) for node in normal.nodes)
    for name in normal.results:
        graph.output.add().name = name
    importer = _Importer(normal)
    # On an error upstream prints to stdout, which belongs to --json.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importer.from_onnx(graph, 0)
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise FrontendError(
                "GW1090",
                f"node {importer.node_name!r}",
                f"TVM's importer refuses it: {lines[-1]}",
                "simplify the model with onnxsim or export it with another opset",
                "report the model to gatewright",
            ) from error
