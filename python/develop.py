"""Makes this tree the `partita` package of the virtual environment that runs it.

An editable install without a build backend: the native modules and the command that cargo has
just built go where Python and the shell look for them, which takes milliseconds, and keeps one
set of build results for cargo, editors and Python alike.

Usage: python develop.py FOLDER_OF_CARGO_RESULTS
"""

from __future__ import annotations

import compileall
import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "src" / "partita"


def workspace_version() -> str:
    """Returns the version that the Cargo workspace declares."""
    manifest = (HERE.parent / "Cargo.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "([^"]+)"', manifest, re.MULTILINE)
    if found is None:
        sys.exit("error: `Cargo.toml` declares no workspace version.")
    return found.group(1)


def place(built: Path, target: Path) -> None:
    """Puts a built file at its target in one step, without copying it where links work.

    A hard link keeps the target's own path as the running program's, unlike a symbolic one, and
    the rename leaves processes that still use the old file alone.
    """
    if not built.is_file():
        sys.exit(f"error: `{built}` is missing: run `make setup`, which builds it.")
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        os.link(built, fresh)
    except OSError:
        shutil.copy2(built, fresh)
    fresh.replace(target)
    fresh.unlink(missing_ok=True)


def register(site: Path) -> None:
    """Writes the path entry and the metadata of an editable install into `site`."""
    version = workspace_version()
    for stale in site.glob("partita-*.dist-info"):
        shutil.rmtree(stale)
    info = site / f"partita-{version}.dist-info"
    info.mkdir()
    (site / "partita.pth").write_text(f"{PACKAGE.parent}\n", encoding="utf-8")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: partita\nVersion: {version}\n", encoding="utf-8"
    )
    (info / "INSTALLER").write_text("make\n", encoding="utf-8")
    record = ["partita.pth", *(f"{info.name}/{name}" for name in ("METADATA", "INSTALLER"))]
    lines = [f"{name},,\n" for name in [*record, f"{info.name}/RECORD"]]
    (info / "RECORD").write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Installs the results of one cargo profile, such as `target/debug`."""
    if len(sys.argv) != 2 or sys.prefix == sys.base_prefix:
        sys.exit("usage: .venv/bin/python develop.py target/debug   (in a virtual environment)")
    results = Path(sys.argv[1]).resolve()
    for module in ("_native", "_engine"):
        place(results / f"lib{module}.so", PACKAGE / f"{module}.abi3.so")
    place(results / "partita", Path(sysconfig.get_path("scripts")) / "partita")
    register(Path(sysconfig.get_path("purelib")))
    # As `pip` does: who may not write bytecode has every process compile the package anew.
    compileall.compile_dir(PACKAGE, quiet=1)


if __name__ == "__main__":
    main()
