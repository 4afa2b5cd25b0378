"""Steps of a deployment, where orchestrators of the system of the seed look for them."""

from __future__ import annotations

from partita.config.step import Step, StepConfiguration, StepSpec

__all__ = ["Step", "StepConfiguration", "StepSpec"]
