"""Whatever kills a run, finished steps stay finished and the run can be resumed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time

import pytest

from conftest import Project, finish, interrupt
from partita import Client
from waiting_run import resume_until_ready, run_until_ready, write_waiting

#: Kills, at moments between the start of the run and its end.
KILLS = int(os.environ.get("PARTITA_CHAOS_KILLS", "50"))

SEED = int(os.environ.get("PARTITA_CHAOS_SEED", "2026"))

#: How much sooner or later the kills come after one that found the run over, or not begun: a
#: machine is not as fast all the time.
EARLIER, LATER = 0.9, 1.1

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

READING = """
    import os, signal
    from pathlib import Path
    from partita import pipeline, step

    def leave_a_child():
        child = os.fork()
        if not child:
            signal.pause()
        Path("children.txt").write_text(str(child))

    @step
    def read() -> None:
        for file in Path(os.environ["PARTITA_HOME"]).rglob("*"):
            if file.is_file():
                file.read_bytes()
        CHILD
        print("read", flush=True)
        signal.pause()

    @pipeline
    def reading():
        read()

    if __name__ == "__main__":
        reading()
"""

PRINTING = """
    import threading
    from partita import pipeline, step

    begun, go = threading.Event(), threading.Event()

    class Late:
        def __str__(self):
            begun.set()
            go.wait()
            return "late"

    thread = threading.Thread(target=lambda: print(Late()))

    @step
    def early() -> int:
        thread.start()
        begun.wait()
        return 1

    @step
    def later(x: int) -> None:
        go.set()
        thread.join()

    @pipeline(enable_cache=False)
    def printing():
        later(early())

    if __name__ == "__main__":
        printing()
"""


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
            lengths[line] *= LATER
            continue
        (run,) = new
        seen[run.status] += 1
        finished = check_untouched(run.id)
        before = project.lines()
        assert set(finished) <= set(before)
        if run.status == "completed":
            assert finished == everything
            lengths[line] *= EARLIER
            continue
        resumed = project.resume(run.id)
        assert resumed.code == 0, resumed
        assert Client().get_run(run.id).status == "completed"
        assert check_untouched(run.id) == everything
        again = project.lines()[len(before) :]
        assert not set(again) & set(finished), (finished, again)
        assert set(project.lines()) == set(everything)
    assert seen["interrupted"] >= KILLS // 3, seen


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


@pytest.mark.parametrize("child", ["pass", "leave_a_child()"])
def test_a_step_that_reads_the_home_keeps_its_lease_until_it_is_killed(
    project: Project, child: str
) -> None:
    project.write("main.py", READING.replace("CHILD", child))
    process = begun(project, "read")
    try:
        run = Client().get_run("latest")
        assert run.status == "running"
        assert "is driven by process" in project.resume(run.id).refusal
        process.kill()
        process.wait()
        assert Client().get_run("latest").status == "interrupted"
    finally:
        process.kill()
        for line in project.lines("children.txt"):
            os.kill(int(line), signal.SIGKILL)


def test_a_thread_may_print_on_after_its_step_has_ended(project: Project) -> None:
    project.write("main.py", PRINTING)
    # What is freed too early is overwritten at once.
    ended = project.python("main.py", env={"PYTHONMALLOC": "debug"})
    assert (ended.code, ended.out) == (0, "late\n"), ended
