"""Steps: functions that a pipeline can be made of."""

from __future__ import annotations

import sys
from _thread import get_ident

from partita import frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from partita.materializers import BaseMaterializer
    from partita.settings import Settings, StepRetryConfig
    from partita.signature import Signature
    from partita.tracing import Trace


#: What `functools.update_wrapper` takes over; the import of `functools` would be a tenth of the
#: time of a step that starts anew.
_TAKEN_OVER = ("__module__", "__name__", "__qualname__", "__doc__") + (
    ("__annotate__", "__type_params__") if sys.version_info >= (3, 14) else ("__annotations__",)
)


def resemble(decorated: Any, function: Any) -> None:
    """Gives what a decorator makes the name and the documentation of the function it decorates."""
    for name in _TAKEN_OVER:
        if hasattr(function, name):
            setattr(decorated, name, getattr(function, name))
    decorated.__dict__.update(function.__dict__)
    decorated.__wrapped__ = function


#: The traces that go on, by the threads that trace.
traces: dict[int, Trace] = {}


def current_trace() -> Trace | None:
    """Returns the trace that goes on in this thread, if there is one."""
    return traces.get(get_ident())


class Step:
    """A step. Inside a pipeline a call adds it to the pipeline; elsewhere it calls the function."""

    def __init__(self, function: Callable[..., Any], *, name: str, options: dict[str, Any]) -> None:
        """Makes a step of a function; authors use the decorator `step`."""
        resemble(self, function)
        self.entrypoint = function
        self.__partita_step__ = function
        self.name = name
        self.on_success: Callable[[], object] | None = options.pop("on_success", None)
        self.on_failure: Callable[[BaseException], object] | Callable[[], object] | None = (
            options.pop("on_failure", None)
        )
        self.output_materializers = options.pop("output_materializers", None)
        self.options = options
        self.places: dict[str, tuple[str, int] | None] = {}  # Of options given later.
        self._signature: Signature | None = None

    @property
    def signature(self) -> Signature:
        """What the step takes and makes."""
        if self._signature is None:
            from partita.signature import Signature

            self._signature = Signature(self.entrypoint)
        return self._signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Adds the step to the pipeline that is being traced, or calls the function.

        In a pipeline, `after` names steps that must end before, and `id` the invocation.
        """
        trace = current_trace()
        if trace is None:
            return self.entrypoint(*args, **kwargs)
        return trace.invoke(self, args, kwargs)

    def map(self, items: Any, /, **others: Any) -> Any:
        """Uses the step once for each item of a list.

        In a pipeline `items` is a list, a list that holds outputs, or an output that will be a
        list, and each output stands for the list of what the items make, in order. Elsewhere the
        function is called for each item.

        Args:
            items: What the first input that is not among `others` is, item by item.
            **others: The step's other inputs, the same for every item; in a pipeline also `after`
                and `id`, as for a call.

        Raises:
            PipelineError: It is no list.

        Example:
            >>> @step
            ... def double(x: int) -> int:
            ...     return 2 * x
            >>> double.map([1, 2, 3])
            [2, 4, 6]
        """
        trace = current_trace()
        if trace is not None:
            return trace.map(self, items, others)
        from partita import mapping

        listed = mapping.listed(self.name, items)
        over = mapping.mapped_input(self, others)
        if over in self.signature.positional_only:
            returned = [self.entrypoint(item, **others) for item in listed]
        else:
            returned = [self.entrypoint(**{over: item}, **others) for item in listed]
        count = len(self.signature.outputs)
        if count < 2:
            return returned
        return tuple([values[index] for values in returned] for index in range(count))

    def with_options(self, **options: Any) -> Step:
        """Returns the step with other options; those of `step` are known."""
        own = {"on_success": self.on_success, "on_failure": self.on_failure}
        own["output_materializers"] = self.output_materializers
        name = check_name("step", options.pop("name", self.name))
        here = dict.fromkeys(options, frames.author_line())
        copy = Step(self.entrypoint, name=name, options=check({**self.options, **own, **options}))
        copy.places = {**self.places, **here}
        return copy

    def materializer(self, output: str) -> type[BaseMaterializer] | None:
        """Returns the materializer that the author chose for an output."""
        chosen: Any = self.output_materializers
        if isinstance(chosen, dict):
            mapping: dict[str, Any] = chosen  # pyright: ignore[reportUnknownVariableType]
            return mapping.get(output)
        return chosen

    def own_materializers(self) -> list[type[BaseMaterializer]]:
        """Returns the author's materializers that its inputs and outputs pass through."""
        base = sys.modules.get("partita.materializers.base")
        if base is None:
            return []  # Nobody has written one.
        outputs = self.signature.outputs
        chosen = [self.materializer(output.name) for output in outputs]
        types = [output.data_type for output in outputs] + list(self.signature.types.values())
        plain = [getattr(kind, "__origin__", kind) for kind in types]
        chosen += [base.own_for(kind) for kind in plain if isinstance(kind, type)]
        return list({found: None for found in chosen if found is not None})

    def __repr__(self) -> str:
        return f"<step {self.name}>"


