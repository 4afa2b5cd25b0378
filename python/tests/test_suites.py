"""The examples, and what `flavor new` writes, pass the conformance suite."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conftest import Project
from played_suites import (
    BOUNDED_MEMORY,
    DIRECT,
    ENTRYPOINTS,
    FIND,
    GPUS,
    LOGS,
    POLLS,
    SETTINGS,
    TELLS_ENDS,
    begin,
    not_claimed,
)
from process_stack import partita
from test_new_flavors import new_in_python, new_in_rust
from test_remote_orchestrator import EXAMPLE, SOURCE
from test_rust_orchestrators import SANDBOX

#: What none of them claims, and what those do not that wait for their jobs and forget them.
IN_NONE = GPUS | BOUNDED_MEMORY | DIRECT | ENTRYPOINTS | SETTINGS
WAITING = IN_NONE | FIND | LOGS | POLLS


def test_examples_and_new_flavors_pass(project: Project, command: str) -> None:
    remote = project.folder / "remote"
    shutil.copytree(EXAMPLE, remote)
    partita(command, "init", str(remote))
    sources = {
        (remote, SOURCE): IN_NONE | TELLS_ENDS,
        (project.folder, SANDBOX): WAITING,
        new_in_python(project, command): WAITING,
        new_in_rust(project, command): WAITING,
    }

    def play(where: tuple[Path, str]) -> set[str]:
        folder, source = where
        return not_claimed(begin(command, source, cwd=folder))

    with ThreadPoolExecutor(2) as pool:
        for (_, source), left in zip(sources, pool.map(play, sources), strict=True):
            assert left == sources[_, source], source
