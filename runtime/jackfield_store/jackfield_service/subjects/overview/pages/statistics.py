"""Figures of the overview: rate, latency and failures by connector within a span. Pure functions of
samples, or of counts.

Cancelled or declined calls, which the journal stores as failed, are ``cancelled`` here, and neither
succeeded nor failed.

Bars begin at whole multiples of their length, so that a bar's counts do not change while time
passes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from jackfield.kernel.dataclass import replace
from jackfield_store.journal.counts import PeriodPart, Sample, estimated, histogram

STATUSES = ("succeeded", "failed", "in_doubt")
"""Final states of calls that were not cancelled."""
Counted = TypeVar("Counted", Sample, PeriodPart)


@dataclass(frozen=True, slots=True)
class Span:
    """Period that an overview covers: ``seconds``, divided into ``count`` equal buckets."""

    key: str
    title: str
    seconds: float
    count: int

    @property
    def part(self) -> float:
        """Length of a bar in seconds."""
        return self.seconds / self.count

    def begin(self, now: float) -> float:
        """Return the start of the first bar; the last one contains ``now``."""
        return math.ceil(now / self.part) * self.part - self.seconds


SPANS = (
    Span("1h", "Last hour", 3600.0, 30),
    Span("24h", "Last 24 hours", 86_400.0, 24),
    Span("7d", "Last 7 days", 604_800.0, 28),
)


@dataclass(slots=True)
class Bucket:
    """Number of invocations by status in one part of the span."""

    begin: float
    end: float
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class ConnectorFigures:
    """Figures of one connector. Percentiles are in seconds, over ended invocations, None without
    any; ``codes`` are its most frequent errors.
    """

    connector: str
    count: int
    failed: int
    in_doubt: int
    cancelled: int
    p50: float | None
    p95: float | None
    codes: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a span."""

    total: int
    succeeded: int
    settled: int
    p50: float | None
    p95: float | None
    buckets: Sequence[Bucket]
    rows: Sequence[ConnectorFigures]


def figures(found: Sequence[Sample], span: Span, now: float) -> Figures:
    """Compute the figures of the samples within the span that ends at ``now``."""
    buckets, first = _empty(span, now), span.begin(now)
    inside = [_with_list_status(sample) for sample in found if sample.at >= first]
    for sample in inside:
        _bucket(buckets, sample.at, first, span).counts[sample.status] += 1
    settled = [sample for sample in inside if sample.seconds is not None]
    durations = _durations(settled)
    succeeded, ended = (
        sum(sample.status in states for sample in settled) for states in (STATUSES[:1], STATUSES)
    )
    connectors = sorted({sample.connector for sample in inside})
    rows = [
        _row(name, [sample for sample in inside if sample.connector == name]) for name in connectors
    ]
    return Figures(
        total=len(inside),
        succeeded=succeeded,
        settled=ended,
        p50=percentile(durations, 50),
        p95=percentile(durations, 95),
        buckets=buckets,
        rows=sorted(rows, key=lambda row: (-row.count, row.connector)),
    )


def counted(found: Sequence[PeriodPart], span: Span, now: float) -> Figures:
    """Compute the figures of counts within the span that ends at ``now``. Percentiles are estimated
    from histograms.
    """
    buckets, first = _empty(span, now), span.begin(now)
    inside = [_with_list_status(part) for part in found if part.at >= first]
    counts = [part for part in inside if part.bucket < 0]
    for part in counts:
        _bucket(buckets, part.at, first, span).counts[part.status] += part.invocations
    durations = histogram(inside)
    names = sorted({part.connector for part in counts})
    rows = [
        _counted_row(name, [part for part in inside if part.connector == name]) for name in names
    ]
    return Figures(
        total=_total(counts),
        succeeded=_total(counts, "succeeded"),
        settled=sum(_total(counts, status) for status in STATUSES),
        p50=estimated(durations, 50),
        p95=estimated(durations, 95),
        buckets=buckets,
        rows=sorted(rows, key=lambda row: (-row.count, row.connector)),
    )


def _with_list_status(one: Counted) -> Counted:
    """Return the counted row with its status in the words of lists of calls."""
    return (
        replace(one, status="cancelled", error_code=None)
        if (one.status, one.error_code) == ("failed", "cancelled")
        else one
    )


def _counted_row(connector: str, found: Sequence[PeriodPart]) -> ConnectorFigures:
    counts, durations = [part for part in found if part.bucket < 0], histogram(found)
    codes = Counter[str]()
    for part in counts:
        if part.error_code is not None:
            codes[part.error_code] += part.invocations
    return ConnectorFigures(
        connector,
        _total(counts),
        _total(counts, "failed"),
        _total(counts, "in_doubt"),
        _total(counts, "cancelled"),
        estimated(durations, 50),
        estimated(durations, 95),
        codes.most_common(3),
    )


def _total(counts: Iterable[PeriodPart], status: str | None = None) -> int:
    return sum(part.invocations for part in counts if status in (None, part.status))


def _empty(span: Span, now: float) -> list[Bucket]:
    first = span.begin(now)
    return [
        Bucket(first + place * span.part, first + (place + 1) * span.part)
        for place in range(span.count)
    ]


def _bucket(buckets: Sequence[Bucket], at: float, first: float, span: Span) -> Bucket:
    return buckets[min(int((at - first) / span.part), span.count - 1)]


def percentile(ordered: Sequence[float], share: int) -> float | None:
    """Return a percentile of sorted values by the nearest-rank method; None if there are no
    values.
    """
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)] if ordered else None


def _row(connector: str, found: Sequence[Sample]) -> ConnectorFigures:
    durations = _durations(found)
    codes = Counter(sample.error_code for sample in found if sample.error_code is not None)
    return ConnectorFigures(
        connector,
        len(found),
        sum(sample.status == "failed" for sample in found),
        sum(sample.status == "in_doubt" for sample in found),
        sum(sample.status == "cancelled" for sample in found),
        percentile(durations, 50),
        percentile(durations, 95),
        codes.most_common(3),
    )


def _durations(found: Iterable[Sample]) -> list[float]:
    return sorted(sample.seconds for sample in found if sample.seconds is not None)
