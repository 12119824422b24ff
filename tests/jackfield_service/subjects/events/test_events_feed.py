"""The feed of events: what is told, exactly once, in the order of commits, by cursor; on SQLite and
PostgreSQL.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from dead_letters import give_up
from fake_aws import FakeAws
from jackfield.callers import Caller, Rules
from jackfield.callers.actor import Actor
from jackfield.invocation import Meta, Result
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.subjects.events import CursorExpired, Event, Feed, check_types
from jackfield_store.access import Audit, Workspaces
from jackfield_store.database import open_database
from jackfield_store.database.faults import KeyServiceRefused
from jackfield_store.database.outbox import record
from jackfield_store.journal import Queue
from jackfield_store.journal.instance import Instance
from jackfield_store.journal.recovery import DELIVERIES
from jackfield_store.management.dead_letters import audited_dead_letters
from jackfield_store.runtime import Jackfield
from nursery import connection

_COMMITS = int(os.environ.get("SIZE", "100000")) // (16 * 50)
"""Commits of each of 16 writers in a campaign, with 50 events each."""
READ = {
    "connector": "aws-ses",
    "action": "listIdentities",
    "connection": "acme-ses",
    "inputs": {"awsRegion": "eu-west-1"},
}


@pytest.fixture
def place(database_url: str) -> Iterator[SimpleNamespace]:
    """A runtime with a queue, and a feed of all events."""
    open_database(database_url, migrate=True).close()
    with (
        FakeAws() as aws,
        Jackfield(connections=[connection(aws.url)], database_url=database_url) as jackfield,
    ):
        database, vault = jackfield.storage.database, jackfield.storage.vault
        feed = Feed(database, vault, "default")
        yield SimpleNamespace(
            jackfield=jackfield,
            journal=jackfield.journal,
            database=database,
            vault=vault,
            queue=Queue(database),
            feed=feed,
        )


def ran(place: SimpleNamespace, **more: Any) -> str:
    """Queue an invocation and run it; its id."""
    identifier: str = place.jackfield.enqueue({**READ, **more})
    place.jackfield.run(place.queue.claim_one("default", identifier))
    return identifier


def told(place: SimpleNamespace, *types: str) -> list[Event]:
    """All events of some types."""
    return list(place.jackfield.events(types=types or ("invocation.*",)))


def test_the_end_of_a_queued_invocation_is_an_event(place: SimpleNamespace) -> None:
    """It has the status, the ids and the labels, but neither inputs nor output; its id is a
    UUIDv7.
    """
    identifier = ran(place, context={"correlationId": "order-1", "labels": {"team": "crm"}})
    (event,) = told(place)
    assert (event.type, event.subject, event.sequence) == ("invocation.finished", identifier, 1)
    assert event.id[14] == "7"
    about = {
        name: event.data[name]
        for name in (
            "invocationId",
            "status",
            "connector",
            "action",
            "connection",
            "correlationId",
            "labels",
        )
    }
    assert about == {
        "invocationId": identifier,
        "status": "succeeded",
        "connector": "aws-ses",
        "action": "listIdentities",
        "connection": "acme-ses",
        "correlationId": "order-1",
        "labels": {"team": "crm"},
    }
    assert not {"output", "inputs", "errorCode", "context"} & event.data.keys()
    assert event.to_json()["timestamp"].endswith("Z")


def test_labels_may_be_any_text(place: SimpleNamespace) -> None:
    """Also what no database stores as text, and what is not Unicode: the event has them as they
    were given.
    """
    labels = {"größe": "☃", "nul": "\0", "lone": json.loads('"\\ud800"')}
    ran(place, context={"labels": labels})
    assert told(place)[0].data["labels"] == labels


def test_other_calls_are_told_of_only_if_they_ask(place: SimpleNamespace) -> None:
    """``context.notify`` makes an event of a call's end, refused ones and failures included; a
    label cannot.
    """
    place.jackfield.invoke(READ)
    place.jackfield.invoke(
        {**READ, "context": {"labels": {"notify": "true", "a": '"notify": true'}}}
    )
    asked = place.jackfield.invoke({**READ, "context": {"notify": True}}).meta.invocation_id
    refused = place.jackfield.invoke(
        {**READ, "inputs": {"nope": 1}, "context": {"notify": True}}
    ).meta.invocation_id
    events = told(place)
    assert [
        (event.subject, event.data["status"], event.data.get("errorCode")) for event in events
    ] == [
        (asked, "succeeded", None),
        (refused, "failed", "invalid_input"),
    ]


def test_notify_is_a_boolean(place: SimpleNamespace) -> None:
    """Anything else is refused where it stands."""
    result = place.jackfield.invoke({**READ, "context": {"notify": "yes"}})
    assert result.error is not None
    assert [fault.path for fault in result.error.details] == ["/context/notify"]


def test_a_first_end_is_told_once_and_its_correction_as_resolved(place: SimpleNamespace) -> None:
    """A run that was given up is finished; what its worker tells later is a correction, and not a
    second end.
    """
    identifier = place.jackfield.enqueue(READ)
    give_up(place.journal, "default", identifier)
    owner = Instance.of(place.database).owner
    place.database.record(
        lambda transaction: transaction.change(
            "UPDATE invocations SET owner = :owner", {"owner": owner}
        )
    )
    done = Result("succeeded", Meta(identifier), {"Identities": []})
    for _ in range(2):  # the second one changes nothing
        place.database.record(
            place.journal.finishing(place.journal.find(identifier), done, (), None, DELIVERIES)
        )
    assert [
        (event.type, event.data["status"], event.data.get("previousStatus"))
        for event in told(place)
    ] == [
        ("invocation.finished", "failed", None),
        ("invocation.resolved", "succeeded", "failed"),
    ]


def test_the_end_of_a_redriven_invocation_is_no_second_first_end(place: SimpleNamespace) -> None:
    """``invocation.finished`` comes once for an invocation, whatever a person does with it."""
    identifier = place.jackfield.enqueue(READ)
    give_up(place.journal, "default", identifier)
    audited_dead_letters(
        place.jackfield.storage, "default", SystemClock(), Actor("cli", "ada")
    ).redrive(identifier)
    place.jackfield.run(place.queue.claim_one("default", identifier))
    assert [event.type for event in told(place)] == ["invocation.finished", "invocation.resolved"]


def test_a_resolved_doubt_is_told(place: SimpleNamespace) -> None:
    """The event says who resolved it, and as what."""
    identifier = ran(place)
    change = "UPDATE invocations SET status = 'in_doubt', error_code = 'in_doubt' WHERE id = :id"
    place.database.record(lambda transaction: transaction.change(change, {"id": identifier}))
    place.journal.resolve(identifier, "failed", "ada")
    event = told(place, "invocation.resolved")[-1]
    assert (event.data["status"], event.data["previousStatus"], event.data["resolvedBy"]) == (
        "failed",
        "in_doubt",
        "ada",
    )


def test_an_outcome_that_contradicts_a_person_is_told_as_nobodys_decision(
    place: SimpleNamespace,
) -> None:
    """A doubt was resolved wrongly, then its outcome arrived: who had decided is said of the
    decision only.
    """
    identifier = place.jackfield.enqueue(READ)
    give_up(place.journal, "default", identifier)
    change = "UPDATE invocations SET owner = :owner, status = 'in_doubt', error_code = 'in_doubt'"
    place.database.record(
        lambda transaction: transaction.change(change, {"owner": Instance.of(place.database).owner})
    )
    place.journal.resolve(identifier, "failed", "ada")
    done = Result("succeeded", Meta(identifier), {"Identities": []})
    place.database.record(
        place.journal.finishing(place.journal.find(identifier), done, (), None, DELIVERIES)
    )
    events = told(place, "invocation.resolved")[-2:]
    found = [
        (event.data["status"], event.data["previousStatus"], event.data.get("resolvedBy"))
        for event in events
    ]
    assert found == [("failed", "in_doubt", "ada"), ("succeeded", "failed", None)]
    (event,) = told(place, "invocation.contradicted")
    assert (event.data["status"], event.data["resolvedBy"], event.data["verdict"]) == (
        "succeeded",
        "ada",
        "took",
    )


def test_the_audit_log_is_told(place: SimpleNamespace) -> None:
    """Each entry is an event with the entry as its data."""
    Audit(
        place.database, lambda: place.vault, "default", SystemClock(), Actor("cli", "ada")
    ).record("connection.exported", "connections")
    (event,) = told(place, "audit.*")
    assert (event.type, event.subject, event.data["actor"]) == (
        "audit.connection.exported",
        "connections",
        {"kind": "cli", "id": "ada"},
    )


def test_connections_are_told(place: SimpleNamespace) -> None:
    """A status that changes for the worse, back again, and new values are events about the
    connection's name.
    """
    values = {"accessKeyId": "AKIA4711", "secretAccessKey": "s3cret"}
    place.jackfield.connections.add("billing", "aws-ses/apiKeySecret", values, test=False)
    for status in ("ok", "failing", "failing", "ok", "expired"):
        change = "UPDATE connections SET status = :status WHERE name = 'billing'"
        place.database.record(
            lambda transaction, status=status, change=change: transaction.change(
                change, {"status": status}
            )
        )
    found = [
        (event.type, event.subject, event.data["connection"])
        for event in told(place, "connection.*")
    ]
    assert found == [
        (f"connection.{kind}", "billing", "billing") for kind in ("failing", "recovered", "expired")
    ]


def test_workspaces_that_are_suspended_and_resumed_are_told(place: SimpleNamespace) -> None:
    """Each change of ``suspended`` is an event of that workspace; what was so already, other
    settings and a refused change are none.
    """
    workspaces = Workspaces(place.database, place.vault, SystemClock())
    workspaces.create("acme", {"suspended": True})
    changes: list[dict[str, Any]] = [
        {"suspended": True},
        {"keepInputs": True},
        {"suspended": False},
        {"suspended": False},
        {"suspended": True, "retentionDays": 7},
        {"keepInputs": False},
        {"suspended": "no"},
        {"suspended": False, "retentionDays": 0},
        {"suspended": False},
    ]
    for change in changes:
        with suppress(InvalidInvocation):
            workspaces.set("acme", change)
    events = Feed(place.database, place.vault, "acme").page(types=["workspace.*"]).events
    assert [event.type for event in events] == [
        "workspace.resumed",
        "workspace.suspended",
        "workspace.resumed",
    ]
    assert {(event.subject, *event.data.items()) for event in events} == {
        ("acme", ("workspace", "acme"))
    }
    assert abs(events[0].at - SystemClock().time()) < 600
    assert told(place, "workspace.*") == []


def test_suspensions_at_the_same_time_are_told_once(place: SimpleNamespace) -> None:
    """Of many that suspend a workspace at once, one changes something; the workspace ``default`` is
    told of like any other.
    """
    workspaces = Workspaces(place.database, place.vault, SystemClock())
    for suspended in (True, False):
        with ThreadPoolExecutor(8) as threads:
            list(
                threads.map(
                    lambda _, suspended=suspended: workspaces.set(
                        "default", {"suspended": suspended}
                    ),
                    range(16),
                )
            )
    assert [(event.type, event.subject) for event in told(place, "workspace.*")] == [
        ("workspace.suspended", "default"),
        ("workspace.resumed", "default"),
    ]


def test_pages_go_on_at_the_cursor(place: SimpleNamespace) -> None:
    """Pages of any size and of any types give each event once; an empty page has a cursor, too."""
    _record(place, 25)
    found: list[int] = []
    page = place.feed.page(limit=7)
    while page.events:
        found += [event.sequence for event in page.events]
        page = place.feed.page(page.cursor, limit=7)
    assert found == list(range(1, 26))
    assert (
        place.feed.page(page.cursor).cursor == page.cursor == place.feed.page("24").events[0].cursor
    )
    only = place.feed.page("3", ["schedule.*", "quota.low"], limit=5)
    assert [event.sequence for event in only.events] == [5, 10, 15, 20, 25]
    assert place.feed.page("3", ["quota.low"]).cursor == page.cursor


def test_a_page_of_large_events_has_fewer(place: SimpleNamespace) -> None:
    """Pages are limited in bytes, too: one has at most 4 MiB before its last event, and a cursor
    behind that; none is lost or told twice. One event that is larger than a page is a page.
    """
    sizes = [1, 1_500_000, 1_500_000, 10, 1_500_000, 6_000_000, 1, 1, 1_500_000]
    for number, size in enumerate(sizes):
        place.database.record(
            lambda transaction, number=number, size=size: record(
                transaction, "default", "quota.low", f"s-{number}", 1.0, {"text": "x" * size}
            )
        )
    feed = Feed(place.database, place.vault, "default")
    cursor, pages = "0", list[list[str]]()
    while (page := feed.page(cursor, ("quota.*",), 200)).events:
        pages.append([event.subject for event in page.events])
        cursor = page.cursor
    assert [subject for page in pages for subject in page] == [
        f"s-{number}" for number in range(len(sizes))
    ]
    assert [len(page) for page in pages] == [5, 1, 3]


def test_the_sequence_of_an_event_is_a_cursor(place: SimpleNamespace) -> None:
    """Reading goes on after a number as after its text, and a single type needs no list."""
    _record(place, 3)
    (last,) = place.jackfield.events(after=2)
    assert [event.id for event in place.jackfield.events(after="2", types=last.type)] == [last.id]
    assert not list(place.jackfield.events(after=last.sequence))


def test_cursors_that_do_not_fit_are_refused(place: SimpleNamespace) -> None:
    """One that is older than the events kept, one of another database, and no cursor at all."""
    _record(place, 4)
    place.feed.page()
    place.database.record(
        lambda transaction: transaction.change("DELETE FROM events WHERE sequence <= 2")
    )
    place.database.record(
        lambda transaction: transaction.change("UPDATE event_heads SET purged = 2")
    )
    with pytest.raises(CursorExpired, match="has expired") as expired:
        place.feed.page("1")
    assert expired.value.oldest == "2"
    assert [event.sequence for event in place.feed.page(expired.value.oldest).events] == [3, 4]
    assert [event.sequence for event in place.feed.page().events] == [3, 4]
    with pytest.raises(CursorExpired, match="not of this database"):
        place.feed.page("5")
    for cursor in ("", "-1", "x", "9" * 30, -1, 10**30, True):
        with pytest.raises(InvalidInvocation, match="is not a cursor"):
            place.feed.page(cursor)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("invocation.finishd", "did you mean 'invocation.finished'"),
        ("a-b", "pattern"),
        ("", "pattern"),
    ],
)
def test_types_that_do_not_exist_are_refused(given: str, says: str, place: SimpleNamespace) -> None:
    """A typo would wait for ever."""
    with pytest.raises(InvalidInvocation, match=says):
        place.feed.page(types=[given])


def test_data_are_sealed_at_rest(place: SimpleNamespace) -> None:
    """A numbered event's labels cannot be read in the database, nor moved to another event."""
    ran(place, context={"labels": {"customer": "lovelace-4711"}})
    ran(place)
    place.feed.page()
    with place.database.read() as transaction:
        assert transaction.execute("SELECT * FROM outbox") == []
        rows = transaction.execute("SELECT data FROM events ORDER BY sequence")
    assert b"lovelace" not in rows[0].data
    values = {"data": rows[0].data}
    place.database.record(
        lambda transaction: transaction.change(
            "UPDATE events SET data = :data WHERE sequence = 2", values
        )
    )
    assert dict(place.feed.page("1").events[0].data) == {
        "problem": "its row in the database is damaged"
    }


