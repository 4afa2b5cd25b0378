"""What is tested: a flavor, and how an orchestrator of it is configured."""

from __future__ import annotations

import sys
from typing import Any


class Subject:
    """A flavor that is registered in the suite's home.

    Attributes:
        name: What it is called.
        config: The configuration of its orchestrators, as options.
        settings_schema: What its settings on pipelines and steps are, if it takes any.
        grace: Seconds that an attempt may take to end once it was cancelled.
        delegates: Whether it starts entrypoints by itself, or submits runs: `no` if it never
            does.
        program: The program in Rust whose pipelines are played as well, if one was given.
        is_isolated: Whether every step runs in a process of its own; `None` until that was seen.
    """

    def __init__(
        self, flavor: dict[str, Any], config: list[str], program: str | None = None
    ) -> None:
        """Takes what `flavor describe` says of it."""
        plugin: dict[str, Any] = flavor.get("plugin") or {}
        self.name: str = flavor["name"]
        self.config = config
        self.program = program
        self.settings_schema: dict[str, Any] | None = plugin.get("settings_schema")
        capabilities: dict[str, Any] = plugin.get("capabilities", {})
        self.grace: float = capabilities.get("grace", 0.0)
        self.delegates: str = capabilities.get("delegates", "no")
        self.is_isolated: bool | None = None
        self._source: str = flavor.get("source", "")
        self._origin: dict[str, Any] | None = plugin.get("origin")

    @property
    def is_built_in(self) -> bool:
        """Whether it has no plugin, being a part of Partita itself."""
        return self._origin is None

    @property
    def source_root(self) -> str | None:
        """The folder that the dotted path of a flavor in Python begins in."""
        if self._origin is None or "python" not in self._origin:
            return None
        return self._origin["python"]["source_root"]

    def plugin(self, watch: str) -> list[str]:
        """Returns the command that starts its plugin.

        Args:
            watch: A folder in which a flavor in Python notes what it reads.
        """
        if self.source_root is None:
            return [self._source]
        host = "partita.conformance.watched_host"
        return [sys.executable, "-m", host, watch, self._source, self.source_root]
