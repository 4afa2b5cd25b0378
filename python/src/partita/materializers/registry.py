"""Picks the materializer of a value or of a stored format, and runs it.

An author's own materializer comes first, then the built-in ones by type, pickles at the end. What
is stored carries a format id; the reader looks that id up here, among what this process knows, and
never imports what a store names. Libraries are recognised by the names of a value's classes, so
that none is imported before a value of it is met.
"""

from __future__ import annotations

import importlib
import os
import sys

from partita import _native
from partita.materializers import classes
from partita.materializers.base import BaseMaterializer, own_by_format, own_for
from partita.materializers.errors import MaterializeError, Unsuitable, UntrustedPickleError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_FORMATS: dict[str, tuple[str, str]] = {
    "json": ("json", "JsonMaterializer"),
    "text": ("bytes_", "TextMaterializer"),
    "bytes": ("bytes_", "BytesMaterializer"),
    "container": ("container", "ContainerMaterializer"),
    "dataclass": ("dataclass", "DataclassMaterializer"),
    "standard": ("standard", "StandardMaterializer"),
    "enum": ("enum", "EnumMaterializer"),
    "path": ("path", "PathMaterializer"),
    "pydantic": ("pydantic", "PydanticMaterializer"),
    "msgpack": ("message_pack", "MessagePackMaterializer"),
    "npy": ("numpy", "ArrayMaterializer"),
    "npy/scalar": ("numpy", "ScalarMaterializer"),
    "parquet/pandas": ("pandas", "DataFrameMaterializer"),
    "parquet/pandas-series": ("pandas", "SeriesMaterializer"),
    "parquet/polars": ("polars", "DataFrameMaterializer"),
    "parquet/polars-series": ("polars", "SeriesMaterializer"),
    "arrow/table": ("arrow", "TableMaterializer"),
    "arrow/record-batch": ("arrow", "RecordBatchMaterializer"),
    "arrow/array": ("arrow", "ArrayMaterializer"),
    "arrow/chunked-array": ("arrow", "ChunkedArrayMaterializer"),
    "png": ("pil", "ImageMaterializer"),
    "sklearn-pickle": ("sklearn", "EstimatorMaterializer"),
    "safetensors/torch": ("torch", "SafetensorsMaterializer"),
    "torch": ("torch", "TorchMaterializer"),
    "torch-module-pickle": ("torch", "ModuleMaterializer"),
    "pickle": ("pickle", "PickleMaterializer"),
}
"""Every built-in format: the module of this package, and the class in it. Ids are for ever."""

_PLAIN: dict[type, tuple[str, ...]] = {
    type(None): ("json",),
    bool: ("json",),
    int: ("json",),
    float: ("json",),
    str: ("json",),
    bytes: ("json",),
    list: ("json", "container"),
    tuple: ("json", "container"),
    dict: ("json", "container"),
    set: ("json", "container"),
    frozenset: ("json", "container"),
}
"""The formats tried for values of exactly these types, in order."""

_LIBRARIES: dict[str, tuple[str, ...]] = {
    "builtins.complex": ("standard",),
    "builtins.range": ("standard",),
    "builtins.bytearray": ("standard",),
    "datetime.date": ("standard",),
    "datetime.time": ("standard",),
    "datetime.timedelta": ("standard",),
    "datetime.timezone": ("standard",),
    "zoneinfo.ZoneInfo": ("standard",),
    "decimal.Decimal": ("standard",),
    "fractions.Fraction": ("standard",),
    "uuid.UUID": ("standard",),
    "collections.OrderedDict": ("container",),
    "collections.deque": ("container",),
    "enum.Enum": ("enum",),
    "pathlib.Path": ("path",),
    "pathlib.PurePath": ("standard",),
    "pydantic.BaseModel": ("pydantic",),
    "numpy.ndarray": ("npy",),
    "numpy.generic": ("npy/scalar",),
    "pandas.DataFrame": ("parquet/pandas",),
    "pandas.Series": ("parquet/pandas-series",),
    "polars.DataFrame": ("parquet/polars",),
    "polars.Series": ("parquet/polars-series",),
    "pyarrow.Table": ("arrow/table",),
    "pyarrow.RecordBatch": ("arrow/record-batch",),
    "pyarrow.Array": ("arrow/array",),
    "pyarrow.ChunkedArray": ("arrow/chunked-array",),
    "PIL.Image": ("png",),
    "sklearn.BaseEstimator": ("sklearn-pickle",),
    "torch.Tensor": ("safetensors/torch", "torch"),
    "torch.Module": ("torch-module-pickle",),
}
"""The same for a class or any of its bases, by top-level package and class name."""


