"""A doubt whose request somebody sends again, under its key and as its invocation: who may, and
what refuses it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clocks import time_passes
from jackfield.callers import Caller, Rules
from jackfield.connector import JackfieldError, Sent, Unavailable, current_call
from jackfield.kernel.clock import iso
from jackfield_store.database import open_database
from jackfield_store.journal import Queue
from scripted import Gate, Panel, Reply, Script, invocation, runtime, scripted

KEPT = 1800.0
SHARE = 30.0


class Provider:
    """A provider that recalls keys, and whose answers are lost until it has ``answer``."""

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


def lost(board: Panel, provider: Provider, **members: Any) -> str:
    """The ID of a doubt."""
    given = invocation(timeoutSeconds=SHARE, inputs={"text": "a lamp"}, **members)
    doubt = board.jackfield.invoke(given)
    assert doubt.status == "in_doubt"
    provider.asked = 0
    return doubt.meta.invocation_id


@contextmanager
def changed(
    provider: Provider, database_url: str, folder: Path, version: str = "1.0.0", **options: Any
) -> Iterator[Panel]:
    """A runtime over a database that another may have used, after it."""
    open_database(database_url, migrate=True).close()
    connector = scripted(
        Script(Reply(provider)), effect="idempotent", idempotent_by="key", key_kept=KEPT
    )
    connector.version = version
    folder.mkdir()
    with runtime(folder, connector, database_url=database_url, **options) as board:
        yield board


def refusal(board: Panel, identifier: str, **how: Any) -> tuple[str, str]:
    """The code and the field of a refusal."""
    with pytest.raises(JackfieldError) as caught:
        board.jackfield.ask(identifier, **how)
    assert caught.value.hint
    return caught.value.code, caught.value.details[0].path


def entry(board: Panel, identifier: str) -> Any:
    """The entry."""
    journal = board.jackfield.journal
    assert journal is not None
    return journal.find(identifier)


@pytest.mark.parametrize("key", [{}, {"idempotencyKey": "order-1"}], ids=["derived", "own"])
def test_a_success_settles_the_doubt(board: Panel, provider: Provider, key: Any) -> None:
    """One request goes out under the key of the first, and its answer is the doubt's: the entry
    says who asked, and keeps no inputs.
    """
    identifier = lost(board, provider, **key)
    assert entry(board, identifier).inputs == {"text": "a lamp"}
    provider.answer = "done"
    result = board.jackfield.ask(identifier, caller=Caller("token:ada", "manage"))
    assert (result.status, result.meta.invocation_id) == ("succeeded", identifier)
    found = entry(board, identifier)
    assert (found.status, found.resolved_by, provider.asked) == ("succeeded", "evidence", 1)
    assert found.result["meta"]["resolution"]["evidence"]["kind"] == "key"
    assert found.result["output"] == {"Text": "done"}
    assert (found.asked[-1]["by"], found.asked[-1]["outcome"]) == ("token:ada", "succeeded")
    assert found.inputs is None


def test_another_lost_answer_leaves_the_doubt(board: Panel, provider: Provider) -> None:
    """What is not clear settles nothing: the doubt, its inputs and the reason stay."""
    identifier = lost(board, provider)
    assert board.jackfield.ask(identifier).status == "in_doubt"
    found = entry(board, identifier)
    assert (found.status, found.inputs) == ("in_doubt", {"text": "a lamp"})
    assert "endedAt" in found.asked[-1]
    assert provider.asked > 0


def test_a_queued_call_is_asked_again(board: Panel, provider: Provider) -> None:
    """A worker's doubt has its request, too."""
    board.jackfield.enqueue(invocation(timeoutSeconds=SHARE, inputs={"text": "a lamp"}))
    (claimed,) = Queue(board.jackfield.storage.database).claim(10)
    doubt = board.jackfield.run(claimed)
    assert doubt.status == "in_doubt"
    provider.answer = "done"
    assert board.jackfield.ask(doubt.meta.invocation_id).status == "succeeded"


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_settled_one_is_refused(board: Panel, provider: Provider, outcome: Any) -> None:
    """What a person has resolved is sent no more, and its inputs are gone."""
    identifier = lost(board, provider)
    journal = board.jackfield.journal
    assert journal is not None
    journal.resolve(identifier, outcome, "cli:ada")
    assert refusal(board, identifier) == ("invalid_invocation", "/status")
    assert entry(board, identifier).inputs is None
    assert provider.asked == 0


def test_an_old_key_is_refused(board: Panel, provider: Provider) -> None:
    """After ``retryUntil``, and so shortly before that the call would outlast it, nothing is
    sent.
    """
    identifier = lost(board, provider)
    time_passes(KEPT - SHARE + 1, board.clock, board.jackfield.storage.database)
    assert refusal(board, identifier) == ("invalid_invocation", "/error/retryUntil")
    time_passes(SHARE, board.clock, board.jackfield.storage.database)
    assert refusal(board, identifier) == ("invalid_invocation", "/error/retryUntil")
    assert provider.asked == 0


def test_only_its_caller_or_who_manages_asks(board: Panel, provider: Provider) -> None:
    """Another caller with ``invoke`` is refused; the call's own may."""
    given = invocation(timeoutSeconds=SHARE)
    identifier = board.jackfield.invoke(given, caller=Caller("token:ada", "invoke")).meta
    bob = Caller("token:bob", "invoke")
    assert refusal(board, identifier.invocation_id, caller=bob) == ("not_allowed", "/caller")
    provider.answer = "done"
    ada = Caller("token:ada", "invoke")
    assert board.jackfield.ask(identifier.invocation_id, caller=ada).status == "succeeded"


