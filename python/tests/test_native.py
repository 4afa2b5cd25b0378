"""The stubs of the native modules say what they have, no more and no less."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import pytest

import partita
from partita import _engine, _native

MODULES = pytest.mark.parametrize("module", [_native, _engine], ids=["_native", "_engine"])


def stub(module: ModuleType) -> list[ast.stmt]:
    name = f"{module.__name__.rpartition('.')[2]}.pyi"
    return ast.parse(Path(partita.__file__).with_name(name).read_text()).body


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


@MODULES
def test_the_stub_names_what_the_module_has(module: ModuleType) -> None:
    assert names(stub(module)) - {"__version__"} == public(module)


@MODULES
def test_the_stub_names_what_each_class_has(module: ModuleType) -> None:
    for statement in stub(module):
        if isinstance(statement, ast.ClassDef):
            assert names(statement.body) - {"__new__"} == public(getattr(module, statement.name))


@MODULES
def test_the_stub_names_the_parameters_of_each_function(module: ModuleType) -> None:
    for statement in stub(module):
        if isinstance(statement, ast.FunctionDef):
            named = [argument.arg for argument in statement.args.args]
            text = getattr(module, statement.name).__text_signature__
            assert named == [name.strip() for name in text.strip("()").split(",") if name.strip()]
