"""Measures Partita beside its peers on the same work: `make bench-peers`.

Each peer is installed into an environment of its own under `target/peers`; one that cannot be
installed is left out, with the reason. Names of peers may follow, to measure only those.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from measuring import BENCHES, folder, show, timed

ENVIRONMENTS = BENCHES.parent / "target" / "peers"
#: A fast peer is repeated until this many seconds are spent, between these numbers of times: the
#: time of one step is a small difference of whole processes, which a few of them cannot tell.
PATIENCE = 40.0
REPETITIONS = (3, 25)
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
    tens: list[float] = []
    hundreds: list[float] = []

    def first(length: int) -> float:
        with folder() as home:
            added = {key: value.format(home=home) for key, value in extra.items()}
            environment = {**os.environ, **added}
            arguments = command(length, home)
            seconds = timed(arguments, environment, home, LONGEST)
            if length == 100:
                again.append(timed(arguments, environment, home, LONGEST))
            return seconds

    least, most = REPETITIONS
    started = time.monotonic()
    while len(tens) < least or (len(tens) < most and time.monotonic() - started < PATIENCE):
        tens.append(first(10))
        hundreds.append(first(100))
    ten, hundred, rerun = (statistics.median(taken) for taken in (tens, hundreds, again))
    return (name, stores, f"{ten:.2f}", f"{hundred:.2f}", a_step(tens, hundreds), f"{rerun:.2f}")


def a_step(tens: list[float], hundreds: list[float]) -> str:
    """Returns the milliseconds of one more step, with the uncertainty of the two medians.

    The standard error of a median is about 0.93 quartile ranges over the root of the count.
    """
    variance = 0.0
    for taken in (tens, hundreds):
        low, _, high = statistics.quantiles(taken, n=4)
        variance += (0.93 * (high - low)) ** 2 / len(taken)
    step = 1e3 * (statistics.median(hundreds) - statistics.median(tens)) / 90
    error = 1e3 * math.sqrt(variance) / 90
    return f"{step:.2f} ± {error:.2f}" if step > 2 * error else f"under {step + 2 * error:.2f}"


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
