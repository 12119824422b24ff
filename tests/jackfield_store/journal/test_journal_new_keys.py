"""Keys that a process has not seen: their calls begin without a look, and are answered as if each
key had been looked for first.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.journal import approving
from tests.jackfield_store.journal.truth import check_truth, entries_by_key

from clocks import FakeClock, time_passes
from fake_aws import FakeAws
from jackfield import Result
from jackfield.call import open as opening
from jackfield.kernel.threads import Threads
from jackfield_store.database import open_database
from jackfield_store.database.batches import Batches
from jackfield_store.journal import Journal, seen_keys
from jackfield_store.journal.seen_keys import SeenKeys
from jackfield_store.runtime import Jackfield
from nursery import connection, mail
from scripted import Panel, Script, invocation, runtime, scripted

_FIRST = "the first mail of a process"


def sent(aws: FakeAws) -> int:
    """Return how many mails were sent beside the first of each process."""
    return sum(message.text != _FIRST for message in aws.messages)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each connection that was opened count as one that opens from memory, however busy the
    machine is.
    """
    monkeypatch.setattr(opening, "_FAST", math.inf)


class Looks:
    """Keys that were looked for, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._found = list[str]()
        held = Journal.held

        def noted(journal: Journal, key: str, space: str) -> Any:
            self._found.append(key)
            return held(journal, key, space)

        monkeypatch.setattr(Journal, "held", noted)

    def taken(self) -> list[str]:
        """Return those since the last time."""
        found, self._found = self._found, []
        return found


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Note each look for a key."""
    return Looks(monkeypatch)


@contextmanager
def processes(aws: FakeAws, url: str, count: int = 2, **options: Any) -> Iterator[list[Jackfield]]:
    """Runtimes with databases of their own, as processes have, which have all sent a mail already:
    the next one waits for nothing.
    """
    opened = [
        Jackfield(connections=[connection(aws.url)], database_url=url, **options)
        for _ in range(count)
    ]
    try:
        for jackfield in opened:
            request = mail("none")
            del request["idempotencyKey"]
            jackfield.invoke({**request, "inputs": {**request["inputs"], "text": _FIRST}}).unwrap()
        yield opened
    finally:
        for jackfield in opened:
            jackfield.close()


def ask(jackfield: Jackfield, request: dict[str, Any], how: str, **options: Any) -> Result:
    """Invoke from a thread or from a task."""
    return (
        jackfield.invoke(request, **options)
        if how == "thread"
        else asyncio.run(jackfield.ainvoke(request, **options))
    )


@pytest.mark.parametrize("how", ["thread", "task"])
def test_a_new_key_is_not_looked_for(upgraded: str, looks: Looks, how: str) -> None:
    """The begin claims the key by itself. A repeat looks first, and begins nothing."""
    with FakeAws() as aws, processes(aws, upgraded, 1) as (jackfield,):
        looks.taken()
        first = ask(jackfield, mail("order-1"), how)
        assert (first.status, looks.taken()) == ("succeeded", [])
        again = ask(jackfield, mail("order-1"), how)
        assert (again.meta.replayed, looks.taken(), sent(aws)) == (True, ["order-1"], 1)


def test_the_first_call_of_a_process_looks_first(upgraded: str, looks: Looks) -> None:
    """A call that has yet to open its connection asks nobody for credentials before its key is
    looked for.
    """
    with (
        FakeAws() as aws,
        Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield,
    ):
        jackfield.invoke(mail("order-1")).unwrap()
        assert looks.taken() == ["order-1"]


