"""What cannot be stored or must not be read ends in a message that says what to do."""

from __future__ import annotations

import collections
import dataclasses
import enum
import os
import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest
from PIL import Image

from partita import _native, caller, materializers
from partita.materializers import registry
from partita.materializers.base import own_by_format, own_by_type
from partita.materializers.errors import PickleWarning, UntrustedPickleError

FORMATS = [
    "arrow/array",
    "arrow/chunked-array",
    "arrow/record-batch",
    "arrow/table",
    "bytes",
    "container",
    "dataclass",
    "enum",
    "json",
    "msgpack",
    "npy",
    "npy/scalar",
    "parquet/pandas",
    "parquet/pandas-series",
    "parquet/polars",
    "parquet/polars-series",
    "path",
    "pickle",
    "png",
    "pydantic",
    "safetensors/torch",
    "sklearn-pickle",
    "standard",
    "text",
    "torch",
    "torch-module-pickle",
]
PICKLES = {"pickle", "sklearn-pickle", "torch-module-pickle"}


class Thing:
    def __init__(self, size: int = 1) -> None:
        self.size = size


class Size(enum.Enum):
    BIG = 1


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Shape(pydantic.BaseModel):
    size: float


@pytest.fixture
def _own_registry() -> Iterator[None]:
    by_type, by_format = dict(own_by_type), dict(own_by_format)
    yield
    for register, before in ((own_by_type, by_type), (own_by_format, by_format)):
        register.clear()
        register.update(before)  # type: ignore[arg-type]


def check(error: type[Exception], call: Callable[[], Any], *words: str) -> None:
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_the_format_ids_never_change() -> None:
    assert sorted(registry._FORMATS) == sorted(FORMATS)


@pytest.mark.parametrize("format_id", FORMATS)
def test_each_format_finds_its_materializer(format_id: str) -> None:
    if "torch" in format_id:
        pytest.importorskip("torch", reason="torch is not installed")
    found = materializers.for_format(format_id)
    assert format_id == found.FORMAT
    assert (format_id in PICKLES) == found.USES_PICKLE


@pytest.mark.parametrize("format_id", ["", "nope", "os.system", "__main__.Nope"])
def test_an_unknown_format_is_named(format_id: str) -> None:
    find = lambda: materializers.for_format(format_id)  # noqa: E731
    check(materializers.MaterializeError, find, f"`{format_id}`", "import the module")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: (number for number in range(3)), "builtins.generator"),
        (lambda: open(os.devnull, "w"), "_io.TextIOWrapper"),  # noqa: SIM115
        (threading.Lock, "_thread.lock"),
        (lambda: [np.arange(2), threading.Lock()], "_thread.lock"),
        (lambda: pl.DataFrame({"a": [object()]}, {"a": pl.Object}), "polars.dataframe"),
    ],
)
def test_values_that_nothing_can_store_are_named(
    make: Callable[[], Any], name: str, tmp_path: Path
) -> None:
    save = lambda: materializers.save(make(), str(tmp_path))  # noqa: E731
    check(materializers.MaterializeError, save, f"`{name}", "Return the data", "BaseMaterializer")


def test_a_lambda_without_cloudpickle_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    save = lambda: materializers.save(lambda: 1, str(tmp_path))  # noqa: E731
    check(materializers.MaterializeError, save, "builtins.function", "install `cloudpickle`")


def cycle() -> list[Any]:
    value: list[Any] = [np.arange(2)]
    value.append(value)
    return value


def shape_that_forgets() -> Shape:
    return Shape(size=float("nan"))


@pytest.mark.parametrize(
    "make",
    [
        cycle,
        shape_that_forgets,
        lambda: np.array([1, "a"], dtype=object),
        lambda: np.ma.array([1, 2], mask=[False, True]),
        lambda: pd.DataFrame({"a": [1, "x"]}, dtype=object),
        lambda: pd.DataFrame({"a": [[1], [2]]}),
        lambda: pd.DataFrame({"a": [1 + 2j]}),
        lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]),
        lambda: pd.Timestamp("2024-01-01"),
        lambda: Image.new("CMYK", (2, 2)),
        lambda: collections.Counter("aab"),
    ],
)
def test_what_an_open_format_would_change_is_a_pickle(
    make: Callable[[], Any], tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = materializers.save(make(), str(tmp_path))
    assert (saved.format, saved.uses_pickle) == ("pickle", True)
    assert os.listdir(tmp_path) == ["data.pickle"]
    back = materializers.load("pickle", str(tmp_path), trust_pickles=True)
    assert type(back) is type(make())


def test_a_pickle_warns_once_for_each_type(tmp_path: Path) -> None:
    class Fresh(Thing):
        pass

    with pytest.warns(PickleWarning, match=r"Fresh` is stored as a pickle") as told:
        materializers.save({"fresh": Fresh()}, str(tmp_path), place=("train.py", 7))
    assert [(str(one.filename), one.lineno) for one in told] == [("train.py", 7)]
    (tmp_path / "again").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        materializers.save(Fresh(), str(tmp_path / "again"))


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os._exit, (3,))


