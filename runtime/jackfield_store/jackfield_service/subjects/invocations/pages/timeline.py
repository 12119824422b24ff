"""Timeline of an invocation's attempts; for a paginated action, of its pages and their attempts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jackfield.invocation.entry import Entry
from jackfield.kernel.markup import Markup, table
from jackfield_service.shell.pages.layout.components import badge, h, span_text

_WIDTH, _ROW, _PAD, _LABEL = 600, 26, 4, 115
_OPEN = 12
"""Maximum number of requests that are expanded by default."""
_LEAST = 3.0
"""Minimum width of a bar in SVG units, so that it stays visible."""
_TONES = {"succeeded": "good", "in_doubt": "warn", "running": "busy"}


@dataclass(frozen=True, slots=True)
class _Try:
    """Logged request. ``page`` counts from 1; ``number`` counts the attempts within that page."""

    page: int
    number: int
    outcome: str
    begin: float
    end: float
    request_id: str | None

    def label(self, *, paged: bool) -> str:
        """Return the attempt's label; for a paginated action its page, with the attempt's number if
        the page was retried.
        """
        if not paged:
            return f"Attempt {self.number}"
        return (
            f"Page {self.page}" if self.number == 1 else f"Page {self.page}, attempt {self.number}"
        )


def timeline_title(entry: Entry) -> str:
    """Return the section's title, which mentions pages for a paginated action."""
    return "Pages and attempts" if _is_paged([*_tries(entry)]) else "Attempts"


def timeline(entry: Entry) -> Markup:
    """Draw a bar for each attempt if there are several, with the same data as a table. Gaps between
    the bars are back-off.
    """
    tries = [*_tries(entry)]
    if not tries:
        return h.p(_none(entry), class_="empty")
    paged = _is_paged(tries)
    end = max([item.end for item in tries] + [entry.settled_at or 0.0])
    span = max(end - entry.created_at, 0.001)
    bars = [
        _bar(place, item, item.label(paged=paged), entry.created_at, span)
        for place, item in enumerate(tries)
    ]
    title = f"{_counted(tries, paged=paged)} in {span_text(span)}"
    height = len(bars) * _ROW + _PAD
    picture = h.svg(
        h.title(title),
        bars,
        viewBox=f"0 0 {_WIDTH} {height}",
        class_="timeline",
        role="img",
        aria_label=title,
    )
    rows = [
        (
            item.label(paged=paged),
            badge(item.outcome),
            f"after {span_text(item.begin - entry.created_at)}",
            span_text(item.end - item.begin) if item.outcome != "running" else "not yet",
            h.code(item.request_id) if item.request_id else "none",
        )
        for item in tries
    ]
    first = "Page" if paged else "Attempt"
    shown = table(
        timeline_title(entry), (first, "Outcome", "Started", "Duration", "Request ID"), rows
    )
    drawn = [h.div(picture, class_="picture") if len(tries) > 1 else None, shown]
    summary = h.p(title, class_="muted")
    return h.div(summary, drawn if len(tries) <= _OPEN else h.details(h.summary("Show all"), drawn))


def _tries(entry: Entry) -> Iterator[_Try]:
    """Number the logged requests: a success ends a page, so the next request belongs to the next
    page.
    """
    page, number = 1, 0
    for item in entry.attempt_log:
        number += 1
        outcome = str(item.get("outcome") or "running")
        begin, end = _moments(entry, item)
        yield _Try(page, number, outcome, begin, end, item.get("requestId"))
        if outcome == "succeeded":
            page, number = page + 1, 0


def _is_paged(tries: list[_Try]) -> bool:
    return any(item.page > 1 for item in tries)


def _counted(tries: list[_Try], *, paged: bool) -> str:
    if not paged:
        return "1 attempt" if len(tries) == 1 else f"{len(tries)} attempts"
    repeated = sum(item.number > 1 for item in tries)
    retries = "1 retry" if repeated == 1 else f"{repeated} retries"
    return f"{tries[-1].page} pages" + (f", {retries}" if repeated else "")


def _none(entry: Entry) -> str:
    if entry.attempts:
        return "Only the number of attempts was recorded."
    if entry.status == "in_doubt" or entry.doubt is not None:
        return "A request may have been sent: the process stopped before an attempt was recorded."
    return "Nothing was sent yet." if entry.is_open else "Nothing was sent."


def _moments(entry: Entry, item: Mapping[str, Any]) -> tuple[float, float]:
    begin = float(item.get("startedAt") or entry.started_at or entry.created_at)
    return begin, max(begin, float(item.get("endedAt") or begin))


def _bar(place: int, item: _Try, label: str, zero: float, span: float) -> Markup:
    room = _WIDTH - _LABEL
    left = min(max((item.begin - zero) / span, 0.0), 1.0) * (room - 2) + _LABEL
    width = min(max((item.end - item.begin) / span * (room - 2), _LEAST), _WIDTH - left)
    top = place * _ROW + _PAD
    return h.g(
        h.text(label, x=0, y=top + 15, class_="label"),
        h.rect(x=_LABEL, y=top + 9, width=room, height=2, class_="rail"),
        h.rect(
            x=f"{left:.1f}",
            y=top,
            width=f"{width:.1f}",
            height=_ROW - 8,
            rx=3,
            class_=f"bar {_TONES.get(item.outcome, 'bad')}",
        ),
    )
