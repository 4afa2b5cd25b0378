"""What any entrypoint is given: options, each with a value."""

from __future__ import annotations

from partita.errors import PartitaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

ENTRYPOINT_CONFIG_SOURCE_OPTION = "entrypoint_config_source"
DEPLOYMENT_ID_OPTION = "deployment_id"
ITEM_OPTION = "item"

#: The values of options in the process of an orchestrator that goes through the steps of a run.
running: dict[str, str] = {}


class OptionError(PartitaError):
    """The options of an entrypoint are not those it takes."""


class BaseEntrypointConfiguration:
    """What is run in another place, and how it is told what to do there.

    Attributes:
        entrypoint_args: The value of each option.
    """

    def __init__(self, arguments: list[str]) -> None:
        """Reads the arguments.

        Raises:
            PartitaError: They are not what the options ask for.
        """
        self.entrypoint_args = _read(arguments, required(self.get_entrypoint_options()))

    @classmethod
    def get_entrypoint_command(cls) -> list[str]:
        """Returns the command that the arguments follow."""
        return ["python", "-m", "partita.entrypoints.entrypoint"]

    @classmethod
    def get_entrypoint_options(cls) -> set[str] | dict[str, bool]:
        """Returns the names of the options: a set if all are required, else whether each is."""
        return {ENTRYPOINT_CONFIG_SOURCE_OPTION, DEPLOYMENT_ID_OPTION}

    @classmethod
    def get_entrypoint_arguments(cls, **kwargs: Any) -> list[str]:
        """Returns the arguments that follow the command.

        Args:
            **kwargs: The values of options; `deployment_id` is that of the run where an
                orchestrator runs one.

        Raises:
            PartitaError: One of them is missing.
        """
        source = [f"--{ENTRYPOINT_CONFIG_SOURCE_OPTION}", f"{cls.__module__}.{cls.__qualname__}"]
        return source + cls.arguments((DEPLOYMENT_ID_OPTION,), {**running, **given(kwargs)})

    @classmethod
    def arguments(cls, names: Iterable[str], values: Mapping[str, Any]) -> list[str]:
        """Returns the arguments that give options their values.

        Raises:
            PartitaError: One has none.
        """
        missing = [name for name in names if name not in values]
        if missing:
            raise PartitaError(
                f"`{cls.__qualname__}.get_entrypoint_arguments` needs `{'`, `'.join(missing)}`; "
                "pass them by name."
            )
        return [word for name in names for word in _pair(name, str(values[name]))]

    def run(self) -> None:
        """Does what it is there for."""
        raise NotImplementedError


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values that are not `None`."""
    return {name: value for name, value in values.items() if value is not None}


def required(names: set[str] | Mapping[str, bool]) -> dict[str, bool]:
    """Returns whether each option is required, those of a set in alphabetical order.

    `item` may be left out wherever a class does not say otherwise, so that a set of required names
    stays one.
    """
    known = dict.fromkeys(sorted(names), True) if isinstance(names, set) else dict(names)
    return {**known, ITEM_OPTION: known.get(ITEM_OPTION, False)}


def _read(arguments: list[str], options: Mapping[str, bool]) -> dict[str, str]:
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


def _pair(name: str, value: str) -> list[str]:
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
