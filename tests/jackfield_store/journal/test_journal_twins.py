"""Twins: an equal write without a key joins the one that is open, where that is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from clocks import FakeClock, time_passes
from fake_aws import FakeAws
from jackfield import Result
from jackfield.callers import Caller
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.access import Workspaces
from jackfield_store.runtime import Jackfield
from nursery import connection, mail

ADA = Caller("ada", "invoke", remote=True)
_SCHEMAS = Path(__file__).parents[3] / "schemas"
_LOST = [{"operation": "SendEmail", "do": "reset"}]


def unkeyed(subject: str = "order-1", **more: Any) -> dict[str, Any]:
    """The invocation without its key."""
    found = mail(subject)
    del found["idempotencyKey"]
    return {**found, **more}


@contextmanager
def runtime(
    url: str, aws: FakeAws, setting: str | None = "join", **more: Any
) -> Iterator[Jackfield]:
    """A runtime whose twins join."""
    environment = {} if setting is None else {"JACKFIELD_TWINS": setting}
    with Jackfield(
        connections=[connection(aws.url)], database_url=url, environment=environment, **more
    ) as jackfield:
        yield jackfield


def workspaces_of(jackfield: Jackfield) -> Workspaces:
    """The workspaces of its database."""
    return Workspaces(jackfield.storage.database, jackfield.storage.vault, SystemClock())


def ids(results: list[Result]) -> set[str | None]:
    """IDs of the invocations that the Results name."""
    return {result.meta.invocation_id for result in results}


def test_many_equal_writes_at_once_are_one(upgraded: str) -> None:
    """20 equal calls at once: one request, one entry, 20 equal outputs, 19 of them with the first
    one's ID; none counts as replayed.
    """
    with FakeAws(latency=1.5) as aws, runtime(upgraded, aws) as jackfield:
        with ThreadPoolExecutor(20) as pool:
            results = list(pool.map(lambda _: jackfield.invoke(unkeyed(), caller=ADA), range(20)))
        assert len(aws.messages) == 1
        assert jackfield.journal is not None
        assert len(jackfield.journal.entries()[0]) == 1
    assert {result.status for result in results} == {"succeeded"}
    assert len({json.dumps(result.output) for result in results}) == len(ids(results)) == 1
    joined = [result for result in results if result.meta.twin_of is not None]
    assert ({result.meta.twin_of for result in joined}, len(joined)) == (ids(results), 19)
    assert not any(result.meta.replayed for result in results)
    jsonschema.validate(
        joined[0].to_json(),
        json.loads((_SCHEMAS / "result.schema.json").read_text(encoding="utf-8")),
    )


def test_another_process_joins_too(upgraded: str) -> None:
    """The database knows the twin, not the process."""
    with (
        FakeAws(latency=1.0) as aws,
        runtime(upgraded, aws) as first,
        runtime(upgraded, aws) as second,
        ThreadPoolExecutor(2) as pool,
    ):
        results = [
            one.result()
            for one in [pool.submit(each.invoke, unkeyed(), caller=ADA) for each in (first, second)]
        ]
        assert len(aws.messages) == 1
    assert len(ids(results)) == 1


def test_what_has_ended_is_no_twin(upgraded: str) -> None:
    """One after the other: each is sent, also right after the one before, whose outcome may not be
    committed yet.
    """
    with FakeAws() as aws, runtime(upgraded, aws) as jackfield:
        results = [jackfield.invoke(unkeyed(), caller=ADA) for _ in range(10)]
        assert len(aws.messages) == 10
    assert len(ids(results)) == 10
    assert not any(result.meta.twin_of for result in results)


@pytest.mark.parametrize(
    "change",
    [
        lambda call: {**call, "inputs": {**call["inputs"], "text": "Hello Bob"}},
        lambda call: {**call, "repeat": True},
        lambda call: {**call, "onDoubt": "retry"},
        lambda call: {**call, "idempotencyKey": "k"},
        lambda call: {**call, "connection": "globex-ses"},
    ],
    ids=["inputs", "repeat", "retry", "key", "connection"],
)
def test_what_differs_is_sent(
    upgraded: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Another text, another connection, a key, or the caller's word that it is to happen again."""
    with FakeAws() as aws:
        both = connection(aws.url) | {"globex-ses": connection(aws.url)["acme-ses"]}
        with Jackfield(
            connections=[both], database_url=upgraded, environment={"JACKFIELD_TWINS": "join"}
        ) as jackfield:
            aws.script(_LOST)
            assert jackfield.invoke(unkeyed(), caller=ADA).status == "in_doubt"
            sent = len(aws.requests)
            assert jackfield.invoke(change(unkeyed()), caller=ADA).status == "succeeded"
            assert len(aws.requests) == sent + 1


