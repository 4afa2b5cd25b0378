"""The steps that chaos rounds are made of; each round copies this file beside its pipeline.

A step tells when it begins and when it is about to return: in `calls.txt`, which is the evidence,
and in the fifo `bell`, which wakes whoever waits for the n-th such line. What it returns follows
from what it takes alone, so that it is known beforehand.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Generator
from typing import Any

from partita import ResourceSettings, StepRetryConfig, get_step_context, step

#: Steps under the limit `licence` that may run at once.
LICENCES = 2

#: What all values are counted modulo.
MODULUS = 251

#: Bytes of a value that is stored as a file.
LARGE = 20_000

FOLDER = os.path.dirname(os.path.abspath(__file__))


def tell(*words: object) -> None:
    """Adds a line to the evidence, and rings."""
    line = ("\t".join(map(str, words)) + "\n").encode()
    for name, flags in (("calls.txt", os.O_APPEND | os.O_CREAT), ("bell", os.O_NONBLOCK)):
        with contextlib.suppress(OSError):  # Nobody may listen for the bell.
            descriptor = os.open(os.path.join(FOLDER, name), os.O_WRONLY | flags)
            os.write(descriptor, line)
            os.close(descriptor)


def locked(name: str) -> bool:
    """Returns whether this process is the only one to have locked a file, which it does till its end."""
    path = os.path.join(FOLDER, "locks", name)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)  # Never closed: it is to be held.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def told() -> Generator[None]:
    """Tells of a step's beginning and end, and of another process that runs it at the same time."""
    context = get_step_context()
    item = "-" if context.item is None else context.item
    names = (context.step_name, item, context.attempt)
    if not locked(f"{context.step_name}.{item}"):
        tell("twice", *names)
    tell("begin", *names, os.getpid())
    yield
    tell("end", *names, os.getpid())


def weight(value: object) -> int:
    """Returns the number that stands for a value."""
    if isinstance(value, bytes):
        assert value == value[:1] * LARGE, "a value is damaged"
        return value[0]
    if isinstance(value, list):
        return sum(map(weight, value)) % MODULUS
    assert isinstance(value, int)
    return value % MODULUS


def works(values: list[object], number: int) -> int:
    with told():
        time.sleep(number / 50_000)  # Up to 5 ms of work.
        return (weight(list(values)) + number) % MODULUS


@step
def plain(values: list[Any], number: int) -> int:
    return works(values, number)


@step
def large(values: list[Any], number: int) -> bytes:
    return bytes([works(values, number)]) * LARGE


@step
def programs(values: list[Any], number: int) -> int:
    """Leaves a program behind, and waits for one in front."""
    subprocess.Popen(["sleep", "1000"])
    subprocess.run(["true"], check=True)
    return works(values, number)


@step(retry=StepRetryConfig(max_retries=3))
def flaky(values: list[Any], number: int) -> int:
    """Fails once, and then works."""
    result = works(values, number)
    if get_step_context().attempt == 1:
        raise ValueError("the first attempt fails")
    return result


@step(limits={"licence": LICENCES})
def limited(values: list[Any], number: int) -> int:
    if not any(locked(f"licence {place}") for place in range(LICENCES)):
        tell("beyond the limit", get_step_context().step_name)
    return works(values, number)


@step(settings={"resources": ResourceSettings(cpu_count=1)})
def asks(values: list[Any], number: int) -> int:
    return works(values, number)


@step(settings={"resources": ResourceSettings(cpu_count=2)})
def anew(values: list[Any], number: int) -> int:
    """Is never forked, since it asks for two cores."""
    return works(values, number)


@step
def numbers(values: list[Any], number: int) -> list[int]:
    result = works(values, number)
    return [result + item for item in range(number % 5)]


@step
def item(value: int) -> int:
    return works([value], 1)


#: The kinds of steps that take values and a number, and how often each is chosen.
KINDS: dict[str, tuple[int, Callable[[int], object]]] = {
    "plain": (4, int),
    "large": (2, lambda result: bytes([result]) * LARGE),
    "programs": (2, int),
    "flaky": (2, int),
    "limited": (3, int),
    "asks": (2, int),
    "anew": (1, int),
}
