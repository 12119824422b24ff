"""A child forked from a process with busy threads works as its parent does: over connections, locks
and a lease of its own.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest

from authority import Authority
from fake_aws import FakeAws
from forking import alone, fork
from jackfield.kernel import fork as at_forks
from jackfield.kernel.errors import Unavailable
from jackfield_store.database import Database, engine, open_database
from jackfield_store.journal.instance import Instance
from jackfield_store.runtime import Jackfield
from nursery import connection, mail
from smtp_rig import HOST, rig

pytest_plugins = ["postgres"]

_CHILDREN = 3


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """The fake AWS."""
    with FakeAws() as fake:
        yield fake


@contextmanager
def _busy(work: Callable[[], object]) -> Iterator[None]:
    """Three threads that do ``work`` again and again."""
    stop, begun = threading.Event(), threading.Barrier(4)

    def again() -> None:
        work()
        begun.wait(30)
        while not stop.is_set():
            work()

    threads = [threading.Thread(target=again) for _ in range(3)]
    for thread in threads:
        thread.start()
    begun.wait(30)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def _plain() -> dict[str, Any]:
    return {name: value for name, value in mail("order").items() if name != "idempotencyKey"}


def _sent_by_children(
    jackfield: Jackfield, invocation: dict[str, Any], count: int = _CHILDREN
) -> list[str]:
    """Fork children while threads send; what each child was answered."""

    def send() -> str:
        return str(jackfield.invoke(invocation).unwrap()["MessageId"])

    def child() -> str:
        found = send()
        jackfield.close()  # it ends at once, and what it has put off would be left to its parent
        return found

    with _busy(send):
        return [fork(child).answer() for _ in range(count)]


def test_children_record_and_send(aws: FakeAws, database_url: str) -> None:
    """Children of a parent whose threads send and record at the same time do so too, each entry
    once.
    """
    open_database(database_url, migrate=True).close()
    found = alone(_with_a_journal, aws.url, database_url)
    sent = {message.message_id for message in aws.messages}
    assert len(sent) == len(aws.messages)
    assert set(found["ids"]) < sent
    assert found["entries"] == {"succeeded": len(sent)}


def _with_a_journal(aws_url: str, database_url: str) -> dict[str, Any]:
    with Jackfield(connections=[connection(aws_url)], database_url=database_url) as jackfield:
        ids = _sent_by_children(jackfield, _plain())
        assert jackfield.journal is not None
        entries = {row["status"]: row["invocations"] for row in jackfield.journal.stats()}
    return {"ids": ids, "entries": entries}


def test_children_share_keys_with_their_parent(aws: FakeAws, database_url: str) -> None:
    """Each key is sent once, whether its first call began in the parent before or after the fork,
    or in a child.
    """
    open_database(database_url, migrate=True).close()
    keys = [f"order-{number}" for number in range(12)]
    found = alone(_with_shared_keys, aws.url, database_url, keys)
    assert found == ["succeeded"] * (4 + _CHILDREN) * len(keys)
    assert sorted(message.subject for message in aws.messages) == sorted(["first", *keys])


def _with_shared_keys(aws_url: str, database_url: str, keys: list[str]) -> list[str]:
    with (
        Jackfield(connections=[connection(aws_url)], database_url=database_url) as jackfield,
        ThreadPoolExecutor(4) as pool,
    ):
        jackfield.invoke(mail("first")).unwrap()

        def send(start: int) -> list[str]:
            return [
                str(jackfield.invoke(mail(key), wait=True).status)
                for key in keys[start:] + keys[:start]
            ]

        def send_and_close(start: int) -> list[str]:
            found = send(start)
            jackfield.close()
            return found

        in_parent = [pool.submit(send, 3 * number) for number in range(4)]
        children = [fork(partial(send_and_close, 5 * number)) for number in range(_CHILDREN)]
        answers = [child.answer() for child in children] + [each.result() for each in in_parent]
        return [status for answer in answers for status in answer]


def test_children_send_over_a_stored_connection(aws: FakeAws, tmp_path: Path) -> None:
    """A child opens the secrets of a stored connection anew."""
    ids = alone(_with_a_stored_connection, aws.url, f"sqlite:///{tmp_path / 'a.db'}")
    assert set(ids) < {message.message_id for message in aws.messages}


def _with_a_stored_connection(aws_url: str, database_url: str) -> list[str]:
    given = connection(aws_url)["acme-ses"]
    with Jackfield(connections=(), database_url=database_url) as jackfield:
        jackfield.connections.add("acme-ses", given["type"], given["values"], test=False)
        return _sent_by_children(jackfield, _plain())


def test_a_runtime_that_was_opened_after_another_was_used_works_in_a_child(
    aws: FakeAws, tmp_path: Path
) -> None:
    """What one runtime's hooks drop, such as the pace of an action, keeps no later hook from
    running.
    """
    found = alone(
        _with_two_runtimes,
        aws.url,
        f"sqlite:///{tmp_path / 'a.db'}",
        f"sqlite:///{tmp_path / 'b.db'}",
    )
    assert found == ["succeeded"] * 3


def _with_two_runtimes(aws_url: str, first_url: str, second_url: str) -> list[str]:
    with Jackfield(connections=[connection(aws_url)], database_url=first_url) as first:
        first.invoke(_plain()).unwrap()
        with Jackfield(connections=[connection(aws_url)], database_url=second_url) as second:
            second.invoke(_plain()).unwrap()
            return [fork(lambda: str(second.invoke(_plain()).status)).answer() for _ in range(3)]


def test_children_send_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child does its own handshake: it neither writes nor reads within its parent's TLS
    connection.
    """
    authority = Authority(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    plain, context = socket.create_server, authority.serving("127.0.0.1")
    monkeypatch.setattr(
        socket,
        "create_server",
        lambda *given, **options: context.wrap_socket(plain(*given, **options), server_side=True),
    )
    with FakeAws() as fake:
        ids = alone(_without_a_journal, fake.url.replace("http:", "https:"))
        assert set(ids) < {message.message_id for message in fake.messages}


def _without_a_journal(aws_url: str) -> list[str]:
    with Jackfield(connections=[connection(aws_url)], database_url="none") as jackfield:
        return _sent_by_children(jackfield, _plain())


def test_children_send_over_smtp() -> None:
    """A child signs in by itself; each message arrives once."""
    found = alone(_over_smtp)
    assert found["taken"] == found["children"] + found["parent"]
    assert found["children"] == _CHILDREN


def _over_smtp() -> dict[str, int]:
    with rig(names=(HOST,)) as stand:
        sent: list[int] = []

        def send() -> int:
            stand.send().unwrap()
            sent.append(1)
            return 1

        with _busy(send):
            children = sum(fork(send).answer() for _ in range(_CHILDREN))
        return {"taken": len(stand.server.received), "children": children, "parent": len(sent)}


def test_an_asyncio_runtime_goes_on_in_a_child(aws: FakeAws, database_url: str) -> None:
    """A child runs a loop of its own, where its parent's threads and tasks are not."""
    open_database(database_url, migrate=True).close()
    first, child, after = alone(_in_loops, aws.url, database_url)
    assert len({first, child, after} & {message.message_id for message in aws.messages}) == 3


def _in_loops(aws_url: str, database_url: str) -> list[str]:
    jackfield = Jackfield(connections=[connection(aws_url)], database_url=database_url)

    def send() -> str:
        return str(asyncio.run(jackfield.ainvoke(_plain())).unwrap()["MessageId"])

    return [send(), fork(send).answer(), send()]


def test_no_lock_of_the_parent_is_held_in_a_child(aws: FakeAws, database_url: str) -> None:
    """A child sends though another thread of its parent held each lock there is when it was
    forked.
    """
    open_database(database_url, migrate=True).close()
    locks, child = alone(_under_all_locks, aws.url, database_url)
    assert locks >= 10
    assert child in {message.message_id for message in aws.messages}


def _under_all_locks(aws_url: str, database_url: str) -> list[Any]:
    jackfield = Jackfield(connections=[connection(aws_url)], database_url=database_url)

    def send() -> str:
        return str(jackfield.invoke(_plain()).unwrap()["MessageId"])

    send()
    kinds = (type(threading.Lock()), type(threading.RLock()))
    owners = [
        owner for reference in at_forks._OWNERS.keyrefs() if (owner := reference()) is not None
    ]
    locks = [
        value for owner in owners for value in vars(owner).values() if isinstance(value, kinds)
    ]
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        for lock in locks:
            lock.acquire()
        held.set()
        done.wait(60)

    threading.Thread(target=hold, daemon=True).start()
    assert held.wait(30)
    return [len(locks), fork(send).answer()]


def test_what_a_child_commits_outlives_its_parents_connections(tmp_path: Path) -> None:
    """SQLite: a child has copies of none of its parent's connections. It would take their locks for
    its own, and lose what it commits.
    """
    path = tmp_path / "a.db"
    assert alone(_committed_in_turn, str(path)) == ["child 1", "parent", "child 2"]
    with sqlite3.connect(path) as left:
        names = {row[0] for row in left.execute("SELECT name FROM workspaces")}
        assert left.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    left.close()
    assert names >= {"parent", "child-1", "other", "child-2"}


_OTHER = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1])
other.execute("INSERT INTO workspaces (name, created_at) VALUES ('other', 1)")
other.commit()
"""


def _committed_in_turn(path: str) -> list[str]:
    database = open_database(f"sqlite:///{path}")
    _add(database, "parent")
    said_r, said = os.pipe()
    told, tell = os.pipe()

    def child() -> str:
        _add(database, "child-1")
        os.write(said, b"1")
        os.read(told, 1)
        _add(database, "child-2")
        return "child 2"

    started = fork(child)
    assert os.read(said_r, 1) == b"1"
    database.close()
    subprocess.run([sys.executable, "-c", _OTHER, path], check=True, timeout=120)
    os.write(tell, b"1")
    return ["child 1", "parent", started.answer()]


def _add(database: Database, name: str) -> None:
    values = {"name": name}
    database.record(
        lambda transaction: transaction.change(
            "INSERT INTO workspaces (name, created_at) VALUES (:name, 1)", values
        )
    )


def test_a_fork_within_a_transaction_is_refused_in_the_child(tmp_path: Path) -> None:
    """SQLite: where a transaction of the parent outlasts the wait, the child is refused instead of
    losing what it commits.
    """
    assert alone(_forked_within, f"sqlite:///{tmp_path / 'a.db'}") == ["unavailable", "recorded"]


def _forked_within(url: str) -> list[str]:
    engine._FOR_FORK = 0.1
    database = open_database(url)

    def child() -> str:
        try:
            _add(database, "child")
        except Unavailable as error:
            return error.code
        return "recorded"

    with database.write():
        found = fork(child).answer()
    return [found, fork(child).answer()]


def test_a_child_has_a_lease_that_is_renewed(aws: FakeAws, database_url: str) -> None:
    """A child registers itself and looks for what others have left; its parent goes on under its
    own lease.
    """
    open_database(database_url, migrate=True).close()
    found = alone(_leases, aws.url, database_url)
    assert found["child"] != found["parent"]
    assert found["watches"]


def _leases(aws_url: str, database_url: str) -> dict[str, Any]:
    with Jackfield(connections=[connection(aws_url)], database_url=database_url) as jackfield:
        jackfield.open()

        def child() -> list[Any]:
            jackfield.open()
            instance = Instance.of(jackfield.storage.database)
            return [instance.owner, instance.watching is not None]

        owner, watches = fork(child).answer()
        return {
            "parent": Instance.of(jackfield.storage.database).owner,
            "child": owner,
            "watches": watches,
        }


def test_a_child_does_not_wait_for_an_import_of_its_parent(tmp_path: Path) -> None:
    """The thread of the lease imports what looks for lost processes; a fork meanwhile would leave
    that import locked in the child.
    """
    assert alone(_forked_while_importing, f"sqlite:///{tmp_path / 'a.db'}")


class _SlowImport(MetaPathFinder):
    """Makes an import of another thread last for a moment, in which this process forks."""

    def __init__(self, name: str) -> None:
        self.begun, forked = threading.Event(), threading.Event()
        self._name, self._here = name, threading.current_thread()
        self._last = partial(forked.wait, 0.2)
        os.register_at_fork(after_in_parent=forked.set)

    def find_spec(self, name: str, _path: object, _target: object = None) -> None:
        if name == self._name and threading.current_thread() is not self._here:
            self.begun.set()
            self._last()


def _forked_while_importing(url: str) -> bool:
    name = "jackfield_store.journal.recovery"
    sys.modules.pop(name, None)
    slow = _SlowImport(name)
    sys.meta_path.insert(0, slow)
    with Jackfield(connections=(), database_url=url) as jackfield:
        journal = jackfield.journal
        assert journal is not None
        thread = threading.Thread(target=lambda: journal.recovery)
        thread.start()
        assert slow.begun.wait(30)
        found: bool = fork(lambda: journal.recovery is not None).answer()
        thread.join(30)
        return found
