"""Reading the model file: looked at before it is opened, opened before it is read, read no further than announced."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gatewright.compiler.errors import FrontendError, LimitError
from gatewright.compiler.frontend.limits import Limits

__all__ = ["read_model_bytes"]


def read_model_bytes(path: Path, limits: Limits) -> bytes:
    """The content of the model file.

    Raises:
        FrontendError: GW1001 missing, GW1002 no regular file, GW1003 unreadable, GW1004 empty, GW1005 changed.
        LimitError: GW6001 when it is larger than ``limits.file_bytes``.
    """
    place = str(path)
    try:
        # Looked at first: opening a pipe blocks and opening a device may act.
        _check(place, path.stat(), limits)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            _check(place, status, limits)
            content = _read(descriptor, status.st_size + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise FrontendError("GW1001", place, "there is no such file", "check the path for a typing error") from None
    except PermissionError:
        raise FrontendError("GW1003", place, "may not be read", f"run `chmod u+r {path.name}` as its owner") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FrontendError("GW1003", place, f"cannot be read: {reason}", "check the path and the disk") from None
    if len(content) != status.st_size:
        raise FrontendError("GW1005", place, "changed while it was read", "wait until the export has finished")
    return content


def _check(place: str, status: os.stat_result, limits: Limits) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise FrontendError("GW1002", place, "is a folder", "name the .onnx file in it")
    if not stat.S_ISREG(status.st_mode):
        raise FrontendError("GW1002", place, "is a device, pipe or socket, not a file", "name an .onnx file")
    if status.st_size == 0:
        raise FrontendError("GW1004", place, "is empty", "export or download the model again")
    if status.st_size > limits.file_bytes:
        raise LimitError(
            "GW6001",
            place,
            f"has {status.st_size} bytes, more than the {limits.file_bytes} allowed",
            "store the weights as external data beside the model (onnx.save with save_as_external_data=True)",
        )


def _read(descriptor: int, size: int) -> bytes:
    """Up to ``size`` bytes."""
    parts = []
    while size > 0 and (part := os.read(descriptor, min(size, 1 << 24))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
