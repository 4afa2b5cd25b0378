"""Cases at the edges, each of which once gave a wrong value or a wrong state."""

from __future__ import annotations

import pytest

from conftest import Project, finish
from partita import Client, PipelineError, pipeline, step
from two_steps import check_refused, two


@step
def given(x: int) -> int:
    return x


@step
def shown(values: dict[str, object]) -> str:
    return repr(values)


def test_nested_inputs_with_odd_keys_do_not_share_a_result(project: Project) -> None:
    @pipeline
    def odd(x: int) -> None:
        shown({"a": {"b": given(x)}, 'a"]["b': given(0)})

    first, second = odd(1).steps["shown"], odd(2).steps["shown"]
    assert first.output.load() != second.output.load()


def test_a_dict_of_outputs_has_texts_as_keys(project: Project) -> None:
    @pipeline
    def numbered() -> None:
        shown({1: given(1)})

    with pytest.raises(PipelineError, match="its keys must be texts"):
        numbered()


def test_inputs_that_a_pipeline_needs_the_names_of_are_refused(project: Project) -> None:
    @step
    def named(id: int) -> int:
        return id

    @pipeline
    def odd() -> None:
        named(3)

    with pytest.raises(PipelineError, match="call the input otherwise"):
        odd()


RESUMED = """
import os
from partita import pipeline, step

@step
def first() -> int:
    open("calls.txt", "a").write("first\\n")
    return 1

@step
def last(x: int, factor: int) -> int:
    if not os.path.exists("mended"):
        raise RuntimeError("not yet")
    return x * factor

@pipeline(enable_cache=False)
def two():
    last(first(), 77)
"""


def test_resuming_an_edited_pipeline_does_what_it_says_now(project: Project) -> None:
    project.write("main.py", RESUMED)
    assert project.run().code == 1
    project.write("mended", "")
    project.write("main.py", RESUMED.replace("77", "88"))
    assert project.resume("latest").code == 0
    run = Client().get_run("latest")
    assert run.steps["last"].output.load() == 88
    assert project.lines() == ["first"], "the finished step did not run again"
    assert len(Client().list_runs()) == 2


def test_resuming_an_unedited_pipeline_continues_the_same_run(project: Project) -> None:
    project.write("main.py", RESUMED)
    assert project.run().code == 1
    project.write("mended", "")
    assert project.resume("latest").code == 0
    assert Client().get_run("latest").steps["last"].output.load() == 77
    assert project.lines() == ["first"]
    assert len(Client().list_runs()) == 1


MATERIALIZED = """
from pathlib import Path
from partita import BaseMaterializer, pipeline, step

class Box:
    def __init__(self, width):
        self.width = width

class BoxMaterializer(BaseMaterializer):
    ASSOCIATED_TYPES = (Box,)
    FORMAT = "box"
    def save(self, data):
        Path(self.uri, "width").write_text(str(data.width))
    def load(self, data_type):
        return Box(int(Path(self.uri, "width").read_text()) + 0)

@step
def make() -> Box:
    return Box(3)

@step
def width(box: Box) -> int:
    return box.width

@pipeline
def boxes():
    width(make())
"""


def test_an_edited_materializer_runs_its_steps_again(project: Project) -> None:
    project.write("main.py", MATERIALIZED)
    assert project.run().code == 0
    project.write("main.py", MATERIALIZED.replace("+ 0", "+ 1"))
    assert project.run().code == 0
    assert project.statuses() == {"make": "completed", "width": "completed"}
    assert Client().get_run("latest").steps["width"].output.load() == 4


FOLDER = """
import os
from partita import get_step_context, pipeline, step

@step
def report() -> list:
    open(os.path.join(get_step_context().output_folder(), "extra.txt"), "w").write("kept")
    return [1, {2, 3}]

@pipeline
def reports():
    report()
"""


def test_files_that_a_step_adds_to_its_output_are_kept(project: Project) -> None:
    project.write("main.py", FOLDER)
    assert project.run().code == 0
    assert [path.read_text() for path in project.store.rglob("extra.txt")] == ["kept"]
    assert Client().get_run("latest").steps["report"].output.load() == [1, {2, 3}]


FORKED = """
import os, sys
from partita import pipeline, step

@step
def fork() -> int:
    child = os.fork()
    if child == 0:
        sys.exit(7)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)

@pipeline
def forks():
    fork()
"""


def test_a_child_that_a_step_forks_ends_by_itself(project: Project) -> None:
    project.write("main.py", FORKED)
    assert project.run().code == 0
    assert Client().get_run("latest").steps["fork"].output.load() == 7


LITERAL = """
import dataclasses
from partita import pipeline, step

@dataclasses.dataclass
class Settings:
    depth: int

@step
def use(settings: Settings) -> int:
    return settings.depth

@pipeline
def literal():
    use(Settings(4))
"""


def test_values_passed_to_a_step_go_to_the_store_of_the_run(project: Project) -> None:
    project.write("main.py", LITERAL)
    assert project.run().code == 0
    assert Client().get_run("latest").steps["use"].output.load() == 4
    assert project.run().code == 0
    assert project.statuses() == {"use": "cached"}


