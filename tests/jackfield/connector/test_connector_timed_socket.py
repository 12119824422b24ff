"""Sockets of libraries that block: they end at the deadline, however a server spends it, and take
no more than they have room for.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from jackfield.connector import Call, Deadline
from jackfield.connector import timed_socket as module
from jackfield.connector.context import entered
from jackfield.connector.timed_socket import TimedSocket, TooMuchError
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import Cancelled

CLOCK = SystemClock()


@contextmanager
def serving(
    seconds: float, serve: Callable[[socket.socket, threading.Event], object]
) -> Iterator[TimedSocket]:
    """A socket that is connected to a server, with so many seconds until its deadline."""
    over = threading.Event()
    ours, theirs = socket.socketpair()

    def run() -> None:
        with suppress(OSError):
            serve(theirs, over)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    found = TimedSocket(ours, Deadline.after(seconds, CLOCK))
    try:
        yield found
    finally:
        over.set()
        found.close()
        theirs.close()
        thread.join(30)


def drip(connection: socket.socket, over: threading.Event) -> None:
    """Send a byte now and then, for ever."""
    while not over.wait(0.02):
        connection.send(b"x")


def silent(_connection: socket.socket, over: threading.Event) -> None:
    """Neither send nor read anything."""
    over.wait()


def read_whole(sock: TimedSocket) -> object:
    """Read as libraries that buffer do."""
    return sock.makefile("rb").read(1_000_000)


def receive_whole(sock: TimedSocket) -> object:
    """Read until nothing comes any more."""
    while sock.recv(1024):
        pass
    return None


@pytest.mark.parametrize("serve", [drip, silent])
@pytest.mark.parametrize("read", [read_whole, receive_whole])
def test_a_read_ends_at_the_deadline(
    serve: Callable[[socket.socket, threading.Event], object], read: Callable[[TimedSocket], object]
) -> None:
    """Whether a server is silent, or sends as slowly as it may."""
    with serving(0.6, serve) as sock:
        with pytest.raises(TimeoutError):
            read(sock)
        assert isinstance(sock.failure, TimeoutError)


def test_a_write_ends_at_the_deadline() -> None:
    """To a server that does not read."""
    with serving(0.3, silent) as sock, pytest.raises(TimeoutError):
        sock.sendall(b"x" * 50_000_000)


def test_an_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each call anew, however large the pieces are."""
    monkeypatch.setattr(module, "MOST_ANSWER", 10)
    with serving(30.0, lambda connection, _over: connection.sendall(b"x" * 21)) as sock:
        assert sock.recv(10) == b"x" * 10
        sock.serve(Deadline.after(30.0, CLOCK))
        assert sock.recv(10) == b"x" * 10
        with pytest.raises(TooMuchError):
            sock.recv(10)


def test_a_wait_ends_when_the_caller_leaves() -> None:
    """Unless an answer is awaited that says whether something has changed."""
    call = Call(Deadline.after(30.0, CLOCK))
    call.cancelled.set()
    with serving(0.4, silent) as sock, entered(call):
        with pytest.raises(Cancelled):
            sock.recv(1)
        sock.obeys = False
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_quiet_is_what_has_nothing_to_say() -> None:
    """Neither bytes that nobody has asked for, nor the connection's end."""
    with serving(30.0, silent) as sock:
        assert sock.is_quiet
    with serving(30.0, lambda connection, over: (connection.send(b"x"), over.wait())) as sock:
        assert sock.recv(1) == b"x"
        assert sock.is_quiet
    with serving(30.0, lambda connection, _over: connection.shutdown(socket.SHUT_RDWR)) as sock:
        assert sock.recv(1) == b""
        assert not sock.is_quiet
