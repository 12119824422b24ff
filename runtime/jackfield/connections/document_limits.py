"""Limits of documents from untrusted sources, and the faults that they may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_VALUES = 200_000
"""Maximum number of values in a file, after its aliases are expanded."""
MAX_DOCUMENTS = 1000
"""Maximum number of documents in one file."""
MAX_DEPTH = 100


class DocumentError(ValueError):
    """Error for a file that cannot be read as YAML or JSON; the message says why and where."""


class Repeated(dict[str, Any]):
    """Object with duplicate members; ``twice`` has a sentence for each."""

    def __init__(self, twice: Mapping[str, str]) -> None:
        super().__init__()
        self.twice = twice
