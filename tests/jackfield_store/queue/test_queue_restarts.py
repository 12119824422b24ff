"""Submissions while the database restarts: a caller that queues gets 202, and each invocation is
queued once.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from http_stand import SETTINGS, say, standing
from jackfield_store.database import open_database
from postgres import running_server

_THREADS = 4
_EACH = 20


def test_submissions_outlast_a_restart_of_the_database(tmp_path: Path) -> None:
    """PostgreSQL restarts, once in order and once after a crash, while four callers queue: each
    gets 202 and an id of its own.
    """
    with running_server() as server:
        url = server.create()
        open_database(url, migrate=True).close()
        with standing(
            tmp_path, replace(SETTINGS, queue_workers=0), JACKFIELD_DATABASE_URL=url
        ) as stand:
            client, found, other = stand.client(), list[str](), list[str]()
            client.post(
                "/v1/connections",
                {"name": "hall", "type": "echo/token", "values": {"token": "a-secret"}},
            )
            over = threading.Event()

            def submit() -> None:
                for number in range(_EACH):
                    reply = client.post(
                        "/v1/invocations",
                        say("say", "hall", text=str(number)),
                        Prefer="respond-async",
                    )
                    if reply.status == 202:
                        found.append(reply.json["invocationId"])
                    else:
                        other.append(f"{reply.status} {reply.json}")
                    over.wait(0.06)

            threads = [threading.Thread(target=submit) for _ in range(_THREADS)]
            for thread in threads:
                thread.start()
            for how in ("fast", "immediate"):
                server.stop(how)
                server.start()
                over.wait(0.3)
            for thread in threads:
                thread.join()
            queue = client.get("/v1/queue").json
    assert other == []
    assert len(set(found)) == _THREADS * _EACH
    assert queue["queued"] == _THREADS * _EACH
