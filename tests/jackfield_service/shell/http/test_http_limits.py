"""Limits: heads, bodies, slowness, rates, concurrency; what is no HTTP; and that others are served
meanwhile.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from gates import Gatekeeper
from http_stand import SETTINGS, Client, Stand, say, standing
from jackfield.call import check
from jackfield.call.check import checked
from jackfield_service.shell.http import openapi
from jackfield_store.access.tokens import new_text
from mcp_talk import call_of
from replies import Reply

TIGHT = replace(
    SETTINGS,
    max_head=8192,
    max_body=100_000,
    max_file=100_000,
    files_cap=250_000,
    head_within=1.0,
    body_within=1.0,
    slowest=1_000_000,
)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One server with tight limits."""
    with standing(tmp_path_factory.mktemp("limits"), TIGHT) as found:
        yield found


@contextlib.contextmanager
def talking(client: Client) -> Iterator[socket.socket]:
    """A connection to write raw bytes to."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
        yield connection


def answered(connection: socket.socket) -> Reply | None:
    """All that comes until the server closes, as one answer; None where it says nothing."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            data += piece
    if not data:
        return None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    return Reply(int(first.split()[1]), headers, body)


def refused(reply: Reply | None, status: int) -> None:
    """Assert that the answer is a problem of this status."""
    assert reply is not None
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.json["status"] == status


@pytest.mark.parametrize(
    "line",
    [
        b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 20_000,
        b"GET /" + b"x" * 20_000,
        b"GET / HTTP/1.1" + b"\r\nX-A: b" * 3_000,
    ],
)
def test_a_long_head_is_431(client: Client, line: bytes) -> None:
    """A header, a path or a number of headers over the limit is refused, whole or not, and the
    connection ends.
    """
    for end in (b"", b"\r\n\r\n" if b"HTTP" in line else b" HTTP/1.1\r\n\r\n"):
        with talking(client) as connection:
            connection.sendall(line + end)
            refused(answered(connection), 431)


def test_ten_megabytes_of_headers_are_not_kept(client: Client) -> None:
    """They are refused once the limit is reached, and what still comes is dropped."""
    with talking(client) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET / HTTP/1.1\r\n")
            for _ in range(10_000):
                connection.sendall(b"X-Padding: " + b"x" * 1000 + b"\r\n")
        reply = answered(connection)
    if reply is not None:  # else it had been closed long before they were sent
        refused(reply, 431)
    assert client.get("/healthz").status == 200


@pytest.mark.parametrize(
    "text",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\nnonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST /v1/files HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/files HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/files HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /v1/files HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_400(client: Client, text: bytes) -> None:
    """Malformed requests are refused as problems, and the connection ends."""
    with talking(client) as connection:
        connection.sendall(text)
        refused(answered(connection), 400)


def test_http_1_0_needs_no_host(client: Client) -> None:
    """A request of HTTP/1.0 without a Host is served."""
    with talking(client) as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        reply = answered(connection)
    assert reply is not None
    assert reply.status == 200


def test_a_head_that_trickles_ends(client: Client) -> None:
    """A head that does not arrive in time is 408 (slow loris); a connection that says nothing is
    just closed.
    """
    with talking(client) as silent, talking(client) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nX-")
        assert client.get("/healthz").status == 200
        refused(answered(slow), 408)
        assert answered(silent) is None


def test_a_body_that_trickles_ends(client: Client) -> None:
    """A body that does not arrive in time is 408, with a length or in chunks."""
    head = f"POST /v1/invocations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n".encode()
    for rest in (b"Content-Length: 1000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"):
        with talking(client) as connection:
            connection.sendall(head + rest)
            refused(answered(connection), 408)


def test_a_large_body_is_413_and_the_answer_arrives(client: Client) -> None:
    """Whether its length is told or not, the caller sees the refusal although it still sends."""
    head = f"POST /v1/invocations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n".encode()
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    for start, piece in (
        (b"Content-Length: 50000000\r\n\r\n", b"x" * 65536),
        (b"Transfer-Encoding: chunked\r\n\r\n", chunk),
    ):
        with talking(client) as connection:
            connection.sendall(head + start)
            with contextlib.suppress(ConnectionError):
                for _ in range(50):
                    connection.sendall(piece)
            refused(answered(connection), 413)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../healthz",
        "//healthz",
        "/v1/connections/..%2f..%2fetc",
        "/v1/connections/%2e%2e",
        "/v1/connections/a%00b",
        "/healthz/",
        "/v1/files/x",
        "/%ff%fe",
        "/v1/invocations/%0d%0aX: y",
        "/index.php?x=../../etc/passwd",
    ],
)
def test_path_tricks_are_404(client: Client, path: str) -> None:
    """Nothing is found by tricks: 404 as a problem, and no redirect."""
    with talking(client) as connection:
        connection.sendall(
            (
                f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "
                f"{client.token}\r\n\r\n"
            ).encode()
        )
        reply = answered(connection)
    assert reply is not None
    assert reply.status in (400, 404)
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_method_that_is_not_there_is_405(client: Client) -> None:
    """405 as a problem that names all methods of the path."""
    reply = client.call("DELETE", "/v1/connections")
    refused(reply, 405)
    assert {item.strip() for item in reply.headers["allow"].split(",")} == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x--\r\n",
        b"--x\r\nContent-Disposition: form-data; name=f\r\n\r\njust a field\r\n--x--\r\n",
        b"no form at all",
    ],
)
def test_a_bad_form_is_400(client: Client, body: bytes) -> None:
    """A multipart body without exactly one file."""
    refused(client.post("/v1/files", body, Content_Type="multipart/form-data; boundary=x"), 400)
    refused(client.post("/v1/files", body, Content_Type="multipart/form-data"), 400)


