"""What a step is mapped over: which input, and which items."""

from __future__ import annotations

from partita import frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from partita.step import Step


def mapped_input(step: Step, others: dict[str, Any]) -> str:
    """Returns the input that a step is mapped over: the first one that is not given by name.

    Raises:
        PipelineError: There is none.
    """
    signature = step.signature
    over = next((name for name in signature.names if name not in others), None)
    if over is None:
        takes = f"takes `{', '.join(signature.names)}`" if signature.names else "takes no input"
        raise frames.refusal(
            f"step `{step.name}` {takes}, so that none is left to map over; give by name only what "
            "is the same for every item."
        )
    return over


def listed(step: str, items: Any) -> list[Any]:
    """Returns the items that a step is mapped over.

    Raises:
        PipelineError: They are in no list and no tuple.
    """
    if isinstance(items, (list, tuple)):
        found: list[Any] = list(items)  # pyright: ignore[reportUnknownArgumentType] - of anything
        return found
    kind: type = items.__class__
    how = "put it in a list"
    if isinstance(items, dict):
        how = "write `list(d)`, `list(d.values())` or `list(d.items())`"
    elif hasattr(items, "__iter__") and not isinstance(items, (str, bytes)):
        how = "write `list(…)` around it"
    raise frames.refusal(
        f"step `{step}` is mapped over a value of type `{kind.__qualname__}`, and it takes "
        f"a list, a tuple, or an output that will be a list; {how}."
    )
