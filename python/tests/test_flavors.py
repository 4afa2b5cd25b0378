"""Flavors in Python: found, registered, validated, and not loaded before that is needed."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from conftest import Project
from custom_flavors import DIRECT, FLAVOR, SOURCE, told, use_flavor, write_flavor
from partita import Client
from process_stack import partita

REGISTER = ("orchestrator", "flavor", "register")


def test_a_flavor_is_registered_by_its_dotted_path_from_anywhere_below_the_source_root(
    project: Project, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_flavor(project)
    below = project.folder / "deep" / "down"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    done = told(command, *REGISTER, SOURCE)
    assert done.code == 0 and "warning" not in done.err, done
    flavors = json.loads(partita(command, "orchestrator", "flavor", "list", "--output", "json"))
    assert [flavor["name"] for flavor in flavors] == ["docker", "local", "mine", "process"]
    described = partita(command, "orchestrator", "flavor", "describe", "mine")
    for part in ("Runs steps my way.", "queue", "(required)", "a whole number", SOURCE):
        assert part in described


def test_without_a_source_root_the_current_folder_is_used_and_that_is_said(
    project: Project, command: str
) -> None:
    write_flavor(project)
    shutil.rmtree(project.folder / ".partita")
    done = told(command, *REGISTER, SOURCE)
    assert done.code == 0, done
    assert "warning: no folder at or above" in done.err and "`partita init`" in done.err


def test_components_are_validated_by_the_schema_and_by_custom_validators(
    project: Project, command: str
) -> None:
    write_flavor(project)
    partita(command, *REGISTER, SOURCE)

    def check(*options: str, part: str) -> None:
        done = told(command, "orchestrator", "register", "own", "--flavor=mine", *options)
        assert done.code == 2 and part in done.err, done
        done.check_no_faults()

    check("--nodes=2", part="needs `--queue=VALUE`")
    check("--queue=a", "--nodes=two", part="`nodes` is a whole number")
    check("--quue=a", part="did you mean `--queue`?")
    check("--queue=closed", part="`queue`: the queue is closed")
    partita(command, "orchestrator", "register", "own", "--flavor=mine", "--queue=a100")
    done = told(command, "orchestrator", "update", "own", "--queue=closed")
    assert done.code == 2 and "the queue is closed" in done.err


def check_all_but_runs(project: Project, command: str, warning: str) -> None:
    """Checks that components and stacks are configured, and pipelines compiled, as ever."""

    def check(*words: str) -> None:
        done = told(command, *words)
        lines = done.err.splitlines()
        assert done.code == 0 and ("warning" in lines[0]) is bool(warning), done
        assert lines[0].startswith(warning), done

    check("orchestrator", "register", "two", "--flavor=mine", "--queue=b")
    check("orchestrator", "update", "two", "--nodes=2")
    for option, part in (("--nodes=x", "`nodes` is a whole number"), ("--quue=a", "no key `quue`")):
        done = told(command, "orchestrator", "update", "two", option)
        assert done.code == 2 and part in done.err, done
    partita(command, "stack", "register", "two", "-o", "two", "-a", "default")
    partita(command, "stack", "update", "two", "-o", "own", "-o", "two")
    shown = json.loads(partita(command, "stack", "list", "--output", "json"))
    assert [stack["name"] for stack in shown] == ["default", "own", "two"]
    assert "own" in partita(command, "stack", "describe", "two")
    assert "two" in partita(command, "orchestrator", "list")
    assert "mine" in partita(command, "orchestrator", "flavor", "list")
    assert "queue" in partita(command, "orchestrator", "flavor", "describe", "mine")
    assert project.verb("compile", target="main.py").code == 0
    assert project.verb("plan", target="main.py").code == 0


def test_an_implementation_whose_imports_fail_stops_nothing_but_a_run(
    project: Project, command: str
) -> None:
    use_flavor(project, command, "import a_driver_that_is_not_installed\n")
    check_all_but_runs(project, command, warning="")
    done = project.run()
    assert done.code == 1, done
    assert "the orchestrator `own` cannot be opened: the implementation of the flavor" in done.err
    assert "a_driver_that_is_not_installed" in done.err
    assert Client().get_run("latest").status == "failed"


def test_a_flavor_whose_package_is_gone_is_known_by_its_stored_schema(
    project: Project, command: str
) -> None:
    use_flavor(project, command)
    shutil.rmtree(project.folder / "flavors")
    warning = "warning: the configuration is checked against the stored schema alone"
    check_all_but_runs(project, command, warning=warning)
    done = project.run()
    assert done.code == 1, done
    gone = "the orchestrator `own` cannot be opened: there is no module `flavors.my_flavor`"
    assert gone in done.err
    assert Client().get_run("latest").status == "failed"
    doctor = told(command, "doctor")
    assert doctor.code == 1 and "`mine` cannot be loaded" in doctor.out
    refused = told(command, "orchestrator", "flavor", "update", "mine").refusal
    assert "there is no module `flavors.my_flavor`" in refused
    partita(command, "orchestrator", "flavor", "describe", "mine")


def test_a_run_tells_of_a_supply_that_has_changed_since_it_was_registered(
    project: Project, command: str
) -> None:
    use_flavor(project, command)
    done = project.run()
    assert done.code == 0 and "supply" not in done.err, done
    flavor = project.folder / "flavors/my_flavor.py"
    flavor.write_text(flavor.read_text().replace("max_parallelism=4", "max_parallelism=2"))
    done = project.run(enable_cache=False)
    assert "the flavor `mine` has another `supply` than when it was registered" in done.err
    assert "`partita orchestrator flavor update mine` takes it in" in done.err
    partita(command, "orchestrator", "flavor", "update", "mine")
    done = project.run(enable_cache=False)
    assert done.code == 0 and "supply" not in done.err, done


def test_an_update_takes_in_a_changed_config_class(project: Project, command: str) -> None:
    use_flavor(project, command)
    config = project.folder / "flavors/config.py"
    config.write_text(config.read_text().replace("nodes: int = 1", "partition: str"))
    done = told(command, "orchestrator", "flavor", "update", "mine")
    assert done.code == 0, done
    assert "the orchestrator `own` no longer validates: `partition` is missing" in done.err


@pytest.mark.parametrize(
    ("source", "module", "part"),
    [
        ("flavors.nothing.Flavor", "", "there is no module `flavors.nothing`"),
        ("flavors.other.Nothing", FLAVOR, "it"),
        ("flavors.other.Nothing", FLAVOR, "its flavors are `flavors.other.MyOrchestratorFlavor`"),
        (
            "flavors.other",
            FLAVOR,
            "`flavors.other` is a module, and a flavor is named by its class; "
            "its flavors are `flavors.other.MyOrchestratorFlavor`",
        ),
        ("flavors.other.Thing", "Thing = 5", "of type `int` and no subclass"),
        ("flavors.other.Thing", "class Thing: ...", "a class and no subclass"),
        ("flavors.other.Thing", "import not_there", "ModuleNotFoundError: No module named"),
        ("flavors.other.Thing", "raise ValueError('broken')", "ValueError: broken"),
        ("flavors.other.Thing", "x = (", "SyntaxError"),
        (
            "flavors.other.Thing",
            "def f(:",
            "; it was loaded by Python 3.",
        ),
        (
            "flavors.other.Thing",
            "from partita.orchestrators import BaseOrchestratorFlavor\n"
            "class Thing(BaseOrchestratorFlavor):\n    name = 'x'\n",
            "the flavor `flavors.other.Thing` has no `implementation_class`; return",
        ),
        (
            "flavors.other.Thing",
            "import os\nos._exit(3)",
            "ended with exit code 3",
        ),
    ],
)
def test_what_is_no_flavor_is_refused_in_one_paragraph(
    project: Project, command: str, source: str, module: str, part: str
) -> None:
    write_flavor(project)
    project.write("flavors/other.py", module)
    done = told(command, *REGISTER, source)
    assert part in done.refusal
    flavors = json.loads(partita(command, "orchestrator", "flavor", "list", "--output", "json"))
    assert {flavor["source"] for flavor in flavors} == {"built-in"}


THING = """
    from partita.enums import StackComponentType
    from partita.orchestrators import BaseOrchestratorFlavor, Supply

    class Thing(BaseOrchestratorFlavor):
        name = "x"
        implementation_class = property(lambda self: None)
        {}
