"""Forked steps in great number, or where little is left, and what they keep from one another."""

from __future__ import annotations

import json
import os
import socket
import time

import pytest

from conftest import PATIENCE, Project, interrupt
from partita import Client
from process_stack import check_nothing_left, use_process, wait_until_gone

#: More than there is room for in the socket of a zygote.
CROWD = 400

STUBBORN = """
    import os, signal
    from partita import pipeline, step

    @step(enable_cache=False)
    def wait(number: int) -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open(f"begun/{number}", "w").close()
        while True:
            signal.pause()

    @pipeline
    def main():
        for number in range(%d):
            wait(number)
"""

HELD = """
    import fcntl, mmap, socket, threading
    from partita import pipeline, step

    held = []

    def port() -> None:
        listener = socket.create_server(("127.0.0.1", {port}))
        threading.Thread(target=listener.accept, daemon=True).start()

    def mapped_file() -> None:
        file = open("held", "w+")
        file.truncate(4096)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held.append(mmap.mmap(file.fileno(), 4096))

    @step
    def hold(before: int = 0) -> int:
        {held}()
        return before + 1

    @pipeline
    def main():
        number = hold()
        for _ in range(20):
            number = hold(number)
"""

SCRIBBLES = """
    import os, stat, time
    from partita import pipeline, step

    @step(enable_cache=False)
    def scribble() -> None:
        for descriptor in range(3, 64):
            try:
                if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                    os.write(descriptor, b"".join(job.to_bytes(8, "little") for job in range(99)))
            except OSError:
                pass
        open("scribbled", "w").close()

    @step(enable_cache=False)
    def wait() -> None:
        with open("calls.txt", "a") as calls:
            calls.write("wait\\n")
        while not os.path.exists("scribbled"):
            time.sleep(0.01)

    @pipeline
    def main():
        wait()
        wait()
        scribble()
"""

SCARCE = """
    import os
    from partita import pipeline, step

    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    os.fork = refuse

    @step
    def make() -> int:
        return 1

    @pipeline
    def main():
        make()
"""

FLEES = """
    import os, subprocess
    from partita import pipeline, step

    @step
    def flee() -> int:
        script = "setsid sleep 1000 >/dev/null 2>&1 & echo $!"
        environment = {"PATH": os.environ["PATH"]}
        given = {"stdin": subprocess.DEVNULL, "env": environment, "text": True}
        return int(subprocess.check_output(["sh", "-c", script], **given))

    @pipeline
    def main():
        flee()
"""

FLOODS = """
    import subprocess
    from partita import pipeline, step

    @step
    def flood() -> int:
        return subprocess.Popen(["setsid", "yes"]).pid

    @pipeline
    def main():
        flood()
"""


def wait_for_files(project: Project, folder: str, count: int) -> None:
    """Waits until a folder of the project holds so many files."""
    end = time.monotonic() + PATIENCE
    while len(os.listdir(project.folder / folder)) < count:
        assert time.monotonic() < end, os.listdir(project.folder / folder)
        time.sleep(0.02)


def test_a_crowd_of_steps_is_forked_and_ended_to_the_last_one(
    project: Project, command: str
) -> None:
    use_process(command, max_parallelism=CROWD, grace="100ms")
    (project.folder / "begun").mkdir()
    project.write("main.py", STUBBORN % CROWD)
    engine = project.begin("-m", "partita", "run", json.dumps({"target": "main.py"}))
    wait_for_files(project, "begun", CROWD)
    ended = interrupt(engine)
    assert ended.code == 130, ended
    run = Client().get_run("latest")
    assert {step.status for step in run.steps.values()} == {"cancelled"}
    assert [step.log for step in run.steps.values() if "anew" in (step.log or "")] == []
    check_nothing_left(project)


@pytest.mark.parametrize("held", ["port", "mapped_file"])
def test_what_a_step_holds_without_a_file_is_free_before_the_next_one_begins(
    project: Project, command: str, held: str
) -> None:
    use_process(command)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    project.write("main.py", HELD.format(held=held, port=port))
    finished = project.run()
    assert finished.code == 0, finished


def test_a_step_that_writes_into_pipes_of_others_ends_none_of_them(
    project: Project, command: str
) -> None:
    use_process(command, max_parallelism=3)
    project.write("main.py", SCRIBBLES)
    finished = project.run()
    assert finished.code == 0, finished
    assert project.lines() == ["wait", "wait"]
    steps = Client().get_run("latest").steps.values()
    assert [len(step.attempts) for step in steps] == [1, 1, 1]


def test_a_step_that_cannot_be_forked_starts_python_anew_and_says_so(
    project: Project, command: str
) -> None:
    use_process(command)
    project.write("main.py", SCARCE)
    finished = project.run()
    assert finished.code == 0, finished
    log = Client().get_run("latest").steps["make"].log or ""
    assert "this step starts Python anew, since [Errno 11]" in log


def test_a_program_that_has_left_everything_behind_ends_with_the_run(
    project: Project, command: str
) -> None:
    use_process(command)
    project.write("main.py", FLEES)
    finished = project.run()
    assert finished.code == 0, finished
    check_nothing_left(project)


@pytest.mark.parametrize("warm", [True, False], ids=["forked", "started anew"])
def test_a_program_that_a_step_has_left_behind_and_that_prints_without_end_ends_with_it(
    project: Project, command: str, warm: bool
) -> None:
    use_process(command, warm=warm)
    project.write("main.py", FLOODS)
    finished = project.run()
    assert finished.code == 0, finished
    wait_until_gone(project)
