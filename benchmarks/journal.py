"""What the journal adds to a send, and what many stored connections add to finding one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Line, cpu_each, endpoint, in_threads, paired
from benchmarks.scenes import KEYS, invocation, runtime, static_connection
from jackfield import Jackfield

_ROUNDS = 9
_CALLS = 250
_MANY = 10_000


def lines() -> Iterator[Line]:
    """On SQLite and on PostgreSQL; then the look-up."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _sends("SQLite", f"sqlite:///{folder}/journal.db", Path(folder))
    with _server() as url, tempfile.TemporaryDirectory() as folder:
        if url is not None:
            yield from _sends("PostgreSQL", url, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield _look_up(Path(folder))


def _sends(database: str, url: str, home: Path) -> Iterator[Line]:
    """With the connection in a file in both, so that the journal is all that differs; then with one that the database keeps, too."""
    with (
        endpoint(blind=True) as aws,
        runtime(static_connection(aws.url)) as bare,
        _journalled(url, home, aws.url) as kept,
    ):
        kept.connections.add("stored", "aws/apiKeySecret", {**KEYS, "endpoint": aws.url}, test=False)

        def theirs() -> None:
            bare.invoke(invocation()).unwrap()

        for connection in ("acme-ses", "stored"):

            def ours(connection: str = connection) -> None:
                kept.invoke({**invocation(), "connection": connection}).unwrap()

            for call in (ours, theirs):
                cpu_each(call, 50)
            ratio, mine, other = paired(lambda: cpu_each(ours, _CALLS), lambda: cpu_each(theirs, _CALLS), _ROUNDS)
            yield _line(database, "1 thread", connection, ratio, mine, other)
            ratio, mine, other = paired(lambda: in_threads(ours, 1000, 50), lambda: in_threads(theirs, 1000, 50), 5)
            yield _line(database, "50 threads", connection, ratio, mine, other)


def _line(database: str, threads: str, connection: str, ratio: float, ours: float, theirs: float) -> Line:
    stored = ", connection stored there too" if connection == "stored" else ""
    what = f"sendEmail with the journal ({database}{stored}) against JACKFIELD_DATABASE_URL=none, CPU per send, {threads}"
    met = ratio <= 1.25 if database == "SQLite" and not stored else None
    return Line(what, f"{ratio:.2f}× ({ours * 1e6:.0f} µs / {theirs * 1e6:.0f} µs)", "≤ 1.25×" if met is not None else "for scale", met)


def _look_up(folder: Path) -> Line:
    """As an invocation does it: by name, each time asking the database for the version, the values being kept in memory. Up to 500 names
    in turn."""
    nowhere = "http://127.0.0.1:9"
    few_url, many_url = (f"sqlite:///{folder}/{name}.db" for name in ("few", "many"))
    with _journalled(few_url, folder, nowhere) as few, _journalled(many_url, folder, nowhere) as many:
        ratio, mine, other = paired(_finding(many, _MANY), _finding(few, 10), _ROUNDS)
    what = f"finding a stored connection among {_MANY:,} against among 10"
    return Line(what, f"{ratio:.2f}× ({mine * 1e6:.0f} µs / {other * 1e6:.0f} µs)", "≤ 2×", ratio <= 2)


def _finding(jackfield: Jackfield, count: int) -> Callable[[], float]:
    store = jackfield.connections.known.store
    assert store is not None
    with jackfield.storage.database.write():
        for number in range(count):
            jackfield.connections.add(f"c{number}", "aws/apiKeySecret", KEYS, test=False)
    names = [f"c{number * 7919 % count}" for number in range(500)]

    def find() -> float:
        started = time.process_time()
        for name in names:
            store.find(name)
        return (time.process_time() - started) / len(names)

    find()
    return find


@contextmanager
def _journalled(url: str, home: Path, aws_url: str) -> Iterator[Jackfield]:
    with Jackfield(connections=[static_connection(aws_url)], database_url=url, environment={"JACKFIELD_HOME": str(home)}) as jackfield:
        if url.startswith("postgresql:"):
            from jackfield.database import open_database

            open_database(url).close()
        yield jackfield


@contextmanager
def _server() -> Iterator[str | None]:
    """The URL of an empty database of PostgreSQL's; None where its programs are not installed."""
    from postgres import missing, running_server

    if missing() is not None:
        yield None
        return
    with running_server() as server:
        yield server.create()
