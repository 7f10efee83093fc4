"""External tensor data, only from inside the model's folder.

Four layers, as ONNX's docs/ExternalDataSecurity.md asks: the location is a plain relative path; every folder on it is
opened relative to the one before and must not be a symbolic link (so there is no moment between check and use); the
file itself must be a regular file with one name (a hard link would let a name inside the folder stand for a file
outside); and offset and length must lie within it. CVE-2022-25882, CVE-2024-27318, CVE-2026-27489, CVE-2026-34446 and
CVE-2026-34447 are what happens without.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath

import onnx

from gatewright.compiler.errors import FrontendError, LimitError
from gatewright.compiler.frontend.limits import Limits

__all__ = ["ExternalData"]

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class ExternalData:
    """Reads the external tensors of one model.

    Attributes:
        folder: the model's folder; nothing outside it is opened.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self._limits = limits
        self._read_bytes = 0

    def read(self, tensor: onnx.TensorProto, place: str, size_bytes: int) -> bytes:
        """The data of ``tensor``, which its type and shape say has ``size_bytes``.

        Raises:
            FrontendError: GW1040 the location leaves the folder, GW1041 no such file, GW1042 bad offset or length.
            LimitError: GW6010 when all external tensors together exceed the limit.
        """
        location, offset, length = _entries(tensor, place)
        if length is not None and length != size_bytes:
            raise _bad_range(place, f"its length is {length} bytes, but its type and shape need {size_bytes}")
        self._read_bytes += size_bytes
        if self._read_bytes > self._limits.external_bytes:
            raise LimitError(
                "GW6010",
                place,
                f"external data adds up to more than the {self._limits.external_bytes} bytes allowed",
                "raise Limits.external_bytes when the model is real",
            )
        parts = _parts(location, place)
        with self._opened(parts, location, place) as descriptor:
            file_bytes = os.fstat(descriptor).st_size
            if offset + size_bytes > file_bytes:
                raise _bad_range(
                    place, f"bytes {offset} to {offset + size_bytes} of {location!r}, which has {file_bytes}"
                )
            content = os.pread(descriptor, size_bytes, offset)
            while len(content) < size_bytes and (
                more := os.pread(descriptor, size_bytes - len(content), offset + len(content))
            ):
                content += more
        if len(content) != size_bytes:
            raise _bad_range(place, f"{location!r} became shorter while it was read")
        return content

    @contextmanager
    def _opened(self, parts: tuple[str, ...], location: str, place: str) -> Iterator[int]:
        """A descriptor of the file, reached step by step from the model's folder."""
        descriptor = -1
        try:
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
            for i, part in enumerate(parts):
                last = i == len(parts) - 1
                inner = os.open(part, _FLAGS | (0 if last else os.O_DIRECTORY), dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            _check_file(os.fstat(descriptor), location, place)
            yield descriptor
        except FileNotFoundError:
            raise FrontendError(
                "GW1041",
                place,
                f"its data file {location!r} is not in the model's folder",
                "put the data file beside the model; both are needed",
            ) from None
        except OSError as error:
            if os.path.islink(self.folder.joinpath(*parts)) or any(  # noqa: PTH114 - must not follow
                p.is_symlink() for p in _prefixes(self.folder, parts)
            ):
                raise _outside(place, f"its location {location!r} passes through a symbolic link") from None
            raise FrontendError(
                "GW1041",
                place,
                f"its data file {location!r} cannot be read: {error.strerror}",
                "check the file's rights",
            ) from None
        finally:
            if descriptor >= 0:
                os.close(descriptor)


def _prefixes(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    for i in range(len(parts)):
        yield folder.joinpath(*parts[: i + 1])


def _entries(tensor: onnx.TensorProto, place: str) -> tuple[str, int, int | None]:
    """Location, offset and length as the tensor states them; checksums and unknown keys say nothing to us."""
    stated: dict[str, str] = {}
    for entry in tensor.external_data:
        if entry.key in stated:
            raise _bad_range(place, f"{entry.key!r} is stated twice")
        stated[entry.key] = entry.value
    numbers = []
    for key in ("offset", "length"):
        text = stated.get(key, "0")
        # isdecimal alone takes digits of every script; 18 digits are below 2^63.
        if not (text.isascii() and text.isdecimal() and len(text) <= 18):
            raise _bad_range(place, f"its {key} {text[:40]!r} is no byte count")
        numbers.append(int(text))
    return stated.get("location", ""), numbers[0], numbers[1] if "length" in stated else None


def _parts(location: str, place: str) -> tuple[str, ...]:
    """The location's path components, none of which can leave the folder."""
    windows = PureWindowsPath(location)
    if not location or "\0" in location:
        raise _outside(place, f"its location {location[:80]!r} is no file name")
    if location.startswith("/") or windows.drive or windows.root:
        raise _outside(place, f"its location {location[:200]!r} is an absolute path")
    parts = tuple(part for part in location.replace("\\", "/").split("/") if part not in ("", "."))
    if ".." in parts or not parts:
        raise _outside(place, f"its location {location[:200]!r} leaves the model's folder")
    return parts


def _check_file(status: os.stat_result, location: str, place: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _outside(place, f"its location {location!r} is not a regular file")
    if status.st_nlink != 1:
        raise _outside(
            place, f"its data file {location!r} has {status.st_nlink} names (hard links), one may be outside"
        )


def _outside(place: str, reason: str) -> FrontendError:
    return FrontendError(
        "GW1040",
        place,
        reason + "; external data is read from inside the model's folder only",
        "do not trust this file unless you know its origin",
        "copy the data file beside the model and save it again with a plain file name as location",
    )


def _bad_range(place: str, reason: str) -> FrontendError:
    return FrontendError(
        "GW1042", place, f"external data: {reason}", "export the model and its data file together again"
    )
