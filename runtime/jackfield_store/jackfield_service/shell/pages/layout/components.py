"""Building blocks of pages: headings, badges, cards, notices, forms and their fields, filters,
tabs, code to copy.

Tables and lists of facts are ``jackfield.kernel.markup``'s, which the pages of catalogues use, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from jackfield.kernel import markup
from jackfield.kernel.clock import iso
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.hidden import visible
from jackfield.kernel.hints import worded
from jackfield.kernel.markup import Attribute, Markup, Node, Tags
from jackfield.kernel.stored_values import problem_of_times
from jackfield_service.shell.pages.layout.assets import asset
from jackfield_service.shell.pages.layout.drawn import drawn_from
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.requests.prefix import below_prefix

h = Tags(below_prefix)
"""Tags whose links also work below a path of another host."""

_TONES = {
    "succeeded": "good",
    "connected": "good",
    "delivered": "good",
    "ok": "good",
    "active": "good",
    "passed": "good",
    "allowed": "good",
    "error": "bad",
    "failed": "bad",
    "failing": "bad",
    "expired": "bad",
    "broken": "bad",
    "refused": "bad",
    "dead": "bad",
    "must be reconnected": "bad",
    "not connected": "warn",
    "in_doubt": "warn",
    "warning": "warn",
    "paused": "warn",
    "suspended": "warn",
    "revoked": "warn",
    "write": "warn",
    "granted": "good",
    "damaged": "bad",
    "opened": "busy",
    "testing": "busy",
    "saved": "busy",
    "running": "busy",
    "queued": "busy",
    "waiting": "warn",
    "approved": "good",
    "declined": "bad",
    "pending": "busy",
    "disabling": "busy",
    "degraded": "warn",
}
_WORDS = {
    "granted": "connected",
    "saved": "to be confirmed",
    "in_doubt": "in doubt",
    "ok": "working",
    "untested": "not tested",
    "dead": "dead letter",
    "disabling": "pausing",
}
_WORD = re.compile("[a-z]+")
FILTERS = "filters"
"""ID of the form of a list's filters."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SHORT_CODE = 80
"""Maximum number of characters of a short line of code on a page."""
_BELOW_TITLE = 2
_BELOW_FIELD = 4
_SHOWN_AT_ONCE = 280
"""Number of characters of a description that are visible without a click."""
_SENTENCE = re.compile(r"([.:!?])(?=\s|\Z)")
_ITEM = re.compile(r"^-\n\n", re.MULTILINE)
"""Regular expression of a list item in service models, whose content is a separate paragraph."""


def badge(word: str, text: str | None = None) -> Markup:
    """Render a state as one word, or as ``text``; the colour repeats the word's meaning."""
    return h.span(text or _WORDS.get(word, word), class_=f"badge {_TONES.get(word, 'plain')}")


def glyph(name: str) -> Markup:
    """Render a small picture of ``icons.svg``, in the colour of the adjacent text, which has the
    same meaning.
    """
    return h.svg(h.use(href=f"{asset('icons.svg')}#{name}"), class_="glyph", aria_hidden="true")


def heading(title: Node, *beside: Node, lead: Node = None, anew: bool = False) -> Markup:
    """Render the title of a page, with ``beside`` on the right and a sentence below. ``anew``
    replaces the current title in an htmx swap.
    """
    top = h.div(h.h1(title), h.div(*beside, class_="beside"), class_="row")
    below = h.p(lead, class_="lead") if lead else None
    return h.div(top, below, class_="heading", id="heading", hx_swap_oob="true" if anew else None)


def notice(*content: Node, tone: str = "plain") -> Markup:
    """Render a message about a finished or required step."""
    return h.div(*content, class_=f"notice {tone}", role="status")


def fault_of(
    message: str, hint: str | None = None, details: Iterable[Mapping[str, Any]] = ()
) -> Markup:
    """Render an error: its message, place and hint. Details carry their pointer, so that the form
    shows them at its fields.

    A message that begins with a word gets a capital letter; a quoted name, number or identifier at
    its beginning is unchanged.
    """
    rows = [
        h.li(
            h.code(item["path"] or "/", class_="pointer"),
            " ",
            item["message"],
            data_pointer=item["path"],
            data_message=item["message"],
        )
        for item in details
    ]
    advice = h.p("What to do: ", worded(hint, "console"), class_="hint-next") if hint else None
    return h.div(
        h.p(_sentence(message), class_="message"),
        h.ul(rows, class_="faults") if rows else None,
        advice,
        class_="notice bad",
        role="alert",
    )


