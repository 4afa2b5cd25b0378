"""The stubs of the native module say what it has, no more and no less."""

from __future__ import annotations

import ast
from pathlib import Path

import partita
from partita import _native

STUB = Path(partita.__file__).with_name("_native.pyi")


def names(body: list[ast.stmt]) -> set[str]:
    found: set[str] = set()
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            found.add(statement.name)
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found.add(statement.target.id)
    return found


def public(owner: object) -> set[str]:
    return {name for name in dir(owner) if not name.startswith("_")}


def test_the_stub_names_what_the_module_has() -> None:
    stub = ast.parse(STUB.read_text())
    assert names(stub.body) - {"__version__"} == public(_native)


def test_the_stub_names_what_each_class_has() -> None:
    for statement in ast.parse(STUB.read_text()).body:
        if isinstance(statement, ast.ClassDef):
            assert names(statement.body) - {"__new__"} == public(getattr(_native, statement.name))


def test_the_stub_names_the_parameters_of_each_function() -> None:
    for statement in ast.parse(STUB.read_text()).body:
        if isinstance(statement, ast.FunctionDef):
            stub = [argument.arg for argument in statement.args.args]
            text = getattr(_native, statement.name).__text_signature__
            assert stub == [name.strip() for name in text.strip("()").split(",") if name.strip()]
