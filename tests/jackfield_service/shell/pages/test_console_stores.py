"""What the console keeps and reads, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from clocks import FakeClock
from jackfield_store.access.sessions import IDLE, LINK_LASTS, Sessions
from jackfield_store.database import Database
from jackfield_store.journal.counts import open_counts, samples
from jackfield_store.keys import MasterKey, Vault

pytest_plugins = ["postgres"]


@pytest.fixture
def vault(database: Database) -> Vault:
    """Its vault."""
    return Vault(database, MasterKey.generate())


def test_a_link_is_spent_once_whoever_tries(database: Database, vault: Vault) -> None:
    """Of many who try the same link at the same moment, one is let in."""
    clock = FakeClock()
    sessions = Sessions(database, lambda: vault, "default", clock)
    secret = sessions.make_link()
    with ThreadPoolExecutor(8) as people:
        assert sorted(people.map(lambda _: sessions.spend_link(secret), range(16))) == [
            False
        ] * 15 + [True]
    late = sessions.make_link()
    clock.advance(LINK_LASTS + 1)
    assert not sessions.spend_link(late)
    assert not sessions.spend_link("nothing")


def test_a_session_is_found_until_it_ends(database: Database, vault: Vault) -> None:
    """A session is found by its secret in its workspace, until it is idle for too long or ended."""
    clock = FakeClock()
    sessions = Sessions(database, lambda: vault, "default", clock)
    secret = sessions.begin({"by": "token", "id": "t-1"}, 7200)
    found = sessions.find(secret)
    assert found is not None
    assert found.identity == {"by": "token", "id": "t-1"}
    assert found.expires_at - found.created_at == pytest.approx(7200)
    assert Sessions(database, lambda: vault, "acme", clock).find(secret) is None
    assert sessions.find(sessions.make_link()) is None
    clock.advance(IDLE * 0.9)
    assert sessions.find(secret) is not None
    clock.advance(IDLE * 0.9)
    again = sessions.find(secret, touch=False)
    assert again is not None
    assert again.seen_at > found.seen_at
    clock.advance(IDLE * 0.2)
    assert sessions.find(secret) is None
    other = sessions.begin({"by": "link"})
    sessions.end(other)
    assert sessions.find(other) is None


def test_an_empty_journal_is_read(database: Database) -> None:
    """A journal without entries has no samples, and nothing that waits."""
    assert samples(database, "default", 0.0, 10) == []
    assert open_counts(database, "default") == {
        "queued": 0,
        "running": 0,
        "in_doubt": 0,
        "dead": 0,
        "waiting": 0,
    }
