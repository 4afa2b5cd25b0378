"""Steps of a deployment, as orchestrators read them, and the settings that they have."""

from __future__ import annotations

from partita.config.step import Step, StepConfiguration, StepSpec
from partita.settings import ResourceSettings

__all__ = ["ResourceSettings", "Step", "StepConfiguration", "StepSpec"]
