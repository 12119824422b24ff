"""Overview page: rate, latency, failures, and objects that need attention."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import Response

from jackfield.kernel.markup import Markup, Node, table
from jackfield_service.shell.pages.layout.components import (
    card,
    choices,
    h,
    heading,
    live,
    local_time,
    notice,
    span_text,
)
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import fragment, page
from jackfield_service.subjects.connectors.pages.marketplace import revoked_notices
from jackfield_service.subjects.doubts.page import open_doubts
from jackfield_service.subjects.invocations.pages.invocations import entries_table
from jackfield_service.subjects.overview.pages.attention import attention_card
from jackfield_service.subjects.overview.pages.charts import (
    failure_chart,
    latency_chart,
    rate_chart,
)
from jackfield_service.subjects.overview.pages.first_steps import first_steps
from jackfield_service.subjects.overview.pages.statistics import (
    SPANS,
    STATUSES,
    Figures,
    Span,
    counted,
    figures,
)
from jackfield_store.access import DEFAULT

_MOST = 20_000
_EVERY = 10
_RECENT = 6
_COUNTS = (
    "Invocations",
    "Succeeded",
    "Failed",
    "In doubt",
    "Cancelled",
    "In progress",
    "p50",
    "p95",
)


def shown(request: PageRequest) -> Response:
    """Serve ``GET /``; ``?span=`` is one of 1h, 24h, 7d."""
    request.require("read")
    span = next((one for one in SPANS if one.key == request.query.get("span")), SPANS[1])
    content = _content(request, span)
    if request.partial:
        return fragment(content)
    title = heading(
        "Overview",
        choices("Time range", [(one.title, f"/?span={one.key}", one is span) for one in SPANS]),
    )
    return page(
        request,
        "overview",
        "Overview",
        live(f"/?span={span.key}&live=1", _EVERY, "live", content),
        head=title,
    )


def _content(request: PageRequest, span: Span) -> list[Node]:
    numbers, limited = _figures(request, span)
    begun = bool(numbers.total or request.journal.entries(limit=1)[0])
    return [
        revoked_notices(request),
        _broken(request),
        attention_card(request),
        open_doubts(request),
        _tiles(request, numbers) if begun else None,
        h.p(limited, class_="muted") if limited else None,
        h.div(
            _figure(
                f"Invocations per {_part(span)}",
                rate_chart(numbers.buckets),
                _legend(),
                _rate_table(numbers),
                wide=True,
            )
            if numbers.total
            else _nothing(request, begun=begun),
            _figure(
                "Latency by connector",
                latency_chart(numbers.rows),
                _marks((("accent", "p50"), ("soft", "p95")), h.li("including waits")),
                _latency_table(numbers),
            )
            if numbers.rows
            else None,
            _figure(
                "Failures by connector",
                failure_chart(numbers.rows),
                _marks((("bad", "failed"), ("warn", "in doubt"))),
                _failure_table(numbers),
            )
            if numbers.rows
            else None,
            class_="charts",
        ),
        _table(numbers) if numbers.rows else None,
        _recent(request),
    ]


def _figures(request: PageRequest, span: Span) -> tuple[Figures, str | None]:
    """Return the figures of a span, and a note if they do not cover all invocations."""
    begin = span.begin(request.now)
    parts = request.journal.parts(begin, int(span.part))
    if parts is not None:
        return counted(parts, span, request.now), None
    found = request.journal.samples(begin, _MOST)
    limited = f"Based on the newest {_MOST:,} invocations." if len(found) == _MOST else None
    return figures(found, span, request.now), limited


def _broken(request: PageRequest) -> Node:
    """Render a notice for each broken part of an installed package, for the operator; None for
    other visitors.
    """
    if request.identity.workspace != DEFAULT or request.identity.rules:
        return None
    return [notice(text, tone="bad") for text in request.server.runtimes.broken()]


def _tiles(request: PageRequest, numbers: Figures) -> Markup:
    """Render the figures. The cards above name waiting calls, doubts and failing connections."""
    counts = request.journal.open_counts()
    cancelled = sum(row.cancelled for row in numbers.rows)
    share = f"{numbers.succeeded / numbers.settled:.1%}" if numbers.settled else "no data"
    return h.ul(
        _tile("Invocations", f"{numbers.total:,}", None, "/invocations"),
        _tile(
            "Succeeded",
            share,
            f"without {cancelled:,} cancelled" if cancelled else None,
            "/invocations?status=succeeded",
        ),
        _tile(
            "Latency, p50",
            span_text(numbers.p50),
            f"p95 {span_text(numbers.p95)}" if numbers.p95 is not None else None,
            None,
        ),
        _tile("Queued now", f"{counts['queued']:,}", f"{counts['running']:,} running", "/queue"),
        _tile(
            "Dead letters",
            f"{counts['dead']:,}",
            "to be redriven" if counts["dead"] else None,
            "/queue/dead-letters",
            alarm=bool(counts["dead"]),
        ),
        class_="tiles",
    )


def _tile(
    title: str, value: str, below: str | None, address: str | None, *, alarm: bool = False
) -> Markup:
    name: Node = h.a(title, href=address, class_="whole") if address else title
    return h.li(
        h.p(name, class_="name"),
        h.p(value, class_="number"),
        h.p(below or "", class_="below"),
        class_="tile alarm" if alarm else "tile",
    )


def _figure(
    title: str, chart: Markup, below: Node, numbers: Markup, *, wide: bool = False
) -> Markup:
    figure = h.figure(h.div(chart, class_="picture"), h.figcaption(below))
    folded = h.details(
        h.summary("As a table"),
        numbers,
        class_="numbers",
        id=f"table-{title.partition(' ')[0].lower()}",
    )
    return card(title, figure, folded, class_="card wide" if wide else "card")


def _part(span: Span) -> str:
    """Name the unit of the rate: the length of one bar."""
    minutes = span.seconds / span.count / 60
    return (
        f"{minutes:.0f} minutes"
        if minutes < 60
        else "hour"
        if minutes == 60
        else f"{minutes / 60:.0f} hours"
    )


def _rate_table(numbers: Figures) -> Markup:
    rows = [
        (
            local_time(bucket.begin),
            *(f"{bucket.counts.get(status, 0):,}" for status in (*STATUSES, "cancelled")),
            f"{bucket.counts.get('running', 0) + bucket.counts.get('queued', 0):,}",
        )
        for bucket in reversed(numbers.buckets)
        if bucket.counts
    ]
    return table(
        "Invocations over time",
        ("From", "Succeeded", "Failed", "In doubt", "Cancelled", "In progress"),
        rows,
        numbers=_COUNTS,
    )


def _latency_table(numbers: Figures) -> Markup:
    rows = [
        (row.connector, span_text(row.p50), span_text(row.p95))
        for row in numbers.rows
        if row.p95 is not None
    ]
    return table("Latency by connector", ("Connector", "p50", "p95"), rows, numbers=_COUNTS)


def _failure_table(numbers: Figures) -> Markup:
    rows = [
        (row.connector, f"{row.count:,}", f"{row.failed:,}", f"{row.in_doubt:,}")
        for row in numbers.rows
    ]
    return table(
        "Failures by connector",
        ("Connector", "Invocations", "Failed", "In doubt"),
        rows,
        numbers=_COUNTS,
    )


def _marks(marks: Iterable[tuple[str, str]], *further: Markup) -> Markup:
    rows = [h.li(h.span(class_=f"mark {tone}", aria_hidden="true"), text) for tone, text in marks]
    return h.ul(rows, further, class_="legend")


def _nothing(request: PageRequest, *, begun: bool) -> Markup:
    if not begun:
        return first_steps(request)
    return card(
        "No invocations in this period",
        h.p("Choose ", h.a("an action", href="/connectors"), " and run it."),
        class_="card wide",
    )


def _legend() -> Markup:
    zone = h.li("Times: ", h.span("UTC", data_zone="1"), class_="zone")
    return _marks(
        (
            ("good", "succeeded"),
            ("bad", "failed"),
            ("warn", "in doubt"),
            ("idle", "cancelled"),
            ("busy", "in progress"),
        ),
        zone,
    )


def _table(numbers: Figures) -> Markup:
    rows = [
        (
            h.a(row.connector, href=f"/invocations?connector={row.connector}"),
            f"{row.count:,}",
            f"{row.failed:,}",
            f"{row.in_doubt:,}",
            f"{row.cancelled:,}",
            span_text(row.p50),
            span_text(row.p95),
            [[h.code(code), f" ({count}) "] for code, count in row.codes] or "none",
        )
        for row in numbers.rows
    ]
    columns = (
        "Connector",
        "Invocations",
        "Failed",
        "In doubt",
        "Cancelled",
        "p50",
        "p95",
        "Errors",
    )
    return card("By connector", table("By connector", columns, rows, numbers=_COUNTS))


def _recent(request: PageRequest) -> Markup | None:
    entries, _ = request.journal.entries(limit=_RECENT)
    if not entries:
        return None
    shown = entries_table(request, entries, caption="Recent invocations", empty="")
    return h.section(
        h.div(
            h.h2("Recent invocations"), h.a("All invocations", href="/invocations"), class_="row"
        ),
        shown,
        class_="card",
    )
