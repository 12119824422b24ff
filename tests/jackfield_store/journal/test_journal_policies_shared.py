"""That a policy judges is a fact of the database: a process without one begins nothing there, and
claims nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.jackfield_store.journal.judging import AGENT, NUMBER, call, connector, hides, judging

from inmemory import installed
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import Unavailable
from jackfield.pacing.turn import PostponedError
from jackfield_store.access import Audit
from jackfield_store.database import open_database
from jackfield_store.journal import Queue
from jackfield_store.management.shared_settings import SharedSettings
from jackfield_store.resources.storage import Storage
from jackfield_store.runtime import Jackfield
from policy_stub import Policy, policy_service

SAID = "a policy judges the calls of this database, and this process has none: nothing was sent"


@pytest.fixture(name="policy")
def _policy() -> Iterator[Policy]:
    with policy_service() as found:
        found.decide = hides
        yield found


@contextmanager
def _unjudged(folder: Path, url: str) -> Iterator[Jackfield]:
    """A runtime whose variables name no policy."""
    open_database(url, migrate=True).close()
    with (
        installed(folder, connector) as catalog,
        Jackfield(database_url=url, environment={}, connections=(), catalog=catalog) as jackfield,
    ):
        yield jackfield


@contextmanager
def _both(folder: Path, url: str, policy: Policy) -> Iterator[tuple[Jackfield, Jackfield]]:
    """A runtime without the policy, and one with it, which has not been used yet."""
    with (
        _unjudged(folder, url) as other,
        Jackfield(
            database_url=url, environment=policy.environment, connections=(), catalog=other.catalog
        ) as judged,
    ):
        yield other, judged


def _settings(jackfield: Jackfield) -> SharedSettings:
    return SharedSettings(jackfield.storage, SystemClock(), Actor("cli", "ada"))


def test_a_process_without_the_policy_begins_nothing(
    tmp_path: Path, policy: Policy, database_url: str
) -> None:
    """Reads, writes and rehearsals, at once or queued, one or many: from the first call of a
    process that has a policy.
    """
    with _both(tmp_path / "plugs", database_url, policy) as (other, judged):
        assert other.invoke(call("find"), caller=AGENT).output == {"name": "ada", "number": NUMBER}
        assert "number" not in (judged.invoke(call("find"), caller=AGENT).output or {})
        for given in (call("find"), call("save"), call("order"), call("save", dryRun=True)):
            found = other.invoke(given, caller=AGENT)
            assert found.error is not None
            assert (found.status, found.error.code, found.error.message) == (
                "failed",
                "unavailable",
                SAID,
            )
            assert "JACKFIELD_POLICY_URL" in (found.error.hint or "")
        with pytest.raises(Unavailable, match="this process has none"):
            other.enqueue(call("save"), caller=AGENT)
        (line,) = other.enqueue_many([call("save")], caller=AGENT)
        assert line.to_json()["error"]["message"] == SAID
        assert judged.invoke(call("save"), caller=AGENT).status == "succeeded"


def test_a_worker_without_it_puts_a_claimed_call_off(
    tmp_path: Path, policy: Policy, database_url: str
) -> None:
    """One that it had claimed before it knew goes back to the queue, and runs where there is a
    policy.
    """
    with _both(tmp_path / "plugs", database_url, policy) as (other, judged):
        queued = judged.enqueue(call("save"), caller=AGENT)
        assert isinstance(queued, str)
        (claimed,) = Queue(other.storage.database).claim(10)
        with pytest.raises(PostponedError):
            other.run(claimed)
        assert other.storage.shared.rests()
        assert not judged.storage.shared.rests()
        assert judged.journal_of().find(queued).is_open


def test_the_digest_is_stored_and_audited_once(
    tmp_path: Path, policy: Policy, database_url: str
) -> None:
    """The URL is not: others are told that theirs differs. The operator takes the fact back, and it
    returns with a process that judges.
    """
    with judging(tmp_path / "plugs", database_url, policy) as judged:
        judged.invoke(call("find"), caller=AGENT)
        settings, shared = _settings(judged), judged.storage.shared
        about = settings.find("policy")
        assert about["value"] == shared.own["policy"]
        assert about["value"].startswith("sha256:")
        url = policy.environment["JACKFIELD_POLICY_URL"]
        assert settings.set("policy", url)["value"] == about["value"]
        storage = judged.storage
        events = [
            one.about
            for one in Audit(
                storage.database, lambda: storage.vault, "default", SystemClock()
            ).all()
        ]
        assert [one["object"] for one in events if one["event"] == "setting.changed"] == [
            "setting:policy"
        ] * 2
        assert url not in str(events)
        settings.unset("policy")
        shared.renewed("me", 6.0)
        shared.renewed("me", 6.0)
        assert settings.find("policy")["value"] == about["value"]
    with _unjudged(tmp_path / "open", database_url) as other:
        other.storage.shared.renewed("other", 6.0)
        told = other.storage.shared.warning() or ""
        assert "the setting policy differs between processes of this database: 'sha256:" in told
        assert "this process has no policy, so it begins no call: set JACKFIELD_POLICY_URL" in told
        assert other.invoke(call("find"), caller=AGENT).status == "failed"
        _settings(other).unset("policy")
        assert other.invoke(call("find"), caller=AGENT).status == "succeeded"


def test_a_row_that_was_changed_allows_nothing(
    tmp_path: Path, policy: Policy, database_url: str
) -> None:
    """Whoever writes to the database does not switch the policy off by a value of his own."""
    with judging(tmp_path / "plugs", database_url, policy) as judged:
        judged.invoke(call("find"), caller=AGENT)
        with judged.storage.database.write() as transaction:
            transaction.change(
                "UPDATE settings SET value = '', seal = :seal WHERE name = 'policy'", {"seal": b"x"}
            )
    with _unjudged(tmp_path / "open", database_url) as other:
        assert other.invoke(call("find"), caller=AGENT).status == "failed"
        other.storage.shared.read()
        assert other.storage.shared.rests()


def test_another_policy_judges_and_is_told(
    tmp_path: Path, policy: Policy, database_url: str
) -> None:
    """Processes may reach one service by several addresses: those are compared, and calls are
    judged by each.
    """
    with judging(tmp_path / "plugs", database_url, policy) as judged:
        judged.invoke(call("find"), caller=AGENT)
        environment = {
            **policy.environment,
            "JACKFIELD_POLICY_URL": policy.environment["JACKFIELD_POLICY_URL"] + "/other",
        }
        with Storage(database_url, environment, SystemClock()) as other:
            other.shared.renewed("other", 6.0)
            assert "the setting policy differs" in (other.shared.warning() or "")
            assert (other.lacks_policy(), other.shared.rests()) == (False, False)
