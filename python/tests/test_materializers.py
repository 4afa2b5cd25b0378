"""Every type that Partita stores comes back the same, in the format that is promised for it."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import uuid
import warnings
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from partita import caller, materializers


class Color(enum.Enum):
    RED = "r"
    BLUE = "b"


class Level(enum.IntEnum):
    LOW = 1


class Word(str, enum.Enum):
    HI = "hi"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclasses.dataclass
class Inner:
    when: datetime.date
    weights: Any = None


@dataclasses.dataclass(frozen=True)
class Outer:
    name: str
    inners: list[Inner] = dataclasses.field(default_factory=list)
    color: Color = Color.RED
    doubled: int = dataclasses.field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "doubled", len(self.name) * 2)
        object.__setattr__(self, "extra", (1, 2))


@dataclasses.dataclass(slots=True)
class Slotted:
    a: int
    b: Any


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(populate_by_name=False)
    size: int = pydantic.Field(alias="Size")
    when: datetime.datetime | None = None
    tags: list[str] = []


DAY = datetime.datetime(2024, 2, 29, 1, 2, 3, 4, fold=1)
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
INDEX = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None])
FRAME = pd.DataFrame(
    {
        "i": np.array([1, 2], dtype="int8"),
        "f": [1.5, None],
        "s": ["a", None],
        "o": pd.Series(["a", None], dtype=object),
        "c": pd.Categorical(["x", "y"], categories=["y", "x"], ordered=True),
        "n": pd.array([1, None], dtype="Int64"),
        "t": pd.to_datetime(["2024-01-01", None]).tz_localize("Europe/Berlin"),
        "d": pd.to_timedelta(["1s", "2s"]),
        "b": [True, False],
        "date": [datetime.date(2024, 1, 1), None],
    }
)
TABLE = pa.table(
    {"a": pa.chunked_array([[1], [2, 3]]), "b": [["x"], [], None]}, metadata={"k": "v"}
)


def same(one: Any, other: Any) -> bool:
    """Compares by type and by whatever each library calls equal."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        layout = one.dtype == other.dtype and one.flags.f_contiguous == other.flags.f_contiguous
        return layout and one.tobytes() == other.tobytes() and one.shape == other.shape
    if isinstance(one, np.generic):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_freq=True, check_index_type=True)
        return type(one.index) is type(other.index) and one.attrs == other.attrs
    if isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_freq=True, check_index_type=True)
        return type(one.index) is type(other.index)
    if isinstance(one, (pl.DataFrame, pl.Series)):
        return one.equals(other, null_equal=True) and repr(one) == repr(other)
    if isinstance(one, (pa.Table, pa.RecordBatch)):
        return one.equals(other, check_metadata=True)
    if isinstance(one, (pa.Array, pa.ChunkedArray)):
        return one.equals(other) and one.type == other.type
    if isinstance(one, Image.Image):
        return one == other
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (list, tuple, collections.deque)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (set, frozenset)):
        return one == other
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        parts = [same(getattr(one, name), getattr(other, name)) for name in names]
        return all(parts) and getattr(one, "extra", 0) == getattr(other, "extra", 0)
    return bool(one == other) and repr(one) == repr(other)


