"""A script that runs its pipeline fails, prints and ends as scripts do."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from conftest import Finished, Project
from partita import Client

SCRIPT = """
    import os, sys
    from partita import pipeline, step

    def helper() -> None:
        raise ValueError("bad")

    @step
    def make() -> int:
        {body}
        return 1

    @step
    def take(value: int) -> int:
        print("took", value)
        return value

    @pipeline
    def two():
        {trace}
        take(make())

    if __name__ == "__main__":
        two()
"""


def script(project: Project, body: str = "pass", trace: str = "pass") -> None:
    """Writes a script whose first step, or whose pipeline's function, does this."""
    project.write("main.py", SCRIPT.format(body=body, trace=trace))


def lines_of(finished: Finished) -> list[str]:
    """The functions of the author that tracebacks on standard error go through."""
    assert "/src/partita/" not in finished.err, finished.err
    return re.findall(r'File "[^"]*main\.py", line \d+, in (\S+)', finished.err)


def test_a_failing_script_shows_the_authors_traceback_once(project: Project) -> None:
    script(project, "helper()")
    finished = project.python("main.py")
    assert finished.code == 1
    assert lines_of(finished) == ["make", "helper", "<module>"], finished.err
    assert finished.err.count("\nValueError: bad\n") == 1
    assert finished.err.rstrip().endswith(
        "StepFailedError: the step `make` failed: ValueError: bad"
    )


def test_the_command_shows_the_same_traceback_once(project: Project) -> None:
    script(project, "helper()")
    finished = project.run()
    assert finished.code == 1
    assert lines_of(finished) == ["make", "helper"], finished.err


def test_an_exception_of_the_pipelines_own_code_shows_its_lines_alone(
    project: Project,
) -> None:
    script(project, trace="helper()")
    finished = project.python("main.py")
    assert finished.code == 1
    assert lines_of(finished) == ["<module>", "two", "helper"], finished.err
    assert finished.err.count("Traceback") == 1


def test_the_command_shows_the_same_lines_whatever_the_folder_is_called(
    project: Project,
) -> None:
    script(project, trace="helper()")
    project.write("partita/importlib/main.py", (project.folder / "main.py").read_text())
    finished = project.run("partita/importlib/main.py")
    assert lines_of(finished) == ["two", "helper"], finished.err
    assert finished.err.rstrip().endswith(
        "error: the pipeline cannot be put together: ValueError: bad; correct it and try again."
    )


def test_what_no_pipeline_can_do_shows_the_authors_lines_alone(
    project: Project,
) -> None:
    script(project, trace="bool(make())")
    finished = project.python("main.py")
    assert lines_of(finished) == ["<module>", "two"], finished.err
    assert "PipelineError: main.py:20: the output `output` of step `make`" in finished.err


def test_a_step_whose_exception_is_caught_can_be_looked_at_from_the_first_own_line(
    project: Project,
) -> None:
    script(project, "helper()")
    path = project.folder / "main.py"
    caught = """
        import traceback
        try:
            two()
        except Exception as error:
            print([frame.name for frame in traceback.extract_tb(error.__cause__.__traceback__)])
    """
    path.write_text(path.read_text().rpartition("    two()")[0] + caught.replace("\n    ", "\n"))
    assert project.python("main.py").out.strip() == "['make', 'helper']"


def test_a_pipeline_of_several_failures_shows_each_once(project: Project) -> None:
    project.write(
        "main.py",
        """
        from partita import pipeline, step

        @step
        def one() -> int:
            raise ValueError("first")

        @step
        def other() -> int:
            raise KeyError("second")

        @pipeline(failure_mode="continue_on_failure")
        def both():
            one()
            other()

        both()
        """,
    )
    finished = project.python("main.py")
    assert lines_of(finished) == ["other", "one", "<module>"], finished.err


HEAD = ["-c", "import sys; print(sys.stdin.readline(), end='')"]


def piped(project: Project, *arguments: str, env: dict[str, str] | None = None) -> Finished:
    """Runs Python with a viewer that reads one line of its output and goes away."""
    source = project.begin(*arguments, env=env or {})
    viewer = subprocess.run(
        [sys.executable, *HEAD],
        stdin=source.stdout,
        capture_output=True,
        text=True,
        check=True,
    )
    assert source.stdout is not None
    source.stdout.close()
    source.stdout = None
    _, err = source.communicate()
    return Finished(source.returncode, viewer.stdout, err)


MANY = "for line in range(100_000): print('line', line)"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments",
    [["main.py"], ["-m", "partita", "run", '{"target": "main.py"}']],
    ids=len,
)
def test_a_viewer_that_goes_away_ends_no_run(
    project: Project, arguments: list[str], unbuffered: str
) -> None:
    script(project, MANY)
    finished = piped(project, *arguments, env={"PYTHONUNBUFFERED": unbuffered})
    assert (finished.code, finished.out) == (0, "line 0\n"), finished
    finished.check_no_faults()
    assert finished.err.count("warning: ") == 1, finished.err
    assert "standard output" in finished.err and "Exception ignored" not in finished.err
    run = Client().get_run("latest")
    assert run.status == "completed"
    assert len(run.steps["make"].log.splitlines()) == 100_000
    assert run.steps["take"].log == "took 1\n"


@pytest.mark.parametrize("verb", ["plan", "compile"])
def test_a_viewer_that_goes_away_ends_a_verb_quietly(project: Project, verb: str) -> None:
    script(project)
    closed, far = os.pipe()
    os.close(closed)
    process = subprocess.run(
        [sys.executable, "-m", "partita", verb, '{"target": "main.py"}'],
        cwd=project.folder,
        env=project.environment(),
        stdout=far,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(far)
    assert (process.returncode, process.stderr) == (0, "")


def test_a_script_without_standard_output_runs(project: Project) -> None:
    script(project, "print('printed')")
    process = subprocess.run(
        [sys.executable, "main.py"],
        cwd=project.folder,
        env=project.environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        preexec_fn=lambda: os.close(1),
    )
    assert process.returncode == 0, process.stderr
    assert Client().get_run("latest").steps["make"].log == "printed\n"


def test_a_script_compiles_to_one_deployment_however_it_is_started(project: Project) -> None:
    project.write(
        "main.py",
        """
        from pathlib import Path
        from partita import BaseMaterializer, pipeline, step

        class Count:
            number: int = 3

        class CountMaterializer(BaseMaterializer):
            def save(self, data):
                Path(self.uri, "count").write_text(str(data.number))

        def told():
            print("stored")

        @step(on_success=told, output_materializers=CountMaterializer)
        def count() -> Count:
            return Count()

        @pipeline(on_failure=told)
        def counting():
            count()

        if __name__ == "__main__":
            counting()
        """,
    )
    assert project.python("main.py").code == 0
    assert project.run().code == 0
    assert len(list(project.store.glob("deployments/*.json"))) == 1
    assert Client().get_artifact("counting.count.output").materializer == "main.CountMaterializer"
    assert project.statuses() == {"count": "cached"}
