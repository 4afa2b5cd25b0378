"""The floors: the same durable work as a step's, written by hand in plain Python.

`python floors.py FLOOR SIZE FOLDER` does it in an empty folder and prints what it measured as JSON,
times in seconds. Like Partita by default, it survives the death of the process and not the loss of
power.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

from peak_memory import peak_memory


def increment(number: int) -> int:
    """Adds one, which is as good as nothing."""
    return number + 1


def open_index(folder: str) -> sqlite3.Connection:
    """Returns a database that commits each insert to a write-ahead log."""
    index = sqlite3.connect(os.path.join(folder, "index.db"), isolation_level=None)
    index.execute("PRAGMA journal_mode = WAL")
    index.execute("PRAGMA synchronous = NORMAL")
    index.execute("CREATE TABLE step (name TEXT PRIMARY KEY, ended REAL, value TEXT)")
    return index


def write_whole(path: str, text: str) -> None:
    """Writes a file that is there whole or not at all."""
    temporary = path + ".new"
    with open(temporary, "w") as file:
        file.write(text)
    os.rename(temporary, path)


def record(index: sqlite3.Connection, folder: str, name: str, number: int) -> str:
    """Makes a result durable: a document and a row of the index. Returns the document."""
    ended = time.time()
    document = json.dumps({"step": name, "status": "completed", "ended": ended, "value": number})
    write_whole(os.path.join(folder, f"{name}.json"), document)
    index.execute("INSERT INTO step VALUES (?, ?, ?)", (name, ended, str(number)))
    return document


def steps(length: int, folder: str) -> dict[str, float]:
    """Calls one step after the other; each has a folder with its result and a cache entry."""
    index = open_index(folder)
    number = 0
    started = time.perf_counter()
    for position in range(length):
        number = increment(number)
        place = os.path.join(folder, str(position))
        os.mkdir(place)
        document = record(index, place, f"{position}-increment", number)
        write_whole(os.path.join(place, "cached.json"), document)
    return {"seconds": time.perf_counter() - started, "peak": peak_memory()}


def barest(length: int, folder: str) -> dict[str, float]:
    """Calls one step after the other, and keeps a document of each in one folder: no cache."""
    index = open_index(folder)
    number = 0
    started = time.perf_counter()
    for position in range(length):
        number = increment(number)
        record(index, folder, f"{position}-increment", number)
    return {"seconds": time.perf_counter() - started}


def cached(length: int, folder: str) -> dict[str, float]:
    """Reads a document of an earlier run for each step and records its result anew."""
    index = open_index(folder)
    cache, run = os.path.join(folder, "cache"), os.path.join(folder, "run")
    os.mkdir(cache)
    os.mkdir(run)
    for position in range(length):
        write_whole(os.path.join(cache, f"{position}.json"), json.dumps({"value": position}))
    started = time.perf_counter()
    for position in range(length):
        with open(os.path.join(cache, f"{position}.json")) as file:
            number = json.load(file)["value"]
        record(index, run, f"{position}-increment", number)
    return {"seconds": time.perf_counter() - started}


def in_fork(work: Callable[[], object]) -> int:
    """Does some work in a fork of this process, and returns the fork's id."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return child


def keep(folder: str, number: int) -> None:
    """Calls a step, keeps a document of it, and links that as its cache entry."""
    document = {"status": "completed", "ended": time.time(), "value": increment(number)}
    path = os.path.join(folder, f"{number}-increment.json")
    write_whole(path, json.dumps(document))
    os.link(path, os.path.join(folder, f"{number}.cached.json"))


def forks(length: int, folder: str) -> dict[str, float]:
    """Forks one step after the other."""
    return _forks(length, partial(keep, folder), 1)


def forks_at_once(length: int, folder: str) -> dict[str, float]:
    """Forks steps, as many at once as there are processors."""
    return _forks(length, partial(keep, folder), len(os.sched_getaffinity(0)))


def sleepers(length: int, _: str) -> dict[str, float]:
    """Forks steps that sleep for a second, all at once."""
    return _forks(length, lambda _: time.sleep(1), length)


def _forks(length: int, work: Callable[[int], object], most: int) -> dict[str, float]:
    started = time.perf_counter()
    for number in range(length):
        if number >= most:
            os.waitpid(-1, 0)
        in_fork(partial(work, number))
    for _ in range(min(most, length)):
        os.waitpid(-1, 0)
    return {"seconds": time.perf_counter() - started}


def draw(count: int, out: TextIO) -> float:
    """Draws a progress bar 1,000 times a second; returns the seconds that the drawing took."""
    taken, started = 0.0, time.perf_counter()
    for number in range(count):
        time.sleep(max(0.0, started + number / 1000 - time.perf_counter()))
        before = time.perf_counter()
        print(f"\r{number:9} |{'#' * (40 * number // count):40}|", end="", file=out, flush=True)
        taken += time.perf_counter() - before
    return taken


def draws(length: int, _: str) -> dict[str, float]:
    """Draws where nobody reads."""
    with open(os.devnull, "w") as nowhere:
        return {"seconds": draw(length, nowhere)}


def waits(length: int, _: str) -> dict[str, float]:
    """Knows of many steps, and waits for a fork that sleeps: the most memory that this takes."""
    waiting = {f"increment_{number}": {"number": number} for number in range(length)}
    _forks(1, lambda _: time.sleep(0.1), 1)
    assert len(waiting) == length
    return {"memory": peak_memory()}


def resumes(length: int, folder: str) -> dict[str, float]:
    """Starts a script again that has kept many results: until a step of it is called."""
    for number in range(length):
        keep(folder, number)
    started = time.monotonic()
    command = [sys.executable, __file__, "goes_on", str(length), folder]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {"seconds": json.loads(done.stdout)["called"] - started}


def goes_on(length: int, folder: str) -> dict[str, float]:
    """Reads what was kept and forks the next step, which says when it was called."""
    for number in range(length):
        with open(os.path.join(folder, f"{number}-increment.json")) as file:
            json.load(file)
    calls = os.path.join(folder, "calls")
    os.waitpid(in_fork(lambda: write_whole(calls, str(time.monotonic()))), 0)
    with open(calls) as file:
        return {"called": float(file.read())}


def array(length: int, folder: str) -> dict[str, float]:
    """Makes an array, writes it to a file and reads it again."""
    import numpy

    path = Path(folder, "array.npy")
    started = time.perf_counter()
    numpy.save(path, numpy.arange(length, dtype=numpy.int64))
    assert int(numpy.load(path)[-1]) == length - 1
    return {"seconds": time.perf_counter() - started}


FLOORS = {
    found.__name__: found
    for found in (steps, barest, cached, array)
    + (forks, forks_at_once, sleepers, draws, waits, resumes, goes_on)
}

if __name__ == "__main__":
    print(json.dumps(FLOORS[sys.argv[1]](int(sys.argv[2]), sys.argv[3])))
