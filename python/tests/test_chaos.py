"""Whatever goes wrong while steps run in processes, a run can be completed and its record is true.

What is checked after each engine stands in `chaos_rounds.py`, what goes wrong in `chaos_faults.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

import chaos_rounds
from conftest import PATIENCE, Project

#: The rounds that are played, and those of them that are played at once; `make chaos` plays more.
ROUNDS = int(os.environ.get("PARTITA_CHAOS_ROUNDS", "200"))
AT_ONCE = min(ROUNDS, 2 * (os.cpu_count() or 1))

#: In so many everything goes wrong that may.
ENOUGH = 200

#: The first of the rounds; they differ by their numbers and by the seed.
FIRST = int(os.environ.get("PARTITA_CHAOS_ROUND", "0"))

SEED = int(os.environ.get("PARTITA_CHAOS_SEED", "2026"))


def test_a_run_survives_whatever_goes_wrong(project: Project, command: str, tmp_path: Path) -> None:
    players: list[subprocess.Popen[str]] = []
    each, more = divmod(ROUNDS, AT_ONCE)
    first = FIRST
    path = os.pathsep.join([os.path.dirname(command), os.environ["PATH"]])
    for number in range(AT_ONCE):
        rounds = each + (number < more)
        words = [chaos_rounds.__file__, str(tmp_path / f"player {number}")]
        words += [f"--seed={SEED}", f"--first={first}", f"--rounds={rounds}"]
        players.append(project.begin(*words, env={"PATH": path}))
        first += rounds
    ends = [player.communicate(timeout=ROUNDS * PATIENCE) for player in players]
    for player, (out, err) in zip(players, ends, strict=True):
        if player.returncode != 0:
            pytest.fail(out + err, pytrace=False)
    times: Counter[str] = Counter()
    for out, _ in ends:
        times.update(json.loads(out))
    print(times)
    if ROUNDS >= ENOUGH:
        assert all(times.values()), f"what never went wrong was not survived: {times}"
