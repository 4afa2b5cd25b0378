"""What is not run again."""

from __future__ import annotations

from partita.conformance.calls import calling, calls
from partita.conformance.place import Place
from partita.conformance.scenario import expect, scenario

MEND = "launch what the engine hands over and no other step: it has looked in the cache."

CHAIN = """
    from partita import pipeline, step

    @step
    def make(number: int) -> int:
        called("make")
        return number

    @step{options}
    def add(number: int, more: int) -> int:
        called("add")
        return number + more

    @pipeline
    def cached(number: int = {number}, more: int = {more}):
        add(make(number), more)
"""


def chain(place: Place, number: int, more: int, *options: str, step: str = "") -> list[str]:
    """Runs the chain; returns which steps were called."""
    text = CHAIN.format(options=step, number=number, more=more)
    place.run(calling(place, text), *options)
    return calls(place)


@scenario
def cached_steps_are_not_launched(place: Place) -> None:
    """A second run takes the results of the first and starts nothing."""
    chain(place, 101, 1)
    expect("steps that were called again", [], chain(place, 101, 1), MEND)
    described = place.described()["steps"]
    made = [len(described[name]["attempts"]) for name in ("make", "add")]
    expect("how many attempts were made", [0, 0], made, MEND)


@scenario
def a_changed_parameter_reruns_only_what_it_reaches(place: Place) -> None:
    """After a change of one step's parameter only that step runs."""
    chain(place, 102, 1)
    expect("the steps that were called", ["add"], chain(place, 102, 2), MEND)


@scenario
def an_equal_result_ends_what_must_run_again(place: Place) -> None:
    """A step that made the same value again does not make the next one run."""
    chain(place, 103, 1)
    text = calling(place, CHAIN.format(options="", number=103, more=1))
    place.run(text.replace("return number\n", "return number + 0\n", 1))
    expect("the steps that were called", ["make"], calls(place), MEND)


@scenario
def caching_can_be_turned_off(place: Place) -> None:
    """`--no-cache` runs everything, `enable_cache=False` a step of its own."""
    chain(place, 104, 1)
    called = chain(place, 104, 1, "--no-cache")
    expect("the steps that were called", ["make", "add"], called, MEND)
    off = "(enable_cache=False)"
    chain(place, 104, 1, step=off)
    expect("the steps that were called", ["add"], chain(place, 104, 1, step=off), MEND)