def fault(error: JackfieldError) -> Markup:
    """Render an error with its details."""
    return fault_of(error.message, error.hint, [item.to_json() for item in error.details])


def done_notice(request: PageRequest, texts: Mapping[str, str], *warnings: str) -> Markup | None:
    """Render the outcome of the previous request; ``?done=`` only selects one of ``texts``, so a
    link cannot inject text. None without such an outcome.
    """
    done = request.query.get("done", "")
    return (
        notice(texts[done], tone="warn" if done in warnings else "good") if done in texts else None
    )


def problem_notice(found: Mapping[str, Any]) -> Markup | None:
    """Render the fault of a displayed object's row; None if it has none."""
    return (
        notice(f"Something is wrong: {found['problem']}.", tone="bad")
        if "problem" in found
        else None
    )


def _sentence(message: str) -> str:
    word = message.partition(" ")[0]
    return (
        message[0].upper() + message[1:]
        if _WORD.fullmatch(word) and word != "jackfield"
        else message
    )


def at(moment: float | str | None, now: float, *, whole: bool = False) -> Markup:
    """Render a time, given in seconds since 1970 or in ISO 8601, relative to now, with the absolute
    time as its title; ``whole`` shows both.

    The time is in UTC until the page's script converts it to the reader's time zone, as in charts
    and their tables.
    """
    if moment is None:
        return h.span("never", class_="muted")
    when = datetime.fromisoformat(moment if isinstance(moment, str) else str(iso(moment)))
    if problem_of_times(when.timestamp()):
        return badge("damaged")
    span = ago(when.timestamp(), now)
    shown = f"{when.day} {when:%b %Y, %H:%M:%S} UTC"
    stamp = when.isoformat(timespec="milliseconds")
    if whole:
        return h.time(f"{shown} ({span})", datetime=stamp, data_moment="text", data_ago=span)
    return h.time(span, datetime=stamp, title=shown, data_moment="title")


def local_time(moment: float) -> Markup:
    """Render day and time in UTC; the page's script converts them to the reader's time zone."""
    when = datetime.fromisoformat(str(iso(moment)))
    return h.time(
        f"{when.day} {when:%b, %H:%M}",
        datetime=when.isoformat(timespec="seconds"),
        data_local="both",
    )


def ago(moment: float, now: float) -> str:
    """Format the time between two moments in one unit: "5 min ago", "in 3 days". Past times are
    rounded down, future times to the nearest.
    """
    seconds = abs(now - moment)
    whole = int if moment <= now else round  # what ends in 90 days does not say 89 a second later
    if seconds < 1:
        return "just now" if moment <= now else "now"
    if seconds < _MINUTE:
        text = f"{whole(seconds)} s"
    elif seconds < _HOUR:
        text = f"{whole(seconds / _MINUTE)} min"
    elif seconds < 2 * _DAY:
        text = f"{whole(seconds / _HOUR)} h"
    else:
        text = f"{whole(seconds / _DAY)} days"
    return f"{text} ago" if moment <= now else f"in {text}"


def span_text(seconds: float | None) -> str:
    """Format a duration in a suitable unit."""
    if seconds is None:
        return "no data"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < _MINUTE else f"{seconds / _MINUTE:.1f} min"


def json_text(value: Any) -> str:
    """Format a value as indented JSON with hidden characters as escapes; parsing it gives an equal
    value.
    """
    return visible(json.dumps(value, indent=2, ensure_ascii=False))


def picture(given: object, longest: int = 20_000) -> Markup | None:
    """Render the icon of a manifest; None if it is missing, longer than ``longest`` characters, or
    on another host.
    """
    if not isinstance(given, str) or not given.startswith("data:image/") or len(given) > longest:
        return None
    return h.img(src=given, alt="", class_="icon", width=32, height=32)


_NO_FIELDS = (
    "The fields are drawn by a script, which has not run: allow scripts on this page, and "
    "load it again."
)


def schema_editor(
    form: str, schema: Mapping[str, Any], value: Any, connector: str, **about: Any
) -> Markup:
    """Render the element in which scripts draw the fields of a form's schema, for a ``value``, with
    the options of a ``connector``. Without scripts it says that the fields are missing.
    """
    return h.div(
        h.p(_NO_FIELDS, class_="notice warn undrawn"),
        class_="editor",
        role="group",
        data_form=form,
        data_schema=json.dumps(schema),
        data_value=json.dumps(value),
        data_options=f"/connectors/{connector}/options/",
        **about,
    )


