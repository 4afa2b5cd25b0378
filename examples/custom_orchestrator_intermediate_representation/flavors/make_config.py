"""How the orchestrator is configured."""

from __future__ import annotations

from pydantic import Field

from partita.orchestrators import BaseOrchestratorConfig


class MakeOrchestratorConfig(BaseOrchestratorConfig):
    """How `make` is called."""

    jobs: int = Field(default=4, ge=1, description="Steps that run at once, at most.")
    program: str = "make"
