"""Records what a step prints, while it goes where it always went."""

from __future__ import annotations

import sys
from _thread import RLock

from partita.context import mine, replace
from partita.streams import FULL, GONE, silence
from partita.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TextIO

    from partita import _native

#: The captures that are entered, by the thread that entered them.
_entered: dict[int, Capture] = {}
_lock = RLock()
#: How many runs go on, and the handlers of `logging` that copy what they write meanwhile.
_runs = 0
_copied: list[tuple[Any, Tee]] = []
_streams: tuple[TextIO | None, TextIO | None] | None = None
#: The last tee of standard output and of standard error. `print` borrows `sys.stdout` without
#: keeping it alive (before Python 3.14): were a tee freed when its step ends, a thread of the step
#: that prints at that moment would write through freed memory.
_tees: dict[str, Tee] = {}

#: Characters, or bytes, of a line that are held back for its end.
LONGEST = 1 << 16


class Tee:
    """A stream that writes to another one and tells the capture of the thread that writes.

    A reader of the other one who goes away is no failure of the step: the record goes on.
    """

    def __init__(self, stream: TextIO | None, name: str) -> None:
        """Takes the stream, or `None` where the process was started without it."""
        self.stream: Any = stream
        self._name = name
        self._key = name  # Of what it writes, for redactors.
        self._bytes: _TeeBytes | None = None

    @property
    def buffer(self) -> _TeeBytes:
        """The stream of bytes below, recorded as well."""
        if self._bytes is None:
            self._bytes = _TeeBytes(self.stream.buffer, self._name)
        return self._bytes

    def forget(self) -> None:
        """Begins anew, without the part of a letter that nobody has completed."""
        self._bytes = None

    def write(self, data: Any) -> int:
        """Writes and records text."""
        capture = mine(_entered)
        if capture is None:
            return self.put(_without_secrets(data))
        if capture.redactor is not None:
            self.tell(capture, capture.redactor.take(self._key, self._encoded(data)))
            capture.waiting[self._key] = self
            return len(data)
        return self._tell(capture, data)

    def tell(self, capture: Capture, data: bytes) -> None:
        """Writes and records what a redactor lets pass."""
        if data:
            self._tell(capture, self._decoded(data))

    def _tell(self, capture: Capture, data: Any) -> int:
        capture.has_printed = True
        text = self._text(data)
        try:
            capture.log(self._name, text)
        except UnicodeEncodeError:  # A lone surrogate, which the stream itself may let pass.
            capture.log(self._name, text.encode("utf-8", "backslashreplace").decode())
        try:
            self.put(capture.labelled(self, data))
        finally:
            capture.printed(self._name)
        return len(data)

    def _text(self, data: Any) -> str:
        return data

    def _encoded(self, data: Any) -> bytes:
        return data.encode("utf-8", "surrogatepass")

    def _decoded(self, data: bytes) -> Any:
        return data.decode("utf-8", "surrogatepass")

    def put(self, data: Any) -> int:
        """Writes, and records nothing."""
        if self.stream is None:
            return len(data)
        try:
            return self.stream.write(data)
        except OSError as error:
            _discard(self.stream, self._name, error)
            return len(data)

    def writelines(self, lines: Any) -> None:
        """Writes and records several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Writes out what is buffered."""
        if self.stream is None:
            return
        try:
            self.stream.flush()
        except OSError as error:
            _discard(self.stream, self._name, error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _TeeBytes(Tee):
    """The same for a stream of bytes, of which text is recorded."""

    def __init__(self, stream: Any, name: str) -> None:
        import codecs

        super().__init__(stream, name)
        self._key = f"{name}.buffer"
        # A letter's bytes may come with two writes.
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def _text(self, data: Any) -> str:
        return self._decoder.decode(data)

    def _encoded(self, data: Any) -> bytes:
        return bytes(data)

    def _decoded(self, data: bytes) -> Any:
        return data


class Capture:
    """Records standard output and standard error for as long as it is entered.

    Pipelines in several threads may each enter one.
    """

    def __init__(
        self,
        log: Callable[[str, str], None],
        printed: Callable[[str], None],
        redactor: _native.Redactor | None = None,
        label: str = "",
    ) -> None:
        """Takes what is told of each text before it is written, and of its stream afterwards.

        Args:
            log: Is told of a text.
            printed: Is told that the text is out.
            redactor: Takes out what nobody may see.
            label: What is put before each line where it goes, and not in the record.
        """
        self.log = log
        self.printed = printed
        self.redactor = redactor
        self.waiting: dict[str, Tee] = {}  # Where what a redactor holds back belongs.
        self.has_printed = False
        self._label = label
        self._rests: dict[Tee, Any] = {}  # Lines that have no end yet.
        self._outer: Capture | None = None

    def labelled(self, tee: Tee, data: Any) -> Any:
        """Returns the lines that are complete with a text, or with bytes, each after the label.

        Other processes write there too, so the rest waits for its line's end, or for the step's.
        """
        if not self._label:
            return data
        is_text = isinstance(data, str)
        end: Any = "\n" if is_text else b"\n"
        label: Any = self._label if is_text else self._label.encode()
        lines: list[Any] = (self._rests.pop(tee, end[:0]) + data).split(end)
        if len(lines[-1]) > LONGEST:
            lines.append(end[:0])
        if lines[-1]:
            self._rests[tee] = lines[-1]
        return end[:0].join(label + line + end for line in lines[:-1])

    def _put_rests(self) -> None:
        for tee, rest in list(self._rests.items()):
            tee.put(self.labelled(tee, "\n" if isinstance(rest, str) else b"\n"))

    def __enter__(self) -> None:
        global _streams
        with _lock:
            if not _entered:
                _streams = (sys.stdout, sys.stderr)
                sys.stdout = _tee(sys.stdout, "stdout")
                sys.stderr = _tee(sys.stderr, "stderr")
            self._outer = replace(_entered, self)

    def __exit__(self, *_: object) -> None:
        if self.redactor is not None:
            for key, rest in self.redactor.finish():
                self.waiting[key].tell(self, rest)
        self._put_rests()
        if self.has_printed:  # What a step prints is seen when it ends, not when the process does.
            for stream in (sys.stdout, sys.stderr):
                if isinstance(stream, Tee):
                    stream.flush()
        with _lock:
            replace(_entered, self._outer)
            # Streams that a step put in place and left there would silence the next one.
            if not _entered and _streams is not None:
                sys.stdout, sys.stderr = _streams


def _without_secrets(data: Any) -> Any:
    """Returns what a thread prints of which it is not known whose step it belongs to."""
    for capture in list(_entered.values()):
        if capture.redactor is None:
            continue
        encoded = bytes(data) if not isinstance(data, str) else data.encode("utf-8", "replace")
        text = encoded.decode("utf-8", "replace")
        told = capture.redactor.text(text)
        if told != text:
            data = told if isinstance(data, str) else told.encode()
    return data


def _tee(stream: TextIO | None, name: str) -> Tee:
    """Returns the tee of a standard stream, the same one for as long as the stream is the same."""
    kept = _tees.get(name)
    if kept is None or kept.stream is not stream:
        kept = _tees[name] = Tee(stream, name)
    kept.forget()
    return kept


class LogHandlers:
    """Has handlers of `logging` that were made before record what steps log, while it is entered.

    They hold the streams of that time, which no later `sys.stderr` can stand in for.
    """

    def __enter__(self) -> None:
        global _runs
        with _lock:
            _runs += 1
            if _runs == 1:
                _copied.extend(
                    copied for handler in _stream_handlers() if (copied := _copy(handler))
                )

    def __exit__(self, *_: object) -> None:
        global _runs
        with _lock:
            _runs -= 1
            if _runs == 0:
                for handler, tee in _copied:
                    if handler.stream is tee:  # An author may have given it another one.
                        handler.stream = tee.stream
                _copied.clear()


def _stream_handlers() -> Iterator[Any]:
    logging = sys.modules.get("logging")
    if logging is None:
        return
    for logger in (logging.root, *logging.root.manager.loggerDict.values()):
        for handler in getattr(logger, "handlers", ()):  # A placeholder has none.
            stream: Any = getattr(handler, "stream", None)
            if stream is not None and (stream is sys.stdout or stream is sys.stderr):
                yield handler


def _copy(handler: Any) -> tuple[Any, Tee] | None:
    tee = Tee(handler.stream, "stdout" if handler.stream is sys.stdout else "stderr")
    try:
        handler.stream = tee
    except AttributeError:  # It looks `sys.stderr` up each time, as `logging.lastResort` does.
        return None
    return handler, tee


def _discard(stream: TextIO, name: str, error: OSError) -> None:
    """Lets a stream whose reader is gone, or whose disk is full, go nowhere, and says so.

    Raises:
        OSError: It cannot be written to for another reason.
    """
    if error.errno not in (*GONE, *FULL):
        raise error
    silence(stream)
    if name == "stdout":
        why = (
            "nobody reads standard output any more"
            if error.errno in GONE
            else f"standard output cannot be written to any more ({error.strerror})"
        )
        tell(f"warning: {why}; the run goes on, and its logs have what its steps print.")
