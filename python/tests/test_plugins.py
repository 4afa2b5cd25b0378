"""Runs on orchestrators that live in executables of their own: the example in shell, and worse ones."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from conftest import PATIENCE, Project, finish, interrupt
from partita import Client
from process_stack import partita

EXAMPLE = Path(__file__).parents[2] / "examples/custom_orchestrator_any_language/plugin.sh"

PIPELINE = """
    import os
    import time
    from pathlib import Path

    from partita import ResourceSettings, StepRetryConfig, pipeline, step

    @step
    def make() -> list[int]:
        print("made")
        return [1, 2, 3]

    @step
    def add(values: list[int], more: int) -> int:
        return sum(values) + more

    @pipeline
    def line(more: int = 1):
        add(make(), more=more)
"""


def register(command: str, plugin: Path, **config: object) -> None:
    """Makes a stack with an orchestrator of a plugin the active one."""
    flavors = partita(command, "orchestrator", "flavor", "list", "--output", "json")
    partita(command, "orchestrator", "flavor", "register", str(plugin))
    assert str(plugin) not in flavors
    keys = [f"--{key}={value}" for key, value in config.items()]
    partita(command, "orchestrator", "register", "jobs", "--flavor=shell", *keys)
    partita(command, "stack", "register", "jobs", "-o", "jobs", "-a", "default", "--set")


@pytest.fixture
def plugin(project: Project, command: str) -> Path:
    """A copy of the example in shell, on the active stack."""
    copy = project.folder / "plugin.sh"
    shutil.copy(EXAMPLE, copy)
    register(command, copy, nice=1)
    return copy


def test_a_pipeline_runs_on_the_example_and_is_cached_without_it(
    project: Project, plugin: Path
) -> None:
    project.write("main.py", PIPELINE)
    assert project.run().code == 0
    run = Client().get_run("latest")
    assert project.statuses() == {"make": "completed", "add": "completed"}
    assert run.steps["add"].outputs["output"].load() == 7
    assert "made" in run.steps["make"].log
    plugin.write_text("#!/bin/sh\nexit 1\n")
    refused = project.run().refusal
    assert "has changed since the flavor `shell` was registered" in refused


#: The example goes through the steps of the pipeline by itself, in these ways.
WAYS = {
    "direct": r"""open) answer '{"mode":"direct"}' ;;
    run) run=$id; step=make; ask ;;
    "")
        command=$(words .result.attempt.command)
        if [ -n "$command" ]; then
            eval "export $(words .result.attempt.environment)"
            eval "run '$(field .result.attempt.attempt.id)' $command"
            ask
        elif [ "$step" = make ]; then
            step=add; ask
        else
            id=$run; answer '{}'
        fi ;;""",
    "delegated": r"""open) answer '{"mode":"delegated"}' ;;
    run)
        eval "export $(words .params.environment)"
        eval "set -- $(words .params.command)"
        for step in make add; do "$@" --step_name=$step </dev/null >&2; done
        answer '{}' ;;""",
}

ASK = r"""ask() {
    printf '{"jsonrpc":"2.0","id":"a","method":"step","params":{"step":"%s"}}\n' "$step"
}
"""


@pytest.mark.parametrize("way", WAYS)
def test_a_plugin_in_shell_goes_through_the_steps_by_itself(
    way: str, project: Project, command: str
) -> None:
    text = EXAMPLE.read_text().replace("    open)", f"    {WAYS[way]}\n    unused)")
    if way == "delegated":
        text = text.replace('"memory": "any"', '"delegates": "yes"')
    copy = project.folder / "plugin.sh"
    copy.write_text(text.replace("while IFS=", f"{ASK}while IFS="))
    copy.chmod(0o755)
    register(command, copy)
    project.write("main.py", PIPELINE)
    done = project.run()
    assert done.code == 0 and "make | made" in done.err, done
    run = Client().get_run("latest")
    assert run.steps["add"].output.load() == 7
    assert [len(step.attempts) for step in run.steps.values()] == [1, 1]


def test_a_step_that_raises_tells_its_own_error_and_is_retried(
    project: Project, plugin: Path
) -> None:
    del plugin
    project.write(
        "main.py",
        PIPELINE
        + """
    @step(retry=StepRetryConfig(max_retries=1))
    def fails(x: int):
        Path("tries.txt").open("a").write("tried\\n")
        raise ValueError(f"{x} is odd")

    @pipeline
    def failing():
        fails(add(make(), more=1))
    """,
    )
    done = project.run("main.py:failing")
    assert done.code == 1 and "ValueError: 7 is odd" in done.err, done
    run = Client().get_run("latest")
    assert run.status == "failed" and len(run.steps["fails"].attempts) == 2
    assert project.lines("tries.txt") == ["tried", "tried"]


def test_what_the_plugin_does_not_claim_is_refused_before_anything_runs(
    project: Project, plugin: Path
) -> None:
    del plugin
    project.write(
        "main.py",
        PIPELINE
        + """
    @step(settings={"resources": ResourceSettings(gpu_count=1)})
    def greedy():
        pass

    @pipeline
    def asking():
        greedy()
    """,
    )
    refused = project.run("main.py:asking").refusal
    assert "1 GPU, which orchestrator `jobs` (flavor `shell`) cannot give" in refused
    assert Client().list_runs() == []


WAITING = """
    @step
    def waits():
        import sys
        Path("pid.txt").write_text(str(os.getppid()))
        Path("plugin.txt").write_text(Path(f"/proc/{os.getppid()}/stat").read_text().split()[3])
        while not Path("go.txt").exists():
            time.sleep(0.01)

    @pipeline
    def waiting():
        waits()