@pytest.mark.parametrize(
    ("caller", "joins"),
    [
        (Caller("ada", "manage", remote=True), True),
        (Caller("bob", "invoke", remote=True), False),
        (Caller("ada", "invoke", remote=True, token="ada"), False),
        (Caller(), False),
        (Caller("ada"), False),
        (Caller(remote=True), False),
    ],
    ids=[
        "the same",
        "another",
        "a token of that name",
        "the process",
        "the command line",
        "nobody",
    ],
)
def test_only_the_same_caller_joins(upgraded: str, caller: Caller, joins: bool) -> None:
    """A token, a person or a session is one caller, whatever its scope is by now. Behind a
    process's own code, many may stand.
    """
    with FakeAws() as aws, runtime(upgraded, aws) as jackfield:
        aws.script(_LOST)
        jackfield.invoke(unkeyed(), caller=ADA)
        sent = len(aws.requests)
        assert (jackfield.invoke(unkeyed(), caller=caller).status == "in_doubt") is joins
        assert len(aws.requests) == sent + (not joins)


def test_a_session_is_a_caller_of_its_own(upgraded: str) -> None:
    """An MCP client without token: its session, and no other."""
    with FakeAws() as aws, runtime(upgraded, aws, None) as jackfield:
        aws.script(_LOST)
        one, other = (Caller(audience="mcp", session=name) for name in ("one", "other"))
        doubt = jackfield.invoke(unkeyed(), caller=one)
        assert jackfield.invoke(unkeyed(), caller=one).meta.twin_of == doubt.meta.invocation_id
        assert jackfield.invoke(unkeyed(), caller=other).status == "succeeded"


def test_a_doubt_answers_for_a_day(upgraded: str) -> None:
    """A doubt is told again, with its error, for 24 hours, and until a person resolves it."""
    clock = FakeClock()
    with FakeAws() as aws, runtime(upgraded, aws, clock=clock) as jackfield:
        aws.script(_LOST)
        doubt = jackfield.invoke(unkeyed(), caller=ADA)
        sent = len(aws.requests)
        time_passes(23.9 * 3600, clock, jackfield.storage.database)
        again = jackfield.invoke(unkeyed(), caller=ADA)
        assert (again.status, again.meta.twin_of, len(aws.requests)) == (
            "in_doubt",
            doubt.meta.invocation_id,
            sent,
        )
        assert again.to_json()["error"] == doubt.to_json()["error"]
        time_passes(0.2 * 3600, clock, jackfield.storage.database)
        assert jackfield.invoke(unkeyed(), caller=ADA).status == "succeeded"
        assert jackfield.journal is not None
        assert jackfield.journal.find(doubt.meta.invocation_id).status == "in_doubt"


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_resolved_doubt_is_no_twin(upgraded: str, outcome: Any) -> None:
    """A person has decided: the next equal call is one of its own, and a late outcome of the first
    is recorded all the same.
    """
    with FakeAws() as aws, runtime(upgraded, aws) as jackfield:
        journal = jackfield.journal
        assert journal is not None
        aws.script(_LOST)
        doubt = jackfield.invoke(unkeyed(), caller=ADA)
        journal.resolve(doubt.meta.invocation_id, outcome, "ada")
        aws.script(_LOST)
        second = jackfield.invoke(unkeyed(), caller=ADA)
        assert (second.status, second.meta.twin_of) == ("in_doubt", None)
        # as if its process had been lost, and tells its outcome now
        with jackfield.storage.database.write() as transaction:
            transaction.change(
                "UPDATE invocations SET recovered_at = settled_at WHERE id = :id",
                {"id": doubt.meta.invocation_id},
            )
        late = Result("succeeded", doubt.meta, {"MessageId": "m"})
        jackfield.storage.database.record(
            journal.finishing(journal.find(doubt.meta.invocation_id), late, [])
        )
        assert journal.find(doubt.meta.invocation_id).status == "succeeded"


