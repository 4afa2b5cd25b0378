"""Where steps run, and what they find there."""

from __future__ import annotations

from partita.conformance.place import Place
from partita.conformance.scenario import expect, scenario


@scenario
def the_source_root_can_be_imported(place: Place) -> None:
    """A step uses modules and files of the source root, also where its path is an odd one."""
    place.write("helpers/__init__.py", "")
    place.write("helpers/sums.py", "def twice(x): return 2 * x\n")
    run = place.run("""
        from helpers.sums import twice
        from partita import pipeline, step

        @step
        def use() -> int:
            from helpers import sums
            return twice(sums.twice(1))

        @pipeline
        def importing():
            use()
    """)
    expect(
        "what the helper made",
        4,
        run.steps["use"].output.load(),
        "start the entrypoint in the source root, or with its code on the path.",
    )


@scenario
def variables_of_the_environment_arrive(place: Place) -> None:
    """A step sees the environment that it was started with: odd characters, and 100 kB."""
    place.needs_own_environment()
    odd = "a=b 'c' \"d\" $e `f` \\ é 漢\nnext line"
    run = place.run(
        """
        import os
        from partita import pipeline, step

        @step(enable_cache=False)
        def look() -> list:
            return [os.environ.get("CONFORMANCE_ODD"), len(os.environ.get("CONFORMANCE_BIG", ""))]

        @pipeline
        def surroundings():
            look()
    """,
        variables={"CONFORMANCE_ODD": odd, "CONFORMANCE_BIG": "x" * 100_000},
    )
    expect(
        "the variables",
        [odd, 100_000],
        run.steps["look"].output.load(),
        "hand the plugin's own environment on, `os.environ`, which is that of the run, besides "
        "`environment`; value by value, and not through a shell.",
    )


@scenario
def what_a_step_changes_is_not_seen_by_the_next(place: Place) -> None:
    """Variables, the working directory and module state of a step are its own."""
    place.needs_isolation()
    run = place.run("""
        import os, sys
        from partita import pipeline, step

        STATE = []

        @step(enable_cache=False)
        def change() -> int:
            os.environ["CONFORMANCE_LEAK"] = "1"
            os.chdir("/")
            STATE.append(1)
            sys.argv.append("leak")
            return 1

        @step(enable_cache=False)
        def look(before: int) -> str:
            return repr(
                ["CONFORMANCE_LEAK" in os.environ, os.getcwd() == "/", STATE, "leak" in sys.argv]
            )

        @pipeline
        def leaks():
            look(change())
    """)
    expect(
        "what leaked",
        "[False, False, [], False]",
        run.steps["look"].output.load(),
        "give every attempt a process of its own, with an environment of its own.",
    )


@scenario
def steps_know_where_they_are(place: Place) -> None:
    """The step context tells the run, the pipeline, the step and the attempt."""
    run = place.run("""
        from partita import get_step_context, pipeline, step

        @step(enable_cache=False)
        def tell() -> list:
            context = get_step_context()
            return [context.run_id, context.run_name, context.pipeline_name, context.step_name,
                    context.attempt]

        @pipeline
        def contexts():
            tell()
            tell()
    """)
    for name in ("tell", "tell_2"):
        expect(
            "the context",
            [run.id, run.name, "contexts", name, 1],
            run.steps[name].output.load(),
            "hand the entrypoint the run and the step it runs.",
        )


@scenario
def the_run_id_is_one_for_all_steps_and_new_for_each_run(place: Place) -> None:
    """Steps of a run share the orchestrator's run id; another run has another one."""
    text = """
        from partita import get_step_context, pipeline, step

        @step(enable_cache=False)
        def tell() -> str:
            return get_step_context().run_id

        @pipeline
        def ids():
            tell()
            tell()
    """
    seen: list[str] = []
    for _ in range(2):
        run = place.run(text)
        told = {step.output.load() for step in run.steps.values()}
        expect("the ids that the steps saw", {run.id}, told, "see `get_orchestrator_run_id`.")
        seen.append(str(place.described()["orchestrator_run_id"]))
    expect("different ids for the two runs", 2, len(set(seen)), "see `get_orchestrator_run_id`.")


@scenario
def metadata_of_steps_is_kept(place: Place) -> None:
    """What a step notes is found with its run."""
    run = place.run("""
        from partita import log_metadata, pipeline, step

        @step
        def note() -> None:
            log_metadata({"rows": 12, "name": "é"})

        @pipeline
        def noting():
            note()
    """)
    del run
    expect(
        "the metadata",
        {"rows": 12, "name": "é"},
        place.described()["steps"]["note"]["metadata"],
        "give every step the same artifact store, whole.",
    )
