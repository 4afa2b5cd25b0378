"""Pipelines: functions that put steps together."""

from __future__ import annotations

from partita import _native, frames
from partita.errors import PipelineError
from partita.step import check_hooks, check_name, current_trace, resemble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from partita.settings import Settings, StepRetryConfig


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
        if current_trace() is not None:
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
