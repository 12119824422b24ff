"""IDs of requests: small numbers that nobody can guess, recognised in each form in which servers
write a number back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_rig import Talk, ToolServer, call, said, stage

SPELLINGS: dict[str, Callable[[int], bytes]] = {
    "as it was": lambda number: b"%d" % number,
    "as text": lambda number: b'"%d"' % number,
    "with a fraction of zero": lambda number: b"%d.0" % number,
    "with an exponent": lambda number: f"{number:.13E}".encode(),
    "as text with a fraction": lambda number: b'"%d.0"' % number,
    "as text in quotes": lambda number: json.dumps(json.dumps(str(number))).encode(),
    "as text with blanks": lambda number: b'" %d\\n"' % number,
}
OTHERS: dict[str, Callable[[int], bytes]] = {
    "the next one": lambda number: b"%d" % (number + 1),
    "the next one as text": lambda number: b'"%d"' % (number + 1),
    "half more": lambda number: b"%d.5" % number,
    "more digits": lambda number: b'"%d1"' % number,
    "in digits of other scripts": lambda number: json.dumps(
        str(number).translate({48 + n: 0x660 + n for n in range(10)})
    ).encode(),
    "the first": lambda _: b"1",
    "true": lambda _: b"true",
    "in a list": lambda number: b"[%d]" % number,
}


def _answering(spelled: Callable[[int], bytes], *, streams: bool) -> ToolServer:
    server = ToolServer(legacy=True)

    def answer(talk: Talk) -> None:
        body = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (
            spelled(talk.message["id"]),
            json.dumps(said("done")).encode(),
        )
        talk.stream(b"data: " + body + b"\n\n") if streams else talk.json(body)

    server.on_call = answer
    return server


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("name", SPELLINGS)
def test_an_id_in_other_words(tmp_path: Path, name: str, streams: bool) -> None:
    """It is the same number, and the answer that of the call."""
    server = _answering(SPELLINGS[name], streams=streams)
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("succeeded", 1)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("name", OTHERS)
def test_the_id_of_another(tmp_path: Path, name: str, streams: bool) -> None:
    """An answer with it is that of another request: the write is in doubt."""
    server = _answering(OTHERS[name], streams=streams)
    with stage(tmp_path, server) as jackfield:
        assert (call(jackfield).status, server.count("tools/call")) == ("in_doubt", 1)


@pytest.mark.parametrize(
    "refuses",
    [
        lambda talk: talk.error(-32600, "id must be an integer", 400),
        lambda talk: talk.json(b"", 202),
        lambda talk: talk.json(b"", 500),
        lambda talk: talk.json({"jsonrpc": "2.0", "id": 2**31 - 1, "result": said("done")}),
    ],
)
def test_a_server_of_numbers(tmp_path: Path, refuses: Callable[[Talk], object]) -> None:
    """A server that knows no IDs but numbers of 32 bits with a sign is called as any other."""
    server = ToolServer(legacy=True)

    def before(talk: Talk) -> bool:
        number: Any = talk.message.get("id", 1)
        is_known = type(number) is int and 0 <= number < 2**31
        if not is_known:
            refuses(talk)
        return not is_known

    server.before = before
    with stage(tmp_path, server) as jackfield:
        results = [call(jackfield, inputs={"text": str(number)}) for number in range(9)]
    assert [one.status for one in results] == ["succeeded"] * 9
    numbers = [message["id"] for message, _ in server.requests if "id" in message]
    assert len({*numbers}) == len(numbers)
    assert all(len(str(one)) == 10 for one in numbers)


def test_progress_under_a_token_as_text(tmp_path: Path) -> None:
    """A token that comes back as text is still that of the call."""
    server, heard = ToolServer(legacy=True), list[Any]()

    def answer(talk: Talk) -> None:
        about = {
            "progressToken": str(talk.message["params"]["_meta"]["progressToken"]),
            "progress": 1,
            "message": "half",
        }
        told = {"jsonrpc": "2.0", "method": "notifications/progress", "params": about}
        talk.stream(b"data: " + json.dumps(told).encode() + b"\n\n", talk.answered(said("done")))

    server.on_call = answer
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield, follow=heard.append).status == "succeeded"
    assert [one["text"] for one in heard] == ["half"]
