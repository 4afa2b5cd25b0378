"""Measures orchestrators in processes of their own: registration, and what they add to a step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from figure import Figure
from measuring import BENCHES, Sample, folder, repeat, start_time

ROOT = BENCHES.parent
PARTITA = str(Path(sys.executable).with_name("partita"))

#: What the guide to custom orchestrators writes.
EXAMPLE = ROOT / "examples/custom_orchestrator_python"
SOURCE = "flavors.direct.TidyOrchestratorFlavor"

#: What a plugin host cannot do without: the flavor, its configuration, and pydantic's schema of it.
IMPORTS = (
    "from flavors.direct import TidyOrchestratorFlavor;"
    "TidyOrchestratorFlavor().config_class.model_json_schema()"
)

#: A flavor that is registered, and then gone.
GONE = """#!/bin/sh
while read -r line; do
    id=${line#*'"id":'}; id=${id%%,*}
    case $line in
    *'"hello"'*) result='{"protocol":1}' ;;
    *) result='{"name":"gone","type":"orchestrator","config_schema":SCHEMA}' ;;
    esac
    printf '{"jsonrpc":"2.0","id":%s,"result":%s}\\n' "$id" "$result"
done
"""

#: How many keys its configuration has.
KEYS = 20


def schema() -> str:
    """Returns the JSON Schema of its configuration."""
    keys = {f"key_{number}": {"type": "integer", "minimum": 0} for number in range(KEYS)}
    return json.dumps({"type": "object", "properties": keys, "additionalProperties": False})


def timed(home: str, *words: str) -> float:
    """Returns the milliseconds that a command takes which has to succeed."""
    started = time.perf_counter()
    subprocess.run(
        [PARTITA, "--quiet", *words],
        cwd=EXAMPLE,
        env={**os.environ, "PARTITA_HOME": home},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return 1e3 * (time.perf_counter() - started)


def registering() -> Iterator[Figure]:
    """`flavor register` of a Python class; the floor is Python that imports as much."""
    with folder() as home:
        verbs = ["orchestrator", "flavor"]

        def register() -> float:
            taken = timed(home, *verbs, "register", SOURCE)
            timed(home, *verbs, "delete", "tidy")
            return taken

        def imports() -> float:
            return start_time("env", f"PYTHONPATH={EXAMPLE}", sys.executable, "-c", IMPORTS)()

        register()  # So that the home is there, and modules are compiled.
        measured, least = repeat(15, register, imports)
    yield Figure("flavor register, Python class, ms", measured, least.median + 50, least)


def stored() -> Iterator[Figure]:
    """A component is registered whose flavor is gone; `partita --version` is taken off."""
    with folder() as home:
        plugin = Path(home, "gone")
        plugin.write_text(GONE.replace("SCHEMA", schema()))
        plugin.chmod(0o755)
        timed(home, "orchestrator", "flavor", "register", str(plugin))
        plugin.unlink()
        keys = [f"--key_{number}={number}" for number in range(KEYS)]
        names = count()

        def register() -> float:
            name = f"component-{next(names)}"
            return timed(home, "orchestrator", "register", name, "--flavor=gone", *keys)

        measured, listed, start = repeat(
            31,
            register,
            lambda: timed(home, "orchestrator", "describe", "default"),
            start_time(PARTITA, "--version"),
        )
    yield Figure("register by stored schema, ms", measured - start, 5, listed - start)


def launchers() -> Iterator[Figure]:
    """What a plugin adds to each step of a chain; less is added where steps run at once."""
    package = ["--package", "partita", "--release", "--quiet", "--locked"]
    examples = ["--example", "bench_null", "--example", "bench_launcher"]
    cargo = os.environ.get("CARGO", "cargo")
    subprocess.run([cargo, "build", *package, *examples], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), "release/examples")
    python = [sys.executable, "null_flavor.NullOrchestratorFlavor", str(BENCHES)]
    for language, plugin, budget in (
        ("Rust", [str(target / "bench_null")], 0.2),
        ("Python", python, 1),
    ):
        rounds = [added(str(target / "bench_launcher"), plugin) for _ in range(7)]
        for shape, limit in (("chain", budget), ("fan-out", None)):
            here, there = (Sample(taken) for taken in zip(*(r[shape] for r in rounds), strict=True))
            what = f"launcher in {language} adds, ms" if limit else "- where 16 run at once"
            yield Figure(what, there - here, limit, here)


def added(program: str, plugin: list[str]) -> dict[str, tuple[float, float]]:
    """Returns, by shape, the milliseconds a step in this process and in a plugin."""
    done = subprocess.run([program, "2000", *plugin], check=True, stdout=subprocess.PIPE, text=True)
    rows = (line.split() for line in done.stdout.splitlines())
    return {shape: (float(here) / 1e3, float(there) / 1e3) for shape, here, there in rows}


MEASUREMENTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "register": registering,
    "stored": stored,
    "launchers": launchers,
}