"""


def wait_for(path: Path) -> str:
    """Waits until a file has something in it."""
    end = time.monotonic() + PATIENCE
    while not path.exists() or not path.read_text():
        assert time.monotonic() < end
        os.sched_yield()
    return path.read_text()


def test_a_run_whose_plugin_is_killed_fails_and_says_so(project: Project, plugin: Path) -> None:
    del plugin
    project.write("main.py", PIPELINE + WAITING)
    run = project.begin("-m", "partita", "run", '{"target": "main.py:waiting"}')
    os.kill(int(wait_for(project.folder / "plugin.txt")), signal.SIGKILL)
    done = finish(run)
    assert done.code == 1 and "was ended by SIGKILL" in done.err, done
    done.check_no_faults()
    assert Client().get_run("latest").status == "failed"
    (project.folder / "go.txt").write_text("")
    resumed = project.resume(Client().get_run("latest").id, "main.py:waiting")
    assert resumed.code == 0, resumed


def test_a_run_whose_engine_is_killed_is_resumed(project: Project, plugin: Path) -> None:
    del plugin
    project.write("main.py", PIPELINE + WAITING)
    run = project.begin("-m", "partita", "run", '{"target": "main.py:waiting"}')
    wait_for(project.folder / "plugin.txt")
    run.kill()
    finish(run)
    assert Client().get_run("latest").status == "interrupted"
    (project.folder / "go.txt").write_text("")
    assert project.resume(Client().get_run("latest").id, "main.py:waiting").code == 0


def test_ctrl_c_ends_the_steps_of_a_plugin(project: Project, plugin: Path) -> None:
    del plugin
    project.write("main.py", PIPELINE + WAITING)
    run = project.begin("-m", "partita", "run", '{"target": "main.py:waiting"}')
    wait_for(project.folder / "plugin.txt")
    done = interrupt(run)
    assert done.code == 130, done
    assert Client().get_run("latest").status == "cancelled"


#: A plugin in nothing but shell, which does as `misdeed.sh` says once that is there.
MISDEED = r"""#!/bin/sh
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
protocol=1
opening() { :; }
launching() { :; }
polling() { :; }
while IFS= read -r line; do
    id=${line#*'"id":'}; id=${id%%,*}
    method=${line#*'"method":"'}; method=${method%%'"'*}
    case $method in
    hello) [ -e misdeed.sh ] && . ./misdeed.sh; answer "{\"protocol\":$protocol}" ;;
    describe) answer '{"name":"shell","type":"orchestrator","config_schema":{}}' ;;
    validate) answer '{"problems":[]}' ;;
    open) opening; answer '{"poll_interval":0.01}' ;;
    launch) launching; answer '{"job":"1"}' ;;
    poll) polling; answer '{"state":"active"}' ;;
    *) answer '{}' ;;
    esac
done
"""


@pytest.mark.parametrize(
    ("misdeed", "part"),
    [
        ("protocol=2", "speaks version 2 of the plugin protocol"),
        (
            "echo busy >&2; exit 3",
            "ended with exit code 3 before it answered `hello`; the last that it wrote is `busy`",
        ),
        ("opening() { exit 4; }", "ended with exit code 4"),
        ("launching() { exit 5; }", "ended with exit code 5"),
        ("launching() { kill -9 $$; }", "was ended by SIGKILL"),
        ("launching() { echo Loading; }", "wrote `Loading` to its standard output"),
        ("launching() { head -c 100000000 /dev/zero; }", "sent a message of more than 16 MiB"),
        ("launching() { exec >&-; }", "closed its standard output"),
        ("launching() { answer []; answer 5; }", "`launch` with what is no answer to that: it is"),
        ("polling() { answer 5; }", "answered `poll` with what is no answer to that: it is no"),
        ("""polling() { answer '{"state":"idle"}'; }""", "no answer to that: `state` is `active`"),
    ],
)
def test_a_plugin_that_does_wrong_in_a_run_fails_it_in_one_paragraph(
    project: Project, command: str, misdeed: str, part: str
) -> None:
    plugin = project.write("plugin.sh", MISDEED)
    plugin.chmod(0o755)
    register(command, plugin)
    project.write("main.py", PIPELINE)
    project.write("misdeed.sh", misdeed + "\n")
    done = project.run()
    assert done.code == 1, done
    done.check_no_faults()
    # What cannot be opened is the run's failure, and no step's.
    is_opened = misdeed.startswith(("launching", "polling"))
    start, status = ("make: failed", "failed") if is_opened else ("error: ", "skipped")
    told = [line for line in done.err.splitlines() if line.startswith(start)]
    assert len(told) == 1 and part in told[0], done
    assert Client().get_run("latest").status == "failed"
    assert project.statuses() == {"make": status, "add": "skipped"}
