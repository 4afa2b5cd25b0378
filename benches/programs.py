"""Measures programs in Rust, whose steps run in their own process, beside the same by hand."""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from figure import Figure
from measuring import BENCHES, folder, repeat

ROOT = BENCHES.parent

#: Numbers in a vector of 100 MB.
VECTOR_LENGTH = 12_500_000


@cache
def program() -> str:
    """Builds the program; returns its path."""
    cargo = os.environ.get("CARGO", "cargo")
    example = ["--package", "partita", "--example", "bench_program"]
    subprocess.run(
        [cargo, "build", "--release", "--quiet", "--locked", *example], cwd=ROOT, check=True
    )
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    return str(target / "release/examples/bench_program")


def run(
    home: str, pipeline: str, *parameters: str, before: Callable[[], None] | None = None
) -> list[float]:
    """Runs a pipeline, with `before` called ahead; returns the numbers that it prints."""
    options = [word for parameter in parameters for word in ("--param", parameter)]
    done = subprocess.run(
        [program(), "--quiet", "run", pipeline, *options],
        cwd=home,
        env={**os.environ, "PARTITA_HOME": home},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=before,
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

    It starts when the system is asked to execute it: the fork of this process is not its work.
    """
    times, at = os.pipe()

    def note_start() -> None:
        os.write(at, struct.pack("d", time.time()))

    def started() -> float:
        (seconds,) = struct.unpack("d", os.read(times, 8))
        return float(seconds)

    with folder() as home:

        def measure() -> float:
            (called,) = run(home, "starting", before=note_start)
            return 1e3 * (called - started())

        def nothing() -> float:
            subprocess.run(["/bin/true"], check=True, preexec_fn=note_start)
            return 1e3 * (time.time() - started())

        # A digest is remembered once the program has not changed for some seconds.
        while not any(Path(home, "digests").glob("*")):
            measure()
        measured, least = repeat(31, measure, nothing)
    yield Figure("program start to its first step, ms", measured, 5, least)


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