@pytest.mark.parametrize("how", ["thread", "task"])
def test_a_key_of_another_process_is_found_held_at_the_begin(
    upgraded: str, looks: Looks, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repeat gets the first Result, and sends nothing. For a while the process looks for each
    key first: there may be more repeats.
    """
    monkeypatch.setattr(seen_keys, "_WARY", 3600.0)
    with FakeAws() as aws, processes(aws, upgraded) as (one, other):
        first = ask(one, mail("order-1"), how)
        looks.taken()
        again = ask(other, mail("order-1"), how)
        assert (again.meta.replayed, again.meta.invocation_id, looks.taken()) == (
            True,
            first.meta.invocation_id,
            ["order-1"],
        )
        assert ask(other, mail("order-2"), how).meta.replayed is False
        assert (looks.taken(), sent(aws)) == (["order-2"], 2)
        assert other.journal is not None
        assert len(other.journal.tasks) == 0


def test_the_other_calls_of_a_commit_begin(upgraded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls with new keys whose begins share a commit with those of repeats are sent once each; the
    repeats are answered.
    """
    monkeypatch.setattr(seen_keys, "_WARY", 0.0)

    async def all_at_once(jackfield: Jackfield) -> list[Result]:
        return list(
            await asyncio.gather(
                *(jackfield.ainvoke(mail(f"order-{number}"), wait=True) for number in range(40))
            )
        )

    with FakeAws() as aws, processes(aws, upgraded) as (one, other):
        for number in range(0, 40, 4):
            one.invoke(mail(f"order-{number}")).unwrap()
        results = asyncio.run(all_at_once(other))
        assert [result.status for result in results] == ["succeeded"] * 40
        assert [result.meta.replayed for result in results] == [
            number % 4 == 0 for number in range(40)
        ]
        assert sent(aws) == 40


def test_callers_of_several_processes_share_one_send(upgraded: str) -> None:
    """Whoever begins first sends; all others wait for its Result."""
    with (
        FakeAws(latency=0.05) as aws,
        processes(aws, upgraded, 3) as opened,
        ThreadPoolExecutor(30) as pool,
    ):
        results = list(
            pool.map(
                lambda number: opened[number % 3].invoke(mail("order-1"), wait=True), range(30)
            )
        )
        assert sent(aws) == 1
    assert {result.status for result in results} == {"succeeded"}
    assert sum(result.meta.replayed for result in results) == 29


@pytest.mark.parametrize("how", ["thread", "task"])
def test_a_repeat_that_would_be_refused_is_answered(upgraded: str, how: str) -> None:
    """A member that is refused before the begin, and that the key's fingerprint leaves out, does
    not hide the first Result.
    """
    with FakeAws() as aws, processes(aws, upgraded) as (one, other):
        first = ask(one, mail("order-1"), how)
        again = ask(other, {**mail("order-1"), "jobTimeoutSeconds": 60}, how)
        assert (again.status, again.meta.replayed, again.meta.invocation_id) == (
            "succeeded",
            True,
            first.meta.invocation_id,
        )
        fresh = ask(other, {**mail("order-2"), "jobTimeoutSeconds": 60}, how)
        assert fresh.error is not None
        assert (fresh.error.code, sent(aws)) == ("invalid_invocation", 1)
        assert other.journal is not None
        # the repeat has none of its own
        assert [entry.status for entry in other.journal.entries(limit=2)[0]] == [
            "failed",
            "succeeded",
        ]


@pytest.mark.parametrize("how", ["thread", "task"])
@pytest.mark.parametrize(
    "wrong", [{"to": ["nobody"]}, {"text": "another text"}], ids=["refused", "other"]
)
def test_a_key_of_another_request_is_a_conflict(
    upgraded: str, how: str, wrong: dict[str, Any]
) -> None:
    """Whether or not the other request could be sent, it is told that the key is taken."""
    with FakeAws() as aws, processes(aws, upgraded) as (one, other):
        ask(one, mail("order-1"), how).unwrap()
        request = mail("order-1")
        result = ask(other, {**request, "inputs": {**request["inputs"], **wrong}}, how)
        assert result.error is not None
        assert (result.error.code, result.error.retryable, sent(aws)) == (
            "idempotency_conflict",
            False,
            1,
        )


def test_those_who_do_not_wait_are_refused(upgraded: str) -> None:
    """All but one are told that the request still runs, in whichever process."""
    with (
        FakeAws(latency=3.0) as aws,
        processes(aws, upgraded) as opened,
        ThreadPoolExecutor(12) as pool,
    ):
        results = list(
            pool.map(lambda number: opened[number % 2].invoke(mail("order-1")), range(12))
        )
        assert sent(aws) == 1
    codes = [
        (result.error.code, result.error.retryable)
        for result in results
        if result.error is not None
    ]
    assert codes == [("idempotency_conflict", True)] * 11


def test_an_expired_key_is_free(upgraded: str) -> None:
    """After a day another process sends again under the same key, although it is still held in the
    database.
    """
    clock = FakeClock()
    with FakeAws() as aws, processes(aws, upgraded, clock=clock) as (one, other):
        one.invoke(mail("order-1")).unwrap()
        time_passes(25 * 3600, clock, other.storage.database)
        other.invoke(mail("warm")).unwrap()
        assert other.invoke(mail("order-1")).meta.replayed is False
        assert sent(aws) == 3


def test_keys_that_differ_by_little_are_different_keys(upgraded: str) -> None:
    """Case, spaces at either end and the last of 255 characters count, in each database and
    whichever process asks.
    """
    keys = ["a", "A", "a ", " a", "a  ", "%", "_", "a'", "\\", "x" * 255, "x" * 254 + "y"]
    with FakeAws() as aws, processes(aws, upgraded) as (one, other):
        first = [one.invoke({**mail("order-1"), "idempotencyKey": key}) for key in keys]
        again = [other.invoke({**mail("order-1"), "idempotencyKey": key}) for key in keys]
        assert [result.meta.replayed for result in first] == [False] * len(keys)
        assert [result.meta.invocation_id for result in again] == [
            result.meta.invocation_id for result in first
        ]
        assert sent(aws) == len(keys)


@pytest.mark.parametrize("outcome", ["failed", "succeeded"])
def test_a_doubt_of_another_process(upgraded: str, outcome: Any) -> None:
    """It is replayed as in doubt; once a person has resolved it as failed, the key is free."""
    with FakeAws() as aws, processes(aws, upgraded) as (one, other):
        aws.script([{"operation": "SendEmail", "do": "reset"}])
        doubt = one.invoke(mail("order-1"))
        again = other.invoke(mail("order-1"))
        assert (again.status, again.meta.replayed, again.meta.invocation_id) == (
            "in_doubt",
            True,
            doubt.meta.invocation_id,
        )
        assert one.journal is not None
        one.journal.resolve(doubt.meta.invocation_id, outcome, "ada")
        assert other.invoke(mail("order-1")).meta.replayed is (outcome == "succeeded")


@pytest.mark.parametrize("how", ["new", "repeat"])
@pytest.mark.parametrize("caller", ["server", "library"])
def test_a_keyed_write_changes_threads_three_times(
    upgraded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, caller: str
) -> None:
    """A write with a new key waits for its begin, its action and its end, of which two are commits;
    a repeat for one look. A task of the library waits for nothing more: its end has committed what
    others had put off.
    """
    changes = list[str]()
    of_pool, of_database = Threads.submit, Batches.submit

    def asked(threads: Threads, *given: Any, **named: Any) -> Any:
        changes.append("thread")
        return of_pool(threads, *given, **named)

    def submitted(batches: Batches, *given: Any, **named: Any) -> Any:
        changes.append("commit")
        return of_database(batches, *given, **named)

    async def run(board: Panel) -> None:
        call = board.jackfield.begin if caller == "server" else board.jackfield.ainvoke
        await call(invocation(idempotencyKey="first"))
        # the first call looks for old entries
        await asyncio.to_thread(board.jackfield.storage.database.settle, 60.0)
        changes.clear()
        result = await call(invocation(idempotencyKey="second" if how == "new" else "first"))
        assert (result.status, result.meta.replayed) == ("succeeded", how == "repeat")

    monkeypatch.setattr(Threads, "submit", asked)
    monkeypatch.setattr(Batches, "submit", submitted)
    with runtime(
        tmp_path, scripted(Script("done", "done"), effect="write"), database_url=upgraded
    ) as board:
        asyncio.run(run(board))
    assert changes == (["commit", "thread", "commit"] if how == "new" else ["thread"])


_SENDER = """
import random, sys
from jackfield_store.runtime import Jackfield
from nursery import connection, mail
url, database, seed, *keys = sys.argv[1:]
with Jackfield(connections=[connection(url)], database_url=database) as jackfield:
    jackfield.invoke(mail(f"first-{seed}")).unwrap()
    print("ready", flush=True)
    random.Random(seed).shuffle(keys)
    for key in keys:
        jackfield.invoke(mail(key))
    print("done", flush=True)
"""


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.campaign)])
def test_killed_processes_that_share_keys_send_nothing_twice(
    database_url: str, home: Path, kills: int
) -> None:
    """Two processes at a time send the same mails in orders of their own and are killed: each mail
    at most once, each entry truthful.
    """
    open_database(database_url, migrate=True).close()
    keys, chance = [f"shared-{number}" for number in range(30 * kills)], random.Random(20261128)
    with FakeAws(latency=0.005) as aws:
        for seed in range(0, kills, 2):
            words = [
                [sys.executable, "-c", _SENDER, aws.url, database_url, str(each), *keys]
                for each in (seed, seed + 1)
            ]
            path = os.pathsep.join(path for path in sys.path if path)
            environment = {**os.environ, "JACKFIELD_HOME": str(home), "PYTHONPATH": path}
            running = [
                subprocess.Popen(each, env=environment, stdout=subprocess.PIPE, text=True)
                for each in words
            ]
            for process in running:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            threading.Event().wait(chance.uniform(0.05, 0.6))
            for process in running:
                process.kill()
                process.communicate()
        aws.wait_until(lambda fake: fake.open_connections == 0)
        with Jackfield(connections=[connection(aws.url)], database_url=database_url) as jackfield:
            assert jackfield.journal is not None
            jackfield.journal.recover()
            entries, sent_before = (
                entries_by_key(jackfield.journal),
                Counter(message.subject for message in aws.messages),
            )
            for key in keys:
                check_truth(entries.get(key), sent_before[key])
                jackfield.invoke(mail(key))
            assert [
                key
                for key, count in Counter(message.subject for message in aws.messages).items()
                if count > 1
            ] == []


