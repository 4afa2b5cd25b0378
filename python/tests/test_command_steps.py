"""Steps that are commands: files in, files out, exit codes, logs and caching."""

from __future__ import annotations

import os
import signal
import textwrap
import time
from pathlib import Path

import pytest

from conftest import PATIENCE, Project, finish, interrupt
from partita import Client
from process_stack import partita, processes_of, use_process
from rust_programs import COMMANDS, start
from secret_steps import check_untold, store
from test_started_entrypoints import use as use_starting

HEAD = """
    import os
    from pathlib import Path
    from partita import StepRetryConfig, command_step, get_step_context, input, output
    from partita import pipeline, step
"""

SORTING = """
    @step
    def write(text: str = "b 2\\nc 1\\na 3\\n") -> Path:
        path = Path("raw.txt")
        path.write_text(text)
        return path

    sort = command_step(["sort", "-k2", input.raw, "-o", output.sorted])

    @step
    def first(table: Path) -> str:
        return table.read_text().splitlines()[0]

    @pipeline
    def sorting(text: str = "b 2\\nc 1\\na 3\\n"):
        first(sort(write(text)))
"""


def write_main(project: Project, *texts: str) -> None:
    project.write("main.py", "".join(map(textwrap.dedent, (HEAD, *texts))))


@pytest.fixture(params=["local", "process", "entrypoints"])
def place(request: pytest.FixtureRequest, project: Project, command: str) -> str:
    """Each place where a command can run."""
    if request.param == "process":
        use_process(command)
    elif request.param == "entrypoints":
        use_starting(project, command, "delegates")
    return str(request.param)


def test_a_command_reads_files_and_writes_others_wherever_it_runs(
    project: Project, place: str
) -> None:
    write_main(project, SORTING)
    done = project.run()
    assert done.code == 0, done
    run = Client().get_run("latest")
    assert run.steps["first"].output.load() == "c 1"
    sorted_file = run.steps["sort"].outputs["sorted"]
    assert sorted_file.load().read_text() == "c 1\nb 2\na 3\n"
    assert sorted_file.type == "pathlib.Path"
    assert project.run().code == 0
    assert set(project.statuses().values()) == {"cached"}


TOOL = """
    tool = command_step(["./tool.sh", input.text, output.said], inputs={"text": str}, name="tool")

    @pipeline
    def using(text: str = "a"):
        tool(text)
"""

SCRIPT = '#!/bin/sh\nprintf "%s" "$1" > "$2"\n'


def write_tool(project: Project, script: str = SCRIPT) -> None:
    project.write("tool.sh", script).chmod(0o755)


def test_its_words_its_executable_and_its_inputs_are_what_counts(project: Project) -> None:
    write_main(project, TOOL)
    write_tool(project)
    assert project.run().code == 0
    assert project.run().code == 0
    assert project.statuses() == {"tool": "cached"}
    write_tool(project, SCRIPT + "# Another one.\n")
    assert project.run().code == 0
    assert "source of executable `tool.sh` changed" in (project.reasons()["tool"] or "")
    assert project.run(parameters={"text": "b"}).code == 0
    assert "parameter `text` changed" in (project.reasons()["tool"] or "")
    main = project.folder / "main.py"
    main.write_text(main.read_text().replace("input.text, output", '"x", input.text, output'))
    write_tool(project, '#!/bin/sh\nprintf "%s" "$2" > "$3"\n')
    assert project.run().code == 0
    assert "source of command `tool` changed" in (project.reasons()["tool"] or "")


ODD = "a b; touch pwned; $(touch pwned) `touch pwned` > 'pwned' \"*\" & #"

