"""Looks at runs, artifacts, stacks and components, and loads values back."""

from __future__ import annotations

from partita import _engine, _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Value = TypeVar("Value")


class _ByName(dict[str, "Value"]):
    """What a run or a step has, by name; one that is not there is told with those that are."""

    def __init__(self, has: str, values: dict[str, Value]) -> None:
        super().__init__(values)
        self._has = has

    def __missing__(self, name: str) -> Value:
        import difflib

        near = difflib.get_close_matches(name, self, 1)
        known = f"did you mean `{near[0]}`?" if near else f"it has `{'`, `'.join(self) or 'none'}`"
        raise KeyError(f"{self._has} `{name}`; {known}")


class Artifact:
    """One immutable value that a step made.

    Attributes:
        name: The artifact's name: `PIPELINE.STEP.OUTPUT`.
        id: The version's id.
        uri: Where it is.
        type: The value's type.
        digest: The digest of its content.
        size: Bytes.
        materializer: The format it is stored in.
    """

    def __init__(self, view: dict[str, Any]) -> None:
        """Wraps what the engine says of a version."""
        self.name: str = view["artifact"]
        self.id: str = view["artifact_version"]
        self.uri: str = view["uri"]
        self.type: str = view["type"]
        self.digest: str = view["digest"]
        self.size: int = view["size"]
        self.materializer: str = view["materializer"]

    def load(self, *, as_type: Any = None) -> Any:
        """Returns the value, after a check of its digest.

        Args:
            as_type: The class to make of it, where the stored type is not loaded here; of each
                item, where a mapped step made it.

        Raises:
            PartitaError: It is gone, corrupt, or a pickle in a store that is not trusted.
        """
        return _load(_engine.load_artifact(self.id), as_type)

    @property
    def artifact_version_document(self) -> dict[str, Any]:
        """The version as a pipeline passes it to a step."""
        return _native.decode_value(_engine.artifact_version(self.id))

    def __repr__(self) -> str:
        return f"<artifact {self.name} {self.id}>"


def _load(found: Any, as_type: Any) -> Any:
    if isinstance(found, list):
        items: list[Any] = found  # pyright: ignore[reportUnknownVariableType]
        return [_load(item, as_type) for item in items]
    inline, folder, format_id, type_name, trusted = found
    if inline is not None:
        return _native.decode_value(inline)
    from partita import materializers

    return materializers.load(
        format_id, folder, data_type=as_type, type_name=type_name, trust_pickles=trusted
    )


class StepRun:
    """A step of a run, or one item of a mapped step."""

    def __init__(
        self, run_id: str, name: str, view: dict[str, Any], item: int | None = None
    ) -> None:
        """Wraps what the engine says of a step run."""
        self.name = name
        self.item = item
        self.status: str = view["status"]
        self.cached: bool = view["cached"]
        self.cache_reason: str | None = view["cache_reason"]
        self.upstream: list[str] = view["upstream"]
        self.attempts: list[dict[str, Any]] = view["attempts"]
        self.inputs: dict[str, dict[str, Any]] = view["inputs"]
        outputs: dict[str, Any] = view["outputs"]
        self.outputs: dict[str, Artifact] = _ByName(
            f"step `{name}` has no output",
            {key: Artifact(output) for key, output in outputs.items()},
        )
        self.metadata: dict[str, Any] = view["metadata"]
        self._run_id = run_id
        self._items: list[dict[str, Any]] | None = view.get("items")

    @property
    def items(self) -> list[StepRun] | None:
        """The items of a mapped step, in order, each like a step; `None` if it is not mapped."""
        if self._items is None:
            return None
        views = enumerate(self._items)
        return [StepRun(self._run_id, self.name, view, item) for item, view in views]

    @property
    def log(self) -> str:
        """What its attempts printed; of a mapped step, what all its items did, in order."""
        if self._items is not None:
            return "".join(item.log for item in self.items or [])
        return _engine.read_log(self._run_id, self.name, self.item)

    @property
    def output(self) -> Artifact:
        """Its only output.

        Raises:
            PartitaError: It has none, or several.
        """
        if len(self.outputs) != 1:
            from partita.errors import PartitaError

            raise PartitaError(
                f"step `{self.name}` has {len(self.outputs)} outputs; pick one by name from "
                f"`outputs`: `{'`, `'.join(self.outputs) or 'none'}`."
            )
        return next(iter(self.outputs.values()))

    def __repr__(self) -> str:
        item = "" if self.item is None else f"[{self.item}]"
        return f"<step run {self.name}{item}: {self.status}>"


