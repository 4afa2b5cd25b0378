"""The flavor `make`."""

from __future__ import annotations

from flavors.make_config import MakeOrchestratorConfig
from partita.orchestrators import BaseOrchestrator, BaseOrchestratorFlavor, Supply


class MakeOrchestratorFlavor(BaseOrchestratorFlavor):
    """Compiles a pipeline into a Makefile, and has `make` run it."""

    @property
    def name(self) -> str:
        """What components say after `--flavor`."""
        return "make"

    @property
    def config_class(self) -> type[MakeOrchestratorConfig]:
        """The class of components' configurations."""
        return MakeOrchestratorConfig

    @property
    def supply(self) -> Supply:
        """Entrypoints are started by `make`, which goes on when one has failed (`--keep-going`)."""
        return Supply(images=False, delegates=True, continues=True)

    @property
    def implementation_class(self) -> type[BaseOrchestrator]:
        """The class that does the work."""
        from flavors.make_orchestrator import MakeOrchestrator

        return MakeOrchestrator
