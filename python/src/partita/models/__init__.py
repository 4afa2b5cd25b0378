"""Documents, as custom orchestrators read them."""

from __future__ import annotations

from partita.config import Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["PipelineConfiguration", "PipelineDeploymentResponseModel"]


class PipelineConfiguration:
    """What applies to a pipeline as a whole.

    Attributes:
        name: The pipeline's name.
        parameters: What the pipeline was called with.
        failure_mode: What becomes of a run when a step has failed: `fail_fast`, `stop_on_failure`
            or `continue_on_failure`.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        """Reads the pipeline of the deployment document."""
        self.name: str = document["name"]
        self.parameters: dict[str, Any] = document.get("parameters", {})
        self.failure_mode: str = document.get("failure_mode", "fail_fast")

    def __repr__(self) -> str:
        return f"<configuration of pipeline {self.name}>"


class PipelineDeploymentResponseModel:
    """A compiled pipeline on one stack.

    Attributes:
        id: The deployment's id.
        pipeline_name: The pipeline's name.
        parameters: What the pipeline was called with.
        pipeline_configuration: These, and what else applies to the pipeline as a whole.
        steps: The steps by name; each comes after those that it depends on.
        schedule: When it is to run by itself: always `None`, as no run is scheduled.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        """Reads the deployment document."""
        self.id: str = document["id"]
        self.pipeline_configuration = PipelineConfiguration(document["pipeline"])
        self.pipeline_name = self.pipeline_configuration.name
        self.parameters = self.pipeline_configuration.parameters
        self.schedule = None
        self.steps: dict[str, Step] = {step["name"]: Step(step) for step in document["steps"]}

    def __repr__(self) -> str:
        return f"<deployment {self.id} of {self.pipeline_name}>"
