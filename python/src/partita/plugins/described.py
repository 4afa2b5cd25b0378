"""What a flavor says of itself. Its properties are an author's code, so each is asked with care."""

from __future__ import annotations

from partita.enums import StackComponentType
from partita.errors import PartitaError
from partita.orchestrators.base_orchestrator_flavor import BaseOrchestratorFlavor, Supply
from partita.plugins.naming import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Described:
    """A flavor, by what messages call it: the dotted path of its class."""

    def __init__(self, flavor: BaseOrchestratorFlavor, source: str) -> None:
        self.flavor = flavor
        self._source = source

    def document(self) -> dict[str, Any]:
        """Returns what is kept of the flavor, as the plugin protocol says it.

        Raises:
            PartitaError: A property of it is wrong, or raises.
        """
        self._check_implementation()
        documentation = (type(self.flavor).__doc__ or "").strip().partition("\n\n")[0]
        component_type = self._asked("type", StackComponentType, "a `StackComponentType`")
        described = {
            "name": self._asked("name", str, "a text"),
            "type": component_type.value,
            "description": " ".join(documentation.split()),
            "config_schema": self._schema("config_class", self.config_class()),
            "settings_schema": self._schema("settings_class", self._settings_class()),
            "supply": self.supply(),
            "docs_url": self._asked("docs_url", (str, type(None)), "a text or `None`"),
            "logo_url": self._asked("logo_url", (str, type(None)), "a text or `None`"),
        }
        return {key: value for key, value in described.items() if value is not None}

    def config_class(self) -> Any:
        """Returns the class of its components' configurations.

        Raises:
            PartitaError: It is none, or cannot be loaded.
        """
        from partita.orchestrators.base_orchestrator_config import BaseOrchestratorConfig

        return self._class("config_class", BaseOrchestratorConfig)

    def supply(self) -> dict[str, Any]:
        """Returns what steps may ask for, and who drives them: a configuration tells that too."""
        said = self._asked("supply", Supply, "a `Supply`")
        supply = said.document()
        names = Names(type(self.flavor).__module__)
        if said.images is None:
            supply["images"] = "get_image" in names.all
        if said.delegates is None and _starts_entrypoints(names):
            supply["delegates"] = "yes"
        if self._defines("config_class"):
            from partita.orchestrators.base_orchestrator_config import BaseOrchestratorConfig

            if self.config_class().is_synchronous is not BaseOrchestratorConfig.is_synchronous:
                supply.setdefault("delegates", "maybe")
        return supply

    def _settings_class(self) -> Any:
        if not self._defines("settings_class") and not self._defines("config_class"):
            return None  # Nothing needs pydantic then.
        from partita.config.base_settings import BaseSettings

        return self._class("settings_class", BaseSettings, optional=True)

    def _check_implementation(self) -> None:
        """Checks that there is one, without loading it."""
        if not self._defines("implementation_class"):
            raise PartitaError(
                f"the flavor `{self._source}` has no `implementation_class`; return the class "
                "that extends `BaseOrchestrator` from it, and import that inside of it."
            )

    def _defines(self, name: str) -> bool:
        kinds = type(self.flavor).__mro__
        own = kinds[: kinds.index(BaseOrchestratorFlavor)]
        return name in vars(self.flavor) or any(name in vars(kind) for kind in own)

    def _class(self, name: str, base: type, *, optional: bool = False) -> Any:
        found = self._property(name)
        if found is None and optional:
            return None
        if not isinstance(found, type) or not issubclass(found, base):
            raise self._wrong(name, found, f"a subclass of `{base.__name__}`")
        return found

    def _asked(self, name: str, kind: type | tuple[type, ...], words: str) -> Any:
        found = self._property(name)
        if not isinstance(found, kind):
            raise self._wrong(name, found, words)
        return found

    def _property(self, name: str) -> Any:
        try:
            return getattr(self.flavor, name)
        except PartitaError:
            raise
        except NotImplementedError as error:
            raise PartitaError(str(error)) from None
        except (Exception, SystemExit) as error:
            told = f"{type(error).__name__}: {error}"
            raise PartitaError(
                f"the `{name}` of the flavor `{self._source}` raised {told}; correct it and try "
                "again."
            ) from error

    def _schema(self, name: str, model: Any) -> Any:
        if model is None:
            return None
        try:
            return model.model_json_schema()
        except Exception as error:  # Of pydantic, whatever it is called.
            raise PartitaError(
                f"the `{name}` of the flavor `{self._source}` has a field that cannot be "
                f"configured: {' '.join(str(error).split())}."
            ) from None

    def _wrong(self, name: str, found: object, words: str) -> PartitaError:
        return PartitaError(
            f"the `{name}` of the flavor `{self._source}` is `{found!r}`, and must be {words}."
        )


def _starts_entrypoints(names: Names) -> bool:
    """Returns whether code is that of an orchestrator that has entrypoints started."""
    return (
        "prepare_or_run_pipeline" in names.functions
        and "launch" not in names.functions
        and "run_step" not in names.all
        and not names.all.isdisjoint({"get_entrypoint_command", "get_entrypoint_arguments"})
    )
