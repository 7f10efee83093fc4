"""The order of the passes, and :func:`simplify` that runs them checked."""

from __future__ import annotations

from dataclasses import replace

import tvm
import tvm_ffi
from tvm import ir, relax

from gatewright.compiler.model import ImportedModel
from gatewright.compiler.passes.canonicalize import Canonicalize
from gatewright.compiler.passes.decompose_batch_norm import DecomposeBatchNorm
from gatewright.compiler.passes.eliminate_common_subexpressions import EliminateCommonSubexpressions
from gatewright.compiler.passes.eliminate_identities import EliminateIdentities
from gatewright.compiler.passes.fold_constants import FoldConstants
from gatewright.compiler.passes.fold_pads import FoldPads
from gatewright.compiler.passes.fold_scales import FoldScales
from gatewright.compiler.passes.fold_transposes import FoldTransposes
from gatewright.compiler.passes.recognize_activations import RecognizeActivations
from gatewright.compiler.passes.record import PassRecord
from gatewright.compiler.passes.sink_transposes import SinkTransposes
from gatewright.compiler.passes.structure import count_nodes, verify
from gatewright.compiler.passes.validation import compare, outputs, sample_inputs

__all__ = ["ROUND_LIMIT", "one_round", "simplify"]

ROUND_LIMIT = 10
"""Rounds after which a graph that still changes is taken as it is; real models settle in three."""


def one_round(*, rounds_values: bool) -> tvm.transform.Sequential:
    """The passes once, in order. Folding stands before sinking: a transpose between a scale and its layer would hide
    one from the other.

    Args:
        rounds_values: the model rounds somewhere (``quantize``, ``round``, ...).
    """
    return tvm.transform.Sequential(
        [
            FoldConstants(),
            EliminateIdentities(),
            Canonicalize(keep_divisions=rounds_values),
            DecomposeBatchNorm(),
            FoldScales(),
            FoldPads(),
            RecognizeActivations(),
            SinkTransposes(),
            FoldTransposes(),
            EliminateCommonSubexpressions(),
        ],
        name="simplify",
    )


def simplify(
    model: ImportedModel, *, validate: bool = False, seed: int = 0
) -> tuple[ImportedModel, tuple[PassRecord, ...]]:
    """Run all passes until nothing changes.

    Args:
        model: as imported.
        validate: also execute the model before and after every pass that changed it.
        seed: of the validation inputs.

    Returns:
        The simplified model and one record a pass run.

    Raises:
        GraphError: GW2010 when a structural rule is broken, GW2011 when a pass changed what the model computes; both
            name the pass.
    """
    verify(model.module, "import")
    inputs = sample_inputs(model.inputs, seed) if validate else {}
    expected = outputs(model, inputs) if validate else {}
    records: list[PassRecord] = []
    sequence = one_round(rounds_values=_rounds_values(model.module))
    for _ in range(ROUND_LIMIT):
        changed = False
        for step in sequence.passes:
            before, name = model.module, step.info.name
            after = step(before)
            modified = not after.same_as(before) and not tvm_ffi.structural_equal(before, after)
            error = None
            if modified:
                changed = True
                verify(after, name)
                model = replace(model, module=after)
                if validate:
                    found = outputs(model, inputs)
                    error = compare(expected, found, name)
                    expected = found
            records.append(PassRecord(name, modified, count_nodes(before), count_nodes(after), error))
        if not changed:
            break
    return model, tuple(records)


_ROUNDING = frozenset("relax." + op for op in ("quantize", "round", "floor", "ceil", "trunc", "sign"))


def _rounds_values(module: ir.IRModule) -> bool:
    return any(
        isinstance(binding.value, relax.Call)
        and isinstance(binding.value.op, ir.Op)
        and binding.value.op.name in _ROUNDING
        for block in module["main"].body.blocks
        for binding in block.bindings
    )
