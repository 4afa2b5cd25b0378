"""What steps take and make."""

from __future__ import annotations

from partita.conformance.place import Place
from partita.conformance.scenario import expect, scenario

MEND = "run the step entrypoint with the arguments that it is given, unchanged."


@scenario
def parameters_arrive_as_they_are(place: Place) -> None:
    """Parameters of every plain type reach the step."""
    values = (
        "{'none': None, 'true': True, 'int': -9223372036854775808, "
        f"'big': {10**30}, 'float': 0.1, 'tiny': 5e-324, "
        "'text': 'a b', 'list': [1, [2, []]], 'dict': {'a': {}}}"
    )
    run = place.run(f"""
        from partita import pipeline, step

        @step
        def take(values: dict) -> str:
            return repr(values)

        @pipeline
        def plain():
            take({values})
    """)
    expect("the parameters", values, run.steps["take"].output.load(), MEND)


@scenario
def odd_characters_survive(place: Place) -> None:
    """Quotes, line ends, Unicode and what shells read arrive unchanged in a parameter."""
    odd = 'it\'s "q" `b` $HOME $(x) \\ \t\n é 漢字 \U0001f600 ; & | > * ? # ~ % -- '
    run = place.run(f"""
        from partita import pipeline, step

        @step
        def take(text: str) -> str:
            return text

        @pipeline
        def odd():
            take({odd!r})
    """)
    expect("the text", odd, run.steps["take"].output.load(), MEND)


@scenario
def a_parameter_of_a_megabyte_arrives(place: Place) -> None:
    """A parameter of 1 MB reaches the step whole."""
    run = place.run("""
        from partita import pipeline, step

        @step
        def measure(text: str) -> list:
            return [len(text), text[:3], text[-3:]]

        @pipeline
        def big():
            measure("abc" * 350_000)
    """)
    expect(
        "its length and ends",
        [1_050_000, "abc", "abc"],
        run.steps["measure"].output.load(),
        "do not put parameters on command lines or into variables: the entrypoint reads them.",
    )


@scenario
def values_of_every_kind_pass_between_steps(place: Place) -> None:
    """Plain values, dataclasses and what pickles hold come back equal, inline or in files."""
    run = place.run("""
        import dataclasses, datetime, pathlib
        from partita import pipeline, step

        @dataclasses.dataclass
        class Point:
            x: int
            when: datetime.date

        @step
        def make() -> dict:
            return {
                "bytes": bytes(range(256)) * 4000,
                "text": "ä" * 100_000,
                "set": {1, 2, 3},
                "tuple": (1, (2.5, None)),
                "keys": {1: "a", (2, 3): "b"},
                "time": datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc),
                "point": Point(1, datetime.date(2026, 1, 2)),
                "path": pathlib.PurePosixPath("a/b"),
                "nothing": [],
            }

        @step
        def compare(made: dict) -> list:
            return sorted(
                key
                for key, value in make.entrypoint().items()
                if made[key] != value or type(made[key]) is not type(value)
            )

        @pipeline
        def kinds():
            compare(make())
    """)
    expect(
        "values that came out otherwise",
        [],
        run.steps["compare"].output.load(),
        "give every step the same artifact store, whole.",
    )


@scenario
def every_type_of_artifact_comes_back(place: Place) -> None:
    """Files, arrays, tables, pictures and what has a materializer of its own come back."""
    run = place.run(TYPES)
    expect(
        "types that came out otherwise",
        [],
        run.steps["compare"].output.load(),
        "give every step the same artifact store, and an environment with the same packages.",
    )


