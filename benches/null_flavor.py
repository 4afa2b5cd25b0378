"""An orchestrator whose jobs have ended when they begin."""

from __future__ import annotations

from partita.orchestrators import Attempt, BaseOrchestrator, BaseOrchestratorFlavor, Resources


class NullOrchestrator(BaseOrchestrator):
    """Starts nothing."""

    def launch(
        self,
        attempt: Attempt,
        command: list[str],
        environment: dict[str, str],
        resources: Resources,
    ) -> str:
        """Returns the attempt's own name."""
        return attempt.id

    def poll(self, job_id: str) -> str:
        """Says that it has ended."""
        return "completed"

    def wait(self, job_id: str) -> str:
        """Says that it has ended."""
        return "completed"

    def cancel(self, job_id: str) -> None:
        """Has nothing to cancel."""


class NullOrchestratorFlavor(BaseOrchestratorFlavor):
    """Starts nothing."""

    @property
    def name(self) -> str:
        """What components say after `--flavor`."""
        return "null"

    @property
    def implementation_class(self) -> type[BaseOrchestrator]:
        """The class that does nothing."""
        return NullOrchestrator
