"""Which edits change the fingerprint of a step, and the name of the part that each one changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from fingerprint_projects import changes, run, write


class Edit(NamedTuple):
    """A project, a replacement of text in one of its files, and the parts that this changes."""

    name: str
    files: dict[str, str]
    file: str
    old: str
    new: str
    changed: set[str]


def step(body: str, head: str = "import helpers\n") -> str:
    """Returns the source of a module with the step `train`."""
    return f"{head}\ndef train(x):\n    {body}\n"


CLEAN = "def clean(x):\n    return x + 1\n"
HELPER = {"steps.py": step("return helpers.clean(x)"), "helpers.py": CLEAN}
BODY = ("x + 1", "x + 2")

FUNCTIONS = [
    Edit("the step itself", HELPER, "steps.py", "clean(x)", "clean(x) + 1", {"steps.train"}),
    Edit("a helper", HELPER, "helpers.py", *BODY, {"helpers.clean"}),
    Edit("a number's type", HELPER, "helpers.py", "1", "1.0", {"helpers.clean"}),
    Edit("a number to a truth", HELPER, "helpers.py", "1", "True", {"helpers.clean"}),
    Edit("a number to text", HELPER, "helpers.py", "+ 1", "+ '1'", {"helpers.clean"}),
    Edit("the sign of zero", {**HELPER, "helpers.py": "def clean(x): return 0.0"}, "helpers.py", "0.0", "-0.0", {"helpers.clean"}),
    Edit("a docstring", {**HELPER, "helpers.py": "def clean(x):\n    'One.'\n    return x"}, "helpers.py", "One", "Two", {"helpers.clean"}),
    Edit("a default", {**HELPER, "helpers.py": "def clean(x, y=1): return x"}, "helpers.py", "=1", "=2", {"helpers.clean"}),
    Edit("a keyword default", {**HELPER, "helpers.py": "def clean(x, *, y=1): return x"}, "helpers.py", "=1", "=2", {"helpers.clean"}),
    Edit("an argument's name", {**HELPER, "helpers.py": "def clean(x, y=1): return x"}, "helpers.py", "y", "z", {"helpers.clean"}),
    Edit("an exception handler", {**HELPER, "helpers.py": "def clean(x):\n    try:\n        return int(x)\n    except ValueError:\n        return 0\n"}, "helpers.py", "ValueError", "TypeError", {"helpers.clean"}),
    Edit("an inner function", {**HELPER, "helpers.py": "def clean(x):\n    def f(): return x + 1\n    return f()"}, "helpers.py", *BODY, {"helpers.clean"}),
    Edit("a comprehension", {**HELPER, "helpers.py": "def clean(x): return [y + 1 for y in x]"}, "helpers.py", "y + 1", "y + 2", {"helpers.clean"}),
    Edit("a literal set", {**HELPER, "helpers.py": "def clean(x): return x in {'a', 'b'}"}, "helpers.py", "'b'", "'c'", {"helpers.clean"}),
    Edit("a helper's helper", {**HELPER, "helpers.py": "import deep\ndef clean(x): return deep.er(x)", "deep.py": "def er(x): return x + 1"}, "deep.py", *BODY, {"deep.er"}),
    Edit("recursion", {**HELPER, "helpers.py": "def clean(x): return odd(x + 1)\ndef odd(x): return clean(x)"}, "helpers.py", *BODY, {"helpers.clean"}),
    Edit("a default that is a function", {"steps.py": "from helpers import clean\ndef train(x, f=clean): return f(x)", "helpers.py": CLEAN}, "helpers.py", *BODY, {"helpers.clean"}),
    Edit("a submodule's function", {"steps.py": step("return pkg.sub.clean(x)", "import pkg.sub\n"), "pkg/__init__.py": "", "pkg/sub.py": CLEAN}, "pkg/sub.py", *BODY, {"pkg.sub.clean"}),
    Edit("a star import", {"steps.py": step("return clean(x)", "from helpers import *\n"), "helpers.py": CLEAN}, "helpers.py", *BODY, {"helpers.clean"}),
    Edit("an import inside, loaded", {"steps.py": step("from helpers import clean\n    return clean(x)"), "helpers.py": CLEAN + "def other(): return 1"}, "helpers.py", *BODY, {"helpers.clean"}),
    Edit("another function, import inside, loaded", {"steps.py": step("import helpers as h\n    return h.clean(x)"), "helpers.py": CLEAN + "def other(): return 5"}, "helpers.py", "5", "6", set()),
    Edit("swapped imports", {"steps.py": step("return a(x) - b(x)", "from helpers import one as a, two as b\n"), "helpers.py": "def one(x): return 1\ndef two(x): return 2"}, "steps.py", "one as a, two as b", "two as a, one as b", {"steps.train"}),
    Edit("another library function by one name", {"steps.py": step("return f(x)", "from math import floor as f\n")}, "steps.py", "floor", "ceil", {"steps.train"}),
    Edit("a step called as a function", {"steps.py": "import helpers\nclass Step:\n    def __init__(self, f): self.__partita_step__ = f\ntrain = Step(lambda x: helpers.clean(x))", "helpers.py": CLEAN}, "helpers.py", *BODY, {"helpers.clean"}),
]  # fmt: skip

DECORATED = "import functools\n\ndef deco(f):\n    @functools.wraps(f)\n    def inner(x):\n        return f(x) * 3\n    return inner\n\n"
CACHED = "import functools\n\n@functools.lru_cache(maxsize=4)\n" + CLEAN
DISPATCH = "import functools\n\n@functools.singledispatch\ndef clean(x):\n    return 0\n\n@clean.register\ndef _int(x: int):\n    return x + 1\n"
MAKE = "def make(n):\n    def inner(x):\n        return x * n\n    return inner\n\ndouble, triple = make(2), make(3)\n"
INNER = "helpers.make.<locals>.inner"
CONTEXT = (
    "from contextlib import contextmanager\n\n@contextmanager\ndef clean(x):\n    yield x + 1\n"
)

CARRIERS = [
    Edit("what a decorator hides", {**HELPER, "helpers.py": DECORATED + "@deco\n" + CLEAN}, "helpers.py", *BODY, {"helpers.clean"}),
    Edit("a cached function", {**HELPER, "helpers.py": CACHED}, "helpers.py", *BODY, {"helpers.clean"}),
    Edit("the size of a cache", {**HELPER, "helpers.py": CACHED}, "helpers.py", "=4", "=5", {"helpers.clean"}),
    Edit("a context manager", {**HELPER, "helpers.py": CONTEXT}, "helpers.py", *BODY, {"helpers.clean"}),
    Edit("a case of single dispatch", {**HELPER, "helpers.py": DISPATCH}, "helpers.py", *BODY, {"helpers._int"}),
    Edit("a partial's function", {"steps.py": step("return f(x)", "from functools import partial\nimport helpers\nf = partial(helpers.clean)\n"), "helpers.py": CLEAN}, "helpers.py", *BODY, {"helpers.clean"}),
    Edit("a partial's argument", {"steps.py": step("return f(x)", "from functools import partial\nimport helpers\nf = partial(helpers.clean, y=1)\n"), "helpers.py": CLEAN}, "steps.py", "y=1", "y=2", {"steps.f"}),
    Edit("a closure's value", {"steps.py": step("return helpers.double(x)"), "helpers.py": MAKE}, "helpers.py", "make(2)", "make(5)", {"helpers.double", INNER + ".n"}),
    Edit("a closure's code", {"steps.py": step("return helpers.double(x)"), "helpers.py": MAKE}, "helpers.py", "x * n", "x - n", {"helpers.double", INNER}),
    Edit("another closure", {"steps.py": step("return helpers.double(x)"), "helpers.py": MAKE}, "helpers.py", "make(3)", "make(5)", set()),
    Edit("swapped closures", {"steps.py": step("return helpers.double(x) - helpers.triple(x)"), "helpers.py": MAKE}, "helpers.py", "make(2), make(3)", "make(3), make(2)", {"helpers.double", "helpers.triple"}),
    Edit("a lambda", {"steps.py": step("return f(x)", "f = lambda x: x + 1\n")}, "steps.py", *BODY, {"steps.f"}),
    Edit("a function in a table", {"steps.py": step("return TABLE['a'](x)", "import helpers\nTABLE = {'a': [helpers.clean]}\n"), "helpers.py": CLEAN}, "helpers.py", *BODY, {"helpers.clean"}),
    Edit("swapped lambdas in a table", {"steps.py": step("return TABLE['a'](x)", "TABLE = {'a': lambda x: 1, 'b': lambda x: 2}\n")}, "steps.py", "x: 1, 'b': lambda x: 2", "x: 2, 'b': lambda x: 1", {"steps.TABLE"}),
    Edit("an attribute of a function", {**HELPER, "helpers.py": CLEAN + "clean.rate = 7\n"}, "helpers.py", "7", "8", {"helpers.clean"}),
]  # fmt: skip

CLASS = """
import abc, dataclasses, enum, functools, types
class Base:
    def common(self): return 10