METACHARACTERS = """
    ODD = {odd!r}

    @step
    def write() -> Path:
        path = Path(ODD)
        path.write_text("odd\\n")
        return path

    copy = command_step(
        f"cat {{input['in ' + ODD]}} > {{output['out ' + ODD]}}; printf %s {{input.text}} >&2",
        shell=True, inputs=["in " + ODD, "text"], name="copy " + ODD,
    )
    listed = command_step(["cp", input.file, output[ODD]], name="listed")
    quoted = command_step(
        f'printf "%s" "{{input.text}}" > "{{output.made}}"; echo "$(echo {{input.text}})" >&2',
        shell=True, name="quoted",
    )

    @pipeline
    def copying():
        copied = copy.with_options(retry=StepRetryConfig(max_retries=1))(**{{"in " + ODD: write()}}, text=ODD)
        listed(copied)
        quoted(ODD)
"""


def test_nothing_that_is_inserted_means_anything_to_a_shell(project: Project, place: str) -> None:
    write_main(project, METACHARACTERS.format(odd=ODD.replace("/", "")))
    done = project.run()
    assert done.code == 0, done
    assert not (project.folder / "pwned").exists()
    run = Client().get_run("latest")
    assert run.steps["listed"].outputs[ODD].load().read_text() == "odd\n"
    assert ODD in run.steps["copy " + ODD].log and ODD in run.steps["quoted"].log
    assert run.steps["quoted"].outputs["made"].load().read_text() == ODD


def test_what_a_shell_would_take_as_text_is_refused_before_the_run(project: Project) -> None:
    words = "grep '{input.text}' > {output.made}"
    write_main(project, WRONG.format(words=words).replace("wrong()", 'wrong("a")'))
    refused = project.run()
    assert refused.code == 1, refused
    told = "in step `wrong`, the input `text` stands between single quotes in the script"
    assert told in refused.err and "what is inserted is quoted" in refused.err
    assert not Client().list_runs()


WRONG = """
    wrong = command_step({words!r}.format(input=input, output=output), shell=True, name="wrong")

    @pipeline
    def failing():
        wrong()
"""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("echo {output.made}", "ended well, and its output `made` is missing"),
        (": > {output.made}", "its output `made` is empty; if that is right, name it in"),
        ("mkdir {output.made}", "its output `made` is a folder"),
        ("ln -s /etc/passwd {output.made}", "its output `made` is no regular file"),
        ("mkfifo {output.made}", "its output `made` is no regular file"),
        ("echo even >&2; echo odd >&2; exit 7; : {output.made}", "exit code 7: odd"),
        ("kill -9 $$; : {output.made}", "`sh` was ended by SIGKILL"),
    ],
)
def test_a_command_that_goes_wrong_is_a_failed_step(
    project: Project, place: str, words: str, told: str
) -> None:
    write_main(project, WRONG.format(words=words))
    done = project.run()
    assert done.code == 1 and told in done.err, done
    if place != "entrypoints":  # There, the orchestrator raises.
        done.check_no_faults()
    assert project.statuses() == {"wrong": "failed"}
    [attempt] = Client().get_run("latest").steps["wrong"].attempts
    assert attempt["exit_code"] == {"exit 7": 7, "kill -9": 137}.get(
        next((part for part in ("exit 7", "kill -9") if part in words), "")
    )


def test_an_empty_file_can_be_right(project: Project) -> None:
    write_main(
        project,
        """
        empty = command_step([": > ", output.made], shell=True, may_be_empty=["made"], name="empty")

        @pipeline
        def emptying():
            empty()
        """,
    )
    assert project.run().code == 0
    made = Client().get_run("latest").steps["empty"].outputs["made"].load()
    assert made.read_bytes() == b""


TYPED = """
    count = command_step(
        f"wc -l < {input.file} > {output.lines}; echo 2.5 > {output.half}; echo yes > {output.said}; "
        f"echo {input.times} true > /dev/null; echo true > {output.right}",
        shell=True, name="count", inputs={"file": Path, "times": float},
        outputs={"lines": int, "half": float, "said": str, "right": bool},
    )

    @step
    def write() -> Path:
        Path("lines.txt").write_text("a\\nb\\n")
        return Path("lines.txt")

    @step
    def takes(lines: int, half: float, said: str, right: bool) -> str:
        return repr((lines, half, said, right))

    @pipeline
    def counting():
        takes(*count(write(), 2))
"""


