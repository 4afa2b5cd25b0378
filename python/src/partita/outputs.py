"""What stands for a step's outputs while a pipeline is put together: it has no value yet."""

from __future__ import annotations

import sys
from contextvars import ContextVar

from partita.errors import PipelineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

#: What was iterated over last, and the instruction of the author that did it.
_iterated: ContextVar[tuple[StepOutputs, FrameType, int] | None] = ContextVar(
    "partita_iterated", default=None
)


class StepOutput:
    """An output that a step will make: what a pipeline passes from step to step."""

    __slots__ = ("name", "step_name")

    def __init__(self, step_name: str, name: str) -> None:
        self.step_name = step_name
        self.name = name

    def __repr__(self) -> str:
        return f"<output {self.name!r} of step {self.step_name!r}>"

    def __str__(self) -> str:
        raise self._refuse("it cannot be made a text (`repr()` says which output it is)")

    def __format__(self, _: str) -> str:
        return str(self)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other or self._compute()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def _refuse(self, what: str) -> PipelineError:
        return PipelineError(
            f"the output `{self.name}` of step `{self.step_name}` has no value while the pipeline "
            f"is put together, so {what}; do that inside a step."
        )

    def __bool__(self) -> bool:
        raise self._refuse("it is neither true nor false")

    def __iter__(self) -> Any:
        raise self._refuse(
            "it cannot be unpacked (a step with several outputs declares them as "
            '`tuple[Annotated[A, "a"], Annotated[B, "b"]]`) or looped over'
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._refuse(f"it has no `{name}`")

    def __getitem__(self, key: Any) -> Any:
        raise self._refuse("it has no items")

    def _compute(self, *_: Any) -> Any:
        raise self._refuse("it can be neither compared nor computed with")

    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _compute
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _compute
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _compute
    __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _compute
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __invert__ = _compute
    __neg__ = __pos__ = __abs__ = __round__ = _compute
    __len__ = __int__ = __float__ = __index__ = __fspath__ = _compute


class StepOutputs(tuple[StepOutput, ...]):
    """The outputs of a step that makes several, or none; they unpack in their order."""

    step_name: str

    def __iter__(self) -> Iterator[StepOutput]:
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage] - no other way
        _iterated.set((self, frame, frame.f_lasti))
        return super().__iter__()

    def __str__(self) -> str:
        raise self._refuse("they cannot be made a text (`repr()` says which outputs they are)")

    def __format__(self, _: str) -> str:
        return str(self)

    def _refuse(self, what: str) -> PipelineError:
        return PipelineError(
            f"{self._described()} have no values while the pipeline is put together, so {what}; "
            "do that inside a step."
        )

    def miscounted(self) -> PipelineError:
        """Returns the error for an assignment to more or fewer names than there are outputs."""
        names = ", ".join(output.name for output in self)
        if not names:
            what = f"step `{self.step_name}` declares no output (`-> None`); call it alone"
        else:
            what = f"{self._described()} are unpacked into another number; write `{names} = …`"
        return PipelineError(f"{what}, or declare what it returns.")

    def _described(self) -> str:
        names = "`, `".join(output.name for output in self)
        return f"the {len(self)} outputs of step `{self.step_name}` (`{names}`)"


def standing_for(step_name: str, names: list[str]) -> StepOutput | StepOutputs:
    """Returns what stands for the outputs of a step: its only one, or all of them."""
    made = [StepOutput(step_name, name) for name in names]
    if len(made) == 1:
        return made[0]
    several = StepOutputs(made)
    several.step_name = step_name
    return several


def miscounted(error: Exception) -> PipelineError | None:
    """Returns the error to raise if Python raised this one while it unpacked outputs."""
    entry, iterated = error.__traceback__, _iterated.get()
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    if entry is None or iterated is None or not isinstance(error, ValueError):
        return None
    outputs, frame, instruction = iterated
    is_here = entry.tb_frame is frame and entry.tb_lasti == instruction
    return outputs.miscounted() if is_here else None


def forget() -> None:
    """Lets go of what was iterated over last, and of the author's frame with it."""
    _iterated.set(None)
