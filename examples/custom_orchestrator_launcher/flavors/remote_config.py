"""How the orchestrator `remote` is configured. It is read when a component is registered."""

from __future__ import annotations

from pydantic import Field

from partita.orchestrators import BaseOrchestratorConfig


class RemoteOrchestratorConfig(BaseOrchestratorConfig):
    """Where steps run, and how that place is reached."""

    shell: list[str] = Field(
        default=["sh"],
        min_length=1,
        description="What runs a script that it reads there, as in `ssh gpu01 sh`.",
    )
    folder: str = Field(default=".jobs", description="The folder there that jobs are kept in.")
    python: str | None = Field(default=None, description="The Python there, if it is another.")

    @property
    def is_remote(self) -> bool:
        """Whether steps run on another machine, where they cannot be handed secrets."""
        return self.shell != ["sh"]
