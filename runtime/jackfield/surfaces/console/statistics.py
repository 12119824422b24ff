"""Figures of the overview: rate, latency and failures by connector within a span. Pure functions of journal samples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jackfield.journal.samples import Sample

STATUSES = ("succeeded", "failed", "in_doubt")


@dataclass(frozen=True, slots=True)
class Span:
    """Period that an overview covers: ``seconds``, divided into ``count`` equal buckets."""

    key: str
    title: str
    seconds: float
    count: int


SPANS = (Span("1h", "Last hour", 3600.0, 30), Span("24h", "Last 24 hours", 86_400.0, 24), Span("7d", "Last 7 days", 604_800.0, 28))


@dataclass(slots=True)
class Bucket:
    """Number of invocations by status in one part of the span."""

    begin: float
    end: float
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one connector. Percentiles are in seconds, over ended invocations, None without any; ``codes`` are its most
    frequent errors."""

    connector: str
    count: int
    failed: int
    in_doubt: int
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
    rows: Sequence[Row]


def figures(found: Sequence[Sample], span: Span, now: float) -> Figures:
    """Compute the figures of the samples within the span that ends at ``now``."""
    part = span.seconds / span.count
    first = now - span.seconds
    buckets = [Bucket(first + place * part, first + (place + 1) * part) for place in range(span.count)]
    inside = [sample for sample in found if sample.at >= first]
    for sample in inside:
        place = min(int((sample.at - first) / part), span.count - 1)
        buckets[place].counts[sample.status] += 1
    settled = [sample for sample in inside if sample.seconds is not None]
    durations = _durations(settled)
    connectors = sorted({sample.connector for sample in inside})
    rows = [_row(name, [sample for sample in inside if sample.connector == name]) for name in connectors]
    return Figures(
        total=len(inside),
        succeeded=sum(sample.status == "succeeded" for sample in settled),
        settled=len(settled),
        p50=percentile(durations, 50),
        p95=percentile(durations, 95),
        buckets=buckets,
        rows=sorted(rows, key=lambda row: (-row.count, row.connector)),
    )


def percentile(ordered: Sequence[float], share: int) -> float | None:
    """Return a percentile of sorted values by the nearest-rank method; None if there are no values."""
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)] if ordered else None


def _row(connector: str, found: Sequence[Sample]) -> Row:
    durations = _durations(found)
    codes = Counter(sample.error_code for sample in found if sample.error_code is not None)
    return Row(
        connector,
        len(found),
        sum(sample.status == "failed" for sample in found),
        sum(sample.status == "in_doubt" for sample in found),
        percentile(durations, 50),
        percentile(durations, 95),
        codes.most_common(3),
    )


def _durations(found: Iterable[Sample]) -> list[float]:
    return sorted(sample.seconds for sample in found if sample.seconds is not None)
