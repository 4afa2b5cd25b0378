"""Calls steps for the engine: loads their inputs, calls them, saves what they return."""

from __future__ import annotations

import os
import sys

from partita import _native, context, frames
from partita.errors import PartitaError
from partita.signature import OUTPUT
from partita.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from partita.signature import Output
    from partita.step import Step
    from partita.termination import Termination

#: What the engine gets for an output: name, type, format, the digest of its code, metadata, and the
#: value if it is inlined.
Saved = tuple[str, str, str, "str | None", "bytes | None", "bytes | None"]


#: Characters of a message or of a traceback; each look at the run reads them.
_MOST_TOLD = 100_000

#: Set in the flags of a function with `*args` (`inspect.CO_VARARGS`).
_TAKES_ANY = 4


class OutputError(Exception):
    """What a step returned is not what it declares."""


class Caller:
    """The steps of one run, as the engine calls them.

    Attributes:
        exceptions: The exception that each step failed with, by name.
        is_recorded: Whether somebody else records what this process prints.
        is_labelled: Whether what is shown begins with the step's name, line by line.
    """

    def __init__(
        self,
        steps: dict[str, Step],
        source_root: str,
        termination: Termination | None = None,
        *,
        is_recorded: bool = False,
    ) -> None:
        """Takes the steps by the names of their invocations, and where the author's code is.

        Args:
            steps: The steps.
            source_root: The folder of the author's code.
            termination: What SIGTERM does to this process.
            is_recorded: Whether somebody else records what this process prints.
        """
        self._steps = steps
        self._source_root = source_root
        self._termination = termination
        self.is_recorded = is_recorded
        self.is_labelled = False
        self._data_type: Any = None
        self._list: tuple[str, Any] | None = None  # The one that items are taken from.
        self._redactor: _native.Redactor | None = None  # Of the latest attempt.
        self._contexts: dict[str, context.StepContext] = {}  # Of the latest attempts, for hooks.
        self.exceptions: dict[str, BaseException] = {}

    @property
    def is_told_to_end(self) -> bool:
        """Whether SIGTERM came, also where the step has caught what it raises."""
        return self._termination is not None and self._termination.asked

    def call(self, call: _native.StepCall) -> list[Saved]:
        """Calls a step once.

        Raises:
            KeyboardInterrupt: It was interrupted, whatever came of that in the step.
        """
        process = os.getpid()
        try:
            return self._call(call)
        except BaseException as error:
            _leave_if_forked(process, error)
            if self.is_told_to_end or _has_left_debugger(error):
                raise KeyboardInterrupt from error
            raise
        finally:
            _leave_if_forked(process, None)

    def _call(self, call: _native.StepCall) -> list[Saved]:
        step = self._steps[call.step_name]
        parameters = call.parameters()
        self._redactor = call.redactor()
        current = context.StepContext(call, call.run_name, parameters, self._redactor)
        if step.on_success is not None or step.on_failure is not None:
            self._contexts[call.step_name] = current
        values = {**parameters, **call.secret_parameters(), **self._inputs(step, call)}
        positional = [values.pop(name) for name in step.signature.positional_only]
        outer = context.enter(current)
        try:
            if self.is_recorded:
                return self._run(step, call, current, positional, values)
            from partita.capture import Capture
            from partita.terminal_input import Input

            label = _label(call) if self.is_labelled else ""
            with Capture(call.log, call.printed, self._redactor, label), Input(call.reads):
                return self._run(step, call, current, positional, values)
        finally:
            context.enter(outer)
            if current.metadata:  # Also of a step that fails: it may say why.
                call.set_metadata(_native.encode_value(current.metadata) or b"{}")

    def _run(
        self,
        step: Step,
        call: _native.StepCall,
        current: context.StepContext,
        positional: list[Any],
        values: dict[str, Any],
    ) -> list[Saved]:
        returned = step.entrypoint(*positional, **values)
        outputs = match(call.step_name, step.signature.outputs, returned)
        return [self._save(step, call, current, *output) for output in outputs]

    def load(self, name: str, format_id: str, folder: str, type_name: str, trusted: bool) -> Any:
        """Loads an input from files, for the engine."""
        from partita import materializers

        del name
        return materializers.load(
            format_id, folder, data_type=self._data_type, type_name=type_name, trust_pickles=trusted
        )

    def show(self, stream: str, text: str) -> None:
        """Shows what a command prints."""
        shown = sys.stderr if stream == "stderr" else sys.stdout
        shown.write(text)
        shown.flush()

    def _hook(self, step_name: str, kind: str) -> Callable[..., object] | None:
        return getattr(self._steps[step_name], kind)

    def succeeded(self, step_name: str) -> None:
        """Calls the author's hook after a commit."""
        hook = self._hook(step_name, "on_success")
        if hook is not None:
            self._call_hook("on_success", step_name, hook)

    def failed(self, step_name: str) -> None:
        """Calls the author's hook after the last failed attempt."""
        hook = self._hook(step_name, "on_failure")
        if hook is not None:
            error = self.exceptions.get(step_name)
            self._call_hook("on_failure", step_name, lambda: call_failure_hook(hook, error))

    def describe(self, step_name: str, error: BaseException) -> tuple[str, str, str | None]:
        """Returns an exception's type, its message and the author's part of its traceback."""
        redact = self._without_secrets(step_name, error)
        kind = type(error)
        own = kind.__module__.startswith("partita.") or kind.__module__ == "partita"
        if own and (not isinstance(error, PartitaError) or frames.keep_to_message(error)):
            return ("partita", redact(str(error)), None)
        name = kind.__qualname__
        if kind.__module__ not in ("builtins", "__main__"):
            name = f"{kind.__module__}.{name}"
        if isinstance(error, SystemExit):
            message = f"the step called `sys.exit({error.code!r})`; return or raise instead"
        else:
            message = _message(error)
        told = _traceback(error)
        return (_told(name), _told(redact(message)), _told(redact(told)) if told else None)

    def _without_secrets(self, step_name: str, error: BaseException) -> Callable[[str], str]:
        """Keeps a step's exception for who raises it; returns what cleans text about it."""
        self.exceptions[step_name] = error
        redactor = self._redactor
        if redactor is None:
            return str
        from partita import redaction

        if not redaction.clean(error, redactor):
            del self.exceptions[step_name]  # Whoever shows it would show a secret.
        return lambda text: redactor.text(text.encode("utf-8", "backslashreplace").decode())

    def _call_hook(self, kind: str, step_name: str, hook: Callable[[], object]) -> None:
        current = self._contexts.pop(step_name, None)
        if current is not None:
            current.end()
        outer = context.enter(current)
        try:
            hook()
        except Exception as error:
            raised = repr(error) if self._redactor is None else self._redactor.text(repr(error))
            tell(f"warning: the hook `{kind}` of step `{step_name}` raised {raised}")
            raise  # The run's events keep it.
        finally:
            context.enter(outer)

    def _inputs(self, step: Step, call: _native.StepCall) -> dict[str, Any]:
        inputs: dict[str, Any] = {}
        for name in call.input_names():
            element = call.element(name)
            if element is not None:
                inputs[name] = self._element(call, name, *element)
                continue
            self._data_type = step.signature.types.get(name)
            inputs[name] = call.load_input(name, self.load)
        return inputs

    def _element(self, call: _native.StepCall, name: str, list_id: str, index: int) -> Any:
        """Returns one element of a list, which is loaded once for all items that come in a row."""
        # What an attempt that failed has changed in its element is not for the next one.
        if self._list is None or self._list[0] != list_id or call.attempt > 1:
            self._list = None
            self._data_type = None
            self._list = (list_id, call.load_input(name, self.load))
        return self._list[1][index]

    def _save(
        self,
        step: Step,
        call: _native.StepCall,
        current: context.StepContext,
        output: Output,
        value: Any,
    ) -> Saved:
        chosen = step.materializer(output.name)
        name = output.name
        kind: type = value.__class__
        if chosen is None and name not in current.folders:
            data = save_inline(value)
            if data is not None and len(data) <= call.inline_limit:
                return (name, f"{kind.__module__}.{kind.__qualname__}", "json", None, None, data)
        from partita import materializers
        from partita.fingerprint.held import code_of

        folder = call.stage(name)
        code = step.entrypoint.__code__
        place = (code.co_filename, code.co_firstlineno)
        saved = materializers.save(value, folder, materializer=chosen, place=place)
        if name in current.folders:
            _move_into(current.folders[name], folder)
        metadata = _native.encode_value(context.plain(saved.metadata)) if saved.metadata else None
        code = code_of(value, self._source_root)
        return (name, saved.type_name, saved.format, code, metadata, None)