"""


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("name = 5", "the `name` of the flavor `flavors.other.Thing` is `5`, and must be a text"),
        ("name = 'my queue'", "its name is refused because it has ` `"),
        ("name = property(lambda self: 1 / 0)", "the `name` of the flavor `flavors.other.Thing` raised ZeroDivisionError"),
        ("name = BaseOrchestratorFlavor.name", "Thing` has no `name`; give it a property `name`"),
        ("type = StackComponentType.ARTIFACT_STORE", "flavor of type `artifact_store`"),
        ("type = 'orchestrator'", "and must be a `StackComponentType`"),
        ("config_class = dict", "and must be a subclass of `BaseOrchestratorConfig`"),
        ("config_class = property(lambda self: 1 / 0)", "the `config_class` of the flavor `flavors.other.Thing` raised Zero"),
        ("settings_class = dict", "and must be a subclass of `BaseSettings`"),
        ("supply = {'gpus': 1}", "and must be a `Supply`"),
        ("supply = Supply(max_parallelism=0)", "`supply.max_parallelism` is a whole number of at least 1"),
        ("supply = Supply(grace=1e308)", "`supply.grace` is a number from 0 to 86400"),
        ("supply = property(lambda self: Supply(grace=float('nan')))", "`grace` is `nan`, and must be a number"),
        ("supply = Supply(gpus=0.5)", "`supply.gpus` is a whole number"),
        ("supply = property(lambda self: Supply(max_paralelism=4))", "unexpected keyword argument 'max_paralelism'"),
        ("docs_url = 7", "the `docs_url` of the flavor `flavors.other.Thing` is `7`"),
        ("__init__ = lambda self, more: None", "the flavor `flavors.other.Thing` cannot be made: TypeError"),
    ],
)  # fmt: skip
def test_a_flavor_that_says_something_wrong_of_itself_is_refused_by_property(
    project: Project, command: str, line: str, part: str
) -> None:
    write_flavor(project)
    project.write("flavors/other.py", THING.format(line))
    assert part in told(command, *REGISTER, "flavors.other.Thing").refusal
    flavors = json.loads(partita(command, "orchestrator", "flavor", "list", "--output", "json"))
    assert {flavor["source"] for flavor in flavors} == {"built-in"}


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("output: str", "the configuration key `output`, which could never be set"),
        ("call: Callable[[], int]", "has a field that cannot be configured"),
    ],
)
def test_a_config_class_that_nobody_could_configure_is_refused(
    project: Project, command: str, field: str, part: str
) -> None:
    write_flavor(project)
    config = project.folder / "flavors/config.py"
    config.write_text(
        "from collections.abc import Callable\n"
        + config.read_text().replace("nodes: int = 1", field)
    )
    assert part in told(command, *REGISTER, SOURCE).refusal


def test_two_flavors_of_one_name_are_refused_and_the_first_one_stays(
    project: Project, command: str
) -> None:
    write_flavor(project)
    partita(command, *REGISTER, SOURCE)
    project.write("flavors/other.py", THING.format("name = 'mine'"))
    refused = told(command, *REGISTER, "flavors.other.Thing").refusal
    assert "the orchestrator flavor `mine` is there already" in refused
    assert SOURCE in partita(command, "orchestrator", "flavor", "describe", "mine")


def test_a_validator_that_raises_what_no_validator_should_is_a_problem_of_the_configuration(
    project: Project, command: str
) -> None:
    write_flavor(project)
    config = project.folder / "flavors/config.py"
    config.write_text(config.read_text().replace("raise ValueError(", "raise KeyError("))
    partita(command, *REGISTER, SOURCE)
    done = told(command, "orchestrator", "register", "own", "--flavor=mine", "--queue=closed")
    assert done.code == 2, done
    assert "a check of `MyOrchestratorConfig` raised KeyError: 'the queue is closed'" in done.err
    assert "own" not in partita(command, "orchestrator", "list")


def test_a_component_that_no_longer_fits_its_flavor_runs_nothing(
    project: Project, command: str
) -> None:
    use_flavor(project, command)
    config = project.folder / "flavors/config.py"
    config.write_text(config.read_text().replace("nodes: int = 1", "partition: str"))
    unknown = project.run()  # Nobody has told the registry of the change.
    assert (
        unknown.code == 1 and "configuration is wrong: `partition`: it is missing; " in unknown.err
    )
    assert "`partita orchestrator flavor update mine` if its class has changed" in unknown.err
    partita(command, "runs", "delete", "latest")
    told(command, "orchestrator", "flavor", "update", "mine")
    for refused in (
        project.run(),
        project.verb("compile", target="main.py"),
        project.verb("plan", target="main.py"),
    ):
        assert (
            "the orchestrator `own` no longer validates: `partition` is missing" in refused.refusal
        )
        assert "`partita orchestrator update own --partition=VALUE`" in refused.err
    assert Client().list_runs() == []
    partita(command, "orchestrator", "update", "own", "--partition=long")
    assert project.run().code == 0


def test_what_a_flavor_prints_and_reads_is_not_the_protocols(
    project: Project, command: str
) -> None:
    write_flavor(project)
    flavor = project.folder / "flavors/my_flavor.py"
    noise = "import os, sys\nprint('loud')\nos.write(1, b'louder\\n')\nsys.stdin.read()\n"
    flavor.write_text(noise + flavor.read_text())
    assert told(command, *REGISTER, SOURCE).code == 0


def test_importing_an_orchestrators_base_imports_no_pydantic(project: Project) -> None:
    project.write("implementation.py", DIRECT)
    done = project.python(
        "-c", "import implementation, partita.stack, sys; print('pydantic' in sys.modules)"
    )
    assert done.out == "False\n", done


PAGE = """
    from abc import ABC
    from typing import Any, Dict, Type

    from partita.models import PipelineDeploymentResponseModel
    from partita.enums import StackComponentType
    from partita.stack import StackComponent, StackComponentConfig, Stack, Flavor
    from partita.orchestrators import (
        BaseOrchestrator,
        BaseOrchestratorConfig,
        BaseOrchestratorFlavor,
    )

    assert issubclass(BaseOrchestrator, StackComponent)
    assert issubclass(BaseOrchestratorConfig, StackComponentConfig)
    assert issubclass(BaseOrchestratorFlavor, Flavor)

    class PageOrchestrator(BaseOrchestrator, ABC):
        def prepare_or_run_pipeline(
            self,
            deployment: PipelineDeploymentResponseModel,
            stack: Stack,
            environment: Dict[str, str],
        ) -> Any:
            for step in deployment.steps.values():
                if self.requires_resources_in_orchestration_environment(step):
                    print(step.config.name, "needs", step.config.resource_settings.cpu_count)
                self.run_step(step)

    class PageOrchestratorFlavor(BaseOrchestratorFlavor):
        @property
        def name(self) -> str:
            return "page"

        @property
        def type(self) -> StackComponentType:
            return StackComponentType.ORCHESTRATOR

        @property
        def config_class(self) -> Type[BaseOrchestratorConfig]:
            return BaseOrchestratorConfig

        @property
        def implementation_class(self) -> Type["BaseOrchestrator"]:
            return PageOrchestrator
