"""Values in binary formats pass from one language to the other, both ways."""

from __future__ import annotations

import pytest

from conftest import Project
from partita import Client
from rust_programs import VALUES

PIPELINE = f"""
    from partita import Program, pipeline, step
    from partita.materializers import MessagePackMaterializer

    values = Program({VALUES!r})
    @step
    def floats(count: int) -> list[float]:
        return [number / 8 for number in range(count)]

    @step(output_materializers=MessagePackMaterializer)
    def packed_floats(count: int) -> list[float]:
        return [number / 8 for number in range(count)]

    @step(output_materializers=MessagePackMaterializer)
    def texts(count: int) -> list[str]:
        return [f"é{{number}}" for number in range(count)]

    @step(output_materializers=MessagePackMaterializer)
    def rows(count: int) -> list[list[float]]:
        return [[float("inf"), -0.0, number / 2] for number in range(count)]

    @step(output_materializers=MessagePackMaterializer)
    def mapping(count: int) -> dict[int, list[bool]]:
        return {{number - 3: [number % 2 == 0] for number in range(count)}}

    @step(output_materializers=MessagePackMaterializer)
    def some(count: int) -> bytes:
        return b"\\x00\\xff" * count

    @step
    def add(numbers: list[float]) -> float:
        assert isinstance(numbers, list)
        return sum(numbers)

    @step
    def pair(pair: tuple[int, str]) -> int:
        assert isinstance(pair, tuple)
        return pair[0]

    @pipeline
    def passing(count: int = 3):
        given = packed_floats(count)
        list_, counts, tuple_, mapping_, texts_, rows_, bytes_ = values.step("pass_large")(
            given, list(range(count)), (count, "é" * count), mapping(count), texts(count),
            rows(count), some(count)
        )
        values.step("measure")(list_, texts_, [[1.0], [2.0]])
        values.step("measure")(floats(count), texts(count), [[3.0]])
        values.step("letters").map(values.step("copies")("a", count))
        add(list_)
        pair(tuple_)
"""


@pytest.mark.parametrize(
    ("count", "formats"),
    [(3, {"json"}), (5_000, {"npy", "msgpack", "bytes"})],
    ids=["small", "large"],
)
def test_values_of_every_shared_type_pass_in_binary_formats_both_ways(
    project: Project, count: int, formats: set[str]
) -> None:
    pytest.importorskip("numpy")
    project.write("main.py", PIPELINE)
    done = project.run(parameters={"count": str(count)})
    assert done.code == 0, done
    steps = Client().get_run("latest").steps
    outputs = steps["pass_large"].outputs
    listed = [number / 8 for number in range(count)]
    assert {output.materializer for output in outputs.values()} == formats
    assert list(outputs["list"].load()) == listed
    assert list(outputs["counts"].load()) == list(range(count))
    assert outputs["tuple"].load() == (count, "é" * count)
    assert steps["pair"].output.load() == count
    assert outputs["mapping"].load() == steps["mapping"].output.load()
    assert outputs["texts"].load() == [f"é{number}" for number in range(count)]
    assert repr(outputs["rows"].load()) == repr(steps["rows"].output.load())
    assert outputs["bytes"].load() == b"\x00\xff" * count
    letters = sum(len(f"é{number}".encode()) for number in range(count))
    assert steps["measure"].output.load() == (sum(listed), letters, 3.0)
    assert steps["measure_2"].output.load() == (sum(listed), letters, 3.0)
    assert steps["add"].output.load() == sum(listed)
    assert [item.output.load() for item in steps["letters"].items or []] == [count] * 3


@pytest.mark.parametrize("value", ["(1, 2)", "{1, 2}", "2**64", "object()"])
def test_what_message_pack_has_no_form_for_is_refused(project: Project, value: str) -> None:
    project.write(
        "main.py",
        f"""
        from partita import pipeline, step
        from partita.materializers import MessagePackMaterializer

        @step(output_materializers=MessagePackMaterializer)
        def make():
            return {value}

        @pipeline
        def making():
            make()
        """,
    )
    done = project.run()
    assert done.code == 1 and "MessagePack has no form for it" in done.err, done
