"""Export of invocations that match filters, newest first: as JSON Lines, the form of a list's items, or as CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jackfield.invocation.entry import Entry
from jackfield_server.shared.requests.json_response import dumps

LINES, CSV = "application/jsonl", "text/csv"
KINDS: Mapping[str, str] = {"jsonl": LINES, "csv": CSV}
"""Media types of an export by the ending of its file."""
MOST = 10_000
"""Invocations of one export. What is older is in the next, which begins at its cursor."""
LARGEST = 16 * 1024 * 1024
"""Bytes after which an export of JSON Lines ends: the outputs of 10,000 calls may be large."""
_PAGE = 200
_MOST_PAGES = 100
_COLUMNS = (
    "invocationId", "createdAt", "status", "connector", "connectorVersion", "action", "effect", "connection", "caller", "dryRun",
    "errorCode", "errorMessage", "attempts", "durationMs", "requestId", "idempotencyKey", "correlationId", "labels", "settledAt",
)  # fmt: skip
_FORMULA = re.compile(r"[=+\-@\t\r]")
"""Beginning of a text that a spreadsheet would run as a formula; an apostrophe before it makes it a text."""

Fetch = Callable[[str | None, int], tuple[Sequence[Entry], str | None]]


def exported(fetch: Fetch, kind: str, cursor: str | None, limit: int = MOST) -> tuple[bytes, int, str | None]:
    """Return an export, the number of its invocations, and the cursor at which the next begins; None at the end of the list.

    ``fetch`` gets a cursor and a limit, and returns a page of the journal and its next cursor.
    """
    text = csv_text(_header()) if kind == CSV else b""
    parts, size, count = [text], 0, 0
    for _ in range(_MOST_PAGES):  # each may be short, or empty, where the caller sees a part of the journal only
        entries, cursor = fetch(cursor, min(_PAGE, limit - count))
        part = csv_text(map(_row, entries)) if kind == CSV else b"".join(dumps(entry.to_json()) + b"\n" for entry in entries)
        parts.append(part)
        size, count = size + len(part), count + len(entries)
        if cursor is None or count >= limit or size >= LARGEST:
            break
    return b"".join(parts), count, cursor


def _header() -> Iterable[Sequence[object]]:
    return [_COLUMNS]


def _row(entry: Entry) -> list[object]:
    shown = entry.to_json()
    context, error, meta = entry.context, shown.get("error") or {}, shown.get("meta") or {}
    own: Mapping[str, Any] = {
        **shown, "errorCode": entry.error_code, "errorMessage": error.get("message"), "attempts": entry.attempts,
        "durationMs": meta.get("durationMs"), "requestId": entry.request_id, "correlationId": context.get("correlationId"),
        "labels": json.dumps(context["labels"], ensure_ascii=False) if context.get("labels") else None,
    }  # fmt: skip
    return [_cell(own.get(name)) for name in _COLUMNS]


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def csv_text(rows: Iterable[Sequence[object]]) -> bytes:
    """Write rows as RFC 4180 has them. A lone surrogate, which JSON can hold and UTF-8 cannot, becomes a question mark."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
