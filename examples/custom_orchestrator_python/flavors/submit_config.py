"""How the orchestrator that submits is configured."""

from __future__ import annotations

from partita.orchestrators import BaseOrchestratorConfig


class SubmitOrchestratorConfig(BaseOrchestratorConfig):
    """Nobody waits for what is submitted."""

    @property
    def is_synchronous(self) -> bool:
        """The command ends once the pipeline is submitted."""
        return False
