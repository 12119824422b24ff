"""Rendering of a Result: output or error, details, hint, and the provider's own message."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.manifest import ActionManifest
from jackfield.markup import Markup, Node, table, terms
from jackfield.surfaces.console.components import badge, code_block, fault_of, h, json_text, notice, span_text

_MOST_ROWS = 200
_MOST_COLUMNS = 8
_DEEPEST = 3
_LONG = 15
"""Longer lists scroll in a box of their own."""
_WORDS = {"succeeded": "Succeeded", "failed": "Failed", "in_doubt": "In doubt"}


def result_shown(result: Mapping[str, Any], action: ActionManifest) -> Markup:
    """Render the Result of a run, with a link to its journal entry."""
    meta, status = result["meta"], str(result["status"])
    word = "Dry run passed" if meta.get("dryRun") and status == "succeeded" else _WORDS[status]
    entry = h.a("View invocation", href=f"/invocations/{meta['invocationId']}")
    return h.div(
        h.div(h.h3(word, tabindex="-1", id="result-title"), badge(status), class_="row"),
        _dry(meta, status, action),
        error_shown(result["error"]) if "error" in result else None,
        output_shown(result["output"]) if "output" in result else None,
        _next_page(result, action),
        terms(
            [
                ("Duration", span_text(meta.get("durationMs", 0) / 1000)),
                ("Attempts", meta.get("attempts", 0)),
                ("Request ID", h.code(meta["requestId"]) if meta.get("requestId") else None),
                ("Replayed", "yes: the key was used before, so nothing was sent" if meta.get("replayed") else None),
            ]
        ),
        h.p(entry),
        class_="result",
        data_status=status,
    )


def _next_page(result: Mapping[str, Any], action: ActionManifest) -> Markup | None:
    """Offer the next page of a paginated action: the button fills the page token into the form and runs it."""
    meta, paging, output = result["meta"], action.pagination, result.get("output")
    following: dict[str, Any] = dict(meta.get("next") or {})
    if not following and paging is not None and isinstance(output, Mapping):
        following = paging.following(output) or {}
    if meta.get("complete") is True or (not following and meta.get("complete") is None):
        return None
    if not following:
        return h.p("More pages follow: the output has the token for the next page.", class_="muted")
    button = h.button("Next page", type="button", data_next=json.dumps(following))
    return h.p(button, " More pages follow.", class_="muted")


def _dry(meta: Mapping[str, Any], status: str, action: ActionManifest) -> Markup | None:
    if not meta.get("dryRun") or status != "succeeded":
        return None
    return notice(f"The inputs are valid and the connection was opened. “{action.title}” was not run.", tone="good")


def error_shown(error: Mapping[str, Any]) -> Markup:
    """Render the error of a Result."""
    provider = error.get("provider") or {}
    said = [
        ("Code", h.code(provider["code"]) if provider.get("code") else None),
        ("Message", h.q(provider["message"]) if provider.get("message") else None),
        ("HTTP status", provider.get("httpStatus")),
        ("Request ID", h.code(provider["requestId"]) if provider.get("requestId") else None),
    ]
    more = code_block(json_text(provider["details"]), "The provider's details as JSON") if provider.get("details") else None
    words = h.div(h.h4("Provider's response"), terms(said), more, class_="provider") if provider else None
    again = "Retryable." if error.get("retryable") else None
    kind = terms([("Error", [h.code(error["code"]), f" {again}" if again else ""])])
    return h.div(fault_of(str(error["message"]), error.get("hint"), error.get("details", ())), kind, words)


def output_shown(output: Any) -> Markup:
    """Render the output: lists of objects as a table, and always the whole as JSON."""
    return h.div(h.h4("Output"), _shape(output), h.details(h.summary("As JSON"), code_block(json_text(output), "The output as JSON")))


def _shape(output: Any) -> Node:
    if isinstance(output, Mapping) and not output:
        return h.p("Empty.", class_="empty")
    return _value(output, 0)


_FILE = re.compile(r"file_[A-Za-z0-9_-]{22}\Z")
_OF_FILE = {"file", "size", "contentType", "expiresAt"}


def _file(item: Mapping[str, Any]) -> Markup:
    """Render a stored file as a link that downloads it."""
    text = f"{item.get('name') or item['file']} ({item['size']:,} bytes, {item['contentType']})"
    return h.a(text, href=f"/files/{item['file']}", download=True)


def _is_file(item: object) -> bool:
    return (
        isinstance(item, Mapping)
        and item.keys() >= _OF_FILE
        and isinstance(item["size"], int)
        and isinstance(item["file"], str)
        and _FILE.match(item["file"]) is not None
    )


def _value(item: Any, depth: int) -> Node:
    if _is_file(item):
        return _file(item)
    if item is None or isinstance(item, bool):
        return h.code("null" if item is None else str(item).lower())
    if isinstance(item, str | int | float):
        return h.span(item, class_="value")
    if depth > _DEEPEST:
        return h.code(json_text(item))
    if isinstance(item, Sequence):
        return _rows(item, depth)
    return terms([(str(name), _value(inner, depth + 1)) for name, inner in item.items()]) if item else h.code("{}")


def _rows(items: Sequence[Any], depth: int) -> Node:
    if not items:
        return h.span("none", class_="muted")
    shown, rest = items[:_MOST_ROWS], len(items) - _MOST_ROWS
    tail = h.p(f"{rest:,} more in the JSON.", class_="muted") if rest > 0 else None
    columns = list(dict.fromkeys(str(name) for item in shown if isinstance(item, Mapping) for name in item))[:_MOST_COLUMNS]
    if columns and depth <= 1 and all(isinstance(item, Mapping) and not _is_file(item) for item in shown):
        rows = [[_value(item.get(name), depth + 2) for name in columns] for item in shown]
        return [_count(items), table("Items", columns, rows), tail]
    listed = h.ul([h.li(_value(item, depth + 1)) for item in shown], class_="plain")
    if len(shown) > _LONG:
        listed = h.div(listed, class_="long", tabindex="0", role="region", aria_label="Items")
    return [_count(items), listed, tail]


def _count(items: Sequence[Any]) -> Markup | None:
    return h.p(f"{len(items):,} items", class_="muted") if len(items) > 1 else None
