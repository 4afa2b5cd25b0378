"""Traces a pipeline: its function runs once, and every step that it calls is written down.

The result is the pipeline spec, which the engine checks and compiles.
"""

from __future__ import annotations

import os
import sys

from partita import _native, frames, mapping, outputs, source_root
from partita.context import replace
from partita.errors import PipelineError
from partita.outputs import StepOutput, StepOutputs
from partita.outside import OutsideStep
from partita.settings import Settings
from partita.step import traces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    from partita.step import Step

#: What a pipeline's function raised when it was traced last, if it raised.
raised: Exception | None = None


class Trace:
    """What is written down while a pipeline's function runs."""

    def __init__(self, root: str, save_literal: Callable[[str, Any], dict[str, Any]]) -> None:
        """Starts with nothing.

        Args:
            root: The source root.
            save_literal: Stores a value that documents cannot hold, and returns its version.
        """
        self.root = root
        self.steps: list[dict[str, Any]] = []
        self.used: dict[str, Step] = {}
        self.sources: dict[str, Any] = {}
        self.definitions: dict[str, Any] = {}
        self._save_literal = save_literal
        self._keys: dict[int, str] = {}
        self._names: dict[str, int] = {}
        self._taken: set[str] = set()

    def run(self, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
        """Calls a pipeline's function under this trace.

        Raises:
            PipelineError: It does what no pipeline can; the message begins with its line.
        """
        global raised
        outer = replace(traces, self)
        try:
            function(**arguments)
        except PipelineError as error:
            raise _placed(error, error) from error.__cause__
        except Exception as error:
            miscounted = outputs.miscounted(error)
            if miscounted is not None:
                raise _placed(miscounted, error) from None
            raised = error
            raise
        finally:
            outputs.forget()
            replace(traces, outer)

    def invoke(self, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Writes down one use of a step and returns what stands for its outputs."""
        after = kwargs.pop("after", None)
        chosen = kwargs.pop("id", None)
        name = self._name(step.name, chosen)
        values = self._bind(step, name, args, kwargs)
        spec = self._spec(step, name, values, chosen, after)
        return self._add(step, spec, sys._getframe(2))  # pyright: ignore[reportPrivateUsage]

    def map(self, step: Step, items: Any, others: dict[str, Any]) -> Any:
        """Writes down that a step is mapped, and returns what stands for its lists of outputs."""
        after = others.pop("after", None)
        chosen = others.pop("id", None)
        over = mapping.mapped_input(step, others)
        name = self._name(step.name, chosen)
        spec = self._spec(step, name, self._bind(step, name, (), others, over), chosen, after)
        inputs: dict[str, Any] = spec.setdefault("inputs", {})
        inputs[over] = self._mapped(step, f"{name}.{over}", items)
        spec["map_over"] = over
        return self._add(step, spec, sys._getframe(2))  # pyright: ignore[reportPrivateUsage]

    def _mapped(self, step: Step, place: str, items: Any) -> dict[str, Any]:
        """Returns where the list that a step is mapped over comes from."""
        is_output = isinstance(items, (StepOutput, StepOutputs))
        if is_output or hasattr(items, "artifact_version_document"):
            return self._input(place, items)
        values = mapping.listed(step.name, items)
        if is_plain(values):
            return {"value": values}
        # Each item is a value of its own, so that it keeps its result when others come and go.
        return {"list": [self._input(place, value) for value in values]}

    def _spec(
        self, step: Step, name: str, values: dict[str, Any], chosen: str | None, after: Any
    ) -> dict[str, Any]:
        spec: dict[str, Any] = {"name": name, "source": self._source(step)}
        if chosen is not None:
            spec["named"] = True
        parameters: dict[str, Any] = {}
        inputs: dict[str, Any] = {}
        for key, value in values.items():
            if is_plain(value):
                parameters[key] = value
            else:
                inputs[key] = self._input(f"{name}.{key}", value)
        if parameters:
            spec["parameters"] = parameters
        if inputs:
            spec["inputs"] = inputs
        if after is not None:
            spec["after"] = _step_names(after)
        return spec

    def _add(self, step: Step, spec: dict[str, Any], frame: FrameType) -> Any:
        """Adds a use of a step, which the pipeline makes in `frame`."""
        name: str = spec["name"]
        spec["location"] = {
            "file": source_root.shown(frame.f_code.co_filename),
            "line": frame.f_lineno,
        }
        self.steps.append(spec)
        self.used[name] = step
        return outputs.standing_for(name, [output.name for output in step.signature.outputs])

    def _name(self, base: str, chosen: str | None) -> str:
        if chosen is not None:
            self._taken.add(check_text("step", str(chosen)))
            return str(chosen)
        check_text("step", base)
        number = self._names.get(base, 0) + 1
        name = base if number == 1 else f"{base}_{number}"
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._names[base] = number
        self._taken.add(name)
        return name

    def _bind(
        self,
        step: Step,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        mapped: str | None = None,
    ) -> dict[str, Any]:
        signature = step.signature
        if len(args) > len(signature.positional):
            raise PipelineError(
                f"step `{name}` takes {len(signature.positional)} inputs by position, and the "
                f"pipeline gives it {len(args)}; its inputs are `{', '.join(signature.names)}`."
            )
        values = dict(zip(signature.positional, args, strict=False))
        for key, value in kwargs.items():
            if key in values:
                raise PipelineError(
                    f"step `{name}` gets its input `{key}` twice, by position and by name."
                )
            values[key] = value
        for key, default in signature.defaults.items():
            if key != mapped:
                values.setdefault(key, default)
        return values

    def _source(self, step: Step) -> str:
        known = self._keys.get(id(step))
        if known is not None:
            return known
        if isinstance(step, OutsideStep):
            return self._outside(step)
        from partita.fingerprint import fingerprint

        function = step.entrypoint
        key = f"{source_root.module_name(function, self.root)}:{function.__qualname__}"
        key = self._free(key)
        found = fingerprint(function, source_root=self.root)
        source = {key: found[key] for key in ("parts", "distributions", "notes")}
        self._add_materializers(step, source)
        file = function.__code__.co_filename
        source["file"] = os.path.relpath(file, self.root) if os.path.isfile(file) else None
        self.sources[key] = source
        self.definitions[key] = _definition(step)
        self._keys[id(step)] = key
        return key

    def _outside(self, step: OutsideStep) -> str:
        key = self._free(step.key())
        self.sources[key] = step.source(self.root)
        self.definitions[key] = _definition(step)
        self._keys[id(step)] = key
        return key

    def _free(self, key: str) -> str:
        while key in self.definitions:
            key += "'"  # The same function under other options is another definition.
        return key

    def _add_materializers(self, step: Step, source: dict[str, Any]) -> None:
        """Adds the code of the author's materializers, which a step's values pass through."""
        from partita.fingerprint import fingerprint

        for chosen in step.own_materializers():
            for method in (chosen.save, chosen.load):
                found = fingerprint(method, source_root=self.root)
                known = {(part["name"], part["kind"]) for part in source["parts"]}
                more = [
                    part for part in found["parts"] if (part["name"], part["kind"]) not in known
                ]
                source["parts"] = source["parts"] + more
                source["distributions"] = {**source["distributions"], **found["distributions"]}

    def _input(self, place: str, value: Any) -> dict[str, Any]:
        if isinstance(value, StepOutput):
            return {"output": {"step": value.step_name, "output": value.name}}
        if isinstance(value, StepOutputs):
            raise PipelineError(
                f"`{place}` is given all outputs of step `{value.step_name}` at once; pass the "
                "one it needs."
            )
        if is_plain(value):
            return {"value": value}
        version = getattr(value, "artifact_version_document", None)
        if version is not None:
            return {"artifact": version}
        if _holds_outputs(value):
            if type(value) is dict:
                mapping: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
                odd = next((key for key in mapping if type(key) is not str), None)
                if odd is not None:
                    raise PipelineError(
                        f"`{place}` is a dict with the key `{odd!r}`; where a dict holds outputs "
                        "of steps, its keys must be texts."
                    )
                items = {key: self._input(place, item) for key, item in mapping.items()}
                return {"dict": items}
            return {
                type(value).__name__: [self._input(place, item) for item in value],
            }
        return {"artifact": self._save_literal(place, value)}


def _placed(error: PipelineError, raised: Exception) -> PipelineError:
    """Returns an error with the author's line before its message, and in its traceback."""
    place = frames.place_of(raised)
    if place is not None and not str(error).startswith(f"{place}: "):
        error.args = (f"{place}: {error}",)
    return error.with_traceback(raised.__traceback__)


def _definition(step: Step) -> dict[str, Any]:
    if isinstance(step, OutsideStep):
        declared = _declared(step, step.place, step.inputs, step.output_documents)
        declared["options"] = step.layers() + declared["options"]
        declared["hooks"] = {**step.hooks(), **declared["hooks"]}
        return declared
    from partita.signature import type_name

    signature = step.signature
    inputs: dict[str, Any] = {}
    for name in signature.names:
        inputs[name] = {"required": name not in signature.defaults}
        kinds = signature.kinds(name)
        if kinds is not None:
            inputs[name]["kinds"] = kinds
        declared = type_name(signature.types.get(name))
        if declared is not None:
            inputs[name]["type"] = declared
    declared_outputs: list[dict[str, Any]] = []
    for output in signature.outputs:
        document: dict[str, Any] = {"name": check_text("output", output.name)}
        declared = type_name(output.data_type)
        if declared is not None:
            document["type"] = declared
        materializer = step.materializer(output.name)
        if materializer is not None:
            document["materializer"] = source_root.class_name(materializer)
        declared_outputs.append(document)
    return _declared(step, source_root.location(step.entrypoint), inputs, declared_outputs)


def _declared(
    step: Step, place: Any, inputs: dict[str, Any], outputs: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "name": step.name,
        "location": place,
        "inputs": inputs,
        "outputs": outputs,
        "options": [layer(step.options, place, step.places)],
        "hooks": hooks(step),
        "open": step.signature.open,
    }


def hooks(owner: Any) -> dict[str, str]:
    """Returns what is called when a step or a pipeline has ended, as `module:qualname`."""
    found: dict[str, str] = {}
    for hook in ("on_success", "on_failure"):
        function = getattr(owner, hook)
        if function is not None:
            kind: Any = function if hasattr(function, "__qualname__") else function.__class__
            found[hook] = f"{source_root.home_module(kind)}:{kind.__qualname__}"
    return found


def layer(
    options: dict[str, Any],
    place: dict[str, Any] | None,
    places: dict[str, tuple[str, int] | None] | None = None,
) -> dict[str, Any]:
    """Returns options as a layer of the spec, each with the place where it is written.

    That is `place`, but for options that have a file and a line in `places`.
    """
    nodes: dict[str, Any] = {}
    for key, value in options.items():
        line = places.get(key) if places else None
        found = place if line is None else {"file": source_root.shown(line[0]), "line": line[1]}
        nodes[key] = _node(key, value, found)
    return {"options": nodes}


def plain_options(options: dict[str, Any]) -> dict[str, Any]:
    """Returns options as plain values, which mean the same where they are given again."""

    def plain(node: dict[str, Any]) -> Any:
        value = node["value"]
        if "section" in value:
            return {key: plain(item) for key, item in value["section"].items()}
        return value["literal"]

    return {key: plain(node) for key, node in layer(options, None)["options"].items()}


def _node(key: str, value: Any, place: dict[str, Any] | None) -> dict[str, Any]:
    if isinstance(value, Settings):
        value = value.options()
    elif hasattr(value, "model_dump"):  # A flavor's own settings are pydantic models.
        value = value.model_dump(exclude_unset=True)
    node: dict[str, Any] = {} if place is None else {"location": place}
    if isinstance(value, dict):
        section: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        node["value"] = {
            "section": {str(name): _node(str(name), item, place) for name, item in section.items()}
        }
        return node
    if not is_plain(value):
        raise PipelineError(
            f"the option `{key}` cannot be `{value!r}`; write a number, a text, a list or a dict."
        )
    node["value"] = {"literal": value}
    return node


def is_plain(value: Any) -> bool:
    """Returns whether documents can hold a value as it is."""
    kind: type = value.__class__
    if kind is int or kind is str or kind is float or kind is bool or value is None:
        return True
    if kind is StepOutput or kind is StepOutputs:
        return False
    try:
        return _native.encode_value(value) is not None
    except ValueError as error:
        raise PipelineError(f"a parameter cannot be written down: {error}") from None


def _holds_outputs(value: Any) -> bool:
    if isinstance(value, (StepOutput, StepOutputs)) or hasattr(value, "artifact_version_document"):
        return True
    kind: type = value.__class__
    if kind is dict:
        return any(_holds_outputs(item) for item in value.values())
    return kind in (list, tuple) and any(_holds_outputs(item) for item in value)


def check_text(what: str, text: str) -> str:
    """Returns a name, after a check that files and messages can hold it.

    Raises:
        PipelineError: It has half of a surrogate pair in it.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PipelineError(
            f"the name of the {what}, {ascii(text)[:60]}, has something at position {error.start} "
            "that is no character; choose another name."
        ) from None
    return text


def _step_names(after: Any) -> list[str]:
    items: list[Any] = [after]
    if isinstance(after, list):
        items = after  # pyright: ignore[reportUnknownVariableType]
    names: list[str] = []
    for item in items:
        name = item if isinstance(item, str) else getattr(item, "step_name", None)
        if name is None:
            raise PipelineError(
                f"`after` takes outputs of steps or names of steps, not `{item!r}`."
            )
        names.append(name)
    return names
