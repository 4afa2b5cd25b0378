"""Steps of programs in Rust in pipelines in Python."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
import time
from pathlib import Path

import pytest

from conftest import PATIENCE, Project, finish, interrupt
from partita import Client
from process_stack import partita, use_process, wait_until_gone
from rust_programs import FAILING, NUMBERS, VALUES
from test_started_entrypoints import use as use_starting

HEAD = """
    import os
    from pathlib import Path
    from partita import Program, StepRetryConfig, pipeline, step

    numbers = Program("./numbers")
    failing = Program({failing!r})

    @step
    def write(count: int) -> list[float]:
        return [float(number) for number in range(count)]
"""

SPLITTING = """
    split = numbers.step("split")
    summarize = numbers.step("summarize", cache_version="1")

    @step
    def report(test: list[float], summary: dict) -> str:
        return f"{len(test)} {summary['label']} {summary['mean']}"

    @pipeline
    def splitting(count: int = 8):
        train, test = split(write(count))
        report(test, summarize(train, label="train"))
"""


def write_main(project: Project, *texts: str) -> None:
    shutil.copy(NUMBERS, project.folder / "numbers")
    texts = (HEAD.format(failing=FAILING), *texts)
    project.write("main.py", "".join(map(textwrap.dedent, texts)))


@pytest.fixture(params=["local", "process", "entrypoints"])
def place(request: pytest.FixtureRequest, project: Project, command: str) -> str:
    """Each place where steps of two languages run."""
    if request.param == "process":
        use_process(command)
    elif request.param == "entrypoints":
        use_starting(project, command, "delegates")
    return str(request.param)


def test_a_pipeline_has_steps_of_two_languages_wherever_it_runs(
    project: Project, place: str
) -> None:
    write_main(project, SPLITTING)
    done = project.run()
    assert done.code == 0, done
    run = Client().get_run("latest")
    assert run.steps["report"].output.load() == "2 train 2.5"
    assert run.steps["summarize"].metadata["mean"] == 2.5
    assert "summarize has seen 6 numbers" in run.steps["summarize"].log
    assert project.run().code == 0
    assert set(project.statuses().values()) == {"cached"}
    with (project.folder / "numbers").open("ab") as program:
        program.write(b"changed")
    assert project.run().code == 0
    assert project.statuses() == {
        "write": "cached",
        "split": "completed",
        "summarize": "completed",
        "report": "cached",
    }
    if place != "entrypoints":  # They have no history to tell of.
        assert "source of program `numbers` changed" in (project.reasons()["split"] or "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "numbers.step('split')('text')",
            "input `numbers` of step `split` takes list or tuple, not",
        ),
        ("split(say())", "takes list or tuple, not str (output `output` of step `say`)"),
        ("split()", "step `split` is called without `numbers`"),
        ("split(values=[1.0])", "step `split` has no input `values`"),
        ("numbers.step('splits')([1.0])", "has no step `splits`; did you mean `split`?"),
        ("numbers.step('zzz')()", "has no step `zzz`; it has `"),
        ("Program('./none').step('split')()", "is not there, neither below the source root"),
        ("Program('/bin/sh').step('split')()", "is no program whose steps a pipeline can use"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_run(
    project: Project, text: str, told: str
) -> None:
    more = f"""
    @step
    def say() -> str:
        return "a"

    @pipeline
    def wrong():
        {text}
    """
    write_main(project, SPLITTING, more)
    done = project.run("main.py:wrong")
    assert done.code == 1 and told in done.err, done
    done.check_no_faults()
    assert not Client().list_runs()


def test_a_program_of_another_version_is_refused_before_the_run(project: Project) -> None:
    mark = "partita program: its pipelines are run as `PROGRAM run PIPELINE`"
    other = """echo '{"version":99,"steps":{}}'"""
    project.write("other", f"#!/bin/sh\n# {mark}\n{other}\n").chmod(0o755)
    project.write(
        "main.py",
        """
        from partita import Program, pipeline

        @pipeline
        def main():
            Program("./other").step("clean")()
        """,
    )
    refused = project.run()
    assert refused.code == 1
    assert "`./other` was built with another version of Partita" in refused.err, refused


FAILS = """
    @pipeline
    def panicking():
        failing.step("panics")(1)

    @pipeline
    def trying():
        failing.step("returns_an_error")(failing.step("works")())

    @pipeline
    def crashing(step: str):
        failing.step(step)(1)

    @pipeline
    def waiting():
        failing.step("waits_for")("go")
