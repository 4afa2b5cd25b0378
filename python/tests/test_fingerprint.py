"""What a fingerprint holds beside its parts, how it is kept, and where modules come from."""

from __future__ import annotations

import json
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import pytest

from fingerprint_projects import DRIVER, changes, run, write

TRAIN = "import helpers\n\ndef train(x):\n    return helpers.clean(x)\n"
CLEAN = "def clean(x):\n    return x + 1\n"
PROJECT = {"steps.py": TRAIN, "helpers.py": CLEAN}


def names(fingerprint: Any) -> list[tuple[str, str]]:
    return [(part["name"], part["kind"]) for part in fingerprint["parts"]]


def check(root: Path, files: dict[str, str], expected: dict[str, Any], **options: Any) -> None:
    """Fingerprints the step of a project, and compares what `expected` names."""
    made = run(write(root, files), **options)
    made["parts"] = names(made)
    assert {key: made[key] for key in expected} == expected


def installed(site: Path, name: str, version: str, files: dict[str, str]) -> None:
    """Writes what installing a distribution leaves behind."""
    record = "".join(f"{file},,\n" for file in files)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nAbout.\n"
    folder = f"{name.replace('-', '_')}-{version}.dist-info"
    write(site, {**files, f"{folder}/METADATA": metadata, f"{folder}/RECORD": record})


def test_the_step_comes_first_and_the_rest_by_name(tmp_path: Path) -> None:
    expected = [
        ("steps.train", "function"),
        ("helpers.LIMIT", "constant"),
        ("helpers.clean", "function"),
    ]
    project = {**PROJECT, "helpers.py": "LIMIT = 1\ndef clean(x):\n    return x + LIMIT\n"}
    check(tmp_path, project, {"parts": expected, "distributions": {}, "notes": []})


def test_a_whole_module_is_explained(tmp_path: Path) -> None:
    project = {
        "steps.py": "import pkg.registry as r\ndef train(x): return getattr(r, x)\n",
        "pkg/__init__.py": "",
        "pkg/registry.py": CLEAN,
    }
    note = "`pkg.registry` is used as a whole, so all of pkg/registry.py counts"
    check(tmp_path, project, {"notes": [note]})


def test_a_name_that_is_defined_nowhere_is_noted(tmp_path: Path) -> None:
    note = "`missing`, which steps.train names, is not defined anywhere"
    check(tmp_path, {"steps.py": "def train(x): return missing(x)\n"}, {"notes": [note]})


def test_a_fingerprint_survives_hash_seeds_directories_and_hot_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "NAMES = {'a', 'b', 'c'}\nclass C:\n    def f(self): self.a = self.b = self.c = 1\n"
    project = {
        "steps.py": f"{source}def train(x):\n    y = 0\n    for i in range(9): y += i\n    return C, NAMES, y in {{1, 2, 3}}\n"
    }
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    first = run(write(tmp_path / "a", project))
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    hot = DRIVER.replace("print(", "[step(1) for _ in range(5000)]\nprint(", 1)
    second = run(write(tmp_path / "b" / "c", project), driver=hot)
    assert first == second


def test_paths_below_the_source_root_move_with_it(tmp_path: Path) -> None:
    project = {
        "steps.py": "from pathlib import Path\nHERE = Path(__file__).parent / 'data'\ndef train(): return HERE\n"
    }
    first, second = run(write(tmp_path / "a", project)), run(write(tmp_path / "b", project))
    assert first == second


def test_a_file_edited_after_its_import_does_not_count_yet(tmp_path: Path) -> None:
    editing = DRIVER.replace(
        "print(",
        "open(os.path.join(root, 'helpers.py'), 'a').write('def clean(x): return 9')\nprint(",
        1,
    )
    first = run(write(tmp_path / "a", PROJECT))
    assert run(write(tmp_path / "b", PROJECT), driver=editing) == first


def test_a_script_has_the_name_of_its_file(tmp_path: Path) -> None:
    root = write(tmp_path, {**PROJECT, "jobs/train.py": TRAIN})
    as_script = DRIVER.replace(
        "step = getattr(importlib.import_module(module), name)",
        "__file__ = os.path.join(root, 'jobs', 'train.py')\nexec(compile(open(__file__).read(), __file__, 'exec'))\nstep = train",
    )
    assert as_script != DRIVER
    made = run(root, driver=as_script)
    assert made["parts"][0]["name"] == "jobs.train.train"
    assert changes(run(root, step="jobs.train:train"), made) == set()


