"""The flavor `remote`. It is loaded when it is registered, and imports no implementation."""

from __future__ import annotations

from flavors.remote_config import RemoteOrchestratorConfig
from partita.orchestrators import BaseOrchestrator, BaseOrchestratorFlavor, Supply


class RemoteOrchestratorFlavor(BaseOrchestratorFlavor):
    """Runs every step through a remote shell."""

    @property
    def name(self) -> str:
        """What components say after `--flavor`."""
        return "remote"

    @property
    def config_class(self) -> type[RemoteOrchestratorConfig]:
        """The class of components' configurations."""
        return RemoteOrchestratorConfig

    @property
    def supply(self) -> Supply:
        """What steps may ask for."""
        return Supply(max_parallelism=4, memory="any")

    @property
    def implementation_class(self) -> type[BaseOrchestrator]:
        """The class that does the work; only a run imports it."""
        from flavors.remote_orchestrator import RemoteOrchestrator

        return RemoteOrchestrator
