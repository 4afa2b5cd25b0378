"""The flavor `tidy`. It is loaded when it is registered, and imports no implementation."""

from __future__ import annotations

from flavors.config import TidyOrchestratorConfig
from partita.orchestrators import BaseOrchestrator, BaseOrchestratorFlavor


class TidyOrchestratorFlavor(BaseOrchestratorFlavor):
    """Runs steps one after another, and keeps a journal of them."""

    @property
    def name(self) -> str:
        """What components say after `--flavor`."""
        return "tidy"

    @property
    def config_class(self) -> type[TidyOrchestratorConfig]:
        """The class of components' configurations."""
        return TidyOrchestratorConfig

    @property
    def implementation_class(self) -> type[BaseOrchestrator]:
        """The class that does the work; only a run imports it."""
        from flavors.direct_orchestrator import TidyOrchestrator

        return TidyOrchestrator
