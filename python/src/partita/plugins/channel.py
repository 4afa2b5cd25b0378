"""Messages of the plugin protocol: JSON-RPC 2.0, one a line, over two descriptors."""

from __future__ import annotations

import json
import os
from itertools import count
from queue import SimpleQueue
from threading import Lock, Thread

from partita.errors import PartitaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

#: Bytes of an error that are told; a message has 16 MiB at most.
MOST_TOLD = 1 << 16

#: The codes of errors.
METHOD_NOT_FOUND, FAILED, UNREACHABLE = -32601, -32000, -32001


class Channel:
    """What is asked and answered. A thread reads; requests are served by whoever iterates over it.

    Attributes:
        urgent: Methods that are served by the thread that reads, at once.
        on_end: Called by that thread when the input has ended.
    """

    def __init__(self, incoming: int, outgoing: int) -> None:
        """Takes the descriptors to read from and to write to."""
        self.urgent: dict[str, Callable[[dict[str, Any]], object]] = {}
        self.on_end: Callable[[], object] = lambda: None
        self._outgoing = outgoing
        self._process = os.getpid()
        self._writing = Lock()
        self._requests: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._answers: dict[int, SimpleQueue[dict[str, Any]]] = {}
        self._ids = count(1)
        Thread(target=self._read, args=(incoming,), daemon=True).start()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yields requests until the input ends."""
        while (request := self._requests.get()) is not None:
            yield request

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Asks Partita something and waits for the answer.

        Raises:
            PartitaError: It answers with an error, or could not answer this process.
        """
        if os.getpid() != self._process:
            raise PartitaError(
                "a step is run in a process that was forked, and Partita answers only the one that "
                "it has started; call `run_step` there, on as many threads as you like"
            )
        number = next(self._ids)
        answer: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._answers[number] = answer
        self._say({"id": number, "method": method, "params": params})
        answered = answer.get()
        if "error" in answered:
            raise PartitaError(answered["error"]["message"])
        return answered["result"]

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Tells Partita something."""
        self._say({"method": method, "params": params})

    def answer(self, request: dict[str, Any], result: object) -> None:
        """Answers a request."""
        self._say({"id": request["id"], "result": result})

    def refuse(self, request: dict[str, Any], message: str, code: int = FAILED) -> None:
        """Answers a request with an error."""
        error = {"code": code, "message": told(" ".join(message.split()))}
        self._say({"id": request["id"], "error": error})

    def _say(self, message: dict[str, Any]) -> None:
        text = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False)
        line = text.encode(errors="replace") + b"\n"  # Half of a surrogate pair is no text.
        with self._writing:
            while line:
                line = line[os.write(self._outgoing, line) :]

    def _read(self, incoming: int) -> None:
        with open(incoming, encoding="utf-8") as lines:
            for line in lines:
                message: dict[str, Any] = json.loads(line)
                method = message.get("method")
                if method is None:
                    waiting = self._answers.pop(message["id"], None)
                    if waiting is not None:
                        waiting.put(message)
                elif method in self.urgent:
                    self.answer(message, self.urgent[method](message.get("params") or {}))
                else:
                    self._requests.put(message)
        self.on_end()
        self._requests.put(None)
        for answer in list(self._answers.values()):
            answer.put({"error": {"message": "Partita does not listen any more."}})


def told(text: str) -> str:
    """Returns as much of an error as is told."""
    whole = text.encode(errors="backslashreplace")
    if len(whole) <= MOST_TOLD:
        return whole.decode()
    kept = whole[:MOST_TOLD].decode(errors="ignore")
    # Half a word may be the beginning of a secret, which nothing would know any more.
    return f"{kept.rpartition(' ')[0]} [the rest is left out]"