def test_a_form_with_a_file_is_kept(client: Client) -> None:
    """The one file of a form, with its own content type."""
    head = (
        b"--x\r\nContent-Disposition: form-data; name=f; "
        b'filename="../../a.pdf"\r\nContent-Type: application/pdf\r\n\r\n'
    )
    body = head + b"%PDF\r\n--x--\r\n"
    kept = client.post("/v1/files", body, Content_Type="multipart/form-data; boundary=x")
    assert (kept.status, kept.json["size"], kept.json["contentType"]) == (201, 4, "application/pdf")


def test_files_have_caps(tmp_path: Path) -> None:
    """One file has a cap (413), all files of a workspace together have one (507); what was refused
    leaves nothing behind.
    """
    with standing(tmp_path, TIGHT) as stand:
        client = stand.client()
        folder = tmp_path / "home" / "files" / "default"
        refused(client.post("/v1/files", b"x" * 200_000), 413)
        form = (
            b"--x\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n"
            + b"x" * 120_000
            + b"\r\n--x--\r\n"
        )
        refused(client.post("/v1/files", form, Content_Type="multipart/form-data; boundary=x"), 413)
        assert [client.post("/v1/files", b"x" * 90_000).status for _ in range(3)] == [201, 201, 507]
        assert len([path for path in folder.iterdir() if path.suffix != ".json"]) == 2


def test_a_file_over_the_default_limit_is_refused_unread(client: Client) -> None:
    """5 GiB are the most that a file may have: the head of a longer one is enough for 413."""
    head = (
        "POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        f"{client.token}\r\nContent-Length: {5 * 1024**3 + 100_000}\r\n\r\n"
    )
    with talking(client) as connection:
        connection.sendall(head.encode())
        refused(answered(connection), 413)


def test_s10_uploads_are_encrypted_and_nobody_else_reads_them(tmp_path: Path) -> None:
    """Files of no, one and several chunks come back as they were; on disk they are sealed, mode
    0600, for their workspace and id alone.
    """
    contents = [b"", b"pl4nted-in-a-file", b"pl4nted" * 400_000, bytes(1024 * 1024)]
    with standing(tmp_path, replace(SETTINGS, max_file=4_000_000)) as stand:
        client, folder = stand.client(), tmp_path / "home" / "files" / "default"
        files = [client.post("/v1/files", content).json["file"] for content in contents]
        for file, content in zip(files, contents, strict=True):
            heard = client.invoke("say", text="x", picture={"file": file}).json["output"]["inputs"][
                "picture"
            ]
            assert base64.b64decode(heard["data"]) == content
        for path in folder.iterdir():
            assert path.stat().st_mode & 0o777 == 0o600
            assert b"pl4nted" not in path.read_bytes()
        (folder / files[0]).write_bytes((folder / files[1]).read_bytes())  # another file's content
        # cut off after a whole chunk
        (folder / files[2]).write_bytes((folder / files[2]).read_bytes()[: 1024 * 1024 + 16])
        for file in (files[0], files[2]):
            assert client.invoke("say", text="x", picture={"file": file}).status == 422


