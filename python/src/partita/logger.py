"""Loggers, where orchestrators of the system of the seed look for them."""

from __future__ import annotations

import logging


def get_logger(name: str) -> logging.Logger:
    """Returns the logger of this name; what an orchestrator logs is shown and kept with its run."""
    return logging.getLogger(name)
