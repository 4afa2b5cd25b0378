"""Orchestrators of flavor `docker` pass the conformance suite, all of it, on a real engine."""

from __future__ import annotations

import json
import sysconfig

from docker_engine import Engine
from played_suites import GPUS, PLUGINS, begin, not_claimed
from rust_programs import CONFORMANCE

#: What containers do not have: the environment of whoever began the run.
VARIABLES = {"variables-of-the-environment-arrive"}


def test_containers_do_what_every_orchestrator_has_to(command: str, engine: Engine) -> None:
    images = engine.images()
    # The image has no packages; those of this environment do.
    config = {
        "parent_image": engine.image,
        "network": "none",
        "grace": "1s",
        "volumes": json.dumps([f"{sysconfig.get_path('purelib')}:/packages:ro"]),
        "environment": json.dumps({"PYTHONPATH": "/packages"}),
    }
    words = ["docker", f"--conformance-program={CONFORMANCE}"]
    words += [f"--{key}={value}" for key, value in config.items()]
    assert not_claimed(begin(command, *words)) == PLUGINS | GPUS | VARIABLES
    assert engine.containers() == []
    assert engine.images() == images
