"""Interrupts attempts that the threads of one process make, each of them alone."""

from __future__ import annotations

import signal
from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock, get_ident, main_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class Interruption:
    """Knows which attempts are made now, and how each is interrupted.

    One in the main thread is interrupted as by Ctrl-C, also in a system call that waits. Python has
    no such thing for another thread: that is interrupted before its next instruction, so that a
    call that waits, such as `time.sleep`, returns first.
    """

    def __init__(self) -> None:
        self._interrupts: dict[str, Callable[[], object]] = {}
        self._cancelled: set[str] = set()
        self._in_main = 0
        self._lock = Lock()
        signal.signal(signal.SIGTERM, self._terminated)

    @contextmanager
    def of(self, attempt: str, interrupt: Callable[[], object] | None = None) -> Generator[None]:
        """Lets an attempt that this thread makes be cancelled meanwhile.

        Args:
            attempt: Its id.
            interrupt: Ends what the attempt waits for, where that is no code of this process.

        Raises:
            KeyboardInterrupt: It is cancelled.
        """
        is_main = get_ident() == main_thread().ident
        if interrupt is None:
            interrupt = _terminate if is_main else partial(_raise_in, get_ident())
        try:
            with self._lock:
                if attempt in self._cancelled:
                    raise KeyboardInterrupt
                self._interrupts[attempt] = interrupt
                self._in_main += is_main
            yield
        finally:
            # An interrupt that comes just now must not end more than the attempt.
            while attempt in self._interrupts:
                with suppress(KeyboardInterrupt), self._lock:
                    if attempt in self._cancelled and not is_main:
                        _withdraw()
                    self._in_main -= is_main
                    del self._interrupts[attempt]

    def cancel(self, attempt: str) -> None:
        """Interrupts an attempt, also one that has not begun."""
        with self._lock:
            self._cancelled.add(attempt)
            interrupt = self._interrupts.get(attempt)
            if interrupt is not None:
                interrupt()

    def is_cancelled(self, attempt: str) -> bool:
        """Returns whether somebody has cancelled an attempt."""
        return attempt in self._cancelled

    def _terminated(self, *_: object) -> None:
        if self._in_main:
            raise KeyboardInterrupt


def _terminate() -> None:
    ident = main_thread().ident
    if ident is not None:
        signal.pthread_kill(ident, signal.SIGTERM)


def _raise_in(thread: int) -> None:
    import ctypes

    kind = ctypes.py_object(KeyboardInterrupt)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), kind)


def _withdraw() -> None:
    """Takes back what was to be raised in this thread."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(get_ident()), None)