@pytest.mark.parametrize("format_id", ["pickle", "sklearn-pickle"])
def test_pickles_are_refused_from_stores_without_trust(format_id: str, tmp_path: Path) -> None:
    (tmp_path / "data.pickle").write_bytes(pickle.dumps(Bomb()))
    load = lambda: materializers.load(format_id, str(tmp_path))  # noqa: E731
    check(UntrustedPickleError, load, f"`{format_id}`", "trust_pickles=true")


def test_a_pickle_inside_a_collection_is_refused_too(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = materializers.save([Thing(), np.arange(2)], str(tmp_path))
    assert (saved.format, saved.uses_pickle) == ("container", True)
    (tmp_path / "parts" / "0" / "data.pickle").write_bytes(pickle.dumps(Bomb()))
    load = lambda: materializers.load("container", str(tmp_path))  # noqa: E731
    check(UntrustedPickleError, load, "`pickle`")


def test_an_array_file_with_objects_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    load = lambda: materializers.load("npy", str(tmp_path), trust_pickles=True)  # noqa: E731
    check(materializers.MaterializeError, load, "cannot be read as `npy`")


def test_a_class_that_is_not_loaded_is_never_imported(tmp_path: Path) -> None:
    (tmp_path / "evil_module.py").write_text("raise SystemExit(9)")
    materializers.save(Point(1, 2), str(tmp_path))
    sys.path.insert(0, str(tmp_path))
    try:
        name = "evil_module.Point"
        load = lambda: materializers.load("dataclass", str(tmp_path), type_name=name)  # noqa: E731
        structure = (tmp_path / "structure.json").read_text()
        changed = structure.replace(f"{__name__}.Point", name)
        (tmp_path / "structure.json").write_text(changed)
        check(materializers.MaterializeError, load, f"`{name}`", "load(as_type=…)")
        assert "evil_module" not in sys.modules
    finally:
        sys.path.remove(str(tmp_path))


@pytest.mark.parametrize("name", ["os.system", "builtins.int", f"{__name__}.Thing", "os.path.join"])
def test_a_loaded_name_that_is_no_dataclass_is_refused(name: str, tmp_path: Path) -> None:
    node = {"$node": "dataclass", "type": name, "fields": {}, "attributes": {}}
    (tmp_path / "structure.json").write_bytes(_native.encode_value(node) or b"")
    load = lambda: materializers.load("dataclass", str(tmp_path))  # noqa: E731
    check(materializers.MaterializeError, load, f"`{name}`", "load(as_type=…)")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"$node": "part", "format": "npy", "type": "x", "part": "../.."}, "not a number"),
        ({"$node": "part", "format": "pickle", "type": "x", "part": "0"}, "trust_pickles"),
        ({"$node": "part", "format": "os.x", "type": "x", "part": "0"}, "`os.x`"),
        ({"$node": "inline", "format": "npy", "type": "x", "value": 1}, "no inline form"),
        ({"$node": "strange"}, "`strange`"),
        ({"$node": "set", "items": [[]]}, "cannot be read"),
    ],
)
def test_a_forged_structure_is_refused(node: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "structure.json").write_bytes(_native.encode_value(node) or b"")
    load = lambda: materializers.load("container", str(tmp_path))  # noqa: E731
    check(materializers.MaterializeError, load, message)


