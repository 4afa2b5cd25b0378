"""What a pipeline's function may not do is refused at the author's line, and says what to do."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import pytest

from conftest import Project
from partita import PipelineError, pipeline, step


@step
def one() -> int:
    return 1


@step
def two() -> tuple[Annotated[int, "first"], Annotated[int, "second"]]:
    return 1, 2


@step
def none() -> None:
    pass


def three_names() -> None:
    _a, _b, _c = two()


def one_name() -> None:
    (_a,) = two()


def starred() -> None:
    _a, _b, _c, *_d = two()


def from_nothing() -> None:
    _a, _b = none()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            three_names,
            ["the 2 outputs of step `two`", "`first`, `second`", "`first, second = …`"],
        ),
        (one_name, ["the 2 outputs of step `two`", "`first, second = …`"]),
        (starred, ["the 2 outputs of step `two`"]),
        (from_nothing, ["step `none` declares no output", "call it alone"]),
    ],
)
def test_outputs_unpacked_into_another_number_of_names_say_how_many_there_are(
    project: Project, function: Callable[[], None], words: list[str]
) -> None:
    with pytest.raises(PipelineError) as told:
        pipeline(function)()
    check_told(told.value, function, *words)


def check_told(error: PipelineError, function: Callable[..., Any], *words: str) -> None:
    """Checks that one paragraph says all of these words after the function's first line."""
    place = f"{os.path.relpath(__file__)}:{function.__code__.co_firstlineno + 1}: "
    if place.startswith(os.pardir):
        place = f"{__file__}:{function.__code__.co_firstlineno + 1}: "
    message = str(error)
    assert message.startswith(place), message
    assert message.endswith(".") and "\n" not in message
    for word in words:
        assert word in message, message


def test_an_unpacking_of_other_values_keeps_its_own_error(project: Project) -> None:
    def own() -> None:
        _a, _b = two()
        _c, _d = list(range(3))

    with pytest.raises(ValueError, match="too many values to unpack"):
        pipeline(own)()


def test_outputs_can_be_unpacked_looped_over_and_starred(project: Project) -> None:
    def fine() -> None:
        first, *rest = two()
        assert [first.name, *(output.name for output in rest)] == ["first", "second"]
        assert [output.step_name for output in two()] == ["two_2", "two_2"]

    assert pipeline(fine)().status == "completed"


TEXTS: dict[str, Callable[[Any], Any]] = {
    "f-string": lambda value: f"{value}",
    "format": lambda value: format(value, ">10"),
    "str": str,
    "percent": lambda value: "%s" % value,  # noqa: UP031 - it is what is tested
    "print": print,
}
OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "compared with another": lambda output: output == one(),
    "equal": lambda value: value == 1,
    "unequal": lambda value: value != 1,
    "remainder": lambda value: value % 2,
    "negative": lambda value: -value,
    "or": lambda value: value | 1,
    "member": lambda value: 1 in value,
    "path": os.fspath,
    "index": lambda value: [1, 2][value],
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("outputs", [one, two], ids=["one", "two"])
def test_an_output_made_a_text_is_refused(project: Project, text: str, outputs: Any) -> None:
    def makes_a_text() -> None:
        TEXTS[text](outputs())

    with pytest.raises(PipelineError, match=r"`repr\(\)`.*inside a step"):
        pipeline(makes_a_text)()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_computing_with_an_output_is_refused(project: Project, operation: str) -> None:
    def computes() -> None:
        OPERATIONS[operation](one())

    with pytest.raises(PipelineError, match="neither compared nor computed with.*inside a step"):
        pipeline(computes)()


def test_an_output_shows_itself_to_debuggers(project: Project) -> None:
    def shows() -> None:
        assert repr(one()) == "<output 'output' of step 'one'>"
        assert f"{one()!r}" == "<output 'output' of step 'one_2'>"
        assert "first" in repr(two())

    pipeline(shows)()


def test_a_target_that_does_what_no_pipeline_can_names_its_line(
    project: Project,
) -> None:
    text = """
        from partita import pipeline, step

        @step
        def one() -> int:
            return 1

        @pipeline
        def odd():
            print(f"it is {one()}")
    """
    project.write("main.py", text)
    assert project.run().refusal.startswith("main.py:10: the output `output` of step `one`")


ANY_STEP: Any = step  # Called as no type checker would let it be.
ANY_PIPELINE: Any = pipeline

WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "step hook": (lambda: ANY_STEP(on_success=3), "`on_success` must be a function, not `3`"),
    "pipeline hook": (lambda: ANY_PIPELINE(on_failure="x"), "`on_failure` must be a function"),
    "step name": (lambda: ANY_STEP(name=""), "the name of a step"),
    "step number": (lambda: ANY_STEP(name=3), "the name of a step"),
    "pipeline name": (lambda: ANY_PIPELINE(name=" "), "the name of a pipeline"),
    "files": (lambda: ANY_STEP(cache_files="data.csv"), "`cache_files` takes a list of texts"),
    "variables": (lambda: ANY_STEP(cache_environment="SEED"), "`cache_environment` takes a list"),
    "materializer": (lambda: ANY_STEP(output_materializers=3), "`output_materializers` takes"),
    "materializers": (lambda: ANY_STEP(output_materializers={"a": int}), "`output_materializers`"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_option_is_refused_where_it_is_written(wrong: str) -> None:
    decorate, words = WRONG[wrong]
    line = sys._getframe().f_lineno + 2  # pyright: ignore[reportPrivateUsage] - the one below
    with pytest.raises(PipelineError, match=words) as told:
        decorate()(lambda: None)
    assert f"test_tracing.py:{line}: " in str(told.value)


@pytest.mark.parametrize("made", [one, pipeline(lambda: None)], ids=["step", "pipeline"])
@pytest.mark.parametrize("option", [{"on_failure": "x"}, {"name": ""}, {"on_success": 0}], ids=str)
def test_with_options_refuses_the_same(made: Any, option: dict[str, Any]) -> None:
    with pytest.raises(PipelineError, match=r"test_tracing\.py:\d+: "):
        made.with_options(**option)


def test_a_text_for_a_list_is_refused_in_with_options() -> None:
    with pytest.raises(PipelineError, match="takes a list of texts"):
        one.with_options(cache_files="data.csv")


def test_an_option_is_wrong_where_it_was_given_last(project: Project) -> None:
    text = """
        from partita import pipeline, step

        @step(cache_expiry="7d")
        def one() -> int:
            return 1

        other = one.with_options(retry=3)

        @pipeline
        def odd():
            other.with_options(enable_cahce=False)()

        odder = odd.with_options(failure_mode="never").with_options(enable_cache=False)

        if __name__ == "__main__":
            odder()
    """
    project.write("main.py", text)
    ended = project.python("main.py")
    for line, what in [(8, "`retry`"), (12, "`enable_cahce`"), (14, "`failure_mode`")]:
        assert f"- main.py:{line}: {what}" in ended.err, ended.err


def test_an_async_function_is_refused_where_it_is_written() -> None:
    async def fetch() -> int:
        return 1

    with pytest.raises(PipelineError, match=r"`fetch` is an `async def`; call it with `asyncio"):
        step(fetch)


def test_a_method_of_an_object_is_no_step() -> None:
    """What it finds in the object would not be seen by the cache."""
    text = "text"
    with pytest.raises(PipelineError, match="takes a plain function"):
        step(text.upper)  # pyright: ignore[reportUnknownMemberType]
    with pytest.raises(PipelineError, match="takes a plain function"):
        step(Holder().count)


class Holder:
    def count(self) -> int:
        return 1


def test_plain_annotations_are_read_without_typing_and_others_with_it(project: Project) -> None:
    text = """
        import sys
        from partita import step

        @step
        def plain(a: "int", b: str) -> "None": ...

        @step
        def other(a: int, b: "str | None" = None) -> None: ...

        assert plain.signature.types == {"a": int, "b": str, "return": type(None)}
        assert "typing" not in sys.modules
        assert other.signature.types == {"a": int, "b": str | None, "return": type(None)}
        assert "typing" in sys.modules
    """
    project.write("main.py", text)
    finished = project.python("main.py")
    assert finished.code == 0, finished


def test_steps_and_pipelines_look_like_their_functions() -> None:
    def train(rows: int) -> int:
        """Trains."""
        return rows

    train.owner = "us"  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
    for made in (step(train), pipeline(train)):
        expected: Any = functools.update_wrapper(lambda: None, train)
        for name in ("__module__", "__name__", "__qualname__", "__doc__", "__wrapped__", "owner"):
            assert getattr(made, name) == getattr(expected, name)
        assert inspect.signature(made) == inspect.signature(train)
