"""Orchestrators that start the entrypoints of steps by themselves, and wait for them."""

from __future__ import annotations

import json
import os
import textwrap
import time
from pathlib import Path

import pytest

from conftest import PATIENCE, Project, finish, interrupt
from custom_flavors import DIRECT, LAUNCHER, PIPELINE, SOURCE, told, use_flavor, write_flavor
from partita import Client
from partita.plugins.opened import MOST_KEPT
from process_stack import partita
from secret_steps import check_untold, store

STARTS = """
    import os
    import subprocess
    import sys
    from partita.entrypoints.step_entrypoint_configuration import StepEntrypointConfiguration
    from partita.orchestrators.base_orchestrator import BaseOrchestrator

    class MyOrchestrator(BaseOrchestrator):
        def prepare_or_run_pipeline(self, deployment, stack, environment):
            made = {}
            for name in deployment.steps:
                arguments = StepEntrypointConfiguration.get_entrypoint_arguments(
                    step_name=name, deployment_id=deployment.id
                )
                command = StepEntrypointConfiguration.get_entrypoint_command()
                made[name] = [sys.executable, *command[1:], *arguments]
                started = subprocess.run(made[name], env={**os.environ, **environment})
                if started.returncode:
                    raise RuntimeError(f"{name} ended with {started.returncode}")
            return made
"""

#: What the flavor says of delegating; one that says nothing has it read from its code.
SAYS = {"denies": ", delegates=False", "delegates": ", delegates=True", "unsaid": ""}

WAYS = pytest.mark.parametrize("way", ["denies", "delegates"])


def use(project: Project, command: str, way: str, implementation: str = STARTS) -> None:
    """Makes a stack the active one whose flavor says, or does not, that it delegates."""
    write_flavor(project, implementation)
    flavor = project.folder / "flavors/my_flavor.py"
    said = flavor.read_text().replace("max_parallelism=4", f"max_parallelism=4{SAYS[way]}")
    flavor.write_text(said)
    use_flavor(project, command, None)


def add(project: Project, text: str) -> None:
    main = project.folder / "main.py"
    main.write_text(main.read_text() + textwrap.dedent(text))


@WAYS
def test_a_pipeline_with_a_map_runs_and_is_cached(project: Project, command: str, way: str) -> None:
    use(project, command, way)
    done = project.run()
    assert done.code == 0, done
    run = Client().get_run("latest")
    assert run.steps["add"].outputs["output"].load() == 12
    assert project.statuses() == {"make": "completed", "double": "completed", "add": "completed"}
    assert len(run.steps["double"].items or []) == 4
    assert [len(step.attempts) for step in run.steps.values()] == [1, 0, 1]
    assert "adding" in run.steps["add"].log
    kept = project.store / "runs" / run.id / "orchestrators/own.representation"
    assert list(json.loads(kept.read_text())) == ["make", "double", "add"]
    assert project.run().code == 0
    assert set(project.statuses().values()) == {"cached"}


FAILING = """
    def hook(*error):
        with Path("hooks.txt").open("a") as hooks:
            print("hook", *map(repr, error), file=hooks)

    @step(retry=StepRetryConfig(max_retries=2, delay=WAIT), on_failure=hook)
    def fails(values: list[int]) -> int:
        attempt = get_step_context().attempt
        with Path("tries.txt").open("a") as tries:
            print("try", attempt, file=tries)
        if attempt < LAST:
            raise ValueError("odd")
        return attempt

    @step
    def after(value: int):
        pass

    @pipeline(on_success=hook, on_failure=hook)
    def failing():
        after(fails(make(2)))
"""


@WAYS
def test_a_failed_step_is_retried_in_its_entrypoint(
    project: Project, command: str, way: str
) -> None:
    use(project, command, way)
    add(project, FAILING.replace("LAST", "3").replace("WAIT", "0.01"))
    done = project.run("main.py:failing")
    assert done.code == 0, done
    assert project.lines("tries.txt") == ["try 1", "try 2", "try 3"]
    assert project.lines("hooks.txt") == ["hook"]
    attempts = Client().get_run("latest").steps["fails"].attempts
    assert [attempt["status"] for attempt in attempts] == ["failed", "failed", "completed"]


