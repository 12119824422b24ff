"""Processes over one database with a connector that declares evidence, whose provider is a folder:
it counts what took effect.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from clocks import look_while_due
from jackfield import Result
from jackfield.catalog import Catalog
from jackfield.invocation.provider_ids import reference_of
from jackfield_service.shell.process.metrics import Metrics
from jackfield_store.journal.doubts import Doubts
from jackfield_store.journal.marks import connection_facts, digest_of, keep, sealed_mark
from jackfield_store.runtime.evidence_loop import EvidenceLoop, look_once
from plugboard import make_connector, plugged
from processes import Processes, variables

_BUREAU = '''
"""Files tickets at a provider that is a folder."""
import json, os, time
from pathlib import Path
from typing import Any
from jackfield.connector import (
    FRESH, KEY, MARKER, SENT_FROM, Canary,
    ConnectionType, EventEvidence, Connector, Detail, Field, Inputs, Look, Marker, NotFound, OpenContext,
    Output, Pagination, Provider, RateLimited, Rejected, When, current_call,
)
from jackfield.connector.given_evidence import GivenEvidence, GivenMarker

class Desk(ConnectionType):
    """A desk of the bureau."""
    key = "desk"
    title = "Desk"
    auth = "apiKey"
    reports_begin = True
    token: str = Field(title="Token", secret=True)
    def open(self, context: OpenContext) -> "Desk":
        return self

class Ticket(Inputs):
    """What is wrong."""
    subject: str = Field("broken", title="Subject")
    external_id: str | None = Field(None, title="External ID")

class Filed(Output):
    """The ticket."""
    id: str
    subject: str = ""
    external_id: str | None = Field(None, alias="external_id")

class Mailed(Output):
    """ID of the ticket."""
    id: str = Field(reference=True)

class Query(Inputs):
    """Which tickets."""
    since: str | None = Field(None, title="Since")
    external_id: str | None = Field(None, title="External ID")
    page: str | None = Field(None, title="Page")
    nonce: str | None = Field(None, title="Nonce")

class Tickets(Output):
    """Tickets."""
    tickets: tuple[dict, ...] = Field(schema={"type": "array", "items": {"type": "object"}})
    next: str | None = None
    desk: str = "open"

connector = Connector("bureau", title="Bureau", version="1.0.0", connections=[Desk])
FOLDER = Path(os.environ["BUREAU"])

MEANWHILE = []

def script():
    file = FOLDER / "script"
    steps = json.loads(file.read_text()) if file.exists() else []
    if steps:
        file.write_text(json.dumps(steps[1:]))
    return steps[0] if steps else "done"

def stored():
    file = FOLDER / "tickets"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

def note(what, value):
    with open(FOLDER / what, "a") as log:
        log.write(json.dumps(value) + "\\n")
        log.flush()

LIST = Look("listTickets", inputs={"since": SENT_FROM}, each="/tickets", match={"/external_id": MARKER}, output="", key="list",
            similar={"/subject": {"$input": "/subject"}}, link="https://bureau.example/tickets/{/id}")
OWN = Look("getTicket", inputs={"externalId": MARKER, "nonce": FRESH}, match={"/external_id": MARKER}, output="", absent_after=600.0,
           page="https://bureau.example/reads, 2026-11-26", key="own",
           canary=Canary("listTickets", {"since": {"$sent": "from"}}, {"/desk": "open"}))

def file_ticket(ticket, _desk):
    call = current_call()
    step = script()
    if step == "throttled":
        call.begin("file")
        raise RateLimited("slow down", retry_after=0.0)
    if step == "rejected":
        call.begin("file")
        raise Rejected("no")
    call.begin("file")
    note("requests", ticket.subject)
    if step != "lost":
        note("tickets", {"id": f"t-{len(stored()) + 1}", "subject": ticket.subject, "external_id": ticket.external_id})
    if step == "twice":
        note("tickets", {"id": f"t-{len(stored()) + 1}", "subject": ticket.subject, "external_id": ticket.external_id})
    if step == "dies":
        os._exit(9)
    for takes_time in MEANWHILE if step.startswith("late") else ():
        takes_time()
    if step == "late-rejected":
        raise Rejected("no")
    while step == "waits" and not (FOLDER / "go").exists():
        time.sleep(0.01)
    if step in ("cut", "lost", "twice"):
        raise ConnectionResetError("the other side hung up")
    return Filed(id=stored()[-1]["id"], subject=ticket.subject, external_id=ticket.external_id)

@connector.action("createTicket", effect="write", marker=Marker(at="/externalId"), evidence=[LIST])
def create(ticket: Ticket, desk: Desk) -> Filed:
    """File a ticket."""
    return file_ticket(ticket, desk)

@connector.action("pairTicket", effect="write", marker=Marker(at="/externalId"), evidence=[LIST])
def pair(ticket: Ticket, desk: Desk) -> Filed:
    """File a ticket, and another one."""
    file_ticket(ticket, desk)
    return file_ticket(ticket, desk)

@connector.action("putTicket", effect="write", marker=Marker(at="/externalId"), evidence=[OWN])
def put(ticket: Ticket, desk: Desk) -> Filed:
    """File a ticket under an ID of its own."""
    return file_ticket(ticket, desk)

@connector.action("plainTicket", effect="write")
def plain(ticket: Ticket, desk: Desk) -> Filed:
    """File a ticket that nobody finds again."""
    return file_ticket(ticket, desk)

@connector.action("mailTicket", effect="write", marker=Marker(code="the ticket's own ID"), evidence=[EventEvidence("notices")])
def mail(ticket: Ticket, desk: Desk) -> Mailed:
    """File a ticket of which only events tell."""
    marker = current_call().marker
    return Mailed(id=file_ticket(Ticket(subject=ticket.subject, external_id=marker and "jf1-" + marker), desk).id)

@connector.action("bothTicket", effect="write", marker=Marker(at="/externalId"), evidence=[LIST, OWN])
def both(ticket: Ticket, desk: Desk) -> Filed:
    """File a ticket that is looked for in two ways."""
    return file_ticket(ticket, desk)

PAID = Look("listTickets", inputs={"since": SENT_FROM}, each="/tickets", match={"/external_id": MARKER}, key="list", when=[
    When({"/state": ["paid"]}, {"/state": ["declined", "expired"]}, {"/subject": ["charge"]}, "/error/code", "/error/message"),
    When({"/state": ["open", "paid"]}, if_={"/subject": ["invoice", None]}),
    When(if_={"/subject": "note"}),
])

@connector.action("payTicket", effect="write", marker=Marker(at="/externalId"), evidence=[PAID])
def pay(ticket: Ticket, desk: Desk) -> Filed:
    """File a ticket that says what became of it."""
    return file_ticket(ticket, desk)

def keyed(key, read):
    look = Look(read, inputs={"externalId": KEY}, match={"/external_id": KEY}, key="keyed")

    @connector.action(key, effect="write", evidence=[look])
    def act(ticket: Ticket, desk: Desk) -> Filed:
        """File a ticket under the key of its call."""
        return file_ticket(Ticket(subject=ticket.subject, external_id=current_call().idempotency_key), desk)

keyed("keepTicket", "getTicket")
keyed("echoTicket", "askTicket")

@connector.action("askTicket", effect="read")
def ask(query: Query, _desk: Desk) -> Filed:
    """Get a ticket as it was asked for."""
    current_call().begin("ask", safe=True)
    note("looks", "ask")
    return Filed(id="t-?", external_id=query.external_id)

WISH = GivenEvidence("listTickets", place="since")

class Wish(Ticket):
    """What is wrong, and how to look for it."""
    evidence: dict | None = Field(None, title="Evidence")

@connector.action("wishTicket", effect="write", marker=GivenMarker(texts=("externalId",)), evidence=[WISH])
def wish(ticket: Wish, desk: Desk) -> Filed:
    """File a ticket that is looked for as its caller wants."""
    return file_ticket(ticket, desk)

class Odd(Output):
    """Thing that a provider answers at will."""
    id: str = "o-1"
    shown: str | None = None
    api_key: str | None = Field(None, alias="api_key", secret=True)
    external_id: str | None = Field(None, alias="external_id")

class Odds(Output):
    """Such things."""
    things: tuple[Odd, ...]
    next: Any = None

ODD = Look("listOdds", each="/things", match={"/external_id": MARKER})

@connector.action("oddTicket", effect="write", marker=Marker(at="/externalId"), evidence=[ODD])
def odd(ticket: Ticket, desk: Desk) -> Filed:
    """File a ticket at a provider that answers at will."""
    return file_ticket(ticket, desk)

def linked(key, link):
    look = Look("listOdds", each="/things", match={"/external_id": MARKER}, link=link)

    @connector.action(key, effect="write", marker=Marker(at="/externalId"), evidence=[look])
    def act(ticket: Ticket, desk: Desk) -> Filed:
        """File a ticket whose looks link to it."""
        return file_ticket(ticket, desk)

linked("linkTicket", "https://bureau.example/{/id}?a={/shown}")
linked("keyTicket", "https://bureau.example/{/id}?b={/api_key}")
linked("addressTicket", "/shown")

@connector.action("listOdds", effect="read", pagination=Pagination("page", "next", "things"))
def odds(query: Query, _desk: Desk) -> Odds:
    """Answer what the file ``odd`` says, about the first ticket."""
    current_call().begin("list", safe=True)
    note("looks", "odd")
    found = json.loads((FOLDER / "odd").read_text())
    if "error" in found:
        raise Rejected(found["error"])
    thing = Odd(**{"external_id": stored()[0]["external_id"], **found.get("thing", {})})
    return Odds(things=(thing,), next=found.get("next"))

def seen():
    file = FOLDER / "hidden"
    return stored()[:int(file.read_text() or 0)] if file.exists() else stored()

def misses(ticket):
    file, known = FOLDER / "misses", FOLDER / "missed"
    if not file.exists() or (known.exists() and ticket in known.read_text()):
        return False
    note("missed", ticket)
    return True

@connector.action("listTickets", effect="read", pagination=Pagination("page", "next", "tickets"))
def tickets(query: Query, _desk: Desk) -> Tickets:
    """List tickets, five a page, or as the variable ``BUREAU_PAGE`` says."""
    current_call().begin("list", safe=True)
    note("looks", "list")
    for takes_time in MEANWHILE:
        takes_time()
    if (FOLDER / "dies-look").exists():
        (FOLDER / "dies-look").unlink()
        os._exit(9)
    found, place, size = seen(), int(query.page or 0), int(os.environ.get("BUREAU_PAGE", "5"))
    return Tickets(tickets=tuple(found[place:place + size]), next=str(place + size) if place + size < len(found) else None)

@connector.action("getTicket", effect="read")
def get(query: Query, _desk: Desk) -> Filed:
    """Get a ticket by its ID."""
    current_call().begin("get", safe=True)
    note("looks", "get")
    for takes_time in MEANWHILE:
        takes_time()
    found = [one for one in seen() if one["external_id"] == query.external_id]
    if not found or misses(query.external_id):
        raise NotFound("there is no such ticket", provider=Provider(http_status=404))
    return Filed(**found[0])
'''


class Bureau:
    """Provider that is a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def script(self, *steps: str) -> None:
        """Say what becomes of the next requests: ``done``, ``cut`` (took effect, no answer),
        ``lost`` (neither), ``dies``, ``twice``, ``waits`` (took effect, answers once the file
        ``go`` is there), ``late`` (took effect, answers after what is done ``meanwhile``),
        ``late-rejected`` (the same, and is refused).
        """
        (self.folder / "script").write_text(json.dumps(steps))

    def answers(self, **found: Any) -> None:
        """Say what ``listOdds`` answers: an ``error``, or a ``thing`` and the ``next`` page."""
        (self.folder / "odd").write_text(json.dumps(found))

    def hidden(self, *, hidden: bool, besides: int = 0) -> None:
        """Let reads lag: they show nothing ``besides`` the oldest tickets."""
        if hidden:
            (self.folder / "hidden").write_text(str(besides))
        else:
            (self.folder / "hidden").unlink(missing_ok=True)

    def misses(self, *, misses: bool) -> None:
        """Let a read of one ticket say once that there is none, of each ticket."""
        if misses:
            (self.folder / "misses").touch()
        else:
            (self.folder / "misses").unlink(missing_ok=True)

    def file(self, identifier: str, subject: str, external_id: str | None) -> None:
        """File a ticket as another client of the account does."""
        with (self.folder / "tickets").open("a") as log:
            log.write(
                json.dumps({"id": identifier, "subject": subject, "external_id": external_id})
                + "\n"
            )

    def becomes(self, **about: Any) -> None:
        """Let the newest ticket say something else."""
        *others, last = self.noted("tickets")
        lines = [json.dumps(one) + "\n" for one in (*others, {**last, **about})]
        (self.folder / "tickets").write_text("".join(lines))

    def meanwhile(self, *step: Callable[[], object]) -> None:
        """Let something happen during each read of tickets, and before each ``late`` answer."""
        sys.modules["jackfield_bureau"].MEANWHILE[:] = step

    def noted(self, what: str) -> list[Any]:
        """What reached the provider: ``requests``, ``tickets``, ``looks``."""
        file = self.folder / what
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@contextmanager
def bureau(
    folder: Path, source: str = _BUREAU, manifest: Mapping[str, Any] | None = None
) -> Iterator[Bureau]:
    """Install the connector, with a provider of its own that the variable ``BUREAU`` names; or
    another one of its key, of a ``source`` that was packed with a ``manifest``.
    """
    (folder / "bureau").mkdir()
    with mock.patch.dict(os.environ, {"BUREAU": str(folder / "bureau")}):
        make_connector(folder / "plugged", "bureau", source, manifest)
        with plugged(folder / "plugged"):
            yield Bureau(folder / "bureau")


