"""Options of steps in Rust, of single uses of them and of pipelines; hooks; what a step knows of itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conftest import Project
from partita import Client
from process_stack import partita, use_process
from rust_programs import OPTIONS, start


@pytest.fixture(params=["local", "process"])
def place(request: pytest.FixtureRequest, project: Project, command: str) -> str:
    """Each place where steps run."""
    if request.param == "process":
        use_process(command, max_parallelism=2)
    return str(request.param)


def use_lenient(command: str) -> None:
    """Makes a stack the active one whose orchestrator takes every request."""
    words = ["--flavor=local", "--allow_unenforced=true"]
    partita(command, "orchestrator", "register", "fast", *words)
    partita(command, "stack", "register", "fast", "-o", "fast", "-a", "default", "--set")


def test_options_are_those_of_the_use_else_of_the_step_else_of_the_pipeline(
    project: Project, command: str
) -> None:
    use_lenient(command)
    compiled = start(OPTIONS, "compile", "layered")
    assert compiled.returncode == 0, compiled
    steps = {step["name"]: step["config"] for step in json.loads(compiled.stdout)["steps"]}
    everything = {
        "enable_cache": False,
        "cache_version": "1",
        "cache_environment": {"WORDS": None},
        "cache_expiry": "604800s",
        "retry": {"max_retries": 1, "delay": 0.5, "backoff": 2.0},
        "timeout": "600s",
        "resources": {
            "cpu_count": 1.0,
            "gpu_count": 1,
            "gpu_class": "a100",
            "memory": "1GB",
        },
        "limits": {"licence": 2},
    }
    assert steps["everything"] == everything
    del everything["enable_cache"]
    assert steps["another"] == {
        **everything,
        "cache_version": "2",
        "retry": {"max_retries": 2, "delay": 0.5, "backoff": 2.0},
        "timeout": "1200s",
        "resources": {"cpu_count": 2.0, "gpu_count": 0, "gpu_class": "a100", "memory": "1GB"},
        "limits": {"licence": 3},
    }
    assert steps["sleeps"]["timeout"] == "3600s"
    assert steps["sleeps"]["cache_version"] == "0"
    assert steps["sleeps"]["retry"]["max_retries"] == 4


def test_a_step_knows_its_run_its_name_its_item_and_what_it_was_given(
    project: Project, place: str
) -> None:
    done = start(OPTIONS, "run", "what is known", "--name", "mine", env={"OMP_NUM_THREADS": ""})
    assert done.returncode == 0, done
    run = Client().get_run("latest")
    shared = {
        "run_id": run.id,
        "run_name": "mine",
        "pipeline": "what is known",
        "attempt": 1,
        # What a step asks for is the number of its threads, where it has a process of its own.
        "threads": "2" if place == "process" else "",
    }
    one, each = run.steps["one"], run.steps["each"]
    assert one.output.load() == {**shared, "step": "one", "item": None, "label": "a label"}
    assert each.output.load() == [
        {**shared, "step": "each", "item": item, "label": None} for item in (0, 1)
    ]
    assert one.metadata == {"label": "a label", "number": 7}
    assert "number 7" in one.log
    items = each.items or []
    assert [item.metadata["number"] for item in items] == [1, 2]
    assert [f"number {number}" in items[number - 1].log for number in (1, 2)] == [True, True]


def attempts() -> dict[str, list[str]]:
    """How each attempt of each step of the latest run has ended."""
    run = Client().get_run("latest")
    return {
        name: [attempt["status"] for attempt in step.attempts] for name, step in run.steps.items()
    }


def hooks(text: str) -> list[str]:
    """What hooks have said, in order."""
    return [line.split("hook: ")[1] for line in text.splitlines() if "hook: " in line]


def test_attempts_are_made_as_often_as_step_or_use_say_and_hooks_are_called_once(
    project: Project, place: str
) -> None:
    done = start(OPTIONS, "run", "trying")
    assert done.returncode == 0, done
    assert attempts() == {
        "flaky": ["failed", "completed"],
        "patient": ["failed", "failed", "completed"],
        "hasty": ["completed"],
    }
    assert hooks(done.stdout) == ["stored"] * 3 + ["the run is stored"]


def test_a_step_that_has_failed_for_good_is_told_to_its_hook_and_to_that_of_its_pipeline(
    project: Project, place: str
) -> None:
    failed = start(OPTIONS, "run", "trying", "--param", "patience=1")
    assert failed.returncode == 1
    assert attempts() == {
        "flaky": ["failed", "completed"],
        "patient": ["failed", "failed"],
        "hasty": [],
    }
    assert project.statuses()["hasty"] == "skipped"
    *told, last = hooks(failed.stdout)
    assert sorted(told) == ["attempt 2 of 3", "stored"]
    assert last.startswith("the run has failed: ") and "attempt 2 of 3" in last


def ran(project: Project, *words: str, env: dict[str, str] | None = None) -> set[str]:
    """Runs the pipeline again; returns the steps that were not cached."""
    done = start(OPTIONS, "run", "cached", *words, env=env)
    assert done.returncode == 0, done
    return {name for name, status in project.statuses().items() if status == "completed"}


def test_each_option_of_caching_says_when_an_earlier_result_is_taken(
    project: Project, place: str
) -> None:
    project.write(".partita/config.toml", "")
    project.write("words.txt", "one")
    same = ["--param", "version=1", "--param", "expiry=1h"]
    assert len(ran(project, *same)) == 5
    assert ran(project, *same) == {"always", "never"}
    assert ran(project, *same, env={"WORDS": "two"}) == {"always", "never", "keyed"}
    project.write("words.txt", "two")
    assert ran(project, *same) == {"always", "never", "keyed"}
    assert "file `words.txt` changed" in (project.reasons()["keyed"] or "")
    assert ran(project, same[0], "version=2", *same[2:]) == {"always", "never", "version"}
    assert ran(project, *same[:3], "expiry=1ms") == {"always", "never", "expiry"}
    assert len(ran(project, *same, "--no-cache")) == 5


def test_what_is_asked_is_enforced_in_processes(project: Project, command: str) -> None:
    use_process(command)
    failed = start(OPTIONS, "run", "bounded")
    assert failed.returncode == 1
    assert project.statuses() == {"takes": "completed", "sleeps": "failed"}
    assert "timed out after 0.2s" in failed.stderr
    failed = start(OPTIONS, "run", "bounded", "--param", "bytes=3000000000")
    assert failed.returncode == 1
    [attempt] = Client().get_run("latest").steps["takes"].attempts
    assert attempt["status"] == "failed" and "memory" in attempt["error"], attempt


def test_what_cannot_be_enforced_is_refused_before_anything_runs(project: Project) -> None:
    refused = start(OPTIONS, "run", "bounded")
    assert refused.returncode == 1
    for asked in ("timeout", "memory"):
        assert asked in refused.stderr
    assert "options.rs:" in refused.stderr
    assert not Client().list_runs()


def test_a_use_of_a_step_runs_on_the_orchestrator_that_it_names(
    project: Project, command: str
) -> None:
    use_process(command)
    config: dict[str, Any] = {"steps": {"one": {"orchestrator": "here"}}}
    project.write("run.yaml", json.dumps(config))
    done = start(
        OPTIONS, "run", "what is known", "--config", "run.yaml", env={"OMP_NUM_THREADS": ""}
    )
    assert done.returncode == 0, done
    steps = Client().get_run("latest").steps
    assert steps["one"].output.load()["threads"] == ""
    assert {item["threads"] for item in steps["each"].output.load()} == {"2"}
