"""Steps in containers, on a real engine: what they get, what they see, and what they leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import Project, finish
from docker_engine import Engine
from docker_steps import somebody
from partita import Client
from process_stack import partita
from rust_programs import NUMBERS, start

ROOT = Path(__file__).resolve().parents[2]

#: Tells what a step sees in its place.
SEES = """
    import json, os
    from partita import DockerSettings, ResourceSettings, pipeline, step

    def cgroup(name: str) -> int:
        for folder in ("/sys/fs/cgroup/memory/", "/sys/fs/cgroup/cpu/", "/sys/fs/cgroup/"):
            if os.path.exists(folder + name):
                return int(open(folder + name).read().split()[0])
        return -1

    @step(settings={settings})
    def sees() -> dict[str, object]:
        return {{
            "memory": max(cgroup("memory.limit_in_bytes"), cgroup("memory.max")),
            "cpu": max(cgroup("cpu.cfs_quota_us"), cgroup("cpu.max")),
            "user": os.getuid(),
            "variables": {{name: os.environ.get(name) for name in {variables}}},
            "mounted": os.path.exists("/data/seen"),
            "interfaces": sorted(os.listdir("/sys/class/net")),
        }}

    @pipeline
    def line():
        sees()

    if __name__ == "__main__":
        line()
