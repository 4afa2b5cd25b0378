"""A launcher that claims everything passes what the conformance suite lets befall plugins."""

from __future__ import annotations

import pytest

from conftest import Project
from custom_flavors import FLAVOR, SOURCE, write_flavor
from played_suites import DIRECT, TELLS_ENDS, begin, not_claimed

#: A launcher with all that there is: jobs are known by a folder each, and outlive it.
QUEUE = """
    import os
    import signal
    import subprocess
    import sys
    from contextlib import suppress
    from pathlib import Path
    from flavors.entry import QueuedStep
    from partita.enums import JobStatus
    from partita.orchestrators import BaseOrchestrator, JobReport

    RUNNER = '''if True:
        import os, pathlib, signal, subprocess, sys
        folder = pathlib.Path(sys.argv[1])
        signal.signal(signal.SIGTERM, lambda *_: signal.alarm(2))  # For steps that are deaf.
        signal.signal(signal.SIGALRM, lambda *_: step.kill())
        with open(folder / "log", "wb") as log:
            step = subprocess.Popen(sys.argv[2:], stdout=log, stderr=log)
            code = step.wait()
        (folder / "code.new").write_text(str(code))
        os.rename(folder / "code.new", folder / "code")
    '''

    class MyOrchestrator(BaseOrchestrator):
        poll_interval = 0.05

        def launch(self, attempt, command, environment, resources):
            folder = self.folder(attempt.id)
            with suppress(FileExistsError):
                folder.mkdir(parents=True)
                command = QueuedStep.queued(command, self.get_settings(attempt).partition)
                job = subprocess.Popen(
                    [sys.executable, "-c", RUNNER, folder, *command],
                    env={**os.environ, **environment},
                    start_new_session=True,
                )
                (folder / "pid").write_text(str(job.pid))
            return attempt.id

        def poll(self, job_id):
            folder = self.folder(job_id)
            is_alive = self.is_alive(int((folder / "pid").read_text()))
            if (folder / "code").exists():
                code = int((folder / "code").read_text())
                return JobReport("completed" if code == 0 else "failed", exit_code=code)
            return JobStatus.ACTIVE if is_alive else JobReport("failed", exit_code=-9)

        def cancel(self, job_id):
            folder = self.folder(job_id)
            number = signal.SIGKILL if (folder / "cancelled").exists() else signal.SIGTERM
            (folder / "cancelled").touch()
            if not (folder / "code").exists():
                with suppress(ProcessLookupError):
                    os.killpg(int((folder / "pid").read_text()), number)

        def find(self, attempt_id):
            return attempt_id if self.folder(attempt_id).exists() else None

        def logs(self, job_id):
            return (self.folder(job_id) / "log").read_text()

        def folder(self, job_id):
            return Path("jobs", job_id.replace("/", "-")).absolute()

        @staticmethod
        def is_alive(pid):
            with suppress(ChildProcessError):  # Of an earlier process.
                os.waitpid(pid, os.WNOHANG)
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return False
            return True
"""

ENTRY = """
    from partita.entrypoints import StepEntrypointConfiguration

    class QueuedStep(StepEntrypointConfiguration):
        @classmethod
        def get_entrypoint_options(cls):
            return super().get_entrypoint_options() | {"partition"}

        @classmethod
        def queued(cls, command, partition):
            base = "partita.entrypoints.StepEntrypointConfiguration"
            own = f"{cls.__module__}.{cls.__qualname__}"
            return [*(word.replace(base, own) for word in command), "--partition", partition]

        def post_run(self, pipeline_name, step_name):
            print(step_name, "leaves the partition", self.entrypoint_args["partition"])
"""

QUEUE_SETTINGS = """
    from typing import Literal
    from partita.config import BaseSettings

    class QueueSettings(BaseSettings):
        partition: Literal["short", "long"] = "short"
        nodes: int = 1
"""

SETTINGS_CLASS = """
        @property
        def settings_class(self):
            from flavors.settings import QueueSettings
            return QueueSettings
"""


@pytest.fixture
def queue(project: Project) -> None:
    """A flavor whose launcher has all that there is."""
    write_flavor(project, QUEUE)
    project.write("flavors/entry.py", ENTRY)
    project.write("flavors/settings.py", QUEUE_SETTINGS)
    project.write("flavors/my_flavor.py", FLAVOR + SETTINGS_CLASS)


#: What is played on it; the examples see to the rest.
PLAYED = (
    "a-plugin-*",
    "an-attempt-*",
    "a-job-*",
    "what-is-told-late-*",
    "questions-*",
    "a-slow-plugin-*",
    "settings-*",
    "options-*",
    "post-run-*",
    "control-c-*",
    "steps-end-*",
    "a-signal-*",
)


@pytest.mark.usefixtures("queue")
def test_a_launcher_that_claims_everything_passes_what_befalls_plugins(
    project: Project, command: str
) -> None:
    chosen = [f"--scenario={pattern}" for pattern in PLAYED]
    suite = begin(command, SOURCE, "--queue=a", *chosen, cwd=project.folder)
    assert not_claimed(suite) == DIRECT | TELLS_ENDS
