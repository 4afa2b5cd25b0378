"""Runs steps through a remote shell. A job is a folder there: its process, its log, its code."""

from __future__ import annotations

import shlex
import subprocess

from partita.enums import JobStatus
from partita.orchestrators import Attempt, BaseOrchestrator, JobReport, Resources

#: What `ssh` exits with when it does not get there.
AWAY = 255

#: Outlives this process and the connection. A second one of its name is not started.
LAUNCH = """
{variables}
mkdir -p {folder} || exit
mkdir {job} 2>/dev/null || exit 0
setsid sh -c 'echo $$ >"$0/own"; mv "$0/own" "$0/process"; trap : TERM; "$@"
    echo $? >"$0/code.new"; mv "$0/code.new" "$0/code"' {job} {command} >{job}/log 2>&1 </dev/null &
while [ ! -e {job}/process ] && kill -0 $! 2>/dev/null; do sleep 0.01; done
"""
POLL = """
if [ ! -e {job}/code ] && kill -0 "$(cat {job}/process)" 2>/dev/null; then echo active
else cat {job}/code 2>/dev/null || :; fi
"""
FIND = "if [ -e {job}/process ]; then echo yes; fi"
#: What does not end when it is asked to is ended three seconds later.
CANCEL = """
kill -s TERM -- "-$(cat {job}/process)" 2>/dev/null || exit 0
setsid sh -c 'sleep 3; [ -e "$0/code" ] || kill -s KILL -- "-$(cat "$0/process")"' \
    {job} >/dev/null 2>&1 </dev/null &
"""


class RemoteOrchestrator(BaseOrchestrator):
    """Every question is a small script that the remote shell reads."""

    poll_interval = 0.1

    def launch(
        self,
        attempt: Attempt,
        command: list[str],
        environment: dict[str, str],
        resources: Resources,
    ) -> str:
        """Starts a step there, unless it is there already."""
        job = attempt.id.replace("/", "_")
        if self.config.python and command[1] == "-m":  # A program enters its steps without.
            command = [self.config.python, *command[1:]]
        variables = [f"export {key}={shlex.quote(value)}" for key, value in environment.items()]
        self.ask(LAUNCH, job, command=shlex.join(command), variables="\n".join(variables))
        return job

    def poll(self, job_id: str) -> JobReport | JobStatus:
        """Says where a job stands: its code is there when it has ended."""
        told = self.ask(POLL, job_id).strip()
        if told == "active":
            return JobStatus.ACTIVE
        if not told:
            return JobReport("failed", message="its process is gone, and left no exit code")
        return JobReport("failed" if int(told) else "completed", exit_code=int(told))

    def cancel(self, job_id: str) -> None:
        """Asks a job to end, and sees to it that it does."""
        self.ask(CANCEL, job_id)

    def find(self, attempt_id: str) -> str | None:
        """Finds the job of an attempt, also one that an earlier run of the engine has launched."""
        job = attempt_id.replace("/", "_")
        return job if self.ask(FIND, job) else None

    def logs(self, job_id: str) -> str:
        """Returns what a job has printed."""
        return self.ask("cat {job}/log", job_id)

    def ask(self, script: str, job: str, **words: str) -> str:
        """Has the remote shell run a script, and returns what it prints."""
        folder: str = self.config.folder
        text = script.format(
            job=shlex.quote(f"{folder}/{job}"), folder=shlex.quote(folder), **words
        )
        done = subprocess.run(self.config.shell, input=text, stdout=subprocess.PIPE, text=True)
        if done.returncode == AWAY:
            raise ConnectionError(f"`{shlex.join(self.config.shell)}` does not get there")
        done.check_returncode()
        return done.stdout
