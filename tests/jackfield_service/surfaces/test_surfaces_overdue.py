"""N11: an action that blocks does not keep its caller: every surface answers at the deadline, and
the action is counted until it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from gates import Gatekeeper
from http_stand import Client, Stand, clean, say, standing
from jackfield import Jackfield
from jackfield.call import on_time
from jackfield.cli.main import main
from jackfield.connector.conversion import MAX_OUTPUT
from mcp_talk import called, remote
from waiting import until

LARGE = "x" * 300_000
DEADLINE = 12
"""Seconds of calls that block: beside a load of 80, four had passed before the action began."""


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a queue."""
    with standing(tmp_path_factory.mktemp("overdue")) as found:
        assert (
            found.client()
            .post(
                "/v1/connections",
                {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}},
            )
            .status
            == 201
        )
        yield found


@pytest.fixture
def gate() -> Iterator[Gatekeeper]:
    """Where actions block until the end of the test."""
    with Gatekeeper() as found:
        yield found


def blocking(gate: Gatekeeper, action: str = "post", *, text: str = "x") -> dict[str, Any]:
    """An invocation whose action blocks."""
    return {**say(action, "hall", text=text, gate={"port": gate.port}), "timeoutSeconds": DEADLINE}


def _posted(client: Client, given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = client.post("/v1/invocations", given).json
    return found


def _queued(client: Client, given: dict[str, Any]) -> dict[str, Any]:
    identifier = client.post("/v1/invocations", given, Prefer="respond-async").json["invocationId"]

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(f"/v1/invocations/{identifier}").json
        return None if found["status"] in {"queued", "running"} else found

    return until(ended) or {}


def _over_mcp(client: Client, given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] | None = called(
        remote(client.port, client.token), "execute_action", **given
    ).structured_content
    assert found is not None
    return found


SURFACES: dict[str, tuple[str, Callable[[Client, dict[str, Any]], dict[str, Any]]]] = {
    "http": ("x", _posted),
    "http-large": (LARGE, _posted),
    "queue": ("x", _queued),
    "mcp": ("x", _over_mcp),
    "mcp-large": (LARGE, _over_mcp),
}


@pytest.mark.parametrize("surface", SURFACES)
def test_n11_a_server_answers_at_the_deadline(stand: Stand, gate: Gatekeeper, surface: str) -> None:
    """Over HTTP and MCP, and from the queue, a write that blocks is in doubt while it still
    blocks.
    """
    text, call = SURFACES[surface]
    result = call(stand.client(), blocking(gate, text=text))
    assert (result["status"], result["error"]["code"]) == ("in_doubt", "in_doubt")
    assert f"the deadline of {DEADLINE} s passed" in result["error"]["message"]
    gate.wait()  # it is still there


def test_n11_overdue_actions_are_counted_logged_and_limited(
    stand: Stand, gate: Gatekeeper, caplog: pytest.LogCaptureFixture
) -> None:
    """What blocks is named in the log and counted in the metrics until it ends; beyond the limit
    nothing more is begun.
    """

    def overdue() -> float:
        lines = stand.client().get("/metrics").body.decode().splitlines()
        return float(
            next(line.split()[1] for line in lines if line.startswith("jackfield_actions_overdue "))
        )

    client = stand.client()
    until(lambda: not overdue())  # of other tests, whose gates are open now
    with mock.patch.object(on_time, "MOST", 2):
        for _ in range(2):
            assert _posted(client, blocking(gate, "say"))["error"]["code"] == "timeout"
        refused = _posted(client, blocking(gate))
    assert overdue() == 2.0
    assert (refused["status"], refused["error"]["code"], refused["error"]["retryable"]) == (
        "failed",
        "unavailable",
        True,
    )
    assert "2 calls of connectors still run after their deadlines" in refused["error"]["message"]
    assert (
        f"'say' of the connector 'echo' still runs after its deadline of {DEADLINE} s"
        in caplog.text
    )
    gate.wait()
    gate.wait()
    gate.open()
    until(lambda: not overdue())
    assert _posted(client, say("post", "hall", text="x"))["status"] == "succeeded"


@pytest.mark.parametrize("form", ["one", "lines"])
def test_n11_a_command_answers_at_the_deadline(
    stand: Stand, gate: Gatekeeper, form: str, tmp_path: Path
) -> None:
    """``jackfield invoke`` prints its Result at the deadline, of one invocation and of each
    line.
    """
    path = tmp_path / "given.json"
    path.write_text(json.dumps(blocking(gate)) + "\n", encoding="utf-8")
    said = io.StringIO()
    with (
        contextlib.redirect_stdout(said),
        mock.patch.dict(os.environ, clean(stand.folder / "home"), clear=True),
    ):
        code = main(["invoke", "--file", str(path), *(["--lines"] if form == "lines" else [])])
    result = json.loads(said.getvalue())
    assert (code, result["status"], result["error"]["code"]) == (3, "in_doubt", "in_doubt"), result
    gate.wait()


def test_n11_the_library_answers_when_the_action_returns(stand: Stand, gate: Gatekeeper) -> None:
    """``invoke`` runs in its caller's thread, so it returns as the action does, with the Result of
    a deadline; ``ainvoke`` in time.
    """
    with (
        mock.patch.dict(os.environ, clean(stand.folder / "home"), clear=True),
        Jackfield() as jackfield,
    ):
        result = asyncio.run(jackfield.ainvoke(blocking(gate)))
        assert (result.status, jackfield.overdue) == ("in_doubt", 1)
        gate.wait()
        given, answered = blocking(gate), threading.Event()

        def opens() -> None:
            gate.wait()
            answered.wait(DEADLINE + 1.5)
            gate.open()

        opening = threading.Thread(target=opens)
        opening.start()
        result = jackfield.invoke(given)
        opening.join()
        assert result.status == "in_doubt"
        while jackfield.overdue:  # the one of ``ainvoke``, whose gate is open now
            pass


def test_n11_an_output_has_a_limit(stand: Stand) -> None:
    """An action that returns more than 32 MiB outside of files has no output; a write is in
    doubt.
    """
    with mock.patch("jackfield.connector.conversion.MAX_OUTPUT", 50_000):
        read, write = (
            _posted(stand.client(), say(action, "hall", text="é" * 60_000))
            for action in ("say", "post")
        )
    assert (read["status"], read["error"]["code"], write["status"]) == (
        "failed",
        "invalid_output",
        "in_doubt",
    )
    assert "more than" in read["error"]["message"]
    assert MAX_OUTPUT == 32 << 20
