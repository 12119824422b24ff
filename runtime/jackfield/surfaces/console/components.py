"""What pages are made of: headings, badges, tables, notices, tabs, code to copy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jackfield.hints import worded
from jackfield.surfaces.console.markup import Markup, Node, h

__all__ = [
    "ago",
    "at",
    "badge",
    "code_block",
    "csrf_field",
    "fault_of",
    "field",
    "heading",
    "json_text",
    "live",
    "local_time",
    "more",
    "notice",
    "option_list",
    "rows_table",
    "span_text",
    "tabs",
    "terms",
]

_TONES = {
    "succeeded": "good", "ok": "good", "active": "good", "passed": "good", "allowed": "good",
    "failed": "bad", "failing": "bad", "expired": "bad", "broken": "bad", "refused": "bad",
    "in_doubt": "warn", "warning": "warn", "revoked": "warn", "write": "warn",
    "running": "busy", "queued": "busy",
}  # fmt: skip
_WORDS = {"in_doubt": "in doubt", "write": "writes", "read": "reads", "idempotent": "repeatable", "ok": "working"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def badge(word: str) -> Markup:
    """A state in one word; its colour only underlines what it says."""
    return h.span(_WORDS.get(word, word), class_=f"badge {_TONES.get(word, 'plain')}")


def heading(title: Node, *beside: Node, lead: Node = None, anew: bool = False) -> Markup:
    """The first heading of a page, with what belongs to it on the right and a sentence below. ``anew``: it takes the place of the one
    that the page has, in an answer to htmx."""
    top = h.div(h.h1(title), h.div(*beside, class_="beside"), class_="row")
    below = h.p(lead, class_="lead") if lead else None
    return h.div(top, below, class_="heading", id="heading", hx_swap_oob="true" if anew else None)


def notice(*content: Node, tone: str = "plain") -> Markup:
    """A message about what was done, or is to be done."""
    return h.div(*content, class_=f"notice {tone}", role="status")


def fault_of(message: str, hint: str | None = None, details: Iterable[Mapping[str, Any]] = ()) -> Markup:
    """A refusal: what happened, where, and what to do next. Details carry their pointer, for the form to show them at its fields."""
    rows = [
        h.li(h.code(item["path"] or "/", class_="pointer"), " ", item["message"], data_pointer=item["path"], data_message=item["message"])
        for item in details
    ]
    told = h.p("What to do: ", worded(hint, "console"), class_="hint-next") if hint else None
    return h.div(h.p(message, class_="message"), h.ul(rows, class_="faults") if rows else None, told, class_="notice bad", role="alert")


def at(moment: float | None, now: float, *, whole: bool = False) -> Markup:
    """Show a moment as a span from now, with the time as its title; ``whole`` shows both.

    The time is in UTC until the page's script puts it into the reader's time zone, as it does in charts and their tables.
    """
    if moment is None:
        return h.span("never", class_="muted")
    when, span = datetime.fromtimestamp(moment, UTC), ago(moment, now)
    shown = f"{when.day} {when:%b %Y, %H:%M:%S} UTC"
    stamp = when.isoformat(timespec="milliseconds")
    if whole:
        return h.time(f"{shown} ({span})", datetime=stamp, data_moment="text", data_ago=span)
    return h.time(span, datetime=stamp, title=shown, data_moment="title")


def local_time(moment: float) -> Markup:
    """Show day and time: in UTC, until the page's script puts it into the reader's time zone."""
    when = datetime.fromtimestamp(moment, UTC)
    return h.time(f"{when.day} {when:%b, %H:%M}", datetime=when.isoformat(timespec="seconds"), data_local="both")


def ago(moment: float, now: float) -> str:
    """How long ago, or in how long, roughly."""
    seconds = abs(now - moment)
    if seconds < _MINUTE:
        text = f"{int(seconds)} s"
    elif seconds < _HOUR:
        text = f"{int(seconds // _MINUTE)} min"
    elif seconds < 2 * _DAY:
        text = f"{int(seconds // _HOUR)} h"
    else:
        text = f"{int(seconds // _DAY)} days"
    return f"{text} ago" if moment <= now else f"in {text}"


def span_text(seconds: float | None) -> str:
    """A duration in a unit that fits."""
    if seconds is None:
        return "not yet"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < _MINUTE else f"{seconds / _MINUTE:.1f} min"


def terms(pairs: Iterable[tuple[str, Node]]) -> Markup:
    """Names and values; what is None is left out."""
    return h.dl([h.div(h.dt(name), h.dd(value)) for name, value in pairs if value is not None], class_="terms")


def rows_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Node]], *, empty: Node = "There is nothing yet.") -> Markup:
    """A table that becomes a list of cards where there is no room; each cell knows its column's name. The first cell names its row."""
    body = [
        h.tr(
            [
                h.th(h.div(cell), scope="row", data_label=column) if place == 0 else h.td(h.div(cell), data_label=column)
                for place, (column, cell) in enumerate(zip(columns, row, strict=True))
            ]
        )
        for row in rows
    ]
    if not body:
        return h.p(empty, class_="empty")
    head = h.thead(h.tr([h.th(column, scope="col") for column in columns]))
    return h.table(h.caption(caption, class_="unseen"), head, h.tbody(body), class_="rows")


def json_text(value: Any) -> str:
    """JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def code_block(text: str, label: str, *, short: bool = False) -> Markup:
    """Text to read and to copy, as it is; ``short`` where it is a line."""
    copy = h.button("Copy", type="button", class_="quiet copy", aria_label=f"Copy: {label}")
    return h.div(copy, h.pre(h.code(text), tabindex="0", role="region", aria_label=label), class_="code short" if short else "code")


def tabs(name: str, runtimes: Sequence[tuple[str, Node]]) -> Markup:
    """Panels of which one is seen at a time; all of them where no script runs."""
    buttons = [
        h.button(
            title, type="button", role="tab", id=f"{name}-tab-{place}", aria_controls=f"{name}-panel-{place}",
            aria_selected="true" if place == 0 else "false", tabindex="0" if place == 0 else "-1",
        )
        for place, (title, _) in enumerate(runtimes)
    ]  # fmt: skip
    bodies = [
        h.div(content, role="tabpanel", id=f"{name}-panel-{place}", aria_labelledby=f"{name}-tab-{place}")
        for place, (_, content) in enumerate(runtimes)
    ]
    return h.div(h.div(buttons, role="tablist", aria_label=name.replace("-", " ")), bodies, class_="tabs", id=f"{name}-tabs")


def csrf_field(token: str) -> Markup:
    """What every form that changes something carries."""
    return h.input(type="hidden", name="csrf", value=token)


def field(name: str, label: str, control: Node, hint: Node = None) -> Markup:
    """A labelled control; it must have the id ``name``, and is described by ``name-hint`` where there is a hint."""
    told = h.p(hint, class_="hint", id=f"{name}-hint") if hint is not None else None
    return h.div(h.label(label, for_=name), told, control, class_="field")


def option_list(choices: Iterable[tuple[str, str]], chosen: str) -> list[Markup]:
    """The options of a select."""
    return [h.option(text, value=value, selected=value == chosen) for value, text in choices]


def live(address: str, seconds: int, identifier: str, *content: Node) -> Markup:
    """A part of a page that looks for news by itself; what is focused in it stays so."""
    return h.div(*content, id=identifier, hx_get=address, hx_trigger=f"every {seconds}s", hx_swap="innerMorph", hx_target="this")


def more(address: str | None, text: str = "Older") -> Markup | None:
    """The way to the next page of a list."""
    return h.p(h.a(text, href=address, class_="button"), class_="more") if address else None
