"""The SDK does what its documentation says when all goes well, and when a step fails."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import pytest

from conftest import Project
from partita import (
    Client,
    PartitaError,
    PipelineError,
    ResourceSettings,
    StepFailedError,
    StepRetryConfig,
    get_step_context,
    log_metadata,
    pipeline,
    step,
)

pytestmark = pytest.mark.usefixtures("project")


@dataclasses.dataclass
class Pair:
    left: int
    right: list[str]


@step
def one() -> int:
    return 1


@step
def double(x: int) -> int:
    return 2 * x


@step
def split(x: int = 10) -> tuple[Annotated[int, "low"], Annotated[bytes, "high"]]:
    return x, bytes(20_000)


@step
def total(numbers: list[int]) -> int:
    return sum(numbers)


@step
def nothing() -> None:
    return None


def broken() -> int:
    raise ZeroDivisionError("no way")


fails = step(broken, name="fails", enable_cache=False)


def run(body: Any, **options: Any) -> Any:
    """Runs a pipeline of this function."""
    return pipeline(body, name="tried", **options)()


def check(body: Any, statuses: dict[str, str], **outputs: Any) -> Any:
    """Runs a pipeline and checks its steps and the only outputs of some."""
    finished = run(body)
    assert {name: one.status for name, one in finished.steps.items()} == statuses
    assert {name: finished.steps[name].output.load() for name in outputs} == outputs
    return finished


def check_failed(body: Any, error: type[BaseException], statuses: dict[str, str], **options: Any):
    """Runs a pipeline that fails and checks its steps and the cause."""
    with pytest.raises(StepFailedError) as told:
        run(body, **options)
    assert type(told.value.__cause__) is error
    assert {name: one.status for name, one in told.value.run.steps.items()} == statuses
    return told.value


def test_a_step_outside_of_a_pipeline_is_its_function() -> None:
    assert double(4) == double.entrypoint(4) == 8
    assert split(3)[0] == 3
    with pytest.raises(PartitaError, match="inside a step"):
        get_step_context()


def test_steps_used_more_than_once_get_numbers_and_ids_are_kept() -> None:
    done = {"one": "completed", "double": "completed", "double_2": "completed", "last": "completed"}
    check(lambda: discard(double(double(double(one())), id="last")), done, last=8)


def test_several_outputs_unpack_and_are_found_by_name() -> None:
    def body() -> None:
        low, high = split(7)
        double(low)
        total([low, low, 3])
        del high

    done = {"split": "completed", "double": "completed", "total": "completed"}
    finished = check(body, done, double=14, total=17)
    outputs = finished.steps["split"].outputs
    assert (outputs["low"].load(), len(outputs["high"].load())) == (7, 20_000)
    assert outputs["low"].type == "builtins.int"
    assert outputs["high"].uri.startswith("file://")
    assert set(finished.steps["total"].inputs) == {"numbers[0]", "numbers[1]"}
    with pytest.raises(PartitaError, match="`low`, `high`|`high`, `low`"):
        _ = finished.steps["split"].output


def test_after_orders_steps_that_share_no_value() -> None:
    order: list[str] = []

    @step(enable_cache=False)
    def note(name: str) -> None:
        order.append(name)

    def body() -> None:
        first = note("first")
        note("second", after=first)
        note("third", after=["note_2"])

    finished = run(body)
    assert order == ["first", "second", "third"]
    assert finished.steps["note_3"].upstream == ["note_2"]


def test_parameters_are_bound_checked_and_remembered() -> None:
    @pipeline
    def numbers(x: int, y: int = 2, *, z: float = 1):
        total([x, y])

    assert numbers(1).steps["total"].output.load() == 3
    assert numbers(x=1, y=5, z=2).steps["total"].output.load() == 6
    for arguments, words in [
        ({}, "`x` of pipeline `numbers` is missing"),
        ({"x": "1"}, "`x` of pipeline `numbers` is declared as `int`"),
        ({"x": 1, "w": 2}, "no parameter `w`"),
        ({"x": True}, "`bool`"),
        ({"x": 1, "\udc80": 2}, r"no parameter `\\udc80`"),
    ]:
        with pytest.raises(PipelineError, match=words):
            numbers(**arguments)
    with pytest.raises(PipelineError, match="takes 2 parameters"):
        numbers(1, 2, 3)


def test_wrong_parameters_come_first_in_the_report_of_all_problems(tmp_path: Path) -> None:
    @pipeline
    def numbers(x: int, y: int = 2):
        double.with_options(tiemout=3)(y)
        total([x, y])

    file = tmp_path / "run.yaml"
    file.write_text(
        "parameters:\n  y: two\n  yy: 3\n"
        "enable_cahce: true\nsettings:\n  resources: {memory: 4 apples}\n"
    )
    with pytest.raises(PipelineError) as told:
        numbers.with_options(config_path=str(file))("one", z=1)
    line = told.traceback[0].lineno + 1
    asked = "give it a value of that type, or declare another one"
    expected = [
        "7 problems:",
        f"{__file__}:{line}: parameter `x` of pipeline `numbers` is declared as `int` and got "
        f"`'one'` of type `str`; {asked}",
        f"{__file__}:{line}: pipeline `numbers` has no parameter `z`; it takes `x`, `y`",
        f"{file}:2: parameter `y` of pipeline `numbers` is declared as `int` and got "
        f"`'two'` of type `str`; {asked}",
        f"{file}:3: pipeline `numbers` has no parameter `yy`; did you mean `y`?",
        f"{file}:4: `enable_cahce` is not an option",
        f"{file}:6: `settings.resources.memory` of pipeline `numbers`: `4 apples` is not",
        f"{__file__}:{numbers.entrypoint.__code__.co_firstlineno + 2}: `tiemout` is not an option",
    ]
    said = [said.removeprefix("  - ") for said in str(told.value).splitlines()]
    for line_said, words in zip(said, expected, strict=True):
        assert line_said.startswith(words)


@pytest.mark.parametrize("given", [{}, {"x": 1.5}, {"x": 1, "z": 1}, {"x": 2, "z": 1}])
def test_wrong_parameters_that_hide_the_steps_are_told_alone(given: dict[str, Any]) -> None:
    @pipeline(enable_cahce=True)
    def numbers(x: int):
        if x == 2:
            raise SystemExit("not two")
        double([0][x])

    with pytest.raises(PipelineError, match="^[^\n]* pipeline `numbers` [^\n]*$") as told:
        numbers(**given)
    assert told.value.__suppress_context__


@pytest.mark.parametrize("verb", ["run", "plan", "compile", "resume"])
def test_no_verb_goes_on_with_wrong_parameters(project: Project, verb: str) -> None:
    @pipeline
    def failing(x: int = 1):
        fails()

    with pytest.raises(StepFailedError) as failed:
        failing()
    project.write(
        "main.py",
        """
        from partita import pipeline, step

        @step(tiemout=3)
        def fails() -> int:
            return 1

        @pipeline
        def failing(x: int = 1):
            fails()
        """,
    )
    parameters = {"x": "one", "xx": "1"}
    told = project.verb(verb, target="main.py", parameters=parameters, run_id=failed.value.run.id)
    assert (told.code, told.out) == (1, "")
    said = [line.split(";")[0] for line in told.err.splitlines()]
    assert said == [
        "error: 3 problems:",
        "  - parameter `x` of pipeline `failing` is declared as `int` and got `'one'` of type `str`",
        "  - pipeline `failing` has no parameter `xx`",
        "  - main.py:4: `tiemout` is not an option of step `fails`",
    ]
    assert [run.status for run in Client().list_runs()] == ["failed"]


def test_values_and_artifacts_can_be_passed_in() -> None:
    @step
    def keep(value: Pair, path: Path) -> str:
        return f"{value.left} {value.right} {path.read_text()}"

    Path("file.txt").write_text("text")
    finished = run(lambda: discard(keep(Pair(1, ["a"]), Path("file.txt"))))
    assert finished.steps["keep"].output.load() == "1 ['a'] text"
    earlier = run(lambda: discard(split(4))).steps["split"].outputs["low"]
    again = run(lambda: discard(double(earlier), total([earlier, 1])))
    assert again.steps["double"].output.load() == 8
    assert again.steps["total"].output.load() == 5


def discard(*_: object) -> None:
    """Ends the body of a pipeline that is one expression."""


def test_a_step_knows_where_it_runs_and_notes_what_it_likes() -> None:
    seen: dict[str, Any] = {}

    @step(enable_cache=False)
    def curious(x: int) -> None:
        context = get_step_context()
        seen.update({key: getattr(context, key) for key in KEYS})
        log_metadata({"rows": 3})
        context.add_metadata(kind="test")
        print("said")

    finished = run(lambda: discard(curious(5)))
    log_metadata({"note": [1, 2]}, run=finished)
    assert seen == {
        "run_id": finished.id,
        "run_name": finished.name,
        "pipeline_name": "tried",
        "step_name": "curious",
        "attempt": 1,
        "parameters": {"x": 5},
    }
    assert finished.steps["curious"].metadata == {"rows": 3, "kind": "test"}
    assert finished.steps["curious"].log == "said\n"
    assert Client().get_run("latest").metadata == {"note": [1, 2]}
    with pytest.raises(PartitaError, match="`bad`"):
        log_metadata({"bad": object()}, run=finished)


KEYS = ("run_id", "run_name", "pipeline_name", "step_name", "attempt", "parameters")


def test_hooks_are_called_once_the_outputs_are_stored() -> None:
    calls: list[Any] = []

    def stored() -> None:
        calls.append(Client().list_runs()[0].status)

    good = one.with_options(on_success=stored, enable_cache=False)
    bad = fails.with_options(on_failure=calls.append, retry=StepRetryConfig(max_retries=2))
    run(lambda: discard(good()), on_success=lambda: calls.append("pipeline"))
    assert calls == ["running", "pipeline"]
    calls.clear()
    failed = check_failed(
        lambda: discard(bad()),
        ZeroDivisionError,
        {"fails": "failed"},
        on_failure=lambda error: calls.append(error),
    )
    assert calls == [failed.__cause__, failed.__cause__]
    assert [attempt["number"] for attempt in failed.run.steps["fails"].attempts] == [1, 2, 3]


def test_a_hook_that_raises_is_a_warning(capfd: pytest.CaptureFixture[str]) -> None:
    good = one.with_options(on_success=broken, enable_cache=False)
    assert run(lambda: discard(good()), on_success=broken).status == "completed"
    told = capfd.readouterr().err
    assert told.count("ZeroDivisionError('no way')") == 2
    assert "`on_success` of step `one`" in told


def test_a_step_that_fails_at_first_is_retried() -> None:
    attempts: list[int] = []

    @step(retry=StepRetryConfig(max_retries=3, delay=0.001, backoff=2), enable_cache=False)
    def flaky() -> int:
        attempts.append(get_step_context().attempt)
        if len(attempts) < 3:
            raise ConnectionError("again")
        return len(attempts)

    finished = run(lambda: discard(flaky()))
    assert attempts == [1, 2, 3]
    assert finished.steps["flaky"].output.load() == 3
    told = [(one["status"], one["error"]) for one in finished.steps["flaky"].attempts]
    assert [status for status, _ in told] == ["failed", "failed", "completed"]
    assert "again" in str(told[0][1])


@pytest.mark.parametrize(
    ("mode", "independent"),
    [
        ("fail_fast", "skipped"),
        ("stop_on_failure", "skipped"),
        ("continue_on_failure", "completed"),
    ],
)
def test_a_failure_mode_decides_what_still_runs(mode: str, independent: str) -> None:
    def body() -> None:
        double(fails())
        one()

    statuses = {"fails": "failed", "double": "skipped", "one": independent}
    failed = check_failed(body, ZeroDivisionError, statuses, failure_mode=mode)
    assert failed.step_name == "fails"
    assert "no way" in str(failed)
    assert failed.run.status == "failed"


def test_a_config_file_comes_after_code_and_is_checked(project: Project) -> None:
    @pipeline(enable_cache=False)
    def configured(x: int = 1):
        double(x)

    config = project.write("run.yaml", "parameters: {x: 21}\nenable_cache: true\n")
    tried = configured.with_options(config_path=str(config), run_name="one")
    assert tried().name == "one"
    assert tried.with_options(run_name="two")().steps["double"].output.load() == 42
    assert Client().get_run("two").steps["double"].cached
    project.write("run.yaml", "parameters: {x: 21}\nenable_cahce: true\n")
    with pytest.raises(PipelineError, match=r"`enable_cahce`.*(\n.*)*`enable_cache`") as told:
        tried.with_options(run_name="three")()
    assert "run.yaml:2" in str(told.value)
    project.write("run.yaml", "enable_cache: true\nparameters:\n  x: a\n  xx: 1\n")
    with pytest.raises(PipelineError, match=r"run\.yaml:3: .*`x`.*\n.*run\.yaml:4: .*`xx`; did"):
        tried.with_options(run_name="four")()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"retires": StepRetryConfig(max_retries=1)}, "`retry`"),
        ({"timeout": "10 parsecs"}, "10 parsecs"),
        ({"timeout": "1s"}, "`default`"),
        ({"settings": {"resources": ResourceSettings(memory="1.5 pounds")}}, "1.5 pounds"),
        ({"settings": {"resources": ResourceSettings(gpu_count=1)}}, "1 GPU"),
        ({"settings": {"resorces": {}}}, "`resources`"),
        ({"orchestrator": "nowhere"}, "`nowhere`"),
        ({"cache_files": ["../outside"]}, "../outside"),
        ({"cache_files": ["not_there"]}, "not_there"),
    ],
)
def test_wrong_options_are_told_before_anything_runs(options: dict[str, Any], words: str) -> None:
    wrong = one.with_options(**options)
    with pytest.raises(PipelineError) as told:
        run(lambda: discard(wrong()))
    assert words in str(told.value)
    assert Client().list_runs() == []


def test_what_a_pipeline_cannot_do_with_a_value_that_is_not_there_yet() -> None:
    for body in (
        lambda: one() and None,
        lambda: [discard(item) for item in one()],
        lambda: one().real,
        lambda: one()["key"],
        lambda: one() + 1,
    ):
        with pytest.raises((PipelineError, TypeError)):
            run(body)
    with pytest.raises(PipelineError, match="all outputs"):
        run(lambda: discard(double(split())))
    with pytest.raises(PipelineError, match="`y`"):
        run(lambda: discard(double(1, y=2)))
    with pytest.raises(PipelineError, match="`x`"):
        run(lambda: discard(double()))
    assert Client().list_runs() == []


def test_a_pipeline_inside_a_pipeline_adds_its_steps() -> None:
    @pipeline
    def inner(x: int):
        return double(x)

    finished = run(lambda: discard(total([inner(1), inner(2)])))
    assert finished.steps["total"].output.load() == 6


def test_a_pipeline_that_a_step_runs_is_a_run_of_its_own() -> None:
    @step(enable_cache=False)
    def outer() -> str:
        inner = run(lambda: discard(double(2)))
        print("after")
        return f"{inner.status} {get_step_context().step_name}"

    finished = run(lambda: discard(outer()))
    assert finished.steps["outer"].output.load() == "completed outer"
    assert finished.steps["outer"].log == "after\n"
    assert len(Client().list_runs()) == 2


def test_a_step_or_an_output_that_is_not_there_is_told_with_those_that_are() -> None:
    finished = run(lambda: discard(split()))
    steps, outputs = finished.steps, finished.steps["split"].outputs
    with pytest.raises(KeyError, match=r"no step `spilt`; did you mean `split`\?"):
        steps["spilt"]
    with pytest.raises(KeyError, match=r"step `split` has no output `x`; it has `\w+`, `\w+`"):
        outputs["x"]
    assert "x" not in outputs
    assert outputs.get("x") is None
