"""Whatever goes wrong ends in one paragraph that says what, where and what to do."""

from __future__ import annotations

import os
import re

import pytest

from conftest import Project
from partita import Client, PartitaError
from two_steps import check_failed, check_refused, two


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere.py", ["`nowhere.py`", "check"]),
        ("nowhere/else.py:p", ["`nowhere/else.py`"]),
        ("no.such.module:p", ["`no.such.module`"]),
        ("main.py:tow", ["`tow`", "`two`"]),
        ("empty.py", ["`empty.py`", "@pipeline"]),
        ("several.py", ["`several.py:one`", "`several.py:other`"]),
        ("", ["target"]),
        (":", ["target"]),
        ("main.py:", ["main.py"]),
    ],
)
def test_a_target_that_is_not_there_is_named(
    project: Project, target: str, words: list[str]
) -> None:
    two(project)
    project.write("empty.py", "")
    several = (
        "from partita import pipeline\n@pipeline\ndef one(): pass\n@pipeline\ndef other(): pass"
    )
    project.write("several.py", several)
    if target == "main.py:":
        assert project.run(target).code == 0
    else:
        check_refused(project.run(target), *words)


def test_a_module_that_is_not_there_is_told_with_where_it_was_looked_for(project: Project) -> None:
    unmarked = f"in `{project.folder}`, which is no source root (`partita init` marks one),"
    check_refused(project.run("nowhere"), "no module `nowhere`", unmarked)
    (project.folder / ".partita").mkdir()
    marked = f"in the source root `{project.folder}` or the environment"
    check_refused(project.run("nowhere"), marked)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:\n    pass\n", ["SyntaxError", "main.py"]),
        ("1 / 0\n", ["ZeroDivisionError", "main.py"]),
        ("import not_installed_anywhere\n", ["not_installed_anywhere", "main.py"]),
        ("raise SystemExit(3)\n", ["SystemExit", "main.py"]),
        ("x = '\x00'\n", ["main.py"]),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), ["main.py"]),
    ],
    ids=["syntax", "exception", "import", "exit", "nul", "latin-1"],
)
def test_a_file_that_cannot_be_loaded_shows_the_authors_traceback_alone(
    project: Project, text: str, words: list[str]
) -> None:
    (project.folder / "main.py").write_bytes(text.encode("latin-1"))
    finished = project.run()
    assert finished.code == 1, finished
    assert "bug in Partita" not in finished.err
    assert "/src/partita/" not in finished.err
    assert "importlib" not in finished.err
    for word in words:
        assert word in finished.err, finished.err
    assert finished.err.rstrip().splitlines()[-1].startswith("error: "), finished.err


def test_a_pipeline_without_steps_is_refused(project: Project) -> None:
    two(project, calls="pass")
    check_refused(project.run(), "`two`", "step")
    assert Client().list_runs() == []


def test_a_script_without_the_main_guard_is_told_what_to_type(project: Project) -> None:
    two(project)
    script = project.folder / "main.py"
    script.write_text(script.read_text().replace('if __name__ == "__main__":', "if True:"))
    assert project.python("main.py").code == 0
    line = len(script.read_text().splitlines())
    words = (f"main.py:{line}: ", "`two`", 'if __name__ == "__main__":')
    check_refused(project.run(), *words)
    check_refused(project.verb("plan", target="main.py"), *words)
    assert len(Client().list_runs()) == 1


