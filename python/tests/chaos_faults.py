"""What goes wrong in chaos rounds, and when."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conftest import PATIENCE, Project
from process_stack import processes_of

#: Longest time, in milliseconds, after which something goes wrong that waits for no step.
EARLY = 400

#: Longest pause, in milliseconds.
PAUSE = 30


class Engine:
    """A process that runs or resumes a pipeline of a project."""

    def __init__(self, project: Project, verb: str, request: str) -> None:
        """Starts it; what it writes goes to `engine.log`."""
        self.project = project
        self.told_before = len(project.lines())
        self._bell = os.open(project.folder / "bell", os.O_RDWR | os.O_NONBLOCK)
        self.log = project.folder / "engine.log"
        with self.log.open("a") as log:
            log.write(f"$ {verb} {request}\n")
            self.process = subprocess.Popen(
                [sys.executable, "-m", "partita", verb, request],
                cwd=project.folder,
                env=project.environment(),
                stdout=log,
                stderr=log,
            )
        self._end = os.pidfd_open(self.process.pid)
        self.went_wrong = False

    def wait(self, patience: float) -> bool:
        """Waits for a step's line, the engine's end or so long; returns whether it goes on."""
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        poll.register(self._bell, select.POLLIN)
        ready = [descriptor for descriptor, _ in poll.poll(patience)]
        if self._bell in ready:
            os.read(self._bell, 1 << 16)
        return self._end not in ready

    def told(self) -> list[list[str]]:
        """The lines of steps since it began, as words."""
        return [line.split("\t") for line in self.project.lines()[self.told_before :]]

    def wait_for(self, lines: int) -> bool:
        """Waits until steps have written so many lines; returns whether the engine goes on."""
        while self.wait(PATIENCE * 1000):
            if len(self.told()) >= lines:
                return True
        return False

    def finish(self) -> int:
        """Waits for its end and returns its exit code, negative for a signal."""
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            os.close(self._end)
            os.close(self._bell)

    def zygote(self) -> list[int]:
        """Its zygote, if there is one."""
        return zygotes(self.project, self.process.pid)

    def steps(self) -> list[int]:
        """The processes of steps that have begun and not ended."""
        begun = [words[4] for words in self.told() if words[0] == "begin"]
        ended = {words[4] for words in self.told() if words[0] == "end"}
        alive = processes_of(self.project)
        return [int(pid) for pid in begun if pid not in ended and int(pid) in alive]


def zygotes(project: Project, engine: int) -> list[int]:
    """Returns the zygote of an engine that works in a project's folder, if there is one."""
    return [pid for pid in processes_of(project) if _is_zygote(pid, engine)]


def _is_zygote(pid: int, engine: int) -> bool:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        is_child = int(fields[1]) == engine
        return is_child and b"partita.workers.zygote" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def send(pids: list[int], *numbers: signal.Signals, pause: float = 0) -> None:
    """Sends signals to processes, with a pause in between; those that have ended get none."""
    for number in numbers:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        select.select([], [], [], pause / 1000)


def fill(home: Path, room: int) -> None:
    """Leaves so many bytes of room on the file system of the home."""
    with (home / "filler").open("wb", buffering=0) as filler:
        size = 1 << 20
        while size:
            try:
                filler.write(bytes(size))
            except OSError:
                size //= 2
        with contextlib.suppress(OSError):
            filler.truncate(max(0, filler.tell() - room))


def drain(home: Path) -> None:
    """Makes room again."""
    (home / "filler").unlink(missing_ok=True)


@dataclass(frozen=True)
class Moment:
    """When something goes wrong: so long after so many lines of steps."""

    lines: int
    after: float
    pause: float
    room: int

    @classmethod
    def draw(cls, dice: random.Random, events: int) -> Moment:
        """Draws a moment of a run whose steps will write this many lines."""
        lines = dice.randint(0, events)
        after = dice.uniform(0, 5) if lines else dice.uniform(0, EARLY)
        return cls(lines, after, dice.uniform(0, PAUSE), dice.choice([0, 4096, 100_000]))


def stop_and_continue(pids: list[int], moment: Moment) -> None:
    send(pids, signal.SIGSTOP, signal.SIGCONT, pause=moment.pause)


def fill_for_a_moment(engine: Engine, moment: Moment) -> None:
    fill(engine.project.home, moment.room)
    select.select([], [], [], moment.pause / 1000)
    drain(engine.project.home)


def one_step(engine: Engine) -> list[int]:
    return engine.steps()[:1]


def engine_and_zygote(engine: Engine) -> list[int]:
    return [*engine.zygote(), engine.process.pid]


#: What may go wrong. A disk that is filled stays full until the engine has ended.
FAULTS: dict[str, Callable[[Engine, Moment], None]] = {
    "kill the engine": lambda engine, _: send([engine.process.pid], signal.SIGKILL),
    "kill a step": lambda engine, _: send(one_step(engine), signal.SIGKILL),
    "kill all steps": lambda engine, _: send(engine.steps(), signal.SIGKILL),
    "kill the zygote": lambda engine, _: send(engine.zygote(), signal.SIGKILL),
    "kill both": lambda engine, _: send(engine_and_zygote(engine), signal.SIGKILL),
    "terminate the engine": lambda engine, _: send([engine.process.pid], signal.SIGTERM),
    "interrupt the engine": lambda engine, _: send([engine.process.pid], signal.SIGINT),
    "stop the engine": lambda engine, moment: stop_and_continue([engine.process.pid], moment),
    "stop a step": lambda engine, moment: stop_and_continue(one_step(engine), moment),
    "stop the zygote": lambda engine, moment: stop_and_continue(engine.zygote(), moment),
    "fill the disk": lambda engine, moment: fill(engine.project.home, moment.room),
    "fill the disk for a moment": fill_for_a_moment,
}

#: Those that need a small disk.
DISK = ("fill the disk", "fill the disk for a moment")


def drive(engine: Engine, fault: str | None, moment: Moment) -> int:
    """Lets something go wrong at a moment, if anything is to.

    Returns:
        The engine's exit code, once it has ended and nothing is wrong any more.
    """
    if fault is not None and (moment.lines == 0 or engine.wait_for(moment.lines)):
        if engine.wait(moment.after):
            engine.went_wrong = True
            FAULTS[fault](engine, moment)
    try:
        return engine.finish()
    finally:
        drain(engine.project.home)