def test_a_dataclass_that_has_changed_says_which_field(tmp_path: Path) -> None:
    @dataclasses.dataclass
    class Changed:
        x: int
        z: int

    materializers.save(Point(1, 2), str(tmp_path))

    def load() -> Any:
        directory = str(tmp_path)
        return materializers.load("dataclass", directory, data_type=Changed, type_name="gone.P")

    structure = (tmp_path / "structure.json").read_text()
    (tmp_path / "structure.json").write_text(structure.replace(f"{__name__}.Point", "gone.P"))
    check(materializers.MaterializeError, load, "has no field `y`", "needs a field `z`")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "gone", "points to nothing"),
        (lambda root: link(root, "/etc/passwd"), "leads out of the directory"),
        (lambda root: link(root, "../outside"), "leads out of the directory"),
        (lambda root: link(root, "."), "leads to a directory"),
        (lambda root: link(root, "gone"), "leads to nothing"),
        (lambda root: fifo(root), "neither a file nor a directory"),
    ],
)
def test_paths_that_cannot_be_stored_are_refused(
    make: Callable[[Path], Path], message: str, tmp_path: Path
) -> None:
    root, store = tmp_path / "root", tmp_path / "store"
    root.mkdir()
    store.mkdir()
    (tmp_path / "outside").write_text("secret")
    save = lambda: materializers.save(make(root), str(store))  # noqa: E731
    check(materializers.MaterializeError, save, message)


def link(root: Path, target: str) -> Path:
    (root / "link").symlink_to(target)
    return root


def fifo(root: Path) -> Path:
    os.mkfifo(root / "pipe")
    return root


@pytest.mark.parametrize("name", ["../x", "/etc", "a/../../b"])
def test_a_stored_path_cannot_lead_out_of_the_artifact(name: str, tmp_path: Path) -> None:
    record = {"name": name, "empty": []}
    (tmp_path / "path.json").write_bytes(_native.encode_value(record) or b"")
    load = lambda: materializers.load("path", str(tmp_path))  # noqa: E731
    check(materializers.MaterializeError, load, "leads out of its artifact")


@pytest.mark.usefixtures("_own_registry")
def test_an_authors_materializer_comes_first_and_the_latest_wins(tmp_path: Path) -> None:
    class First(materializers.BaseMaterializer):
        ASSOCIATED_TYPES: ClassVar[tuple[type, ...]] = (Thing, dict)

    class Second(First):
        def save(self, data: Any) -> None:
            Path(self.uri, "size").write_text(str(data.size))

        def load(self, data_type: Any) -> Any:
            return data_type(int(Path(self.uri, "size").read_text()))

        def extract_metadata(self, data: Any) -> dict[str, Any]:
            return {"size": data.size}

    class Sub(Thing):
        pass

    assert caller.save_inline({}) is None
    saved = materializers.save(Sub(7), str(tmp_path))
    assert saved.format == f"{__name__}.{Second.__qualname__}"
    assert saved.metadata == {"size": 7}
    back = materializers.load(saved.format, str(tmp_path), data_type=Sub, type_name=saved.type_name)
    assert (type(back), back.size) == (Sub, 7)
    again = materializers.load(saved.format, str(tmp_path), type_name=f"{__name__}.Thing")
    assert (type(again), again.size) == (Thing, 7)


@pytest.mark.usefixtures("_own_registry")
def test_metadata_that_json_cannot_hold_names_the_materializer(tmp_path: Path) -> None:
    class Wrong(  # pyright: ignore[reportUnusedClass]
        materializers.BaseMaterializer
    ):
        ASSOCIATED_TYPES: ClassVar[tuple[type, ...]] = (Thing,)

        def save(self, data: Any) -> None:
            pass

        def extract_metadata(self, data: Any) -> dict[str, Any]:
            return {"thing": data}

    save = lambda: materializers.save(Thing(), str(tmp_path))  # noqa: E731
    check(materializers.MaterializeError, save, "Wrong.extract_metadata")


def test_a_member_that_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_bytes(b'{"name":"SMALL"}')
    load = lambda: materializers.load("enum", str(tmp_path), data_type=Size)  # noqa: E731
    check(materializers.MaterializeError, load, "no member `SMALL`")


def test_storing_a_plain_value_loads_no_library(tmp_path: Path) -> None:
    code = f"""
import sys
from partita import _native
before = set(sys.modules)
from partita import caller, materializers
assert caller.save_inline(1) == b"1"
saved = materializers.save([1, "a"], {str(tmp_path)!r})
assert materializers.load(saved.format, {str(tmp_path)!r}) == [1, "a"]
print(*sorted(set(sys.modules) - before))
"""
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    command = [sys.executable, "-S", "-c", code]
    result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    heavy = "numpy pydantic pandas polars pyarrow PIL sklearn torch inspect dataclasses typing json"
    heavy += " pickle shutil cloudpickle re"
    loaded = result.stdout.split()
    assert "partita.materializers.json" in loaded
    assert not set(heavy.split()) & set(loaded)
