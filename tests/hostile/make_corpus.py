"""Hostile and broken models, each with what has to be said about it: ``python -m tests.hostile.make_corpus FOLDER``.

Every case is a folder of its own, so that a file outside it is a file outside the model's folder. The cases stand in
``tests/hostile/cases``, one file a kind of harm.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.hostile.case import MAKERS, Case

# Imported for what they register.
from tests.hostile.cases import files, operators, shapes, structure, tensors  # noqa: F401

__all__ = ["Case", "make_corpus"]


def make_corpus(folder: Path) -> list[Case]:
    """Write all cases below ``folder``, which must not exist, and list them."""
    cases = []
    folder.mkdir(parents=True)
    (folder / "secret.bin").write_bytes(bytes(64))
    for name, exit_code, code, places, make in MAKERS:
        own = folder / name
        own.mkdir()
        path = own / "model.onnx"
        content = make(own)
        if content is not None:
            data = content if isinstance(content, bytes) else content.SerializeToString()
            path.write_bytes(data)
        cases.append(Case(name, path, exit_code, code, places or (str(path),)))
    return cases


if __name__ == "__main__":
    for made in make_corpus(Path(sys.argv[1])):
        print(made.exit_code, made.code, made.path)
