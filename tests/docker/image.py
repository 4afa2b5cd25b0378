"""Makes the image that the tests' steps run in, of what this machine has: no registry is asked.

It is the Python that runs this script, a shell, what they link, and, in a layer of its own, the Partita
that this Python has. What is there already is not made again.

Usage: DOCKER_HOST=… python tests/docker/image.py        prints the image's name
       DOCKER_HOST=… python tests/docker/image.py base   prints that of the image without Partita
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import partita

PACKAGE = Path(partita.__file__).parent
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PREFIX = Path(sys.base_prefix)
LIBRARY = PREFIX / "lib" / f"python{VERSION}"

#: Where Python is in the image, wherever it is on this machine.
HOME = Path("/opt/python")
PACKAGES = HOME / "lib" / f"python{VERSION}" / "site-packages"

#: What no step needs of the standard library.
LEFT_OUT = {
    *("test", "tests", "idlelib", "turtledemo", "tkinter", "site-packages"),
    *("ensurepip", "lib2to3", "pydoc_data", "dist-packages"),
}

#: The packages whose libraries any program of another machine may link.
SYSTEM = ("libc6", "libgcc-s1", "libstdc++6")

#: The programs of this machine that steps of tests start.
TOOLS = ("sh", "sleep", "cat", "true")


def docker(*arguments: str) -> None:
    """Runs the engine's command and expects success."""
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(
        ["docker", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"error: `docker {' '.join(arguments)}` failed: {done.stderr.strip()}")


def is_there(image: str) -> bool:
    """Returns whether the engine has an image."""
    asked = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False)
    return asked.returncode == 0


def tool(name: str) -> Path:
    """Returns where a program of this machine is."""
    return Path(os.path.realpath(shutil.which(name) or f"/bin/{name}"))


def linked(binary: Path) -> Iterator[Path]:
    """The libraries that a binary links, as the linker of this machine finds them."""
    said = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
    for path in re.findall(r"(/\S+\.so\S*)", said):
        if not Path(path).is_relative_to(PREFIX):
            yield Path(path)


def system_libraries() -> set[Path]:
    """Every library outside Python's own folder that the image has to have."""
    python = Path(os.path.realpath(sys.executable))
    binaries = [python, *LIBRARY.glob("lib-dynload/*.so"), *map(tool, TOOLS)]
    found = {library for binary in binaries for library in linked(binary)}
    for package in SYSTEM:
        listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=True)
        found |= {
            Path(path)
            for path in listed.stdout.splitlines()
            if re.fullmatch(r"(/usr)?/lib(64)?/.*\.so(\.[0-9.]+)?", path) and "/gconv/" not in path
        }
    return found


def without_debugging(binary: Path, folder: Path) -> Path:
    """Returns a copy of a binary without what only debuggers read, where that can be made."""
    stripped = folder / binary.name
    shutil.copy2(binary, stripped)
    subprocess.run(["strip", "--strip-unneeded", stripped], capture_output=True, check=False)
    return stripped


def root_file_system(rootfs: tarfile.TarFile, folder: Path) -> None:
    """Writes the files of the base image."""

    def kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        parts = Path(entry.name).parts
        is_left_out = LEFT_OUT.intersection(parts) or any("config-" in part for part in parts)
        entry.uid = entry.gid = 0
        return None if is_left_out or entry.name.endswith(".a") else entry

    def link(name: str, to: str) -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, to, 0o777
        rootfs.addfile(entry)

    def directory(name: str, mode: int = 0o755) -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        rootfs.addfile(entry)

    for name in ("bin", "etc", "proc", "sys", "dev", "usr", "usr/bin", "opt", "opt/python"):
        directory(name)
    directory("tmp", 0o1777)
    python = f"opt/python/bin/python{VERSION}"
    interpreter = Path(os.path.realpath(sys.executable))
    rootfs.add(without_debugging(interpreter, folder), python, filter=kept)
    rootfs.add(LIBRARY, f"opt/python/lib/python{VERSION}", filter=kept)
    directory(f"opt/python/lib/python{VERSION}/site-packages")
    for library in sorted(PREFIX.glob("lib/libpython*.so*")):
        if not library.is_symlink():
            rootfs.add(without_debugging(library, folder), f"lib/{library.name}", filter=kept)
    for library in sorted(system_libraries()):
        entry = rootfs.gettarinfo(os.path.realpath(library), str(library).lstrip("/"))
        with open(library, "rb") as content:
            rootfs.addfile(entry, content)
    for name in TOOLS:
        rootfs.add(tool(name), f"bin/{name}", filter=kept)
    for name in (f"python{VERSION}", "python3", "python"):
        link(f"usr/bin/{name}", f"/{python}")


def base_image() -> str:
    """Makes the image of Python alone, and returns its name."""
    made_of = f"{sys.version} {Path(__file__).read_text(encoding='utf-8')}"
    image = f"partita-test/python:{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
    if is_there(image):
        return image
    with tempfile.TemporaryDirectory() as folder:
        rootfs = Path(folder) / "rootfs.tar"
        with tarfile.open(rootfs, "w") as tar:
            root_file_system(tar, Path(folder))
        changes = [f"ENV PATH={HOME}/bin:/usr/bin:/bin LANG=C.UTF-8 PYTHONHOME={HOME}"]
        docker("import", *(f"--change={change}" for change in changes), str(rootfs), image)
    return image


def step_image() -> str:
    """Makes the image with Partita, and returns its name."""
    base = base_image()
    files = sorted(path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".so"))
    seen = [f"{path} {path.stat().st_mtime_ns} {path.stat().st_size}" for path in files]
    image = f"partita-test/steps:{hashlib.sha256(repr([base, seen]).encode()).hexdigest()[:12]}"
    if is_there(image):
        return image
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder) / "partita"
        shutil.copytree(PACKAGE, context, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        for native in PACKAGE.glob("_native*.so"):
            shutil.copy2(without_debugging(native, Path(folder)), context / native.name)
        dockerfile = Path(folder) / "Dockerfile"
        dockerfile.write_text(
            f"FROM {base}\nCOPY partita {PACKAGES}/partita\n"
            f'RUN ["python", "-m", "compileall", "-q", "{PACKAGES}/partita"]\n'
        )
        docker("build", "--force-rm", "--network=none", "--quiet", "--tag", image, folder)
    return image


if __name__ == "__main__":
    print(base_image() if sys.argv[1:] == ["base"] else step_image())
