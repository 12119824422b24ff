"""Live list of the workspace's invocations, newest first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from jackfield.invocation.entry import Entry
from jackfield.kernel.clock import moment
from jackfield.kernel.markup import Markup, Node, table
from jackfield_service.shell.operations.entry_export import KINDS, exported
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    choice_field,
    done_notice,
    filters,
    h,
    heading,
    live,
    offering,
    panel,
    span_text,
    text_field,
)
from jackfield_service.shell.pages.layout.entry_connection import connection_links
from jackfield_service.shell.pages.layout.export import export_kind, export_links, exported_file
from jackfield_service.shell.pages.layout.gist import name_of, named
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.selection import NONE, tick
from jackfield_service.shell.pages.layout.shell import fragment, page
from jackfield_service.shell.pages.layout.sorted_list import Sorts, member_of
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.invocations.pages.steps import CALLS
from jackfield_service.subjects.schedules.timing import zone
from jackfield_store.access import Token
from jackfield_store.journal.listing import FILTERS, NOT_CANCELLED

_PAGE = 50
_COLUMNS = ("Action", "Status", "Connection", "Created", "Attempts", "Duration")
_NUMBERS = ("Attempts", "Duration")
_KIND = "rows calls"
_SUGGESTED = 200
_EVERY = 3
"""Polling interval in seconds."""
_TEXTS = (
    ("connector", "Connector"),
    ("action", "Action"),
    ("connection", "Connection"),
    ("errorCode", "Error code"),
    ("caller", "Caller"),
    ("idempotencyKey", "Idempotency key"),
    ("correlationId", "Correlation ID"),
    ("label", "Label (name=value)"),
)
_DAYS = (("from", "From (date)"), ("until", "Until (date, included)"))
_WITHIN = "within"
"""Parameter that requests a search in inputs and errors, too."""
_FILTERS = ("q", "status", "since", *(name for name, _ in (*_TEXTS, *_DAYS)), "timezone", _WITHIN)
_SINCE = {
    "15m": (900.0, "Last 15 minutes"),
    "1h": (3600.0, "Last hour"),
    "24h": (86_400.0, "Last 24 hours"),
    "7d": (604_800.0, "Last 7 days"),
}
_DAY = {"today": (0, "Today"), "yesterday": (1, "Yesterday")}
"""Days before today, by the reader's time zone, and their titles."""
_STATUSES = (
    ("", "Any status"),
    ("waiting", "Waiting for approval"),
    ("queued", "Queued"),
    ("running", "Running"),
    ("succeeded", "Succeeded"),
    ("failed", "Failed"),
    ("in_doubt", "In doubt"),
    ("cancelled", "Cancelled"),
    ("dead", "Dead letters"),
)

_SORTS = Sorts(
    {"Created": "createdAt", "Action": "action", "Status": "status", "Connection": "connection"},
    names="id",
    value=lambda entry, member: (
        status_of(entry) if member == "status" else member_of(entry, member)
    ),
)


def listed(request: PageRequest) -> Response:
    """Serve ``GET /invocations`` with the filters of ``GET /v1/invocations`` and ``?cursor=``;
    ``?since=`` is a period.

    ``?from=`` and ``?until=`` are days, both included, in ``?timezone=``, which the page's script
    fills in.
    """
    request.require("read")
    found = _render_results(request)
    if request.partial:
        return fragment(found)
    text, offered = (
        "Run for each row of a file",
        offering("/new-batch", "Run this action…", "Choose the action"),
    )
    new = panel("each-row", text, text, offered) if request.may("invoke") else None
    title = heading(
        "Invocations", new, lead="Calls in this workspace, with their callers and outcomes."
    )
    done, bar = done_notice(request, NONE, *NONE), CALLS.bar(request)
    return page(
        request,
        "invocations",
        "Invocations",
        done,
        _filters(request),
        bar,
        h.div(found, id="found"),
        head=title,
    )


def saved(request: PageRequest) -> Response:
    """Serve ``GET /invocations/export``: save the rows that the list's filters match, ``?kind=csv``
    or ``jsonl``, in the form of ``GET /v1/invocations``. With ``?within=1``, also save the calls
    with the searched text in their inputs or error.
    """
    request.require("read")
    kind = export_kind(request)
    given = _query_filters(request)
    wanted = _entry_filters(request, given)
    found = (
        request.journal.containing(wanted["q"], **_others(wanted))
        if _WITHIN in given and "q" in wanted
        else None
    )
    text, count, rest = exported(
        lambda cursor, limit: (
            request.journal.entries(cursor=cursor, limit=limit, **wanted)
            if found is None
            else (found.entries, None)
        ),
        KINDS[kind],
        None,
    )
    return exported_file(
        text, f"invocations-newest-{count}" if rest is not None else "invocations", kind
    )


