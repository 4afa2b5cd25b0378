"""Stores plain values: numbers, texts, bytes, and collections of them (format `json`)."""

from __future__ import annotations

from partita.materializers.errors import Unsuitable
from partita.materializers.inline import InlineMaterializer, encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class JsonMaterializer(InlineMaterializer):
    """Stores `None bool int float str bytes` and `list tuple dict set frozenset` of them."""

    FORMAT = "json"

    @classmethod
    def accepts(cls, data: Any) -> bool:
        """Says whether every part of the value has exactly one of the format's types."""
        try:
            encoded(data)
        except Unsuitable:
            return False
        return True

    def encode(self, data: Any) -> Any:
        """Returns the value itself."""
        return data

    def decode(self, value: Any, data_type: Any) -> Any:
        """Returns the value itself."""
        return value

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns the length of a collection or a text."""
        return {"length": len(data)} if hasattr(data, "__len__") else {}
