"""Whatever kills or interrupts a run, finished steps stay finished and the run can be resumed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time

import pytest

from conftest import PATIENCE, Project, finish, interrupt
from partita import Client

#: Kills, at moments between the start of the run and its end.
KILLS = int(os.environ.get("PARTITA_CHAOS_KILLS", "50"))
SEED = int(os.environ.get("PARTITA_CHAOS_SEED", "2026"))

#: Each step writes a line when it begins, so that a second run of it is seen. `middle` makes
#: files, which take more writes than a small value.
LINES = """
    import sys
    from partita import pipeline, step

    def note(text: str) -> None:
        with open("calls.txt", "a") as file:
            file.write(text + chr(10))

    @step(enable_cache=False)
    def first() -> int:
        note("first")
        print("running", flush=True)
        return 1

    @step(enable_cache=False)
    def middle(number: int, which: int) -> bytes:
        note(f"middle_{which}")
        return bytes([number + which]) * 50_000

    @step(enable_cache=False)
    def last(parts: list) -> int:
        note("last")
        return sum(part[0] for part in parts)

    @pipeline
    def lines():
        number = first()
        last([middle(number, which=which, id=f"middle_{which}") for which in range(10)])

    if __name__ == "__main__":
        print("ready", flush=True)
        lines()
        print("over", flush=True)
"""

#: Waits, in the way that `{wait}` says, until a signal comes.
WAITING = """
    import os, signal, sys, time
    from partita import StepRetryConfig, pipeline, step

    def ready() -> None:
        print("ready", flush=True)

    def note(text: str) -> None:
        with open("calls.txt", "a") as file:
            file.write(text + chr(10))

    @step(enable_cache=False)
    def before() -> int:
        note("before")
        return 1

    @step(enable_cache=False{options})
    def waits(number: int) -> int:
        note("waits")
        {body}
        return number

    @step(enable_cache=False)
    def after(number: int) -> int:
        note("after")
        return number

    @pipeline
    def waiting():
        after(waits(before()))

    if __name__ == "__main__":
        waiting()
"""

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

MANY = """
    import sys
    from partita import pipeline, step

    @step(enable_cache=False)
    def number(which: int) -> int:
        return which

    @step(enable_cache=False)
    def total(numbers: list) -> int:
        return sum(numbers)

    @pipeline
    def many(offset: int, number_: int):
        total([number(offset), number(number_), number(number_)])

    if __name__ == "__main__":
        for run in range(20):
            many(1000 * int(sys.argv[1]), run)
"""

THREADS = """
    import sys, threading
    from partita import get_step_context, pipeline, step

    together = threading.Barrier(4)

    @step(enable_cache=False)
    def name() -> str:
        together.wait()
        print(get_step_context().run_id, file=sys.stderr)
        together.wait()
        return get_step_context().run_id

    @step(enable_cache=False)
    def check(expected: str) -> None:
        assert get_step_context().run_id == expected

    @pipeline
    def threaded():
        check(name())

    if __name__ == "__main__":
        statuses = []
        run = lambda: statuses.append(threaded().status)
        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(*statuses)
"""

IN_A_STEP = """
        try:
            ready()
            signal.pause()
        except KeyboardInterrupt:
            note("interrupted")
            raise