def status_of(entry: Entry) -> str:
    """Return the status for the list's filter: dead letters and cancelled calls, which the journal
    stores as failed, have their own.
    """
    if entry.dead_at is not None:
        return "dead"
    return (
        "cancelled"
        if entry.status == "failed" and entry.error_code == "cancelled"
        else entry.status
    )


def entries_table(
    request: PageRequest, entries: list[Entry], *, caption: str, empty: Node
) -> Markup:
    """Render journal entries as a table."""
    return table(
        caption,
        _COLUMNS,
        _entry_rows(request, entries, ticks=False),
        empty=empty,
        kind=_KIND,
        numbers=_NUMBERS,
    )


def _entry_rows(
    request: PageRequest, entries: Sequence[Entry], *, ticks: bool
) -> list[Sequence[Node]]:
    """Render journal entries as rows of a table, with a checkbox each if ``ticks``."""
    now, names, over = request.now, named(request, entries), connection_links(request, entries)
    return [
        (
            [
                tick(entry.id, f"{name_of(request, entry)} {entry.id[-6:]}") if ticks else None,
                names[entry.id],
            ],
            [
                badge(status_of(entry)),
                " ",
                h.code(entry.error_code)
                if entry.error_code and entry.error_code != status_of(entry)
                else None,
                "dry run" if entry.dry_run else None,
            ],
            over.get(entry.id) or h.span("none", class_="muted"),
            at(entry.created_at, now),
            entry.attempts,
            span_text(entry.settled_at - entry.created_at) if entry.settled_at is not None else "–",
        )
        for entry in entries
    ]


def _query_filters(request: PageRequest) -> dict[str, str]:
    """Read the filters of the query.

    :raises Problem: 400 for an unknown status or period, which would otherwise give a misleading
        list.
    """
    given = {
        name: request.query[name].strip()
        for name in _FILTERS
        if request.query.get(name, "").strip()
    }
    for name, known in (
        ("status", [status for status, _ in _STATUSES if status]),
        ("since", [*_SINCE, *_DAY]),
    ):
        if name in given and given[name] not in known:
            raise Problem(
                400, f"'{name}' must be one of {', '.join(known)}, not '{given[name][:80]}'"
            )
    return given


def _caller(request: PageRequest, given: str) -> str:
    """Return the ID of the token with a name, since the journal stores IDs; ``given`` itself if no
    token has it.

    :raises Problem: 400 if several tokens have the name.
    """
    if request.identity.rules:  # as in _callers
        return given
    found = {token.id for token in _tokens(request) if token.name == given}
    if len(found) > 1:
        raise Problem(400, f"{len(found)} tokens are named '{given[:80]}'; use the token's ID")
    return next(iter(found), given)


def _tokens(request: PageRequest) -> list[Token]:
    return request.tokens.list(limit=_SUGGESTED)[0]


def _filters(request: PageRequest) -> Markup:
    given = _query_filters(request)
    spans = [
        ("", "Any time"),
        *((key, title) for key, (_, title) in (*_SINCE.items(), *_DAY.items())),
    ]
    texts = [
        text_field(name, title, given.get(name, ""), list="callers" if name == "caller" else None)
        for name, title in _TEXTS
    ]
    texts += [text_field(name, title, given.get(name, ""), type="date") for name, title in _DAYS]
    opened = any(name in given for name, _ in (*_TEXTS, *_DAYS))
    return filters(
        "/invocations",
        text_field(
            "q",
            "Search",
            given.get("q", ""),
            type="search",
            placeholder="Recipient, ID, key, error, label …",
        ),
        choice_field("status", "Status", _STATUSES, given.get("status", "")),
        choice_field("since", "Time", spans, given.get("since", "")),
        h.input(
            type="hidden", name="timezone", value=given.get("timezone", "UTC"), data_timezone=True
        ),
        further=h.details(
            h.summary("More filters"),
            h.div(texts, _callers(request), class_="filters"),
            open=opened,
            class_="more-filters",
        ),
        asks=_WITHIN,
    )


def _callers(request: PageRequest) -> Markup:
    """Render the workspace's tokens as suggestions by name, since the journal stores their IDs."""
    # names of other tokens may reveal what rules hide
    tokens = [] if request.identity.rules else _tokens(request)
    return h.datalist([h.option(token.name, value=token.id) for token in tokens], id="callers")


