"""Reads the options of an entrypoint: each has a value, and none is passed over."""

from __future__ import annotations

from partita.errors import PartitaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class OptionError(PartitaError):
    """The options of an entrypoint are not those it takes."""


def read(arguments: list[str], options: Mapping[str, bool]) -> dict[str, str]:
    """Returns the value of each option, from `--name VALUE` or `--name=VALUE`.

    Args:
        arguments: What follows the command.
        options: The options that there are, and whether each is required.

    Raises:
        OptionError: One is unknown, missing, given twice or without a value; all are named.
    """
    values: dict[str, str] = {}
    problems: list[str] = []
    left = list(arguments)
    while left:
        argument = left.pop(0)
        name, has_value, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or name not in options:
            problems.append(_unknown(argument, options))
            if argument.startswith("--") and not has_value and left and not _is_one(left[0]):
                del left[0]  # The value of the option that nobody knows.
            continue
        if not has_value:
            if not left or (left[0].removeprefix("--") in options and _is_one(left[0])):
                problems.append(f"`--{name}` has no value")
                continue
            value = left.pop(0)
        if name in values:
            problems.append(f"`--{name}` is given twice")
        values[name] = value
    mentioned = " ".join(problems)
    problems += [
        f"`--{name}` is missing"
        for name, required in options.items()
        if required and name not in values and f"`--{name}`" not in mentioned
    ]
    if problems:
        known = "`, `".join(f"--{name}" for name in options)
        raise OptionError(f"{'; '.join(problems)}. This entrypoint takes `{known}`.")
    return values


def pair(name: str, value: str) -> list[str]:
    """Returns the arguments that give an option this value, also one that looks like an option."""
    return [f"--{name}={value}"] if _is_one(value) else [f"--{name}", value]


def _is_one(argument: str) -> bool:
    return argument.startswith("--")


def _unknown(argument: str, options: Mapping[str, bool]) -> str:
    import difflib

    shown = argument.partition("=")[0]
    near = difflib.get_close_matches(shown.lstrip("-"), options, n=1)
    hint = f"; did you mean `--{near[0]}`?" if near else ""
    return f"`{shown}` is no option of it{hint}"
