"""What happens when steps fail."""

from __future__ import annotations

from typing import Any

from partita.conformance.calls import calling, calls
from partita.conformance.place import Place
from partita.conformance.scenario import expect, scenario

MEND = "report a failed attempt as failed, with its exit code; the engine does the rest."

BRANCHES = """
    import time
    from partita import pipeline, step

    @step(enable_cache=False)
    def bad() -> int:
        raise ValueError("no luck: é")

    @step(enable_cache=False)
    def good() -> int:
        time.sleep(0.5)
        return 1

    @step(enable_cache=False)
    def after_bad(number: int) -> int:
        return number

    @step(enable_cache=False)
    def after_good(number: int) -> int:
        return number

    @pipeline(enable_cache=False, failure_mode={mode!r})
    def branches():
        after_good(good())
        after_bad(bad())
"""


@scenario
def a_failure_fails_the_run_and_nothing_after_it_runs(place: Place) -> None:
    """What needs a failed step does not run, and the run fails."""
    run = place.run(BRANCHES.format(mode="fail_fast"), code=1)
    expect("the run's status", "failed", run.status, MEND)
    expect("the failed step", "failed", run.steps["bad"].status, MEND)
    expect("what was after it", "skipped", run.steps["after_bad"].status, MEND)


@scenario
def continuing_on_failure_finishes_other_branches(place: Place) -> None:
    """With `continue_on_failure` only what is after a failed step is left out."""
    run = place.run(BRANCHES.format(mode="continue_on_failure"), code=1)
    expect(
        "the statuses",
        {"bad": "failed", "good": "completed", "after_bad": "skipped", "after_good": "completed"},
        statuses(run),
        MEND,
    )


@scenario
def stopping_on_failure_finishes_what_runs(place: Place) -> None:
    """With `stop_on_failure` nothing is begun after a failure, and what runs is not ended."""
    run = place.run(BRANCHES.format(mode="stop_on_failure"), code=1)
    seen = statuses(run)
    expect("the failed step", "failed", seen["bad"], MEND)
    expect("what was after it", "skipped", seen["after_bad"], MEND)
    expect(
        "the other one to be whole or not begun",
        True,
        seen["good"] in ("completed", "skipped"),
        MEND,
    )


@scenario
def an_exception_is_recorded(place: Place) -> None:
    """The error of a failed attempt is the author's exception."""
    place.run(BRANCHES.format(mode="fail_fast"), code=1)
    attempt = place.only_attempt("bad")
    for word in ("ValueError", "no luck: é"):
        expect(f"`{word}` in the error", True, word in str(attempt["error"]), MEND)


@scenario
def an_attempt_that_fails_is_made_again(place: Place) -> None:
    """A step that fails twice and may be retried is completed by its third attempt."""
    run = place.run(RETRIED.format(retries=3, until=3))
    expect("the number of the last attempt", 3, run.steps["flaky"].output.load(), MEND)
    ended = [attempt["status"] for attempt in place.attempts("flaky")]
    expect("the attempts", ["failed", "failed", "completed"], ended, MEND)


@scenario
def retries_end(place: Place) -> None:
    """A step that fails each time is tried as often as it asked for, and no more."""
    place.run(RETRIED.format(retries=2, until=99), code=1)
    failed = [str(attempt["error"]).partition(": ")[2] for attempt in place.attempts("flaky")]
    expect(
        "how the attempts failed",
        ["attempt 1", "attempt 2", "attempt 3"],
        failed,
        "turn the backend's own retries off: the engine counts attempts.",
    )


RETRIED = """
    from partita import StepRetryConfig, get_step_context, pipeline, step

    @step(retry=StepRetryConfig(max_retries={retries}, delay=0), enable_cache=False)
    def flaky() -> int:
        attempt = get_step_context().attempt
        if attempt < {until}:
            raise RuntimeError(f"attempt {{attempt}}")
        return attempt

    @pipeline
    def retried():
        flaky()
"""