class DoubtStage(Processes, Bureau):
    """Processes on one database, and the connector's provider."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        Processes.__init__(self, environment)
        Bureau.__init__(self, folder)
        self.metrics = Metrics(Catalog([]))
        self.runtime.connections.add("desk", "bureau/desk", {"token": "a-secret-of-the-desk"})

    @property
    def settled(self) -> list[str]:
        """Lines of the metrics about doubts that evidence has settled."""
        lines = self.metrics.text().decode().splitlines()
        return [
            line.partition("_total")[2]
            for line in lines
            if line.startswith("jackfield_doubts_settled_total")
        ]

    def invoke(
        self, action: str = "createTicket", inputs: dict[str, Any] | None = None, **more: Any
    ) -> Result:
        """File a ticket."""
        given = {
            "connector": "bureau",
            "action": action,
            "connection": "desk",
            "inputs": inputs or {},
            **more,
        }
        return self.runtime.invoke(given)

    def look(self, seconds: float = 0.0) -> int:
        """Let time pass, then make all looks that are due; return how many rounds had any."""
        self.move(seconds)
        return look_while_due(EvidenceLoop(self.pool, self.metrics.note_doubts))

    def look_now(self, identifier: str) -> str | None:
        """Look as a person does."""
        doubt = Doubts(self.journal.database, self.journal.vault, "default", self.clock).find(
            identifier
        )
        assert doubt is not None
        return look_once(self.runtime, doubt, by_person=True)

    def told(
        self,
        ticket: dict[str, Any],
        *,
        marker: str | None = None,
        workspace: str = "default",
        **about: Any,
    ) -> None:
        """Let a signed event of the trigger ``notices`` arrive that tells of a ticket, over the
        connection of the call.
        """
        journal, moment = self.journal, self.clock.time()
        text = (marker or ticket["external_id"]).removeprefix("jf1-")
        facts = {
            "trigger": "notices",
            "type": "filed",
            "reference": ticket["id"],
            "account": None,
            **about,
        }
        over = {"name": "desk", **connection_facts(journal.database, workspace, "desk")}
        digest, reference = digest_of("bureau", text), reference_of("bureau", ticket["id"])
        mark = sealed_mark(
            journal.vault, workspace, digest, reference, moment, {"connection": over, **facts}
        )
        journal.database.record(
            lambda transaction: keep(transaction, workspace, [mark], journal.time.now())
        )

    def dies(self, **call: Any) -> None:
        """Fork a process that files a ticket and dies as the script says; then recover what it
        left.
        """
        self.killed(lambda: self.invoke(**call))


@contextmanager
def doubt_stage(
    folder: Path,
    database_url: str,
    settle: str | None = "on",
    packed: tuple[str, Mapping[str, Any] | None] = (_BUREAU, None),
) -> Iterator[DoubtStage]:
    """Make the connector and its provider, and open the stage."""
    more = {} if settle is None else {"JACKFIELD_SETTLE": settle}
    with (
        bureau(folder, *packed) as provider,
        variables(folder, database_url, **more) as environment,
        DoubtStage(environment, provider.folder) as stage,
    ):
        yield stage
