"""A full disk, a read-only one and very much output lose nothing that is finished."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import PATIENCE, Finished, Project
from partita import Client
from two_steps import check_refused, two

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


def test_a_store_that_is_out_of_reach_has_an_exit_code_of_its_own(
    project: Project, command: str
) -> None:
    two(project)
    registrations = [
        [command, "artifact-store", "register", "far", "--flavor=local", "--path=/proc/none/far"],
        [command, "stack", "register", "far", "-o", "default", "-a", "far"],
    ]
    for registration in registrations:
        subprocess.run(registration, check=True, capture_output=True)
    ended = project.run(stack="far")
    assert ended.code == 3, ended
    ended.check_no_faults()
    assert "/proc/none/far` cannot be opened" in ended.err


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


def test_a_step_that_prints_100_megabytes_is_recorded_and_shown(project: Project) -> None:
    two(
        project, "line = 'x' * 99\n        for _ in range(1000): print(chr(10).join([line] * 1000))"
    )
    began = time.monotonic()
    ended = project.run()
    assert (ended.code, len(ended.out)) == (0, 100_000_000)
    assert len(Client().get_run("latest").steps["make"].log) == 100_000_000
    assert time.monotonic() - began < PATIENCE


def to_full_disk(project: Project, verb: str) -> Finished:
    """Does what the command has Python do, with a full disk under standard output."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "partita", verb, '{"target": "main.py"}'],
            cwd=project.folder,
            env=project.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    return Finished(ended.returncode, "", ended.stderr)


@pytest.mark.parametrize("verb", ["plan", "compile"])
def test_what_cannot_be_shown_on_a_full_disk_is_refused(project: Project, verb: str) -> None:
    two(project)
    check_refused(to_full_disk(project, verb), "standard output cannot be written to: No space")


def test_a_full_disk_under_standard_output_costs_no_step(project: Project) -> None:
    two(project, "print('made')")
    ended = to_full_disk(project, "run")
    assert ended.code == 0, ended
    ended.check_no_faults()
    assert "(No space left on device); the run goes on" in ended.err
    assert Client().get_run("latest").steps["make"].log == "made\n"
