"""An orchestrator that runs each step in a container, as its author wrote it for the earlier system."""

import subprocess
from typing import TYPE_CHECKING, Any, Dict, Optional, Type

from zenml.config.base_settings import BaseSettings
from zenml.entrypoints import StepEntrypointConfiguration
from zenml.orchestrators import BaseOrchestrator, BaseOrchestratorConfig, BaseOrchestratorFlavor
from zenml.stack import StackValidator

if TYPE_CHECKING:
    from zenml.models import PipelineDeploymentResponseModel
    from zenml.stack import Stack


class BoxOrchestratorSettings(BaseSettings):
    network: str = "none"


class BoxOrchestratorConfig(BaseOrchestratorConfig, BoxOrchestratorSettings):
    program: str


class BoxOrchestrator(BaseOrchestrator):
    @property
    def settings_class(self) -> Optional[Type["BaseSettings"]]:
        return BoxOrchestratorSettings

    @property
    def validator(self) -> Optional[StackValidator]:
        def _validate(stack: "Stack") -> tuple[bool, str]:
            return stack.artifact_store.flavor == "local", "The containers mount a local store."

        return StackValidator(custom_validation_function=_validate)

    def prepare_pipeline_deployment(
        self, deployment: "PipelineDeploymentResponseModel", stack: "Stack"
    ) -> None:
        for step_name in deployment.steps:
            image = self.get_image(deployment=deployment, step_name=step_name)
            subprocess.run([self.config.program, "pull", image], check=True)

    def prepare_or_run_pipeline(
        self,
        deployment: "PipelineDeploymentResponseModel",
        stack: "Stack",
        environment: Dict[str, str],
    ) -> Any:
        command = StepEntrypointConfiguration.get_entrypoint_command()
        for step_name, step in deployment.steps.items():
            arguments = StepEntrypointConfiguration.get_entrypoint_arguments(
                step_name=step_name, deployment_id=deployment.id
            )
            settings = self.get_settings(step)
            image = self.get_image(deployment=deployment, step_name=step_name)
            variables = {**environment, "BOX_RUN": self.get_orchestrator_run_id()}
            options = [f"--env={key}={value}" for key, value in variables.items()]
            subprocess.run(
                [self.config.program, "run", f"--network={settings.network}", *options, image]
                + ["--", *command, *arguments],
                check=True,
            )


class BoxOrchestratorFlavor(BaseOrchestratorFlavor):
    @property
    def name(self) -> str:
        return "box"

    @property
    def config_class(self) -> Type[BoxOrchestratorConfig]:
        return BoxOrchestratorConfig

    @property
    def implementation_class(self) -> Type["BoxOrchestrator"]:
        return BoxOrchestrator
