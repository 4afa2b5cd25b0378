"""Secrets on orchestrators of one's own: who is handed them, who is refused them, who tells them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time

import pytest

from conftest import PATIENCE, Project, finish
from custom_flavors import DIRECT, LAUNCHER, PIPELINE, SOURCE, told, use_flavor, write_flavor
from partita import Client
from process_stack import partita
from secret_steps import LENGTH, VALUE, check_untold, store

#: A queue that starts a job when somebody looks: at once if the door is open.
QUEUES = """
    import json
    import os
    import subprocess
    from pathlib import Path
    from partita.orchestrators import BaseOrchestrator, JobReport

    class MyOrchestrator(BaseOrchestrator):
        poll_interval = 0.01

        def launch(self, attempt, command, environment, resources):
            Path("job.new").write_text(json.dumps([command, environment]))
            os.rename("job.new", "job.json")
            return attempt.id

        def poll(self, job_id):
            if not os.path.exists("open"):
                return "active"
            command, environment = json.loads(Path("job.json").read_text())
            code = subprocess.run(command, env={**os.environ, **environment}).returncode
            return JobReport("completed" if code == 0 else "failed", exit_code=code)

        def cancel(self, job_id):
            pass
"""


def test_a_job_that_waits_longer_than_its_engine_lives_says_that_its_secrets_are_gone(
    project: Project, command: str
) -> None:
    store(command, VALUE)
    use_flavor(project, command, QUEUES)
    project.write("main.py", LENGTH)
    engine = project.begin("-m", "partita", "run", '{"target": "main.py"}')
    job, end = project.folder / "job.json", time.monotonic() + PATIENCE
    while not job.exists():
        assert time.monotonic() < end and engine.poll() is None, finish(engine)
    engine.kill()
    finish(engine)
    words, environment = json.loads(job.read_text())
    done = subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True)
    gone = "the secrets of step `length` are gone with the engine of the run"
    assert done.returncode == 1 and gone in done.stderr, done
    assert "`partita runs resume main-" in done.stderr, done
    job.unlink()
    (project.folder / "open").touch()
    resumed = project.resume(Client().get_run("latest").id)
    assert resumed.code == 0, resumed
    first, second = Client().get_run("latest").steps["length"].attempts
    assert gone in first["error"] and second["status"] == "completed"


REMOTE = "\n    @property\n    def is_remote(self): return self.queue.startswith('far')\n"


def use_remote(project: Project, command: str, when: str) -> None:
    """Makes a stack the active one whose orchestrator runs steps elsewhere; says so at some time."""
    write_flavor(project)
    config = project.folder / "flavors/config.py"
    here = config.read_text()
    if when in ("registered", "changed"):
        config.write_text(here + REMOTE)
    use_flavor(project, command, None)
    if when == "taken in":
        config.write_text(here + REMOTE)
        partita(command, "orchestrator", "update", "own", "--queue=near")
        config.write_text(here + REMOTE.replace("'far'", "''"))
        partita(command, "orchestrator", "flavor", "update", "mine")
    if when == "registered":
        partita(command, "orchestrator", "register", "away", "--flavor=mine", "--queue=far")
        partita(command, "stack", "register", "away", "-o", "away", "-a", "default", "--set")
    if when == "changed":
        partita(command, "orchestrator", "update", "own", "--queue=far")


@pytest.mark.parametrize("verb", ["run", "plan", "compile"])
@pytest.mark.parametrize("when", ["registered", "changed", "taken in"])
def test_a_secret_that_would_have_to_go_to_another_machine_is_refused_when_compiled(
    project: Project, command: str, when: str, verb: str
) -> None:
    store(command, VALUE)
    use_remote(project, command, when)
    project.write("main.py", LENGTH)
    shutil.rmtree(project.folder / "flavors")
    refused = told(command, verb, "main.py").refusal
    assert "step `length` takes the secret `{{hub.token}}`" in refused
    assert "` runs steps on other machines" in refused
    assert Client().list_runs() == []


def test_an_orchestrator_that_runs_steps_elsewhere_by_now_is_asked_before_the_run(
    project: Project, command: str
) -> None:
    store(command, VALUE)
    use_flavor(project, command)
    config = project.folder / "flavors/config.py"
    config.write_text(config.read_text() + REMOTE.replace("'far'", "''"))
    project.write("main.py", LENGTH)
    assert "orchestrator `own` runs steps on other machines" in project.run().refusal
    assert Client().list_runs() == []


@pytest.mark.parametrize("verb", ["run", "plan", "compile"])
def test_a_secret_of_a_step_in_a_container_of_ones_own_is_refused_when_compiled(
    project: Project, command: str, verb: str
) -> None:
    store(command, VALUE)
    write_flavor(project)
    flavor = project.folder / "flavors/my_flavor.py"
    flavor.write_text(flavor.read_text().replace("Supply(", "Supply(images=True, "))
    use_flavor(project, command, None)
    project.write("main.py", LENGTH)
    refused = told(command, verb, "main.py").refusal
    assert "step `length` takes the secret `{{hub.token}}`" in refused
    assert "orchestrator `own` runs steps in containers" in refused
    assert "flavor `docker`, `process` or `local`" in refused
    assert Client().list_runs() == []


TELLS = {
    "launch": (LAUNCHER.replace("process = ", "raise RuntimeError(self.config.queue)\n            process = "), ""),
    "poll": (LAUNCHER.replace("code = ", "raise RuntimeError(self.config.queue)\n            code = "), ""),
    "run": (DIRECT.replace("self.run_step(step)", "raise RuntimeError(self.config.queue)"), ""),
    "open": (DIRECT, "raise ValueError(queue)"),
}  # fmt: skip


@pytest.mark.parametrize("where", TELLS)
def test_an_orchestrator_that_fails_with_a_secret_in_its_message_tells_nobody(
    project: Project, command: str, where: str
) -> None:
    implementation, validates = TELLS[where]
    store(command, "queue-of-secrets")
    write_flavor(project, implementation)
    project.write("main.py", PIPELINE.replace("sum(values)", "open('go').read()"))
    partita(command, "orchestrator", "flavor", "register", SOURCE)
    partita(command, "orchestrator", "register", "own", "--flavor=mine", "--queue={{hub.token}}")
    partita(command, "stack", "register", "own", "-o", "own", "-a", "default", "--set")
    if validates:
        config = project.folder / "flavors/config.py"
        config.write_text(config.read_text().replace('if queue == "closed":', "if queue:"))
        config.write_text(
            config.read_text().replace('raise ValueError("the queue is closed")', validates)
        )
    ended = project.run()
    assert ended.code == 1 and "{{hub.token}}" in ended.err, ended
    described = partita(command, "runs", "describe", "latest")
    check_untold(project, "queue-of-secrets", ended.out, ended.err, described)


#: Ways for what an orchestrator knows to reach its steps.
REACHES = {
    "direct": DIRECT.replace("self.run_step", "import os; os.environ['QUEUE'] = self.config.queue\n                self.run_step"),
    "launcher": LAUNCHER.replace("**environment", "**environment, 'QUEUE': self.config.queue"),
}  # fmt: skip


@pytest.mark.parametrize("implementation", REACHES.values(), ids=REACHES)
def test_a_secret_of_an_orchestrator_is_told_by_no_step_that_it_reaches(
    project: Project, command: str, implementation: str
) -> None:
    store(command, "queue-of-secrets")
    write_flavor(project, implementation)
    project.write("main.py", PIPELINE.replace('print("adding")', 'print(os.environ["QUEUE"])'))
    partita(command, "orchestrator", "flavor", "register", SOURCE)
    partita(command, "orchestrator", "register", "own", "--flavor=mine", "--queue={{hub.token}}")
    partita(command, "stack", "register", "own", "-o", "own", "-a", "default", "--set")
    ended = project.run()
    assert ended.code == 0, ended
    assert "{{hub.token}}" in Client().get_run("latest").steps["add"].log
    check_untold(project, "queue-of-secrets", ended.out, ended.err)


@pytest.mark.parametrize("before", [110, 131_060], ids=["shown", "read"])
def test_a_secret_at_which_a_line_is_cut_is_not_told_in_part(
    project: Project, command: str, before: int
) -> None:
    dies = f'os.write(2, b"y" * {before} + self.config.queue.encode() + b" and more\\n" * 9); os._exit(9)'
    store(command, "Zq7SENTINEL9xVal-ue1")
    write_flavor(
        project, LAUNCHER.replace("process = ", f"import os; {dies}\n            process = ")
    )
    project.write("main.py", PIPELINE)
    partita(command, "orchestrator", "flavor", "register", SOURCE)
    partita(command, "orchestrator", "register", "own", "--flavor=mine", "--queue={{hub.token}}")
    partita(command, "stack", "register", "own", "-o", "own", "-a", "default", "--set")
    ended = project.run()
    assert ended.code == 1 and "ended with exit code 9" in ended.err, ended
    described = partita(command, "runs", "describe", "latest")
    check_untold(project, "Zq7SENT", ended.out, ended.err, described)
