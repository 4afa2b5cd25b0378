"""A step runs again when something that it reaches has changed, and only then, and says what."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from conftest import Project
from partita import Client

MAIN = """
    # A comment.
    from helpers import scaled
    from partita import pipeline, step

    FACTOR = 2

    def unrelated():
        return 1

    @step{options}
    def first(x: int = 3) -> int:
        return scaled(x) * FACTOR

    @step
    def second(y: int) -> int:
        return y > 0

    @step
    def third(z: int = 1) -> int:
        return z

    @pipeline{pipeline_options}
    def cached():
        second(first())
        third()
"""

HELPERS = """
    def scaled(x):
        return 10 * x

    def other(x):
        return x
"""

RAN = {"first": "completed", "second": "completed", "third": "completed"}
CACHED = {"first": "cached", "second": "cached", "third": "cached"}


def prepare(project: Project, options: str = "", pipeline_options: str = "") -> None:
    """Writes the project and runs it once."""
    project.write("main.py", MAIN.format(options=options, pipeline_options=pipeline_options))
    project.write("helpers.py", HELPERS)
    project.write("data/a.txt", "1")
    assert project.run().code == 0
    assert project.statuses() == RAN


def edit(project: Project, name: str, old: str, new: str) -> None:
    """Replaces a text in a file of the project."""
    path = project.folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def check(project: Project, statuses: dict[str, str], **reasons: str) -> None:
    """Runs the project again and checks what ran, and why."""
    ended = project.run()
    assert ended.code == 0, ended
    assert project.statuses() == statuses
    told = project.reasons()
    for step, reason in reasons.items():
        assert reason in str(told[step]), told


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("helpers.py", "10 * x", "11 * x", "`helpers.scaled` changed"),
        ("main.py", "FACTOR = 2", "FACTOR = 3", "FACTOR"),
        ("main.py", "* FACTOR", "* FACTOR + 1", "`main.first` changed"),
        ("main.py", "x: int = 3", "x: int = 4", "parameter `x` changed from 3 to 4"),
    ],
)
def test_an_edit_runs_what_reaches_it_and_says_its_name(
    project: Project, name: str, old: str, new: str, reason: str
) -> None:
    prepare(project)
    edit(project, name, old, new)
    statuses = {"first": "completed", "second": "completed", "third": "cached"}
    check(project, statuses, first=reason, second="input `y` changed")


@pytest.mark.parametrize("target", ["main.py", "odd-name.py"])
def test_an_edit_in_the_second_of_the_last_run_is_seen(
    project: Project, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    project.write("main.py", MAIN.format(options="", pipeline_options=""))
    (project.folder / "main.py").rename(project.folder / target)
    project.write("helpers.py", HELPERS)
    second = time.time() + 3600  # One that is not over while this test runs.
    for name, old, new in [
        ("helpers.py", "10 * x", "11 * x"),
        (target, "FACTOR = 2", "FACTOR = 3"),
    ]:
        os.utime(project.folder / name, (second, second))
        assert project.run(target).code == 0
        edit(project, name, old, new)
        os.utime(project.folder / name, (second, second))
        assert project.run(target).code == 0
        assert project.statuses() == {**RAN, "third": "cached"}


def test_code_that_was_not_edited_is_compiled_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    prepare(project)
    edit(project, "helpers.py", "10 * x", "12 * x")
    for name in ("main.py", "helpers.py"):
        os.utime(project.folder / name, (1_000_000_000, 1_000_000_000))
    assert project.run().code == 0
    compiled = sorted((project.folder / "__pycache__").iterdir())
    assert [path.name.partition(".")[0] for path in compiled] == ["helpers", "main"]
    written = [path.stat().st_mtime_ns for path in compiled]
    assert project.run().code == 0
    assert [path.stat().st_mtime_ns for path in compiled] == written


def test_a_step_whose_inputs_come_out_the_same_is_not_run_again(project: Project) -> None:
    prepare(project)
    edit(project, "main.py", "return scaled(x) * FACTOR", "return FACTOR * scaled(x)")
    check(project, {"first": "completed", "second": "cached", "third": "cached"})


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("main.py", "# A comment.", "# Another comment.\n# And one more."),
        ("main.py", "def unrelated():\n    return 1", "def unrelated():\n    return 2"),
        ("helpers.py", "def other(x):\n    return x", "def other(x):\n    return -x"),
        ("data/a.txt", "1", "2"),
    ],
    ids=["comment", "function", "helper", "file"],
)
def test_an_edit_that_nothing_reaches_runs_nothing(
    project: Project, name: str, old: str, new: str
) -> None:
    prepare(project)
    edit(project, name, old, new)
    check(project, CACHED)


@pytest.mark.parametrize(
    ("old", "new"),
    [("@step\ndef third", '@step(name="fourth")\ndef third'), ("third(", "fourth(")],
    ids=["step", "function"],
)
def test_a_new_name_runs_nothing(project: Project, old: str, new: str) -> None:
    prepare(project)
    edit(project, "main.py", old, new)
    check(project, {"first": "cached", "second": "cached", "fourth": "cached"})


def test_values_that_look_alike_never_share_a_result(project: Project) -> None:
    project.write(
        "main.py",
        """
        from partita import pipeline, step

        @step
        def join(a, b) -> str:
            return repr((a, b))

        @pipeline
        def alike():
            for a, b in PAIRS:
                join(a, b)

        PAIRS = [
            ("1", "2b3"), ("1b2", "3"), (1, 2), ("1", 2), (1.0, 2), (True, 2), (None, 2),
            ([1], 2), ((1,), 2), ({"1": 1}, 2), ({1: 1}, 2), (b"1", 2), (-0.0, 2), (0.0, 2),
            (0, 2), (False, 2), ("", 2), ([], 2), ((), 2), ({}, 2), (set(), 2),
        ]
        """,
    )
    for status in ("completed", "cached"):
        assert project.run().code == 0
        run = Client().get_run("latest")
        values = [step.output.load() for step in run.steps.values()]
        assert len(set(values)) == len(values) == 21
        assert {step.status for step in run.steps.values()} == {status}


def test_key_material_of_the_authors_own_counts(project: Project) -> None:
    options = '(cache_version="1", cache_files=["data"], cache_environment=["MODE"])'
    prepare(project, options)
    ran = {"first": "completed", "second": "cached", "third": "cached"}
    check(project, CACHED)
    edit(project, "main.py", 'cache_version="1"', 'cache_version="2"')
    check(project, ran, first="version")
    edit(project, "data/a.txt", "1", "2")
    check(project, ran, first="data")
    project.write("data/b.txt", "")
    check(project, ran, first="data")
    os.environ["MODE"] = "fast"
    try:
        check(project, ran, first="MODE")
    finally:
        del os.environ["MODE"]


def test_a_result_that_has_expired_is_not_taken(project: Project) -> None:
    prepare(project, '(cache_expiry="1ms")')
    check(project, {"first": "completed", "second": "cached", "third": "cached"}, first="expired")


def test_caching_can_be_turned_off(project: Project) -> None:
    prepare(project, "(enable_cache=False)")
    check(project, {"first": "completed", "second": "cached", "third": "cached"}, first="off")


def test_a_step_whose_caching_is_off_is_planned_to_run_whatever_its_inputs_are(
    project: Project,
) -> None:
    prepare(project)

    def planned(**request: bool) -> dict[str, str]:
        steps = json.loads(project.verb("plan", target="main.py", format="json", **request).out)
        return {step["step"]: step["verdict"] for step in steps}

    assert planned(enable_cache=False) == {"first": "run", "second": "run", "third": "run"}
    edit(project, "helpers.py", "10 * x", "11.5 * x")
    assert planned() == {"first": "run", "second": "depends", "third": "cached"}
    edit(project, "main.py", "@step\ndef second", "@step(enable_cache=False)\ndef second")
    assert planned() == {"first": "run", "second": "run", "third": "cached"}


def test_a_step_can_differ_from_its_pipeline(project: Project) -> None:
    prepare(project, "(enable_cache=True)", "(enable_cache=False)")
    check(project, {"first": "cached", "second": "completed", "third": "completed"})
    assert project.run(enable_cache=False).code == 0


def test_a_step_that_returns_none_is_cached_and_its_output_loads(project: Project) -> None:
    project.write(
        "main.py",
        """
        from partita import pipeline, step

        @step
        def nothing():
            return None

        @step
        def show(x, text: str = "first") -> str:
            return f"{text}: {x}"

        @pipeline
        def absent(text: str = "first"):
            show(nothing(), text)
        """,
    )
    assert project.run().code == 0
    again = project.run(parameters={"text": "second"})
    assert again.code == 0, again
    run = Client().get_run("latest")
    assert project.statuses() == {"nothing": "cached", "show": "completed"}
    assert run.steps["nothing"].output.load() is None
    assert run.steps["show"].output.load() == "second: None"


BIG = """
    from partita import pipeline, step

    @step
    def make() -> bytes:
        return bytes(100_000)

    @step
    def size(data: bytes) -> int:
        return len(data)

    @pipeline
    def big():
        size(make())
