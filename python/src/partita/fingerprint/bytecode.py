"""Reads a code object into instructions that mean the same however the source was laid out.

The compiler lets line breaks leak into bytecode (`NOP`s to step on, pairs of loads that are fused
only on one line, the line number of a class). What leaves this module is free of all of that, and
of the differences in how each interpreter version numbers names, jumps and caches.
"""

from __future__ import annotations

import opcode
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

_VERSION = sys.version_info[:2]
_CACHE = opcode.opmap.get("CACHE", 0) if _VERSION >= (3, 11) else -1
_SKIPPED = frozenset({"NOP", "CACHE"})
_CONST = frozenset(opcode.hasconst)
_NAME = frozenset(opcode.hasname)
_JUMP_ABSOLUTE = frozenset(opcode.hasjabs)
_JUMP_RELATIVE = frozenset(opcode.hasjrel)
_LOCAL = frozenset(opcode.haslocal)
_FREE = frozenset(opcode.hasfree)
# How many low bits of a name's index are flags of the instruction instead.
_NAME_FLAG_BITS = {
    "LOAD_GLOBAL": 1 if _VERSION >= (3, 11) else 0,
    "LOAD_ATTR": 1 if _VERSION >= (3, 12) else 0,
    "LOAD_SUPER_ATTR": 2,
}
# Names that the compiler stores in a class body, and that move with the lines or the hash seed.
_LAYOUT_NAMES = frozenset({"__firstlineno__", "__static_attributes__"})


class Instruction(NamedTuple):
    """One instruction: its name, and its argument resolved as far as the code object allows.

    `value` is the constant, the name, the index (in the list) that a jump goes to, or None;
    `argument` is what is left of the number: flags of a name, or the plain argument.
    """

    name: str
    kind: str
    value: Any
    argument: int


class ExceptionRange(NamedTuple):
    """Instructions `start` to `end` are guarded by the handler at `target`."""

    start: int
    end: int
    target: int
    depth: int


def read(code: CodeType) -> tuple[list[Instruction], list[ExceptionRange]]:
    """Returns the instructions of `code` and what guards them, in canonical form."""
    raw = list(_unpack(code.co_code))
    index_at: dict[int, int] = {}
    kept: list[tuple[int, int, int, int]] = []
    count = 0
    for start, end, operation, argument in raw:
        index_at[start] = count
        if opcode.opname[operation] not in _SKIPPED:
            kept.append((start, end, operation, argument))
            count += len(_split(opcode.opname[operation], argument))
    index_at[len(code.co_code)] = count
    slots = _slots(code)
    listing: list[Instruction] = []
    for _, end, operation, argument in kept:
        listing.extend(_resolve(code, slots, index_at, operation, argument, end))
    return _without_layout(listing), list(_exception_ranges(code, index_at))


def _unpack(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yields start, end (after its caches), operation and whole argument of each instruction."""
    extended, start, position = 0, -1, 0
    while position < len(data):
        operation, argument = data[position], data[position + 1] | extended
        if start < 0:
            start = position
        position += 2
        if operation == opcode.EXTENDED_ARG:
            extended = argument << 8
            continue
        while position < len(data) and data[position] == _CACHE:
            position += 2
        yield start, position, operation, argument
        extended, start = 0, -1


def _split(name: str, argument: int) -> list[tuple[str, int]]:
    """Takes a fused pair of local loads and stores apart (they are fused within one line only)."""
    for first in ("LOAD_FAST_BORROW", "LOAD_FAST", "STORE_FAST"):
        rest = name[len(first) + 1 :]
        if name.startswith(first + "_") and rest in ("LOAD_FAST", "STORE_FAST", "LOAD_FAST_BORROW"):
            return [(first, argument >> 4), (rest, argument & 15)]
    return [(name, argument)]


def _slots(code: CodeType) -> tuple[str, ...]:
    """Returns the names that indices of locals and cells stand for."""
    if _VERSION < (3, 11):
        return code.co_cellvars + code.co_freevars
    cells = tuple(name for name in code.co_cellvars if name not in code.co_varnames)
    return code.co_varnames + cells + code.co_freevars


def _resolve(
    code: CodeType,
    slots: tuple[str, ...],
    index_at: dict[int, int],
    operation: int,
    argument: int,
    end: int,
) -> list[Instruction]:
    name = opcode.opname[operation]
    pairs = _split(name, argument)
    if len(pairs) == 2:
        return [Instruction(part, "local", slots[number], 0) for part, number in pairs]
    if operation in _CONST:
        return [Instruction(name, "const", code.co_consts[argument], 0)]
    if operation in _NAME:
        bits = _NAME_FLAG_BITS.get(name, 0)
        flags = argument & ((1 << bits) - 1)
        return [Instruction(name, "name", code.co_names[argument >> bits], flags)]
    if operation in _LOCAL:
        names = code.co_varnames if _VERSION < (3, 11) else slots
        return [Instruction(name, "local", names[argument], 0)]
    if operation in _FREE:
        return [Instruction(name, "free", slots[argument], 0)]
    target = _jump_target(name, operation, argument, end)
    if target is not None:
        return [Instruction(name, "jump", index_at[target], 0)]
    return [Instruction(name, "plain", None, argument)]


def _jump_target(name: str, operation: int, argument: int, end: int) -> int | None:
    """Returns the offset that a jump goes to; since 3.12 it counts from behind the caches."""
    if operation in _JUMP_ABSOLUTE:
        return argument * 2
    if operation not in _JUMP_RELATIVE:
        return None
    return end - argument * 2 if "BACKWARD" in name else end + argument * 2


def _without_layout(listing: list[Instruction]) -> list[Instruction]:
    """Drops the stores of a class's line number and attribute order.

    A class body has no jump over them, so the indices of jumps are renumbered by what was dropped.
    """
    dropped: set[int] = set()
    for index, instruction in enumerate(listing):
        if instruction.name == "STORE_NAME" and instruction.value in _LAYOUT_NAMES:
            dropped.update((index - 1, index))
    if not dropped:
        return listing
    shift = 0
    renumbered: list[int] = []
    for index in range(len(listing) + 1):
        renumbered.append(index - shift)
        shift += index in dropped
    return [
        step._replace(value=renumbered[step.value]) if step.kind == "jump" else step
        for index, step in enumerate(listing)
        if index not in dropped
    ]


def _exception_ranges(code: CodeType, index_at: dict[int, int]) -> Iterator[ExceptionRange]:
    """Yields the entries of the exception table, which 3.11 and later have.

    The format is that of CPython's `Objects/exception_handling_notes.txt`.
    """
    numbers = _varints(getattr(code, "co_exceptiontable", b""))
    for start, length, target, depth in zip(numbers, numbers, numbers, numbers, strict=True):
        first = _index(index_at, start * 2)
        last = _index(index_at, (start + length) * 2)
        if first < last:  # else it guarded nothing but a NOP
            yield ExceptionRange(first, last, _index(index_at, target * 2), depth)


def _index(index_at: dict[int, int], offset: int) -> int:
    """Returns the index of the instruction at `offset`, or of the next one behind its caches."""
    while offset not in index_at:
        offset += 2
    return index_at[offset]


def _varints(data: bytes) -> Iterator[int]:
    """Yields the numbers of an exception table: six bits a byte, most significant first."""
    value = 0
    for byte in data:
        value = (value << 6) | (byte & 63)
        if not byte & 64:
            yield value
            value = 0
