"""Stores scikit-learn estimators (format `sklearn-pickle`).

They have no open format that holds them all, so the file is a pickle and is marked as one; it
comes without the warning for unknown types, and with the version that it needs.
"""

from __future__ import annotations

import importlib
import os
import pickle
from typing import Any

from partita import _native
from partita.materializers.base import BaseMaterializer
from partita.materializers.pickle import dump

# By name: its stubs are partial, and strict type checks would stumble over them.
_sklearn: Any = importlib.import_module("sklearn")

_FILE = "data.pickle"


class EstimatorMaterializer(BaseMaterializer):
    """Stores an estimator or a pipeline of them, fitted or not."""

    FORMAT = "sklearn-pickle"
    USES_PICKLE = True

    def save(self, data: Any) -> None:
        """Writes the estimator to `data.pickle`."""
        dump(data, os.path.join(self.uri, _FILE))

    def load(self, data_type: Any) -> Any:
        """Reads the estimator from `data.pickle`; scikit-learn warns if its version differs."""
        with open(os.path.join(self.uri, _FILE), "rb") as file:
            return pickle.load(file)  # noqa: S301 - the registry has checked that it is trusted

    def extract_metadata(self, data: Any) -> dict[str, Any]:
        """Returns the class, its plain parameters and scikit-learn's version."""
        parameters = {
            name: value
            for name, value in data.get_params(deep=False).items()
            if _native.encode_value(value) is not None
        }
        return {
            "estimator": type(data).__name__,
            "parameters": parameters,
            "sklearn": _sklearn.__version__,
        }