"""


def test_a_result_whose_artifact_is_gone_is_made_again(project: Project) -> None:
    project.write("main.py", BIG)
    assert project.run().code == 0
    for path in project.store.glob("artifacts/*/*"):
        path.rename(project.folder / "taken_away")
    check(project, {"make": "completed", "size": "cached"}, make="gone")
    check(project, {"make": "cached", "size": "cached"})


@pytest.mark.parametrize("content", ["", "{", '{"version": 99}', "[]", "\0"])
def test_a_damaged_cache_entry_is_as_good_as_none(project: Project, content: str) -> None:
    project.write("main.py", BIG)
    assert project.run().code == 0
    entries: list[Path] = list(project.store.glob("cache/*.json"))
    for path in entries:
        path.unlink()
        path.write_text(content)
    check(project, {"make": "completed", "size": "completed"}, make="damaged")
    check(project, {"make": "cached", "size": "cached"})


def test_a_pipeline_of_another_folder_with_the_same_name_is_another_pipeline(
    project: Project,
) -> None:
    prepare(project)
    project.write(
        "other/main.py", MAIN.format(options="", pipeline_options="").replace("= 2", "= 5")
    )
    project.write("other/helpers.py", HELPERS)
    (project.folder / "other" / ".partita").mkdir()
    assert project.run("other/main.py").code == 0
    assert project.reasons()["first"] == "there is no earlier run of this pipeline here"
    assert project.statuses()["third"] == "cached"


HELD = """
    import collections
    import dataclasses
    import models
    from partita import pipeline, step

    @step
    def make():
        return {made}

    @step
    def use(made) -> float:
        return {used}

    @pipeline
    def held():
        use(make())
