"""A project of its own for each test: a folder of scripts, and a home that nobody else uses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import partita
from partita import Client

pytest_plugins = ["docker_engine", "image_stack", "image_registry"]

#: Long enough for the slowest machine; a test that takes this long hangs.
PATIENCE = 120.0


@dataclass(frozen=True)
class Finished:
    """How a process ended: its exit code (negative for a signal) and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The one paragraph after `error: `, after a check that nothing else is wrong."""
        assert self.code == 1, self
        self.check_no_faults()
        _, found, message = self.err.rpartition("error: ")
        assert found and len(message.strip().splitlines()) == 1, self
        return message.strip()

    def check_no_faults(self) -> None:
        """Checks that neither Python nor Rust shows its own insides."""
        for fault in ("Traceback (most recent call last)", "panicked at", "bug in Partita"):
            assert fault not in self.err + self.out, self


class Project:
    """A folder of scripts and a home."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home

    def write(self, name: str, text: str) -> Path:
        """Writes a file of the project; the text may be indented."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a process that imports this Partita and uses this home."""
        packages = os.path.dirname(os.path.dirname(partita.__file__))
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return {**kept, "PYTHONPATH": packages, "PARTITA_HOME": str(self.home), **more}

    def begin(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Starts Python with these arguments."""
        environment = self.environment(**options.pop("env", {}))
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def python(self, *arguments: str, **options: Any) -> Finished:
        """Runs Python with these arguments to its end."""
        return finish(self.begin(*arguments, **options))

    def verb(self, verb: str, **request: Any) -> Finished:
        """Does what the `partita` command has Python do for this verb."""
        return self.python("-m", "partita", verb, json.dumps(request))

    def run(self, target: str = "main.py", **request: Any) -> Finished:
        """Runs a pipeline as `partita run` does."""
        return self.verb("run", target=target, **request)

    def resume(self, run_id: str, target: str = "main.py", **request: Any) -> Finished:
        """Resumes a run as `partita runs resume` does."""
        return self.verb("resume", target=target, run_id=run_id, **request)

    def lines(self, name: str = "calls.txt") -> list[str]:
        """The lines of a side file that steps write to."""
        path = self.folder / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def statuses(self, run: str = "latest") -> dict[str, str]:
        """The status of each step of a run."""
        return {name: step.status for name, step in Client().get_run(run).steps.items()}

    def reasons(self, run: str = "latest") -> dict[str, str | None]:
        """Why each step of a run ran or was cached."""
        return {name: step.cache_reason for name, step in Client().get_run(run).steps.items()}

    @property
    def store(self) -> Path:
        """The folder of the default artifact store."""
        return self.home / "store"


def finish(process: subprocess.Popen[str], patience: float = PATIENCE) -> Finished:
    """Waits for a process and returns how it ended."""
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it hangs; so far: {out!r} {err!r}") from None
    return Finished(process.returncode, out, err)


def interrupt(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> Finished:
    """Sends a signal to a process and waits for its end."""
    process.send_signal(number)
    return finish(process)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project of its own, whose home is that of this process as well."""
    folder = tmp_path / "project"
    folder.mkdir()
    made = Project(folder, tmp_path / "home")
    monkeypatch.setenv("PARTITA_HOME", str(made.home))
    monkeypatch.chdir(folder)
    yield made


@pytest.fixture
def command() -> str:
    """The `partita` command beside the Python that runs the tests."""
    found = shutil.which("partita", path=os.path.dirname(sys.executable))
    if found is None:
        pytest.skip("the `partita` command is not installed")
    return found
