"""What the `partita` command starts for a Python target: `python -m partita VERB JSON`."""

from __future__ import annotations

import os
import sys

from partita import _engine, _native, frames, loader, running, target, tracing
from partita.errors import PartitaError, StepFailedError, UnreachableError
from partita.signature import kinds
from partita.spec import UNSAVED
from partita.streams import show
from partita.telling import tell
from partita.termination import Terminated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from partita.pipeline import Pipeline

DONE, FAILED, UNREACHABLE, BUG, CANCELLED = 0, 1, 3, 70, 130


def main(arguments: list[str]) -> int:
    """Does what the command was asked to; returns the exit code."""
    if len(arguments) != 2 or arguments[0] not in VERBS:
        print("error: this is started by the `partita` command; type `partita`.", file=sys.stderr)
        return 2
    verb, request = arguments[0], _native.decode_value(os.fsencode(arguments[1]))
    try:
        _check_working_directory()
        VERBS[verb](request)
    except StepFailedError:
        return FAILED  # The progress display has told of it.
    except PartitaError as error:
        _refuse(str(error))
        return UNREACHABLE if isinstance(error, UnreachableError) else FAILED
    except loader.AuthorError as error:
        return _author_failed(f"`{error}` cannot be loaded", error.__cause__ or error)
    except (KeyboardInterrupt, Terminated):
        return CANCELLED
    except (_native.PanicException, _engine.PanicException):
        return BUG  # The panic has told of itself.
    except Exception as error:
        if error is not tracing.raised:
            tell(_native.describe_bug(frames.place_of_fault(error), repr(error)))
            return BUG
        return _author_failed("the pipeline cannot be put together", error)
    return DONE


def _check_working_directory() -> None:
    try:
        os.getcwd()
    except OSError as error:
        raise PartitaError(
            f"the working directory cannot be entered: {error.strerror}; go to another one."
        ) from None


def _run(request: dict[str, Any]) -> None:
    if request.get("detach"):
        os.setsid()  # No terminal that closes, and no Ctrl-C in it, ends the run.
        # The command reads the run's name there, and nothing else; no child inherits it.
        request["detach"] = os.dup(1)
        os.dup2(2, 1)
    pipeline = target.find(request["target"])
    running.run(pipeline, {}, command_line=_options(pipeline, request))


def _resume(request: dict[str, Any]) -> None:
    pipeline = target.find(request["target"], root=request.get("source_root"))
    called: dict[str, Any] = _native.decode_value(_engine.run_call(request["run_id"]))
    given: dict[str, Any] = called["parameters"]
    asked: dict[str, Any] = called["target"] or {}
    for name, value in given.items():
        if isinstance(value, dict) and UNSAVED in value and name not in request["parameters"]:
            raise PartitaError(
                f"the run's parameter `{name}` was {value[UNSAVED]}, which no document can give "
                "back; call the pipeline from Python again: what its run has made is cached."
            )
    pipeline = pipeline.with_options(name=called["pipeline"], **asked.get("options", {}))
    options = _options(pipeline, request)
    for key in ("config", "enable_cache"):
        if options.get(key) is None:
            options[key] = asked.get(key)
    options["parameters"] = {**asked.get("parameters", {}), **options["parameters"]}
    running.resume(pipeline, request["run_id"], given, options)


def _plan(request: dict[str, Any]) -> None:
    planned = _engine.plan(_traced(request).document)
    form, verbose = request.get("format") or "table", bool(request.get("verbose"))
    show(_engine.render_plan(planned, form, verbose).encode())


def _build(request: dict[str, Any]) -> None:
    made = _engine.build(_traced(request).document, request.get("format") or "table")
    show(made.encode())


def _compile(request: dict[str, Any]) -> None:
    document = _engine.compile_pipeline(_traced(request).document)
    output = request.get("output")
    if output is None:
        show(document)
        return
    try:
        with open(output, "wb") as file:
            file.write(document)
    except OSError as error:
        raise PartitaError(f"`{output}` cannot be written: {error.strerror}.") from None
    if not request.get("quiet"):
        tell(f"`{output}` holds the deployment now")


def _traced(request: dict[str, Any]) -> running.Request:
    pipeline = target.find(request["target"])
    return running.Request(pipeline, {}, command_line=_options(pipeline, request))


def _options(pipeline: Pipeline, request: dict[str, Any]) -> dict[str, Any]:
    return {**request, "parameters": _parameters(pipeline, request)}


def _parameters(pipeline: Pipeline, request: dict[str, Any]) -> dict[str, Any]:
    """Reads `K=V` by the parameter's annotation: a text stays a text, the rest is JSON."""
    from partita.signature import Signature

    types = Signature(pipeline.entrypoint).types
    texts: dict[str, str] = request.get("parameters") or {}
    values: dict[str, Any] = {}
    for name, text in texts.items():
        values[name] = _parameter(text, kinds(types.get(name)))
    return values


def _parameter(text: str, accepted: list[str] | None) -> Any:
    if accepted == ["str"]:
        return text
    spelled = {"True": "true", "False": "false", "None": "null"}.get(text, text)
    try:
        return _native.decode_value(spelled.encode())
    except ValueError:
        return text


def _refuse(message: str) -> int:
    sys.stdout.flush()
    end = "" if message.endswith((".", "?")) else "."
    tell(f"error: {message}{end}")
    return FAILED


def _author_failed(what: str, error: BaseException) -> int:
    """Shows the author's own traceback, without the frames of whatever ran the code."""
    import importlib
    import os
    import traceback

    machinery = ("<frozen ", os.path.dirname(importlib.__file__) + os.sep)
    frames.leave_out_own(error)
    entries = traceback.TracebackException.from_exception(error)
    entries.stack[:] = [
        frame for frame in entries.stack if not frame.filename.startswith(machinery)
    ]
    print("".join(entries.format()), end="", file=sys.stderr)
    return _refuse(f"{what}: {type(error).__name__}: {error}; correct it and try again.")


def _test(request: dict[str, Any]) -> None:
    from partita.conformance import suite

    suite.test(request)


VERBS = {
    "run": _run,
    "resume": _resume,
    "plan": _plan,
    "build": _build,
    "compile": _compile,
    "test": _test,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
