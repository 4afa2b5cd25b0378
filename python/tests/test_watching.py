"""A run is watched, read along and cancelled from another process while it goes on."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from conftest import PATIENCE, Project
from partita import Client
from waiting_run import resume_until_ready, run_until_ready, write_waiting

#: Goes on once the file is there.
UNTIL_TOLD = """
        ready()
        while not os.path.exists("go"):
            time.sleep(0.01)
        print("going on")
"""


class Watcher:
    """A command that follows a run, whose lines are read as they come."""

    def __init__(self, command: str, *words: str) -> None:
        self.process = subprocess.Popen(
            [command, "runs", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
        )

    def said(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def printed(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


def go(project: Project) -> None:
    (project.folder / "go").touch()


@pytest.fixture
def home(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARTITA_HOME", str(project.home))
    return project.home


def test_a_run_is_watched_from_its_beginning_to_its_end(
    project: Project, command: str, home: Path
) -> None:
    write_waiting(project, UNTIL_TOLD)
    run = run_until_ready(project)
    watcher = Watcher(command, "watch")
    said = [watcher.said() for _ in range(3)]
    assert sorted(line.split(" in ")[0].strip() for line in said) == [
        "before: completed",
        "before: started",
        "waits: started",
    ]
    go(project)
    code, out, err = watcher.end()
    assert (code, out) == (0, ""), err
    lines = [line.split(" in ")[0] for line in err.splitlines()]
    assert lines[-1].startswith("run waiting-"), err
    assert lines[-1].endswith(": completed")
    assert sorted(lines[:-1]) == ["after: completed", "after: started", "waits: completed"]
    run.communicate(timeout=PATIENCE)


def test_a_watcher_sees_that_the_engine_died_and_that_another_one_goes_on(
    project: Project, command: str, home: Path
) -> None:
    write_waiting(project, UNTIL_TOLD)
    run = run_until_ready(project)
    watcher = Watcher(command, "watch")
    while "waits: started" not in watcher.said():
        pass
    run.kill()
    code, _, err = watcher.end()
    assert code == 1
    assert ": interrupted in " in err
    assert "`partita runs resume " in err
    run.communicate(timeout=PATIENCE)

    run = resume_until_ready(project)
    watcher = Watcher(command, "watch", "latest")
    while "waits: attempt 2 started" not in watcher.said():
        pass
    go(project)
    assert watcher.end()[0] == 0
    run.communicate(timeout=PATIENCE)


def test_a_run_that_is_over_is_told_with_the_time_that_it_took(
    project: Project, command: str, home: Path
) -> None:
    write_waiting(project, "raise ValueError('no luck')")
    assert project.run().code == 1
    code, _, err = Watcher(command, "watch", "latest").end()
    assert code == 1
    assert "waits: failed after " in err
    assert "no luck" in err


def test_what_happened_before_the_watch_is_told_in_its_order(
    project: Project, command: str, home: Path
) -> None:
    write_waiting(project, "pass")
    assert project.run().code == 0
    err = Watcher(command, "watch", "latest").end()[2]
    assert [line.split(" in ")[0] for line in err.splitlines()][:-1] == [
        f"{step}: {what}"
        for step in ("before", "waits", "after")
        for what in ("started", "completed")
    ]


def test_a_log_is_read_along_until_the_run_ends(project: Project, command: str, home: Path) -> None:
    write_waiting(project, UNTIL_TOLD)
    run = run_until_ready(project)
    every = Watcher(command, "logs", "-f")
    one = Watcher(command, "logs", "--follow", "--step", "waits")
    assert (every.printed(), one.printed()) == ("waits: ready\n", "ready\n")
    go(project)
    assert every.end()[:2] == (0, "waits: going on\n")
    assert one.end()[:2] == (0, "going on\n")
    run.communicate(timeout=PATIENCE)
    code, _, err = Watcher(command, "logs", "-f", "--step", "wait").end()
    assert code == 1
    assert "did you mean `waits`?" in err
    code, _, err = Watcher(command, "logs", "-f", "--step", "waits", "--attempt", "7").end()
    assert (code, err.count("has printed nothing in attempt 7")) == (0, 1), err


def test_a_detached_run_goes_on_by_itself(project: Project, command: str, home: Path) -> None:
    write_waiting(project, UNTIL_TOLD)
    text = (project.folder / "main.py").read_text()
    project.write("main.py", text.replace("    after(waits", "    print('traced'); after(waits"))
    arguments = [command, "run", "main.py", "--detach", "--name", "on its own"]
    begun = subprocess.run(arguments, capture_output=True, text=True, cwd=project.folder)
    assert (begun.returncode, begun.stdout) == (0, "on its own\n"), begun
    assert begun.stderr == "traced\n`partita runs watch 'on its own'` shows it\n"
    go(project)
    assert Watcher(command, "watch", "on its own").end()[0] == 0
    assert Client().get_run("on its own").steps["waits"].log == "ready\ngoing on\n"


def test_a_detached_run_has_begun_although_a_process_of_its_module_goes_on(
    project: Project, command: str, home: Path
) -> None:
    write_waiting(project, UNTIL_TOLD)
    text = (project.folder / "main.py").read_text()
    started = "import subprocess; server = subprocess.Popen(['cat'], stdin=subprocess.PIPE)\n"
    project.write("main.py", started + text)
    arguments = [command, "run", "main.py", "--detach", "--name", "served"]
    begun = subprocess.run(
        arguments, stdout=subprocess.PIPE, text=True, cwd=project.folder, timeout=PATIENCE
    )
    assert (begun.returncode, begun.stdout) == (0, "served\n")
    go(project)
    assert Watcher(command, "watch", "served").end()[0] == 0


@pytest.mark.parametrize(
    ("ends", "how"),
    [
        ("os._exit(7)", "exit code 7"),
        ("os._exit(0)", "exit code 0"),
        ("os.kill(os.getpid(), 9)", "signal SIGKILL"),
    ],
)
def test_a_detached_run_that_dies_before_its_beginning_is_told_of(
    project: Project, command: str, home: Path, ends: str, how: str
) -> None:
    project.write("main.py", f"import os\n{ends}\n")
    arguments = [command, "run", "main.py", "--detach"]
    died = subprocess.run(arguments, capture_output=True, text=True, cwd=project.folder)
    assert (died.returncode, died.stdout) == (1, ""), died
    assert died.stderr.startswith(f"error: Python ended with {how} before the run had begun")


def test_a_detached_run_that_cannot_begin_says_why(
    project: Project, command: str, home: Path
) -> None:
    write_waiting(project, UNTIL_TOLD)
    arguments = [command, "run", "main.py", "--detach", "--param", "x=1"]
    refused = subprocess.run(arguments, capture_output=True, text=True, cwd=project.folder)
    assert (refused.returncode, refused.stdout) == (1, ""), refused
    assert "parameter" in refused.stderr
    assert Client().list_runs() == []


def test_who_drives_a_run_is_what_the_system_says_whatever_its_lease_does(
    project: Project, command: str, home: Path
) -> None:
    write_waiting(project, UNTIL_TOLD)
    run = run_until_ready(project)
    (lease,) = project.store.glob("runs/*/lease.json")
    written = json.loads(lease.read_text())
    lease.write_text(json.dumps({**written, "pid": 0}))
    arguments = [command, "runs", "cancel", "latest"]
    done = subprocess.run(arguments, capture_output=True, text=True, start_new_session=True)
    assert done.returncode == 0, done
    run.communicate(timeout=PATIENCE)
    assert Client().get_run("latest").status == "cancelled"


def test_a_run_is_cancelled_from_outside_and_can_be_resumed(
    project: Project, command: str, home: Path
) -> None:
    write_waiting(project, UNTIL_TOLD)
    run = run_until_ready(project)
    name = Client().get_run("latest").name
    code, out, err = Watcher(command, "cancel", name).end()
    assert (code, out) == (0, ""), err
    assert err.splitlines() == [
        f"run `{name}` is asked to end; waiting for it",
        f"run `{name}` is cancelled",
    ]
    run.communicate(timeout=PATIENCE)
    assert run.returncode == 130
    assert project.statuses() == {
        "before": "completed",
        "waits": "cancelled",
        "after": "cancelled",
    }
    code, _, err = Watcher(command, "cancel", name).end()
    assert code == 1
    assert f"run `{name}` is cancelled and has nothing to cancel" in err
    assert f"`partita runs resume {name}`" in err
