"""Which processor a library is compiled for."""

from __future__ import annotations

import difflib
import platform

from gatewright.compiler.errors import UsageError

__all__ = ["resolve"]

# What `cpu` without a variant means: an artefact can be moved, so it must not need the build machine's processor.
# x86-64-v2 (SSE4.2) brings the 32-bit integer multiplication that plain x86-64 lacks,
# and every processor since 2009 has it.
_BASELINE = {"x86_64": "x86-64-v2", "AMD64": "x86-64-v2"}


def resolve(variant: str) -> str:
    """The LLVM processor name of a variant: ``""`` is the architecture's baseline, ``native`` this machine's own.

    Raises:
        UsageError: GW0210 when LLVM does not know the processor.
    """
    if not variant:
        return _BASELINE.get(platform.machine(), "generic")
    from tvm.target import Target, codegen

    if variant == "native":
        return str(codegen.llvm_get_system_cpu())
    known = sorted(str(name) for name in codegen.llvm_get_cpu_archlist(Target("llvm")))
    if variant not in known:
        close = difflib.get_close_matches(variant.lower(), known, n=3)
        raise UsageError(
            "GW0210", f"target 'cpu:{variant}'", f"LLVM knows no processor {variant!r} for {platform.machine()}",
            *(f"did you mean 'cpu:{name}'?" for name in close),
            "use 'cpu' (any machine of this architecture) or 'cpu:native' (this machine)",
        )  # fmt: skip
    return variant