def test_values_go_in_as_text_and_come_out_of_it(project: Project) -> None:
    write_main(project, TYPED)
    done = project.run()
    assert done.code == 0, done
    assert Client().get_run("latest").steps["takes"].output.load() == "(2, 2.5, 'yes\\n', True)"
    main = project.folder / "main.py"
    main.write_text(main.read_text().replace("echo 2.5", "echo many"))
    done = project.run()
    assert done.code == 1 and "its output `half` is no `float`; it says `many`" in done.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("command_step('sort x')", "takes a list of words, such as"),
        ("command_step([input.x])", "the first word of a command names its executable"),
        ("command_step(['sort', None])", "a word of a command is a text, a number"),
        ("command_step(['sort', input.x], inputs=['y'])", "mentions `input.x`, and its inputs"),
        ("command_step(['sort'], outputs=['y'])", "does not mention its output `y`"),
        ("command_step(['sort', input.x], inputs={'x': list})", "a command takes and makes"),
        ("command_step(['sort', output.x], may_be_empty=['y'])", "which is no output of it"),
        ("command_step(['no-such-tool', output.x])()", "is no executable in a folder of `PATH`"),
        (
            "command_step(['./no-such-tool', output.x])()",
            "step `no-such-tool` starts, is no executable here",
        ),
        ("sort('a text')", "input `raw` of step `sort` takes pathlib.Path, not str"),
        ("sort(first(write()))", "input `raw` of step `sort` takes pathlib.Path, not str"),
        ("sort(raws=write())", "has no input `raws`"),
        ("sort(write(), max_retries=1)", "has no input `max_retries`"),
    ],
)
def test_what_no_command_can_be_is_refused_before_the_run(
    project: Project, text: str, told: str
) -> None:
    typed = SORTING.replace("output.sorted]", 'output.sorted], inputs={"raw": Path}')
    write_main(project, typed, f"    @pipeline\n    def wrong():\n        {text}\n")
    done = project.run("main.py:wrong")
    assert done.code == 1 and told in done.err, done
    done.check_no_faults()
    assert not Client().list_runs()


def test_a_list_is_no_input_of_a_command(project: Project) -> None:
    write_main(
        project,
        """
        @step
        def texts() -> list:
            return ["a", "b"]

        say = command_step(["echo", input.text], name="say")

        @pipeline
        def saying(each: bool = True):
            say.map(texts()) if each else say(texts())
        """,
    )
    assert project.run().code == 0
    items = Client().get_run("latest").steps["say"].items or []
    assert [item.status for item in items] == ["completed", "completed"]
    done = project.run(parameters={"each": "False"})
    assert done.code == 1 and "is of type `list`; a command takes files, texts" in done.err, done


def test_a_command_is_mapped_retried_and_followed_by_hooks(project: Project, place: str) -> None:
    write_main(
        project,
        """
        def told(*_):
            with open("hooks.txt", "a") as hooks:
                print("hook", file=hooks)

        size = command_step(
            f"printf %s {input.text} | wc -c > {output.size}; test -e {input.text} || "
            f"( touch {input.text}; exit 3 )",
            shell=True, name="size", outputs={"size": int}, on_success=told,
            retry=StepRetryConfig(max_retries=1, delay=0.01),
        )

        @step
        def add(sizes: list[int]) -> int:
            return sum(sizes)

        @pipeline
        def sizes():
            add(size.map(["a", "bb", "ccc"]))
        """,
    )
    done = project.run()
    assert done.code == 0, done
    run = Client().get_run("latest")
    assert run.steps["add"].output.load() == 6
    items = run.steps["size"].items or []
    assert [[one["status"] for one in item.attempts] for item in items] == [
        ["failed", "completed"]
    ] * 3
    assert project.lines("hooks.txt") == ["hook"] * 3


