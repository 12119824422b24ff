"""TLS: a private authority, client certificates, and HTTP/2."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest

from http_rig import Acme, Cache, attempt, talk_http2
from jackfield.connector import Connector, Inputs, InvalidConnection, JackfieldError, Output, Sent
from jackfield_http import HttpClient, MutualTls
from raw_server import make_certificate, read_request, server_context, serving
from scripted import runtime

End = Callable[[h2.connection.H2Connection, int], bytes | None]
"""Ends a stream, and returns what it sends beyond what the library knows of."""


class Fast(Acme):
    """Over HTTP/2."""

    http2 = True


class Order(Inputs):
    """What to order."""

    what: str


class Ordered(Output):
    """What was ordered."""

    what: str


@pytest.fixture(name="pem", scope="module")
def _pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(name="client", scope="module")
def _client(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate of a client and its key."""
    text = make_certificate(tmp_path_factory.mktemp("client")).read_text()
    key, begin, certificate = text.partition("-----BEGIN CERTIFICATE-----")
    return begin + certificate, key


def authority(pem: Path) -> str:
    """The certificate alone, as an authority."""
    text = pem.read_text()
    return text[text.index("-----BEGIN CERTIFICATE") :]


def over_tls(
    pem: Path,
    talk: Callable[[ssl.SSLSocket], object],
    *,
    asks: str | None = None,
    http2: bool = False,
) -> Callable[[socket.socket], None]:
    """A server's side of TLS, which asks for a client's certificate of that authority."""
    context = server_context(pem)
    if asks is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=asks)
    if http2:
        context.set_alpn_protocols(["h2"])

    def run(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            talk(wrapped)

    return run


def answer(connection: ssl.SSLSocket) -> None:
    """Answer one request with whether the client has shown a certificate; a client that has left
    gets none.
    """
    if not read_request(connection):
        return
    body = b'{"seen": %s}' % (b"true" if connection.getpeercert() else b"false")
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )


def test_a_private_authority(pem: Path) -> None:
    """A server with a certificate of the connection's own authority is trusted."""
    values = {"token": "t", "caCertificate": authority(pem)}
    with (
        serving(over_tls(pem, answer)) as port,
        attempt(f"https://localhost:{port}", values=values) as (api, _),
    ):
        assert api.get("/x").json() == {"seen": False}


def test_another_name(pem: Path) -> None:
    """A certificate for another host is refused, whichever authority signed it."""
    values = {"token": "t", "caCertificate": authority(pem)}
    with (
        serving(over_tls(pem, answer)) as port,
        attempt(f"https://127.0.0.1:{port}", values=values) as (api, _),
        pytest.raises(JackfieldError, match="could not be verified"),
    ):
        api.get("/x")


def test_a_client_certificate(pem: Path, client: tuple[str, str]) -> None:
    """The server sees the client's certificate."""
    certificate, key = client
    values = {"certificate": certificate, "privateKey": key, "caCertificate": authority(pem)}
    with (
        serving(over_tls(pem, answer, asks=certificate)) as port,
        attempt(f"https://localhost:{port}", MutualTls, values=values) as (api, _),
    ):
        assert api.get("/x").json() == {"seen": True}


def test_a_server_refuses_the_certificate(pem: Path, client: tuple[str, str]) -> None:
    """With TLS 1.3 the refusal arrives after the request was written: it is one all the same, and
    nothing was carried out.
    """
    certificate, key = client
    values = {"certificate": certificate, "privateKey": key, "caCertificate": authority(pem)}

    def refuse(connection: socket.socket) -> None:
        context = server_context(pem)
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.wrap_socket(connection, server_side=True)
        except ssl.SSLError:
            connection.recv(65536)

    with (
        serving(refuse) as port,
        attempt(f"https://localhost:{port}", MutualTls, values=values) as (api, _),
        pytest.raises(JackfieldError) as found,
    ):
        api.post("/x")
    assert found.value.code in {"unauthenticated", "unavailable"}
    assert found.value.sent is (
        Sent.REFUSED if found.value.code == "unauthenticated" else Sent.UNKNOWN
    )


@pytest.mark.parametrize("name", ["certificate", "privateKey", "caCertificate"])
def test_certificates_that_are_none(client: tuple[str, str], name: str) -> None:
    """Text that is no PEM is refused at its value, before anything is sent."""
    certificate, key = client
    values = {"certificate": certificate, "privateKey": key, "caCertificate": certificate} | {
        name: "nonsense"
    }
    with (
        attempt("https://127.0.0.1:9", MutualTls, values=values) as (api, _),
        pytest.raises(InvalidConnection) as found,
    ):
        api.get("/x")
    assert found.value.details[0].path in {"/privateKey", "/caCertificate"}