def save_inline(value: Any) -> bytes | None:
    """Returns the bytes of a small plain value, to be kept inside the result document.

    They are what the `json` format would write to `data.json`. `None` means that the value needs
    files.
    """
    if _native.is_too_long(value):
        return None
    base = sys.modules.get("partita.materializers.base")  # Whoever has a subclass has loaded it.
    if base is not None and base.own_for(type(value)) is not None:
        return None
    try:
        return _native.encode_value(value)
    except ValueError:
        return None


def _leave_if_forked(process: int, error: BaseException | None) -> None:
    """Ends a process that the step forked and let run on: the run is not its own to record."""
    if os.getpid() == process:
        return
    code = getattr(error, "code", 1) if error is not None else 0
    os._exit(code if isinstance(code, int) else int(code is not None))


def _has_left_debugger(error: BaseException) -> bool:
    """Returns whether somebody at a debugger's prompt has had enough."""
    debugger = sys.modules.get("bdb")
    return debugger is not None and isinstance(error, debugger.BdbQuit)


def _move_into(source: str, folder: str) -> None:
    """Moves the files that a step wrote for an output next to those of its materializer."""
    for entry in os.listdir(source):
        target = os.path.join(folder, entry)
        if os.path.lexists(target):
            raise OutputError(
                f"the step wrote a file `{entry}` for its output, and the output's own value is "
                "stored under that name; call the file otherwise."
            )
        os.rename(os.path.join(source, entry), target)


