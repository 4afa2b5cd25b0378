"""The page of the earlier system, section by section: what it shows works, and what it says is so."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from abc import ABC, abstractmethod
from typing import Any

import pytest

from conftest import Project
from custom_flavors import told
from partita import Client
from process_stack import partita

FLAVOR = """
    from pathlib import Path
    Path(__file__).parent.with_name("loaded.txt").open("a").write("flavor\\n")
    from typing import Type
    from flavors.my_config import MyOrchestratorConfig
    from partita.orchestrators import BaseOrchestrator, BaseOrchestratorFlavor

    class MyOrchestratorFlavor(BaseOrchestratorFlavor):
        @property
        def name(self):
            return "my_flavor"

        @property
        def config_class(self):
            return MyOrchestratorConfig

        @property
        def implementation_class(self) -> Type["BaseOrchestrator"]:
            from flavors.my_orchestrator import MyOrchestrator
            return MyOrchestrator
"""

CONFIG = """
    from pathlib import Path
    Path(__file__).parent.with_name("loaded.txt").open("a").write("config\\n")
    from pydantic import field_validator
    from partita.orchestrators import BaseOrchestratorConfig

    class MyOrchestratorConfig(BaseOrchestratorConfig):
        queue: str = "short"

        @field_validator("queue")
        @classmethod
        def is_open(cls, queue):
            if queue == "closed":
                raise ValueError("the queue is closed")
            return queue
"""

ORCHESTRATOR = """
    from pathlib import Path
    Path(__file__).parent.with_name("loaded.txt").open("a").write("implementation\\n")
    import a_dependency
    from typing import Any, Dict
    from partita.models import PipelineDeploymentResponseModel
    from partita.orchestrators import BaseOrchestrator
    from partita.stack import Stack

    class MyOrchestrator(BaseOrchestrator):
        def prepare_or_run_pipeline(
            self,
            deployment: PipelineDeploymentResponseModel,
            stack: Stack,
            environment: Dict[str, str],
        ) -> Any:
            for step in deployment.steps.values():
                if self.requires_resources_in_orchestration_environment(step):
                    print("asked:", step.name, step.config.resource_settings.cpu_count)
                self.run_step(step)
"""

PIPELINE = """
    from partita import ResourceSettings, pipeline, step

    @step
    def first() -> int:
        return 2

    @step(settings={"resources": ResourceSettings(RESOURCES)})
    def second(number: int) -> int:
        return number + 1

    @pipeline
    def page():
        second(first())
"""

SOURCE = "flavors.my_flavor.MyOrchestratorFlavor"


@pytest.fixture
def page(project: Project) -> Project:
    """A repository with the flavor; its implementation cannot be imported yet."""
    project.write("flavors/__init__.py", "")
    project.write("flavors/my_flavor.py", FLAVOR)
    project.write("flavors/my_config.py", CONFIG)
    project.write("flavors/my_orchestrator.py", ORCHESTRATOR)
    project.write("main.py", PIPELINE.replace("RESOURCES", "cpu_count=1"))
    return project


def loaded(project: Project) -> set[str]:
    """Which classes were imported since this was asked last."""
    record = project.folder / "loaded.txt"
    found = set(project.lines("loaded.txt")) if record.exists() else set[str]()
    record.unlink(missing_ok=True)
    return found


def test_the_base_implementation_has_the_names_of_the_page() -> None:
    from partita.enums import StackComponentType
    from partita.models import PipelineDeploymentResponseModel
    from partita.orchestrators import (
        BaseOrchestrator,
        BaseOrchestratorConfig,
        BaseOrchestratorFlavor,
    )
    from partita.stack import Flavor, Stack, StackComponent, StackComponentConfig

    assert issubclass(BaseOrchestratorConfig, StackComponentConfig)
    assert issubclass(BaseOrchestrator, StackComponent)
    assert issubclass(BaseOrchestratorFlavor, Flavor)
    assert BaseOrchestratorFlavor().type is StackComponentType.ORCHESTRATOR
    assert BaseOrchestratorFlavor().config_class is BaseOrchestratorConfig
    for abstract in ("name", "implementation_class"):
        with pytest.raises(NotImplementedError, match=abstract):
            getattr(BaseOrchestratorFlavor(), abstract)
    parameters = inspect.signature(BaseOrchestrator.prepare_or_run_pipeline).parameters
    assert list(parameters) == ["self", "deployment", "stack", "environment"]
    assert PipelineDeploymentResponseModel.__name__ in parameters["deployment"].annotation
    assert Stack.__name__ == parameters["stack"].annotation


#: Every import of the page, and those of the code that owners of such orchestrators have.
IMPORTS = """
    from partita.models import PipelineDeploymentResponseModel
    from partita.enums import StackComponentType
    from partita.stack import StackComponent, StackComponentConfig, Stack, Flavor
    from partita.entrypoints.base_entrypoint_configuration import BaseEntrypointConfiguration
    from partita.entrypoints.step_entrypoint_configuration import STEP_NAME_OPTION
    from partita.config.base_settings import BaseSettings
    from partita.config.resource_settings import ResourceSettings
    from partita.config.step_configurations import Step
    from partita.orchestrators import ContainerizedOrchestrator
    from partita.stack.stack_component import StackComponent, StackComponentConfig
    from partita.stack.stack_validator import StackValidator
