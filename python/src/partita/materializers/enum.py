"""Stores members of enumerations by name (format `enum`)."""

from __future__ import annotations

import enum
from typing import Any

from partita.materializers import classes
from partita.materializers.errors import MaterializeError
from partita.materializers.inline import InlineMaterializer


class EnumMaterializer(InlineMaterializer):
    """Stores a member as its name, and a combination of flags as its number."""

    FORMAT = "enum"

    def encode(self, data: enum.Enum) -> dict[str, Any]:
        """Returns the member's name, or the number of a combination that has none."""
        if data.name in type(data).__members__:
            return {"name": data.name}
        return {"flags": data.value}

    def decode(self, value: Any, data_type: Any) -> enum.Enum:
        """Returns the member of the reader's class."""
        kind = classes.find(
            self.type_name,
            data_type=data_type,
            is_right=lambda kind: issubclass(kind, enum.Enum),
            sort="enumeration",
        )
        if "flags" in value:
            return kind(value["flags"])
        if value["name"] not in kind.__members__:
            raise MaterializeError(
                f"the enumeration `{classes.name_of(kind)}` has no member `{value['name']}`, "
                f"which was stored: add it, or run the step that made the value again"
            )
        return kind.__members__[value["name"]]