@WAYS
def test_a_step_that_failed_for_good_fails_the_run_and_is_run_again_by_a_resumption(
    project: Project, command: str, way: str
) -> None:
    use(project, command, way)
    # An engine that retried what nobody asks for would wait for an hour.
    add(project, FAILING.replace("LAST", "6").replace("delay=WAIT", "delay=0.01, backoff=1"))
    done = project.run("main.py:failing")
    assert done.code == 1 and "ValueError: odd" in done.err, done
    assert project.lines("tries.txt") == ["try 1", "try 2", "try 3"]
    assert len(project.lines("hooks.txt")) == 2  # The step's, once, and the pipeline's.
    assert project.statuses() == {"make": "completed", "fails": "failed", "after": "skipped"}
    assert "after: skipped: its upstream step `fails` failed" in done.err, done
    resumed = project.resume(Client().get_run("latest").id, "main.py:failing")
    assert resumed.code == 0, resumed
    counted = "2 completed" if way == "delegates" else "1 completed, 1 cached"
    assert f"({counted}, 1 finished before)" in resumed.err, resumed
    assert "make: completed" not in resumed.err, resumed
    assert project.lines("tries.txt")[3:] == ["try 4", "try 5", "try 6"]
    assert set(project.statuses().values()) == {"completed"}


def test_no_retry_is_waited_for_that_nobody_can_make(project: Project, command: str) -> None:
    use(
        project,
        command,
        "denies",
        STARTS.replace("for name in", "return 1\n            for name in"),
    )
    add(project, FAILING.replace("LAST", "9").replace("WAIT", "3600"))
    done = project.run("main.py:failing")
    assert done.code == 1 and "is done, and did not run the step" in done.err, done


ASKING = """
    @step(timeout="10m", limits={"licence": 1})
    def asks() -> int:
        return 1

    @pipeline(failure_mode="continue_on_failure")
    def asking():
        asks()
"""


@pytest.mark.parametrize("way", ["delegates", "unsaid"])
def test_what_nobody_would_keep_to_is_refused_before_the_run(
    project: Project, command: str, way: str
) -> None:
    use(project, command, way)
    add(project, ASKING)
    refused = project.run("main.py:asking").err
    assert "step `asks` asks for limits, which nobody keeps to" in refused
    assert "pipeline `asking` asks for `continue_on_failure`" in refused
    assert not Client().list_runs()


@pytest.mark.parametrize(
    ("implementation", "delegates"),
    [
        (STARTS, "yes"),
        (STARTS + "            self.run_step(None)  # Some of them here.\n", "no"),
        (STARTS.replace("prepare_or_run_pipeline", "runs"), "no"),
        (STARTS + "\n        def launch(self, *told): ...\n", "no"),
        (DIRECT, "no"),
    ],
)
def test_whether_a_flavor_delegates_is_read_from_its_code_when_it_is_registered(
    project: Project, command: str, implementation: str, delegates: str
) -> None:
    write_flavor(project, "import not_there\n" + textwrap.dedent(implementation))
    partita(command, "orchestrator", "flavor", "register", SOURCE)
    described = partita(command, "orchestrator", "flavor", "describe", "mine", "--output", "json")
    assert json.loads(described)["plugin"]["capabilities"].get("delegates", "no") == delegates


ENDING = """
    import signal
    import time

    @step(retry=StepRetryConfig(max_retries=1), timeout="TIMEOUT")
    def ends() -> int:
        attempt = get_step_context().attempt
        if attempt == 1:
            HOW
        return attempt

    @pipeline
    def ending():
        ends()
"""


@pytest.mark.parametrize("way", ["delegates", "unsaid"])
@pytest.mark.parametrize(
    ("how", "timeout", "code", "told"),
    [
        ("os._exit(7)", "1h", 7, "its process ended with exit code 7, and left no record"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "1h", 137, "its process was ended by SIGKILL"),
        (f"time.sleep({PATIENCE})", "0.3s", 143, "timed out after 0.3s"),
    ],
    ids=["exits", "is killed", "takes too long"],
)
def test_an_attempt_whose_process_ends_is_recorded_and_made_again(
    project: Project, command: str, how: str, timeout: str, code: int, told: str, way: str
) -> None:
    use(project, command, way)
    add(project, ENDING.replace("HOW", how).replace("TIMEOUT", timeout))
    done = project.run("main.py:ending")
    assert done.code == 0, done
    step = Client().get_run("latest").steps["ends"]
    first, second = step.attempts
    assert (first["status"], first["exit_code"], second["status"]) == ("failed", code, "completed")
    assert told in first["error"]
    assert step.output.load() == 2


