"""Reads and writes the files of materializers that keep everything in one of them."""

from __future__ import annotations

import os


def write(directory: str, name: str, data: bytes) -> None:
    """Writes one file into a materializer's directory."""
    with open(os.path.join(directory, name), "wb") as file:
        file.write(data)


def read(directory: str, name: str) -> bytes:
    """Returns the bytes of one file of a materializer's directory."""
    with open(os.path.join(directory, name), "rb") as file:
        return file.read()
