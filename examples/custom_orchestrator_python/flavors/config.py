"""How our orchestrators are configured. It is read when a component is registered."""

from __future__ import annotations

from pydantic import field_validator

from partita.orchestrators import BaseOrchestratorConfig


class TidyOrchestratorConfig(BaseOrchestratorConfig):
    """Where the orchestrator keeps its journal."""

    journal: str = "journal.txt"

    @field_validator("journal")
    @classmethod
    def is_text_file(cls, journal: str) -> str:
        """Refuses anything but a text file."""
        if not journal.endswith(".txt"):
            raise ValueError("the journal is a text file; give it a name that ends in `.txt`")
        return journal