"""


def write_waiting(project: Project, body: str, options: str = "") -> None:
    project.write("main.py", WAITING.format(body=body.strip(), options=options))


def run_until_ready(project: Project) -> subprocess.Popen[str]:
    process = project.begin("-m", "partita", "run", '{"target": "main.py"}')
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def resume_until_ready(project: Project) -> subprocess.Popen[str]:
    request = '{"target": "main.py", "run_id": "latest"}'
    process = project.begin("-m", "partita", "resume", request)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def begun(project: Project, line: str) -> subprocess.Popen[str]:
    """Starts the script and waits until it has written a line."""
    process = project.begin("main.py")
    assert process.stdout is not None
    for text in process.stdout:
        if text.strip() == line:
            return process
    raise AssertionError(finish(process))


def time_lines(project: Project, lines: list[str], last: str) -> dict[str, float]:
    """Returns how long after each of these lines the script writes the last one, in seconds."""
    process = project.begin("main.py")
    assert process.stdout is not None
    times = {text.strip(): time.monotonic() for text in process.stdout}
    assert finish(process).code == 0
    return {line: times[last] - times[line] for line in lines}


def check_untouched(run_id: str) -> list[str]:
    """Checks that every committed value is whole; returns the steps that are committed."""
    steps = Client().get_run(run_id).steps
    finished = [name for name, step in steps.items() if step.status == "completed"]
    for name in finished:
        value = steps[name].output.load()
        which = int(name.removeprefix("middle_")) if name.startswith("middle") else 0
        expected = {"first": 1, "last": 55}.get(name, bytes([1 + which]) * 50_000)
        assert value == expected, name
    return finished


def test_a_killed_run_is_interrupted_and_resumes_without_running_finished_steps_again(
    project: Project,
) -> None:
    project.write("main.py", LINES)
    lengths = time_lines(project, ["ready", "running"], "over")
    everything = list(Client().get_run("latest").steps)
    moments = random.Random(SEED)
    seen = {"interrupted": 0, "completed": 0, "none": 0}
    for kill in range(KILLS):
        known = {run.id for run in Client().list_runs()}
        (project.folder / "calls.txt").unlink(missing_ok=True)
        line = "running" if kill % 5 else "ready"
        process = begun(project, line)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=moments.uniform(0, lengths[line]))
        process.kill()
        finish(process)
        new = [run for run in Client().list_runs() if run.id not in known]
        if not new:  # It was killed before the run had begun.
            assert project.lines() == []
            seen["none"] += 1
            continue
        (run,) = new
        seen[run.status] += 1
        finished = check_untouched(run.id)
        before = project.lines()
        assert set(finished) <= set(before)
        if run.status == "completed":
            assert finished == everything
            continue
        resumed = project.resume(run.id)
        assert resumed.code == 0, resumed
        assert Client().get_run(run.id).status == "completed"
        assert check_untouched(run.id) == everything
        again = project.lines()[len(before) :]
        assert not set(again) & set(finished), (finished, again)
        assert set(project.lines()) == set(everything)
    assert seen["interrupted"] >= KILLS // 3, seen


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_during_a_step_cancels_the_run(
    project: Project, number: signal.Signals, code: int
) -> None:
    retry = ", retry=StepRetryConfig(max_retries=3)"
    write_waiting(project, IN_A_STEP, retry)
    ended = interrupt(run_until_ready(project), number)
    assert ended.code == code, ended
    ended.check_no_faults()
    assert Client().get_run("latest").status == "cancelled"
    assert project.statuses() == {
        "before": "completed",
        "waits": "cancelled",
        "after": "cancelled",
    }
    assert project.lines() == ["before", "waits", "interrupted"]


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


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_during_a_retry_delay_cancels_the_run_at_once(
    project: Project, number: signal.Signals, code: int
) -> None:
    retry = ", retry=StepRetryConfig(max_retries=3, delay=3600)"
    write_waiting(project, "ready(); raise ValueError", retry)
    process = run_until_ready(project)
    until = time.monotonic() + PATIENCE
    while project.statuses()["waits"] != "retrying":
        assert time.monotonic() < until
    ended = interrupt(process, number)
    assert ended.code == code, ended
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


def test_an_exception_of_the_authors_own_signal_handler_ends_the_run_and_reaches_the_script(
    project: Project,
) -> None:
    project.write("main.py", ALARM)
    ended = project.python("main.py")
    assert (ended.code, ended.out.strip()) == (0, "too long")
    assert Client().get_run("latest").status in {"failed", "cancelled"}


@pytest.mark.parametrize("code", [0, 3])
def test_a_step_that_ends_the_process_leaves_an_interrupted_run(
    project: Project, code: int
) -> None:
    write_waiting(project, f"os.path.exists('go') or os._exit({code})")
    assert project.run().code == code
    run = Client().get_run("latest")
    assert run.status == "interrupted"
    assert project.statuses()["before"] == "completed"
    assert [one.status for one in Client().list_runs(status="interrupted")] == ["interrupted"]
    project.write("go", "")
    assert project.resume(run.id).code == 0
    assert project.lines() == ["before", "waits", "waits", "after"]


def test_a_run_that_goes_on_cannot_be_resumed_by_another_process(project: Project) -> None:
    write_waiting(project, "ready(); signal.pause()")
    process = run_until_ready(project)
    assert Client().get_run("latest").status == "running"
    message = project.resume("latest").refusal
    assert str(process.pid) in message
    assert interrupt(process).code == 130
    assert project.lines() == ["before", "waits"]


def test_a_completed_run_is_not_resumed(project: Project) -> None:
    write_waiting(project, "pass")
    assert project.run().code == 0
    assert "nothing to resume" in project.resume("latest").refusal


def test_a_killed_resume_can_be_resumed(project: Project) -> None:
    write_waiting(project, "os.path.exists('go') or (ready(), signal.pause())")
    for attempt in range(1, 4):
        process = run_until_ready(project) if attempt == 1 else resume_until_ready(project)
        process.kill()
        finish(process)
        run = Client().get_run("latest")
        assert run.status == "interrupted"
        assert len(run.steps["waits"].attempts) == attempt
    project.write("go", "")
    assert project.resume("latest").code == 0
    assert len(Client().list_runs()) == 1
    assert project.lines() == ["before", *["waits"] * 4, "after"]


def test_lines_that_a_crash_cut_off_do_not_keep_a_run_from_being_resumed(project: Project) -> None:
    write_waiting(project, "os.path.exists('go') or os._exit(1)")
    project.run()
    (events,) = project.store.glob("runs/*/events.jsonl")
    events.write_bytes(events.read_bytes() + b'{"at":"2026-')
    project.write("go", "")
    assert project.resume("latest").code == 0
    assert Client().get_run("latest").status == "completed"


def test_two_processes_share_a_home_and_lose_nothing(project: Project) -> None:
    project.write("main.py", MANY)
    processes = [project.begin("main.py", str(which)) for which in range(2)]
    ends = [finish(process) for process in processes]
    assert [end.code for end in ends] == [0, 0], ends
    for end in ends:
        end.check_no_faults()
        assert "locked" not in end.err
    runs = Client().list_runs()
    assert len({run.id for run in runs}) == 40
    assert {run.status for run in runs} == {"completed"}
    totals = sorted(run.steps["total"].output.load() for run in runs)
    assert totals == sorted(1000 * which + 2 * number for which in range(2) for number in range(20))


def test_a_pipeline_runs_in_a_thread_of_its_own(project: Project) -> None:
    project.write("main.py", THREADS)
    ended = project.python("main.py")
    assert ended.code == 0, ended
    assert sorted(ended.out.split()) == ["completed"] * 4
    runs = Client().list_runs(status="completed")
    assert [run.steps["name"].log.split() for run in runs] == [[run.id] for run in runs]