def _bounds(request: PageRequest, given: Mapping[str, str]) -> dict[str, float]:
    """Return the start and the end of the period, as the intersection of all filters of time."""
    period, by = given.get("since"), zone(given.get("timezone", "UTC"))
    first, last = ([given[name]] if name in given else [] for name, _ in _DAYS)
    if period in _DAY:
        day = (
            datetime.fromtimestamp(request.now, by).date() - timedelta(days=_DAY[period][0])
        ).isoformat()
        first, last = [*first, day], [*last, day]
    begins = [request.now - _SINCE[period][0]] if period in _SINCE else []
    begins += [moment(text, request.now, -1, "'from'", zone=by) for text in first]
    ends = [moment(text, request.now, -1, "'until'", zone=by, ends=True) for text in last]
    return {**({"since": max(begins)} if begins else {}), **({"until": min(ends)} if ends else {})}


def _entry_filters(request: PageRequest, given: Mapping[str, str]) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        **{name: text for name, text in given.items() if name in FILTERS},
        **_bounds(request, given),
    }
    if "caller" in wanted:
        wanted["caller"] = _caller(request, wanted["caller"])
    if wanted.get("status") == "failed":  # cancelled and declined calls have a filter of their own
        wanted[NOT_CANCELLED] = True
    return wanted


def _others(wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if name != "q"}


def _within(
    request: PageRequest,
    given: Mapping[str, str],
    wanted: Mapping[str, Any],
    shown: Collection[str],
) -> Node:
    """Render the calls with the searched text in their inputs or error, such as a customer's
    address. A caller who may see only a part of the journal gets no such calls. The search decrypts
    every call, which is expensive; so it runs only on request.
    """
    if _WITHIN not in given:
        asked = h.a(
            "Search inputs and errors, too",
            href=f"/invocations?{urlencode({**given, _WITHIN: '1'})}",
        )
        return None if request.identity.rules else h.p(asked, h.span(" (Enter)", class_="muted"))
    found = request.journal.containing(wanted["q"], **_others(wanted))
    if found is None:
        return None
    part = f"the newest {found.looked_at:,}" if found.is_cut else "all"
    told = h.p(
        f"Searched were {part} calls that fit the other filters. Inputs are recorded, and so "
        "found, only where the ",
        h.a("workspace", href="/workspace"),
        " is set to.",
        class_="muted small",
    )
    entries = [entry for entry in found.entries if entry.id not in shown]
    title = "In inputs and errors"
    rows = _entry_rows(request, entries, ticks=request.may("invoke"))
    none = "No further one has this text." if shown else "No invocation has this text."
    listed = table(title, _COLUMNS, rows, empty=none, kind=_KIND, numbers=_NUMBERS)
    return h.section(
        h.h2(title),
        told,
        listed,
        export_links("/invocations", given, "(those found here)") if rows else None,
        class_="stack",
    )


def _empty(given: Mapping[str, str], *, is_partial: bool) -> Node:
    """Render the message of a list without rows; the searched text may still be in inputs and
    errors, which are listed below.
    """
    if not given.keys() - {"timezone", _WITHIN}:
        return [
            h.p("No invocations yet. Each call is listed here as soon as it begins."),
            h.a("Choose an action", href="/connectors"),
        ]
    if is_partial:
        return "No matches so far. Select Older to keep searching."
    if "q" not in given:
        return "No invocation matches."
    return "No invocation has this text as its ID, key, label, name or error code."


def _render_results(request: PageRequest) -> Markup:
    given, cursor = _query_filters(request), request.query.get("cursor") or None
    wanted = _entry_filters(request, given)
    found = _SORTS.read(
        request,
        lambda after, limit: request.journal.entries(cursor=after, limit=limit, **wanted),
        _PAGE,
    )
    empty = _empty(given, is_partial=bool(found.cursor))
    rows = _entry_rows(request, found.rows, ticks=request.may("invoke"))
    plain = {name: text for name, text in given.items() if name != _WITHIN}
    content = [
        found.table(
            "/invocations",
            "Invocations",
            _COLUMNS,
            rows,
            empty=empty,
            whole=False,
            kind=_KIND,
            kept=given,
            numbers=_NUMBERS,
            picks=CALLS.every(request),
        ),
        export_links("/invocations", plain) if found.rows else None,
    ]
    if "q" in given and cursor is None:
        shown = {entry.id for entry in found.rows}
        return h.div(content, _within(request, given, wanted, shown), class_="stack")
    if cursor is not None or found.sort or request.query.get("live") == "1":
        return h.div(content)
    return live(f"/invocations?{urlencode({**plain, 'live': '1'})}", _EVERY, "live", content)
