"""Faults at every phase of a request: what had been sent, which error it is, and whether a retry is
allowed.
"""

from __future__ import annotations

import errno
import socket
import struct
import threading
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from authority import Authority
from http_rig import attempt
from jackfield.connector import InvalidConnection, JackfieldError, Sent, TimedOut
from jackfield.testing import CLOSE, HANG, RESET, Answer, Provider
from ports import free_port
from raw_server import make_certificate, read_request, serving, with_tls

Talk = Callable[[socket.socket], object]


def failure(
    url: str, method: str = "POST", seconds: float = 60.0, **options: Any
) -> JackfieldError:
    """The error of a request."""
    with (
        attempt(url, seconds=seconds, values={"token": "t", **options}) as (api, call),
        pytest.raises(JackfieldError) as found,
    ):
        assert api.request(method, "/x", json={"a": 1} if method == "POST" else None).content
    found.value.begun = call.begun  # type: ignore[attr-defined]
    return found.value


def outcome(error: JackfieldError) -> tuple[str, Sent, bool, bool]:
    """Code, what was sent, whether a retry may and can help, and whether the attempt counts."""
    return error.code, error.sent, error.retryable and error.repeatable, error.begun  # type: ignore[attr-defined]


def test_nobody_listens() -> None:
    """A refused connection: nothing was sent, and a retry is safe."""
    port = free_port()
    error = failure(f"http://127.0.0.1:{port}")
    assert outcome(error) == ("unavailable", Sent.NOTHING, True, True)
    assert error.message == f"'127.0.0.1:{port}' refused the connection"
    assert "whether the server runs" in str(error.hint)


def test_a_connect_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that does not answer in time is neither refused nor unknown."""

    class Swallowed(socket.socket):
        def connect(self, _: object) -> None:
            raise TimeoutError("timed out")

    monkeypatch.setattr("socket.socket", Swallowed)
    error = failure("http://127.0.0.1:9")
    assert outcome(error) == ("unavailable", Sent.NOTHING, True, True)
    assert error.message == "'127.0.0.1:9' did not accept a connection in time"
    assert "The server is down, or a firewall" in str(error.hint)


def test_no_way_leads_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's reason is told, and whose network it is about."""

    class Unrouted(socket.socket):
        def connect(self, _: object) -> None:
            raise OSError(errno.ENETUNREACH, "a text of the system's language")

    monkeypatch.setattr("socket.socket", Unrouted)
    error = failure("http://127.0.0.1:9")
    assert outcome(error) == ("unavailable", Sent.NOTHING, True, True)
    assert error.message == "'127.0.0.1:9' could not be reached: network is unreachable"
    assert "this machine" in str(error.hint)


def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not resolve: nothing was sent."""

    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", fail)
    error = failure("http://nowhere.example")
    assert outcome(error) == ("unavailable", Sent.NOTHING, True, True)
    assert "'nowhere.example' does not resolve" in error.message


def test_an_unknown_authority(tmp_path: Path) -> None:
    """A certificate that cannot be verified: nothing was sent, and no retry can help."""
    certificate = make_certificate(tmp_path)
    with serving(lambda connection: with_tls(certificate, connection).close()) as port:
        assert outcome(failure(f"https://localhost:{port}")) == (
            "unavailable",
            Sent.NOTHING,
            False,
            True,
        )


def test_no_tls_at_all() -> None:
    """A server that speaks plain HTTP where TLS is expected: the handshake fails, and nothing was
    sent.
    """

    def talk(connection: socket.socket) -> None:
        connection.recv(10)
        connection.sendall(b"HTTP/1.1 400 no\r\n\r\n")

    with serving(talk) as port:
        assert outcome(failure(f"https://localhost:{port}")) == (
            "unavailable",
            Sent.NOTHING,
            True,
            True,
        )


def test_a_handshake_that_hangs() -> None:
    """A TLS handshake ends with the deadline; nothing was sent."""
    with serving(lambda connection: connection.recv(9999) and connection.recv(9999)) as port:
        error = failure(f"https://localhost:{port}", seconds=0.3)
    assert outcome(error) == ("timeout", Sent.NOTHING, True, True)
    assert "accepted the connection, but did not answer the TLS handshake in time" in error.message


def test_the_deadline_has_passed() -> None:
    """After the deadline nothing is begun."""
    with Provider([Answer()]) as provider:
        error = failure(provider.url, seconds=0.0)
        assert (outcome(error), provider.requests) == (("timeout", Sent.NOTHING, True, False), [])


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("step", [RESET, CLOSE, Answer(missing=9)], ids=["reset", "close", "cut"])
def test_a_connection_breaks(step: Any, method: str) -> None:
    """A connection that breaks once the request is on its way: the outcome is unknown, whichever
    part of the response was missing.
    """
    with Provider([step]) as provider:
        assert outcome(failure(provider.url, method)) == ("unavailable", Sent.UNKNOWN, True, True)


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nxx",
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
            b"10\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
        ),
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
    ids=[
        "garbage",
        "short",
        "chunk",
        "size",
        "header",
        "not gzip",
        "brotli",
        "cut gzip",
        "only 100",
    ],
)
def test_garbled_answers(answer: bytes) -> None:
    """A response that is not one: the outcome is unknown."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    with serving(talk) as port:
        assert outcome(failure(f"http://127.0.0.1:{port}")) == (
            "unavailable",
            Sent.UNKNOWN,
            True,
            True,
        )


