"""Lines that steps print begin with the step's name, where they come with lines of others."""

from __future__ import annotations

import io
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Project
from custom_flavors import DIRECT, LAUNCHER, use_flavor
from partita import Client
from partita.capture import Capture, Tee

TALKS = """
    import sys

    @step
    def talk(number: int) -> int:
        print("said", number, end="")
        print(" twice")
        print("complains", number, file=sys.stderr)
        return number

    @pipeline
    def talking():
        talk(7)
        talk.map([1, 2], id="each")
"""


@pytest.mark.parametrize("implementation", [DIRECT, LAUNCHER], ids=["direct", "launcher"])
def test_a_line_that_a_step_prints_has_the_name_of_the_step_and_not_of_the_orchestrator(
    project: Project, command: str, implementation: str
) -> None:
    use_flavor(project, command, implementation)
    main = project.folder / "main.py"
    main.write_text(main.read_text() + textwrap.dedent(TALKS))
    done = project.run("main.py:talking")
    assert done.code == 0, done
    lines = done.err.splitlines()
    for line in ("talk | said 7 twice", "talk | complains 7", "each[1] | said 2 twice"):
        assert line in lines, done
    assert not [line for line in lines if line.startswith("own | ") and "said" in line]
    assert Client().get_run("latest").steps["talk"].log == "said 7 twice\ncomplains 7\n"


@given(st.lists(st.text("ab\n", max_size=5)))
def test_a_label_is_before_each_line_however_it_is_written(parts: list[str]) -> None:
    label, whole = "step | ", "".join(parts)
    expected = "".join(f"{label}{line.rstrip()}\n" for line in whole.splitlines())
    for is_text in (True, False):
        stream: Any = io.StringIO() if is_text else io.BytesIO()
        tee = Tee(stream, "stdout")
        capture = Capture(lambda name, text: None, lambda name: None, label=label)
        with capture:
            for part in parts:
                tee.put(capture.labelled(tee, part if is_text else part.encode()))
        written: Any = stream.getvalue()
        assert (written if is_text else written.decode()) == expected
