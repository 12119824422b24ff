"""Prometheus metrics, served at ``/metrics``."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from jackfield.catalog import Catalog
from jackfield.catalog.installations import revocations
from jackfield.invocation import Result
from jackfield.kernel.clock import Clock
from jackfield.kernel.errors import UnknownConnector
from jackfield_service.shell.finding import surfaces
from jackfield_service.shell.process.metrics_folder import FOLDER
from jackfield_store.database import Database
from jackfield_store.database.blocked import blocked_workspaces
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.journal.counts import open_doubts
from jackfield_store.journal.doubt_reports import Report
from jackfield_store.journal.queue_stats import queue_stats
from jackfield_store.journal.went_back import return_warning

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_DOUBT_BUCKETS = (
    1.0,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    900.0,
    3600.0,
    4 * 3600.0,
    86_400.0,
    3 * 86_400.0,
)
_TRIES, _PAUSE = 5, 0.02
"""Number of attempts to read the workers' files, and seconds between them."""


class Metrics:
    """Counters of one process, or in ``shared`` the counters of all workers. Names follow
    Prometheus' conventions; labels are bounded by the installed connectors.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.registry = CollectorRegistry()
        self._children: dict[tuple[object, tuple[str | None, ...]], Any] = {}
        counter, histogram = (
            partial(Counter, registry=self.registry),
            partial(Histogram, registry=self.registry),
        )
        running = partial(Gauge, registry=self.registry, multiprocess_mode="livesum")
        latest = partial(Gauge, registry=self.registry, multiprocess_mode="mostrecent")
        labels = ("connector", "action", "status")
        self.invocations = counter("jackfield_invocations", "Invocations that ended.", labels)
        self.seconds = histogram(
            "jackfield_invocation_seconds",
            "Seconds from admission to the final outcome.",
            labels[:2],
            buckets=_BUCKETS,
        )
        self.doubts_settled = counter(
            "jackfield_doubts_settled",
            "Calls in doubt that evidence, a person or their own late answer has settled.",
            ("by", "verdict"),
        )
        self.doubt_seconds = histogram(
            "jackfield_doubt_settle_seconds",
            "Seconds from a doubt to its settlement.",
            ("by",),
            buckets=_DOUBT_BUCKETS,
        )
        self.looks = counter(
            "jackfield_doubt_looks",
            "Looks at providers for evidence of what became of calls in doubt.",
            ("source", "result"),
        )
        self.contradicted = counter(
            "jackfield_doubts_contradicted",
            "Resolved doubts of which evidence or a late answer said another outcome: each may "
            "have been sent twice.",
        )
        self.requests = counter(
            "jackfield_http_requests", "HTTP requests handled.", ("method", "status")
        )
        self.running = running("jackfield_invocations_running", "Invocations running now.")
        self.overdue = running(
            "jackfield_actions_overdue",
            "Calls of actions that still run after their deadline: they block, and their "
            "invocations have ended.",
        )
        self.leases = counter(
            "jackfield_credential_leases",
            "Credentials requested from providers (STS sessions).",
            ("outcome",),
        )
        self._leased: dict[str, int] = {}
        self.isolated = running("jackfield_isolated_processes", "Processes of isolated connectors.")
        self.isolated_ends = counter(
            "jackfield_isolated_process_ends",
            "Processes of isolated connectors that ended by themselves, or were ended for what "
            "they did.",
            ("connector",),
        )
        self._ended: dict[str, int] = {}
        self.queued = latest("jackfield_queue_depth", "Queued invocations waiting for a worker.")
        self.oldest = latest(
            "jackfield_queue_oldest_seconds",
            "Seconds that the oldest due invocation has waited for a worker.",
        )
        self.doubts_open = latest(
            "jackfield_doubts_open", "Calls in doubt that nobody and nothing has settled yet."
        )
        self.doubts_oldest = latest(
            "jackfield_doubts_oldest_seconds", "Seconds that the oldest open doubt has been one."
        )
        self.dead = latest(
            "jackfield_queue_dead", "Dead invocations: given up after too many lost workers."
        )
        self.blocked = latest(
            "jackfield_workspaces_blocked",
            "Workspaces of which nothing is begun at present: their key service or settings "
            "cannot be used.",
        )
        self.went_back = latest(
            "jackfield_database_went_back",
            "1 for an hour after the database went back to an earlier state, else 0.",
        )
        self.of_subjects = [
            (latest(name, about), read)
            for module in surfaces("gauges")
            for name, (about, read) in module.GAUGES.items()
        ]
        self.revoked = latest(
            "jackfield_connectors_revoked",
            "Installed connectors of which the publisher's key or the release was revoked.",
        )

    def note_queue(self, database: Database, clock: Clock) -> None:
        """Set the gauges of the queue and the subjects to the figures of all workspaces in the
        database.
        """
        for gauge, read in self.of_subjects:
            gauge.set(read(database, clock))
        self.blocked.set(len(blocked_workspaces(database, clock.time())))
        self.went_back.set(return_warning(database) is not None)
        stats = queue_stats(database, clock)
        self.queued.set(
            sum(item["queued"] + item["delayed"] + item["released"] for item in stats.values())
        )
        self.oldest.set(max((item["oldestSeconds"] or 0.0 for item in stats.values()), default=0.0))
        self.dead.set(sum(item["dead"] for item in stats.values()))
        count, since = open_doubts(database)
        self.doubts_open.set(count)
        self.doubts_oldest.set(
            0.0 if since is None else max(0.0, SharedClock.of(database, clock).now() - since)
        )

    def note(self, result: Result) -> None:
        """Count a finished invocation. Names that are not installed are not used as labels, since
        callers could invent any number of them. Each end is counted once: a job's by the process
        that ends it, a replayed Result's at its first return.
        """
        if result.status in ("running", "waiting") or result.meta.replayed or result.meta.observed:
            return
        connector, action = self._labels(result)
        self._child(self.invocations, (connector, action, result.status)).inc()
        self._child(self.seconds, (connector, action)).observe(result.meta.duration_ms / 1000)

    def note_doubts(self, report: Report) -> None:
        """Count looks for evidence, the settlement of a doubt, and a contradicted resolution."""
        for source, result in report.found:
            self.looks.labels(source, result).inc()
        if report.by is not None:
            self.doubts_settled.labels(report.by, report.verdict).inc()
            self.doubt_seconds.labels(report.by).observe(report.seconds)
        self.contradicted.inc(report.contradicted)

    def note_request(self, method: str, status: int) -> None:
        """Count an HTTP response."""
        self._child(self.requests, (method, str(status))).inc()

    def _labels(self, result: Result) -> tuple[str, str]:
        """Return the connector and action as labels; ``unknown`` if they are not installed."""
        connector, action = result.meta.connector, result.meta.action
        if connector is None or result.meta.connector_version is None:
            return "unknown", "unknown"
        try:
            known = action in self._catalog.find(connector).actions
        except UnknownConnector:
            return "unknown", "unknown"
        return connector, action if known and action is not None else "unknown"

    def _child(self, metric: Counter | Histogram, labels: tuple[str | None, ...]) -> Any:
        """Return the metric of these labels, cached: this needs a tenth of the time of the
        library's own look-up.
        """
        key = (metric, labels)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = metric.labels(*labels)
        return found

    def note_leases(self, so_far: Mapping[str, int]) -> None:
        """Count leased credentials; ``so_far`` holds this process's totals by outcome."""
        for outcome, count in so_far.items():
            self.leases.labels(outcome).inc(max(0, count - self._leased.get(outcome, 0)))
            self._leased[outcome] = max(count, self._leased.get(outcome, 0))

    def note_isolation(self, running: int, ends: Mapping[str, int]) -> None:
        """Count the processes of isolated connectors; ``ends`` holds this process's totals by
        connector.
        """
        self.isolated.set(running)
        for connector, count in ends.items():
            self.isolated_ends.labels(connector).inc(max(0, count - self._ended.get(connector, 0)))
            self._ended[connector] = max(count, self._ended.get(connector, 0))

    def text(self) -> bytes:
        """Return the metrics in Prometheus' exposition format."""
        self.revoked.set(len(revocations(self._catalog.whole.home)))
        folder = os.environ.get(FOLDER)
        return generate_latest(self.registry) if folder is None else _of_all(folder)


def _of_all(folder: str) -> bytes:
    """Return the metrics of all workers. Retry briefly: a worker that starts or ends may leave its
    file empty or removed.
    """
    for _ in range(_TRIES - 1):
        with suppress(OSError, ValueError, struct.error):
            return generate_latest(_together(folder))
        time.sleep(_PAUSE)
    return generate_latest(_together(folder))


def _together(folder: str) -> CollectorRegistry:
    for file in Path(folder).glob("gauge_live*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not _lives(int(pid)):
            mark_process_dead(int(pid), folder)  # type: ignore[no-untyped-call]  # drops the gauges of a dead worker
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return registry


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