def test_an_answer_that_is_no_http() -> None:
    """It is told as one, not as a lost connection, and to try again is not advised."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"220 mail.example.com ESMTP\r\n\r\n")

    with serving(talk) as port:
        error = failure(f"http://127.0.0.1:{port}")
    assert f"'127.0.0.1:{port}' answered, but not in HTTP" in error.message
    assert "another service listens there" in str(error.hint)


def test_another_protocol_that_goes_on_waiting() -> None:
    """A server that greets in its own protocol, and waits, is told by its greeting; the deadline
    need not pass.
    """
    stop = threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-x\r\n")
        stop.wait(30)

    with serving(talk) as port:
        error = failure(f"http://127.0.0.1:{port}", seconds=30)
        stop.set()
    assert error.code == "unavailable"
    assert f"'127.0.0.1:{port}' answered, but not in HTTP" in error.message
    assert "'SSH-2.0-x'" in error.message


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_that_ends_without_an_answer(tmp_path: Path, scheme: str) -> None:
    """It is told as such, and that the port may expect TLS, unless TLS is spoken."""
    authority = Authority(tmp_path)
    context = authority.serving("localhost")

    def talk(connection: socket.socket) -> None:
        with (
            context.wrap_socket(connection, server_side=True)
            if scheme == "https"
            else connection as stream
        ):
            read_request(stream)

    with serving(talk) as port:
        error = failure(f"{scheme}://localhost:{port}", caCertificate=authority.bundle.read_text())
    assert (
        error.message
        == f"'localhost:{port}' closed the connection before the first byte of an answer"
    )
    assert ("write https://" in str(error.hint)) == (scheme == "http")


def test_whose_certificate_is_refused(tmp_path: Path) -> None:
    """The hint says for whom it is, and who has issued it."""
    authority = Authority(tmp_path, "Proxy of Example")
    context = authority.serving("other.example")

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as stream:
            read_request(stream)

    with serving(talk) as port:
        error = failure(f"https://localhost:{port}", caCertificate=authority.bundle.read_text())
    assert "not valid for 'localhost'" in error.message
    assert "'Proxy of Example' has issued it, for 'other.example'." in str(error.hint)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_was_misdirected(method: str) -> None:
    """It goes to a new connection once, whatever its effect: it was not processed. No connection is
    kept that was answered so.
    """
    answers, used = [200, 421, 200, 421, 421, 200], list[int]()

    def talk(connection: socket.socket) -> None:
        while read_request(connection):
            used.append(connection.getpeername()[1])
            connection.sendall(b"HTTP/1.1 %d x\r\nContent-Length: 2\r\n\r\n{}" % answers.pop(0))

    with (
        serving(talk) as port,
        attempt(f"http://127.0.0.1:{port}", values={"token": "t"}) as (api, _),
    ):
        send = partial(api.request, method, "/x", json=None if method == "GET" else {"a": 1})
        assert [send().status, send().status] == [200, 200]
        with pytest.raises(JackfieldError) as found:
            send()
        assert send().status == 200
    assert (found.value.code, found.value.provider and found.value.provider.http_status) == (
        "rejected",
        421,
    )
    assert "does not serve this host" in str(found.value.hint)
    assert [one == other for one, other in pairwise(used)] == [True, False, True, False, False]


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 200 OK\r\nX"]
)
def test_a_server_that_hangs(answer: bytes) -> None:
    """A response that does not end by the deadline, at the header or in the body: a timeout with an
    unknown outcome.
    """

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)
        connection.recv(1)

    with serving(talk) as port:
        assert outcome(failure(f"http://127.0.0.1:{port}", seconds=2)) == (
            "timeout",
            Sent.UNKNOWN,
            True,
            True,
        )


def test_a_server_that_drips() -> None:
    """Single bytes do not extend the deadline: it bounds the whole response, header and body."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        for _ in range(10_000):
            connection.sendall(b"H" if not dripped else b"x")
            dripped.append(1)
            if hung.wait(0.01):
                return

    dripped: list[int] = []
    hung = threading.Event()
    with serving(talk) as port:
        error = failure(f"http://127.0.0.1:{port}", seconds=2)
        hung.set()
    assert error.sent is Sent.UNKNOWN


