"""Messages that come twice, late, slowly, or not at all."""

from __future__ import annotations

from typing import Any

from partita.conformance.calls import calling, calls
from partita.conformance.faults import STACK, Fault, Faults
from partita.conformance.place import Place
from partita.conformance.scenario import Unexpected, expect, scenario
from partita.conformance.scenarios.plugins import LINE

MEND = "go by the attempt's id: one attempt, one job; and answer every question, whenever it comes."


@scenario
def a_step_is_called_once_for_each_attempt(place: Place) -> None:
    """A step that is launched once is called once, and no second process of it is started."""
    place.run(calling(place, ONCE))
    expect("the calls in all", ["work", "work"], calls(place), "start one command for a launch.")


#: Long enough for a second process of an attempt to begin as well.
ONCE = """
    import time
    from partita import pipeline, step

    @step(enable_cache=False)
    def work(number: int) -> int:
        called("work")
        time.sleep(1)
        return number

    @pipeline
    def once():
        work(work(1))
"""


@scenario
def an_attempt_that_is_launched_twice_is_committed_once(place: Place) -> None:
    """A launch that comes twice leaves one result, and what is after it runs once."""
    plugin = Faults(place)
    plugin.set(Fault("repeat", "launch", "asked", launches=1))
    text = calling(place, LINE).replace('called("last")', 'called(f"last {number}")')
    run = place.run(text.replace("return 1", "time.sleep(0.3); return 1"), "--stack", STACK)
    plugin.check_launches()
    plugin.check_met()
    expect("what the last step made", 2, run.steps["last"].output.load(), MEND)
    attempts = [len(place.attempts(step)) for step in ("first", "last")]
    expect("how many attempts are recorded", [1, 1], attempts, MEND)


@scenario
def a_job_whose_launch_was_never_answered_is_not_run_twice_in_silence(place: Place) -> None:
    """An attempt whose launch was not answered is found again, or recorded as failed."""
    plugin = Faults(place)
    plugin.set(Fault("die", "launch", "answered"))
    run = place.run(calling(place, LOST), "--stack", STACK)
    plugin.check_met()
    ended = [attempt["status"] for attempt in place.attempts("work")]
    number = run.steps["work"].output.load()
    expect("the attempt whose result counts to be the last", len(ended), number, MEND)
    begun = {int(call.split()[1]) for call in calls(place) if call.startswith("begun")}
    unknown = begun - set(range(1, len(ended) + 1))
    expect("calls by attempts that nobody knows of", set[int](), unknown, MEND)
    if plugin.can("find") and len(ended) > 1:
        lived_on = place.signals / "lived-on"
        expect(
            "an attempt that was not found to be over",
            False,
            lived_on.exists(),
            "let `find` return the job of an attempt that is still there, whoever launched it.",
        )


LOST = """
    import time
    from partita import StepRetryConfig, get_step_context, pipeline, step

    @step(enable_cache=False, retry=StepRetryConfig(max_retries=2, delay=0))
    def work() -> int:
        attempt = get_step_context().attempt
        called(f"begun {attempt}")
        if attempt > 1:
            (FOLDER / "second").touch()
        for _ in range(40):
            time.sleep(0.05)
            if attempt == 1 and (FOLDER / "second").exists():
                (FOLDER / "lived-on").touch()
        return attempt

    @pipeline
    def lost():
        work()
"""


@scenario
def what_is_told_late_and_again_changes_nothing(place: Place) -> None:
    """Ends that are told twice, or once more after the next attempt has begun, are passed over."""
    plugin = Faults(place)
    plugin.set(
        Fault("repeat", "status", "asked"),
        Fault("repeat", "poll", "answered"),
        Fault("late", "launch"),
        Fault("late", "step"),
    )
    run = place.run(calling(place, FLAKY), "--stack", STACK)
    expect("the number of the last attempt", 3, run.steps["flaky"].output.load(), MEND)
    ended = [attempt["status"] for attempt in place.attempts("flaky")]
    expect("the attempts", ["failed", "failed", "completed"], ended, MEND)
    called = ["flaky 1", "flaky 2", "flaky 3", "after"]
    expect("the calls in all", called, calls(place), MEND)


FLAKY = """
    import time
    from partita import StepRetryConfig, get_step_context, pipeline, step

    @step(retry=StepRetryConfig(max_retries=3, delay=0), enable_cache=False)
    def flaky() -> int:
        attempt = get_step_context().attempt
        called(f"flaky {attempt}")
        time.sleep(0.3)
        if attempt < 3:
            raise RuntimeError(f"attempt {attempt}")
        return attempt

    @step(enable_cache=False)
    def after(number: int) -> int:
        called("after")
        return number

    @pipeline
    def retried():
        after(flaky())
"""


@scenario
def questions_about_a_job_that_has_ended_are_answered(place: Place) -> None:
    """A plugin that is asked once more for a job that has ended says the same, and lives."""
    plugin = Faults(place)
    plugin.set(Fault("ask-again"))
    place.run(calling(place, FLAKY), "--stack", STACK)
    plugin.check_launches()
    plugin.check_met()
    expect("how often the plugin was started", 1, plugin.starts, MEND)
    again = [one for one in plugin.seen() if "again" in one]
    for one in again:
        _check_answer(one["again"], one["answer"])
    methods = {one["again"]["method"] for one in again}
    expect("the answered questions", {"poll", "cancel", "find", "logs"}, methods, MEND)


def _check_answer(question: dict[str, Any], answer: dict[str, Any]) -> None:
    result = answer.get("result")
    if question["method"] != "poll" or result is None:  # An error says that it was forgotten.
        return
    told, now = question["ended"]["state"], result.get("state")
    if told != now:
        raise Unexpected(
            f"a job that has ended as `{told}` to stay so",
            f"`{now}` when it was polled once more",
            "let `poll` say how a job stands now, and never what another one did before.",
        )


@scenario
def a_slow_plugin_is_waited_for(place: Place) -> None:
    """A plugin whose every message takes its time runs the pipeline all the same."""
    plugin = Faults(place)
    plugin.set(Fault("delay", seconds=0.15))
    run = place.run(calling(place, LINE), "--stack", STACK)
    plugin.check_met()
    expect("what the last step made", 2, run.steps["last"].output.load(), MEND)
    expect("the calls in all", ["first", "last"], calls(place), MEND)
    expect("how often the plugin was started", 1, plugin.starts, MEND)
