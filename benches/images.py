"""Measures images: a build of what has not changed, and code that is packed for containers."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from containers import DOCKER, EDITED, PARTITA, container_home, containers, engine
from figure import Figure
from measuring import Sample, folder, repeat

#: How long a build may take that has nothing to do, and how much longer than `tar | zstd` packing.
NOTHING = 50.0
TIMES = 1.5

#: The code that is packed: how many files, the bytes of each, and how `zstd` is asked to pack them.
FILES, SIZE, LEVEL = 1000, 100_000, 3

ROUNDS = 9


class Engine(http.client.HTTPConnection):
    """A connection to the engine."""

    def connect(self) -> None:
        """Connects to its socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))


def unchanged() -> Iterator[Figure]:
    """`partita build` where all is there, less `partita compile`; the floor asks for two images."""
    engine()
    made = subprocess.run(
        [sys.executable, str(DOCKER / "image.py"), "base"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    base = made.stdout.strip()
    with folder() as project, container_home(parent_image=base, builder="native") as home:
        Path(project, "main.py").write_text(textwrap.dedent(EDITED).replace("NUMBER", "1"))
        environment = {**os.environ, "PARTITA_HOME": home}

        def partita(*words: str) -> bytes:
            command = [PARTITA, *words]
            done = subprocess.run(
                command, cwd=project, env=environment, check=True, capture_output=True
            )
            return done.stdout

        def timed(work: Callable[[], object]) -> float:
            started = time.perf_counter()
            work()
            return 1e3 * (time.perf_counter() - started)

        def ask(image: str) -> None:
            for name in (base, image):
                connection = Engine("engine")
                connection.request("GET", f"/images/{name}/json")
                assert connection.getresponse().status == http.client.OK
                connection.close()

        (row,) = json.loads(partita("build", "main.py", "--output", "json"))
        build, compiled, least = repeat(
            ROUNDS,
            lambda: timed(partial(partita, "build", "main.py")),
            lambda: timed(partial(partita, "compile", "main.py")),
            lambda: timed(partial(ask, row["image"])),
        )
    yield Figure("build of what is there, ms", build - compiled, NOTHING, least)
    yield Figure("- the whole process", build)


def packed() -> Iterator[Figure]:
    """100 MB of code, less none: packed into the store, and until a step has it.

    The floors are `tar | zstd`, and that with `zstd | tar` after it.
    """
    words = [random.Random(1).randbytes(6).hex().encode() for _ in range(5000)]
    taken: list[tuple[float, ...]] = []
    with folder() as seen:
        for number in range(4):
            bare = _first_run(seen, number, [])
            packed, called = _first_run(seen, number, words)
            taken.append((packed - bare[0], called - bare[1], *_by_hand(words, number)))
    packing, calling, least_packing, least_calling = map(Sample, zip(*taken[1:], strict=True))
    budget = TIMES * least_packing.median
    yield Figure("100 MB of code packed, ms", packing, budget, least_packing)
    yield Figure("- until its step is called", calling, None, least_calling)


def _first_run(seen: str, number: int, words: list[bytes]) -> tuple[float, float]:
    """Returns the milliseconds of a first run until its code is packed, and its step called."""
    called = Path(seen, "called")
    with folder() as project, container_home(volumes=[f"{seen}:/bench"]) as home:
        script = textwrap.dedent(EDITED).replace("NUMBER", str(number))
        Path(project, "main.py").write_text(script)
        write(project, words, number)
        environment = {**os.environ, "PARTITA_HOME": home}
        command = [PARTITA, "run", "main.py"]
        started, started_at = time.monotonic(), time.time()
        subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True)
        (archive,) = Path(home).glob("**/code/*.tar.zst")
        packed = archive.stat().st_mtime - started_at
        taken = float(called.read_text()) - started
        containers()
    return 1e3 * packed, 1e3 * taken


def write(project: str, words: list[bytes], seed: int) -> None:
    """Writes files that are packed to about a third, as code is; none without words."""
    chance = random.Random(seed)
    for number in range(FILES if words else 0):
        text = b" ".join(chance.choices(words, k=SIZE // 13 + 1))[:SIZE]
        Path(project, f"data_{number}.txt").write_bytes(text)


def _by_hand(words: list[bytes], seed: int) -> tuple[float, float]:
    """Returns the milliseconds of `tar | zstd`, and of that and the way back."""
    with folder() as project, folder() as there, folder() as other:
        write(project, words, seed)
        started = time.perf_counter()
        pack = f"tar --create --file=- . | zstd -{LEVEL} --quiet -o {there}/code.tar.zst"
        subprocess.run(["sh", "-c", pack], cwd=project, check=True)
        packed = time.perf_counter()
        unpack = f"zstd --decompress --stdout {there}/code.tar.zst | tar --extract --file=-"
        subprocess.run(["sh", "-c", unpack], cwd=other, check=True)
        return 1e3 * (packed - started), 1e3 * (time.perf_counter() - started)


MEASUREMENTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "unchanged": unchanged,
    "packed": packed,
}
