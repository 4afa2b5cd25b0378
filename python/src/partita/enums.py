"""Words that custom orchestrators use."""

from __future__ import annotations

from enum import Enum


class StackComponentType(str, Enum):
    """What a component does in a stack."""

    ORCHESTRATOR = "orchestrator"
    ARTIFACT_STORE = "artifact_store"
    IMAGE_BUILDER = "image_builder"
    CONTAINER_REGISTRY = "container_registry"


class JobStatus(str, Enum):
    """Where a job stands that a launcher has started."""

    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
