"""How processes of steps end: by themselves, by signals, with their run, or with its engine."""

from __future__ import annotations

import json
import os
import select
import signal
import textwrap
import time

import pytest

from conftest import PATIENCE, Project, finish, interrupt
from partita import Client
from process_stack import (
    check_nothing_left,
    partita,
    processes_of,
    use_process,
    wait_until_gone,
)
from two_steps import two
from waiting_run import resume_until_ready, run_until_ready, write_waiting

#: Waits for ever, with a program of its own that does so too.
WAITS = """
        import subprocess
        subprocess.Popen(["sleep", "1000"])
        sys.stdout.write("ready" + chr(10)); sys.stdout.flush()
        while True:
            time.sleep(1)
"""


LEAVES = """
    import os, subprocess
    from partita import pipeline, step

    @step
    def leave() -> int:
        {leave}

    @step
    def look(process: int) -> bool:
        try:
            with open(f"/proc/{{process}}/stat") as stat, open(f"/proc/{{process}}/status") as status:
                state, *numbers = stat.read().rpartition(")")[2].split()
                signals = [line.split()[1] for line in status if "Pnd:" in line]
        except OSError:
            return False
        is_exiting = state in "ZX" or int(numbers[5]) & 4
        return not is_exiting and not any(int(mask, 16) & 1 << 8 for mask in signals)

    @pipeline
    def main():
        look(leave())
"""


LOCKS = """
    import fcntl
    from partita import pipeline, step

    held = []

    @step
    def lock(before: int = 0) -> int:
        held.append(open("lock", "w"))
        fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        return before + 1

    @pipeline
    def main():
        number = lock()
        for _ in range(20):
            number = lock(number)
"""


@pytest.mark.parametrize(
    ("body", "message", "exit_code"),
    [
        ("os._exit(7)", "its process ended with exit code 7 before the step returned", 7),
        ("os._exit(0)", "says that the attempt completed, but the step is not committed", None),
        ("os.kill(os.getpid(), 9)", "ended by SIGKILL; the system has not run out of memory", 137),
        ("os.kill(os.getpid(), 11)", "ended by SIGSEGV; a library that it uses crashed", 139),
        ("os.abort()", "ended by SIGABRT", 134),
        ("os.kill(os.getpid(), 15); time.sleep(60)", "its process ended with exit code 143", 143),
    ],
)
@pytest.mark.parametrize("warm", [True, False], ids=["forked", "started anew"])
def test_the_record_of_an_attempt_says_how_its_process_died(
    project: Project, command: str, warm: bool, body: str, message: str, exit_code: int | None
) -> None:
    use_process(command, warm=warm)
    two(project, f"import time; {body}")
    finished = project.run()
    assert finished.code == 1, finished
    finished.check_no_faults()
    (attempt,) = Client().get_run("latest").steps["make"].attempts
    assert attempt["status"] == "failed"
    assert message in (attempt["error"] or "")
    assert attempt["exit_code"] == exit_code
    check_nothing_left(project)


def test_a_step_whose_process_was_killed_is_tried_again(project: Project, command: str) -> None:
    use_process(command)
    body = """
        first = not os.path.exists("tried")
        open("tried", "w").close()
        if first:
            os.kill(os.getpid(), 9)
        return 1
    """
    options = "(retry=StepRetryConfig(max_retries=1))"
    two(project, body.strip(), options=options)
    text = (project.folder / "main.py").read_text()
    project.write("main.py", text.replace("import pipeline", "import StepRetryConfig, pipeline"))
    finished = project.run()
    assert finished.code == 0, finished
    attempts = Client().get_run("latest").steps["make"].attempts
    assert [attempt["status"] for attempt in attempts] == ["failed", "completed"]
    assert attempts[0]["started_at"] < attempts[0]["ended_at"] <= attempts[1]["started_at"]


def test_what_a_killed_step_had_prepared_goes_with_its_run(project: Project, command: str) -> None:
    use_process(command)
    body = """
        folder = get_step_context().output_folder()
        if os.path.exists("tried"):
            return 1
        open("tried", "w").write(folder)
        os.kill(os.getpid(), 9)
    """
    two(project, body.strip(), options="(retry=StepRetryConfig(max_retries=1))")
    text = (project.folder / "main.py").read_text()
    names = "import StepRetryConfig, get_step_context, pipeline"
    project.write("main.py", text.replace("import pipeline", names))
    finished = project.run()
    assert finished.code == 0, finished
    assert project.lines("tried")[0].startswith(str(project.store))
    assert list((project.store / "staging").iterdir()) == []


