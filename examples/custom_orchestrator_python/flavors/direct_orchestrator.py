"""A direct orchestrator: it goes through the steps and runs each in its own process."""

from __future__ import annotations

from pathlib import Path

from partita.models import PipelineDeploymentResponseModel
from partita.orchestrators import BaseOrchestrator
from partita.stack import Stack


class TidyOrchestrator(BaseOrchestrator):
    """Runs steps one after another, and keeps a journal of them."""

    def prepare_or_run_pipeline(
        self,
        deployment: PipelineDeploymentResponseModel,
        stack: Stack,
        environment: dict[str, str],
    ) -> None:
        """Runs every step, in an order in which each comes after those that it depends on."""
        with Path(self.config.journal).open("a", encoding="utf-8") as journal:
            for name, step in deployment.steps.items():
                if self.requires_resources_in_orchestration_environment(step):
                    print(f"{name} asks for {step.config.resource_settings}")
                self.run_step(step)
                journal.write(f"{self.get_orchestrator_run_id()} {name}\n")