@scenario
def an_exit_code_is_told(place: Place) -> None:
    """A step whose process ends by itself has failed, and its exit code is recorded."""
    place.needs_isolation()
    place.run(PROCESS_ENDS.format(how="os._exit(7)"), code=1)
    attempt = place.only_attempt("end")
    expect(
        "the status and the exit code",
        ("failed", 7),
        (attempt["status"], attempt["exit_code"]),
        "report the exit code that the backend tells.",
    )


@scenario
def an_exit_with_code_zero_is_no_success(place: Place) -> None:
    """A process that ends with 0 before its step has returned has not completed it."""
    place.needs_isolation()
    run = place.run(PROCESS_ENDS.format(how="os._exit(0)"), code=1)
    expect(
        "its status",
        "failed",
        run.steps["end"].status,
        "a step is complete when it is committed, whatever the exit code.",
    )


@scenario
def a_signal_is_told(place: Place) -> None:
    """A step whose process is killed has failed, and the record says by which signal."""
    place.needs_isolation()
    place.run(PROCESS_ENDS.format(how="os.kill(os.getpid(), signal.SIGKILL)"), code=1)
    attempt = place.only_attempt("end")
    expect(
        "the status and the exit code",
        ("failed", 137),
        (attempt["status"], attempt["exit_code"]),
        "report 128 and the signal as exit code.",
    )


@scenario
def a_killed_attempt_is_made_again(place: Place) -> None:
    """A step whose process is killed is retried like any other that fails."""
    place.needs_isolation()
    run = place.run("""
        import os, signal
        from partita import StepRetryConfig, get_step_context, pipeline, step

        @step(retry=StepRetryConfig(max_retries=1, delay=0), enable_cache=False)
        def end() -> int:
            if get_step_context().attempt == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return get_step_context().attempt

        @pipeline
        def killed():
            end()
    """)
    expect("the attempt that completed it", 2, run.steps["end"].output.load(), MEND)


PROCESS_ENDS = """
    import os, signal
    from partita import pipeline, step

    @step(enable_cache=False)
    def end() -> int:
        {how}
        return 1

    @pipeline
    def ends():
        end()
"""


@scenario
def sys_exit_is_a_failure(place: Place) -> None:
    """A step that calls `sys.exit` has failed."""
    run = place.run(
        """
        import sys
        from partita import pipeline, step

        @step(enable_cache=False)
        def leave() -> None:
            sys.exit(0)

        @pipeline
        def leaving():
            leave()
    """,
        code=1,
    )
    expect("its status", "failed", run.steps["leave"].status, MEND)
    attempt = place.only_attempt("leave")
    expect("`sys.exit` in the message", True, "sys.exit" in str(attempt["error"]), MEND)


@scenario
def an_output_that_cannot_be_stored_is_a_failure(place: Place) -> None:
    """A step that returns what nothing can store has failed, and the run says why."""
    run = place.run(
        """
        import threading
        from partita import pipeline, step

        @step(enable_cache=False)
        def make() -> object:
            return threading.Lock()

        @pipeline
        def unstorable():
            make()
    """,
        code=1,
    )
    expect("its status", "failed", run.steps["make"].status, MEND)
    attempt = place.only_attempt("make")
    expect("the type in the message", True, "lock" in str(attempt["error"]), MEND)


@scenario
def hooks_are_called_once(place: Place) -> None:
    """The failure hook is called once after the last attempt, the success hook after the commit."""
    place.run(calling(place, HOOKED), code=1)
    expect("what the hooks noted", ["succeeded", "failed x"], calls(place), MEND)


HOOKED = """
    from partita import StepRetryConfig, pipeline, step

    def failed(error):
        called(f"failed {error}")

    def succeeded():
        called("succeeded")

    ONCE = StepRetryConfig(max_retries=1, delay=0)

    @step(retry=ONCE, on_failure=failed, on_success=succeeded, enable_cache=False)
    def bad() -> None:
        raise ValueError("x")

    @step(on_failure=failed, on_success=succeeded, enable_cache=False)
    def good() -> None: ...

    @pipeline
    def hooked():
        bad(after=[good()])
"""


def statuses(run: Any) -> dict[str, str]:
    """Returns the status of each step of a run."""
    return {name: step.status for name, step in run.steps.items()}
