"""A stack whose orchestrator is of flavor `process`, and what its processes are."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

from conftest import PATIENCE, Project


def partita(command: str, *words: str) -> str:
    """Returns what the command prints."""
    done = subprocess.run([command, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


def use_process(command: str, **config: object) -> None:
    """Makes a stack of flavor `process` the active one."""
    keys = [
        f"--{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in config.items()
    ]
    partita(command, "orchestrator", "register", "fast", "--flavor=process", *keys)
    partita(command, "orchestrator", "register", "here", "--flavor=local")
    partita(
        command, "stack", "register", "fast", "-o", "fast", "-o", "here", "-a", "default", "--set"
    )


def processes_of(project: Project) -> list[int]:
    """Returns the processes that work in a project's folder, but for this one."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                where = os.readlink(entry / "cwd")
            except OSError:  # It has ended, or is not ours.
                continue
            if where == str(project.folder):
                found.append(int(entry.name))
    return found


def wait_until_gone(project: Project, but: str = "") -> None:
    """Waits until no process works in the project's folder, but for those of a program.

    The system ends them, in its time.
    """

    def is_waited_for(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip() != but
        except OSError:
            return False

    end = time.monotonic() + PATIENCE
    while left := list(filter(is_waited_for, processes_of(project))):
        assert time.monotonic() < end, left
        os.sched_yield()


def check_nothing_left(project: Project) -> None:
    """Checks that a run has left neither a process nor a lock."""
    assert processes_of(project) == []
    locks = project.home / "processes"
    assert not locks.exists() or list(locks.iterdir()) == []