def test_who_waits_in_vain_is_told_for_whom(upgraded: str) -> None:
    """At its own deadline the second is refused, with the first one's ID; nothing of it was
    sent.
    """
    with FakeAws() as aws, runtime(upgraded, aws) as jackfield, ThreadPoolExecutor(1) as pool:
        aws.script([{"operation": "SendEmail", "do": "hang"}])
        first = pool.submit(jackfield.invoke, unkeyed(timeoutSeconds=30), caller=ADA)
        assert aws.wait_until(lambda fake: len(fake.requests) == 1)
        second = jackfield.invoke(unkeyed(timeoutSeconds=0.3), caller=ADA)
        assert second.error is not None
        assert (second.error.code, second.error.retryable, second.error.http_status) == (
            "idempotency_conflict",
            True,
            409,
        )
        aws.release()
        assert first.result().meta.invocation_id in second.error.message
        assert len(aws.requests) == 1


def test_who_is_cancelled_while_it_waits_sends_nothing(upgraded: str) -> None:
    """A call that waits for its twin is cancelled like one that waits for its turn; the twin goes
    on.
    """
    with FakeAws() as aws, runtime(upgraded, aws) as jackfield, ThreadPoolExecutor(2) as pool:
        aws.script([{"operation": "SendEmail", "do": "hang"}])
        first = pool.submit(jackfield.invoke, unkeyed(), caller=ADA)
        assert aws.wait_until(lambda fake: len(fake.requests) == 1)
        cancelled = threading.Event()
        second = pool.submit(jackfield.invoke, unkeyed(), caller=ADA, cancelled=cancelled)
        cancelled.set()
        error = second.result().error
        assert error is not None
        assert error.code == "cancelled"
        aws.release()
        assert (first.result().status, len(aws.requests)) == ("succeeded", 1)


def test_the_workspace_decides_before_the_process(upgraded: str) -> None:
    """Its setting ``twins`` wins, either way; MCP joins whatever both say; without any, equal
    writes are sent.
    """
    expected = [
        (None, None, ADA, False),
        ("join", "allow", ADA, False),
        ("allow", "join", ADA, True),
        ("join", None, ADA, True),
    ]
    over_mcp = Caller("ada", "invoke", remote=True, audience="mcp")
    for process, workspace, caller, joins in [*expected, ("allow", "allow", over_mcp, True)]:
        with FakeAws() as aws, runtime(upgraded, aws, process) as jackfield:
            workspaces_of(jackfield).set("default", {"twins": workspace})
            subject = f"{process} {workspace} {joins}"
            aws.script(_LOST)
            jackfield.invoke(unkeyed(subject), caller=caller)
            assert (
                jackfield.invoke(unkeyed(subject), caller=caller).meta.twin_of is not None
            ) is joins


def test_mistakes_are_told(upgraded: str) -> None:
    """``repeat`` beside a key, and settings without a meaning."""
    with FakeAws() as aws, runtime(upgraded, aws) as jackfield:
        refused = jackfield.invoke({**mail("k"), "repeat": True}, caller=ADA).error
        assert refused is not None
        assert (refused.code, refused.details[0].path, len(aws.requests)) == (
            "invalid_invocation",
            "/repeat",
            0,
        )
        with pytest.raises(InvalidInvocation) as fault:
            workspaces_of(jackfield).set("default", {"twins": "maybe"})
        assert fault.value.details[0].path == "/twins"
    with (
        FakeAws() as aws,
        pytest.raises(InvalidInvocation, match="JACKFIELD_TWINS is 'maybe'"),
        runtime(upgraded, aws, "maybe") as jackfield,
    ):
        jackfield.invoke(unkeyed()).unwrap()


def test_a_twin_whose_process_was_killed_is_a_doubt(upgraded: str) -> None:
    """The one that waits does not wait for the dead, and does not send: the first may have been
    sent.
    """
    code = (
        "import sys\nfrom jackfield import Jackfield\nfrom jackfield.callers import Caller\nfrom "
        "nursery import connection\n"
        "from test_journal_twins import unkeyed\n"
        "Jackfield(connections=[connection(sys.argv[1])], database_url=sys.argv[2], "
        "environment={'JACKFIELD_TWINS': 'join'})"
        ".invoke(unkeyed(), caller=Caller('ada', 'invoke', remote=True))"
    )
    with FakeAws() as aws, runtime(upgraded, aws) as jackfield:
        aws.script([{"operation": "SendEmail", "do": "hang"}])
        path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
        with subprocess.Popen(
            [sys.executable, "-c", code, aws.url, upgraded], env={**os.environ, "PYTHONPATH": path}
        ) as process:
            assert aws.wait_until(lambda fake: len(fake.requests) == 1)
            process.kill()
        second = jackfield.invoke(unkeyed(), caller=ADA)
        assert (second.status, second.meta.twin_of is not None, len(aws.requests)) == (
            "in_doubt",
            True,
            1,
        )
