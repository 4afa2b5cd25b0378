"""How the orchestrator is configured."""

from __future__ import annotations

from partita.orchestrators import BaseOrchestratorConfig


class BoxesOrchestratorConfig(BaseOrchestratorConfig):
    """Which images steps run in, and which network they see."""

    #: The image of steps that name none; it needs Python and Partita.
    parent_image: str | None = None
    network: str = "none"
    #: Whether the images with the project in them stay when a run is over.
    keep_images: bool = False

    @property
    def is_remote(self) -> bool:
        """Nothing hands secrets over to containers here, so that steps with secrets are refused."""
        return True
