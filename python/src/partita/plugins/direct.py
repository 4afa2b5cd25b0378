"""Steps that an orchestrator runs in its own process.

The engine decides what has to run: it is asked for each step, and answers with an attempt to make,
or with how the step has ended.
"""

from __future__ import annotations

import os

from partita import _native
from partita.entrypoints.attempt import VARIABLE, Attempt, Terms
from partita.errors import PartitaError
from partita.plugins.channel import told
from partita.plugins.interruption import Interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from partita.plugins.channel import Channel


class DirectSteps:
    """Runs steps of a run, on whatever thread asks for them."""

    def __init__(self, run: _native.RunEntry, channel: Channel) -> None:
        self._run = run
        self._channel = channel
        self._interruption = Interruption()
        channel.urgent["cancel"] = self._cancel

    def run(self, name: str) -> None:
        """Makes attempts at a step until it has ended.

        Raises:
            PartitaError: No other step is to begin.
        """
        while True:
            answer = self._channel.request("step", {"step": name})
            ended: dict[str, Any] | None = answer.get("ended")
            if ended is None:
                self._attempt(answer["attempt"])
                continue
            if ended["stops"]:
                why = f": {ended['message']}" if ended.get("message") else ""
                raise PartitaError(f"the step `{name}` is {ended['status']}{why}")
            return

    def _attempt(self, told: dict[str, Any]) -> None:
        which: dict[str, Any] = told["attempt"]
        status = self._made(which, told["environment"])
        self._channel.notify("status", {"attempt": which["id"], "status": status})

    def _made(self, which: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
        terms = Terms(_native.decode_value(environment[VARIABLE].encode()))
        try:
            entry = self._run.step_named(which["step"], which.get("item"))
            if entry.program is not None:
                return self._made_by(entry.program, which, environment)
            with self._interruption.of(which["id"]):
                _, failure = Attempt(entry, which["number"], terms).make()
        except (KeyboardInterrupt, SystemExit):
            return {"state": "cancelled"}
        except PartitaError as error:
            return {"state": "failed", "message": told(str(error))}
        if failure is not None:
            return {"state": "failed", "message": told(failure[0])}
        return {"state": "completed"}

    def _made_by(
        self, program: str, which: dict[str, Any], environment: dict[str, str]
    ) -> dict[str, Any]:
        """Has a program make an attempt at a step of its own."""
        import subprocess

        from partita.entrypoints import program as programs

        options = {"step_name": which["step"], "attempt": which["number"]}
        command = programs.command(program, {**options, "item": which.get("item")})
        try:
            process = subprocess.Popen(command, env={**os.environ, **environment})
        except OSError as error:
            raise PartitaError(f"`{program}` cannot be started: {error.strerror}") from None
        try:
            with self._interruption.of(which["id"], process.terminate):
                code = process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        if code != 0 and self._interruption.is_cancelled(which["id"]):
            return {"state": "cancelled"}
        state = "completed" if code == 0 else "failed"
        return {"state": state, "exit_code": code if code >= 0 else 128 - code}

    def _cancel(self, params: dict[str, Any]) -> object:
        self._interruption.cancel(params["job"])
        return {}
