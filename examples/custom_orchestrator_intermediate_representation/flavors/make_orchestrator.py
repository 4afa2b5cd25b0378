"""Writes a pipeline as a Makefile and runs that."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from partita.entrypoints import StepEntrypointConfiguration
from partita.models import PipelineDeploymentResponseModel
from partita.orchestrators import BaseOrchestrator
from partita.stack import Stack


class MakeOrchestrator(BaseOrchestrator):
    """Has `make` start the entrypoint of each step once those that it needs have ended well."""

    def prepare_or_run_pipeline(
        self,
        deployment: PipelineDeploymentResponseModel,
        stack: Stack,
        environment: dict[str, str],
    ) -> str:
        """Runs a pipeline, and returns its Makefile."""
        makefile = self.makefile(deployment)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "Makefile")
            path.write_text(makefile, encoding="utf-8")
            # Whatever fails has its record, which the state of the step is read from.
            subprocess.run(
                [self.config.program, "--keep-going", f"--jobs={self.config.jobs}", "-f", path],
                env={**os.environ, **environment},
                check=False,
            )
        return makefile

    @staticmethod
    def makefile(deployment: PipelineDeploymentResponseModel) -> str:
        """Returns one target a step, with the steps that it needs as its prerequisites."""
        targets = {name: f"step-{index}" for index, name in enumerate(deployment.steps)}
        rules = [f".PHONY: all {' '.join(targets.values())}", f"all: {' '.join(targets.values())}"]
        for name, step in deployment.steps.items():
            needs = " ".join(targets[upstream] for upstream in step.spec.upstream_steps)
            command = StepEntrypointConfiguration.get_entrypoint_command()
            arguments = StepEntrypointConfiguration.get_entrypoint_arguments(
                step_name=name, deployment_id=deployment.id
            )
            line = shlex.join([sys.executable, *command[1:], *arguments]).replace("$", "$$")
            rules.append(f"{targets[name]}: {needs}\n\t@{line}")
        return "\n\n".join(rules) + "\n"
