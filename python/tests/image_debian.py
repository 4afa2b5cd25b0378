"""An image for tests to build on that has Debian's package manager, and one package for it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from docker_engine import Engine
from image_parents import bare, made

#: What `apt-get install` starts, of this machine.
PROGRAMS = (
    *("apt-get", "dpkg", "dpkg-deb", "dpkg-split", "dpkg-query"),
    *("tar", "rm", "diff", "ldconfig", "start-stop-daemon"),
)

#: Files beside programs that it reads.
READ = ("/usr/lib/apt/methods/file", "/usr/lib/apt/methods/store", "/usr/share/dpkg")

FOLDERS = (
    *("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"),
    *("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt"),
    *("etc/apt/apt.conf.d", "etc/apt/preferences.d"),
)

FILES = {
    "etc/apt/sources.list": "deb [trusted=yes] file:/debs ./\n",
    "etc/apt/apt.conf": 'APT::Sandbox::User "root";\n',
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "var/lib/dpkg/status": "",
}


def with_apt(engine: Engine) -> str:
    """Returns the image's name; it installs the package `says-hello`, and reaches no network."""

    def fill(context: Path) -> str:
        root = context / "root"
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True)
        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for program in PROGRAMS:
            found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
            assert found is not None, program
            _copy(root, Path(found), Path("usr/bin") / program)
        for path in map(Path, READ):
            _copy(root, path, path.relative_to("/"))
        _write_package(root / "debs", context)
        return f"FROM {bare(engine)}\nCOPY root/ /\n"

    return made(engine, "apt", fill, __file__)


def _copy(root: Path, path: Path, to: Path) -> None:
    """Copies a file or a folder, with what it links."""
    (root / to).parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, root / to)
        return
    shutil.copy2(os.path.realpath(path), root / to)
    said = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    for library in re.findall(r"(/\S+\.so\S*)", said):
        (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(library), root / library[1:])


def _write_package(folder: Path, scratch: Path) -> None:
    """Writes a package, and the index of a folder with nothing else."""
    fields = (
        "Package: says-hello\nVersion: 1\nArchitecture: all\n"
        "Maintainer: tests <tests@localhost>\nDescription: says hello\n"
    )
    program = scratch / "package/usr/bin/says-hello"
    control = scratch / "package/DEBIAN/control"
    for file in (program, control):
        file.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho hello from Debian\n")
    program.chmod(0o755)
    control.write_text(fields)
    folder.mkdir()
    deb = folder / "says-hello.deb"
    words = ["dpkg-deb", "--build", "-Zgzip", scratch / "package", deb]
    subprocess.run(words, check=True, capture_output=True)
    content = deb.read_bytes()
    (folder / "Packages").write_text(
        f"{fields}Filename: ./{deb.name}\nSize: {len(content)}\n"
        f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
    )
