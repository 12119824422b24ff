"""Journal entries as the database stores them: their columns, and their Results, each bound to its
entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from jackfield.invocation.entry import Entry
from jackfield.invocation.keyed import KeyFacts
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import is_past
from jackfield.kernel.exact import read_float
from jackfield.kernel.stored_values import nearest_time, parsed, parsed_object, possible_time

COLUMNS = (
    "id",
    "status",
    "connector",
    "connector_version",
    "action",
    "effect",
    "connection",
    "caller",
    "idempotency_key",
    "key_held",
    "fingerprint",
    "dry_run",
    "error_code",
    "attempts",
    "attempt_log",
    "request_id",
    "created_at",
    "started_at",
    "settled_at",
    "expires_at",
    "owner",
    "result",
    "context",
    "rule",
    "resolved_by",
    "delivery",
    "deliveries",
    "available_at",
    "not_after",
    "corrected_at",
    "cancel_requested_at",
    "priority",
    "dead_at",
    "job_until",
    "progress_fraction",
    "progress_text",
    "kept_for",
    "key_space",
    "key_facts",
    "asked",
)

EVIDENCE = "evidence"
"""Resolver of a doubt that evidence has settled. No other resolver may have this name."""
DOUBT_KEPT = 365 * 24 * 3600.0
"""Retention of an entry in doubt, resolved or not, in seconds."""
LONGEST_NOTE = 1_000
"""Maximum length of the note with which a person resolves a doubt, in characters."""
REQUEST, RECORDED = "request", "recorded"
"""Members beside ``inputs`` of a doubt's sealed column: the whole request, and whether the
workspace records inputs anyway.
"""
_BOUND = "bound"
"""Member of a stored Result, in addition to its JSON: the digest of the columns ``_BINDING``."""
_UNDECIDED = "undecided"
"""Member of a stored Result: the output without a policy's decision, which nobody may read before
the decision (``journal/undecided``).
"""
_AGAIN = "again"
"""Member of failures that earlier versions stored of calls in doubt under their caller's key."""
_BINDING = ("connector", "action", "connection", "caller", "idempotency_key", "fingerprint")
"""Columns that decide who may see a Result, and which request the Result answers."""


def is_shown(stored: Mapping[str, Any], status: str) -> bool:
    """Return whether the inputs in a row's sealed column are shown: recorded ones, and those of a
    doubt while it is one. A running call has its inputs in case it is killed.
    """
    return status == "in_doubt" or bool(stored.get(RECORDED, True))


def bound_result(result: Mapping[str, Any], about: Any, *, answers: bool) -> Mapping[str, Any]:
    """Return a Result's JSON for storing, with a digest of its entry's columns: it cannot be moved
    to another entry.

    A failure that ``answers`` no other request has no output, and may be recorded before the
    entry's connection is known. ``about`` has the columns, and the output of a success without a
    policy's decision.
    """
    if not answers:
        return result
    undecided = about.undecided
    return (
        {**result, _BOUND: _binding(about)}
        if undecided is None
        else {**result, _BOUND: _binding(about), _UNDECIDED: undecided}
    )


def opened_result(text: bytes, row: Any) -> Mapping[str, Any]:
    """Parse the Result of a row of the table ``invocations``, decrypted. Earlier versions bound it
    to the row's ID alone.

    :raises ValueError: if one of the columns was changed since.
    """
    return read_result(text, row)[0]


def read_result(text: bytes, row: Any) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """Parse a Result as ``opened_result`` does; return it with the undecided output."""
    result: dict[str, Any] = json.loads(text, parse_float=read_float)
    if result.pop(_BOUND, None) not in (None, _binding(row)):
        raise ValueError("it belongs to another request or caller")
    result.pop(_AGAIN, None)
    error = result.get("error")
    if error is not None and "retryUntil" in error and is_past(error["retryUntil"]):
        result["error"] = {**error, "retryable": False}
    return result, result.pop(_UNDECIDED, None)


def _binding(about: Any) -> str:
    return hashlib.sha256(
        json.dumps([getattr(about, name) for name in _BINDING]).encode()
    ).hexdigest()[:32]


def tries(text: str | None) -> tuple[Mapping[str, Any], ...]:
    """Parse a column of runs or attempts.

    :raises ValueError: if it is not JSON.
    :raises TypeError: if it is no array of objects.
    """
    items = parsed(text) if text else []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise TypeError("not an array of objects")
    for item in items:
        for name in ("startedAt", "endedAt"):
            if isinstance(item.get(name), int | float):
                possible_time(item[name])
    return tuple(items)


def _context(text: str | None) -> Mapping[str, Any]:
    return parsed_object(text) if text else {}


def _time(value: float | None) -> float | None:
    return possible_time(value) if value is not None else None


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "attempt_log": tries,
    "deliveries": tries,
    "asked": tries,
    "key_facts": KeyFacts.of,
    "context": _context,
    "key_held": bool,
    "dry_run": bool,
    **dict.fromkeys(
        (
            "created_at",
            "started_at",
            "settled_at",
            "expires_at",
            "available_at",
            "not_after",
            "corrected_at",
            "cancel_requested_at",
            "dead_at",
            "job_until",
        ),
        _time,
    ),
}
"""Readers of columns whose values somebody may have changed to another shape."""
_DAMAGED = "its row in the database is damaged"


def read_entry(
    row: Mapping[str, Any],
    result: Mapping[str, Any] | None,
    inputs: Mapping[str, Any] | None = None,
) -> Entry:
    """Create an Entry from a row of the table ``invocations``; ``result`` and ``inputs`` are the
    decrypted columns.

    Unreadable columns are left out, and the entry says so.
    """
    values, damaged = {name: row[name] for name in COLUMNS}, []
    if row["status"] == "queued" and row["available_at"] is None:
        # for a person's approval: no worker takes a row that is never due
        values["status"] = "waiting"
    for name, read in _READERS.items():
        try:
            values[name] = read(row[name])
        except (ValueError, TypeError):
            values[name] = read(None)
            damaged.append(name)
    if (
        row["status"] == "running"
        and not values["attempt_log"]
        and values["started_at"] is not None
    ):
        # "running" is written just before the first attempt begins, so that attempt is in progress
        values["attempt_log"] = (
            {"startedAt": row["started_at"], "step": row["action"], "outcome": "running"},
        )
        values["attempts"] = max(1, row["attempts"])
    if "created_at" in damaged:  # every entry has one
        values["created_at"] = nearest_time(row["created_at"])
    values["result"], values["inputs"] = result, inputs
    return Entry(**values, damage=_DAMAGED if damaged else None)


def damaged_entry(row: Mapping[str, Any]) -> Entry:
    """Create an Entry without its Result, which cannot be decrypted."""
    return replace(read_entry(row, None), damage=_DAMAGED)
