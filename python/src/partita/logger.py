"""Loggers, where orchestrators of the system of the seed look for them."""

from __future__ import annotations

import logging


def get_logger(name: str) -> logging.Logger:
    """Returns the logger of this name; what an orchestrator logs is shown and kept with its run.

    That is so from `INFO` on, unless a level or handlers are set.
    """
    logger = logging.getLogger(name)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if logging.lastResort is not None:  # It writes what no handler takes, and warnings alone.
        logging.lastResort.setLevel(logging.INFO)
    return logger