def test_an_upload_that_nobody_reads() -> None:
    """A server that stops reading: the write ends with the deadline, and the outcome is unknown."""
    stop = threading.Event()
    with serving(lambda connection: connection.recv(1) and stop.wait(30)) as port:
        with (
            attempt(f"http://127.0.0.1:{port}", seconds=2) as (api, _),
            pytest.raises(TimedOut) as found,
        ):
            api.post("/x", content=b"x" * 30_000_000)
        stop.set()
    assert found.value.sent is Sent.UNKNOWN


def test_an_early_answer() -> None:
    """A server that refuses before it has read the body: its answer is reported, not the broken
    upload.
    """

    def talk(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(
            b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        while connection.recv(1 << 20):
            pass

    with (
        serving(talk) as port,
        attempt(f"http://127.0.0.1:{port}") as (api, _),
        pytest.raises(JackfieldError) as found,
    ):
        api.post("/x", content=iter([b"x" * 100_000] * 20))
    assert (found.value.code, found.value.provider and found.value.provider.http_status) == (
        "rejected",
        413,
    )


def test_a_kept_connection_that_the_server_has_closed() -> None:
    """A pooled connection that the server has closed meanwhile is not used again."""
    closed = threading.Semaphore(0)

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        # and close, without having said so
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        # close() waits for the ACK
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))
        connection.close()
        closed.release()

    with serving(talk) as port, attempt(f"http://127.0.0.1:{port}") as (api, _):
        for _ in range(3):
            assert api.post("/x").json() == {}
            assert closed.acquire(timeout=60)


def test_the_caller_leaves() -> None:
    """A caller who leaves before the first byte: nothing is sent."""
    with Provider([Answer()]) as provider, attempt(provider.url) as (api, call):
        call.cancelled.set()
        with pytest.raises(JackfieldError, match="cancelled"):
            api.post("/x")
        assert (provider.requests, call.begun) == ([], False)


@pytest.mark.parametrize(
    ("status", "code", "sent"),
    [
        (400, "rejected", Sent.REFUSED),
        (401, "unauthenticated", Sent.REFUSED),
        (402, "quota_exceeded", Sent.REFUSED),
        (403, "forbidden", Sent.REFUSED),
        (404, "not_found", Sent.REFUSED),
        (409, "conflict", Sent.REFUSED),
        (410, "not_found", Sent.REFUSED),
        (423, "conflict", Sent.REFUSED),
        (412, "conflict", Sent.REFUSED),
        (422, "rejected", Sent.REFUSED),
        (429, "rate_limited", Sent.REFUSED),
        (418, "rejected", Sent.REFUSED),
        (499, "unavailable", Sent.UNKNOWN),
        (500, "unavailable", Sent.UNKNOWN),
        (501, "rejected", Sent.REFUSED),
        (502, "unavailable", Sent.UNKNOWN),
        (503, "unavailable", Sent.UNKNOWN),
        (504, "unavailable", Sent.UNKNOWN),
        (599, "unavailable", Sent.UNKNOWN),
        (301, "rejected", Sent.REFUSED),
        (302, "rejected", Sent.UNKNOWN),
        (303, "rejected", Sent.UNKNOWN),
        (304, "conflict", Sent.UNKNOWN),
    ],
)
def test_statuses(status: int, code: str, sent: Sent) -> None:
    """Each status of a POST has an error, with what had been sent and the provider's words."""
    answer = Answer(
        {"error": {"code": "E7", "message": "no\x00 way"}},
        status,
        {"X-Request-Id": "r-1", "Location": "/y"},
    )
    with Provider([answer]) as provider:
        error = failure(provider.url)
        assert len(provider.requests) == 1
    assert (error.code, error.sent, error.provider and error.provider.http_status) == (
        code,
        sent,
        status,
    )
    if status != 304:
        assert error.provider is not None
        assert (error.provider.code, error.provider.message, error.provider.request_id) == (
            "E7",
            "no  way",
            "r-1",
        )


@pytest.mark.parametrize(("method", "repeatable"), [("GET", True), ("POST", False)])
@pytest.mark.parametrize("status", [408, 425])
def test_refusals_that_only_reads_repeat(status: int, method: str, repeatable: bool) -> None:
    """A 408 and a 425 are refusals: final for a write, worth another try for a read."""
    with Provider([Answer(status=status)]) as provider:
        error = failure(provider.url, method)
    assert (error.sent, error.repeatable) == (Sent.REFUSED, repeatable)


