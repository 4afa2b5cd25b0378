"""Measures steps in containers, each beside a bare `docker run` of the same image and command."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from figure import Figure
from measuring import BENCHES, Sample, folder, workload

PARTITA = str(Path(sys.executable).with_name("partita"))
DOCKER = BENCHES.parent / "tests/docker"

#: How much longer than a bare `docker run` a step may take, and an edit until the step is called.
TIMES = 1.2
EDIT = 1000.0

#: Files beside the one that is edited: how many, and the bytes of each.
OTHERS, SIZE = 1000, 10_000

EDITED = """
    import time
    from partita import pipeline, step

    @step
    def called() -> int:
        with open("/bench/called", "w") as file:
            file.write(str(time.monotonic()))
        return NUMBER

    @pipeline
    def edited():
        called()
"""


@cache
def engine() -> str:
    """Starts an engine of the benchmarks' own, and returns the image of steps on it."""
    environment = {**os.environ, "PARTITA_ENGINE": "bench"}

    def script(verb: str) -> str:
        words = [str(DOCKER / "engine.sh"), verb]
        return subprocess.run(
            words, env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()

    os.environ["DOCKER_HOST"] = script("up")
    atexit.register(script, "down")
    made = [sys.executable, str(DOCKER / "image.py")]
    return subprocess.run(made, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def docker(*words: str) -> str:
    """Returns what Docker's command prints."""
    done = subprocess.run(["docker", *words], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


@contextmanager
def container_home(*, builder: str = "", **config: object) -> Generator[str, None, None]:
    """Gives an empty home whose steps run in containers, maybe in images of a builder; all stay."""
    config = {"parent_image": engine(), "network": "none", "remove": "never", **config}
    options = [
        f"--{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in config.items()
    ]
    builds = ["-i", builder] if builder else []
    with folder() as home:
        for command in (
            ["orchestrator", "register", "boxed", "--flavor=docker", *options],
            ["stack", "register", "boxed", "-o", "boxed", "-a", "default", *builds, "--set"],
        ):
            environment = {**os.environ, "PARTITA_HOME": home}
            subprocess.run([PARTITA, *command], env=environment, check=True, capture_output=True)
        yield home


def containers() -> list[dict[str, Any]]:
    """Removes all containers, and returns what they were made of, in the order of their steps."""
    names = docker("ps", "--all", "--format", "{{.Names}}").split()
    found: list[dict[str, Any]] = json.loads(docker("inspect", *names))
    docker("rm", "--force", *names)
    return sorted(found, key=lambda one: int(one["Name"].rsplit("-", 2)[1]))


def bare(home: str, container: dict[str, Any]) -> float:
    """Returns the seconds of a `docker run` that does what the container of a step has done.

    The step's commit is taken away before, so that the same command runs the step again.
    """
    config, host = container["Config"], container["HostConfig"]
    run, step, _ = config["Labels"]["partita.attempt"].split("/")
    for file in Path(home, "store/runs", run, "steps").glob(f"{step}-*"):
        file.unlink()
    (mount,) = host["Mounts"]
    words = ["--rm", "--init", f"--network={host['NetworkMode']}", f"--user={config['User']}"]
    words += [f"--env={variable}" for variable in config["Env"]]
    words += [f"--volume={bind}" for bind in host["Binds"] or []]
    words += [f"--mount=type=bind,source={mount['Source']},target={mount['Target']}"]
    program, *rest = [*config["Entrypoint"], *config["Cmd"]]
    started = time.perf_counter()
    docker("run", *words, f"--entrypoint={program}", config["Image"], *rest)
    return time.perf_counter() - started


def step() -> Iterator[Figure]:
    """A step that does nothing, in a container; the floor runs the same by `docker run --rm`."""
    few, many = 2, 12
    measured: list[float] = []
    least: list[float] = []
    for _ in range(5):
        seconds = dict[int, float]()
        for length in (few, many):
            with container_home() as home:
                seconds[length] = workload(home, "partita_containers.py", length)["seconds"]
                made = containers()
        measured.append(1e3 * (seconds[many] - seconds[few]) / (many - few))
        by_hand = [bare(home, container) for container in made[few:]]
        least.append(1e3 * sum(by_hand) / len(by_hand))
    taken, floor = Sample(measured), Sample(least)
    yield Figure("step in a container, ms", taken, TIMES * floor.median, floor)
    yield Figure("- in multiples of its floor", taken / floor, TIMES)


def edited() -> Iterator[Figure]:
    """From an edit to the step being called; the floor is a `docker run` until then."""
    measured: list[float] = []
    least: list[float] = []
    with folder() as seen, folder() as project, container_home(volumes=[f"{seen}:/bench"]) as home:
        for number in range(OTHERS):
            Path(project, f"other_{number}.txt").write_bytes(os.urandom(SIZE))
        script, called = Path(project, "main.py"), Path(seen, "called")

        def until_called(work: Callable[[], object]) -> float:
            started = time.monotonic()
            work()
            return 1e3 * (float(called.read_text()) - started)

        def run() -> None:
            environment = {**os.environ, "PARTITA_HOME": home}
            command = [PARTITA, "run", "main.py"]
            subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True)

        for number in range(8):
            script.write_text(textwrap.dedent(EDITED).replace("NUMBER", str(number)))
            taken = until_called(run)
            (made,) = containers()
            floor = until_called(lambda made=made: bare(home, made))
            if number > 0:  # The first round begins with nothing.
                measured.append(taken)
                least.append(floor)
    floor = Sample(least)
    yield Figure("edit to the step called, ms", Sample(measured), floor.median + EDIT, floor)


MEASUREMENTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "containers": step,
    "edited": edited,
}
