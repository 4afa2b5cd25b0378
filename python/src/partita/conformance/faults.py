"""The flavor's plugin behind a proxy that lets something go wrong on purpose."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from partita.conformance.proxy import SUFFIX
from partita.conformance.scenario import NotClaimed, Unexpected
from partita.conformance.watched_host import READ

if TYPE_CHECKING:
    from partita.conformance.place import Place

#: The stack, and its orchestrator, whose plugin is behind the proxy.
STACK = "conformance-faults"


class Fault(NamedTuple):
    """Something that befalls a plugin.

    Attributes:
        kind: `die` (once, when the message passes), `delay`, `repeat`, `late` (ends of attempts are
            told again, and otherwise) or `ask-again` (about jobs that have ended).
        method: The method of the message, or `*` for any.
        way: `asked`, `answered`, or `*` for both.
        launches: How many attempts the plugin has been given by then.
        seconds: How long a delay is.
    """

    kind: str
    method: str = "*"
    way: str = "*"
    launches: int = 0
    seconds: float = 0.0


class Faults:
    """The plugin behind its proxy, on a stack of its own."""

    def __init__(self, place: Place) -> None:
        """Makes the stack, unless it is there.

        Raises:
            NotClaimed: The flavor has no plugin.
        """
        if place.subject.is_built_in:
            raise NotClaimed("it is built in, and has no plugin")
        self._folder = place.home.parent / "proxy"
        self._watch = self._folder / "watch"
        if not (self._folder / "registered").exists():
            self._register(place)
        place.watch = self.check_found

    def _register(self, place: Place) -> None:
        self._watch.mkdir(parents=True, exist_ok=True)
        self.set()
        words = [sys.executable, "-m", "partita.conformance.proxy", str(self._watch)]
        words += place.subject.plugin(str(self._watch))
        plugin = self._folder / "plugin"
        plugin.write_text(f"#!/bin/sh\nexec {shlex.join(words)}\n", encoding="utf-8")
        plugin.chmod(0o755)
        flavor = f"--flavor={self.flavor(place)}"
        place.set_up("orchestrator", "flavor", "register", str(plugin))
        place.set_up("orchestrator", "register", STACK, flavor, *place.subject.config)
        place.set_up("stack", "register", STACK, "-o", STACK, "-a", "default")
        (self._folder / "registered").touch()

    @staticmethod
    def flavor(place: Place) -> str:
        """Returns what the flavor is called with its proxy."""
        return place.subject.name + SUFFIX

    def set(self, *faults: Fault) -> None:
        """Lets faults befall the plugin from now on, and forgets what was seen."""
        shutil.rmtree(self._watch)
        self._watch.mkdir()
        text = json.dumps([fault._asdict() for fault in faults])
        (self._watch / "faults.json").write_text(text)

    def check_met(self) -> None:
        """Checks that every fault has befallen the plugin.

        Raises:
            NotClaimed: One has not: the message that it waited for has not passed.
        """
        faults: list[dict[str, Any]] = json.loads((self._watch / "faults.json").read_bytes())
        for number, fault in enumerate(faults):
            if not (self._watch / f"met-{number}").exists():
                raise NotClaimed(f"there is no `{fault['method']}` between it and Partita")

    def seen(self) -> list[dict[str, Any]]:
        """Returns what has passed, in that order."""
        path = self._watch / "seen.jsonl"
        if not path.exists():  # It was not started yet.
            return []
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def passed(self, method: str, way: str) -> list[Any]:
        """Returns what messages of a kind said, in that order."""
        return [
            one["content"]
            for one in self.seen()
            if one.get("method") == method and one["way"] == way
        ]

    def can(self, capability: str) -> bool:
        """Returns whether the plugin has said that it can do something."""
        told = self.passed("hello", "answered") + self.passed("open", "answered")
        return any(capability in answer.get("capabilities", []) for answer in told if answer)

    def check_found(self) -> None:
        """Checks that every job that was found again is one that was launched.

        Raises:
            Unexpected: One is not. Nobody would hear of its end.
        """
        launched, found = (
            [answer["job"] for answer in self.passed(method, "answered") if "job" in (answer or ())]
            for method in ("launch", "find")
        )
        for job in found:
            if job is not None and job not in launched:
                raise Unexpected(
                    "`find` to return a job that `launch` has returned",
                    f"it returned `{job}`",
                    "let `find` return what `launch` did for the attempt, and `None` of others.",
                )

    def check_launches(self) -> None:
        """Checks that the engine tells the plugin what to launch.

        Raises:
            NotClaimed: It goes through the steps in a way of its own.
        """
        opened = self.passed("open", "answered")
        if opened and opened[-1].get("mode", "launcher") != "launcher":
            raise NotClaimed("it goes through the steps by itself, and is told to launch nothing")

    @property
    def starts(self) -> int:
        """How often the plugin was started."""
        return sum("begun" in one for one in self.seen())

    @property
    def is_read(self) -> bool:
        """Whether the flavor has read settings of a step; only one in Python is seen to."""
        return (self._watch / READ).exists()


def path_of(place: Place) -> Path:
    """Returns the executable that stands for the flavor with its proxy."""
    return place.home.parent / "proxy" / "plugin"