def code_block(text: str, label: str) -> Markup:
    """Render verbatim text with a copy button. A long line wraps; a short one has a narrower
    box.
    """
    kind = "lines" if "\n" in text else "short" if len(text) <= _SHORT_CODE else "long-line"
    copy = h.button("Copy", type="button", class_="quiet copy", aria_label=f"Copy: {label}")
    return h.div(
        copy,
        h.pre(h.code(text), tabindex="0", role="region", aria_label=label),
        class_=f"code {kind}",
    )


def tabs(name: str, panels: Sequence[tuple[str, Node]]) -> Markup:
    """Render tabs, one panel visible at a time; without scripts, all panels."""
    buttons = [
        h.button(
            title,
            type="button",
            role="tab",
            id=f"{name}-tab-{place}",
            aria_controls=f"{name}-panel-{place}",
            aria_selected="true" if place == 0 else "false",
            tabindex="0" if place == 0 else "-1",
        )
        for place, (title, _) in enumerate(panels)
    ]
    bodies = [
        h.div(
            content,
            role="tabpanel",
            id=f"{name}-panel-{place}",
            aria_labelledby=f"{name}-tab-{place}",
        )
        for place, (_, content) in enumerate(panels)
    ]
    return h.div(
        h.div(buttons, role="tablist", aria_label=name.replace("-", " ")),
        bodies,
        class_="tabs",
        id=f"{name}-tabs",
    )


def card(title: Node, *content: Node, class_: str = "card", **attributes: Attribute) -> Markup:
    """Render a section of a page."""
    return h.section(h.h2(title), *content, class_=class_, **attributes)


def folded(title: str, *content: Node, **attributes: Attribute) -> Markup:
    """Render a section that shows its content on request."""
    return h.details(h.summary(h.h2(title)), *content, class_="card", **attributes)


def guide(text: str) -> Markup:
    """Render a connector's Markdown document, with its headings below the page's."""
    return h.div(markup.document(text, _BELOW_TITLE, new_window=True), class_="prose")


def line(text: str) -> Markup:
    """Render a connector's inline Markdown, such as the description of a field."""
    return markup.line(text, new_window=True)


def parted(text: str) -> tuple[Markup, Markup | None]:
    """Render the beginning of a description, and its rest, which is opened by a click, since
    descriptions of APIs have up to 3,000 words. The rest is None for a short description.

    A description is divided at the end of a sentence, outside of code and links.
    """
    if len(text) <= _SHOWN_AT_ONCE:
        return line(text), None
    first, _, others = text.strip().partition("\n\n")
    ends = [found.end(1) for found in _SENTENCE.finditer(first) if _is_whole(first[: found.end(1)])]
    end = max((end for end in ends if end <= _SHOWN_AT_ONCE), default=min(ends, default=len(first)))
    rest = f"{first[end:].strip()}\n\n{others}".strip()
    return line(first[:end]), markup.document(
        _ITEM.sub("- ", rest), _BELOW_FIELD, new_window=True
    ) if rest else None


def _is_whole(text: str) -> bool:
    return (
        text.count("`") % 2 == 0
        and text.count("[") == text.count("]")
        and text.count("(") == text.count(")")
    )


def summary(text: str) -> Markup:
    """Render the first paragraph of a connector's description."""
    return line(text.strip().partition("\n\n")[0].replace("\n", " "))


def outside(address: object, text: str | None = None) -> Markup | None:
    """Render a link to another site, by default with its address as title; None unless it is a web
    address.
    """
    if not isinstance(address, str) or not address.startswith(("https://", "http://")):
        return None
    return h.a(text or address, href=address, rel="noreferrer noopener", target="_blank")


def csrf_field(token: str) -> Markup:
    """Render the hidden CSRF field that every form with side effects needs."""
    return h.input(type="hidden", name="csrf", value=token)


def form(
    request: PageRequest,
    address: str,
    *content: Node,
    into: str | None = None,
    swap: str = "innerHTML",
    state: Any = None,
    **attributes: Attribute,
) -> Markup:
    """Render a form with side effects. ``into`` selects the element that displays its answer
    without reloading the page. ``state`` is the displayed state that the form decides on
    (``drawn.decides``).
    """
    partly: dict[str, Attribute] = (
        {"hx_post": address, "hx_target": into, "hx_swap": swap} if into else {}
    )
    token = request.csrf if state is None else drawn_from(request.csrf, state)
    return h.form(
        csrf_field(token), *content, method="post", action=address, **partly, **attributes
    )


