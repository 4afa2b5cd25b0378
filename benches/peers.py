"""Measures Partita beside its peers on the same work: `make bench-peers`.

Each peer is installed into an environment of its own under `target/peers`; one that cannot be
installed is left out, with the reason. Names of peers may follow, to measure only those.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from measuring import BENCHES, folder, repeat, show, timed

ENVIRONMENTS = BENCHES.parent / "target" / "peers"
REPETITIONS = 3
#: Ends a peer that hangs, in seconds.
LONGEST = 600


class Peer(NamedTuple):
    """A peer: what is installed, and what is set so that it stays local and reports nothing."""

    requirement: str
    stores: str
    environment: dict[str, str]


PEERS = {
    "luigi": Peer("luigi==3.8.*", "pickled files, no records", {}),
    "dagster": Peer(
        "dagster==1.13.*", "artifacts and records", {"DAGSTER_DISABLE_TELEMETRY": "true"}
    ),
    "zenml": Peer(
        "zenml[local]==0.98.*",
        "artifacts and records",
        {
            "ZENML_ANALYTICS_OPT_IN": "false",
            "ZENML_LOGGING_VERBOSITY": "ERROR",
            "ZENML_CONFIG_PATH": "{home}",
        },
    ),
}
HEADINGS = ("peer", "what it stores", "chain 10 s", "chain 100 s", "ms a step", "again, 100 s")


def install(name: str, peer: Peer) -> Path | None:
    """Returns the interpreter of a peer's environment, made if it is not there."""
    environment = ENVIRONMENTS / name
    python = environment / "bin" / "python"
    stamp = environment / "installed"
    if stamp.is_file() and stamp.read_text() == peer.requirement:
        return python
    print(f"installing {peer.requirement}", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, peer.requirement], stdout=sys.stderr)
    if done.returncode != 0:
        print(f"{name} cannot be installed here and is left out.", file=sys.stderr)
        return None
    stamp.write_text(peer.requirement)
    return python


def partita(length: int, home: str) -> list[str]:
    """Returns the command that runs Partita's chain."""
    del home
    return [sys.executable, str(BENCHES / "partita_chain.py"), "run", str(length)]


def chain(name: str, python: Path) -> Callable[[int, str], list[str]]:
    """Returns what makes the command that runs a peer's chain."""
    script = str(BENCHES / "peers" / f"{name}_chain.py")
    return lambda length, home: [str(python), script, str(length), home]


def measure(
    name: str, stores: str, command: Callable[[int, str], list[str]], extra: dict[str, str]
) -> tuple[str, ...]:
    """Returns the row of a peer: whole processes, each first run in a home of its own."""
    again: list[float] = []

    def first(length: int) -> float:
        with folder() as home:
            added = {key: value.format(home=home) for key, value in extra.items()}
            environment = {**os.environ, **added}
            arguments = command(length, home)
            seconds = timed(arguments, environment, home, LONGEST)
            if length == 100:
                again.append(timed(arguments, environment, home, LONGEST))
            return seconds

    ten, hundred = repeat(REPETITIONS, lambda: first(10), lambda: first(100))
    rerun = sorted(again)[len(again) // 2]
    numbers = (f"{ten:.2f}", f"{hundred:.2f}", f"{1e3 * (hundred - ten) / 90:.2f}", f"{rerun:.2f}")
    return (name, stores, *numbers)


def main(names: list[str]) -> int:
    """Measures the peers and prints one table; returns the exit code."""
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        print(f"error: there is no peer `{unknown[0]}`; there are {', '.join(PEERS)}.")
        return 2
    own = {"PARTITA_HOME": "{home}"}
    rows: list[tuple[str, ...]] = [HEADINGS]
    rows.append(measure("partita", "artifacts and records", partita, own))
    for name in names or PEERS:
        peer = PEERS[name]
        python = install(name, peer)
        if python is None:
            continue
        print(f"measuring {name}", file=sys.stderr, flush=True)
        try:
            rows.append(measure(name, peer.stores, chain(name, python), peer.environment))
        except subprocess.SubprocessError as error:
            print(f"{name} failed and is left out: {error}", file=sys.stderr)
    show(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
