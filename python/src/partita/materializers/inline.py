"""The base of materializers whose values are one small plain value in disguise.

They write `data.json` when the value stands alone; inside a collection or a dataclass that small
value is written in place, so that a list of ten thousand dates is one file.
"""

from __future__ import annotations

from partita import _native
from partita.materializers import files
from partita.materializers.base import BaseMaterializer
from partita.materializers.errors import Unsuitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILE = "data.json"


class InlineMaterializer(BaseMaterializer):
    """Stores values as plain values that the `json` format holds."""

    def encode(self, data: Any) -> Any:
        """Returns the plain value that stands for `data`."""
        raise NotImplementedError

    def decode(self, value: Any, data_type: Any) -> Any:
        """Returns the value that a plain value stands for."""
        raise NotImplementedError

    def save(self, data: Any) -> None:
        """Writes the value to `data.json`."""
        files.write(self.uri, FILE, encoded(self.encode(data)))

    def load(self, data_type: Any) -> Any:
        """Reads the value from `data.json`."""
        return self.decode(_native.decode_value(files.read(self.uri, FILE)), data_type)


def encoded(value: Any) -> bytes:
    """Returns the bytes of a plain value in the `json` format.

    Raises:
        Unsuitable: The format cannot hold it.
    """
    try:
        data = _native.encode_value(value)
    except ValueError as error:
        raise Unsuitable(str(error)) from None
    if data is None:
        raise Unsuitable("some part of it is nothing that the `json` format knows")
    return data