def steps(
    request: PageRequest,
    address: str,
    offered: Iterable[tuple[str, str]],
    *more: Node,
    state: Any = None,
) -> Markup:
    """Render a button for each step at ``address``, by its path and its title, and ``more`` next to
    them.
    """
    buttons = [
        form(request, f"{address}/{step}", h.button(title, class_="quiet"), state=state)
        for step, title in offered
    ]
    return h.div(buttons, *more, class_="actions")


def final(
    request: PageRequest,
    address: str,
    title: str,
    told: Node,
    *content: Node,
    of: str = "",
    state: Any = None,
) -> Markup:
    """Render an irreversible step: a first press shows the consequences ``told``, the button below
    performs the step. ``of`` names the object, for screen readers that read out a list of equal
    buttons.
    """
    name = f"{title} {of}" if of else None
    sure = form(
        request, address, *content, h.button(title, class_="danger", aria_label=name), state=state
    )
    return h.details(
        h.summary(f"{title}…", aria_label=f"{name}…" if name else None),
        h.div(h.p(told), sure, class_="asked"),
        class_="final",
    )


def bar(*buttons: Node, counts: bool = True) -> Markup:
    """Render the buttons of a long form, which stay visible. With ``counts``, the page's script
    counts the changed fields next to the buttons, and marks these fields.
    """
    return h.div(
        *buttons,
        h.span(role="status", class_="muted", data_changes=True) if counts else None,
        class_="actions bar",
    )


def part(title: str, lead: Node, *fields: Node) -> Markup:
    """Render a group of a form's fields, with their subject next to them."""
    return h.div(
        h.div(h.h3(title), h.p(lead, class_="muted") if lead else None),
        h.div(*fields, class_="stack"),
        role="group",
        aria_label=title,
        class_="part",
    )


def panel(
    identifier: str, button: str, title: str, *content: Node, tone: str = "quiet"
) -> list[Node]:
    """Render a button, and the panel that it opens above the page, for a form that is seldom
    needed. It needs no script; Escape closes it.
    """
    close = h.button("Close", type="button", class_="quiet", popovertarget=identifier)
    return [
        h.button(
            button,
            type="button",
            class_=tone,
            popovertarget=identifier,
            aria_label=title if title != button else None,
        ),
        h.div(
            h.div(h.h2(title), close, class_="row"),
            *content,
            id=identifier,
            class_="card panel",
            popover=True,
            role="dialog",
            aria_label=title,
            tabindex="-1",
            autofocus=True,
        ),
    ]


def removal(request: PageRequest, address: str, noun: str, told: Node, *, state: Any) -> list[Node]:
    """Render the button in a page's title that removes the page's object, with a panel that
    explains the removal.
    """
    asked = form(
        request, address, h.p(told), h.button(f"Remove the {noun}", class_="danger"), state=state
    )
    return panel("remove", "Remove", f"Remove this {noun}", asked, tone="quiet danger")


def field(name: str, label: str, control: Node, hint: Node = None) -> Markup:
    """Render a labelled control, which must have the id ``name`` and, with a hint, be described by
    ``name-hint``.
    """
    below = h.p(hint, class_="hint", id=f"{name}-hint") if hint is not None else None
    return h.div(h.label(label, for_=name), below, control, class_="field")


def text_field(
    name: str, label: str, /, value: Attribute = None, hint: Node = None, **attributes: Attribute
) -> Markup:
    """Render a labelled field for a line of text."""
    given: dict[str, Attribute] = {
        "type": "text",
        "name": name,
        "autocomplete": "off",
        "spellcheck": "false",
        **attributes,
    }
    return field(
        name,
        label,
        h.input(id=name, value=value, aria_describedby=_described(name, hint), **given),
        hint,
    )


def lines_field(
    name: str, label: str, lines: Iterable[str], hint: Node = None, **attributes: Attribute
) -> Markup:
    """Render a labelled field for a list, one item per line."""
    area = h.textarea(
        "\n".join(lines),
        id=name,
        name=name,
        spellcheck="false",
        aria_describedby=_described(name, hint),
        **attributes,
    )
    return field(name, label, area, hint)


def choice_field(
    name: str,
    label: str,
    /,
    choices: Iterable[tuple[str, str]],
    chosen: str,
    hint: str | None = None,
    **attributes: Attribute,
) -> Markup:
    """Render a labelled field for one of several values; ``choices`` are values with their
    titles.
    """
    options = [h.option(text, value=value, selected=value == chosen) for value, text in choices]
    return field(
        name,
        label,
        h.select(
            options,
            id=name,
            aria_describedby=_described(name, hint),
            **{"name": name, **attributes},
        ),
        hint,
    )


