"""Stores small values of the standard library as text and numbers (format `standard`).

Each kind is stored by name with the plain values that make it again. Only exact types count: a
subclass (a pandas timestamp is a `datetime`) would come back as something else.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import pathlib
import uuid
from collections.abc import Callable
from typing import Any

from partita.materializers import classes
from partita.materializers.errors import MaterializeError, Unsuitable
from partita.materializers.inline import InlineMaterializer


class StandardMaterializer(InlineMaterializer):
    """Stores dates, times, durations, UUIDs, decimals, fractions, complex numbers and ranges."""

    FORMAT = "standard"

    def encode(self, data: Any) -> list[Any]:
        """Returns the kind and the plain values that make `data` again."""
        kind = classes.kind_of(data)
        if kind.__name__ == "ZoneInfo" or kind is datetime.timezone:
            return ["timezone", _zone_parts(data)]
        for name, (known, parts, _) in _KINDS.items():
            if kind is known:
                return [name, parts(data)]
        raise Unsuitable("it is of a subclass, which would be lost")

    def decode(self, value: Any, data_type: Any) -> Any:
        """Returns the value of a kind and its parts."""
        name, parts = value
        if name not in _KINDS:
            raise MaterializeError(f"the stored kind `{name}` is not known here: upgrade Partita")
        return _KINDS[name][2](parts)


def _zone_parts(zone: datetime.tzinfo | None) -> Any:
    if zone is None:
        return None
    if type(zone) is datetime.timezone:
        offset = zone.utcoffset(None)
        unnamed = datetime.timezone(offset).tzname(None)
        name = zone.tzname(None)
        return ["offset", _timedelta_parts(offset), None if name == unnamed else name]
    key = getattr(zone, "key", None)
    if type(zone).__module__.partition(".")[0] == "zoneinfo" and key:
        return ["zone", key]
    raise Unsuitable(f"its time zone is of type `{type(zone).__qualname__}`")


def _zone(parts: Any) -> datetime.tzinfo | None:
    if parts is None:
        return None
    if parts[0] == "zone":
        import zoneinfo

        return zoneinfo.ZoneInfo(parts[1])
    offset = datetime.timedelta(*parts[1])
    return datetime.timezone(offset) if parts[2] is None else datetime.timezone(offset, parts[2])


def _timedelta_parts(duration: datetime.timedelta) -> list[int]:
    return [duration.days, duration.seconds, duration.microseconds]


def _instant_parts(instant: Any) -> list[Any]:
    return [instant.replace(tzinfo=None).isoformat(), instant.fold, _zone_parts(instant.tzinfo)]


def _datetime(parts: Any) -> datetime.datetime:
    text, fold, zone = parts
    return datetime.datetime.fromisoformat(text).replace(fold=fold, tzinfo=_zone(zone))


def _time(parts: Any) -> datetime.time:
    text, fold, zone = parts
    return datetime.time.fromisoformat(text).replace(fold=fold, tzinfo=_zone(zone))


def _of(make: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda parts: make(*parts)


_Kind = tuple[type, Callable[[Any], Any], Callable[[Any], Any]]
_KINDS: dict[str, _Kind] = {
    "datetime": (datetime.datetime, _instant_parts, _datetime),
    "date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "time": (datetime.time, _instant_parts, _time),
    "timedelta": (datetime.timedelta, _timedelta_parts, _of(datetime.timedelta)),
    "timezone": (datetime.timezone, _zone_parts, _zone),
    "decimal": (decimal.Decimal, str, decimal.Decimal),
    "fraction": (
        fractions.Fraction,
        lambda f: [f.numerator, f.denominator],
        _of(fractions.Fraction),
    ),
    "uuid": (uuid.UUID, str, uuid.UUID),
    "complex": (complex, lambda c: [c.real, c.imag], _of(complex)),
    "range": (range, lambda r: [r.start, r.stop, r.step], _of(range)),
    "bytearray": (bytearray, bytes, bytearray),
    "posix path": (pathlib.PurePosixPath, str, pathlib.PurePosixPath),
    "windows path": (pathlib.PureWindowsPath, str, pathlib.PureWindowsPath),
}
"""Each kind's exact type, how it is taken apart, and how it is made again."""