"""


def write(project: Project, settings: str, variables: tuple[str, ...] = ("HOME",)) -> None:
    project.write("main.py", SEES.format(settings=settings, variables=variables))


def output(step: str = "sees") -> Any:
    """What a step of the latest run returned."""
    return Client().get_run("latest").steps[step].outputs["output"].load()


def test_a_container_is_what_its_step_asks_for(
    project: Project, command: str, engine: Engine, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "seen").touch()
    engine.use(
        command,
        remove="never",
        volumes=["/nowhere:/data"],
        environment={"SHARED": "orchestrator"},
        labels={"team": "vision"},
    )
    settings = {
        "volumes": [f"{data}:/data:ro"],
        "cap_drop": ["NET_RAW"],
        "shm_size": "128MiB",
        "pids_limit": 64,
        "ulimits": ["nofile=512:1024"],
        "security_options": ["no-new-privileges"],
        "hosts": ["registry.example:10.0.0.1"],
        "tmpfs": {"/scratch": "size=1m"},
        "init": False,
    }
    write(
        project,
        f'{{"orchestrator.docker": {settings}, '
        '"resources": ResourceSettings(cpu_count=1.5, memory="256MiB")}',
        ("SHARED", "OMP_NUM_THREADS"),
    )
    assert project.run().code == 0
    seen = output()
    assert (seen["memory"], seen["cpu"]) == (256 << 20, 150_000)
    assert seen["variables"] == {"SHARED": "orchestrator", "OMP_NUM_THREADS": "1"}
    assert (seen["mounted"], seen["interfaces"]) == (True, ["lo"])

    run = Client().get_run("latest")
    (container,) = engine.containers()
    found = engine.inspected(container)
    assert container == f"partita-{run.id}-0-1"
    labels = found["Config"]["Labels"]
    assert labels["partita.run"] == run.id
    assert labels["partita.step"] == "sees"
    assert labels["partita.attempt"] == f"{run.id}/0/1"
    assert (labels["partita.pipeline"], labels["team"]) == ("line", "vision")
    host = found["HostConfig"]
    assert (host["NetworkMode"], host["PidsLimit"], host["ShmSize"]) == ("none", 64, 128 << 20)
    assert (host["CapDrop"], host["SecurityOpt"]) == (["NET_RAW"], ["no-new-privileges"])
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 512, "Hard": 1024}]
    assert (host["ExtraHosts"], host["Init"]) == (["registry.example:10.0.0.1"], False)
    engine.docker("rm", container)


def test_a_step_runs_where_nothing_but_its_memory_can_be_written(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command, read_only=True)
    project.write(
        "main.py",
        """
        import os, tempfile
        from partita import command_step, output, pipeline, step

        says = command_step(["./says.sh", output.said])

        @step
        def writes() -> str:
            with tempfile.NamedTemporaryFile() as file:
                file.write(b"1")
            try:
                open("/there", "w")
            except OSError as error:
                return error.strerror

        @pipeline
        def line():
            writes()
            says()
        """,
    )
    project.write("says.sh", '#!/bin/sh\nprintf hello > "$1"\n').chmod(0o755)
    finished = project.run()
    assert finished.code == 0, finished
    assert output("writes") == "Read-only file system"


def test_containers_stay_as_the_orchestrator_says(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command, remove="completed")
    project.write(
        "main.py",
        """
        from partita import pipeline, step

        @step
        def good() -> int:
            return 1

        @step
        def bad(number: int) -> int:
            raise ValueError("not today")

        @pipeline
        def line():
            bad(good())
        """,
    )
    assert project.run().code == 1
    (container,) = engine.containers()
    assert container.endswith("-1-1")  # That of the second step.
    engine.docker("rm", container)


def test_what_containers_write_belongs_to_whoever_began_the_run(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command)
    write(project, "{}")
    user = 12_345
    for path in (
        project.folder,
        *project.folder.rglob("*"),
        project.home,
        *project.home.rglob("*"),
    ):
        os.chown(path, user, user)
    run = [*somebody(user), sys.executable, "-m", "partita", "run", '{"target": "main.py"}']
    done = subprocess.run(
        run, cwd=project.folder, env=project.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done
    assert output()["user"] == user
    assert output()["variables"] == {"HOME": "/tmp"}
    assert {path.stat().st_uid for path in project.store.rglob("*")} == {user}


def test_code_arrives_whole_and_is_packed_once(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command)
    project.write("größe mit ✓/data file.txt", "found")
    project.write("tool.sh", "#!/bin/sh\necho from a program")
    (project.folder / "tool.sh").chmod(0o755)
    project.write("private/notes.txt", "not for containers")
    project.write(".gitignore", "private/\n")
    project.write(
        "package/steps.py",
        """
        import os, subprocess
        from pathlib import Path
        from partita import step

        @step(enable_cache=False)
        def reads() -> list[str]:
            text = Path("größe mit ✓/data file.txt").read_text()
            said = subprocess.run(["./tool.sh"], capture_output=True, text=True, check=True)
            return [text, said.stdout.strip(), str(os.path.exists("private"))]
        """,
    )
    project.write(
        "main.py",
        """
        from package.steps import reads
        from partita import pipeline

        @pipeline
        def line():
            reads()
        """,
    )
    for _ in range(2):
        assert project.run().code == 0
    assert output("reads") == ["found", "from a program", "False"]
    assert len(list((project.store / "code").iterdir())) == 1
    project.write("package/unrelated.py", "1")
    assert project.run().code == 0
    assert len(list((project.store / "code").iterdir())) == 2
    collected = partita(command, "store", "gc")
    del collected
    assert list((project.store / "code").iterdir()) == []


def test_a_step_may_run_here_while_others_run_in_containers(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command)
    project.write(
        "main.py",
        """
        import os
        from partita import pipeline, step

        @step
        def boxed() -> str:
            return os.getcwd()

        @step(orchestrator="here")
        def here(where: str) -> list[str]:
            return [where, os.getcwd()]

        @pipeline
        def line():
            here(boxed())
        """,
    )
    assert project.run().code == 0
    boxed, here = output("here")
    assert boxed.startswith("/tmp/partita-code-")
    assert here == str(project.folder)


def test_two_runs_at_once_share_an_engine(project: Project, command: str, engine: Engine) -> None:
    engine.use(command)
    write(project, "{}")
    both = [project.begin("-m", "partita", "run", '{"target": "main.py"}') for _ in range(2)]
    assert [finish(run).code for run in both] == [0, 0]


def test_names_of_any_length_have_containers(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command)
    long = "größer " * 30
    project.write(
        "main.py",
        f"""
        from partita import pipeline, step

        @step(name={long!r})
        def named() -> int:
            return 1

        @pipeline(name={long!r})
        def line():
            named()
        """,
    )
    assert project.run().code == 0
    (step,) = Client().get_run("latest").steps.values()
    assert step.status == "completed"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('{"orchestrator.docker": {"netwrok": "none"}}', "did you mean `network`?"),
        ('{"orchestrator.docker": {"pids_limit": "many"}}', "the setting `pids_limit`"),
        (
            '{"docker": DockerSettings(requirements=["six"], skip_build=True)}',
            "asks for `requirements` of an image, which needs one to be built",
        ),
        ('{"docker": DockerSettings(skip_build=True)}', "asks for an image that is there, which"),
    ],
)
def test_what_no_container_could_keep_is_refused_without_an_engine(
    project: Project, command: str, settings: str, message: str
) -> None:
    partita(command, "orchestrator", "register", "boxed", "--flavor=docker")
    partita(command, "stack", "register", "boxed", "-o", "boxed", "-a", "default", "--set")
    write(project, settings)
    assert message in project.verb("compile", target="main.py").refusal


def test_an_engine_that_shares_no_folder_is_refused_without_it(
    project: Project, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = ["orchestrator", "register", "boxed", "--flavor=docker", "--parent_image=python"]
    remote = [*registered, "--host=tcp://gpu-box:2375"]
    done = subprocess.run([command, *remote], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "whose containers cannot write to the artifact store" in done.stderr
    partita(command, *registered)
    partita(command, "stack", "register", "boxed", "-o", "boxed", "-a", "default", "--set")
    write(project, "{}")
    monkeypatch.setenv("DOCKER_HOST", "ssh://gpu-box")
    assert "`DOCKER_HOST` is `ssh://gpu-box`" in project.verb("compile", target="main.py").refusal


def test_steps_of_a_program_run_in_containers(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command, environment={"PATH": "/nowhere"})
    ran = start(NUMBERS, "run")
    assert ran.returncode == 0, ran
    run = Client().get_run("latest")
    assert {step.status for step in run.steps.values()} == {"completed"}
    assert run.steps["compare"].output.load() == 4.0
