"""The `json` format: every plain value comes back as itself, and nothing else gets in."""

from __future__ import annotations

import collections
import enum
import json
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partita import _native


class Color(enum.IntEnum):
    RED = 1


Point = collections.namedtuple("Point", "x y")  # pyright: ignore[reportUntypedNamedTuple]


class Name(str):
    pass


def encoded(value: Any) -> bytes:
    data = _native.encode_value(value)
    assert data is not None
    return data


def same(one: Any, other: Any) -> bool:
    """Compares types, order of keys, signs of zeros and NaN as well as values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (set, frozenset)):
        left, right = sorted(one, key=encoded), sorted(other, key=encoded)
        return all(map(same, left, right)) and len(one) == len(other)
    return one == other


def check(value: Any, text: str) -> None:
    data = encoded(value)
    assert data == text.encode()
    assert same(_native.decode_value(data), value)


def tagged(kind: str, value: str) -> str:
    return f'{{"$partita":"{kind}","value":{value}}}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (-(2**63), "-9223372036854775808"),
        (2**63, "9223372036854775808"),
        (-(10**40), "-1" + "0" * 40),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (1e300, "1e300"),
        (5e-324, "5e-324"),
        (math.nan, tagged("float", '"nan"')),
        (math.inf, tagged("float", '"inf"')),
        (-math.inf, tagged("float", '"-inf"')),
        ("", '""'),
        ("é\U0001f600", '"é\U0001f600"'),
        ('"\\\n\r\t\0\x1f\x7f', '"\\"\\\\\\n\\r\\t\\u0000\\u001f\x7f"'),
        ("\ud800", tagged("str", '"7aCA"')),
        (b"", tagged("bytes", '""')),
        (b"\xff\0", tagged("bytes", '"/wA="')),
        ([], "[]"),
        ([1, [2.0]], "[1,[2.0]]"),
        ((), tagged("tuple", "[]")),
        ((1, (2,)), tagged("tuple", "[1," + tagged("tuple", "[2]") + "]")),
        ({"b": 1, "a": 2}, '{"b":1,"a":2}'),
        ({}, "{}"),
        ({1: "a", "b": 2}, tagged("dict", '[[1,"a"],["b",2]]')),
        ({"$partita": "tuple"}, tagged("dict", '[["$partita","tuple"]]')),
        ({"\ud800": 1}, tagged("dict", "[[" + tagged("str", '"7aCA"') + ",1]]")),
        ({3, 1, 2}, tagged("set", "[1,2,3]")),
        (frozenset({"b", "a"}), tagged("frozenset", '["a","b"]')),
        (2**2048, tagged("int", '"1' + "0" * 512 + '"')),
        (-(2**2048), tagged("int", '"-1' + "0" * 512 + '"')),
    ],
)
def test_values_have_one_encoding_and_come_back(value: Any, text: str) -> None:
    check(value, text)


def test_integers_beyond_the_interpreters_limit_come_back() -> None:
    value = 7**20_000
    data = _native.encode_value(value)
    assert data is not None
    assert _native.decode_value(data) == value


@pytest.mark.parametrize(
    "value",
    [
        Color.RED,
        Point(1, 2),
        Name("a"),
        collections.OrderedDict(),
        object(),
        1j,
        bytearray(b"a"),
        [1, (2, {"a": object()})],
        {Color.RED: 1},
        {Name("a"): 1},
    ],
)
def test_other_types_and_subclasses_are_left_to_others(value: Any) -> None:
    assert _native.encode_value(value) is None


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_two_hundred_levels_are_the_limit() -> None:
    data = _native.encode_value(nested(200))
    assert data is not None
    assert _native.decode_value(data) == nested(200)
    with pytest.raises(ValueError, match="more than 200 levels"):
        _native.encode_value(nested(201))


def test_the_deepest_tagged_value_comes_back() -> None:
    value: Any = 0
    for _ in range(200):
        value = {1: value}
    data = _native.encode_value(value)
    assert data is not None
    assert _native.decode_value(data) == value


def test_a_value_that_contains_itself_is_refused_at_once() -> None:
    value: list[Any] = []
    value.extend([value, value, {"a": value}])
    with pytest.raises(ValueError, match="contains itself"):
        _native.encode_value(value)


def test_sets_are_the_same_bytes_whatever_the_hash_seed() -> None:
    def printed(seed: str) -> str:
        code = "from partita import _native as n; print(n.encode_value(set('abcdefghij')))"
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))}
        command = [sys.executable, "-c", code]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    assert printed("1") == printed("2") != ""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "byte 0: the bytes end too early"),
        (b"[1,]", "byte 3: a value should start here"),
        (b"[1 2]", "byte 3: `,` or `]`"),
        (b'{"a" 1}', "byte 5: `:`"),
        (b"{1:2}", "byte 1: a key in double quotes"),
        (b'{"a":1,"a":2}', "byte 7: the key `a` is there twice"),
        (b"nul", "byte 0: `null` should stand here"),
        (b"1 2", "byte 2: something follows"),
        (b"01", "byte 0: a number starts with a needless zero"),
        (b"1.", "byte 2: a digit"),
        (b"-", "byte 1: a digit"),
        (b"1e999", "byte 0: the number is too large"),
        (b"NaN", "byte 0: a value should start here"),
        (b'"a', "byte 2: the text has no closing"),
        (b'"\n"', "byte 1: a control character"),
        (b'"\\x"', "byte 2: no such escape"),
        (b'"\\u12g4"', "byte 2: `u` and four hexadecimal digits"),
        (b'"\\ud800"', "byte 2: half of a surrogate pair"),
        (b'"\\udc00"', "byte 2: half of a surrogate pair"),
        (b'"\\ud800\\ud800"', "byte 2: half of a surrogate pair"),
        (b'["\xff"]', "byte 2: it is not UTF-8"),
        (b"[" * 100_000, "byte 600: it is nested more than"),
        (b'[{"$partita":"tuple"}]', "byte 1: a tagged object has the keys"),
        (b'{"$partita":"tuple","value":1}', "byte 0: a value of kind `tuple`"),
        (b'{"$partita":"set","value":[[]]}', "byte 0: a value of kind `set`"),
        (b'{"$partita":"dict","value":[[1]]}', "an entry is not a pair"),
        (b'{"$partita":"bytes","value":"?"}', "byte 0: a value of kind `bytes`"),
        (b'{"$partita":"float","value":"1"}', "it is none of `nan`"),
        (b'{"$partita":"int","value":"1_0"}', "it is not hexadecimal"),
        (b'{"$partita":"os.system","value":"id"}', "no such kind"),
        (b'{"$partita":1,"value":1}', "no such kind"),
    ],
)
def test_bytes_that_are_not_the_format_are_refused_with_the_place(
    data: bytes, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        _native.decode_value(data)
    assert message in str(caught.value)


def test_white_space_and_every_escape_of_json_are_read() -> None:
    text = ' { "a" : [ 1 , 2.5E+1 , "\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00" ] } \n'
    assert _native.decode_value(text.encode()) == json.loads(text)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.binary(max_size=8)
    | st.just("$partita")
)
hashables = st.recursive(scalars, lambda inner: st.frozensets(inner, max_size=3) | st.tuples(inner))
values = st.recursive(
    scalars | st.sets(hashables, max_size=4) | hashables,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(hashables, inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=25,
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(values)
def test_any_nested_value_comes_back(value: Any) -> None:
    data = _native.encode_value(value)
    assert data is not None
    json.loads(data)
    back = _native.decode_value(data)
    assert same(back, value)
    assert _native.encode_value(back) == data


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.binary(max_size=40) | st.text('[]{}",:0123456789eE.-+\\u $partitavluernf').map(str.encode)
)
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        value = _native.decode_value(data)
    except ValueError as error:
        assert "at byte" in str(error)  # noqa: PT017 - most bytes are refused, some are not
    else:
        assert _native.encode_value(value) is not None
