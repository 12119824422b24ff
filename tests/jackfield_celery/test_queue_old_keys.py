"""A queued call that an older version has taken, and that is no valid one by now, ends with its
reason: no engine takes it for ever.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.jackfield_celery.engine_stand import engine_stand

from jackfield.invocation import request
from rabbitmq import Node


@pytest.mark.parametrize("engine", ["this process", "Celery"])
def test_a_blank_key_stops_nothing(
    tmp_path: Path, database_url: str, rabbitmq: Node, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails at its key and is sent nowhere, the call behind it runs, and the list says what is
    wrong with it.
    """
    with engine_stand(tmp_path, database_url, rabbitmq.url if engine == "Celery" else "") as stand:
        with monkeypatch.context() as older:
            older.setattr(request, "_option_faults", lambda _given: iter(()))
            old = stand.queue("old", idempotencyKey="   ")
        good = stand.queue("good", idempotencyKey="a key")
        entries = stand.work(lambda _engine: stand.ended(old, good))
        assert [entry.status for entry in entries] == ["failed", "succeeded"]
        error = (entries[0].result or {})["error"]
        assert (error["code"], [item["path"] for item in error["details"]]) == (
            "invalid_invocation",
            ["/idempotencyKey"],
        )
        assert (dict(stand.calls), entries[0].delivery) == ({"good": 1}, 1)
        problems = {
            entry.id: entry.to_json().get("problem", "") for entry in stand.journal.entries()[0]
        }
        assert ("consists of blanks" in problems[old], problems[good]) == (True, "")
