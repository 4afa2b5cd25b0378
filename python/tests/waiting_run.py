"""A run that waits in its middle step, for tests that signal it, kill it or look at it from outside."""

from __future__ import annotations

import subprocess

from conftest import Project

#: Waits, in the way that `{wait}` says, until a signal comes.
WAITING = """
    import os, signal, sys, time
    from partita import StepRetryConfig, pipeline, step

    def ready() -> None:
        print("ready", flush=True)

    def note(text: str) -> None:
        with open("calls.txt", "a") as file:
            file.write(text + chr(10))

    @step(enable_cache=False)
    def before() -> int:
        note("before")
        return 1

    @step(enable_cache=False{options})
    def waits(number: int) -> int:
        note("waits")
        {body}
        return number

    @step(enable_cache=False)
    def after(number: int) -> int:
        note("after")
        return number

    @pipeline
    def waiting():
        after(waits(before()))

    if __name__ == "__main__":
        waiting()
"""


def write_waiting(project: Project, body: str, options: str = "") -> None:
    project.write("main.py", WAITING.format(body=body.strip(), options=options))


def run_until_ready(project: Project, line: str = "ready") -> subprocess.Popen[str]:
    return _until(project, line, "run", '{"target": "main.py"}')


def resume_until_ready(project: Project, line: str = "ready") -> subprocess.Popen[str]:
    return _until(project, line, "resume", '{"target": "main.py", "run_id": "latest"}')


def _until(project: Project, line: str, *words: str) -> subprocess.Popen[str]:
    process = project.begin("-m", "partita", *words)
    assert process.stdout is not None
    assert process.stdout.readline() == f"{line}\n"
    return process
