"""A database that goes back to an earlier state, and readers of its events: what they miss, and
what they have that is not there.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg

from event_view import EventView
from jackfield_service.subjects.events.feed import CursorExpired, Feed
from jackfield_store.database import Database, open_database
from jackfield_store.database.outbox import record
from jackfield_store.journal.instance import Instance
from jackfield_store.runtime import Jackfield

QUOTA = ("quota.low",)
"""Types that these readers read."""
RAISE = "UPDATE epoch SET number = number + 5"


class Returned:
    """A database under a running process, and what takes it back. ``other`` opens it once more, as
    another process does.
    """

    def __init__(self, jackfield: Jackfield, other: Database, url: str) -> None:
        self.jackfield, self.other, self.url = jackfield, other, url
        jackfield.open()
        self.database = jackfield.storage.database
        self.instance = Instance.of(self.database)
        self._told = 0

    def feed(self, workspace: str = "default") -> Feed:
        """The feed of a workspace."""
        return Feed(self.database, self.jackfield.storage.vault, workspace)

    def happen(self, count: int, workspace: str = "default") -> None:
        """Record events, and number them."""
        with self.other.write() as transaction:
            for _ in range(count):
                self._told += 1
                record(
                    transaction, workspace, *QUOTA, f"s{self._told}", 1.0, {"number": self._told}
                )
        self.feed(workspace).page(limit=1)

    def change(self, *statements: str) -> None:
        """Change rows, as somebody else does."""
        with self.other.write() as transaction:
            for statement in statements:
                transaction.change(statement)

    def renew(self) -> None:
        """Let the epoch rise, and the process see it."""
        self.change(RAISE)
        self.database.epoch()
        self.instance.renew()

    def read(
        self, view: EventView | None = None, workspace: str = "default", limit: int = 50
    ) -> EventView:
        """Read by cursor to the end, as a consumer does that goes on from where a refusal says."""
        return read(self.feed(workspace), EventView() if view is None else view, limit)

    def copied(self) -> Callable[[], None]:
        """Return what takes the database back, in its place, to what it is now."""
        if self.url.startswith("sqlite"):
            return _copied_file(self.url.removeprefix("sqlite:///"))
        return _copied_tables(self.url)


@contextmanager
def returning(url: str) -> Iterator[Returned]:
    """Open a database that will go back."""
    with Jackfield(database_url=url) as jackfield, open_database(url) as other:
        found = Returned(jackfield, other, url)
        found.renew()
        yield found


def read(feed: Feed, view: EventView, limit: int = 50) -> EventView:
    """Read a feed by cursor to the end."""
    while True:
        try:
            page = feed.page(view.cursor or None, QUOTA, limit)
        except CursorExpired as expired:
            view.forget(expired.oldest)
            continue
        view.take([(event.id, event.sequence, event.subject) for event in page.events], page.cursor)
        if not page.events:
            return view


def _copied_file(path: str) -> Callable[[], None]:
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    with closing(sqlite3.connect(path, timeout=120)) as source:
        source.backup(copy)

    def back() -> None:
        with closing(sqlite3.connect(path, timeout=120)) as target:
            copy.backup(target)

    weakref.finalize(back, copy.close)  # CPython 3.13 warns of a connection that nobody closed
    return back


def _copied_tables(url: str) -> Callable[[], None]:
    with psycopg.connect(url) as source:
        source.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        tables = [
            row[0]
            for row in source.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        rows = dict[str, bytes]()
        for table in tables:
            with source.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copy:
                rows[table] = b"".join(bytes(part) for part in copy)
        numbers = source.execute(
            "SELECT sequencename, COALESCE(last_value, 1), last_value IS NOT NULL FROM pg_sequences"
        ).fetchall()

    def back() -> None:
        with psycopg.connect(url) as target:
            target.execute("SET LOCAL session_replication_role = replica")
            for table in tables:
                target.execute(f"DELETE FROM {table}".encode())
            for table in tables:
                with target.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                    copy.write(rows[table])
            for number in numbers:
                target.execute("SELECT setval(%s::regclass, %s, %s)", number)

    return back
