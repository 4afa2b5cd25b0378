"""Stores numpy arrays and scalars as npy files (formats `npy` and `npy/scalar`).

Never with pickles inside, neither written nor read: arrays of objects go on to the pickle format,
which asks for trust.
"""

from __future__ import annotations

import os
from typing import Any, get_args, get_origin

import numpy as np

from partita.materializers import classes
from partita.materializers.base import BaseMaterializer
from partita.materializers.errors import Unsuitable

_FILE = "data.npy"
_MAX_HEADER = 1 << 20
"""Bytes of header that are read, enough for tens of thousands of named fields."""


class ArrayMaterializer(BaseMaterializer):
    """Stores an `ndarray`; shape, dtype, byte order and memory order stay."""

    FORMAT = "npy"

    def save(self, data: np.ndarray[Any, Any]) -> None:
        """Writes the array to `data.npy`."""
        if type(data) not in (np.ndarray, np.memmap):
            raise Unsuitable("it is of a subclass of `ndarray`, which would be lost")
        _write(self.uri, data)

    def load(self, data_type: Any) -> Any:
        """Reads the array from `data.npy` into its own memory; as a list if that is asked for."""
        array = _read(self.uri)
        return array.tolist() if _is_list_of_numbers(data_type) else array

    def extract_metadata(self, data: np.ndarray[Any, Any]) -> dict[str, Any]:
        """Returns the shape, the dtype and the bytes."""
        return {"shape": list(data.shape), "dtype": str(data.dtype), "bytes": data.nbytes}


class ScalarMaterializer(BaseMaterializer):
    """Stores a numpy scalar, and loads it as the same scalar type."""

    FORMAT = "npy/scalar"

    def save(self, data: Any) -> None:
        """Writes the scalar to `data.npy` as an array of no dimensions."""
        array: np.ndarray[Any, Any] = np.asarray(data)
        if classes.kind_of(array[()]) is not classes.kind_of(data):
            raise Unsuitable("it is of a subclass of a numpy scalar, which would be lost")
        _write(self.uri, array)

    def load(self, data_type: Any) -> Any:
        """Reads the scalar from `data.npy`."""
        return _read(self.uri)[()]

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns the dtype and the value as text."""
        return {"dtype": str(data.dtype), "value": str(data)}


def _write(directory: str, array: np.ndarray[Any, Any]) -> None:
    if array.dtype.hasobject:
        raise Unsuitable(f"its dtype `{array.dtype}` holds Python objects")
    if array.dtype.names and len(repr(array.dtype.descr)) > _MAX_HEADER // 2:
        raise Unsuitable("its dtype has too many fields")
    if array.dtype != np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(array.dtype)):
        raise Unsuitable(f"npy has no name for its dtype `{array.dtype}`")
    np.save(os.path.join(directory, _FILE), array, allow_pickle=False)


def _read(directory: str) -> np.ndarray[Any, Any]:
    path = os.path.join(directory, _FILE)
    return np.load(path, allow_pickle=False, max_header_size=_MAX_HEADER)


def _is_list_of_numbers(data_type: Any) -> bool:
    """Returns whether this is `list[float]` or the like, and no list of arrays."""
    if get_origin(data_type) is not list:
        return False
    (item,) = get_args(data_type)
    return item in (bool, int, float, complex) or _is_list_of_numbers(item)
