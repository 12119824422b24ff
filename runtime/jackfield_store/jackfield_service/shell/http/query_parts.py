"""Schemas of the query parameters that several operations have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_CONTROL = r"\x00-\x1f\x7f-\x9f\ufffd"
_PLAIN = f"^[^{_CONTROL}]*$"
TEXT: Schema = {"type": "string", "maxLength": 200, "pattern": _PLAIN}
FLAG: Schema = {"type": "boolean"}
LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": 200}
LONG: Schema = {**TEXT, "maxLength": 10_000}
WHEN: Schema = {
    "type": "string",
    "maxLength": 40,
    "description": (
        "An RFC 3339 time, a date, or a duration before now: 2031-01-31T12:00:00Z, 2031-01-31, 7d."
    ),
}
EFFECT: Schema = {"type": "string", "enum": ["read", "idempotent", "write"]}
BY_NUMBER, BY_KEY, BY_ID = (
    "[0-9]{1,9}",
    f"[^{_CONTROL}]{{0,100}}",
    f"[^s{_CONTROL}][^{_CONTROL}]{{0,99}}",
)
"""Patterns of cursors. Keys are any text: a list continues after a row even if the row's key was
changed. An ID never begins as the cursor of a sorted list does.
"""
BY_SLOT = "-?[0-9]{1,19}([.][0-9]{1,20})?(e[+][0-9]{1,3})?"
"""Pattern of a cursor that is a number. It includes the numbers of damaged rows, so that their list
continues.
"""
BY_MOMENT = f"{BY_SLOT}~{BY_KEY}"


def filters(names: Sequence[str], **choices: Sequence[str]) -> Mapping[str, Schema]:
    """Return the query parameters by which a list is filtered: each a member of its rows, some of
    which have ``choices``.
    """
    return {
        name: {"type": "string", "enum": [*choices[name]]} if name in choices else TEXT
        for name in names
    }


def paged(cursor: str) -> Mapping[str, Schema]:
    """Return the query parameters of a list, with the pattern of its cursors."""
    return {
        "limit": LIMIT,
        "cursor": {
            "type": "string",
            "pattern": f"^{cursor}$",
            "description": "The nextCursor of the previous page.",
        },
    }