def test_s10_files_are_limited_in_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty files count too, the folder is never looked through, and a sweep makes room again."""
    looked: list[object] = []
    scan = os.scandir

    def noted(path: Any = ".") -> Any:
        looked.append(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", noted)
    with standing(tmp_path, replace(SETTINGS, files_count=5)) as stand:
        client = stand.client()
        assert [client.post("/v1/files", b"").status for _ in range(7)] == [201] * 5 + [507] * 2
        assert not [path for path in looked if str(path).endswith("default")]
        # not before: the server sweeps, too
        with stand.host.storage.database.write() as transaction:
            transaction.change("UPDATE files SET expires_at = 0")
        stand.host.files.sweep()
        assert client.post("/v1/files", b"").status == 201


def test_a_file_that_is_used_outlives_the_key_of_its_invocation(tmp_path: Path) -> None:
    """The same request under the same key is replayed for a day after it, whenever its file was
    uploaded.
    """
    clock = FakeClock()
    with standing(tmp_path, clock=clock) as stand:
        client = stand.client()
        file = client.post("/v1/files", b"new").json["file"]
        stand.host.runtime("default").connections.add("hall", "echo/token", {"token": "t"})
        body = {**say("say", "hall", text="x", picture={"file": file}), "idempotencyKey": "order-1"}
        clock.advance(23 * 3600)
        first = client.post("/v1/invocations", body).json
        clock.advance(23 * 3600)
        again = client.post("/v1/invocations", body).json
    assert (first["status"], again["meta"]["replayed"]) == ("succeeded", True)


def test_a_file_is_one_where_a_file_is_taken(client: Client) -> None:
    """``{"file": id}`` is replaced where the schema takes a FILE, in maps, lists and members, and
    nowhere else.
    """
    file = client.post("/v1/files", b"hello", Content_Type="text/plain").json["file"]
    whole, named = {"data": "aGVsbG8=", "contentType": "text/plain"}, {"file": file}
    inputs = {
        "files": {"a": named, "b": "text"},
        "pairs": [{"key": "k", "value": named}],
        "picture": named,
        "data": named,
    }
    heard = client.invoke("say", text="x", **inputs).json["output"]["inputs"]
    assert heard["files"] == {"a": whole, "b": "text"}
    assert heard["pairs"] == [{"key": "k", "value": whole}]
    assert (heard["picture"], heard["data"]) == (whole, named)
    for wrong in ("../../../etc/passwd", "file_" + "x" * 22, ""):
        bad = client.invoke("say", text="x", picture={"file": wrong})
        assert (bad.status, bad.json["error"]["details"][0]["path"]) == (422, "/picture/file")


def test_a_token_has_its_rate(tmp_path: Path) -> None:
    """Requests beyond the rate are 429 with Retry-After; another token is not slowed down, and
    probes never are.
    """
    with standing(tmp_path, replace(SETTINGS, rate=0.01)) as stand:
        client, other = stand.client(), stand.client()
        replies = [client.get("/v1/actions") for _ in range(8)]
        slow = [reply for reply in replies if reply.status == 429]
        assert slow
        refused(slow[0], 429)
        assert slow[0].headers["retry-after"] == "1"
        assert other.get("/v1/actions").status == 200
        assert client.get("/healthz").status == 200


def test_a_token_has_one_budget_however_it_is_written(tmp_path: Path) -> None:
    """Blanks, the scheme's letters and further headers give a token no second budget; two
    Authorization headers are 400.
    """
    with standing(tmp_path, replace(SETTINGS, rate=0.01)) as stand:
        client = stand.client()
        written = [
            f"Bearer{' ' * (1 + n // 4)}{client.token}"
            if n % 2
            else f"{'bBeEaArR'[n % 8]}earer {client.token}"
            for n in range(1, 16, 2)
        ]
        statuses = [
            Client(stand.port).get("/v1/actions", Authorization=text).status for text in written
        ]
        assert 429 in statuses
        with talking(client) as connection:
            head = (
                "GET /v1/actions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: "
                f"Bearer {client.token}\r\n"
            )
            connection.sendall(f"{head}Authorization: Bearer other\r\n\r\n".encode())
            refused(answered(connection), 400)


def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    """Unknown tokens from one address are 429 after a while; a token that was just used goes on."""
    with standing(tmp_path, replace(SETTINGS, guesses=0.01)) as stand:
        client = stand.client()
        assert client.get("/v1/actions").status == 200
        statuses = until_refused(
            lambda number: Client(client.port, f"guess-{number}").get("/v1/actions")
        )
        assert statuses[0] == 401
        assert 429 in statuses
        assert client.get("/v1/actions").status == 200


def test_s7_guesses_never_lock_out_a_good_token(tmp_path: Path) -> None:
    """While others flood with unknown tokens, good tokens from the same address are let in, each at
    its first use.
    """
    with standing(tmp_path, replace(SETTINGS, guesses=0.01)) as stand:
        good = [stand.client("read") for _ in range(8)]
        stop = threading.Event()

        def flood() -> set[int]:
            statuses = set()
            while not stop.is_set():
                statuses.add(Client(stand.port, new_text()).get("/v1/actions").status)
            return statuses

        assert 429 in [Client(stand.port, new_text()).get("/v1/actions").status for _ in range(12)]
        with ThreadPoolExecutor(2) as pool:
            floods = [pool.submit(flood) for _ in range(2)]
            try:
                found = [client.get("/v1/actions").status for client in good]
            finally:
                stop.set()
        assert found == [200] * 8
        assert all(done.result() <= {401, 429} for done in floods)


def until_refused(get: Callable[[int], Reply], times: int = 1) -> list[int]:
    """Statuses of guesses up to the one that is refused, so many times in a row; on a slow machine
    the allowance grows meanwhile.
    """
    found: list[int] = []
    while found[-times:] != [429] * times:
        assert len(found) < 1_000
        found.append(get(len(found)).status)
    return found


def test_behind_a_proxy_the_address_is_what_the_proxy_saw(tmp_path: Path) -> None:
    """Whoever makes the start of X-Forwarded-For up gains nothing; others behind the same proxy are
    not slowed down.
    """
    with standing(tmp_path, replace(SETTINGS, guesses=5.0, behind_proxy=True)) as stand:
        guess = Client(stand.port, "guess")
        found = until_refused(
            lambda number: guess.get(
                "/v1/actions", X_Forwarded_For=f"10.0.0.{number}, 203.0.113.7:{5000 + number}"
            )
        )
        assert found[0] == 401
        assert guess.get("/v1/actions", X_Forwarded_For="203.0.113.7, 203.0.113.8").status == 401
        assert (
            guess.get("/v1/actions", X_Forwarded_For="203.0.113.7, [2001:db8::1]:80").status == 401
        )


def test_the_guesses_of_a_network_are_counted_together(tmp_path: Path) -> None:
    """Whoever has an IPv6 address has all of its /64; an IPv4 address is one, however it is
    written.
    """
    with standing(tmp_path, replace(SETTINGS, guesses=5.0, behind_proxy=True)) as stand:
        guess = Client(stand.port, "guess")
        found = until_refused(
            lambda number: guess.get(
                "/v1/actions", X_Forwarded_For=f"2001:db8:0:7:{number:x}::{number:x}"
            )
        )
        assert found[0] == 401
        assert guess.get("/v1/actions", X_Forwarded_For="2001:db8:0:8::1").status == 401
        until_refused(
            lambda number: guess.get(
                "/v1/actions", X_Forwarded_For=f"{'::ffff:' * (number % 2)}203.0.113.9"
            ),
            2,
        )
        assert guess.get("/v1/actions", X_Forwarded_For="::ffff:203.0.113.10").status == 401


def test_so_many_at_once(tmp_path: Path) -> None:
    """Beyond the limit requests are 503 with Retry-After, probes are answered, and all goes on
    afterwards.
    """
    with (
        standing(tmp_path, replace(SETTINGS, concurrency=2)) as stand,
        Gatekeeper() as gate,
        ThreadPoolExecutor(2) as pool,
    ):
        client = stand.client()
        running = [
            pool.submit(client.invoke, "say", text="x", gate={"port": gate.port}) for _ in range(2)
        ]
        gate.wait()
        gate.wait()
        busy = client.get("/v1/actions")
        refused(busy, 503)
        assert busy.headers["retry-after"] == "1"
        assert client.get("/healthz").status == 200
        gate.open()
        assert [item.result(30).status for item in running] == [200, 200]
        assert client.get("/v1/actions").status == 200


def test_every_answer_is_named_and_safe(client: Client) -> None:
    """The request's id comes back, a bad one is replaced; nothing is sniffed, framed or cached."""
    assert client.get("/healthz", X_Request_Id="abc-1").headers["x-request-id"] == "abc-1"
    made = client.get("/healthz", X_Request_Id="a b").headers["x-request-id"]
    assert len(made) == 32
    for reply in (
        client.get("/nope"),
        client.get("/v1/actions"),
        Client(client.port).get("/v1/actions"),
    ):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == "no-store"
        assert "server" not in reply.headers


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX-Request-Id: mine-1\r\nX-Long: " + b"x" * 20_000, 431),
        (b"GET /healthz HTTP/1.1\r\nX-", 408),
        (
            b"POST /login HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine-1\r\nContent-Length: 9\r\n\r\n",
            408,
        ),
    ],
)
def test_what_never_became_a_request_is_named_too(client: Client, text: bytes, status: int) -> None:
    """Refusals of the connection carry a request id as well: the caller's own where it has
    arrived.
    """
    with talking(client) as connection:
        connection.sendall(text)
        reply = answered(connection)
    refused(reply, status)
    assert reply is not None
    assert (
        reply.headers["x-request-id"] == "mine-1"
        if b"mine-1" in text
        else len(reply.headers["x-request-id"]) == 32
    )


