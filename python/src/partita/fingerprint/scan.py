"""Turns a code object into its canonical bytes and the list of names that it looks up.

Nested code (inner functions, comprehensions, class bodies) belongs to the code that holds it.
Names are listed, not resolved: resolving needs the live namespaces, which `reach` has.
"""

from __future__ import annotations

from types import CodeType
from typing import Any, NamedTuple

from .bytecode import Instruction, read
from .framing import frame, number, text
from .plain import encode_plain

_OPTIMIZED = 0x1  # CO_OPTIMIZED: the body of a function, as opposed to a class or a module
_STAR_IMPORT = 2  # CALL_INTRINSIC_1 with INTRINSIC_IMPORT_STAR
_GLOBAL_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_FREE_LOADS = frozenset(
    {"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF", "LOAD_CLOSURE"}
)
_STORES = frozenset({"STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"})
_ATTRIBUTE_LOADS = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_BEFORE_ARGUMENTS = frozenset({"PUSH_NULL", "PRECALL"})
_CALLS = frozenset({"CALL", "CALL_FUNCTION", "CALL_METHOD"})


class Import(NamedTuple):
    """An import statement, for one of the names that it binds.

    `members` is what is taken from the module: nothing, or one name of a `from` import.
    """

    module: str
    level: int
    members: tuple[str, ...] = ()
    binds_top: bool = False
    star: bool = False


class Use(NamedTuple):
    """One look-up: a global, a free variable or an import, and the attributes taken from it.

    `argument` is the string that the result is called with, where that is a literal; `begins` is
    the literal that the argument begins with, where that is longer. An `idle` one is an import of
    a name that nothing in the code looks up.
    """

    kind: str
    name: str
    attributes: tuple[str, ...] = ()
    source: Import | None = None
    argument: str | None = None
    begins: str | None = None
    idle: bool = False


class Scan(NamedTuple):
    """What a code object is, and what it looks up (each thing once, in order)."""

    body: bytes
    uses: tuple[Use, ...]
    imports: dict[str, list[Import]]


# Few instructions are unlike any other but by their constants.
_encoded: dict[Instruction, bytes] = {}
_scans: dict[tuple[int, bool], tuple[CodeType, Scan]] = {}


def scan(code: CodeType, *, executed_only: bool = False) -> Scan:
    """Returns the scan of `code`, made once in a process.

    With `executed_only`, functions inside of it are left out: what remains is what runs when a
    module is imported.
    """
    key = (id(code), executed_only)
    if key not in _scans:
        # The code object is kept, so that its id can't be given to another one.
        _scans[key] = (code, _Reader(executed_only).scan(code))
    return _scans[key][1]


class _Scope:
    """The names that imports bind, as seen from one code object."""

    def __init__(self, code: CodeType, outer: _Scope | None) -> None:
        self.code = code
        self.own: dict[str, list[Import]] = {}
        self.module: dict[str, list[Import]] = {}
        # None stands for a variable of an enclosing function that no import binds.
        self.enclosing: dict[str, list[Import]] = {}
        if outer is not None:
            self.module = outer.module
            self.enclosing = dict(outer.enclosing)
            for name in outer.code.co_cellvars:
                self.enclosing[name] = outer.own.get(name, [])

    @property
    def is_module(self) -> bool:
        return self.code.co_name == "<module>"


