"""The zygote: imports the author's modules once, and forks a process for each step.

`python -m partita.workers.zygote` is started by the `process` orchestrator, with a socket as its
standard input. Each packet is one JSON object with one key, as in
`crates/partita-orchestrators/src/process/zygote.rs`.

It forks only while it has one thread: what other threads hold at that moment, locks above all,
would be held for ever in the fork.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys

from partita import _native
from partita.entrypoints import loading
from partita.entrypoints.attempt import Attempt, Terms, print_lines
from partita.errors import PartitaError
from partita.materializers import registry  # pyright: ignore[reportUnusedImport]  # noqa: F401 - for the forks, which import nothing
from partita.workers import child

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator
    from typing import Any
else:
    import _signal as signal  # What a fork need not copy is not imported.

#: The environment variable that names the lock of the run that a process belongs to.
MARK = "PARTITA_PROCESS_LOCK"


class Zygote:
    """The loop that forks steps and tells how they end."""

    def __init__(self, connection: _native.PacketSocket) -> None:
        """Takes the socket to the orchestrator."""
        self._connection = connection
        # A fork of the engine may have its end of it, and keep it open.
        self._engine = os.getppid()
        self._connection.watch(self._engine)
        self._run: _native.RunEntry | None = None
        self._lock: _native.Descriptor | None = None
        self._done: _native.Done | None = None
        self._failed: set[str] = set()  # sources that could not be imported here
        self._processes: dict[int, int] = {}  # by job
        self._jobs: dict[int, int] = {}  # by process

    def serve(self) -> None:
        """Does what it is told until nobody is there to tell it."""
        while self._serves():
            pass
        self._end_all()

    def _serves(self) -> bool:
        """Waits for what is next and does it; returns whether anybody may tell it more."""
        has_packet, ended = self._connection.wait()
        for process in ended:
            if process == self._engine:
                return False
            self._ended(self._jobs[process], process)
        return not has_packet or self._take_request()

    def _take_request(self) -> bool:
        packet = self._connection.receive()
        if packet is None:
            return False
        data, descriptors = packet
        ((name, request),) = _native.decode_value(data).items()
        if name == "open":
            self._lock, done = descriptors
            self._open(request)
            self._done = _native.Done(f"/proc/self/fd/{done.fileno()}")
            done.close()
        elif name == "start":
            self._start(request, descriptors)
        elif name == "signal":
            self._signal(request["job"], request["signal"])
        return True

    def _say(self, name: str, **message: Any) -> None:
        self._connection.send(_native.encode_value({name: message} if message else name) or b"")

    def _open(self, request: dict[str, Any]) -> None:
        """Imports the modules of the steps; who needs one that fails here starts anew."""
        self._run = _native.RunEntry(
            request["artifact_store"], request["deployment_id"], request["run_id"]
        )
        watcher = self._watch() if request["steps"] else None
        for number in request["steps"]:
            entry = self._run.step_at(number, None)
            try:
                loading.prepare(entry)
            except (Exception, SystemExit, KeyboardInterrupt):
                self._failed.add(entry.source)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()  # What waits here would be printed by every step.
        gc.collect()
        gc.freeze()  # What all steps share is not written to, and so not copied.
        if watcher is not None:  # From here on the socket tells, and there is time to tidy.
            _native.end_with_parent(False)
            os.kill(watcher, signal.SIGKILL)
            os.waitpid(watcher, 0)
        self._say("ready")

    def _watch(self) -> int:
        """Forks a process that tidies up if the engine dies meanwhile; returns its id.

        This process imports, which may never end; until it has, it ends with its engine.
        """
        watcher = os.fork()
        if watcher == 0:
            self._connection.close()
            _native.wait_for_end(self._engine)
            self._end_all()
            os._exit(0)
        _native.end_with_parent(True)
        if self._connection.is_deserted():
            self._end_all()  # It has died before anybody watched it, and so does the watcher.
            os._exit(0)
        return watcher

    def _start(self, request: dict[str, Any], streams: list[_native.Descriptor]) -> None:
        job = request["job"]
        try:
            pid = self._fork(request, *streams)
        except (PartitaError, OSError) as error:
            self._say("refused", job=job, reason=str(error))
        else:
            self._say("started", job=job, pid=pid)
            self._watch_end(job, pid)
        for stream in streams:
            stream.close()

    def _fork(
        self, request: dict[str, Any], stdout: _native.Descriptor, stderr: _native.Descriptor
    ) -> int:
        """Forks the process of an attempt; returns its id.

        What can be done before the fork is done here: this process has done it often, and writes
        to no page that a fork would have to copy.

        Raises:
            PartitaError: Why it is not to be forked from this process.
        """
        assert self._lock is not None, "nothing is started before a run is open"
        assert self._done is not None, "nothing is started before a run is open"
        entry = self._entry(request["step"], request["item"])
        terms = Terms(request["terms"], parent=os.getpid())
        attempt = Attempt(entry, request["number"], terms)
        streams, done, token = (self._lock, stdout, stderr), self._done, request["token"]
        pid = os.fork()
        if pid == 0:
            self._connection.close()
            child.run(attempt, terms, streams, done, token)
        return pid

    def _watch_end(self, job: int, pid: int) -> None:
        self._processes[job], self._jobs[pid] = pid, job
        try:
            self._connection.watch(pid)
        except OSError:  # It must not run where nobody would see it end.
            _kill(pid, signal.SIGKILL)
            self._ended(job, pid)

    def _entry(self, step: int, item: int | None) -> _native.StepEntry:
        """Returns the step or the item that a fork of this process is to run.

        Raises:
            PartitaError: Why it is not to be forked from this process.
        """
        assert self._run is not None, "nothing is started before a run is open"
        # An item is looked up here, so that no fork has to take its list apart again.
        entry = self._run.step_at(step, item)
        if entry.source in self._failed:
            raise PartitaError("its module cannot be imported before it")
        threads = _native.count_threads()
        if threads != 1:
            raise PartitaError(f"importing its modules has started threads ({threads - 1})")
        return entry

    def _signal(self, job: int, number: int) -> None:
        pid = self._processes.get(job)
        if pid is not None:  # It is not reaped yet, so that the id is still its own.
            _kill(pid, number)

    def _ended(self, job: int, pid: int) -> None:
        del self._processes[job], self._jobs[pid]
        self._say("ended", job=job, code=_reap(pid))
        self._reap_orphans()

    def _reap_orphans(self) -> None:
        """Reaps programs that steps have left behind and that have ended since."""
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in self._jobs:
                    return  # Its own turn comes.
                os.waitpid(ended.si_pid, 0)

    def _end_all(self) -> None:
        """Ends every process of the run: those forked here, theirs, and those of a dead engine."""
        for pid in (*self._jobs, *self._others()):
            _kill(pid, signal.SIGKILL)
        for pid in self._jobs:
            _reap(pid)
        while orphans := _children():  # Those of the ones that are ended here come after them.
            for pid in orphans:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _others(self) -> Iterator[int]:
        """Yields the run's other processes: its lock is their input, or in their environment."""
        if self._lock is None:
            return
        lock = os.readlink(f"/proc/self/fd/{self._lock.fileno()}")
        mark = os.fsencode(f"{MARK}={lock}")
        own = (os.getpid(), os.getpgrp())  # Who watches is of the group of whom it watches over.
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):  # It has ended, or is another user's.
                if int(name) not in own and (
                    os.readlink(f"/proc/{name}/fd/0") == lock or mark in _environment(name)
                ):
                    yield int(name)


def _environment(process: str) -> list[bytes]:
    with open(f"/proc/{process}/environ", "rb") as file:
        return file.read().split(b"\0")


def _children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        return [int(pid) for pid in children.read().split()]


def _kill(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:  # It has not made a group of its own yet.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _reap(pid: int) -> int:
    """Ends what a process has left in its group, and returns how it ended itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    """Serves the orchestrator that started this process."""
    connection = _native.PacketSocket.of_stdin()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # Nothing that the author's modules read comes from there.
    os.close(nothing)
    print_lines()
    _native.adopt_orphans()  # So that what has left the processes of steps can be found.
    Zygote(connection).serve()
    os._exit(0)


if __name__ == "__main__":
    main()
