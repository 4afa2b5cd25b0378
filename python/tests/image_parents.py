"""Images for tests to build on: the Python of the tests' image alone, with and without `pip`."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
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
    made_of = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    name = f"partita-test/pip:{made_of}"
    if engine.docker("images", "--quiet", name):
        return name
    pip = importlib.util.find_spec("pip")
    assert pip is not None and pip.origin is not None
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        (context / "wheels").mkdir()
        shutil.copytree(
            Path(pip.origin).parent, context / "pip", ignore=shutil.ignore_patterns("__pycache__")
        )
        for version in ("1.0", "2.0"):
            write_wheel(context / "wheels", "greeting", version)
        (context / "Dockerfile").write_text(
            f"FROM {bare(engine)}\nCOPY pip /{PACKAGES}/pip\nCOPY wheels /wheels\n"
            "ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\n"
        )
        words = ("--force-rm", "--network=none", "--quiet", "--tag", name)
        engine.docker("build", *words, folder)
    return name
