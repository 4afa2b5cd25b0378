"""Walks from a step's function to everything that it reaches, and keeps the parts found.

The walk is a queue, not a recursion: a part refers to others by name, so that cycles end by
themselves and each part has one digest, wherever the walk began.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from . import distributions, library
from .framing import frame, text
from .lookup import Context, look_up
from .modules import DISTRIBUTION, OUTSIDE, SOURCE, Found, SourceRoot, absolute, module_file
from .scan import Use, scan
from .touched import touching
from .values import Encoder, TooLargeError

_sources: dict[str, tuple[bytes, CodeType | None]] = {}


class _Job(NamedTuple):
    """A part to encode: the object, its module, and what it is called there."""

    name: str
    kind: str
    value: Any
    module: str
    binding: str


class Walk:
    """One walk through live objects; `run` it, then read `parts`, `distributions` and `notes`."""

    MISSING: Any = object()

    def __init__(self, root: SourceRoot) -> None:
        self.root = root
        self.subject: Any = None
        self.parts: dict[str, set[tuple[str, bytes]]] = {}
        self.distributions: dict[str, str] = {}
        self.notes: set[str] = set()
        # Each global looked at, with what it was: the result holds as long as they are the same.
        self.bindings: list[tuple[dict[str, Any], str, Any]] = []
        self._queued: dict[tuple[str, int], Any] = {}
        self._objects: deque[_Job] = deque()
        self._modules: deque[tuple[CodeType, Context, bool]] = deque()
        self._wholes: set[tuple[str, bool, bool]] = set()

    def run(self, name: str, function: Any, module: str) -> None:
        """Walks from `function`, which becomes the part `name`."""
        self.subject = function
        self.add(name, "function", function, module)
        while self._objects or self._modules:
            if self._objects:
                self._encode_next()
                continue
            code, context, executed_only = self._modules.popleft()
            for use in scan(code, executed_only=executed_only).uses:
                self.look_up(use, context)

    def add(self, name: str, kind: str, value: Any, module: str, binding: str = "") -> None:
        """Queues `value` as the part `name`, once."""
        if (name, id(value)) not in self._queued:
            self._queued[name, id(value)] = value
            self._objects.append(_Job(name, kind, value, module, binding))

    def record(self, name: str, kind: str, content: bytes) -> None:
        """Notes `content` under `name`; a name with several contents stands for them all."""
        self.parts.setdefault(name, set()).add((kind, content))

    def look_up(self, use: Use, context: Context) -> bytes:
        """Returns a reference to what `use` reaches, which is queued."""
        return look_up(self, use, context)

    def _encode_next(self) -> None:
        name, kind, value, module, binding = self._objects.popleft()
        encoder = Encoder(self, name, module, binding, value)
        try:
            content = encoder.inline(value) if callable(value) else encoder.encode(value)
        except TooLargeError:
            content = frame("too large")
            owner = sys.modules.get(self.defining_module(module, binding))
            if owner is not None:
                self.whole(owner, because=f"`{name}` is too large to compare")
        self.record(name, kind, content)

    def external(self, module: ModuleType) -> None:
        """Counts a module outside of the source root: by its distribution, else by its file."""
        zone = self.root.zone(module)
        file = module_file(module)
        if zone == DISTRIBUTION and file is None:
            top = sys.modules.get(module.__name__.partition(".")[0])
            file = module_file(top) if top is not None else None
        if zone in (DISTRIBUTION, OUTSIDE) and file is not None:
            self._count_file(module.__name__, file, zone)

    def _count_file(self, name: str, file: str, zone: str) -> None:
        owner = distributions.owner(file)
        if owner is not None:
            self.distributions[owner.name] = owner.version
        if zone == OUTSIDE or owner is None:
            # Installed in place, or merely on the path: the version says too little.
            self.record(name, "module", frame("file", _source(file)[0]))

    def whole(
        self,
        module: ModuleType,
        *,
        because: str = "",
        everything: bool = True,
        any_name: bool = False,
    ) -> bytes:
        """Counts all of a module's file, and what the code in it reaches.

        With `everything` that is what any function in it may reach, else what its import ran; with
        `any_name`, the modules that it imports count as a whole too.
        """
        reference = frame("module", text(self.root.name(module.__name__)))
        if self.root.zone(module) != SOURCE:
            self.external(module)
            return reference
        key = (module.__name__, everything, any_name)
        if key in self._wholes:
            return reference
        self._wholes.add(key)
        name, file = self.root.name(module.__name__), module_file(module)
        content, code = _source(file) if file is not None else (b"", None)
        shown = self.root.relative(file) if file is not None else name
        why = because or f"`{name}` is used as a whole"
        self.notes.add(f"{why}, so all of {shown} counts")
        context = Context(vars(module), module.__name__, name, {}, quiet=True)
        if code is not None:
            self._modules.append((code, context, not everything))
        encoder = Encoder(self, name, module.__name__)
        reached = library.links(dict(_namespace(module)), encoder) if everything else b""
        self.record(name, "module", frame("file", content))
        if reached:
            self.record(name, "module", frame("namespace", reached))
        for value in list(vars(module).values()):
            if not isinstance(value, ModuleType) or not everything:
                continue
            # A package is used as a whole with the modules in it.
            inside = value.__name__.startswith(f"{module.__name__}.")
            if self.root.zone(value) == SOURCE and (inside or any_name):
                self.whole(value)
        return reference

    def touched(self, held: Any, part: str, owner: str) -> None:
        """Counts what the modules that name `held` run while they are imported.

        The module `owner`, which it belongs to, counts anyway.
        """
        for module in touching(held, self.root, _compiled):
            name, code = self.root.name(module.__name__), _compiled(module)
            if code is None or module.__name__ == owner:
                continue
            self.record(name, "module", frame("run", scan(code, executed_only=True).body))
            self.notes.add(f"`{name}` uses `{part}` while it is imported, so what that runs counts")
            context = Context(vars(module), module.__name__, name, {}, quiet=True)
            self._modules.append((code, context, True))

    def unloaded(self, found: Found, *, because: str = "") -> None:
        """Counts the file of a module that is imported only later, and what that imports.

        Running it early could have effects, so nothing finer is known about it.
        """
        parent = found.name.rpartition(".")[0]
        if found.file is None or (found.name, True, False) in self._wholes:
            return
        self._wholes.add((found.name, True, False))
        zone = self.root.zone_of_file(found.file, found.name)
        if zone == SOURCE:
            content, code = _source(found.file)
            self.record(found.name, "module", frame("file", content))
            shown = self.root.relative(found.file)
            why = because or f"`{found.name}` is imported only when it is used"
            self.notes.add(f"{why}, so all of {shown} counts")
            package = found.name if found.search else parent
            if code is not None:
                context = Context({}, found.name, found.name, {}, quiet=True, package=package)
                self._modules.append((code, context, False))
        elif zone in (DISTRIBUTION, OUTSIDE):
            self._count_file(found.name, found.file, zone)
        if parent and parent not in sys.modules:
            from .modules import find

            above = find(parent)
            if above is not None:
                self.unloaded(above)

    def defining_module(self, module: str, binding: str) -> str:
        """Returns the module that the global `binding` of `module` was imported from, if it was."""
        seen: set[tuple[str, str]] = set()
        while binding and (module, binding) not in seen:
            seen.add((module, binding))
            loaded = sys.modules.get(module)
            file = module_file(loaded) if loaded is not None else None
            if loaded is None or file is None or self.root.zone(loaded) != SOURCE:
                break
            code = _source(file)[1]
            sources = scan(code, executed_only=True).imports.get(binding, []) if code else []
            if len(sources) != 1 or not sources[0].members:
                break
            package = loaded.__package__ or ""
            target = absolute(sources[0].module, sources[0].level, package)
            if target not in sys.modules:
                break
            module, binding = target, sources[0].members[0]
        return module


def _compiled(module: ModuleType) -> CodeType | None:
    file = module_file(module)
    return _source(file)[1] if file is not None else None


def _namespace(module: ModuleType) -> list[tuple[str, Any]]:
    """Returns the globals of a module that are not Python's own facts about it, sorted."""
    return sorted((k, v) for k, v in vars(module).items() if not k.startswith("__"))


def _source(file: str) -> tuple[bytes, CodeType | None]:
    """Returns the content of a file, as first read in this process, and its code if it has any."""
    if file not in _sources:
        try:
            with open(file, "rb") as stream:
                content = stream.read()
        except OSError:
            content = b""
        code = None
        if os.path.splitext(file)[1] in (".py", ".pyw"):
            try:
                code = compile(content, "<source>", "exec", dont_inherit=True)
            except (SyntaxError, ValueError):
                code = None
        _sources[file] = (content, code)
    return _sources[file]