def test_what_is_rolled_back_is_not_told(place: SimpleNamespace) -> None:
    """Neither the change nor its event."""

    def unit(transaction: Any) -> None:
        record(transaction, "default", "quota.low", "acme", 1.0, {})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        place.database.record(unit)
    assert place.feed.page().events == ()


def test_workspaces_have_events_of_their_own(place: SimpleNamespace) -> None:
    """Each is numbered from 1, and sees its own."""
    _record(place, 3)
    _record(place, 2, "acme")
    other = Feed(place.database, place.vault, "acme")
    assert [event.sequence for event in other.page().events] == [1, 2]
    assert [event.sequence for event in place.feed.page().events] == [1, 2, 3]
    with pytest.raises(InvalidInvocation, match="no event has the ID"):
        other.find(place.feed.page().events[0].id)


def test_a_token_sees_events_of_what_it_sees(place: SimpleNamespace) -> None:
    """Rules hide the invocations that they forbid; without rules, only ``manage`` sees the audit
    log.
    """
    identifier = ran(place)
    Audit(place.database, lambda: place.vault, "default", SystemClock()).record(
        "connection.exported", "connections"
    )
    allowed = Caller("t", "manage", Rules(("effect:read",), ()), remote=True)
    forbidden = Caller("t", "manage", Rules((), ("effect:read",)), remote=True)
    reader = Caller("t", "read", None, remote=True)
    seen = {
        caller: [event.subject for event in place.jackfield.events(caller=caller)]
        for caller in (allowed, forbidden, reader)
    }
    assert list(seen.values()) == [[identifier], [], [identifier]]


