"""Data frames of polars pass from one language to the other, both ways.

Skipped where polars is not built for Rust, which takes minutes: `make test-polars` builds it and runs
this.
"""

from __future__ import annotations

import os

import pytest

from conftest import Project
from partita import Client
from rust_programs import FRAMES, start

if not os.environ.get("PARTITA_REQUIRE_POLARS"):
    pytest.skip("polars is not built for Rust; see `make test-polars`", allow_module_level=True)

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
testing = pytest.importorskip("polars.testing")

PASSING = f"""
    import datetime
    import decimal

    import pandas as pd
    import polars as pl
    from partita import Program, pipeline, step

    frames = Program({FRAMES!r})
    moment = datetime.datetime(2026, 11, 26, 14, 13, tzinfo=datetime.timezone.utc)

    @step
    def frame() -> pl.DataFrame:
        return pl.DataFrame(
            [
                pl.Series("tiny", [1, None, -3], pl.Int8),
                pl.Series("whole", [1, None, 2**40], pl.Int64),
                pl.Series("positive", [1, None, 3], pl.UInt16),
                pl.Series("number", [0.5, float("inf"), None]),
                pl.Series("single", [0.5, float("nan"), None], pl.Float32),
                pl.Series("text", ["é", "", None]),
                pl.Series("bytes", [b"\\x00\\xff", b"", None]),
                pl.Series("yes", [True, None, False]),
                pl.Series("day", [moment.date(), None, moment.date()]),
                pl.Series("time", [moment.time(), None, moment.time()]),
                pl.Series("moment", [moment, None, moment], pl.Datetime("us", "Europe/Berlin")),
                pl.Series("lasting", [datetime.timedelta(days=-1), None, datetime.timedelta(0)]),
                pl.Series("money", [decimal.Decimal("1.25"), None, decimal.Decimal("-0.01")]),
                pl.Series("list", [[1, 2], [], None]),
                pl.Series("pair", [[1, 2], [3, 4], None], pl.Array(pl.Int64, 2)),
                pl.Series("struct", [{{"a": 1, "b": "x"}}, None, {{"a": None, "b": "y"}}]),
                pl.Series("kind", ["red", "blue", "red"], pl.Categorical),
                pl.Series("choice", ["red", None, "red"], pl.Enum(["blue", "red"])),
            ]
        )

    @step
    def empty() -> pl.DataFrame:
        return pl.DataFrame(schema={{"a": pl.Int64, "b": pl.String}})

    @step
    def of_pandas() -> pd.DataFrame:
        return pd.DataFrame({{"a": [1.5, None], "b": ["x", "é"]}}, index=["first", "second"])

    @step
    def rows(passed: pl.DataFrame) -> int:
        return passed.height

    @pipeline
    def passing():
        passed = frames.step("pass_frame")(frame())
        frames.step("pass_frame")(empty())
        frames.step("pass_frame")(of_pandas())
        frames.step("measure")(frame())
        rows(passed)
"""


def test_frames_of_every_type_pass_as_they_are_both_ways(project: Project) -> None:
    project.write("main.py", PASSING)
    done = project.run()
    assert done.code == 0, done
    steps = Client().get_run("latest").steps
    made, passed = steps["frame"].output.load(), steps["pass_frame"].output
    assert (passed.materializer, passed.type) == (
        "parquet/polars",
        "polars.dataframe.frame.DataFrame",
    )
    assert passed.load().schema == made.schema
    testing.assert_frame_equal(passed.load(), made)
    testing.assert_frame_equal(steps["pass_frame_2"].output.load(), steps["empty"].output.load())
    of_pandas = steps["pass_frame_3"].output.load()
    assert of_pandas.select("a", "b").rows() == [(1.5, "x"), (None, "é")]
    assert steps["measure"].output.load() == made.shape
    assert steps["rows"].output.load() == made.height


def test_a_frame_that_rust_makes_is_one_in_python(project: Project) -> None:
    done = start(FRAMES, "run")
    assert done.returncode == 0, done
    steps = Client().get_run("latest").steps
    rows = {"name": ["é0", "é1", "é2"], "size": [0.0, None, 2.0]}
    assert steps["make"].output.load().to_dict(as_series=False) == rows
    assert steps["pass_frame"].output.load().to_dict(as_series=False) == rows
    assert steps["measure"].output.load() == (3, 2)
