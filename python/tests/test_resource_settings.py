"""Resources that steps ask for, as orchestrators read them."""

from __future__ import annotations

import pytest

from partita import ResourceSettings


@pytest.mark.parametrize(
    ("memory", "unit", "expected"),
    [
        ("1.5GB", "GB", 1.5),
        ("1.5GB", "MB", 1500.0),
        ("2GiB", "KiB", 2_097_152.0),
        ("512MiB", "GiB", 0.5),
        (None, "GB", None),
    ],
)
def test_memory_is_read_in_any_unit(memory: str | None, unit: str, expected: float | None) -> None:
    assert ResourceSettings(memory=memory).get_memory(unit) == expected


@pytest.mark.parametrize(("memory", "unit"), [("1GB", "gigs"), ("lots", "GB")])
def test_what_is_no_amount_is_refused(memory: str, unit: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory"):
        ResourceSettings(memory=memory).get_memory(unit)
