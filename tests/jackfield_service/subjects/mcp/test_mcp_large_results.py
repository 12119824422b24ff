"""An output that is too large for an answer: size, shape and a file that ``read_result`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from http_stand import Client, Stand, say, standing
from jackfield.callers import Rules
from mcp_talk import MODES, Server, called, remote

_LARGE = "".join(f"é{number} " for number in range(20_000))


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One server for all of them."""
    with standing(tmp_path_factory.mktemp("large")) as found:
        yield found


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """May do everything, and has a connection ``hall``."""
    found = stand.client()
    assert (
        found.post(
            "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}}
        ).status
        == 201
    )
    return found


@pytest.fixture(scope="module")
def server(client: Client) -> Server:
    """The same for MCP."""
    return remote(client.port, client.token)


def large(server: Server, **more: Any) -> Any:
    """Structured content of a call whose output is large."""
    return called(
        server, "execute_action", **say("say", "hall", text=_LARGE), **more
    ).structured_content


def read(server: Server, file: str, **more: Any) -> str:
    """All that ``read_result`` has, part by part."""
    texts: list[str] = []
    offset: int | None = 0
    while offset is not None:
        body = called(server, "read_result", file=file, offset=offset, **more).structured_content
        assert len(body["text"].encode()) <= more.get("maxBytes", 40_000)
        texts.append(body["text"])
        offset = body["nextOffset"]
    assert len("".join(texts).encode()) == body["bytes"]
    return "".join(texts)


@pytest.mark.parametrize("mode", MODES)
def test_a_large_output_is_read_in_parts(server: Server, mode: str) -> None:
    """No answer has more than was asked for, and nothing is lost: parts end between characters."""
    found = called(server, "execute_action", mode, **say("say", "hall", text=_LARGE))
    assert len(json.dumps(found.structured_content)) < 2_000
    about = found.structured_content["output"]["truncated"]
    assert about["bytes"] > len(_LARGE.encode())
    assert about["shape"]["text"] == "string"
    assert "read_result" in found.content[0].text  # type: ignore[union-attr]
    assert json.loads(read(server, about["file"]))["text"] == _LARGE
    assert json.loads(read(server, about["file"], maxBytes=30_001))["text"] == _LARGE


@pytest.mark.parametrize("text", ["😀" * 5, "aé€😀" * 3, "😀a" * 5])
def test_parts_of_four_bytes_end(server: Server, text: str) -> None:
    """Every letter fits into the smallest part."""
    output = called(
        server, "execute_action", **say("say", "hall", text=text), maxBytes=4
    ).structured_content["output"]
    assert json.loads(read(server, output["truncated"]["file"], maxBytes=4))["text"] == text


def test_it_may_be_selected_from(server: Server) -> None:
    """By the call, or later; a broken expression is refused at its place."""
    assert large(server, select="length(text)")["output"] == {"selected": len(_LARGE)}
    file = large(server)["output"]["truncated"]["file"]
    assert read(server, file, select="length(text)") == str(len(_LARGE))
    assert json.loads(read(server, file, select="text")) == _LARGE
    for broken in ("length(", "length(`1`)"):
        refused = called(server, "read_result", file=file, select=broken)
        assert refused.is_error
        assert refused.structured_content["error"]["details"][0]["path"] == "/select"


def test_a_client_says_how_much_it_takes(server: Server) -> None:
    """More than usual, or less."""
    assert large(server, maxBytes=1_000_000)["output"]["text"] == _LARGE
    assert (
        "truncated"
        in called(
            server, "execute_action", **say("say", "hall", text="x" * 99), maxBytes=99
        ).structured_content["output"]
    )


def test_nobody_reads_the_result_of_another(stand: Stand, client: Client, server: Server) -> None:
    """A caller reads his own, whether he has rules or not; what has no output is refused; what is
    not there is not there.
    """
    file = large(server)["output"]["truncated"]["file"]
    other = stand.client()
    assert (
        called(remote(other.port, other.token), "read_result", file=file).structured_content[
            "error"
        ]["code"]
        == "not_found"
    )
    clerk = stand.client("invoke", rules=Rules(allow=("echo/*",)), name="clerk")
    clerks = remote(clerk.port, clerk.token)
    assert (
        called(clerks, "read_result", file=file).structured_content["error"]["code"] == "not_found"
    )
    own = large(clerks)["output"]["truncated"]["file"]
    assert json.loads(read(clerks, own))["text"] == _LARGE
    picture = client.post("/v1/files", b"\x89PNG", content_type="image/png").json["file"]
    refused = called(server, "read_result", file=picture).structured_content["error"]
    assert refused["details"][0]["path"] == "/file"
    for missing in ("file_AAAAAAAAAAAAAAAAAAAAAA", "x", "../x"):
        assert (
            called(server, "read_result", file=missing).structured_content["error"]["code"]
            == "not_found"
        )
    assert read(server, file)
    assert client.get(f"/v1/files/{file}").json["text"] == _LARGE
