"""Programs in Rust for tests: those of `examples`, and how they are started."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
(
    NUMBERS,
    BY_HAND,
    FAILING,
    VALUES,
    COMMANDS,
    LOGGING,
    OPTIONS,
    WINE,
    CONFORMANCE,
    TABLES,
    FRAMES,
    VOCABULARY,
) = (
    str(ROOT / "target/debug" / name)
    for name in (
        "numbers",
        "by_hand",
        "failing",
        "values",
        "commands",
        "logging",
        "options",
        "wine",
        "conformance",
        "tables",
        "frames",
        "vocabulary",
    )
)


def start(
    program: str, *words: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end, in the project's folder."""
    return subprocess.run(
        [program, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **(env or {})},
    )