def call_failure_hook(hook: Callable[..., object], error: BaseException | None) -> None:
    """Calls a failure hook, with the exception if it takes one."""
    code = getattr(hook, "__code__", None)
    if code is not None and code.co_argcount == 0 and not code.co_flags & _TAKES_ANY:
        hook()
    else:
        hook(error)


def match(step: str, outputs: list[Output], returned: Any) -> list[tuple[Output, Any]]:
    """Pairs what a step returned with the outputs it declares.

    Raises:
        OutputError: There are more or fewer, or one is of another type.
    """
    if not outputs:
        if returned is not None:
            raise OutputError(
                f"step `{step}` declares no output (`-> None`) and returned a value of type "
                f"`{type(returned).__qualname__}`; declare it, or return nothing."
            )
        return []
    if len(outputs) == 1:
        pairs = [(outputs[0], returned)]
    else:
        names = ", ".join(output.name for output in outputs)
        if not isinstance(returned, (tuple, list)):
            raise OutputError(
                f"step `{step}` declares {len(outputs)} outputs ({names}) and returned one value "
                f"of type `{type(returned).__qualname__}`; return a tuple of {len(outputs)}."
            )
        values: list[Any] = list(returned)  # pyright: ignore[reportUnknownArgumentType]
        if len(values) != len(outputs):
            raise OutputError(
                f"step `{step}` declares {len(outputs)} outputs ({names}) and returned "
                f"{len(values)} values; return one for each."
            )
        pairs = list(zip(outputs, values, strict=True))
    for output, value in pairs:
        _check_type(step, output, value)
    return pairs


#: Declared types that are checked; a subclass and an int for a float are let through.
_CHECKED = (bool, int, float, str, bytes, list, dict, tuple)


def _check_type(step: str, output: Output, value: Any) -> None:
    declared = output.data_type
    declared = getattr(declared, "__origin__", None) or declared
    if declared not in _CHECKED or isinstance(value, declared):
        return
    if declared is float and type(value) is int:
        return
    name = "its output" if output.name == OUTPUT else f"its output `{output.name}`"
    raise OutputError(
        f"step `{step}` declares {name} as `{declared.__name__}` and returned a value of type "
        f"`{type(value).__qualname__}`; return what it declares, or declare what it returns."
    )


def _traceback(error: BaseException) -> str | None:
    """Returns the author's part of a traceback, or `None` if none of it is the author's."""
    import traceback

    entries = traceback.TracebackException(type(error), error, error.__traceback__)
    others = _leave_out_own_frames(entries)
    return "".join(entries.format()) if others else None


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:
        return f"its message cannot be told, since `__str__` raised {type(broken).__qualname__}"


def _told(text: str) -> str:
    """Returns text that UTF-8 can hold, without lone surrogates, and that can be read."""
    if len(text) > _MOST_TOLD:
        left_out = len(text) - _MOST_TOLD
        begins, ends = text[: _MOST_TOLD // 2], text[-_MOST_TOLD // 2 :]
        text = f"{begins}\n[{left_out} characters are left out]\n{ends}"
    return text.encode("utf-8", "backslashreplace").decode()


def _leave_out_own_frames(entries: Any) -> int:
    """Removes the frames of this package; returns how many others there are."""
    left = 0
    while entries is not None:
        others = [frame for frame in entries.stack if not frames.is_own(frame.filename)]
        entries.stack[:] = others
        left += len(others)
        entries = entries.__cause__ or entries.__context__
    return left


def _label(call: _native.StepCall) -> str:
    """Returns what is put before each line that a step prints, as in `train[3] | `."""
    item = "" if call.item is None else f"[{call.item}]"
    return f"{call.step_name}{item} | "
