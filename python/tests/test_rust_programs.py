"""Programs in Rust: they run their own pipelines on every orchestrator, and share values with Python."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import Project, finish
from partita import Client, _native
from process_stack import partita, processes_of, use_process
from rust_programs import BY_HAND, FAILING, NUMBERS, VALUES, start


def check_numbers(status: str = "completed") -> None:
    """Checks the outputs, the metadata and the wiring of the latest run of `numbers`."""
    run = Client().get_run("latest")
    assert run.status == "completed"
    assert {step.status for step in run.steps.values()} == {status}
    assert list(run.steps) == ["load", "split", "summarize", "summarize_test", "compare"]
    assert run.steps["split"].outputs["train"].load() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert run.steps["summarize"].output.load() == {"mean": 2.5, "label": "train"}
    assert run.steps["summarize"].metadata["mean"] == 2.5
    assert run.steps["compare"].output.load() == 4.0


def test_a_program_runs_its_pipeline_and_takes_its_results_the_second_time(
    project: Project,
) -> None:
    first = start(NUMBERS, "run")
    assert first.returncode == 0, first
    check_numbers()
    assert "summarize has seen 6 numbers" in Client().get_run("latest").steps["summarize"].log
    assert start(NUMBERS, "run", "numbers").returncode == 0
    check_numbers("cached")
    planned = json.loads(start(NUMBERS, "plan", "--param", "count=4", "--output", "json").stdout)
    assert planned[0]["verdict"] == "run"
    assert "parameter `count` changed from 8 to 4" in planned[0]["reason"]


def test_a_program_is_a_target_of_the_command(project: Project, command: str) -> None:
    partita(command, "run", f"{NUMBERS}:numbers", "--param", "count=8", "--name", "mine")
    check_numbers()
    assert Client().get_run("latest").name == "mine"
    document = json.loads(partita(command, "compile", NUMBERS))
    source = document["sources"][document["steps"][0]["source"]]
    assert source["program"]["path"] == NUMBERS
    assert {part["kind"] for part in source["parts"]} == {"function", "program"}
    planned = json.loads(partita(command, "plan", NUMBERS, "--output", "json"))
    assert {step["verdict"] for step in planned} == {"cached"}


def test_no_other_executable_is_started(project: Project, command: str) -> None:
    script = project.write("danger", "#!/bin/sh\ntouch started\n")
    script.chmod(0o755)
    refused = subprocess.run([command, "run", "./danger"], capture_output=True, text=True)
    assert refused.returncode == 2 and "is not a Python file" in refused.stderr
    assert not Path("started").exists()


@pytest.mark.parametrize("program", [NUMBERS, BY_HAND])
def test_steps_of_a_program_run_in_processes_that_it_is_the_entrypoint_of(
    project: Project, command: str, program: str
) -> None:
    use_process(command)
    # No Python is there, and `sort` only for whoever starts it.
    path = "/nowhere" if program == NUMBERS else "/usr/bin:/bin"
    ran = start(program, "run", env={"PATH": path, "VIRTUAL_ENV": ""})
    assert ran.returncode == 0, ran
    run = Client().get_run("latest")
    assert {step.status for step in run.steps.values()} == {"completed"}
    if program == NUMBERS:
        check_numbers()
    else:
        assert run.steps["halve"].outputs["second"].load() == [2.0, 3.0]
        assert (run.steps["sum"].output.load(), run.steps["sum_2"].output.load()) == (1.0, 5.0)
        assert run.steps["square"].output.load() == [4.0, 9.0]
        assert run.steps["sort"].output.load().read_text() == "0\n1\n2\n3\n"
        assert "stored" in ran.stdout + run.steps["sum"].log


def test_a_step_by_hand_is_mapped_called_back_and_offered_to_python(project: Project) -> None:
    done = start(BY_HAND, "run", "--param", "parts=[[1.0, 2.0, 3.0], [4.0]]")
    assert done.returncode == 0, done
    steps = Client().get_run("latest").steps
    assert steps["halve_2"].outputs["second"].load() == [[2.0, 3.0], [4.0]]
    assert (steps["length"].output.load(), steps["length_2"].output.load()) == ([1, 0], [2, 1])
    assert "the sum is stored" in done.stdout and "the run has ended" in done.stdout
    project.write(
        "main.py",
        f"""
        from partita import Program, pipeline

        @pipeline
        def halving():
            Program({BY_HAND!r}).step("halve")([1.0, 2.0])
        """,
    )
    assert project.run().code == 0
    assert Client().get_run("latest").steps["halve"].outputs["first"].load() == [1.0]


def test_what_is_wrong_is_said_before_anything_runs(project: Project) -> None:
    refused = start(NUMBERS, "run", "--param", "count=many")
    assert refused.returncode == 1
    assert "parameter `count` of pipeline `numbers` is declared as `int`" in refused.stderr
    assert "expected u32" in refused.stderr
    refused = start(NUMBERS, "run", "--param", "cuont=3")
    assert "did you mean `count`?" in refused.stderr
    refused = start(FAILING, "run")
    assert refused.returncode == 2
    assert (
        "`errors`, `panicking`, `crashing`, `waiting`, `late`, `aborting`, `mapped`, `commanding`"
        in refused.stderr
    )
    assert not Client().list_runs()


def test_another_program_than_the_one_that_was_compiled_is_refused(
    project: Project, command: str
) -> None:
    use_process(command)
    own = project.folder / "numbers"
    shutil.copy(NUMBERS, own)
    document = json.loads(start(str(own), "compile").stdout)
    assert start(str(own), "run", "--name", "whole").returncode == 0
    run = Client().get_run("latest")
    with own.open("ab") as program:
        program.write(b"changed")
    options = {
        "entrypoint_config_source": "partita.entrypoints.StepEntrypointConfiguration",
        "artifact_store": f"file://{project.store}",
        "deployment_id": document["id"],
        "run_id": run.id,
        "step_name": "load",
        "attempt": "auto",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    refused = start(str(own), "entrypoint", *words)
    assert refused.returncode == 1
    assert "another program than the one that the deployment was compiled with" in refused.stderr
    done = start(NUMBERS, "entrypoint", *words)
    assert done.returncode == 0 and "step `load` is committed already" in done.stderr
    missing = start(NUMBERS, "entrypoint", *words[1:], "--step-name=x")
    assert missing.returncode == 2
    assert "`--step-name` is no option of it; did you mean `--step_name`?" in missing.stderr
    assert "`--entrypoint_config_source` is missing" in missing.stderr
    planned = json.loads(start(str(own), "plan", "--output", "json").stdout)
    assert "source of program `numbers` changed" in planned[0]["reason"]


def test_a_deployment_of_another_version_is_refused(project: Project) -> None:
    assert start(NUMBERS, "run").returncode == 0
    run = Client().get_run("latest")
    [document] = project.store.rglob("deployments/*.json")
    later = json.loads(document.read_bytes()) | {"version": 2}
    document.chmod(0o644)
    document.write_text(json.dumps(later))
    options = {
        "entrypoint_config_source": "partita.entrypoints.StepEntrypointConfiguration",
        "artifact_store": f"file://{project.store}",
        "deployment_id": later["id"],
        "run_id": run.id,
        "step_name": "load",
        "attempt": "auto",
    }
    refused = start(NUMBERS, "entrypoint", *(f"--{key}={value}" for key, value in options.items()))
    assert refused.returncode == 1
    assert "it has version 2, and this Partita reads version 1" in refused.stderr
    assert "use the Partita that wrote it, or a newer one" in refused.stderr


def begin_waiting() -> subprocess.Popen[str]:
    """Starts a run whose first step waits for a file, and waits until it does."""
    begun = subprocess.Popen(
        [FAILING, "run", "waiting"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = begun.stdout
    assert said is not None
    assert any("waiting for go" in line for line in said)
    return begun


def test_ctrl_c_cancels_a_run_once_its_step_has_returned(project: Project) -> None:
    begun = begin_waiting()
    begun.send_signal(signal.SIGINT)
    said = begun.stdout
    assert said is not None
    assert any("cancelling" in line for line in said)
    Path("go").touch()
    finish(begun)
    assert begun.returncode == 130
    assert Client().get_run("latest").status == "cancelled"
    assert project.statuses()["leaves_a_thread"] == "cancelled"


def test_a_second_ctrl_c_ends_the_program_at_once(project: Project, command: str) -> None:
    begun = begin_waiting()
    said = begun.stdout
    assert said is not None
    begun.send_signal(signal.SIGINT)
    assert any("cancelling" in line for line in said)
    begun.send_signal(signal.SIGINT)
    finish(begun)
    assert begun.returncode == 130
    assert Client().get_run("latest").status == "interrupted"
    Path("go").touch()
    partita(command, "runs", "resume", "latest")
    assert Client().get_run("latest").status == "completed"


def test_ctrl_c_ends_the_processes_of_a_program(project: Project, command: str) -> None:
    use_process(command)
    begun = begin_waiting()
    begun.send_signal(signal.SIGINT)
    finish(begun)
    assert begun.returncode == 130
    assert Client().get_run("latest").status == "cancelled"
    assert not processes_of(project)


def test_a_failed_run_of_a_program_is_resumed(project: Project, command: str) -> None:
    assert start(NUMBERS, "run", "--param", "count=0").returncode == 1
    partita(command, "runs", "resume", "latest", "--param", "count=8")
    run = Client().get_run("latest")
    assert run.status == "completed"
    assert run.steps["compare"].output.load() == 4.0


def test_a_detached_run_goes_on_by_itself(project: Project, command: str) -> None:
    name = partita(command, "run", NUMBERS, "--detach").strip()
    watched = subprocess.run([command, "runs", "watch", name], capture_output=True, text=True)
    assert watched.returncode == 0, watched
    check_numbers()


def test_a_described_program_says_what_it_takes(project: Project) -> None:
    [described] = json.loads(start(NUMBERS, "describe", "--output", "json").stdout)
    assert described["parameters"] == [{"name": "count", "type": "int", "default": 8}]
    split = described["steps"]["numbers::split"]
    assert split["outputs"]["train"] == "alloc::vec::Vec<f64>"


SHARED: dict[str, Any] = {
    "text": 'a "text"\n',
    "whole": 2**100,
    "number": 0.1,
    "yes": True,
    "nothing": None,
    "list": [1.0, -0.0, 1e300, float("inf")],
    "tuple": (-3, "é"),
    "mapping": {2: [True], -1: []},
    "names": {"$partita": 1.0, "b": 2.5},
}


def test_values_of_python_load_in_rust_and_those_of_rust_in_python(project: Project) -> None:
    values = {**SHARED, "bytes": b"\x00\xff"}
    words: list[str] = []
    for name, value in values.items():
        encoded = _native.encode_value(value)
        assert encoded is not None
        text = value if isinstance(value, str) else encoded.decode()
        words += ["--param", f"{name}={text}"]
    passed = start(VALUES, "run", *words)
    assert passed.returncode == 0, passed
    run = Client().get_run("latest")
    outputs = run.steps["pass"].outputs
    for name, value in SHARED.items():
        loaded = outputs[name].load()
        assert (loaded, repr(loaded)) == (value, repr(value) if name != "mapping" else repr(loaded))
    assert outputs["bytes"].load() == [0, 255]
    assert [outputs[name].type for name in ("text", "whole", "number", "yes")] == [
        "str",
        "int",
        "float",
        "bool",
    ]
    assert run.steps["repeat"].output.load() == SHARED["list"] * 5_000


@pytest.mark.parametrize("where", ["local", "process"])
def test_a_step_is_mapped_over_lists_outputs_and_lists_of_outputs(
    project: Project, command: str, where: str
) -> None:
    if where == "process":
        use_process(command)
    done = start(FAILING, "run", "mapped")
    assert done.returncode == 0, done
    assert "the run has ended" in done.stdout
    run = Client().get_run("latest")
    assert run.steps["total"].output.load() == (1 + 4) ** 2 + (1 + 2 + 5) ** 2
    items = run.steps["square_2"].items or []
    assert [item.status for item in items] == ["completed"] * 3
    assert "squaring 2" in items[2].log
    assert start(FAILING, "run", "mapped", "--param", "count=4").returncode == 0
    items = Client().get_run("latest").steps["square_2"].items or []
    assert [item.status for item in items] == ["cached"] * 3 + ["completed"]
    failed = start(FAILING, "run", "mapped", "--param", "largest=70000")
    assert failed.returncode == 1
    assert "the run has failed: " in failed.stdout and "too large" in failed.stdout


def test_what_a_step_prints_is_in_its_log_also_in_the_programs_own_process(
    project: Project,
) -> None:
    done = start(FAILING, "run", "mapped")
    assert "squaring 1\n" in done.stdout
    items = Client().get_run("latest").steps["square"].items or []
    assert [item.log.strip() for item in items] == ["squaring 1", "squaring 2"]
