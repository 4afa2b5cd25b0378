"""Starts steps, knows how they stand, and ends them; the engine does the rest."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from partita.orchestrators import Attempt, BaseOrchestrator, JobReport, Resources


class MyFlavorOrchestrator(BaseOrchestrator):
    """Runs every step as a process; a queue's `submit`, `status` and `cancel` would stand here."""

    def __init__(self, **component: Any) -> None:
        """Begins without jobs."""
        super().__init__(**component)
        self.jobs: dict[str, subprocess.Popen[bytes]] = {}
        self.cancelled: set[str] = set()

    def launch(
        self,
        attempt: Attempt,
        command: list[str],
        environment: dict[str, str],
        resources: Resources,
    ) -> str:
        """Starts a step, and returns what its job is called."""
        job = subprocess.Popen(
            ["nice", f"-n{self.config.nice}", *command],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
        )
        self.jobs[str(job.pid)] = job
        return str(job.pid)

    def poll(self, job_id: str) -> JobReport:
        """Says where a job stands. It is not asked where there is `wait`."""
        code = self.jobs[job_id].poll()
        return JobReport("active") if code is None else self.report(code)

    def wait(self, job_id: str) -> JobReport:
        """Waits for the end of a job, on a thread of its own. It may be left out."""
        return self.report(self.jobs[job_id].wait())

    def cancel(self, job_id: str) -> None:
        """Asks a job to end; asked once more, ends it."""
        if job_id in self.cancelled:
            self.jobs[job_id].kill()
        else:
            self.cancelled.add(job_id)
            self.jobs[job_id].terminate()

    @staticmethod
    def report(code: int) -> JobReport:
        """Says how a job has ended."""
        return JobReport("completed" if code == 0 else "failed", exit_code=code)
