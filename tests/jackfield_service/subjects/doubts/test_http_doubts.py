"""What a server counts and tells of doubts: the metrics page, which the alerts read, usage,
statistics, events, callbacks and the log.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.doubts.doubt_stage import Bureau, bureau

from clocks import FakeClock
from http_stand import SETTINGS, Client, Stand, standing
from receiver import receiving
from waiting import until


@dataclass
class Office:
    """A server over the connector that declares evidence, where evidence settles."""

    stand: Stand
    provider: Bureau
    client: Client
    clock: FakeClock

    def lost(self, key: str, step: str = "cut") -> str:
        """The ID of a call whose answer is lost."""
        self.provider.script(step)
        call = {
            "connector": "bureau",
            "action": "createTicket",
            "connection": "desk",
            "inputs": {},
            "idempotencyKey": key,
        }
        found = self.client.post("/v1/invocations", call).json
        assert found["status"] == "in_doubt"
        return str(found["meta"]["invocationId"])

    def entry(self, identifier: str) -> dict[str, Any]:
        """The entry."""
        found: dict[str, Any] = self.client.get(f"/v1/invocations/{identifier}").json
        return found

    def metric(self, line: str) -> float:
        """A value of the metrics page; 0 if it is not there."""
        text = self.client.get("/metrics").body.decode()
        found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
        return 0.0 if found is None else float(found[1])

    def settled(self, identifier: str) -> dict[str, Any]:
        """The entry, once the server's own loop has settled it."""
        self.clock.advance(7.0)
        until(lambda: self.entry(identifier)["status"] == "succeeded")
        return self.entry(identifier)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """The server."""
    clock, settings = FakeClock(), replace(SETTINGS, allowed_hosts=("127.0.0.1",))
    with (
        bureau(tmp_path) as provider,
        standing(
            tmp_path, settings, clock=clock, JACKFIELD_SETTLE="on", BUREAU=str(provider.folder)
        ) as stand,
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


def test_the_metrics_page_says_what_the_alerts_read(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """Open doubts and the age of the oldest; who settled them, as what and after how long; looks by
    source and result; contradictions, which the log and an event tell, too.
    """
    open_, oldest = "jackfield_doubts_open", "jackfield_doubts_oldest_seconds"
    assert (
        office.metric(open_),
        office.metric(oldest),
        office.metric("jackfield_doubts_contradicted_total"),
    ) == (0.0, 0.0, 0.0)
    first, second = office.lost("a"), office.lost("b", "lost")
    assert office.metric(open_) == 2.0
    office.settled(first)
    until(
        lambda: (
            office.metric('jackfield_doubt_looks_total{result="matched",source="listTickets"}')
            == 1.0
        )
    )
    assert office.metric('jackfield_doubts_settled_total{by="evidence",verdict="took"}') == 1.0
    assert office.metric('jackfield_doubt_settle_seconds_count{by="evidence"}') == 1.0
    assert 4.0 <= office.metric('jackfield_doubt_settle_seconds_sum{by="evidence"}') < 60.0
    office.clock.advance(4_000.0)
    assert office.metric(open_) == 1.0
    assert office.metric(oldest) > 3_600.0  # so the alert fires
    assert office.client.post(f"/v1/invocations/{second}/resolve", {"as": "failed"}).status == 200
    assert (office.metric(open_), office.metric(oldest)) == (0.0, 0.0)
    assert office.metric('jackfield_doubts_settled_total{by="person",verdict="absent"}') == 1.0
    third = office.lost("c")
    assert office.client.post(f"/v1/invocations/{third}/resolve", {"as": "failed"}).status == 200
    with caplog.at_level(logging.ERROR, "jackfield.doubts"):
        assert office.client.post(f"/v1/invocations/{third}/look").status == 200
    assert office.metric("jackfield_doubts_contradicted_total") == 1.0
    assert [
        record.getMessage() for record in caplog.records if record.name == "jackfield.doubts"
    ] == [
        f"evidence contradicts how the invocation {third} of the workspace 'default' was resolved"
    ]
    assert office.entry(third)["meta"]["resolution"]["contradictedBy"]["verdict"] == "took"
    (told,) = office.client.get("/v1/events?types=invocation.contradicted").json["items"]
    assert (told["subject"], told["data"]["verdict"], told["data"]["status"]) == (
        third,
        "took",
        "failed",
    )
    assert office.client.post(f"/v1/invocations/{third}/look").status == 200
    assert office.metric("jackfield_doubts_contradicted_total") == 1.0  # once


def test_looks_are_counted_apart_from_calls(office: Office) -> None:
    """A workspace's usage counts a call in doubt once and its looks beside it. Its statistics move
    from the doubt to the outcome.
    """
    platform = office.stand.platform()
    tenant = Office(
        office.stand, office.provider, office.stand.client(workspace="acme-1"), office.clock
    )
    values = {"name": "desk", "type": "bureau/desk", "values": {"token": "a-secret-4711"}}
    assert tenant.client.post("/v1/connections", values).status == 201
    identifier = tenant.lost("a")
    runtime = office.stand.host.runtime("acme-1")
    assert runtime.journal is not None
    known = [(row["status"], row["invocations"]) for row in runtime.journal.stats()]
    assert known == [("in_doubt", 1)]
    tenant.settled(identifier)
    assert [(row["status"], row["invocations"]) for row in runtime.journal.stats()] == [
        ("succeeded", 1)
    ]
    assert tenant.client.post(f"/v1/invocations/{identifier}/look").status == 200
    total = platform.get("/v1/workspaces/acme-1/usage").json["total"]
    assert (total["calls"], total["attempts"], total["looks"], total["failures"]) == (1, 1, 2, 0)
    (day,) = platform.get("/v1/workspaces/acme-1/usage?by=day").json["items"]
    assert (day["calls"], day["looks"]) == (1, 2)


def test_callbacks_are_told_by_whom_and_as_what(office: Office) -> None:
    """The callback for ``invocation.resolved`` gets it once, with ``evidence`` and the verdict, and
    with the output if it wants that.
    """
    with receiving() as receiver:
        wanted = {"url": receiver.url, "types": ["invocation.resolved"], "include": ["output"]}
        assert office.client.post("/v1/callbacks", wanted).status == 201
        identifier = office.lost("a")
        office.settled(identifier)
        (got,) = receiver.wait(1)
        payload = got.json["data"]["payload"]
    about = (
        payload["invocationId"],
        payload["status"],
        payload["previousStatus"],
        payload["resolvedBy"],
        payload["verdict"],
    )
    assert about == (identifier, "succeeded", "in_doubt", "evidence", "took")
    assert payload["output"]["id"] == "t-1"


def test_a_settled_one_is_not_asked_again(office: Office) -> None:
    """The refusal names the member; one without a key is refused, too, and nothing is sent."""
    identifier = office.lost("cut")
    sent = len(office.provider.noted("tickets"))
    answer = office.client.post(f"/v1/invocations/{identifier}/ask")
    assert (answer.status, answer.json["details"][0]["path"]) == (409, "/error/retryUntil")
    assert (
        office.client.post(f"/v1/invocations/{identifier}/resolve", {"as": "failed"}).status == 200
    )
    answer = office.client.post(f"/v1/invocations/{identifier}/ask")
    assert (answer.status, answer.json["details"][0]["path"]) == (409, "/status")
    assert len(office.provider.noted("tickets")) == sent
