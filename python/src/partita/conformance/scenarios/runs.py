"""Runs beside and after each other."""

from __future__ import annotations

from partita import Client
from partita.conformance.calls import calling, calls
from partita.conformance.place import Place, check_code
from partita.conformance.scenario import expect, scenario

MEND = "keep what belongs to a run with its id, and nothing between runs."

#: A step that fails until a file is there.
MENDED = """
    from partita import pipeline, step

    @step(enable_cache=False)
    def first() -> int:
        called("first")
        return 1

    @step(enable_cache=False)
    def second(number: int) -> int:
        called("second")
        if not (FOLDER / "mended").exists():
            raise ValueError("not yet")
        return number

    @pipeline
    def mended():
        second(first())
"""


@scenario
def two_runs_at_once_do_not_disturb_each_other(place: Place) -> None:
    """Two runs of one pipeline, started at once, both complete."""
    place.write(
        "main.py",
        """
        import time
        from partita import get_step_context, pipeline, step

        @step(enable_cache=False)
        def wait(number: int) -> str:
            time.sleep(0.1)
            return get_step_context().run_id

        @pipeline
        def beside():
            for number in range(4):
                wait(number)
    """,
    )
    started = [place.begin("run", "main.py") for _ in range(2)]
    for command in started:
        check_code(place.end(command), 0)
    for run in Client().list_runs()[:2]:
        made = {step.output.load() for step in run.steps.values()}
        expect("the run ids that its steps saw", {run.id}, made, MEND)


@scenario
def a_failed_run_is_resumed_where_it_failed(place: Place) -> None:
    """Resuming runs the failed step again, and not those that were completed."""
    failed = place.run(calling(place, MENDED), code=1)
    (place.signals / "mended").touch()
    check_code(place.partita("runs", "resume", failed.id), 0)
    expect("the calls in all", ["first", "second", "second"], calls(place), MEND)
    expect("the run's status", "completed", Client().get_run(failed.id).status, MEND)


@scenario
def a_complete_run_is_not_run_again(place: Place) -> None:
    """Resuming a complete run starts nothing."""
    (place.signals / "mended").touch()
    run = place.run(calling(place, MENDED))
    place.partita("runs", "resume", run.id)
    expect("the calls in all", ["first", "second"], calls(place), MEND)


@scenario
def failed_runs_are_deleted_whole(place: Place) -> None:
    """A deleted run is gone, and the next one is not disturbed."""
    failed = place.run(calling(place, MENDED), code=1)
    check_code(place.partita("runs", "delete", failed.id), 0)
    expect(
        "that run in the list", False, failed.id in [run.id for run in Client().list_runs()], MEND
    )


@scenario
def a_run_goes_on_without_a_terminal(place: Place) -> None:
    """`run --detach` returns at once, and the run completes."""
    place.write(
        "main.py",
        """
        import time
        from partita import pipeline, step

        @step(enable_cache=False)
        def wait() -> int:
            time.sleep(0.3)
            return 1

        @pipeline
        def detached():
            wait()
    """,
    )
    check_code(place.partita("run", "main.py", "--detach"), 0)
    status = place.wait_for("the run to end", lambda: _ended(place))
    expect("the run's status", "completed", status, MEND)


def _ended(place: Place) -> str:
    status = place.last_run().status
    return status if status != "running" else ""
