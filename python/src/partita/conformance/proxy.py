"""Stands between Partita and a plugin, and lets something go wrong on purpose.

`python -m partita.conformance.proxy FOLDER PROGRAM…` starts the plugin, hands every message on,
both ways, and does what `FOLDER/faults.json` says. What passes is in `FOLDER/seen.jsonl`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from threading import RLock, Thread, Timer
from typing import IO, Any, cast

Message = dict[str, Any]

#: Added to the name of the flavor, which is registered under its own as well.
SUFFIX = "-behind-a-proxy"

#: How long answers about ended jobs are waited for, in seconds.
PATIENCE = 10.0

#: Where the ids of the proxy's own questions begin.
OWN = 10**12


class Proxy:
    """A plugin, and the faults that befall it.

    Each message is named by its method and its way: `asked` or `answered`. A notification is one
    that is asked and never answered.
    """

    def __init__(self, folder: Path, program: list[str]) -> None:
        self._folder = folder
        self._faults: list[Message] = json.loads((folder / "faults.json").read_bytes())
        self._plugin = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._lock = RLock()
        self._own_ids = count(OWN)
        self._questions: dict[str, dict[Any, Message]] = {"partita": {}, "plugin": {}}
        self._launches = 0
        self._jobs: dict[str, str] = {}  # By attempt.
        self._ended: dict[str, Message] = {}  # How, by attempt.
        self._own_questions: dict[int, Message] = {}
        self._held: list[Message] = []
        self._note({"begun": os.getpid()})

    def run(self) -> int:
        """Hands messages on until the plugin has ended; returns its exit code."""
        Thread(target=self._serve_partita, daemon=True).start()
        for line in cast("IO[bytes]", self._plugin.stdout):
            try:
                message = json.loads(line)
            except ValueError:
                self._write(sys.stdout.buffer, line)  # It is for Partita to say that it is wrong.
                continue
            with self._lock:
                self._from_plugin(message)
        code = self._plugin.wait()
        if code < 0:
            os.kill(os.getpid(), -code)
        return code

    def _serve_partita(self) -> None:
        for line in sys.stdin.buffer:
            message = json.loads(line)
            with self._lock:
                self._from_partita(message)
        cast("IO[bytes]", self._plugin.stdin).close()

    def _from_partita(self, message: Message) -> None:
        method, way, _ = self._place("partita", "plugin", message)
        if (method, way) == ("launch", "asked") or "attempt" in (message.get("result") or {}):
            self._launches += 1
        times = self._suffer(method, way)
        for repeated in range(times):
            if repeated and "method" in message:
                message = {**message, "id": next(self._own_ids)}
                self._own_questions[message["id"]] = {"method": method, "again": False}
            self._tell_plugin(message)

    def _from_plugin(self, message: Message) -> None:
        own = (
            self._own_questions.pop(message.get("id", -1), None)
            if "method" not in message
            else None
        )
        if own is not None:
            self._answered_own(own, message)
            return
        method, way, question = self._place("plugin", "partita", message)
        if (method, way) == ("describe", "answered") and "result" in message:
            message["result"]["name"] += SUFFIX
        times = self._suffer(method, way)
        if (method, way) == ("launch", "answered") and "result" in message:
            self._jobs[question["params"]["attempt"]["id"]] = message["result"].get("job", "")
        end = self._end(method, way, question, message)
        if end is not None and self._ask_again(*end):
            self._held.append(message)
            return
        for _ in range(times):
            self._tell_partita(message)
        if (method, way) in (("launch", "answered"), ("step", "asked")) and self._is(
            "late", method
        ):
            self._repeat_ends()

    def _place(self, sender: str, other: str, message: Message) -> tuple[str, str, Message]:
        """Returns the method of a message, its way, and the question that it answers or is."""
        if "method" in message:
            way, question, content = "asked", message, message.get("params")
            if "id" in message:
                self._questions[sender][message["id"]] = message
        else:
            way, content = "answered", message.get("result", message.get("error"))
            question = self._questions[other].pop(message.get("id"), {})
        method: str = question.get("method", "")
        self._note({"method": method, "way": way, "content": content})
        return method, way, question

    def _suffer(self, method: str, way: str) -> int:
        """Lets faults befall a message; returns how often it is handed on."""
        times = 1
        for number, fault in enumerate(self._faults):
            if fault["method"] not in (method, "*") or fault["way"] not in (way, "*"):
                continue
            if self._launches < fault["launches"]:
                continue
            if fault["kind"] == "die":
                if self._meet(number):
                    self._plugin.kill()
                    os.kill(os.getpid(), signal.SIGKILL)
            elif fault["kind"] == "delay":
                self._meet(number)
                time.sleep(fault["seconds"])
            elif fault["kind"] == "repeat":
                self._meet(number)
                times = 2
        return times

    def _is(self, kind: str, method: str) -> bool:
        """Returns whether there is a fault of a kind, and takes note that it has been met."""
        for number, fault in enumerate(self._faults):
            if fault["kind"] == kind and fault["method"] in (method, "*"):
                self._meet(number)
                return True
        return False

    def _meet(self, number: int) -> bool:
        """Takes note that a fault has befallen the plugin; returns whether it is the first time."""
        try:
            os.close(os.open(self._folder / f"met-{number}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def _end(
        self, method: str, way: str, question: Message, message: Message
    ) -> tuple[str, Message] | None:
        """Returns which attempt a message says the end of, and how it ended."""
        if (method, way) == ("status", "asked"):
            attempt, status = message["params"]["attempt"], message["params"]["status"]
        elif (method, way) == ("poll", "answered") and "result" in message:
            status, job = message["result"], question["params"]["job"]
            if status.get("state") == "active":
                return None
            attempt = next((one for one, known in self._jobs.items() if known == job), "")
        else:
            return None
        is_new = attempt not in self._ended
        self._ended.setdefault(attempt, status)
        return (attempt, status) if is_new else None

    def _ask_again(self, attempt: str, status: Message) -> bool:
        """Asks about a job that has ended; returns whether anything was asked."""
        job = self._jobs.get(attempt)
        if job is None or not self._is("ask-again", "*"):
            return False
        for method, params in (
            ("poll", {"job": job}),
            ("cancel", {"job": job}),
            ("find", {"attempt": attempt}),
            ("logs", {"job": job}),
        ):
            number = next(self._own_ids)
            self._own_questions[number] = {"method": method, "again": True, "ended": status}
            self._tell_plugin({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        Timer(PATIENCE, self._release).start()
        return True

    def _answered_own(self, question: Message, message: Message) -> None:
        if not question.pop("again"):
            return
        answer = {key: message[key] for key in ("result", "error") if key in message}
        self._note({"again": question, "answer": answer})
        if not any(one["again"] for one in self._own_questions.values()):
            self._release()

    def _release(self) -> None:
        with self._lock:
            held, self._held = self._held, []
            for message in held:
                self._tell_partita(message)

    def _repeat_ends(self) -> None:
        """Tells of ended attempts once more, and that they ended otherwise."""
        for attempt in self._ended:
            for status in ({"state": "failed", "message": "told late"}, {"state": "completed"}):
                params = {"attempt": attempt, "status": status}
                self._tell_partita({"jsonrpc": "2.0", "method": "status", "params": params})

    def _tell_partita(self, message: Message) -> None:
        self._write(sys.stdout.buffer, _line(message))

    def _tell_plugin(self, message: Message) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):  # Its output tells its end.
            self._write(cast("IO[bytes]", self._plugin.stdin), _line(message))

    @staticmethod
    def _write(pipe: IO[bytes], line: bytes) -> None:
        pipe.write(line)
        pipe.flush()

    def _note(self, seen: Message) -> None:
        with open(self._folder / "seen.jsonl", "ab", buffering=0) as file:
            file.write(json.dumps(seen).encode() + b"\n")


def _line(message: Message) -> bytes:
    """Returns a message as Partita writes it, without blanks."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


if __name__ == "__main__":
    CODE = Proxy(Path(sys.argv[1]), sys.argv[2:]).run()
    sys.stdout.flush()
    os._exit(CODE)
