"""Writes small projects, and fingerprints a step of them in a fresh interpreter.

A fresh one each time, since that is what a cache key has to survive: another process, another hash
seed, another directory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

SOURCES = Path(__file__).parents[1] / "src"

DRIVER = """
import importlib, json, os, sys
sys.path[:0] = json.loads(os.environ["FINGERPRINT_PATH"])
try:
    from partita import _native
except ImportError:  # the engine is not built: any good hash tells the same parts apart
    import hashlib, types
    partita = types.ModuleType("partita")
    partita.__path__ = [os.path.join(sys.path[0], "partita")]
    _native = types.ModuleType("partita._native")
    _native.digest = lambda data: hashlib.blake2b(data, digest_size=32).hexdigest()
    partita._native = _native
    sys.modules.update({"partita": partita, "partita._native": _native})
from partita.fingerprint import fingerprint
root, module, name, files = json.loads(os.environ["FINGERPRINT_OF"])
step = getattr(importlib.import_module(module), name)
print(json.dumps(fingerprint(step, source_root=root, files=files)))
"""


def write(root: Path, files: dict[str, str]) -> Path:
    """Writes `files` below `root`, and returns it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content).lstrip("\n"), encoding="utf-8")
    return root


def run(
    root: Path,
    *,
    step: str = "steps:train",
    path: tuple[Path, ...] = (),
    files: tuple[str, ...] = (),
    driver: str = DRIVER,
    source_root: Path | None = None,
) -> Any:
    """Returns what `driver` prints, as JSON: by default, the fingerprint of `step`."""
    module, name = step.split(":")
    environment = {
        **os.environ,
        "FINGERPRINT_PATH": json.dumps([str(SOURCES), str(root), *map(str, path)]),
        "FINGERPRINT_OF": json.dumps([str(source_root or root), module, name, files]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", driver], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def changes(before: Any, after: Any) -> set[str]:
    """Returns the names of the parts that changed, were added or vanished."""
    old = {part["name"]: part["digest"] for part in before["parts"]}
    new = {part["name"]: part["digest"] for part in after["parts"]}
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