def test_a_bug_is_named_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of 500 has the request's id."""
    with standing(tmp_path) as stand:
        monkeypatch.setattr(openapi, "document", lambda *_: 1 / 0)
        reply = stand.client().get("/openapi.json", X_Request_Id="mine-1")
    refused(reply, 500)
    assert reply.headers["x-request-id"] == "mine-1"


def test_gzip_where_it_pays(client: Client) -> None:
    """Large answers are compressed for who takes that."""
    assert client.get("/openapi.json", Accept_Encoding="gzip").headers["content-encoding"] == "gzip"
    for refusing in ("", "br", "gzip;q=0", "gzip; q=0.000", "br, GZIP ; Q=0", "*;q=0"):
        assert (
            "content-encoding" not in client.get("/openapi.json", Accept_Encoding=refusing).headers
        ), refusing
    for taking in ("gzip;q=0.5", "br;q=0, gzip", "deflate, GZip;q=1"):
        assert (
            client.get("/openapi.json", Accept_Encoding=taking).headers["content-encoding"]
            == "gzip"
        ), taking
    assert "content-encoding" not in client.get("/openapi.json").headers


def test_origins_are_those_configured(tmp_path: Path) -> None:
    """A browser of a configured origin may call, any other may not."""
    with standing(tmp_path, replace(SETTINGS, origins=("https://app.example.com",))) as stand:
        asked = {
            "Access_Control_Request_Method": "POST",
            "Access_Control_Request_Headers": "authorization,content-type",
        }
        good = Client(stand.port).call(
            "OPTIONS", "/v1/invocations", Origin="https://app.example.com", **asked
        )
        bad = Client(stand.port).call(
            "OPTIONS", "/v1/invocations", Origin="https://evil.example.com", **asked
        )
        assert good.headers["x-request-id"]
        refused(bad, 400)
        assert len(bad.headers["x-request-id"]) == 32
        assert (good.status, good.headers["access-control-allow-origin"]) == (
            200,
            "https://app.example.com",
        )
        assert (bad.status, "access-control-allow-origin" in bad.headers) == (400, False)


