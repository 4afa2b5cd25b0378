"""Measures programs in Rust, whose steps run in their own process, beside the same by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

from figure import Figure
from measuring import BENCHES, folder, repeat

ROOT = BENCHES.parent

#: Numbers in a vector of 100 MB.
VECTOR_LENGTH = 12_500_000


#: How `docs/guide/containers.md` has a program linked that needs no library of its machine.
STATIC = ("-C", "target-feature=+crt-static")


@cache
def program(*linked: str) -> str:
    """Builds the program, and links it with these options; returns its path."""
    cargo = os.environ.get("CARGO", "cargo")
    example = ["--package", "partita", "--example", "bench_program"]
    words = [cargo, "rustc", "--release", "--quiet", "--locked", *example, "--", *linked]
    subprocess.run(words, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    built = target / "release/examples/bench_program"
    # Linked otherwise, it would take this one's place.
    kept = built.with_name("bench_program_static" if linked else "bench_program_shared")
    return str(shutil.copy2(built, kept))


def run(home: str, pipeline: str, *parameters: str) -> list[float]:
    """Runs a pipeline; returns the numbers that it prints."""
    options = [word for parameter in parameters for word in ("--param", parameter)]
    done = subprocess.run(
        [program(), "--quiet", "run", pipeline, *options],
        cwd=home,
        env={**os.environ, "PARTITA_HOME": home},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [float(line) for line in done.stdout.splitlines()]


def by_hand(what: str, length: int) -> Callable[[], float]:
    """Returns a measure of the same by hand, in milliseconds."""

    def measure() -> float:
        with folder() as place:
            done = subprocess.run(
                [program(), "by-hand", what, str(length), place],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            return 1e3 * float(done.stdout)

    return measure


def chain(length: int) -> Callable[[], float]:
    """Returns a measure of a chain from its first step to its last, in milliseconds."""

    def measure() -> float:
        with folder() as home:
            begun, ended = run(home, "chain", f"length={length}")
            return 1e3 * (ended - begun)

    return measure


def stepping() -> Iterator[Figure]:
    """A step in a chain of 1,000: its call, record and artifact."""
    length = 1000
    measured, hand = repeat(7, chain(length), by_hand("steps", length))
    yield Figure("in-process step in Rust, ms", measured / length, 0.150, hand / length)


def chaining() -> Iterator[Figure]:
    """The same in a chain of 10,000."""
    length = 10_000
    measured, hand = repeat(3, chain(length), by_hand("steps", length))
    yield Figure("- each of 10,000", measured / length, None, hand / length)


def starting() -> Iterator[Figure]:
    """From a program's start until its first step is called; in a home that knows the program.

    It starts when the system is asked for the process, and no interpreter is forked for it.
    """
    with folder() as home, folder() as static_home:
        homes = {program(): home, program(*STATIC): static_home}

        def measure(executable: str) -> float:
            words = [executable, "--quiet", "run", "starting"]
            begun, said = spawned(words, {**os.environ, "PARTITA_HOME": homes[executable]})
            return 1e3 * (float(said) - begun)

        def nothing() -> float:
            begun, _ = spawned(["/bin/true"], dict(os.environ))
            return 1e3 * (time.time() - begun)

        # A digest is remembered once the program has not changed for some seconds; asking all the
        # time until then would leave thousands of files, and slow what is measured.
        for executable, place in homes.items():
            while not any(Path(place, "digests").glob("*")):
                time.sleep(0.2)
                measure(executable)
        measures = [partial(measure, executable) for executable in homes]
        measured, static, least = repeat(31, *measures, nothing)
    yield Figure("program start to its first step, ms", measured, 5, least)
    yield Figure("- linked statically", static, 5, least)


def spawned(words: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Runs a process to its end; returns when the system was asked for it, and what it printed."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as said:
        actions = [(os.POSIX_SPAWN_DUP2, writing, 1)]
        begun = time.time()
        process = os.posix_spawn(words[0], words, environment, file_actions=actions)
        os.close(writing)
        text = said.read()
    _, status = os.waitpid(process, 0)
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), words)
    return begun, text


def passing() -> Iterator[Figure]:
    """100 MB from one step to the next; the floor writes a file and reads it."""

    def measure() -> float:
        with folder() as home:
            made, there = run(home, "vector", f"length={VECTOR_LENGTH}")
            return 1e3 * (there - made)

    measured, least = repeat(9, measure, by_hand("vector", VECTOR_LENGTH))
    yield Figure("100 MB Vec<f64> passed, ms", measured, 1.3 * least.median, least)


MEASUREMENTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "program-step": stepping,
    "program-chain": chaining,
    "program-start": starting,
    "program-vector": passing,
}
