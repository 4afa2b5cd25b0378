"""Steps on the `process` orchestrator: what each sees of its process, and nobody else does."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from itertools import chain

import pytest

from conftest import Project
from partita import Client
from process_stack import check_nothing_left, partita, use_process

WARM = pytest.mark.parametrize("warm", [True, False], ids=["forked", "started anew"])

ISOLATED = """
    import os, threading
    from partita import pipeline, step

    COUNT = []

    @step
    def changes() -> list[int]:
        os.environ["SEEN"] = "1"
        os.chdir("/")
        COUNT.append(1)
        return [os.getpid(), len(COUNT)]

    @step
    def looks(before: list[int]) -> list[str]:
        COUNT.append(1)
        return [str(os.getpid()), os.environ.get("SEEN", ""), os.getcwd(), str(len(COUNT))]

    @pipeline
    def isolated():
        looks(changes())
"""


@WARM
def test_what_a_step_does_to_its_process_no_other_step_sees(
    project: Project, command: str, warm: bool
) -> None:
    use_process(command, warm=warm)
    project.write("main.py", ISOLATED)
    finished = project.run()
    assert finished.code == 0, finished
    steps = Client().get_run("latest").steps
    pid, count = steps["changes"].outputs["output"].load()
    seen = steps["looks"].outputs["output"].load()
    assert count == 1
    assert seen[0] != str(pid)
    assert seen[1:] == ["", str(project.folder), "1"]
    check_nothing_left(project)


PRINTS = """
    import os, subprocess, sys
    from partita import pipeline, step

    @step
    def prints() -> None:
        print("from Python")
        os.write(1, b"from the system\\n")
        subprocess.run(["echo", "from a program"], check=True)
        sys.stdout.write("".join(f"\\r{number}%" for number in range(101)) + "\\n")
        print("without an end", end="")
        sys.stdout.flush()
        os.write(2, b"to the other stream")

    @pipeline
    def main():
        prints()
"""


@WARM
def test_the_log_has_all_that_a_step_and_its_programs_print(
    project: Project, command: str, warm: bool
) -> None:
    use_process(command, warm=warm)
    project.write("main.py", PRINTS)
    finished = project.run()
    assert finished.code == 0, finished
    log = Client().get_run("latest").steps["prints"].log.splitlines()
    expected = ["from Python", "from the system", "from a program", "100%", "without an end"]
    assert [line for line in log if line != "to the other stream"] == expected
    assert "to the other stream" in log
    assert [line.removeprefix("prints | ") for line in finished.out.splitlines()] == expected


def moment(text: str | None) -> datetime:
    """Reads a time, also with Python 3.10, to which `Z` means nothing."""
    return datetime.fromisoformat((text or "").replace("Z", "+00:00"))


TIMED = """
    import os, sys
    from datetime import datetime, timezone
    from pathlib import Path
    from partita import pipeline, step

    def say(line: str, stream) -> str:
        before = datetime.now(timezone.utc).isoformat()
        print(line, file=stream, flush=True)
        home = Path(os.environ["PARTITA_HOME"])
        # Until it is recorded, so that the step does not end before.
        while not any(line in log.read_text() for log in home.glob("store/runs/*/steps/*.log.*")):
            os.sched_yield()
        return before

    @step
    def says() -> list[str]:
        return [say("one", sys.stdout), say("two", sys.stderr), say("three", sys.stdout)]

    @pipeline
    def main():
        says()
"""


@pytest.mark.parametrize("where", ["local", "forked", "started anew"])
def test_each_line_of_a_log_says_when_it_was_printed_and_to_which_stream(
    project: Project, command: str, where: str
) -> None:
    if where != "local":
        use_process(command, warm=where == "forked")
    project.write("main.py", TIMED)
    finished = project.run()
    assert finished.code == 0, finished
    step = Client().get_run("latest").steps["says"]
    (attempt,) = step.attempts
    (log,) = project.store.glob("runs/*/steps/*-says.attempt-1.log.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    expected = [("stdout", "one"), ("stderr", "two"), ("stdout", "three")]
    assert [(line["stream"], line["line"]) for line in lines] == expected
    said = zip(step.output.load(), (line["at"] for line in lines), strict=True)
    times = [attempt["started_at"], *chain.from_iterable(said), attempt["ended_at"]]
    assert list(map(moment, times)) == sorted(map(moment, times))


MUCH = """
    from partita import pipeline, step

    @step
    def much(count: int) -> None:
        for number in range(count):
            print(f"{number:09}")

    @pipeline
    def main(count: int):
        much(count)
