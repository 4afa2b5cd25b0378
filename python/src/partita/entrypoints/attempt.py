"""One attempt at a step, in whatever process it is made."""

from __future__ import annotations

import io
import os
import sys

from partita import _native
from partita.entrypoints.loading import EntryCaller
from partita.errors import PartitaError
from partita.telling import tell
from partita.termination import Termination

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

#: The exit code of a process whose attempt failed, and of one that shows a bug in Partita.
FAILED, BUG = 1, 70

#: The environment variable in which a launcher says what the options of an entrypoint do not.
VARIABLE = "PARTITA_ATTEMPT"

#: How the memory is called that an engine hands secrets over in.
HANDED = "/memfd:partita-secrets"


#: How the standard input is called where secrets come through it.
STANDARD_INPUT = "-"


class Ending:
    """The launcher that hears when this process has nothing left to do but to end, if one does."""

    def __init__(self) -> None:
        self._heard: tuple[int, _native.Done, str] | None = None

    def listen(self, pipe: str, token: str) -> None:
        """Takes where it hears of this process, and what; that it does not hear is no error."""
        try:
            done = _native.Done(pipe)
        except PartitaError:
            return
        # What programs of the step leave behind is seen from here.
        _native.adopt_orphans()
        self._heard = (os.getpid(), done, token)

    def tell(self) -> None:
        """Says that this process is done; forks of it that the step has let return do not."""
        if self._heard is not None:
            process, done, token = self._heard
            if os.getpid() == process:
                done.tell(token)


_ending = Ending()


class Terms:
    """What a launcher that starts processes says of an attempt.

    Attributes:
        is_recorded: Whether the launcher records what the process prints.
        is_labelled: Whether lines that the step prints begin with its name, for whoever mixes them
            with those of others.
        cache_reason: Why the step was not cached.
        code: The digest of the author's code, if it is to come out of the artifact store.
        is_last: Whether no attempt follows if this one fails; `None` if no engine knows.
        is_told: Whether the launcher tells how the attempt failed.
    """

    def __init__(
        self, document: dict[str, Any] | None = None, *, parent: int | None = None
    ) -> None:
        """Takes what the launcher wrote, or nothing where none did.

        Args:
            document: What it wrote.
            parent: The process that this one is to end with, where the launcher did not start it.
        """
        self._document = document
        found = document or {}
        self.is_recorded: bool = found.get("is_recorded", document is not None)
        labels = document is not None and not self.is_recorded
        self.is_labelled: bool = found.get("is_labelled", labels)
        self.cache_reason: str | None = found.get("cache_reason")
        self.code: str | None = found.get("code")
        self.is_last: bool | None = found.get("is_last")
        self.is_told: bool = self.is_recorded or self.is_last is not None
        self._memory: int | None = found.get("memory")
        self._gpus: str | None = found.get("gpus")
        self._gpu_count: int = found.get("gpu_count", 0)
        self._parent: int | None = parent or found.get("parent")
        self._secrets: str | None = found.get("secrets")
        self._done: list[str] | None = found.get("done")

    @classmethod
    def from_environment(cls) -> Terms:
        """Takes the terms out of this process's environment."""
        text = os.environ.pop(VARIABLE, None)
        return cls(None if text is None else _native.decode_value(text.encode()))

    def environment(self) -> dict[str, str]:
        """Returns what a process finds that is told the same, but for the process it ends with."""
        import json

        if self._document is None:
            return {}
        return {VARIABLE: json.dumps({**self._document, "parent": None, "done": None})}

    def apply(self) -> None:
        """Makes this process one that keeps to them."""
        if self._parent is not None:
            _native.end_with_parent(True)
            if os.getppid() != self._parent:  # It had ended before.
                os._exit(FAILED)
        if self._gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = self._gpus
        if self._memory is not None:
            _limit_memory(self._memory)
        if self._done is not None:
            _ending.listen(*self._done)

    def apply_of(self, entry: _native.StepEntry) -> None:
        """Keeps this process to the memory that a step asks for, where no launcher said so."""
        if self._memory is None and entry.memory is not None:
            self._memory = entry.memory
            _limit_memory(entry.memory)

    def check_gpus(self, entry: _native.StepEntry) -> None:
        """Checks that a step sees one, where its launcher has given it graphics processors.

        Raises:
            PartitaError: It sees none.
        """
        missing = entry.missing_gpus(self._gpu_count)
        if missing is not None:
            raise PartitaError(missing)

    def hand_secrets(self, entry: _native.StepEntry) -> None:
        """Gives a step the values of the secrets that it takes, from where the launcher put them.

        Raises:
            PartitaError: They are not there.
        """
        if self._secrets is None:
            return
        what = f"the secrets of step `{entry.step_name}`"
        try:
            if self._secrets == STANDARD_INPUT:
                entry.give_secrets(sys.stdin.buffer.read())
                return
            # The number of an engine that is gone may be another process's by now.
            if not os.readlink(self._secrets).startswith(HANDED):
                raise FileNotFoundError
            with open(self._secrets, "rb") as handed:
                entry.give_secrets(handed.read())
        except OSError as error:
            if not entry.takes_secrets:
                return  # They were the orchestrator's own, for the redactor alone.
            if not isinstance(error, FileNotFoundError):
                raise PartitaError(
                    f"{what} cannot be read from the orchestrator's "
                    f"process: {error.strerror}; let processes of one user see one another."
                ) from None
            from shlex import quote

            raise PartitaError(
                f"{what} are gone with the engine of the run, or do not get here: if that has "
                f"ended before the step began, `partita runs resume {quote(entry.run_name)}` hands "
                "them over anew; if the step runs in a container or on another machine, let it run "
                "on an orchestrator of flavor `docker`, `process` or `local`, or find the value by "
                "itself."
            ) from None


