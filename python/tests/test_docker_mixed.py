"""Some steps of a run in containers, the others in processes or in the author's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Project, finish
from docker_engine import Engine
from partita import Client
from process_stack import partita
from waiting_run import resume_until_ready, run_until_ready

#: Each step tells where it runs; the heavy one in a container, which has no process of the author's.
MIXED = """
    import os
    from partita import ResourceSettings, pipeline, step

    def where() -> list[object]:
        return [os.getcwd(), os.getppid()]

    @step
    def load() -> list[object]:
        return where()

    @step(orchestrator="boxed", settings={"resources": ResourceSettings(memory="256MiB")})
    def heavy(loaded: list[object]) -> list[object]:
        return where() + [loaded]

    @step
    def report(heavy: list[object]) -> list[object]:
        return where() + [heavy]

    @pipeline
    def line():
        report(heavy(load()))
"""


def use(engine: Engine, command: str, default: str, **config: object) -> None:
    """Makes a stack active whose default is of flavor `default`, and which has `boxed` besides."""
    engine.use(command, **config)
    partita(command, "orchestrator", "register", "usual", f"--flavor={default}")
    words = ("-o", "usual", "-o", "boxed", "-a", "default", "--set")
    partita(command, "stack", "register", "mixed", *words)


@pytest.mark.parametrize("default", ["process", "local"])
def test_a_heavy_step_runs_in_its_image_and_the_rest_where_they_always_do(
    project: Project, command: str, engine: Engine, default: str
) -> None:
    use(engine, command, default, remove="never")
    project.write("main.py", MIXED)
    done = project.run()
    assert done.code == 0, done
    run = Client().get_run("latest")
    report, _, heavy = run.steps["report"].output.load()
    boxed, _, load = heavy
    assert (report, load[0]) == (str(project.folder), str(project.folder))
    assert boxed.startswith("/tmp/partita-code-")
    (container,) = engine.containers()
    assert engine.inspected(container)["Config"]["Labels"]["partita.step"] == "heavy"
    engine.docker("rm", container)

    # What is cached takes no container, and an edit runs in one place only.
    assert project.run().code == 0
    assert set(project.statuses().values()) == {"cached"}
    assert engine.containers() == []
    project.write("main.py", MIXED.replace("where() + [loaded]", "where() + [loaded, 1][:1]"))
    assert project.run().code == 0
    statuses = project.statuses()
    assert (statuses["load"], statuses["heavy"]) == ("cached", "completed")
    engine.docker("rm", *engine.containers())


def test_a_step_that_fails_in_its_container_is_resumed_there(
    project: Project, command: str, engine: Engine, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    use(engine, command, "process", volumes=[f"{shared}:/shared"])
    project.write(
        "main.py",
        """
        import os
        from partita import pipeline, step

        @step(enable_cache=False)
        def load() -> int:
            with open("calls.txt", "a") as calls:
                print("load", file=calls)
            return 1

        @step(orchestrator="boxed", enable_cache=False)
        def heavy(loaded: int) -> int:
            assert os.path.exists("/shared/ready"), "the disk is not there yet"
            return loaded + 1

        @step(enable_cache=False)
        def report(heavy: int) -> int:
            return heavy + 1

        @pipeline
        def line():
            report(heavy(load()))
        """,
    )
    assert project.run().code == 1
    run = Client().get_run("latest")
    (attempt,) = run.steps["heavy"].attempts
    assert "the disk is not there yet" in (attempt["error"] or "")
    assert project.statuses() == {"load": "completed", "heavy": "failed", "report": "skipped"}
    (shared / "ready").touch()
    resumed = project.resume(run.id)
    assert resumed.code == 0, resumed
    assert set(project.statuses(run.id).values()) == {"completed"}
    assert Client().get_run(run.id).steps["report"].output.load() == 3
    assert project.lines() == ["load"]


#: Waits in a container and, beside that, in a process, until the test lets both go on.
BOTH = """
    import os, time
    from partita import pipeline, step

    def wait(folder: str) -> None:
        with open(folder + "/calls", "a") as calls:
            calls.write("called ")
        print("ready", flush=True)
        while not os.path.exists(folder + "/go"):
            time.sleep(0.02)

    @step(orchestrator="boxed", enable_cache=False)
    def heavy() -> int:
        wait("/shared")
        return 1

    @step(enable_cache=False)
    def light(heavy: int) -> int:
        return heavy + 1

    @pipeline
    def line():
        light(heavy())
"""


def test_a_container_of_a_mixed_run_is_found_again_after_its_engine_was_killed(
    project: Project, command: str, engine: Engine, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    use(engine, command, "process", volumes=[f"{shared}:/shared"])
    project.write("main.py", BOTH)
    run = run_until_ready(project, "heavy | ready")
    run.kill()
    run.communicate()
    resumed = resume_until_ready(project, "heavy | ready")
    (shared / "go").touch()
    finished = finish(resumed)
    assert finished.code == 0, finished
    assert (shared / "calls").read_text() == "called "
    assert set(project.statuses().values()) == {"completed"}


def test_the_engine_need_not_be_there_for_steps_that_run_elsewhere(
    project: Project, command: str
) -> None:
    words = ("--flavor=docker", "--parent_image=python", "--host=unix:///nowhere/docker.sock")
    partita(command, "orchestrator", "register", "boxed", *words)
    partita(command, "orchestrator", "register", "usual", "--flavor=process")
    stack = ("-o", "usual", "-o", "boxed", "-a", "default", "--set")
    partita(command, "stack", "register", "mixed", *stack)
    project.write("main.py", MIXED.replace('orchestrator="boxed", ', ""))
    assert project.run().code == 0
    project.write("main.py", MIXED)
    assert project.run().code == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ('orchestrator="bxoed"', "orchestrator `bxoed`, which stack `mixed` does not have"),
        (
            'orchestrator="boxed", settings={"resources": ResourceSettings(gpu_count=4096)}',
            "4096 GPUs, which orchestrator `boxed` (flavor `docker`)",
        ),
        (
            'settings={"docker": DockerSettings(parent_image="python", skip_build=True)}',
            "the image `python`, which orchestrator `usual` (flavor `process`) does not use",
        ),
    ],
)
def test_what_the_other_place_cannot_do_is_refused_when_compiled(
    project: Project, command: str, options: str, message: str
) -> None:
    words = ("--flavor=docker", "--parent_image=python")
    partita(command, "orchestrator", "register", "boxed", *words)
    partita(command, "orchestrator", "register", "usual", "--flavor=process")
    stack = ("-o", "usual", "-o", "boxed", "-a", "default", "--set")
    partita(command, "stack", "register", "mixed", *stack)
    project.write(
        "main.py",
        f"""
        from partita import DockerSettings, ResourceSettings, pipeline, step

        @step({options})
        def heavy() -> int:
            return 1

        @pipeline
        def line():
            heavy()
        """,
    )
    assert message in project.verb("compile", target="main.py").refusal
