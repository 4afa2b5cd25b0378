"""Orchestrators of your own.

Extend `BaseOrchestrator`, describe its configuration with a `BaseOrchestratorConfig`, and bring
both together in a `BaseOrchestratorFlavor`; then `partita orchestrator flavor register` makes it
known.
"""

from __future__ import annotations

from partita.orchestrators.base_orchestrator import BaseOrchestrator
from partita.orchestrators.base_orchestrator_flavor import BaseOrchestratorFlavor, Supply
from partita.orchestrators.containerized_orchestrator import ContainerizedOrchestrator
from partita.orchestrators.jobs import Attempt, JobReport, Resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from partita.orchestrators.base_orchestrator_config import BaseOrchestratorConfig

__all__ = [
    "Attempt",
    "BaseOrchestrator",
    "BaseOrchestratorConfig",
    "BaseOrchestratorFlavor",
    "ContainerizedOrchestrator",
    "JobReport",
    "Resources",
    "Supply",
]


def __getattr__(name: str) -> object:
    """Imports what needs pydantic when it is asked for."""
    if name == "BaseOrchestratorConfig":
        from partita.orchestrators.base_orchestrator_config import BaseOrchestratorConfig

        return BaseOrchestratorConfig
    raise AttributeError(f"module `partita.orchestrators` has no attribute `{name}`")
