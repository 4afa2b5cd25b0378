"""Images that are made without an engine, in a real registry, and run by an engine that takes them there."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Project
from docker_engine import Engine
from image_parents import VERSION, bare
from image_registry import PASSWORD, USERS, Registry, use_password, use_registry
from image_stack import built
from image_steps import seen, write
from process_stack import partita

NOWHERE = "unix:///nowhere/docker.sock"

ASKS = 'requirements=["greeting==1.0"], environment={"Mixed": "1"}'


@pytest.fixture
def parent(images: Engine, registry: Registry) -> str:
    """The image of Python alone, in a registry that runs."""
    registry.start()
    return registry.keep(images, bare(images), "base/python:1")


@pytest.fixture
def away(parent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine can be reached."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Registry]:
    """Another registry, which does not run yet."""
    made = Registry(tmp_path / "second")
    made.folder.mkdir()
    yield made
    made.stop()


def rows(command: str, verb: str) -> list[dict[str, Any]]:
    return json.loads(partita(command, verb, "main.py", "--output", "json"))


def learned(project: Project) -> list[Any]:
    """What this machine knows of the Python of images."""
    return [json.loads(path.read_text()) for path in (project.home / "images").glob("parent-*")]


@pytest.mark.usefixtures("wheels", "away")
def test_an_image_that_is_made_without_an_engine_runs_on_one(
    project: Project,
    command: str,
    images: Engine,
    registry: Registry,
    parent: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_registry(command, parent, registry)
    write(project, ASKS)
    (planned,) = rows(command, "plan")
    assert planned["image"]["verdict"] == "build", planned
    assert planned["image"]["reason"] == "none was built before"
    (row,) = rows(command, "build")
    image = row["image"]
    assert (row["verdict"], image) == ("built", planned["image"]["image"])
    assert image.startswith(f"{registry.uri}/partita:")
    assert [row["verdict"] for row in rows(command, "build")] == ["there"]
    assert rows(command, "plan")[0]["image"]["verdict"] == "there"

    # The engine knows neither the image nor what it is built on by name, and takes both for its own.
    monkeypatch.setenv("DOCKER_HOST", images.host)
    assert built(images) == []
    finished = project.run()
    assert finished.code == 0, finished.err
    assert "building" not in finished.err
    assert (seen()["greeting"], seen()["says"]) == ("1.0", "greeting says 1.0")
    assert built(images) == [image]


@pytest.mark.usefixtures("wheels")
def test_images_are_the_same_bytes_with_an_engine_and_without(
    project: Project,
    command: str,
    images: Engine,
    registry: Registry,
    parent: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_registry(command, parent, registry)
    write(project, ASKS)
    (with_engine,) = rows(command, "build")
    image = with_engine["image"]
    identity = images.docker("inspect", "--format", "{{.Id}}", image)
    asked = learned(project)

    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    manifests: list[Any] = []
    for _ in range(2):
        # As on a machine and in a registry that have never seen it.
        shutil.rmtree(project.home / "images")
        shutil.rmtree(registry.folder / "data/docker/registry/v2/repositories/team")
        (without,) = rows(command, "build")
        del without["duration_s"]
        assert without == {key: with_engine[key] for key in without}
        manifests.append(registry.manifest(image))
    assert learned(project) == asked
    assert manifests[0] == manifests[1]
    assert manifests[0]["config"]["digest"] == identity


@pytest.mark.usefixtures("wheels")
def test_layers_come_from_the_registry_that_has_the_parent(
    project: Project,
    command: str,
    parent: str,
    second: Registry,
    registry: Registry,
    images: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    second.start()
    use_registry(command, parent, second)
    write(project, ASKS)
    (row,) = rows(command, "build")
    layers = registry.manifest(parent)["layers"]
    assert second.manifest(row["image"])["layers"][: len(layers)] == layers
    # All of them are there: nothing is asked of the first one.
    registry.stop()
    told = images.docker("pull", "--quiet", row["image"])
    assert told == row["image"]


#: Each with what its Dockerfile adds to the image of Python alone.
PARENTS = {
    "as it is": "",
    "removed": """RUN ["python", "-c", "import os; os.remove('/usr/bin/python')"]\n""",
    "a chain of links": """RUN ["python", "-c", "import os; os.remove('/usr/bin/python'); os.makedirs('/a/b'); os.symlink('../c/python', '/a/b/python'); os.symlink('/usr/bin', '/a/c'); os.symlink('python3', '/usr/bin/python')"]
ENV PATH=/nowhere:/a/b:/usr/bin\n""",
    "another folder": """RUN ["python", "-c", "import os, shutil; os.mkdir('/new'); shutil.copy('/opt/python/bin/python{version}', '/new/python')"]
