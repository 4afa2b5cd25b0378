"""A launcher: it starts one step at a time, and the engine does the rest."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from partita.enums import JobStatus
from partita.orchestrators import Attempt, BaseOrchestrator, JobReport, Resources


class JobsOrchestrator(BaseOrchestrator):
    """Runs every step as a process; a queue's `submit`, `status` and `kill` would stand here."""

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
        job = subprocess.Popen(command, env={**os.environ, **environment})
        self.jobs[str(job.pid)] = job
        return str(job.pid)

    def poll(self, job_id: str) -> JobReport | JobStatus:
        """Says where a job stands."""
        code = self.jobs[job_id].poll()
        return JobStatus.ACTIVE if code is None else self.report(code)

    def wait(self, job_id: str) -> JobReport:
        """Waits for the end of a job, so that it is not polled. This may be left out."""
        return self.report(self.jobs[job_id].wait())

    def cancel(self, job_id: str) -> None:
        """Asks a job to end; asked once more, when its grace is over, ends it."""
        if job_id in self.cancelled:
            self.jobs[job_id].kill()
        self.cancelled.add(job_id)
        self.jobs[job_id].terminate()

    @staticmethod
    def report(code: int) -> JobReport:
        """Says how a job has ended."""
        status = JobStatus.COMPLETED if code == 0 else JobStatus.FAILED
        return JobReport(status, exit_code=code)
