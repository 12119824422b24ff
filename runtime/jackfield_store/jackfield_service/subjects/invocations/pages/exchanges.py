"""Exchanges of an invocation with its provider: each request and response, and the curl command,
for debugging.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.invocation.entry import Entry
from jackfield.kernel.errors import Internal, InvalidInvocation
from jackfield.kernel.markup import Markup, Node, terms
from jackfield_service.shell.pages.layout.components import badge, card, code_block, fault_of, h
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_store.journal.exchanges import NOT_CAPTURED

_SERVER_ERROR, _REFUSED = 500, 400
_NOT_KEPT = (
    "not kept: tick 'Keep what is sent' in the options of the form, or let the workspace "
    "record inputs"
)
_SHOWN_OPEN = 3
"""Maximum number of exchanges that are all unfolded."""


def exchanges_shown(request: PageRequest, entry: Entry) -> Markup | None:
    """Render the exchanges of an ended invocation; None if none are stored, or the caller may not
    see them.
    """
    if entry.is_open or not request.may("manage"):
        return None
    try:
        found = request.journal.exchanges(entry.id)
    except InvalidInvocation:
        return None
    except Internal as error:
        return card("What was sent", fault_of(error.message, error.hint))
    if not found["captured"]:
        return card("What was sent", h.p(f"{NOT_CAPTURED.capitalize()}.", class_="muted"))
    rows = found["exchanges"]
    earlier = (
        h.p(f"{found['dropped']:,} earlier exchanges are not kept.", class_="muted")
        if found["dropped"]
        else None
    )
    is_open = len(rows) <= _SHOWN_OPEN
    return card(
        "What was sent",
        earlier,
        [_exchange(one, is_open=is_open) for one in rows],
        class_="card stack",
        id="sent",
    )


def _exchange(one: Mapping[str, Any], *, is_open: bool) -> Markup:
    title = h.summary(
        h.strong(one["method"]), " ", h.code(one["url"]), " ", _outcome(one), class_="wraps"
    )
    facts = terms(
        [
            ("Sent", "yes" if one["sent"] else "no: nothing of it can have left"),
            ("Duration", f"{one['durationMs']:,.0f} ms"),
            ("Fault", one.get("error")),
        ]
    )
    answer = one.get("response")
    parts = [
        _message("Request", one["request"]),
        _message("Response", answer) if answer is not None else None,
    ]
    curl = h.details(
        h.summary("As curl"),
        code_block(one["curl"], "The request as a command line of curl"),
        class_="further",
    )
    return h.details(
        title, h.div(facts, parts, curl, class_="stack"), class_="further", open=is_open
    )


def _outcome(one: Mapping[str, Any]) -> Markup:
    answer = one.get("response")
    if answer is None:
        return badge("failed", "no response")
    status = answer["status"]
    return badge(
        "failed" if status >= _SERVER_ERROR else "warning" if status >= _REFUSED else "ok",
        str(status),
    )


def _message(title: str, message: Mapping[str, Any]) -> Markup:
    fields = "\n".join(f"{field['name']}: {field['value']}" for field in message["headers"])
    head = code_block(fields or "no header fields", f"{title}: header fields")
    return h.div(h.h3(title), head, _body(title, message), class_="stack")


def _body(title: str, message: Mapping[str, Any]) -> Node:
    size = message["bytes"]
    if "body" in message:
        more = (
            h.p(f"The beginning of {size:,} bytes.", class_="muted small")
            if message.get("truncated")
            else None
        )
        return [code_block(message["body"], f"{title}: body"), more]
    if not size:
        return h.p("No body.", class_="muted small")
    why = f"not shown: {message['omitted']}" if "omitted" in message else _NOT_KEPT
    return h.p(f"A body of {size:,} bytes, {why}.", class_="muted small")
