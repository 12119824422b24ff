"""Progress that a server tells within a call: it reaches whoever follows the call, and nobody else
asks for it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_rig import Talk, ToolServer, call, generate, installed, said, serving

TOKEN = "t0ken-4711-abcdef"


def told(talk: Talk, **params: Any) -> bytes:
    """The event of a notification."""
    token = talk.message["params"].get("_meta", {}).get("progressToken")
    about = {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": token, **params},
    }
    return b"data: " + json.dumps(about).encode() + b"\n\n"


def followed(folder: Path, server: ToolServer, kind: str = "anonymous", **values: Any) -> list[Any]:
    """What a caller is told."""
    seen: list[Any] = []
    with serving(server):
        generate(folder, server.url)
        with installed(folder, kind, **values) as jackfield:
            assert call(jackfield, follow=seen.append).status == "succeeded"
    return seen


@pytest.mark.parametrize("legacy", [True, False])
def test_progress(tmp_path: Path, legacy: bool) -> None:
    """It is a part of the whole, and the server's words, without hidden characters."""
    server = ToolServer(legacy=legacy)
    server.on_call = lambda talk: talk.stream(
        told(talk, progress=1, total=4, message="melt\u200bing\n"), talk.answered(said("done"))
    )
    assert followed(tmp_path, server) == [{"fraction": 0.25, "text": "melting"}]


def test_a_token_for_each_call(tmp_path: Path) -> None:
    """Nobody can guess it; without a caller that follows, there is none."""
    server = ToolServer()
    with serving(server):
        generate(tmp_path, server.url)
        with installed(tmp_path) as jackfield:
            for _ in range(2):
                call(jackfield, follow=lambda _told: None)
            call(jackfield)
    calls = [message for message, _ in server.requests if message["method"] == "tools/call"]
    first, second, third = (message["params"]["_meta"].get("progressToken") for message in calls)
    assert first != second
    assert (first >= 10**9, third) == (True, None)


@pytest.mark.parametrize(
    "params",
    [
        {"progressToken": "other", "progress": 1, "total": 2},
        {"progressToken": None, "progress": 1, "total": 2},
    ],
)
def test_progress_of_another_call(tmp_path: Path, params: dict[str, Any]) -> None:
    """Is not told."""
    server = ToolServer()
    server.on_call = lambda talk: talk.stream(told(talk, **params), talk.answered(said("done")))
    assert followed(tmp_path, server) == []


@pytest.mark.parametrize(
    "params",
    [
        {"progress": "1", "total": 2},
        {"progress": 3, "total": 2},
        {"progress": 1, "total": 0},
        {"progress": -1, "total": 2},
        {"progress": True, "total": True},
        {"progress": 7},
        {"message": 7},
        {},
    ],
)
def test_progress_that_is_no_part(tmp_path: Path, params: dict[str, Any]) -> None:
    """No number of a server's breaks a call, nor what its caller is told."""
    server = ToolServer()
    server.on_call = lambda talk: talk.stream(told(talk, **params), talk.answered(said("done")))
    assert followed(tmp_path, server) == [{"fraction": 0.0, "text": ""}]


def test_a_flood_of_progress(tmp_path: Path) -> None:
    """Is told ten times a second at most, and never falls."""
    server = ToolServer()

    def answer(talk: Talk) -> None:
        events = [
            told(talk, progress=(number * 37) % 100, total=100, message=str(number))
            for number in range(2000)
        ]
        talk.stream(b"".join(events), talk.answered(said("done")))

    server.on_call = answer
    seen = [one["fraction"] for one in followed(tmp_path, server)]
    assert seen == sorted(seen)
    assert len(seen) < 100


def test_echoed_credentials_in_progress(tmp_path: Path) -> None:
    """Are masked."""
    server = ToolServer()
    server.on_call = lambda talk: talk.stream(
        told(talk, progress=1, message=f"you are {TOKEN}"), talk.answered(said("done"))
    )
    (seen,) = followed(tmp_path, server, "bearer", token=TOKEN)
    assert seen["text"].startswith("you are ")
    assert TOKEN not in seen["text"]


def test_a_follower_that_fails(tmp_path: Path) -> None:
    """Changes nothing."""
    server = ToolServer()
    server.on_call = lambda talk: talk.stream(told(talk, progress=1), talk.answered(said("done")))
    with serving(server):
        generate(tmp_path, server.url)
        with installed(tmp_path) as jackfield:
            assert call(jackfield, follow=lambda _told: 1 / 0).status == "succeeded"


@pytest.mark.parametrize(
    "words", ["Unrecognized key: _meta", "params.progressToken is not allowed"]
)
def test_a_server_that_refuses_to_be_asked(tmp_path: Path, words: str) -> None:
    """It has done nothing: the call is made without, once."""
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: (
        talk.error(-32602, words)
        if "_meta" in talk.message["params"]
        else talk.result(said("done"))
    )
    assert followed(tmp_path, server) == []
    assert server.count("tools/call") == 2


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [(-32602, "text is too long", "rejected"), (-32603, "no _meta here", "in_doubt")],
)
def test_a_server_that_refuses_something_else(
    tmp_path: Path, code: int, words: str, expected: str
) -> None:
    """The call is made once."""
    server = ToolServer(legacy=True)
    server.on_call = lambda talk: talk.error(code, words)
    with serving(server):
        generate(tmp_path, server.url)
        with installed(tmp_path) as jackfield:
            assert call(jackfield, follow=lambda _told: None).error.code == expected
    assert server.count("tools/call") == 1