"""


def test_a_panic_in_a_program_is_the_failure_of_its_step(project: Project, place: str) -> None:
    write_main(project, FAILS)
    done = project.run("main.py:panicking")
    assert done.code == 1 and "panic: 1 is too little" in done.err, done
    if place != "entrypoints":  # There, the orchestrator raises.
        done.check_no_faults()
    assert project.statuses() == {"panics": "failed"}


def test_retries_and_hooks_of_a_program_hold_in_python(project: Project, place: str) -> None:
    write_main(project, FAILS)
    done = project.run("main.py:trying")
    assert done.code == 1 and "there is no table" in done.err, done
    assert done.out.count("stored") + done.err.count("stored") == 1
    assert done.out.count("told of: ") + done.err.count("told of: ") == 1
    steps = Client().get_run("latest").steps
    assert [attempt["status"] for attempt in steps["works"].attempts] == ["completed"]
    assert [attempt["status"] for attempt in steps["returns_an_error"].attempts] == ["failed"] * 2


@pytest.mark.parametrize(
    ("step", "told"),
    [("aborts", "aborting after 1"), ("overflows_its_stack", "has overflowed its stack")],
)
def test_a_crash_of_a_program_is_the_failure_of_its_step(
    project: Project, place: str, step: str, told: str
) -> None:
    write_main(project, FAILS)
    done = project.run("main.py:crashing", parameters={"step": step})
    assert done.code == 1 and told in done.err and "SIGABRT" in done.err, done
    assert project.statuses() == {step: "failed"}


def test_ctrl_c_ends_the_step_of_a_program(project: Project, place: str) -> None:
    write_main(project, FAILS)
    run = project.begin("-m", "partita", "run", json.dumps({"target": "main.py:waiting"}))
    end = time.monotonic() + PATIENCE
    while not _is_waiting(project):
        assert time.monotonic() < end and run.poll() is None, finish(run)
        os.sched_yield()
    done = interrupt(run)
    assert done.code == 130, done
    assert Client().get_run("latest").status == "cancelled"
    assert project.statuses() == {"waits_for": "cancelled"}
    wait_until_gone(project)


def _is_waiting(project: Project) -> bool:
    files = [path for path in project.store.glob("runs/**/*") if path.is_file()]
    return any(b"waiting for go" in path.read_bytes() for path in files)


@pytest.mark.parametrize("what", ["changes", "removes"])
def test_another_program_than_the_one_that_was_compiled_is_refused(
    project: Project, place: str, what: str
) -> None:
    write_main(
        project,
        """
        @step
        def changes() -> list[float]:
            content = Path("numbers").read_bytes()
            os.remove("numbers")
            Path("numbers").write_bytes(content + b"changed")
            os.chmod("numbers", 0o755)
            return [1.0]

        @step
        def removes() -> list[float]:
            os.remove("numbers")
            return [1.0]

        @pipeline
        def changing(removed: bool = False):
            numbers.step("split")(removes() if removed else changes())
        """,
    )
    done = project.run(parameters={"removed": str(what == "removes")})
    assert done.code == 1, done
    told = {
        "changes": "another program than the one that the deployment was compiled with",
        "removes": "No such file or directory",
    }
    assert told[what] in done.err + done.out, done


def test_a_step_that_no_pipeline_of_its_program_uses_can_be_offered(project: Project) -> None:
    write_main(
        project,
        """
        @pipeline
        def halving():
            numbers.step("halve")(3.0)
        """,
    )
    done = project.run()
    assert done.code == 0, done
    assert Client().get_run("latest").steps["halve"].output.load() == 1.5


def test_a_run_with_a_program_is_planned_and_resumed(project: Project, command: str) -> None:
    write_main(
        project,
        SPLITTING,
        """
        @step
        def fails(values: list[float]):
            if not Path("go").exists():
                raise ValueError("odd")

        @pipeline
        def resuming():
            train, test = split(write(8))
            fails(test)
        """,
    )
    planned = json.loads(partita(command, "plan", "main.py:resuming", "--output", "json"))
    assert [step["verdict"] for step in planned] == ["run", "depends", "depends"]
    assert project.run("main.py:resuming").code == 1
    Path("go").touch()
    partita(command, "runs", "resume", "latest")
    run = Client().get_run("latest")
    assert run.status == "completed"
    assert len(run.steps["split"].attempts) == 1


def test_values_of_every_plain_type_are_stored_alike_in_both_languages(project: Project) -> None:
    write_main(
        project,
        f"""
        from typing import Annotated

        values = Program({VALUES!r})
        GIVEN = {{
            "text": 'a "text"\\n', "whole": 2**100, "number": 0.1, "yes": True, "nothing": None,
            "list": [1.0, -0.0, 1e300, float("inf")], "tuple": (-3, "é"),
            "mapping": {{2: [True], -1: []}}, "names": {{"$partita": 1.0, "b": 2.5}},
            "bytes": b"\\x00\\xff",
        }}

        @step
        def make(name: str):
            return GIVEN[name]

        @step
        def look(name: str, value) -> None:
            # A vector of bytes is one of numbers in Rust; `Bytes` is what bytes are.
            expected = list(GIVEN[name]) if name == "bytes" else GIVEN[name]
            seen = dict(sorted(value.items(), reverse=True)) if name == "mapping" else value
            assert (seen, repr(seen)) == (expected, repr(expected)), value

        @step
        def summary(mean: float, label: str | None) -> dict:
            return {{"mean": mean, "label": label}}

        @pipeline
        def passing():
            made = {{name: make(name, id=f"make_{{name}}") for name in GIVEN}}
            for name, value in zip(GIVEN, values.step("pass")(**made), strict=True):
                look(name, value)
            numbers.step("compare")(summary(1.0, None), summary(2.5, "é"))
            numbers.step("summarize")(made["list"])  # An `Option` may be left out.
        """,
    )
    done = project.run()
    assert done.code == 0, done
    steps = Client().get_run("latest").steps
    assert steps["compare"].output.load() == 1.5
    assert steps["summarize"].output.load() == {"mean": float("inf"), "label": None}


def test_numbers_of_numpy_are_numbers_in_rust(project: Project) -> None:
    pytest.importorskip("numpy")
    write_main(
        project,
        f"""
        import numpy as np

        numbers = Program({NUMBERS!r})

        @step
        def mean() -> float:
            return np.mean([2.0, 3.0])

        @step
        def single() -> np.float32:
            return np.float32(0.5)

        @pipeline
        def passing():
            numbers.step("halve")(mean(), id="first")
            numbers.step("halve")(single(), id="second")
        """,
    )
    done = project.run("main.py:passing")
    assert done.code == 0, done
    steps = Client().get_run("latest").steps
    assert [steps[name].output.load() for name in ("first", "second")] == [1.25, 0.25]


def test_arrays_bytes_and_folders_pass_from_one_language_to_the_other(project: Project) -> None:
    np = pytest.importorskip("numpy")
    write_main(
        project,
        f"""
        import numpy as np

        values = Program({VALUES!r})

        @step
        def array() -> np.ndarray:
            return np.arange(6.0).reshape(2, 3).T

        @step
        def some(count: int) -> bytes:
            return b"\\x00\\xff" * count

        @step
        def folder() -> Path:
            made = Path("made")
            (made / "empty").mkdir(parents=True, exist_ok=True)
            (made / "a.txt").write_text("a")
            return made

        @step
        def array_of_text() -> np.ndarray:
            return np.array(["a"])

        @pipeline
        def passing(count: int = 3):
            values.step("double")(array())
            values.step("twice")(some(count))
            values.step("same")(folder())

        @pipeline
        def wrong():
            values.step("double")(array_of_text())
        """,
    )
    for count in (3, 50_000):
        done = project.run("main.py:passing", parameters={"count": str(count)})
        assert done.code == 0, done
        run = Client().get_run("latest")
        doubled = run.steps["double"].output.load()
        assert np.array_equal(doubled, 2 * np.arange(6.0).reshape(2, 3).T)
        assert run.steps["double"].output.type == "numpy.ndarray"
        assert run.steps["twice"].output.load() == b"\x00\xff" * 2 * count
    folder = run.steps["same"].output.load()
    assert folder.name == "made" and (folder / "empty").is_dir()
    assert (folder / "a.txt").read_text() == "a"
    failed = project.run("main.py:wrong")
    assert failed.code == 1 and "the input `array` cannot be loaded" in failed.err, failed
