"""Steps that tell a secret in every way that a program has, and what looks for it afterwards."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import urllib.parse
from pathlib import Path

from conftest import Project

#: A value of which each part has a trap for whoever looks for it.
VALUE = 'tök/en "1"\n-----line two-----\nx'

LENGTH = """
    from partita import pipeline, step

    @step
    def length(token: str, more: dict) -> int:
        return len(token) + len(more["a"][0])

    @pipeline
    def main(token: str = "{{hub.token}}"):
        length(token, {"a": [token]})
"""

#: One step tells, one is told by another process, one fails; each on whatever orchestrator runs it.
TELLING = """
    import base64, json, logging, os, subprocess, sys, threading, urllib.parse
    from partita import (
        ResourceSettings, get_step_context, log_metadata, pipeline, step,
    )

    def tell(token):
        print("plain", token, repr(token), [token], flush=True)
        half = len(token) // 2
        sys.stdout.write(token[:half]); sys.stdout.flush(); sys.stdout.write(token[half:] + "\\n")
        sys.stdout.buffer.write(token.encode() + b"\\n"); sys.stdout.buffer.flush()
        print(*token.splitlines(), sep="\\n> ", file=sys.stderr)
        data = token.encode()
        print(data, data.hex(), base64.b64encode(data), base64.b64encode(b"user:" + data).decode())
        print(json.dumps({"t": token}), json.dumps([token], ensure_ascii=False))
        print(urllib.parse.quote(token), urllib.parse.quote_plus(token, safe=""))
        logging.getLogger("author").error("token is %s", token)
        thread = threading.Thread(target=print, args=("thread", token))
        thread.start(); thread.join()
        log_metadata({"seen": token, "in": [{"deep": token}], token: 1})
        log_metadata({"late": token}, run=get_step_context().run_id)

    class Hidden(Exception):
        def __init__(self, token):
            super().__init__("hidden")
            self.token = token
        def __str__(self):
            return f"hidden {self.token}"

    def fails(token, how):
        if how == "raise":
            raise ValueError(f"bad {token}", token)
        if how == "chain":
            try:
                raise KeyError(token)
            except KeyError as error:
                error.add_note(f"note {token}") if hasattr(error, "add_note") else None
                raise RuntimeError("outer") from error
        if how == "hide":
            raise Hidden(token)
        if how == "exit":
            sys.exit(token)
        if how == "return":
            return token
        if how == "files":
            return [token] * 3000
        return "done"

    def told(error):
        print("hook", error, file=sys.stderr)

    @step(enable_cache=False, on_failure=told)
    def first(token: str, how: str) -> object:
        tell(token)
        return fails(token, how)

    @step(enable_cache=False, settings={"resources": ResourceSettings(cpu_count=2)})
    def second(token: list, how: str) -> object:
        tell(token[0]["key"])
        return fails(token[0]["key"], how)

    @pipeline(failure_mode="continue_on_failure")
    def telling(how: str = ""):
        first("{{hub.token}}", how)
        second([{"key": "{{hub.token}}"}], how)

    if __name__ == "__main__":
        telling(how=sys.argv[1])
"""


def store(command: str, value: str, name: str = "hub", key: str = "token") -> None:
    """Stores a secret."""
    done = subprocess.run(
        [command, "secret", "set", name, f"{key}=-"],
        input=value.encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0 and value.encode() not in done.stdout + done.stderr, done


def forms(value: str) -> list[bytes]:
    """The ways in which a value may not be found anywhere."""
    data = value.encode()
    texts = [
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        urllib.parse.quote(value),
        urllib.parse.quote_plus(value, safe=""),
        data.hex(),
        base64.b64encode(data).decode(),
    ]
    return [data, *(text.encode() for text in texts)]


def check_untold(project: Project, value: str, *outputs: str) -> None:
    """Checks that a value is neither in a file of the home nor in what was printed."""
    places = [(str(place), place.read_bytes()) for place in files(project.home)]
    places += [("output", output.encode("utf-8", "surrogateescape")) for output in outputs]
    for place, data in places:
        for form in forms(value):
            assert form not in data, (place, form, data)


def files(folder: Path) -> list[Path]:
    """The files below a folder."""
    return [Path(at, name) for at, _, names in os.walk(folder) for name in names]
