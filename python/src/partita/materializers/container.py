"""Stores collections of values that are not plain, each part in its own format (`container`)."""

from __future__ import annotations

from typing import Any

from partita.materializers.tree import TreeMaterializer


class ContainerMaterializer(TreeMaterializer):
    """Stores lists, tuples, named tuples, dicts, sets and deques of anything."""

    FORMAT = "container"

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns the number of items."""
        return {"length": len(data)}