def test_rules_hold_as_for_a_new_call(board: Panel, provider: Provider) -> None:
    """A rule that forbids the call, or asks for an approval, forbids to send it again."""
    identifier = lost(board, provider)
    barred = Caller("token:ada", "manage", Rules(block=("scripted/*",)))
    with pytest.raises(JackfieldError) as caught:
        board.jackfield.ask(identifier, caller=barred)
    assert caught.value.code in ("not_allowed", "unknown_connector", "unknown_action")
    waits = Caller("token:ada", "manage", Rules(approve=("scripted/*",)))
    assert refusal(board, identifier, caller=waits) == ("approval_required", "/action")
    assert (entry(board, identifier).status, provider.asked) == ("in_doubt", 0)


def test_what_is_not_kept_is_not_asked(board: Panel, provider: Provider) -> None:
    """With ``keepDoubts`` off neither inputs nor request are stored, and the refusal says so."""
    board.jackfield.access.workspaces.set("default", {"keepDoubts": False})
    identifier = lost(board, provider)
    assert entry(board, identifier).inputs is None
    assert refusal(board, identifier) == ("invalid_invocation", "/inputs")
    assert provider.asked == 0


def test_recorded_inputs_outlive_the_doubt(board: Panel, provider: Provider) -> None:
    """A workspace that records inputs has them afterwards; the request is gone."""
    board.jackfield.access.workspaces.set("default", {"keepInputs": True})
    identifier = lost(board, provider)
    provider.answer = "done"
    board.jackfield.ask(identifier)
    assert entry(board, identifier).inputs == {"text": "a lamp"}
    assert refusal(board, identifier) == ("invalid_invocation", "/status")


def test_retention_ends_the_inputs_of_a_doubt(board: Panel, provider: Provider) -> None:
    """The doubt stays open; its inputs go with ``retentionDays``."""
    identifier = lost(board, provider)
    journal = board.jackfield.journal
    assert journal is not None
    time_passes(31 * 86_400.0, board.clock, board.jackfield.storage.database)
    journal.purge()
    assert (entry(board, identifier).status, entry(board, identifier).inputs) == ("in_doubt", None)


def test_two_ask_at_once_and_one_sends(board: Panel, provider: Provider) -> None:
    """While one request is under way, another is refused."""
    identifier, gate = lost(board, provider), Gate()

    def answer() -> str:
        gate()
        return "done"

    provider.answer = answer
    first = threading.Thread(target=board.jackfield.ask, args=(identifier,))
    first.start()
    assert gate.reached.wait(60)
    assert refusal(board, identifier) == ("invalid_invocation", "/asked")
    gate.open.set()
    first.join()
    assert (provider.asked, entry(board, identifier).status) == (1, "succeeded")


def test_not_after_its_time(board: Panel, provider: Provider) -> None:
    """A call's ``notAfter`` holds for the repeat, though the provider still knows the key."""
    until = iso(board.clock.time() + 300.0)
    board.jackfield.enqueue(invocation(timeoutSeconds=SHARE, notAfter=until))
    (claimed,) = Queue(board.jackfield.storage.database).claim(10)
    identifier = board.jackfield.run(claimed).meta.invocation_id
    provider.asked = 0
    time_passes(301.0, board.clock, board.jackfield.storage.database)
    assert refusal(board, identifier) == ("invalid_invocation", "/notAfter")
    assert provider.asked == 0


def test_a_cancelled_one_is_not_asked(board: Panel, provider: Provider) -> None:
    """Whoever has cancelled the call while it ran does not want its effect."""
    lost_answer, names = provider.answer, list[str]()

    def cancelled() -> Any:
        assert board.jackfield.journal is not None
        ((running,), _) = board.jackfield.journal.entries(limit=1)
        names.append(running.id)
        board.jackfield.cancel(running.id)
        return lost_answer

    provider.answer = cancelled
    assert board.jackfield.invoke(invocation(timeoutSeconds=SHARE)).status == "in_doubt"
    provider.asked = 0
    assert refusal(board, names[0]) == ("invalid_invocation", "/cancelRequestedAt")
    assert provider.asked == 0


@pytest.mark.parametrize("key", [{}, {"idempotencyKey": "order-1"}], ids=["derived", "own"])
def test_over_another_account_nothing_is_sent(
    provider: Provider, database_url: str, tmp_path: Path, key: Any
) -> None:
    """A provider knows the keys of an account. Another token may be of another account."""
    other = {"front": {"type": "stage/key", "values": {"token": "an0ther-token"}}}
    with changed(provider, database_url, tmp_path / "first") as board:
        identifier = lost(board, provider, **key)
    with changed(provider, database_url, tmp_path / "second", connections=other) as board:
        assert refusal(board, identifier) == ("invalid_invocation", "/connection")
        assert (entry(board, identifier).status, provider.asked) == ("in_doubt", 0)


def test_another_version_of_the_connector_sends_nothing(
    provider: Provider, database_url: str, tmp_path: Path
) -> None:
    """It might make another request of the same inputs."""
    with changed(provider, database_url, tmp_path / "first") as board:
        identifier = lost(board, provider)
    with changed(provider, database_url, tmp_path / "second", version="1.0.1") as board:
        assert refusal(board, identifier) == ("invalid_invocation", "/connectorVersion")
        assert (entry(board, identifier).status, provider.asked) == ("in_doubt", 0)