class Saved:
    """What was stored, and how to find the way back.

    Attributes:
        format: Format id to load with.
        type_name: `module.qualname` of the value's class.
        metadata: What the materializer says about the value; JSON-able.
        uses_pickle: Whether loading needs trust in pickles, for the whole or for a part.
    """

    __slots__ = ("format", "metadata", "type_name", "uses_pickle")

    def __init__(
        self, *, format: str, type_name: str, metadata: dict[str, Any], uses_pickle: bool
    ) -> None:
        """Makes the record of one stored value."""
        self.format = format
        self.type_name = type_name
        self.metadata = metadata
        self.uses_pickle = uses_pickle


def save(
    value: Any,
    directory: str,
    *,
    materializer: type[BaseMaterializer] | None = None,
    place: tuple[str, int] | None = None,
) -> Saved:
    """Writes a value to files.

    Args:
        value: Anything that a step returned.
        directory: An existing empty local directory.
        materializer: The one to use, when the author named it.
        place: File and line of what made the value, for warnings.

    Raises:
        MaterializeError: No materializer can store the value.
    """
    refusal = ""
    for chosen in candidates(value) if materializer is None else (materializer,):
        instance = chosen(directory)
        instance.refusal = refusal
        instance.place = place
        try:
            instance.save(value)
        except Unsuitable as error:
            refusal = f"`{chosen.FORMAT}` cannot hold it: {error}"
            _clear(directory)
            continue
        return Saved(
            format=chosen.FORMAT,
            type_name=classes.name_of(classes.kind_of(value)),
            metadata=_metadata(instance, value),
            uses_pickle=chosen.USES_PICKLE or instance.wrote_pickle,
        )
    kind = classes.name_of(classes.kind_of(value))
    raise MaterializeError(
        f"a value of type `{kind}` cannot be stored: {refusal}. Return other data, or write a "
        f"`BaseMaterializer` for it"
    )


def load(
    format_id: str,
    uri: str,
    *,
    data_type: Any = None,
    type_name: str = "",
    trust_pickles: bool = False,
) -> Any:
    """Reads a value back from files.

    Args:
        format_id: The format that it was stored in.
        uri: The local directory with its files.
        data_type: The reader's annotation, or `None`.
        type_name: `module.qualname` of the class that was stored; looked up, never imported.
        trust_pickles: Whether the store may hold pickles, which can run any code.

    Raises:
        MaterializeError: The format is unknown here, its library is missing, or the files are
            not what the format says.
    """
    chosen = for_format(format_id)
    if chosen.USES_PICKLE and not trust_pickles:
        raise UntrustedPickleError(
            f"the value of type `{type_name}` is stored as `{format_id}`, a pickle, which can run "
            f"any code when it is read, and its store is not trusted: if you trust everyone who "
            f"can write to that store, set `trust_pickles=true` on it"
        )
    instance = chosen(uri)
    instance.type_name = type_name
    instance.trust_pickles = trust_pickles
    if format_id in own_by_format:
        return instance.load(_own_type(chosen, data_type, type_name))
    return _load_built_in(instance, data_type)


def for_value(value: Any) -> type[BaseMaterializer]:
    """Returns the materializer that a value will most likely be stored with.

    A few are only found unsuitable while they write, and then `save` goes on to the next.
    """
    return next(chosen for chosen in candidates(value) if chosen.accepts(value))


def for_format(format_id: str) -> type[BaseMaterializer]:
    """Returns the materializer of a format, an author's own before a built-in one.

    Raises:
        MaterializeError: No materializer of this process has that format.
    """
    found = own_by_format.get(format_id) or _own_of_script(format_id)
    if found is not None:
        return found
    if format_id in _FORMATS:
        return _built_in(format_id)
    raise MaterializeError(
        f"no materializer here reads the format `{format_id}`: import the module that defines the "
        f"materializer before loading, or upgrade Partita if a newer version stored the value"
    )


