"""The actions of Amazon SES in the order of a life, so that each finds what it needs in an account
where nothing exists yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["age"]


def age(action: Mapping[str, Any]) -> tuple[int, bool, str]:
    """Return the place of an action: what it is about is made, verified, used and read, and
    deleted; a part after and before its whole.
    """
    key = str(action["key"])
    is_part = key.endswith(("Destination", "Contact", "Association"))
    if key.startswith(("create", "put")):
        return 0, is_part, key
    if key.startswith("delete"):
        return 3, not is_part, key
    return (1 if key == "waitUntilVerified" else 2), False, key