@pytest.mark.parametrize(
    ("asked", "told"),
    [('timeout="10m", ', "a timeout of 10m"), ('limits={"licence": 1}', "the limit `licence`")],
)
def test_what_a_flavor_denies_is_refused_by_the_entrypoint_and_the_step_says_what_to_do(
    project: Project, command: str, asked: str, told: str
) -> None:
    use(project, command, "denies", STARTS.replace("if started.returncode", "if False"))
    others = 'timeout="10m", limits={"licence": 1}'
    add(project, ASKING.replace(others, asked))
    done = project.run("main.py:asking")
    assert done.code == 1, done
    assert f"step `asks` asks for {told}, which is the engine's to keep" in done.err
    assert project.statuses() == {"asks": "failed"}
    (attempt,) = Client().get_run("latest").steps["asks"].attempts
    assert "`Supply(delegates=True)`" in attempt["error"]


def test_a_delegated_run_runs_no_step_in_the_orchestrator(project: Project, command: str) -> None:
    direct = """
        for step in deployment.steps.values():
            self.run_step(step)
    """
    head, _, _ = STARTS.partition("            made = {}")
    use(project, command, "delegates", head + textwrap.indent(direct, "    "))
    done = project.run()
    assert done.code == 1 and "no engine drives this run" in done.err, done
    assert Client().get_run("latest").status == "failed"


WRONG = [
    (STARTS.replace("if started.returncode", "if False"), {}, "odd"),
    (STARTS.replace("for name in deployment.steps", "for name in ['make']"), {}, "is done, and the step is not"),
    (STARTS.replace("for name in deployment.steps", "for name in [*deployment.steps][::-1]"), {}, "depends on"),
    (STARTS.replace("made = {}", "raise KeyError('lost')"), {}, "KeyError: 'lost'"),
    (STARTS.replace("made = {}", "os._exit(7)"), {}, "ended with exit code 7"),
]  # fmt: skip


@pytest.mark.parametrize(("implementation", "_", "part"), WRONG)
def test_a_delegated_run_that_goes_wrong_has_failed(
    project: Project, command: str, implementation: str, _: object, part: str
) -> None:
    use(project, command, "delegates", implementation)
    add(project, FAILING.replace("LAST", "9").replace("WAIT", "0"))
    done = project.run("main.py:failing")
    assert done.code == 1 and part in done.err, done
    assert "bug in Partita" not in done.err
    assert Client().get_run("latest").status == "failed"
    assert "running" not in project.statuses().values()


KILLING = """
    @step
    def kills():
        os.kill(int(Path("plugin.txt").read_text()), 9)
        while True:
            os.sched_yield()

    @pipeline
    def killing():
        kills()
"""


def test_a_delegated_run_whose_plugin_dies_under_a_step_tells_of_it(
    project: Project, command: str
) -> None:
    noted = "made = {}; open('plugin.txt', 'w').write(str(os.getpid()))"
    use(project, command, "delegates", STARTS.replace("made = {}", noted))
    add(project, KILLING)
    done = project.run("main.py:killing")
    assert done.code == 1, done
    told = [line for line in done.err.splitlines() if line.startswith("kills: failed")]
    assert len(told) == 1 and "was ended by SIGKILL" in told[0], done
    assert project.statuses() == {"kills": "failed"}


WAITING = """
    @step
    def waits():
        Path("pid.txt").write_text(str(os.getpid()))
        while True:
            os.sched_yield()

    @pipeline
    def waiting():
        waits()
"""


def test_ctrl_c_cancels_a_delegated_run(project: Project, command: str) -> None:
    use(project, command, "delegates")
    add(project, WAITING)
    run = project.begin("-m", "partita", "run", json.dumps({"target": "main.py:waiting"}))
    pid, end = project.folder / "pid.txt", time.monotonic() + PATIENCE
    while not pid.exists() or not pid.read_text():
        assert time.monotonic() < end and run.poll() is None, finish(run)
        os.sched_yield()
    done = interrupt(run)
    assert done.code == 130, done
    assert Client().get_run("latest").status == "cancelled"
    assert project.statuses() == {"waits": "cancelled"}


