"""The road of a model, stage by stage: file -> Relax -> simplified -> float graph -> integer graph -> targets.

The command line and tests walk it through these functions; each stage imports what it needs when it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gatewright.compiler.errors import GatewrightError
from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.model import ImportedModel, QuantizedModel

if TYPE_CHECKING:
    from gatewright.compiler.passes.record import PassRecord
    from gatewright.compiler.quantize.options import QuantizeOptions
    from gatewright.targets.base import BuildPlan, Estimate, Finding, Target

__all__ = [
    "Prepared",
    "Request",
    "Silent",
    "Steps",
    "TargetResult",
    "build_target",
    "plan_target",
    "prepare",
    "simplified",
    "with_measured",
]


class Steps(Protocol):
    """Hears which stage runs."""

    def step(self, title: str) -> AbstractContextManager[None]:
        """A stage, as a context."""
        ...


class Silent:
    """Steps nobody hears."""

    def step(self, title: str) -> AbstractContextManager[None]:
        """A stage, as a context."""
        return nullcontext()


@dataclass(frozen=True)
class Request:
    """What to compile, and how.

    Attributes:
        model: the ONNX file.
        input_shapes: shapes of inputs with symbolic dimensions, by input name.
        validate_passes: compare the model before and after every pass.
        options: of the quantizer; None compiles the float graph.
        calibration: ``.npz`` with representative inputs, or None.
        seed: of everything random.
    """

    model: Path
    input_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    validate_passes: bool = False
    options: QuantizeOptions | None = None
    calibration: Path | None = None
    seed: int = 0


@dataclass(frozen=True)
class Prepared:
    """A model ready for targets.

    Attributes:
        model: integer graph, tail and float graph.
        inputs: names, shapes and types as the ONNX file declares them.
        outputs: the same.
        facts: of the ONNX file.
        passes: what every pass did.
    """

    model: QuantizedModel
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    facts: Mapping[str, object] = field(default_factory=dict)
    passes: tuple[PassRecord, ...] = ()


@dataclass
class TargetResult:
    """What became of one target.

    Attributes:
        name: full target name.
        findings: what its check said.
        plan, estimate: None where planning failed.
        error: the error that ended it, or None.
    """

    name: str
    findings: list[Finding] = field(default_factory=list)
    plan: BuildPlan | None = None
    estimate: Estimate | None = None
    error: GatewrightError | None = None


def simplified(request: Request, steps: Steps) -> tuple[ImportedModel, tuple[PassRecord, ...]]:
    """Read the model file and run the passes.

    Raises:
        FrontendError, GraphError, LimitError, UsageError: the file or a shape cannot be used.
    """
    from gatewright.compiler.frontend import import_model

    with steps.step("import"):
        imported = import_model(request.model, input_shapes=request.input_shapes)
    with steps.step("passes"):
        from gatewright.compiler.passes.pipeline import simplify

        return simplify(imported, validate=request.validate_passes, seed=request.seed)


def prepare(request: Request, steps: Steps, *, made_up_ranges: bool = False) -> Prepared:
    """Read, simplify and, unless ``request.options`` is None, quantize.

    Args:
        request: what to compile.
        steps: hears which stage runs.
        made_up_ranges: calibrate with noise where the request has no data: shows what a target says about a model's
            structure, and nothing else.

    Raises:
        GatewrightError: of the stage that refuses.
    """
    imported, records = simplified(request, steps)
    if request.options is None:
        from gatewright.compiler.floatgraph.from_relax import read

        with steps.step("float graph"):
            graph = read(imported)
        model = QuantizedModel(imported.name, imported.module, graph, None, None, imported.facts)
        return Prepared(model, imported.inputs, imported.outputs, imported.facts, records)
    calibration = None
    if request.calibration is not None:
        from gatewright.compiler.samples import read_samples

        with steps.step("calibration data"):
            calibration = read_samples(request.calibration, imported.inputs).stacked()
    elif made_up_ranges:
        from gatewright.compiler.samples import noise

        calibration = noise(imported.inputs, request.seed).stacked()
    with steps.step("quantize"):
        from gatewright.compiler.quantize.driver import quantize

        model = quantize(imported, calibration, request.options)
    return Prepared(model, imported.inputs, imported.outputs, imported.facts, records)


def plan_target(target: Target, model: QuantizedModel, settings: Mapping[str, Any], steps: Steps) -> TargetResult:
    """Check, plan and estimate one target; a user error ends in the result, not in the caller."""
    result = TargetResult(str(target.name))
    try:
        with steps.step(f"plan {target.name}"):
            result.findings = target.check(model)
            refused(result.name, result.findings)
            result.plan = target.plan(model, settings)
            result.estimate = target.estimate(result.plan)
    except GatewrightError as error:
        result.error = error
    return result


def build_target(target: Target, result: TargetResult, directory: Path, steps: Steps) -> None:
    """Build a planned target into ``directory``, which does not exist yet; after a user error it does not either."""
    import shutil

    if result.plan is None:
        return
    directory.mkdir()
    try:
        with steps.step(f"build {target.name}"):
            target.build(result.plan, directory)
        if result.estimate is not None:
            result.estimate = with_measured(result.estimate, target.measured(directory))
    except GatewrightError as error:
        shutil.rmtree(directory)
        result.error = error


def with_measured(estimate: Estimate, measured: Mapping[str, float]) -> Estimate:
    """``estimate`` with what tools measured, by the name of the total, beside its totals."""
    totals = {
        name: replace(figure, measured=measured[name]) if name in measured else figure
        for name, figure in estimate.totals.items()
    }
    return replace(estimate, totals=totals)


def refused(name: str, findings: Sequence[Finding]) -> None:
    """Turn the errors among a check's findings into one error that lists them all.

    Raises:
        TargetError: GW4000 when there is an error among them.
    """
    from gatewright.compiler.errors import TargetError

    errors = [
        TargetError(finding.code, finding.place, finding.reason, *finding.actions)
        for finding in findings
        if finding.severity == "error"
    ]
    if len(errors) == 1:
        (only,) = errors
        raise TargetError(only.code, f"{name}: {only.place}", only.reason, *only.actions)
    if errors:
        actions = dict.fromkeys(action for error in errors for action in error.actions)
        raise TargetError("GW4000", name, f"{len(errors)} layers cannot be placed", *actions, findings=errors)
