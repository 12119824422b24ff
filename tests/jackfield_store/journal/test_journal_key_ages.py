"""The age of a key: a provider forgets it, and a request under it takes effect again. While one of
unknown end stands under it, nothing is sent under an older key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clocks import time_passes
from jackfield import Result
from jackfield.connector import Rejected, Sent, Unavailable, current_call
from jackfield_store.database import open_database
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
from scripted import Panel, Reply, Script, invocation, runtime, scripted

KEPT = 1800.0
SHARE = 30.0
"""Seconds of a call of ``asked``: an attempt of it is expected to take no longer."""


class Provider:
    """A provider that does what its key does not recall, and counts what it did. ``answers`` are
    lost, given, or refusals.
    """

    def __init__(self) -> None:
        self.answer: Any = Unavailable("cut", sent=Sent.UNKNOWN)
        self.asked = 0

    def __call__(self, _inputs: Any) -> Any:
        """One request."""
        call = current_call()
        assert call is not None
        assert call.idempotency_key
        self.asked += 1
        return self.answer


@pytest.fixture
def provider() -> Provider:
    """The provider."""
    return Provider()


@pytest.fixture
def board(database_url: str, provider: Provider, tmp_path: Any) -> Iterator[Panel]:
    """A runtime whose action passes its key to the provider."""
    open_database(database_url, migrate=True).close()
    connector = scripted(
        Script(Reply(provider)), effect="idempotent", idempotent_by="key", key_kept=KEPT
    )
    with runtime(tmp_path, connector, database_url=database_url) as board:
        yield board


def asked(**more: Any) -> dict[str, Any]:
    """A call under its caller's key."""
    return invocation(idempotencyKey="order-1", timeoutSeconds=SHARE, **more)


def worked(jackfield: Jackfield) -> Result:
    """What a worker makes of the one call that is queued."""
    (claimed,) = Queue(jackfield.storage.database).claim(10)
    return jackfield.run(claimed)


def direct(jackfield: Jackfield, given: dict[str, Any]) -> Result:
    """Call and wait."""
    return jackfield.invoke(given)


def queued(jackfield: Jackfield, given: dict[str, Any]) -> Result:
    """Queue it, and let a worker run it."""
    found = jackfield.enqueue(given)
    return found if isinstance(found, Result) else worked(jackfield)


def batched(jackfield: Jackfield, given: dict[str, Any]) -> Result:
    """Queue it in a batch, and let a worker run it."""
    (found,) = jackfield.enqueue_many([given])
    return found if isinstance(found, Result) else worked(jackfield)


WAYS = pytest.mark.parametrize("way", [direct, queued, batched])


def passes(board: Panel, seconds: float) -> None:
    """Let time pass, for the database, too."""
    time_passes(seconds, board.clock, board.jackfield.storage.database)


@WAYS
def test_a_doubt_is_asked_again_only_while_its_key_is_kept(
    board: Panel, provider: Provider, way: Callable[..., Result]
) -> None:
    """Within the key's time the same call asks once more. After it the doubt is the answer, and the
    provider hears nothing.
    """
    doubt = board.jackfield.invoke(asked())
    assert doubt.status == "in_doubt"
    before = provider.asked
    passes(board, KEPT - SHARE - 5)
    still = way(board.jackfield, asked())
    assert (still.status, still.meta.replayed) == ("in_doubt", False)
    assert provider.asked > before
    before = provider.asked
    passes(board, SHARE)
    late = way(board.jackfield, asked())
    assert (late.status, late.meta.replayed) == ("in_doubt", True)
    assert late.meta.invocation_id == doubt.meta.invocation_id
    assert provider.asked == before


@WAYS
def test_no_attempt_begins_that_may_outlast_the_key(
    board: Panel, provider: Provider, way: Callable[..., Result]
) -> None:
    """An attempt needs its share of the deadline: the key's last seconds are too few."""
    board.jackfield.invoke(asked())
    before = provider.asked
    passes(board, KEPT - SHARE + 1)
    late = way(board.jackfield, asked())
    assert (late.status, late.meta.replayed, provider.asked) == ("in_doubt", True, before)


def test_a_key_counts_from_the_first_request_of_unknown_end(
    board: Panel, provider: Provider
) -> None:
    """Asking again does not make it younger: the provider counts from the first request."""
    board.jackfield.invoke(asked())
    for _ in range(2):
        passes(board, KEPT / 2 - SHARE)
        assert board.jackfield.invoke(asked()).meta.replayed is False
    before = provider.asked
    passes(board, 2 * SHARE)
    assert board.jackfield.invoke(asked()).meta.replayed is True
    assert provider.asked == before


def test_a_key_is_as_new_after_clear_ends(board: Panel, provider: Provider) -> None:
    """A refusal has done nothing: however old the key is, the first request under it is sent."""
    provider.answer = Rejected("no", sent=Sent.REFUSED)
    identifier = board.jackfield.enqueue(asked())
    assert isinstance(identifier, str)
    passes(board, 3 * KEPT)
    assert worked(board.jackfield).status == "failed"
    assert provider.asked == 1


@pytest.mark.parametrize(
    "key", [{}, {"idempotencyKey": "order-1"}], ids=["of the call", "of the caller"]
)
@pytest.mark.parametrize(("age", "sent"), [(60.0, 1), (KEPT - 1, 0), (25 * 3600.0, 0)])
def test_a_delivery_sends_nothing_under_an_older_key(
    board: Panel, provider: Provider, key: dict[str, Any], age: float, sent: int
) -> None:
    """A worker was lost with the request under way. The next delivery asks while the provider keeps
    the key, whoever gave it; after it, the call is in doubt.
    """
    jackfield = board.jackfield
    jackfield.enqueue(invocation(timeoutSeconds=SHARE, **key))
    assert jackfield.journal is not None
    lost = [{"delivery": 1, "startedAt": jackfield.journal.time.now(), "outcome": "lost"}]
    with jackfield.storage.database.write() as transaction:
        transaction.change(
            "UPDATE invocations SET deliveries = :lost, key_facts = :facts",
            {"lost": json.dumps(lost), "facts": json.dumps([KEPT, None, None, None])},
        )
    passes(board, age)
    result = worked(jackfield)
    assert result.status == "in_doubt"
    assert min(provider.asked, 1) == sent


def test_a_replay_says_when_the_key_is_over(board: Panel) -> None:
    """``retryUntil`` is the end of the key, and ``retryable`` is computed when it is shown."""
    doubt = board.jackfield.invoke(asked()).to_json()["error"]
    assert doubt["retryable"] is True
    assert doubt["retryUntil"]
