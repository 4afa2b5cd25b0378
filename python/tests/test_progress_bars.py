"""A step whose progress bar is drawn very often does not wait for whoever reads it."""

from __future__ import annotations

from conftest import Project
from partita import Client
from process_stack import use_process

#: What a progress bar draws in 20 seconds, at 1,000 times a second.
DRAWN = 20_000

PIPELINE = """
    import resource, sys
    from partita import pipeline, step

    @step
    def bar(count: int) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        for number in range(1, count + 1):
            print(f"\\r{number:6} of {count} |{'#' * (40 * number // count):40}|", end="", flush=True)
        return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before

    @pipeline
    def main():
        bar({count})
"""


def test_a_progress_bar_costs_its_step_no_waiting(project: Project, command: str) -> None:
    use_process(command)
    project.write("main.py", PIPELINE.replace("{count})\n", f"{DRAWN})\n"))
    finished = project.run()
    assert finished.code == 0, finished
    step = Client().get_run("latest").steps["bar"]
    # How often it gave its processor away: where its pipe was full, a few times in all.
    assert step.output.load() < DRAWN / 100
    assert (step.log or "").strip() == f"{DRAWN} of {DRAWN} |{'#' * 40}|"