"""


def test_lines_above_the_rate_of_a_log_are_counted_in_it(project: Project, command: str) -> None:
    rate, printed = 10, 20_000
    use_process(command, log_rate=rate)
    project.write("main.py", MUCH)
    began = time.monotonic()
    finished = project.run(parameters={"count": str(printed)})
    assert finished.code == 0, finished
    step = Client().get_run("latest").steps["much"]
    kept = [line for line in step.log.splitlines() if line.isdigit()]
    told = re.findall(r"^partita: (\d+) lines? left out here", step.log, re.MULTILINE)
    assert kept[:rate] == [f"{number:09}" for number in range(rate)]
    assert len(kept) + sum(map(int, told)) == printed
    assert len(kept) <= rate * (1 + time.monotonic() - began)


def test_a_log_takes_no_more_bytes_than_its_size_and_says_so(
    project: Project, command: str
) -> None:
    use_process(command, log_size="1KB")
    project.write("main.py", MUCH)
    finished = project.run(parameters={"count": "2000"})
    assert finished.code == 0, finished
    *kept, told = Client().get_run("latest").steps["much"].log.splitlines()
    assert kept == [f"{number:09}" for number in range(100)]
    assert told.startswith("partita: this log ends here, since it has reached 1KB (`log_size`")


ENVIRONMENT = """
    import os
    from partita import ResourceSettings, pipeline, step

    NAMES = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")

    def environment() -> list[str]:
        return [os.environ.get(name, "-") for name in NAMES]

    @step
    def plain() -> list[str]:
        return environment()

    @step(settings={"resources": ResourceSettings(cpu_count=2, gpu_count=1)})
    def much() -> list[str]:
        return environment()

    @step(settings={"resources": ResourceSettings(gpu_count=1)})
    def another() -> list[str]:
        return environment()

    @pipeline(enable_cache=False)  # The steps differ in nothing but what they ask for.
    def main():
        plain()
        another(after=[much()])
"""


def test_a_step_sees_the_gpus_and_threads_that_it_asked_for(
    project: Project, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    use_process(command, cpu_count=4, gpus=["7", "8"])
    project.write("main.py", ENVIRONMENT)
    finished = project.run()
    assert finished.code == 0, finished
    steps = Client().get_run("latest").steps
    seen = {name: step.outputs["output"].load() for name, step in steps.items()}
    assert seen["plain"] == ["", "1", "1"]
    assert seen["much"][1:] == ["2", "2"]
    assert {seen["much"][0], seen["another"][0]} <= {"7", "8"}
    assert "starts Python anew, since the number of threads" in (steps["much"].log or "")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            "gpu_count=3",
            "asks for 3 GPUs, which orchestrator `fast` (flavor `process`) does not have",
        ),
        ("cpu_count=5", "asks for 5 CPUs, which orchestrator `fast`"),
        ('memory="3GB"', "asks for 3GB of memory, which orchestrator `fast`"),
    ],
)
def test_a_step_that_never_fits_is_refused_before_anything_runs(
    project: Project, command: str, asked: str, message: str
) -> None:
    use_process(command, cpu_count=4, gpus=["7", "8"], memory="2GB")
    text = ENVIRONMENT.replace("cpu_count=2, gpu_count=1", asked)
    project.write("main.py", text)
    finished = project.run()
    assert finished.code == 1, finished
    assert message in finished.err
    assert Client().list_runs() == []


TOGETHER = """
    import os, time
    from partita import ResourceSettings, pipeline, step

    def meet(own: str, other: str) -> None:
        open(own, "w").close()
        while not os.path.exists(other):
            time.sleep(0.005)

    @step(timeout="1m")
    def one() -> None:
        meet("one", "two")

    @step(timeout="1m")
    def two() -> None:
        meet("two", "one")

    @pipeline
    def main():
        one()
        two()
"""


def test_steps_run_at_once(project: Project, command: str) -> None:
    use_process(command, max_parallelism=2)
    project.write("main.py", TOGETHER)
    finished = project.run()
    assert finished.code == 0, finished


APART = """
    import os
    from partita import ResourceSettings, pipeline, step

    @step(settings={"resources": ResourceSettings(cpu_count=1)})
    def alone(number: int) -> int:
        os.mkdir("busy")  # Fails while another one runs.
        os.rmdir("busy")
        return number

    @pipeline
    def main():
        for number in range(8):
            alone(number)
"""


def test_steps_that_ask_for_more_than_there_is_wait_for_one_another(
    project: Project, command: str
) -> None:
    use_process(command, max_parallelism=8, cpu_count=1)
    project.write("main.py", APART)
    finished = project.run()
    assert finished.code == 0, finished


LIMITED = """
    from partita import ResourceSettings, pipeline, step

    @step(settings={"resources": ResourceSettings(memory="400MB")})
    def limited(megabytes: int) -> int:
        return len(bytearray(megabytes * 1_000_000))

    @step
    def free() -> int:
        return len(bytearray(500_000_000))

    @pipeline(failure_mode="continue_on_failure")
    def main():
        limited(10, id="fits")
        limited(500, id="does_not")
        free()
