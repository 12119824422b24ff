"""Processes that share a database, of which one loses its lease."""

from __future__ import annotations

import time

from jackfield.invocation import Invocation, Meta
from jackfield.invocation.claimed import Claimed
from jackfield.invocation.entry import Entry
from jackfield.kernel.clock import SystemClock
from jackfield_store.journal import Journal, Queue
from jackfield_store.journal.instance import LEASE, Instance
from jackfield_store.journal.recovery import Recovery
from jackfield_store.recording.drafting import draft_of
from jackfield_store.runtime import Jackfield
from nursery import connection

READ = {
    "connector": "aws-ses",
    "action": "listIdentities",
    "connection": "acme-ses",
    "inputs": {"awsRegion": "eu-west-1"},
}


class Process:
    """One of several processes that share a database, as far as its lease is concerned. ``later``
    is what its watch is ahead by.
    """

    def __init__(self, aws_url: str, url: str) -> None:
        self.jackfield = Jackfield(connections=[connection(aws_url)], database_url=url)
        assert self.jackfield.journal is not None
        self.journal: Journal = self.jackfield.journal
        self.database = self.jackfield.storage.database
        self.queue = Queue(self.database)
        self.later = 0.0
        clock = SystemClock()
        self.recovery = Recovery(
            self.database,
            self.jackfield.storage.vault,
            clock,
            lambda: time.monotonic() + self.later,
        )
        assert self.journal.owner

    def hangs(self) -> None:
        """Stop renewing the lease, as a process that is gone or cut off."""
        Instance.of(self.database).renew()
        Instance.of(self.database)._stop.set()

    def look(self) -> int:
        """Renew, look, and look again when each lease that was not renewed has expired."""
        Instance.of(self.database).renew()
        self.recovery.look()
        self.later += LEASE + 1
        return self.recovery.look()

    def find(self, identifier: str) -> Entry:
        """The entry as this process sees it."""
        return self.journal.find(identifier)

    def begun(self, claimed: Claimed, effect: str) -> None:
        """Record a claimed invocation as running, and send nothing."""
        draft = draft_of(Invocation.from_json(READ), Meta(claimed.id), "", None, time.time())
        draft.effect, draft.delivery = effect, claimed.delivery
        assert self.database.record(self.journal.beginning(draft)) == 1

    def started(self, effect: str, key: str | None = None, name: str = "sync") -> str:
        """Record a synchronous invocation as running, and send nothing; its id."""
        meta = Meta.from_json({"invocationId": f"{name}-{effect}-{key}"})
        draft = draft_of(
            Invocation.from_json({**READ, **({"idempotencyKey": key} if key else {})}),
            meta,
            "f",
            None,
            time.time(),
        )
        draft.effect = effect
        self.database.record(self.journal.starting(draft))
        return draft.id
