"""The one hierarchy of user errors.

Every error a user can meet carries a stable code, a place (node, file or option), the reason and at least one thing
to do about it. Anything else that escapes is a bug in gatewright and ends with exit code 1.

Code ranges (design section 7):

=========  ==============================================  =========
codes      where                                           exit code
=========  ==============================================  =========
GW0xxx     command line and options                        2
GW1xxx     front end: the model file                       3
GW2xxx     graph: passes, structure, unsupported operator  3
GW3xxx     quantization and integer graph                  3
GW4xxx     target: does not fit, cannot be placed          3 or 4
GW5xxx     external tool missing or failed                 6
GW6xxx     limit exceeded                                  7
GW7xxx     verification mismatch                           5
=========  ==============================================  =========
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar

__all__ = [
    "ConstraintError",
    "ExitCode",
    "FrontendError",
    "GatewrightError",
    "GraphError",
    "LimitError",
    "MismatchError",
    "QuantizeError",
    "TargetError",
    "ToolError",
    "UsageError",
    "highest_priority",
]


class ExitCode(IntEnum):
    """Process exit codes of the command line (design section 5)."""

    OK = 0
    BUG = 1
    USAGE = 2
    UNSUPPORTED = 3
    CONSTRAINT = 4
    MISMATCH = 5
    TOOL = 6
    LIMIT = 7
    INTERRUPTED = 130


# From the most to the least urgent: what a command over several targets returns.
_PRIORITY = (
    ExitCode.INTERRUPTED,
    ExitCode.BUG,
    ExitCode.USAGE,
    ExitCode.LIMIT,
    ExitCode.UNSUPPORTED,
    ExitCode.MISMATCH,
    ExitCode.CONSTRAINT,
    ExitCode.TOOL,
    ExitCode.OK,
)


def highest_priority(codes: Sequence[ExitCode]) -> ExitCode:
    """The exit code of a command whose parts ended with ``codes`` (OK when there are none)."""
    return min(codes, key=_PRIORITY.index, default=ExitCode.OK)


class GatewrightError(Exception):
    """A user error: code, place, reason, and what to do.

    Args:
        code: stable identifier, e.g. ``"GW1003"``; its range says which part refused.
        place: the node, file, layer or option the error is about.
        reason: one sentence that says what is wrong.
        actions: things the user can do, at least one.
        findings: the single errors, where several of a kind are reported at once.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(
        self, code: str, place: str, reason: str, *actions: str, findings: Sequence[GatewrightError] = ()
    ) -> None:
        if not actions:
            raise ValueError(f"{code}: a user error names at least one thing to do")
        super().__init__(f"{code} {place}: {reason}")
        self.code = code
        self.place = place
        self.reason = reason
        self.actions = actions
        self.findings = tuple(findings)

    def render(self) -> str:
        """The text a terminal shows: one line for the error, one per finding, one per action."""
        lines = [f"error {self.code}: {self.place}: {self.reason}"]
        lines += [f"  {finding.place}: {finding.reason}" for finding in self.findings]
        return "\n".join([*lines, *(f"  try: {action}" for action in self.actions)])

    def to_json(self) -> dict[str, object]:
        """The form under ``error`` in ``--json`` output."""
        found: dict[str, object] = {"findings": [f.to_json() for f in self.findings]} if self.findings else {}
        return {"code": self.code, "place": self.place, "reason": self.reason, "actions": list(self.actions), **found}


class UsageError(GatewrightError):
    """GW0xxx: a wrong option, file name or combination."""

    exit_code = ExitCode.USAGE


class FrontendError(GatewrightError):
    """GW1xxx: the model file is corrupt, hostile or not understood."""

    exit_code = ExitCode.UNSUPPORTED


class GraphError(GatewrightError):
    """GW2xxx: the graph cannot be simplified, or holds an operator nobody supports."""

    exit_code = ExitCode.UNSUPPORTED


class QuantizeError(GatewrightError):
    """GW3xxx: no exact integer form exists (range, overflow, missing calibration)."""

    exit_code = ExitCode.UNSUPPORTED


class TargetError(GatewrightError):
    """GW4xxx: the target cannot place the graph."""

    exit_code = ExitCode.UNSUPPORTED


class ConstraintError(GatewrightError):
    """GW4xxx: the graph can be placed, but a constraint is missed (does not fit, timing, accuracy budget)."""

    exit_code = ExitCode.CONSTRAINT


class ToolError(GatewrightError):
    """GW5xxx: an external tool is missing or failed."""

    exit_code = ExitCode.TOOL


class LimitError(GatewrightError):
    """GW6xxx: a limit (file size, tensor size, node count, nesting, disk) is exceeded."""

    exit_code = ExitCode.LIMIT


class MismatchError(GatewrightError):
    """GW7xxx: two things that must be byte-equal are not."""

    exit_code = ExitCode.MISMATCH
