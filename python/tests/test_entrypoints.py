"""A step entrypoint runs exactly one step, with the deployment and the artifact store alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import Finished, Project
from partita import Client, PartitaError
from partita.entrypoints import StepEntrypointConfiguration

PIPELINE = """
    import os
    from partita import get_step_context, log_metadata, pipeline, step

    class Thing:
        def __init__(self, number):
            self.number = number

    def told(*error):
        with open(os.environ["PARTITA_TEST_CALLS"], "a") as file:
            print("hook", *map(repr, error), file=file)

    @step
    def first() -> int:
        if os.environ.get("PARTITA_TEST_STOPS"):
            os._exit(9)
        return 20

    @step(on_success=told, on_failure=told)
    def second(number: int, thing: Thing, more: int = 1) -> Thing:
        context = get_step_context()
        print("ran", context.step_name, context.attempt, "as", __name__)
        log_metadata({"seen": number})
        if os.environ.get("PARTITA_TEST_FAILS"):
            raise ValueError("not now")
        return Thing(number + thing.number + more)

    @pipeline
    def both():
        second(first(), Thing(1))

    if __name__ == "__main__":
        both()
"""


class Entry:
    """A run that stopped before its second step, and what the entrypoint of that is given."""

    def __init__(self, project: Project, text: str = PIPELINE, main: str = "main.py") -> None:
        self.project = project
        self.calls = project.folder / "calls.txt"
        project.write(main, text)
        stopped = project.python(main, env={"PARTITA_TEST_STOPS": "1", **self.environment})
        assert stopped.code == 9, stopped
        self.run = Client().get_run("latest")
        header = json.loads((project.store / "runs" / self.run.id / "run.json").read_text())
        self.given: dict[str, Any] = {
            "artifact_store": f"file://{project.store.resolve()}",
            "deployment_id": header["deployment_id"],
            "run_id": self.run.id,
        }

    @property
    def environment(self) -> dict[str, str]:
        return {"PARTITA_TEST_CALLS": str(self.calls)}

    def arguments(self, step_name: str, **other: Any) -> list[str]:
        given = {**self.given, "step_name": step_name, **other}
        return StepEntrypointConfiguration.get_entrypoint_arguments(**given)

    def start(self, arguments: list[str], **more: str) -> Finished:
        environment = {**self.environment, **more}
        command = ["-m", "partita.entrypoints.entrypoint", *arguments]
        return self.project.python(*command, env=environment)

    def do(self, step_name: str, *, attempt: object = "auto", **more: str) -> Finished:
        return self.start(self.arguments(step_name, attempt=attempt), **more)

    def steps(self, command: str) -> dict[str, Any]:
        subprocess.run([command, "store", "rebuild"], check=True, capture_output=True)
        return dict(Client().get_run(self.run.id).steps)


@pytest.fixture
def entry(project: Project) -> Entry:
    return Entry(project)


def test_an_entrypoint_runs_its_step_to_the_commit_without_the_database(
    entry: Entry, command: str
) -> None:
    for file in entry.project.home.glob("metadata.db*"):
        file.unlink()
    assert entry.do("first").code == 0
    done = entry.do("second")
    assert (done.code, done.out) == (0, "ran second 1 as main\n"), done
    assert not list(entry.project.home.glob("metadata.db*"))
    assert entry.calls.read_text() == "hook\n"

    second = entry.steps(command)["second"]
    assert second.status == "completed"
    assert second.metadata == {"seen": 20}
    assert second.log.startswith("ran second 1 as main\n")
    assert second.outputs["output"].type == "main.Thing"


def test_a_step_that_is_committed_is_not_run_again(entry: Entry) -> None:
    assert entry.do("first").code == 0
    again = entry.do("first", PARTITA_TEST_STOPS="1")
    assert (again.code, again.err) == (0, "step `first` is committed already\n")


def test_a_result_of_the_cache_is_taken_where_no_engine_has_looked(
    project: Project, command: str
) -> None:
    entry = Entry(project)
    assert project.python("main.py", env=entry.environment).code == 0
    taken = entry.do("first", PARTITA_TEST_STOPS="1")
    assert (taken.code, taken.err) == (0, "step `first` is cached\n"), taken
    assert entry.steps(command)["first"].status == "cached"


def test_a_process_says_to_its_launcher_that_it_has_nothing_left_to_do_if_all_went_well(
    entry: Entry,
) -> None:
    heard, told = os.pipe()
    os.set_blocking(heard, False)
    token = "0123456789abcdef" * 2
    terms = json.dumps({"done": [f"/proc/{os.getpid()}/fd/{told}", token]})
    try:
        assert entry.do("first", attempt=1, PARTITA_ATTEMPT=terms).code == 0
        assert os.read(heard, 1000).decode() == token
        failed = entry.do("second", attempt=1, PARTITA_ATTEMPT=terms, PARTITA_TEST_FAILS="1")
        assert failed.code == 1
        with pytest.raises(BlockingIOError):
            os.read(heard, 1000)
    finally:
        os.close(heard)
        os.close(told)


def test_a_launcher_that_is_gone_is_told_nothing(entry: Entry) -> None:
    terms = json.dumps({"done": ["/proc/self/fd/1000", "0" * 32]})
    assert entry.do("first", attempt=1, PARTITA_ATTEMPT=terms).code == 0


def test_a_failure_is_recorded_and_the_next_attempt_has_the_next_number(
    entry: Entry, command: str
) -> None:
    assert entry.do("first").code == 0
    failed = entry.do("second", PARTITA_TEST_FAILS="1")
    assert failed.code == 1
    assert 'raise ValueError("not now")' in failed.err
    assert failed.err.endswith("error: step `second` failed: ValueError: not now\n")
    assert "/src/partita/" not in failed.err
    assert entry.calls.read_text() == "hook ValueError('not now')\n"
    assert entry.do("second").out == "ran second 2 as main\n"
    attempts = entry.steps(command)["second"].attempts
    assert [(one["number"], one["status"]) for one in attempts] == [(1, "failed"), (2, "completed")]


def test_an_attempt_that_has_ended_is_not_made_twice(entry: Entry) -> None:
    assert entry.do("first").code == 0
    assert entry.do("second", attempt=1, PARTITA_TEST_FAILS="1").code == 1
    refused = entry.do("second", attempt=1)
    assert "attempt 1 at step `second` has ended already" in refused.refusal


def test_an_entrypoint_runs_in_any_folder_from_a_copy_of_the_code_and_the_store(
    entry: Entry, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere é"
    shutil.copytree(entry.project.folder, elsewhere / "code")
    shutil.copytree(entry.project.home / "store", elsewhere / "store")
    shutil.rmtree(entry.project.folder)
    place = Project(elsewhere / "code", elsewhere)
    given = [*entry.arguments("first")]
    given[given.index("--artifact_store") + 1] = f"file://{elsewhere}/store"
    os.chmod(place.folder, 0o555)
    done = place.python("-m", "partita.entrypoints.entrypoint", *given, env=entry.environment)
    assert done.code == 0, done


def test_a_step_does_not_begin_before_what_it_depends_on(entry: Entry, command: str) -> None:
    early = entry.do("second")
    assert early.code == 1
    assert "step `second` depends on `first`, which is not committed; start it once" in early.err
    assert not entry.steps(command)["second"].attempts


def test_code_that_cannot_be_imported_is_the_failure_of_the_attempt(
    entry: Entry, command: str
) -> None:
    entry.project.write("main.py", "raise ImportWarning('broken')")
    failed = entry.do("first")
    assert failed.code == 1
    assert failed.err.endswith("error: step `first` failed: ImportWarning: broken\n")
    assert entry.steps(command)["first"].attempts[-1]["error"].endswith("broken")
    entry.project.write("main.py", "")
    assert "`main` has no `first` here" in entry.do("first").err


def test_values_that_the_script_pickled_load_where_the_script_is_a_module(project: Project) -> None:
    text = PIPELINE.replace("import os", "import sys; sys.modules['cloudpickle'] = None; import os")
    entry = Entry(project, text)
    assert entry.do("first").code == 0
    done = entry.do("second")
    assert done.code == 0, done


def test_a_script_whose_name_no_import_could_say_is_loaded_by_its_file(project: Project) -> None:
    entry = Entry(project, main="my pipeline-2.py")
    assert entry.do("first").code == 0
    assert entry.do("second").out == "ran second 1 as my pipeline-2\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--sep_name", "x"], ["`--sep_name` is no option of it; did you mean `--step_name`?"]),
        (["more"], ["`more` is no option of it"]),
        (["--attempt", "1"], ["`--attempt` is given twice"]),
        (["--run_id"], ["`--run_id` has no value"]),
        (["-x", "--nothing=1"], ["`-x` is no option", "`--nothing` is no option"]),
    ],
)
def test_options_that_it_does_not_take_are_named(
    project: Project, change: list[str], words: list[str]
) -> None:
    given = dict.fromkeys(("artifact_store", "deployment_id", "run_id", "step_name"), "x")
    arguments = StepEntrypointConfiguration.get_entrypoint_arguments(**given)
    refused = project.python("-m", "partita.entrypoints.entrypoint", *arguments, *change)
    assert refused.code == 2, refused
    (line,) = refused.err.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def test_options_that_are_missing_are_all_named(project: Project) -> None:
    source = "--entrypoint_config_source=partita.entrypoints.StepEntrypointConfiguration"
    refused = project.python("-m", "partita.entrypoints.entrypoint", source, "--run_id=1")
    assert refused.code == 2, refused
    for name in ("artifact_store", "attempt", "deployment_id", "step_name"):
        assert f"`--{name}` is missing" in refused.err
    assert "`--run_id` is missing" not in refused.err
    assert (
        "entrypoint_config_source` is missing"
        in project.python("-m", "partita.entrypoints.entrypoint").err
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"artifact_store": "s3://bucket"}, ["`s3://bucket`", "file:///"]),
        ({"artifact_store": "file:///nowhere/else"}, ["deployments/", "/nowhere/else"]),
        ({"deployment_id": "0" * 32}, ["deployments/" + "0" * 32]),
        ({"run_id": "../.."}, ["is not in the artifact store"]),
        ({"step_name": "third"}, ["no step `third`", "`first`", "`second`"]),
        ({"attempt": "zero"}, ["`--attempt` is a number from 1, or `auto`", "`zero`"]),
    ],
)
def test_what_is_not_there_is_named(entry: Entry, given: dict[str, str], words: list[str]) -> None:
    arguments = entry.arguments("first")
    for name, value in given.items():
        arguments[arguments.index(f"--{name}") + 1] = value
    refused = entry.start(arguments)
    assert refused.code == (2 if "attempt" in given else 1), refused
    (line,) = refused.err.splitlines()
    for word in words:
        assert word in line, line


CUSTOM = """
    from partita.entrypoints import StepEntrypointConfiguration

    class Queued(StepEntrypointConfiguration):
        @classmethod
        def get_entrypoint_options(cls):
            options = dict.fromkeys(super().get_entrypoint_options(), True)
            return {**options, "queue": True, "colour": False}

        @classmethod
        def get_entrypoint_arguments(cls, **kwargs):
            return super().get_entrypoint_arguments(**kwargs) + ["--queue", kwargs["queue"]]

        def post_run(self, pipeline_name, step_name):
            print(pipeline_name, step_name, self.entrypoint_args["queue"])
"""


def test_a_step_may_be_named_like_an_option(project: Project) -> None:
    text = PIPELINE.replace("(first()", "(first(id='--step_name')")
    entry = Entry(project, text)
    assert entry.do("--step_name").code == 0


def test_a_configuration_of_ones_own_adds_options_and_what_follows_the_step(entry: Entry) -> None:
    entry.project.write("queued.py", CUSTOM)
    arguments = entry.arguments("first")
    arguments[1] = "queued.Queued"
    missing = entry.start(arguments)
    assert missing.code == 2
    assert "`--queue` is missing. This entrypoint takes `--" in missing.err
    done = entry.start([*arguments, "--queue", "--long --one"])
    assert (done.code, done.out) == (0, "both first --long --one\n"), done


def test_arguments_that_are_not_given_are_named() -> None:
    with pytest.raises(PartitaError, match="needs `deployment_id`, `step_name`"):
        StepEntrypointConfiguration.get_entrypoint_arguments(artifact_store="x", run_id="y")
