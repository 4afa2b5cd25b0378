"""An orchestrator that runs steps one by one, as its author wrote it for the earlier system."""

import time
from typing import TYPE_CHECKING, Any, Dict, Optional, Type
from uuid import uuid4

from zenml.logger import get_logger
from zenml.orchestrators.base_orchestrator import (
    BaseOrchestrator,
    BaseOrchestratorConfig,
    BaseOrchestratorFlavor,
)
from zenml.stack import Stack

if TYPE_CHECKING:
    from zenml.models import PipelineDeploymentResponseModel

logger = get_logger(__name__)


class PatientOrchestratorConfig(BaseOrchestratorConfig):
    pause: float = 0.0

    @property
    def is_local(self) -> bool:
        return True


class PatientOrchestrator(BaseOrchestrator):
    _orchestrator_run_id: Optional[str] = None

    @property
    def config(self) -> PatientOrchestratorConfig:
        return super().config

    def prepare_or_run_pipeline(
        self,
        deployment: "PipelineDeploymentResponseModel",
        stack: "Stack",
        environment: Dict[str, str],
    ) -> Any:
        if deployment.schedule:
            logger.warning("Schedules are not supported and will be ignored.")
        self._orchestrator_run_id = str(uuid4())
        started = time.time()
        for step_name, step in deployment.steps.items():
            if self.requires_resources_in_orchestration_environment(step):
                logger.warning("Step %s asks for resources.", step_name)
            time.sleep(self.config.pause)
            self.run_step(step=step)
        logger.info("Pipeline %s took %.1f s.", deployment.pipeline_name, time.time() - started)
        self._orchestrator_run_id = None

    def get_orchestrator_run_id(self) -> str:
        if not self._orchestrator_run_id:
            raise RuntimeError("No run id set.")
        return self._orchestrator_run_id


class PatientOrchestratorFlavor(BaseOrchestratorFlavor):
    @property
    def name(self) -> str:
        return "patient"

    @property
    def config_class(self) -> Type[BaseOrchestratorConfig]:
        return PatientOrchestratorConfig

    @property
    def implementation_class(self) -> Type["PatientOrchestrator"]:
        return PatientOrchestrator
