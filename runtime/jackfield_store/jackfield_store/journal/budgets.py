"""Rate and concurrency budgets of queued invocations, shared by all processes through the database
and its clock.

The rate is a token bucket per workspace and per connection. A bucket begins with one token, so a
starting process causes no burst. It holds the tokens of half a second, so a worker that polls every
0.25 s loses none. Concurrency is counted from the journal, so a dead process occupies no place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.stored_values import parsed_object
from jackfield_store.database import Database, Transaction

_SAVED_UP = 0.5
"""Size of a bucket, in seconds of its rate."""
_FORGOTTEN = 3600.0
"""Seconds after which an unused bucket is dropped from the row."""
_UNBOUND = 1_000_000
ANY_CONNECTION = "*"
"""Name of the budget of each connection that has none of its own."""
_WHOLE = ""
"""Name of the bucket of the workspace as a whole; connections have names."""
_BEGIN = (
    "INSERT INTO queue_budgets (workspace, state, updated_at) VALUES (:workspace, '{}', 0) "
    "ON CONFLICT DO NOTHING"
)
_OPEN = "SELECT state, {now} AS now FROM queue_budgets WHERE workspace = :workspace"
_SAVE = "UPDATE queue_budgets SET state = :state, updated_at = :now WHERE workspace = :workspace"
_BUSY = "SELECT connection, COUNT(*) AS busy FROM invocations WHERE {condition} GROUP BY connection"
_RUNNING = tuple(
    _BUSY.format(condition=condition)
    for condition in (
        "workspace = :workspace AND status = 'running' AND delivery > 0 AND owner IS NOT NULL",
        "workspace || '' = :workspace AND status = 'queued' AND owner IS NOT NULL",
        "workspace || '' = :workspace AND status = 'queued' AND released_at IS NOT NULL",
    )
)
"""Statements that count invocations: running (without jobs that wait for a poll), claimed, and in a
broker. The concatenation keeps the databases from reading all waiting rows: the partial indexes of
the two conditions hold few rows.
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """Budget: invocations begun per second, and running at once; None is unlimited."""

    rate: float | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Budgets of one workspace: of all its queued invocations together, and of its connections by
    name or ``*``.
    """

    whole: Limit = field(default_factory=Limit)
    connections: Mapping[str, Limit] = field(default_factory=dict)

    def of(self, connection: str | None) -> Limit:
        """Return the budget of a connection."""
        if connection is None:
            return Limit()
        return self.connections.get(connection) or self.connections.get(ANY_CONNECTION) or Limit()


class Budgets:
    """Budgets of all workspaces of a database. ``limits`` returns a workspace's budgets; None if it
    has none.
    """

    def __init__(self, database: Database, limits: Callable[[str], QueueLimits | None]) -> None:
        self.limits = limits
        self._open = _OPEN.format(now=database.dialect.now) + database.dialect.skips_locked

    def open(self, transaction: Transaction, workspace: str, limits: QueueLimits) -> Budget:
        """Open a workspace's budget and lock it until the transaction ends.

        A budget that another process has locked allows nothing: the other process takes the due
        work, and this one may try again soon.
        """
        place = {"workspace": workspace}
        rows = transaction.execute(self._open, place)
        if not rows and transaction.change(_BEGIN, place):
            rows = transaction.execute(self._open, place)
        return Budget(
            transaction,
            workspace,
            limits,
            rows[0].state if rows else None,
            rows[0].now if rows else 0.0,
        )


class Budget:
    """Remaining budgets of a workspace within one transaction. ``state`` is None if another process
    has locked them.
    """

    def __init__(
        self,
        transaction: Transaction,
        workspace: str,
        limits: QueueLimits,
        state: str | None,
        now: float,
    ) -> None:
        self._transaction = transaction
        self._workspace = workspace
        self._limits = limits
        self._now = now
        self._locked = state is None
        self._stored = _buckets(state or "{}")
        self._tokens: dict[str, float] = {}
        self._charged = False
        self._busy = {} if self._locked else self._counted()

    @property
    def by_connection(self) -> bool:
        """True if connections have budgets of their own."""
        return bool(self._limits.connections)

    @property
    def room(self) -> int:
        """Number of invocations of the workspace that may begin now."""
        return (
            0
            if self._locked
            else self._room_left(_WHOLE, self._limits.whole, sum(self._busy.values()))
        )

    def room_of(self, connection: str | None) -> int:
        """Return how many invocations over a connection may begin now."""
        if connection is None:
            return _UNBOUND
        return self._room_left(
            connection, self._limits.of(connection), self._busy.get(connection, 0)
        )

    def charge(self, connections: Sequence[str | None]) -> None:
        """Take a token of the workspace and of its connection for each invocation."""
        for connection in connections:
            for name, limit in (
                (_WHOLE, self._limits.whole),
                (connection, self._limits.of(connection)),
            ):
                if name is not None and limit.rate is not None:
                    self._tokens[name] = self._left_tokens(name, limit.rate) - 1.0
                    self._charged = True

    def save(self) -> None:
        """Store the charged buckets. An uncharged one fills by the clock alone."""
        if not self._charged:
            return
        changed = {name: [round(tokens, 6), self._now] for name, tokens in self._tokens.items()}
        kept = {
            name: bucket
            for name, bucket in self._stored.items()
            if bucket[1] > self._now - _FORGOTTEN
        }
        values = {
            "workspace": self._workspace,
            "state": json.dumps({**kept, **changed}),
            "now": self._now,
        }
        self._transaction.change(_SAVE, values)

    def _room_left(self, name: str, limit: Limit, busy: int) -> int:
        tokens = _UNBOUND if limit.rate is None else int(self._left_tokens(name, limit.rate))
        places = _UNBOUND if limit.concurrency is None else limit.concurrency - busy
        return max(0, min(tokens, places))

    def _left_tokens(self, name: str, rate: float) -> float:
        if name not in self._tokens:
            tokens, at = self._stored.get(name, (1.0, self._now))
            earned = max(0.0, self._now - at) * rate
            # the database's clock was set back: earn from now on, not only once it has caught up
            self._charged |= at > self._now
            self._tokens[name] = min(max(1.0, rate * _SAVED_UP), tokens + earned)
        return self._tokens[name]

    def _counted(self) -> dict[str | None, int]:
        """Count the invocations that run, or are on their way to a worker, by connection, if a
        concurrency is limited.
        """
        limits = (self._limits.whole, *self._limits.connections.values())
        if all(limit.concurrency is None for limit in limits):
            return {}
        found: dict[str | None, int] = {}
        for statement in _RUNNING:
            for row in self._transaction.execute(statement, {"workspace": self._workspace}):
                found[row.connection] = found.get(row.connection, 0) + int(row.busy)
        return found


def _buckets(text: str) -> dict[str, Any]:
    """Read the stored buckets; damaged ones begin anew, with one token."""
    try:
        found = parsed_object(text)
        buckets = {name: (float(tokens), float(at)) for name, (tokens, at) in found.items()}
        return buckets if all(map(math.isfinite, chain.from_iterable(buckets.values()))) else {}
    except (ValueError, TypeError, OverflowError):
        return {}
