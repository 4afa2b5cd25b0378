"""What a step entrypoint is given, and what it does with it."""

from __future__ import annotations

from partita import _native
from partita.entrypoints.attempt import FAILED, Attempt, Terms, print_lines, tell_end
from partita.entrypoints.base_entrypoint_configuration import (
    DEPLOYMENT_ID_OPTION,
    ITEM_OPTION,
    BaseEntrypointConfiguration,
    OptionError,
    given,
    running,
)
from partita.entrypoints.loading import use_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ARTIFACT_STORE_OPTION = "artifact_store"
RUN_ID_OPTION = "run_id"
STEP_NAME_OPTION = "step_name"
ATTEMPT_OPTION = "attempt"

#: What `attempt` is where no engine counts: the next number that nobody has.
AUTO = "auto"


class StepEntrypointConfiguration(BaseEntrypointConfiguration):
    """Runs one step of a run; the base of what an orchestrator needs besides.

    A subclass may add options, each with its argument, override `post_run`, or do something before
    and after `run`. It is found again by its dotted path.

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

    @classmethod
    def get_entrypoint_options(cls) -> set[str] | dict[str, bool]:
        """Returns the names of the options: a set if all are required, else whether each is.

        The option `item` is known besides: it is given for items of mapped steps alone.
        """
        return {
            *super().get_entrypoint_options(),
            ARTIFACT_STORE_OPTION,
            RUN_ID_OPTION,
            STEP_NAME_OPTION,
            ATTEMPT_OPTION,
        }

    @classmethod
    def get_entrypoint_arguments(cls, **kwargs: Any) -> list[str]:
        """Returns the arguments that run a step.

        Args:
            **kwargs: `step_name`; `deployment_id`, `artifact_store` (a URI) and `run_id`, which are
                those of the run where an orchestrator runs one; `attempt`, a number, or `"auto"`,
                the default, for the next one and its retries; `item` for one item of a mapped step.

        Raises:
            PartitaError: One of them is missing.
        """
        values = {ATTEMPT_OPTION: AUTO, **running, **given(kwargs)}
        names = [ARTIFACT_STORE_OPTION, RUN_ID_OPTION, STEP_NAME_OPTION, ATTEMPT_OPTION]
        if ITEM_OPTION in values:
            names.append(ITEM_OPTION)
        # Asked for together, so that all that are missing are named together.
        own = cls.arguments([DEPLOYMENT_ID_OPTION, *names], values)[2:]
        return super().get_entrypoint_arguments(**values) + own

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
        if terms.code is not None:
            use_code(run, terms.code)
        number = _number(given[ATTEMPT_OPTION])
        entry = run.step_named(given[STEP_NAME_OPTION], _item(given.get(ITEM_OPTION)))
        if entry.program is not None:
            from partita.entrypoints import program

            code = program.enter(entry.program, given, terms)
            if code:
                raise SystemExit(code)
            self.post_run(entry.pipeline_name, entry.step_name)
            return
        if number is None:
            # Imported here, since engines that start steps wait for whatever is imported above.
            from partita.entrypoints import alone

            is_done = alone.run(
                run, entry, terms, lambda: self.post_run(entry.pipeline_name, entry.step_name)
            )
        else:
            ended, failure = Attempt(entry, number, terms).make()
            is_done = tell_end(entry, ended, failure, terms)
            if is_done:
                self.post_run(entry.pipeline_name, entry.step_name)
        if not is_done:
            raise SystemExit(FAILED)

    def post_run(self, pipeline_name: str, step_name: str) -> None:
        """Does what has to be done in this place after the step; nothing unless overridden."""


def _item(item: str | None) -> int | None:
    if item is None:
        return None
    if item.isascii() and item.isdigit() and int(item) < 1 << 32:
        return int(item)
    raise OptionError(f"`--{ITEM_OPTION}` is a number from 0, not `{item}`.")


def _number(attempt: str) -> int | None:
    if attempt == AUTO:
        return None
    if attempt.isascii() and attempt.isdigit() and 0 < int(attempt) < 1 << 32:
        return int(attempt)
    raise OptionError(
        f"`--{ATTEMPT_OPTION}` is a number from 1, or `{AUTO}` for the next one, not `{attempt}`."
    )
