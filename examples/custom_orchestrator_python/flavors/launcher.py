"""The flavor `jobs`."""

from __future__ import annotations

from partita.orchestrators import BaseOrchestrator, BaseOrchestratorFlavor, Supply


class JobsOrchestratorFlavor(BaseOrchestratorFlavor):
    """Runs every step as a job of its own, four at once at most."""

    @property
    def name(self) -> str:
        """What components say after `--flavor`."""
        return "jobs"

    @property
    def supply(self) -> Supply:
        """What steps may ask for; what is not claimed is refused before anything runs."""
        return Supply(max_parallelism=4, memory="any")

    @property
    def implementation_class(self) -> type[BaseOrchestrator]:
        """The class that does the work."""
        from flavors.launcher_orchestrator import JobsOrchestrator

        return JobsOrchestrator
