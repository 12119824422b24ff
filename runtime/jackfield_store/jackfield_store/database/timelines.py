"""Timeline of a PostgreSQL server, which each new connection reads: a promoted standby begins a new
one.

The standby may lack the last commits of the primary. Unless these waited for a standby, a process
cannot know more. A loss shorter than the time between two renewals of a lease leaves no other
trace.
"""

from __future__ import annotations

import threading

from jackfield.kernel.dataclass import dataclass, field

_TIMELINE = (
    "CASE WHEN pg_is_in_recovery() THEN NULL ELSE "
    "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END"
)
COLUMNS = f"""{_TIMELINE} AS timeline,
 current_setting('synchronous_standby_names') <> '' AS waits"""
"""Columns of the statement that sets a connection up. They need no privilege."""
PLACE = (
    f"(SELECT {_TIMELINE} || '-' || oid::text FROM pg_database WHERE datname = current_database())"
)
"""Expression for a server's timeline and its own number of the database; NULL on a standby."""
PASSING = "55000"
"""SQLSTATE of an error that does not depend on the kind of server: the server has just become a
standby.
"""


@dataclass(slots=True)
class Timelines:
    """Timeline that new connections of a process have last read, and how often it has changed."""

    changes: int = 0
    told: str | None = None
    """Possible effect of the last change on commits; None if they had waited for a standby."""
    _last: str | None = None
    _waited: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, timeline: str | None, *, waits: bool) -> None:
        """Record a server's timeline, in hexadecimal digits, and whether its commits wait for a
        standby.
        """
        if timeline is None:
            return
        with self._lock:
            last, waited = self._last, self._waited
            self._last, self._waited = timeline, waits
            if last is not None and timeline != last:
                what = (
                    f"its timeline is {int(timeline, 16)}, and was {int(last, 16)}: a server "
                    "was promoted, and may lack the last commits"
                )
                self.told = None if waited else what
                self.changes += 1
