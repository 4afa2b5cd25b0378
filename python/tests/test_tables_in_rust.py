"""Tables of Arrow, and data frames, pass from one language to the other, both ways."""

from __future__ import annotations

import pytest

from conftest import Project
from partita import Client
from rust_programs import TABLES, start

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

MAKE = f"""
    import datetime
    import decimal

    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from partita import Program, pipeline, step

    tables = Program({TABLES!r})
    moment = datetime.datetime(2026, 11, 26, 14, 13, tzinfo=datetime.timezone.utc)
    columns = {{
        "whole": pa.array([1, None, 3], pa.int8()),
        "number": pa.array([0.5, float("inf"), None]),
        "text": pa.array(["é", "", None]),
        "long": pa.array(["a", "b", "c"], pa.large_string()),
        "view": pa.array(["a" * 40, "b", None], pa.string_view()),
        "bytes": pa.array([b"\\x00\\xff", b"", None]),
        "yes": pa.array([True, None, False]),
        "day": pa.array([moment.date(), None, moment.date()]),
        "moment": pa.array([moment, None, moment], pa.timestamp("us", "Europe/Berlin")),
        "lasting": pa.array([1, None, 2], pa.duration("ms")),
        "money": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-0.01")]),
        "list": pa.array([[1, 2], [], None]),
        "struct": pa.array([{{"a": 1, "b": "x"}}, None, {{"a": None, "b": "y"}}]),
        "kind": pa.array(["red", "blue", "red"]).dictionary_encode(),
        "nothing": pa.nulls(3),
    }}
"""

BOTH_WAYS = (
    MAKE
    + """
    @step
    def table() -> pa.Table:
        whole = pa.table(columns)
        chunks = pa.concat_tables([whole, whole.slice(1), whole.slice(0, 0)])
        return chunks.replace_schema_metadata({"origin": "é"})

    @step
    def empty() -> pa.Table:
        return pa.table(columns).slice(0, 0)

    @step
    def batch() -> pa.RecordBatch:
        return pa.record_batch(columns)

    @pipeline
    def passing():
        tables.step("pass_table")(table())
        tables.step("pass_table")(empty())
        tables.step("pass_batch")(batch())
        tables.step("pass_table")(batch())
        tables.step("pass_batch")(table())
        tables.step("measure")(table())
"""
)


def test_tables_and_record_batches_pass_as_they_are_both_ways(project: Project) -> None:
    project.write("main.py", BOTH_WAYS)
    done = project.run()
    assert done.code == 0, done
    steps = Client().get_run("latest").steps
    made, batch = steps["table"].output.load(), steps["batch"].output.load()

    passed = steps["pass_table"].output
    assert (passed.materializer, passed.type) == ("arrow/table", "pyarrow.lib.Table")
    assert passed.load().equals(made, check_metadata=True)
    lengths = [len(chunk) for chunk in passed.load().column("whole").chunks]
    assert lengths == [len(chunk) for chunk in made.column("whole").chunks]
    assert steps["pass_table_2"].output.load().schema == made.schema.remove_metadata()
    assert steps["pass_table_2"].output.load().num_rows == 0

    passed = steps["pass_batch"].output
    assert (passed.materializer, passed.type) == ("arrow/record-batch", "pyarrow.lib.RecordBatch")
    assert passed.load().equals(batch, check_metadata=True)
    assert steps["pass_table_3"].output.load() == pa.Table.from_batches([batch])
    one = steps["pass_batch_2"].output.load()
    assert pa.Table.from_batches([one]).combine_chunks() == made.combine_chunks()
    assert steps["measure"].output.load()[0] == made.num_rows


FRAMES = (
    MAKE
    + """
    @step
    def of_pandas() -> pd.DataFrame:
        frame = pa.table(columns).select(["whole", "number", "text", "moment", "kind"]).to_pandas()
        return frame.set_index("text")

    @step
    def of_polars() -> pl.DataFrame:
        names = ["whole", "number", "text", "yes", "day", "moment", "list", "struct", "kind"]
        return pl.from_arrow(pa.table(columns).select(names))

    @pipeline
    def passing():
        tables.step("pass_table")(of_pandas())
        tables.step("pass_batch")(of_polars())
"""
)


def test_data_frames_of_python_are_tables_in_rust(project: Project) -> None:
    project.write("main.py", FRAMES)
    done = project.run()
    assert done.code == 0, done
    steps = Client().get_run("latest").steps
    assert steps["of_pandas"].output.materializer == "parquet/pandas"
    assert steps["of_polars"].output.materializer == "parquet/polars"
    frame = steps["pass_table"].output.load().to_pandas()
    pd.testing.assert_frame_equal(frame, steps["of_pandas"].output.load())
    made = steps["of_polars"].output.load()
    pl_testing = pytest.importorskip("polars.testing")
    pl_testing.assert_frame_equal(pl.from_arrow(steps["pass_batch"].output.load()), made)


def test_a_table_that_rust_makes_is_one_in_python(project: Project) -> None:
    done = start(TABLES, "run")
    assert done.returncode == 0, done
    steps = Client().get_run("latest").steps
    rows = {"name": ["é0", "é1", "é2"], "size": [0.0, None, 2.0]}
    assert steps["make"].output.load().to_pydict() == rows
    assert steps["pass_table"].output.load().to_pydict() == rows
    assert steps["measure_table"].output.load() == (3, 1)


def test_what_is_no_table_is_refused_with_the_formats_that_are(project: Project) -> None:
    project.write(
        "main.py",
        MAKE
        + """
    @step
    def number() -> pa.Array:
        return columns["whole"]

    @pipeline
    def wrong():
        tables.step("pass_table")(number())
    """,
    )
    done = project.run()
    told = "stored in the format `arrow/array`, not `arrow/table` or `arrow/record-batch` or"
    assert done.code == 1 and told in done.err, done
