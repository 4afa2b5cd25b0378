"""A pipeline of one step that says what it finds in its image."""

from __future__ import annotations

from typing import Any

from conftest import Project
from docker_engine import Engine
from image_parents import bare, with_pip, with_uv
from partita import Client

#: Says what it finds in its image.
SEES = """
    import json, os, shutil, subprocess, sys
    from partita import DockerSettings, pipeline, step

    @step(settings={{"docker": DockerSettings({settings})}}, enable_cache=False)
    def sees() -> dict[str, object]:
        try:
            import greeting
            version = greeting.VERSION
        except ImportError:
            version = None
        def said(name: str) -> str | None:
            found = shutil.which(name)
            return found and subprocess.run([found], capture_output=True, text=True).stdout.strip()

        return {{
            "greeting": version,
            "says": said("greeting-says"),
            "hello": said("says-hello"),
            "variables": {{key: os.environ[key] for key in sorted(os.environ) if "mixed" in key.lower()}},
            "user": os.getuid(),
            "file": os.path.exists("/from-dockerfile") and open("/from-dockerfile").read(),
        }}

    @pipeline
    def line():
        sees()
"""


def write(project: Project, settings: str) -> None:
    project.write("main.py", SEES.format(settings=settings))


def seen() -> dict[str, Any]:
    """What the step of the latest run saw."""
    return Client().get_run("latest").steps["sees"].outputs["output"].load()


def parent_for(builder: str, engine: Engine, installer: str = "pip") -> str:
    """An image that this builder can install distributions on."""
    if builder == "native":
        return bare(engine)
    return with_pip(engine) if installer == "pip" else with_uv(engine)
