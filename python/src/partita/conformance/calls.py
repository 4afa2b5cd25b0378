"""Steps that write down that they were called, for the suite to read."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from partita.conformance.place import Place

#: What the file of such a pipeline begins with.
PRELUDE = """\
import pathlib

FOLDER = pathlib.Path({folder!r})

def called(what):
    with open(FOLDER / "calls", "a", encoding="utf-8") as file:
        file.write(what + "\\n")

"""


def calling(place: Place, text: str) -> str:
    """Returns a pipeline whose steps may use `called("…")`, and `FOLDER`, which the suite sees."""
    return PRELUDE.format(folder=str(place.signals)) + textwrap.dedent(text)


def calls(place: Place) -> list[str]:
    """Returns what was called since this was last asked, in that order."""
    path = place.signals / "calls"
    found = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return found