RUN ["python", "-c", "import os, shutil; shutil.rmtree('/new'); os.mkdir('/new'); os.symlink('/usr/bin/python3', '/new/other')"]
ENV PATH=/new:/usr/bin\n""",
    "a virtual environment": """RUN ["/opt/python/bin/python{version}", "-m", "venv", "--without-pip", "/venv"]
ENV PYTHONHOME= PATH=/venv/bin:/usr/bin\n""",
    "no home": "ENV PYTHONHOME=\n",
    "hard links": """RUN ["python", "-c", "import os, sys; os.makedirs('/opt/other/bin'); os.link(os.path.realpath('/usr/bin/python'), '/opt/other/bin/python'); os.symlink('/opt/python/lib', '/opt/other/lib')"]
ENV PYTHONHOME= PATH=/opt/other/bin\n""",
}


@pytest.mark.parametrize("what", PARENTS)
def test_the_python_of_an_image_is_known_without_running_it(
    project: Project,
    command: str,
    images: Engine,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    registry.start()
    made = images.docker(
        *("build", "--quiet", "--force-rm", "--network=none", "-"),
        text=f"FROM {bare(images)}\n{PARENTS[what].replace('{version}', VERSION)}",
    )
    use_registry(command, registry.keep(images, made, "base/python:1"), registry)
    write(project, "prevent_build_reuse=True")
    asked = project.verb("build", target="main.py")
    known = learned(project)
    assert len(known) == 1
    shutil.rmtree(project.home / "images")
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    found = project.verb("build", target="main.py")
    assert learned(project) == known
    assert found.code == asked.code == (1 if what == "removed" else 0), (asked, found)


@pytest.mark.parametrize("password", ["wrong-word-9", None])
def test_a_registry_that_does_not_take_who_asks_is_told_in_its_words(
    project: Project,
    command: str,
    registry: Registry,
    password: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    parent = f"127.0.0.1:{registry.port}/base/python:1"
    (registry.folder / "users").write_text(USERS)
    if password is None:
        use_registry(command, parent, registry)
    else:
        use_password(command, parent, registry, password)
    registry.start()
    write(project, "")
    finished = project.verb("build", target="main.py")
    assert f"the container registry at `{registry.uri}` cannot be asked for" in finished.refusal
    advice = "correct `username` and `password`" if password else "say who asks, with `username`"
    assert advice in finished.refusal
    assert "wrong-word-9" not in finished.out + finished.err


def test_a_password_opens_a_registry_without_an_engine_and_is_kept_nowhere(
    project: Project, command: str, registry: Registry, parent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.stop()
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    use_password(command, parent, registry, PASSWORD)
    registry.start()
    write(project, "")
    finished = project.verb("build", target="main.py")
    assert finished.code == 0, finished
    assert PASSWORD not in finished.out + finished.err
    for path in (*project.home.rglob("*"), *registry.folder.rglob("*")):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no `openssl`")
@pytest.mark.usefixtures("away")
def test_a_registry_that_is_not_of_this_machine_is_asked_with_tls(
    project: Project,
    command: str,
    parent: str,
    second: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate, key = second.folder / "certificate", second.folder / "key"
    words = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tests", "-days", "2")
    for_host = ("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE")
    files = ("-keyout", str(key), "-out", str(certificate))
    subprocess.run(["openssl", *words, *for_host, *files], check=True, capture_output=True)
    # Only a resolver knows that this is an address of this machine.
    second.host = "127.1"
    use_password(command, parent, second, PASSWORD)
    second.start()
    write(project, "")
    finished = project.verb("build", target="main.py")
    assert finished.code == 3 and "invalid peer certificate" in finished.err, finished
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    (row,) = rows(command, "build")
    assert row["verdict"] == "built"
    assert row["image"].startswith(f"{second.uri}/partita:")


@pytest.mark.usefixtures("away")
def test_a_registry_that_takes_nothing_is_told_in_its_words(
    project: Project, command: str, registry: Registry, parent: str
) -> None:
    registry.stop()
    (registry.folder / "readonly").touch()
    registry.start()
    use_registry(command, parent, registry)
    write(project, "")
    message = project.verb("build", target="main.py").refusal
    assert f"the container registry at `{registry.uri}` cannot be given the image" in message
    registry.stop()
    (registry.folder / "readonly").unlink()


DOCKER = "application/vnd.docker."
INDEX = f"{DOCKER}distribution.manifest.list.v2+json"
MANIFEST = f"{DOCKER}distribution.manifest.v2+json"
CONFIG = f"{DOCKER}container.image.v1+json"
OCI = "application/vnd.oci.image."


def index(registry: Registry, *architectures: str, **of_machine: dict[str, Any]) -> str:
    """Keeps images of no layers for other machines, and the one that this is for; returns their name."""
    name = f"127.0.0.1:{registry.port}/base/python:many"
    entries = [
        {**entry, "platform": {"architecture": architecture, "os": "linux"}}
        for architecture, entry in of_machine.items()
    ]
    for architecture in architectures:
        rootfs: dict[str, Any] = {"type": "layers", "diff_ids": []}
        config = {"architecture": architecture, "os": "linux", "rootfs": rootfs}
        blob = registry.put_blob("base/python", json.dumps(config).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, **blob},
            "layers": [],
        }
        entry = registry.put(f"base/python:{architecture}", manifest)
        entries.insert(0, {**entry, "platform": {"architecture": architecture, "os": "linux"}})
    registry.put(name, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    return name


@pytest.mark.usefixtures("away")
def test_of_several_images_the_one_for_this_machine_is_built_on(
    project: Project, command: str, registry: Registry, images: Engine, parent: str
) -> None:
    use_registry(command, parent, registry)
    write(project, "")
    (of_one,) = rows(command, "build")
    found = registry.manifest(parent)
    architecture = images.docker("version", "--format", "{{.Server.Arch}}")
    entry = {key: found[key] for key in ("mediaType", "digest", "size")}
    many = index(registry, "s390x", "arm", **{architecture: entry})
    write(project, f"parent_image={many!r}")
    (of_many,) = rows(command, "build")
    # It is the same one.
    assert (of_many["image"], of_many["verdict"]) == (of_one["image"], "there")
    others = index(registry, "s390x", "arm")
    message = project.verb("build", target="main.py").refusal
    told = f"the image `{others}` is made for `arm`, `s390x`, and this machine runs on `{architecture}`"
    assert told in message
    alone = f"127.0.0.1:{registry.port}/base/python:s390x"
    write(project, f"parent_image={alone!r}")
    message = project.verb("build", target="main.py").refusal
    assert f"the image `{alone}` is made for `s390x`, and this machine runs on" in message


@pytest.mark.usefixtures("away")
def test_an_image_has_the_format_of_the_one_that_it_is_built_on(
    project: Project, command: str, registry: Registry, images: Engine, parent: str
) -> None:
    found = registry.manifest(parent)
    layers = [{**layer, "mediaType": f"{OCI}layer.v1.tar+gzip"} for layer in found["layers"]]
    config = {**found["config"], "mediaType": f"{OCI}config.v1+json"}
    kinds = {"schemaVersion": 2, "mediaType": f"{OCI}manifest.v1+json"}
    registry.put("base/python:oci", {**kinds, "config": config, "layers": layers})
    use_registry(command, f"127.0.0.1:{registry.port}/base/python:oci", registry)
    write(project, "")
    (row,) = rows(command, "build")
    made = registry.manifest(row["image"])
    assert {part["mediaType"] for part in made["layers"]} == {layers[0]["mediaType"]}
    assert (made["mediaType"], made["config"]["mediaType"]) == (
        kinds["mediaType"],
        config["mediaType"],
    )
    assert images.docker("pull", "--quiet", row["image"]) == row["image"]


@pytest.mark.usefixtures("away")
def test_what_cannot_be_built_on_without_an_engine_is_told(
    project: Project, command: str, registry: Registry
) -> None:
    nowhere = f"127.0.0.1:{registry.port}/base/nowhere:1"
    use_registry(command, nowhere, registry)
    write(project, "")
    message = project.verb("build", target="main.py").refusal
    host = f"127.0.0.1:{registry.port}"
    assert f"the registry `{host}` does not have the image `{nowhere}`" in message
    registry.stop()
    finished = project.verb("build", target="main.py")
    assert finished.code == 3, finished
    assert "onnection refused" in finished.err
    told = partita(command, "plan", "main.py")
    assert "Whether an image would be built for `sees` is not known: the container registry" in told


@pytest.mark.usefixtures("away")
def test_what_does_without_an_engine_is_told_where_there_is_none(
    project: Project, command: str, registry: Registry, parent: str
) -> None:
    use_registry(command, parent, registry, builder="docker")
    write(project, "")
    built = project.verb("build", target="main.py")
    assert built.code == 3, built
    assert f"the Docker engine at `{NOWHERE}` cannot be reached" in built.err
    assert "an image builder of flavor `native` and a container registry" in built.err


@pytest.mark.usefixtures("away")
def test_a_run_whose_steps_need_an_engine_makes_no_image_without_one(
    project: Project, command: str, registry: Registry, parent: str
) -> None:
    use_registry(command, parent, registry)
    write(project, "")
    finished = project.run()
    assert finished.code == 3, finished
    assert "building" not in finished.err
