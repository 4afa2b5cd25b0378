"""Pipelines: functions that put steps together."""

from __future__ import annotations

from partita import _native, frames, source_root, tracing
from partita.errors import PipelineError
from partita.step import check_hooks, check_name, resemble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from partita.settings import Settings, StepRetryConfig


#: Marks a parameter that documents show and cannot give back.
UNSAVED = "$unsaved"


class Pipeline:
    """A pipeline. Calling it runs it on the active stack and returns the run."""

    def __init__(self, function: Callable[..., Any], *, name: str, options: dict[str, Any]) -> None:
        """Makes a pipeline of a function; authors use the decorator `pipeline`."""
        resemble(self, function)
        self.entrypoint = function
        self.__partita_pipeline__ = function
        self.name = name
        self.on_success: Callable[[], object] | None = options.pop("on_success", None)
        self.on_failure: Callable[[BaseException], object] | Callable[[], object] | None = (
            options.pop("on_failure", None)
        )
        self.options = options
        self.later_options: dict[str, Any] = {}
        self.places: dict[str, tuple[str, int] | None] = {}  # Of later options.
        self.config_path: str | None = None

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the pipeline and returns its run; inside another pipeline, adds its steps to that.

        Raises:
            StepFailedError: A step failed.
            PipelineError: The pipeline is not one that can run; nothing has run.
            KeyboardInterrupt: The run was cancelled.
        """
        if tracing.current() is not None:
            return self.entrypoint(*args, **kwargs)
        from partita import running

        return running.run(self, self.bind(args, kwargs))

    if TYPE_CHECKING:
        __call__ = _call
    else:
        __call__ = _native.Boundary(_call, frames.leave_out_own)

    def with_options(
        self, *, config_path: str | None = None, run_name: str | None = None, **options: Any
    ) -> Pipeline:
        """Returns the pipeline with other options.

        Args:
            config_path: A YAML file of options.
            run_name: The name of its runs.
            **options: Options of `pipeline`, and `steps={name: {option: value}}`.

        Example:
            >>> digits.with_options(enable_cache=False)(depth=5)  # doctest: +SKIP
        """
        hooks = {"on_success": self.on_success, "on_failure": self.on_failure}
        for hook in hooks:
            hooks[hook] = options.pop(hook, hooks[hook])
        name = check_name("pipeline", options.pop("name", self.name))
        copy = Pipeline(self.entrypoint, name=name, options=check_hooks({**self.options, **hooks}))
        options["run_name"] = run_name
        later = {key: value for key, value in options.items() if value is not None}
        copy.later_options = {**self.later_options, **later}
        copy.places = {**self.places, **dict.fromkeys(later, frames.author_line())}
        copy.config_path = config_path or self.config_path
        return copy

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Returns the arguments of a call by name, without defaults.

        Raises:
            PipelineError: There is one too many.
        """
        code = self.entrypoint.__code__
        names = code.co_varnames[: code.co_argcount]
        if len(args) > len(names):
            raise PipelineError(
                f"pipeline `{self.name}` takes {len(names)} parameters and got {len(args)}."
            )
        return {**dict(zip(names, args, strict=False)), **kwargs}

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"


def pipeline(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    enable_cache: bool | None = None,
    cache_version: str | int | None = None,
    cache_expiry: str | float | None = None,
    failure_mode: str | None = None,
    retry: StepRetryConfig | None = None,
    settings: Mapping[str, Settings | Mapping[str, Any]] | None = None,
    on_success: Callable[[], object] | None = None,
    on_failure: Callable[[BaseException], object] | Callable[[], object] | None = None,
    **other: Any,
) -> Any:
    """Makes a pipeline of a function that calls steps.

    Args:
        function: The function, where the decorator is used without parentheses.
        name: The pipeline's name; the function's if it is not given.
        enable_cache: Whether earlier results are taken; steps can say otherwise.
        cache_version: Key material of your own for every step.
        cache_expiry: The age at which earlier results are no longer taken, such as `7d`.
        failure_mode: `fail_fast`, `stop_on_failure` or `continue_on_failure`.
        retry: How failed attempts are retried, where a step does not say.
        settings: Settings by key, where a step does not say.
        on_success: Called after a completed run.
        on_failure: Called with the exception after a failed run.
        **other: Refused when the pipeline is compiled, with the nearest option that is known.

    Example:
        >>> @pipeline(enable_cache=False)
        ... def digits(depth: int = 3):
        ...     report(train(load(), depth=depth))
    """
    options = {
        "enable_cache": enable_cache,
        "cache_version": cache_version,
        "cache_expiry": cache_expiry,
        "failure_mode": failure_mode,
        "retry": retry,
        "settings": settings,
        "on_success": on_success,
        "on_failure": on_failure,
        **other,
    }

    def decorate(function: Callable[..., Any]) -> Pipeline:
        if not hasattr(function, "__code__"):
            raise frames.refusal(
                f"`@pipeline` takes a plain function, not `{function!r}`; put it next to the `def`."
            )
        chosen = check_name("pipeline", function.__name__ if name is None else name)
        return Pipeline(function, name=chosen, options=check_hooks(options))

    return decorate if function is None else decorate(function)


