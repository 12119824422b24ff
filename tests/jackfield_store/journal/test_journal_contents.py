"""A call is found by what it was about: a recipient in its recorded inputs, or the words of its
error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clocks import FakeClock
from fake_aws import FakeAws
from jackfield.invocation import Result
from jackfield_store.database import open_database
from jackfield_store.journal import contents
from jackfield_store.journal.contents import containing
from jackfield_store.runtime import Jackfield
from nursery import connection, mail


@pytest.fixture
def jackfield(database_url: str, aws: FakeAws, clock: FakeClock) -> Iterator[Jackfield]:
    """A runtime on a database of each kind, whose workspace records inputs."""
    open_database(database_url, migrate=True).close()
    with Jackfield(
        connections=[connection(aws.url)], database_url=database_url, clock=clock
    ) as opened:
        opened.access.workspaces.set("default", {"keepInputs": True})
        yield opened


def _sent(jackfield: Jackfield, key: str, **inputs: Any) -> Result:
    asked = mail(key)
    return jackfield.invoke({**asked, "inputs": {**asked["inputs"], **inputs}})


def _found(jackfield: Jackfield, text: str, **filters: Any) -> list[str]:
    assert jackfield.journal is not None
    return [entry.id for entry in containing(jackfield.journal, text, **filters).entries]


def test_a_call_is_found_by_its_recipient_and_by_its_error(jackfield: Jackfield) -> None:
    """In any case, within the other filters; what is masked, and what was not recorded, is not
    found.
    """
    sent = _sent(
        jackfield, "order-1", to=["Bob@customer.example"], subject="Invoice 4712"
    ).meta.invocation_id
    refused = _sent(jackfield, "order-2", to=["nobody"]).meta.invocation_id
    for text in ("bob@customer.example", "invoice 4712"):
        assert _found(jackfield, text) == [sent]
    assert _found(jackfield, "bob@", status="failed") == []
    assert _found(jackfield, "nobody", status="failed") == [refused]
    assert jackfield.journal is not None
    said = str((jackfield.journal.find(refused).result or {})["error"]["message"])
    assert _found(jackfield, said.upper()) == [refused]
    jackfield.access.workspaces.set("default", {"keepInputs": False})
    _sent(jackfield, "order-3", to=["eve@customer.example"])
    assert _found(jackfield, "eve@") == []


def test_the_newest_are_looked_at(jackfield: Jackfield, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as a search may open; it says whether older ones were not."""
    monkeypatch.setattr(contents, "MOST", 2)
    monkeypatch.setattr(contents, "_AT_ONCE", 2)
    first, *others = (
        _sent(jackfield, f"order-{number}", subject="Invoice").meta.invocation_id
        for number in range(3)
    )
    assert jackfield.journal is not None
    found = containing(jackfield.journal, "invoice")
    assert ([entry.id for entry in found.entries], found.looked_at, found.is_cut) == (
        others[::-1],
        2,
        True,
    )
    assert first not in [entry.id for entry in found.entries]


def test_a_damaged_entry_hides_no_other(jackfield: Jackfield) -> None:
    """Its inputs cannot be opened; the others are found."""
    kept, broken = (
        _sent(jackfield, key, subject="Invoice").meta.invocation_id
        for key in ("order-1", "order-2")
    )
    journal = jackfield.journal
    assert journal is not None
    with journal.database.write() as transaction:
        transaction.change(
            "UPDATE invocations SET inputs = :wrong WHERE id = :id",
            {"wrong": b"\0" * 40, "id": broken},
        )
    assert _found(jackfield, "invoice") == [kept]
