"""The flavor `boxes`."""

from __future__ import annotations

from flavors.boxes_config import BoxesOrchestratorConfig
from partita.orchestrators import BaseOrchestrator, BaseOrchestratorFlavor, Supply


class BoxesOrchestratorFlavor(BaseOrchestratorFlavor):
    """Builds an image with the whole project, and runs each step in a container of it."""

    @property
    def name(self) -> str:
        """What components say after `--flavor`."""
        return "boxes"

    @property
    def config_class(self) -> type[BoxesOrchestratorConfig]:
        """The class of components' configurations."""
        return BoxesOrchestratorConfig

    @property
    def supply(self) -> Supply:
        """Containers are kept to their memory; steps go on that need nothing of one that failed."""
        return Supply(memory="any", continues=True)

    @property
    def implementation_class(self) -> type[BaseOrchestrator]:
        """The class that does the work."""
        from flavors.boxes_orchestrator import BoxesOrchestrator

        return BoxesOrchestrator
