"""Stores plain values as MessagePack (format `msgpack`), where a step asks for it.

Programs in Rust store what is large this way if they say `format = "binary"`.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, cast, get_origin

from partita.materializers.base import BaseMaterializer
from partita.materializers.errors import Unsuitable

# By name: it has no types, and strict type checks would stumble over it.
msgpack: Any = importlib.import_module("msgpack")

_FILE = "data.msgpack"


class MessagePackMaterializer(BaseMaterializer):
    """Stores `None bool int float str bytes`, and lists and dicts of them.

    MessagePack has no tuples, no sets, and no whole numbers of more than 64 bits.

    Example:
        >>> @step(output_materializers=MessagePackMaterializer)
        ... def count(texts: list[str]) -> dict[str, int]: ...
    """

    FORMAT = "msgpack"

    def save(self, data: Any) -> None:
        """Writes the value to `data.msgpack`."""
        try:
            packed = msgpack.packb(data, strict_types=True)
        except (TypeError, ValueError, OverflowError) as error:
            raise Unsuitable(f"MessagePack has no form for it: {error}") from None
        with open(os.path.join(self.uri, _FILE), "wb") as file:
            file.write(packed)

    def load(self, data_type: Any) -> Any:
        """Reads the value from `data.msgpack`; as a tuple if it was one, or is asked for as one."""
        with open(os.path.join(self.uri, _FILE), "rb") as file:
            value: Any = msgpack.unpackb(file.read(), strict_map_key=False)
        is_tuple = tuple in (data_type, get_origin(data_type)) or self._was_tuple()
        return tuple(cast("list[Any]", value)) if is_tuple and type(value) is list else value

    def _was_tuple(self) -> bool:
        # MessagePack does not say, but Rust names the types of tuples by their parentheses.
        return self.type_name.startswith("(")

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns the length of a collection or a text."""
        return {"length": len(data)} if hasattr(data, "__len__") else {}