def test_distributions_count_by_version_and_are_not_looked_into(tmp_path: Path) -> None:
    site = tmp_path / "venv" / "site-packages"
    installed(site, "solver", "1.2", {"solver/__init__.py": "def solve(x): return x\n"})
    installed(site, "Odd-Name", "3.0", {"odd.py": "def f(x): return x\n"})
    installed(site, "cloud-a", "4.0", {"cloud/a/__init__.py": "def f(x): return x\n"})
    installed(site, "cloud-b", "5.0", {"cloud/b/__init__.py": "def f(x): return x\n"})
    installed(site, "unused", "6.0", {"unused.py": ""})
    source = "import solver, odd, cloud.b, unused, json\ndef train(x): return solver.solve(odd.f(cloud.b.f(json.dumps(x))))\n"
    expected = {"Odd-Name": "3.0", "cloud-b": "5.0", "solver": "1.2"}
    check(
        tmp_path / "project",
        {"steps.py": source},
        {"parts": [("steps.train", "function")], "distributions": expected},
        path=(site,),
    )


def test_a_distribution_imported_inside_counts_without_being_loaded(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    installed(site, "heavy", "2.0", {"heavy/__init__.py": "raise SystemExit('loaded')\n"})
    source = "def train(x):\n    from heavy import fit\n    return fit(x)\n"
    check(tmp_path / "a", {"steps.py": source}, {"distributions": {"heavy": "2.0"}}, path=(site,))


def test_an_environment_below_the_source_root_is_not_source(tmp_path: Path) -> None:
    root = tmp_path / "project"
    installed(
        root / "env/lib/site-packages", "solver", "1.2", {"solver.py": "def f(x): return x\n"}
    )
    write(root, {"env/pyvenv.cfg": ""})
    check(
        root,
        {"steps.py": "from solver import f\ndef train(x): return f(x)\n"},
        {"parts": [("steps.train", "function")], "distributions": {"solver": "1.2"}},
        path=(root / "env/lib/site-packages",),
    )


def test_a_module_elsewhere_on_the_path_counts_by_its_file(tmp_path: Path) -> None:
    shared = write(tmp_path / "shared", {"common.py": CLEAN})
    source = {"steps.py": "from common import clean\ndef train(x): return clean(x)\n"}
    parts = [("steps.train", "function"), ("common", "module")]
    check(tmp_path / "a", source, {"parts": parts}, path=(shared,))


def test_an_extension_of_the_authors_own_counts_by_its_file(tmp_path: Path) -> None:
    suffix = EXTENSION_SUFFIXES[-1]
    faked = DRIVER.replace(
        "step =",
        f"import types; fast = types.ModuleType('fast'); fast.__file__ = root + '/fast{suffix}'\n"
        "def go(x): pass\ngo.__module__ = 'fast'\nfast.go = go; sys.modules['fast'] = fast\nstep =",
    )
    source = {"steps.py": "from fast import go\ndef train(x): return go(x)\n"}
    made = [
        run(write(tmp_path / built, {**source, f"fast{suffix}": built}), driver=faked)
        for built in ("one", "two")
    ]
    assert made[0]["notes"] == [f"`fast.go` is compiled, so all of fast{suffix} counts"]
    assert changes(*made) == {"fast"}


def test_a_distribution_installed_in_place_counts_by_version_and_file(tmp_path: Path) -> None:
    site, place = tmp_path / "site-packages", write(tmp_path / "own work", {"mine.py": CLEAN})
    origin = {"url": place.as_uri(), "dir_info": {"editable": True}}
    installed(site, "mine", "0.1", {})
    write(site, {"mine-0.1.dist-info/direct_url.json": json.dumps(origin)})
    source = {"steps.py": "import mine\ndef train(x): return mine.clean(x)\n"}
    parts = [("steps.train", "function"), ("mine", "module")]
    check(
        tmp_path / "a",
        source,
        {"parts": parts, "distributions": {"mine": "0.1"}},
        path=(site, place),
    )


def test_declared_files_count_by_content(tmp_path: Path) -> None:
    root = write(tmp_path, {**PROJECT, "data/a.csv": "1", "data/b.csv": "2"})
    before = run(root, files=("data/a.csv", "data"))
    assert [name for name in names(before) if name[1] == "file"] == [
        ("data", "file"),
        ("data/a.csv", "file"),
    ]
    write(root, {"data/b.csv": "3"})
    assert changes(before, run(root, files=("data/a.csv", "data"))) == {"data"}


def test_a_missing_declared_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        AssertionError, match=r"The file `none.csv`, .* take it out of the step's list"
    ):
        run(write(tmp_path, PROJECT), files=("none.csv",))


