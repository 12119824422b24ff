"""The tries of an invocation on one line of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.surfaces.console.markup import Markup, h
from jackfield.surfaces.console.pieces import badge, rows_table, span_text

if TYPE_CHECKING:
    from jackfield.journal import Entry

__all__ = ["timeline"]

_WIDTH, _ROW, _PAD = 600, 26, 4
_LEAST = 3.0
"""Units of width below which a bar could not be seen."""


def timeline(entry: Entry) -> Markup:
    """A bar for each try, and the same as a table. Waiting between tries is what lies between the bars."""
    tries = [(number, item, _moments(entry, item)) for number, item in enumerate(entry.attempt_log, start=1)]
    if not tries:
        return h.p(_none(entry), class_="empty")
    end = max([moments[1] for _, _, moments in tries] + [entry.settled_at or 0.0])
    span = max(end - entry.created_at, 0.001)
    bars = [_bar(number, str(item.get("outcome", "")), moments, entry.created_at, span) for number, item, moments in tries]
    height = len(bars) * _ROW + _PAD
    title = f"{len(bars)} {'try' if len(bars) == 1 else 'tries'} in {span_text(span)}"
    picture = h.svg(h.title(title), bars, viewBox=f"0 0 {_WIDTH} {height}", class_="timeline", role="img", aria_label=title)
    rows = [
        (
            f"{number}.", badge(_word(str(item.get("outcome", "")))), f"after {span_text(moments[0] - entry.created_at)}",
            span_text(moments[1] - moments[0]), h.code(item["requestId"]) if item.get("requestId") else "none",
        )
        for number, item, moments in tries
    ]  # fmt: skip
    return h.div(h.div(picture, class_="picture"), rows_table("Tries", ("Try", "Outcome", "Began", "Took", "Request id"), rows))


def _none(entry: Entry) -> str:
    if entry.attempts:
        return "Only their number was kept."
    return "Nothing was sent yet." if entry.is_open else "Nothing was sent."


def _word(outcome: str) -> str:
    return outcome or "running"


def _moments(entry: Entry, item: Mapping[str, Any]) -> tuple[float, float]:
    begin = float(item.get("startedAt") or entry.started_at or entry.created_at)
    return begin, max(begin, float(item.get("endedAt") or begin))


def _bar(number: int, outcome: str, moments: tuple[float, float], zero: float, span: float) -> Markup:
    left = min(max((moments[0] - zero) / span, 0.0), 1.0) * (_WIDTH - 30) + 28
    width = max((moments[1] - moments[0]) / span * (_WIDTH - 30), _LEAST)
    top = (number - 1) * _ROW + _PAD
    tone = "good" if outcome == "succeeded" else "warn" if outcome == "in_doubt" else "bad"
    rest = min(width, _WIDTH - left)
    return h.g(
        h.text(f"{number}.", x=0, y=top + 15, class_="label"),
        h.rect(x=28, y=top + 9, width=_WIDTH - 28, height=2, class_="rail"),
        h.rect(x=f"{left:.1f}", y=top, width=f"{rest:.1f}", height=_ROW - 8, rx=3, class_=f"bar {tone}"),
    )
