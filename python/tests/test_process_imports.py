"""Steps are forked where what their modules import leaves a process with one thread."""

from __future__ import annotations

import json

import pytest

from conftest import Project
from partita import Client
from process_stack import use_process

MODULE = """
    import os
    from partita import pipeline, step

    {body}

    @step
    def allocator() -> str:
        return os.environ.get("JE_ARROW_MALLOC_CONF", "")

    @pipeline
    def main():
        allocator()
"""


def run(project: Project, command: str, body: str, **environment: str) -> tuple[str, str]:
    """Runs a step of a module; returns how Arrow's allocator is set up there, and the log."""
    use_process(command)
    project.write("main.py", MODULE.format(body=body))
    request = json.dumps({"target": "main.py"})
    finished = project.python("-m", "partita", "run", request, env=environment)
    assert finished.code == 0, finished
    found = Client().get_run("latest").steps["allocator"]
    return found.outputs["output"].load(), found.log or ""


def test_a_step_that_imports_arrow_is_forked(project: Project, command: str) -> None:
    pytest.importorskip("pyarrow")
    allocator, log = run(project, command, "import pyarrow")
    assert (allocator, log) == ("background_thread:false", "")


def test_what_the_author_says_to_arrows_allocator_stays(project: Project, command: str) -> None:
    allocator, _ = run(project, command, "", JE_ARROW_MALLOC_CONF="narenas:1")
    assert allocator == "narenas:1"


def test_a_step_whose_imports_start_threads_starts_python_anew_and_says_so(
    project: Project, command: str
) -> None:
    body = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    _, log = run(project, command, body)
    expected = "this step starts Python anew, since importing its modules has started threads (1)"
    assert expected in log


ENDING = """
    import os, threading, time
    from pathlib import Path
    from partita import pipeline, step

    def watch() -> None:
        while not Path("told").exists():
            time.sleep(0.005)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    with open("threads.txt", "a") as threads:
        threads.write(f"/proc/{os.getpid()}/task/{thread.native_id}\\n")

    @step(timeout="1m")
    def ends_them() -> int:
        Path("told").touch()
        while any(map(os.path.exists, Path("threads.txt").read_text().split())):
            time.sleep(0.005)
        return 1

    @step
    def after(number: int) -> int:
        return number

    @pipeline
    def main():
        after(ends_them())
"""


def test_threads_are_counted_before_each_fork(project: Project, command: str) -> None:
    use_process(command)
    project.write("main.py", ENDING)
    finished = project.run()
    assert finished.code == 0, finished
    steps = Client().get_run("latest").steps
    anew = "this step starts Python anew, since importing its modules has started threads (1)"
    assert anew in (steps["ends_them"].log or "")
    assert steps["after"].log == ""


ASKING = """
    from partita import ResourceSettings, pipeline, step

    @step
    def plain() -> int:
        return 1

    @step(settings={"resources": ResourceSettings(cpu_count=2)})
    def threads() -> int:
        return 1

    @step(settings={"resources": ResourceSettings(gpu_count=1)})
    def gpu() -> int:
        return 1

    @step(settings={"resources": ResourceSettings(cpu_count=2)}, orchestrator="here")
    def here() -> int:
        return 1

    @pipeline
    def main():
        plain(), threads(), gpu(), here()
"""


@pytest.mark.parametrize("warm", [True, False])
def test_a_plan_says_which_steps_start_python_anew(
    project: Project, command: str, *, warm: bool
) -> None:
    use_process(command, warm=warm, cpu_count=4, gpus=["7"])
    project.write("main.py", ASKING)

    def planned() -> dict[str, str | None]:
        steps = json.loads(project.verb("plan", target="main.py", format="json").out)
        return {found["step"]: found.get("starts_anew") for found in steps}

    threads = "the number of threads is set before its modules are imported" if warm else None
    gpu = "its GPUs are chosen before its modules are imported" if warm else None
    assert planned() == {"plain": None, "threads": threads, "gpu": gpu, "here": None}
    shown = project.verb("plan", target="main.py", format="table").out
    assert ("starts Python anew" in shown) == warm
    assert project.run().code == 0
    assert set(planned().values()) == {None}


BARE = """
    import gc
    import sys
    from partita import pipeline, step

    @step
    def seen() -> list:
        return [gc.isenabled(), sys.path, sorted({"functools", "typing", "runpy"} & set(sys.modules))]

    @pipeline
    def main():
        seen()
"""


def test_a_step_that_starts_anew_imports_little_and_finds_python_as_usual(
    project: Project, command: str
) -> None:
    use_process(command, warm=False)
    project.write("main.py", BARE)
    finished = project.python("-m", "partita", "run", json.dumps({"target": "main.py"}))
    assert finished.code == 0, finished
    collects, path, imported = Client().get_run("latest").steps["seen"].outputs["output"].load()
    bare = project.python("-c", "import sys; print(*sorted(sys.modules))").out.split()
    assert collects
    assert "" not in path, "imports would follow the working directory"
    assert [name for name in imported if name not in bare] == []
