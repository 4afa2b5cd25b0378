"""One step of a deployment."""

from __future__ import annotations

from partita.settings import DockerSettings, ResourceSettings, StepRetryConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class StepConfiguration:
    """How a step runs.

    Attributes:
        name: The step's name.
        parameters: The values that it is called with.
        resource_settings: What it needs of a machine.
        docker_settings: The image that it runs in.
        retry: How often a failed attempt is followed by another, if it is.
        timeout: The seconds that an attempt may take, if there is a limit.
        settings: Under `orchestrator` the settings of its orchestrator's flavor.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        """Reads a step of the deployment document."""
        config: dict[str, Any] = document.get("config", {})
        self.name: str = document["name"]
        self.parameters: dict[str, Any] = document.get("parameters", {})
        own: dict[str, Any] = config.get("settings", {})
        self.settings: dict[str, dict[str, Any]] = {"orchestrator": own} if own else {}
        self.resource_settings = ResourceSettings(**config.get("resources", {}))
        docker = config.get("docker", {})
        # What a Dockerfile may copy is no setting: the document has the digest of it.
        asked = {key: value for key, value in docker.items() if key != "context"}
        self.docker_settings = DockerSettings(**asked)
        retry: dict[str, Any] | None = config.get("retry")
        self.retry = None if retry is None else StepRetryConfig(**retry)
        self.timeout: float | None = config.get("timeout")


class StepSpec:
    """What a step is, and what it comes after.

    Attributes:
        source: `module:qualname` of its function.
        upstream_steps: The names of the steps that end before it begins.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        """Reads a step of the deployment document."""
        self.source: str = document["source"]
        self.upstream_steps: list[str] = document.get("upstream_steps", [])


class Step:
    """One step of a deployment.

    Attributes:
        config: How it runs.
        spec: What it is, and what it comes after.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        """Reads a step of the deployment document."""
        self.config = StepConfiguration(document)
        self.spec = StepSpec(document)

    @property
    def name(self) -> str:
        """The step's name, unique in the deployment."""
        return self.config.name

    def __repr__(self) -> str:
        return f"<step {self.name}>"
