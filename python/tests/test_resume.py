"""A run that is resumed goes on as it was asked for, and says when anything has changed since."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from conftest import Project, finish, interrupt
from partita import Client
from waiting_run import resume_until_ready, run_until_ready, write_waiting

PIPELINE = """
    from pathlib import Path
    from partita import pipeline, step, StepRetryConfig

    @step(enable_cache=False)
    def first(x: int) -> int:
        with open("calls.txt", "a") as calls:
            calls.write(f"first {{x}}\\n")
        return x

    @step{options}
    def second(x: int) -> int:
        if not Path("go").exists():
            Path("go").touch()
            raise ValueError("not yet")
        return x

    @pipeline
    def two(x: int = 1):
        second(first(x))

    if __name__ == "__main__":
        {call}
"""


def write(project: Project, options: str = "", call: str = "two()") -> None:
    project.write("main.py", PIPELINE.format(options=options, call=call))


def partita(words: str) -> None:
    command = shutil.which("partita", path=os.path.dirname(sys.executable))
    if command is None:
        pytest.skip("the `partita` command is not installed")
    subprocess.run([command, *words.split()], check=True, capture_output=True)


def continues(project: Project, call: str) -> None:
    """Checks that the latest run goes on, and that `first` has run once, as `call` says."""
    (run,) = Client().list_runs()
    assert run.status == "failed"
    resumed = project.resume(run.id)
    assert resumed.code == 0 and "note:" not in resumed.err, resumed
    assert [(one.id, one.status) for one in Client().list_runs()] == [(run.id, "completed")]
    assert project.lines() == [call]


def replaced(project: Project, change: str) -> None:
    """Checks that a new run honours a change, says so, and takes over what is finished."""
    (run,) = Client().list_runs()
    resumed = project.resume(run.id)
    assert resumed.code == 0, resumed
    note = f"note: since run `{run.name}` began, this has changed: {change}; a new run"
    assert note in resumed.err
    assert len(Client().list_runs()) == 2
    assert project.statuses() == {"first": "cached", "second": "completed"}
    assert len(project.lines()) == 1


def test_a_run_goes_on_with_its_configuration_file_parameters_and_switches(
    project: Project,
) -> None:
    write(project)
    project.write("run.yaml", "parameters: {x: 5}\nsteps: {second: {cache_version: '2'}}\n")
    ended = project.run(config="run.yaml", parameters={"x": "7"}, enable_cache=False)
    assert ended.code == 1, ended
    continues(project, "first 7")


def test_a_run_goes_on_with_the_options_of_its_call(project: Project) -> None:
    write(
        project,
        call="two.with_options(name='other', run_name='mine', steps={'second': "
        "{'retry': {'delay': 3}}}, cache_version='9')(x=4)",
    )
    assert project.python("main.py").code == 1
    continues(project, "first 4")


def test_changed_options_make_a_new_run(project: Project) -> None:
    write(project)
    assert project.run().code == 1
    (project.folder / "go").unlink()
    write(project, "(retry=StepRetryConfig(max_retries=1))")
    replaced(project, "`retry` of step `second`")


def test_a_changed_configuration_file_makes_a_new_run(project: Project) -> None:
    write(project)
    project.write("run.yaml", "parameters: {x: 5}\nrun_name: nightly\n")
    assert project.run(config="run.yaml").code == 1
    project.write(
        "run.yaml", "parameters: {x: 5}\nrun_name: nightly\nfailure_mode: stop_on_failure\n"
    )
    replaced(project, "`failure_mode`")


def test_a_changed_stack_makes_a_new_run_and_another_store_is_refused(project: Project) -> None:
    partita("orchestrator register mine --flavor=local")
    partita("stack register mine -o mine -a default")
    write(project)
    assert project.run(stack="mine").code == 1
    partita(f"artifact-store register big --flavor=local --path={project.folder}/big")
    partita("stack update mine -a big")
    refused = project.resume("latest").refusal
    assert "its stack `mine` has `big` now" in refused
    assert "partita stack update mine -a NAME" in refused
    partita("stack update mine -a default")
    partita("orchestrator update mine --allow_unenforced=true")
    replaced(project, "the orchestrator `mine`")


CHAIN = """
    import os
    from partita import pipeline, step

    def ran(name):
        with open("calls.txt", "a") as calls:
            calls.write(f"{name}\\n")
        if os.path.exists(f"stop {name}"):
            os._exit(9)

    @step
    def one() -> int:
        ran("one")
        return 1

    @step
    def two(x: int) -> int:
        ran("two")
        return x

    @step
    def beside() -> int:
        ran("beside")
        return 1

    @step
    def three(x: int) -> int:
        ran("three")
        return x

    @pipeline
    def chain():
        three(two(one()), after=[beside()])