#: What an implementation does when it is imported by a run.
IMPORTING = """
    import os
    import signal
    from pathlib import Path

    if Path("slow.txt").exists():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path("pid.txt").write_text(str(os.getpid()))
        while Path("slow.txt").exists():
            os.sched_yield()
"""


@pytest.mark.parametrize("way", ["ctrl-c", "runs cancel"])
def test_a_cancel_ends_the_opening_of_an_orchestrator(
    project: Project, command: str, way: str
) -> None:
    use(project, command, "delegates", IMPORTING + STARTS)
    project.write("slow.txt", "")
    run = project.begin("-m", "partita", "run", json.dumps({"target": "main.py"}))
    pid, end = project.folder / "pid.txt", time.monotonic() + PATIENCE
    while not pid.exists() or not pid.read_text():
        assert time.monotonic() < end and run.poll() is None, finish(run)
        os.sched_yield()
    if way == "ctrl-c":
        done = interrupt(run)
    else:
        partita(command, "runs", "cancel", "latest")
        done = finish(run)
    assert done.code == 130, done
    assert not Path(f"/proc/{pid.read_text()}").exists()
    assert not (project.folder / "calls.txt").exists()
    assert Client().get_run("latest").status == "cancelled"
    (project.folder / "slow.txt").unlink()
    resumed = project.resume(Client().get_run("latest").id)
    assert resumed.code == 0, resumed


TAKING = """
    @step
    def takes(token: str) -> int:
        print("token is", token)
        return len(token)

    @pipeline
    def taking():
        takes("{{hub.token}}")
"""


@WAYS
def test_secrets_reach_entrypoints_by_the_environment(
    project: Project, command: str, way: str
) -> None:
    store(command, "s3cr3t-of-a-step")
    use(project, command, way)
    add(project, TAKING)
    done = project.run("main.py:taking")
    assert done.code == 0, done
    assert Client().get_run("latest").steps["takes"].output.load() == len("s3cr3t-of-a-step")
    check_untold(project, "s3cr3t-of-a-step", done.out, done.err)


def test_a_step_that_is_not_handed_its_secret_says_so(project: Project, command: str) -> None:
    store(command, "s3cr3t-of-a-step")
    use(project, command, "unsaid", STARTS.replace("**environment", ""))
    add(project, TAKING)
    done = project.run("main.py:taking")
    assert done.code == 1 and "the secret `{{hub.token}}` was not handed" in done.err, done


WHICH_RUN = """
    @step(enable_cache=False)
    def which(number: int = 0) -> str:
        return get_step_context().run_id

    @pipeline
    def whichever():
        which(1, after=[which()])
"""


@WAYS
def test_the_id_of_a_run_is_the_same_for_all_its_steps_and_another_for_each_run(
    project: Project, command: str, way: str
) -> None:
    tells = "print('run', self.get_orchestrator_run_id()); made = {}"
    use(project, command, way, STARTS.replace("made = {}", tells))
    add(project, WHICH_RUN)
    seen: list[str] = []
    for _ in range(2):
        done = project.run("main.py:whichever")
        assert done.code == 0, done
        run = Client().get_run("latest")
        assert {step.output.load() for step in run.steps.values()} == {run.id}
        assert f"own | run {run.id}" in done.err
        seen.append(run.id)
    assert seen[0] != seen[1]


IMAGES = """
    from partita import DockerSettings
    image = DockerSettings(parent_image="train:7", skip_build=True)

    @step
    def plain() -> int:
        return 1

    @pipeline(settings={"docker": image})
    def imaged():
        plain()
"""


def test_an_image_is_asked_for_by_whoever_runs_the_step_in_it(
    project: Project, command: str
) -> None:
    asks = "print('image', self.get_image(deployment, name)); arguments ="
    use(project, command, "unsaid", STARTS.replace("arguments =", asks, 1))
    add(project, IMAGES)
    done = project.run("main.py:imaged")
    assert done.code == 0, done
    assert "own | image train:7" in done.err
    compiled = json.loads(partita(command, "compile", "main.py:imaged"))
    wanted = {"parent_image": "train:7", "skip_build": True}
    assert compiled["steps"][0]["config"]["docker"] == wanted
    done = project.run("main.py:line")
    assert done.code == 1 and "step `make` asks for no image, and `own` runs" in done.err, done


