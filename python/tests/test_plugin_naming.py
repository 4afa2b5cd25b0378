"""What the code of a flavor names is found out without running it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from partita.plugins.naming import Names

FLAVOR = "class Flavor:\n    def implementation_class(self):\n        {}\n"


@pytest.mark.parametrize(
    ("imports", "is_named"),
    [
        ("from {0}.direct import Direct", True),
        ("from .direct import Direct", True),
        ("from . import direct", True),
        ("import {0}.direct as direct", True),
        ("from {0}.derived import Derived", True),
        ("from {0}.plain import Plain", False),
        ("from {0}.gone import Gone", False),
        ("import json", False),
    ],
)
@pytest.mark.parametrize("has_init", [True, False])
def test_a_name_is_found_in_what_is_imported_and_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports: str, is_named: bool, has_init: bool
) -> None:
    package = f"naming_{has_init}".lower()
    folder = tmp_path / package
    folder.mkdir()
    if has_init:
        (folder / "__init__.py").write_text("raise ImportError('not to be run')")
    (folder / "flavor.py").write_text(FLAVOR.format(imports.format(package)))
    (folder / "direct.py").write_text("raise ImportError\nself.get_image()")
    (folder / "derived.py").write_text("from .direct import Direct\nfrom .derived import Derived")
    (folder / "plain.py").write_text("not_get_image = 'get_images'\nimport partita")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert ("get_image" in Names(f"{package}.flavor").all) is is_named
    assert package not in sys.modules
