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


def described(command: str, run: str) -> dict[str, Any]:
    """What `partita runs describe` says of a run."""
    arguments = [command, "runs", "describe", run, "--output", "json"]
    told = subprocess.run(arguments, capture_output=True, text=True, check=True)
    view: dict[str, Any] = json.loads(told.stdout)
    return view


def test_a_rebuilt_index_describes_every_run_as_before(project: Project, command: str) -> None:
    project.write("main.py", PIPELINE)
    for how, code in CODES.items():
        ended = project.run(parameters={"how": how}, run_name=how)
        assert ended.code == code, ended
    before = {how: described(command, how) for how in CODES}
    statuses = {how: view["status"] for how, view in before.items()}
    assert statuses == STATUSES
    subprocess.run([command, "runs", "delete", "fail", "--yes"], capture_output=True)
    kept = [run.name for run in Client().list_runs()]
    for path in project.home.glob("metadata.db*"):
        path.unlink()
    assert Client().list_runs() == []
    subprocess.run([command, "store", "rebuild"], check=True, capture_output=True)
    assert [run.name for run in Client().list_runs()] == kept
    for name in kept:
        assert described(command, name) == before[name]


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