MEMO = DRIVER.replace(
    "print(",
    """
import partita.fingerprint.bytecode as bytecode, partita.fingerprint.scan as scanning, helpers
reads = []
scanning.read = lambda code: (reads.append(code.co_name), bytecode.read(code))[1]
counts = []
def once():
    made = fingerprint(step, source_root=root)
    counts.append(len(reads))
    return made
first = once()
same = all(once() is first for _ in range(100))
def clean(x): return x + 2
helpers.clean = clean
clean.__module__ = 'helpers'
again = once()
print(json.dumps([counts[0], counts[-2], counts[-1], same, first == again]))
sys.exit()
print(""",
    1,
)


def test_code_is_read_once_and_names_bound_anew_are_noticed(tmp_path: Path) -> None:
    assert run(write(tmp_path, PROJECT), driver=MEMO) == [2, 2, 3, True, False]


def test_a_module_imported_inside_is_not_run(tmp_path: Path) -> None:
    source = "def train(x):\n    import effects\n    return effects.go(x)\n"
    project = {"steps.py": source, "effects.py": "raise SystemExit('loaded')\n"}
    note = "`effects` is imported only when it is used, so all of effects.py counts"
    check(tmp_path, project, {"notes": [note]})


def test_what_is_too_large_to_compare_counts_by_its_file(tmp_path: Path) -> None:
    project = {"steps.py": "BIG = [[i] for i in range(150_000)]\ndef train(x): return BIG\n"}
    check(
        tmp_path,
        project,
        {"notes": ["`steps.BIG` is too large to compare, so all of steps.py counts"]},
    )


SHARED_IN_SETS = """
    import dataclasses, enum
    class Color(enum.Enum):
        RED = 1
        BLUE = 2
        GREEN = 3
    COLORS = {"all": {Color.RED, Color.BLUE, Color.GREEN}, "first": Color.RED}
    A, B = frozenset("abc"), frozenset("def")
    GROUPS = [{A, B}, A]
    @dataclasses.dataclass
    class Config:
        names: frozenset = frozenset({"a", "b", "c"})
    class Names:
        def __init__(self): self.known = {"a": {A, one}, "b": {one, two}}
    def one(): pass
    def two(): pass
    NAMES = Names()
    def train(x): return COLORS, GROUPS, Config, NAMES
"""

MODEL = """
    from typing import Annotated
    from typing_extensions import TypeAliasType
    from pydantic import AfterValidator, BaseModel, Field, PrivateAttr, computed_field, field_validator
    def whole(v): return v
    def part(v): return v * 8
    Alias = TypeAliasType("Alias", "Annotated[int, AfterValidator(part)] | list[Alias]")
    class M(BaseModel):
        names: set[str] = Field({"a", "b", "c"})
        a: Annotated[int, AfterValidator(whole)] = Field(1, ge=0)
        b: Alias = 2
        _held: int = PrivateAttr(default=3)
        @field_validator("a", mode="after")
        def ok(cls, v): return v + 5
        @computed_field
        @property
        def twice(self) -> int: return 6
    def train(x): return M(a=x)
"""


@pytest.mark.parametrize("source", [SHARED_IN_SETS, MODEL], ids=["sets", "model"])
def test_no_order_and_no_address_is_in_a_fingerprint(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pydantic")
    made: list[Any] = []
    for seed in "1237":
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        made.append(run(write(tmp_path / seed, {"steps.py": source})))
    assert all(one == made[0] for one in made)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("ge=0", "ge=1", "steps.M"),
        ("Field(1", "Field(2", "steps.M"),
        ("= 2", "= 4", "steps.M"),
        ("default=3", "default=4", "steps.M"),
        ('mode="after"', 'mode="before"', "steps.M"),
        ('r("a"', 'r("b"', "steps.M"),
        ("v + 5", "v + 6", "steps.M.ok"),
        ("return 6", "return 7", "steps.M.twice"),
        ("return v\n", "return -v\n", "steps.whole"),
        ("v * 8", "v * 9", "steps.part"),
    ],
)
def test_pydantic_models_count_by_their_fields_and_validators(
    old: str, new: str, changed: str, tmp_path: Path
) -> None:
    pytest.importorskip("pydantic")
    before = run(write(tmp_path / "a", {"steps.py": MODEL}))
    assert before["notes"] == []
    assert MODEL.count(old) == 1
    after = run(write(tmp_path / "b", {"steps.py": MODEL.replace(old, new)}))
    assert changed in changes(before, after)


def test_the_driver_runs_in_this_interpreter(tmp_path: Path) -> None:
    version = DRIVER.replace("print(", "print(json.dumps(sys.version)); sys.exit()\nprint(", 1)
    assert run(write(tmp_path, PROJECT), driver=version) == sys.version
