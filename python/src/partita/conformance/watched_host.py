"""Serves a flavor in Python as `partita.plugins` does, and notes whether it reads settings.

`python -m partita.conformance.watched_host FOLDER SOURCE SOURCE_ROOT`
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from partita.config.step import StepConfiguration
from partita.orchestrators.jobs import Attempt
from partita.plugins.__main__ import main

#: The file that is there once a step's settings were read.
READ = "settings-were-read"


class Watched:
    """An attribute that notes that it is read."""

    def __init__(self, note: Path) -> None:
        self._note = note

    def __get__(self, owner: object, kind: type) -> Any:
        """Returns the value."""
        self._note.touch()
        return vars(owner)["_watched"]

    def __set__(self, owner: object, value: Any) -> None:
        """Keeps the value."""
        vars(owner)["_watched"] = value


if __name__ == "__main__":
    for owner in (Attempt, StepConfiguration):
        setattr(owner, "settings", Watched(Path(sys.argv[1], READ)))  # noqa: B010 - they declare another
    main(sys.argv[2:])
