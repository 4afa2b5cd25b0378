"""The class that every materializer extends, and the register of those that authors wrote."""

from __future__ import annotations

from partita import source_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

_BUILT_IN = __name__.rpartition(".")[0] + "."

own_by_type: dict[type, type[BaseMaterializer]] = {}
"""The materializers that authors wrote, by the types they declare; the latest wins."""

own_by_format: dict[str, type[BaseMaterializer]] = {}
"""The same materializers by their format ids."""


class BaseMaterializer:
    """Turns values of its types into files in a directory, and those files back into values.

    Defining a subclass registers it for its `ASSOCIATED_TYPES` and their subclasses. It then
    comes before every built-in one; of two for the same type the one defined last is used.

    Attributes:
        ASSOCIATED_TYPES: The types whose values it stores.
        FORMAT: Format id, stored with each value and used to find the materializer again;
            `module.Class` unless the class sets it.
        USES_PICKLE: Whether loading can run code that the files hold. Such files are refused
            from stores that the user does not trust.
        uri: An existing local directory to write to or to read from.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type, ...]] = ()
    FORMAT: ClassVar[str] = ""
    USES_PICKLE: ClassVar[bool] = False

    type_name: str = ""
    """`module.qualname` of the type that was stored, while loading."""
    trust_pickles: bool = False
    """Whether the store that is read from may hold pickles, while loading."""
    refusal: str = ""
    """Why the formats before this one could not hold the value, while saving."""
    place: tuple[str, int] | None = None
    """File and line of what made the value, while saving."""
    wrote_pickle: bool = False
    """Whether `save` stored some part of the value as a pickle."""

    def __init__(self, uri: str) -> None:
        """Makes a materializer for one value.

        Args:
            uri: An existing local directory to write to or to read from.
        """
        self.uri = uri

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Registers an author's subclass for its types and its format."""
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith(_BUILT_IN):
            return
        if "FORMAT" not in cls.__dict__:
            setattr(cls, "FORMAT", source_root.class_name(cls))  # noqa: B010 - a constant of the class, once
        own_by_format[cls.FORMAT] = cls
        for associated in cls.ASSOCIATED_TYPES:
            own_by_type[associated] = cls

    @classmethod
    def accepts(cls, data: Any) -> bool:
        """Says whether the format can hold this value, as far as is known without writing it."""
        return True

    def save(self, data: Any) -> None:
        """Writes a value to files in the directory.

        Args:
            data: The value; one of `ASSOCIATED_TYPES`.
        """
        raise NotImplementedError(f"`{type(self).__qualname__}` has no method `save`")

    def load(self, data_type: Any) -> Any:
        """Reads the value back from the files in the directory.

        Args:
            data_type: The class to return where it can be told, else the reader's annotation.

        Returns:
            A value equal to the one saved.
        """
        raise NotImplementedError(f"`{type(self).__qualname__}` has no method `load`")

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Describes a value for people: its shape, its columns, its size.

        Args:
            data: The value that was saved.

        Returns:
            Names and values that JSON can hold.
        """
        return {}


def own_for(kind: type) -> type[BaseMaterializer] | None:
    """Returns the author's materializer for a type or the nearest of its bases."""
    if own_by_type:
        for base in kind.__mro__:
            found = own_by_type.get(base)
            if found is not None:
                return found
    return None
