"""Step entrypoints: the command that runs exactly one step, in whatever place it was started.

An orchestrator starts `get_entrypoint_command()` with `get_entrypoint_arguments(…)`, once for each
attempt. Who needs more than the default does extends `StepEntrypointConfiguration`.
"""

from __future__ import annotations

from partita.entrypoints.base_entrypoint_configuration import (
    DEPLOYMENT_ID_OPTION,
    ENTRYPOINT_CONFIG_SOURCE_OPTION,
    BaseEntrypointConfiguration,
)
from partita.entrypoints.step_entrypoint_configuration import (
    ARTIFACT_STORE_OPTION,
    ATTEMPT_OPTION,
    RUN_ID_OPTION,
    STEP_NAME_OPTION,
    StepEntrypointConfiguration,
)

__all__ = [
    "ARTIFACT_STORE_OPTION",
    "ATTEMPT_OPTION",
    "DEPLOYMENT_ID_OPTION",
    "ENTRYPOINT_CONFIG_SOURCE_OPTION",
    "RUN_ID_OPTION",
    "STEP_NAME_OPTION",
    "BaseEntrypointConfiguration",
    "StepEntrypointConfiguration",
]