def check(options: dict[str, Any]) -> dict[str, Any]:
    """Returns options of a step after a look at those that only Python understands.

    Raises:
        PipelineError: One is not what it must be.
    """
    chosen: Any = options.get("output_materializers")
    several: list[Any] = list(chosen.values()) if isinstance(chosen, dict) else [chosen]  # pyright: ignore[reportUnknownArgumentType] - of anything
    for one in several:
        if one is not None and not _is_materializer(one):
            raise frames.refusal(
                f"`output_materializers` takes a subclass of `BaseMaterializer`, or a dict of "
                f"such by output name, not `{one!r}`."
            )
    lists = {key: _listed(key, options.get(key)) for key in ("cache_files", "cache_environment")}
    return check_hooks({**options, **lists})


def _is_materializer(value: Any) -> bool:
    base = sys.modules.get("partita.materializers.base")  # Whoever has a subclass has loaded it.
    return isinstance(value, type) and base is not None and issubclass(value, base.BaseMaterializer)


def check_hooks(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options that are given, after a check that hooks can be called.

    Raises:
        PipelineError: A hook cannot be called.
    """
    for hook in ("on_success", "on_failure"):
        if options.get(hook) is not None and not callable(options[hook]):
            raise frames.refusal(f"`{hook}` must be a function, not `{options[hook]!r}`.")
    return {key: value for key, value in options.items() if value is not None}


def check_name(what: str, name: Any) -> str:
    """Returns the name of a step or a pipeline.

    Raises:
        PipelineError: It is no text, or an empty one.
    """
    if not isinstance(name, str) or not name.strip():
        raise frames.refusal(
            f"the name of a {what} must be a text that says something, not `{name!r}`."
        )
    return name


def _listed(option: str, value: Iterable[str] | None) -> list[str] | None:
    """Returns an option that is several texts; one text would be taken for its letters."""
    if value is None:
        return None
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise frames.refusal(f"`{option}` takes a list of texts, not `{value!r}`.")
    return list(value)


#: Flags of the code of coroutines and asynchronous generators.
_ASYNC = 0x0080 | 0x0200


def step(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    enable_cache: bool | None = None,
    cache_version: str | int | None = None,
    cache_files: Iterable[str] | None = None,
    cache_environment: Iterable[str] | None = None,
    cache_expiry: str | float | None = None,
    retry: StepRetryConfig | None = None,
    timeout: str | float | None = None,
    orchestrator: str | None = None,
    limits: Mapping[str, int] | None = None,
    settings: Mapping[str, Settings | Mapping[str, Any]] | None = None,
    on_success: Callable[[], object] | None = None,
    on_failure: Callable[[BaseException], object] | Callable[[], object] | None = None,
    output_materializers: type[BaseMaterializer]
    | Mapping[str, type[BaseMaterializer]]
    | None = None,
    **other: Any,
) -> Any:
    """Makes a step of a function.

    Args:
        function: The function, where the decorator is used without parentheses.
        name: The step's name; the function's if it is not given.
        enable_cache: Whether an earlier result with the same key is taken.
        cache_version: Key material of your own: another value runs the step again.
        cache_files: Files and folders, relative to the source root, that count as key material.
        cache_environment: Environment variables whose values count as key material.
        cache_expiry: The age at which an earlier result is no longer taken, such as `7d`.
        retry: How a failed attempt is retried.
        timeout: The longest time that an attempt may take, such as `10m`.
        orchestrator: The orchestrator of the stack that runs it, if not the first one.
        limits: Named limits, each with the number of steps under it that may run at once, in all
            runs of a home together.
        settings: Settings by key, such as `{"resources": ResourceSettings(cpu_count=2)}`.
        on_success: Called after the outputs are safely stored.
        on_failure: Called with the exception after the last failed attempt.
        output_materializers: The materializer of every output, or one by output name.
        **other: Refused when the pipeline is compiled, with the nearest option that is known.

    Example:
        >>> @step(cache_version="2")
        ... def double(x: int) -> int:
        ...     return 2 * x
        >>> double(4)
        8
    """
    options: dict[str, Any] = {
        "enable_cache": enable_cache,
        "cache_version": cache_version,
        "cache_files": cache_files,
        "cache_environment": cache_environment,
        "cache_expiry": cache_expiry,
        "retry": retry,
        "timeout": timeout,
        "orchestrator": orchestrator,
        "limits": limits,
        "settings": settings,
        "on_success": on_success,
        "on_failure": on_failure,
        "output_materializers": output_materializers,
        **other,
    }

    def decorate(function: Callable[..., Any]) -> Step:
        # A method of an object has code too, and what it finds in the object would not be seen.
        bound = hasattr(function, "__self__")
        if isinstance(function, Step) or bound or not hasattr(function, "__code__"):
            raise frames.refusal(
                f"`@step` takes a plain function, not `{function!r}`; put it next to the `def`."
            )
        if function.__code__.co_flags & _ASYNC:
            raise frames.refusal(
                f"`@step` takes a plain function, and `{function.__name__}` is an `async def`; "
                "call it with `asyncio.run` in a plain one."
            )
        chosen = function.__name__ if name is None else name
        return Step(function, name=check_name("step", chosen), options=check(options))

    return decorate if function is None else decorate(function)
