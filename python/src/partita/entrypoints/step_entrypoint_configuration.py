"""What a step entrypoint is given, and what it does with it."""

from __future__ import annotations

from partita import _native
from partita.capture import tell
from partita.entrypoints import options
from partita.entrypoints.attempt import FAILED, Terms, attempt, print_lines
from partita.errors import PartitaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ENTRYPOINT_CONFIG_SOURCE_OPTION = "entrypoint_config_source"
ARTIFACT_STORE_OPTION = "artifact_store"
DEPLOYMENT_ID_OPTION = "deployment_id"
RUN_ID_OPTION = "run_id"
STEP_NAME_OPTION = "step_name"
ATTEMPT_OPTION = "attempt"
ITEM_OPTION = "item"

#: What `attempt` is where the backend retries by itself: the next number that nobody has.
AUTO = "auto"


class StepEntrypointConfiguration:
    """Runs one step of a run; the base of what an orchestrator needs besides.

    A subclass may add options, each with its argument, override `post_run`, or do something before
    and after `run`. It is found again by its dotted path.

    Attributes:
        entrypoint_args: The value of each option.

    Example:
        >>> class Queued(StepEntrypointConfiguration):
        ...     @classmethod
        ...     def get_entrypoint_options(cls):
        ...         return super().get_entrypoint_options() | {"queue"}
        ...
        ...     @classmethod
        ...     def get_entrypoint_arguments(cls, **kwargs):
        ...         return super().get_entrypoint_arguments(**kwargs) + ["--queue", kwargs["queue"]]
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
        """Returns the names of the options: a set if all are required, else whether each is.

        The option `item` is known besides: it is given for items of mapped steps alone.
        """
        return {
            ENTRYPOINT_CONFIG_SOURCE_OPTION,
            ARTIFACT_STORE_OPTION,
            DEPLOYMENT_ID_OPTION,
            RUN_ID_OPTION,
            STEP_NAME_OPTION,
            ATTEMPT_OPTION,
        }

    @classmethod
    def get_entrypoint_arguments(cls, **kwargs: Any) -> list[str]:
        """Returns the arguments that run one attempt.

        Args:
            **kwargs: `artifact_store` (a URI), `deployment_id`, `run_id`, `step_name`, and
                `attempt`: its number, or `"auto"`, the default, for the next one; `item` for one
                item of a mapped step.

        Raises:
            PartitaError: One of them is missing.
        """
        values = {ATTEMPT_OPTION: AUTO, **kwargs}
        names = (
            ARTIFACT_STORE_OPTION,
            DEPLOYMENT_ID_OPTION,
            RUN_ID_OPTION,
            STEP_NAME_OPTION,
            ATTEMPT_OPTION,
        )
        missing = [name for name in names if values.get(name) is None]
        if missing:
            raise PartitaError(
                f"`{cls.__qualname__}.get_entrypoint_arguments` needs `{'`, `'.join(missing)}`; "
                "pass them by name."
            )
        arguments = [f"--{ENTRYPOINT_CONFIG_SOURCE_OPTION}", f"{cls.__module__}.{cls.__qualname__}"]
        for name in names:
            arguments += options.pair(name, str(values[name]))
        if values.get(ITEM_OPTION) is not None:
            arguments += options.pair(ITEM_OPTION, str(values[ITEM_OPTION]))
        return arguments

    def run(self) -> None:
        """Runs the step unless it is done, and then `post_run`.

        Raises:
            PartitaError: The step cannot be begun.
            SystemExit: It failed.
            KeyboardInterrupt: It was interrupted.
        """
        given, terms = self.entrypoint_args, Terms.from_environment()
        terms.apply()
        if terms.is_recorded:
            print_lines()
        run = _native.RunEntry(
            given[ARTIFACT_STORE_OPTION], given[DEPLOYMENT_ID_OPTION], given[RUN_ID_OPTION]
        )
        entry = run.step_named(given[STEP_NAME_OPTION], _item(given.get(ITEM_OPTION)))
        ended, failure = attempt(entry, _number(given[ATTEMPT_OPTION]), terms)
        if failure is not None:
            if not terms.is_recorded:
                message, traceback = failure
                if traceback:
                    tell(traceback.rstrip())
                tell(f"error: step `{entry.step_name}` failed: {message}")
            raise SystemExit(FAILED)
        if ended != "completed":
            why = "committed already" if ended == "committed" else "cached"
            tell(f"step `{entry.step_name}` is {why}")
        self.post_run(entry.pipeline_name, entry.step_name)

    def post_run(self, pipeline_name: str, step_name: str) -> None:
        """Does what has to be done in this place after the step; nothing unless overridden."""


def required(names: set[str] | Mapping[str, bool]) -> dict[str, bool]:
    """Returns whether each option is required, those of a set in alphabetical order.

    `item` may be left out wherever a class does not say otherwise, so that a set of required names
    stays one.
    """
    known = dict.fromkeys(sorted(names), True) if isinstance(names, set) else dict(names)
    return {**known, ITEM_OPTION: known.get(ITEM_OPTION, False)}


def _item(item: str | None) -> int | None:
    if item is None:
        return None
    if item.isascii() and item.isdigit() and int(item) < 1 << 32:
        return int(item)
    raise options.OptionError(f"`--{ITEM_OPTION}` is a number from 0, not `{item}`.")


def _number(attempt: str) -> int | None:
    if attempt == AUTO:
        return None
    if attempt.isascii() and attempt.isdigit() and 0 < int(attempt) < 1 << 32:
        return int(attempt)
    raise options.OptionError(
        f"`--{ATTEMPT_OPTION}` is a number from 1, or `{AUTO}` for the next one, not `{attempt}`."
    )
