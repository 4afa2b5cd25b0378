"""Sees whether a step has ended that was cancelled, and whether anybody was told of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from partita.conformance.scenario import Unexpected

if TYPE_CHECKING:
    from partita.conformance.place import Place

MEND = (
    "end the job in `cancel`, by force if it is called for the job once more, and report its end."
)

#: How long a step may still be alive after its run has ended, in seconds.
GRACE = 15.0

#: How long a step that lives may take to say so once more, in seconds.
QUIET = 2.0

#: What the engine says of a job that was cancelled and whose end it was never told.
UNSEEN = ("nobody has seen the job", "it may still run")


def check_dead(place: Place) -> None:
    """Checks that the step does not live on: it says no more that it lives.

    Raises:
        Unexpected: It does.
    """
    alive, last = place.signals / "alive", "nothing"
    since = time.monotonic()
    end = since + GRACE
    while time.monotonic() < end:
        # A step that was ended at its beginning has said nothing.
        now = (alive.read_text() or "it is being written") if alive.exists() else "nothing"
        if now != last:
            last, since = now, time.monotonic()
        if time.monotonic() - since > QUIET:
            return
        time.sleep(0.05)
    raise Unexpected("the step to end with its run", f"it lives {GRACE:g} s later", MEND)


def check_seen(said: str) -> None:
    """Checks that the engine was told of the end of every job that it has cancelled.

    Raises:
        Unexpected: It says that it was not.
    """
    for line in said.splitlines():
        if any(words in line for words in UNSEEN):
            raise Unexpected("the end of the cancelled job to be told", line.strip(), MEND)
