"""Ends the suite by Ctrl-C, SIGTERM or the end of its command in one way: it tidies up first."""

from __future__ import annotations

import os
import signal
import time
from threading import Thread

SIGNALS = (signal.SIGINT, signal.SIGTERM)

#: How often it is looked whether the command still runs, in seconds.
LOOK = 0.2


def be_stopped_once() -> None:
    """Raises `KeyboardInterrupt` at the first of these signals, and passes over all after it.

    A signal may reach the command alone, which ends at once: that counts as one, too.
    """
    for number in SIGNALS:
        signal.signal(number, _stop)
    Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _stop(number: int, frame: object) -> None:
    del number, frame
    for each in SIGNALS:
        signal.signal(each, _pass_over)  # Not ignored: commands would inherit that.
    raise KeyboardInterrupt


def _pass_over(number: int, frame: object) -> None:
    del number, frame


def _watch(command: int) -> None:
    while os.getppid() == command:
        time.sleep(LOOK)
    os.kill(os.getpid(), signal.SIGTERM)