TYPES = """
    import importlib.util, pathlib
    from partita import BaseMaterializer, pipeline, step

    class Temperature:
        def __init__(self, degrees):
            self.degrees = degrees

    class TemperatureMaterializer(BaseMaterializer):
        ASSOCIATED_TYPES = (Temperature,)

        def save(self, data):
            pathlib.Path(self.uri, "degrees").write_text(str(data.degrees))

        def load(self, data_type):
            return Temperature(float(pathlib.Path(self.uri, "degrees").read_text()))

    def file():
        path = pathlib.Path("artifact é.txt").absolute()
        path.write_text("from a file")
        return path

    def array():
        import numpy
        return numpy.arange(6.0).reshape(2, 3)

    def frame():
        import pandas
        return pandas.DataFrame({"a": [1, 2], "b": ["x", None]})

    def table():
        import pyarrow
        return pyarrow.table({"a": [1, 2], "b": ["x", None]})

    def wide():
        import polars
        return polars.DataFrame({"a": [1, 2], "b": ["x", None]})

    def picture():
        from PIL import Image
        return Image.new("RGB", (3, 2), (10, 20, 30))

    def text_of(value):
        if isinstance(value, Temperature):
            return f"{value.degrees} degrees"
        if isinstance(value, pathlib.Path):
            return value.read_text()
        return repr(value.tobytes() if hasattr(value, "tobytes") else value)

    MAKERS = {
        "own": (lambda: Temperature(21.5), "partita"),
        "file": (file, "partita"),
        "numpy": (array, "numpy"),
        "pandas": (frame, "pandas"),
        "polars": (wide, "polars"),
        "pyarrow": (table, "pyarrow"),
        "PIL": (picture, "PIL"),
    }
    KINDS = [kind for kind, (_, package) in MAKERS.items() if importlib.util.find_spec(package)]

    @step(enable_cache=False)
    def make(kind: str) -> object:
        return MAKERS[kind][0]()

    @step(enable_cache=False)
    def compare(made: list) -> list:
        pairs = zip(KINDS, made, strict=True)
        return [kind for kind, value in pairs if text_of(value) != text_of(MAKERS[kind][0]())]

    @pipeline
    def types():
        compare([make(kind) for kind in KINDS])
"""


@scenario
def several_named_outputs_are_told_apart(place: Place) -> None:
    """Each named output of a step reaches who takes it."""
    run = place.run("""
        from typing import Annotated
        from partita import pipeline, step

        @step
        def split() -> tuple[Annotated[int, "low"], Annotated[str, "high"]]:
            return 1, "two"

        @step
        def join(high: str, low: int) -> str:
            return f"{low} {high}"

        @pipeline
        def named():
            low, high = split()
            join(high, low)
    """)
    expect("what was joined", "1 two", run.steps["join"].output.load(), MEND)


@scenario
def twenty_megabytes_pass_between_steps(place: Place) -> None:
    """A value of 20 MB is stored by one step and loaded by the next."""
    run = place.run("""
        import hashlib
        from partita import pipeline, step

        @step
        def make() -> bytes:
            return b"0123456789" * 2_000_000

        @step
        def digest(data: bytes) -> str:
            return hashlib.sha256(data).hexdigest()

        @pipeline
        def large():
            digest(make())
    """)
    import hashlib

    expected = hashlib.sha256(b"0123456789" * 2_000_000).hexdigest()
    expect("its digest", expected, run.steps["digest"].output.load(), MEND)


@scenario
def very_long_and_odd_names_are_told_apart(place: Place) -> None:
    """Steps whose names are long, and differ at the end alone, are different steps."""
    run = place.run("""
        from partita import pipeline, step

        @step
        def one(number: int) -> int:
            return number

        @pipeline(name="Größe / 大きさ … " + "p" * 150)
        def names():
            one.with_options(name="s" * 200 + " é/ä 1")(1)
            one.with_options(name="s" * 200 + " é/ä 2")(2)
    """)
    made = {name[-1]: step.output.load() for name, step in run.steps.items()}
    expect(
        "what each made",
        {"1": 1, "2": 2},
        made,
        "name jobs by the attempt's id, and keep whole names in labels that hold any text.",
    )