@pytest.fixture(name="port")
def _port(pem: Path) -> Iterator[int]:
    """A server of HTTP/2 that answers with the path."""

    def talk(connection: ssl.SSLSocket) -> None:
        talk_http2(
            connection,
            lambda fields: (
                404 if "none" in fields[":path"] else 200,
                b'{"path": "%s"}' % fields[":path"].encode(),
            ),
        )

    with serving(over_tls(pem, talk, http2=True)) as port:
        yield port


def test_http2(pem: Path, port: int) -> None:
    """Requests of several threads share one connection over HTTP/2, and errors are those of
    HTTP/1.1.
    """
    cache, values = Cache(), {"token": "t", "caCertificate": authority(pem)}
    found: list[str] = []

    def ask(number: int) -> None:
        with attempt(f"https://localhost:{port}", Fast, cache=cache, values=values) as (api, call):
            found.append(api.post(f"/x{number}", json={"a": 1}).json("/path"))
            assert (call.requests, call.changes) == (1, True)

    ask(0)
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [f"/x{number}" for number in range(5)]
    with (
        attempt(f"https://localhost:{port}", Fast, cache=cache, values=values) as (api, _),
        pytest.raises(JackfieldError) as refused,
    ):
        api.get("/none")
    assert refused.value.code == "not_found"
    cache.objects.clear()  # closes the connection, for which the server waits


def two_streams(pem: Path, seen: list[bytes], *ends: End) -> Callable[[socket.socket], None]:
    """A server of HTTP/2 whose requests end one after the other as ``ends`` say; ``seen`` gets
    their bodies. Later ones succeed.
    """
    turns = iter(ends)

    def talk(connection: ssl.SSLSocket) -> None:
        spoken, body = (
            h2.connection.H2Connection(h2.config.H2Configuration(client_side=False)),
            bytearray(),
        )
        spoken.initiate_connection()
        connection.sendall(spoken.data_to_send())
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                for event in spoken.receive_data(data):
                    if isinstance(event, h2.events.DataReceived):
                        body += event.data or b""
                    if isinstance(event, h2.events.StreamEnded):
                        seen.append(bytes(body))
                        body.clear()
                        connection.sendall(next(turns, succeed)(spoken, event.stream_id) or b"")
                connection.sendall(spoken.data_to_send())
                if spoken.state_machine.state is h2.connection.ConnectionState.CLOSED:
                    connection.shutdown(socket.SHUT_WR)
                    # what is unread at a close makes it a reset, which discards the GOAWAY
                    while connection.recv(65536):
                        pass
                    return

    return over_tls(pem, talk, http2=True)


def succeed(spoken: h2.connection.H2Connection, stream: int) -> None:
    """Answer a request."""
    spoken.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])
    spoken.send_data(stream, b"{}", end_stream=True)


def go_away(below: int) -> End:
    """End the connection; requests from ``below`` before this one on have been processed."""
    return lambda spoken, stream: spoken.close_connection(last_stream_id=max(0, stream - below))


def refuse(spoken: h2.connection.H2Connection, stream: int) -> None:
    """Refuse the one request."""
    spoken.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)


def leave_after_answering(spoken: h2.connection.H2Connection, stream: int) -> bytes:
    """End the connection, and answer the request after that, which the server may do."""
    succeed(spoken, stream)
    answer = spoken.data_to_send() or b""
    spoken.close_connection(last_stream_id=stream)
    goodbye = spoken.data_to_send() or b""
    return goodbye + answer  # in this order, of which the library knows nothing


@pytest.mark.parametrize(
    ("end", "sent"),
    [
        (go_away(1), Sent.REFUSED),
        (go_away(2), Sent.REFUSED),
        (go_away(0), Sent.UNKNOWN),
        (refuse, Sent.REFUSED),
        (leave_after_answering, Sent.UNKNOWN),
    ],
    ids=["above the last", "far above", "the last", "refused", "answered after it"],
)
@pytest.mark.parametrize("before", [0, 1])
def test_w7_a_request_that_was_not_processed_may_be_repeated(
    pem: Path, end: Any, sent: Sent, before: int
) -> None:
    """W7: above the last stream of a GOAWAY nothing was processed; at or below it nobody knows.
    Nothing is sent twice by the pool.
    """
    seen: list[bytes] = []
    values = {"token": "t", "caCertificate": authority(pem)}
    with (
        serving(two_streams(pem, seen, *[succeed] * before, end)) as port,
        attempt(f"https://localhost:{port}", Fast, cache=(cache := Cache()), values=values) as (
            api,
            call,
        ),
    ):
        for _ in range(before):
            api.post("/x", json={"first": 1})
        # the runtime repeats an attempt, and the client its later requests
        call.requests, call.begun = 0, False
        with pytest.raises(JackfieldError) as found:
            api.post("/x", json={"second": 2})
        cache.objects.clear()
    assert (found.value.code, found.value.sent, found.value.retryable) == (
        "unavailable",
        sent,
        True,
    )
    assert seen == [b'{"first":1}'] * before + [b'{"second":2}']


