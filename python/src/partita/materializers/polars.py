"""Stores polars frames and series as Parquet (`parquet/polars`, `parquet/polars-series`)."""

from __future__ import annotations

import os
from typing import Any

import polars as pl

from partita.materializers import files
from partita.materializers.base import BaseMaterializer
from partita.materializers.errors import Unsuitable

_FILE = "data.parquet"
_NAME = "name.txt"
_COLUMN = "values"


class DataFrameMaterializer(BaseMaterializer):
    """Stores a `polars.DataFrame`; names and dtypes stay."""

    FORMAT = "parquet/polars"

    def save(self, data: pl.DataFrame) -> None:
        """Writes the frame to `data.parquet`."""
        if type(data) is not pl.DataFrame:
            raise Unsuitable("it is of a subclass of `DataFrame`, which would be lost")
        _write(self.uri, data)

    def load(self, data_type: Any) -> pl.DataFrame:
        """Reads the frame from `data.parquet`."""
        return _read(self.uri)

    def extract_metadata(self, data: pl.DataFrame) -> dict[str, Any]:
        """Returns the numbers of rows and columns, and each column's dtype."""
        columns = {name: str(dtype) for name, dtype in data.schema.items()}
        return {"rows": data.height, "columns": data.width, "dtypes": columns}


class SeriesMaterializer(BaseMaterializer):
    """Stores a `polars.Series`; its name and dtype stay."""

    FORMAT = "parquet/polars-series"

    def save(self, data: pl.Series) -> None:
        """Writes the series to `data.parquet`, and its name to `name.txt`."""
        if type(data) is not pl.Series:
            raise Unsuitable("it is of a subclass of `Series`, which would be lost")
        _write(self.uri, data.to_frame(_COLUMN))
        files.write(self.uri, _NAME, data.name.encode())

    def load(self, data_type: Any) -> pl.Series:
        """Reads the series from `data.parquet`."""
        return _read(self.uri).to_series().alias(files.read(self.uri, _NAME).decode())

    def extract_metadata(self, data: pl.Series) -> dict[str, Any]:
        """Returns the number of rows and the dtype."""
        return {"rows": data.len(), "dtype": str(data.dtype)}


def _write(directory: str, frame: pl.DataFrame) -> None:
    path = os.path.join(directory, _FILE)
    try:
        frame.write_parquet(path)
        stored = _read_schema(path)
    except BaseException as error:
        # Polars reports some dtypes that it cannot write by a Rust panic, no `Exception`.
        if isinstance(error, (OSError, KeyboardInterrupt, SystemExit, MemoryError)):
            raise
        raise Unsuitable(f"polars cannot write it as Parquet: {error}") from None
    if stored != dict(frame.schema):
        raise Unsuitable("Parquet would change the dtypes of its columns")


def _read_schema(path: str) -> dict[str, Any]:
    # Of the file itself and read without glob patterns, as `_read` does: no row is loaded.
    return dict(pl.read_parquet(path, n_rows=0, glob=False, hive_partitioning=False).schema)


def _read(directory: str) -> pl.DataFrame:
    path = os.path.join(directory, _FILE)
    return pl.read_parquet(path, glob=False, hive_partitioning=False)
