"""A lost index comes back from the artifact store, the same as it was."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from conftest import Project, finish
from partita import Client

PIPELINE = """
    import os
    from partita import log_metadata, pipeline, step, StepRetryConfig

    @step
    def load() -> bytes:
        log_metadata({"rows": 3})
        print("loaded")
        return bytes(100_000)

    @step(enable_cache=False, retry=StepRetryConfig(max_retries=1))
    def train(data: bytes, how: str) -> int:
        if os.path.exists("mended"):
            return 0
        if how == "crash":
            os._exit(1)
        if how == "cancel":
            raise KeyboardInterrupt
        if how == "fail":
            raise ValueError("no")
        return len(data)

    @step(enable_cache=False)
    def report(size: int) -> None:
        print(size)

    @pipeline
    def models(how: str):
        report(train(load(), how))
"""

STATUSES = {
    "complete": "completed",
    "fail": "failed",
    "cancel": "cancelled",
    "crash": "interrupted",
}
CODES = {"complete": 0, "fail": 1, "cancel": 130, "crash": 1}


def told(command: str, *arguments: str) -> Any:
    """What the command says of something, as a program reads it."""
    arguments = (command, *arguments, "--output", "json")
    return json.loads(subprocess.run(arguments, capture_output=True, check=True).stdout)


def everything(command: str) -> dict[str, list[Any]]:
    """What the command says of every run, every artifact version and its lineage."""
    runs = [run["id"] for run in told(command, "runs", "list")]
    artifacts = told(command, "artifacts", "list")
    versions = [artifact["artifact_version"] for artifact in artifacts]
    return {
        "runs": [told(command, "runs", "describe", run) for run in runs],
        "artifacts": artifacts,
        "lineage": [told(command, "artifacts", "lineage", version) for version in versions],
    }


def test_a_rebuilt_index_describes_every_run_as_before(project: Project, command: str) -> None:
    project.write("main.py", PIPELINE)
    for how, code in CODES.items():
        for name in (how, f"{how} again", f"{how} no more"):
            ended = project.run(parameters={"how": how}, run_name=name)
            assert ended.code == code, ended
    statuses = {run.name: run.status for run in Client().list_runs()}
    assert {how: statuses[how] for how in CODES} == STATUSES
    project.write("mended", "")
    for how in CODES:
        if how != "complete":
            assert project.resume(Client().get_run(f"{how} again").id).code == 0
        subprocess.run([command, "runs", "delete", f"{how} no more"], check=True)
    before = everything(command)
    assert len(before["runs"]) == 8
    assert {run["status"] for run in before["runs"]} == set(STATUSES.values())
    assert [run for run in before["runs"] if run["resumed_at"]]
    for path in project.home.glob("metadata.db*"):
        path.unlink()
    assert Client().list_runs() == []
    subprocess.run([command, "store", "rebuild"], check=True, capture_output=True)
    assert everything(command) == before


def test_values_of_a_pipeline_that_is_put_together_are_not_collected(
    project: Project, command: str
) -> None:
    project.write("values.txt", "1 2 3")
    project.write(
        "main.py",
        """
        import sys
        from pathlib import Path
        from partita import pipeline, step

        @step
        def count(values: Path) -> int:
            return len(values.read_text().split())

        @pipeline
        def counting():
            count(Path("values.txt"))
            print("put together", flush=True)
            sys.stdin.readline()
        """,
    )
    request = json.dumps({"target": "main.py"})
    process = project.begin("-m", "partita", "run", request, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "put together\n"
    collected = subprocess.run([command, "store", "gc"], capture_output=True, text=True)
    assert (collected.returncode, "a run is just beginning" in collected.stderr) == (1, True)
    process.kill()
    finish(process)
    collected = subprocess.run([command, "store", "gc"], capture_output=True, text=True)
    assert collected.returncode == 0, collected
    assert "1 artifact version " in collected.stderr

    process = project.begin("-m", "partita", "run", request, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write("\n")
    assert finish(process).code == 0
    subprocess.run([command, "store", "gc"], check=True, capture_output=True)
    (version,) = (project.store / "artifacts" / "counting.count.values").iterdir()
    assert (version / "manifest.json").is_file()


def test_a_home_may_have_a_name_that_is_no_text(project: Project, tmp_path: Path) -> None:
    project.write(
        "main.py",
        """
        from pathlib import Path
        from partita import Client, pipeline, step

        @step
        def size(file: Path) -> list[int]:
            return list(range(len(file.read_text()) * 3000))

        @step
        def total(numbers: list[int]) -> int:
            return sum(numbers)

        @pipeline
        def sized():
            total(size(Path("main.py")))

        if __name__ == "__main__":
            sized()
            print(len(Client().get_run("latest").steps["size"].output.load()))
        """,
    )
    home = os.fsdecode(os.fsencode(tmp_path) + b"/h\xff")
    ended = project.python("main.py", env={"PARTITA_HOME": home})
    assert ended.code == 0, ended
    assert int(ended.out) == 3000 * len((project.folder / "main.py").read_text())
