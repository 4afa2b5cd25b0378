"""Stores pandas frames and series as Parquet (`parquet/pandas`, `parquet/pandas-series`).

Only what comes back the same is stored so: the dtypes, the index and the columns that Parquet
would give back are compared before anything counts, and objects other than texts, bytes and dates
go on to the pickle format, since Parquet would change their types.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

from partita import _native
from partita.materializers.base import BaseMaterializer
from partita.materializers.errors import Unsuitable
from partita.materializers.inline import encoded

# By name: its stubs are partial, and strict type checks would stumble over them.
pd: Any = importlib.import_module("pandas")

_FILE = "data.parquet"
_COLUMN = "values"
_RECORD = b"partita"
_EXACT_OBJECTS = frozenset({"string", "bytes", "date", "empty"})


class DataFrameMaterializer(BaseMaterializer):
    """Stores a `pandas.DataFrame`; dtypes, index and column labels stay."""

    FORMAT = "parquet/pandas"

    def save(self, data: Any) -> None:
        """Writes the frame to `data.parquet`."""
        if type(data) is not pd.DataFrame:
            raise Unsuitable("it is of a subclass of `DataFrame`, which would be lost")
        _write(self.uri, data, name=None)

    def load(self, data_type: Any) -> Any:
        """Reads the frame from `data.parquet`."""
        return _read(self.uri)[0]

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns the numbers of rows and columns, and each column's dtype."""
        dtypes = {str(name): str(dtype) for name, dtype in data.dtypes.items()}
        return {"rows": data.shape[0], "columns": data.shape[1], "dtypes": dtypes}


class SeriesMaterializer(BaseMaterializer):
    """Stores a `pandas.Series`; its dtype, index and name stay."""

    FORMAT = "parquet/pandas-series"

    def save(self, data: Any) -> None:
        """Writes the series to `data.parquet`."""
        if type(data) is not pd.Series:
            raise Unsuitable("it is of a subclass of `Series`, which would be lost")
        frame = data.to_frame(name=_COLUMN)
        frame.attrs = data.attrs
        _write(self.uri, frame, name=data.name)

    def load(self, data_type: Any) -> Any:
        """Reads the series from `data.parquet`."""
        frame, name = _read(self.uri)
        series = frame[_COLUMN].rename(name)
        series.attrs = frame.attrs
        return series

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns the number of rows and the dtype."""
        return {"rows": len(data), "dtype": str(data.dtype)}


def _write(directory: str, frame: Any, *, name: Any) -> None:
    if importlib.util.find_spec("pyarrow") is None:
        raise Unsuitable("Parquet needs the package `pyarrow`, which is not installed")
    pa: Any = importlib.import_module("pyarrow")
    pq: Any = importlib.import_module("pyarrow.parquet")

    _check_objects(frame)
    record = {"name": name, **_lost(frame)}
    text = encoded(record)
    try:
        table: Any = pa.Table.from_pandas(frame)
        empty = _restored(table.schema.empty_table(), record)
    except (pa.ArrowException, ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise Unsuitable(f"Parquet cannot hold it: {error}") from None
    _check_same(frame, empty)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _RECORD: text})
    try:
        pq.write_table(table, os.path.join(directory, _FILE))
    except (pa.ArrowException, NotImplementedError) as error:
        raise Unsuitable(f"Parquet cannot hold it: {error}") from None


def _read(directory: str) -> tuple[Any, Any]:
    pq: Any = importlib.import_module("pyarrow.parquet")

    # One file, not a data set: that would take names like `a=b` in the path for columns.
    with pq.ParquetFile(os.path.join(directory, _FILE)) as file:
        table: Any = file.read()
    record = _native.decode_value(table.schema.metadata[_RECORD])
    return _restored(table, record), record["name"]


def _lost(frame: Any) -> dict[str, Any]:
    """Returns what Parquet does not keep, in plain values."""
    dtypes: list[Any] = list(frame.dtypes)
    labels = frame.columns
    is_range = isinstance(labels, pd.RangeIndex)
    return {
        "freq": getattr(frame.index, "freqstr", None),
        "labels": [labels.start, labels.stop, labels.step] if is_range else None,
        "objects": [position for position, dtype in enumerate(dtypes) if dtype == "O"],
        "categories": [
            [position, dtype.categories.tolist(), str(dtype.categories.dtype), dtype.ordered]
            for position, dtype in enumerate(dtypes)
            if isinstance(dtype, pd.CategoricalDtype)
        ],
    }


def _restored(table: Any, record: dict[str, Any]) -> Any:
    """Makes the frame of a table, with what Parquet lost put back."""
    frame = table.to_pandas()
    for position in record["objects"]:
        items = table.column(position).to_pylist()
        frame.isetitem(position, pd.Series(items, index=frame.index, dtype=object))
    for position, items, kind, ordered in record["categories"]:
        dtype = pd.CategoricalDtype(pd.Index(items, dtype=kind), ordered=ordered)
        frame.isetitem(position, frame.iloc[:, position].astype(dtype))
    if record["labels"] is not None:
        frame.columns = pd.RangeIndex(*record["labels"], name=frame.columns.name)
    # A period index has its frequency in its dtype, and does not let it be set.
    if record["freq"] is not None and not isinstance(frame.index, pd.PeriodIndex) and len(frame):
        frame.index.freq = record["freq"]
    return frame


def _check_objects(frame: Any) -> None:
    """Refuses object columns and indexes whose items Parquet would give another type."""
    levels = [frame.index.get_level_values(level) for level in range(frame.index.nlevels)]
    columns = [frame.iloc[:, position] for position in range(frame.shape[1])]
    for values in [*columns, *levels]:
        if values.dtype != object:
            continue
        kind = pd.api.types.infer_dtype(values, skipna=True)
        if kind not in _EXACT_OBJECTS:
            raise Unsuitable(f"the column `{values.name}` holds objects of kind `{kind}`")
        if any(item is not None for item in values[values.isna()]):
            raise Unsuitable(f"the column `{values.name}` mixes objects with NaN or NaT")


def _check_same(frame: Any, empty: Any) -> None:
    """Compares everything but the rows with what Parquet would give back."""
    if list(frame.dtypes) != list(empty.dtypes):
        raise Unsuitable("Parquet would change the dtypes of its columns")
    if not _same_labels(frame.columns, empty.columns):
        raise Unsuitable("Parquet would change its column labels")
    if _index_types(frame.index) != _index_types(empty.index):
        raise Unsuitable("Parquet would change its index")
    if frame.attrs != empty.attrs:
        raise Unsuitable("Parquet would change its `attrs`")


def _same_labels(one: Any, other: Any) -> bool:
    same_kind = type(one) is type(other) and list(one.names) == list(other.names)
    return same_kind and one.dtype == other.dtype and one.equals(other)


def _index_types(index: Any) -> list[Any]:
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    return [type(index), *index.names, *[level.dtype for level in levels]]
