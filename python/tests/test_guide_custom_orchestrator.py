"""The guide to custom orchestrators: its files, and every one of its commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from conftest import Project
from partita import Client

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/guide/custom-orchestrator.md"
EXAMPLE = "examples/custom_orchestrator_python"
MAKES = ROOT / "examples/custom_orchestrator_intermediate_representation/flavors"


def test_every_command_of_the_guide_works(project: Project, command: str) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for name in re.findall(rf"<!-- file: {EXAMPLE}/(\S+) -->", text):
        file = project.folder / name
        file.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / EXAMPLE / name, file)
    for file in MAKES.glob("make*.py"):
        shutil.copy(file, project.folder / "flavors")
    path = os.pathsep.join([os.path.dirname(command), os.environ["PATH"]])
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for line in block.splitlines():
            done = subprocess.run(
                ["sh", "-c", line],
                cwd=project.folder,
                env={**project.environment(), "PATH": path},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (line, done)
    runs = Client().list_runs()
    assert [run.status for run in runs] == ["completed"] * 4
    journal = project.lines("steps.txt")
    assert [line.split()[1] for line in journal] == ["load", "square", "total"]
