"""Stores instances of dataclasses, field by field (format `dataclass`)."""

from __future__ import annotations

import dataclasses
from typing import Any

from partita.materializers.tree import TreeMaterializer


class DataclassMaterializer(TreeMaterializer):
    """Stores a dataclass; fields may hold collections, arrays and further dataclasses."""

    FORMAT = "dataclass"

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns the names of the fields."""
        return {"fields": [field.name for field in dataclasses.fields(data)]}
