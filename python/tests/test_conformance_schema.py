"""Settings that the conformance suite makes up fit their schema, or do not, as it asks for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from partita.conformance.schema import examples, wrong


class Place(BaseModel):
    zone: str


class Settings(BaseModel):
    """Keys of many kinds, as pydantic writes their schemas."""

    nodes: int = 2
    share: Annotated[float, Field(gt=0, le=1)]
    partition: Literal["short", "long"]
    is_spot: bool
    tags: list[str]
    owner: str | None
    place: Place
    account: Annotated[str, Field(min_length=15)]
    code: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "ABC"


SCHEMA: dict[str, Any] = Settings.model_json_schema()


def of(key: str) -> list[Any]:
    """Returns the examples of a key."""
    return examples(SCHEMA["properties"][key], SCHEMA)


def test_examples_of_every_key_fit() -> None:
    made = {key: of(key)[0] for key in Settings.model_fields}
    Settings.model_validate(made, strict=True)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("nodes", [2, 1]),
        ("share", [0.5]),
        ("partition", ["short", "long"]),
        ("is_spot", [True, False]),
        ("tags", [["conformance"]]),
        ("owner", ["conformance", None]),
        ("place", [{"zone": "conformance"}]),
        ("code", ["ABC"]),
    ],
)
def test_the_default_comes_before_what_is_made_up(key: str, expected: list[Any]) -> None:
    assert of(key)[: len(expected)] == expected


def test_what_only_a_pattern_describes_has_no_example() -> None:
    assert examples({"type": "string", "pattern": "^[A-Z]{3}$"}, {}) == []


@pytest.mark.parametrize("key", Settings.model_fields)
def test_a_value_of_a_wrong_type_does_not_fit(key: str) -> None:
    (value,) = wrong(SCHEMA["properties"][key], SCHEMA)
    with pytest.raises(ValueError, match=key):
        Settings.model_validate(
            {**{name: of(name)[0] for name in SCHEMA["properties"]}, key: value}
        )


def test_where_anything_fits_nothing_is_wrong() -> None:
    assert wrong({}, {}) == []
