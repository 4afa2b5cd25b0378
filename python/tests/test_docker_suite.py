"""Orchestrators of flavor `docker` pass the conformance suite, as far as containers have to do with it.

All of it takes minutes, mostly in a hundred containers. To play it, start the engine and make the image
with `tests/docker`, and test the flavor with that as its `parent_image`.
"""

from __future__ import annotations

from docker_engine import Engine
from played_suites import begin, not_claimed

#: Where steps run, what they are kept to, what they are handed and print, and how they end.
PLAYED = (
    "a-processor-core-is-given",
    "a-secret-reaches-its-step-and-nothing-else",
    "a-signal-is-told",
    "a-timeout-ends-a-step",
    "an-exit-code-is-told",
    "an-exit-with-code-zero-is-no-success",
    "control-c-cancels-the-run-and-its-steps",
    "hooks-are-called-once",
    "memory-is-limited-or-refused",
    "named-limits-are-kept",
    "sys-exit-is-a-failure",
    "steps-end-with-a-cancelled-run-that-is-deaf",
    "steps-know-where-they-are",
    "steps-that-need-nothing-of-each-other-overlap",
    "ten-thousand-lines-are-kept-in-order",
    "the-log-of-a-killed-step-is-kept",
    "the-source-root-can-be-imported",
    "twenty-megabytes-pass-between-steps",
    "variables-of-the-environment-arrive",
    "what-a-step-changes-is-not-seen-by-the-next",
)


def test_containers_do_what_every_orchestrator_has_to(command: str, engine: Engine) -> None:
    words = ["docker", f"--parent_image={engine.image}", "--network=none", "--grace=1s"]
    words += [word for scenario in PLAYED for word in ("--scenario", scenario)]
    assert not_claimed(begin(command, *words)) == {"variables-of-the-environment-arrive"}
