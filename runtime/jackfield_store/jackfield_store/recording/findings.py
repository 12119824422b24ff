"""Finding of a look for evidence."""

from __future__ import annotations

from typing import Any

from jackfield.kernel.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Finding of one look. ``result`` is one of ``LOOK_RESULTS``; ``missing`` is True if the provider said that the one thing asked for
    does not exist. A look whose source is not read to its end yet goes on ``again`` seconds later, and does not count until then."""

    result: str
    text: str = ""
    item: Any = None
    missing: bool = False
    is_final: bool = False
    """True if further looks of this source would find nothing."""
    again: float | None = None
