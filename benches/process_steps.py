"""The steps of `partita_process.py`; what a module imports, each step that starts anew pays."""

from __future__ import annotations

from partita import step


@step
def increment(number: int) -> int:
    """Adds one."""
    return number + 1


@step
def sleep(number: int) -> int:
    """Takes a second and no processor."""
    import time

    time.sleep(1)
    return number


@step(enable_cache=False)
def stop() -> int:
    """Says when it is called, in a side file, and ends when it is called a second time."""
    import os
    import signal
    import time

    with open(os.environ["PARTITA_BENCH_CALLS"], "a+") as calls:
        calls.write(f"{time.monotonic()}\n")
        calls.seek(0)
        count = len(calls.readlines())
    while count == 1:
        signal.pause()
    return count


@step(enable_cache=False)
def bar(size: int) -> float:
    """Draws a progress bar; returns the seconds that this took."""
    import sys

    from floors import draw

    return draw(size, sys.stdout)
