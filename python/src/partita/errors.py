"""The exceptions that Partita raises, each with one paragraph for the person who can mend it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from partita.client import PipelineRun


class PartitaError(Exception):
    """Something that Partita was asked to do cannot be done; the message says what to do."""


class UnreachableError(PartitaError):
    """A backend, such as an artifact store, is not to be reached."""


class PipelineError(PartitaError):
    """A pipeline is not one that can run; nothing has run."""


class StepFailedError(PartitaError):
    """A step failed, and the run with it.

    `__cause__` is the step's own exception where the step ran in this process.

    Attributes:
        run: The run that failed.
        step_name: The first step that failed.
    """

    def __init__(self, message: str, *, run: PipelineRun, step_name: str) -> None:
        super().__init__(message)
        self.run = run
        self.step_name = step_name
