"""Rendering of a call's inputs and outcome: inputs; output or error, details, hint, and the
provider's own message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from jackfield.kernel.markup import Markup, Node, table, terms
from jackfield.manifest.manifest import ActionManifest
from jackfield_service.shell.pages.layout.components import (
    badge,
    code_block,
    fault_of,
    h,
    json_text,
    notice,
    span_text,
)
from jackfield_service.shell.pages.layout.form_schema import form_schema, spelled

_MOST_ROWS = 200
_TABLE_ROWS = 100
_MOST_COLUMNS = 24
_FEW_COLUMNS = 8
"""Number of columns of a table that are visible at first."""
_NESTED = 2
"""Nesting depth of values in the cells of a table."""
_DEEPEST = 3
_MOST_TEXT = 1000
"""Maximum number of characters of a value before it scrolls in a box of its own."""
_LONG = 15
"""Maximum length of a list before it scrolls in a box of its own."""
_WORDS = {
    "succeeded": "Succeeded",
    "failed": "Failed",
    "in_doubt": "In doubt",
    "waiting": "Waiting until a person approves it",
}


def result_shown(result: Mapping[str, Any], action: ActionManifest) -> Markup:
    """Render the Result of a run, with a link to its journal entry."""
    if result["status"] == "running":
        return _running(result)
    meta, status = result["meta"], str(result["status"])
    word = "Dry run passed" if meta.get("dryRun") and status == "succeeded" else _WORDS[status]
    entry = h.a("View invocation", href=f"/invocations/{meta['invocationId']}")
    return h.div(
        h.div(h.h3(word, tabindex="-1", id="result-title"), badge(status), class_="row"),
        _dry(meta, status, action),
        error_shown(result["error"]) if "error" in result else None,
        output_shown(result["output"], f"{meta['connector']}/{meta['action']}")
        if "output" in result
        else None,
        _next_page(result, action),
        terms(
            [
                ("Duration", span_text(meta.get("durationMs", 0) / 1000)),
                ("Attempts", meta.get("attempts", 0)),
                ("Request ID", h.code(meta["requestId"]) if meta.get("requestId") else None),
                (
                    "Replayed",
                    "yes: the key was used before, so nothing was sent"
                    if meta.get("replayed")
                    else None,
                ),
            ]
        ),
        h.p(entry),
        class_="result",
        data_status=status,
    )


def _running(result: Mapping[str, Any]) -> Markup:
    """Render a job that outlasts its call, with a link to its invocation's page."""
    return h.div(
        h.div(h.h3("Running", tabindex="-1", id="result-title"), badge("running"), class_="row"),
        progress_shown(result["progress"]),
        h.p(h.a("Follow this invocation", href=f"/invocations/{result['invocationId']}")),
        class_="result",
        data_status="running",
    )


def progress_shown(progress: Mapping[str, Any]) -> Markup:
    """Render a job's progress as a bar with its description."""
    share = round(progress["fraction"] * 100)
    bar = h.progress(f"{share} %", value=str(share), max="100", aria_label="Progress of the job")
    return h.p(bar, f" {share} % ", h.span(progress["text"], class_="muted"))


def _next_page(result: Mapping[str, Any], action: ActionManifest) -> Markup | None:
    """Render the button for the next page of a paginated action, which fills the page token into
    the form and runs it; None without a next page.
    """
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
    told = notice(
        f"The inputs are valid and the connection was opened. “{action.title}” was not run.",
        tone="good",
    )
    if "request" not in meta:
        return told
    return h.div(
        told,
        h.h4("Request that it would send"),
        code_block(json_text(meta["request"]), "The request as JSON"),
        class_="stack",
    )


def error_shown(error: Mapping[str, Any]) -> Markup:
    """Render the error of a Result."""
    again = "Retryable." if error.get("retryable") else None
    kind = terms([("Error", [h.code(error["code"]), f" {again}" if again else ""])])
    return h.div(
        fault_of(str(error["message"]), error.get("hint"), error.get("details", ())),
        kind,
        provider_shown(error),
    )


