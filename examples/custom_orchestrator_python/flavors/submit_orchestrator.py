"""Writes a pipeline as a shell script, submits that, and does not wait for it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from partita.entrypoints import StepEntrypointConfiguration
from partita.models import PipelineDeploymentResponseModel
from partita.orchestrators import BaseOrchestrator
from partita.stack import Stack


class SubmitOrchestrator(BaseOrchestrator):
    """Starts a shell that outlives it; a queue's `submit` would stand here."""

    def prepare_or_run_pipeline(
        self,
        deployment: PipelineDeploymentResponseModel,
        stack: Stack,
        environment: dict[str, str],
    ) -> str:
        """Submits a pipeline, and returns its script."""
        lines = ["set -e"]
        for name in deployment.steps:
            command = StepEntrypointConfiguration.get_entrypoint_command()
            arguments = StepEntrypointConfiguration.get_entrypoint_arguments(
                step_name=name, deployment_id=deployment.id
            )
            lines.append(shlex.join([sys.executable, *command[1:], *arguments]))
        script = "\n".join(lines) + "\n"
        # A run that is resumed comes here again with the same id: what is named by it may exist.
        path = Path(f"{self.get_orchestrator_run_id()}.log")
        with path.open("a", encoding="utf-8") as log:
            subprocess.Popen(
                ["sh", "-c", script],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return script
