"""What steps print."""

from __future__ import annotations

from typing import Any

from partita.conformance.place import Place, check_code
from partita.conformance.scenario import expect, scenario

MEND = "record what the process of the step prints, both streams, until it has ended."


def log(place: Place, step: str) -> str:
    """Returns the log of a step of the last run, as the command shows it."""
    shown = place.partita("runs", "logs", "latest", "--step", step)
    check_code(shown, 0)
    return shown.out


def printing(place: Place, body: str, **options: Any) -> None:
    """Runs a step that prints."""
    place.run(
        f"""
        import os, signal, sys
        from partita import pipeline, step

        @step(enable_cache=False)
        def speak() -> None:
            {body}

        @pipeline
        def speaking():
            speak()
    """,
        **options,
    )


@scenario
def what_a_step_prints_is_in_its_log(place: Place) -> None:
    """Standard output and standard error are recorded, in any script."""
    printing(place, "print('out é 漢'); print('err', file=sys.stderr)")
    seen = log(place, "speak")
    for words in ("out é 漢", "err"):
        expect(f"`{words}` in the log", True, words in seen, MEND)


@scenario
def the_log_of_a_failed_step_is_kept(place: Place) -> None:
    """What a step printed before it failed can be read."""
    printing(place, "print('before'); raise ValueError('x')", code=1)
    expect("`before` in the log", True, "before" in log(place, "speak"), MEND)


@scenario
def the_log_of_a_killed_step_is_kept(place: Place) -> None:
    """What a step printed before it was killed can be read."""
    place.needs_isolation()
    printing(place, "print('before', flush=True); os.kill(os.getpid(), signal.SIGKILL)", code=1)
    expect("`before` in the log", True, "before" in log(place, "speak"), MEND)


@scenario
def ten_thousand_lines_are_kept_in_order(place: Place) -> None:
    """A step that prints a lot loses nothing."""
    printing(place, "print(*range(10_000), sep='\\n')")
    lines = [line.split()[-1] for line in log(place, "speak").splitlines() if line.strip()]
    numbers = [int(line) for line in lines if line.isdigit()]
    expect("the numbers in order", True, numbers == list(range(10_000)), MEND)


@scenario
def a_line_of_a_megabyte_is_kept(place: Place) -> None:
    """A very long line does not stop the step, and is recorded."""
    printing(place, "print('y' * 1_000_000)")
    expect("the letters in the log", 1_000_000, log(place, "speak").count("y"), MEND)
