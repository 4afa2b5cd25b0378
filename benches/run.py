"""Measures the budgets, each beside its floor of the same run: `make bench`.

Names of measurements may follow, to make only those. A figure that is over its budget is said to
be, and fails nothing: the machine may be busy with other work.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import containers
import images
import plugins
import processes
import programs
from figure import HEADINGS, Figure
from measuring import (
    BENCHES,
    Sample,
    floor,
    folder,
    repeat,
    show,
    start_time,
    warn_of_slow_disk,
    workload,
)

ARRAY_LENGTH = 12_500_000


def command() -> Iterator[Figure]:
    """The start of the native command; the floor is that of a program that does nothing."""
    partita = str(Path(sys.executable).with_name("partita"))
    measured, least = repeat(51, start_time(partita, "--version"), start_time("/bin/true"))
    yield Figure("partita --version, ms", measured, 5, least)


def importing() -> Iterator[Figure]:
    """What `import partita` adds to the start of the interpreter."""
    python = sys.executable
    bare, measured = repeat(
        21, start_time(python, "-c", "pass"), start_time(python, "-c", "import partita")
    )
    yield Figure("import partita, ms", measured - bare, 30)
    yield Figure("- with Python's start", measured, None, bare)


def step() -> Iterator[Figure]:
    """One more step in a chain: the time of 100 less that of 10, over 90."""

    def chain(length: int) -> float:
        with folder() as home:
            return 1e3 * workload(home, "partita_chain.py", "run", length)["seconds"]

    lengths = (10, 100)
    ten, hundred, by_hand_ten, by_hand_hundred, barest_ten, barest_hundred = repeat(
        11,
        *(partial(chain, length) for length in lengths),
        *(partial(floor, "steps", length) for length in lengths),
        *(partial(floor, "barest", length) for length in lengths),
    )
    by_hand = 1e3 * (by_hand_hundred - by_hand_ten) / 90
    barest = 1e3 * (barest_hundred - barest_ten) / 90
    yield Figure("in-process step, ms", (hundred - ten) / 90, by_hand.median, by_hand)
    yield Figure("- beside the barest loop", (hundred - ten) / 90, None, barest)
    measured, by_hand = repeat(5, lambda: chain(1000) / 1000, lambda: floor("steps", 1000))
    yield Figure("- each of 1,000, trace included", measured, None, by_hand)


def mapped() -> Iterator[Figure]:
    """A step mapped over 10,000 items; the floor is the hand-written loop of as many steps."""
    count = 10_000

    def measure() -> dict[str, float]:
        with folder() as home:
            return workload(home, "partita_map.py", count)

    runs = [measure() for _ in range(3)]
    taken = {key: Sample(run[key] for run in runs) for key in runs[0]}
    by_hand, cached = repeat(
        3, lambda: 1e3 * floor("steps", count), lambda: 1e3 * floor("cached", count)
    )
    each = 1 / count
    yield Figure("item of a map of 10,000, ms", 1e3 * each * taken["seconds"], None, each * by_hand)
    yield Figure("- cached", 1e3 * each * taken["cached"], None, each * cached)
    yield Figure("- peak memory of the run, MB", taken["peak"])


def memory() -> Iterator[Figure]:
    """The most memory that a process has in a run of 100 steps, Python included."""

    def peak(length: int) -> float:
        with folder() as home:
            return workload(home, "partita_chain.py", "run", length)["peak"]

    measured, least = repeat(3, lambda: peak(100), lambda: floor("steps", 100, "peak"))
    yield Figure("peak memory of 100 steps, MB", measured, 40, least)


def compiling() -> Iterator[Figure]:
    """Compiling 10,000 steps; the floor reads the spec and writes the deployment with `json`."""
    with folder() as home:
        runs = [workload(home, "partita_chain.py", "compile", 10_000) for _ in range(5)]
    taken = {key: 1e3 * Sample(run[key] for run in runs) for key in runs[0]}
    yield Figure("compile 10,000 steps, ms", taken["seconds"], 100, taken["floor"])
    yield Figure("- their trace, in Python", taken["trace"])


def cached() -> Iterator[Figure]:
    """A second run of 1,000 steps, none of which has to be called."""
    length = 1000
    with folder() as home:
        workload(home, "partita_chain.py", "run", length)
        runs = [workload(home, "partita_chain.py", "run", length) for _ in range(7)]
    taken = {key: 1e3 * Sample(run[key] for run in runs) for key in runs[0]}
    (least,) = repeat(3, lambda: 1e3 * floor("cached", length))
    yield Figure("cached rerun, 1,000 steps, ms", taken["engine"], 100, least)
    yield Figure("- with tracing", taken["seconds"], None, least)
    yield Figure("- the whole process", taken["process"], None, least)


def array() -> Iterator[Figure]:
    """100 MB from one step to the next; the floor is `numpy.save` and `numpy.load`."""

    def measure() -> float:
        with folder() as home:
            return 1e3 * workload(home, "partita_array.py", ARRAY_LENGTH)["seconds"]

    measured, least = repeat(9, measure, lambda: 1e3 * floor("array", ARRAY_LENGTH))
    yield Figure("100 MB array handed over, ms", measured, 1.3 * least.median, least)


def runner() -> Iterator[Figure]:
    """The DAG runner alone, its launcher doing nothing; the floor is the scheduler without it.

    Of the shapes of graphs, each size shows the slowest and the one that takes the most memory.
    """
    rounds = [runner_round() for _ in range(3)]
    for size in sorted({size for size, _ in rounds[0]}):
        shapes = [
            [Sample(values) for values in zip(*(taken[graph] for taken in rounds), strict=True)]
            for graph in rounds[0]
            if graph[0] == size
        ]
        time, least, _ = max(shapes, key=lambda shape: shape[0].median)
        yield Figure(f"DAG runner, {size:,} steps, µs", time, 1e6 / 200_000, least)
        memory = max((shape[2] for shape in shapes), key=lambda memory: memory.median)
        yield Figure("- its memory, bytes a step", memory, 1024)


def runner_round() -> dict[tuple[int, str], tuple[float, ...]]:
    """Returns, for each size and shape: µs a step, µs of the scheduler alone, bytes a step."""
    cargo = os.environ.get("CARGO", "cargo")
    arguments = ["--package", "partita-engine", "--example", "bench_runner"]
    done = subprocess.run(
        [cargo, "run", "--release", "--quiet", "--locked", *arguments],
        cwd=BENCHES.parent,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    taken: dict[tuple[int, str], tuple[float, ...]] = {}
    for line in done.stdout.splitlines()[2:]:
        shape, size, rate, pure, memory, _ = re.split(r"\s{2,}", line.strip())
        taken[int(size), shape] = (1e6 / float(rate), 1e6 / float(pure), float(memory))
    return taken


MEASUREMENTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "command": command,
    "import": importing,
    "step": step,
    "map": mapped,
    "memory": memory,
    "compile": compiling,
    "cached": cached,
    "array": array,
    "runner": runner,
    **processes.MEASUREMENTS,
    **plugins.MEASUREMENTS,
    **programs.MEASUREMENTS,
    **containers.MEASUREMENTS,
    **images.MEASUREMENTS,
}


def main(names: list[str]) -> int:
    """Makes the measurements and prints them; returns the exit code."""
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        known = ", ".join(MEASUREMENTS)
        print(f"error: there is no measurement `{unknown[0]}`; there are {known}.")
        return 2
    warn_of_slow_disk()
    figures: list[Figure] = []
    for name in names or MEASUREMENTS:
        for figure in MEASUREMENTS[name]():
            print(figure, flush=True)
            figures.append(figure)
    print("\nMedian of several rounds (lowest-highest); each floor was measured beside them.\n")
    show([HEADINGS, *(figure.row() for figure in figures)])
    over = sum(figure.verdict() == "over" for figure in figures)
    budgets = sum(figure.budget is not None for figure in figures)
    print(f"\n{budgets - over} of {budgets} budgets met, {over} over.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
