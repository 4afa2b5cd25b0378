"""What steps ask for: they get it, or the run is refused before it begins."""

from __future__ import annotations

from partita.conformance.calls import calling
from partita.conformance.living import check_dead, check_seen
from partita.conformance.place import Place, check_code
from partita.conformance.scenario import NotClaimed, Unexpected, expect, scenario

MEND = "honour it, or declare in the capabilities that it cannot be."


@scenario
def a_processor_core_is_given(place: Place) -> None:
    """A step that asks for one core runs."""
    run = place.run("""
        from partita import ResourceSettings, pipeline, step

        @step(settings={"resources": ResourceSettings(cpu_count=1)})
        def work() -> int:
            return 1

        @pipeline
        def asking():
            work()
    """)
    expect("what it made", 1, run.steps["work"].output.load(), MEND)


@scenario
def memory_is_limited_or_refused(place: Place) -> None:
    """A step that takes more memory than it asked for is ended, and the run says so."""
    run = place.run(
        """
        from partita import ResourceSettings, pipeline, step

        @step(settings={"resources": ResourceSettings(memory="300MB")})
        def grab() -> int:
            return len(bytearray(900_000_000))

        @pipeline
        def greedy():
            grab()
    """,
        code=1,
    )
    expect("its status", "failed", run.steps["grab"].status, MEND)


@scenario
def a_gpu_is_seen_or_refused(place: Place) -> None:
    """A step that asks for one GPU sees one, and only that."""
    run = place.run("""
        import os
        from partita import ResourceSettings, pipeline, step

        @step(settings={"resources": ResourceSettings(gpu_count=1)}, enable_cache=False)
        def look() -> list:
            return [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]

        @pipeline
        def seeing():
            look()
    """)
    expect("how many it sees", 1, len(run.steps["look"].output.load()), MEND)


@scenario
def what_can_never_fit_is_refused(place: Place) -> None:
    """A step that asks for a petabyte of memory is refused before the run, not left waiting."""
    place.write(
        "main.py",
        """
        from partita import ResourceSettings, pipeline, step

        @step(settings={"resources": ResourceSettings(memory="1PB")}, enable_cache=False)
        def work() -> int:
            return 1

        @pipeline
        def impossible():
            work()
        """,
    )
    before = place.last_run_id()
    ended = place.partita("run", "main.py")
    if ended.code == 0:
        raise NotClaimed("it says that it has as much memory as anyone asks for")
    check_code(ended, 1)
    expect("no run to be begun", before, place.last_run_id(), MEND)


@scenario
def a_timeout_ends_a_step(place: Place) -> None:
    """A step that takes too long is ended, and the run says why."""
    run = place.run(calling(place, SLOW), code=1)
    expect("its status", "failed", run.steps["sleep"].status, MEND)
    attempt = place.only_attempt("sleep")
    why = str(attempt["error"])
    if "1s" not in why:
        raise Unexpected("an error that tells the time, as in `timed out after 1s`", why, MEND)
    check_dead(place)
    check_seen(why)


#: A step that says for 50 s that it lives, though nobody asks after the scenario has ended.
SLOW = """
    import time
    from partita import pipeline, step

    @step(timeout="1s", enable_cache=False)
    def sleep() -> None:
        (FOLDER / "begun").touch()
        for _ in range(2500):
            (FOLDER / "begun").stat()
            (FOLDER / "alive").write_text(str(time.time()))
            time.sleep(0.02)

    @pipeline
    def slow():
        sleep()
"""
