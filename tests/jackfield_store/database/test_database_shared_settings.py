"""Settings that all processes on a database share: what may be stored, who may have written it, and
how processes are compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from http_stand import clean
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield_store.access import Audit
from jackfield_store.database import open_database
from jackfield_store.database.setting_rows import differences
from jackfield_store.management.shared_settings import SharedSettings
from jackfield_store.resources.storage import Storage

ADA = Actor("cli", "ada")


@pytest.fixture
def environment(tmp_path: Path, database_url: str) -> dict[str, str]:
    """Variables that name a database without rows of its own."""
    open_database(database_url, migrate=True).close()
    return clean(tmp_path / "home", JACKFIELD_DATABASE_URL=database_url)


@contextmanager
def _stored(environment: dict[str, str]) -> Iterator[SharedSettings]:
    with Storage(None, environment, SystemClock()) as storage:
        yield SharedSettings(storage, SystemClock(), ADA)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowHosts", "http://crm.internal"),
        ("allowHosts", "10.0.0.0/99"),
        ("allowHosts", " , "),
        ("allowHosts", " ".join(f"h{number}" for number in range(101))),
        ("allowHosts", "crm.internal\x00"),
        ("twins", "yes"),
        ("publicUrl", "jackfield.example.com"),
        ("publicUrl", "https://ada:secret@jackfield.example.com"),
        ("publicURL", "https://jackfield.example.com"),
    ],
)
def test_what_is_no_setting_is_refused(environment: dict[str, str], name: str, value: str) -> None:
    """A value that does not fit, and a name that is none, are refused, and nothing is stored."""
    with _stored(environment) as settings:
        with pytest.raises(InvalidInvocation) as caught:
            settings.set(name, value)
        assert caught.value.hint
        assert [one["value"] for one in settings.list()] == [None] * 7


def test_each_change_is_audited(environment: dict[str, str]) -> None:
    """Who stored what, and what was there before; an unset that changes nothing is no act."""
    with _stored(environment) as settings:
        settings.set("allowHosts", "a.internal")
        settings.set("allowHosts", "b.internal")
        settings.unset("allowHosts")
        settings.unset("allowHosts")
        storage = settings._storage
        log = [
            one.about
            for one in Audit(
                storage.database, lambda: storage.vault, "default", SystemClock(), ADA
            ).all()
        ]
    assert [(one["actor"]["id"], one["event"], one["object"]) for one in log] == [
        ("ada", "setting.changed", "setting:allowHosts")
    ] * 3
    assert [one["details"] for one in log] == [
        {"before": None, "after": "a.internal"},
        {"before": "a.internal", "after": "b.internal"},
        {"before": "b.internal", "after": None},
    ]


def test_who_writes_to_the_database_allows_nothing(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """A value that was changed, or put there, without the master key does not hold: the operator is
    told, and sets it again.
    """
    with _stored(environment) as settings, Storage(None, environment, SystemClock()) as storage:
        settings.set("allowHosts", "a.internal")
        assert storage.allowed_hosts() == ("a.internal",)
        with storage.database.write() as transaction:
            transaction.change("UPDATE settings SET value = '0.0.0.0/0'", {})
            transaction.change(
                "INSERT INTO settings (name, value, changed_at, seal) VALUES ('publicUrl', "
                "'https://x.example', 0, :seal)",
                {"seal": b"x"},
            )
        storage.shared.read()
        assert (storage.allowed_hosts(), storage.shared.known("publicUrl")) == ((), "")
        assert "the stored setting allowHosts, publicUrl was changed in the database" in caplog.text
        assert ["problem" in one for one in settings.list()] == [
            True,
            True,
            False,
            False,
            False,
            False,
            False,
        ]
        settings.set("allowHosts", "b.internal")
        storage.shared.read()
        assert storage.allowed_hosts() == ("b.internal",)


def test_a_database_that_does_not_answer_leaves_what_was_read(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read last holds while the database is away; where nothing was read, nothing is
    allowed.
    """
    with _stored(environment) as settings, Storage(None, environment, SystemClock()) as storage:
        settings.set("allowHosts", "a.internal")

        def away(*_given: object, **_more: object) -> None:
            raise Unavailable("the database does not answer")

        with monkeypatch.context() as without:
            without.setattr(type(storage.database), "read", away)
            assert storage.allowed_hosts() == ()
        storage.shared.read()
        with monkeypatch.context() as without:
            without.setattr(type(storage.database), "read", away)
            storage.shared._reading = None
            assert storage.allowed_hosts() == ("a.internal",)


def _process(identifier: str, pid: int, settings: str) -> Any:
    """A row of a process that publishes its settings."""
    return SimpleNamespace(id=identifier, host="h", pid=pid, settings=settings)


def test_processes_are_compared_by_what_holds_in_them() -> None:
    """The order of hosts is no difference, an older process that publishes nothing is none, and
    what the database holds is not believed.
    """
    other = _process("b", 2, json.dumps({"allowHosts": "b a"}))
    assert differences({}, {"allowHosts": "a b"}, [other], "me") == []
    mine = _process("me", 1, json.dumps({"allowHosts": "x"}))
    assert differences({}, {"allowHosts": "a b"}, [mine, other], "me") == []
    for text in ("[]", "no JSON", '{"allowHosts": 7}'):
        strange = _process("c", 3, text)
        (found,) = differences({}, {"allowHosts": "a"}, [strange], "me")
        assert found.warning.endswith(
            "'a' in this process (JACKFIELD_ALLOW_HOSTS or an option); none in process 3 on h"
        )
    many = [_process(str(number), number, "{}") for number in range(7)]
    (found,) = differences({}, {"allowHosts": "a"}, many, "me")
    assert found.warning.endswith("process 4 on h and 2 others")
