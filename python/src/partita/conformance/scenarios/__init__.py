"""The scenarios, by what they are about."""

from __future__ import annotations

#: The modules of this package, in the order in which their scenarios are played.
THEMES = (
    "order",
    "values",
    "places",
    "resources",
    "failing",
    "caching",
    "logs",
    "runs",
    "ending",
    "secrets",
    "settings",
    "entrypoints",
    "plugins",
    "messages",
)

#: The module whose scenarios need a program in Rust.
PROGRAMS = "programs"
