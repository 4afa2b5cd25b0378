"""What a component asks of the stack that it is in."""

from __future__ import annotations

from partita.errors import PartitaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from partita.enums import StackComponentType
    from partita.stack.stack import Stack


class StackValidator:
    """Refuses stacks that a component cannot work in.

    Example:
        >>> def has_short_name(stack):
        ...     return len(stack.name) < 20, "its name is too long for the queue"
        >>> validator = StackValidator(custom_validation_function=has_short_name)
    """

    def __init__(
        self,
        *,
        required_components: set[StackComponentType] | None = None,
        custom_validation_function: Callable[[Stack], tuple[bool, str]] | None = None,
    ) -> None:
        """Describes what is asked.

        Args:
            required_components: Types of which the stack must have a component.
            custom_validation_function: Says whether a stack is right, and if not, why.
        """
        self._required = required_components or set()
        self._function = custom_validation_function

    def validate(self, stack: Stack) -> None:
        """Checks a stack.

        Raises:
            PartitaError: The component cannot work in it.
        """
        missing = sorted(kind.value for kind in self._required - set(stack.components))
        if missing:
            raise PartitaError(
                f"the stack `{stack.name}` lacks `{'`, `'.join(missing)}`; give it one with "
                "`partita stack update`."
            )
        if self._function is not None:
            is_right, why = self._function(stack)
            if not is_right:
                raise PartitaError(f"the stack `{stack.name}` cannot be used here: {why}")
