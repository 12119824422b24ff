"""A workspace whose effects are counted: the connection ``hall`` of the echo, and a connector whose
actions have recipients and amounts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clocks import StillClock, time_passes
from http_stand import clean, say
from jackfield.invocation import Result
from jackfield_store.runtime import Jackfield
from plugboard import make_connector, make_echo, plugged
from postgres import database_url, postgres_database, postgres_server, postgres_url

__all__ = [
    "MONTH",
    "Place",
    "database_url",
    "place",
    "placed",
    "postgres_database",
    "postgres_server",
    "postgres_url",
    "still_place",
]
_LETTER = '''
"""Sends letters."""
from typing import Any

from jackfield.connector import Connector, Field, Inputs, Output

class Letter(Inputs):
    """To whom."""
    to: list[str] = Field(title="To", recipient=True)
    cc: list[str] | None = Field(None, title="Cc", recipient=True)
    bcc: list[str] | None = Field(None, title="Bcc", recipient=True)
    amount: Any = Field(None, title="Amount")

class Sent(Output):
    """That it was sent."""
    count: int

connector = Connector("letters", title="Letters", version="1.0.0")

@connector.action("send", effect="write")
def send(letter: Letter) -> Sent:
    """Send a letter."""
    return Sent(count=len(letter.to))
'''
MONTH: dict[str, Any] = {"count": 2, "per": "month", "of": {"effect": "write"}}


@dataclass
class Place:
    """A workspace with the connection ``hall``."""

    jackfield: Jackfield
    environment: dict[str, str]
    clock: StillClock | None = None

    @contextmanager
    def beside(self) -> Iterator[Place]:
        """The same workspace, as another process has it open."""
        with Jackfield(environment=self.environment) as jackfield:
            yield Place(jackfield, self.environment)

    def pass_until(self, moment: float) -> None:
        """Let time pass until a moment, or go back to it."""
        assert self.clock is not None
        time_passes(moment - self.clock.time(), self.clock, self.jackfield.storage.database)

    def allow(self, *quotas: dict[str, Any]) -> None:
        """Set the workspace's quotas."""
        self.jackfield.access.workspaces.set("default", {"quotas": list(quotas)})

    def post(self, **inputs: Any) -> Result:
        """Make a write."""
        return self.jackfield.invoke(say("post", "hall", **{"text": "x", **inputs}))

    def send(self, to: list[str], **inputs: Any) -> Result:
        """Send a letter."""
        return self.jackfield.invoke(
            {"connector": "letters", "action": "send", "inputs": {"to": to, **inputs}}
        )

    def codes(self, count: int, **inputs: Any) -> list[str]:
        """How so many writes end."""
        found = (self.post(**inputs) for _ in range(count))
        return [result.status if result.error is None else result.error.code for result in found]

    def rows(self, statement: str) -> list[Any]:
        """What the database has, once all is written that was put off."""
        database = self.jackfield.storage.database
        database.record(lambda _transaction: None)
        with database.read() as transaction:
            return [tuple(row.as_dict().values()) for row in transaction.execute(statement)]

    @property
    def spent(self) -> int:
        """Calls that are spent, by the sums and by the places, which agree."""
        sums = self.rows("SELECT CAST(COALESCE(SUM(spent), 0) AS BIGINT) AS n FROM quota_counts")[
            0
        ][0]
        assert (
            sums
            == self.rows("SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS n FROM quota_places")[
                0
            ][0]
        )
        return int(sums) // 1_000_000


@contextmanager
def placed(folder: Path, url: str, clock: StillClock | None = None) -> Iterator[Place]:
    """Make the workspace."""
    make_connector(folder / "more", "letters", _LETTER)
    environment = clean(folder / "home", JACKFIELD_DATABASE_URL=url)
    with (
        plugged(*make_echo(folder / "plugs"), folder / "more"),
        Jackfield(environment=environment, clock=clock) as jackfield,
    ):
        jackfield.storage.opened(migrate=True).close()
        jackfield.connections.add("hall", "echo/token", {"token": "secret-4711"}, test=False)
        yield Place(jackfield, environment, clock)


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Iterator[Place]:
    """A workspace whose connection is ``hall``."""
    with placed(tmp_path, database_url) as found:
        yield found


@pytest.fixture
def still_place(tmp_path: Path, database_url: str) -> Iterator[Place]:
    """The same, whose time passes only as it is told."""
    with placed(tmp_path, database_url, StillClock()) as found:
        yield found