@pytest.mark.parametrize(
    ("returns", "body", "words"),
    [
        (" -> int", "return 'text'", ["`make`", "`int`", "`str`"]),
        (" -> int", "return None", ["`make`", "`int`", "`NoneType`"]),
        (" -> None", "return 1", ["`make`", "`int`"]),
        (" -> tuple[int, int]", "return 1", ["`make`", "2 outputs", "tuple"]),
        (" -> tuple[int, int]", "return 1, 2, 3", ["`make`", "2 outputs", "3 values"]),
        ("", "return (n for n in range(3))", ["generator"]),
        ("", "import threading; return threading.Lock()", ["lock"]),
        ("", "sys.exit(3)", ["sys.exit(3)"]),
        ("", "raise ValueError('first line\\nsecond line')", ["first line"]),
        ("", "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})", ["Odd"]),
        ("", "raise RecursionError", ["RecursionError"]),
        ("", "f = lambda: f(); f()", ["RecursionError"]),
        ("", "raise MemoryError", ["MemoryError"]),
        ("", "raise GeneratorExit", ["GeneratorExit"]),
    ],
)
def test_a_step_that_does_not_deliver_fails(
    project: Project, returns: str, body: str, words: list[str]
) -> None:
    calls = "make()" if "tuple" in returns or "None" in returns else "take(make())"
    two(project, body, returns=returns, calls=calls)
    check_failed(project, *words)


ODD = "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('lone ' + chr(0xD800))", "ValueError: lone \\ud800"),
        (ODD, "Odd: its message cannot be told, since `__str__` raised ZeroDivisionError"),
    ],
    ids=["surrogate", "str"],
)
def test_a_message_that_cannot_be_written_costs_no_traceback(
    project: Project, body: str, message: str
) -> None:
    two(project, body)
    ended = project.run()
    assert message in ended.err, ended
    assert 'main.py", line 8, in make' in ended.err, ended


@pytest.mark.parametrize(
    "name", ["with spaces", "ünïcødé 数字", "a/b", "..", "../../out", "x" * 256]
)
def test_odd_names_are_kept_and_never_leave_the_store(project: Project, name: str) -> None:
    text = repr(name)
    project.write(
        "main.py",
        f"""
        from typing import Annotated
        from partita import pipeline, step

        @step(name={text})
        def make() -> Annotated[bytes, {text}]:
            return bytes(100_000)

        @step
        def take(value: bytes) -> int:
            return len(value)

        @pipeline(name={text})
        def odd():
            take(make(), id={text + " + '2'" if len(name) < 250 else text[:-3] + text[-1]})
        """,
    )
    before = {path for path in project.folder.parent.rglob("*") if project.home not in path.parents}
    ended = project.run(run_name=name)
    assert ended.code == 0, ended
    after = {path for path in project.folder.parent.rglob("*") if project.home not in path.parents}
    assert {path for path in after - before if "__pycache__" not in str(path)} <= {project.home}
    run = Client().get_run(name)
    assert (run.name, run.pipeline) == (name, name)
    assert run.steps[name].outputs[name].load() == bytes(100_000)
    assert project.run(run_name=None).code == 0
    assert project.statuses()[name] == "cached"


@pytest.mark.parametrize(
    "name", ["", " ", "x" * 10_000, "line\nbreak", "nul\0", "\ud800"], ids=ascii
)
@pytest.mark.parametrize("place", ["step", "pipeline", "run", "output", "id"])
def test_names_that_are_none_are_refused_before_anything_runs(
    project: Project, place: str, name: str
) -> None:
    names = {"step": "make", "pipeline": "odd", "run": "r", "output": "o", "id": "i", place: name}
    project.write(
        "main.py",
        f"""
        from typing import Annotated
        from partita import pipeline, step

        def make() -> Annotated[int, {names["output"]!r}]:
            return 1

        make = step(make, name={names["step"]!r})

        def odd():
            make()
            make(id={names["id"]!r})

        odd = pipeline(odd, name={names["pipeline"]!r}).with_options(run_name={names["run"]!r})
        """,
    )
    ended = project.run()
    check_refused(ended, "name" if place != "id" else "")
    assert len(ended.err) < 3_000, ended.err
    assert Client().list_runs() == []


def test_a_run_that_is_not_there_names_the_nearest(project: Project) -> None:
    with pytest.raises(PartitaError, match="no pipeline has run"):
        Client().get_run("latest")
    two(project)
    project.run(run_name="monday")
    with pytest.raises(PartitaError, match=r"`modnay`.*`monday`"):
        Client().get_run("modnay")
    check_refused(project.resume("modnay"), "`modnay`", "`monday`")


