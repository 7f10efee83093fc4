"""ModelGraph -> HLS project folder.

Products: hls4ml's project (``firmware/``, tcl scripts, test bench), our kernels in
``firmware/nnet_utils/gatewright*.h``, ``gatewright_csim.cpp`` (C simulation with raw integers) and
``gatewright.json`` (the ports).

The bytes depend on graph, rows and settings alone, and no file holds a path of this machine: hls4ml's stamp, a uuid4,
is replaced by a hash, and the C simulation finds its weights beside its own library.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.hls.lowering import lower

__all__ = ["INTERFACE", "SIMULATION", "write"]

INTERFACE = "gatewright.json"
SIMULATION = "gatewright_csim.cpp"


def write(graph: IntegerGraph, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], directory: Path) -> None:
    """Write the complete project of ``graph`` into ``directory`` (made if absent).

    Args:
        graph: as in :func:`gatewright.hls.lowering.lower`.
        rows: likewise.
        settings: likewise.
        directory: the project folder.
    """
    from hls4ml.writer.writers import get_writer

    from gatewright.hls.extension import quiet

    model = lower(graph, rows, settings)
    directory.mkdir(parents=True, exist_ok=True)
    model.config.config["Stamp"] = _stamp(graph, rows, settings)
    model.config.config["OutputDir"] = str(directory)
    with quiet():
        get_writer(settings["backend"]).write_hls(model)
    _remove_paths(directory)
    _head(directory, model, graph, settings)
    (directory / SIMULATION).write_text(_simulation(model, settings), encoding="utf-8")
    (directory / INTERFACE).write_text(_interface(model, graph, settings), encoding="utf-8")


def _stamp(graph: IntegerGraph, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> str:
    plan = json.dumps([list(map(dict, rows)), dict(settings)], sort_keys=True)
    return hashlib.sha256(f"{graph.digest()} {plan}".encode()).hexdigest()[:8]


def _remove_paths(directory: Path) -> None:
    """hls4ml_config.yml names the output folder: the project lies where it lies."""
    config = directory / "hls4ml_config.yml"
    text = re.sub(r"^OutputDir:.*$", "OutputDir: .", config.read_text(encoding="utf-8"), flags=re.M)
    config.write_text(text, encoding="utf-8")
    script = directory / "build_lib.sh"
    # hls4ml's script bakes its own absolute weight folder into the library it builds for hls4ml's Python bridge. Ours
    # (csim/) looks for the weights at run time; the script builds that one.
    script.write_text(_BUILD_LIB, encoding="utf-8")
    script.chmod(0o755)


def _head(directory: Path, model: Any, graph: IntegerGraph, settings: Mapping[str, Any]) -> None:
    """What the top file is, and every tensor's quantization, in front of the generated code."""
    path = directory / "firmware" / f"{settings['project_name']}.cpp"
    lines = [
        f"// {settings['project_name']}: integer graph, profile {graph.profile}, {settings['io_type']}.",
        "// The ports carry the quantized integers q; inside, every tensor carries q - zero point.",
        "//",
        "// tensor: element type, shape (channels first), scale, zero point",
    ]
    for layer in graph:
        kind = layer.output
        lines.append(
            f"//   {layer.name}: {kind.code} {'x'.join(map(str, kind.shape))}, {kind.scale:.9g}, {kind.zero_point}"
        )
    path.write_text("\n".join([*lines, "", ""]) + path.read_text(encoding="utf-8"), encoding="utf-8")


# -- the ports -------------------------------------------------------------------------------------------------------


def _interface(model: Any, graph: IntegerGraph, settings: Mapping[str, Any]) -> str:
    made = model.gatewright
    ports = {
        kind: [
            {
                "name": port.tensor,
                "port": variable.name,
                "shape": list(graph[port.tensor].output.shape),
                "dtype": graph[port.tensor].output.dtype.name,
                "type": variable.type.precision.definition_cpp(),
                "scale": graph[port.tensor].output.scale,
                "zero_point": graph[port.tensor].output.zero_point,
                "physical_shape": list(port.wire.shape),
                **_order(port.wire.index, graph[port.tensor].output.shape),
            }
            for port, variable in zip(group, variables, strict=True)
        ]
        for kind, group, variables in (
            ("inputs", made.inputs, model.get_input_variables()),
            ("outputs", made.outputs, model.get_output_variables()),
        )
    }
    data = {"schema_version": 1, "project": settings["project_name"], "io_type": settings["io_type"], **ports}
    return json.dumps(data, indent=1) + "\n"


def _order(index: np.ndarray, shape: tuple[int, ...]) -> dict[str, object]:
    """``axes``: the transpose that gives the physical order; ``index`` where no transpose does."""
    positions = np.arange(index.size).reshape(shape)
    for axes in {tuple(range(len(shape))), (0, 2, 3, 1)}:
        if len(axes) == len(shape) and np.array_equal(positions.transpose(axes).ravel(), index):
            return {"axes": list(axes)}
    return {"index": index.tolist()}


# -- the C simulation ------------------------------------------------------------------------------------------------


def _simulation(model: Any, settings: Mapping[str, Any]) -> str:
    stream = settings["io_type"] == "io_stream"
    inputs, outputs = model.get_input_variables(), model.get_output_variables()
    project = settings["project_name"]
    before, after = [], []
    for i, variable in enumerate(inputs):
        name, kind, size = variable.name, variable.type.name, variable.size()
        before.append(f"        {variable.definition_cpp()};" if stream else f"        static {kind} {name}[{size}];")
        before.append(f"        gatewright::feed<{size}>(inputs[{i}] + s * {size}, {name});")
    for i, variable in enumerate(outputs):
        name, kind, size = variable.name, variable.type.name, variable.size()
        before.append(f"        {variable.definition_cpp()};" if stream else f"        static {kind} {name}[{size}];")
        after.append(f"        gatewright::drain<{size}>({name}, outputs[{i}] + s * {size});")
    arguments = ", ".join(v.name for v in (*inputs, *outputs))
    return _SIMULATION.format(
        project=project, declarations="\n".join(before), arguments=arguments, results="\n".join(after)
    )


_SIMULATION = """\
// C simulation of {project}: the synthesizable source, fed with raw integers. Built by `build_lib.sh` or
// gatewright.hls.csim into csim/libgatewright_csim.so.
#include "firmware/nnet_utils/gatewright_weights.h"

#include "firmware/{project}.cpp"

#include "firmware/nnet_utils/gatewright_feed.h"

// `inputs[i]` and `outputs[i]`: port i of gatewright.json, `samples` tensors in physical order.
extern "C" void gatewright_run(long samples, const int32_t *const *inputs, int32_t *const *outputs) {{
    for (long s = 0; s < samples; s++) {{
{declarations}
        {project}({arguments});
{results}
    }}
}}
"""

_BUILD_LIB = """\
#!/bin/sh
# Builds the C simulation; the library finds its weights beside itself, so the folder can be moved.
set -e
cd "$(dirname "$0")"
mkdir -p csim
${CXX:-g++} -std=c++17 -O1 -fPIC -shared -fno-gnu-unique -w -Ifirmware/ap_types -Ifirmware gatewright_csim.cpp \\
    -o csim/libgatewright_csim.so -ldl
"""
