"""Says where the results of the last run of the digits example are; the end of `make demo`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit


def local_folder(uri: str) -> Path:
    """Returns the folder that an artifact's address stands for; addresses may be plain paths."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(uri)


def main() -> None:
    """Prints how the last run went, and where its picture is."""
    described = subprocess.run(
        ["partita", "runs", "describe", "latest", "--output", "json"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    run = json.loads(described.stdout)
    cached = sum(step["cached"] for step in run["steps"].values())
    picture = local_folder(run["steps"]["report"]["outputs"]["picture"]["uri"])
    files = sorted(picture.glob("*.png")) if picture.is_dir() else [picture]

    print(
        f"\n{cached} of {len(run['steps'])} steps of the run `{run['name']}` came from the cache."
    )
    print(f"\nThe report:  {files[0] if files else picture}")
    if home := os.environ.get("PARTITA_HOME"):
        print(f"All of it:   export PARTITA_HOME={home}")
    print("             partita runs describe latest")


if __name__ == "__main__":
    main()
