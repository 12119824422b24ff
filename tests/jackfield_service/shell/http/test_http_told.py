"""What a server has told of a keyed write is what the journal says, also if its process is killed
right after it answered.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from http_stand import clean, process, say
from jackfield.invocation.entry import Entry
from jackfield.kernel.clock import SystemClock
from jackfield_store.journal import Journal
from jackfield_store.resources.storage import Storage

pytest_plugins = ["postgres"]


def _entry(home: Path, identifier: str, url: str) -> Entry:
    with Storage(None, clean(home, JACKFIELD_DATABASE_URL=url), SystemClock()) as storage:
        return Journal(storage.database, storage.vault, "default", SystemClock()).find(identifier)


@pytest.mark.parametrize("prefer", [{}, {"Prefer": "wait=30"}], ids=["plain", "waiting"])
def test_killed_after_its_answer(tmp_path: Path, database_url: str, prefer: dict[str, str]) -> None:
    """A keyed write is answered after its outcome is committed, while other calls run, too."""
    with process(tmp_path, JACKFIELD_DATABASE_URL=database_url) as server:
        sent = {**say("post", text="Hi"), "idempotencyKey": "k"}
        for _ in range(3):
            server.client.post("/v1/invocations", say("say", text="Hi"))
        told = server.client.post("/v1/invocations", sent, **prefer).json
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(30)
    assert told["status"] == "succeeded"
    entry = _entry(tmp_path / "home", told["meta"]["invocationId"], database_url)
    assert (entry.status, (entry.result or {}).get("output")) == ("succeeded", told["output"])