def test_a_partial_line_printed_piecewise_is_one_line_of_the_log(project: Project) -> None:
    @step
    def dots() -> None:
        import sys

        for _ in range(3000):
            sys.stdout.write(".")
        sys.stdout.write("\udcff")

    @pipeline
    def print_dots() -> None:
        dots()

    log = print_dots().steps["dots"].log
    assert log.startswith("." * 3000)


def test_bytes_written_to_standard_output_are_in_the_log(project: Project) -> None:
    halves = "sys.stdout.buffer.write(b'\\xc3'), sys.stdout.buffer.write(b'\\xa9\\n')"
    two(project, f"print('e', end='', flush=True), {halves}")
    finished = project.run()
    assert finished.code == 0, finished
    assert Client().get_run("latest").steps["make"].log == "eé\n"


LAST_RESORT = """
    import logging
    from partita import pipeline, step

    mine = logging.getLogger("mine")
    mine.addHandler(logging.lastResort)

    @step
    def say() -> None:
        mine.warning("hot")

    @pipeline
    def saying():
        say()
"""


def test_a_log_handler_that_looks_standard_error_up_each_time_records_too(
    project: Project,
) -> None:
    project.write("main.py", LAST_RESORT)
    finished = project.run()
    assert finished.code == 0, finished
    assert Client().get_run("latest").steps["say"].log == "hot\n"


LOGGING = """
    import logging, sys
    from partita import pipeline, step

    logging.basicConfig(level="INFO", format="%(message)s")
    mine = logging.getLogger("mine")
    mine.addHandler(logging.StreamHandler(sys.stdout))
    held = [logging.root.handlers[0].stream, mine.handlers[0].stream]

    @step
    def say(what: str) -> None:
        mine.info(what)

    @pipeline
    def saying():
        say("one")
        say("two")

    if __name__ == "__main__":
        saying()
        mine.info("afterwards")
        assert [logging.root.handlers[0].stream, mine.handlers[0].stream] == held
"""


def test_what_loggers_that_were_set_up_at_import_say_is_in_the_log_of_its_step(
    project: Project,
) -> None:
    project.write("main.py", LOGGING)
    finished = project.python("main.py")
    assert finished.code == 0, finished
    steps = Client().get_run("latest").steps
    assert [steps["say"].log, steps["say_2"].log] == ["one\none\n", "two\ntwo\n"]
    assert finished.out == "one\ntwo\nafterwards\n"
    assert [
        line for line in finished.err.splitlines() if "say" not in line and ":" not in line
    ] == [
        "one",
        "two",
        "afterwards",
    ]


def test_the_command_line_wins_over_the_configuration_file(project: Project) -> None:
    project.write(
        "main.py",
        FORKED.replace("def forks():\n    fork()", "def forks(n: int = 1):\n    keep(n)")
        + "\n@step\ndef keep(n: int) -> int:\n    return n\n",
    )
    config = project.write("run.yaml", "parameters: {n: 2}\n")
    assert project.run(config=str(config)).code == 0
    assert Client().get_run("latest").steps["keep"].output.load() == 2
    assert project.run(config=str(config), parameters={"n": "3"}).code == 0
    assert Client().get_run("latest").steps["keep"].output.load() == 3


COMPUTED = """
from partita import pipeline, step

@step
def one() -> int:
    return 1

@pipeline
def computed():
    BODY
"""


@pytest.mark.parametrize("body", ["one() > 1", "one() + 1", "len(one())", "float(one())"])
def test_an_output_is_no_value_while_the_pipeline_is_put_together(
    project: Project, body: str
) -> None:
    project.write("main.py", COMPUTED.replace("BODY", body))
    finished = project.run()
    assert finished.code == 1
    assert "do that inside a step" in finished.refusal


def test_an_error_of_the_pipelines_own_function_shows_its_lines_alone(project: Project) -> None:
    project.write("main.py", COMPUTED.replace("BODY", "raise ValueError('of mine')"))
    finished = project.run()
    assert finished.code == 1
    assert "of mine" in finished.err
    assert "main.py" in finished.err
    assert "tracing.py" not in finished.err


def test_a_run_may_have_a_name_that_the_locale_cannot_write(project: Project) -> None:
    two(project)
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    request = '{"target": "main.py", "run_name": "ünï 数"}'
    ended = finish(project.begin("-m", "partita", "run", request, env=locale))
    assert ended.code == 0, ended
    assert Client().get_run("latest").name == "ünï 数"


def test_a_working_directory_that_is_gone_refuses_the_command_and_not_the_script(
    project: Project,
) -> None:
    two(project)
    script = project.folder / "main.py"
    go = "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone'); "
    python = "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    check_refused(
        project.python("-c", go + python, "-m", "partita", "run", f'{{"target": "{script}"}}'),
        "the working directory cannot be entered",
    )
    ended = project.python("-c", go + python, str(script))
    assert ended.code == 0, ended
