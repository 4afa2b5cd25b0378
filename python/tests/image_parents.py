"""Images for tests to build on: the Python of the tests' image alone, with and without `pip`."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import inspect
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from docker_engine import SCRIPTS, Engine

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PACKAGES = f"opt/python/lib/python{VERSION}/site-packages"


def write_wheel(folder: Path, name: str, version: str, *, requires: str = "") -> Path:
    """Writes a wheel of one module, `NAME.py`, with a program `NAME-says`."""
    info = f"{name}-{version}.dist-info"
    requirement = f"Requires-Dist: {requires}\n" if requires else ""
    files = {
        f"{name}.py": f"VERSION = {version!r}\n\ndef main():\n    print('{name} says', VERSION)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requirement}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-says = {name}:main\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{path},sha256={digest.decode()},{len(text.encode())}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def bare(engine: Engine) -> str:
    """An image of Python alone: no Partita is in it."""
    made = subprocess.run(
        [sys.executable, SCRIPTS / "image.py", "base"],
        env={**os.environ, "DOCKER_HOST": engine.host},
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.strip()


def with_pip(engine: Engine) -> str:
    """That image with `pip`, and wheels of `greeting` 1.0 and 2.0 for it."""

    def fill(context: Path) -> str:
        (context / "wheels").mkdir()
        _copy("pip", context)
        for version in ("1.0", "2.0"):
            write_wheel(context / "wheels", "greeting", version)
        return (
            f"FROM {bare(engine)}\nCOPY pip /{PACKAGES}/pip\nCOPY wheels /wheels\n"
            "ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels UV_OFFLINE=1 UV_FIND_LINKS=/wheels\n"
        )

    return made(engine, "pip", fill, __file__)


def with_uv(engine: Engine) -> str:
    """As that, with `uv`."""

    def fill(context: Path) -> str:
        _copy("uv", context)
        (noted,) = _folder("uv").parent.glob("uv-*.dist-info")
        shutil.copytree(noted, context / noted.name)
        shutil.copy2(Path(sys.executable).with_name("uv"), context / "program")
        return (
            f"FROM {with_pip(engine)}\nCOPY uv /{PACKAGES}/uv\n"
            f"COPY {noted.name} /{PACKAGES}/{noted.name}\nCOPY program /opt/python/bin/uv\n"
        )

    return made(engine, "uv", fill, __file__)


#: Builds wheels of its own project, with nothing but Python.
BACKEND = """
import pathlib, sys
sys.path.insert(0, ".")
from wheels import write_wheel

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return write_wheel(pathlib.Path(folder), "counted", "1.0").name
"""


def with_sources(engine: Engine) -> str:
    """As the one with `pip`, where `counted` comes as its sources."""

    def fill(context: Path) -> str:
        top = context / "counted-1.0"
        top.mkdir()
        (top / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: counted\nVersion: 1.0\n")
        (top / "backend.py").write_text(BACKEND)
        modules = "import base64, hashlib, zipfile\nfrom pathlib import Path\n\n\n"
        (top / "wheels.py").write_text(modules + inspect.getsource(write_wheel))
        (top / "pyproject.toml").write_text(
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        )
        with tarfile.open(context / "counted-1.0.tar.gz", "w:gz") as tar:
            tar.add(top, top.name)
        return f"FROM {with_pip(engine)}\nCOPY counted-1.0.tar.gz /wheels/\n"

    return made(engine, "sources", fill, __file__)


def made(engine: Engine, what: str, fill: Callable[[Path], str], source: str) -> str:
    """Makes an image once for each content of the file that says how.

    Args:
        engine: The engine that has it then.
        what: What it is called.
        fill: Writes what its Dockerfile copies into a folder, and returns that Dockerfile.
        source: The file.

    Returns:
        Its name.
    """
    made_of = hashlib.sha256(Path(source).read_bytes()).hexdigest()[:12]
    name = f"partita-test/{what}:{made_of}"
    if engine.docker("images", "--quiet", name):
        return name
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(fill(Path(folder)))
        words = ("--force-rm", "--network=none", "--quiet", "--tag", name)
        engine.docker("build", *words, folder)
    return name


def _copy(package: str, context: Path) -> None:
    """Copies a package of this Python."""
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_folder(package), context / package, ignore=left_out)


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent
