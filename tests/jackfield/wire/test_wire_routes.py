"""The way to a server: proxies, TLS and addresses that fail. Whatever fails there, nothing of the
request has left.
"""

from __future__ import annotations

import errno
import gc
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from tests.jackfield.wire.wire_stage import (
    BEGIN,
    CLOSE,
    FIN,
    GATE,
    HANG,
    HEAD,
    READ,
    RST,
    Case,
    Endless,
    Heard,
    Stage,
    Step,
    ask,
    faults,
    read_head,
    staged,
)

from authority import Authority
from jackfield.connector import (
    Guard,
    InvalidConnection,
    Proxy,
    Target,
    Wire,
    WireFault,
    WireSettings,
)
from jackfield.wire.tls import client_context
from ports import free_port
from raw_server import filled, serving
from tls_front import pump

OK = b"HTTP/1.1 200 OK\r\n"
FINAL = OK + b"Content-Length: 5\r\n\r\nhello"
STALE = OK + b"Content-Length: 5\r\n\r\nstale"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass(frozen=True)
class Keys:
    """An authority that the client trusts, one that it does not, and contexts of both sides."""

    trusted: Authority
    stranger: Authority

    def client(self) -> ssl.SSLContext:
        """The client's side, which trusts the one."""
        return client_context(cafile=str(self.trusted.bundle))

    def settings(self, **options: Any) -> WireSettings:
        """Settings of a wire that trusts it."""
        context = self.client()
        return WireSettings(tls=lambda: context, **options)


