"""Runs that end before they are complete."""

from __future__ import annotations

import os
import signal

from partita import Client
from partita.conformance.calls import calling, calls
from partita.conformance.living import MEND, check_dead, check_seen
from partita.conformance.place import Place, check_code
from partita.conformance.scenario import expect, scenario

#: A step that says how long it lives, and waits for a file.
WAITING = """
    import os, time
    from partita import pipeline, step

    @step(enable_cache=False)
    def first() -> int:
        called("first")
        return 1

    @step(enable_cache=False)
    def wait(number: int) -> int:
        called("wait")
        (FOLDER / "begun").write_text(str(os.getpid()))
        while not (FOLDER / "go").exists():
            (FOLDER / "begun").stat()  # It is removed with the scenario, which ends this.
            (FOLDER / "alive").write_text(str(time.time()))
            time.sleep(0.02)
        return number

    @step(enable_cache=False)
    def last(number: int) -> int:
        called("last")
        return number

    @pipeline
    def waiting():
        last(wait(first()))
"""


@scenario
def control_c_cancels_the_run_and_its_steps(place: Place) -> None:
    """Ctrl-C ends the steps, the run is cancelled, and the exit code is 130."""
    place.write("main.py", calling(place, WAITING))
    run = place.begin("run", "main.py")
    place.wait_for_signal("begun")
    os.kill(run.pid, signal.SIGINT)
    ended = place.end(run)
    check_code(ended, 130)
    expect("the run's status", "cancelled", place.last_run().status, MEND)
    expect("the calls in all", ["first", "wait"], calls(place), MEND)
    check_dead(place)
    check_seen(ended.err)


@scenario
def a_run_is_cancelled_from_elsewhere(place: Place) -> None:
    """`runs cancel` ends a run that another process drives."""
    place.write("main.py", calling(place, WAITING))
    run = place.begin("run", "main.py")
    place.wait_for_signal("begun")
    check_code(place.partita("runs", "cancel", "latest"), 0)
    ended = place.end(run)
    expect("the run's status", "cancelled", place.last_run().status, MEND)
    check_dead(place)
    check_seen(ended.err)


@scenario
def a_cancelled_run_is_resumed(place: Place) -> None:
    """A cancelled run goes on where it was."""
    place.write("main.py", calling(place, WAITING))
    run = place.begin("run", "main.py")
    place.wait_for_signal("begun")
    os.kill(run.pid, signal.SIGINT)
    place.end(run)
    (place.signals / "go").touch()
    check_code(place.partita("runs", "resume", "latest"), 0)
    expect("the calls in all", ["first", "wait", "wait", "last"], calls(place), MEND)
    expect("the run's status", "completed", place.last_run().status, MEND)


@scenario
def a_killed_engine_leaves_an_interrupted_run_that_goes_on(place: Place) -> None:
    """After `kill -9` of the engine no finished step runs again when the run is resumed."""
    place.write("main.py", calling(place, WAITING))
    run = place.begin("run", "main.py")
    place.wait_for_signal("begun")
    os.kill(run.pid, signal.SIGKILL)
    place.end(run)
    expect("the run's status", "interrupted", place.last_run().status, MEND)
    (place.signals / "go").touch()
    check_code(place.partita("runs", "resume", "latest"), 0)
    called = calls(place)
    expect("how often the finished step ran", 1, called.count("first"), MEND)
    expect("how often the last step ran", 1, called.count("last"), MEND)
    expect("the run's status", "completed", place.last_run().status, MEND)


@scenario
def steps_end_with_a_cancelled_run_that_is_deaf(place: Place) -> None:
    """A step that takes no notice of being asked is ended by the second `cancel`, after `grace`."""
    place.needs_isolation()
    text = calling(place, WAITING).replace(
        'called("wait")', "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    )
    place.write("main.py", text)
    run = place.begin("run", "main.py")
    place.wait_for_signal("begun")
    os.kill(run.pid, signal.SIGINT)
    ended = place.end(run)
    check_code(ended, 130)
    check_dead(place)
    check_seen(ended.err)


@scenario
def two_engines_do_not_drive_one_run(place: Place) -> None:
    """Resuming a run that is going on is refused, and does it no harm."""
    place.write("main.py", calling(place, WAITING))
    run = place.begin("run", "main.py")
    place.wait_for_signal("begun")
    refused = place.partita("runs", "resume", "latest")
    expect("a refusal", True, refused.code not in (0, 70), "leave the lease to the engine.")
    (place.signals / "go").touch()
    check_code(place.end(run), 0)
    expect("the calls in all", ["first", "wait", "last"], calls(place), MEND)
    expect("the run's status", "completed", Client().get_run("latest").status, MEND)
