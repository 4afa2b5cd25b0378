"""When steps run."""

from __future__ import annotations

import itertools

from partita.conformance.place import Place
from partita.conformance.scenario import NotClaimed, Unexpected, expect, scenario

MEND = "launch what the engine hands over, when it does; a direct one goes by `upstream_steps`."


@scenario
def a_step_runs_after_what_it_needs(place: Place) -> None:
    """A step begins once all that it takes is there."""
    run = place.run("""
        import time
        from partita import pipeline, step

        @step
        def first() -> float:
            time.sleep(0.1)
            return time.time()

        @step
        def left(before: float) -> float:
            time.sleep(0.1)
            return time.time()

        @step
        def right(before: float) -> float:
            return time.time()

        @step
        def last(one: float, other: float) -> float:
            return time.time()

        @pipeline
        def diamond():
            begun = first()
            last(left(begun), right(begun))
    """)
    at = {name: step.output.load() for name, step in run.steps.items()}
    for name, later in (("first", "left"), ("first", "right"), ("left", "last"), ("right", "last")):
        if at[name] > at[later]:
            raise Unexpected(f"`{name}` to end before `{later}` begins", f"the times {at}", MEND)


@scenario
def after_orders_steps_that_share_no_data(place: Place) -> None:
    """`after` is kept where no value passes."""
    run = place.run("""
        import time
        from partita import pipeline, step

        @step
        def first() -> float:
            time.sleep(0.3)
            return time.time()

        @step
        def second() -> float:
            return time.time()

        @pipeline
        def ordered():
            second(after=[first()])
    """)
    first, second = (run.steps[name].output.load() for name in ("first", "second"))
    expect("the first to end before the second begins", True, first <= second, MEND)


@scenario
def a_hundred_steps_fan_out_and_in(place: Place) -> None:
    """A hundred steps that need nothing of each other all run, each once."""
    run = place.run("""
        from partita import pipeline, step

        @step
        def square(number: int) -> int:
            return number * number

        @step
        def total(numbers: list) -> int:
            return sum(numbers)

        @pipeline
        def wide():
            total([square(number) for number in range(100)])
    """)
    expect("the sum of the squares", 328350, run.steps["total"].output.load(), MEND)
    attempts = {name: len(step.attempts) for name, step in run.steps.items()}
    expect("one attempt a step", dict.fromkeys(attempts, 1), attempts, "launch each attempt once.")


@scenario
def a_chain_of_thirty_hands_values_on(place: Place) -> None:
    """Each of thirty steps takes what the one before made."""
    run = place.run("""
        from partita import pipeline, step

        @step
        def grow(text: str, number: int) -> str:
            return f"{text} {number}"

        @pipeline
        def long():
            text = "0"
            for number in range(1, 30):
                text = grow(text, number)
    """)
    made = run.steps["grow_29"].output.load()
    expect("what the last one made", " ".join(map(str, range(30))), made, MEND)


@scenario
def a_step_is_mapped_over_a_list_made_in_the_run(place: Place) -> None:
    """Each item of a mapped step gets its own element, and results come in order."""
    run = place.run("""
        from partita import pipeline, step

        @step
        def numbers() -> list:
            return list(range(12))

        @step
        def double(number: int) -> int:
            return 2 * number

        @step
        def gather(doubled: list) -> list:
            return doubled

        @pipeline
        def mapped():
            gather(double.map(numbers()))
    """)
    made = run.steps["gather"].output.load()
    expect(
        "what the items made",
        [2 * number for number in range(12)],
        made,
        "hand `--item` on to the step entrypoint, and use the whole attempt id as the job's name.",
    )


@scenario
def steps_that_need_nothing_of_each_other_overlap(place: Place) -> None:
    """Two steps run at once where the orchestrator runs several."""
    run = place.run("""
        import time
        from partita import pipeline, step

        @step
        def nap(number: int) -> list:
            begun = time.time()
            time.sleep(1.5)
            return [begun, time.time()]

        @pipeline
        def naps():
            nap(1)
            nap(2)
    """)
    (begun, ended), (other_begun, other_ended) = (
        run.steps[name].output.load() for name in ("nap", "nap_2")
    )
    if begun > other_ended or other_begun > ended:
        raise NotClaimed("it ran the two steps one after the other")


@scenario
def named_limits_are_kept(place: Place) -> None:
    """Steps that share a limit of one never overlap."""
    run = place.run("""
        import time
        from partita import pipeline, step

        @step(limits={"conformance": 1})
        def alone(number: int) -> list:
            begun = time.time()
            time.sleep(0.2)
            return [begun, time.time()]

        @pipeline
        def limited():
            for number in range(4):
                alone(number)
    """)
    times = sorted(step.output.load() for step in run.steps.values())
    overlaps = [pair for pair in itertools.pairwise(times) if pair[1][0] < pair[0][1]]
    expect("steps that overlap", [], overlaps, "launch a step when the engine does, not before.")
