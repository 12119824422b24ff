"""Whatever the other side does, a try ends when its deadline comes, and what was shut down serves
nobody else.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from authority import Authority
from aws_opening import KEY_ID, MAIL, SECRET, Opener
from fake_aws import FakeAws
from jackfield.connector import JackfieldError, Sent, TimedOut, Unavailable
from jackfield.connector.context import Call, entered
from jackfield_aws import AWS_ERRORS, ApiKeySecret, AwsClients
from raw_server import filled, read_request, serving, with_tls

pytestmark = pytest.mark.usefixtures("direct")

LARGE = {"Content": {"Raw": {"Data": bytes(8_000_000)}}}
SECONDS, MARGIN = 1.5, 10.0
"""A deadline, and how much later its end may be seen on a machine that is busy with other tests; no
fault here ends as early.
"""
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%s\r\n{"MessageId": "m-1"}'


def _open(opener: Opener, seconds: float = 60.0, **values: Any) -> tuple[AwsClients, Call]:
    context = opener.context(awsRegion="eu-west-1")
    clients = ApiKeySecret.model_validate(
        {"accessKeyId": KEY_ID, "secretAccessKey": SECRET, **values}
    ).open(context)
    clients.client("sesv2")  # made before the deadline begins to count
    return clients, opener.context(seconds=seconds).call


def _sent(opener: Opener, mail: dict[str, Any] = MAIL, **values: Any) -> str:
    clients, call = _open(opener, **values)
    with entered(call):
        return str(clients.client("sesv2").send_email(**mail)["MessageId"])


def _ended(
    opener: Opener, mail: dict[str, Any] = MAIL, seconds: float = SECONDS, **values: Any
) -> JackfieldError:
    """What a send comes to that must end at its deadline."""
    clients, call = _open(opener, seconds, **values)
    with entered(call):
        with pytest.raises(Exception, match=r".") as raised:  # whatever botocore raises
            clients.client("sesv2").send_email(**mail)
        late = -call.deadline.remaining()
        error = AWS_ERRORS(raised.value, clients)
    assert 0 <= late < MARGIN
    assert error is not None
    return error


def _drip(answer: bytes, stop: threading.Event, connection: Any) -> None:
    """Send one octet after the other, until the caller leaves."""
    read_request(connection)
    for octet in answer:
        connection.sendall(bytes([octet]))
        if stop.wait(0.01):
            return


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "hang"},
        {"do": "drip", "seconds": 0.05},
        {"do": "drip", "seconds": 0.05, "head": True},
        {"do": "drip", "seconds": 0.03, "head": True},
        {"do": "latency", "seconds": 30},
        {"do": "status", "status": 503, "seconds": 30},
    ],
)
@pytest.mark.parametrize("reused", [False, True])
def test_waiting_ends_at_the_deadline(
    opener: Opener, aws: FakeAws, fault: dict[str, Any], reused: bool
) -> None:
    """A silent, a slow, a late and a dripping answer all end when the deadline comes, in doubt, on
    fresh and on kept connections.
    """
    if reused:
        assert _sent(opener)
    aws.script([fault])
    error = _ended(opener)
    assert (error.code, error.sent) == ("timeout", Sent.UNKNOWN)
    assert aws.connections == 1


def test_an_ended_connection_serves_nobody_else(opener: Opener, aws: FakeAws) -> None:
    """The try after one that ended at its deadline connects anew."""
    aws.script([{"do": "hang"}])
    _ended(opener)
    aws.release()
    assert _sent(opener)
    assert _sent(opener)
    assert aws.connections == 2


def test_a_later_try_has_its_own_deadline(opener: Opener, aws: FakeAws) -> None:
    """A connection kept from a short try gives a longer one all its time."""
    for seconds, latency in ((SECONDS, 0.0), (30.0, SECONDS + 0.5)):
        aws.script([{"do": "latency", "seconds": latency}])
        clients, call = _open(opener, seconds)
        with entered(call):
            assert clients.client("sesv2").send_email(**MAIL)["MessageId"]
    assert aws.connections == 1


@pytest.mark.parametrize(
    "headers", [b"", b"Connection: close\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_an_answer_without_a_length_ends_at_the_deadline(headers: bytes) -> None:
    """An answer that only ends with its connection, and drips, ends at the deadline, and what had
    come is not taken for the whole.
    """
    stop = threading.Event()
    with (
        serving(lambda connection: _drip(ANSWER % headers + b" " * 1000, stop, connection)) as port,
        Opener() as opener,
    ):
        error = _ended(opener, seconds=2, endpoint=f"http://127.0.0.1:{port}")
        stop.set()
    assert (type(error), error.sent) == (TimedOut, Sent.UNKNOWN)


def test_headers_that_are_cut_are_no_answer() -> None:
    """Headers that drip end at the deadline, wherever in them that is."""
    stop = threading.Event()
    with (
        serving(
            lambda connection: _drip(ANSWER % (b"X-Filler: 1\r\n" * 100), stop, connection)
        ) as port,
        Opener() as opener,
    ):
        error = _ended(opener, seconds=2, endpoint=f"http://127.0.0.1:{port}")
        stop.set()
    assert (type(error), error.sent) == (TimedOut, Sent.UNKNOWN)


@pytest.mark.parametrize("header", [b"Connection: close\r\n", b"Content-Length: 20\r\n"])
def test_an_answer_in_time_is_taken(header: bytes) -> None:
    """An answer in time is whole, whether its connection is kept or not, and the watch has nothing
    left of it.
    """

    def answer(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(ANSWER % header)
            if b"close" in header:
                return

    with serving(answer) as port, Opener() as opener:
        assert [_sent(opener, endpoint=f"http://127.0.0.1:{port}") for _ in range(3)] == ["m-1"] * 3


def test_answers_without_a_body_leave_nothing_open(opener: Opener, aws: FakeAws) -> None:
    """Refusals without a body leave no connection open but the one that serves the next call."""
    aws.script([{"do": "body", "status": 503, "body": "", "times": 20}])
    for _ in range(20):
        clients, call = _open(opener)
        # whatever botocore raises
        with entered(call), pytest.raises(Exception, match=r".") as raised:
            clients.client("sesv2").send_email(**MAIL)
        error = AWS_ERRORS(raised.value, clients)
        assert error is not None
        assert (error.code, error.sent) == ("unavailable", Sent.UNKNOWN)
    assert aws.connections == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_slow_line_has_until_the_deadline_to_send(
    scheme: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that cannot be sent whole runs until the deadline, not until a connect timeout, and
    is in doubt.
    """
    stop = threading.Event()

    def stall(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with with_tls(certificate, connection) if scheme == "https" else connection:
            stop.wait(30)

    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    monkeypatch.setattr("jackfield_aws.direct.wires.CONNECT_TIMEOUT", 2.0)
    with serving(stall) as port, Opener() as opener:
        error = _ended(opener, LARGE, seconds=5, endpoint=f"{scheme}://localhost:{port}")
        stop.set()
    assert (type(error), error.sent) == (TimedOut, Sent.UNKNOWN)


def test_a_slow_line_is_waited_for_on_a_kept_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large message may take longer than the connect timeout to leave, on a connection that has
    served before as well.
    """
    monkeypatch.setattr("jackfield_aws.direct.wires.CONNECT_TIMEOUT", 0.5)
    pause = threading.Event()
    answer = ANSWER % b"Content-Length: 20\r\n"

    def read_slowly(connection: socket.socket) -> None:
        for _ in range(2):
            connection.recv(1)
            pause.wait(1.0)
            read_request(connection)
            connection.sendall(answer)

    with serving(read_slowly) as port, Opener() as opener:
        assert [_sent(opener, LARGE, endpoint=f"http://127.0.0.1:{port}") for _ in range(2)] == [
            "m-1"
        ] * 2


@pytest.mark.parametrize("talk", ["silent", "drip"])
def test_tls_ends_at_the_deadline(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, talk: str
) -> None:
    """Over TLS a silent and a dripping answer end at the deadline as well, in doubt."""
    stop = threading.Event()

    def answer(connection: socket.socket) -> None:
        with with_tls(certificate, connection) as tls:
            if talk == "drip":
                _drip(ANSWER % (b"X-Filler: 1\r\n" * 100), stop, tls)
            while tls.recv(65536):
                pass

    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with serving(answer) as port, Opener() as opener:
        error = _ended(opener, endpoint=f"https://localhost:{port}")
        stop.set()
    assert (type(error), error.sent) == (TimedOut, Sent.UNKNOWN)


def test_a_kept_tls_connection_forgets_its_first_deadline(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline under which a TLS connection was made does not end a later try on it."""
    ready, go = threading.Event(), threading.Event()

    def answer(connection: socket.socket) -> None:
        with with_tls(certificate, connection) as tls:
            for wait in (0.0, 5.0):
                read_request(tls)
                go.wait(wait)
                tls.sendall(ANSWER % b"Content-Length: 20\r\n")
            ready.set()

    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with serving(answer) as port, Opener() as opener:
        endpoint = f"https://localhost:{port}"
        assert _sent(opener, seconds=4.0, endpoint=endpoint) == "m-1"
        assert _sent(opener, seconds=30.0, endpoint=endpoint) == "m-1"
        assert ready.wait(30)


@pytest.mark.parametrize("octets", [b"", b"\x16\x03\x03\x40\x00"])
def test_a_handshake_ends_at_the_deadline(octets: bytes) -> None:
    """A handshake that hangs or drips ends at the deadline, and nothing was sent."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(octets)
        while octets and not stop.wait(0.05):
            connection.sendall(b"\x00")
        while connection.recv(65536):
            pass

    with serving(drip) as port, Opener() as opener:
        error = _ended(opener, endpoint=f"https://localhost:{port}")
        stop.set()
    assert (type(error), error.sent) == (TimedOut, Sent.NOTHING)


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """No host is exempt from the proxy."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("proxied")
def test_a_proxy_that_drips_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that never comes to the end of its answer costs no more than the deadline."""
    stop = threading.Event()
    with (
        serving(
            lambda connection: _drip(b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 1000, stop, connection)
        ) as port,
        Opener() as opener,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = _ended(opener, endpoint="https://email.example.test")
        stop.set()
    assert isinstance(error, TimedOut)


@pytest.mark.usefixtures("proxied")
def test_a_proxy_that_lets_through_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a proxy's tunnel a message is sent as without one."""
    asked, authority = list[bytes](), Authority(tmp_path)
    serves = authority.serving("ses.example")

    def proxy(connection: socket.socket) -> None:
        asked.append(read_request(connection).partition(b"\r\n")[0])
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with serves.wrap_socket(connection, server_side=True) as tls:
            read_request(tls)
            tls.sendall(ANSWER % b"Content-Length: 20\r\nConnection: close\r\n")

    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    with serving(proxy) as port, Opener() as opener:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        assert _sent(opener, endpoint="https://ses.example:8443") == "m-1"
    assert [line.partition(b" HTTP/")[0] for line in asked] == [b"CONNECT ses.example:8443"]


@pytest.mark.usefixtures("proxied")
# botocore verifies no proxy of a request in clear text
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_proxy_that_requires_tls_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message goes through a proxy that is spoken to over TLS, which only botocore's own session
    does, and ends at its deadline where the proxy is silent.
    """
    asked, authority = list[bytes](), Authority(tmp_path)
    serves, silent = authority.serving("localhost"), threading.Event()

    def proxy(connection: socket.socket) -> None:
        with serves.wrap_socket(connection, server_side=True) as tls:
            asked.append(read_request(tls).partition(b"\r\n")[0])
            if silent.is_set():
                tls.recv(1)
            tls.sendall(ANSWER % b"Content-Length: 20\r\nConnection: close\r\n")

    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    with serving(proxy) as port, Opener() as opener:
        monkeypatch.setenv("HTTP_PROXY", f"https://localhost:{port}")
        assert _sent(opener, endpoint="http://ses.example:8080") == "m-1"
        silent.set()
        error = _ended(opener, endpoint="http://ses.example:8080")
    assert (type(error), error.sent) == (TimedOut, Sent.UNKNOWN)
    place = b"POST http://ses.example:8080/v2/email/outbound-emails"
    assert [line.partition(b" HTTP/")[0] for line in asked] == [place, place]


class _Clock:
    """A clock that moves when somebody waits by it."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Seconds that only a wait moves."""
        return self.now

    def time(self) -> float:
        """The same."""
        return self.now

    def sleep(self, seconds: float, _until: threading.Event | None = None) -> None:
        """Move on."""
        self.now += seconds

    async def asleep(self, seconds: float, _until: threading.Event | None = None) -> None:
        """Move on."""
        self.now += seconds


@pytest.mark.parametrize(
    ("seconds", "kind", "waited"), [(2.0, TimedOut, 2.0), (60.0, Unavailable, 3.0)]
)
def test_all_addresses_share_the_deadline(
    monkeypatch: pytest.MonkeyPatch, seconds: float, kind: type[JackfieldError], waited: float
) -> None:
    """A host with many addresses of which none answers takes no longer than the deadline, and
    nothing was sent (botocore's client; the wire has tests of its own).
    """
    monkeypatch.setenv("JACKFIELD_AWS_DIRECT", "0")
    clock, waits = _Clock(), []

    def silent(addresses: Sequence[object], timeout: float) -> None:
        waits.append((len(addresses), timeout))
        clock.sleep(timeout)
        raise TimeoutError("timed out")

    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{number}", 443))
        for number in range(5)
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    monkeypatch.setattr("jackfield.wire.connection.first_connected", silent)
    with Opener(clock=clock) as opener:
        clients, call = _open(opener, seconds, endpoint="https://email.example.test")
        with entered(call):
            with pytest.raises(Exception, match=r".") as raised:  # whatever botocore raises
                clients.client("sesv2").send_email(**MAIL)
            error = AWS_ERRORS(raised.value, clients)
    assert error is not None
    assert (type(error), error.sent) == (kind, Sent.NOTHING)
    assert waits == [(5, waited)]


def test_a_second_address_answers(
    monkeypatch: pytest.MonkeyPatch, aws: FakeAws, opener: Opener
) -> None:
    """Where the first address of a host swallows packets, the next one is tried beside it; one that
    refuses gives way at once. The server is asked under the host's own name (the wire has tests of
    its own).
    """
    monkeypatch.setenv("JACKFIELD_AWS_DIRECT", "0")
    real, port = socket.getaddrinfo, int(aws.url.rpartition(":")[2])
    tried = list[tuple[str, bool]]()
    made = list[socket.socket]()

    def three(host: str, *rest: Any, **more: Any) -> Any:
        if host == "email.example.test":
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", port))
                for last in (2, 3, 1)
            ]
        return real(host, *rest, **more)

    class Noted(socket.socket):
        def connect(self, address: Any) -> None:
            tried.append((address[0], bool(made) and made[0].fileno() >= 0))
            made.append(self)
            super().connect(address)

    with socket.create_server(("127.0.0.2", port), backlog=0) as full, filled(full):
        monkeypatch.setattr("jackfield.wire.addresses._FAILED", {})
        monkeypatch.setattr(socket, "getaddrinfo", three)
        monkeypatch.setattr(socket, "socket", Noted)
        assert _sent(opener, endpoint=f"http://email.example.test:{port}")
        monkeypatch.undo()
    assert tried == [("127.0.0.2", False), ("127.0.0.3", True), ("127.0.0.1", True)]
    assert aws.requests[-1].headers["host"] == f"email.example.test:{port}"


def test_outside_of_a_try_nothing_is_bounded(aws: FakeAws, opener: Opener) -> None:
    """A client that somebody uses outside of a try works."""
    clients, _ = _open(opener)
    assert clients.client("sesv2").get_account()["SendingEnabled"]


def test_many_calls_share_connections(opener: Opener, aws: FakeAws) -> None:
    """A hundred calls from eight threads need eight connections at most."""
    clients, _ = _open(opener)

    def send(_number: int) -> str:
        with entered(opener.context(seconds=30).call):
            return str(clients.client("sesv2").send_email(**MAIL)["MessageId"])

    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(100)))) == 100
    assert time.monotonic() - started < 30
    assert aws.connections <= 8
