"""The watch shuts sockets down when their deadline comes, and keeps nothing of those that were done
in time.
"""

from __future__ import annotations

import gc
import socket
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from forking import alone, fork
from jackfield.connector import Deadline
from jackfield.kernel.clock import SystemClock
from jackfield_aws import bounded
from jackfield_aws.bounded import Watch

CLOCK = SystemClock()


@dataclass
class _SetClock(SystemClock):
    """A clock that a test sets."""

    now: float = 0.0

    def monotonic(self) -> float:
        """Return what the test says."""
        return self.now


def _threads() -> int:
    return sum(thread.name == "aws-deadlines" for thread in threading.enumerate())


def test_a_socket_is_shut_down_at_its_deadline_and_no_other() -> None:
    """What is due ends at once, in any order of adding; what has time left, or was removed, goes
    on.
    """
    watch = Watch()
    late, late_peer = socket.socketpair()
    due, due_peer = socket.socketpair()
    done, done_peer = socket.socketpair()
    with late, late_peer, due, due_peer, done, done_peer:
        for sock in (late_peer, due_peer, done_peer):
            sock.settimeout(60)
        later = watch.add(late, Deadline.after(60, CLOCK))
        first = watch.add(due, Deadline.after(0.05, CLOCK))
        assert watch.remove(watch.add(done, Deadline.after(0.04, CLOCK)))
        assert due_peer.recv(1) == b""
        assert due.recv(1) == b""
        assert not watch.remove(first)
        assert watch.remove(later)
        for sock, peer in ((late, late_peer), (done, done_peer)):
            sock.sendall(b"x")
            assert peer.recv(1) == b"x"
    assert len(watch) == 0


def test_a_clock_that_lags_is_asked_again() -> None:
    """A deadline by a clock of its own holds by that clock, and keeps no other one waiting."""
    watch, clock = Watch(), _SetClock()
    lagging, lagging_peer = socket.socketpair()
    due, due_peer = socket.socketpair()
    with lagging, lagging_peer, due, due_peer:
        lagging_peer.settimeout(60)
        due_peer.settimeout(60)
        watch.add(lagging, Deadline(clock, 0.02, 1.0))
        watch.add(due, Deadline.after(0.1, CLOCK))
        assert due_peer.recv(1) == b""
        assert len(watch) == 1
        clock.now = 1.0
        assert lagging_peer.recv(1) == b""


def test_what_is_closed_already_is_no_fault() -> None:
    """A socket that was closed, or that nobody holds any more, is passed over, and the watch goes
    on.
    """
    watch = Watch()
    closed, forgotten_peer = socket.socketpair()
    forgotten, peer = socket.socketpair()
    watch.add(closed, Deadline.after(0.01, CLOCK))
    watch.add(forgotten, Deadline.after(0.02, CLOCK))
    for sock in (closed, forgotten_peer, forgotten):
        sock.close()
    del sock, forgotten
    gc.collect(0)  # of what is new
    due, due_peer = socket.socketpair()
    with peer, due, due_peer:
        due_peer.settimeout(60)
        watch.add(due, Deadline.after(0.03, CLOCK))
        assert due_peer.recv(1) == b""
    assert len(watch) == 0


def test_ten_thousand_calls_leave_nothing_behind() -> None:
    """Calls that are done in time leave neither entries nor threads."""
    watch, before = Watch(), _threads()
    sock, peer = socket.socketpair()
    with sock, peer:
        for _ in range(10_000):
            assert watch.remove(watch.add(sock, Deadline.after(60, CLOCK)))
        assert len(watch) == 0
        assert _threads() == before + 1


def test_a_watch_begins_anew_in_a_forked_child() -> None:
    """A forked process, which has no copy of the thread, still ends what is due, and leaves its
    parent's sockets alone.
    """
    assert alone(_watched_in_a_child) == {"child": [1, 0], "parent": [0, True]}


def _watched_in_a_child() -> dict[str, Any]:
    watch = Watch()
    held, held_peer = socket.socketpair()
    due, due_peer = socket.socketpair()
    with held, held_peer, due, due_peer:
        due.settimeout(60)
        due_peer.settimeout(60)
        number = watch.add(held, Deadline.after(60, CLOCK))

        def child() -> list[int]:
            watch.add(due, Deadline.after(0.05, CLOCK))
            return [len(watch), len(due.recv(1))]

        found = fork(child).answer()
        return {"child": found, "parent": [len(due_peer.recv(1)), watch.remove(number)]}


@pytest.mark.parametrize("kind", [bounded._PlainConnection, bounded._TlsConnection])
def test_the_connections_are_those_of_botocore(kind: type) -> None:
    """What we mix into is what botocore connects with, so that an upgrade that changes it is seen
    here.
    """
    assert [base.__module__ for base in kind.__mro__[2:3]] == ["botocore.awsrequest"]