@pytest.mark.parametrize("warm", [True, False], ids=["forked", "started anew"])
@pytest.mark.parametrize(
    "leave",
    [
        'return subprocess.Popen(["sleep", "1000"]).pid',
        "return int(subprocess.check_output('sleep 1000 >&- & echo $!', shell=True))",
    ],
    ids=["its own", "an orphan"],
)
def test_the_next_step_begins_once_programs_of_the_one_before_are_gone(
    project: Project, command: str, warm: bool, leave: str
) -> None:
    use_process(command, warm=warm)
    project.write("main.py", LEAVES.format(leave=leave))
    finished = project.run()
    assert finished.code == 0, finished
    assert Client().get_run("latest").steps["look"].output.load() is False


@pytest.mark.parametrize("warm", [True, False], ids=["forked", "started anew"])
def test_the_next_step_begins_once_files_of_the_one_before_are_closed(
    project: Project, command: str, warm: bool
) -> None:
    use_process(command, warm=warm)
    project.write("main.py", LOCKS)
    finished = project.run()
    assert finished.code == 0, finished


@pytest.mark.parametrize("warm", [True, False], ids=["forked", "started anew"])
def test_programs_that_a_step_leaves_running_end_with_it(
    project: Project, command: str, warm: bool
) -> None:
    use_process(command, warm=warm)
    two(project, 'import subprocess; subprocess.Popen(["sleep", "1000"]); return 1')
    finished = project.run()
    assert finished.code == 0, finished
    check_nothing_left(project)


def test_a_timeout_ends_the_process_and_its_programs(project: Project, command: str) -> None:
    use_process(command, grace="100ms")
    body = """
        import signal, subprocess, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(["sleep", "1000"])
        time.sleep(1000)
    """
    two(project, body.strip(), options='(timeout="500ms")')
    finished = project.run()
    assert finished.code == 1, finished
    (attempt,) = Client().get_run("latest").steps["make"].attempts
    assert "timed out after 0.5s" in (attempt["error"] or "")
    check_nothing_left(project)


CATCHES = """
        try:
            sys.stdout.write("ready" + chr(10)); sys.stdout.flush()
            time.sleep(1000)
        except KeyboardInterrupt:
            note("interrupted")
            raise
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_cancelled_step_may_tidy_up(
    project: Project, command: str, number: signal.Signals
) -> None:
    use_process(command)
    write_waiting(project, CATCHES, ", retry=StepRetryConfig(max_retries=3)")
    ended = interrupt(run_until_ready(project, "waits | ready"), number)
    assert ended.code == 130, ended
    ended.check_no_faults()
    assert project.lines() == ["before", "waits", "interrupted"]
    assert project.statuses() == {"before": "completed", "waits": "cancelled", "after": "cancelled"}
    check_nothing_left(project)


@pytest.mark.parametrize("retries", [0, 3])
def test_a_step_that_raises_while_it_is_cancelled_is_shown_as_its_documents_have_it(
    project: Project, command: str, retries: int
) -> None:
    use_process(command)
    body = CATCHES.replace("raise", 'raise ValueError("too late") from None')
    write_waiting(project, body, f", retry=StepRetryConfig(max_retries={retries})")
    ended = interrupt(run_until_ready(project, "waits | ready"))
    assert ended.code == 130, ended
    shown = json.loads(partita(command, "runs", "describe", "latest", "--output", "json"))
    (attempt,) = shown["steps"]["waits"]["attempts"]
    assert (attempt["status"], attempt["error"]) == ("cancelled", None)
    partita(command, "store", "rebuild")
    assert json.loads(partita(command, "runs", "describe", "latest", "--output", "json")) == shown


def test_a_cancelled_step_that_does_not_end_is_killed_with_its_programs(
    project: Project, command: str
) -> None:
    use_process(command, grace="100ms")
    write_waiting(project, "signal.signal(signal.SIGTERM, signal.SIG_IGN)" + WAITS)
    ended = interrupt(run_until_ready(project, "waits | ready"))
    assert ended.code == 130, ended
    assert Client().get_run("latest").status == "cancelled"
    check_nothing_left(project)


def test_a_second_interrupt_ends_a_step_at_once(project: Project, command: str) -> None:
    use_process(command, grace="1h")
    write_waiting(project, "signal.signal(signal.SIGTERM, signal.SIG_IGN)" + WAITS)
    engine = run_until_ready(project, "waits | ready")
    engine.send_signal(signal.SIGINT)
    assert engine.stderr is not None
    while "cancelling" not in engine.stderr.readline():
        assert engine.poll() is None
    ended = interrupt(engine)
    assert ended.code == 130, ended
    check_nothing_left(project)


@pytest.mark.parametrize("warm", [True, False], ids=["forked", "started anew"])
def test_no_process_outlives_its_engine_and_a_resumed_run_completes(
    project: Project, command: str, warm: bool
) -> None:
    use_process(command, warm=warm)
    write_waiting(project, 'if os.path.exists("go"):\n            return number' + WAITS)
    engine = run_until_ready(project, "waits | ready")
    engine.kill()
    engine.communicate()
    wait_until_gone(project)
    assert Client().get_run("latest").status == "interrupted"
    (project.folder / "go").touch()
    finished = project.resume("latest")
    assert finished.code == 0, finished
    assert project.lines() == ["before", "waits", "waits", "after"]
    numbers = [attempt["number"] for attempt in Client().get_run("latest").steps["waits"].attempts]
    assert numbers[-1] == 2
    check_nothing_left(project)


#: A local step forks a process that lives on, as `multiprocessing` does.
FORKS = """
    import os, signal
    from partita import pipeline, step

    @step(orchestrator="here", enable_cache=False)
    def fork() -> int:
        child = os.fork()
        if child == 0:
            signal.pause()
        return child

    @step(enable_cache=False)
    def wait(child: int) -> None:
        with open("calls.txt", "w") as calls:
            calls.write(f"{child}\\n")
        print("ready", flush=True)
        signal.pause()

    @pipeline
    def main():
        wait(fork())
