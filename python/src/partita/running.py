"""Runs, plans, compiles and resumes pipelines through the engine."""

from __future__ import annotations

import sys

from partita import _engine, _native, frames, loader, source_root, tracing
from partita.caller import Caller, call_failure_hook
from partita.capture import LogHandlers
from partita.errors import PartitaError, PipelineError, StepFailedError
from partita.spec import bind_defaults, spec, trace
from partita.telling import tell
from partita.termination import Termination

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from partita.client import PipelineRun
    from partita.pipeline import Pipeline
    from partita.step import Step


class Request:
    """A traced pipeline and how it was asked for."""

    def __init__(
        self,
        pipeline: Pipeline,
        given: dict[str, Any],
        *,
        command_line: dict[str, Any] | None = None,
    ) -> None:
        """Traces a pipeline.

        Args:
            pipeline: The pipeline.
            given: The parameters of the call.
            command_line: What the command line said: `parameters`, `stack`, `config`,
                `enable_cache`, `run_name`, `quiet` and `verbose`; it wins over the rest.

        Raises:
            PipelineError: Parameters are wrong, and so it cannot be traced; wrong parameters that
                leave a trace are the engine's to report, with all other problems.
        """
        asked = command_line or {}
        config = asked.get("config") or pipeline.config_path
        typed: dict[str, Any] = asked.get("parameters", {})
        places: dict[str, Any] = {}
        if config is not None:
            configured = _native.decode_value(_engine.config_parameters(config))
            given = {**given, **{name: found["value"] for name, found in configured.items()}}
            places = {n: found["location"] for n, found in configured.items() if n not in typed}
        given = {**given, **typed}
        root = source_root.of_function(pipeline.entrypoint)
        _alias_script(pipeline, root)
        call = frames.author_location() if command_line is None else None
        values, problems = bind_defaults(pipeline, given, call, places)
        self.literals = _engine.Literals(root, asked.get("stack"))
        try:
            found = trace(pipeline, values, root, self.literals)
            traced = spec(pipeline, {**given, **values}, found, problems)
        except (Exception, SystemExit):
            if problems:  # Whatever this is, it may come of them.
                raise PipelineError(_engine.report(_encoded(problems))) from None
            raise
        self.pipeline = pipeline
        self.source_root = root
        self.steps: dict[str, Step] = found.used
        typed = {name: value for name, value in typed.items() if tracing.is_plain(value)}
        self.document = _encoded(
            {
                "source_root": root,
                "spec": traced,
                "config": config,
                "parameters": typed,
                "stack": asked.get("stack"),
                "enable_cache": asked.get("enable_cache"),
                "run_name": asked.get("run_name"),
                "quiet": bool(asked.get("quiet")),
                "detach": asked.get("detach") or None,
                "verbose": bool(asked.get("verbose")),
                "raises": command_line is None,
                "python": _python(),
                "target": _target(pipeline, root, config, asked.get("enable_cache"), typed),
            }
        )


def run(
    pipeline: Pipeline, given: dict[str, Any], *, command_line: dict[str, Any] | None = None
) -> PipelineRun:
    """Runs a pipeline to its end and returns its run.

    Raises:
        StepFailedError: A step failed.
        PipelineError: The pipeline is not one that can run.
        KeyboardInterrupt: The run was cancelled.
        SystemExit: The run was cancelled because the process was told to end.
    """
    if pipeline.entrypoint.__module__ == "__mp_main__":
        raise PipelineError(
            f"pipeline `{pipeline.name}` is called by a worker process that a step started, which "
            'would run it again and again; put the call under `if __name__ == "__main__":`.'
        )
    if loader.loading:
        raise frames.refusal(
            f"pipeline `{pipeline.name}` is called while its file is being loaded, and would run "
            'each time that is imported; put the call under `if __name__ == "__main__":`.'
        )
    request = Request(pipeline, given, command_line=command_line)
    termination = Termination()
    caller = Caller(request.steps, request.source_root, termination)
    with termination, LogHandlers():
        outcome = _engine.run(request.document, request.literals, caller)
    return _finish(pipeline, caller, outcome, termination, is_script=command_line is None)