@WAYS
def test_an_image_that_nobody_asks_for_is_not_passed_over(
    project: Project, command: str, way: str
) -> None:
    names = "(deployment if True else self.get_image).steps"
    use(project, command, way, STARTS.replace("deployment.steps", names))
    add(project, IMAGES)
    done = project.run("main.py:imaged")
    assert "step `plain` asks for the image `train:7`, and `MyOrchestrator` never" in done.err, done
    status = Client().get_run("latest").status
    assert (done.code, status) == ((0, "completed") if way == "denies" else (1, "failed"))


@pytest.mark.parametrize("verb", ["run", "plan", "compile"])
@pytest.mark.parametrize("implementation", [STARTS, DIRECT, LAUNCHER])
def test_an_image_that_the_orchestrator_names_nowhere_is_refused_when_compiled(
    project: Project, command: str, implementation: str, verb: str
) -> None:
    use(project, command, "unsaid", implementation)
    add(project, IMAGES)
    refused = told(command, verb, "main.py:imaged").refusal
    assert "step `plain` asks for the image `train:7`, which orchestrator `own`" in refused
    assert "`Supply(images=True)`" in refused
    assert not Client().list_runs()


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ('parent_image="train:7"', "asks for an image on top of `train:7`, which orchestrator"),
        ("skip_build=True", "asks for an image that is there, which has no name"),
        ('requirements=["numpy"]', "asks for `requirements` of an image, which orchestrator"),
        ('parent_image="train:7", skip_build=True', "orchestrator `default` (flavor `local`) does"),
    ],
)
def test_an_image_that_cannot_be_had_is_refused_before_the_run(
    project: Project, image: str, why: str
) -> None:
    project.write("main.py", PIPELINE)
    add(project, IMAGES.replace('parent_image="train:7", skip_build=True', image))
    assert why in project.run("main.py:imaged").refusal
    assert not Client().list_runs()


def test_images_are_layered_like_other_settings_and_another_one_is_another_result(
    project: Project, command: str
) -> None:
    asks = "self.get_image(deployment, name); arguments ="
    use(project, command, "unsaid", STARTS.replace("arguments =", asks, 1))
    add(project, IMAGES)
    assert project.run("main.py:imaged").code == 0
    project.write("run.yaml", "settings: {docker: {parent_image: 'train:8'}}")
    planned = partita(command, "plan", "main.py:imaged", "--config", "run.yaml")
    assert "the image changed from `train:7` to `train:8`" in " ".join(planned.split())
    done = project.run("main.py:imaged", config=str(project.folder / "run.yaml"))
    assert done.code == 0, done
    assert project.statuses() == {"plain": "completed"}


def test_a_delegated_run_that_fails_with_a_secret_in_its_message_tells_nobody(
    project: Project, command: str
) -> None:
    store(command, "s3cr3t-of-a-queue")
    raises = STARTS.replace("made = {}", "raise RuntimeError(self.config.queue)")
    write_flavor(project, raises)
    flavor = project.folder / "flavors/my_flavor.py"
    said = flavor.read_text().replace("max_parallelism=4", "max_parallelism=4, delegates=True")
    flavor.write_text(said)
    use_flavor(project, command, None)
    partita(command, "orchestrator", "update", "own", "--queue={{hub.token}}")
    done = project.run()
    assert done.code == 1 and "RuntimeError" in done.err, done
    check_untold(project, "s3cr3t-of-a-queue", done.out, done.err)


@pytest.mark.parametrize("padding", [0, MOST_KEPT - 8], ids=["whole", "cut"])
def test_what_is_kept_has_no_part_of_a_secret(project: Project, command: str, padding: int) -> None:
    store(command, "s3cr3t-of-a-queue")
    returns = STARTS.replace("return made", f"return 'x' * {padding} + self.config.queue")
    use(project, command, "delegates", returns)
    partita(command, "orchestrator", "update", "own", "--queue={{hub.token}}")
    done = project.run()
    assert done.code == 0, done
    run = Client().get_run("latest").id
    kept = (project.store / "runs" / run / "orchestrators/own.representation").read_text()
    assert kept.startswith("x" * padding) and "s3c" not in kept, kept[-20:]
