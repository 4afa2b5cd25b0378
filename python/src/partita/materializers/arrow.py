"""Stores pyarrow tables and arrays as Arrow IPC files (formats `arrow/…`).

IPC rather than Parquet: it holds every Arrow type exactly, with its metadata and its chunks, and
reads at the speed of the disk.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from partita.materializers.base import BaseMaterializer

# By name: its stubs are partial, and strict type checks would stumble over them.
pa: Any = importlib.import_module("pyarrow")

_FILE = "data.arrow"
_COLUMN = "values"


class TableMaterializer(BaseMaterializer):
    """Stores a `pyarrow.Table`; schema, metadata and chunks stay."""

    FORMAT = "arrow/table"

    def save(self, data: Any) -> None:
        """Writes the table to `data.arrow`."""
        _write(self.uri, data.schema, data.to_batches())

    def load(self, data_type: Any) -> Any:
        """Reads the table from `data.arrow`."""
        return _read(self.uri)

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns the numbers of rows and columns, and each column's type."""
        columns = {field.name: str(field.type) for field in data.schema}
        return {"rows": data.num_rows, "columns": data.num_columns, "dtypes": columns}


class RecordBatchMaterializer(TableMaterializer):
    """Stores a `pyarrow.RecordBatch`."""

    FORMAT = "arrow/record-batch"

    def save(self, data: Any) -> None:
        """Writes the batch to `data.arrow`."""
        _write(self.uri, data.schema, [data])

    def load(self, data_type: Any) -> Any:
        """Reads the batch from `data.arrow`."""
        with pa.OSFile(os.path.join(self.uri, _FILE), "rb") as file:
            return pa.ipc.open_file(file).get_batch(0)


class ArrayMaterializer(BaseMaterializer):
    """Stores a `pyarrow.Array` of any type."""

    FORMAT = "arrow/array"

    def save(self, data: Any) -> None:
        """Writes the array to `data.arrow` as the only column."""
        batch = pa.record_batch([data], names=[_COLUMN])
        _write(self.uri, batch.schema, [batch])

    def load(self, data_type: Any) -> Any:
        """Reads the array from `data.arrow`."""
        with pa.OSFile(os.path.join(self.uri, _FILE), "rb") as file:
            return pa.ipc.open_file(file).get_batch(0).column(0)

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns the number of values and their type."""
        return {"rows": len(data), "dtype": str(data.type)}


class ChunkedArrayMaterializer(ArrayMaterializer):
    """Stores a `pyarrow.ChunkedArray`; its chunks stay."""

    FORMAT = "arrow/chunked-array"

    def save(self, data: Any) -> None:
        """Writes the chunks to `data.arrow`, one after another."""
        table = pa.table([data], names=[_COLUMN])
        _write(self.uri, table.schema, table.to_batches())

    def load(self, data_type: Any) -> Any:
        """Reads the chunks from `data.arrow`."""
        return _read(self.uri).column(0)


def _write(directory: str, schema: Any, batches: list[Any]) -> None:
    path = os.path.join(directory, _FILE)
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _read(directory: str) -> Any:
    with pa.OSFile(os.path.join(directory, _FILE), "rb") as file:
        return pa.ipc.open_file(file).read_all()
