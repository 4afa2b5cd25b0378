"""Steps that ask for GPUs in containers, on a real engine. The GPUs are not real.

No machine of the tests has one. A script stands where NVIDIA's container toolkit would, so that the
engine takes device requests, and puts copies of `/dev/null` into containers; another one stands where
`nvidia-smi` would. Both are in `tests/docker/gpu`. What a driver does is not tested anywhere.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Project
from docker_engine import SCRIPTS, Engine
from partita import Client
from process_stack import partita
from rust_programs import NUMBERS, start

LOOKS = """
    import os
    from partita import ResourceSettings, pipeline, step

    def devices() -> list[str]:
        return sorted(name for name in os.listdir("/dev") if name.startswith("nvidia"))

    @step(settings={"resources": ResourceSettings(gpu_count=GPUS)}, enable_cache=False)
    def looks() -> list[str]:
        print("called")
        return devices()

    @step(enable_cache=False)
    def has_none() -> list[str]:
        return devices()

    @pipeline
    def line():
        looks()
        has_none()
"""

Build = Callable[..., str]


@pytest.fixture
def gpus(engine: Engine) -> Iterator[Engine]:
    """The engine, started with GPUs that are none."""
    engine.stop()
    engine.start(gpus=True)
    yield engine
    engine.stop()  # It is started without them.


@pytest.fixture
def build(engine: Engine) -> Iterator[Build]:
    """Makes images with lines of a Dockerfile, which are gone after the test."""
    built: list[str] = []

    def make(*lines: str) -> str:
        built.append(engine.build(*lines))
        return built[-1]

    yield make
    if built:
        engine.docker("image", "rm", "--force", *set(built), check=False)


@pytest.fixture
def smi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has `nvidia-smi` tell of a driver that runs CUDA up to 12.2."""
    monkeypatch.setenv("PATH", f"{SCRIPTS / 'gpu/driver'}:{os.environ['PATH']}")


def write(project: Project, count: int = 1) -> None:
    project.write("main.py", LOOKS.replace("GPUS", str(count)))


def error_of(step: str) -> str:
    (attempt,) = Client().get_run("latest").steps[step].attempts
    return attempt["error"] or ""


def test_a_step_sees_the_gpus_that_it_asks_for_and_another_one_none(
    project: Project, command: str, gpus: Engine
) -> None:
    gpus.use(command, gpus=["0", "2"])
    write(project, 2)
    done = project.run()
    assert done.code == 0, done
    steps = Client().get_run("latest").steps
    assert steps["looks"].output.load() == ["nvidia0", "nvidia2"]
    assert steps["has_none"].output.load() == []


def test_a_step_that_sees_no_gpu_fails_before_it_is_called(
    project: Project, command: str, gpus: Engine
) -> None:
    gpus.use(command, gpus=["7"])  # The engine takes that, and there is no such device.
    write(project)
    done = project.run()
    assert done.code == 1
    expected = (
        "step `looks` asked for a GPU and sees none where it runs: there is no `/dev/nvidia0`"
    )
    assert expected in error_of("looks")
    assert "`partita doctor --gpu`" in error_of("looks")
    assert "called" not in done.err + done.out


def test_a_step_of_a_program_that_sees_no_gpu_fails_before_it_is_called(
    project: Project, command: str, gpus: Engine
) -> None:
    gpus.use(command, gpus=["7"])
    project.write("run.yaml", "settings: {resources: {gpu_count: 1}}")
    ran = start(NUMBERS, "run", "--config", "run.yaml")
    assert ran.returncode == 1, ran
    assert "asked for a GPU and sees none where it runs" in ran.stderr


#: A `python` that is of another version, as its name says.
OTHER_PYTHON = (
    'RUN ["python", "-c", "import os; os.mkdir(\'/other\'); '
    "open('/other/python3.9', 'w').close(); os.symlink('python3.9', '/other/python')\"]",
    "ENV PATH=/other",
)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (
            ['ENV NVIDIA_REQUIRE_CUDA="cuda>=12.4 brand=geforce,driver>=535,driver<536"'],
            "needs `cuda>=12.4` (`NVIDIA_REQUIRE_CUDA`), and this machine has the driver "
            "535.104.05, which runs CUDA up to 12.2; take an image made for that",
        ),
        (["ENV CUDA_VERSION=13.0.1"], "has CUDA 13.0.1 (`CUDA_VERSION`), and this machine has"),
        (
            ["ENV NVIDIA_DRIVER_CAPABILITIES=utility"],
            "lets only `utility` of NVIDIA's driver in (`NVIDIA_DRIVER_CAPABILITIES`), and CUDA",
        ),
        (["ENV PATH=/bin"], "has no `python` in `/bin`; NVIDIA's own images bring none"),
        (OTHER_PYTHON, "has Python 3.9, and this run is begun with Python 3."),
    ],
)
def test_an_image_that_does_not_fit_is_refused_before_the_run(
    project: Project,
    command: str,
    engine: Engine,
    build: Build,
    smi: None,
    lines: list[str],
    why: str,
) -> None:
    image = build(*lines)
    engine.use(command, gpus=["0"], parent_image=image)
    write(project)
    refusal = project.run().refusal
    assert f"step `looks` asks for a GPU and runs in the image `{image}`, which {why}" in refusal
    assert list(Client().list_runs()) == []
    assert engine.containers() == []