def check_field(
    name: str,
    label: str,
    on: bool,
    hint: str | None = None,
    *,
    changes: bool = True,
    asks: bool = False,
) -> Markup:
    """Render a checkbox with its label; without ``changes`` it is disabled. With ``asks`` the
    browser asks for a confirmation.
    """
    given: dict[str, Attribute] = {"checked": on, "disabled": not changes, "data_asks": asks}
    box = h.input(
        type="checkbox", id=name, name=name, aria_describedby=_described(name, hint), **given
    )
    return h.div(
        h.label(box, " ", label, for_=name),
        h.p(hint, class_="hint", id=f"{name}-hint") if hint else None,
        class_="field check",
    )


def _described(name: str, hint: Node) -> str | None:
    return f"{name}-hint" if hint is not None else None


def filters(
    address: str, *fields: Node, further: Node = None, live: bool = True, asks: str | None = None
) -> Markup:
    """Render the filters of a list, with ``further`` fields below. A live list updates while they
    change. ``asks`` names a parameter that only the button or Enter sends, for a search too costly
    while typing.
    """
    partly = (
        {**_attributes(address, "input delay:250ms, submit"), "hx_replace_url": "true"}
        if live
        else {}
    )
    return h.form(
        fields,
        h.button("Filter", name=asks, value="1" if asks else None),
        further,
        action=address,
        class_="filters",
        id=FILTERS,
        **partly,
    )


def search(address: str, label: str, words: str, *content: Node, live: bool = False) -> Markup:
    """Render a search box. A live list updates while the visitor types."""
    partly = _attributes(address, "input changed delay:200ms, search") if live else {}
    box = h.input(
        type="search",
        id="q",
        name="q",
        value=words,
        placeholder=label,
        autocomplete="off",
        **partly,
    )
    hidden = h.label(label, for_="q", class_="unseen")
    return h.form(
        hidden, box, *content, h.button("Search"), role="search", action=address, class_="searching"
    )


def offering(address: str, label: str, button: str) -> Markup:
    """Render the search that begins a new object: results appear below it and lead to the object's
    form. ``address`` is the page of this search without scripts. The button without words lists
    everything.
    """
    box = h.input(
        type="search", id="offered-words", name="q", placeholder=label, autocomplete="off"
    )
    asked = h.form(
        h.label(label, for_="offered-words", class_="unseen"),
        box,
        h.button(button, class_="primary"),
        role="search",
        aria_label=button,
        action=address,
        class_="searching",
        **_attributes(address, "input delay:250ms, submit", "#offered"),
    )
    return h.div(asked, h.div(id="offered", aria_live="polite"), class_="stack")


def _attributes(address: str, trigger: str, target: str = "#found") -> dict[str, Attribute]:
    return {
        "hx_get": address,
        "hx_trigger": trigger,
        "hx_target": target,
        "hx_sync": "this:replace",
    }


def choices(label: str, links: Iterable[tuple[str, str, bool]]) -> Markup:
    """Render links with one current link, each by title, address, and whether it is current."""
    return h.nav(
        [
            h.a(title, href=address, class_="choice", aria_current="true" if is_current else None)
            for title, address, is_current in links
        ],
        class_="choices",
        aria_label=label,
    )


def live(address: str, seconds: int, identifier: str, *content: Node) -> Markup:
    """Render a part of a page that is refreshed every ``seconds`` while it is visible; the focused
    element keeps the focus.

    The page's script requests the refresh, but not while the page is hidden. An answer with
    ``paced`` changes the interval.
    """
    return h.div(
        *content,
        id=identifier,
        hx_get=address,
        hx_trigger="refresh",
        hx_swap="innerMorph",
        hx_target="this",
        data_live=str(seconds),
    )


def paced(seconds: int | None) -> Markup:
    """Render the seconds until the next refresh of the surrounding live part; None ends its
    refreshes.
    """
    return h.span(hidden=True, data_live_next="never" if seconds is None else str(seconds))


def more(address: str, text: str = "Older", /, **query: str | int | None) -> Markup | None:
    """Render the link to the next page of a list; None if the cursor, the last item of the query,
    is None.
    """
    if next(reversed(query.values())) is None:
        return None
    kept = {name: value for name, value in query.items() if value is not None}
    return h.p(h.a(text, href=f"{address}?{urlencode(kept)}", class_="button"), class_="more")
