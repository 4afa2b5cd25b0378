"""Runs workloads and their floors, keeps what each round took, and prints tables."""

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
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

BENCHES = Path(__file__).resolve().parent

#: Microseconds for which a file is not created on a disk that has time.
SLOW = 40


class Sample:
    """What one measure took, round by round.

    Arithmetic goes round by round as well: figures of one round saw the same machine, so that
    their difference or ratio says more than that of two medians.
    """

    def __init__(self, values: Iterable[float]) -> None:
        self.values = tuple(values)

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    def __sub__(self, other: Sample) -> Sample:
        return Sample(a - b for a, b in zip(self.values, other.values, strict=True))

    def __truediv__(self, divisor: Sample | float) -> Sample:
        if isinstance(divisor, Sample):
            return Sample(a / b for a, b in zip(self.values, divisor.values, strict=True))
        return Sample(value / divisor for value in self.values)

    def __rmul__(self, factor: float) -> Sample:
        return Sample(factor * value for value in self.values)

    def __str__(self) -> str:
        """Returns the median, and the lowest and highest in brackets."""
        return f"{brief(self.median)} ({_rough(min(self.values))}-{_rough(max(self.values))})"


def brief(value: float) -> str:
    """Returns a number with three significant digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def _rough(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:#.2g}".rstrip(".")


def show(rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table whose columns line up; the first row holds the headings."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("| " + " | ".join(cells) + " |", flush=True)
        if number == 0:
            rules = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
            print("| " + " | ".join(rules) + " |")


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


def warn_of_slow_disk() -> None:
    """Says so if files are created slowly, which every figure of a run has in it.

    For each file, ext4 without a journal looks through what was deleted in the last six minutes.
    """
    times = []
    with folder() as path:
        for number in range(100):
            started = time.perf_counter()
            os.close(os.open(f"{path}/{number}", os.O_CREAT | os.O_WRONLY))
            times.append(time.perf_counter() - started)
    typical = 1e6 * statistics.median(times)
    if typical > SLOW:
        print(
            f"note: creating a file takes {typical:.0f} µs here, and should take less than {SLOW}:"
            " wait for six minutes if many were deleted, as by a build.\n"
        )


def workload(home: str, script: str, *arguments: object) -> dict[str, float]:
    """Runs one workload of Partita in a process of its own."""
    command = [sys.executable, str(BENCHES / script), *map(str, arguments)]
    started = time.perf_counter()
    # As usual, modules are compiled once, and not by each process that imports them.
    environment = {**os.environ, "PARTITA_HOME": home, "PYTHONDONTWRITEBYTECODE": ""}
    measured = _json(command, environment)
    return {**measured, "process": time.perf_counter() - started}


def floor(name: str, size: int, figure: str = "seconds") -> float:
    """Returns a figure of a floor, by default its time, from a process of its own."""
    with folder() as path:
        command = [sys.executable, str(BENCHES / "floors.py"), name, str(size), path]
        return _json(command, dict(os.environ))[figure]


def _json(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(
        command, env=environment, cwd=BENCHES, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def repeat(times: int, *measures: Callable[[], float]) -> list[Sample]:
    """Returns what each measure took; they take turns, so that all see the same machine."""
    rounds = [[measure() for measure in measures] for _ in range(times)]
    return [Sample(values) for values in zip(*rounds, strict=True)]


def start_time(*command: str) -> Callable[[], float]:
    """Returns a measure of a whole process from its start to its end, in milliseconds."""

    def measure() -> float:
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return 1e3 * (time.perf_counter() - started)

    return measure