def test_a_reader_that_waits_is_woken(place: SimpleNamespace) -> None:
    """``for`` and ``async for`` return an event that comes while they wait, and end when none
    does.
    """
    later = threading.Timer(0.3, lambda: _record(place, 1))
    later.start()
    stream = iter(place.jackfield.events(wait=30.0))
    assert next(stream).sequence == 1
    later.join()
    assert [event.sequence for event in place.jackfield.events(wait=math.nan)] == [1]

    async def collected() -> list[int]:
        return [event.sequence async for event in place.jackfield.events(after="0")]

    assert asyncio.run(collected()) == [1]


def test_a_reader_does_not_spin_while_a_key_service_refuses(
    place: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that wait for their keys make no page after page without a pause, and are not lost; a
    reader who waits for none ends.
    """

    def refuses(_workspace: str) -> None:
        raise KeyServiceRefused("the key service refuses: permission denied")

    _record(place, 1)
    with monkeypatch.context() as without:
        without.setattr(type(place.vault), "prepare", lambda _vault, workspace: refuses(workspace))
        assert list(place.jackfield.events()) == []
        pages = place.jackfield.events(wait=60.0).pages()
        assert [next(pages) for _ in range(3)] == [()] * 3
    assert [event.sequence for event in next(pages)] == [1]


def test_no_database_no_events() -> None:
    """Both the feed and the wish for an event are refused."""
    with Jackfield(database_url="none") as jackfield:
        with pytest.raises(InvalidInvocation, match="events need a database"):
            jackfield.events()
        result = jackfield.invoke({**READ, "context": {"notify": True}})
    assert result.error is not None
    assert [fault.path for fault in result.error.details] == ["/context/notify"]


@pytest.mark.parametrize(
    ("commits", "each", "seconds"),
    [(12, 1, 0.02), pytest.param(_COMMITS, 50, 2.0, marks=pytest.mark.campaign)],
)
def test_no_reader_overtakes_a_commit(
    database_url: str, commits: int, each: int, seconds: float
) -> None:
    """16 writers hold transactions open for random times, three readers go on by cursor: none skips
    an event, and each subject's are in order.
    """
    open_database(database_url, migrate=True).close()
    writers, count = 16, commits * each
    # SQLite has one writer at a time
    hold = seconds if database_url.startswith("postgresql") else min(seconds, 0.02)
    done = threading.Event()

    def writes(writer: int) -> None:
        chance = random.Random(writer)
        with closing(open_database(database_url)) as database:
            for first in range(0, count, each):
                with database.write() as transaction:
                    for number in range(first, first + each):
                        record(
                            transaction,
                            "default",
                            "quota.low",
                            f"writer-{writer}",
                            1.0,
                            {"number": number},
                        )
                    done.wait(chance.random() * hold)

    def reads(found: list[tuple[str, int]]) -> None:
        with Jackfield(database_url=database_url) as jackfield:
            for event in jackfield.events(wait=60.0):
                found.append((event.subject, event.data["number"]))
                if len(found) == count * writers:
                    return

    seen: list[list[tuple[str, int]]] = [[], [], []]
    threads = [threading.Thread(target=writes, args=(writer,)) for writer in range(writers)]
    threads += [threading.Thread(target=reads, args=(found,)) for found in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0] == seen[1] == seen[2]
    for writer in range(writers):
        assert [number for subject, number in seen[0] if subject == f"writer-{writer}"] == list(
            range(count)
        )


def _record(place: SimpleNamespace, count: int, workspace: str = "default") -> None:
    """Record events of two types; every fifth is of the second."""

    def unit(transaction: Any) -> None:
        for number in range(1, count + 1):
            kind = "schedule.missed" if number % 5 == 0 else "callback.paused"
            record(transaction, workspace, kind, f"s{number}", 1.5, {"number": number})

    place.database.record(unit)


def test_facts_that_somebody_has_damaged_are_left_out(place: SimpleNamespace) -> None:
    """The event is told all the same, and does not hold up those after it."""
    _record(place, 1)
    for facts in ("[]", "{", json.dumps({"context": "{"})):
        values = {"facts": facts}
        statement = (
            "INSERT INTO outbox (workspace, type, subject, at, facts) VALUES ('default', "
            "'invocation.finished', 'x', 1, :facts)"
        )
        place.database.record(
            lambda transaction, statement=statement, values=values: transaction.change(
                statement, values
            )
        )
    assert [dict(event.data) for event in place.feed.page("1").events] == [
        {},
        {},
        {"invocationId": "x"},
    ]


@pytest.mark.parametrize(
    "text",
    [
        "workspce.suspended",
        "invocation.finishd",
        "callbacks.*",
        "invocation.*.x",
        "invocation",
        "bounce",
    ],
)
def test_types_that_no_event_has_are_refused(text: str) -> None:
    """A typo would wait for ever: the family, too, must be one that there is."""
    with pytest.raises(InvalidInvocation):
        check_types([text])
