"""Documents, as custom orchestrators read them."""

from __future__ import annotations

from partita.config import Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["PipelineDeploymentResponseModel"]


class PipelineDeploymentResponseModel:
    """A compiled pipeline on one stack.

    Attributes:
        id: The deployment's id.
        pipeline_name: The pipeline's name.
        parameters: What the pipeline was called with.
        steps: The steps by name; each comes after those that it depends on.
        schedule: When it is to run by itself: always `None`, as no run is scheduled.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        """Reads the deployment document."""
        pipeline: dict[str, Any] = document["pipeline"]
        self.id: str = document["id"]
        self.pipeline_name: str = pipeline["name"]
        self.parameters: dict[str, Any] = pipeline.get("parameters", {})
        self.schedule = None
        self.steps: dict[str, Step] = {step["name"]: Step(step) for step in document["steps"]}

    def __repr__(self) -> str:
        return f"<deployment {self.id} of {self.pipeline_name}>"