"""

MODELS = """
    import dataclasses

    @dataclasses.dataclass
    class Model:
        weight: float = 2.0

        def score(self) -> float:
            return scaled(self.weight)

    class Fitted:
        def __init__(self) -> None:
            self.model = Model()

        def score(self) -> float:
            return 1.0

    class Box:
        __slots__ = ("inside",)

        def __init__(self, inside: object) -> None:
            self.inside = inside

    def scaled(x: float) -> float:
        return 3 * x

    def unrelated() -> int:
        return 1
"""


@pytest.mark.parametrize(
    ("made", "used"),
    [
        ("models.Model()", "made.score()"),
        ("[models.Model()]", "made[0].score()"),
        ("{{'a': (models.Model(),)}}", "made['a'][0].score()"),
        ("models.Fitted()", "made.model.score()"),
        ("models.scaled", "made(2.0)"),
        ("models.Model().score", "made()"),
        ("[models.Box(models.Model()), models.Box(3)]", "made[0].inside.score()"),
        ("[models.Box(3), models.Box(models.Model())]", "made[1].inside.score()"),
        ("collections.deque([models.Model()])", "made[0].score()"),
        ("collections.defaultdict(models.Model)", "made['a'].score()"),
    ],
)
def test_code_that_hangs_on_an_input_counts_though_the_step_does_not_name_it(
    project: Project, made: str, used: str
) -> None:
    project.write(
        "main.py", HELD.format(made=made.replace("{{", "{").replace("}}", "}"), used=used)
    )
    project.write("models.py", MODELS)
    assert project.run().code == 0
    assert Client().get_run("latest").steps["use"].output.load() == 6.0
    project.write("models.py", MODELS.replace("3 * x", "4 * x"))
    assert project.run().code == 0
    assert Client().get_run("latest").steps["use"].output.load() == 8.0
    assert project.reasons()["use"] == "the code of the value of input `made` changed"
    project.write("models.py", MODELS.replace("3 * x", "4 * x").replace("return 1\n", "return 2\n"))
    assert project.run().code == 0
    assert project.statuses() == {"make": "cached", "use": "cached"}


def test_code_that_hangs_on_a_value_from_the_pipeline_counts_too(project: Project) -> None:
    text = HELD.replace("use(make())", "use(models.Model())")
    project.write("main.py", text.format(made="1", used="made.score()"))
    project.write("models.py", MODELS)
    assert project.run().code == 0
    project.write("models.py", MODELS.replace("3 * x", "4 * x"))
    assert project.run().code == 0
    assert Client().get_run("latest").steps["use"].output.load() == 8.0
    assert project.reasons()["use"] == "the code of the value of input `made` changed"


def test_a_plan_names_what_changed_in_a_step_whose_input_will_change_too(project: Project) -> None:
    prepare(project)
    edited = MAIN.format(options="", pipeline_options="").replace("y > 0", "y > 1")
    project.write("main.py", edited)
    project.write("helpers.py", HELPERS.replace("10 * x", "20 * x"))
    planned = project.verb("plan", target="main.py", format="json")
    assert planned.code == 0, planned
    second = next(step for step in json.loads(planned.out) if step["step"] == "second")
    assert second["verdict"] == "depends"
    assert second["reason"].startswith("its input comes from `first`, which will run; source of ")
    assert "`main.second` changed" in second["reason"]