"""


def test_steps_end_with_their_engine_also_where_a_fork_of_it_lives_on(
    project: Project, command: str
) -> None:
    use_process(command)
    project.write("main.py", FORKS)
    engine = run_until_ready(project, "wait | ready")
    (child,) = map(int, project.lines())
    try:
        engine.kill()
        end = time.monotonic() + PATIENCE
        while (left := processes_of(project)) != [child]:
            assert time.monotonic() < end, left
            os.sched_yield()
    finally:
        os.kill(child, signal.SIGKILL)
        finish(engine)


def test_a_killed_zygote_fails_the_steps_that_it_forked_and_the_next_one_serves(
    project: Project, command: str
) -> None:
    use_process(command)
    body = """
        if os.path.exists("go"):
            return number
        open("go", "w").close()
        os.kill(os.getppid(), 9)
        time.sleep(1000)
    """
    write_waiting(project, body, ", retry=StepRetryConfig(max_retries=1)")
    finished = project.run()
    assert finished.code == 0, finished
    first, second = Client().get_run("latest").steps["waits"].attempts
    assert "the process that the orchestrator `fast` forked it from is gone" in (
        first["error"] or ""
    )
    assert second["status"] == "completed"
    check_nothing_left(project)


IN_ZYGOTE = """
    import os, socket, stat, sys, threading, time
    from partita import pipeline, step

    if "partita.workers.zygote" in sys.modules or sys.argv[0].endswith("zygote.py"):
        {body}

    @step
    def makes() -> int:
        return 1

    @pipeline
    def main():
        makes()
