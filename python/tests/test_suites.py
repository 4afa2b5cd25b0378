"""The examples, and what `flavor new` writes, pass the conformance suite."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

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

#: An executable; a folder and a source in it; or what makes these.
Source = str | tuple[Path, str] | Callable[[Project, str], tuple[Path, str]]

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


def new_remote(project: Project, command: str) -> tuple[Path, str]:
    """Copies the example of a remote shell into a folder of its own."""
    remote = project.folder / "remote"
    shutil.copytree(REMOTE, remote)
    partita(command, "init", str(remote))
    return remote, SOURCE


@pytest.mark.parametrize(
    ("source", "left"),
    [
        (SANDBOX, OF_PROCESSES),
        (WAVES, DIRECT_PROCESSES),
        (MAKEFILE, DELEGATES),
        ((EXAMPLES / "custom_orchestrator_any_language", "./plugin.sh"), OF_PROCESSES),
        ((PYTHON, "flavors.launcher.JobsOrchestratorFlavor"), OF_PROCESSES),
        ((PYTHON, "flavors.direct.TidyOrchestratorFlavor"), NO_PROCESSES),
        (new_remote, DIRECT | BOUNDED_MEMORY | TELLS_ENDS),
        (new_in_python, OF_PROCESSES),
        (new_in_rust, OF_PROCESSES),
    ],
    ids=["sandbox", "waves", "makefile", "shell", "jobs", "tidy", "remote", "python", "rust"],
)
def test_an_example_or_a_new_flavor_passes(
    project: Project, command: str, source: Source, left: set[str]
) -> None:
    if callable(source):
        folder, name = source(project, command)
    else:
        folder, name = (project.folder, source) if isinstance(source, str) else source
    assert not_claimed(begin(command, name, cwd=folder)) == IN_NONE | left