"""


def test_an_orchestrator_as_the_page_of_the_earlier_system_has_it_runs_a_pipeline(
    project: Project, command: str
) -> None:
    project.write(".partita/config.toml", "")
    project.write("flavors/page.py", PAGE)
    project.write(
        "main.py",
        """
        from partita import ResourceSettings, pipeline, step

        @step(settings={"resources": ResourceSettings(cpu_count=2)})
        def one() -> int:
            return 1

        @pipeline
        def line():
            one()
        """,
    )
    partita(command, *REGISTER, "flavors.page.PageOrchestratorFlavor")
    partita(command, "orchestrator", "register", "page", "--flavor=page")
    partita(command, "stack", "register", "page", "-o", "page", "-a", "default", "--set")
    done = project.run()
    assert done.code == 0 and "one needs 2" in done.err, done
    assert project.statuses() == {"one": "completed"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give folders away")
def test_a_flavor_in_a_source_root_of_another_user_is_not_loaded(
    project: Project, command: str
) -> None:
    use_flavor(project, command)
    os.chown(project.folder / ".partita", 65534, 65534)
    done = told(command, *REGISTER, SOURCE)
    assert done.code == 1 and "belongs to another user" in done.err, done
    os.chdir("/")
    done = told(command, "orchestrator", "flavor", "update", "mine")
    assert done.code == 1 and "belongs to another user" in done.err, done


def test_the_current_folder_has_no_say_in_what_a_flavor_imports(
    project: Project, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_flavor(project, command)
    trap = project.folder / "trap"
    trap.mkdir()
    for name in ("queue", "json", "types", "email", "threading", "inspect", "flavors"):
        (trap / f"{name}.py").write_text("open(__file__ + '.ran', 'w')\nraise SystemExit(1)\n")
    monkeypatch.chdir(trap)
    partita(command, "orchestrator", "register", "other", "--flavor=mine", "--queue=b")
    assert "warning" not in told(command, "orchestrator", "update", "other", "--queue=c").err
    told(command, "doctor")
    assert [path.name for path in trap.iterdir() if path.suffix == ".ran"] == []
