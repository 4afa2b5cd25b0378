"""A run on a terminal: steps that read from it have it to themselves."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from conftest import PATIENCE, Project
from partita import Client
from waiting_run import write_waiting

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "from partita import pipeline, step\nimport sys\n\n"
TAIL = '\n\n@pipeline\ndef asks():\n    ask()\n\nif __name__ == "__main__":\n    asks()\n'


class Session:
    """A process on a terminal of its own."""

    def __init__(self, project: Project, *words: str | Path) -> None:
        self.terminal, other = pty.openpty()
        self.process = subprocess.Popen(
            [str(word) for word in words],
            stdin=other,
            stdout=other,
            stderr=other,
            cwd=project.folder,
            env=project.environment(TERM="xterm", NO_COLOR="1"),
        )
        os.close(other)
        self.seen = ""

    def read_until(self, end: str) -> str:
        """Returns what is written up to `end`, or all of it if that never comes."""
        text = ""
        while end not in text:
            try:
                data = os.read(self.terminal, 65536)
            except OSError:  # The other side is closed.
                break
            text += data.decode()
        self.seen += text
        return text

    def type(self, line: str) -> None:
        os.write(self.terminal, line.encode() + b"\n")

    def end(self) -> int:
        self.read_until("never written")
        os.close(self.terminal)
        return self.process.wait(30)


def check(
    project: Project, body: str, *, prompt: str, answer: str, status: str = "completed"
) -> None:
    # The step begins to ask once the display is seen; nobody watches this way of reading.
    source = f"{HEAD}@step\ndef ask() -> str:\n    sys.__stdin__.readline()\n{body}{TAIL}"
    session = Session(project, sys.executable, project.write("main.py", source))
    session.read_until("0/1")
    session.type("")
    session.read_until(prompt)
    # The prompt stands for longer than the display would need to draw again.
    waiting, _, _ = select.select([session.terminal], [], [], 0.35)
    assert not waiting, os.read(session.terminal, 65536)
    session.type(answer)
    assert (session.end() == 0) == (status == "completed"), session.seen
    assert project.statuses() == {"ask": status}


def test_a_step_that_asks_is_not_drawn_over(project: Project) -> None:
    check(project, "    return input('name? ')\n", prompt="name? ", answer="Ada")


def test_a_debugger_has_the_terminal_to_itself(project: Project) -> None:
    body = "    import pdb\n    pdb.set_trace()\n    return 'x'\n"
    check(project, body, prompt="(Pdb) ", answer="c")


def test_leaving_a_debugger_cancels_the_run(project: Project) -> None:
    body = "    import pdb\n    pdb.set_trace()\n    return 'x'\n"
    check(project, body, prompt="(Pdb) ", answer="q", status="cancelled")


def test_ctrl_c_ends_the_watching_alone_and_leaves_nothing_drawn(
    project: Project, command: str
) -> None:
    write_waiting(project, 'ready(); sys.__stdin__.readline(); print("going on")')
    run = project.begin("-m", "partita", "run", '{"target": "main.py"}', stdin=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline() == "ready\n"

    session = Session(project, command, "runs", "watch")
    session.read_until("1/3")
    session.process.send_signal(signal.SIGINT)
    assert session.end() == 130, session.seen
    left = session.seen.rpartition("\x1b[J")[2]
    name = Client().get_run("latest").name
    assert left == f"run `{name}` goes on; `partita runs cancel {name}` ends it\r\n"

    run.communicate("\n", timeout=PATIENCE)
    assert set(project.statuses().values()) == {"completed"}
