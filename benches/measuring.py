"""Runs processes, takes medians, and prints figures beside their floors."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

BENCHES = Path(__file__).resolve().parent


class Figure(NamedTuple):
    """One measured figure.

    Attributes:
        what: What was measured.
        value: The median, in `unit`.
        unit: Its unit.
        budget: The largest value that is within the budget, or the smallest if more is better.
        floor: What the least possible work took in the same run.
        more_is_better: Whether the figure is a rate.
    """

    what: str
    value: float
    unit: str
    budget: float | None = None
    floor: float | None = None
    more_is_better: bool = False

    def row(self) -> tuple[str, ...]:
        """Returns the cells of the table."""
        if self.budget is None:
            verdict = ""
        elif (self.value >= self.budget) if self.more_is_better else (self.value <= self.budget):
            verdict = "yes"
        else:
            verdict = "NO"
        ratio = "" if not self.floor else f"{self.value / self.floor:.2f}"
        numbers = (_cell(self.value), _cell(self.floor), ratio, _cell(self.budget))
        return (self.what, *numbers, self.unit, verdict)


HEADINGS = ("what", "measured", "floor", "ratio", "budget", "unit", "within")


def show(rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table whose columns line up; the first row holds the headings."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("| " + " | ".join(cells) + " |", flush=True)
        if number == 0:
            print("|-" + "-|-".join("-" * width for width in widths) + "-|")


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"


@contextmanager
def folder() -> Generator[str, None, None]:
    """Gives an empty folder on the disk that holds the repository's `target`.

    What earlier measurements left to the disk is written first. Folders are removed when the
    process ends and not before: a journal that is busy removing slows the next one many times.
    """
    parent = os.environ.get("PARTITA_BENCH_FOLDER") or str(BENCHES.parent / "target")
    os.makedirs(parent, exist_ok=True)
    path = tempfile.mkdtemp(prefix="bench-", dir=parent)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    os.sync()
    yield path


def timed(command: Sequence[str], environment: dict[str, str], place: str, longest: float) -> float:
    """Returns the seconds that a whole process takes, with `place` as its current folder."""
    started = time.perf_counter()
    subprocess.run(
        command,
        env=environment,
        cwd=place,
        check=True,
        timeout=longest,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def workload(home: str, script: str, *arguments: object) -> dict[str, float]:
    """Runs one workload of Partita in a process of its own."""
    command = [sys.executable, str(BENCHES / script), *map(str, arguments)]
    started = time.perf_counter()
    measured = _json(command, {**os.environ, "PARTITA_HOME": home})
    return {**measured, "process": time.perf_counter() - started}


def floor(name: str, size: int) -> float:
    """Returns the seconds that a floor takes in a process of its own."""
    with folder() as path:
        command = [sys.executable, str(BENCHES / "floors.py"), name, str(size), path]
        return _json(command, dict(os.environ))["seconds"]


def _json(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(
        command, env=environment, cwd=BENCHES, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def repeat(times: int, *measures: Callable[[], float]) -> list[float]:
    """Returns the median of each measure; they take turns, so that all see the same machine."""
    taken: list[list[float]] = [[] for _ in measures]
    for _ in range(times):
        for values, measure in zip(taken, measures, strict=True):
            values.append(measure())
    return [statistics.median(values) for values in taken]


def start_time(*command: str) -> Callable[[], float]:
    """Returns a measure of a whole process from its start to its end, in milliseconds."""

    def measure() -> float:
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return 1e3 * (time.perf_counter() - started)

    return measure