def test_an_image_that_fits_runs_and_a_step_may_let_in_more_of_the_driver(
    project: Project, command: str, gpus: Engine, build: Build, smi: None
) -> None:
    image = build(
        "ENV CUDA_VERSION=12.8.0",
        'ENV NVIDIA_REQUIRE_CUDA="cuda>=12.8 brand=tesla,driver>=535,driver<536"',
        "ENV NVIDIA_DRIVER_CAPABILITIES=utility",
    )
    variables = {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
    gpus.use(command, gpus=["0"], parent_image=image, environment=variables)
    write(project)
    done = project.run()
    assert done.code == 0, done
    assert Client().get_run("latest").steps["looks"].output.load() == ["nvidia0"]


def test_images_of_steps_without_gpus_may_be_made_for_any_driver(
    project: Project, command: str, engine: Engine, build: Build, smi: None
) -> None:
    image = build("ENV CUDA_VERSION=99.0 NVIDIA_DRIVER_CAPABILITIES=utility")
    engine.use(command, parent_image=image)
    write(project, 0)
    assert project.run().code == 0


def test_places_of_one_run_share_the_gpus_of_the_machine(
    project: Project, command: str, gpus: Engine, shared: Path
) -> None:
    gpus.use(command, gpus=["0"], max_parallelism=1, volumes=[f"{shared}:/shared"])
    words = ("--flavor=process", '--gpus=["0"]')
    partita(command, "orchestrator", "register", "fast", *words)
    stack = ("-o", "fast", "-o", "boxed", "-a", "default", "--set")
    partita(command, "stack", "register", "mixed", *stack)
    project.write(
        "main.py",
        f"""
        import os, time
        from partita import ResourceSettings, pipeline, step

        gpu = {{"resources": ResourceSettings(gpu_count=1)}}

        @step(settings=gpu)
        def here() -> str:
            while not os.path.exists("{shared}/boxed"):
                time.sleep(0.02)
            open("{shared}/done", "w").close()
            return os.environ["CUDA_VISIBLE_DEVICES"]

        @step(orchestrator="boxed", settings=gpu)
        def boxed_with_gpu() -> list[str]:
            assert os.path.exists("/shared/done"), "somebody else has the GPU"
            return [name for name in os.listdir("/dev") if name.startswith("nvidia")]

        @step(orchestrator="boxed")
        def boxed() -> None:
            open("/shared/boxed", "w").close()

        @pipeline
        def line():
            here()
            boxed_with_gpu()  # Has the only place for containers first, but for the GPU.
            boxed()
        """,
    )
    done = project.run()
    assert done.code == 0, done
    steps = Client().get_run("latest").steps
    assert steps["here"].output.load() == "0"
    assert steps["boxed_with_gpu"].output.load() == ["nvidia0"]


def doctor(command: str, **variables: str) -> tuple[int, dict[str, Any]]:
    """How `doctor --gpu` ended, and its rows about GPUs, by what they begin with."""
    done = subprocess.run(
        [command, "doctor", "--gpu", "--output", "json"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    rows = [row for row in json.loads(done.stdout) if "gpu" in row["name"]]
    return done.returncode, {row["message"].split(" ")[0].strip("`:"): row for row in rows}


def test_doctor_starts_a_container_to_see_whether_gpus_get_there(
    command: str, project: Project, gpus: Engine, smi: None
) -> None:
    gpus.use(command, gpus=["1"])
    code, rows = doctor(command)
    assert code == 0, rows
    assert rows["the"]["message"] == (
        "the driver 535.104.05, which runs CUDA up to 12.2; it drives Tesla T4 (15360 MiB)"
    )
    assert f"`{gpus.image}` that was given GPU 1 sees `nvidia1`" in rows["boxed"]["message"]
    assert (rows["here"]["verdict"], gpus.containers()) == ("warning", [])

    partita(command, "orchestrator", "update", "boxed", '--gpus=["7"]')
    code, rows = doctor(command)
    assert (code, rows["boxed"]["verdict"]) == (1, "problem")
    assert "that was given GPU 7 sees none" in rows["boxed"]["message"]


def test_doctor_looks_into_an_image_that_was_built_where_none_is_named(
    command: str, project: Project, gpus: Engine, images: Engine, smi: None
) -> None:
    partita(command, "orchestrator", "register", "boxed", "--flavor=docker", '--gpus=["1"]')
    partita(command, "stack", "register", "boxed", "-o", "boxed", "-a", "default", "-i", "native")
    partita(command, "stack", "set", "boxed")
    code, rows = doctor(command)
    assert (code, rows["boxed"]["verdict"]) == (1, "problem")
    assert "make one with `partita build TARGET`" in rows["boxed"]["message"]
    image = gpus.build("LABEL partita.recipe=test")
    code, rows = doctor(command)
    assert code == 0, rows
    assert f"`{image}` that was given GPU 1 sees `nvidia1`" in rows["boxed"]["message"]
    assert gpus.containers() == []


def test_a_step_that_asks_for_a_gpu_where_none_is_seen_is_told_where_to_look(
    command: str, project: Project, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.use(command, gpus=[])
    write(project)
    refusal = project.run().refusal
    assert "asks for 1 GPU, which orchestrator `boxed` (flavor `docker`) has none of" in refusal
    for word in ("NVIDIA's driver", "`gpus`", "toolkit", "`partita doctor --gpu`"):
        assert word in refusal


def test_doctor_tells_the_engines_own_words_where_it_has_no_gpus(
    command: str, project: Project, engine: Engine, tmp_path: Path
) -> None:
    engine.use(command, gpus=["0"])
    code, rows = doctor(command, PATH=str(tmp_path))  # There is no `nvidia-smi`.
    assert code == 1
    assert rows["no"]["message"] == "no driver of NVIDIA is seen on this machine"
    assert "could not select device driver" in rows["boxed"]["message"]
    assert "need NVIDIA's driver and its container toolkit" in rows["boxed"]["message"]
    assert engine.containers() == []