def test_an_ambiguous_prefix_lists_what_it_may_mean(project: Project) -> None:
    two(project)
    project.run(run_name="monday")
    project.run(run_name="tuesday")
    ids = [run.id for run in Client().list_runs()]
    common = os.path.commonprefix(ids)
    with pytest.raises(
        PartitaError, match="monday.*type more of the id|tuesday.*type more"
    ) as told:
        Client().get_run(common)
    assert all(one in str(told.value) for one in ids)


def test_a_taken_run_name_is_refused(project: Project) -> None:
    two(project)
    assert project.run(run_name="monday").code == 0
    check_refused(project.run(run_name="monday"), "`monday`", "choose another name")
    assert len(Client().list_runs()) == 1
    assert len(list((project.store / "runs").iterdir())) == 1


def test_no_run_is_named_as_the_latest_one_is(project: Project) -> None:
    two(project)
    check_refused(project.run(run_name="latest"), "`latest` stands for the latest run", "choose")
    project.write("run.yaml", "\nrun_name: latest\n")
    check_refused(project.run(config="run.yaml"), "run.yaml:2: ", "choose a name")
    assert Client().list_runs() == []


def test_a_value_that_cannot_be_stored_is_told_in_one_sentence(project: Project) -> None:
    two(project, "import threading; return threading.Lock()")
    check_failed(project, "`_thread.lock` cannot be stored", "Return the data it holds instead")
    (line,) = (line for line in project.run().err.splitlines() if "cannot be stored" in line)
    assert line.startswith("make: failed")
    assert "Traceback" not in project.run().err
    script = project.python("main.py")
    assert "cloudpickle.py" not in script.err
    assert script.err.count("Traceback") == 1, script.err


def test_a_value_whose_own_code_fails_while_it_is_stored_shows_that_code(project: Project) -> None:
    two(project, "return Odd()")
    text = (project.folder / "main.py").read_text()
    odd = "class Odd:\n    def __reduce__(self):\n        raise ValueError('not me')\n\n@step\n"
    project.write("main.py", text.replace("@step\n", odd, 1))
    finished = project.run()
    assert finished.code == 1
    assert "in __reduce__" in finished.err
    assert "not me" in finished.err


def test_a_warning_about_a_pickle_names_the_authors_line(project: Project) -> None:
    two(project, "return compile('1', 'own', 'eval').co_code and Thing()")
    text = (project.folder / "main.py").read_text()
    project.write("main.py", text.replace("@step\n", "class Thing: ...\n\n@step\n", 1))
    finished = project.run()
    assert finished.code == 0, finished
    line = (project.folder / "main.py").read_text().splitlines().index("@step") + 1
    assert f"main.py:{line}: PickleWarning: a value of type `main.Thing`" in finished.err
    two(project, calls="take(Thing())")
    text = (project.folder / "main.py").read_text()
    project.write("main.py", text.replace("@step\n", "class Thing: ...\n\n@step\n", 1))
    finished = project.run()
    lines = (project.folder / "main.py").read_text().splitlines()
    line = lines.index("    take(Thing())") + 1
    assert f"main.py:{line}: PickleWarning: a value of type `main.Thing`" in finished.err


@pytest.mark.parametrize(
    ("fault", "place"),
    [("PanicException", None), ("", r"at partita/running\.py:\d+: AttributeError\(")],
)
def test_a_bug_in_partita_ends_a_command_with_one_paragraph_and_a_code_of_its_own(
    project: Project, fault: str, place: str | None
) -> None:
    two(project)
    text = (project.folder / "main.py").read_text()
    broken = "from partita import _engine, running\n"
    if fault:
        broken += "def run(*_): raise _engine.PanicException('as the engine raises it')\n"
        broken += "_engine.run = run\n"
    else:
        broken += "del _engine.run\n"
    project.write("main.py", broken + text)
    finished = project.run()
    assert finished.code == 70, finished
    said = finished.err.splitlines()
    if place is None:
        assert not said  # A panic tells of itself where it happens.
    else:
        assert len(said) == 1, finished
        assert re.match(rf"error: this is a bug in Partita \S+ {place}", said[0]), finished
