"""The Python side of the plugin protocol says and understands what the golden files hold."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from conftest import Project
from partita.enums import JobStatus
from partita.orchestrators import Attempt, JobReport, Resources
from partita.plugins.channel import Channel
from partita.plugins.host import Host

GOLDEN = Path(__file__).parents[2] / "crates/partita-plugin/tests/golden"

FLAVOR = """
    from pydantic import field_validator
    from partita.orchestrators import BaseOrchestratorConfig, BaseOrchestratorFlavor, Supply

    class Config(BaseOrchestratorConfig):
        queue: str

        @field_validator("queue")
        @classmethod
        def known(cls, queue):
            raise ValueError(f"there is no queue `{queue}`")

    class Flavor(BaseOrchestratorFlavor):
        '''Runs steps in a queue.'''

        name, config_class = "queue", Config
        supply = Supply(max_parallelism=8, gpus=2, memory="any", images=True)
        implementation_class = None
"""


def frames(name: str, who: str) -> list[dict[str, Any]]:
    """Returns what one side says in a golden file."""
    lines = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [json.loads(line.removeprefix(who)) for line in lines if line.startswith(who)]


def test_a_flavor_answers_what_registration_asks(project: Project, monkeypatch: Any) -> None:
    project.write("golden_flavor.py", FLAVOR)
    asking, answering = os.pipe(), os.pipe()
    channel = Channel(asking[0], answering[1])
    monkeypatch.setattr("partita._native.end_with_parent", lambda ends: None)
    host = Host("golden_flavor.Flavor", str(project.folder), channel)
    thread = threading.Thread(target=host.serve)
    thread.start()
    with open(asking[1], "w") as out, open(answering[0]) as answers:
        for request, expected in zip(
            frames("registration", "partita: "), frames("registration", "plugin: "), strict=True
        ):
            out.write(json.dumps(request) + "\n")
            out.flush()
            answer = json.loads(answers.readline())
            if request["method"] == "hello":  # What it can do is told once it is loaded.
                expected["result"]["capabilities"] = []
            if request["method"] == "describe":
                schema = answer["result"]["config_schema"]
                assert schema["required"] == ["queue"] and not schema["additionalProperties"]
                answer["result"]["config_schema"] = expected["result"]["config_schema"]
            assert answer == expected
        out.close()
        thread.join()


def test_text_that_no_encoding_has_is_told_without_it() -> None:
    asking, answering = os.pipe(), os.pipe()
    channel = Channel(asking[0], answering[1])
    with open(asking[1], "w"), open(answering[0], encoding="utf-8") as told:
        channel.notify("identified", {"orchestrator_run_id": "Läufe \udc80 \n"})
        assert json.loads(told.readline())["params"] == {"orchestrator_run_id": "Läufe ? \n"}


def test_launchers_see_what_the_golden_files_tell() -> None:
    launch = next(f for f in frames("run", "partita: ") if f["method"] == "launch")["params"]
    attempt, resources = (
        Attempt(launch["attempt"], launch["settings"]),
        Resources(launch["resources"]),
    )
    assert (attempt.id, attempt.step_name, attempt.item, attempt.number) == (
        "r1/0/1",
        "train",
        None,
        1,
    )
    assert (resources.cpu_count, resources.memory, resources.gpu_class) == (
        2,
        2_000_000_000,
        "a100",
    )
    told = frames("run", "plugin: ")[-1]["params"]["status"]
    assert JobReport(JobStatus.FAILED, exit_code=3, message="out of memory").document() == told
    assert JobReport("active").document() == frames("run", "plugin: ")[3]["result"]
