"""R2: a response of AWS answers its own request only, whatever a server or a proxy sends after it
or before it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from moto_rig import EVERYTHING, Rig, offer
from raw_server import read_request, serving, with_tls

BUFFER = 8192
"""Bytes that http.client reads at once: what follows them in one TLS record waits in the TLS
library, where no poll sees it.
"""
STALE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}"
)
NEXT = {
    "refused": b"HTTP/1.1 400 no\r\nContent-Length: 0\r\n\r\n",
    "failed": b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n",
    "cut": b"",
}


WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    "s3": ("s3/createMultipartUpload", {"Bucket": "b", "Key": "k"}),
    "dynamodb": ("dynamodb/updateItem", {"TableName": "t", "Key": {"id": {"S": "1"}}}),
}


def _first(method: str, status: str, length: int, body: bytes) -> bytes:
    """A response, filled up so that it ends where http.client's first reading does."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.0\r\n".encode()
    head += (
        b"" if method == "HEAD" or status.startswith("204") else b"Content-Length: %d\r\n" % length
    )
    filler = BUFFER - len(head) - len(b"X-Filler: \r\n\r\n") - len(body)
    return head + b"X-Filler: " + b"f" * filler + b"\r\n\r\n" + body


FIRST: dict[str, tuple[str, dict[str, Any], bytes]] = {
    "a second response": ("dynamodb/listTables", {}, _first("POST", "200 OK", 2, b"{}")),
    "a 204 with a body": (
        "s3/deleteObject",
        {"Bucket": "b", "Key": "k"},
        _first("DELETE", "204 No Content", 0, b""),
    ),
    "a HEAD with a body": (
        "s3/headObject",
        {"Bucket": "b", "Key": "k"},
        _first("HEAD", "200 OK", 0, b""),
    ),
}


def _calls(
    folder: Path,
    scheme: str,
    talk: Callable[[socket.socket], None],
    action: str,
    inputs: dict[str, Any],
) -> list[Any]:
    """Results of an action, and of a write after it over the same pool."""
    with (
        serving(talk) as port,
        Jackfield(
            database_url="none", environment=offer(folder / "home", {"default": EVERYTHING})
        ) as jackfield,
    ):
        rig = Rig(jackfield, f"{scheme}://localhost:{port}")
        write, more = WRITES[action.partition("/")[0]]
        return [rig.result(action, timeout=120, **inputs), rig.result(write, timeout=120, **more)]


@pytest.mark.parametrize(
    ("kind", "following", "scheme"),
    [  # the same bytes below TLS and without it: the schemes take turns
        pytest.param(
            kind,
            following,
            scheme,
            marks=() if (place + turn + tls) % 2 == 0 else pytest.mark.campaign,
        )
        for place, kind in enumerate(FIRST)
        for turn, following in enumerate(NEXT)
        for tls, scheme in enumerate(["http", "https"])
    ],
)
def test_r2_bytes_after_a_response_answer_nothing(
    tmp_path: Path,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    following: str,
    scheme: str,
) -> None:
    """R2: bytes after a response close its connection; a write after it has the outcome that its
    own response says.
    """
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    action, inputs, first = FIRST[kind]
    connections: list[int] = []

    def talk(connection: socket.socket) -> None:
        with (
            with_tls(certificate, connection) if scheme == "https" else _as_is(connection) as spoken
        ):
            if not read_request(spoken):
                return
            connections.append(len(connections))
            if connections == [0]:
                spoken.sendall(first + STALE)
                if not read_request(spoken):
                    return
            spoken.sendall(NEXT[following])

    ours, later = _calls(tmp_path, scheme, talk, action, inputs)
    assert ours.status == "succeeded"
    assert (later.status, later.error.code) == (
        ("failed", "rejected") if following == "refused" else ("in_doubt", "in_doubt")
    )
    assert len(connections) == 2


def _as_is(connection: socket.socket) -> AbstractContextManager[socket.socket]:
    return nullcontext(connection)


