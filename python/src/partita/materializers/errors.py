"""Says why a value cannot be stored or read back."""

from __future__ import annotations

from partita.errors import PartitaError


class MaterializeError(PartitaError):
    """A value cannot be stored, or a stored one cannot be read; the message says what to do."""


class UntrustedPickleError(MaterializeError):
    """A pickle, which can run any code, lies in a store that the user does not trust."""


class PickleWarning(UserWarning):
    """A value is stored as a pickle, since no open format holds its type."""


class Unsuitable(Exception):
    """A built-in format cannot hold this value exactly; the next one is tried."""
