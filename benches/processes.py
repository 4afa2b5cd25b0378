"""Measures steps in processes of their own, each beside its floor of the same run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from figure import Figure
from measuring import BENCHES, Sample, floor, folder, repeat, start_time, workload

SCRIPT = "partita_process.py"
PARTITA = str(Path(sys.executable).with_name("partita"))

#: How long to wait for what is certain to happen, in seconds.
PATIENCE = 60.0


@contextmanager
def process_home(**config: object) -> Generator[str, None, None]:
    """Gives an empty home whose steps have processes of their own."""
    options = [f"--{key}={value}" for key, value in config.items()]
    with folder() as home:
        for command in (
            ["orchestrator", "register", "fast", "--flavor=process", *options],
            ["stack", "register", "fast", "-o", "fast", "-a", "default", "--set"],
        ):
            environment = {**os.environ, "PARTITA_HOME": home}
            subprocess.run([PARTITA, *command], env=environment, check=True, capture_output=True)
        yield home


def milliseconds(pipeline: str, size: int, **config: object) -> float:
    """Returns how long a run takes in a fresh home, from its trace to its end."""
    with process_home(**config) as home:
        return 1e3 * workload(home, SCRIPT, pipeline, size)["seconds"]


def forked() -> Iterator[Figure]:
    """A step that does nothing, forked; the floor forks a child that leaves as many files."""
    taken = repeat(
        11,
        *(partial(milliseconds, "chain", length) for length in (10, 100)),
        *(partial(floor, "forks", length) for length in (10, 100)),
    )
    ten, hundred, floor_ten, floor_hundred = taken
    measured, least = (hundred - ten) / 90, 1e3 * (floor_hundred - floor_ten) / 90
    yield Figure("isolated step of a chain, ms", measured, 2, least)
    yield Figure("- in multiples of its floor", measured / least, 2)
    measured, least = repeat(
        5,
        lambda: milliseconds("fan_out", 1000) / 1000,
        lambda: floor("forks_at_once", 1000),
    )
    yield Figure("isolated step of a fan-out of 1,000, ms", measured, 2, least)
    yield Figure("- in multiples of its floor", measured / least, 2)


def cold() -> Iterator[Figure]:
    """A step that starts Python anew; the floor is Python that does nothing, as often in a row."""
    few, many = 5, 25

    def started(code: str) -> Callable[[], float]:
        start = start_time(sys.executable, "-c", code)
        return lambda: sum(start() for _ in range(many - few)) / (many - few)

    taken = repeat(
        11,
        *(partial(milliseconds, "chain", length, warm="false") for length in (few, many)),
        started("pass"),
        started("import partita"),
    )
    short, long, bare, importing = taken
    measured = (long - short) / (many - few)
    yield Figure("isolated step, cold, ms", measured, bare.median + 5, bare)
    yield Figure("- above its floor", measured - bare, 5)
    yield Figure("- beside `import partita`", measured, None, importing)


def at_once() -> Iterator[Figure]:
    """Eight steps that sleep for a second, all at once; the floor is eight such forks."""

    def whole() -> float:
        with process_home(max_parallelism=8) as home:
            return workload(home, SCRIPT, "sleepers", 8)["process"]

    measured, process, least = repeat(
        5,
        lambda: milliseconds("sleepers", 8, max_parallelism=8) / 1e3,
        whole,
        lambda: floor("sleepers", 8),
    )
    yield Figure("8 steps that sleep 1 s, s", measured, 1.2, least)
    yield Figure("- the whole process", process, None, least)


def drawn() -> Iterator[Figure]:
    """A progress bar that is drawn 1,000 times a second; the floor draws it where nobody reads."""

    def measure() -> float:
        with process_home() as home:
            return 1e3 * workload(home, SCRIPT, "drawn", 2000)["drawing"] / 2

    measured, least = repeat(5, measure, lambda: 1e3 * floor("draws", 2000) / 2)
    yield Figure("progress bar, ms of each second", measured, None, least)


@contextmanager
def stopped_run(home: str, pipeline: str, size: int) -> Generator[subprocess.Popen[bytes]]:
    """Gives the engine of a run whose step `stop` has been called, and ends it."""
    calls = os.path.join(home, "calls")
    environment = {**os.environ, "PARTITA_HOME": home, "PARTITA_BENCH_CALLS": calls}
    command = [sys.executable, str(BENCHES / SCRIPT), pipeline, str(size)]
    with subprocess.Popen(command, env=environment, cwd=BENCHES) as engine:
        try:
            wait_for_call(calls, 1)
            yield engine
        finally:
            engine.kill()


def wait_for_call(path: str, count: int) -> float:
    """Waits until a side file has so many lines; returns the time in the last of them."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        lines = Path(path).read_text().split("\n") if os.path.exists(path) else []
        if len(lines) > count:
            return float(lines[count - 1])
        time.sleep(0.002)
    raise TimeoutError(f"no line {count} in {path}")


def waiting() -> Iterator[Figure]:
    """What the engine takes while 1,000 steps wait; the floor is Python that waits for a fork."""
    seconds = 2.0

    def measure() -> tuple[float, float]:
        with process_home() as home, stopped_run(home, "waiting", 1000) as engine:
            time.sleep(0.5)  # So that what its beginning takes is over.
            before = processor_time(engine.pid)
            time.sleep(seconds)
            used = (processor_time(engine.pid) - before) / seconds
            return resident_memory(engine.pid), 1e3 * used

    memory, used = (Sample(values) for values in zip(*(measure() for _ in range(3)), strict=True))
    (least,) = repeat(3, lambda: floor("waits", 1000, "memory"))
    yield Figure("engine while 1,000 steps wait, MB", memory, None, least)
    yield Figure("- its processor time, ms a second", used)


def processor_time(pid: int) -> float:
    """Returns the seconds of processors that a process has used, in all of its threads."""
    nanoseconds = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def resident_memory(pid: int) -> float:
    """Returns the memory that a process has now, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def resumed() -> Iterator[Figure]:
    """From an engine's death to the run going on; the floor is a script that is started again."""

    def measure() -> float:
        with process_home() as home, stopped_run(home, "stopped", 100) as engine:
            killed = time.monotonic()
            engine.kill()
            calls = os.path.join(home, "calls")
            environment = {**os.environ, "PARTITA_HOME": home, "PARTITA_BENCH_CALLS": calls}
            command = [PARTITA, "--quiet", "runs", "resume", "latest"]
            subprocess.run(command, env=environment, cwd=BENCHES, check=True)
            return wait_for_call(calls, 2) - killed

    measured, least = repeat(7, measure, lambda: floor("resumes", 100))
    yield Figure("killed engine to run going on, s", measured, 1, least)


MEASUREMENTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "forked": forked,
    "cold": cold,
    "at-once": at_once,
    "drawn": drawn,
    "waiting": waiting,
    "resumed": resumed,
}
