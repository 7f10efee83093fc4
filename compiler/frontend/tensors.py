"""TensorProto to NumPy, with sizes checked before memory is taken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from gatewright.compiler.errors import FrontendError, LimitError
from gatewright.compiler.frontend.external import ExternalData
from gatewright.compiler.frontend.limits import Limits

__all__ = ["DTYPES", "Array", "TensorReader", "dtype_name"]

Array = npt.NDArray[Any]

# Element types the compiler knows. 4-bit and smaller integers arrive as 8-bit arrays of the same values.
DTYPES: Mapping[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.FLOAT16: "float16",
    TensorProto.INT8: "int8",
    TensorProto.INT16: "int16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.UINT8: "uint8",
    TensorProto.UINT16: "uint16",
    TensorProto.UINT32: "uint32",
    TensorProto.UINT64: "uint64",
    TensorProto.BOOL: "bool",
}
# Packed types: bits per element, and the type their values are kept in.
_PACKED: Mapping[int, tuple[int, str]] = {
    TensorProto.INT4: (4, "int8"),
    TensorProto.UINT4: (4, "uint8"),
    **{
        getattr(TensorProto, name): (2, kept)
        for name, kept in (("INT2", "int8"), ("UINT2", "uint8"))
        if hasattr(TensorProto, name)
    },
}
# The typed field that holds the values when raw_data is not used, by element type.
_FIELDS: Mapping[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
}


def dtype_name(element_type: int) -> str | None:
    """NumPy name of an ONNX element type as this compiler keeps it, or None when it is not supported."""
    if element_type in _PACKED:
        return _PACKED[element_type][1]
    return DTYPES.get(element_type)


def _type_text(element_type: int) -> str:
    try:
        return str(TensorProto.DataType.Name(element_type))
    except ValueError:
        return f"number {element_type}"


class TensorReader:
    """Decodes the tensors of one model and keeps account of their size."""

    def __init__(self, external: ExternalData, limits: Limits) -> None:
        self._external = external
        self._limits = limits
        self._total_bytes = 0

    def read(self, tensor: TensorProto, place: str) -> Array:
        """``tensor`` as a read-only array.

        Raises:
            FrontendError: GW1030 its data does not fit type and shape, GW1031 its type is not supported, and what
                :class:`ExternalData` raises.
            LimitError: GW6005 size, GW6006 size of all, GW6007 rank.
        """
        name = dtype_name(tensor.data_type)
        if name is None:
            raise FrontendError(
                "GW1031",
                place,
                f"has element type {_type_text(tensor.data_type)}, which is not supported",
                "convert the tensor to float32 or an integer type",
            )
        dtype = np.dtype(name)
        shape = tuple(int(d) for d in tensor.dims)
        if any(d < 0 for d in shape):
            raise self._broken(place, f"a negative dimension in its shape {list(shape)}")
        self._account(place, self._limits.check_tensor(place, shape, dtype.itemsize))
        array = self._values(tensor, place, shape, dtype).reshape(shape)
        array.flags.writeable = False
        return array

    def _values(self, tensor: TensorProto, place: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        count = math.prod(shape)
        packed = _PACKED.get(tensor.data_type)
        raw_bytes = count * dtype.itemsize if packed is None else (count * packed[0] + 7) // 8
        if tensor.data_location == TensorProto.EXTERNAL:
            raw = self._external.read(tensor, place, raw_bytes)
        elif tensor.HasField("raw_data") or count == 0:
            raw = tensor.raw_data
        else:
            return self._typed(tensor, place, count, dtype)
        if len(raw) != raw_bytes:
            raise self._broken(place, f"{len(raw)} bytes of data where type and shape {list(shape)} need {raw_bytes}")
        if packed is None:
            values: Array = np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype, copy=False)
            return values
        return _unpack(np.frombuffer(raw, np.uint8), packed[0], count, dtype)

    def _typed(self, tensor: TensorProto, place: str, count: int, dtype: np.dtype[Any]) -> Array:
        """Values from ``float_data`` and its kin."""
        field = getattr(tensor, _FIELDS.get(tensor.data_type, "int32_data"))
        packed = _PACKED.get(tensor.data_type)
        needed = count if packed is None else (count * packed[0] + 7) // 8
        if len(field) != needed:
            raise self._broken(place, f"{len(field)} values where its shape needs {needed}")
        if packed is not None:
            return _unpack(np.array(field, np.int64).astype(np.uint8), packed[0], count, dtype)
        if dtype == np.float16:
            return np.array(field, np.int64).astype(np.uint16).view(np.float16)
        values = np.array(field)
        if dtype.kind in "iub" and values.size and not _fits(values, dtype):
            raise self._broken(place, f"a value that is no {dtype}")
        return values.astype(dtype)

    def _account(self, place: str, size_bytes: int) -> None:
        self._total_bytes += size_bytes
        if self._total_bytes > self._limits.total_bytes:
            raise LimitError(
                "GW6006",
                place,
                f"with it the tensors add up to more than the {self._limits.total_bytes} bytes allowed",
                "raise Limits.total_bytes when the model is real",
            )

    @staticmethod
    def _broken(place: str, reason: str) -> FrontendError:
        return FrontendError("GW1030", place, f"its data is damaged: {reason}", "export or download the model again")


def _fits(values: Array, dtype: np.dtype[Any]) -> bool:
    low, high = (0, 1) if dtype == np.bool_ else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return bool(int(values.min()) >= low and int(values.max()) <= high)


def _unpack(data: npt.NDArray[np.uint8], bits: int, count: int, dtype: np.dtype[Any]) -> Array:
    """Elements of ``bits`` bits, the first in the low bits of a byte, widened to ``dtype``."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    values = ((data[:, None] >> shifts) & ((1 << bits) - 1)).reshape(-1)[:count].astype(np.int16)
    if dtype.kind == "i":
        values = np.where(values >= 1 << (bits - 1), values - (1 << bits), values)
    return values.astype(dtype)
