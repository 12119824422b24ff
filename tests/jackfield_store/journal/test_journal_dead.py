"""Dead letters: kept with their invocation, listed, and queued again on a person's word; and the
figures of the queue.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

from dead_letters import give_up
from fake_aws import FakeAws
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import IdempotencyConflict, InvalidInvocation
from jackfield_store.access import Audit
from jackfield_store.database import open_database
from jackfield_store.journal import Queue
from jackfield_store.journal import queue_stats as queue_stats_module
from jackfield_store.journal.counts import open_now
from jackfield_store.journal.instance import Instance
from jackfield_store.journal.queue_stats import NAMES, queue_stats
from jackfield_store.journal.recovery import DELIVERIES
from jackfield_store.management.dead_letters import audited_dead_letters
from jackfield_store.runtime import Jackfield
from nursery import connection

READ = {
    "connector": "aws-ses",
    "action": "listIdentities",
    "connection": "acme-ses",
    "inputs": {"awsRegion": "eu-west-1"},
}


@pytest.fixture
def place(database_url: str) -> Iterator[SimpleNamespace]:
    """A runtime with a queue, and its dead letters."""
    open_database(database_url, migrate=True).close()
    with (
        FakeAws() as aws,
        Jackfield(connections=[connection(aws.url)], database_url=database_url) as jackfield,
    ):
        database = jackfield.storage.database
        letters = audited_dead_letters(
            jackfield.storage, "default", SystemClock(), Actor("cli", "ada")
        )
        yield SimpleNamespace(
            jackfield=jackfield,
            journal=jackfield.journal,
            database=database,
            queue=Queue(database),
            letters=letters,
        )


def killed(place: SimpleNamespace, **more: Any) -> str:
    """Queue an invocation that takes five workers down; its id."""
    identifier: str = place.jackfield.enqueue({**READ, **more})
    give_up(place.journal, "default", identifier)
    return identifier


def test_of_invocations_that_were_lost_twice_one_is_claimed_at_a_time(
    place: SimpleNamespace,
) -> None:
    """A broker returns the messages of a lost worker all at once: the neighbours of an invocation
    that ends its worker were claimed with it again and again, and on a slow machine were given up
    with it.
    """
    first, second = (place.jackfield.enqueue(READ) for _ in range(2))
    for identifier in (first, second):
        give_up(place.journal, "default", identifier, 2)
    claimed = place.queue.claim_one("default", first)
    assert claimed is not None
    assert place.queue.claim_one("default", second) is None
    place.queue.release("default", first, claimed.delivery)
    assert place.queue.claim_one("default", second) is not None


def test_a_redriven_invocation_runs_with_a_fresh_count(place: SimpleNamespace) -> None:
    """It keeps its inputs and its key, begins with no lost deliveries, and the audit log names who
    did it.
    """
    identifier = killed(place, idempotencyKey="order-1")
    assert place.journal.find(identifier).to_json()["deadAt"]
    rows, cursor = place.letters.page(None, 10)
    assert ([row.id for row in rows], cursor) == ([identifier], None)
    place.letters.redrive(identifier)
    shown = place.journal.find(identifier).to_json()
    assert (shown["status"], shown.get("deliveries"), shown.get("deadAt"), shown.get("error")) == (
        "queued",
        None,
        None,
        None,
    )
    held = place.journal.held("order-1")
    assert held is not None
    assert held.id == identifier
    claimed = place.queue.claim_one("default", identifier)
    assert claimed is not None
    assert claimed.delivery == DELIVERIES + 1
    assert (
        place.journal.opened_inputs(identifier, claimed.sealed)["invocation"]["inputs"]
        == READ["inputs"]
    )
    entries, _ = Audit(
        place.database, lambda: place.jackfield.storage.vault, "default", SystemClock()
    ).list(event="invocation.redriven")
    assert [(entry.to_json()["object"], entry.to_json()["actor"]["id"]) for entry in entries] == [
        (f"invocation:{identifier}", "ada")
    ]


def test_dead_letters_are_a_filter_of_the_list(place: SimpleNamespace) -> None:
    """The status "dead" lists dead letters only, newest first, page by page, with the other
    filters; redriven ones leave it.
    """
    first, second = killed(place), killed(place, idempotencyKey="order-2")
    place.jackfield.enqueue(READ)
    entries, cursor = place.journal.entries(status="dead", limit=1)
    assert [entry.id for entry in entries] == [second]
    assert cursor is not None
    assert [
        entry.id for entry in place.journal.entries(status="dead", limit=1, cursor=cursor)[0]
    ] == [first]
    assert [
        entry.id for entry in place.journal.entries(status="dead", idempotencyKey="order-2")[0]
    ] == [second]
    assert place.journal.entries(status="dead", connector="another")[0] == []
    assert [
        entry.id
        for entry in place.journal.seen_entries(lambda row: row.dead_at is not None, status="dead")[
            0
        ]
    ] == [second, first]
    assert open_now(place.database, "default")["dead"] == 2
    place.letters.redrive(second)
    assert [entry.id for entry in place.journal.entries(status="dead")[0]] == [first]


def test_a_key_that_another_holds_refuses_the_redrive(place: SimpleNamespace) -> None:
    """Two invocations never hold one key: the error names the one that does."""
    identifier = killed(place, idempotencyKey="order-1")
    holder = place.jackfield.enqueue({**READ, "idempotencyKey": "order-1"})
    with pytest.raises(IdempotencyConflict, match=holder):
        place.letters.redrive(identifier)
    assert place.journal.find(identifier).to_json()["deadAt"]


@pytest.mark.parametrize(
    ("meanwhile", "error", "says"),
    [
        (
            "UPDATE invocations SET status = 'queued', dead_at = NULL WHERE id = :id",
            InvalidInvocation,
            "is not dead",
        ),
        (
            "UPDATE invocations SET key_held = 1 WHERE id <> :id",
            IdempotencyConflict,
            "idempotency key",
        ),
    ],
    ids=["redriven", "key taken"],
)
def test_what_another_process_commits_meanwhile_refuses_the_redrive(
    meanwhile: str, error: type[Exception], says: str, place: SimpleNamespace, database_url: str
) -> None:
    """Of two people who redrive at once, one is refused; so is who races with a new invocation for
    the key. Neither is in the audit log.
    """
    identifier = killed(place, idempotencyKey="order-1")
    other = place.jackfield.enqueue({**READ, "idempotencyKey": "order-1"})
    place.database.record(
        lambda transaction: transaction.change(
            "UPDATE invocations SET key_held = 0 WHERE id = :id", {"id": other}
        )
    )
    with closing(open_database(database_url)) as database, ThreadPoolExecutor(1) as threads:
        place_storage = place.jackfield.storage
        storage: Any = SimpleNamespace(
            database=database, vault=place_storage.vault, limits=place_storage.limits
        )
        letters = audited_dead_letters(storage, "default", SystemClock(), Actor("cli", "bob"))
        with place.database.write() as transaction:
            assert transaction.change(meanwhile, {"id": identifier}) == 1
            redriven = threads.submit(letters.redrive, identifier)
            wait([redriven], timeout=0.3)  # it reads before the commit, and writes after it
        with pytest.raises(error, match=says):
            redriven.result(60)
    log = Audit(place.database, lambda: place.jackfield.storage.vault, "default", SystemClock())
    assert log.list(event="invocation.redriven") == ([], None)


def test_only_the_dead_are_redriven(place: SimpleNamespace) -> None:
    """An unknown invocation, and one that waits, are refused."""
    for identifier, says in (
        (place.jackfield.enqueue(READ), "is not dead"),
        ("nope", "no invocation has the ID"),
    ):
        with pytest.raises(InvalidInvocation, match=says):
            place.letters.redrive(identifier)


def test_a_late_outcome_brings_a_dead_invocation_back(place: SimpleNamespace) -> None:
    """A worker that was only cut off tells how its delivery ended: the entry is corrected, and is
    no dead letter any more.
    """
    from jackfield.invocation import Meta, Result

    identifier = killed(place)
    owner = Instance.of(place.database).owner
    place.database.record(
        lambda transaction: transaction.change(
            "UPDATE invocations SET owner = :owner", {"owner": owner}
        )
    )
    done = Result("succeeded", Meta(identifier), {"Identities": []})
    place.database.record(
        place.journal.finishing(place.journal.find(identifier), done, (), None, DELIVERIES)
    )
    shown = place.journal.find(identifier).to_json()
    assert (shown["status"], shown.get("deadAt")) == ("succeeded", None)
    assert place.letters.page(None, 10) == ([], None)


def test_what_is_overdue_is_failed_before_it_slows_the_queue(place: SimpleNamespace) -> None:
    """A workspace that queues many invocations with a short ``notAfter`` costs the selections of
    others nothing for long.
    """
    found = place.jackfield.enqueue_many([{**READ, "notAfter": "2999-01-01T00:00:00Z"}] * 450)
    place.database.record(
        lambda transaction: transaction.change("UPDATE invocations SET not_after = 1", {})
    )
    # each of two that look at the same rows ends them all, or knows that the other did
    with ThreadPoolExecutor(2) as pool:
        wait(
            [pool.submit(place.journal.recovery.look) for _ in range(2)],
            return_when=FIRST_COMPLETED,
        )
        entries = [place.journal.find(item.invocation_id) for item in (found[0], found[-1])]
    assert [(entry.status, entry.error_code) for entry in entries] == [("failed", "timeout")] * 2
    assert place.queue.depth() == {}


def test_figures_of_the_queue(place: SimpleNamespace) -> None:
    """Waiting, delayed, claimed and dead ones are counted apart, by workspace."""
    killed(place)
    ids = [place.jackfield.enqueue(READ) for _ in range(3)]
    place.jackfield.enqueue({**READ, "notBefore": "2199-01-01T00:00:00Z"})
    assert place.queue.claim_one("default", ids[0]) is not None
    found = queue_stats(place.database, SystemClock())["default"]
    assert {name: value for name, value in found.items() if name != "oldestSeconds"} == {
        "queued": 2,
        "delayed": 1,
        "released": 0,
        "running": 1,
        "dead": 1,
    }
    assert found["oldestSeconds"] >= 0


@pytest.mark.parametrize("bound", [1, 4, 1000])
def test_figures_of_the_queue_are_those_of_a_full_count(
    place: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, bound: int
) -> None:
    """Whichever part of the queue is the smaller one, and of whatever workspace."""
    monkeypatch.setattr(queue_stats_module, "COUNTED", bound)
    chance, now = random.Random(bound), time.time()
    expected = dict[str, Counter[str]]()
    with place.database.write() as transaction:
        for workspace, due, delayed in (
            ("default", 9, 2),
            ("w1", 1, 8),
            ("w2", 7, 7),
            ("w3", 0, 3),
            ("w4", 3, 0),
        ):
            transaction.change(
                "INSERT INTO workspaces (name, created_at) VALUES (:name, 1) ON CONFLICT DO "
                "NOTHING",
                {"name": workspace},
            )
            mine = expected[workspace] = Counter()
            for number in range(due + delayed):
                kind = (
                    "delayed"
                    if number >= due
                    else "queued"
                    if not number
                    else chance.choice(("queued", "queued", "running", "released"))
                )
                mine[kind] += 1
                about = {
                    "workspace": workspace,
                    "id": f"i{number:03}",
                    "owner": "x" if kind == "running" else None,
                    "released": now if kind == "released" else None,
                    "at": now + 500 if kind == "delayed" else chance.choice((0.0, now - 5)),
                }
                transaction.change(
                    "INSERT INTO invocations (workspace, id, status, connector, action, "
                    "created_at, owner, released_at, available_at) "
                    "VALUES (:workspace, :id, 'queued', 'c', 'a', 1, :owner, :released, :at)",
                    about,
                )
    found = queue_stats(place.database, SystemClock())
    assert {name: {key: row[key] for key in NAMES} for name, row in found.items()} == {
        name: {key: mine[key] for key in NAMES} for name, mine in expected.items()
    }
    assert found["w3"]["oldestSeconds"] is None
    assert found["w4"]["oldestSeconds"] >= 0