class _Reader:
    def __init__(self, executed_only: bool) -> None:
        self.executed_only = executed_only
        self.uses: dict[Use, None] = {}
        self.used: set[Import] = set()
        self.bound: list[tuple[str, Import]] = []

    def scan(self, code: CodeType) -> Scan:
        scope = _Scope(code, None)
        body = self._code(code, scope, own_name=False)
        for name, source in self.bound:
            if source not in self.used:
                self.uses[Use("import", name, (), source, idle=True)] = None
        return Scan(body, tuple(self.uses), scope.own)

    def _code(self, code: CodeType, scope: _Scope, *, own_name: bool = True) -> bytes:
        listing, guards = read(code)
        self._find_imports(listing, scope)
        self._find_uses(listing, scope)
        instructions = [self._encode(instruction, scope) for instruction in listing]
        first = code.co_consts[0] if code.co_consts else None
        return frame(
            "code",
            text(code.co_name) if own_name else b"",
            *(number(n) for n in (code.co_argcount, code.co_posonlyargcount)),
            *(number(n) for n in (code.co_kwonlyargcount, code.co_flags)),
            frame("locals", *map(text, code.co_varnames)),
            frame("cells", *map(text, code.co_cellvars + code.co_freevars)),
            text(first) if isinstance(first, str) else b"",
            frame("body", *instructions),
            frame("guards", *(number(n) for guard in guards for n in guard)),
        )

    def _encode(self, instruction: Instruction, scope: _Scope) -> bytes:
        name, kind, value, argument = instruction
        if kind == "const":
            return frame("i", text(name), self._constant(value, scope))
        known = _encoded.get(instruction)
        if known is None:
            shown = text(value) if isinstance(value, str) else number(value or 0)
            known = _encoded[instruction] = frame(
                "i", text(name), text(kind), shown, number(argument)
            )
        return known

    def _constant(self, value: Any, scope: _Scope) -> bytes:
        if isinstance(value, CodeType):
            function = value.co_flags & _OPTIMIZED and not value.co_name.startswith("<")
            if self.executed_only and function:
                return frame("function", text(value.co_name))
            return self._code(value, _Scope(value, scope))
        return encode_plain(value)

    def _find_imports(self, listing: list[Instruction], scope: _Scope) -> None:
        for index, instruction in enumerate(listing):
            if instruction.name != "IMPORT_NAME":
                continue
            for name, source, store in _imports(listing, index):
                if source.star:
                    self.uses[Use("import", name, (), source)] = None
                    continue
                self.bound.append((name, source))
                scope.own.setdefault(name, []).append(source)
                if scope.is_module or store == "STORE_GLOBAL":
                    scope.module.setdefault(name, []).append(source)

    def _find_uses(self, listing: list[Instruction], scope: _Scope) -> None:
        for index, instruction in enumerate(listing):
            kind, sources = self._origin(instruction, scope)
            if not kind:
                continue
            attributes, after = _attributes(listing, index + 1)
            literal = _literal_arguments(listing, after)
            name: str = instruction.value
            if kind != "import":
                self.uses[Use(kind, name, attributes, None, *literal)] = None
            for source in sources:
                self.used.add(source)
                self.uses[Use("import", name, attributes, source, *literal)] = None

    def _origin(self, instruction: Instruction, scope: _Scope) -> tuple[str, list[Import]]:
        """Returns what a load looks up (empty where it is a local variable of no interest)."""
        operation, name = instruction.name, instruction.value
        if operation in _GLOBAL_LOADS:
            known = scope.module.get(name) or (
                scope.own.get(name) if operation == "LOAD_NAME" else None
            )
            return ("import", known) if known else ("global", [])
        if operation in _FREE_LOADS:
            if name in scope.code.co_cellvars:
                known = [] if operation == "LOAD_CLOSURE" else scope.own.get(name, [])
            elif name in scope.enclosing:
                known = [] if operation == "LOAD_CLOSURE" else scope.enclosing[name]
            else:
                return "free", []
            return ("import" if known else ""), known
        if operation.startswith("LOAD_FAST") and name not in scope.code.co_cellvars:
            if name in scope.code.co_freevars:  # a closure being handed on
                return "", []
            known = scope.own.get(name, [])
            return ("import" if known else ""), known
        return "", []


def _attributes(listing: list[Instruction], index: int) -> tuple[tuple[str, ...], int]:
    """Returns the attributes loaded from `index` on, one from the other, and what comes next."""
    names: list[str] = []
    while index < len(listing) and listing[index].name in _ATTRIBUTE_LOADS:
        names.append(listing[index].value)
        index += 1
    return tuple(names), index


def _literal_arguments(listing: list[Instruction], index: int) -> tuple[str | None, str | None]:
    """Returns the only argument of a call at `index`, else what the first argument begins with.

    Either is there only as a literal string.
    """
    rest = [step for step in listing[index : index + 5] if step.name not in _BEFORE_ARGUMENTS]
    if len(rest) < 2 or rest[0].kind != "const" or not isinstance(rest[0].value, str):
        return None, None
    if rest[1].name in _CALLS and rest[1].argument == 1:
        return rest[0].value, None
    return None, rest[0].value


def _imports(listing: list[Instruction], index: int) -> list[tuple[str, Import, str]]:
    """Returns the names that the import at `index` binds, from where, and by which store."""
    module: str = listing[index].value
    level_load, names_load = listing[index - 2], listing[index - 1]
    level: int = level_load.value if level_load.kind == "const" else level_load.argument
    members: tuple[str, ...] = names_load.value or ()
    if "*" in members:
        return [("*", Import(module, level, star=True), "")]
    found: list[tuple[str, Import, str]] = []
    position, taken = index + 1, ""
    while position < len(listing):
        step = listing[position]
        position += 1
        if step.name == "IMPORT_FROM":
            taken = step.value
        elif step.name in _STORES:
            source = Import(module, level, (taken,) if members else (), not (members or taken))
            found.append((step.value, source, step.name))
            if not members:
                break
        elif step.name not in ("POP_TOP", "SWAP", "ROT_TWO") or (
            members and step.name == "POP_TOP"
        ):
            break
    return found or [(module, Import(module, level), "")]
