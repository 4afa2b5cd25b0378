"""What steps ask for, where orchestrators of the system of the seed look for it."""

from __future__ import annotations

from partita.settings import ResourceSettings

__all__ = ["ResourceSettings"]
