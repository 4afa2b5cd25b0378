"""Takes the values of secrets out of what a step raises and notes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from partita import _native


def clean(error: BaseException, redactor: _native.Redactor) -> bool:
    """Takes values out of an exception and of those that it came of; returns whether none is left.

    Frames keep their variables; nothing that is written shows them.
    """
    import traceback

    for one in _all(error):
        one.args = tuple(_argument(argument, redactor) for argument in one.args)
        notes: list[Any] | None = getattr(one, "__notes__", None)
        if notes is not None:
            notes[:] = [_argument(note, redactor) for note in notes]
    told = "".join(traceback.TracebackException.from_exception(error).format())
    return redactor.text(told) == told


def plain(value: Any, redactor: _native.Redactor) -> Any:
    """Returns plain data without values; what holds one becomes a text."""
    if isinstance(value, dict):
        items: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return {plain(key, redactor): plain(item, redactor) for key, item in items.items()}
    if isinstance(value, (list, tuple)):
        listed: list[Any] = [plain(item, redactor) for item in value]  # pyright: ignore[reportUnknownVariableType]
        return tuple(listed) if isinstance(value, tuple) else listed
    return _argument(value, redactor)


def _argument(value: Any, redactor: _native.Redactor) -> Any:
    text = value if isinstance(value, str) else repr(value)
    told = redactor.text(text.encode("utf-8", "backslashreplace").decode())
    return value if told == text else told


def _all(error: BaseException) -> list[BaseException]:
    """Returns an exception, its causes, and the exceptions that each groups."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and all(one is not known for known in found):
            found.append(one)
            waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return found
