"""Checks what documents claim: links lead somewhere, code compiles, copies equal their originals.

Run by `make check`. A fenced block that must equal a file is preceded by `<!-- file: PATH -->`,
with the path relative to the root of the repository.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(
    r"^(?P<fence>```+)(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=fence)[ \t]*$", re.M | re.S
)
ORIGIN = re.compile(r"<!-- file: (\S+) -->\n\Z")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)[^)]*\)")
HEADING = re.compile(r"^#+ (.+)$", re.M)
QUICKSTART = "examples/quickstart/train.py"
SDK = "crates/partita"


class Block(NamedTuple):
    """A fenced block of a document."""

    line: int
    language: str
    code: str
    origin: str | None


def documents() -> list[Path]:
    """Returns the Markdown files of the repository, tracked or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return sorted(
        ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()
    )


def blocks(text: str) -> Iterator[Block]:
    """Yields the fenced blocks of a document, with the lines that they begin on."""
    for found in FENCE.finditer(text):
        origin = ORIGIN.search(text, 0, found.start())
        yield Block(
            text.count("\n", 0, found.start()) + 1,
            found["language"],
            found["code"],
            origin[1] if origin else None,
        )


def anchors(text: str) -> set[str]:
    """Returns the anchors that the headings of a document get."""
    names = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(text))
    return {name.strip().replace(" ", "-") for name in names}


def broken_links(document: Path, text: str) -> Iterator[str]:
    """Yields a sentence for each relative link that leads nowhere."""
    prose = FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
    for found in LINK.finditer(prose):
        line = prose.count("\n", 0, found.start()) + 1
        path, _, anchor = unquote(found["target"]).partition("#")
        if re.match(r"[a-z][a-z0-9+.-]*:", path):
            continue
        target = (document.parent / path).resolve() if path else document
        if not target.is_relative_to(ROOT) or not target.exists():
            yield f"{line}: the link `{found['target']}` leads nowhere"
        elif anchor and target.suffix == ".md":
            if anchor not in anchors(FENCE.sub("", target.read_text(encoding="utf-8"))):
                yield f"{line}: `{found['target']}`: no heading has that anchor"


def broken_blocks(text: str) -> Iterator[str]:
    """Yields a sentence for each Python block that does not compile or differs from its file."""
    for block in blocks(text):
        if block.language == "python":
            try:
                compile(block.code, "block", "exec", dont_inherit=True)
            except SyntaxError as error:
                line = block.line + (error.lineno or 1)
                yield f"{line}: the code does not compile: {error.msg}"
        if block.origin is not None:
            origin = ROOT / block.origin
            if not origin.is_file():
                yield f"{block.line}: `{block.origin}` does not exist"
            elif origin.read_text(encoding="utf-8") != block.code:
                yield f"{block.line}: the code differs from `{block.origin}`: copy the file here"


def broken_readme() -> Iterator[str]:
    """Yields a sentence for each promise of the README that the repository does not keep."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    msrv = re.search(r'^rust-version = "([^"]+)"', manifest, re.M)
    for document in ("README.md", "docs/guide/rust.md", f"{SDK}/src/lib.rs"):
        text = (ROOT / document).read_text(encoding="utf-8")
        if msrv is None or f"Rust {msrv[1]} or newer" not in text:
            what = "must say `Rust VERSION or newer`, with the `rust-version` of `Cargo.toml`"
            yield f"{document}: {what}"
    if QUICKSTART not in {block.origin for block in blocks(readme)}:
        yield f"README.md: the quickstart must be a copy of `{QUICKSTART}`, marked as one"


def broken_features() -> Iterator[str]:
    """Yields a sentence for each feature of the Rust SDK that its documentation does not tell of."""
    manifest = (ROOT / SDK / "Cargo.toml").read_text(encoding="utf-8")
    section = re.search(r"^\[features\]\n(.*?)^\[", manifest, re.M | re.S)
    features = re.findall(r"^(\w+) = \[", section[1], re.M) if section else []
    told = (ROOT / SDK / "src/lib.rs").read_text(encoding="utf-8")
    for feature in features:
        if feature != "default" and f"//! - `{feature}`" not in told:
            yield f"{SDK}/src/lib.rs: must say what the feature `{feature}` is"
    if "pipelines" not in features:
        yield f"{SDK}/Cargo.toml: its features cannot be read"


def main() -> int:
    """Prints every broken promise; returns 1 if there is one."""
    problems = [*broken_readme(), *broken_features()]
    found = documents()
    for document in found:
        text = document.read_text(encoding="utf-8")
        place = document.relative_to(ROOT)
        problems += [f"{place}:{what}" for what in broken_links(document, text)]
        problems += [f"{place}:{what}" for what in broken_blocks(text)]
    for problem in problems:
        print(problem, file=sys.stderr)
    if not found:
        print("no documents were found", file=sys.stderr)
    print(f"{len(found)} documents checked, {len(problems)} problems.")
    return 1 if problems or not found else 0


if __name__ == "__main__":
    sys.exit(main())