def test_one_busy_action_does_not_stop_others(tmp_path: Path) -> None:
    """While an action waits or computes in its thread, probes and other actions are answered."""
    with standing(tmp_path) as stand, Gatekeeper() as gate, ThreadPoolExecutor(20) as pool:
        client = stand.client()
        held = [
            pool.submit(client.invoke, "say", text="x", gate={"port": gate.port}) for _ in range(16)
        ]
        for _ in held:
            gate.wait()
        assert client.get("/healthz").status == 200  # the others block until the gate is open
        assert client.invoke("say", text="others").status == 200
        gate.open()
        assert {item.result(30).status for item in held} == {200}


def test_h7_many_values_are_judged_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small body of very many values does not hold the event loop while it is judged, over HTTP
    and MCP (second review).
    """
    threads = list[str]()

    def noted(*given: Any) -> Any:
        threads.append(threading.current_thread().name)
        return checked(*given)

    monkeypatch.setattr(check, "checked", noted)
    with standing(tmp_path) as stand:
        client = stand.client()
        client.post("/v1/invocations", say("say", text="x"))
        threads.clear()  # the first call compiles the schema, in a thread, too
        crowd = {**say("say"), "inputs": {"text": [""] * 2000}}
        for body in (
            say("say", text="x"),
            crowd,
            {**say("say"), "inputs": {"text": [[[{"a": [0] * 300}]] * 2]}},
        ):
            client.post("/v1/invocations", body)
            assert client.post("/mcp", call_of("execute_action", 1, **body)).status == 200
    loop = "test-server"
    assert [name == loop for name in threads] == [True, True, False, False, False, False]


def test_a_large_invocation_runs(tmp_path: Path) -> None:
    """One of megabytes is worked on in a thread, with the same Result."""
    with standing(tmp_path) as stand:
        client = stand.client()
        answer = client.post(
            "/v1/invocations", json.dumps(say("say", text="x" * 2_000_000)).encode()
        )
        assert (answer.status, len(answer.json["output"]["text"])) == (200, 2_000_000)
