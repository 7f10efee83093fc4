"""One sweep from the inputs to the outputs that leaves a graph TVM's importer takes.

Each node is, in this order: expanded (a function, a constant branch), folded, rewritten, or kept with its types
inferred. What a rewrite makes is swept again. Unsupported nodes are collected and reported in one error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gatewright.compiler.errors import FrontendError, GatewrightError, GraphError, LimitError
from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.frontend import expand
from gatewright.compiler.frontend.arity import check_declaration
from gatewright.compiler.frontend.draft import Draft, Node
from gatewright.compiler.frontend.folding import fold
from gatewright.compiler.frontend.infer import infer, schema_of
from gatewright.compiler.frontend.limits import Limits
from gatewright.compiler.frontend.operators import SUPPORTED, check_constants, definition, refusal, takes
from gatewright.compiler.frontend.rewrites import REWRITES
from gatewright.compiler.frontend.scope import Scope, UnsupportedError
from gatewright.compiler.frontend.structure import reads
from gatewright.compiler.frontend.tensors import Array

__all__ = ["Normal", "sweep"]

# A rewrite makes few nodes out of one; a hundred times the limit can only be a rewrite that feeds itself.
_STEPS_PER_NODE = 100


@dataclass(frozen=True)
class Normal:
    """A normalised graph.

    Attributes:
        inputs: as in the draft.
        outputs: specs under the names of the file.
        results: name of the tensor that is each output.
        nodes: in executable order, unique names.
        constants: those that nodes or results read.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    results: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, Array]


class _Sweep:
    def __init__(self, draft: Draft, limits: Limits) -> None:
        self.scope = Scope(draft.inputs, draft.constants, draft.functions, limits, draft.narrow)
        self.scope.taken.update(name for node in draft.nodes for name in node.outputs)
        for node in draft.nodes:
            for name in reads(node):
                self.scope.readers.setdefault(name, set()).add(node.op)
        for name in draft.outputs:
            self.scope.readers.setdefault(name, set()).add("")
        self.queue = deque(draft.nodes)
        self.findings: list[GatewrightError] = []
        self.unknown: set[str] = set()
        self.steps = 0

    def run(self) -> None:
        while self.queue:
            self.steps += 1
            node = self.queue.popleft()
            if (
                self.steps > _STEPS_PER_NODE * self.scope.limits.nodes
                or len(self.scope.nodes) > self.scope.limits.nodes
            ):
                raise LimitError(
                    "GW6003",
                    node.where(),
                    f"expanding functions makes more than {self.scope.limits.nodes} nodes",
                    "split the model, or raise Limits.nodes",
                )
            node = replace(node, inputs=tuple(self.scope.resolve(name) for name in node.inputs))
            try:
                self.step(node)
            except UnsupportedError as error:
                self.finding(node, error)

    def step(self, node: Node) -> None:
        self.check(node)
        if any(name in self.unknown for name in node.inputs):
            # Behind an unsupported node nothing has a shape; report what is unsupported by name alone.
            refused = None if self.named(node) else refusal(node)
            self.unknown.update(name for name in node.outputs if name)
            if refused is not None:
                raise refused
            return
        replacement = self.expanded(node)
        if replacement is None and (made := fold(node, self.scope)) is not None:
            self.scope.constants.update(made)
            return
        if replacement is None:
            replacement = self.rewritten(node)
        if replacement is None and not takes(node):
            function = definition(node, self.scope)
            if function is None:
                raise refusal(node)
            replacement = expand.call(node, function, self.scope)
        if replacement is not None:
            self.queue.extendleft(reversed(replacement))
            return
        self.keep(node)

    def check(self, node: Node) -> None:
        """ONNX's own operators are held against their declaration before anything reads them."""
        if not node.domain and expand.key_of(node) not in self.scope.functions:
            schema = schema_of(node)
            if schema is not None:
                check_declaration(node, schema)

    def named(self, node: Node) -> bool:
        """Whether the operator is known, whatever its shapes."""
        return (
            (not node.domain and node.op in SUPPORTED)
            or (node.domain, node.op) in REWRITES
            or expand.key_of(node) in self.scope.functions
            or node.op == "If"
        )

    def expanded(self, node: Node) -> Sequence[Node] | None:
        if (function := self.scope.functions.get(expand.key_of(node))) is not None:
            return expand.call(node, function, self.scope)
        if node.op == "If" and not node.domain:
            return expand.branch(node, self.scope)
        if node.op == "Identity" and not node.domain:
            self.scope.aliases[node.outputs[0]] = node.inputs[0]
            return ()
        return None

    def rewritten(self, node: Node) -> Sequence[Node] | None:
        try:
            for rewrite in REWRITES.get((node.domain, node.op), ()):
                if (replacement := rewrite(node, self.scope)) is not None:
                    return replacement
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # Ranks, lengths or values no operator has: ONNX's own inference finds better words, where it looks.
            if not node.domain:
                infer(node, self.scope)
            raise FrontendError(
                "GW1024", node.where(), f"does not follow the operator's definition: {error}", "export the model again"
            ) from error
        return None

    def keep(self, node: Node) -> None:
        check_constants(node, self.scope)
        self.scope.specs.update(infer(node, self.scope))
        self.scope.nodes.append(node)
        self.scope.makers.update((name, node) for name in node.outputs if name)

    def finding(self, node: Node, error: UnsupportedError) -> None:
        self.findings.append(GraphError("GW2100", node.where(), error.reason, *error.actions))
        self.unknown.update(name for name in node.outputs if name)


def sweep(draft: Draft, limits: Limits) -> Normal:
    """Normalise ``draft``; its nodes are in executable order.

    Raises:
        GraphError: GW2100 unsupported operators, all of them.
        FrontendError: GW1024, GW1025, GW1060: a node that contradicts its operator's definition.
        LimitError: GW6003 nodes, GW6005 a tensor.
    """
    expand.check_calls(draft.nodes, draft.functions, limits)
    work = _Sweep(draft, limits)
    work.run()
    if work.findings:
        raise _report(work.findings, draft.place)
    scope = work.scope
    results = tuple(scope.resolve(name) for name in draft.outputs)
    outputs = tuple(replace(scope.spec(result), name=name) for name, result in zip(draft.outputs, results, strict=True))
    return _trimmed(draft, scope, outputs, results)


def _trimmed(draft: Draft, scope: Scope, outputs: tuple[TensorSpec, ...], results: tuple[str, ...]) -> Normal:
    """Without nodes and constants that no output needs; node names made unique."""
    needed = set(results)
    kept: list[Node] = []
    for node in reversed(scope.nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    names: dict[str, int] = {}
    nodes = []
    for node in reversed(kept):
        count = names[node.name] = names.get(node.name, 0) + 1
        nodes.append(node if count == 1 else replace(node, name=f"{node.name}#{count}"))
    constants = {name: value for name, value in scope.constants.items() if name in needed}
    return Normal(draft.inputs, outputs, results, tuple(nodes), constants)


def _report(findings: list[GatewrightError], place: str) -> GatewrightError:
    if len(findings) == 1:
        return findings[0]
    return GraphError(
        "GW2100",
        place,
        f"{len(findings)} nodes cannot be imported",
        *dict.fromkeys(action for finding in findings for action in finding.actions),
        findings=findings,
    )
