"""Configurations of components: pydantic models. Nothing else here imports pydantic."""

from __future__ import annotations

from partita.errors import PartitaError

try:
    from pydantic import BaseModel, ConfigDict
except ImportError as error:
    raise PartitaError(
        "configuration classes are pydantic models, and pydantic is not installed here; install it "
        "with `pip install pydantic`."
    ) from error


class StackComponentConfig(BaseModel):
    """The configuration of a component; a key that it does not declare is refused."""

    model_config = ConfigDict(extra="forbid")
