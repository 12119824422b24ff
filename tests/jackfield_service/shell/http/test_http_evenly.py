"""Callers who connect together are served evenly."""

from __future__ import annotations

import contextlib
import json
import selectors
import socket

import pytest

from http_stand import Stand, say
from jackfield_service.shell.http import direct

CALLERS, EACH = 64, 6
_LONGEST = 4


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a busy machine takes from one accepted connection to the next, the server
    expects more of them.
    """
    monkeypatch.setattr(direct, "_GENTLY", 60.0)


@pytest.mark.parametrize("path", ["/v1/invocations", "/mcp"])
def test_nobody_waits_for_more_answers_than_four_times_the_mean(stand: Stand, path: str) -> None:
    """64 callers connect at once and send refused inputs, each the next one when it is answered. A
    wait is counted in the answers that others get meanwhile, from the first request on; the longest
    one was 13 times the mean and more.
    """
    invocation = say("say", text=5)
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "execute_action", "arguments": invocation},
    }
    body = json.dumps(call if path == "/mcp" else invocation).encode()
    lines = (
        "Host: x",
        f"Authorization: Bearer {stand.client().token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    request = "\r\n".join((f"POST {path} HTTP/1.1", *lines, "", "")).encode() + body
    waits, served = [], 0
    with contextlib.ExitStack() as stack:
        ready = stack.enter_context(selectors.DefaultSelector())
        since, read = {}, {}
        for _ in range(CALLERS):
            caller = stack.enter_context(
                socket.create_connection(("127.0.0.1", stand.port), timeout=60)
            )
            ready.register(caller, selectors.EVENT_READ, caller)
            caller.sendall(request)
            since[caller], read[caller] = 0, b""
        while served < CALLERS * EACH:
            for key, _ in ready.select(60):
                caller = key.data
                read[caller] += caller.recv(65536)
                if not _is_whole(read[caller]):
                    continue
                served += 1
                waits.append(served - since[caller])
                since[caller], read[caller] = served, b""
                caller.sendall(request)
    waits += [served - sent for sent in since.values()]
    assert max(waits) <= _LONGEST * sum(waits) / len(waits), sorted(waits)[-5:]


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = next(
        (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0"
    )
    return bool(end) and len(body) >= int(length.partition(b":")[2])
