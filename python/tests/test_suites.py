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
    ISOLATION,
    LAUNCHES,
    LOGS,
    NO_ENGINE,
    POLLS,
    PROCESSES,
    SETTINGS,
    TELLS_ENDS,
    begin,
    not_claimed,
)
from process_stack import partita
from test_new_flavors import new_in_python, new_in_rust
from test_remote_orchestrator import EXAMPLE as REMOTE
from test_remote_orchestrator import SOURCE
from test_rust_orchestrators import SANDBOX
from test_rust_ways import MAKEFILE, WAVES

EXAMPLES = REMOTE.parent
PYTHON = EXAMPLES / "custom_orchestrator_python"

#: What none of them claims.
IN_NONE = GPUS | ENTRYPOINTS | SETTINGS

#: What launchers leave out that are told of ends, and have as much memory as anyone asks for.
OF_PROCESSES = DIRECT | BOUNDED_MEMORY | FIND | LOGS | POLLS

#: What a direct one leaves out whose steps are processes.
DIRECT_PROCESSES = LAUNCHES | BOUNDED_MEMORY | FIND | LOGS | POLLS

#: What one leaves out that delegates, and is told of neither steps nor jobs.
DELEGATES = LAUNCHES | NO_ENGINE | FIND | LOGS | POLLS | TELLS_ENDS

#: What a direct one leaves out whose steps share its process.
NO_PROCESSES = LAUNCHES | ISOLATION | PROCESSES | FIND | LOGS | POLLS


def test_examples_and_new_flavors_pass(project: Project, command: str) -> None:
    remote = project.folder / "remote"
    shutil.copytree(REMOTE, remote)
    partita(command, "init", str(remote))
    claims = [
        (project.folder, SANDBOX, OF_PROCESSES),
        (EXAMPLES / "custom_orchestrator_any_language", "./plugin.sh", OF_PROCESSES),
        (PYTHON, "flavors.launcher.JobsOrchestratorFlavor", OF_PROCESSES),
        (PYTHON, "flavors.direct.TidyOrchestratorFlavor", NO_PROCESSES),
        (remote, SOURCE, DIRECT | BOUNDED_MEMORY | TELLS_ENDS),
        (project.folder, WAVES, DIRECT_PROCESSES),
        (project.folder, MAKEFILE, DELEGATES),
        (*new_in_python(project, command), OF_PROCESSES),
        (*new_in_rust(project, command), OF_PROCESSES),
    ]

    def play(claim: tuple[Path, str, set[str]]) -> set[str]:
        """Plays the suite in a folder; returns what was not claimed."""
        folder, source, _ = claim
        return not_claimed(begin(command, source, cwd=folder))

    with ThreadPoolExecutor(2) as pool:
        for (_, source, left), seen in zip(claims, pool.map(play, claims), strict=True):
            assert seen == IN_NONE | left, source
