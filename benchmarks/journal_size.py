"""The journal at size: each list, filter, search and statistic, inserts, and a purge of a tenth of
it, on SQLite and on PostgreSQL.

In a campaign there are 10 million invocations, which takes half an hour and 30 GB of disk; without,
100,000. ``ROWS`` is another number.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.large_journal import PERIOD, fill
from benchmarks.measure import CAMPAIGN, Line, Scene, compared
from benchmarks.scenes import database, databases
from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.invocation.entry import Draft
from jackfield_store.journal import Journal, Queue
from jackfield_store.journal.counts import open_now, parts
from jackfield_store.journal.queue_stats import queue_stats
from jackfield_store.runtime import Jackfield

_ROUNDS = 7
_INSERTS = 4000
_DAY = 86_400.0


_AS_BEFORE = (
    "DROP TRIGGER invocations_added",
    "DROP TRIGGER invocations_left",
    "DROP TRIGGER invocations_entered",
    "DROP INDEX invocations_kind",
    "DROP INDEX invocations_running",
    "DROP INDEX invocations_request",
    "CREATE INDEX invocations_status ON invocations (workspace, status, created_at, id)",
)
"""Make the tables as they were before there were sums and kinds."""


def lines() -> Iterator[Line]:
    """On SQLite, then on PostgreSQL."""
    rows = int(os.environ.get("ROWS") or (10_000_000 if CAMPAIGN else 100_000))
    found = compared(*(Scene(record, (is_before,)) for is_before in (False, True)))
    what = (
        "begin and end of an invocation recorded, with sums and kinds against without, CPU (SQLite)"
    )
    yield found.line(what, at_most=1.1)
    for kind in databases():
        with database(kind, has_tables=False) as (url, home):
            yield from measured(kind, url, home, rows)


@contextmanager
def record(is_before: bool) -> Iterator[Callable[[], object]]:
    """Record an invocation in a SQLite database, or in one whose tables are without sums and
    kinds.
    """
    with (
        database("SQLite") as (url, home),
        Jackfield(
            connections=[], database_url=url, environment={"JACKFIELD_HOME": str(home)}
        ) as found,
    ):
        with found.storage.database.write() as transaction:
            for statement in _AS_BEFORE if is_before else ():
                transaction.execute(statement)
        yield partial(_record, found.journal)


def _record(journal: Journal | None) -> None:
    assert journal is not None
    now = time.time()
    draft = Draft(
        new_invocation_id(),
        "aws-ses",
        "1.0.0",
        "sendEmail",
        "write",
        "aws-ses-1",
        "token-1",
        now,
        now + 60,
    )
    journal.database.record(journal.starting(draft))
    meta = Meta(
        draft.id,
        connector="aws-ses",
        action="sendEmail",
        attempts=1,
        request_id=os.urandom(16).hex(),
    )
    journal.database.record(journal.finishing(draft, Result("succeeded", meta, output={}), []))


def measured(
    database: str, url: str, home: Path, rows: int, *, made: bool = False
) -> Iterator[Line]:
    """Measure one database; ``made``: it has its rows already."""
    environment = {"JACKFIELD_HOME": str(home), "JACKFIELD_DATABASE_URL": url}
    size = f"{database}, {rows:,} invocations"
    with Jackfield(
        connections=[], database_url=_empty(url, home), environment=environment
    ) as small:
        before = _inserts(small)
    if not made:
        fill(url, environment, rows)
    with Jackfield(connections=[], database_url=url, environment=environment) as jackfield:
        journal = jackfield.journal
        assert journal is not None
        for name, call in _lists(journal).items():
            yield _timed(f"list {name} ({size})", call, 0.05)
        for name, call in _statistics(jackfield, journal).items():
            yield _timed(f"{name} ({size})", call, 0.1)
        after = _inserts(jackfield)
        ratio = after / before
        yield Line(
            f"invocations recorded a second, 8 threads ({size})",
            f"{after:,.0f}/s ({ratio:.2f}× an empty journal)",
            "≥ 0.9×",
            ratio >= 0.9,
        )
        yield from _purged(
            jackfield,
            journal,
            size,
            Path(url.removeprefix("sqlite:///")) if database == "SQLite" else None,
        )


def _empty(url: str, home: Path) -> str:
    if url.startswith("sqlite:"):
        return f"sqlite:///{home}/empty.db"
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    from jackfield_store.database import open_database

    name = "empty"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())
    found = url.replace(f"/{conninfo_to_dict(url)['dbname']}", f"/{name}")
    open_database(found).close()
    return found


def _lists(journal: Journal) -> dict[str, Callable[[], Any]]:
    now = time.time()
    some = journal.entries(limit=50)[0]
    key = next(
        entry.idempotency_key
        for entry in journal.entries(connector="aws-ses", limit=200)[0]
        if entry.idempotency_key
    )
    context = next(
        entry.context for entry in journal.entries(connector="smtp", limit=200)[0] if entry.context
    )
    old = f"{now - PERIOD * 0.9!r}~x"
    given: dict[str, dict[str, Any]] = {
        "without filters": {},
        "from 27 days ago": {"cursor": old},
        "status=failed": {"status": "failed"},
        "status=in_doubt": {"status": "in_doubt"},
        "status=queued": {"status": "queued"},
        "status=running": {"status": "running"},
        "status=cancelled": {"status": "cancelled"},
        "connector": {"connector": "smtp"},
        "connector, no match": {"connector": "none"},
        "action": {"action": "getSendQuota"},
        "connection": {"connection": "aws-ses-3"},
        "connection, no match": {"connection": "none"},
        "caller": {"caller": "token-3"},
        "caller, no match": {"caller": "none"},
        "error code": {"errorCode": "rate_limited"},
        "error code, no match": {"errorCode": "none"},
        "connection and caller, no match": {
            "connection": "smtp-1",
            "caller": "token-0",
            "status": "in_doubt",
        },
        "since and until, with status": {
            "status": "failed",
            "since": now - 20 * _DAY,
            "until": now - 19 * _DAY,
        },
        "idempotency key": {"idempotencyKey": key},
        "idempotency key, no match": {"idempotencyKey": "none"},
        "correlation ID": {"correlationId": context["correlationId"]},
        "correlation ID, no match": {"correlationId": "none"},
        "label, frequent": {"label": "team=red"},
        "label, once": {"label": f"order={context['labels']['order']}"},
        "label, no match": {"label": "none"},
        "search of an id": {"q": some[7].id},
        "search of the begin of a key": {"q": key[:14]},
        "search of a name": {"q": "smtp"},
        "search, no match": {"q": "nothing of that"},
        "search of one letter": {"q": "x"},
        "search, no match, with status": {"q": "nothing of that", "status": "failed"},
    }
    calls: dict[str, Callable[[], Any]] = {
        name: partial(journal.entries, limit=50, **filters) for name, filters in given.items()
    }

    def sees(row: Any) -> bool:
        return bool(row.connection == "smtp-3")

    seen: tuple[tuple[str, dict[str, Any]], ...] = (
        ("", {}),
        (", status=in_doubt", {"status": "in_doubt"}),
        (", search, no match", {"q": "nothing of that"}),
    )
    for name, filters in seen:
        calls[f"for a token that sees one connection{name}"] = partial(
            journal.seen_entries, sees, limit=50, **filters
        )
    return calls


def _statistics(jackfield: Jackfield, journal: Journal) -> dict[str, Callable[[], Any]]:
    database, now = jackfield.storage.database, time.time()
    return {
        "statistics of the whole journal": journal.stats,
        "statistics of a day": lambda: journal.stats(now - _DAY),
        "overview of an hour": lambda: parts(database, "default", now - 3600, 120),
        "overview of a day": lambda: parts(database, "default", now - _DAY, 3600),
        "overview of a week": lambda: parts(database, "default", now - 7 * _DAY, 21_600),
        "queued, running and in doubt now": lambda: open_now(database, "default"),
        "depth of the queue": Queue(database).depth,
        "figures of the queue (metrics)": lambda: queue_stats(database, jackfield.clock),
    }


def _timed(name: str, call: Callable[[], Any], goal: float) -> Line:
    call()
    rounds = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        call()
        rounds.append(time.perf_counter() - begun)
    seconds = statistics.median(rounds)
    return Line(
        name,
        f"{seconds * 1000:.1f} ms (slowest {max(rounds) * 1000:.0f} ms)",
        f"≤ {goal * 1000:.0f} ms",
        seconds <= goal,
    )


def _inserts(jackfield: Jackfield, threads: int = 8) -> float:
    """Record the begin and the end of invocations from several threads; return how many a
    second.
    """
    journal = jackfield.journal
    assert journal is not None

    def work(count: int) -> None:
        for _ in range(count):
            _record(journal)

    def all_of(count: int) -> float:
        begun = time.perf_counter()
        workers = [threading.Thread(target=work, args=(count // threads,)) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return count / (time.perf_counter() - begun)

    all_of(_INSERTS // 10)
    return statistics.median(all_of(_INSERTS) for _ in range(3))


def _purged(jackfield: Jackfield, journal: Journal, size: str, file: Path | None) -> Iterator[Line]:
    """Purge the oldest tenth, workspace by workspace, beside a thread that begins invocations with
    keys and one that reads lists.
    """
    before = file.stat().st_size if file is not None else 0
    quiet = _waits(journal, _wait)
    busy = _waits(journal, lambda: _purge_tenth(jackfield))
    for what, waits in (
        ("keyed invocations of another thread begun", (quiet[0], busy[0])),
        ("lists read by another thread", (quiet[1], busy[1])),
    ):
        found = [_figures(part) for part in waits]
        yield Line(
            f"{what} during a purge ({size})",
            f"p50 {found[1][0]:.1f}, p99 {found[1][1]:.1f}, longest {found[1][2]:.0f} ms; "
            f"without: {found[0][0]:.1f}, {found[0][1]:.1f}, {found[0][2]:.0f} ms; {busy[2]:,} "
            f"purged in {busy[3]:.0f} s",
            "p99 + 20 ms",
            found[1][1] <= found[0][1] + 20,
        )
    if file is not None:
        after = file.stat().st_size
        yield Line(
            f"size of the file after the purge ({size})",
            f"{before / 1e9:.2f} GB → {after / 1e9:.2f} GB",
            "≤ 0.95×",
            after <= 0.95 * before,
        )


def _wait() -> int:
    time.sleep(20)
    return 0


def _waits(
    journal: Journal, work: Callable[[], int]
) -> tuple[list[float], list[float], int, float]:
    """Return the seconds that writes and reads take while ``work`` runs, its result, and its
    seconds.
    """
    writes, reads, done = list[float](), list[float](), threading.Event()

    def begin() -> None:
        now = time.time()
        key = f"beside-{now}"
        draft = Draft(
            new_invocation_id(),
            "echo",
            "1.0.0",
            "say",
            "read",
            None,
            "token-1",
            now,
            now + 60,
            idempotency_key=key,
        )
        journal.database.record(journal.starting(draft))

    def repeat(call: Callable[[], object], waits: list[float]) -> None:
        while not done.wait(0.005):
            begun = time.perf_counter()
            call()
            waits.append(time.perf_counter() - begun)

    threads = [
        threading.Thread(target=repeat, args=args)
        for args in ((begin, writes), (lambda: journal.entries(status="failed", limit=50), reads))
    ]
    for thread in threads:
        thread.start()
    begun = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - begun
    done.set()
    for thread in threads:
        thread.join()
    return sorted(writes), sorted(reads), result, seconds


def _figures(waits: list[float]) -> tuple[float, float, float]:
    """p50, p99 and the longest, in milliseconds."""
    return waits[len(waits) // 2] * 1000, waits[int(len(waits) * 0.99)] * 1000, waits[-1] * 1000


def _purge_tenth(jackfield: Jackfield) -> int:
    from benchmarks.large_journal import WORKSPACES

    storage, total = jackfield.storage, 0
    for name in WORKSPACES:
        total += Journal(
            storage.database, storage.vault, name, jackfield.clock, retention=lambda: PERIOD * 0.9
        ).purge()
    return total


if __name__ == "__main__":
    import sys

    made = SimpleNamespace(url=sys.argv[1], home=Path(sys.argv[2]), rows=int(sys.argv[3]))
    for line in measured(
        "SQLite" if made.url.startswith("sqlite") else "PostgreSQL",
        made.url,
        made.home,
        made.rows,
        made=True,
    ):
        print(f"{line.what}: {line.measured} (goal {line.goal}; met {line.met})", flush=True)
