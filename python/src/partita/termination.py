"""Makes SIGTERM end a run the way Ctrl-C does: cancelled, recorded and ready to be resumed."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
    from typing import Any
else:
    import _signal as signal  # `signal` wraps these in enums, which takes as long as many a step.


class Terminated(SystemExit):
    """SIGTERM ended what was going on; the code is what a shell shows for that."""

    def __init__(self) -> None:
        super().__init__(143)


def _leave(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)


def end_like_others() -> None:
    """Has SIGTERM end this process also if it is the first one of a container.

    The system spares that one whatever signal it does not handle.
    """
    if os.getpid() == 1 and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _leave)


class Termination:
    """Turns SIGTERM into `KeyboardInterrupt` for as long as it is entered.

    It does so in the main thread only, and only where SIGTERM would end the process at once; a
    handler of the author's stays in place.

    Attributes:
        asked: Whether SIGTERM came.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None
        self._process = -1  # Who entered it.

    def __enter__(self) -> Termination:
        self._process = os.getpid()
        before = signal.getsignal(signal.SIGTERM)
        if before in (signal.SIG_DFL, _leave):
            try:
                signal.signal(signal.SIGTERM, self._handle)
            except ValueError:
                return self  # Another thread than the main one.
            self._before = before
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
        if self.asked and kind is KeyboardInterrupt:
            raise Terminated

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if os.getpid() != self._process:  # A child that a step forked, a worker of its pool say.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if self.asked:
            return  # It may have come to the whole group, and be handed on as well.
        self.asked = True
        raise KeyboardInterrupt

    def exception(self, message: str) -> BaseException:
        """Returns what the author's script gets at the end of a run that a signal ended."""
        return Terminated() if self.asked else KeyboardInterrupt(message)