@pytest.fixture(name="keys", scope="module")
def _keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Two authorities."""
    folder = tmp_path_factory.mktemp("keys")
    return Keys(Authority(folder, "Trusted"), Authority(folder, "Stranger"))


def wanting(keys: Keys, **options: Any) -> ssl.SSLContext:
    """A server that wants a certificate of its client."""
    context = keys.trusted.serving("localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(keys.trusted.bundle)
    for name, value in options.items():
        setattr(context, name, value)
    return context


def test_servers_over_tls_that_are_refused(keys: Keys) -> None:
    """A server that cannot show who it is gets nothing, and the fault says why."""
    outdated = keys.trusted.serving("localhost")
    outdated.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    outdated.maximum_version = ssl.TLSVersion.TLSv1_2
    outdated.set_ciphers("AES128-SHA")
    servers = [
        ("of a strange authority", keys.stranger.serving("localhost"), "certificate nothing"),
        ("with another name", keys.trusted.serving("other.example"), "certificate nothing"),
        ("with an address for a name", keys.trusted.serving("127.0.0.1"), "certificate nothing"),
        ("expired", keys.trusted.serving("localhost", days=-1), "certificate nothing"),
        ("without a cipher in common", outdated, "tls nothing"),
        (
            "that wants a certificate, TLS 1.2",
            wanting(keys, maximum_version=ssl.TLSVersion.TLSv1_2),
            "tls nothing",
        ),
        ("trusted", keys.trusted.serving("localhost"), "200 next"),
    ]
    wrong = []
    for what, context, verdict in servers:
        with staged(Stage((), tls=context)) as stage:
            found = ask(Wire(keys.settings()), Target("https", "localhost", stage.port), b"/first")
        wanted = (verdict, int(verdict == "200 next"))
        wrong += (
            [] if (found.verdict, found.begins) == wanted else [f"{what}: {found}, not {wanted}"]
        )
    assert "\n".join(wrong) == ""


def test_a_server_that_wants_a_certificate(keys: Keys) -> None:
    """With TLS 1.3 a server refuses a client when the request has left, which it has not read."""
    with staged(Stage((), tls=wanting(keys, minimum_version=ssl.TLSVersion.TLSv1_3))) as stage:
        found = ask(
            Wire(keys.settings()),
            Target("https", "localhost", stage.port),
            b"/first",
            method="POST",
            body=b"order",
        )
    assert (found.verdict, found.begins, stage.requests) == ("client-certificate refused", 1, [])


def test_a_server_that_wants_a_certificate_refuses_an_upload(keys: Keys) -> None:
    """The refusal may arrive while a long body is still being written: it was read no more than a
    short one.
    """
    context, connections = wanting(keys, minimum_version=ssl.TLSVersion.TLSv1_3), []

    def refuse(connection: socket.socket) -> None:
        connections.append(connection.dup())  # to read on: a reset could overtake the refusal
        with suppress(OSError):
            context.wrap_socket(connection, server_side=True)
        while connections[-1].recv(65_536):
            pass

    with serving(refuse) as port:
        found = ask(
            Wire(keys.settings()),
            Target("https", "localhost", port),
            b"/first",
            method="PUT",
            body=bytes(24 * 1024 * 1024),
        )
        assert (found.verdict, found.begins) == ("client-certificate refused", 1)
    with closing(connections[0]):
        pass


class Narrow(socket.socket):
    """Socket that holds little of what nobody has read."""

    def __init__(self, *options: Any, **named: Any) -> None:
        super().__init__(*options, **named)
        for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self.setsockopt(socket.SOL_SOCKET, buffer, 4_096)


@pytest.mark.parametrize(
    ("end", "verdict"), [(RST, "cut unknown"), (GATE, "late unknown")], ids=["reset", "late"]
)
def test_tls_that_breaks_between_two_records_of_a_request(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, end: Step, verdict: str
) -> None:
    """TLS reports a failure of the second record as if the first had not left. The server has read
    that, so it is not sent again.
    """
    monkeypatch.setattr("socket.socket", Narrow)
    with staged(Stage((READ, FINAL, HEAD, end), tls=keys.trusted.serving("localhost"))) as stage:
        wire, target = Wire(keys.settings()), Target("https", "localhost", stage.port)
        assert ask(wire, target, b"/first").verdict == "200 hello"
        until = time.monotonic() + (2.0 if end is GATE else 30.0)
        found = ask(
            wire,
            target,
            b"/second",
            method="POST",
            body=bytes(60_000),
            limit=lambda: until - time.monotonic(),
        )
        stage.at_gate.set()
        assert (found.verdict, found.begins, stage.accepted) == (verdict, 1, 1)


NO_TLS: Sequence[tuple[str, Sequence[Step], str]] = [
    ("plain HTTP", (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", GATE), "tls nothing"),
    ("a greeting", (b"220 mail ESMTP\r\n", GATE), "tls nothing"),
    ("an alert", (b"\x15\x03\x03\x00\x02\x02\x28", GATE), "tls nothing"),
    ("closed at once", (CLOSE,), "tls nothing | unreachable nothing"),
    ("reset at once", (RST,), "tls nothing | unreachable nothing"),
    ("ended at once", (FIN, GATE), "tls nothing"),
    ("half a record", (b"\x16\x03\x03\x40\x00\x02", FIN, GATE), "tls nothing"),
    ("zeros", (bytes(100_000), GATE), "tls nothing"),
]


def test_what_is_no_tls(keys: Keys) -> None:
    """A server that does not speak TLS where it should: nothing was sent."""
    wrong = []
    for what, script, verdict in NO_TLS:
        with staged(Stage(script)) as stage:
            found = ask(Wire(keys.settings()), Target("https", "localhost", stage.port), b"/first")
            stage.at_gate.set()
        wrong += (
            []
            if found.verdict in verdict.split(" | ") and found.begins == 0
            else [f"{what}: {found}"]
        )
    assert "\n".join(wrong) == ""


CUT_TLS = [
    Case("a whole body, and TLS is cut", (READ, FINAL, FIN), "200 hello", reused=False),
    Case(
        "half a body, and TLS is cut",
        (READ, OK + b"Content-Length: 9\r\n\r\nhello", FIN),
        "cut unknown",
    ),
    Case("a body until the end, and TLS is cut", (READ, OK + b"\r\nhello", FIN), "cut unknown"),
    Case(
        "chunks without the last, and TLS is cut",
        (READ, OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", FIN),
        "cut unknown",
    ),
    Case("half a head, and TLS is cut", (READ, OK, FIN), "cut unknown"),
    Case("no answer, and TLS is cut", (READ, FIN), "cut unknown"),
    Case("reset", (READ, RST), "cut unknown"),
    Case("two responses", (READ, FINAL + STALE), "200 hello", reused=False),
    Case("a response while idle", (READ, FINAL, GATE, STALE), "200 hello", reused=False),
    Case("ended while idle", (READ, FINAL, GATE, FIN), "200 hello", reused=False),
    Case("reset while idle", (READ, FINAL, GATE, RST), "200 hello", reused=False),
    Case("reset when the request begins", (READ, FINAL, BEGIN, RST), "200 hello", reused=False),
    Case(
        "a large body",
        (READ, OK + b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000),
        "200 300000 bytes",
    ),
    Case("a POST", (READ, FINAL), "200 hello", method="POST"),
]


def test_a_cut_is_no_end_whatever_the_build(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds of Python that let each context take a cut connection for one that has ended: ours do
    not.
    """
    plain = ssl.create_default_context

    def lenient(**authorities: Any) -> ssl.SSLContext:
        context = plain(**authorities)
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
        return context

    monkeypatch.setattr(ssl, "create_default_context", lenient)
    context = keys.trusted.serving("localhost")
    assert faults(CUT_TLS[:6], tls=context, settings=keys.settings()) == ""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("drip", [False, True], ids=["at once", "byte by byte"])
