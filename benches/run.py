"""Measures the budgets, each beside its floor of the same run: `make bench`.

Names of measurements may follow, to make only those.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

from measuring import BENCHES, HEADINGS, Figure, floor, folder, repeat, show, start_time, workload

ARRAY_LENGTH = 12_500_000


def command() -> Iterator[Figure]:
    """The start of the native command; the floor is that of a program that does nothing."""
    if shutil.which("partita") is None:
        print(
            "The command `partita` is not on the path, so its start is left out.", file=sys.stderr
        )
        return
    measured, least = repeat(51, start_time("partita", "--version"), start_time("/bin/true"))
    yield Figure("`partita --version`", measured, "ms", 5, least)


def importing() -> Iterator[Figure]:
    """What `import partita` adds to the start of the interpreter."""
    python = sys.executable
    bare, measured = repeat(
        21, start_time(python, "-c", "pass"), start_time(python, "-c", "import partita")
    )
    yield Figure("`import partita`, beyond Python's start", measured - bare, "ms", 30)
    yield Figure("the same, with Python's start", measured, "ms", None, bare)


def step() -> Iterator[Figure]:
    """One more step in a chain: the time of 100 less that of 10, over 90."""

    def chain(length: int) -> float:
        with folder() as home:
            return 1e3 * workload(home, "partita_chain.py", "run", length)["seconds"]

    ten, hundred, floor_ten, floor_hundred = repeat(
        11,
        lambda: chain(10),
        lambda: chain(100),
        lambda: 1e3 * floor("steps", 10),
        lambda: 1e3 * floor("steps", 100),
    )
    by_hand = (floor_hundred - floor_ten) / 90
    yield Figure("in-process step, no-op", (hundred - ten) / 90, "ms", by_hand, by_hand)
    measured, by_hand = repeat(5, lambda: chain(1000) / 1000, lambda: floor("steps", 1000))
    yield Figure("the same, 1,000 steps, all included", measured, "ms a step", None, by_hand)


def memory() -> Iterator[Figure]:
    """The most memory that a process has in a run of 100 steps, Python included."""

    def peak(length: int) -> float:
        with folder() as home:
            return workload(home, "partita_chain.py", "run", length)["peak"]

    (measured,) = repeat(3, lambda: peak(100))
    yield Figure("peak memory of 100 steps", measured, "MB", 40)


def compiling() -> Iterator[Figure]:
    """Compiling 10,000 steps; the floor reads the spec and writes the deployment with `json`."""
    with folder() as home:
        runs = [workload(home, "partita_chain.py", "compile", 10_000) for _ in range(5)]
    medians = {key: sorted(run[key] for run in runs)[2] for key in runs[0]}
    measured, least = 1e3 * medians["seconds"], 1e3 * medians["floor"]
    yield Figure("compile 10,000 steps", measured, "ms", 100, least)
    yield Figure("their trace, in Python", 1e3 * medians["trace"], "ms")


def cached() -> Iterator[Figure]:
    """A second run of 1,000 steps, none of which has to be called."""
    length = 1000
    with folder() as home:
        workload(home, "partita_chain.py", "run", length)
        runs = [workload(home, "partita_chain.py", "run", length) for _ in range(7)]
    medians = {key: 1e3 * sorted(run[key] for run in runs)[3] for key in runs[0]}
    (least,) = repeat(3, lambda: 1e3 * floor("cached", length))
    yield Figure("cached rerun of 1,000 steps, engine", medians["engine"], "ms", 100, least)
    yield Figure("the same, with tracing", medians["seconds"], "ms", None, least)
    yield Figure("the same, whole process", medians["process"], "ms", None, least)


def array() -> Iterator[Figure]:
    """100 MB from one step to the next; the floor is `numpy.save` and `numpy.load`."""

    def measure() -> float:
        with folder() as home:
            return 1e3 * workload(home, "partita_array.py", ARRAY_LENGTH)["seconds"]

    measured, least = repeat(9, measure, lambda: 1e3 * floor("array", ARRAY_LENGTH))
    yield Figure("100 MB array between two steps", measured, "ms", 1.3 * least, least)


def runner() -> Iterator[Figure]:
    """The DAG runner alone, its launcher doing nothing; the floor is the scheduler without it."""
    cargo = os.environ.get("CARGO", "cargo")
    arguments = ["--package", "partita-engine", "--example", "bench_runner"]
    done = subprocess.run(
        [cargo, "run", "--release", "--quiet", "--locked", *arguments],
        cwd=BENCHES.parent,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in done.stdout.splitlines()[2:]:
        graph, count, rate, pure, size, _ = re.split(r"\s{2,}", line.strip())
        what = f"DAG runner, {graph}, {int(count):,} steps"
        yield Figure(what, float(rate), "steps/s", 200_000, float(pure), more_is_better=True)
        yield Figure("its memory", float(size), "bytes a step", 1024)


MEASUREMENTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "command": command,
    "import": importing,
    "step": step,
    "memory": memory,
    "compile": compiling,
    "cached": cached,
    "array": array,
    "runner": runner,
}


def main(names: list[str]) -> int:
    """Makes the measurements and prints them; returns the exit code."""
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        print(
            f"error: there is no measurement `{unknown[0]}`; there are {', '.join(MEASUREMENTS)}."
        )
        return 2
    rows: list[tuple[str, ...]] = [HEADINGS]
    for name in names or MEASUREMENTS:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        rows.extend(figure.row() for figure in MEASUREMENTS[name]())
    show(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
