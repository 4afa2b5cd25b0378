"""What an engine that was killed leaves behind ends, and its run goes on at once and as it was."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from chaos_faults import zygotes
from conftest import Project
from partita import Client
from process_stack import check_nothing_left, use_process, wait_until_gone
from rust_programs import FAILING, start
from waiting_run import run_until_ready, write_waiting

#: Starts a program that keeps nothing of its step, and waits.
DAEMON = """
        if os.path.exists("go"):
            return number
        import subprocess
        nothing = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        subprocess.Popen(["sleep", "1000"], start_new_session=True, **nothing)
        ready()
        time.sleep(1000)
"""


@pytest.mark.parametrize("warm", [True, False], ids=["forked", "started anew"])
@pytest.mark.parametrize("with_zygote", [True, False], ids=["and its zygote", "alone"])
def test_what_a_killed_engine_left_has_ended_when_its_run_goes_on(
    project: Project, command: str, *, warm: bool, with_zygote: bool
) -> None:
    use_process(command, warm=warm)
    write_waiting(project, DAEMON)
    engine = run_until_ready(project, "waits | ready")
    (project.folder / "go").touch()
    # The run is taken up before the system has ended anything.
    for pid in (zygotes(project, engine.pid) if with_zygote else []) + [engine.pid]:
        os.kill(pid, 9)
    finished = project.resume("latest")
    assert finished.code == 0, finished
    assert project.lines() == ["before", "waits", "waits", "after"]
    engine.communicate()
    check_nothing_left(project)


IMPORTS = """
    import os, subprocess, sys, time
    from partita import ResourceSettings, pipeline, step

    if "partita.workers.zygote" in sys.modules or sys.argv[0].endswith("zygote.py"):
        time.sleep(1000)

    @step(settings={"resources": ResourceSettings(cpu_count=2)})
    def anew() -> int:
        subprocess.Popen(["sleep", "1000"])
        print("ready", flush=True)
        time.sleep(1000)

    @step
    def forked() -> int:
        return 1

    @pipeline
    def main():
        anew(), forked()
"""


def test_programs_end_with_an_engine_that_dies_while_modules_are_imported(
    project: Project, command: str
) -> None:
    use_process(command, cpu_count=2)
    project.write("main.py", IMPORTS)
    engine = run_until_ready(project, "anew | ready")
    engine.kill()
    engine.communicate()
    wait_until_gone(project)


def test_programs_end_with_a_run_that_is_cancelled_while_modules_are_imported(
    project: Project, command: str
) -> None:
    use_process(command, cpu_count=2)
    project.write("main.py", IMPORTS)
    engine = run_until_ready(project, "anew | ready")
    engine.terminate()
    engine.communicate()
    check_nothing_left(project)


def test_an_attempt_that_ended_after_its_run_was_looked_at_is_shown_as_it_ended(
    project: Project, command: str
) -> None:
    use_process(command)
    write_waiting(project, "ready()\n        time.sleep(1000)")
    engine = run_until_ready(project, "waits | ready")
    engine.kill()
    engine.communicate()
    wait_until_gone(project)

    def status() -> str:
        (attempt,) = Client().get_run("latest").steps["waits"].attempts
        return attempt["status"]

    assert status() == "interrupted"
    (commit,) = project.store.glob("runs/*/steps/*-before.commit.json")
    number = 1 + int(commit.name.partition("-")[0])
    late = json.loads(commit.read_text())
    late |= {"step": "waits", "status": "failed", "outputs": {}}
    (commit.parent / f"{number}-waits.attempt-1.json").write_text(json.dumps(late))
    assert status() == "failed"


def test_a_program_that_left_its_steps_group_ends_with_the_run(
    project: Project, command: str
) -> None:
    use_process(command)
    write_waiting(project, DAEMON.replace("ready()\n        time.sleep(1000)", "return number"))
    assert project.run().code == 0
    check_nothing_left(project)


#: Starts a program that is of no group of its step, says so, and waits.
SCRIPT = "setsid sleep 1000 & echo started; exec sleep 1000"


def test_programs_end_with_an_engine_that_is_a_program(project: Project, command: str) -> None:
    use_process(command)
    words = [FAILING, "run", "commanding", "--param", f"script={SCRIPT}"]
    engine = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    assert engine.stdout.readline() == "makes | started\n"
    engine.kill()
    engine.communicate()
    wait_until_gone(project)
    assert start(FAILING, "run", "mapped").returncode == 0
    check_nothing_left(project)


def test_programs_that_left_their_step_end_with_the_run_of_a_program(
    project: Project, command: str
) -> None:
    use_process(command)
    script = 'setsid sleep 1000 > /dev/null 2>&1 & echo made > "$1"'
    done = start(FAILING, "run", "commanding", "--param", f"script={script}")
    assert done.returncode == 0, done
    wait_until_gone(project)


def test_commands_end_with_an_engine_in_python_that_forks_no_step(
    project: Project, command: str
) -> None:
    use_process(command)
    project.write("main.py", COMMANDING.format(script=SCRIPT))
    engine = run_until_ready(project, "makes | started")
    engine.kill()
    engine.communicate()
    wait_until_gone(project)


COMMANDING = """
    from partita import command_step, output, pipeline

    @pipeline
    def main():
        command_step(["sh", "-c", "{script}", "sh", output.made], name="makes")()
"""
