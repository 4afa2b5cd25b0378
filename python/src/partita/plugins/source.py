"""Finds a flavor by its dotted path."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

from partita import loader, source_root
from partita.errors import PartitaError
from partita.orchestrators.base_orchestrator import BaseOrchestrator
from partita.orchestrators.base_orchestrator_flavor import BaseOrchestratorFlavor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def load_flavor(source: str, root: str) -> BaseOrchestratorFlavor:
    """Returns the flavor `package.module.Class` below a source root.

    Raises:
        PartitaError: There is none, or what is there is none.
    """
    module_name, _, name = source.rpartition(".")
    source_root.find(root)  # It may have come to belong to somebody else.
    loader.put_first(root)
    try:
        module = loader.import_module(module_name, module_name, root=root)
    except loader.AuthorError as error:
        cause = error.__cause__ or error
        told = f"{type(cause).__name__}: {cause}{_loader(cause)}"
        raise PartitaError(f"`{module_name}` cannot be loaded: {told}") from cause
    except PartitaError:
        place = source_root.described(root)
        raise PartitaError(
            f"there is no module `{module_name}` in {place} or the environment; a flavor is named "
            "by the dotted path of its class from the source root, as in "
            "`flavors.my_flavor.MyOrchestratorFlavor`"
        ) from None
    found = vars(module).get(name) or _submodule(source)
    if found is None:
        raise PartitaError(f"`{module_name}` has no `{name}`; {_flavors_of(module)}")
    if isinstance(found, ModuleType):
        raise PartitaError(
            f"`{source}` is a module, and a flavor is named by its class; {_flavors_of(found)}"
        )
    if not _is_flavor(found):
        what = "a class" if isinstance(found, type) else f"of type `{type(found).__qualname__}`"
        raise PartitaError(
            f"`{source}` is {what} and no subclass of `BaseOrchestratorFlavor`; name the class "
            "that brings configuration and implementation together"
        )
    try:
        return found()
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise PartitaError(f"the flavor `{source}` cannot be made: {told}") from error


def _submodule(source: str) -> ModuleType | None:
    try:
        return import_module(source)
    except Exception:
        return None


def _flavors_of(module: ModuleType) -> str:
    flavors = [f"{module.__name__}.{k}" for k, value in vars(module).items() if _is_flavor(value)]
    return f"its flavors are `{'`, `'.join(flavors)}`" if flavors else "it has no flavor"


def _loader(error: BaseException) -> str:
    """Says which Python failed, where another one may not."""
    if not isinstance(error, (ImportError, SyntaxError)):
        return ""
    version = ".".join(map(str, sys.version_info[:2]))
    return f"; it was loaded by Python {version}, `{sys.executable}`"


def _is_flavor(value: object) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, BaseOrchestratorFlavor)
        and value is not BaseOrchestratorFlavor
    )


def load_implementation(flavor: BaseOrchestratorFlavor) -> type[BaseOrchestrator]:
    """Returns the class that a flavor's orchestrators are instances of.

    Raises:
        PartitaError: It cannot be loaded, or is no orchestrator.
    """
    try:
        found: Any = flavor.implementation_class
    except Exception as error:
        told = f"{type(error).__name__}: {error}{_loader(error)}"
        raise PartitaError(
            f"the implementation of the flavor `{flavor.name}` cannot be loaded: {told}"
        ) from error
    if not isinstance(found, type) or not issubclass(found, BaseOrchestrator):
        raise PartitaError(
            f"the implementation of the flavor `{flavor.name}` is `{found!r}`, and no subclass of "
            "`BaseOrchestrator`"
        )
    return found


def implements(kind: type[BaseOrchestrator], *methods: str) -> bool:
    """Returns whether a class implements all of these methods by itself."""
    return all(getattr(kind, name) is not getattr(BaseOrchestrator, name) for name in methods)
