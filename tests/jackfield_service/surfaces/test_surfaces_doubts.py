"""A repeated call whose doubt evidence may still settle: each surface says so, and waits for that
where its caller wants.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_store.doubts.doubt_stage import Bureau, bureau

from clocks import FakeClock
from http_stand import Client, Stand, clean, standing
from jackfield.cli.main import main
from mcp_talk import called, remote
from waiting import until

Reply = dict[str, Any]


@dataclass
class Office:
    """A server over the connector with evidence, and the command line over its database. Their time
    passes as they wait.
    """

    stand: Stand
    provider: Bureau
    client: Client
    clock: FakeClock

    def call(self, key: str) -> Reply:
        """A call whose answer is lost the first time."""
        return {
            "connector": "bureau",
            "action": "createTicket",
            "connection": "desk",
            "inputs": {},
            "idempotencyKey": key,
        }

    def http(self, key: str, seconds: int | None) -> Reply:
        """Over HTTP."""
        wait = {} if seconds is None else {"Prefer": f"wait={seconds}"}
        reply = self.client.post("/v1/invocations", self.call(key), **wait)
        assert reply.headers.get("idempotency-replayed") == "true"
        return self._read(reply.status, reply.json)

    def queue(self, key: str, seconds: int | None) -> Reply:
        """Over HTTP, to be queued."""
        wait = "respond-async" if seconds is None else f"respond-async, wait={seconds}"
        reply = self.client.post("/v1/invocations", self.call(key), Prefer=wait)
        return self._read(reply.status, reply.json)

    @staticmethod
    def _read(status: int, body: Reply) -> Reply:
        assert status == {"in_doubt": 504, "succeeded": 200}[body["status"]]
        return body

    def cli(self, key: str, seconds: int | None) -> Reply:
        """On the command line."""
        return self._run(key, seconds)

    def cli_queue(self, key: str, seconds: int | None) -> Reply:
        """On the command line, to be queued."""
        return self._run(key, seconds, "--queue")

    def _run(self, key: str, seconds: int | None, *more: str) -> Reply:
        out = io.StringIO()
        file = self.stand.folder / "call.json"
        file.write_text(json.dumps(self.call(key)))
        wait = [] if seconds is None else ["--wait", "--timeout", f"{seconds}s"]
        environment = clean(
            self.stand.folder / "home", JACKFIELD_SETTLE="on", BUREAU=os.environ["BUREAU"]
        )
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            mock.patch("jackfield.runtime.SystemClock", return_value=self.clock),
            contextlib.redirect_stdout(out),
        ):
            code = main(["invoke", "--file", str(file), *wait, *more, "--json"])
        body: Reply = json.loads(out.getvalue())
        assert code == {"in_doubt": 3, "succeeded": 0}[body["status"]]
        return body

    def mcp(self, key: str, seconds: int | None) -> Reply:
        """Over MCP, where an agent calls again later: nobody waits."""
        if seconds is not None:
            self.http(key, seconds)
        found = called(
            remote(self.stand.port, self.client.token), "execute_action", **self.call(key)
        )
        assert found.structured_content is not None
        body: Reply = found.structured_content
        if body["status"] == "in_doubt":
            assert "the provider is being asked" in found.content[0].text  # type: ignore[union-attr]
        return body


SURFACES: dict[str, Callable[[Office, str, int | None], Reply]] = {
    "http": Office.http,
    "http queue": Office.queue,
    "cli": Office.cli,
    "cli queue": Office.cli_queue,
    "mcp": Office.mcp,
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The server, with evidence that settles."""
    folder, clock = tmp_path_factory.mktemp("doubts"), FakeClock()
    with (
        bureau(folder) as provider,
        standing(folder, clock=clock, JACKFIELD_SETTLE="on", BUREAU=str(provider.folder)) as stand,
    ):
        client = stand.client()
        assert (
            client.post(
                "/v1/connections",
                {"name": "desk", "type": "bureau/desk", "values": {"token": "a-secret-4711"}},
            ).status
            == 201
        )
        yield Office(stand, provider, client, clock)


@pytest.mark.parametrize("surface", SURFACES)
def test_a_held_doubt_is_replayed_or_waited_for(office: Office, surface: str) -> None:
    """The first call loses its answer. Repeated, it is replayed with ``meta.settling``; with a wait
    it comes back as the success that the provider's list proves. One request was sent.
    """
    key, ask, before = f"of-{surface}", SURFACES[surface], len(office.provider.noted("requests"))
    office.provider.script("cut")
    office.provider.hidden(hidden=True)
    first = office.client.post("/v1/invocations", office.call(key)).json
    assert first["status"] == "in_doubt"
    held = ask(office, key, None)
    assert (held["status"], held["meta"]["replayed"], held["meta"]["invocationId"]) == (
        "in_doubt",
        True,
        first["meta"]["invocationId"],
    )
    assert {*held["meta"]["settling"]} == {"next", "looks"}
    office.provider.hidden(hidden=False)

    def waited() -> Reply | None:
        """What a wait comes to: its time passes at once, also while the server's own loop is at a
        look.
        """
        reply = ask(office, key, 600)
        return reply if reply["status"] == "succeeded" else None

    found = until(waited) or {}
    assert (found["status"], found["meta"]["replayed"], found["meta"]["resolution"]["by"]) == (
        "succeeded",
        True,
        "evidence",
    )
    assert "settling" not in found["meta"]
    assert len(office.provider.noted("requests")) == before + 1
    assert ask(office, key, None) == found
