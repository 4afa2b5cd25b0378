"""What becomes of programs in Rust whose steps go wrong, and of names that shells would read."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from conftest import Project
from partita import Client
from process_stack import check_nothing_left, partita, use_process
from rust_programs import FAILING, NUMBERS, start


@pytest.fixture(params=["local", "process"])
def place(request: pytest.FixtureRequest, project: Project, command: str) -> str:
    """Each place where steps run."""
    if request.param == "process":
        use_process(command)
    return str(request.param)


def test_an_error_is_told_with_its_causes(project: Project, place: str) -> None:
    failed = start(FAILING, "run", "errors")
    assert failed.returncode == 1
    assert "stored" in failed.stdout
    causes = "there is no table", "the rows cannot be counted", "invalid digit found in string"
    cause = ": ".join(causes)
    assert f"told of: {cause}" in failed.stdout
    step = Client().get_run("latest").steps["returns_an_error"]
    assert [attempt["status"] for attempt in step.attempts] == ["failed", "failed"]
    assert [cause in attempt["error"] for attempt in step.attempts] == [True, True]
    assert cause in failed.stderr


def test_a_panic_is_the_failure_of_its_step(project: Project, place: str) -> None:
    failed = start(FAILING, "run", "panicking")
    assert failed.returncode == 1
    assert "panic: 1 is too little at" in failed.stderr and "failing.rs" in failed.stderr
    assert "bug in Partita" not in failed.stderr
    assert project.statuses() == {"works": "completed", "panics": "failed"}


def test_a_crash_in_a_process_is_the_failure_of_its_step(project: Project, command: str) -> None:
    use_process(command)
    failed = start(FAILING, "run", "crashing")
    assert failed.returncode == 1
    assert project.statuses() == {
        "works": "completed",
        "aborts": "failed",
        "overflows_its_stack": "failed",
        "leaves_a_thread": "completed",
    }
    steps = Client().get_run("latest").steps
    assert "aborting after 1" in steps["aborts"].log
    assert "has overflowed its stack" in steps["overflows_its_stack"].log
    for step in ("aborts", "overflows_its_stack"):
        [attempt] = steps[step].attempts
        assert "SIGABRT" in attempt["error"] and attempt["exit_code"] == 128 + signal.SIGABRT
    check_nothing_left(project)


def test_a_crash_in_the_program_itself_interrupts_its_run_which_goes_on(
    project: Project, command: str
) -> None:
    crashed = start(FAILING, "run", "aborting")
    assert crashed.returncode == -signal.SIGABRT and "aborting after 1" in crashed.stderr
    assert Client().get_run("latest").status == "interrupted"
    use_process(command)
    words = [FAILING, "run", "aborting"]
    assert start(*words).returncode == 1
    assert project.statuses() == {"works": "cached", "aborts": "failed"}


def test_a_thread_that_a_step_leaves_behind_holds_nothing_up(project: Project, place: str) -> None:
    project.write("go", "")
    done = start(FAILING, "run", "waiting")
    assert done.returncode == 0, done
    assert Client().get_run("latest").steps["leaves_a_thread"].output.load() == 2
    check_nothing_left(project)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("true", "ended well, and its output `output` is missing"),
        (': > "$1"', "its output `output` is empty"),
        ('mkdir "$1"', "its output `output` is a folder"),
        ("echo even >&2; echo odd >&2; exit 7", "`sh` ended with exit code 7: odd"),
    ],
)
def test_a_command_of_a_program_that_goes_wrong_is_a_failed_step(
    project: Project, place: str, script: str, told: str
) -> None:
    failed = start(FAILING, "run", "commanding", "--param", f"script={script}")
    assert failed.returncode == 1 and told in failed.stderr, failed
    [attempt] = Client().get_run("latest").steps["makes"].attempts
    assert told in attempt["error"] and attempt["exit_code"] == (7 if "7" in script else None)


ODD = "a b; touch pwned; $(touch pwned) `touch pwned` > 'pwned' \"*\" & #"


def test_no_name_means_anything_to_a_shell(project: Project, command: str, place: str) -> None:
    own = project.folder / ODD
    shutil.copy(FAILING, own)
    words = ["--param", f"text={ODD}", "--name", ODD]
    partita(command, "run", f"./{ODD}:odd; $(touch pwned)", *words)
    run = Client().get_run(ODD)
    assert run.status == "completed"
    assert list(run.steps) == [ODD, "$(touch pwned); 'id'"]
    assert [step.output.load() for step in run.steps.values()] == [ODD, ODD]
    partita(command, "runs", "resume", ODD, "--param", "text=b")
    assert not Path("pwned").exists()


def test_a_run_of_a_program_that_is_gone_or_was_built_again_is_not_continued_by_it(
    project: Project, command: str, place: str
) -> None:
    own = project.folder / "numbers"
    shutil.copy(NUMBERS, own)
    assert start(str(own), "run", "--param", "count=0").returncode == 1
    failed = Client().get_run("latest")
    own.rename("elsewhere")
    gone = start(command, "runs", "resume", "latest")
    assert gone.returncode == 1
    assert f"`{own}`, the program that ran it, is not there any more" in gone.stderr
    shutil.copy("elsewhere", own)
    with own.open("ab") as program:
        program.write(b"changed")
    assert start(command, "runs", "resume", "latest").returncode == 1
    run = Client().get_run("latest")
    assert run.id != failed.id
    # Nothing is taken over of what the other program has made.
    assert run.steps["load"].status == "completed"