def trace(
    target: Pipeline, arguments: dict[str, Any], root: str, literals: _native.Literals
) -> tracing.Trace:
    """Runs a pipeline's function once and returns what it calls."""
    from partita.literals import save_literal

    found = tracing.Trace(
        root, lambda place, value: save_literal(target.name, root, literals, place, value)
    )
    try:
        found.run(target.entrypoint, arguments)
    except BaseException:
        literals.release()  # Whoever keeps the exception keeps everything that its frames hold.
        raise
    return found


def spec(
    target: Pipeline,
    arguments: dict[str, Any],
    found: tracing.Trace,
    problems: list[dict[str, Any]],
) -> dict[str, Any]:
    """Returns the pipeline spec of a trace, as the engine takes it.

    With problems of the parameters it is one that the engine refuses.
    """
    import sys

    function = target.entrypoint
    place = source_root.location(function)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    parameters: dict[str, Any] = {}
    for name, value in arguments.items():
        name = tracing.check_text("parameter", name)
        parameters[name] = value if tracing.is_plain(value) else {UNSAVED: repr(value)}
    return {
        "name": tracing.check_text("pipeline", target.name),
        "source": f"{source_root.module_name(function, found.root)}:{function.__qualname__}",
        "location": place,
        "parameters": parameters,
        "parameter_problems": problems,
        "options": [
            tracing.layer(target.options, place),
            tracing.layer(target.later_options, None, target.places),
        ],
        "hooks": tracing.hooks(target),
        "environment": {
            "interpreter": f"{sys.implementation.name}-{version}{sys.abiflags}",
            "platform": _platform(),
        },
        "sources": found.sources,
        "definitions": found.definitions,
        "steps": found.steps,
    }


def _platform() -> str:
    """Returns the platform's ABI, with the C library where Python was told of it."""
    import os
    import sys

    known: str | None = getattr(sys.implementation, "_multiarch", None)
    return known or f"{os.uname().machine}-{sys.platform}"


def bind_defaults(
    target: Pipeline,
    given: dict[str, Any],
    place: dict[str, Any] | None,
    places: dict[str, dict[str, Any]],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Returns the values to call a pipeline with, defaults included, and problems of those given.

    A value of no parameter is left out, and one of the wrong type gives way to the default, if
    there is one. Values are given at `place`, but for those that have another in `places`.
    """
    from partita.signature import Signature

    signature = Signature(target.entrypoint)
    values = dict(signature.defaults)
    problems: list[dict[str, Any]] = []

    def tell(name: str, message: str, help: str) -> None:
        location = places.get(name, place)
        message = message.encode(errors="backslashreplace").decode()  # Documents are UTF-8.
        problems.append({"message": message, "location": location, "help": help})

    for name, value in given.items():
        if name not in signature.names and not signature.open:
            message = f"pipeline `{target.name}` has no parameter `{name}`"
            tell(name, message, _suggestion(name, signature.names))
            continue
        kinds = signature.kinds(name)
        if kinds is None or _fits(value, kinds):
            values[name] = float(value) if kinds == ["float"] else value
            continue
        values.setdefault(name, value)
        tell(
            name,
            f"parameter `{name}` of pipeline `{target.name}` is declared as "
            f"`{' or '.join(kinds)}` and got `{value!r}` of type `{type(value).__qualname__}`",
            "give it a value of that type, or declare another one",
        )
    for name in signature.names:
        if name not in values:
            message = f"parameter `{name}` of pipeline `{target.name}` is missing"
            tell(name, message, f"give it with `--param {name}=…` or in the call")
    return values, problems


def _suggestion(name: str, names: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"it takes `{'`, `'.join(names)}`" if names else "it takes none"


def _fits(value: Any, kinds: list[str]) -> bool:
    kind = "None" if value is None else type(value).__name__
    return kind in kinds or (kind == "int" and "float" in kinds)
