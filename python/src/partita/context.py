"""What a step can learn of the run it is in, and note about itself."""

from __future__ import annotations

from _thread import get_ident

from partita import _native
from partita.errors import PartitaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeVar

    from partita.client import PipelineRun

    Entry = TypeVar("Entry")

#: The steps that are running, by the thread that runs them.
_running: dict[int, StepContext] = {}


class StepContext:
    """The step run that is going on.

    Attributes:
        run_id: The run's id.
        run_name: The run's name.
        pipeline_name: The pipeline's name.
        step_name: The step invocation's name.
        attempt: The attempt's number, from 1.
        item: The item, from 0, if the step is mapped; else `None`.
        parameters: The literal values that the step was called with; secrets as references.
    """

    def __init__(
        self,
        call: _native.StepCall,
        run_name: str,
        parameters: Mapping[str, Any],
        redactor: _native.Redactor | None = None,
    ) -> None:
        """Describes a call; the runner makes it."""
        self.run_id = call.run_id
        self.run_name = run_name
        self.pipeline_name = call.pipeline_name
        self.step_name = call.step_name
        self.attempt = call.attempt
        self.item = call.item
        self.parameters = dict(parameters)
        self.metadata: dict[str, Any] = {}
        self.folders: dict[str, str] = {}
        self._call: _native.StepCall | None = call
        self._redactor = redactor

    def add_metadata(self, metadata: Mapping[str, Any] | None = None, /, **values: Any) -> None:
        """Notes values about this step run.

        Raises:
            PartitaError: A value is not plain data, or the step has ended.
        """
        self._check_runs()
        self.metadata.update(plain({**(metadata or {}), **values}))

    def output_folder(self, name: str = "output") -> str:
        """Returns a folder whose files become part of the output `name` when it is stored.

        Raises:
            PartitaError: There is no room for one, or the step has ended.
        """
        call = self._check_runs()
        if name not in self.folders:
            self.folders[name] = call.stage(f"{name} (files)")
        return self.folders[name]

    def without_secrets(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """Returns metadata without the values of secrets that the step takes."""
        if self._redactor is None:
            return metadata
        from partita import redaction

        return redaction.plain(metadata, self._redactor)

    def end(self) -> None:
        """Refuses from now on what would not be kept; hooks are called after that."""
        self._call = None

    def _check_runs(self) -> _native.StepCall:
        if self._call is None:
            raise PartitaError(
                f"step `{self.step_name}` has ended, and nothing more is kept of it; do this in "
                "the step, or note values about its run: `log_metadata(…, run=context.run_id)`."
            )
        return self._call


def mine(entries: dict[int, Entry]) -> Entry | None:
    """Returns the entry of this thread; in a thread that a step started, the only one there is."""
    entry = entries.get(get_ident())
    if entry is None:
        others = list(entries.values())
        return others[0] if len(others) == 1 else None
    return entry


def replace(entries: dict[int, Entry], entry: Entry | None) -> Entry | None:
    """Makes `entry` that of this thread, or removes it; returns the one before it."""
    before = entries.pop(get_ident(), None)
    if entry is not None:
        entries[get_ident()] = entry
    return before


def get_step_context() -> StepContext:
    """Returns the context of the step that is running, or whose hook is.

    Raises:
        PartitaError: No step is running.
    """
    current = mine(_running)
    if current is None:
        raise PartitaError("no step is running here; call `get_step_context()` inside a step.")
    return current


def enter(context: StepContext | None) -> StepContext | None:
    """Makes `context` that of this thread, or says that it runs no step; returns the one before."""
    return replace(_running, context)


def log_metadata(metadata: Mapping[str, Any], *, run: PipelineRun | str | None = None) -> None:
    """Notes values about the step that is running, or about a run.

    Args:
        metadata: Plain data by key.
        run: A run, its name or its id; the running step if it is not given.

    Raises:
        PartitaError: A value is not plain data, or there is neither a step nor a run.

    Example:
        >>> log_metadata({"rows": 1797})  # doctest: +SKIP
    """
    if run is None:
        get_step_context().add_metadata(metadata)
        return
    from partita import _engine

    reference = run if isinstance(run, str) else run.id
    values, current = plain(metadata), mine(_running)
    data = _native.encode_value(current.without_secrets(values) if current else values)
    _engine.add_run_metadata(reference, data or b"{}")


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns metadata that documents can hold.

    Raises:
        PartitaError: A value is not plain data.
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        item: Any = getattr(value, "item", None)
        if callable(item) and type(value).__module__ == "numpy":
            value = item()  # A numpy scalar means the number it holds.
        if type(key) is not str or _native.encode_value(value) is None:
            raise PartitaError(
                f"the metadata `{key}` is of type `{type(value).__qualname__}`; note numbers, "
                "texts, lists and dicts, under keys that are texts."
            )
        found[key] = value
    return found
