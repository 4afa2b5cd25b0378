"""Measures Partita beside its peers on the same work: `make bench-peers`.

The work is a chain of steps that add one, as a user of each would write it (`peers/`). Each peer is
installed into an environment of its own under `target/peers`, with the versions that
`peers/NAME.txt` pins. Names of peers may follow, to measure only those.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from measuring import BENCHES, Sample, brief, folder, show

SCRIPTS = BENCHES / "peers"
ENVIRONMENTS = BENCHES.parent / "target" / "peers"
#: All take turns this often; in its turn, a fast one is measured again until the time is spent, in
#: seconds, since the time of one step is a small difference of whole processes.
ROUNDS = 5
TURN = 4.0
#: Ends a process that hangs, in seconds.
LONGEST = 300


class Peer(NamedTuple):
    """What a peer keeps of a run, and what is set so that it stays local and reports nothing."""

    stores: str
    reruns: str
    environment: dict[str, str]


class Entrant(NamedTuple):
    """One who takes part: a peer, and what makes the command of a chain in a home."""

    name: str
    peer: Peer
    command: Callable[[int, str], list[str]]


class Turn(NamedTuple):
    """The seconds of whole processes: 10 steps, 100 steps, and 100 steps that are there already."""

    ten: float
    hundred: float
    again: float


PARTITA = Peer(
    "artifacts, records, logs",
    "steps whose code, inputs and environment are the same",
    {"PARTITA_HOME": "{home}"},
)
BY_HAND = Peer("a JSON file and a row a step, written by a loop in plain Python", "", {})
PEERS = {
    "luigi": Peer(
        "pickled files, no records", "tasks whose files are there, whatever their code", {}
    ),
    "dagster": Peer("artifacts, records", "", {"DAGSTER_DISABLE_TELEMETRY": "true"}),
    "zenml": Peer(
        "artifacts, records, logs",
        "steps whose code and inputs are the same",
        {
            "ZENML_ANALYTICS_OPT_IN": "false",
            "ZENML_LOGGING_VERBOSITY": "ERROR",
            "ZENML_CONFIG_PATH": "{home}",
        },
    ),
}
HEADINGS = ("", "a step, ms", "ratio", "100 steps, s", "again, s")


class LeftOut(Exception):
    """A peer cannot be installed or has failed; says why."""


def install(name: str) -> Path:
    """Returns the interpreter of a peer's environment, made if it is not there as pinned."""
    environment = ENVIRONMENTS / name
    python = environment / "bin" / "python"
    requirements = SCRIPTS / f"{name}.txt"
    wanted = f"{sys.version}\n{requirements.read_text()}"
    stamp = environment / "installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    print(f"installing {name}", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "-r", str(requirements)], stdout=sys.stderr).returncode != 0:
        raise LeftOut(f"`{name}` cannot be installed here")
    stamp.write_text(wanted)
    return python


def entrant(name: str, peer: Peer, python: Path) -> Entrant:
    """Returns one who takes part with a script of its own."""
    script = str(SCRIPTS / f"{name}_chain.py")
    return Entrant(name, peer, lambda length, home: [str(python), script, str(length), home])


def by_hand(length: int, home: str) -> list[str]:
    """Returns the command of the loop that does a step's durable work by hand."""
    return [sys.executable, str(BENCHES / "floors.py"), "steps", str(length), home]


def whole_process(who: Entrant, length: int, home: str) -> float:
    """Returns the seconds from a command's start to its end, with nothing outside its home."""
    command = who.command(length, home)
    own = {key: value.format(home=home) for key, value in who.peer.environment.items()}
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": home, "TMPDIR": home, **own}
    with open(os.path.join(home, "output"), "w+b") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        # Not `wait(timeout=…)`: that looks every 50 ms, and rounds the time up to that.
        hanging = threading.Timer(LONGEST, process.kill)
        hanging.start()
        code = process.wait()
        seconds = time.perf_counter() - started
        hanging.cancel()
        if code != 0:
            output.seek(0)
            said = output.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise LeftOut(f"`{who.name}` ended with {code}: {said}")
    return seconds


def once(who: Entrant) -> Turn:
    """Measures each length once, in fresh homes."""
    with folder() as home:
        ten = whole_process(who, 10, home)
    with folder() as home:
        hundred = whole_process(who, 100, home)
        again = whole_process(who, 100, home) if who.peer.reruns else 0.0
    return Turn(ten, hundred, again)


def turn(who: Entrant) -> Turn:
    """Returns the medians of one turn of at least `TURN` seconds."""
    taken: list[Turn] = []
    end = time.monotonic() + TURN
    while not taken or time.monotonic() < end:
        taken.append(once(who))
    return Turn(*map(statistics.median, zip(*taken, strict=True)))


def measure(entrants: list[Entrant]) -> tuple[dict[str, list[Turn]], list[str]]:
    """Lets all take turns; returns what the turns took, and why others are left out."""
    turns: dict[str, list[Turn]] = {who.name: [] for who in entrants}
    problems: list[str] = []
    for number in range(ROUNDS + 1):
        print(f"round {number} of {ROUNDS}", file=sys.stderr, flush=True)
        for who in [who for who in entrants if who.name in turns]:
            try:
                # The round before the first one only warms caches up.
                if number == 0:
                    once(who)
                else:
                    turns[who.name].append(turn(who))
            except LeftOut as error:
                problems.append(str(error))
                del turns[who.name]
    return turns, problems


def a_step(turns: list[Turn]) -> Sample:
    """Returns the milliseconds of one more step."""
    ten, hundred, _ = (Sample(column) for column in zip(*turns, strict=True))
    return 1e3 * (hundred - ten) / 90


def row(who: Entrant, turns: list[Turn], partita: Sample | None) -> tuple[str, ...]:
    """Returns the row of one who took part; `partita` is its step, to compare with."""
    _, hundred, again = (Sample(column) for column in zip(*turns, strict=True))
    step = a_step(turns)
    ratio = "" if partita is None else brief(step.median / partita.median)
    return (who.name, str(step), ratio, str(hundred), str(again) if who.peer.reruns else "-")


def report(entrants: list[Entrant], turns: dict[str, list[Turn]]) -> None:
    """Prints the table, and what its columns mean for each."""
    there = [who for who in entrants if turns.get(who.name)]
    partita = a_step(turns["partita"]) if turns.get("partita") else None
    print(
        f"Median of {ROUNDS} rounds in which all took turns (lowest-highest). A step is 100 steps"
    )
    print("less 10, over 90; the other columns are whole processes, from start to end.\n")
    show([HEADINGS, *(row(who, turns[who.name], partita) for who in there)])
    print()
    for who in there:
        print(f"{who.name} stores {who.peer.stores}")
        if who.peer.reruns:
            print(f"{'':{len(who.name)}} again: skips {who.peer.reruns}")


def main(names: list[str]) -> int:
    """Measures the peers and prints one table; returns 1 if a peer is left out."""
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        print(f"error: there is no peer `{unknown[0]}`; there are {', '.join(PEERS)}.")
        return 2
    entrants = [
        entrant("partita", PARTITA, Path(sys.executable)),
        Entrant("by hand", BY_HAND, by_hand),
    ]
    problems: list[str] = []
    for name in names or PEERS:
        try:
            entrants.append(entrant(name, PEERS[name], install(name)))
        except LeftOut as error:
            problems.append(str(error))
    turns, failures = measure(entrants)
    report(entrants, turns)
    for problem in problems + failures:
        print(f"error: {problem}, and is left out.", file=sys.stderr)
    return 1 if problems or failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
