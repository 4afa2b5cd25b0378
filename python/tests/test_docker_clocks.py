"""Containers whose clock is wrong: what they make counts, and what took how long is told right."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import Project
from docker_engine import Engine
from partita import Client
from process_stack import partita

DAY = 86_400

#: Tells every program that loads it another time of day. The kernel has one for all containers.
CLOCK = """
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <sys/time.h>
    #include <time.h>

    int clock_gettime(clockid_t clock, struct timespec *now) {
        int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
        int failed = real(clock, now);
        if (!failed && clock == CLOCK_REALTIME) now->tv_sec += AHEAD;
        return failed;
    }

    int gettimeofday(struct timeval *restrict now, void *restrict zone) {
        struct timespec precise;
        int failed = clock_gettime(CLOCK_REALTIME, &precise);
        now->tv_sec = precise.tv_sec;
        now->tv_usec = precise.tv_nsec / 1000;
        return failed;
    }

    time_t time(time_t *now) {
        struct timespec precise;
        clock_gettime(CLOCK_REALTIME, &precise);
        if (now) *now = precise.tv_sec;
        return precise.tv_sec;
    }
"""

PIPELINE = """
    import time
    from partita import StepRetryConfig, get_step_context, pipeline, step

    @step(retry=StepRetryConfig(max_retries=1))
    def first() -> float:
        if get_step_context().attempt == 1:
            raise ValueError("not yet")
        return time.time()

    @step(orchestrator="here")
    def second(number: float) -> float:
        return number

    @pipeline
    def line():
        second(first())
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="the clock is made by a C compiler")
@pytest.mark.parametrize("ahead", [DAY, -DAY])
def test_a_container_whose_clock_is_wrong_does_its_step(
    project: Project, command: str, engine: Engine, tmp_path: Path, ahead: int
) -> None:
    (tmp_path / "clock.c").write_text(CLOCK.replace("AHEAD", str(ahead)))
    library = tmp_path / "clock.so"
    words = ["cc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "clock.c")]
    subprocess.run(words, check=True)
    engine.use(
        command, volumes=[f"{library}:/clock.so:ro"], environment={"LD_PRELOAD": "/clock.so"}
    )
    project.write("main.py", PIPELINE)
    done = project.run()
    assert done.code == 0, done
    told = Client().get_run("latest").steps["second"].output.load()
    assert abs(told - time.time() - ahead) < DAY / 2  # The clock was wrong indeed.

    run: dict[str, Any] = json.loads(
        partita(command, "runs", "describe", "latest", "--output", "json")
    )
    assert 0 <= run["duration_s"] < DAY / 2
    assert run["started_at"] < run["ended_at"]
    for step in run["steps"].values():
        assert 0 <= step["duration_s"] < DAY / 2
        # By the clock of the place where it was made.
        times = [attempt[end] for attempt in step["attempts"] for end in ("started_at", "ended_at")]
        assert times == sorted(times)
    assert len(run["steps"]["first"]["attempts"]) == 2

    assert project.run().code == 0
    assert set(project.statuses().values()) == {"cached"}
    partita(command, "store", "gc")
    assert project.run().code == 0
    assert set(project.statuses().values()) == {"cached"}
