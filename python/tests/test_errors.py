"""Whatever goes wrong ends in one paragraph that says what, where and what to do."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import PATIENCE, Finished, Project
from partita import Client, PartitaError

#: Two steps; what the first one does and returns is filled in.
TWO = """
    import os, sys
    from typing import Annotated
    from partita import pipeline, step

    @step{options}
    def make(){returns}:
        {body}

    @step
    def take(value) -> int:
        return 1

    @pipeline
    def two():
        {calls}

    if __name__ == "__main__":
        two()
"""


def two(
    project: Project,
    body: str = "return 1",
    *,
    returns: str = "",
    options: str = "",
    calls: str = "take(make())",
) -> None:
    """Writes a pipeline of two steps."""
    text = TWO.format(body=body, returns=returns, options=options, calls=calls)
    project.write("main.py", text)


def check_refused(finished: Finished, *words: str) -> None:
    """Checks that one paragraph says all of these words."""
    message = finished.refusal
    for word in words:
        assert word in message, message


def check_failed(project: Project, *words: str) -> None:
    """Checks that the first step fails with a message that says all of these words."""
    finished = project.run()
    assert finished.code == 1, finished
    assert "panicked" not in finished.err
    assert "/src/partita/" not in finished.err, finished.err
    run = Client().get_run("latest")
    assert run.status == "failed"
    assert project.statuses()["make"] == "failed"
    assert run.error is not None
    assert len(run.error.splitlines()) <= 2, run.error
    for word in words:
        assert word in run.error, run.error


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
    assert "panicked" not in finished.err
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
    check_refused(project.run(), 'if __name__ == "__main__":', "`two`", "main.py")
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


def stored(project: Project) -> Path:
    """Runs a pipeline that stores an artifact in files; returns its folder."""
    two(project, "return bytes(100_000)", returns=" -> bytes")
    assert project.run().code == 0
    (manifest,) = project.store.glob("artifacts/*/*/manifest.json")
    return manifest.parent


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "manifest", "device"])
def test_a_damaged_artifact_is_never_loaded(project: Project, damage: str) -> None:
    folder = stored(project)
    (data,) = (path for path in folder.iterdir() if path.name != "manifest.json")
    content = data.read_bytes()
    match damage:
        case "flip":
            data.write_bytes(content[:500] + b"\x01" + content[501:])
        case "cut":
            data.write_bytes(content[:-1])
        case "gone":
            data.unlink()
        case "manifest":
            manifest = json.loads((folder / "manifest.json").read_text())
            manifest["files"][0]["path"] = "../../../../secret"
            (folder / "manifest.json").write_text(json.dumps(manifest))
        case _:
            data.unlink()
            data.symlink_to("/dev/zero")
    with pytest.raises(PartitaError, match="corrupt"):
        Client().get_run("latest").steps["make"].output.load()
    script = project.folder / "main.py"
    script.write_text(script.read_text().replace("return 1", "return 2"))
    ended = project.run()
    assert ended.code == 1, ended
    ended.check_no_faults()
    assert project.statuses() == {"make": "cached", "take": "failed"}
    assert "corrupt" in str(Client().get_run("latest").error)
    assert project.run(enable_cache=False).code == 0


DAMAGES = {
    "truncated": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "edited": lambda text: text.replace('"version":1', '"version":1,', 1),
    "newer": lambda text: text.replace('"version":1', '"version":99', 1),
    "other": lambda text: "[]",
    "deep": lambda text: "[" * 100_000,
    "binary": lambda text: "\x00\xff",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("document", ["runs/*/run.json", "deployments/*.json"])
def test_a_damaged_document_is_named_and_nothing_else_is_lost(
    project: Project, document: str, damage: str
) -> None:
    two(project, "os.path.exists('go') or os._exit(1); return 1")
    project.run()
    (path,) = project.store.glob(document)
    path.write_text(DAMAGES[damage](path.read_text()), encoding="utf-8")
    (run,) = Client().list_runs()
    assert run.status == "interrupted"
    assert path.name in (run.error or ""), run.error
    if path.parent.name == "deployments":  # Nothing else says what the run's steps are.
        with pytest.raises(PartitaError, match=path.name):
            Client().get_run("latest")
    project.write("go", "")
    check_refused(project.resume("latest"), path.name, "version" if damage == "newer" else "")
    assert project.run().code == 0
    assert [one.status for one in Client().list_runs()] == ["completed", "interrupted"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_commit_keeps_its_run_from_being_resumed(project: Project, damage: str) -> None:
    two(project)
    project.write(
        "main.py",
        (project.folder / "main.py")
        .read_text()
        .replace(
            "def take(value) -> int:", "def take(value) -> int:\n    os.path.exists('go') or 1 / 0"
        ),
    )
    assert project.run().code == 1
    (path,) = project.store.glob("runs/*/steps/*.commit.json")
    path.write_text(DAMAGES[damage](path.read_text()), encoding="utf-8")
    project.write("go", "")
    check_refused(project.resume("latest"), "commit.json")
    assert project.run(enable_cache=False).code == 0


def test_a_database_of_a_newer_version_is_refused(project: Project) -> None:
    two(project)
    assert project.run().code == 0
    with sqlite3.connect(project.home / "metadata.db") as database:
        database.execute("PRAGMA user_version = 99")
    check_refused(project.run(), "99", "newer")
    with sqlite3.connect(project.home / "metadata.db") as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_database_that_is_none_is_refused(project: Project) -> None:
    project.home.mkdir()
    (project.home / "metadata.db").write_bytes(b"not a database at all" * 100)
    two(project)
    check_refused(project.run(), "metadata.db", "partita store rebuild")


def test_a_home_that_is_a_file_is_refused(project: Project) -> None:
    project.home.write_text("")
    two(project)
    check_refused(project.run(), "`PARTITA_HOME`", str(project.home))


@pytest.fixture
def small_disk(project: Project) -> Iterator[Path]:
    """A file system of 4 MiB, mounted where the home goes."""
    project.home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(project.home)]
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk is not allowed here")
    yield project.home
    subprocess.run(["umount", "-l", str(project.home)], check=True)


def test_a_read_only_home_is_refused(project: Project, small_disk: Path) -> None:
    two(project)
    assert project.run().code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    check_refused(project.run(), str(small_disk), "PARTITA_HOME")


def test_a_full_disk_fails_the_step_and_the_run_can_be_resumed(
    project: Project, small_disk: Path
) -> None:
    two(project, "return bytes(1_000_000) if os.path.exists('go') else bytes(30_000_000)")
    ended = project.run()
    assert ended.code == 1, ended
    assert "free some space" in ended.err or "No space left" in ended.err
    run = Client().get_run("latest")
    assert (run.status, project.statuses()["make"]) == ("failed", "failed")
    project.write("go", "")
    assert project.resume(run.id).code == 0
    assert Client().get_run(run.id).status == "completed"
    assert list((small_disk / "store" / "staging").iterdir()) == []


def test_a_disk_without_a_byte_left_loses_no_finished_step(
    project: Project, small_disk: Path
) -> None:
    two(project)
    project.write(
        "main.py",
        (project.folder / "main.py")
        .read_text()
        .replace(
            "def take(value) -> int:",
            "def take(value) -> int:\n    fill(os.environ['PARTITA_HOME'] + '/filler')",
        )
        .replace("@pipeline", FILL + "\n@pipeline"),
    )
    ended = project.run()
    assert ended.code == 1, ended
    ended.check_no_faults()
    assert "full" in ended.err or "No space" in ended.err, ended.err
    (small_disk / "filler").unlink()
    run = Client().get_run("latest")
    assert run.status in {"failed", "interrupted"}
    assert run.steps["make"].status == "completed"
    project.write("go", "")
    resumed = project.resume(run.id)
    assert resumed.code == 0, resumed
    assert project.statuses() == {"make": "completed", "take": "completed"}


FILL = """
def fill(path):
    if os.path.exists("go"):
        return
    with open(path, "wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
"""


def test_a_step_that_prints_100_megabytes_is_recorded_and_shown(project: Project) -> None:
    two(
        project, "line = 'x' * 99\n        for _ in range(1000): print(chr(10).join([line] * 1000))"
    )
    began = time.monotonic()
    ended = project.run()
    assert (ended.code, len(ended.out)) == (0, 100_000_000)
    assert len(Client().get_run("latest").steps["make"].log) == 100_000_000
    assert time.monotonic() - began < PATIENCE


def test_a_marked_folder_of_another_user_is_refused(project: Project) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder to another user")
    two(project)
    mark = project.folder / ".partita"
    mark.mkdir()
    os.chown(mark, 65534, 65534)
    check_refused(project.run(), str(project.folder), "another user")
    assert not project.home.exists() or Client().list_runs() == []


DEFINED_HERE = """
    from dataclasses import dataclass
    from enum import Enum
    from partita import pipeline, step

    @dataclass
    class Model:
        weights: list

    class Color(Enum):
        RED = 1

    class Plain:
        def __init__(self, number):
            self.number = number

    @step
    def train() -> Model:
        return Model([1, 2, 3])

    @step
    def color() -> Color:
        return Color.RED

    @step
    def plain() -> Plain:
        return Plain(7)

    @step
    def check(model: Model, red: Color, number: Plain) -> int:
        assert type(model) is Model and red is Color.RED
        return sum(model.weights) + number.number

    @pipeline
    def classes():
        check(train(), color(), plain())

    if __name__ == "__main__":
        run = classes()
        assert type(run.steps["train"].output.load()) is Model
"""


@pytest.mark.parametrize("first", ["script", "target"])
def test_classes_of_the_script_itself_pass_from_step_to_step(project: Project, first: str) -> None:
    project.write("main.py", DEFINED_HERE)
    starts = [lambda: project.python("main.py"), project.run]
    if first == "target":
        starts.reverse()
    for start in starts:
        ended = start()
        assert ended.code == 0, ended
        assert Client().get_run("latest").steps["check"].output.load() == 13
    assert set(project.statuses().values()) == {"cached"}


UNTRUSTED = """
UPDATE components SET config = json_set(config, '$.trust_pickles', json('false'))
"""


def distrust(project: Project) -> None:
    """Makes the default artifact store one whose pickles are not trusted."""
    with sqlite3.connect(project.home / "metadata.db") as database:
        database.execute(UNTRUSTED + " WHERE type = 'artifact_store'")


def test_a_pickle_in_a_store_that_is_not_trusted_is_never_loaded(project: Project) -> None:
    two(project, "return Odd()", options="(output_materializers=None)")
    script = project.folder / "main.py"
    odd = "class Odd:\n    def __reduce__(self):\n        return os.mkdir, ('loaded',)\n\n@step"
    script.write_text(script.read_text().replace("@step(", odd + "(", 1))
    ended = project.run()
    assert (project.folder / "loaded").exists(), ended
    (project.folder / "loaded").rmdir()
    distrust(project)
    with pytest.raises(PartitaError, match="trust_pickles"):
        Client().get_run("latest").steps["make"].output.load()
    script.write_text(script.read_text().replace("return 1", "return 2"))
    assert project.run().code == 1
    assert "trust_pickles" in str(Client().get_run("latest").error)
    assert not (project.folder / "loaded").exists()


def test_a_class_that_a_stored_document_names_is_never_imported(project: Project) -> None:
    project.write("main.py", DEFINED_HERE)
    project.write("evil.py", "open('imported', 'w')\nclass Model: pass\n")
    assert project.run().code == 0
    for path in project.store.glob("runs/*/steps/*.json"):
        path.write_text(path.read_text().replace("main.Model", "evil.Model"))
    with pytest.raises(PartitaError, match="no loaded module has that class"):
        Client().get_run("latest").steps["train"].output.load()
    assert not (project.folder / "imported").exists()
