"""The examples, and what `flavor new` writes, pass the conformance suite."""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conftest import Project
from process_stack import partita
from test_new_flavors import new_in_python, new_in_rust
from test_remote_orchestrator import EXAMPLE, SOURCE
from test_rust_orchestrators import SANDBOX

#: What none of them claims: they have no GPUs, and as much memory as anyone asks for.
NOT_CLAIMED = {"a-gpu-is-seen-or-refused", "what-can-never-fit-is-refused"}


def test_examples_and_new_flavors_pass(project: Project, command: str) -> None:
    remote = project.folder / "remote"
    shutil.copytree(EXAMPLE, remote)
    partita(command, "init", str(remote))
    sources = [
        (project.folder, SANDBOX),
        (remote, SOURCE),
        new_in_python(project, command),
        new_in_rust(project, command),
    ]

    def play(where: tuple[Path, str]) -> set[str]:
        """Plays the suite in a folder; returns what did not pass."""
        folder, source = where
        words = [command, "orchestrator", "flavor", "test", source, "--output", "json"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (source, done)
        return {v["scenario"] for v in json.loads(done.stdout) if v["verdict"] != "pass"}

    with ThreadPoolExecutor(2) as pool:
        for (_, source), left in zip(sources, pool.map(play, sources), strict=True):
            assert left == NOT_CLAIMED, source