def test_a_server_that_hangs_within_an_error() -> None:
    """The status counts, although its body never ends."""
    with Provider([Answer(status=422, missing=5)]) as provider:
        assert failure(provider.url, seconds=2).code == "rejected"


def _through_proxy(head: bytes) -> JackfieldError:
    """The error of a request whose proxy answers to the tunnel with ``head``."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head + b"\r\nContent-Length: 0\r\n\r\n")

    with serving(talk) as port:
        return failure("https://api.example.com", proxy=f"http://127.0.0.1:{port}")


def test_a_proxy_that_refuses() -> None:
    """A proxy that refuses the tunnel: nothing was sent to the server."""
    error = _through_proxy(b"HTTP/1.1 502 Bad Gateway")
    assert outcome(error) == ("unavailable", Sent.NOTHING, True, True)
    assert "502" in error.message
    assert "The proxy answers: look at the server" in str(error.hint)


def test_a_proxy_whose_logins_are_not_spoken() -> None:
    """The hint does not ask for a login where none would help."""
    error = _through_proxy(b"HTTP/1.1 407 no\r\nProxy-Authenticate: NTLM")
    assert "offers NTLM" in error.message
    assert "of all schemes, only Basic is spoken. Ask whoever runs the proxy" in str(error.hint)


def test_a_proxy_passes_on() -> None:
    """Plain HTTP goes through the proxy, with its own login and the whole URL."""
    with Provider([Answer({"via": "proxy"})]) as proxy:
        values = {"token": "t", "proxy": proxy.url, "proxyUsername": "ada", "proxyPassword": "pw"}
        with attempt("http://api.example.com/v1", values=values) as (api, _):
            assert api.get("/x").json("/via") == "proxy"
        request = proxy.requests[0]
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert request.path == "http://api.example.com:80/v1/x"
    assert (headers["host"], headers["proxy-authorization"]) == (
        "api.example.com",
        "Basic YWRhOnB3",
    )


def test_a_proxy_over_tls_is_refused() -> None:
    """A proxy must be reached over plain HTTP; the tunnel through it is encrypted."""
    with (
        pytest.raises(InvalidConnection) as found,
        attempt("https://api.example.com", values={"token": "t", "proxy": "https://p.example"}),
    ):
        pass
    assert found.value.details[0].path == "/proxy"


def test_no_descriptor_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without free descriptors says so; nothing was sent."""

    def fail(*_: Any) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("socket.socket", fail)
    error = failure("http://127.0.0.1:9")
    assert (error.message, error.sent) == (
        "this process has no file descriptors left",
        Sent.NOTHING,
    )


def test_a_hang_is_the_deadlines() -> None:
    """A server that never answers costs the attempt its deadline, no more."""
    with Provider([HANG]) as provider:
        assert outcome(failure(provider.url, seconds=2)) == ("timeout", Sent.UNKNOWN, True, True)


SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n" + b'{"stale": true}'
EXCESS = {
    "a second response": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "POST"),
    "a 204 with a body": (b"HTTP/1.1 204 No Content\r\n\r\n", "POST"),
    "a HEAD with a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "HEAD"),
    "chunks and more": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "POST",
    ),
    "a response before the request was read": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "EARLY",
    ),
}
NEXT = {
    "400": b"HTTP/1.1 400 no\r\nContent-Length: 0\r\n\r\n",
    "500": b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n",
    "cut": b"",
}


@pytest.mark.parametrize("following", NEXT)
@pytest.mark.parametrize("kind", EXCESS)
def test_r2_a_response_answers_its_own_request_only(kind: str, following: str) -> None:
    """R2: bytes after a response close its connection, so that no later request is answered by
    them.
    """
    first, method = EXCESS[kind]
    connections: list[int] = []

    def talk(connection: socket.socket) -> None:
        connections.append(len(connections))
        if connections == [0]:
            if method == "EARLY":
                connection.recv(10)
            else:
                read_request(connection)
            connection.sendall(first + SECOND)
        if read_request(connection):
            connection.sendall(NEXT[following])

    with (
        serving(talk) as port,
        attempt(f"http://127.0.0.1:{port}", values={"token": "t"}) as (api, _call),
    ):
        body = None if method == "HEAD" else {"a": "x" * (4_000_000 if method == "EARLY" else 1)}
        answer = api.request("POST" if method == "EARLY" else method, "/first", json=body)
        assert answer.status in (200, 204)
        with pytest.raises(JackfieldError) as found:
            api.request("POST", "/second", json={"a": 1})
    assert found.value.code in ("rejected", "unavailable")
    assert len(connections) == 2