def provider_shown(error: Mapping[str, Any]) -> Markup | None:
    """Render the provider's message about an error; None without such a message."""
    provider = error.get("provider") or {}
    said = [
        ("Code", h.code(provider["code"]) if provider.get("code") else None),
        ("Message", h.q(provider["message"]) if provider.get("message") else None),
        ("HTTP status", provider.get("httpStatus")),
        ("Request ID", h.code(provider["requestId"]) if provider.get("requestId") else None),
    ]
    more = (
        code_block(json_text(provider["details"]), "The provider's details as JSON")
        if provider.get("details")
        else None
    )
    return (
        h.div(h.h4("Provider's response"), terms(said), more, class_="provider")
        if provider
        else None
    )


def inputs_shown(inputs: Mapping[str, Any], schema: Mapping[str, Any]) -> Markup:
    """Render inputs, or values of a connection, with the names and order of their form, for a
    person who decides about them.
    """
    return (
        given_shown(inputs, {"properties": form_schema(schema, given=inputs)["properties"]})
        if inputs
        else h.p("None.", class_="muted")
    )


def given_shown(
    item: Any, field: Mapping[str, Any] = MappingProxyType({}), depth: int = 0
) -> Markup:
    """Render a value of a form's field: strings in full, booleans as words."""
    if isinstance(item, bool):
        return h.span("yes" if item else "no")
    if isinstance(item, Mapping) and item and depth <= _DEEPEST:
        fields: Mapping[str, Any] = field.get("properties", {})
        names = [
            *(name for name in fields if name in item),
            *(name for name in item if name not in fields),
        ]
        part = field.get("options", {}).get("part", {})
        return terms(
            [
                (
                    _title(name, fields.get(name)),
                    given_shown(item[name], fields.get(name, part), depth + 1),
                )
                for name in names
            ]
        )
    if isinstance(item, list) and item and depth <= _DEEPEST:
        part = field.get("options", {}).get("part", {})
        shown = [given_shown(one, part, depth + 1) for one in item]
        return shown[0] if len(shown) == 1 else h.ul([h.li(one) for one in shown], class_="plain")
    if not isinstance(item, str | int | float) or item == "":
        return h.code(json_text(item))
    is_long = isinstance(item, str) and len(item) > _MOST_TEXT
    return (
        h.div(item, class_="value long", tabindex="0", role="region", aria_label="Text")
        if is_long
        else h.span(item, class_="value")
    )


def _title(name: str, field: Mapping[str, Any] | None) -> str:
    return spelled(name) if field is None else str(field["title"])


def output_shown(output: Any, action: str) -> Markup:
    """Render the output of an action: lists of objects as tables over the full width, and the
    complete output as JSON.

    The page's script stores the chosen columns, by action and list.
    """
    whole = h.details(
        h.summary("As JSON"),
        code_block(json_text(output), "The output as JSON"),
        class_="whole-json",
    )
    return h.div(h.h4("Output"), _shape(output), whole, class_="output", data_action=action)


def _shape(output: Any) -> Node:
    if isinstance(output, Mapping) and not output:
        return h.p("Empty.", class_="empty")
    if not isinstance(output, Mapping) or _is_file(output):
        return _value(output, 0)
    rest, lists = _parted(output)
    return [
        _value(rest, 0) if rest else None,
        [_data_table(path, items) for path, items in lists.items()],
    ]