"""


@WARM
def test_a_step_gets_no_more_memory_than_it_asked_for(
    project: Project, command: str, warm: bool
) -> None:
    use_process(command, warm=warm)
    project.write("main.py", LIMITED)
    assert project.run().code == 1
    assert project.statuses() == {"fits": "completed", "does_not": "failed", "free": "completed"}
    error = Client().get_run("latest").steps["does_not"].attempts[0]["error"]
    assert error is not None
    assert "MemoryError: the step may use 400 MB of memory" in error


MIXED = """
    import os
    from partita import pipeline, step

    @step(orchestrator="here")
    def here() -> int:
        return os.getpid()

    @step
    def there(pid: int) -> list[int]:
        return [pid, os.getpid()]

    @pipeline
    def main():
        there(here())

    if __name__ == "__main__":
        run = main()
        first, second = run.steps["there"].outputs["output"].load()
        assert first == os.getpid() != second
"""


def test_a_step_may_name_another_orchestrator_of_the_stack(project: Project, command: str) -> None:
    use_process(command)
    project.write("main.py", MIXED)
    finished = project.python("main.py")
    assert finished.code == 0, finished
    described = json.loads(partita(command, "runs", "describe", "latest", "--output", "json"))
    assert described["orchestrator"] == "fast"


CLOSURE = """
    from partita import pipeline, step

    def make(factor: int):
        @step
        def scale(x: int) -> int:
            return x * factor
        return scale

    @pipeline
    def main():
        make(3)(1)
"""


def test_a_step_that_cannot_be_loaded_again_is_refused_before_anything_runs(
    project: Project, command: str
) -> None:
    use_process(command)
    project.write("main.py", CLOSURE)
    finished = project.run()
    assert "`main:make.<locals>.scale` is at the top of no file's module" in finished.err
    assert finished.code == 1
    assert Client().list_runs() == []


RANDOM = """
    import random
    import numpy as np
    from partita import pipeline, step

    np.random.random()

    @step
    def draw(number: int) -> list[float]:
        return [random.random(), float(np.random.random())]

    @pipeline
    def main():
        for number in range(4):
            draw(number)
"""


def test_forked_steps_draw_random_numbers_of_their_own(project: Project, command: str) -> None:
    use_process(command)
    project.write("main.py", RANDOM)
    finished = project.run()
    assert finished.code == 0, finished
    steps = Client().get_run("latest").steps.values()
    drawn = [step.outputs["output"].load() for step in steps]
    assert len({first for first, _ in drawn}) == len({second for _, second in drawn}) == 4


CONTEXT = """
    from partita import StepRetryConfig, get_step_context, log_metadata, pipeline, step

    def note(text: str) -> None:
        with open("calls.txt", "a") as file:
            file.write(text + chr(10))

    def succeeded() -> None:
        note("succeeded")

    def failed(error: BaseException) -> None:
        note(f"failed: {error}")

    @step(on_success=succeeded, on_failure=failed, retry=StepRetryConfig(max_retries=1))
    def tries() -> int:
        context = get_step_context()
        log_metadata({"attempt": context.attempt})
        if context.attempt == 1:
            raise ValueError("the first")
        return context.attempt

    @step(on_failure=failed, retry=StepRetryConfig(max_retries=1))
    def fails(number: int) -> int:
        raise ValueError(f"for {number}")

    @pipeline
    def main():
        fails(tries())
"""


@WARM
def test_retries_hooks_and_metadata_are_as_everywhere(
    project: Project, command: str, warm: bool
) -> None:
    use_process(command, warm=warm)
    project.write("main.py", CONTEXT)
    finished = project.run()
    assert finished.code == 1, finished
    steps = Client().get_run("latest").steps
    assert steps["tries"].metadata == {"attempt": 2}
    first, second = steps["tries"].attempts
    assert first["status"] == "failed"
    assert "ValueError: the first" in (first["error"] or "")
    assert second["status"] == "completed"
    assert steps["tries"].cache_reason == "there is no earlier run of this pipeline here"
    assert len(steps["fails"].attempts) == 2
    assert project.lines() == ["succeeded", "failed: for 2"]


def test_results_of_steps_in_processes_are_cached(project: Project, command: str) -> None:
    use_process(command)
    project.write("main.py", ISOLATED)
    assert project.run().code == 0
    assert project.run().code == 0
    assert set(project.statuses().values()) == {"cached"}
    check_nothing_left(project)
