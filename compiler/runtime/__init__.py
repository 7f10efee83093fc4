"""The run time: opens an artefact folder and runs it: boundary, target, tail.

Imports neither tvm's compiler nor any tool; a target's library brings what it needs to run.
"""

from gatewright.compiler.runtime.artifact import Artifact, open_artifact

__all__ = ["Artifact", "open_artifact"]
