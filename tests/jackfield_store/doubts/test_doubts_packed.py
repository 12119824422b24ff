"""A connector that an earlier jackfield has packed runs as it did: what its manifest does not say
is asked of its code, and is no "no".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.doubts.doubt_stage import DoubtStage, doubt_stage

from jackfield.callers import Caller
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_store.access import Workspaces
from jackfield_store.journal import Queue

SOURCE = '''
import json, os
from pathlib import Path
from jackfield.connector import MARKER, SENT_FROM, ConnectionType, Connector, Field, Inputs, Look, Marker, Output, Pagination, current_call

FOLDER = Path(os.environ["BUREAU"])

class Desk(ConnectionType):
    """A desk of the bureau."""
    key = "desk"
    title = "Desk"
    auth = "apiKey"
    reports_begin = True
    token: str = Field(title="Token", secret=True)
    def open(self, context):
        return self

class Ticket(Inputs):
    """What is wrong."""
    subject: str = Field("broken", title="Subject")
    external_id: str | None = Field(None, title="External ID")

class Filed(Output):
    """The ticket."""
    id: str
    external_id: str | None = Field(None, alias="external_id")

class Query(Inputs):
    """Which tickets."""
    since: str | None = Field(None, title="Since")
    page: str | None = Field(None, title="Page")

class Tickets(Output):
    """Tickets."""
    tickets: tuple[dict, ...] = Field(schema={"type": "array", "items": {"type": "object"}})
    next: str | None = None

connector = Connector("bureau", title="Bureau", version="1.0.0", connections=[Desk])
LIST = Look("listTickets", inputs={"since": SENT_FROM}, each="/tickets", match={"/external_id": MARKER}, output="")

def stored():
    file = FOLDER / "tickets"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

@connector.action("createTicket", effect="write", marker=Marker(at="/externalId"), evidence=[LIST])
def create(ticket: Ticket, desk: Desk) -> Filed:
    """File a ticket."""
    current_call().begin("file")
    filed = {"id": f"t-{len(stored()) + 1}", "external_id": ticket.external_id}
    with open(FOLDER / "tickets", "a") as log:
        log.write(json.dumps(filed) + "\\n")
    if ticket.subject == "cut":
        raise ConnectionResetError("the other side hung up")
    return Filed(**filed)

@connector.action("listTickets", effect="read", pagination=Pagination("page", "next", "tickets"))
def tickets(query: Query, desk: Desk) -> Tickets:
    """List tickets."""
    current_call().begin("list", safe=True)
    return Tickets(tickets=tuple(stored()))
'''
"""The package's module. Its ``connector.json`` is what commit d8093255 made of it."""
PACKED = Path(__file__).parent / "samples" / "packed-by-d8093255.json"


@pytest.fixture(name="packed")
def _packed(tmp_path: Path) -> Iterator[DoubtStage]:
    manifest = json.loads(PACKED.read_text(encoding="utf-8"))
    with doubt_stage(
        tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", packed=(SOURCE, manifest)
    ) as stage:
        yield stage


def setting(stage: DoubtStage, **settings: Any) -> None:
    """Give its workspace settings."""
    Workspaces(stage.database, stage.pool.storage.vault, SystemClock()).set("default", settings)


def test_its_doubts_are_settled(packed: DoubtStage) -> None:
    """The first call of a process, whose code is not loaded when its plan is found, keeps what
    looks need, and so do later ones.
    """
    for number in (1, 2):
        lost = packed.invoke(inputs={"subject": "cut"})
        assert lost.status == "in_doubt"
        packed.look(7.0)
        entry = packed.entry(lost.meta.invocation_id).to_json()
        assert (entry["status"], entry["resolvedBy"], entry["output"]["id"]) == (
            "succeeded",
            "evidence",
            f"t-{number}",
        )


def test_its_calls_wait_for_a_person(packed: DoubtStage) -> None:
    """One that is approved is made, and its doubt is settled, too."""
    setting(packed, rules={"approve": ["bureau/createTicket"]})
    waits = packed.invoke(inputs={"subject": "cut"})
    assert (waits.status, packed.noted("tickets")) == ("waiting", [])
    packed.runtime.approvals_of(
        Caller("cli:bob", audience="operator"), Actor("cli", "bob")
    ).approve(waits.meta.invocation_id)
    (claimed,) = Queue(packed.database).claim(10)
    assert packed.runtime.run(claimed).status == "in_doubt"
    packed.look(7.0)
    assert packed.entry(waits.meta.invocation_id).to_json()["output"]["id"] == "t-1"


def test_its_calls_count_against_limits(packed: DoubtStage) -> None:
    """A workspace without room for one more makes none."""
    setting(packed, limits={"concurrent": 0})
    refused = packed.invoke()
    assert refused.error is not None
    assert (refused.error.code, packed.noted("tickets")) == ("rate_limited", [])
    setting(packed, limits={"concurrent": 1})
    assert packed.invoke().output == {
        "id": "t-1",
        "external_id": packed.noted("tickets")[0]["external_id"],
    }
