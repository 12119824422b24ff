"""What the journal costs a send, and what many stored connections add to finding one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, cycle

from benchmarks.measure import Line, Scene, compared, endpoint
from benchmarks.scenes import (
    KEYS,
    boto_client,
    boto_mail,
    database,
    databases,
    invocation,
    send,
    static_connection,
)
from jackfield_store.runtime import Jackfield

_MANY = 10_000
_BLOCK = 4096
"""Bytes that a commit of SQLite's write-ahead log writes at least."""


def lines() -> Iterator[Line]:
    """Sends on SQLite and on PostgreSQL; then the look-up, and the sums."""
    with endpoint(blind=True) as aws:
        found = compared(
            Scene(send_recorded, (aws.url, "SQLite")), Scene(boto_send_synced, (aws.url,))
        )
        yield found.line(
            "sendEmail with the journal (SQLite) against boto3 with one fsync per call, CPU per "
            "send, 1 thread",
            at_most=1.0,
        )
        for kind in databases():
            for connection in ("acme-ses", "stored"):
                for threads in (1, 50):
                    yield _over_none(aws.url, kind, connection, threads)
    few, many = (Scene(find_stored, (count,)) for count in (10, _MANY))
    yield compared(many, few).line(
        f"finding a stored connection among {_MANY:,} against among 10", at_most=2
    )


def _over_none(url: str, kind: str, connection: str, threads: int) -> Line:
    """The connection is in a file for ``none``, so that the journal, and the connection if stored,
    is all that differs.
    """
    ours, theirs = (
        Scene(send_recorded, (url, kind, connection), threads=threads),
        Scene(send, (url,), threads=threads),
    )
    stored = ", connection stored there too" if connection == "stored" else ""
    many = f"{threads} thread{'s' if threads > 1 else ''}"
    what = (
        f"sendEmail with the journal ({kind}{stored}) against JACKFIELD_DATABASE_URL=none, "
        f"CPU per send, {many}"
    )
    is_promised = (kind, connection, threads) == ("SQLite", "acme-ses", 50)
    return compared(ours, theirs).line(what, at_most=1.2 if is_promised else None)


@contextmanager
def send_recorded(
    url: str, kind: str, connection: str = "acme-ses"
) -> Iterator[Callable[[], object]]:
    """Send the mail with a journal, over a connection of a file, or over a stored one."""
    with _journalled(kind, url) as jackfield:
        if connection == "stored":
            jackfield.connections.add(
                "stored", "aws/apiKeySecret", {**KEYS, "endpoint": url}, test=False
            )
        yield lambda: jackfield.invoke({**invocation(), "connection": connection}).unwrap()


@contextmanager
def boto_send_synced(url: str) -> Iterator[Callable[[], object]]:
    """Send the mail through a kept boto3 client after a write that is on disk."""
    mail = boto_mail(boto_client("sesv2", url))
    with tempfile.TemporaryFile() as file:
        file.write(bytes(200 * _BLOCK))
        file.flush()
        numbers, block = count(), b"x" * _BLOCK

        def call() -> None:
            os.pwrite(file.fileno(), block, next(numbers) % 200 * _BLOCK)
            os.fdatasync(file.fileno())
            mail()

        yield call


@contextmanager
def find_stored(count: int) -> Iterator[Callable[[], object]]:
    """Find stored connections by name, up to 500 in turn, as an invocation does it: the values are
    kept in memory.
    """
    with _journalled("SQLite", "http://127.0.0.1:9") as jackfield:
        store = jackfield.connections.known.store
        assert store is not None
        with jackfield.storage.database.write():
            for number in range(count):
                jackfield.connections.add(f"c{number}", "aws/apiKeySecret", KEYS, test=False)
        names = [f"c{number * 7919 % count}" for number in range(500)]
        for name in names:
            store.find(name)
        turn = cycle(names)
        yield lambda: store.find(next(turn))


@contextmanager
def _journalled(kind: str, url: str) -> Iterator[Jackfield]:
    with database(kind) as (database_url, home):
        environment = {"JACKFIELD_HOME": str(home)}
        with Jackfield(
            connections=[static_connection(url)], database_url=database_url, environment=environment
        ) as jackfield:
            yield jackfield
