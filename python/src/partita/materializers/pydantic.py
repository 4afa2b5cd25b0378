"""Stores pydantic models as the JSON that they themselves write (format `pydantic`).

What a model writes is not always what it can read (aliases, excluded and private fields, NaN), so
the text is read back once before it counts; a model that comes back different goes on to pickle.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from partita.materializers import classes
from partita.materializers.errors import Unsuitable
from partita.materializers.inline import InlineMaterializer


class PydanticMaterializer(InlineMaterializer):
    """Stores a model with `model_dump_json` and reads it with `model_validate_json`."""

    FORMAT = "pydantic"

    def encode(self, data: BaseModel) -> str:
        """Returns the model's JSON, under its fields' aliases if it is read by these."""
        for by_alias in (True, False):
            text = _dump(data, by_alias=by_alias)
            if _reads_back(data, text):
                return text
        raise Unsuitable("the model reads its own JSON as something else")

    def decode(self, value: Any, data_type: Any) -> BaseModel:
        """Returns the model of the reader's class, validated."""
        kind = classes.find(
            self.type_name,
            data_type=data_type,
            is_right=lambda kind: issubclass(kind, BaseModel) and kind is not BaseModel,
            sort="pydantic model",
        )
        return kind.model_validate_json(value)

    def extract_metadata(self, data: BaseModel) -> dict[str, Any]:
        """Returns the names of the fields."""
        return {"fields": list(type(data).model_fields)}


def _dump(data: BaseModel, *, by_alias: bool) -> str:
    try:
        return data.model_dump_json(by_alias=by_alias, round_trip=True, warnings=False)
    except Exception as error:
        # A field's own serializer may raise anything.
        raise Unsuitable(f"the model cannot be written as JSON: {error}") from None


def _reads_back(data: BaseModel, text: str) -> bool:
    try:
        return bool(type(data).model_validate_json(text) == data)
    except Exception:
        # Validators and comparisons are the author's; whatever they raise, it is not the same.
        return False
