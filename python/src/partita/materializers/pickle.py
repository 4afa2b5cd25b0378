"""Stores anything else, as the last resort (format `pickle`).

Pickles run code when they are read, so they are refused from stores that the user does not trust,
and they may not be readable with other versions of the author's code or of Python. Writing one
therefore warns, once for each type.
"""

from __future__ import annotations

import importlib
import os
import pickle
import warnings
from typing import Any

from partita.materializers.base import BaseMaterializer
from partita.materializers.classes import kind_of, name_of
from partita.materializers.errors import MaterializeError, PickleWarning

_PROTOCOL = 5
_FILE = "data.pickle"
_warned: set[str] = set()


class PickleMaterializer(BaseMaterializer):
    """Stores values of any type with `cloudpickle` where it is installed, else with `pickle`."""

    FORMAT = "pickle"
    USES_PICKLE = True

    def save(self, data: Any) -> None:
        """Writes the value to `data.pickle` and warns about its type once."""
        dump(data, os.path.join(self.uri, _FILE))
        self._warn(name_of(kind_of(data)))

    def load(self, data_type: Any) -> Any:
        """Reads the value from `data.pickle`, which runs whatever code it holds."""
        with open(os.path.join(self.uri, _FILE), "rb") as file:
            return pickle.load(file)  # noqa: S301 - the registry has checked that it is trusted

    def _warn(self, type_name: str) -> None:
        if type_name in _warned:
            return
        _warned.add(type_name)
        because = f" ({self.refusal})" if self.refusal else ""
        file, line = self.place or ("sys", 1)
        warnings.warn_explicit(
            f"a value of type `{type_name}` is stored as a pickle, since no open format holds "
            f"it{because}: it may not load with other versions of your code. Return plain data, a "
            f"dataclass or an array, or write a `BaseMaterializer` for it",
            PickleWarning,
            file,
            line,
        )


def dump(data: Any, path: str) -> None:
    """Pickles a value into a file.

    Raises:
        MaterializeError: The value, or a part of it, cannot be pickled.
    """
    try:
        write: Any = importlib.import_module("cloudpickle").dump
    except ImportError:
        write = pickle.dump
        hint = "install `cloudpickle`, which stores functions and classes of any kind, "
    else:
        hint = ""
    try:
        with open(path, "wb") as file:
            write(data, file, protocol=_PROTOCOL)
    except OSError:
        raise
    except Exception as error:
        reason = str(error).rstrip(".")
        raise MaterializeError(
            f"a value of type `{name_of(kind_of(data))}` cannot be stored: {reason}. Return the "
            f"data it holds instead (a list, an array, a path), {hint}or write a "
            f"`BaseMaterializer` for it"
        ) from error