@pytest.mark.parametrize("status", ["102 Processing", "103 Early Hints"])
def test_r2_an_interim_response_is_no_response(tmp_path: Path, status: str) -> None:
    """R2: responses before the response (1xx) are passed over: they are no success, and the
    response is not left to the next request.
    """
    answers = iter(
        [
            b"HTTP/1.1 400 no\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 400 no\r\nContent-Length: 0\r\n\r\n",
        ]
    )

    def talk(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(f"HTTP/1.1 {status}\r\nLink: <x>\r\n\r\n".encode() + next(answers))

    first, later = _calls(tmp_path, "http", talk, "dynamodb/deleteTable", {"TableName": "t"})
    assert [(one.status, one.error and one.error.code) for one in (first, later)] == [
        ("failed", "rejected")
    ] * 2


def test_r2_an_answer_before_the_body_ends_its_connection(tmp_path: Path) -> None:
    """R2: an answer in place of '100 Continue' leaves the server waiting for a body: the next
    request must not become that body.
    """
    heads: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            lines = list(iter(stream.readline, b"\r\n"))
        if not lines[0].strip():
            return
        heads.append(lines[0])
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        if len(heads) == 1:
            connection.recv(65536)  # what the server takes for the body

    first, later = _calls(
        tmp_path, "http", talk, "s3/putObject", {"Bucket": "b", "Key": "k", "Body": "x" * 2_000_000}
    )
    assert [(one.status, one.error and one.error.code) for one in (first, later)] == [
        ("failed", "forbidden")
    ] * 2
    assert [head.split()[0] for head in heads] == [b"PUT", b"POST"]


def _read_upload(connection: socket.socket, *early: bytes) -> bytes | None:
    """Read the head of an upload, send what comes before its response, and read its body; None for
    another request.
    """
    with connection.makefile("rb") as stream:
        lines = list(iter(stream.readline, b"\r\n"))
        if not lines[0].startswith(b"PUT"):
            return None
        for piece in early:
            connection.sendall(piece)
        return stream.read(len(BODY)) if early[-1] == CONTINUE else b""


BODY = b"x" * 5000
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
STORED = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n'


def _upload(folder: Path, talk: Callable[[socket.socket], None]) -> Any:
    return _calls(
        folder, "http", talk, "s3/putObject", {"Bucket": "b", "Key": "k", "Body": BODY.decode()}
    )[0]


@pytest.mark.parametrize("status", ["102 Processing", "103 Early Hints"])
def test_r2_an_interim_response_does_not_take_the_place_of_the_body(
    tmp_path: Path, status: str
) -> None:
    """R2: an upload waits on for '100 Continue' after other interim responses: nothing is stored by
    a status below 200.
    """
    bodies: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        body = _read_upload(
            connection, f"HTTP/1.1 {status}\r\nLink: <x>\r\n\r\n".encode(), CONTINUE
        )
        if body is not None:
            bodies.append(body)
            connection.sendall(STORED)

    assert (_upload(tmp_path, talk).output, bodies) == ({"ETag": '"e"'}, [BODY])


@pytest.mark.parametrize(
    "early",
    [
        STORED,
        STORED[:20],
        b"HTTP/1.1 100 Continue\r\n",
        b"HTTP/1.1 100 Continue\r\nServer: x",
        b"HTTP/1.1 20",
        b"",
    ],
    ids=["success", "cut head", "cut interim response", "cut name", "cut status", "close"],
)
def test_r2_an_upload_succeeds_only_with_its_body(tmp_path: Path, early: bytes) -> None:
    """R2: a success before the body was sent, and the end of the connection there, say nothing
    about the object: it is uploaded again.
    """
    bodies: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        body = _read_upload(connection, CONTINUE if bodies else early)
        if body is not None:
            bodies.append(body)
            if body:
                connection.sendall(STORED)

    found = _upload(tmp_path, talk)
    assert (found.status, found.meta.attempts, bodies) == ("succeeded", 2, [b"", BODY])
