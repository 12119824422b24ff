"""What a tool call has told of a keyed write is what the journal says, also if its process is
killed right after it answered.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gates import Gatekeeper
from http_stand import clean, process, say
from jackfield.invocation.entry import Entry
from jackfield.kernel.clock import SystemClock
from jackfield_store.journal import Journal
from jackfield_store.resources.storage import Storage
from mcp_talk import Lines, call_of

pytest_plugins = ["postgres", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


def _over_http(folder: Path, url: str, sent: dict[str, Any]) -> Any:
    with process(folder, JACKFIELD_DATABASE_URL=url) as server:
        headers = {
            "Accept": "application/json, text/event-stream",
            "Mcp-Protocol-Version": "2025-06-18",
        }
        for _ in range(3):
            server.client.post("/v1/invocations", say("say", text="Hi"))
        told = server.client.post("/mcp", call_of("execute_action", **sent), **headers)
        server.process.kill()
        server.process.wait(30)
    return told.json["result"]


def _over_stdio(folder: Path, url: str, sent: dict[str, Any]) -> Any:
    with Gatekeeper() as gate, Lines(folder, JACKFIELD_DATABASE_URL=url) as server:
        server.greet()
        server.call("execute_action", **say("say", text="Hi", gate={"port": gate.port}))
        gate.wait()  # a call that runs alone would commit its outcome anyway
        server.call("execute_action", 2, **sent)
        told = server.hear()
        server.process.kill()
        server.process.wait(30)
    return told["result"]


@pytest.mark.parametrize("way", [_over_http, _over_stdio], ids=["http", "stdio"])
def test_killed_after_its_answer(
    tmp_path: Path, database_url: str, way: Callable[..., Any]
) -> None:
    """A keyed write is answered after its outcome is committed, while other calls run, too."""
    told = way(tmp_path, database_url, {**say("post", text="Hi"), "idempotencyKey": "k"})[
        "structuredContent"
    ]
    assert told["status"] == "succeeded"
    entry = _entry(tmp_path / "home", told["meta"]["invocationId"], database_url)
    assert (entry.status, (entry.result or {}).get("output")) == ("succeeded", told["output"])


def _entry(home: Path, identifier: str, url: str) -> Entry:
    with Storage(None, clean(home, JACKFIELD_DATABASE_URL=url), SystemClock()) as storage:
        return Journal(storage.database, storage.vault, "default", SystemClock()).find(identifier)
