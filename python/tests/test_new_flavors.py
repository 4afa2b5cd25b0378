"""What `partita orchestrator flavor new` writes works unchanged, in each language."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import Project
from partita import Client
from process_stack import partita

ROOT = Path(__file__).parents[2]

#: Builds as the workspace does, so that what it has built need not be built again.
AS_THE_WORKSPACE = (
    "--offline",
    "--config=profile.dev.debug='line-tables-only'",
    "--config=profile.dev.package.'*'.opt-level=1",
    "--config=profile.dev.package.'*'.debug=false",
)


def run(folder: Path, project: Project, *words: str, **variables: str) -> str:
    """Runs a command that must succeed in a folder; returns what it printed."""
    done = subprocess.run(
        words,
        cwd=folder,
        env=project.environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    return done.stdout


def use(folder: Path, project: Project, command: str) -> None:
    """Does what the README says comes after the tests."""
    *_, block = re.findall(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.S)
    path = os.pathsep.join([os.path.dirname(command), os.environ["PATH"]])
    for line in block.splitlines():
        run(folder, project, "sh", "-c", line, PATH=path)
    run_of_it = Client().get_run("latest")
    assert run_of_it.status == "completed"
    assert run_of_it.steps["total"].output.load() == 0 + 1 + 4 + 9


def new_in_python(project: Project, command: str) -> tuple[Path, str]:
    """Writes a flavor in Python; returns its folder and its source."""
    partita(command, "orchestrator", "flavor", "new", "day-queue")
    return project.folder / "day-queue", "flavors.day_queue.DayQueueOrchestratorFlavor"


def new_in_rust(project: Project, command: str) -> tuple[Path, str]:
    """Writes a flavor in Rust, and builds it; returns its folder and its source."""
    partita(command, "orchestrator", "flavor", "new", "spool", "--language", "rust")
    folder, target = project.folder / "spool", ROOT / "target"
    shutil.copy(ROOT / "Cargo.lock", folder)
    for verb in ("test", "build"):
        run(folder, project, "cargo", verb, *AS_THE_WORKSPACE, CARGO_TARGET_DIR=str(target))
    (folder / "target/debug").mkdir(parents=True)
    shutil.copy(target / "debug/spool", folder / "target/debug/spool")
    return folder, "./target/debug/spool"


def test_a_new_flavor_in_python_works(project: Project, command: str) -> None:
    folder, _ = new_in_python(project, command)
    run(folder, project, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    use(folder, project, command)


def test_a_new_flavor_in_rust_works(project: Project, command: str) -> None:
    folder, _ = new_in_rust(project, command)
    use(folder, project, command)
