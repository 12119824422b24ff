"""A keyed write whose answers were all lost: it is in doubt, and its key belongs to its request.
The same request may be sent again under it while the provider keeps the key; another one would be
told the first one's outcome.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jackfield import Result
from jackfield.connector import Rejected, Sent, Unavailable, current_call
from jackfield.kernel.clock import SystemClock
from jackfield_store.database import Database, open_database
from jackfield_store.journal import Queue
from jackfield_store.journal.instance import LEASE, Instance
from jackfield_store.journal.recovery import Recovery
from jackfield_store.runtime import Jackfield
from scripted import PATIENCE, Gate, Reply, Script, invocation, runtime, scripted

LOST = Unavailable("cut", sent=Sent.UNKNOWN)
NO = Rejected("no", sent=Sent.REFUSED)
OF_FRONT: Mapping[str, Any] = {
    "connections": [{"front": {"type": "stage/key", "values": {"token": "s3cret-token"}}}]
}


class Provider:
    """A provider that knows by its key what it has done before, and answers that again, whatever is
    asked. ``lost`` answers do not come back; ``refused`` are given before anything is looked for.
    """

    gate: Gate | None = None

    def __init__(self) -> None:
        self.done: dict[str, str] = {}
        self.lost = False
        self.refuses = False

    def answer(self, inputs: Any) -> Any:
        """One request."""
        call = current_call()
        assert call is not None
        key = call.idempotency_key
        if self.refuses:
            return NO
        self.done.setdefault(key, inputs.text)
        if self.gate is not None:
            self.gate()
        return LOST if self.lost else self.done[key]


@pytest.fixture
def provider() -> Provider:
    """The provider."""
    return Provider()


@pytest.fixture
def jackfield(database_url: str, provider: Provider, tmp_path: Any) -> Iterator[Jackfield]:
    """A runtime whose action passes its key to the provider."""
    open_database(database_url, migrate=True).close()
    connector = scripted(Script(Reply(provider.answer)), effect="idempotent", idempotent_by="key")
    with runtime(tmp_path, connector, database_url=database_url) as board:
        yield board.jackfield


def asked(text: str = "first", key: str = "order-1") -> dict[str, Any]:
    """A call under the key."""
    return invocation(idempotencyKey=key, inputs={"text": text})


def worked(jackfield: Jackfield) -> list[Result]:
    """What a worker makes of the queue."""
    return [jackfield.run(claimed) for claimed in Queue(jackfield.storage.database).claim(10)]


def direct(jackfield: Jackfield, given: dict[str, Any]) -> Result:
    """Call and wait."""
    return jackfield.invoke(given)


def queued(jackfield: Jackfield, given: dict[str, Any]) -> Result:
    """Queue it, and let a worker run it."""
    found = jackfield.enqueue(given)
    if isinstance(found, Result):
        return found
    (result,) = worked(jackfield)
    return result


def batched(jackfield: Jackfield, given: dict[str, Any]) -> Result:
    """Queue it in a batch, and let a worker run it."""
    (found,) = jackfield.enqueue_many([given])
    if isinstance(found, Result):
        return found
    (result,) = worked(jackfield)
    return result


def hang(database: Database) -> None:
    """Stop renewing the lease."""
    Instance.of(database).renew()
    Instance.of(database)._stop.set()


def recovered(storage: Any) -> int:
    """How many entries another process recovers once the lease is over."""
    later = 0.0
    recovery = Recovery(
        storage.database, storage.vault, SystemClock(), lambda: time.monotonic() + later
    )
    found = 0
    for _ in range(2):
        Instance.of(storage.database).renew()
        found += recovery.look()
        later += LEASE + 1
    return found


def _status(jackfield: Jackfield, identifier: str) -> str:
    """The status of an entry."""
    assert jackfield.journal is not None
    return jackfield.journal.find(identifier).status


WAYS = pytest.mark.parametrize("way", [direct, queued, batched])
FIRST = pytest.mark.parametrize("first", [direct, queued])


def code(result: Result) -> str | None:
    """The code of its error."""
    return None if result.error is None else result.error.code


@WAYS
@FIRST
def test_another_request_under_the_key_is_refused_and_the_same_is_sent_again(
    jackfield: Jackfield,
    provider: Provider,
    first: Callable[..., Result],
    way: Callable[..., Result],
) -> None:
    """The other one would be answered with what the first had done; the first one is told so
    rightly.
    """
    provider.lost = True
    doubt = first(jackfield, asked())
    assert (code(doubt), provider.done) == ("in_doubt", {"order-1": "first"})
    assert doubt.error is not None
    assert doubt.error.retryable
    provider.lost = False
    other = (
        way(jackfield, asked("other")) if way is not queued else jackfield.invoke(asked("other"))
    )
    assert code(other) == "idempotency_conflict"
    again = way(jackfield, asked())
    assert (again.status, again.output and again.output["Text"], again.meta.replayed) == (
        "succeeded",
        "first",
        False,
    )
    assert again.meta.invocation_id == doubt.meta.invocation_id
    replay = way(jackfield, asked())
    assert (replay.status, replay.meta.replayed) == ("succeeded", True)


@WAYS
def test_the_key_stays_with_its_request_however_often_that_is_lost(
    jackfield: Jackfield, provider: Provider, way: Callable[..., Result]
) -> None:
    """A refusal of a later call does not say what became of the first: that stays in doubt."""
    provider.lost = True
    jackfield.invoke(asked())
    way(jackfield, asked())
    provider.lost, provider.refuses = False, True
    refused = way(jackfield, asked())
    assert code(refused) == "in_doubt"
    assert "may have taken effect" in str(refused.error)
    assert code(jackfield.invoke(asked("other"))) == "idempotency_conflict"
    provider.refuses = False
    assert way(jackfield, asked()).status == "succeeded"


@WAYS
def test_a_refusal_frees_the_key(
    jackfield: Jackfield, provider: Provider, way: Callable[..., Result]
) -> None:
    """Nothing was taken under it."""
    provider.refuses = True
    assert code(way(jackfield, asked())) == "rejected"
    provider.refuses = False
    assert way(jackfield, asked("other")).status == "succeeded"


def test_a_queued_repeat_that_is_cancelled_leaves_the_key_with_its_request(
    jackfield: Jackfield, provider: Provider
) -> None:
    """Nobody has found out meanwhile."""
    provider.lost = True
    jackfield.invoke(asked())
    waiting = jackfield.enqueue(asked())
    assert isinstance(waiting, str)
    assert jackfield.cancel(waiting)
    assert _status(jackfield, waiting) == "in_doubt"
    provider.lost = False
    assert code(jackfield.invoke(asked("other"))) == "idempotency_conflict"
    assert jackfield.invoke(asked()).status == "succeeded"


def test_the_key_of_a_lost_process_stays_with_its_request(
    jackfield: Jackfield, provider: Provider, database_url: str
) -> None:
    """Nobody knows what it had sent. Its late answer changes what is known of it, and not who has
    the key.
    """
    provider.gate = gate = Gate()
    with (
        ThreadPoolExecutor(1) as lost,
        Jackfield(catalog=jackfield.catalog, **OF_FRONT, database_url=database_url) as alive,
    ):
        running = lost.submit(jackfield.invoke, asked())
        try:
            assert gate.reached.wait(PATIENCE)
            hang(jackfield.storage.database)
            assert recovered(alive.storage) == 1
            provider.gate = None
            assert code(alive.invoke(asked("other"))) == "idempotency_conflict"
            again = alive.invoke(asked())
        finally:
            gate.open.set()
        late = running.result(PATIENCE)
        assert (again.status, again.output and again.output["Text"], again.meta.replayed) == (
            "succeeded",
            "first",
            False,
        )
        assert late.status == "succeeded"
        assert alive.invoke(asked()).meta.invocation_id == again.meta.invocation_id
