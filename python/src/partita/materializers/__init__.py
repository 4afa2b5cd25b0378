"""Turns what steps return into files, and files back into what steps receive.

Open formats come first (JSON, npy, Parquet, PNG, safetensors) and pickles last. One module holds
one family of types; it is imported, with the library it serves, only when a value of that family
is met. `registry` picks the materializer; `BaseMaterializer` is the class to write one's own.

Example:
    >>> class BoxMaterializer(BaseMaterializer):
    ...     ASSOCIATED_TYPES = (Box,)
    ...     def save(self, data): Path(self.uri, "width").write_text(str(data.width))
    ...     def load(self, data_type): return data_type(int(Path(self.uri, "width").read_text()))
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from partita.materializers.base import BaseMaterializer
    from partita.materializers.errors import MaterializeError, PickleWarning, UntrustedPickleError
    from partita.materializers.message_pack import MessagePackMaterializer
    from partita.materializers.registry import Saved, for_format, for_value, load, save

__all__ = [
    "BaseMaterializer",
    "MaterializeError",
    "MessagePackMaterializer",
    "PickleWarning",
    "Saved",
    "UntrustedPickleError",
    "for_format",
    "for_value",
    "load",
    "save",
]


def __getattr__(name: str) -> object:
    """Imports what most steps do without when somebody asks for it."""
    if name == "MessagePackMaterializer":
        from partita.materializers.message_pack import MessagePackMaterializer

        return MessagePackMaterializer
    if name in __all__:
        from partita.materializers import base, errors, registry

        for module in (base, errors, registry):
            if name in vars(module):
                return vars(module)[name]
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