def test_another_executable_than_the_one_that_was_compiled_is_not_started(
    project: Project, place: str
) -> None:
    write_main(
        project,
        TOOL,
        """
        @step
        def changes() -> str:
            with open("tool.sh", "a") as tool:
                print("# Another one.", file=tool)
            return "a"

        @pipeline
        def changing():
            tool(changes())

        @step
        def removes() -> str:
            os.remove("tool.sh")
            return "a"

        @pipeline
        def removing():
            tool(removes())
        """,
    )
    write_tool(project)
    changed = project.run("main.py:changing")
    assert changed.code == 1 and "is another one than when the pipeline was compiled" in changed.err
    removed = project.run("main.py:removing")
    assert removed.code == 1 and "cannot be read: No such file" in removed.err, removed


WAITING = """
    wait = command_step(["sleep", input.seconds], name="wait")

    @pipeline
    def waiting():
        wait(100000)
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_command_and_cancels_the_run(
    project: Project, place: str, number: str
) -> None:
    write_main(project, WAITING)
    run = project.begin("-m", "partita", "run", '{"target": "main.py"}')
    end = time.monotonic() + PATIENCE
    while not any(_is_sleep(pid) for pid in processes_of(project)):
        assert time.monotonic() < end and run.poll() is None, finish(run)
        os.sched_yield()
    done = interrupt(run, signal.Signals[number])
    assert done.code == 130, done
    assert Client().get_run("latest").status == "cancelled"
    assert project.statuses() == {"wait": "cancelled"}
    assert not any(_is_sleep(pid) for pid in processes_of(project))


def _is_sleep(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"
    except OSError:
        return False


def test_a_secret_goes_into_a_command_and_nowhere_else(
    project: Project, command: str, place: str
) -> None:
    store(command, "s3cr3t-of-a-command")
    write_main(
        project,
        """
        size = command_step(
            f"printf %s {input.token} | wc -c > {output.size}; echo the token is {input.token}",
            shell=True, name="size", inputs={"token": str}, outputs={"size": int},
        )

        @pipeline
        def sizes():
            size("{{hub.token}}")
        """,
    )
    done = project.run()
    assert done.code == 0, done
    step = Client().get_run("latest").steps["size"]
    assert step.outputs["size"].load() == len("s3cr3t-of-a-command")
    assert "the token is" in step.log
    check_untold(project, "s3cr3t-of-a-command", done.out, done.err)


def test_what_a_command_prints_is_shown_and_kept(project: Project, place: str) -> None:
    write_main(
        project,
        """
        say = command_step(["printf", "one\\n\\xfftwo\\nthree"], name="say")

        @pipeline
        def saying():
            say()
        """,
    )
    done = project.run()
    assert done.code == 0 and "one\n" in done.out + done.err, done
    log = Client().get_run("latest").steps["say"].log
    assert [line for line in log.splitlines() if "partita" not in line] == ["one", "ÿtwo", "three"]


def test_a_command_is_described_and_planned(project: Project, command: str) -> None:
    write_main(project, SORTING)
    planned = partita(command, "plan", "main.py")
    assert "sort" in planned
    assert project.run().code == 0
    described = partita(command, "runs", "describe", "latest", "--output", "json")
    assert '"sorted"' in described


@pytest.mark.parametrize("where", ["local", "process"])
def test_commands_of_a_program_are_steps_like_any_other(
    project: Project, command: str, where: str
) -> None:
    if where == "process":
        use_process(command)
    done = start(COMMANDS, "run")
    assert done.returncode == 0, done
    run = Client().get_run("latest")
    assert run.steps["report"].output.load() == "10 numbers, the least 0 1 2"
    assert run.steps["measure"].outputs["head"].load().read_text() == "0\n1\n2\n"
    assert start(COMMANDS, "run").returncode == 0
    assert set(project.statuses().values()) == {"cached"}


def test_a_command_is_not_run_again_for_a_change_of_its_program(project: Project) -> None:
    own = project.folder / "commands"
    own.write_bytes(Path(COMMANDS).read_bytes())
    own.chmod(0o755)
    assert start(str(own), "run").returncode == 0
    with own.open("ab") as program:
        program.write(b"changed")
    assert start(str(own), "run").returncode == 0
    ran = {"write": "completed", "sort": "cached", "measure": "cached", "report": "completed"}
    assert project.statuses() == ran