def test_responses_over_tls(keys: Keys, version: ssl.TLSVersion, drip: bool) -> None:
    """A body up to the connection's end is whole only if TLS says so: anybody on the way can cut
    TCP. Nothing else differs from TCP.
    """
    context = keys.trusted.serving("localhost")
    context.minimum_version = context.maximum_version = version
    assert faults(CUT_TLS, drip=drip, tls=context, settings=keys.settings()) == ""


def test_a_connection_that_was_reset_before_tls_is_closed(keys: Keys) -> None:
    """No socket stays open, and none is taken for an encrypted one, on either side of the
    connection.
    """
    for context, name in (
        (client_context(), "localhost"),
        (keys.trusted.serving("localhost"), None),
    ):
        for unread in (b"", b"early"):
            with pytest.raises(ConnectionResetError):
                context.wrap_socket(_reset(unread), server_side=name is None, server_hostname=name)
    gc.collect()  # an open socket would warn, which fails the test


def _reset(unread: bytes) -> socket.socket:
    """A connection that its peer has reset, after the bytes that nobody has read."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
    with peer:
        peer.sendall(unread)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    watched = select.poll()
    watched.register(connection, 0)
    watched.poll(60_000)
    return connection


def test_a_body_up_to_the_end_of_tls(keys: Keys) -> None:
    """A server that says farewell has sent the whole body."""

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            read_head(wrapped)
            wrapped.sendall(OK + b"\r\nhello")
            with suppress(OSError):
                wrapped.unwrap()

    context = keys.trusted.serving("localhost")
    with serving(talk) as port:
        assert (
            ask(Wire(keys.settings()), Target("https", "localhost", port), b"/first").verdict
            == "200 hello"
        )


PROXIES: Sequence[tuple[str, Sequence[Step], str]] = [
    (
        "refuses",
        (HEAD, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
        "proxy-denied nothing",
    ),
    (
        "wants a login",
        (HEAD, b"HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"),
        "proxy-login nothing",
    ),
    (
        "refuses with a body",
        (HEAD, b"HTTP/1.1 502 Bad\r\nContent-Length: 5\r\n\r\nhello"),
        "proxy nothing",
    ),
    (
        "refuses with a body without an end",
        (HEAD, b"HTTP/1.1 502 Bad\r\n\r\n", Endless(b"x" * 99)),
        "proxy nothing",
    ),
    (
        "sends elsewhere",
        (HEAD, b"HTTP/1.1 302 There\r\nLocation: http://x/\r\n\r\n"),
        "proxy nothing",
    ),
    ("knows no CONNECT", (HEAD, b"HTTP/1.1 405 No\r\n\r\n"), "proxy nothing"),
    ("switches protocols", (HEAD, b"HTTP/1.1 101 Switching\r\n\r\n"), "proxy nothing"),
    ("speaks first", (b"HTTP/1.1 407 Login\r\n\r\n", GATE), "proxy-login nothing"),
    ("is none", (HEAD, b"SSH-2.0-OpenSSH\r\n\r\n", GATE), "proxy nothing"),
    ("is one of TLS", (HEAD, b"\x15\x03\x03\x00\x02\x02\x28", FIN, GATE), "proxy nothing"),
    ("is a page", (HEAD, b"<html>\r\n\r\n", GATE), "proxy nothing"),
    ("answers with half a head", (HEAD, b"HTTP/1.1 200 Connection", FIN, GATE), "proxy nothing"),
    (
        "answers with a bad field",
        (HEAD, b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", GATE),
        "proxy nothing",
    ),
    (
        "answers with a head of 70 kB",
        (HEAD, b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", GATE),
        "proxy nothing",
    ),
    ("answers for ever", (HEAD, Endless(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)), "proxy nothing"),
    (
        "answers with a body",
        (HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", GATE),
        "proxy nothing",
    ),
    ("speaks for the server", (HEAD, ESTABLISHED + FINAL, GATE), "proxy nothing"),
    (
        "speaks for the server a little later",
        (HEAD, ESTABLISHED, b"hello" * 99, GATE),
        "proxy nothing | tls nothing",
    ),
    ("closes", (HEAD, CLOSE), "proxy nothing"),
    ("resets", (HEAD, RST), "proxy nothing"),
    ("connects and closes", (HEAD, ESTABLISHED, CLOSE), "tls nothing"),
    ("connects and resets", (HEAD, ESTABLISHED, RST), "tls nothing"),
]


def test_proxies_that_do_not_connect(keys: Keys) -> None:
    """A proxy that gives no tunnel to the server: nothing was sent, whatever it says."""
    wrong = []
    for what, script, verdict in PROXIES:
        with staged(Stage(script)) as stage:
            settings = keys.settings(
                route=Proxy(Target("http", "127.0.0.1", stage.port), ("ada", "pw"))
            )
            found = ask(Wire(settings), Target("https", "localhost", 9), b"/secret")
            stage.at_gate.set()
        asked = b"".join(text for _, text in stage.requests)
        wrong += (
            []
            if found.verdict in verdict.split(" | ") and found.begins == 0
            else [f"{what}: {found}"]
        )
        wrong += [f"{what}: {asked!r}"] if b"secret" in asked else []
    assert "\n".join(wrong) == ""


def test_the_reason_of_a_proxy(keys: Keys) -> None:
    """What a proxy says is in the reason, without control characters, its beginning only."""
    with staged(
        Stage((HEAD, b"HTTP/1.1 403 Log\xe9 in\tnow " + b"x" * 999 + b"\r\n\r\n"))
    ) as stage:
        wire = Wire(keys.settings(route=Proxy(Target("http", "127.0.0.1", stage.port))))
        with pytest.raises(WireFault) as found:
            wire.send(
                "GET",
                Target("https", "localhost", 9),
                b"/",
                [(b"Host", b"x")],
                None,
                lambda: 30.0,
                lambda: None,
            )
    assert found.value.reason.startswith(f"'127.0.0.1:{stage.port}' answered 403 Logé in now xxx")
    assert len(found.value.reason) <= 200
    assert found.value.reason.isprintable()


GREETINGS = [
    ESTABLISHED,
    b"HTTP/1.0 200 Connection established\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n",
    b"HTTP/1.1 204 Fine\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + ESTABLISHED,
    b"HTTP/1.1 200\r\n\r\n",
]


@pytest.mark.parametrize("greeting", GREETINGS)
def test_a_tunnel(keys: Keys, greeting: bytes) -> None:
    """The proxy learns the server's name and its own login; the request goes through the tunnel,
    and so does the next.
    """
    asked: list[bytes] = []

    def tunnel(connection: socket.socket) -> None:
        asked.append(read_head(connection))
        with closing(socket.create_connection(("127.0.0.1", stage.port))) as onward:
            connection.sendall(greeting)
            pump(connection, onward)

    with staged(Stage((), tls=keys.trusted.serving("localhost"))) as stage, serving(tunnel) as port:
        wire = Wire(keys.settings(route=Proxy(Target("http", "127.0.0.1", port), ("ada", "pw:ü"))))
        target = Target("https", "localhost", stage.port)
        assert [ask(wire, target, path).verdict for path in (b"/first", b"/second")] == [
            "200 next",
            "200 next",
        ]
        del wire
    assert [head.split(b"\r\n")[0] for head in asked] == [
        b"CONNECT localhost:%d HTTP/1.1" % stage.port
    ]
    assert b"Proxy-Authorization: Basic YWRhOnB3OsO8\r\n" in asked[0]
    assert [number for number, _ in stage.requests] == [0, 0]
    assert b"proxy-authorization" not in stage.requests[0][1].lower()


def test_a_request_in_clear_text_by_a_proxy() -> None:
    """Without TLS the proxy gets the request itself, with the whole URL and its login; its
    connection serves the next one.
    """
    with staged(Stage(())) as stage:
        wire = Wire(
            WireSettings(route=Proxy(Target("http", "127.0.0.1", stage.port), ("ada", "pw")))
        )
        for host in ("a.example", "a.example", "::1"):
            assert ask(wire, Target("http", host, 80), b"/x?y").verdict == "200 next"
    lines = [text.split(b"\r\n")[0] for _, text in stage.requests]
    assert lines == [b"GET http://a.example:80/x?y HTTP/1.1"] * 2 + [
        b"GET http://[::1]:80/x?y HTTP/1.1"
    ]
    assert all(
        text.count(b"Proxy-Authorization: Basic YWRhOnB3\r\n") == 1 for _, text in stage.requests
    )


SLOW: Sequence[tuple[str, Sequence[Step], str]] = [
    ("a handshake", (HANG,), ""),
    ("half a handshake", (b"\x16\x03\x03", HANG), ""),
    ("a trickled handshake", (b"\x16\x03\x03\x40\x00", Endless(b"x")), ""),
    ("a proxy", (HEAD, HANG), "proxy-late nothing"),
    ("half an answer of a proxy", (HEAD, b"HTTP/1.1 200 OK\r\n", HANG), "proxy-late nothing"),
    (
        "a trickling proxy",
        (HEAD, b"HTTP/1.1 200 OK\r\n", Endless(b"A: b\r\n")),
        "proxy-late nothing",
    ),
    ("a proxy before the handshake", (HEAD, ESTABLISHED, HANG), "connect-late nothing"),
]


@pytest.mark.parametrize("bound", ["deadline", "connect_timeout"])
def test_a_way_that_takes_its_time(keys: Keys, bound: str) -> None:
    """A handshake and a tunnel end by the deadline and by the time for connections; nothing was
    sent.
    """
    wrong = []
    for what, script, by_proxy in SLOW:
        with staged(Stage(script)) as stage:
            here = Target("http", "127.0.0.1", stage.port)
            end = time.monotonic() + 0.3
            limit: Callable[[], float] = (
                (lambda end=end: end - time.monotonic()) if bound == "deadline" else lambda: 30.0  # type: ignore[misc]
            )
            options: dict[str, Any] = {} if bound == "deadline" else {"connect_timeout": 0.3}
            wire = Wire(keys.settings(route=Proxy(here) if by_proxy else None, **options))
            found = ask(wire, Target("https", "localhost", stage.port), b"/first", limit=limit)
            stage.at_gate.set()
        wrong += (
            []
            if found == Heard(by_proxy or "connect-late nothing", [], 0)
            else [f"{what}: {found}"]
        )
    assert "\n".join(wrong) == ""


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name resolve to these."""

    def found(host: str, port: int | None, *_: Any, **__: Any) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port or 0))
            for address in addresses
        ]

    monkeypatch.setattr("socket.getaddrinfo", found)


