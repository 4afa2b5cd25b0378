"""Where scenarios are played: a home and a source root of their own, and the `partita` command."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from partita import Client
from partita.conformance.scenario import NotClaimed, Unexpected
from partita.conformance.subject import Subject
from partita.errors import PartitaError

#: How long to wait for what is certain to happen, in seconds, besides the time in which attempts
#: may end that were cancelled. It begins anew with each step that is committed, since a backend may
#: be slow.
PATIENCE = 60.0

#: How long a command may take to end that a scenario has left, in seconds, besides that time.
TIDYING = 5.0

#: Seconds between two looks at what a command does that is waited for.
LOOKS = 0.5

STACK = "conformance"

Found = TypeVar("Found")


class Ended:
    """A command that has ended.

    Attributes:
        code: Its exit code; negative for the signal that ended it.
        out: What it printed.
        err: What it printed on standard error.
    """

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


class NotSetUp(PartitaError):
    """A command was refused that everything after it needs.

    Attributes:
        code: Its exit code.
    """

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.err.strip())
        self.code = ended.code


class Place:
    """A home whose active stack has the orchestrator, and an empty source root.

    Attributes:
        home: The home.
        folder: The source root.
        subject: What is tested.
        signals: A folder that this process and steps share, wherever they run: it lies in the
            artifact store.
    """

    def __init__(self, home: Path, folder: Path, command: str, subject: Subject) -> None:
        self.home = home
        self.folder = folder
        self.subject = subject
        self.signals = home / "store" / "signals"
        self._command = command
        self._patience = PATIENCE + subject.grace
        self._begun: list[subprocess.Popen[str]] = []
        #: Ends a scenario for which it need not be waited any more.
        self.watch: Callable[[], None] = lambda: None
        folder.mkdir(parents=True, exist_ok=True)
        self.signals.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, text: str) -> Path:
        """Writes a file of the source root."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def begin(
        self,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[str]:
        """Starts the `partita` command, in a process group of its own."""
        started = subprocess.Popen(
            [self._command, *arguments],
            cwd=self.folder,
            env={**self._environment(), **(variables or {})},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._begun.append(started)
        return started

    def _environment(self) -> dict[str, str]:
        environment = {**os.environ, "PARTITA_HOME": str(self.home), "NO_COLOR": "1"}
        root = self.subject.source_root
        if root is not None:  # What starts a step there may be of the flavor's own code.
            paths = [root, *filter(None, [environment.get("PYTHONPATH")])]
            environment["PYTHONPATH"] = os.pathsep.join(paths)
        return environment

    def give(self, *arguments: str, given: str) -> Ended:
        """Runs the `partita` command with something on its standard input."""
        return self.end(self.begin(*arguments, stdin=subprocess.PIPE), given)

    def end(self, started: subprocess.Popen[str], given: str | None = None) -> Ended:
        """Waits for a command to end.

        Raises:
            Unexpected: It does not.
        """
        committed, since = self._committed(), time.monotonic()
        while time.monotonic() < since + self._patience:
            with contextlib.suppress(subprocess.TimeoutExpired):
                out, err = started.communicate(given, timeout=LOOKS)
                return Ended(started.returncode, out, err)
            self.watch()
            if committed != (committed := self._committed()):
                since = time.monotonic()
        raise Unexpected(
            f"`{' '.join(map(str, started.args))}` to end",  # pyright: ignore[reportArgumentType, reportUnknownArgumentType]
            f"it still runs, and no step was committed for {self._patience:g} s",
            "report the end of every job; see whether one is waited for that never ends.",
        )

    def _committed(self) -> int:
        """Returns how many steps, and items of steps, have been committed."""
        folders = os.walk(self.home / "store" / "runs")  # What is deleted meanwhile is passed over.
        return sum(name.endswith("commit.json") for _, _, names in folders for name in names)

    def partita(self, *arguments: str, variables: Mapping[str, str] | None = None) -> Ended:
        """Runs the `partita` command to its end."""
        return self.end(self.begin(*arguments, variables=variables))

    def set_up(self, *arguments: str) -> str:
        """Runs a command that everything after it needs; returns what it printed.

        Raises:
            NotSetUp: It was refused.
        """
        ended = self.partita(*arguments)
        if ended.code != 0:
            raise NotSetUp(ended)
        return ended.out

    def run(
        self,
        text: str,
        *options: str,
        code: int = 0,
        variables: Mapping[str, str] | None = None,
    ) -> Any:
        """Runs a pipeline; returns its run.

        Args:
            text: The file that defines it.
            *options: More of what the command is told.
            code: The exit code that it should end with.
            variables: What is added to the environment.

        Raises:
            NotClaimed: It was refused before it ran.
            Unexpected: It ended with another code.
        """
        self.write("main.py", text)
        before = self.last_run_id()
        ended = self.partita("run", "main.py", *options, variables=variables)
        if self.last_run_id() == before:
            raise NotClaimed(ended.err.strip())
        check_code(ended, code)
        return self.last_run()

    def program(self, pipeline: str) -> str:
        """Returns the target of a pipeline of the program in Rust that the suite was given."""
        return f"{self.subject.program}:{pipeline}"

    def run_program(self, pipeline: str, *options: str, code: int = 0) -> Any:
        """Runs a pipeline of that program; returns its run.

        Args:
            pipeline: Its name.
            *options: More of what the command is told; parameters as `NAME=VALUE`.
            code: The exit code that it should end with.

        Raises:
            NotClaimed: It was refused before it ran.
            Unexpected: It ended with another code.
        """
        parameters = (option if option[0] == "-" else f"--param={option}" for option in options)
        before = self.last_run_id()
        ended = self.partita("run", self.program(pipeline), *parameters)
        if self.last_run_id() == before:
            raise NotClaimed(ended.err.strip())
        check_code(ended, code)
        return self.last_run()

    def last_run_id(self) -> str | None:
        """Returns the id of the run that was begun last."""
        runs = Client().list_runs()
        return runs[0].id if runs else None

    def last_run(self) -> Any:
        """Returns the run that was begun last."""
        return Client().get_run("latest")

    def described(self) -> dict[str, Any]:
        """Returns what `runs describe` says of the run that was begun last."""
        ended = self.partita("runs", "describe", "latest", "--output", "json")
        check_code(ended, 0)
        return json.loads(ended.out)

    def attempts(self, step: str) -> list[dict[str, Any]]:
        """Returns what `runs describe` says of the attempts at a step of that run."""
        return self.described()["steps"][step]["attempts"]

    def only_attempt(self, step: str) -> dict[str, Any]:
        """Returns what `runs describe` says of the one attempt at a step of that run.

        Raises:
            Unexpected: There is none, or there are several.
        """
        described = self.described()
        found = described["steps"][step]
        if len(found["attempts"]) != 1:
            seen = f"{len(found['attempts'])} at a step that is {found['status']}"
            error = described.get("error")
            raise Unexpected(
                f"one attempt at the step `{step}`",
                f"{seen}; the run says: {error}" if error else seen,
                "run each step that may run, and leave retries to the engine.",
            )
        return found["attempts"][0]

    def files(self) -> list[Path]:
        """Returns all files of the home."""
        return [path for path in self.home.rglob("*") if path.is_file()]

    def wait_for(self, what: str, look: Callable[[], Found]) -> Found:
        """Waits until `look` finds something, and returns it.

        Raises:
            Unexpected: It does not.
        """
        end = time.monotonic() + self._patience
        while time.monotonic() < end:
            found = look()
            if found:
                return found
            time.sleep(0.02)
        raise Unexpected(
            what, f"nothing of it in {self._patience:g} s", "see the logs of the step."
        )

    def wait_for_signal(self, name: str) -> str:
        """Waits for a file that a step makes, and returns what is in it."""
        path = self.signals / name

        def look() -> str:
            return path.read_text() if path.exists() else ""

        return self.wait_for(f"the step to make `{name}`", look)

    def needs_isolation(self) -> None:
        """Ends the scenario where steps share a process.

        Raises:
            NotClaimed: They do.
        """
        if self.subject.is_isolated is None:
            run = self.run(STEPS_BEFORE)
            steps_before = [step.output.load() for step in run.steps.values()]
            self.subject.is_isolated = not any(steps_before)
        if not self.subject.is_isolated:
            raise NotClaimed("its steps share a process")

    def needs_own_environment(self) -> None:
        """Ends the scenario where steps run in images, whose environment is not the run's.

        Raises:
            NotClaimed: They do.
        """
        self.write("main.py", STEPS_BEFORE)
        compiled = self.partita("compile", "main.py")
        check_code(compiled, 0)
        steps = json.loads(compiled.out)["steps"]
        if any("parent_image" in step["config"].get("docker", {}) for step in steps):
            raise NotClaimed("its steps run in images, which bring their environment")

    def tidy(self) -> None:
        """Ends what a scenario has left running; a run is cancelled first, with its steps."""
        self.watch = lambda: None
        running = [command for command in self._begun if command.poll() is None]
        for command in running:
            command.terminate()
        end = time.monotonic() + TIDYING + self.subject.grace
        for command in running:
            with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
                command.communicate(timeout=max(0.0, end - time.monotonic()))
        for command in self._begun:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(command.pid, signal.SIGKILL)
        for name in self.signals.iterdir():
            with contextlib.suppress(OSError):
                os.unlink(name)


#: Where processes have namespaces of their own, those of different steps may have one number.
STEPS_BEFORE = """
    import sys
    from partita import pipeline, step

    @step(enable_cache=False)
    def steps_before(number: int) -> int:
        before = getattr(sys, "conformance_steps", 0)
        sys.conformance_steps = before + 1
        return before

    @pipeline
    def isolation():
        steps_before(steps_before(1))
"""


def check_code(ended: Ended, code: int) -> None:
    """Compares an exit code.

    Raises:
        Unexpected: It is another one.
    """
    if ended.code != code:
        failed = first_failure(ended.err)
        said = ended.err.strip()[-600:] or "nothing"
        if failed is not None and failed not in said:
            said = f"{failed} … {said}"
        mend = f"see why the step failed: {failed}" if failed else "see what it said."
        raise Unexpected(f"exit code {code}", f"{ended.code}; it said: {said}", mend)


def first_failure(said: str) -> str | None:
    """Returns the first line in which a run says that a step has failed, and why."""
    lines = map(str.strip, said.splitlines())
    return next((line for line in lines if FAILED.search(line)), None)


#: As in `train: failed after 1.2s: ValueError: no luck`.
FAILED = re.compile(r"^(?!run )\S.*?: failed\b.*?: ")
