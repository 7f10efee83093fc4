"""``gatewright inspect``: what is in a model file or an artefact folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.compiler.cli.options import model_argument, model_options
from gatewright.compiler.cli.output import Outcome, Progress, verb

if TYPE_CHECKING:
    from rich.console import Console

    from gatewright.compiler.floatgraph.graph import FloatGraph

__all__ = ["command"]

_GRAPHS = ("float", "integer", "tail")


@click.command("inspect")
@model_argument
@click.option("--graph", type=click.Choice(_GRAPHS), help="Print this graph as text (of a model: float only).")
@model_options
@verb
def command(model: Path, graph: str | None, progress: Progress, **options: Any) -> Outcome:
    """Show MODEL (an ONNX file or an artefact folder): inputs, outputs, layers, sizes; files and hashes."""
    if model.is_dir():
        return _artifact(model, graph)
    from gatewright.compiler.cli.options import parse_input_shapes
    from gatewright.compiler.errors import UsageError

    if graph not in (None, "float"):
        raise UsageError(
            "GW0017", str(model), f"a model has no {graph} graph", "choose --graph float",
            "or name an artefact folder that 'gatewright quantize -o' wrote",
        )  # fmt: skip
    from gatewright.compiler.driver import Request, simplified
    from gatewright.compiler.floatgraph.from_relax import read
    from gatewright.compiler.floatgraph.text import save

    request = Request(model, parse_input_shapes(options["input_shapes"]), options["validate_passes"])
    imported, _ = simplified(request, progress)
    simple = read(imported)
    row = {
        "model": imported.name,
        "facts": dict(imported.facts),
        "inputs": [{"name": s.name, "shape": s.shape, "dtype": s.dtype} for s in imported.inputs],
        "outputs": [{"name": s.name, "shape": s.shape, "dtype": s.dtype} for s in imported.outputs],
        "parameters": sum(array.size for array in simple.constants.values()),
        "nodes": [{"name": n.name, "op": n.op, "shape": n.shape, "dtype": n.dtype} for n in simple.nodes],
    }
    text = save(simple)[0] if graph == "float" else None
    return Outcome([row if text is None else {**row, "text": text}], lambda console: _show(console, row, simple, text))


def _show(console: Console, row: dict[str, Any], graph: FloatGraph, text: str | None) -> None:
    from rich.table import Table

    if text is not None:
        console.print(text, markup=False, soft_wrap=True, end="")
        return
    console.print(f"{row['model']}: {row['parameters']} parameters, {len(graph.nodes)} operators after simplification")
    for kind in ("inputs", "outputs"):
        for spec in row[kind]:
            console.print(f"  {kind[:-1]} {spec['name']}: {spec['dtype']}{list(spec['shape'])}", markup=False)
    table = Table("name", "operator", "type", box=None, pad_edge=False)
    for node in graph.nodes:
        table.add_row(node.name, node.op, f"{node.dtype}\\{list(node.shape)}")
    console.print(table)


def _artifact(directory: Path, graph: str | None) -> Outcome:
    from gatewright.compiler.artifact.reader import read_manifest
    from gatewright.compiler.artifact.schema import GRAPH_FOLDER
    from gatewright.compiler.errors import UsageError

    manifest = read_manifest(directory)
    row = manifest.model_dump(mode="json")
    text = None
    if graph is not None:
        path = directory / GRAPH_FOLDER / f"{graph}.txt"
        if not path.is_file():
            raise UsageError(
                "GW0017", str(directory), f"holds no {graph} graph", "leave --graph out to see what it holds"
            )
        text = row["text"] = path.read_text(encoding="utf-8")

    def render(console: Console) -> None:
        if text is not None:
            console.print(text, markup=False, soft_wrap=True, end="")
            return
        console.print(f"{manifest.model}: profile {manifest.profile}, made by gatewright {manifest.gatewright}")
        for kind, tensors in (("input", manifest.inputs), ("output", manifest.outputs)):
            for tensor in tensors:
                console.print(f"  {kind} {tensor.name}: {tensor.dtype}{list(tensor.shape)}", markup=False)
        for name, folder in manifest.targets.items():
            count = sum(path.startswith(folder + "/") for path in manifest.files)
            console.print(f"  target {name}: {directory / folder}, {count} files", markup=False)

    return Outcome([row], render)