def test_seen_keys_are_bounded(tmp_path: Path) -> None:
    """Those that were seen first are forgotten; the same key of another workspace is another
    key.
    """
    seen = SeenKeys()
    assert (seen.add("acme", "", "k"), seen.add("acme", "", "k"), seen.add("globex", "", "k")) == (
        True,
        False,
        True,
    )
    for number in range(seen_keys._MOST):
        seen.add("acme", "", str(number))
    assert len(seen._seen) == seen_keys._MOST
    assert seen.add("acme", "", "k") is True
    seen.close()


def test_a_late_look_finds_a_call_that_waits(
    upgraded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repeat that is refused before its key was looked for gets the first call's Result, which
    can be waited for.
    """
    monkeypatch.setattr(seen_keys, "_WARY", 0.0)
    with FakeAws() as aws, approving.runtime(upgraded, aws, None) as jackfield:
        keyless = {name: value for name, value in mail("warm").items() if name != "idempotencyKey"}
        assert jackfield.invoke(keyless).status == "succeeded"
        approving.workspaces_of(jackfield).set(
            "default", {"rules": {"approve": ["aws-ses/sendEmail"]}}
        )
        first = approving.asked(jackfield)
        approving.workspaces_of(jackfield).set("default", {"rules": {"approve": []}})
        jackfield.invoke({**keyless, "inputs": {**keyless["inputs"], "text": "another"}}).unwrap()
        SeenKeys.of(jackfield.storage.database)._seen.clear()  # as in another process
        late = jackfield.invoke({**mail("order-1"), "jobTimeoutSeconds": 60})
        assert (late.status, late.meta.invocation_id) == ("waiting", first.meta.invocation_id)
        assert late.wait(timeout=0.0).status == "waiting"
