"""A plugin that dies: at each message, and the run goes on or says so, and is resumed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from partita.conformance.calls import calling, calls
from partita.conformance.faults import STACK, Fault, Faults, path_of
from partita.conformance.living import check_dead
from partita.conformance.place import Place, check_code
from partita.conformance.scenario import NotClaimed, expect, scenario
from partita.conformance.scenarios.ending import WAITING

MEND = (
    "keep nothing of a run in the plugin's memory alone; implement `find` if jobs outlive it, and "
    "let them end with it if not."
)

LINE = """
    import time
    from partita import pipeline, step

    @step(enable_cache=False)
    def first() -> int:
        called("first")
        return 1

    @step(enable_cache=False)
    def last(number: int) -> int:
        called("last")
        return number + 1

    @pipeline
    def line():
        last(first())
"""


def survive(place: Place, *deaths: Fault) -> None:
    """Runs two steps with a plugin that dies, resumes the run if it failed, and looks at it."""
    plugin = Faults(place)
    plugin.set(*deaths)
    place.write("main.py", calling(place, LINE))
    ended = place.partita("run", "main.py", "--stack", STACK)
    plugin.check_met()
    if ended.code != 0:
        check_code(ended, 1)
        expect("the run's status", "failed", place.last_run().status, MEND)
        expect("the plugin in the message", True, str(path_of(place)) in ended.err, MEND)
        told = "SIGKILL" in ended.err or "died" in ended.err
        expect("its end in the message", True, told, MEND)
        check_code(place.partita("runs", "resume", "latest"), 0)
    run = place.last_run()
    expect("the run's status in the end", "completed", run.status, MEND)
    expect("what the last step made", 2, run.steps["last"].output.load(), MEND)
    called = calls(place)
    expect("how often the first step ran", 1, called.count("first"), MEND)
    # What the plugin had in hand when it died may have to be run again.
    most = 1 if deaths[0].launches < 2 else 2
    expect("the last step to run, not too often", True, 0 < called.count("last") <= most, MEND)


@scenario
def a_plugin_that_dies_when_it_describes_itself_changes_nothing(place: Place) -> None:
    """A flavor whose plugin dies while it is taken in stays what it was."""
    plugin = Faults(place)
    plugin.set()
    flavor = plugin.flavor(place)
    describe = ("orchestrator", "flavor", "describe", flavor, "--output", "json")
    before = place.partita(*describe).out
    plugin.set(Fault("die", "describe", "asked"))
    refused = place.partita("orchestrator", "flavor", "update", flavor)
    plugin.check_met()
    check_code(refused, 1)
    expect("its end in the message", True, "SIGKILL" in refused.err, MEND)
    expect("the flavor", before, place.partita(*describe).out, MEND)
    check_code(place.partita("orchestrator", "flavor", "update", flavor), 0)


@scenario
def a_plugin_that_dies_when_it_validates_is_done_without(place: Place) -> None:
    """A component is checked against the stored schema where the plugin cannot be asked."""
    plugin = Faults(place)
    plugin.set(Fault("die", "validate", "asked"))
    flavor, name = f"--flavor={plugin.flavor(place)}", "conformance-validated"
    config = place.subject.config
    ended = place.partita("orchestrator", "register", name, flavor, *config)
    plugin.check_met()
    check_code(ended, 0)
    expect("its end in the message", True, "SIGKILL" in ended.err, MEND)
    check_code(place.partita("orchestrator", "delete", name), 0)


@scenario
def a_plugin_that_dies_at_hello_fails_a_run_that_is_resumed(place: Place) -> None:
    """A plugin that dies as soon as it is started leaves a failed run that is resumed."""
    survive(place, Fault("die", "hello", "asked"))


@scenario
def a_plugin_that_dies_when_a_run_opens_fails_a_run_that_is_resumed(place: Place) -> None:
    """A plugin that dies before it knows the run leaves a failed run that is resumed."""
    survive(place, Fault("die", "open", "answered"))


@scenario
def a_plugin_that_dies_before_it_launches_is_no_lost_step(place: Place) -> None:
    """A launch that never reached the backend is made good by a retry, or when resuming."""
    survive(place, Fault("die", "launch", "asked", launches=2))


@scenario
def a_plugin_that_dies_after_it_launched_is_no_lost_step(place: Place) -> None:
    """A job whose name was never told is found again, or the step runs when resuming."""
    survive(place, Fault("die", "launch", "answered", launches=2))


@scenario
def a_plugin_that_dies_when_polled_is_no_lost_step(place: Place) -> None:
    """A job of a plugin that died while it was asked for it ends well, now or when resuming."""
    survive(place, Fault("die", "poll", "asked", launches=2))


@scenario
def a_plugin_that_dies_when_a_step_ends_is_no_lost_step(place: Place) -> None:
    """A step that was committed is done, though the plugin never told of its end."""
    survive(place, Fault("die", "status", "asked", launches=2))


@scenario
def a_plugin_that_dies_when_asked_to_find_is_asked_again(place: Place) -> None:
    """A plugin that dies while it looks for a job is started again, and finds it."""
    launched = Fault("die", "launch", "answered", launches=2)
    survive(place, launched, Fault("die", "find", "asked"))


@scenario
def a_plugin_that_dies_when_it_goes_through_the_steps_is_started_again(place: Place) -> None:
    """A direct orchestrator that dies at its beginning begins anew, or when resuming."""
    survive(place, Fault("die", "run", "asked"))


@scenario
def a_plugin_that_dies_when_it_asks_for_a_step_goes_on_there(place: Place) -> None:
    """A direct orchestrator that dies between two steps does not run the first one again."""
    survive(place, Fault("die", "step", "asked", launches=1))


@scenario
def a_plugin_that_dies_when_it_is_given_a_step_goes_on_there(place: Place) -> None:
    """A direct orchestrator that dies with a step in hand runs it again, and no other."""
    survive(place, Fault("die", "step", "answered", launches=2))


@scenario
def a_plugin_that_dies_when_it_hands_logs_on_leaves_a_failed_step(place: Place) -> None:
    """A failed step whose log was asked for in vain has failed all the same."""
    plugin = Faults(place)
    plugin.set(Fault("die", "logs", "asked"))
    text = calling(place, LINE).replace("return number + 1", "raise ValueError('no luck')")
    place.write("main.py", text)
    ended = place.partita("run", "main.py", "--stack", STACK)
    plugin.check_met()
    check_code(ended, 1)
    run = place.last_run()
    expect("the run's status", "failed", run.status, MEND)
    expect("the step's status", "failed", run.steps["last"].status, MEND)
    expect("the step's own error in the message", True, "no luck" in ended.err, MEND)


@scenario
def a_plugin_that_dies_when_it_cancels_leaves_nothing_running(place: Place) -> None:
    """A run is cancelled, and its step ends, though the plugin dies over it."""
    plugin = Faults(place)
    plugin.set(Fault("die", "cancel", "asked"))
    place.write("main.py", calling(place, WAITING))
    run = place.begin("run", "main.py", "--stack", STACK)
    place.wait_for_signal("begun")
    os.kill(run.pid, signal.SIGINT)
    ended = place.end(run)
    plugin.check_met()
    check_code(ended, 130)
    expect("the run's status", "cancelled", place.last_run().status, MEND)
    check_dead(place)
    (place.signals / "go").touch()
    check_code(place.partita("runs", "resume", "latest"), 0)
    called = calls(place)
    expect("how often the finished step ran", 1, called.count("first"), MEND)
    expect("how often the last step ran", 1, called.count("last"), MEND)


@scenario
def a_job_that_outlives_the_engine_is_found_again(place: Place) -> None:
    """After `kill -9` of the engine a job that still runs is waited for, and run once."""
    plugin = Faults(place)
    plugin.set()
    text = calling(place, WAITING).replace('"alive"', 'f"alive-{get_step_context().attempt}"')
    place.write("main.py", text.replace("import pipeline", "import get_step_context, pipeline"))
    run = place.begin("run", "main.py", "--stack", STACK)
    place.wait_for_signal("begun")
    if not plugin.can("find"):
        raise NotClaimed("it does not say that it can `find` jobs")
    os.kill(run.pid, signal.SIGKILL)
    place.end(run)
    resumed = place.begin("runs", "resume", "latest")
    asked = "it to be asked for the job"
    (answer, *_) = place.wait_for(asked, lambda: plugin.passed("find", "answered"))
    if is_written(place.signals / "alive-1"):
        expect(
            "a job that still runs to be found",
            True,
            answer.get("job") is not None,
            "let `find` return the job of an attempt, whoever launched it.",
        )
    (place.signals / "go").touch()
    check_code(place.end(resumed), 0)
    expect("the run's status", "completed", place.last_run().status, MEND)
    called = calls(place)
    expect("how often the finished step ran", 1, called.count("first"), MEND)
    expect("how often the last step ran", 1, called.count("last"), MEND)


def is_written(path: Path) -> bool:
    """Returns whether a file is written again and again, which whoever lives does every moment."""
    before, end = path.read_text(), time.monotonic() + 1
    while time.monotonic() < end:
        if path.read_text() not in ("", before):
            return True
        time.sleep(0.02)
    return False