class PipelineRun:
    """A run, as it was when it was asked for.

    Attributes:
        id: Its id.
        name: Its name.
        pipeline: The pipeline's name.
        status: `completed`, `failed`, `cancelled`, `interrupted` or `running`.
        error: What went wrong, in one paragraph.
        steps: Its steps by name.
        parameters: What its pipeline was called with; `None` where its store cannot be read.
        metadata: What was noted about it.
    """

    def __init__(self, view: dict[str, Any]) -> None:
        """Wraps what the engine says of a run."""
        self.id: str = view["id"]
        self.name: str = view["name"]
        self.pipeline: str = view["pipeline"]
        self.status: str = view["status"]
        self.error: str | None = view.get("error")
        self.started_at: str | None = view.get("started_at")
        self.ended_at: str | None = view.get("ended_at")
        self._view = view

    @property
    def steps(self) -> dict[str, StepRun]:
        """Its steps by name, in the order of the pipeline."""
        steps: dict[str, Any] = self._whole["steps"]
        return _ByName(
            f"run `{self.name}` has no step",
            {name: StepRun(self.id, name, step) for name, step in steps.items()},
        )

    @property
    def parameters(self) -> dict[str, Any] | None:
        """What its pipeline was called with; `None` where its artifact store cannot be read."""
        return self._whole["parameters"]

    @property
    def metadata(self) -> dict[str, Any]:
        """What was noted about it as a whole."""
        return self._whole["metadata"]

    @property
    def _whole(self) -> dict[str, Any]:
        """What the engine says of it, asked for once where a list has left some of it out."""
        if "steps" not in self._view:
            self._view = _native.decode_value(_engine.get_run(self.id))
        return self._view

    def __repr__(self) -> str:
        return f"<run {self.name}: {self.status}>"


class Client:
    """Asks the home that `PARTITA_HOME` names.

    Example:
        >>> Client().get_run("latest").steps["train"].outputs["model"].load()  # doctest: +SKIP
    """

    def list_runs(
        self,
        *,
        pipeline: str | None = None,
        status: str | None = None,
        name: str | None = None,
        limit: int | None = None,
    ) -> list[PipelineRun]:
        """Returns runs, latest first."""
        views = _native.decode_value(_engine.list_runs(pipeline, status, name, _count(limit)))
        return [PipelineRun(view) for view in views]

    def get_run(self, run: str) -> PipelineRun:
        """Returns the run with this name or id, an unambiguous prefix of its id, or `latest`.

        Raises:
            PartitaError: There is none, or several.
        """
        return PipelineRun(_native.decode_value(_engine.get_run(run)))

    def list_artifacts(
        self, *, artifact: str | None = None, run: str | None = None, limit: int | None = None
    ) -> list[Artifact]:
        """Returns artifact versions, latest first."""
        views = _native.decode_value(_engine.list_artifacts(artifact, run, _count(limit)))
        return [Artifact(view) for view in views]

    def get_artifact(self, artifact: str) -> Artifact:
        """Returns the latest version of an artifact, or the version with this id.

        Raises:
            PartitaError: There is none.
        """
        return Artifact(_native.decode_value(_engine.get_artifact(artifact)))

    def list_stacks(self) -> list[dict[str, Any]]:
        """Returns the stacks, by name."""
        stacks: list[dict[str, Any]] = _native.decode_value(_engine.list_stacks())
        for stack in stacks:
            stack["orchestrators"] = [_component(one) for one in stack["orchestrators"]]
            stack["artifact_store"] = _component(stack["artifact_store"])
        return stacks

    def list_components(self, component_type: str) -> list[dict[str, Any]]:
        """Returns the components of a type: `orchestrator` or `artifact_store`.

        Raises:
            PartitaError: There is no such type.
        """
        components = _native.decode_value(_engine.list_components(component_type))
        return [_component(one) for one in components]


def _component(document: dict[str, Any]) -> dict[str, Any]:
    """Returns a component with the keys that `--output json` has too."""
    return {**document, "config": document.get("config", {})}


def _count(limit: int | None) -> int | None:
    if limit is not None and limit < 0:
        from partita.errors import PartitaError

        raise PartitaError(f"`limit` is {limit}; give 0 or more, or `None` for all.")
    return limit
