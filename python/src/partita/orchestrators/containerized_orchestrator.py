"""The base of orchestrators that run steps in images, as the system of the seed has it."""

from __future__ import annotations

from partita.orchestrators.base_orchestrator import BaseOrchestrator


class ContainerizedOrchestrator(BaseOrchestrator):
    """An orchestrator that runs steps in images, which `get_image` names; any other may, too.

    No image is built: pipelines name images that are there.
    """
