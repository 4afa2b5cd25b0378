"""Partita runs machine-learning pipelines on any orchestrator.

Example:
    >>> from partita import pipeline, step
    >>> @step
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> @pipeline
    ... def twice(x: int = 1):
    ...     double(double(x))
    >>> twice(3).status  # doctest: +SKIP
    'completed'
"""

from __future__ import annotations

from partita._native import __version__
from partita.context import get_step_context, log_metadata
from partita.errors import PartitaError, PipelineError, StepFailedError
from partita.pipeline import pipeline
from partita.step import step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from partita.client import Client
    from partita.commands import command_step, input, output  # noqa: A004 - The words for them.
    from partita.materializers import BaseMaterializer
    from partita.programs import Program
    from partita.settings import DockerSettings, ResourceSettings, StepRetryConfig

__all__ = [
    "BaseMaterializer",
    "Client",
    "DockerSettings",
    "PartitaError",
    "PipelineError",
    "Program",
    "ResourceSettings",
    "StepFailedError",
    "StepRetryConfig",
    "__version__",
    "command_step",
    "get_step_context",
    "input",
    "log_metadata",
    "output",
    "pipeline",
    "step",
]


def __getattr__(name: str) -> object:
    """Imports what few scripts need when they ask for it."""
    if name == "Client":
        from partita.client import Client

        return Client
    if name in ("command_step", "input", "output"):
        from partita import commands

        return getattr(commands, name)
    if name == "Program":
        from partita.programs import Program

        return Program
    if name == "BaseMaterializer":
        from partita.materializers import BaseMaterializer

        return BaseMaterializer
    if name in ("DockerSettings", "ResourceSettings", "StepRetryConfig"):
        from partita import settings

        return getattr(settings, name)
    raise AttributeError(f"module `partita` has no attribute `{name}`")
