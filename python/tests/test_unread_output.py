"""A run goes on where nobody reads what it says: a stopped terminal, or a full pipe."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess

from conftest import PATIENCE, Project, finish
from process_stack import use_process

PIPELINE = """
    from pathlib import Path
    from partita import pipeline, step

    @step
    def first() -> int:
        print("printed by the first step")
        return 1

    @step
    def second(number: int) -> int:
        Path("second").write_text("here")
        return number

    @pipeline
    def line():
        second(first())
"""


def fill(descriptor: int) -> int:
    """Writes to a pipe until no more goes in; returns how much did."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    size, written = 1 << 12, 0
    while size:
        try:
            written += os.write(descriptor, b"." * size)
        except BlockingIOError:
            size //= 2
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
    return written


def test_steps_go_on_where_nobody_reads_what_is_said_of_them(
    project: Project, command: str
) -> None:
    use_process(command)
    project.write("main.py", PIPELINE)
    os.mkfifo(project.folder / "second")
    second = os.open(project.folder / "second", os.O_RDONLY | os.O_NONBLOCK)
    reader, writer = os.pipe()
    before = fill(writer)
    words = [command, "run", "main.py"]
    run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=writer, text=True)
    os.close(writer)
    assert select.select([second], [], [], PATIENCE)[0]
    os.close(second)
    assert run.poll() is None  # It waits with what it has to say.
    with os.fdopen(reader, "rb") as said:
        said.read(before)
        rest = said.read().decode()
    done = finish(run)
    assert (done.code, done.out) == (0, "first | printed by the first step\n"), done
    lines = rest.splitlines()
    assert lines[0] == "first: started" and "completed" in lines[-1], lines
