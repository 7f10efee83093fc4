"""ONNX's own node tests: whatever is imported computes what ONNX says; whatever is not is refused in words.

Each case runs as it is, and with all inputs but the first made constants, as models have axes, shapes and weights.
"""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from gatewright.compiler.errors import GatewrightError, GraphError
from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.frontend import import_model


@pytest.fixture(scope="module")
def cases() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        return [case for case in collect_testcases(None) if _arrays(case)]


def _arrays(case: Any) -> bool:
    """Sequences and optionals are Python lists and None; they are refused at the input."""
    return all(isinstance(a, np.ndarray | np.generic) for ins, outs in case.data_sets for a in (*ins, *outs))


def _bound(case: Any) -> tuple[onnx.ModelProto, list[str]] | None:
    names = [value.name for value in case.model.graph.input]
    if len(names) < 2 or len(case.data_sets) != 1:
        return None
    model = copy.deepcopy(case.model)
    for name, array in list(zip(names, case.data_sets[0][0], strict=True))[1:]:
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    return model, names


def _models(cases: list[Any], bound: bool) -> Iterator[tuple[Any, onnx.ModelProto]]:
    for case in cases:
        if not bound:
            yield case, case.model
        elif (found := _bound(case)) is not None:
            yield case, found[0]


@pytest.mark.slow
@pytest.mark.parametrize(("bound", "least"), [(False, 1000), (True, 900)])
def test_node_cases(cases: list[Any], bound: bool, least: int, tmp_path: Path) -> None:
    """``least`` is below what onnx 1.23 gives (1071 and 985), so that another version of onnx passes too."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for case, model in _models(cases, bound):
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        try:
            problem = _compare(case, path)
        except GatewrightError as error:
            assert error.actions, case.name
            counts["refused"] += 1
            # The importer's own refusals come late and say little: known ones only.
            if error.code == "GW1090" and "celu_float16" not in case.name:
                wrong.append(f"{case.name}: {error}")
            continue
        counts["equal" if problem is None else "different"] += 1
        if problem is not None:
            wrong.append(f"{case.name}: {problem}")
    assert not wrong, "\n".join(wrong)
    assert counts["equal"] >= least, counts


def _compare(case: Any, path: Path) -> str | None:
    imported = import_model(path)
    try:
        graph = read(imported)
    except GraphError as error:
        return str(error)
    names = [value.name for value in case.model.graph.input]
    for inputs, outputs in case.data_sets:
        given = dict(zip(names, map(np.asarray, inputs), strict=True))
        results = execute(graph, {spec.name: given[spec.name] for spec in imported.inputs})
        for spec, wanted in zip(imported.outputs, map(np.asarray, outputs), strict=True):
            got = results[spec.name]
            if (got.shape, got.dtype) != (wanted.shape, wanted.dtype):
                return f"{got.dtype}{list(got.shape)}, not {wanted.dtype}{list(wanted.shape)}"
            # ONNX's own bounds, but no tighter than sums in another order; float16 has 11 bits.
            relative, absolute = (max(case.rtol, 1e-4), 1e-5) if wanted.dtype != np.float16 else (1e-2, 1e-2)
            if wanted.dtype.kind == "f":
                if not np.allclose(got, wanted, relative, absolute, equal_nan=True):
                    return f"differs by {np.nanmax(np.abs(got.astype(float) - wanted.astype(float)))}"
            elif not np.array_equal(got, wanted):
                return "integers differ"
    return None
