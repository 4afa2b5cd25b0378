"""The flavor `submit`."""

from __future__ import annotations

from flavors.submit_config import SubmitOrchestratorConfig
from partita.orchestrators import BaseOrchestrator, BaseOrchestratorFlavor, Supply


class SubmitOrchestratorFlavor(BaseOrchestratorFlavor):
    """Hands a pipeline to a shell in the background, and does not wait for it."""

    @property
    def name(self) -> str:
        """What components say after `--flavor`."""
        return "submit"

    @property
    def config_class(self) -> type[SubmitOrchestratorConfig]:
        """The class of components' configurations; it says that nobody waits."""
        return SubmitOrchestratorConfig

    @property
    def supply(self) -> Supply:
        """No engine drives its runs."""
        return Supply(images=False, delegates=True)

    @property
    def implementation_class(self) -> type[BaseOrchestrator]:
        """The class that does the work."""
        from flavors.submit_orchestrator import SubmitOrchestrator

        return SubmitOrchestrator
