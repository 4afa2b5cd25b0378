"""A flavor as a plugin: answers what Partita asks."""

from __future__ import annotations

import sys
import traceback

from partita import _native
from partita.errors import PartitaError
from partita.plugins import source as sources
from partita.plugins.channel import METHOD_NOT_FOUND, UNREACHABLE
from partita.plugins.opened import Opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from partita.orchestrators.base_orchestrator_flavor import BaseOrchestratorFlavor
    from partita.plugins.channel import Channel

#: The version of the protocol that this speaks.
PROTOCOL = 1


class Host:
    """Serves the flavor with a dotted path."""

    def __init__(self, source: str, source_root: str, channel: Channel) -> None:
        self._source = source
        self._source_root = source_root
        self._channel = channel
        self._flavor: BaseOrchestratorFlavor | None = None
        self._opened: Opened | None = None
        self._methods: dict[str, Callable[[dict[str, Any]], object]] = {
            "hello": self._hello,
            "describe": self._describe,
            "validate": self._validate,
            "open": self._open,
        }

    def serve(self) -> None:
        """Answers requests until there are no more."""
        _native.end_with_parent(True)
        for request in self._channel:
            method: str = request["method"]
            params: dict[str, Any] = request.get("params") or {}
            serve = self._methods.get(method) or getattr(self._opened, method, None)
            if serve is None:
                self._channel.refuse(request, f"there is no method `{method}`", METHOD_NOT_FOUND)
                continue
            try:
                result = serve(params)
            except PartitaError as error:
                if error.__cause__ is not None:
                    traceback.print_exception(error.__cause__)
                self._channel.refuse(request, str(error))
            except (ConnectionError, TimeoutError) as error:  # It is asked again.
                self._channel.refuse(request, f"{type(error).__name__}: {error}", UNREACHABLE)
            except (Exception, SystemExit, KeyboardInterrupt) as error:
                traceback.print_exc()
                self._channel.refuse(request, f"{type(error).__name__}: {error}")
            else:
                self._channel.answer(request, result)
            sys.stdout.flush()

    @property
    def flavor(self) -> BaseOrchestratorFlavor:
        """The flavor, loaded when it is first asked for."""
        if self._flavor is None:
            self._flavor = sources.load_flavor(self._source, self._source_root)
        return self._flavor

    def _hello(self, _: dict[str, Any]) -> object:
        return {"protocol": PROTOCOL, "capabilities": []}

    def _describe(self, _: dict[str, Any]) -> object:
        flavor = self.flavor
        documentation = (type(flavor).__doc__ or "").strip().partition("\n\n")[0]
        described = {
            "name": flavor.name,
            "type": flavor.type.value,
            "description": " ".join(documentation.split()),
            "config_schema": self._config_class().model_json_schema(),
            "settings_schema": _schema(flavor.settings_class),
            "supply": flavor.supply.document(),
            "docs_url": flavor.docs_url,
            "logo_url": flavor.logo_url,
        }
        return {key: value for key, value in described.items() if value is not None}

    def _validate(self, params: dict[str, Any]) -> object:
        try:
            self._config(params["config"])
        except _problems() as error:
            return {"problems": [_problem(found) for found in error.errors()]}
        return {"problems": []}

    def _open(self, params: dict[str, Any]) -> object:
        try:
            config = self._config(params["config"])
        except _problems() as error:
            told = "; ".join(
                f"`{p.get('field')}`: {p['message']}" for p in map(_problem, error.errors())
            )
            raise PartitaError(
                f"the orchestrator `{params['component']}` has a wrong configuration: {told}; "
                f"correct it with `partita orchestrator update {params['component']}`"
            ) from None
        self._opened = Opened(self.flavor, config, params, self._channel)
        return self._opened.answer()

    def _config(self, values: dict[str, Any]) -> Any:
        return self._config_class()(**values)

    def _config_class(self) -> Any:
        from partita.orchestrators.base_orchestrator_config import BaseOrchestratorConfig

        found: Any = self.flavor.config_class
        if not isinstance(found, type) or not issubclass(found, BaseOrchestratorConfig):
            raise PartitaError(
                f"the `config_class` of the flavor `{self.flavor.name}` is `{found!r}`, and no "
                "subclass of `BaseOrchestratorConfig`"
            )
        return found


def _schema(settings_class: Any) -> dict[str, Any] | None:
    return None if settings_class is None else settings_class.model_json_schema()


def _problems() -> Any:
    from pydantic import ValidationError

    return ValidationError


def _problem(found: dict[str, Any]) -> dict[str, str]:
    place = ".".join(str(part) for part in found["loc"])
    message = str(found["msg"]).removeprefix("Value error, ")
    return {"field": place, "message": message} if place else {"message": message}