def resume(
    pipeline: Pipeline, run_id: str, given: dict[str, Any], command_line: dict[str, Any]
) -> PipelineRun:
    """Continues a run; its finished steps stay finished, but for those that `from_step` asks for.

    Raises:
        StepFailedError: A step failed.
        PartitaError: The run cannot be resumed.
        KeyboardInterrupt: The run was cancelled.
    """
    request = Request(pipeline, given, command_line=command_line)
    termination = Termination()
    caller = Caller(request.steps, request.source_root, termination)
    with termination, LogHandlers():
        outcome = _engine.resume(
            request.document, request.literals, run_id, command_line.get("from_step"), caller
        )
    return _finish(pipeline, caller, outcome, termination, is_script=False)


def _finish(
    pipeline: Pipeline,
    caller: Caller,
    outcome: bytes,
    termination: Termination,
    *,
    is_script: bool,
) -> PipelineRun:
    from partita.client import Client, PipelineRun

    ended = _native.decode_value(outcome)
    if ended["warning"]:
        tell(f"warning: {ended['warning']}")
    try:
        finished = Client().get_run(ended["run_id"])
    except PartitaError as error:
        # The index is not to be had now; how the run went is known all the same.
        tell(f"warning: {error}")
        finished = PipelineRun(
            {
                "id": ended["run_id"],
                "name": ended["run_id"],
                "pipeline": pipeline.name,
                "status": ended["status"],
                "error": ended["error"],
            }
        )
    if ended["status"] == "completed":
        if pipeline.on_success is not None:
            _hook("on_success", finished, pipeline.on_success)
        # It came too late to stop the run; a script still ends, and has more to do than that.
        if ended["interrupted"] and is_script:
            raise termination.exception(f"run `{finished.name}` had just completed")
        return finished
    if ended["status"] == "submitted":  # It goes on without this process.
        return finished
    if ended["status"] == "cancelled":
        raise termination.exception(f"run `{finished.name}` was cancelled")
    name = ended["failed"][0] if ended["failed"] else ""
    error = StepFailedError(ended["error"] or "the run failed", run=finished, step_name=name)
    error.__cause__ = caller.exceptions.get(name)
    if pipeline.on_failure is not None:
        on_failure = pipeline.on_failure
        cause = error.__cause__ or error
        _hook("on_failure", finished, lambda: call_failure_hook(on_failure, cause))
    raise error


def _hook(kind: str, run: PipelineRun, hook: Callable[[], object]) -> None:
    """Calls a pipeline's hook; one that raises is noted, and does not change how a run ended."""
    try:
        hook()
    except Exception as error:
        tell(f"warning: the hook `{kind}` of pipeline `{run.pipeline}` raised {error!r}")
        try:
            _engine.note_failed_hook(run.id, kind, f"{type(error).__name__}: {error}")
        except PartitaError as unwritten:
            tell(f"warning: that cannot be recorded: {unwritten}")


def _alias_script(pipeline: Pipeline, root: str) -> None:
    """Makes a script known by the name it is imported under, so that its classes are one."""
    script = sys.modules.get("__main__")
    if script is not None and pipeline.entrypoint.__module__ == "__main__":
        sys.modules.setdefault(source_root.module_name(pipeline.entrypoint, root), script)


def _python() -> dict[str, Any]:
    """Returns what of this Python goes into images."""
    import os

    folders = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    package = os.path.dirname(os.path.abspath(__file__))
    return {"interpreter": sys.executable, "package": package, "site_packages": folders}


def _target(
    pipeline: Pipeline,
    root: str,
    config: str | None,
    enable_cache: bool | None,
    parameters: dict[str, Any],
) -> dict[str, Any] | None:
    """Returns how the pipeline can be called again, or `None` if it was typed in."""
    import os

    function = pipeline.entrypoint
    if not os.path.isfile(function.__code__.co_filename):
        return None
    name = source_root.module_name(function, root)
    options = {key: value for key, value in pipeline.later_options.items() if key != "run_name"}
    return {
        "source_root": root,
        "source": f"{name}:{function.__qualname__}",
        "interpreter": sys.executable,
        "config": None if config is None else os.path.abspath(config),
        "options": tracing.plain_options(options) if options else None,
        "enable_cache": enable_cache,
        "parameters": parameters,
    }


def _encoded(document: object) -> bytes:
    data = _native.encode_value(document)
    if data is None:
        raise PipelineError(
            "an option holds a value that cannot be written down; use numbers, texts, lists and "
            "dicts."
        )
    return data
