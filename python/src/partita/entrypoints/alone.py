"""A step that no engine drives: its items, its attempts, and the end of its run."""

from __future__ import annotations

import time
import traceback
from functools import partial

from partita.caller import call_failure_hook
from partita.entrypoints.attempt import FAILED, Attempt, Terms, tell_end
from partita.entrypoints.loading import pipeline_hook
from partita.entrypoints.supervised import supervised
from partita.errors import PartitaError
from partita.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from partita import _native


def run(
    run: _native.RunEntry, entry: _native.StepEntry, terms: Terms, after: Callable[[], None]
) -> bool:
    """Runs a step, or every item of a mapped one; returns whether it is done.

    Args:
        run: The run.
        entry: The step.
        terms: What whoever started this process says.
        after: Called once the step is done, in the process of the attempt that completed it if
            there was one.

    Raises:
        PartitaError: It cannot be begun.
        SystemExit: SIGTERM interrupted it.
        KeyboardInterrupt: Ctrl-C did.
    """
    try:
        items = entry.items()
        if items is None:
            return _retried(entry, terms, after)
        is_done = True
        for item in range(items):
            is_done &= _retried(run.step_named(entry.step_name, item), terms, _nothing)
            if not is_done and not entry.goes_on_after_failures:
                break
        if is_done:
            after()
        return is_done
    finally:
        _end_run(entry)


def _nothing() -> None:
    """Comes after single items."""


def _retried(entry: _native.StepEntry, terms: Terms, after: Callable[[], None]) -> bool:
    """Makes attempts until one completes or none is left; returns whether the step is done."""
    while True:
        number = entry.claim()
        if number is None:
            tell_end(entry, "committed", None, terms)
            after()
            return True
        work = partial(_attempt, entry, number, terms, after)
        exit_code, is_late = supervised(work, entry.timeout)
        why = entry.timed_out if is_late else None
        ended, failure, retry_in = entry.close(number, exit_code, why)
        if failure is not None:
            tell(f"error: step `{entry.step_name}` failed: {failure}")
        if ended == "cancelled":
            raise KeyboardInterrupt
        if ended == "committed" and exit_code:  # What comes after the step has failed.
            raise SystemExit(exit_code)
        if retry_in is None:
            return ended == "committed"
        tell(f"step `{entry.step_name}` is tried again in {retry_in:g} s")
        time.sleep(retry_in)


def _attempt(entry: _native.StepEntry, number: int, terms: Terms, after: Callable[[], None]) -> int:
    """Makes an attempt in a process of its own; returns its exit code."""
    try:
        terms.apply_of(entry)
        ended, failure = Attempt(entry, number, terms, claimed=True).make()
    except PartitaError as error:
        tell(f"error: {error}")
        return FAILED
    if not tell_end(entry, ended, failure, terms):
        return FAILED
    try:
        after()
    except Exception:
        traceback.print_exc()
        return FAILED
    return 0


def _end_run(entry: _native.StepEntry) -> None:
    """Ends the run, if that is left to its last entrypoint and this is it."""
    end = entry.end_if_last()
    if end is None:
        return
    status, error = end
    kind = "on_success" if status == "completed" else "on_failure"
    hook = pipeline_hook(entry, kind)
    if hook is None:
        return
    if status != "completed":
        hook = partial(call_failure_hook, hook, PartitaError(error or "the run failed"))
    try:
        hook()
    except Exception as raised:
        tell(f"warning: the hook `{kind}` of pipeline `{entry.pipeline_name}` raised {raised!r}")
        entry.note_failed_hook(kind, f"{type(raised).__name__}: {raised}")