def candidates(value: Any) -> Iterator[type[BaseMaterializer]]:
    """Yields the materializers to try for a value, the best first and a pickle last."""
    kind = classes.kind_of(value)
    own = own_for(kind)
    if own is not None:
        yield own
        return
    pickles = False
    for format_id in _formats(value, kind):
        chosen = _built_in(format_id)
        pickles = pickles or chosen.USES_PICKLE
        yield chosen
    if not pickles:
        yield _built_in("pickle")


def _formats(value: Any, kind: type[Any]) -> tuple[str, ...]:
    if _native.is_too_long(value):
        return ("text", "json") if kind is str else ("bytes",)
    if dict in kind.__mro__ and "torch" in sys.modules and _is_state(value):
        return ("safetensors/torch", "torch")
    if kind in _PLAIN:
        return _PLAIN[kind]
    for base in kind.__mro__:
        name = f"{base.__module__.partition('.')[0]}.{base.__name__}"
        if name in _LIBRARIES:
            return _LIBRARIES[name]
    if hasattr(kind, "__dataclass_fields__") and kind.__new__ is object.__new__:
        # One that is made by a `__new__` of its own cannot be made again from its fields.
        return ("dataclass",)
    if tuple in kind.__mro__ and hasattr(kind, "_fields"):
        return ("container",)
    return ()


def _is_state(value: dict[Any, Any]) -> bool:
    """Says whether a dictionary is the state of a torch module: names of tensors."""
    tensor = vars(sys.modules["torch"]).get("Tensor")
    return bool(value) and all(
        type(key) is str and tensor is not None and isinstance(item, tensor)
        for key, item in value.items()
    )


def _built_in(format_id: str) -> type[BaseMaterializer]:
    module, name = _FORMATS[format_id]
    return getattr(importlib.import_module(f"partita.materializers.{module}"), name)


def _own_of_script(format_id: str) -> type[BaseMaterializer] | None:
    """Finds a materializer that a script defines, whichever name the script was loaded under."""
    module, _, name = format_id.rpartition(".")
    found = [
        own
        for own_format, own in own_by_format.items()
        if own_format.rpartition(".")[2] == name
        and "__main__" in (module, own_format.rpartition(".")[0])
    ]
    return found[0] if len(found) == 1 and module else None


def _own_type(chosen: type[BaseMaterializer], data_type: Any, type_name: str) -> Any:
    def is_right(kind: type) -> bool:
        return not chosen.ASSOCIATED_TYPES or issubclass(kind, chosen.ASSOCIATED_TYPES)

    try:
        return classes.find(type_name, data_type=data_type, is_right=is_right, sort="class")
    except MaterializeError:
        return data_type if data_type is not None else next(iter(chosen.ASSOCIATED_TYPES), object)


def _load_built_in(instance: BaseMaterializer, data_type: Any) -> Any:
    try:
        return instance.load(data_type)
    except (MaterializeError, MemoryError):
        raise
    except ImportError as error:
        raise MaterializeError(
            f"reading the value of type `{instance.type_name}`, stored as `{instance.FORMAT}`, "
            f"needs a module that cannot be imported here: {error}. Install its package, in the "
            f"version that stored the value; if it is your own, put its folder on `PYTHONPATH`"
        ) from error
    except Exception as error:
        raise MaterializeError(
            f"the value of type `{instance.type_name}` in `{instance.uri}` cannot be read as "
            f"`{instance.FORMAT}`: {error}"
        ) from error


def _metadata(instance: BaseMaterializer, value: Any) -> dict[str, Any]:
    metadata = instance.extract_metadata(value)
    if _native.encode_value(metadata) is None:
        raise MaterializeError(
            f"`{type(instance).__qualname__}.extract_metadata` returned something that JSON "
            f"cannot hold: return a dict of numbers, texts, lists and dicts"
        )
    return metadata


def _clear(directory: str) -> None:
    """Removes what a materializer left behind when it gave up."""
    import shutil

    for entry in list(os.scandir(directory)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
