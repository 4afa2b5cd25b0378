"""Steps that call no function of Python: commands, and steps of programs in Rust."""

from __future__ import annotations

import copy
from typing import Any, NoReturn

from partita import frames
from partita.signature import Output, Signature
from partita.step import Step, check


class OutsideSignature(Signature):
    """What a step takes and makes that no function of Python declares."""

    def __init__(self, inputs: dict[str, dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
        """Takes what documents say of inputs and outputs."""
        self.names = self.positional = tuple(inputs)
        self.positional_only = ()
        self.open = False
        self.defaults = {name: None for name, said in inputs.items() if not said["required"]}
        self.types = {}
        self.outputs = [Output(output["name"], None) for output in outputs]


class OutsideStep(Step):
    """A step of a pipeline that Python does not run.

    Attributes:
        place: Where it is written.
    """

    def __init__(self, *, name: str, options: dict[str, Any]) -> None:
        super().__init__(self._refuse, name=name, options=options)
        self.place = frames.author_location()

    def key(self) -> str:
        """Returns what its source is called in a deployment."""
        raise NotImplementedError

    def source(self, root: str) -> dict[str, Any]:
        """Returns its source as a deployment has it, for the author's code in `root`.

        Raises:
            PipelineError: What it is made of is not there.
        """
        raise NotImplementedError

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """What documents say of each input."""
        raise NotImplementedError

    @property
    def output_documents(self) -> list[dict[str, Any]]:
        """What documents say of each output."""
        raise NotImplementedError

    def layers(self) -> list[dict[str, Any]]:
        """Returns the layers of options below those that are written here."""
        return []

    def hooks(self) -> dict[str, str]:
        """Returns the hooks that are not written here."""
        return {}

    @property
    def signature(self) -> Signature:
        """What the step takes and makes."""
        if self._signature is None:
            self._signature = OutsideSignature(self.inputs, self.output_documents)
        return self._signature

    def with_options(self, **options: Any) -> Step:
        """Returns the step with other options; those of `step` are known."""
        other = copy.copy(self)
        here = dict.fromkeys(options, frames.author_line())
        other.name = options.pop("name", self.name)
        own = {"on_success": self.on_success, "on_failure": self.on_failure}
        found = check({**self.options, **own, **options})
        other.on_success = found.pop("on_success", None)
        other.on_failure = found.pop("on_failure", None)
        other.options = found
        other.places = {**self.places, **here}
        return other

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise frames.refusal(f"step `{self.name}` runs in pipelines alone; call it in one.")
