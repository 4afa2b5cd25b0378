"""How components of the flavor `my-flavor` are configured. It is read when one is registered."""

from __future__ import annotations

from pydantic import Field, field_validator

from partita.orchestrators import BaseOrchestratorConfig


class MyFlavorOrchestratorConfig(BaseOrchestratorConfig):
    """How steps are run."""

    nice: int = Field(default=0, description="How much steps stand back for other processes.")

    @field_validator("nice")
    @classmethod
    def is_allowed(cls, nice: int) -> int:
        """Refuses what the system would not take."""
        if not 0 <= nice <= 19:
            raise ValueError(f"it is {nice}, and must be from 0 to 19")
        return nice