class Attempt:
    """An attempt at a step, ready to be made.

    It can be put together in one process and made in a fork of it.
    """

    def __init__(
        self, entry: _native.StepEntry, number: int, terms: Terms, *, claimed: bool = False
    ) -> None:
        """Puts together what it takes.

        Args:
            entry: The step.
            number: The attempt's number.
            terms: What a launcher says of it.
            claimed: Whether this place has claimed it, where no engine counts attempts.
        """
        self._entry = entry
        self._number = number
        self._terms = terms
        self._claimed = claimed
        self._termination = Termination()
        self._caller = EntryCaller(
            entry,
            self._termination,
            is_recorded=terms.is_recorded,
            is_labelled=terms.is_labelled,
        )

    def make(self) -> tuple[str, tuple[str, str | None] | None]:
        """Makes it; returns how it ended, and what went wrong.

        Raises:
            PartitaError: It cannot begin.
            SystemExit: SIGTERM interrupted it.
            KeyboardInterrupt: Ctrl-C did.
        """
        entry, terms = self._entry, self._terms
        try:
            terms.hand_secrets(entry)
            terms.check_gpus(entry)
        except PartitaError as error:
            entry.refuse(self._number, str(error))
            if terms.is_told and not terms.is_recorded:  # The engine may be gone, too.
                tell(f"error: step `{entry.step_name}` failed: {error}")
            return "failed", (str(error), None)
        with self._termination:
            ended, failure = entry.run(
                self._number,
                self._caller,
                terms.cache_reason,
                terms.is_last,
                claimed=self._claimed,
            )
            if ended == "cancelled":
                raise self._termination.exception(f"step `{entry.step_name}` was interrupted")
        if failure is not None and terms.is_told:
            if not entry.is_recorded(self._number):  # Then what it prints is all that tells.
                tell(f"error: {failure[0]}")
        return ended, failure


def tell_end(
    entry: _native.StepEntry, ended: str, failure: tuple[str, str | None] | None, terms: Terms
) -> bool:
    """Says how an attempt ended, as far as nobody else does; returns whether its step is done."""
    if failure is not None:
        if not terms.is_told:
            message, traceback = failure
            if traceback:
                tell(traceback.rstrip())
            tell(f"error: step `{entry.step_name}` failed: {message}")
        return False
    if ended != "completed":
        why = "committed already" if ended == "committed" else "cached"
        tell(f"step `{entry.step_name}` is {why}")
    return True


def print_lines() -> None:
    """Has each line go out when it is printed, so that whoever records it knows when that was."""
    stdout: object = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(line_buffering=True)


def leave(code: int) -> NoReturn:
    """Ends this process as Python does, short of taking itself apart object by object."""
    try:
        code = settle(code)
        if code == 0:
            _ending.tell()
    finally:
        os._exit(code)


def settle(code: int) -> int:
    """Does what Python does at the end of a process; returns the exit code."""
    try:
        # Neither has a public name; `multiprocessing` ends its forked processes with both.
        # Where nobody has imported them, there is nothing to wait for and nothing to call.
        threading, atexit = sys.modules.get("threading"), sys.modules.get("atexit")
        if threading is not None:
            threading._shutdown()
        if atexit is not None:
            atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException as error:
        code = code or BUG
        tell(f"partita: the process of the step could not end as it should: {error!r}")
    return code


def _limit_memory(limit: int) -> None:
    """Has the system refuse this process more memory of its own than `limit` bytes."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most != resource.RLIM_INFINITY:
        limit = min(limit, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
