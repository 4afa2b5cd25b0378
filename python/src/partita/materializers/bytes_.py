"""Stores long texts and bytes as they are, not wrapped in JSON (formats `text` and `bytes`)."""

from __future__ import annotations

from partita.materializers import files
from partita.materializers.base import BaseMaterializer
from partita.materializers.errors import Unsuitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class BytesMaterializer(BaseMaterializer):
    """Stores `bytes` as the file `data.bin`."""

    FORMAT = "bytes"

    def save(self, data: bytes) -> None:
        """Writes the bytes to `data.bin`."""
        files.write(self.uri, "data.bin", data)

    def load(self, data_type: Any) -> bytes:
        """Reads the bytes from `data.bin`."""
        return files.read(self.uri, "data.bin")

    def extract_metadata(self, data: bytes) -> dict[str, Any]:
        """Returns the number of bytes."""
        return {"length": len(data)}


class TextMaterializer(BaseMaterializer):
    """Stores `str` as the UTF-8 file `data.txt`."""

    FORMAT = "text"

    @classmethod
    def accepts(cls, data: str) -> bool:
        """Says whether UTF-8 can say the text; it has no lone surrogates."""
        try:
            data.encode()
        except UnicodeEncodeError:
            return False
        return True

    def save(self, data: str) -> None:
        """Writes the text to `data.txt`, line ends as they are."""
        try:
            encoded = data.encode()
        except UnicodeEncodeError:
            raise Unsuitable("it holds half of a surrogate pair, which UTF-8 cannot say") from None
        files.write(self.uri, "data.txt", encoded)

    def load(self, data_type: Any) -> str:
        """Reads the text from `data.txt`."""
        return files.read(self.uri, "data.txt").decode()

    def extract_metadata(self, data: str) -> dict[str, Any]:
        """Returns the number of characters and lines."""
        return {"length": len(data), "lines": data.count("\n") + 1}
