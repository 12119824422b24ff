"""Limits of a document from a stranger, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["MAX_DEPTH", "MAX_DOCUMENTS", "MAX_VALUES", "DocumentError", "Repeated"]

MAX_VALUES = 200_000
"""The most that a file may hold, and what its aliases may unfold to."""
MAX_DOCUMENTS = 1000
"""In one file."""
MAX_DEPTH = 100


class DocumentError(ValueError):
    """The file cannot be read as YAML or JSON; the message says why and where."""


class Repeated(dict[str, Any]):
    """An object in which members occur twice; ``twice`` has a sentence for each."""

    def __init__(self, twice: Mapping[str, str]) -> None:
        super().__init__()
        self.twice = twice
