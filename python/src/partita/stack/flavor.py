"""Flavors: kinds of component."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from partita.enums import StackComponentType
    from partita.stack.stack_component import StackComponent
    from partita.stack.stack_component_config import StackComponentConfig


class Flavor:
    """A name, a component type, a configuration class and an implementation.

    The flavor is loaded when it is registered and its configuration class when a component is
    configured; its implementation only when a run uses it. So import that inside of
    `implementation_class`, and both others work where its dependencies are not installed.
    """

    @property
    def name(self) -> str:
        """Its name, unique among flavors of its type."""
        cls = self.__class__
        raise NotImplementedError(
            f"`{cls.__module__}.{cls.__qualname__}` has no `name`; give it a property `name` that "
            "returns the name of the flavor"
        )

    @property
    def type(self) -> StackComponentType:
        """The component type of its instances."""
        raise NotImplementedError

    @property
    def docs_url(self) -> str | None:
        """Where its documentation is."""
        return None

    @property
    def logo_url(self) -> str | None:
        """Where its logo is."""
        return None

    @property
    def config_class(self) -> type[StackComponentConfig]:
        """The class of its components' configurations."""
        raise NotImplementedError

    @property
    def implementation_class(self) -> type[StackComponent]:
        """The class that does the work."""
        raise NotImplementedError(f"`{self.__class__.__qualname__}` has no `implementation_class`")
