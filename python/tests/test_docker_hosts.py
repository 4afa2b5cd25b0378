"""An engine that is told by its address on a port of this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from conftest import Project
from docker_engine import Engine
from partita import Client
from secret_steps import store


def pump(source: socket.socket, target: socket.socket) -> None:
    """Hands on what comes, and that nothing comes any more."""
    try:
        while part := source.recv(1 << 16):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # The other side has gone.
        pass


@pytest.fixture
def port(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Makes a port lead to the socket of the engine; its address is what `DOCKER_HOST` says."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # It is closed.
                return
            there = socket.socket(socket.AF_UNIX)
            there.connect(engine.host.removeprefix("unix://"))
            for ends in ((client, there), (there, client)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    monkeypatch.setenv("DOCKER_HOST", address)
    yield address
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_steps_run_and_take_secrets_by_way_of_a_port(
    project: Project, command: str, engine: Engine, port: str
) -> None:
    engine.use(command)
    store(command, "a secret")
    project.write(
        "main.py",
        """
        from partita import pipeline, step

        @step
        def length(token: str) -> int:
            print("counting")
            return len(token)

        @pipeline
        def line(token: str = "{{hub.token}}"):
            length(token)
        """,
    )
    done = project.run()
    assert done.code == 0, done
    step = Client().get_run("latest").steps["length"]
    assert (step.output.load(), step.log) == (8, "counting\n")