def _parted(
    output: Mapping[str, Any], path: tuple[str, ...] = ()
) -> tuple[dict[str, Any], dict[tuple[str, ...], Sequence[Mapping[str, Any]]]]:
    """Separate an output's lists of objects from its other members, also within objects. Return the
    other members, and the lists by their path.
    """
    rest: dict[str, Any] = {}
    lists: dict[tuple[str, ...], Sequence[Mapping[str, Any]]] = {}
    for name, item in output.items():
        place = (*path, str(name))
        if _is_list_of_objects(item):
            lists[place] = item
        elif isinstance(item, Mapping) and not path and not _is_file(item):
            inner, found = _parted(item, place)
            lists |= found
            rest |= {name: inner} if inner or not item else {}
        else:
            rest[name] = item
    return rest, lists


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
    return (
        terms([(str(name), _value(inner, depth + 1)) for name, inner in item.items()])
        if item
        else h.code("{}")
    )


def _rows(items: Sequence[Any], depth: int) -> Node:
    if not items:
        return h.span("none", class_="muted")
    shown, rest = items[:_MOST_ROWS], len(items) - _MOST_ROWS
    tail = h.p(f"{rest:,} more in the JSON.", class_="muted") if rest > 0 else None
    listed = h.ul([h.li(_value(item, depth + 1)) for item in shown], class_="plain")
    if len(shown) > _LONG:
        listed = h.div(listed, class_="long", tabindex="0", role="region", aria_label="Items")
    return [_count(items), listed, tail]


def _count(items: Sequence[Any]) -> Markup | None:
    return h.p(f"{len(items):,} items", class_="muted") if len(items) > 1 else None


def _is_list_of_objects(item: object) -> bool:
    if not isinstance(item, Sequence) or isinstance(item, str):
        return False
    return any(item) and all(isinstance(one, Mapping) and not _is_file(one) for one in item)


def _data_table(path: tuple[str, ...], items: Sequence[Mapping[str, Any]]) -> Markup:
    """Render a list of objects: some columns, with a choice of others, and a CSV of the whole list,
    which the page's script makes from the JSON.
    """
    name, shown, rest = ".".join(path), items[:_TABLE_ROWS], len(items) - _TABLE_ROWS
    columns = list(dict.fromkeys(str(key) for item in shown for key in item))[:_MOST_COLUMNS]
    hidden = set(columns) - set(
        sorted(columns, key=lambda column: _weight(column, shown))[:_FEW_COLUMNS]
    )
    rows = [[_cell(item, column) for column in columns] for item in shown]
    boxes = [
        h.label(
            h.input(type="checkbox", data_column=place, checked=column not in hidden), " ", column
        )
        for place, column in enumerate(columns)
    ]
    choice = h.details(
        h.summary(f"Columns ({len(columns) - len(hidden)} of {len(columns)})"),
        h.div(boxes, class_="choices"),
    )
    csv = h.button("Download CSV", type="button", class_="quiet", data_csv=json.dumps(path))
    counted = (
        f"{len(items):,} items"
        if rest <= 0
        else f"{len(items):,} items, the first {_TABLE_ROWS:,} of them here"
    )
    grid = h.div(
        table(name, columns, rows, kind="grid", hidden=hidden),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=name,
    )
    top = h.div(
        h.h5(name),
        h.span(counted if len(items) > 1 else "1 item", class_="muted"),
        csv,
        class_="row",
    )
    return h.div(top, choice if len(columns) > 1 else None, grid, class_="data")


def _weight(column: str, items: Sequence[Mapping[str, Any]]) -> tuple[bool, bool]:
    """Rank a column among the columns visible at first: plain values before URLs, and URLs before
    nested values.
    """
    values = [item[column] for item in items if item.get(column) is not None]
    plain = all(not isinstance(value, Mapping | list | tuple) for value in values)
    return not (values and plain), any(
        str(value).startswith(("http://", "https://")) for value in values[:1]
    )


def _cell(item: Mapping[str, Any], column: str) -> Node:
    if column not in item:
        return None
    value = item[column]
    if isinstance(value, Mapping) and value and not _is_file(value):
        return h.details(h.summary(_members(len(value), "member")), _value(value, _NESTED))
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        return h.details(h.summary(_members(len(value), "item")), _rows(value, _NESTED))
    return _value(value, _NESTED)


def _members(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
