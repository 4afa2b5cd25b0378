"""Secrets: steps get the values that documents name, and nobody else is told them."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import termios
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import PATIENCE, Project
from partita import Client
from process_stack import partita, use_process
from secret_steps import LENGTH, TELLING, VALUE, check_untold, store

PLACES = pytest.mark.parametrize("place", ["local", "process"])

#: Values as people have them; none is part of a reference, or of what these tests print themselves.
VALUES = st.text(
    st.sampled_from("QXZ0149 !\"#$%&'*+/<=>?@\\^_`|~äßΩ中😀\n\t"), min_size=6, max_size=30
).filter(lambda value: len(value.strip()) >= 6 and "\n" not in (value[0], value[-1]))

#: A process that starts takes long, a failure is the same each time, and a home is used again.
EACH_RUNS = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def on(place: str, command: str) -> None:
    """Makes steps run in this process, or in processes of their own."""
    if place == "process" and "fast" not in partita(command, "stack", "list"):
        use_process(command)


@PLACES
def test_a_step_gets_the_value_and_documents_hold_the_reference(
    project: Project, command: str, place: str
) -> None:
    on(place, command)
    store(command, VALUE)
    project.write("main.py", LENGTH)
    assert project.run().code == 0
    run = Client().get_run("latest")
    assert run.steps["length"].outputs["output"].load() == 2 * len(VALUE)
    for shown in (
        partita(command, "compile", "main.py"),
        partita(command, "plan", "main.py", "--output", "json"),
        partita(command, "runs", "describe", "latest", "--output", "json"),
    ):
        check_untold(project, VALUE, shown)
    assert "{{hub.token}}" in partita(command, "compile", "main.py")


@PLACES
@pytest.mark.parametrize("how", ["", "raise", "chain", "hide", "exit", "return", "files"])
def test_whatever_a_step_does_with_a_value_nothing_tells_it(
    project: Project, command: str, place: str, how: str
) -> None:
    on(place, command)
    store(command, VALUE)
    project.write("main.py", TELLING)
    ended = project.run(parameters={"how": how})
    assert ended.code == (1 if how else 0), ended
    shown = [partita(command, "runs", *words) for words in (("logs",), ("describe",), ("list",))]
    check_untold(project, VALUE, ended.out, ended.err, *shown)
    assert "plain {{hub.token}}" in shown[0]
    script = project.python("main.py", how)
    check_untold(project, VALUE, script.out, script.err)


@PLACES
@EACH_RUNS
@given(value=VALUES, how=st.sampled_from(["", "raise", "chain", "hide", "return", "files"]))
def test_no_value_is_told_anywhere(
    project: Project, command: str, place: str, value: str, how: str
) -> None:
    on(place, command)
    store(command, value)
    project.write("main.py", TELLING)
    ended = project.python("main.py", how)
    assert ended.code == (1 if how else 0), ended
    check_untold(project, value, ended.out, ended.err, partita(command, "runs", "logs"))


def test_an_orchestrator_is_opened_with_the_values_that_its_configuration_names(
    project: Project, command: str
) -> None:
    store(command, "GPU-secret-id")
    use_process(command, gpus=["{{hub.token}}"])
    shown = partita(command, "orchestrator", "describe", "fast", "--output", "json")
    assert json.loads(shown)["config"] == {"gpus": ["{{hub.token}}"]}
    project.write(
        "main.py",
        """
        import os
        from partita import ResourceSettings, pipeline, step

        @step(settings={"resources": ResourceSettings(gpu_count=1)})
        def look() -> bool:
            print(os.environ["CUDA_VISIBLE_DEVICES"])
            return os.environ["CUDA_VISIBLE_DEVICES"].startswith("GPU-secret")

        @pipeline
        def main():
            look()
        """,
    )
    ended = project.run()
    assert ended.code == 0 and "look | {{hub.token}}" in ended.out, ended
    assert Client().get_run("latest").steps["look"].outputs["output"].load() is True
    check_untold(project, "GPU-secret-id", ended.out, ended.err)


@PLACES
def test_no_process_has_a_value_in_its_arguments_or_its_environment(
    project: Project, command: str, place: str
) -> None:
    on(place, command)
    store(command, VALUE)
    project.write(
        "main.py",
        """
        import os
        from pathlib import Path
        from partita import ResourceSettings, pipeline, step

        def look(token):
            for process in Path("/proc").iterdir():
                if process.name.isdigit():
                    for name in ("cmdline", "environ"):
                        try:
                            assert token.encode() not in (process / name).read_bytes(), name
                        except OSError:
                            pass
            return True

        @step
        def warm(token: str) -> bool:
            return look(token)

        @step(settings={"resources": ResourceSettings(cpu_count=2)})
        def cold(token: str) -> bool:
            return look(token)

        @pipeline
        def main():
            warm("{{hub.token}}")
            cold("{{hub.token}}")
        """,
    )
    ended = project.run()
    assert ended.code == 0, ended


def test_a_secret_that_is_not_there_is_an_error_before_anything_runs(
    project: Project, command: str
) -> None:
    store(command, VALUE, key="tokn")
    project.write(
        "main.py",
        """
        from partita import pipeline, step

        @step
        def first(path: str) -> None:
            open("ran", "w").close()

        @step
        def last(token: str) -> None: ...

        @pipeline
        def main():
            last("{{hub.token}}", after=[first("{{hub.path}}")])
        """,
    )
    for verb in ("run", "plan", "compile"):
        ended = project.verb(verb, target="main.py")
        assert ended.code == 1 and not (project.folder / "ran").exists(), ended
        assert "step `last` takes the secret `{{hub.token}}` as `token`" in ended.err
        assert "did you mean `{{hub.tokn}}`?" in ended.err
        assert "`partita secret set hub path`" in ended.err
    assert Client().list_runs() == []


@PLACES
def test_what_a_step_makes_is_no_reference(project: Project, command: str, place: str) -> None:
    on(place, command)
    store(command, VALUE)
    project.write(
        "main.py",
        """
        from partita import pipeline, step

        @step
        def makes() -> list[str]:
            return ["{{hub.token}}", "{{none.here}}"]

        @step
        def one(text: str) -> int:
            return len(text)

        @step
        def all_of(texts: list) -> int:
            return sum(map(len, texts))

        @pipeline
        def main():
            made = makes()
            all_of(made)
            one.map(made)
            one.map(["{{hub.token}}", "Hello {{hub.token}}"])
        """,
    )
    ended = project.run()
    assert ended.code == 0, ended
    steps = Client().get_run("latest").steps
    assert steps["all_of"].outputs["output"].load() == 26
    assert steps["one"].outputs["output"].load() == [13, 13]
    assert steps["one_2"].outputs["output"].load() == [len(VALUE), 19]


def test_a_new_value_of_a_secret_changes_no_cache_key(project: Project, command: str) -> None:
    project.write("main.py", LENGTH)
    for value, status in [(VALUE, "completed"), ("another", "cached")]:
        store(command, value)
        assert project.run().code == 0
        assert project.statuses() == {"length": status}


def test_a_run_goes_on_with_the_value_of_now(project: Project, command: str) -> None:
    store(command, "expired")
    project.write(
        "main.py",
        """
        from partita import pipeline, step

        @step
        def use(token: str) -> None:
            if token == "expired":
                raise PermissionError(token)

        @pipeline
        def main():
            use("{{hub.token}}")
        """,
    )
    assert project.run().code == 1
    run = Client().get_run("latest").id
    partita(command, "secret", "delete", "hub")
    assert "partita secret set hub token" in project.resume(run).refusal
    store(command, "renewed")
    assert project.resume(run).code == 0
    assert Client().get_run("latest").id == run


@PLACES
def test_what_is_killed_leaves_no_value_behind(project: Project, command: str, place: str) -> None:
    on(place, command)
    store(command, VALUE)
    project.write(
        "main.py",
        """
        import os, signal
        from partita import pipeline, step

        @step
        def use(token: str) -> int:
            print(token, token[:5], end="", flush=True)
            if not os.path.exists("killed"):
                open("killed", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            return len(token)

        @pipeline
        def main():
            use("{{hub.token}}")
        """,
    )
    ended = project.run()
    assert ended.code == (1 if place == "process" else -9), ended
    check_untold(project, VALUE, ended.out, ended.err)
    assert project.resume(Client().get_run("latest").id).code == 0
    check_untold(project, VALUE, partita(command, "runs", "logs", "latest"))


def test_an_entrypoint_that_nobody_gave_the_secret_says_so(project: Project, command: str) -> None:
    store(command, VALUE)
    project.write("main.py", LENGTH)
    assert project.run().code == 0
    run = Client().get_run("latest")
    deployment = json.loads((project.store / "runs" / run.id / "run.json").read_text())
    commit = next((project.store / "runs" / run.id / "steps").glob("*commit*"))
    commit.unlink()
    for entry in (project.store / "cache").iterdir():
        entry.unlink()
    ended = project.python(
        *("-m", "partita.entrypoints.entrypoint"),
        "--entrypoint_config_source=partita.entrypoints.StepEntrypointConfiguration",
        f"--artifact_store=file://{project.store}",
        f"--deployment_id={deployment['deployment_id']}",
        f"--run_id={run.id}",
        "--step_name=length",
        "--attempt=auto",
    )
    assert "the secret `{{hub.token}}` was not handed to this process" in ended.err, ended


def test_a_run_without_secrets_loads_nothing_and_makes_no_key(project: Project) -> None:
    project.write(
        "main.py",
        """
        import sys
        from partita import pipeline, step

        @step
        def use(text: str) -> bool:
            print(text)
            return "partita.redaction" in sys.modules

        @pipeline
        def main():
            use("Hello {{user.name}}")
        """,
    )
    ended = project.run()
    assert ended.code == 0 and "Hello {{user.name}}" in ended.out, ended
    run = Client().get_run("latest")
    assert run.steps["use"].outputs["output"].load() is False
    assert not (project.home / "secrets.key").exists()


def test_a_value_is_asked_for_on_a_terminal_and_not_shown(project: Project, command: str) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [command, "secret", "set", "hub", "token"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    shown = b""
    for prompt in (b"Value of {{hub.token}}", b"Once more"):
        shown += _shown_until(ours, prompt)
        _wait_until_hidden(ours)
        os.write(ours, b"typed-value\n")
    shown += _shown_until(ours, b"stands for it")
    assert process.wait() == 0 and b"typed-value" not in shown, shown
    os.close(ours)


def _shown_until(terminal: int, text: bytes) -> bytes:
    """Returns what a terminal shows until it has shown a text."""
    shown = b""
    while text not in shown:
        assert select.select([terminal], [], [], PATIENCE)[0], shown
        shown += os.read(terminal, 1024)
    return shown


def _wait_until_hidden(terminal: int) -> None:
    """Waits until a terminal does not show what is typed: what is typed before that is lost."""
    end = time.monotonic() + PATIENCE
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        assert time.monotonic() < end
        os.sched_yield()


def _take_terminal() -> None:
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
