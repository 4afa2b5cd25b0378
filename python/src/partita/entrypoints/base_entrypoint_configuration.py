"""What any entrypoint is given: options, each with a value."""

from __future__ import annotations

from partita.entrypoints import options
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
        self.entrypoint_args = options.read(arguments, required(self.get_entrypoint_options()))

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
        return [word for name in names for word in options.pair(name, str(values[name]))]

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
