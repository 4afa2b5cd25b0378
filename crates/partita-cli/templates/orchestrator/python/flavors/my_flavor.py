"""The flavor `my-flavor`. It is loaded when it is registered, and imports no implementation."""

from __future__ import annotations

from flavors.my_flavor_config import MyFlavorOrchestratorConfig
from partita.orchestrators import BaseOrchestrator, BaseOrchestratorFlavor, Supply


class MyFlavorOrchestratorFlavor(BaseOrchestratorFlavor):
    """Runs every step as a process of its own, a few at once."""

    @property
    def name(self) -> str:
        """What components say after `--flavor`."""
        return "my-flavor"

    @property
    def config_class(self) -> type[MyFlavorOrchestratorConfig]:
        """The class of components' configurations."""
        return MyFlavorOrchestratorConfig

    @property
    def supply(self) -> Supply:
        """What steps may ask for; what is not claimed is refused before anything runs."""
        return Supply(max_parallelism=4, memory="any")

    @property
    def implementation_class(self) -> type[BaseOrchestrator]:
        """The class that does the work; only a run imports it."""
        from flavors.my_flavor_orchestrator import MyFlavorOrchestrator

        return MyFlavorOrchestrator
