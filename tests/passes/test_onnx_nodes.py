"""ONNX's own test of every operator, through front end, passes and interpreter."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.compiler.errors import GatewrightError
from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.floatgraph.text import load, save
from gatewright.compiler.frontend import import_model
from gatewright.compiler.passes.pipeline import simplify

_EXPLAINED = {
    "test_averagepool_2d_ceil_last_window_starts_on_pad": "its expected values are rounded to four digits",
}


def _cases() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        yield from collect_testcases(None)


def _is_plain(value: Any) -> bool:
    return hasattr(value, "dtype") and (value.dtype in (np.float32, bool) or value.dtype.kind in "iu")


@pytest.mark.slow
def test_every_operator_that_imports_computes_what_onnx_says(tmp_path: Path) -> None:
    """Rejections are the front end's business; what it lets in is computed right, before and after the passes."""
    right = 0
    wrong: list[str] = []
    for case in _cases():
        if "_expanded" in case.name or "_attention_" in case.name or "_cast" in case.name:
            continue  # many, slow, and made of operators the others test
        inputs, outputs = case.data_sets[0]
        if not all(_is_plain(x) for x in [*inputs, *outputs]):
            continue  # sequences; half precision: no tolerance fits all of them
        path = tmp_path / "model.onnx"
        path.write_bytes(case.model.SerializeToString())
        try:
            model = import_model(path)
        except GatewrightError:
            continue
        named = dict(zip((value.name for value in case.model.graph.input), inputs, strict=False))
        feed = {spec.name: named[spec.name] for spec in model.inputs}
        try:
            simplified, _ = simplify(model)
        except GatewrightError as error:
            assert error.code == "GW2010" and "no NumPy form" in error.reason, (case.name, error)
            continue  # three-dimensional images
        before, after = (execute(load(*save(read(m))), feed) for m in (model, simplified))
        for spec, expected in zip(model.outputs, outputs, strict=True):
            for found in (before[spec.name], after[spec.name]):
                same = found.shape == expected.shape and found.dtype == expected.dtype
                # 1e-4: the expected values were computed in float32 too, some through long chains
                if not same or not np.allclose(found, expected, 1e-4, 1e-5, equal_nan=True):
                    wrong.append(case.name)
        right += 1
    assert set(wrong) <= set(_EXPLAINED)
    assert right > 500
