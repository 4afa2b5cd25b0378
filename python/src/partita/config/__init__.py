"""Steps of a deployment, as orchestrators read them, and the settings that they have."""

from __future__ import annotations

from partita.config.step import Step, StepConfiguration, StepSpec
from partita.settings import DockerSettings, ResourceSettings, StepRetryConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from partita.config.base_settings import BaseSettings

__all__ = [
    "BaseSettings",
    "DockerSettings",
    "ResourceSettings",
    "Step",
    "StepConfiguration",
    "StepRetryConfig",
    "StepSpec",
]


def __getattr__(name: str) -> object:
    """Imports what needs pydantic when it is asked for."""
    if name == "BaseSettings":
        from partita.config.base_settings import BaseSettings

        return BaseSettings
    raise AttributeError(f"module `partita.config` has no attribute `{name}`")
