"""Named limits, which the steps of all runs of a home keep to together."""

from __future__ import annotations

import signal

import pytest

from conftest import Project, finish
from partita import Client
from process_stack import use_process
from waiting_run import run_until_ready, write_waiting

#: No more than two hold a place at once; which ones is nobody's business.
APART = """
    import os
    from partita import pipeline, step

    @step(limits={"licence": 2})
    def limited(number: int) -> int:
        for place in ("one", "two"):
            try:
                os.mkdir(place)
            except FileExistsError:
                continue
            os.rmdir(place)
            return number
        raise AssertionError("three at once")

    @pipeline
    def main(first: int = 0):
        for number in range(12):
            limited(first + number)
"""


def test_steps_of_one_run_keep_to_a_limit(project: Project, command: str) -> None:
    use_process(command, max_parallelism=6)
    project.write("main.py", APART)
    finished = project.run()
    assert finished.code == 0, finished


def test_steps_of_two_runs_keep_to_a_limit_together(project: Project, command: str) -> None:
    use_process(command, max_parallelism=4)
    project.write("main.py", APART)
    runs = [
        project.begin(
            "-m", "partita", "run", f'{{"target": "main.py", "parameters": {{"first": "{n}"}}}}'
        )
        for n in (0, 100)
    ]
    for run in runs:
        ended = finish(run)
        assert ended.code == 0, ended


WAITS = 'ready()\n        while not os.path.exists("go"):\n            time.sleep(0.01)'


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["cancelled", "killed"])
def test_a_place_is_free_again_however_its_holder_ends(
    project: Project, command: str, number: signal.Signals
) -> None:
    use_process(command)
    write_waiting(project, WAITS, ', limits={"licence": 1}')
    holder = run_until_ready(project, "waits | ready")
    waiting = project.begin("-m", "partita", "run", '{"target": "main.py"}')
    assert waiting.stderr is not None
    while not (line := waiting.stderr.readline()).startswith("waits: waits"):
        assert waiting.poll() is None
    held = Client().list_runs()[1].name
    assert line == f"waits: waits for the limit `licence`; run `{held}` holds it\n"
    assert Client().get_run("latest").steps["waits"].status == "waiting"
    holder.send_signal(number)
    holder.communicate()
    (project.folder / "go").touch()
    ended = finish(waiting)
    assert ended.code == 0, ended


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ('{"licence": 0}', "no step may ever run under the limit `licence`, which is 0"),
        ('{"licence": "two"}', "takes names of limits, each with the number"),
        ("2", "takes names of limits, each with the number"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(
    project: Project, limits: str, message: str
) -> None:
    project.write("main.py", APART.replace('{"licence": 2}', limits))
    finished = project.run()
    assert finished.code == 1
    assert message in finished.err
    assert Client().list_runs() == []