def test_w7_the_runtime_repeats_a_write_that_was_not_processed(pem: Path, tmp_path: Path) -> None:
    """W7: a write above the last stream of a GOAWAY is sent again whole, and succeeds once."""
    seen: list[bytes] = []
    connector = Connector("acme", title="Acme", version="1.0.0", connections=[Fast])

    @connector.action("order", effect="write")
    def order(asked: Order, api: HttpClient) -> Ordered:
        """Order something."""
        api.post("/orders", json={"what": asked.what})
        return Ordered(what=asked.what)

    values = {"token": "t", "caCertificate": authority(pem)}
    with serving(two_streams(pem, seen, go_away(1))) as port:
        connections = {
            "acme": {
                "type": "acme/acmeToken",
                "values": {**values, "server": f"https://localhost:{port}"},
            }
        }
        with runtime(tmp_path, connector, connections=connections) as board:
            result = board.jackfield.invoke(
                {
                    "connector": "acme",
                    "action": "order",
                    "connection": "acme",
                    "inputs": {"what": "milk"},
                }
            )
    assert (result.status, result.meta.attempts) == ("succeeded", 2)
    assert seen == [b'{"what":"milk"}'] * 2


def test_http2_without_a_status_that_is_a_number(pem: Path) -> None:
    """A response that is none leaves the outcome unknown; it is not taken for a mistake of the
    connector.
    """
    values, seen = {"token": "t", "caCertificate": authority(pem)}, list[bytes]()
    with (
        serving(
            two_streams(
                pem, seen, lambda spoken, stream: spoken.send_headers(stream, [(":status", "abc")])
            )
        ) as port,
        attempt(f"https://localhost:{port}", Fast, values=values) as (api, _),
        pytest.raises(JackfieldError) as found,
    ):
        api.post("/x", json={"first": 1})
    assert (found.value.code, found.value.sent, seen) == (
        "unavailable",
        Sent.UNKNOWN,
        [b'{"first":1}'],
    )


def test_http2_breaks(pem: Path) -> None:
    """A connection over HTTP/2 that ends within a request: the outcome is unknown."""
    talk = over_tls(pem, lambda connection: connection.recv(65536), http2=True)
    values = {"token": "t", "caCertificate": authority(pem)}
    with (
        serving(talk) as port,
        attempt(f"https://localhost:{port}", Fast, values=values) as (api, _),
        pytest.raises(JackfieldError) as found,
    ):
        api.post("/x")
    assert (found.value.code, found.value.sent) == ("unavailable", Sent.UNKNOWN)


def test_http2_over_a_connection_that_the_server_has_ended(pem: Path) -> None:
    """A server that hangs up after a response, without GOAWAY: the next write goes over a new
    connection, and is not in doubt.
    """
    ended, seen = threading.Event(), list[str]()

    def answer_once(connection: ssl.SSLSocket) -> None:
        def answer(fields: dict[str, str]) -> tuple[int, bytes]:
            seen.append(fields[":path"])
            if fields[":path"] == "/first":
                threading.Thread(target=hang_up).start()
            return 200, b"{}"

        def hang_up() -> None:
            assert answered.wait(30)
            connection.shutdown(socket.SHUT_WR)
            ended.set()

        talk_http2(connection, answer)

    answered = threading.Event()
    values = {"token": "t", "caCertificate": authority(pem)}
    with (
        serving(over_tls(pem, answer_once, http2=True)) as port,
        attempt(f"https://localhost:{port}", Fast, cache=(cache := Cache()), values=values) as (
            api,
            _,
        ),
    ):
        api.post("/first")
        answered.set()
        assert ended.wait(30)
        api.post("/second")
        cache.objects.clear()
    assert seen == ["/first", "/second"]


def test_a_pool_that_stays_in_use_until_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a connection of HTTP/2 until the deadline is told that all are in use."""
    monkeypatch.setattr("jackfield_http.http2._CONNECTIONS", 1)
    cache = Cache()

    def begin(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")

    with (
        serving(begin) as port,
        attempt(f"http://127.0.0.1:{port}", Fast, cache=cache) as (holder, _),
        holder.stream("GET", "/large"),
        attempt(f"http://127.0.0.1:{port}", Fast, cache=cache, seconds=0.2) as (api, _),
        pytest.raises(JackfieldError) as found,
    ):
        api.get("/x")
    text = (
        "the deadline of 0.2 s passed before anything was sent: all connections to "
        f"'127.0.0.1:{port}' are in use"
    )
    assert (found.value.code, found.value.message) == ("timeout", text)


def test_http2_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connector that offers HTTP/2 needs an extra; without it nothing is sent, and the error
    names it.
    """
    monkeypatch.setitem(sys.modules, "httpcore2", None)
    monkeypatch.delitem(sys.modules, "jackfield_http.http2", raising=False)
    with (
        attempt("https://localhost:9", Fast) as (api, _),
        pytest.raises(InvalidConnection) as found,
    ):
        api.get("/x")
    assert "jackfield-http[http2]" in str(found.value.hint)
    assert found.value.sent is Sent.NOTHING
