"""An orchestrator that compiles a workflow file and submits it, as its author wrote it for the
earlier system."""

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Type

from zenml.entrypoints.step_entrypoint_configuration import StepEntrypointConfiguration
from zenml.orchestrators import BaseOrchestrator, BaseOrchestratorConfig, BaseOrchestratorFlavor

if TYPE_CHECKING:
    from zenml.models import PipelineDeploymentResponseModel
    from zenml.stack import Stack

OWNER_OPTION = "owner"


class FlowEntrypointConfiguration(StepEntrypointConfiguration):
    @classmethod
    def get_entrypoint_options(cls) -> set[str]:
        return super().get_entrypoint_options() | {OWNER_OPTION}

    @classmethod
    def get_entrypoint_arguments(cls, **kwargs: Any) -> List[str]:
        return super().get_entrypoint_arguments(**kwargs) + [
            f"--{OWNER_OPTION}",
            kwargs[OWNER_OPTION],
        ]

    def post_run(self, pipeline_name: str, step_name: str) -> None:
        with open("posted.txt", "a") as posted:
            print(pipeline_name, step_name, self.entrypoint_args[OWNER_OPTION], file=posted)


class FlowOrchestratorConfig(BaseOrchestratorConfig):
    runner: str
    synchronous: bool = True

    @property
    def is_synchronous(self) -> bool:
        return self.synchronous


class FlowOrchestrator(BaseOrchestrator):
    def prepare_or_run_pipeline(
        self,
        deployment: "PipelineDeploymentResponseModel",
        stack: "Stack",
        environment: Dict[str, str],
    ) -> Any:
        lines = [f"pipeline: {deployment.pipeline_name}", "steps:"]
        for step_name, step in deployment.steps.items():
            arguments = FlowEntrypointConfiguration.get_entrypoint_arguments(
                step_name=step_name, deployment_id=deployment.id, owner="team"
            )
            command = FlowEntrypointConfiguration.get_entrypoint_command() + arguments
            lines.append(f"- name: {json.dumps(step_name)}")
            lines.append(f"  after: {json.dumps(step.spec.upstream_steps)}")
            lines.append(f"  command: {json.dumps(command)}")
        workflow = "\n".join(lines) + "\n"
        path = Path("workflow.yaml").absolute()
        path.write_text(workflow)
        submitted = subprocess.Popen(
            [self.config.runner, str(path)],
            env={**os.environ, **environment},
            start_new_session=not self.config.is_synchronous,
        )
        if self.config.is_synchronous and submitted.wait():
            raise RuntimeError("The workflow failed.")
        return workflow


class FlowOrchestratorFlavor(BaseOrchestratorFlavor):
    @property
    def name(self) -> str:
        return "flow"

    @property
    def config_class(self) -> Type[FlowOrchestratorConfig]:
        return FlowOrchestratorConfig

    @property
    def implementation_class(self) -> Type["FlowOrchestrator"]:
        return FlowOrchestrator
