"""A flavor as a plugin: answers what Partita asks."""

from __future__ import annotations

import sys
import traceback

from partita import _native
from partita.errors import PartitaError
from partita.plugins import source as sources
from partita.plugins.channel import METHOD_NOT_FOUND, UNREACHABLE
from partita.plugins.described import Described
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
        return self._described().document()

    def _validate(self, params: dict[str, Any]) -> object:
        config, problems = self._checked(params["config"])
        answer: dict[str, object] = {"problems": problems}
        if config is not None:
            answer |= {"is_remote": config.is_remote, "is_synchronous": config.is_synchronous}
        return answer

    def _open(self, params: dict[str, Any]) -> object:
        config, problems = self._checked(params["config"])
        if problems:
            told = "; ".join(
                f"`{problem['field']}`: {problem['message']}"
                if "field" in problem
                else problem["message"]
                for problem in problems
            )
            raise PartitaError(
                f"its configuration is wrong: {told}; "
                f"correct it with `partita orchestrator update {params['component']}`, after "
                f"`partita orchestrator flavor update {self.flavor.name}` if its class has changed"
            )
        supply = self._described().supply()
        self._opened = Opened(self.flavor, config, params, self._channel, supply)
        return {**self._opened.answer(), "supply": supply}

    def _described(self) -> Described:
        return Described(self.flavor, self._source)

    def _checked(self, values: dict[str, Any]) -> tuple[Any, list[dict[str, str]]]:
        """Returns a configuration, or what is wrong with it."""
        config_class = self._described().config_class()
        from pydantic import ValidationError

        try:
            return config_class(**values), []
        except ValidationError as error:
            return None, [_problem(found) for found in error.errors()]
        except Exception as error:  # A validator that is wrong itself.
            traceback.print_exc()
            told = f"{type(error).__name__}: {error}"
            return None, [{"message": f"a check of `{config_class.__qualname__}` raised {told}"}]


#: What pydantic calls what the command calls otherwise.
_WORDS = {"extra_forbidden": "there is no such key", "missing": "it is missing"}


def _problem(found: Any) -> dict[str, str]:
    place = ".".join(str(part) for part in found["loc"])
    message = _WORDS.get(found["type"]) or str(found["msg"]).removeprefix("Value error, ")
    return {"field": place, "message": message} if place else {"message": message}