"""

GARBAGE = (
    "[os.write(fd, b'garbage') for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}')"
    " and stat.S_ISSOCK(os.fstat(fd).st_mode)]"
)


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ("os._exit(3)", "process that it was to be forked from is gone"),
        ("os.kill(os.getpid(), 11)", "process that it was to be forked from is gone"),
        ("raise ValueError('not here')", "its module cannot be imported"),
        ("sys.exit(4)", "its module cannot be imported"),
        (GARBAGE, "process that it was to be forked from is gone"),
        ("threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()", "threads (1)"),
    ],
    ids=["exits", "crashes", "raises", "leaves", "garbage", "threads"],
)
def test_a_zygote_that_is_good_for_nothing_costs_no_step(
    project: Project, command: str, body: str, note: str
) -> None:
    use_process(command)
    project.write("main.py", IN_ZYGOTE.replace("{body}", body))
    finished = project.run()
    assert finished.code == 0, finished
    log = Client().get_run("latest").steps["makes"].log or ""
    assert "this step starts Python anew" in log and note in log
    check_nothing_left(project)


def test_programs_end_with_their_engine_also_where_no_zygote_can_be_had(
    project: Project, command: str
) -> None:
    use_process(command)
    body = """
        import subprocess
        subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, start_new_session=True)
        print("ready", flush=True)
        signal.pause()
    """
    write_waiting(project, body)
    path = project.folder / "main.py"
    unfit = 'import os, sys\nif "partita.workers.child" in sys.modules:\n    os._exit(3)\n'
    path.write_text(unfit + path.read_text())
    engine = run_until_ready(project, "waits | ready")
    engine.kill()
    wait_until_gone(project)
    finish(engine)


def test_a_run_can_be_cancelled_while_an_import_does_not_end(
    project: Project, command: str
) -> None:
    use_process(command)
    body = "open('importing', 'w').close(); time.sleep(1000)"
    project.write("main.py", IN_ZYGOTE.replace("{body}", body))
    engine = project.begin("-m", "partita", "run", '{"target": "main.py"}')
    while not (project.folder / "importing").exists():
        assert engine.poll() is None
        os.sched_yield()
    ended = interrupt(engine)
    assert ended.code == 130, ended
    check_nothing_left(project)


#: Its import ends in no process but the one that asks for the run.
HANGS = """
    import sys, time
    from partita import pipeline, step

    if "partita.entrypoints.attempt" in sys.modules:
        time.sleep(1000)

    @step(timeout="300ms")
    def makes() -> int:
        return 1

    @pipeline
    def main():
        makes()
"""


@pytest.mark.parametrize("warm", [True, False], ids=["forked", "started anew"])
def test_a_timeout_ends_a_step_whose_import_does_not_end(
    project: Project, command: str, *, warm: bool
) -> None:
    use_process(command, warm=warm)
    project.write("main.py", HANGS)
    ended = project.run()
    assert ended.code == 1 and "timed out after 0.3s" in ended.err, ended
    check_nothing_left(project)


def test_an_engine_that_was_stopped_keeps_its_run(project: Project, command: str) -> None:
    use_process(command)
    write_waiting(
        project, 'ready()\n        while not os.path.exists("go"):\n            time.sleep(0.01)'
    )
    engine = run_until_ready(project, "waits | ready")
    engine.send_signal(signal.SIGSTOP)
    refused = project.resume("latest")
    assert f"is driven by process {engine.pid}" in refused.refusal
    (project.folder / "go").touch()
    engine.send_signal(signal.SIGCONT)
    assert engine.wait() == 0
    assert project.lines() == ["before", "waits", "after"]


def test_one_of_two_engines_resumes_a_run(project: Project, command: str) -> None:
    use_process(command)
    body = 'ready()\n        while not os.path.exists("go"):\n            time.sleep(0.01)'
    write_waiting(project, body)
    killed = run_until_ready(project, "waits | ready")
    killed.kill()
    killed.communicate()
    first = resume_until_ready(project, "waits | ready")
    second = project.resume("latest")
    assert f"is driven by process {first.pid}" in second.refusal
    (project.folder / "go").touch()
    assert first.wait() == 0
    assert Client().get_run("latest").status == "completed"
    check_nothing_left(project)


MEETS = """
    if os.environ.pop("MEETS", None):  # Only engines have it.
        os.mkdir(f"meets-{os.getpid()}")
        while sum(name.startswith("meets-") for name in os.listdir()) < 2:
            time.sleep(0.001)

    @pipeline
"""


def test_of_two_engines_that_resume_a_run_at_once_one_wins(project: Project, command: str) -> None:
    use_process(command)
    body = 'ready()\n        while not os.path.exists("go"):\n            time.sleep(0.01)'
    write_waiting(project, body)
    killed = run_until_ready(project, "waits | ready")
    killed.kill()
    killed.communicate()
    text = (project.folder / "main.py").read_text()
    project.write("main.py", text.replace("@pipeline", textwrap.dedent(MEETS).strip()))
    words = ("-m", "partita", "resume", '{"target": "main.py", "run_id": "latest"}')
    engines = [project.begin(*words, env={"MEETS": "1"}) for _ in range(2)]
    ends = {os.pidfd_open(engine.pid): engine for engine in engines}
    ready, _, _ = select.select(list(ends), [], [], PATIENCE)
    loser = ends[ready[0]]
    (winner,) = (engine for engine in engines if engine is not loser)
    assert f"is driven by process {winner.pid}" in finish(loser).refusal
    assert winner.poll() is None
    (project.folder / "go").touch()
    ended = finish(winner)
    assert ended.code == 0, ended
    assert project.lines() == ["before", "waits", "waits", "after"]
    check_nothing_left(project)
    for end in ends:
        os.close(end)