def check(value: Any, format_id: str, directory: Path, *, data_type: Any = None) -> Any:
    """Saves without a pickle or a warning, loads without trust, and compares."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saved = materializers.save(value, str(directory))
        back = materializers.load(
            saved.format, str(directory), data_type=data_type, type_name=saved.type_name
        )
    assert saved.format == format_id
    assert not saved.uses_pickle
    assert same(back, value), f"{back!r} is not {value!r}"
    assert format_id == materializers.for_value(value).FORMAT
    return back


def image(mode: str) -> Image.Image:
    return Image.radial_gradient("L").resize((7, 5)).convert(mode)


def structured() -> np.ndarray[Any, Any]:
    return np.array([(1, 2.5, "a")], dtype=[("a", "<i4"), ("b", ">f8"), ("c", "U3")])


ROUND_TRIPS: list[tuple[str, Callable[[], Any], str]] = [
    ("none", lambda: None, "json"),
    ("bool", lambda: True, "json"),
    ("int", lambda: 10**50, "json"),
    ("float", lambda: -0.0, "json"),
    ("str", lambda: "é\n", "json"),
    ("bytes", lambda: b"\xff", "json"),
    ("list", lambda: [1, "a", None, [1.0]], "json"),
    ("tuple", lambda: (1, (2,)), "json"),
    ("dict", lambda: {1: "a", "b": {"$partita": 1}}, "json"),
    ("set", lambda: {1, 2}, "json"),
    ("long text", lambda: "é\r\n" * 40_000, "text"),
    ("long text with a lone surrogate", lambda: "\ud800" * 70_000, "json"),
    ("long bytes", lambda: bytes(range(256)) * 17, "bytes"),
    ("datetime", lambda: DAY, "standard"),
    ("datetime in a zone", lambda: DAY.replace(tzinfo=BERLIN), "standard"),
    ("datetime in UTC", lambda: DAY.replace(tzinfo=datetime.timezone.utc), "standard"),
    ("date", lambda: datetime.date(2024, 2, 29), "standard"),
    ("time", lambda: datetime.time(1, 2, 3, 4, fold=1), "standard"),
    ("timedelta", lambda: datetime.timedelta(-1, 2, 3), "standard"),
    ("timezone", lambda: datetime.timezone(datetime.timedelta(hours=-3), "X"), "standard"),
    ("zone", lambda: BERLIN, "standard"),
    ("decimal", lambda: decimal.Decimal("-1.50"), "standard"),
    ("fraction", lambda: fractions.Fraction(1, 3), "standard"),
    ("uuid", lambda: uuid.UUID(int=7), "standard"),
    ("complex", lambda: complex(-0.0, float("inf")), "standard"),
    ("range", lambda: range(10, 0, -3), "standard"),
    ("bytearray", lambda: bytearray(b"\0a"), "standard"),
    ("pure path", lambda: pathlib.PurePosixPath("a/b"), "standard"),
    ("enum", lambda: Color.BLUE, "enum"),
    ("int enum", lambda: Level.LOW, "enum"),
    ("str enum", lambda: Word.HI, "enum"),
    ("flags", lambda: Access.READ | Access.WRITE, "enum"),
    ("no flags", lambda: Access(0), "enum"),
    ("dataclass", lambda: Outer("x", [Inner(DAY.date(), np.arange(3))], Color.BLUE), "dataclass"),
    ("slotted dataclass", lambda: Slotted(1, {"a": Slotted(2, np.float32(1))}), "dataclass"),
    ("pydantic model", lambda: Model(Size=3, when=DAY.replace(fold=0), tags=["a"]), "pydantic"),
    ("named tuple", lambda: Pair(1, Pair(2, Color.RED)), "container"),
    ("ordered dict", lambda: collections.OrderedDict([("b", 1), ("a", 2)]), "container"),
    ("deque", lambda: collections.deque([1, np.arange(2)], maxlen=5), "container"),
    ("list of arrays", lambda: [np.arange(3), np.zeros((2, 2))], "container"),
    ("dict of frames", lambda: {"a": FRAME, "$node": pl.DataFrame({"x": [1]})}, "container"),
    ("dict by enum", lambda: {Color.RED: [Inner(DAY.date())]}, "container"),
    ("set of dates", lambda: {DAY.date(), datetime.date(2000, 1, 1)}, "container"),
    ("frozenset of members", lambda: frozenset({Color.RED, Color.BLUE}), "container"),
    ("list with long bytes", lambda: [b"a" * 5000, Color.RED], "container"),
    ("array", lambda: np.arange(6).reshape(2, 3), "npy"),
    ("fortran array", lambda: np.asfortranarray(np.ones((2, 3), dtype=">f4")), "npy"),
    ("empty array", lambda: np.empty((0, 3)), "npy"),
    ("array of no dimensions", lambda: np.array(1.5), "npy"),
    ("datetime array", lambda: np.array(["2024-01-01", "NaT"], dtype="datetime64[ns]"), "npy"),
    ("structured array", structured, "npy"),
    ("float32 scalar", lambda: np.float32("nan"), "npy/scalar"),
    ("float64 scalar", lambda: np.float64(0.1), "npy/scalar"),
    ("bool scalar", lambda: np.bool_(True), "npy/scalar"),
    ("text scalar", lambda: np.str_("é"), "npy/scalar"),
    ("datetime scalar", lambda: np.datetime64("2024-01-01T00", "h"), "npy/scalar"),
    ("frame", lambda: FRAME, "parquet/pandas"),
    ("frame with a multi-index", lambda: FRAME.set_index(INDEX), "parquet/pandas"),
    ("frame by integers", lambda: pd.DataFrame(np.eye(2)), "parquet/pandas"),
    ("frame with a stepped range", lambda: FRAME.set_axis(range(4, 8, 2)), "parquet/pandas"),
    ("empty frame", lambda: FRAME.iloc[:0], "parquet/pandas"),
    ("frame with no columns", lambda: pd.DataFrame(index=[3, 1]), "parquet/pandas"),
    ("frame by days", lambda: FRAME.set_axis(pd.date_range(DAY, periods=2)), "parquet/pandas"),
    (
        "frame by months",
        lambda: FRAME.set_axis(pd.period_range("2024", periods=2, freq="M")),
        "parquet/pandas",
    ),
    ("series", lambda: pd.Series([1, 2], index=["a", "b"], name="n"), "parquet/pandas-series"),
    ("series with no name", lambda: pd.Series([1.5]), "parquet/pandas-series"),
    ("series by a tuple", lambda: pd.Series([1], name=("a", 1)), "parquet/pandas-series"),
    ("polars frame", lambda: pl.DataFrame({"a": [1, None], "b": [["x"], []]}), "parquet/polars"),
    ("empty polars frame", lambda: pl.DataFrame({"a": []}, {"a": pl.Int8}), "parquet/polars"),
    ("polars series", lambda: pl.Series("é", [DAY, None]), "parquet/polars-series"),
    ("table", lambda: TABLE, "arrow/table"),
    ("table with no rows", lambda: TABLE.slice(0, 0), "arrow/table"),
    ("record batch", lambda: TABLE.to_batches()[0], "arrow/record-batch"),
    ("arrow array", lambda: pa.array([1, None], pa.int16()), "arrow/array"),
    ("dictionary array", lambda: pa.array(["a", "b", "a"]).dictionary_encode(), "arrow/array"),
    ("chunked array", lambda: TABLE["a"], "arrow/chunked-array"),
    *(
        (f"image {mode}", lambda mode=mode: image(mode), "png")
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
    ),
]


@pytest.mark.parametrize(
    ("make", "format_id"),
    [pytest.param(make, format_id, id=name) for name, make, format_id in ROUND_TRIPS],
)
def test_values_come_back_in_their_format(
    make: Callable[[], Any], format_id: str, tmp_path: Path
) -> None:
    check(make(), format_id, tmp_path)


def test_an_estimator_comes_back_where_pickles_are_trusted(tmp_path: Path) -> None:
    model = LogisticRegression(C=0.5).fit([[0.0], [1.0]], [0, 1])
    saved = materializers.save(model, str(tmp_path))
    assert (saved.format, saved.uses_pickle) == ("sklearn-pickle", True)
    assert saved.metadata["parameters"]["C"] == 0.5
    back = materializers.load(saved.format, str(tmp_path), trust_pickles=True)
    assert (back.coef_ == model.coef_).all()


def test_a_frame_that_was_loaded_can_be_changed(tmp_path: Path) -> None:
    back = check(pd.DataFrame({"a": [1.0, 2.0]}), "parquet/pandas", tmp_path)
    back.loc[0, "a"] = 5.0
    assert back["a"].tolist() == [5.0, 2.0]


def test_an_array_that_was_loaded_can_be_changed(tmp_path: Path) -> None:
    back = check(np.zeros(3), "npy", tmp_path)
    back[0] = 1
    assert back.sum() == 1


@pytest.mark.parametrize("annotation", [Outer, Annotated[Outer, "o"], Outer | None, list[Outer]])
def test_a_class_that_no_module_names_is_taken_from_the_annotation(
    annotation: Any, tmp_path: Path
) -> None:
    materializers.save(Outer("x"), str(tmp_path))
    back = materializers.load(
        "dataclass", str(tmp_path), data_type=annotation, type_name="gone.Outer"
    )
    assert back == Outer("x")


def test_a_subclass_is_kept_where_the_annotation_names_its_base(tmp_path: Path) -> None:
    @dataclasses.dataclass
    class Local(Inner):
        pass

    materializers.save(Local(DAY.date()), str(tmp_path))
    back = materializers.load(
        "dataclass",
        str(tmp_path),
        data_type=Inner | Local,
        type_name=f"{__name__}.{Local.__qualname__}",
    )
    assert type(back) is Local


def test_a_file_comes_back_as_a_read_only_copy(tmp_path: Path) -> None:
    source = tmp_path / "report é.html"
    source.write_text("hello")
    store = tmp_path / "store"
    store.mkdir()
    saved = materializers.save(source, str(store))
    source.unlink()
    back = materializers.load(saved.format, str(store))
    assert (saved.format, saved.metadata["files"], saved.metadata["bytes"]) == ("path", 1, 5)
    assert (back.name, back.read_text()) == ("report é.html", "hello")
    assert not back.stat().st_mode & 0o222


def test_a_directory_comes_back_with_its_links_and_empty_directories(tmp_path: Path) -> None:
    source = tmp_path / "data"
    (source / "a" / "empty").mkdir(parents=True)
    (source / "a" / "x").write_bytes(b"1")
    (source / "link").symlink_to("a/x")
    store = tmp_path / "store"
    store.mkdir()
    materializers.save(source, str(store))
    (store / "contents" / "data" / "a" / "empty").rmdir()
    back = materializers.load("path", str(store))
    assert sorted(path.relative_to(back).as_posix() for path in back.rglob("*")) == [
        "a", "a/empty", "a/x", "link",
    ]  # fmt: skip
    assert (back / "link").read_bytes() == b"1"
    assert not (back / "link").is_symlink()


@pytest.mark.parametrize(
    ("value", "metadata"),
    [
        (np.zeros((2, 3)), {"shape": [2, 3], "dtype": "float64", "bytes": 48}),
        (pl.DataFrame({"a": [1]}), {"rows": 1, "columns": 1, "dtypes": {"a": "Int64"}}),
        (TABLE, {"rows": 3, "columns": 2, "dtypes": {"a": "int64", "b": "list<item: string>"}}),
        ("a" * 70_000, {"length": 70_000, "lines": 1}),
        (Slotted(1, 2), {"fields": ["a", "b"]}),
    ],
)
def test_metadata_describes_the_value(value: Any, metadata: dict[str, Any], tmp_path: Path) -> None:
    assert materializers.save(value, str(tmp_path)).metadata == metadata


@pytest.mark.parametrize(
    ("value", "inline"),
    [
        (1, b"1"),
        ("a" * 65_536, b'"' + b"a" * 65_536 + b'"'),
        ("a" * 65_537, None),
        (b"a" * 4097, None),
        (np.float64(1), None),
        (Level.LOW, None),
        ([object()], None),
    ],
)
def test_small_plain_values_are_kept_inline(value: Any, inline: bytes | None) -> None:
    assert caller.save_inline(value) == inline


def test_the_file_of_a_plain_value_holds_the_inline_bytes(tmp_path: Path) -> None:
    value = {"a": [1, (2.5, None)]}
    materializers.save(value, str(tmp_path))
    assert (tmp_path / "data.json").read_bytes() == caller.save_inline(value)


def test_equal_values_are_equal_bytes(tmp_path: Path) -> None:
    def stored(name: str) -> dict[str, bytes]:
        directory = tmp_path / name
        directory.mkdir()
        materializers.save([FRAME, {DAY.date(), Color.RED}, TABLE, image("P")], str(directory))
        files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
        return {str(path.relative_to(directory)): path.read_bytes() for path in files}

    assert len(stored("one")) == 4
    assert stored("two") == stored("three")
