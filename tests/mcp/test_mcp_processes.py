"""``jackfield serve`` as processes of its own, spoken to by the SDK's client."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from http_stand import process, say
from mcp_talk import MODES, called, remote, tool_names


def test_workers_answer_alike(tmp_path: Path) -> None:
    """Any of two processes answers any request; one key is one effect, whichever has it; SIGTERM ends them."""
    with process(tmp_path, "--workers", "2", "--mcp-tools", "all") as running:
        server = remote(running.port, running.token)
        assert "echo.post" in tool_names(server, MODES[0])
        given = {**say("post", text="hello"), "idempotencyKey": "k-1"}

        def talk(number: int) -> str:
            found = called(server, "execute_action", MODES[number % 2], **given).structured_content
            return str(found["meta"]["invocationId"] if found["status"] == "succeeded" else found["error"]["code"])

        with ThreadPoolExecutor(6) as threads:
            ids = set(threads.map(talk, range(6))) - {"idempotency_conflict"}
        assert len(ids) == 1
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