"""


@pytest.mark.parametrize("line", IMPORTS.strip().splitlines())
def test_what_the_page_imports_is_there(line: str) -> None:
    found: dict[str, object] = {}
    exec(line.strip(), found)
    names = line.partition(" import ")[2].split(", ")
    assert all(isinstance(found[name], (type, str)) for name in names)


def test_the_base_of_those_that_use_images_is_an_orchestrator() -> None:
    from partita.orchestrators import BaseOrchestrator, ContainerizedOrchestrator

    assert issubclass(ContainerizedOrchestrator, BaseOrchestrator)


def test_a_deployment_tells_what_applies_to_its_pipeline() -> None:
    from partita.models import PipelineDeploymentResponseModel

    pipeline = {"name": "p", "parameters": {"depth": 3}, "failure_mode": "fail_fast"}
    deployment = PipelineDeploymentResponseModel({"id": "d", "pipeline": pipeline, "steps": []})
    told = deployment.pipeline_configuration
    assert (told.name, told.parameters, told.failure_mode) == ("p", {"depth": 3}, "fail_fast")


def test_an_orchestrator_may_be_abstract_in_parts() -> None:
    from partita.orchestrators import BaseOrchestrator

    class Waits(BaseOrchestrator, ABC):
        @abstractmethod
        def pause(self) -> None: ...

    assert Waits.__abstractmethods__ == {"pause"}


def test_a_flavor_is_registered_by_its_path_from_where_init_was_typed(
    page: Project, command: str
) -> None:
    partita(command, "init")
    below = page.folder / "deep/below"
    below.mkdir(parents=True)
    words = [command, "orchestrator", "flavor", "register", SOURCE]
    done = subprocess.run(words, cwd=below, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert "warning" not in done.stderr
    listed = json.loads(partita(command, "orchestrator", "flavor", "list", "--output", "json"))
    assert {flavor["name"] for flavor in listed} >= {"local", "process", "my_flavor"}
    assert "my_flavor" in partita(command, "orchestrator", "flavor", "list")


def test_without_init_the_path_begins_in_the_current_directory_and_a_warning_says_so(
    page: Project, command: str
) -> None:
    done = told(command, "orchestrator", "flavor", "register", SOURCE)
    assert done.code == 0, done
    assert "warning" in done.err and "partita init" in done.err


def test_each_class_is_imported_when_the_page_says(page: Project, command: str) -> None:
    partita(command, "init")
    registered = told(command, "orchestrator", "flavor", "register", SOURCE)
    assert registered.code == 0, registered
    assert loaded(page) == {"flavor", "config"}  # The configuration for its schema.
    words = ["orchestrator", "register", "own", "--flavor=my_flavor"]
    refused = told(command, *words, "--queue=closed")
    assert refused.code == 2 and "`queue`: the queue is closed" in refused.err
    assert loaded(page) == {"flavor", "config"}
    assert told(command, *words, "--queue=long").code == 0
    updated = told(command, "orchestrator", "update", "own", "--queue=short")
    assert updated.code == 0, updated
    assert loaded(page) == {"flavor", "config"}
    partita(command, "stack", "register", "own", "-o", "own", "-a", "default", "--set")
    for verb in ("plan", "compile"):
        assert told(command, verb, "main.py").code == 0
    assert loaded(page) == set()
    failed = page.run()
    assert failed.code == 1 and "No module named 'a_dependency'" in failed.err, failed
    assert "implementation" in loaded(page)
    page.write("a_dependency.py", "")
    done = page.run()
    assert done.code == 0, done
    assert Client().get_run("latest").steps["second"].output.load() == 3


def test_steps_are_run_in_the_same_process_and_resources_are_seen(
    page: Project, command: str
) -> None:
    partita(command, "init")
    page.write("a_dependency.py", "")
    partita(command, "orchestrator", "flavor", "register", SOURCE)
    partita(command, "orchestrator", "register", "own", "--flavor=my_flavor")
    partita(command, "stack", "register", "own", "-o", "own", "-a", "default", "--set")
    orchestrator = page.folder / "flavors/my_orchestrator.py"
    orchestrator.write_text(orchestrator.read_text() + "import os\nprint('process', os.getpid())\n")
    main = page.folder / "main.py"
    main.write_text("import os\n" + main.read_text().replace("return 2", "return os.getpid()"))
    done = page.run()
    assert done.code == 0, done
    process = Client().get_run("latest").steps["first"].output.load()
    assert f"process {process}" in done.err
    assert "asked: second 1" in done.err and "asked: first" not in done.err


def test_a_gpu_that_nobody_gives_is_refused(page: Project, command: str) -> None:
    partita(command, "init")
    page.write("a_dependency.py", "")
    partita(command, "orchestrator", "flavor", "register", SOURCE)
    partita(command, "orchestrator", "register", "own", "--flavor=my_flavor")
    partita(command, "stack", "register", "own", "-o", "own", "-a", "default", "--set")
    page.write("main.py", PIPELINE.replace("RESOURCES", "gpu_count=1"))
    refused = page.run().refusal
    assert "step `second` asks for 1 GPU, which orchestrator `own` (flavor `my_flavor`)" in refused
    assert not Client().list_runs()


ENTRYPOINT = """
    from typing import Any, List, Set
    from partita.entrypoints.base_entrypoint_configuration import BaseEntrypointConfiguration
    from partita.entrypoints.step_entrypoint_configuration import (
        STEP_NAME_OPTION,
        StepEntrypointConfiguration,
    )

    class MyEntrypointConfiguration(StepEntrypointConfiguration):
        def post_run(self, pipeline_name: str, step_name: str) -> None:
            print("after", pipeline_name, step_name, self.entrypoint_args["tier"])

        @classmethod
        def get_entrypoint_options(cls) -> Set[str]:
            return super().get_entrypoint_options() | {STEP_NAME_OPTION, "tier"}

        @classmethod
        def get_entrypoint_arguments(cls, **kwargs: Any) -> List[str]:
            return super().get_entrypoint_arguments(**kwargs) + ["--tier", kwargs["tier"]]

        def run(self) -> None:
            print("before", self.entrypoint_args[STEP_NAME_OPTION])
            super().run()
