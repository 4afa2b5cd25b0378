"""A signal cancels a run and fails no step; the author's own handlers stay in place."""

from __future__ import annotations

import signal
import time

import pytest

from conftest import PATIENCE, Project, interrupt
from partita import Client
from waiting_run import run_until_ready, write_waiting

#: The hook runs when the first step is committed and the second one has not begun.
BETWEEN = """
    import signal
    from partita import pipeline, step

    @step(enable_cache=False, on_success=lambda: signal.raise_signal(signal.SIGINT))
    def one() -> int:
        return 1

    @step(enable_cache=False)
    def two(number: int) -> int:
        raise AssertionError("it runs")

    @pipeline
    def between():
        two(one())
"""

ALARM = """
    import signal
    from partita import StepFailedError, pipeline, step

    class TooLong(Exception):
        pass

    def too_long(*_):
        raise TooLong

    @step(enable_cache=False)
    def waits() -> int:
        signal.raise_signal(signal.SIGALRM)
        return 1

    @pipeline
    def alarmed():
        waits()

    if __name__ == "__main__":
        signal.signal(signal.SIGALRM, too_long)
        try:
            alarmed()
        except StepFailedError as error:
            assert isinstance(error.__cause__, TooLong)
            print("too long")
"""

IN_A_STEP = """
        try:
            ready()
            signal.pause()
        except KeyboardInterrupt:
            note("interrupted")
            raise
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_during_a_step_cancels_the_run(project: Project, number: signal.Signals) -> None:
    retry = ", retry=StepRetryConfig(max_retries=3)"
    write_waiting(project, IN_A_STEP, retry)
    ended = interrupt(run_until_ready(project), number)
    assert ended.code == 130, ended
    ended.check_no_faults()
    assert Client().get_run("latest").status == "cancelled"
    assert project.statuses() == {
        "before": "completed",
        "waits": "cancelled",
        "after": "cancelled",
    }
    assert project.lines() == ["before", "waits", "interrupted"]


#: What a training loop does that stops early on Ctrl-C; the errors are those of what it uses.
CATCHES = """
        try:
            ready()
            signal.pause()
        except KeyboardInterrupt:
            {then}
"""


@pytest.mark.parametrize(
    ("then", "status"),
    [("pass", "completed"), ("raise RuntimeError('a worker died')", "cancelled")],
    ids=["and goes on", "and fails"],
)
def test_sigterm_cancels_a_run_also_when_the_step_catches_it(
    project: Project, then: str, status: str
) -> None:
    retry = ", retry=StepRetryConfig(max_retries=3)"
    write_waiting(project, CATCHES.format(then=then), retry)
    ended = interrupt(run_until_ready(project), signal.SIGTERM)
    assert ended.code == 130, ended
    assert Client().get_run("latest").status == "cancelled"
    assert project.statuses() == {"before": "completed", "waits": status, "after": "cancelled"}
    assert project.lines() == ["before", "waits"]


def test_ctrl_c_that_a_step_catches_stops_that_step_alone(project: Project) -> None:
    write_waiting(project, CATCHES.format(then="pass"))
    ended = interrupt(run_until_ready(project), signal.SIGINT)
    assert ended.code == 0, ended
    assert set(project.statuses().values()) == {"completed"}


def test_a_cancelled_run_resumes_where_it_was(project: Project) -> None:
    write_waiting(project, 'os.path.exists("go") or (ready(), signal.pause())')
    interrupt(run_until_ready(project))
    project.write("go", "")
    resumed = project.resume("latest")
    assert resumed.code == 0, resumed
    assert set(project.statuses().values()) == {"completed"}
    assert project.lines() == ["before", "waits", "waits", "after"]


def test_a_signal_between_two_steps_cancels_the_run_before_the_next(project: Project) -> None:
    project.write("main.py", BETWEEN)
    ended = project.run()
    assert ended.code == 130, ended
    assert Client().get_run("latest").status == "cancelled"
    assert project.statuses() == {"one": "completed", "two": "cancelled"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_during_a_retry_delay_cancels_the_run_at_once(
    project: Project, number: signal.Signals
) -> None:
    retry = ", retry=StepRetryConfig(max_retries=3, delay=3600)"
    write_waiting(project, "ready(); raise ValueError", retry)
    process = run_until_ready(project)
    until = time.monotonic() + PATIENCE
    while project.statuses()["waits"] != "retrying":
        assert time.monotonic() < until
    ended = interrupt(process, number)
    assert ended.code == 130, ended
    assert Client().get_run("latest").status == "cancelled"
    assert project.lines() == ["before", "waits"]


def test_a_sigterm_handler_of_the_author_stays_in_place(project: Project) -> None:
    body = """
        signal.signal(signal.SIGTERM, lambda *_: note("handled"))
        signal.raise_signal(signal.SIGTERM)
    """
    write_waiting(project, body.strip())
    script = project.folder / "main.py"
    handler = "signal.signal(signal.SIGTERM, lambda *_: note('mine'))"
    script.write_text(script.read_text().replace("    waiting()", f"    {handler}\n    waiting()"))
    ended = project.python("main.py")
    assert ended.code == 0, ended
    assert project.lines() == ["before", "waits", "handled", "after"]


def test_a_child_of_a_step_ends_by_sigterm_as_any_process_does(project: Project) -> None:
    body = """
        listens, speaks = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(speaks, b"ready")
            while True:
                pass
        os.read(listens, 5)
        os.kill(child, signal.SIGTERM)
        note(signal.Signals(os.WTERMSIG(os.waitpid(child, 0)[1])).name)
    """
    write_waiting(project, body)
    ended = project.run()
    assert ended.code == 0, ended
    ended.check_no_faults()
    assert project.lines() == ["before", "waits", "SIGTERM", "after"]


def test_an_exception_of_the_authors_own_signal_handler_ends_the_run_and_reaches_the_script(
    project: Project,
) -> None:
    project.write("main.py", ALARM)
    ended = project.python("main.py")
    assert (ended.code, ended.out.strip()) == (0, "too long")
    assert Client().get_run("latest").status in {"failed", "cancelled"}
