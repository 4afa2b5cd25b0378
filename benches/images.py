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
    """100 MB of code on its way to a step, less none; the floor is `tar | zstd`."""
    words = [random.Random(1).randbytes(6).hex().encode() for _ in range(5000)]
    measured: list[float] = []
    least: list[float] = []
    with folder() as seen:
        called = Path(seen, "called")

        def until_called(number: int, *, with_files: bool) -> float:
            """A first run, from its start until its step is called."""
            with folder() as project, container_home(volumes=[f"{seen}:/bench"]) as home:
                script = textwrap.dedent(EDITED).replace("NUMBER", str(number))
                Path(project, "main.py").write_text(script)
                if with_files:
                    write(project, words, number)
                environment = {**os.environ, "PARTITA_HOME": home}
                command = [PARTITA, "run", "main.py"]
                started = time.monotonic()
                subprocess.run(
                    command, cwd=project, env=environment, check=True, capture_output=True
                )
                taken = 1e3 * (float(called.read_text()) - started)
                containers()
                if with_files:
                    least.append(by_hand(project))
            return taken

        for number in range(4):
            bare = until_called(number, with_files=False)
            measured.append(until_called(number, with_files=True) - bare)
    floor = Sample(least[1:])
    yield Figure("100 MB of code packed, ms", Sample(measured[1:]), TIMES * floor.median, floor)


def write(project: str, words: list[bytes], seed: int) -> None:
    """Writes files that are packed to about a third, as code is."""
    chance = random.Random(seed)
    for number in range(FILES):
        text = b" ".join(chance.choices(words, k=SIZE // 13 + 1))[:SIZE]
        Path(project, f"data_{number}.txt").write_bytes(text)


def by_hand(project: str) -> float:
    """Returns the milliseconds of `tar | zstd`."""
    with folder() as there:
        started = time.perf_counter()
        pack = f"tar --create --file=- . | zstd -{LEVEL} --quiet -o {there}/code.tar.zst"
        subprocess.run(["sh", "-c", pack], cwd=project, check=True)
        return 1e3 * (time.perf_counter() - started)


MEASUREMENTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "unchanged": unchanged,
    "packed": packed,
}