"""


def test_a_step_entrypoint_of_ones_own_has_options_arguments_run_and_post_run(
    page: Project, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    partita(command, "init")
    page.write("my_entrypoint.py", ENTRYPOINT)
    assert page.run().code == 0
    run = Client().get_run("latest")
    header = json.loads((page.store / "runs" / run.id / "run.json").read_text())
    monkeypatch.syspath_prepend(page.folder)
    import my_entrypoint  # pyright: ignore[reportMissingImports]

    mine: Any = my_entrypoint.MyEntrypointConfiguration
    assert issubclass(mine, my_entrypoint.BaseEntrypointConfiguration)
    assert mine.get_entrypoint_command() == ["python", "-m", "partita.entrypoints.entrypoint"]
    assert "step_name" in mine.get_entrypoint_options()
    arguments = mine.get_entrypoint_arguments(
        step_name="second",
        deployment_id=header["deployment_id"],
        run_id=run.id,
        artifact_store=f"file://{page.store.resolve()}",
        tier="gold",
    )
    assert "--step_name" in arguments
    command_line = [sys.executable, *mine.get_entrypoint_command()[1:]]
    done = page.python(*command_line[1:], *arguments)
    assert done.code == 0, done
    assert done.out.splitlines() == ["before second", "after page second gold"]
    missing = page.python(*command_line[1:], *arguments[:-2])
    assert missing.code == 2 and "`--tier` is missing" in missing.err
    unknown = page.python(*command_line[1:], *arguments, "--colour", "red")
    assert unknown.code == 2 and "`--colour` is no option of it" in unknown.err