def test_a_name_with_several_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that refuses leaves the turn to the next; the request begins once."""
    with staged(Stage(())) as stage:
        resolving(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1")
        assert ask(
            Wire(WireSettings()), Target("http", "many.example", stage.port), b"/x"
        ) == Heard("200 next", [(b"Content-Length", b"4")], 1)


def test_an_address_of_a_family_that_this_machine_does_not_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where IPv6 is switched off, a name's first address cannot even be tried: the next one is."""
    made = socket.socket

    def only_ipv4(family: int = -1, *options: Any, **named: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return made(family, *options, **named)

    def found(_host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    with staged(Stage(())) as stage:
        monkeypatch.setattr("socket.getaddrinfo", found)
        monkeypatch.setattr("socket.socket", only_ipv4)
        heard = ask(Wire(WireSettings()), Target("http", "both.example", stage.port), b"/x")
        monkeypatch.undo()
    assert (heard.verdict, heard.begins) == ("200 next", 1)


def test_an_address_that_swallows_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that does not answer leaves time for the next."""
    with socket.create_server(("127.0.0.2", 0), backlog=0) as full, filled(full):
        resolving(monkeypatch, "127.0.0.2", "127.0.0.1")
        port = full.getsockname()[1]
        with socket.create_server(("127.0.0.1", port)) as second:
            threading.Thread(target=answer_one, args=(second,), daemon=True).start()
            wire = Wire(WireSettings(connect_timeout=1.0))
            assert ask(wire, Target("http", "many.example", port), b"/x").verdict == "200 next"


def test_an_address_that_swallows_packets_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next address is tried beside it, one that refuses gives way at once, and the next
    connection begins with the one that worked.
    """
    tried, made = list[tuple[str, bool]](), list[socket.socket]()

    class Noted(socket.socket):
        def connect(self, address: Any) -> None:
            tried.append((address[0], bool(made) and made[0].fileno() >= 0))
            made.append(self)
            super().connect(address)

    with socket.create_server(("127.0.0.2", 0), backlog=0) as full, filled(full):
        resolving(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1")
        port = full.getsockname()[1]
        with socket.create_server(("127.0.0.1", port)) as second:
            monkeypatch.setattr("socket.socket", Noted)
            for _ in range(2):
                threading.Thread(target=answer_one, args=(second,), daemon=True).start()
                assert (
                    ask(Wire(WireSettings()), Target("http", "many.example", port), b"/x").verdict
                    == "200 next"
                )
            monkeypatch.undo()
    assert tried == [
        ("127.0.0.2", False),
        ("127.0.0.3", True),
        ("127.0.0.1", True),
        ("127.0.0.1", False),
    ]


def answer_one(listener: socket.socket) -> None:
    """Answer one request."""
    connection, _ = listener.accept()
    with connection:
        Stage(()).talk(1, connection)


def test_addresses_of_which_none_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused by all of them: nothing was sent."""
    resolving(monkeypatch, "127.0.0.2", "127.0.0.1")
    found = ask(Wire(WireSettings()), Target("http", "many.example", free_port()), b"/x")
    assert found == Heard("refused nothing", [], 0)


@pytest.mark.parametrize("host", ["nowhere.invalid", "x" * 64 + ".example", "a..b", ""])
def test_a_name_without_an_address(host: str) -> None:
    """A name that does not resolve, or is none: nothing was sent."""
    assert ask(Wire(WireSettings()), Target("http", host, 9), b"/x") == Heard(
        "resolve nothing", [], 0
    )


@pytest.mark.parametrize(
    "addresses",
    [("10.0.0.1",), ("127.0.0.1", "10.0.0.1"), ("10.0.0.1", "127.0.0.1"), ("169.254.169.254",)],
)
@pytest.mark.parametrize("by_proxy", [False, True])
def test_the_guard_refuses_one_address(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...], by_proxy: bool
) -> None:
    """One address that is not permitted is enough: a name that resolves to it is not connected to
    at all.
    """
    begun: list[int] = []
    with staged(Stage(())) as stage:
        route = Proxy(Target("http", "127.0.0.1", stage.port)) if by_proxy else None
        wire = Wire(WireSettings(guard=Guard(loopback=True), guard_path="/server", route=route))
        resolving(monkeypatch, *addresses)
        with pytest.raises(InvalidConnection) as found:
            wire.send(
                "GET",
                Target("http", "x.example", stage.port),
                b"/",
                [(b"Host", b"x")],
                None,
                lambda: 30.0,
                lambda: begun.append(1),
            )
        assert (found.value.details[0].path, begun, stage.accepted) == ("/server", [], 0)


def test_a_name_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to the address that was checked, whatever the name resolves to a moment
    later (DNS rebinding).
    """
    asked: list[str] = []

    def rebinding(host: str, port: int | None, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [
            (
                socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                ("127.0.0.1" if len(asked) == 1 else "10.0.0.1", port or 0),
            )
        ]

    with staged(Stage(())) as stage:
        monkeypatch.setattr("socket.getaddrinfo", rebinding)
        wire, target = (
            Wire(WireSettings(guard=Guard(loopback=True))),
            Target("http", "x.example", stage.port),
        )
        assert [ask(wire, target, b"/x").verdict for _ in range(2)] == ["200 next", "200 next"]
    assert asked == ["x.example"]
