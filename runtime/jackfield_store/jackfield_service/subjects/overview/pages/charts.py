"""Server-rendered SVG charts. Colours come from the style sheet; each chart has the same data as a
table next to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import h, span_text
from jackfield_service.subjects.overview.pages.statistics import Bucket, ConnectorFigures

_WIDTH = 640
_BROAD = 1160
_LEFT, _TOP, _PLOT, _FOOT = 48, 22, 170, 42
_ROW, _NAME, _SPANS = 34, 200, 200
_STACK = (
    ("succeeded", "good"),
    ("failed", "bad"),
    ("in_doubt", "warn"),
    ("cancelled", "idle"),
    ("running", "busy"),
    ("queued", "busy"),
)
_LABEL = 200
"""Width for the last two time labels, in SVG units, in the font of a phone."""
_MOST_ROWS = 12
_DAY = 86_400.0


def rate_chart(buckets: Sequence[Bucket]) -> Markup:
    """Draw the number of invocations in each bucket, stacked by status."""
    top = _round_up(max((sum(bucket.counts.values()) for bucket in buckets), default=0))
    wide = (_BROAD - _LEFT) / max(len(buckets), 1)
    bars = [_stack(bucket, _LEFT + place * wide, wide, top) for place, bucket in enumerate(buckets)]
    total = sum(sum(bucket.counts.values()) for bucket in buckets)
    drawn: list[Node] = [_lines(top), bars, _times(buckets, wide)]
    return _picture(
        _TOP + _PLOT + _FOOT, f"{total} invocations over time", drawn, _BROAD, "chart broad"
    )


def latency_chart(rows: Sequence[ConnectorFigures]) -> Markup:
    """Draw p50 and p95 of each connector."""
    shown = [row for row in rows if row.p95 is not None][:_MOST_ROWS]
    longest = max((row.p95 or 0.0 for row in shown), default=0.0) or 1.0
    drawn: list[Node] = []
    for place, row in enumerate(shown):
        y = place * _ROW + 4
        drawn.append(_name(row.connector, y))
        for value, tone, below in ((row.p95, "soft", 0), (row.p50, "accent", 8)):
            width = max((value or 0.0) / longest * (_WIDTH - _NAME - _SPANS), 2.0)
            drawn.append(
                h.rect(
                    x=_NAME,
                    y=y + below // 2 + 2,
                    width=f"{width:.1f}",
                    height=20 - below,
                    rx=3,
                    class_=f"bar {tone}",
                )
            )
        end = _NAME + (row.p95 or 0.0) / longest * (_WIDTH - _NAME - _SPANS) + 8
        drawn.append(
            h.text(
                f"{span_text(row.p50)} · {span_text(row.p95)}",
                x=f"{end:.1f}",
                y=y + 16,
                class_="label",
            )
        )
    return _picture(len(shown) * _ROW + 4, "Latency by connector", drawn)


def failure_chart(rows: Sequence[ConnectorFigures]) -> Markup:
    """Draw the share of each connector's invocations that failed or are in doubt."""
    shown = rows[:_MOST_ROWS]
    drawn: list[Node] = []
    for place, row in enumerate(shown):
        y, room = place * _ROW + 4, _WIDTH - _NAME - 120
        failed, doubt = row.failed / row.count * room, row.in_doubt / row.count * room
        drawn.append(_name(row.connector, y))
        drawn.append(h.rect(x=_NAME, y=y + 2, width=room, height=20, rx=3, class_="bar rail"))
        drawn.append(
            h.rect(x=_NAME, y=y + 2, width=f"{failed:.1f}", height=20, class_="bar bad")
            if row.failed
            else None
        )
        drawn.append(
            h.rect(
                x=f"{_NAME + failed:.1f}",
                y=y + 2,
                width=f"{doubt:.1f}",
                height=20,
                class_="bar warn",
            )
            if row.in_doubt
            else None
        )
        text = f"{row.failed + row.in_doubt} of {row.count}"
        drawn.append(h.text(text, x=_NAME + room + 8, y=y + 16, class_="label"))
    return _picture(len(shown) * _ROW + 4, "Failures by connector", drawn)


def _picture(
    height: int, title: str, drawn: Node, width: int = _WIDTH, kind: str = "chart"
) -> Markup:
    return h.svg(
        h.title(title),
        drawn,
        viewBox=f"0 0 {width} {height}",
        class_=kind,
        role="img",
        aria_label=title,
    )


def _stack(bucket: Bucket, x: float, wide: float, top: int) -> list[Markup]:
    drawn, base = [], float(_TOP + _PLOT)
    for status, tone in _STACK:
        count = bucket.counts.get(status, 0)
        if count:
            height = count / top * _PLOT
            base -= height
            label = h.title(f"{_clock(bucket.begin)}: {count} {status.replace('_', ' ')}")
            drawn.append(
                h.rect(
                    label,
                    x=f"{x + wide * 0.1:.1f}",
                    y=f"{base:.1f}",
                    width=f"{wide * 0.8:.1f}",
                    height=f"{height:.1f}",
                    class_=f"bar {tone}",
                )
            )
    return drawn


def _lines(top: int) -> list[Markup]:
    drawn = []
    for share in (0.0, 0.5, 1.0):
        y = _TOP + _PLOT * (1 - share)
        drawn.append(h.line(x1=_LEFT, x2=_BROAD, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid"))
        value = top * share
        if value == int(value):
            drawn.append(
                h.text(f"{int(value):,}", x=_LEFT - 6, y=f"{y + 4:.1f}", class_="label end")
            )
    return drawn


def _times(buckets: Sequence[Bucket], wide: float) -> list[Markup]:
    """Label the start of every few buckets and the end of the last. Labels are dates if the span
    exceeds two days.
    """
    if not buckets:
        return []
    days = buckets[-1].end - buckets[0].begin > 2 * _DAY
    step = max(1, math.ceil(len(buckets) / 4))
    begins = [
        _time(bucket.begin, _LEFT + place * wide, "label", days=days)
        for place, bucket in enumerate(buckets)
        if place % step == 0 and _LEFT + place * wide < _BROAD - _LABEL
    ]
    return [*begins, _time(buckets[-1].end, _BROAD, "label end", days=days)]


def _time(moment: float, x: float, kind: str, *, days: bool) -> Markup:
    """Write a time in UTC; the page's script converts it to the reader's time zone."""
    text = _day(moment) if days else _clock(moment)
    when = datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
    return h.text(
        text,
        x=f"{x:.1f}",
        y=_TOP + _PLOT + 34,
        class_=kind,
        data_at=when,
        data_local="day" if days else "clock",
    )


def _name(text: str, y: int) -> Markup:
    short = text if len(text) <= 20 else f"{text[:19]}…"
    return h.text(short, h.title(text), x=0, y=y + 16, class_="label name")


def _clock(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M}"


def _day(moment: float) -> str:
    when = datetime.fromtimestamp(moment, UTC)
    return f"{when.day} {when:%b}"


def _round_up(value: int) -> int:
    """Round up to 1, 2, 3, 4, 6 or 8 times a power of ten."""
    if value <= 1:
        return max(value, 1)
    power = int(10 ** math.floor(math.log10(value)))
    return next(step * power for step in (1, 2, 3, 4, 6, 8, 10) if step * power >= value)
