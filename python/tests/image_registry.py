"""A container registry of a test's own, and stacks whose images are kept in it."""

from __future__ import annotations

import hashlib
import json
import random
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docker_engine import SCRIPTS, Engine
from image_stack import use
from process_stack import partita

PASSWORD = "secret-word-7"

#: Who may ask, as `htpasswd -B` writes it for that password.
USERS = "robot:$2y$05$abcdefghijklmnopqrstuudZie2e50Ytm4dl0IqmRZAurrmQpl2x.\n"


#: The ports that a registry may have. The system gives none of them to a connection by itself, which
#: would keep a registry that is stopped from being started again.
PORTS = (20_000, 32_000)


def _is_free(port: int) -> bool:
    with socket.socket() as free:
        return free.connect_ex(("127.0.0.1", port)) != 0


class Registry:
    """A registry of a test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = "127.0.0.1"
        self.port = next(filter(_is_free, iter(lambda: random.randint(*PORTS), None)))

    @property
    def uri(self) -> str:
        return f"{self.host}:{self.port}/team"

    def start(self) -> None:
        words = [SCRIPTS / "registry.sh", "up", self.folder, str(self.port)]
        subprocess.run(words, check=True, capture_output=True)

    def stop(self) -> None:
        subprocess.run([SCRIPTS / "registry.sh", "down", self.folder], check=True)

    def keep(self, engine: Engine, image: str, name: str) -> str:
        """Has the engine push an image of its own, and then forget the name that it has here; returns that."""
        kept = f"127.0.0.1:{self.port}/{name}"
        engine.docker("tag", image, kept)
        engine.docker("push", kept)
        engine.docker("rmi", kept)
        return kept

    def manifest(self, image: str) -> dict[str, Any]:
        """What it says of an image of its own, with the digest and the size of that."""
        kinds = ("vnd.docker.distribution.manifest.v2", "vnd.oci.image.manifest.v1")
        accept = ", ".join(f"application/{kind}+json" for kind in kinds)
        with self._asked("GET", self._place(image), Accept=accept) as answer:
            content = answer.read()
            digest = answer.headers["Docker-Content-Digest"]
            return {**json.loads(content), "digest": digest, "size": len(content)}

    def put(self, image: str, document: dict[str, Any]) -> dict[str, Any]:
        """Keeps a manifest or an index, and returns what an index says of it."""
        content, kind = json.dumps(document).encode(), document["mediaType"]
        with self._asked("PUT", self._place(image), content, **{"Content-Type": kind}) as answer:
            digest = answer.headers["Docker-Content-Digest"]
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def put_blob(self, repository: str, content: bytes) -> dict[str, Any]:
        """Keeps some bytes, and returns what a manifest says of them but for their kind."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        with self._asked("POST", f"{repository}/blobs/uploads/") as answer:
            place = answer.headers["Location"]
        # The body of a form would be read for the digest.
        kind = {"Content-Type": "application/octet-stream"}
        with self._asked("PUT", f"{place}&digest={digest}", content, **kind):
            return {"digest": digest, "size": len(content)}

    def _place(self, image: str) -> str:
        repository, tag = image.removeprefix(f"127.0.0.1:{self.port}/").split(":")
        return f"{repository}/manifests/{tag}"

    def _asked(self, verb: str, place: str, content: bytes = b"", **headers: str) -> Any:
        if not place.startswith("http"):
            place = f"http://127.0.0.1:{self.port}/v2/{place}"
        data = content if verb != "GET" else None
        request = urllib.request.Request(place, data=data, headers=headers, method=verb)
        return urllib.request.urlopen(request)


@pytest.fixture
def registry(tmp_path: Path, images: Engine) -> Iterator[Registry]:
    """A registry that does not run yet."""
    made = Registry(tmp_path / "registry")
    made.folder.mkdir()
    yield made
    made.stop()


def use_registry(
    command: str, parent: str, registry: Registry, *who: str, builder: str = "native"
) -> None:
    """Makes a stack active whose images are built on one, and kept in a registry."""
    words = ("container-registry", "register", "team", f"--uri={registry.uri}", *who)
    partita(command, *words, "--flavor=default" if who else "--flavor=local")
    use(command, builder, parent, "-c", "team")


def use_password(command: str, parent: str, registry: Registry, password: str) -> None:
    """As that, with a password, which is kept as a secret."""
    (registry.folder / "users").write_text(USERS)
    subprocess.run(
        [command, "secret", "set", "registry", "password=-"],
        input=password,
        text=True,
        check=True,
        capture_output=True,
    )
    who = ("--username=robot", "--password={{registry.password}}")
    use_registry(command, parent, registry, *who)
