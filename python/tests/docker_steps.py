"""Steps for tests of containers, which wait for the test or end badly, and what is recorded of them."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from conftest import Project
from docker_engine import Engine
from partita import Client

#: Waits until a file is in the folder that it shares with the test, and beyond signals.
WAITS = """
        ready()
        while not os.path.exists("/shared/go"):
            time.sleep(0.02)
"""


def use(engine: Engine, command: str, shared: Path, **config: object) -> None:
    engine.use(command, volumes=[f"{shared}:/shared"], **config)


def somebody(user: int) -> list[str]:
    """What starts a program as somebody who may read whatever there is, since Python may be root's."""
    capability = "+dac_override"
    words = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return [*words, f"--inh-caps={capability}", f"--ambient-caps={capability}"]


#: The users of an image.
PEOPLE = "root:x:0:0::/root:/bin/sh\napp:x:1500:1600::/:/bin/sh\n"


def with_people(engine: Engine) -> str:
    """Makes an image that has the users `root` and `app`, and a group; returns its id."""
    program = f"""
import os
open("/etc/people", "w").write({PEOPLE!r})
open("/etc/group", "w").write("team:x:1601:\\n")
if os.path.lexists("/etc/passwd"):
    os.remove("/etc/passwd")
os.symlink("people", "/etc/passwd")
"""
    return engine.build(f"RUN {json.dumps(['python', '-c', program])}")


def write_one(project: Project, body: str, options: str = "") -> None:
    """Writes a pipeline of one step with this body."""
    project.write(
        "main.py",
        f"""
        import os, signal, sys, time
        from partita import DockerSettings, ResourceSettings, StepRetryConfig, pipeline, step

        @step(enable_cache=False{options})
        def one() -> int:
            {textwrap.dedent(body).strip()}
            return 1

        @pipeline
        def line():
            one()
        """,
    )


def failed(step: str = "one") -> str:
    """What is recorded of the only attempt at a step of the latest run, which failed."""
    (attempt,) = Client().get_run("latest").steps[step].attempts
    assert attempt["status"] == "failed"
    return attempt["error"] or ""


def container_of(engine: Engine, step: int = 1, attempt: int = 1) -> str:
    """The name of the container of a step of the run that goes on."""
    (found,) = [name for name in engine.containers() if name.endswith(f"-{step}-{attempt}")]
    return found


#: Is called once, and prints before it waits and after.
PRINTS = f"""
        with open("/shared/calls", "a") as calls:
            calls.write("called ")
        print("printed early")
        {WAITS.strip()}
        print("printed late")
"""


def log_of(step: str) -> list[str]:
    """The lines of the log of the only attempt at a step of the latest run."""
    (attempt,) = Client().get_run("latest").steps[step].attempts
    text = Path(attempt["log"].removeprefix("file://")).read_text()
    return [json.loads(line)["line"] for line in text.splitlines()]
