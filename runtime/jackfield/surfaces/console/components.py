"""Building blocks of pages: headings, badges, tables, notices, tabs, code to copy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jackfield.hints import worded
from jackfield.surfaces.console.markup import Markup, Node, h

_TONES = {
    "succeeded": "good", "connected": "good", "ok": "good", "active": "good", "passed": "good", "allowed": "good",
    "error": "bad", "failed": "bad", "failing": "bad", "expired": "bad", "broken": "bad", "refused": "bad",
    "dead": "bad", "must be reconnected": "bad", "not connected": "warn", "in_doubt": "warn", "warning": "warn", "revoked": "warn", "write": "warn",
    "running": "busy", "queued": "busy",
}  # fmt: skip
_WORDS = {"in_doubt": "in doubt", "ok": "working", "dead": "dead letter"}
_WORD = re.compile("[a-z]+")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def badge(word: str) -> Markup:
    """Render a state as one word; the colour adds nothing that the word does not say."""
    return h.span(_WORDS.get(word, word), class_=f"badge {_TONES.get(word, 'plain')}")


def heading(title: Node, *beside: Node, lead: Node = None, anew: bool = False) -> Markup:
    """Render the title of a page, with buttons on the right and a sentence below. ``anew`` replaces the current title in an htmx swap."""
    top = h.div(h.h1(title), h.div(*beside, class_="beside"), class_="row")
    below = h.p(lead, class_="lead") if lead else None
    return h.div(top, below, class_="heading", id="heading", hx_swap_oob="true" if anew else None)


def notice(*content: Node, tone: str = "plain") -> Markup:
    """Render a message about what was done or is to be done."""
    return h.div(*content, class_=f"notice {tone}", role="status")


def fault_of(message: str, hint: str | None = None, details: Iterable[Mapping[str, Any]] = ()) -> Markup:
    """Render an error: what is wrong, where, what to do next. Details carry their pointer, so that the form shows them at its fields.

    A message that begins with a word gets a capital letter; one that begins with a quoted name, a number or an identifier stays as it is.
    """
    rows = [
        h.li(h.code(item["path"] or "/", class_="pointer"), " ", item["message"], data_pointer=item["path"], data_message=item["message"])
        for item in details
    ]
    advice = h.p("What to do: ", worded(hint, "console"), class_="hint-next") if hint else None
    return h.div(
        h.p(_sentence(message), class_="message"), h.ul(rows, class_="faults") if rows else None, advice, class_="notice bad", role="alert"
    )


def _sentence(message: str) -> str:
    word = message.partition(" ")[0]
    return message[0].upper() + message[1:] if _WORD.fullmatch(word) and word != "jackfield" else message


def at(moment: float | None, now: float, *, whole: bool = False) -> Markup:
    """Show a time relative to now, with the absolute time as its title; ``whole`` shows both.

    The time is in UTC until the page's script converts it to the reader's time zone, as in charts and their tables.
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
    """Show day and time in UTC; the page's script converts them to the reader's time zone."""
    when = datetime.fromtimestamp(moment, UTC)
    return h.time(f"{when.day} {when:%b, %H:%M}", datetime=when.isoformat(timespec="seconds"), data_local="both")


def ago(moment: float, now: float) -> str:
    """Format the time between two moments in one unit: "5 min ago", "in 3 days"."""
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
    """Format a duration in a suitable unit."""
    if seconds is None:
        return "no data"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < _MINUTE else f"{seconds / _MINUTE:.1f} min"


def terms(pairs: Iterable[tuple[str, Node]]) -> Markup:
    """Render names and values as a list; omit None."""
    return h.dl([h.div(h.dt(name), h.dd(value)) for name, value in pairs if value is not None], class_="terms")


def rows_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Node]], *, empty: Node = "Nothing yet.") -> Markup:
    """Render a table that turns into cards on narrow screens: each cell carries its column's name, the first one heads its row."""
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
    """Format a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def code_block(text: str, label: str, *, short: bool = False) -> Markup:
    """Render verbatim text with a copy button; ``short`` is for a single line."""
    copy = h.button("Copy", type="button", class_="quiet copy", aria_label=f"Copy: {label}")
    return h.div(copy, h.pre(h.code(text), tabindex="0", role="region", aria_label=label), class_="code short" if short else "code")


def tabs(name: str, panels: Sequence[tuple[str, Node]]) -> Markup:
    """Render tabs, one panel visible at a time; without scripts, all of them."""
    buttons = [
        h.button(
            title, type="button", role="tab", id=f"{name}-tab-{place}", aria_controls=f"{name}-panel-{place}",
            aria_selected="true" if place == 0 else "false", tabindex="0" if place == 0 else "-1",
        )
        for place, (title, _) in enumerate(panels)
    ]  # fmt: skip
    bodies = [
        h.div(content, role="tabpanel", id=f"{name}-panel-{place}", aria_labelledby=f"{name}-tab-{place}")
        for place, (_, content) in enumerate(panels)
    ]
    return h.div(h.div(buttons, role="tablist", aria_label=name.replace("-", " ")), bodies, class_="tabs", id=f"{name}-tabs")


def csrf_field(token: str) -> Markup:
    """Render the hidden CSRF field that every form with side effects needs."""
    return h.input(type="hidden", name="csrf", value=token)


def field(name: str, label: str, control: Node, hint: Node = None) -> Markup:
    """Render a labelled control, which must have the id ``name`` and, with a hint, be described by ``name-hint``."""
    below = h.p(hint, class_="hint", id=f"{name}-hint") if hint is not None else None
    return h.div(h.label(label, for_=name), below, control, class_="field")


def option_list(choices: Iterable[tuple[str, str]], chosen: str) -> list[Markup]:
    """Render the options of a select."""
    return [h.option(text, value=value, selected=value == chosen) for value, text in choices]


def live(address: str, seconds: int, identifier: str, *content: Node) -> Markup:
    """Render a part of a page that polls for updates; the focused element keeps the focus."""
    return h.div(*content, id=identifier, hx_get=address, hx_trigger=f"every {seconds}s", hx_swap="innerMorph", hx_target="this")


def more(address: str | None, text: str = "Older") -> Markup | None:
    """Render the link to the next page of a list."""
    return h.p(h.a(text, href=address, class_="button"), class_="more") if address else None