"""


def test_a_completed_run_is_made_again_from_a_chosen_step(project: Project) -> None:
    project.write("main.py", CHAIN)
    assert project.run().code == 0
    run = Client().get_run("latest")
    (project.folder / "calls.txt").unlink()
    resumed = project.resume(run.id, from_step="two")
    assert resumed.code == 0, resumed
    assert (
        "note: step `two` and what depends on it run again; a new run takes the place of "
        f"`{run.name}`, and takes over every finished step"
    ) in resumed.err
    assert project.lines() == ["two", "three"]
    assert project.statuses() == {
        "one": "cached",
        "beside": "cached",
        "two": "completed",
        "three": "completed",
    }
    assert project.reasons()["two"] == "the run was resumed from step `two` on"


def test_a_run_from_a_chosen_step_that_is_killed_goes_on_with_that_step(project: Project) -> None:
    project.write("main.py", CHAIN)
    assert project.run().code == 0
    run = Client().get_run("latest")
    (project.folder / "calls.txt").unlink()
    (project.folder / "stop three").touch()
    assert project.resume(run.id, from_step="two").code == 9
    (project.folder / "stop three").unlink()
    assert Client().get_run("latest").status == "interrupted"
    assert project.resume("latest").code == 0
    assert project.lines() == ["two", "three", "three"]
    assert project.statuses()["three"] == "completed"


def test_a_step_to_resume_from_that_is_not_there_is_named(project: Project) -> None:
    project.write("main.py", CHAIN)
    assert project.run().code == 0
    refused = project.resume("latest", from_step="to").refusal
    assert "no step `to` (did you mean `two`?) to resume from" in refused
    assert len(Client().list_runs()) == 1


def test_the_command_resumes_a_completed_run_only_if_something_is_to_be_done(
    project: Project, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTITA_HOME", str(project.home))
    project.write("main.py", CHAIN)
    assert project.run().code == 0

    def resume(*words: str) -> subprocess.CompletedProcess[str]:
        arguments = [command, "runs", "resume", "latest", *words]
        return subprocess.run(arguments, capture_output=True, text=True)

    refused = resume()
    assert refused.returncode == 1
    assert "its pipeline is what it was; there is nothing to resume" in refused.stderr
    assert "`--from STEP` or `--param K=V` makes a new run" in refused.stderr
    done = resume("--from", "three")
    assert done.returncode == 0, done
    assert project.statuses()["three"] == "completed"


def test_a_completed_run_whose_code_is_edited_has_another_one_take_its_place(
    project: Project, command: str
) -> None:
    path = project.write("main.py", CHAIN)
    assert project.run().code == 0
    earlier = Client().get_run("latest")
    path.write_text(
        path.read_text().replace('ran("three")\n    return x', 'ran("three")\n    return x + 1')
    )
    resumed = project.resume("latest")
    assert resumed.code == 0, resumed
    assert [name for name, step in project.statuses().items() if step == "completed"] == ["three"]
    shown = subprocess.run(
        [command, "runs", "describe", "latest", "--output", "json"], capture_output=True, check=True
    )
    assert json.loads(shown.stdout)["resumed_from"] == earlier.id


REACHED = """
    from partita import pipeline, step

    def ran(call: str) -> None:
        with open("calls.txt", "a") as calls:
            calls.write(f"{call}\\n")

    @step(enable_cache=False)
    def before() -> int:
        ran("before")
        return 2

    @step(enable_cache=False)
    def beside() -> int:
        ran("beside")
        return 1

    @step(enable_cache=False)
    def times(number: int, factor: int) -> int:
        ran(f"times {factor}")
        return number * factor

    @step(enable_cache=False)
    def judge(number: int) -> int:
        ran(f"judge {number}")
        if number < 10:
            raise ValueError("too small")
        return number

    @pipeline
    def reached(factor: int = 3):
        judge(times(before(), factor), after=[beside()])
"""


def test_another_value_of_a_parameter_makes_a_new_run_of_the_steps_that_it_reaches(
    project: Project, command: str
) -> None:
    project.write("main.py", REACHED)
    assert project.run().code == 1
    (earlier,) = Client().list_runs()
    assert sorted(project.lines()) == ["before", "beside", "judge 6", "times 3"]
    (project.folder / "calls.txt").unlink()
    partita(f"runs resume {earlier.name} --param factor=5")
    assert project.lines() == ["times 5", "judge 10"]
    assert project.statuses() == {
        "before": "cached",
        "beside": "cached",
        "times": "completed",
        "judge": "completed",
    }
    words = [command, "runs", "describe", "latest", "--output", "json"]
    later = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert later["resumed_from"] == earlier.id != later["id"]
    assert Client().get_run(earlier.id).status == "failed"
    assert len(Client().list_runs()) == 2


def test_of_two_resumes_of_an_edited_run_one_makes_a_new_run(project: Project) -> None:
    write_waiting(project, "ready(); signal.pause()")
    engine = run_until_ready(project)
    engine.kill()
    finish(engine)
    (earlier,) = Client().list_runs()
    path = project.folder / "main.py"
    path.write_text(path.read_text().replace('note("after")', 'note("edited")'))
    going = resume_until_ready(project)
    try:
        refused = project.resume(earlier.id).refusal
        assert f"run `{earlier.name}` was resumed" in refused, refused
        assert "which takes its place, goes on" in refused
    finally:
        assert interrupt(going).code == 130
    assert len(Client().list_runs()) == 2