class Meta(type):
    def __call__(cls): return super().__call__()
class Cleaner(Base, metaclass=Meta):
    rate = 20
    def fit(self): return 30
    @property
    def size(self): return 40
    @staticmethod
    def scale(): return 50
    @classmethod
    def make(cls): return 60
    class Inner:
        def deep(self): return 70
@dataclasses.dataclass
class Config:
    depth: int = 80
    tags: list = dataclasses.field(default_factory=lambda: [90])
    def go(self): return 100
class Color(enum.Enum):
    RED = 110
    def shade(self): return 120
    @functools.cached_property
    def light(self): return 140
    @types.DynamicClassAttribute
    def dark(self): return 150
Color.depth = 160
CONFIG = Config(depth=130)
"""
USES = {"steps.py": step("return helpers.Cleaner().fit()"), "helpers.py": CLASS}
CONFIGURED = {"steps.py": step("return helpers.Config()"), "helpers.py": CLASS}
COLORED = {"steps.py": step("return helpers.Color.RED"), "helpers.py": CLASS}


def in_class(number: str, *changed: str, files: dict[str, str] = USES) -> Edit:
    """Changes one number in the classes above."""
    return Edit(
        f"class, {number}", files, "helpers.py", number, re.sub("0", "7", number), set(changed)
    )


ANNOTATED = "from __future__ import annotations\nfrom helpers import Config\n\ndef train(x: list[Config]): return x[0].go()\n"
CLASSES = [
    in_class(" 10\n", "helpers.Base.common"),
    in_class(" 20\n", "helpers.Cleaner"),
    in_class(" 30\n", "helpers.Cleaner.fit"),
    in_class(" 40\n", "helpers.Cleaner", "helpers.Cleaner.size"),
    in_class(" 50\n", "helpers.Cleaner.scale"),
    in_class(" 60\n", "helpers.Cleaner.make"),
    in_class(" 70\n", "helpers.Cleaner.Inner.deep"),
    in_class(" 80\n"),
    in_class(" 80\n", "helpers.Config", files=CONFIGURED),
    in_class("[90]", "helpers.Config", files=CONFIGURED),
    in_class(" 100\n", "helpers.Config.go", files=CONFIGURED),
    in_class(" 110\n", "helpers.Color", files=COLORED),
    in_class(" 120\n", "helpers.Color.shade", files=COLORED),
    in_class(" 140\n", "helpers.Color", "helpers.Color.light", files=COLORED),
    in_class(" 150\n", "helpers.Color", "helpers.Color.dark", files=COLORED),
    in_class(" 160\n", "helpers.Color", files=COLORED),
    in_class("=130", "helpers.CONFIG", files={**USES, "steps.py": step("return helpers.CONFIG.depth")}),
    in_class(" 100\n", "helpers.Config.go", files={**USES, "steps.py": ANNOTATED}),
    in_class(" 100\n", "helpers.Config.go", files={**USES, "steps.py": ANNOTATED.partition("\n")[2]}),
    Edit("a metaclass", USES, "helpers.py", "super().__call__()", "None", {"helpers.Meta.__call__"}),
    Edit("the order of fields", CONFIGURED, "helpers.py", "    depth: int = 80\n", "    new: int = 1\n    depth: int = 80\n", {"helpers.Config"}),
    Edit("a class moved down", USES, "helpers.py", "class Cleaner", "\n\n\nclass Cleaner", set()),
]  # fmt: skip


def constant(value: str, other: str, head: str = "") -> Edit:
    """Replaces a global constant that the step names."""
    files = {"steps.py": step("return LIMIT", f"{head}\nLIMIT = {value}\n")}
    expected = {"steps.LIMIT"} if value != other else set[str]()
    return Edit(f"{value} to {other}", files, "steps.py", f"= {value}", f"= {other}", expected)


CONSTANTS = [
    constant("1", "2"),
    constant("1", "1.0"),
    constant("1", "True"),
    constant("[1, 2]", "(1, 2)"),
    constant("['a', 'bc']", "['ab', 'c']"),
    constant("{'a': {'b': [1]}}", "{'a': {'b': [2]}}"),
    constant("{1: 2}", "{'1': 2}"),
    constant("{'a', 'b', 'c'}", "{'a', 'b', 'd'}"),
    constant("float('nan')", "0.0"),
    constant("b'a'", "'a'"),
    constant("re.compile('a')", "re.compile('a', re.I)", "import re"),
    constant("Path('a')", "Path('b')", "from pathlib import Path"),
    constant("date(2020, 1, 2)", "date(2020, 1, 3)", "from datetime import date"),
    constant("Decimal('1.0')", "Decimal('1.00')", "from decimal import Decimal"),
    constant("deque([1], 3)", "deque([1], 4)", "from collections import deque"),
    constant("np.array([1, 2])", "np.array([1, 3])", "import numpy as np"),
    constant("np.array([1, 2])", "np.array([[1, 2]])", "import numpy as np"),
    constant("np.float32(1)", "np.float64(1)", "import numpy as np"),
    constant("list[int]", "list[str]"),
    constant("NewType('A', int)", "NewType('A', str)", "from typing import NewType"),
    constant("TypeVar('T', bound=int)", "TypeVar('T', bound=str)", "from typing import TypeVar"),
    constant("[]; LIMIT.append(LIMIT)", "[]; LIMIT.append((LIMIT, 1))"),
    Edit("a logger's name", {"steps.py": step("LOG.info(x)", "import logging\nLOG = logging.getLogger('a')\n")}, "steps.py", "'a'", "'b'", set()),
    Edit("an unnamed constant", {"steps.py": step("return x", "LIMIT = 1\n")}, "steps.py", "= 1", "= 2", set()),
    Edit("a constant elsewhere", {"steps.py": step("return helpers.LIMIT"), "helpers.py": "LIMIT = 1"}, "helpers.py", "= 1", "= 2", {"helpers.LIMIT"}),
]  # fmt: skip


def state(base: str) -> Edit:
    """Edits a class whose base holds no result, where the step uses an instance of it."""
    head = f"import logging, threading\nclass Own({base}):\n    rate = 5\nOWN = Own()\n"
    changed = {"steps", "steps.Own"}
    return Edit(base, {"steps.py": step("return OWN.rate", head)}, "steps.py", "5", "6", changed)


STATES = [state(base) for base in ("threading.local", "threading.Thread", "logging.Filter")]
WEAK = (
    "import weakref\nclass Own: rate = 5\nown = Own()\nKNOWN = weakref.WeakValueDictionary(a=own)\n"
)
STATES.append(
    Edit(
        "held weakly",
        {"steps.py": step("return KNOWN['a'].rate", WEAK)},
        "steps.py",
        "5",
        "6",
        {"steps", "steps.Own"},
    )
)

MODULE = {"helpers.py": "import deep\n" + CLEAN + "def other(x):\n    return deep.er(x)\n", "deep.py": "def er(x): return 5\ndef no(x): return 6\n"}  # fmt: skip
REGISTRY = {
    "steps.py": step("return registry.get('a')(x)", "from registry import registry\nimport features\n"),
    "registry.py": "class Registry:\n    def __init__(self): self.known = {}\n    def add(self, name):\n        return lambda f: self.known.setdefault(name, f)\n    def get(self, name): return self.known[name]\n\nregistry = Registry()\nother = 1\n",
    "features.py": "from registry import registry\n\n@registry.add('a')\ndef a(x): return 5\n\n@registry.add('b')\ndef b(x): return 6\n\ndef c(x): return 7\n",
}  # fmt: skip


def whole(body: str, old: str, new: str, *changed: str, file: str = "helpers.py") -> Edit:
    """Edits a module that the step uses as `body` says."""
    files = {"steps.py": step(body, "import helpers, importlib\n"), **MODULE}
    return Edit(f"{body}: {old}", files, file, old, new, set(changed))


WHOLE = [
    whole("return getattr(helpers, x)(x)", *BODY, "helpers", "helpers.clean"),
    whole("return getattr(helpers, x)(x)", "5", "7", "deep.er", file="deep.py"),
    whole("return getattr(helpers, x)(x)", "6", "7", file="deep.py"),
    whole("return vars(helpers)[x](x)", *BODY, "helpers", "helpers.clean"),
    whole("return helpers.__dict__[x](x)", *BODY, "helpers", "helpers.clean"),
    whole("h = helpers\n    return h.clean(x)", *BODY, "helpers", "helpers.clean"),
    whole("return importlib.import_module('helpers').clean(x)", *BODY, "helpers", "helpers.clean"),
    whole("return __import__('helpers').clean(x)", *BODY, "helpers", "helpers.clean"),
    whole("return importlib.import_module(x).clean(x)", "train(x):", "train(x):\n    # why", "steps", file="steps.py"),
    whole("return eval(x)", *BODY, "helpers", "helpers.clean"),
    whole("return globals()[x].clean(x)", *BODY, "helpers", "helpers.clean"),
    Edit("a registered function", REGISTRY, "features.py", "5", "7", {"features.a"}),
    Edit("registered under other names", REGISTRY, "features.py", "'a'", "'z'", {"steps.registry", "registry.registry", "features"}),
    Edit("the registry's module", REGISTRY, "registry.py", "other = 1", "other = 2", {"registry"}),
    Edit("a function not registered", REGISTRY, "features.py", "7", "8", set()),
    Edit("an import inside, not loaded", {"steps.py": step("from lazy import clean\n    return clean(x)", ""), "lazy.py": "import deep\n" + CLEAN, "deep.py": "X = 1"}, "lazy.py", *BODY, {"lazy"}),
    Edit("what that one imports", {"steps.py": step("from lazy import clean\n    return clean(x)", ""), "lazy.py": "import deep\n" + CLEAN, "deep.py": "X = 1"}, "deep.py", "1", "2", {"deep"}),
    Edit("an import inside, named as one of Python's own", {"steps.py": step("from profile import clean\n    return clean(x)", ""), "profile.py": CLEAN}, "profile.py", *BODY, {"profile"}),
    Edit("a relative import inside", {"steps.py": step("return pkg.sub.go(x)", "import pkg.sub\n"), "pkg/__init__.py": "", "pkg/sub.py": "def go(x):\n    from .lazy import clean\n    return clean(x)\n", "pkg/lazy.py": CLEAN}, "pkg/lazy.py", *BODY, {"pkg.lazy"}),
]  # fmt: skip

PLUGINS = {"plugins/__init__.py": "", "plugins/one.py": CLEAN, "two.py": CLEAN}


def computed(call: str, file: str, *changed: str, head: str = "import importlib, runpy\n") -> Edit:
    """Edits a module that the step may import as it is called, and that is not loaded."""
    files = {"steps.py": step(f"return {call}", head), **PLUGINS}
    return Edit(f"{call}: {file}", files, file, *BODY, set(changed))


COMPUTED = [
    computed("importlib.import_module(f'plugins.{x}')", "plugins/one.py", "plugins.one"),
    computed("importlib.import_module(f'plugins.{x}')", "two.py"),
    computed("importlib.import_module('plugins.' + x)", "plugins/one.py", "plugins.one"),
    computed("importlib.import_module('plugins.%s' % x)", "plugins/one.py", "plugins.one"),
    computed("importlib.import_module('plugins.{}'.format(x))", "plugins/one.py", "plugins.one"),
    computed("importlib.import_module(x)", "plugins/one.py", "plugins.one"),
    computed("importlib.import_module(x)", "two.py", "two"),
    computed("importlib.import_module(name='two')", "two.py", "two"),
    computed("__import__('plugins.one', fromlist=['clean'])", "plugins/one.py", "plugins.one"),
    computed("runpy.run_module('two')", "two.py", "two"),
    computed("spec_from_file_location('two', x)", "two.py", "two", head="from importlib.util import spec_from_file_location\n"),
    Edit("a relative import by name", {"steps.py": step("return pkg.load(x)", "import pkg\n"), "pkg/__init__.py": "import importlib\ndef load(x): return importlib.import_module(f'.{x}', __package__)\n", "pkg/one.py": CLEAN}, "pkg/one.py", *BODY, {"pkg.one"}),
]  # fmt: skip

LAYOUT = {
    "steps.py": "import helpers\n\ndef other():\n    return 1\n\ndef train(x):\n    return helpers.clean(x)\n",
    "helpers.py": "def clean(x):\n    y = max(x, 1)\n    while True:\n        if x and y:\n            return (x, y)\n        pass\n\ndef other(): return 1\n",
    "unused.py": "X = 1\n",
}  # fmt: skip
NOTHING = [
    Edit("an unrelated function", LAYOUT, "helpers.py", "return 1", "return 2", set()),
    Edit("an unrelated function beside the step", LAYOUT, "steps.py", "return 1", "return 2", set()),
    Edit("another file", LAYOUT, "unused.py", "1", "2", set()),
    Edit("a comment", LAYOUT, "helpers.py", "    y =", "    # why\n    y =", set()),
    Edit("line numbers", LAYOUT, "helpers.py", "def clean", "\n\n\n\ndef clean", set()),
    Edit("line breaks in a call", LAYOUT, "helpers.py", "max(x, 1)", "max(\n        x,\n        1,\n    )", set()),
    Edit("line breaks in a tuple", LAYOUT, "helpers.py", "(x, y)", "(\n                x,\n                y,\n            )", set()),
    Edit("line breaks in a condition", LAYOUT, "helpers.py", "if x and y:", "if (\n            x\n            and y\n        ):", set()),
    Edit("a new global", LAYOUT, "helpers.py", "def clean", "import os\nZ = 1\ndef clean", set()),
    Edit("the order of functions", {"steps.py": step("return helpers.a() + helpers.b()"), "helpers.py": "def a(): return 1\ndef b(): return 2\n"}, "helpers.py", "def a(): return 1\ndef b(): return 2\n", "def b(): return 2\ndef a(): return 1\n", set()),
]  # fmt: skip

HOLDER = "class Holder:\n    def __init__(self, k=0): self.k = k\n\n"


def elsewhere(name: str, body: str, made: str, done: str, *changed: str) -> Edit:
    """Edits a number in `done`, which a module of its own does to what another one has `made`."""
    files = {
        "steps.py": step(f"return {body}", "import made, done\n"),
        "made.py": HOLDER + made + "\n",
        "done.py": f"import math, made\n\n{done}\n\ndef unused(): return 1\n",
    }
    return Edit(name, files, "done.py", "5", "6", set(changed))


PUT = ("made.known['a'].k", "known = {}")
ELSEWHERE = [
    elsewhere("an object put into another module's table", *PUT, "made.known['a'] = made.Holder(5)", "done"),
    elsewhere("an object put there by a function", PUT[0], PUT[1] + "\ndef put(k): known['a'] = Holder(k)", "made.put(5)", "done"),
    elsewhere("an attribute of another module's object", "made.held.k", "held = Holder()", "made.held.k = 5", "done"),
    elsewhere("an attribute set by a function", "made.held.k", "held = Holder()\ndef put(k): held.k = k", "made.put(5)", "done"),
    elsewhere("an attribute set by a function of a function", "made.held.k", "held = Holder()\ndef put(k): held.k = k\ndef puts(k): put(k)", "made.puts(5)", "done"),
    elsewhere("an object put into a class", "made.Own.known['a'].k", "class Own:\n    known = {}\n    @classmethod\n    def put(cls, k): cls.known['a'] = Holder(k)", "made.Own.put(5)", "done"),
    elsewhere("a class that is looked up as a subclass", "made.Own.__subclasses__()[0].k", "class Own: pass", "class Below(made.Own): k = 5", "done.Below"),
    elsewhere("a further attribute of a dataclass", "made.held.more", "from dataclasses import dataclass\n@dataclass\nclass Data: k: int = 0\nheld = Data()", "made.held.more = 5", "made.held"),
    elsewhere("a function put into Python's library", "done.math.floor(x)", "", "math.floor = lambda x: 5", "math.floor"),
    elsewhere("a number in what another module merely imports", *PUT, "from made import known\ndef other(): return known, 5"),
    elsewhere("a number in a function beside what touches the table", *PUT, "made.known['a'] = made.Holder(4)\ndef other(): return 5"),
]  # fmt: skip

LIBRARY = "import statistics\nfrom enum import Enum\n"
INSIDE = [
    Edit("a function of Python's in a class", {"steps.py": step("return Own.of([x])", LIBRARY + "class Own:\n    of = statistics.mean\n")}, "steps.py", "mean", "median", {"steps.Own"}),
    Edit("a static method of Python's", {"steps.py": step("return Own.of([x])", LIBRARY + "class Own:\n    of = staticmethod(statistics.mean)\n")}, "steps.py", "mean", "median", {"steps.Own"}),
    Edit("a static method of Python's in an enum", {"steps.py": step("return Own.of([x])", LIBRARY + "class Own(Enum):\n    A = 1\n    of = staticmethod(statistics.mean)\n")}, "steps.py", "mean", "median", {"steps.Own"}),
    Edit("an attribute of a thread's own", {"steps.py": step("return LOCAL.k", "import threading\nLOCAL = threading.local()\nLOCAL.k = 5\n")}, "steps.py", "5", "6", {"steps"}),
    Edit("the fold of a time", {"steps.py": step("return T.fold", "from datetime import time\nT = time(1, fold=0)\n")}, "steps.py", "fold=0", "fold=1", {"steps.T"}),
    Edit("the order of an array in memory", {"steps.py": step("return A.flags", "import numpy\nA = numpy.zeros((2, 3), order='C')\n")}, "steps.py", "'C'", "'F'", {"steps.A"}),
    Edit("what an annotation carries", {"steps.py": "from made import Count\ndef train(x: Count): return x\n", "made.py": HOLDER + "from typing import Annotated\nCount = Annotated[int, Holder(5)]\n"}, "made.py", "5", "6", {"made"}),
]  # fmt: skip

EDITS = (
    FUNCTIONS
    + CARRIERS
    + CLASSES
    + CONSTANTS
    + STATES
    + WHOLE
    + NOTHING
    + COMPUTED
    + ELSEWHERE
    + INSIDE
)


@pytest.mark.parametrize("edit", EDITS, ids=[edit.name for edit in EDITS])
def test_an_edit_changes_exactly_the_parts_it_is_in(edit: Edit, tmp_path: Path) -> None:
    if "numpy" in str(edit.files):
        pytest.importorskip("numpy")
    before = run(write(tmp_path / "before", edit.files))
    content = edit.files[edit.file]
    assert edit.old in content
    edited = {**edit.files, edit.file: content.replace(edit.old, edit.new)}
    after = run(write(tmp_path / "elsewhere" / "after", edited))
    assert changes(before, after) == edit.changed
