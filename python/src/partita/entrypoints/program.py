"""A step that a program in Rust enters by itself."""

from __future__ import annotations

import os
from functools import partial

from partita.entrypoints.attempt import FAILED
from partita.entrypoints.step_entrypoint_configuration import StepEntrypointConfiguration
from partita.entrypoints.supervised import supervised
from partita.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

    from partita.entrypoints.attempt import Terms


def command(program: str, options: Mapping[str, Any]) -> list[str]:
    """Returns the command by which a program enters a step, given the options of an entrypoint."""
    arguments = StepEntrypointConfiguration.get_entrypoint_arguments(**options)
    return [program, "entrypoint", *arguments]


def enter(program: str, options: Mapping[str, Any], terms: Terms) -> int:
    """Has a program run a step, in a process that ends with this one; returns its exit code.

    Raises:
        SystemExit: SIGTERM ended it.
        KeyboardInterrupt: Ctrl-C did.
    """
    code, _ = supervised(partial(_become, command(program, options), terms.environment()), None)
    return code


def _become(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    try:
        os.execve(command[0], command, {**os.environ, **environment})
    except OSError as error:
        tell(f"error: `{command[0]}` cannot be started: {error.strerror}")
        raise SystemExit(FAILED) from None
