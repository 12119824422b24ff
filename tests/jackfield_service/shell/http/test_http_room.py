"""The bodies of many callers together."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from gates import Gatekeeper
from http_stand import SETTINGS, Client, process, say, standing
from waiting import until

MEGA = 1024 * 1024
ROOM = 48 * MEGA
BODY = 8 * MEGA


def _head(client: Client, size: int) -> bytes:
    lines = (
        "POST /v1/invocations HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {client.token}",
        "Content-Type: application/json",
        f"Content-Length: {size}",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


@contextlib.contextmanager
def _sending(client: Client) -> Iterator[socket.socket]:
    """A caller who sends all of a large body but its end, unless the server stops it."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(_head(client, BODY) + b" " * (BODY - 1))
        yield connection


def _answer(connection: socket.socket) -> bytes:
    answer = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


def test_many_large_bodies_take_only_so_much_memory(tmp_path: Path) -> None:
    """12 callers with 8 MiB each, where there is room for 48: some have to come again, nobody else
    has to, and memory stays within it.
    """
    with (
        process(tmp_path, settings={"max_bodies": ROOM}) as server,
        contextlib.ExitStack() as stack,
        ThreadPoolExecutor(12) as pool,
    ):
        client = server.client
        assert client.invoke("say", text="x" * MEGA).status == 200
        before = server.rss()
        callers = list(pool.map(lambda _: stack.enter_context(_sending(client)), range(12)))
        grown = server.rss() - before
        assert client.invoke("say", text="others").status == 200
        told = until(
            lambda: (
                found
                if len(found := select.select(callers, [], [], 0)[0]) >= 12 - ROOM // BODY
                else []
            )
        )
        answers = [answer for answer in pool.map(_answer, told) if answer]
        for caller in callers:
            caller.close()
    assert len(answers) >= 12 - ROOM // BODY
    assert {answer.split()[1] for answer in answers} == {b"503"}
    assert b"retry-after: 1\r\n" in answers[0].lower()
    assert (
        json.loads(answers[0].partition(b"\r\n\r\n")[2])["detail"]
        == f"the bodies of the requests in progress already total {ROOM:,} bytes"
    )
    assert grown < ROOM + 40 * MEGA, grown


def _in_chunks(client: Client) -> int:
    """The status of an invocation of 3 MiB whose length is not told."""
    body = json.dumps(say("say", text="y" * (3 * MEGA))).encode()
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", client.port, timeout=120)
    ) as connection:
        connection.request("POST", "/v1/invocations", iter([body]), headers, encode_chunked=True)
        return connection.getresponse().status


CALLS: dict[str, Callable[[Client], int]] = {
    "a length that is told": lambda client: client.invoke("say", text="y" * (3 * MEGA)).status,
    "chunks": _in_chunks,
}


@pytest.mark.parametrize("name", CALLS)
def test_the_room_is_held_until_the_answer(tmp_path: Path, name: str) -> None:
    """A body counts for as long as its invocation runs, and no longer; small ones are always
    taken.
    """
    with (
        standing(tmp_path, replace(SETTINGS, max_bodies=5 * MEGA)) as stand,
        Gatekeeper() as gate,
        ThreadPoolExecutor(1) as pool,
    ):
        client = stand.client()
        running = pool.submit(client.invoke, "say", text="x" * (3 * MEGA), gate={"port": gate.port})
        gate.wait()
        assert CALLS[name](client) == 503
        assert client.invoke("say", text="small").status == 200
        gate.open()
        assert running.result(30).status == 200
        assert Counter(CALLS[name](client) for _ in range(3)) == {200: 3}


def test_files_that_are_named_are_bodies_too(tmp_path: Path) -> None:
    """A small invocation may name large files: they have room as if they had come with it, and a
    limit together however often each is named.
    """
    with (
        standing(tmp_path, replace(SETTINGS, max_bodies=5 * MEGA, max_body=4 * MEGA)) as stand,
        Gatekeeper() as gate,
        ThreadPoolExecutor(1) as pool,
    ):
        client = stand.client()
        file = {"file": client.post("/v1/files", b"x" * (3 * MEGA)).json["file"]}
        twice = client.invoke("say", text="x", files={"a": file, "b": file})
        assert twice.status == 422
        assert "4,194,304 bytes in total; these have 6,291,456" in twice.json["error"]["message"]
        assert [item["path"] for item in twice.json["error"]["details"]] == [
            "/files/a/file",
            "/files/b/file",
        ]
        running = pool.submit(
            client.invoke, "say", text="x", picture=file, gate={"port": gate.port}
        )
        gate.wait()
        assert client.invoke("say", text="x", picture=file).status == 503
        assert client.invoke("say", text="small").status == 200
        gate.open()
        assert running.result(30).status == 200
        assert client.invoke("say", text="x", picture=file).status == 200
