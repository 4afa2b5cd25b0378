"""Plays the conformance suite, and knows what an orchestrator does not claim that lacks something."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

#: What needs GPUs, and memory that is not there for whoever asks.
GPUS = {"a-gpu-is-seen-or-refused"}
BOUNDED_MEMORY = {"what-can-never-fit-is-refused"}

#: What needs a process for each step.
ISOLATION = {
    "what-a-step-changes-is-not-seen-by-the-next",
    "an-exit-code-is-told",
    "an-exit-with-code-zero-is-no-success",
    "a-signal-is-told",
    "a-killed-attempt-is-made-again",
    "the-log-of-a-killed-step-is-kept",
    "steps-end-with-a-cancelled-run-that-is-deaf",
}

#: What needs steps that run at once, and are kept to their memory.
PROCESSES = {
    "memory-is-limited-or-refused",
    "steps-that-need-nothing-of-each-other-overlap",
}

#: What needs a step entrypoint configuration of the orchestrator's own, and settings.
ENTRYPOINTS = {"options-of-its-entrypoint-have-values", "post-run-is-called-after-the-step"}
SETTINGS = {
    "settings-are-read",
    "settings-of-a-step-come-before-those-of-the-pipeline",
    "settings-outside-of-the-schema-are-refused",
}

#: What needs what a plugin can do besides launching.
FIND = {
    "a-plugin-that-dies-when-asked-to-find-is-asked-again",
    "a-job-that-outlives-the-engine-is-found-again",
}
LOGS = {"a-plugin-that-dies-when-it-hands-logs-on-leaves-a-failed-step"}
POLLS = {"a-plugin-that-dies-when-polled-is-no-lost-step"}
TELLS_ENDS = {"a-plugin-that-dies-when-a-step-ends-is-no-lost-step"}

#: What needs a plugin that launches, one that goes through the steps by itself, and either.
LAUNCHES = {
    "a-job-whose-launch-was-never-answered-is-not-run-twice-in-silence",
    "a-plugin-that-dies-after-it-launched-is-no-lost-step",
    "a-plugin-that-dies-before-it-launches-is-no-lost-step",
    "an-attempt-that-is-launched-twice-is-committed-once",
    "questions-about-a-job-that-has-ended-are-answered",
}
DIRECT = {
    "a-plugin-that-dies-when-it-asks-for-a-step-goes-on-there",
    "a-plugin-that-dies-when-it-goes-through-the-steps-is-started-again",
    "a-plugin-that-dies-when-it-is-given-a-step-goes-on-there",
}

#: What needs an engine that drives, and memory that is claimed.
NO_ENGINE = {
    "named-limits-are-kept",
    "memory-is-limited-or-refused",
    "a-plugin-that-dies-when-it-asks-for-a-step-goes-on-there",
    "a-plugin-that-dies-when-it-is-given-a-step-goes-on-there",
    "a-plugin-that-dies-when-it-cancels-leaves-nothing-running",
}

A_PLUGIN = {
    "a-plugin-that-dies-at-hello-fails-a-run-that-is-resumed",
    "a-plugin-that-dies-when-a-run-opens-fails-a-run-that-is-resumed",
    "a-plugin-that-dies-when-it-cancels-leaves-nothing-running",
    "a-plugin-that-dies-when-it-describes-itself-changes-nothing",
    "a-plugin-that-dies-when-it-validates-is-done-without",
    "a-slow-plugin-is-waited-for",
    "what-is-told-late-and-again-changes-nothing",
}

#: What no built-in flavor claims.
PLUGINS = A_PLUGIN | LAUNCHES | DIRECT | FIND | LOGS | POLLS | TELLS_ENDS | SETTINGS | ENTRYPOINTS


def begin(command: str, *words: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Starts the suite."""
    line = [command, "orchestrator", "flavor", "test", *words, "--output", "json"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(line, cwd=cwd, text=True, **pipes)


def not_claimed(suite: subprocess.Popen[str]) -> set[str]:
    """Returns the scenarios that were not claimed, after a check that the others passed."""
    out, err = suite.communicate()
    assert out, err
    played = json.loads(out)
    failed = [one for one in played if one["verdict"] == "fail"]
    assert failed == [], json.dumps(failed, indent=1)
    assert suite.returncode == 0, err
    return {one["scenario"] for one in played if one["verdict"] == "not_claimed"}
