"""Export of the rows that match a list's filters, newest first: as JSON Lines of its items, or as
CSV for spreadsheets.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from jackfield.invocation.entry import Entry
from jackfield_service.shell.requests.json_response import dumps

LINES, CSV = "application/jsonl", "text/csv"
KINDS: Mapping[str, str] = {"jsonl": LINES, "csv": CSV}
"""Media types of an export by the ending of its file."""
MOST = 10_000
"""Maximum number of rows of one export. Its cursor leads to the export of older rows."""
LARGEST = 16 * 1024 * 1024
"""Size in bytes at which an export ends, as JSON Lines or as CSV: the outputs of 10,000 calls may
be large.
"""
_PAGE = 200
_MOST_PAGES = 100
_COLUMNS = (
    "invocationId",
    "createdAt",
    "status",
    "connector",
    "connectorVersion",
    "action",
    "effect",
    "connection",
    "caller",
    "dryRun",
    "errorCode",
    "errorMessage",
    "attempts",
    "durationMs",
    "requestId",
    "idempotencyKey",
    "correlationId",
    "labels",
    "settledAt",
)
_FORMULA = re.compile(r"[=+\-@\t\r]")
"""Regular expression of the beginning of a value that a spreadsheet would run as a formula; an
apostrophe before it prevents that.
"""

T = TypeVar("T", bound="Listed")


class Listed(Protocol):
    """Row of a list."""

    def to_json(self) -> dict[str, Any]:
        """Return the row as the list's item."""


Fetch = Callable[[str | None, int], tuple[Sequence[T], str | None]]


def rows_exported(
    fetch: Fetch[T],
    kind: str,
    cursor: str | None,
    columns: Sequence[str],
    cells: Callable[[T], Mapping[str, Any]],
    limit: int = MOST,
) -> tuple[bytes, int, str | None]:
    """Return an export, the number of its rows, and the cursor of the next export; None at the end
    of the list.

    ``fetch`` gets a cursor and a limit, and returns a page of the list and its next cursor.
    ``cells`` returns the members of a row, of which CSV has the ``columns``.
    """
    text = csv_text([columns]) if kind == CSV else b""
    parts, size, count = [text], 0, 0
    # each may be short, or empty, where the caller sees a part of the journal only
    for _ in range(_MOST_PAGES):
        entries, cursor = fetch(cursor, min(_PAGE, limit - count))
        rows = (
            ([_cell(own.get(name)) for name in columns] for own in map(cells, entries))
            if kind == CSV
            else ()
        )
        part = (
            csv_text(rows)
            if kind == CSV
            else b"".join(dumps(entry.to_json()) + b"\n" for entry in entries)
        )
        parts.append(part)
        size, count = size + len(part), count + len(entries)
        if cursor is None or count >= limit or size >= LARGEST:
            break
    return b"".join(parts), count, cursor


def exported(
    fetch: Fetch[Entry], kind: str, cursor: str | None, limit: int = MOST
) -> tuple[bytes, int, str | None]:
    """Return an export of invocations, as ``rows_exported`` does."""
    return rows_exported(fetch, kind, cursor, _COLUMNS, _members, limit)


def _members(entry: Entry) -> Mapping[str, Any]:
    shown = entry.to_json()
    context, error, meta = entry.context, shown.get("error") or {}, shown.get("meta") or {}
    return {
        **shown,
        "errorCode": entry.error_code,
        "errorMessage": error.get("message"),
        "attempts": entry.attempts,
        "durationMs": meta.get("durationMs"),
        "requestId": entry.request_id,
        "correlationId": context.get("correlationId"),
        "labels": json.dumps(context["labels"], ensure_ascii=False)
        if context.get("labels")
        else None,
    }


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def csv_text(rows: Iterable[Sequence[object]]) -> bytes:
    """Write rows as CSV (RFC 4180). A lone surrogate, which JSON can hold and UTF-8 cannot, becomes
    a question mark.
    """
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
