"""The overview: how much is going on, how well it goes, and what needs somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.surfaces.console.charts import failure_chart, latency_chart, rate_chart
from jackfield.surfaces.console.figures import SPANS, Figures, Span, figures
from jackfield.surfaces.console.invocations import entries_table
from jackfield.surfaces.console.markup import Markup, Node, h
from jackfield.surfaces.console.pieces import heading, live, rows_table, span_text
from jackfield.surfaces.console.shell import fragment, page

if TYPE_CHECKING:
    from starlette.responses import Response

    from jackfield.surfaces.console.visit import Visit

__all__ = ["shown"]

_MOST = 20_000
_EVERY = 10
_CONNECTIONS = 1000
_RECENT = 6


def shown(visit: Visit) -> Response:
    """``GET /``: ``?span=`` is one of 1h, 24h, 7d."""
    visit.require("read")
    span = next((one for one in SPANS if one.key == visit.query.get("span")), SPANS[1])
    content = _content(visit, span)
    if visit.partial:
        return fragment(content)
    choices = [
        h.a(one.title, href=f"/?span={one.key}", aria_current="true" if one is span else None, class_="choice") for one in SPANS
    ]  # fmt: skip
    title = heading("Overview", h.nav(choices, aria_label="Span", class_="choices"))
    return page(visit, "overview", "Overview", title, live(f"/?span={span.key}&live=1", _EVERY, "live", content))


def _content(visit: Visit, span: Span) -> list[Node]:
    found = visit.journal.samples(visit.now - span.seconds, _MOST)
    numbers = figures(found, span, visit.now)
    limited = f"Of the newest {_MOST:,} invocations." if len(found) == _MOST else None
    return [
        _tiles(visit, numbers),
        h.p(limited, class_="muted") if limited else None,
        h.div(
            _card("Rate", rate_chart(numbers.buckets), _legend(), wide=True) if numbers.total else _nothing(),
            _card("Latency by connector", latency_chart(numbers.rows), _key("Half of them · 95 of 100, at most")) if numbers.rows else None,
            _card("Failures by connector", failure_chart(numbers.rows), _key("Failed, and in doubt, of all")) if numbers.rows else None,
            class_="charts",
        ),
        _table(numbers) if numbers.rows else None,
        _recent(visit),
    ]


def _tiles(visit: Visit, numbers: Figures) -> Markup:
    counts = visit.journal.open_counts()
    rows = visit.connections.list(limit=_CONNECTIONS).items
    failing = sum(row.get("status") in ("failing", "expired") for row in rows)
    share = f"{numbers.succeeded / numbers.settled:.1%}" if numbers.settled else "none"
    return h.ul(
        _tile("Invocations", f"{numbers.total:,}", None, "/invocations"),
        _tile("Succeeded", share, None, "/invocations?status=succeeded"),
        _tile("Latency", span_text(numbers.p50), f"95 of 100 within {span_text(numbers.p95)}" if numbers.p95 is not None else None, None),
        _tile("Queued now", f"{counts['queued']:,}", f"{counts['running']:,} running", "/invocations?status=queued"),
        _tile("In doubt", f"{counts['in_doubt']:,}", "to be settled" if counts["in_doubt"] else None, "/invocations?status=in_doubt", alarm=bool(counts["in_doubt"])),
        _tile("Failing connections", f"{failing:,}", f"of {len(rows):,}", "/connections?status=failing", alarm=bool(failing)),
        class_="tiles",
    )  # fmt: skip


def _tile(title: str, value: str, below: str | None, address: str | None, *, alarm: bool = False) -> Markup:
    name: Node = h.a(title, href=address, class_="whole") if address else title
    return h.li(
        h.p(name, class_="name"), h.p(value, class_="number"), h.p(below or "", class_="below"), class_="tile alarm" if alarm else "tile"
    )


def _card(title: str, chart: Markup, below: Node, *, wide: bool = False) -> Markup:
    return h.section(h.h2(title), h.figure(h.div(chart, class_="picture"), h.figcaption(below)), class_="card wide" if wide else "card")


def _nothing() -> Markup:
    return h.section(
        h.h2("Nothing was invoked in this time"), h.p("Choose ", h.a("an action", href="/connectors"), " and run it."), class_="card wide"
    )  # fmt: skip


def _legend() -> Markup:
    marks = (("good", "succeeded"), ("bad", "failed"), ("warn", "in doubt"), ("busy", "open"))
    return h.ul([h.li(h.span(class_=f"mark {tone}", aria_hidden="true"), text) for tone, text in marks], class_="legend")


def _key(text: str) -> Markup:
    return h.p(text, class_="muted")


def _table(numbers: Figures) -> Markup:
    rows = [
        (
            h.a(row.connector, href=f"/invocations?connector={row.connector}"),
            f"{row.count:,}",
            f"{row.failed:,}",
            f"{row.in_doubt:,}",
            span_text(row.p50),
            span_text(row.p95),
            [[h.code(code), f" ({count}) "] for code, count in row.codes] or "none",
        )
        for row in numbers.rows
    ]
    columns = ("Connector", "Invocations", "Failed", "In doubt", "Half within", "95 of 100 within", "Errors")
    return h.section(h.h2("By connector"), rows_table("By connector", columns, rows), class_="card")


def _recent(visit: Visit) -> Markup | None:
    entries, _ = visit.journal.entries(limit=_RECENT)
    if not entries:
        return None
    table = entries_table(entries, visit.now, caption="The latest invocations", empty="")
    return h.section(h.div(h.h2("The latest"), h.a("All invocations", href="/invocations"), class_="row"), table, class_="card")
