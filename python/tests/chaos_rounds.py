"""Chaos rounds: a random pipeline runs while things go wrong, and is resumed until it is complete.

Everything that has to be true is checked after each engine. A round follows from its seed and its
number, but for how the system schedules processes. A full disk is a real one: a small file system
that is mounted for the home. Where that is not allowed, the disk is not filled.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chaos_steps
from chaos_faults import DISK, FAULTS, Engine, Moment, drive
from chaos_pipelines import Drawn, draw
from conftest import Project
from partita import Client
from partita.client import PipelineRun
from process_stack import partita, processes_of, wait_until_gone

#: Engines of a round in which something goes wrong; one more has to complete the run.
DRIVES = 2

#: The bytes of a small disk.
SMALL = "24m"

#: The stacks, and how often each is used.
STACKS = {"warm": 5, "cold": 1}


#: The exit codes of engines that end by themselves, by the status of their run. A signal may come
#: when all is done, and a disk may have no room for how the run ended.
CODES = {"completed": (0, 130), "failed": (1,), "cancelled": (130,), "interrupted": (1,)}

#: The states of a run that nobody drives and that is not complete.
OPEN = ("failed", "cancelled", "interrupted")


class Round:
    """One run of a random pipeline."""

    def __init__(self, project: Project, dice: random.Random, faults: list[str]) -> None:
        """Draws a pipeline and writes its project."""
        self.project = project
        self.dice = dice
        self.faults = faults
        self.pipeline: Drawn = draw(dice)
        self.stack = dice.choices(list(STACKS), list(STACKS.values()))[0]
        self.story: list[str] = []
        self.went_wrong: list[str] = []
        self.was_full = False
        self.was_killed = False
        mode = dice.choice(["fail_fast", "stop_on_failure", "continue_on_failure"])
        shutil.rmtree(project.folder)
        (project.folder / "locks").mkdir(parents=True)
        os.mkfifo(project.folder / "bell")
        project.write("steps.py", Path(chaos_steps.__file__).read_text())
        project.write("main.py", self.pipeline.text(mode, dice.randint(0, 2)))
        self.known = {run.id for run in Client().list_runs()}

    def play(self) -> None:
        """Lets engines run into trouble, and then one complete the run."""
        for _ in range(self.dice.randint(1, DRIVES)):
            if self.drive(self.dice.choice(self.faults)) == "completed":
                break
        else:
            assert self.drive(None) == "completed"
        self.check_whole()

    def drive(self, fault: str | None) -> str | None:
        """Has one engine run or resume; returns the status of the run after it, if it began."""
        before = self.run()
        committed = {} if before is None else self.commits(before)
        self.was_full |= fault in DISK
        moment = Moment.draw(self.dice, self.pipeline.events)
        self.story.append(f"{fault} {moment}")
        request = {"target": "main.py", "stack": self.stack}
        verb = "run" if before is None else "resume"
        request = request if before is None else {**request, "run_id": before.id}
        engine = Engine(self.project, verb, json.dumps(request))
        code = drive(engine, fault, moment)
        if fault is not None and engine.went_wrong:
            self.went_wrong.append(fault)
        self.story.append(f"exit code {code}")
        self.was_killed = code < 0
        if code >= 0:
            assert processes_of(self.project) == [], "a process is left behind"
        else:
            # If both were killed, nobody is left to end their programs, but the next engine.
            wait_until_gone(self.project, but="sleep" if fault == "kill both" else "")
        self.check_evidence(engine.told(), committed)
        run = self.run()
        if run is not None:
            self.check_shown(run, code)
        self.check_free()
        return None if run is None else run.status

    def run(self) -> PipelineRun | None:
        """The run of this round, as it is shown now."""
        found = [run for run in Client().list_runs() if run.id not in self.known]
        assert len(found) <= 1, "there are two runs"
        return Client().get_run(found[0].id) if found else None

    def commits(self, run: PipelineRun) -> dict[tuple[str, str], dict[str, Any]]:
        """The commits of a run, by step and item, by its documents alone."""
        folder = self.project.store / "runs" / run.id
        found = [json.loads(path.read_text()) for path in folder.rglob("*commit.json")]
        named = {(one["step"], str(one.get("item", "-"))): one for one in found}
        assert len(named) == len(found), "a step is committed twice"
        return named

    def check_evidence(self, told: list[list[str]], committed: dict[tuple[str, str], Any]) -> None:
        """Checks what the steps of one engine told."""
        for word, name, item, *_ in told:
            assert word in ("begin", "end"), f"{name}[{item}] ran {word}"
            assert (name, item) not in committed, f"{name}[{item}] ran after its commit"

    def check_shown(self, run: PipelineRun, code: int) -> None:
        """Checks that what is shown of a run that nobody drives is true."""
        self.story.append(run.status)
        commits = self.commits(run)
        shown = {name for name, step in run.steps.items() if step.status == "completed"}
        done = {name for name, item in commits if item == "-"}
        assert shown == done, f"shown as completed: {shown}; committed: {done}"
        # An engine may be killed when all is done but to say so.
        over = ("completed", "interrupted") if done == set(self.pipeline.values) else OPEN
        assert run.status in over, f"{run.status}, and committed are {done}"
        assert code < 0 or code in CODES[run.status], f"{run.status}, but exit code {code}"

    def check_free(self) -> None:
        """Checks that no place under a limit is taken."""
        for place in (self.project.home / "limits").glob("*/*"):
            with place.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def check_whole(self) -> None:
        """Checks a run that is complete: every output once and right, and nothing else left."""
        run = self.run()
        assert run is not None
        for name, value in self.pipeline.values.items():
            assert run.steps[name].output.load() == value, f"the output of {name}"
        last: dict[tuple[str, str], int] = {}
        for line in self.project.lines():
            word, name, item, number, _ = line.split("\t")
            if word == "begin":
                # That one began, a disk without room does not remember.
                least = last.get((name, item), 0) + (not self.was_full)
                assert int(number) >= least, f"{line} began before"
                last[name, item] = int(number)
        commits = self.commits(run).items()
        made = {unit: commit["attempt"] for unit, commit in commits if unit in last}
        assert made == last, f"attempts {made} are committed, {last} began"
        self.check_left(run)

    def check_left(self, run: PipelineRun) -> None:
        """Checks that no file is left that no run needs, and that the index can be made again."""
        home, store = self.project.home, self.project.store
        left = list((store / "staging").glob("*"))
        if not self.was_killed:  # Else the next engine of this home removes the lock.
            left += (home / "processes").glob("*")
        left += [path for path in store.rglob("*") if "#" in path.name]
        assert left == [], f"files are left behind: {left}"
        shown = Client().get_run(run.id)._view
        partita("partita", "store", "rebuild")
        again = Client().get_run(run.id)._view
        differences = list(unlike("run", shown, again))
        assert differences == [], f"the index differs from the documents: {differences}"


def unlike(where: str, shown: Any, again: Any) -> Iterator[str]:
    """Yields where two documents differ."""
    if isinstance(shown, dict) and isinstance(again, dict):
        for key in {*shown, *again}:
            yield from unlike(f"{where}.{key}", shown.get(key), again.get(key))
    elif isinstance(shown, list) and isinstance(again, list) and len(shown) == len(again):
        for number, (one, other) in enumerate(zip(shown, again, strict=True)):
            yield from unlike(f"{where}[{number}]", one, other)
    elif shown != again:
        yield f"{where} is {shown!r}, and {again!r} by the documents"


def play(project: Project, seed: int, number: int, faults: list[str]) -> list[str]:
    """Plays a round; a failure says how to play it again. Returns what went wrong in it."""
    found = Round(project, random.Random(f"{seed}/{number}"), faults)
    try:
        found.play()
    except BaseException:
        print(f"chaos: round {number} of seed {seed} failed; to play it again:")
        print(f"  make chaos SEED={seed} ROUND={number} ROUNDS=1")
        print("  " + "\n  ".join([f"stack {found.stack}", *found.story]))
        for name in ("main.py", "calls.txt", "engine.log"):
            path = project.folder / name
            print(f"--- {name}\n{path.read_text() if path.exists() else ''}")
        raise
    return found.went_wrong


@contextmanager
def small_disk(folder: Path) -> Generator[bool]:
    """Mounts a small file system in a folder; returns whether that is possible here."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)]
    can = shutil.which("mount") is not None
    can = can and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield can
    finally:
        if can:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def main() -> None:
    """Plays rounds in a folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    for name in ("--seed", "--first", "--rounds"):
        parser.add_argument(name, type=int, required=True)
    given = parser.parse_args()
    folder: Path = given.folder
    project = Project(folder / "project", folder / "home")
    project.folder.mkdir(parents=True)
    os.environ["PARTITA_HOME"] = str(project.home)
    with small_disk(project.home) as is_small:
        faults = [name for name in FAULTS if is_small or name not in DISK]
        register()
        times = Counter(dict.fromkeys(faults, 0))
        for number in range(given.first, given.first + given.rounds):
            times.update(play(project, given.seed, number, faults))
    print(json.dumps(times))


def register() -> None:
    """Makes a stack that forks steps, and one that starts each anew."""
    for name in STACKS:
        options = ["--flavor=process", "--max_parallelism=4", "--cpu_count=2", "--grace=5s"]
        partita(
            "partita",
            "orchestrator",
            "register",
            name,
            *options,
            f"--warm={json.dumps(name == 'warm')}",
        )
        partita("partita", "stack", "register", name, "-o", name, "-a", "default")


if __name__ == "__main__":
    sys.exit(main())
