"""Stores torch tensors, states of modules, and whole modules.

Tensors and states go to safetensors (`safetensors/torch`) where that package is installed and
holds them exactly, else to torch's own file (`torch`), read with `weights_only=True`. A whole
module is a pickle and marked as one (`torch-module-pickle`). All load on the CPU: the machine
that reads may not have the device that wrote.
"""

from __future__ import annotations

import importlib
import os
from collections import OrderedDict
from typing import Any

from partita import _native
from partita.materializers import classes
from partita.materializers.base import BaseMaterializer
from partita.materializers.errors import MaterializeError, Unsuitable
from partita.materializers.inline import encoded

# By name, so that type checks need not have torch installed; it is imported here all the same.
torch: Any = importlib.import_module("torch")

_SAFE = "data.safetensors"
_FILE = "data.pt"
_TENSOR = "tensor"
_RECORD = "partita"
_VERSIONS = "_metadata"


class SafetensorsMaterializer(BaseMaterializer):
    """Stores a plain tensor, or a dictionary of them, as safetensors."""

    FORMAT = "safetensors/torch"

    def save(self, data: Any) -> None:
        """Writes the tensors to `data.safetensors`."""
        try:
            save_file: Any = importlib.import_module("safetensors.torch").save_file
        except ImportError:
            raise Unsuitable("the package `safetensors` is not installed") from None
        record, tensors = _named(data)
        for tensor in tensors.values():
            if not _is_plain(tensor):
                raise Unsuitable("it has a tensor with gradients, or of a layout of its own")
        path = os.path.join(self.uri, _SAFE)
        try:
            save_file(tensors, path, metadata={_RECORD: record})
        except (RuntimeError, ValueError) as error:
            raise Unsuitable(f"safetensors cannot hold it: {error}") from None

    def load(self, data_type: Any) -> Any:
        """Reads the tensors from `data.safetensors`, onto the CPU."""
        safe_open: Any = importlib.import_module("safetensors").safe_open
        path = os.path.join(self.uri, _SAFE)
        with safe_open(path, framework="pt", device="cpu") as file:
            record = _native.decode_value(file.metadata()[_RECORD].encode())
            tensors = {name: file.get_tensor(name) for name in record["names"]}
        return _unnamed(record, tensors)

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns shapes and dtypes."""
        return _describe(data)


class TorchMaterializer(BaseMaterializer):
    """Stores a tensor or a dictionary of them in torch's own file."""

    FORMAT = "torch"

    def save(self, data: Any) -> None:
        """Writes the tensors to `data.pt`."""
        torch.save(data, os.path.join(self.uri, _FILE))

    def load(self, data_type: Any) -> Any:
        """Reads the tensors from `data.pt`, onto the CPU, and nothing but tensors."""
        return torch.load(os.path.join(self.uri, _FILE), map_location="cpu", weights_only=True)

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns shapes and dtypes."""
        return _describe(data)


class ModuleMaterializer(BaseMaterializer):
    """Stores a whole module, code references included, as a pickle."""

    FORMAT = "torch-module-pickle"
    USES_PICKLE = True

    def save(self, data: Any) -> None:
        """Writes the module to `data.pt`."""
        try:
            torch.save(data, os.path.join(self.uri, _FILE))
        except OSError:
            raise
        except Exception as error:
            raise MaterializeError(
                f"a module of type `{type(data).__qualname__}` cannot be stored: {error}. Return "
                f"its `state_dict()` instead, which is also safe to read"
            ) from error

    def load(self, data_type: Any) -> Any:
        """Reads the module from `data.pt`, onto the CPU; this runs whatever code it holds."""
        return torch.load(os.path.join(self.uri, _FILE), map_location="cpu", weights_only=False)

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns the class and the number of parameters."""
        count = sum(parameter.numel() for parameter in data.parameters())
        return {"module": type(data).__name__, "parameters": count}


def _named(data: Any) -> tuple[str, dict[str, Any]]:
    """Returns what makes the value again, as text, and its tensors by name.

    The text holds the order of the names, which safetensors does not keep, and the versions of
    the modules, which torch hangs onto the states that it returns.
    """
    if isinstance(data, torch.Tensor):
        return _record("tensor", [_TENSOR], {}), {_TENSOR: data}
    if classes.kind_of(data) not in (dict, OrderedDict):
        raise Unsuitable("it is of a subclass of `dict`, which would be lost")
    attributes: dict[str, Any] = dict(getattr(data, "__dict__", {}))
    versions = attributes.pop(_VERSIONS, {})
    if attributes:
        raise Unsuitable("its dictionary has attributes, which would be lost")
    tensors: dict[str, Any] = dict(data)
    return _record(classes.kind_of(data).__name__, list(tensors), dict(versions)), tensors


def _record(kind: str, names: list[str], versions: dict[str, Any]) -> str:
    return encoded({"kind": kind, "names": names, "versions": versions}).decode()


def _unnamed(record: dict[str, Any], tensors: dict[str, Any]) -> Any:
    if record["kind"] == "tensor":
        return tensors[_TENSOR]
    if record["kind"] == "dict":
        return tensors
    state = OrderedDict(tensors)
    if record["versions"]:
        setattr(state, _VERSIONS, OrderedDict(record["versions"]))
    return state


def _is_plain(tensor: Any) -> bool:
    return (
        type(tensor) is torch.Tensor
        and not tensor.requires_grad
        and tensor.layout == torch.strided
        and tensor.is_contiguous()
        and not tensor.is_quantized
    )


def _describe(data: Any) -> dict[str, Any]:
    if isinstance(data, torch.Tensor):
        return {"shape": list(data.shape), "dtype": str(data.dtype)}
    return {"tensors": {name: _describe(tensor) for name, tensor in data.items()}}
