"""Loads the step that a deployment names, in the place where it runs."""

from __future__ import annotations

import os
import sys

from partita import loader
from partita.caller import Caller
from partita.errors import PartitaError
from partita.step import Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from partita import _native
    from partita.termination import Termination


class EntryCaller(Caller):
    """Calls the one step of an entrypoint, which it loads when it is called.

    So what goes wrong while the author's modules are imported is the attempt's failure.
    """

    def __init__(
        self,
        entry: _native.StepEntry,
        termination: Termination,
        *,
        is_recorded: bool,
        is_labelled: bool,
    ) -> None:
        super().__init__({}, source_root(entry), termination, is_recorded=is_recorded)
        self.is_labelled = is_labelled
        self._entry = entry

    def call(self, call: _native.StepCall) -> Any:
        """Loads the step and calls it."""
        self._steps[call.step_name] = load_step(self._entry)
        return super().call(call)

    def describe(self, step_name: str, error: BaseException) -> tuple[str, str, str | None]:
        """Describes an exception; one for want of memory, with how much the step may use."""
        kind, message, traceback = super().describe(step_name, error)
        if isinstance(error, MemoryError) and self._entry.memory is not None:
            allowed = f"{self._entry.memory / 1e6:,.0f} MB"
            most = f"the step may use {allowed} of memory, as its resources say"
            message = f"{message}; {most}" if message else most
        return kind, message, traceback

    def _hook(self, step_name: str, kind: str) -> Callable[..., object] | None:
        del step_name
        return _hook(self._entry, ("on_success", "on_failure").index(kind))


def prepare(entry: _native.StepEntry) -> None:
    """Does what every attempt at a step begins with, so that forks of this process have it done.

    Raises:
        BaseException: The step cannot be loaded.
    """
    if not entry.is_command:
        _ = load_step(entry).signature


#: The steps that this process has loaded, by their sources and the materializers of their outputs.
_steps: dict[tuple[str, tuple[tuple[str, str], ...]], Step] = {}


def load_step(entry: _native.StepEntry) -> Step:
    """Returns the step of an entrypoint, with its function, materializers and no hooks.

    Raises:
        PartitaError: It cannot be found where the deployment says.
        BaseException: The author's own code raised it while it was loaded.
    """
    key = (entry.source, tuple(entry.materializers))
    step = _steps.get(key)
    if step is None:
        step = _steps[key] = _load_step(entry)
    return step


def _load_step(entry: _native.StepEntry) -> Step:
    if entry.program is not None:
        raise PartitaError(
            f"step `{entry.step_name}` is one of the program `{entry.program}`, which enters it "
            f"itself; start `{entry.program} entrypoint` with the same options."
        )
    try:
        found = _load(entry, entry.source, f"step `{entry.step_name}`")
    except loader.AuthorError as error:
        raise (error.__cause__ or error) from None
    function = found.entrypoint if isinstance(found, Step) else found
    if not hasattr(function, "__code__"):
        raise PartitaError(
            f"`{entry.source}` is of type `{type(found).__qualname__}` and neither a step nor a "
            "function; nothing of that name can be run."
        )
    options: dict[str, Any] = {}
    if entry.materializers:
        options["output_materializers"] = {
            output: _materializer(found, output, source) for output, source in entry.materializers
        }
    return Step(function, name=entry.step_name, options=options)


def _hook(entry: _native.StepEntry, which: int) -> Any:
    source = entry.hooks[which]
    return None if source is None else _load(entry, source, f"a hook of step `{entry.step_name}`")


def pipeline_hook(entry: _native.StepEntry, kind: str) -> Any:
    """Returns the hook `on_success` or `on_failure` of the pipeline, if it has one.

    Raises:
        PartitaError: It cannot be found where the deployment says.
    """
    source = entry.pipeline_hooks[("on_success", "on_failure").index(kind)]
    what = f"the hook `{kind}` of pipeline `{entry.pipeline_name}`"
    return None if source is None else _load(entry, source, what)


def _load(entry: _native.StepEntry, source: str, what: str) -> Any:
    """Returns what `module:qualname` names; a step's name may end in `'`."""
    name, _, qualname = source.rstrip("'").partition(":")
    if "<" in qualname:
        raise PartitaError(
            f"{what} is `{source}`, which is made while other code runs and cannot be imported; "
            "define it at the top of its module."
        )
    found: Any = _module(entry, name)
    for part in qualname.split("."):
        if not hasattr(found, part):
            raise PartitaError(
                f"{what} is `{source}`, and `{name}` has no `{qualname}` here; run the code that "
                "the deployment was compiled from."
            )
        found = getattr(found, part)
    return found


#: Where the author's code was put in this place, if it came out of the artifact store.
_unpacked: str | None = None


def use_code(run: _native.RunEntry, digest: str) -> None:
    """Takes the author's code with this digest out of the artifact store, and works in it.

    Raises:
        PartitaError: It is not there, or there is no room for it.
    """
    from tempfile import mkdtemp

    global _unpacked
    _unpacked = mkdtemp(prefix="partita-code-")
    run.unpack_code(digest, _unpacked)
    if os.getcwd() == "/" and sys.path[:1] == ["/"]:
        # Python looks where it was started; what lies at the top of an image are no packages.
        del sys.path[0]
    os.chdir(_unpacked)


def source_root(entry: _native.StepEntry) -> str:
    """Returns the folder of the author's code in this place."""
    if _unpacked is not None:
        return _unpacked
    root = os.environ.get("PARTITA_SOURCE_ROOT", entry.source_root)
    return root if root is not None and os.path.isdir(root) else os.getcwd()


#: The modules that this process has loaded, by the names that deployments give them.
_modules: dict[str, ModuleType] = {}


def _module(entry: _native.StepEntry, name: str) -> ModuleType:
    module = _modules.get(name)
    if module is None:
        module = _modules[name] = _load_module(entry, name)
    return module


def _load_module(entry: _native.StepEntry, name: str) -> ModuleType:
    root, file = source_root(entry), entry.file
    path = os.path.join(root, file) if file is not None else None
    loader.put_first(root, *([os.path.dirname(path)] if path is not None else []))
    if path is None or all(part.isidentifier() for part in name.split(".")):
        module = loader.import_module(name, name)
    else:
        module = sys.modules.get(name) or loader.load_anonymous(name, path)
    if entry.pipeline_source.partition(":")[0] == name:
        # Values of classes that the run's script defined were pickled as those of `__main__`.
        sys.modules["__main__"] = module
    return module


def _materializer(found: Any, output: str, source: str) -> Any:
    """Returns the materializer of an output, from the step itself if it is the one recorded."""
    chosen = found.materializer(output) if isinstance(found, Step) else None
    if chosen is not None and f"{chosen.__module__}.{chosen.__qualname__}" == source:
        return chosen
    parts = source.split(".")
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        value: Any = sys.modules.get(name)
        for part in parts[length:]:
            value = getattr(value, part, None)
        if value is not None:
            return value
    raise PartitaError(
        f"the materializer `{source}` of the output `{output}` is not there once the step's module "
        "is imported; import it there."
    )
