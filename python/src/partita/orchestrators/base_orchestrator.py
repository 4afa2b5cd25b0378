"""The base of orchestrators."""

from __future__ import annotations

from types import MappingProxyType

from partita.errors import PartitaError
from partita.orchestrators.jobs import Attempt
from partita.stack.stack_component import StackComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from partita.config import BaseSettings, Step
    from partita.enums import JobStatus
    from partita.models import PipelineDeploymentResponseModel
    from partita.orchestrators.jobs import JobReport, Resources
    from partita.stack.stack import Stack
    from partita.stack.stack_validator import StackValidator


def __getattr__(name: str) -> object:
    """Finds the other base classes where the system of the seed has them: beside this one."""
    if name in ("BaseOrchestratorConfig", "BaseOrchestratorFlavor"):
        from partita import orchestrators

        return getattr(orchestrators, name)
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")


class BaseOrchestrator(StackComponent):
    """Makes the steps of a deployment run. Implement one of these two ways to be one.

    - `prepare_or_run_pipeline` goes through the steps by itself: it runs each with `run_step` in
      this process, or starts their entrypoints somewhere and waits for them, or hands the pipeline
      to something that does, and does not wait if `is_synchronous` of its configuration is false.
    - `launch`, `poll` and `cancel` start one step each, and the engine drives: it launches what is
      ready, as many at once as the flavor's `supply` allows. `wait`, `logs` and `find` may be
      implemented as well.

    Caching, retries, failure modes, records and resuming come from the engine either way.

    Example:
        >>> class DirectOrchestrator(BaseOrchestrator):
        ...     def prepare_or_run_pipeline(self, deployment, stack, environment):
        ...         for step in deployment.steps.values():
        ...             self.run_step(step)
    """

    #: Seconds between two polls of a job, for a launcher without `wait`.
    poll_interval: float = 1.0

    _run_id: str = ""
    _settings_class: type[BaseSettings] | None = None
    _images: Mapping[str, str] = MappingProxyType({})
    _images_asked: frozenset[str] = frozenset()
    _run_step: Callable[[str], None] | None = None

    @property
    def validator(self) -> StackValidator | None:
        """What it asks of the stack that it is in."""
        return None

    @property
    def settings_class(self) -> type[BaseSettings] | None:
        """The class of its settings on pipelines and steps, which its flavor names."""
        return self._settings_class

    def get_settings(self, of: Step | Attempt) -> Any:
        """Returns the settings of a step, or an attempt, as the class of the flavor has them.

        Raises:
            PartitaError: The flavor has no settings.
        """
        settings_class = self.settings_class
        if settings_class is None:
            raise PartitaError(
                f"the flavor `{self.flavor}` has no settings; name their class in its "
                "`settings_class`."
            )
        is_attempt = isinstance(of, Attempt)
        values = of.settings if is_attempt else of.config.settings.get("orchestrator", {})
        return settings_class(**values)

    def get_orchestrator_run_id(self) -> str:
        """Returns the id of the run: the same for all its steps, and another for each run.

        One that is overridden may return what a backend calls the run, which is kept with it; it
        may raise as long as there is no such thing.
        """
        return self._run_id

    @staticmethod
    def requires_resources_in_orchestration_environment(step: Step) -> bool:
        """Returns whether a step asks for resources, which whoever runs it has to give it."""
        return not step.config.resource_settings.empty

    def get_image(
        self, deployment: PipelineDeploymentResponseModel, step_name: str | None = None
    ) -> str:
        """Returns the name of the image that a step runs in.

        Args:
            deployment: The pipeline.
            step_name: The step; without one, the image that all its steps have in common.

        Raises:
            PartitaError: It asks for none, or steps ask for several.
        """
        names = list(deployment.steps) if step_name is None else [step_name]
        images = {self._images.get(name) for name in names}
        image = next(iter(images), None)
        if image is None or len(images) > 1:
            what = f"step `{step_name}`" if step_name else f"pipeline `{deployment.pipeline_name}`"
            asks = "asks for no image" if len(images) == 1 else "asks for several images"
            raise PartitaError(
                f"{what} {asks}, and `{self.name}` runs steps in one; name it with "
                '`settings={"docker": DockerSettings(parent_image=…, skip_build=True)}`, or name '
                "an image builder with `partita stack update STACK -i NAME`."
            )
        self._images_asked = self._images_asked.union(names)
        return image

    def prepare_pipeline_deployment(
        self, deployment: PipelineDeploymentResponseModel, stack: Stack
    ) -> None:
        """Does what has to be done before `prepare_or_run_pipeline`; nothing unless overridden."""

    def prepare_or_run_pipeline(
        self,
        deployment: PipelineDeploymentResponseModel,
        stack: Stack,
        environment: dict[str, str],
    ) -> Any:
        """Runs the steps of a deployment, in the order of `deployment.steps`.

        Args:
            deployment: The pipeline, compiled.
            stack: The stack that it runs on.
            environment: Variables that step entrypoints need in their environment, which whoever
                starts them sets there.

        Returns:
            What it made of the pipeline, such as the text of a file that it has submitted; it is
            kept with the run. `None` if there is no such thing.
        """
        raise NotImplementedError

    def run_step(self, step: Step) -> None:
        """Runs a step in this process, unless it is cached, done or skipped.

        Raises:
            PartitaError: It failed, or was cancelled, and no other step of the run is to begin.
        """
        if self._run_step is None:
            raise PartitaError(
                f"`run_step` of the orchestrator `{self.name}` was called outside of a run; call "
                "it in `prepare_or_run_pipeline`."
            )
        self._run_step(step.name)

    def launch(
        self,
        attempt: Attempt,
        command: list[str],
        environment: dict[str, str],
        resources: Resources,
    ) -> str:
        """Starts an attempt and returns the backend's name for it.

        Args:
            attempt: The attempt.
            command: What to start where the step is to run.
            environment: Variables that it needs there, besides those that are there.
            resources: What the step asks for.
        """
        raise NotImplementedError

    def poll(self, job_id: str) -> JobStatus | JobReport | str:
        """Returns where a job stands."""
        raise NotImplementedError

    def cancel(self, job_id: str) -> None:
        """Asks a job to end; asked once more, it ends it at once if it can."""
        raise NotImplementedError

    def wait(self, job_id: str) -> JobStatus | JobReport | str:
        """Waits for the end of a job, on a thread of its own, and returns how it ended."""
        raise NotImplementedError

    def logs(self, job_id: str) -> str:
        """Returns what a job that failed has printed."""
        raise NotImplementedError

    def find(self, attempt_id: str) -> str | None:
        """Returns the job of an attempt, also one that an earlier process has launched."""
        raise NotImplementedError
