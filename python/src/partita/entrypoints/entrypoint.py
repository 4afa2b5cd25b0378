"""Runs one step: `python -m partita.entrypoints.entrypoint --entrypoint_config_source …`."""

from __future__ import annotations

import os
import sys

from partita import loader, source_root
from partita.entrypoints.attempt import BUG, FAILED, leave
from partita.entrypoints.base_entrypoint_configuration import (
    ENTRYPOINT_CONFIG_SOURCE_OPTION,
    OptionError,
)
from partita.entrypoints.step_entrypoint_configuration import StepEntrypointConfiguration
from partita.errors import PartitaError
from partita.telling import tell
from partita.termination import end_like_others

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

USAGE, CANCELLED = 2, 130


def main(arguments: list[str]) -> int:
    """Runs one step; returns the exit code."""
    from partita import _native

    try:
        configuration_class(arguments)(arguments).run()
    except OptionError as error:
        tell(f"error: {error}")
        return USAGE
    except PartitaError as error:
        tell(f"error: {error}")
        return FAILED
    except KeyboardInterrupt:
        return CANCELLED
    except _native.PanicException:
        return BUG  # The panic has told of itself.
    return 0


def configuration_class(arguments: list[str]) -> type[StepEntrypointConfiguration]:
    """Returns the class that the arguments name.

    Raises:
        OptionError: They name none.
        PartitaError: It cannot be loaded, or is no such class.
    """
    source = _source(arguments)
    module_name, _, name = source.rpartition(".")
    if not module_name:
        raise OptionError(
            f"`--{ENTRYPOINT_CONFIG_SOURCE_OPTION}` is the dotted path of a class, such as "
            f"`partita.entrypoints.StepEntrypointConfiguration`, not `{source}`."
        )
    loader.put_first(source_root.find(os.getcwd()))
    module = loader.import_module(module_name, source)
    found = vars(module).get(name)
    if not isinstance(found, type) or not issubclass(found, StepEntrypointConfiguration):
        raise PartitaError(
            f"`{source}` is no subclass of `StepEntrypointConfiguration`; check the path."
        )
    return found


def _source(arguments: list[str]) -> str:
    """Returns the value of the one option that says which the others are."""
    option = f"--{ENTRYPOINT_CONFIG_SOURCE_OPTION}"
    for index, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == option:
            value = value or next(iter(arguments[index + 1 :]), "")
            if value:
                return value
    raise OptionError(
        f"`{option}` is missing; it names the class that runs the step, such as "
        "`partita.entrypoints.StepEntrypointConfiguration`."
    )


def _code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as error:
        if not isinstance(error.code, int):  # Python itself says what it is.
            raise
        return error.code


def start() -> NoReturn:
    """Runs the step that the arguments of this process name, and ends the process."""
    end_like_others()
    if sys.path[:1] == [""]:  # After `-c`; as `-m` has it, it stays where the process began.
        sys.path[0] = os.getcwd()
    leave(_code(sys.argv[1:]))


if __name__ == "__main__":
    start()
