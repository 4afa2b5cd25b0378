"""Runs each step of a pipeline in a container of an image that has the whole project in it."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from partita import source_root
from partita.config import Step
from partita.entrypoints import StepEntrypointConfiguration
from partita.models import PipelineDeploymentResponseModel
from partita.orchestrators import BaseOrchestrator
from partita.stack import Stack, StackValidator

#: Puts the project on top of an image that has Python and Partita.
DOCKERFILE = """\
FROM {parent}
WORKDIR /project
COPY . .
"""


def docker(*words: str, check: bool = True, text: str = "") -> str:
    """Runs Docker's command, and returns what it prints."""
    return subprocess.run(
        ["docker", *words], input=text, stdout=subprocess.PIPE, text=True, check=check
    ).stdout.strip()


class BoxesOrchestrator(BaseOrchestrator):
    """Has Docker's command build the images and run the containers, one after the other."""

    def __init__(self, **component: Any) -> None:
        """Begins without images."""
        super().__init__(**component)
        self.images: dict[str, str] = {}

    @property
    def validator(self) -> StackValidator:
        """Containers see the artifact store as a folder of this machine."""

        def is_a_folder(stack: Stack) -> tuple[bool, str]:
            return stack.artifact_store_uri.startswith("file://"), "Its store is no folder here."

        return StackValidator(custom_validation_function=is_a_folder)

    def prepare_pipeline_deployment(
        self, deployment: PipelineDeploymentResponseModel, stack: Stack
    ) -> None:
        """Puts the project on top of each image that steps ask for."""
        for step_name in deployment.steps:
            parent = self.get_image(deployment, step_name)
            if parent not in self.images:
                dockerfile = DOCKERFILE.format(parent=parent)
                words = ("build", "--quiet", "--force-rm", "--file=-", source_root.find())
                self.images[parent] = docker(*words, text=dockerfile)

    def prepare_or_run_pipeline(
        self,
        deployment: PipelineDeploymentResponseModel,
        stack: Stack,
        environment: dict[str, str],
    ) -> None:
        """Starts the entrypoint of each step in a container, and waits for it."""
        store = stack.artifact_store_uri.removeprefix("file://")
        try:
            for number, step in enumerate(deployment.steps.values()):
                container = f"{self.get_orchestrator_run_id()}-{number}"
                command = StepEntrypointConfiguration.get_entrypoint_command()
                arguments = StepEntrypointConfiguration.get_entrypoint_arguments(
                    step_name=step.name, deployment_id=deployment.id
                )
                image = self.images[self.get_image(deployment, step.name)]
                options = self.options(step, {"HOME": "/tmp", **environment})
                mount = f"--volume={store}:{store}"
                self.run(container, *options, mount, image, *command, *arguments)
        finally:
            if not self.config.keep_images:
                docker("image", "rm", *self.images.values(), check=False)

    def options(self, step: Step, environment: dict[str, str]) -> list[str]:
        """Returns what a container is given: variables, a user, a network and resources."""
        options = [f"--env={name}={value}" for name, value in environment.items()]
        options.append(f"--user={os.getuid()}:{os.getgid()}")
        options.append(f"--network={self.config.network}")
        if self.requires_resources_in_orchestration_environment(step):
            resources = step.config.resource_settings
            if resources.cpu_count is not None:
                options.append(f"--cpus={resources.cpu_count}")
            memory = resources.get_memory("KiB")
            if memory is not None:
                options.append(f"--memory={memory:.0f}k")
        return options

    @staticmethod
    def run(container: str, *words: str) -> None:
        """Runs a container to its end. Whatever fails has its record, and steps after it return."""
        docker("rm", "--force", container, check=False)  # Of a run that is resumed, say.
        try:
            subprocess.run(["docker", "run", f"--name={container}", "--init", *words], check=False)
        finally:
            docker("rm", "--force", container, check=False)
