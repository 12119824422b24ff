"""A doubt that is resolved, by evidence, a person or the call's own late answer, is one entry on
all surfaces, and is told once.
"""

from __future__ import annotations

import contextlib
import html
import io
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed, token
from tests.jackfield_store.doubts.doubt_stage import Bureau, bureau

from clocks import StillClock, look_while_due
from http_stand import clean
from jackfield import UNKNOWN, InvocationFailed
from jackfield.cli.main import main
from jackfield_store.journal import Journal
from jackfield_store.runtime.evidence_loop import EvidenceLoop
from waiting import until

Json = dict[str, Any]
_WHOLE = re.compile(r'aria-label="The entry as JSON"><code>(.*?)</code>', re.DOTALL)
_OWN = (
    "invocationId",
    "idempotencyKey",
    "fingerprint",
    "createdAt",
    "startedAt",
    "settledAt",
    "caller",
    "resolvedAt",
    "resolvedBy",
)


@dataclass
class Office:
    """One server with its command line and its console over the connector that declares
    evidence.
    """

    place: Place
    provider: Bureau
    clock: StillClock
    folder: Path
    token: str
    client: Client

    @property
    def journal(self) -> Journal:
        """The journal."""
        found = self.place.host.runtime("default").journal
        assert found is not None
        return found

    def call(self, key: str, action: str = "createTicket", step: str = "cut") -> Json:
        """A call, by default one that took effect and lost its answer."""
        self.provider.script(step)
        given = {
            "connector": "bureau",
            "action": action,
            "connection": "desk",
            "inputs": {},
            "idempotencyKey": key,
        }
        return self.place.host.runtime("default").invoke(given).to_json()

    def look(self, seconds: float) -> None:
        """Make the looks that are due by then."""
        self.clock.advance(seconds)
        look_while_due(EvidenceLoop(self.place.host.runtimes))

    def cli(self, *words: str) -> tuple[int, Json]:
        """What a command prints."""
        out = io.StringIO()
        environment = clean(
            self.folder / "home",
            JACKFIELD_DATABASE_URL=f"sqlite:///{self.folder / 'console.db'}",
            JACKFIELD_SETTLE="on",
            BUREAU=os.environ["BUREAU"],
        )
        with mock.patch.dict(os.environ, environment, clear=True), contextlib.redirect_stdout(out):
            code = main([*words, "--json"])
        return code, json.loads(out.getvalue())

    def http(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """What the HTTP API answers."""
        text = b"" if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        answer = Client(self.place.app).send(method, path, text, headers)
        return answer.status, json.loads(answer.text)

    def shown(self, identifier: str) -> Json:
        """The entry, which all surfaces show alike but for the words of hints, which name their own
        next steps.
        """
        page = _WHOLE.search(self.client.get(f"/invocations/{identifier}").text)
        assert page is not None
        found = [
            self.cli("invocations", "show", identifier)[1],
            self.http("GET", f"/v1/invocations/{identifier}")[1],
            json.loads(html.unescape(page[1])),
        ]
        first, *others = (_without_hints(one) for one in found)
        assert others == [first, first]
        known: Json = first
        return known

    def told(self, identifier: str) -> list[Json]:
        """The events about the end of a doubt."""
        types = ("invocation.resolved", "invocation.contradicted")
        return [
            {"type": event.type, **event.data}
            for event in self.place.host.runtime("default").events(types=types)
            if event.subject == identifier
        ]


def _without_hints(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_hints(one) for name, one in value.items() if name != "hint"}
    return [_without_hints(one) for one in value] if isinstance(value, list) else value


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """The server, where evidence settles."""
    clock = StillClock()
    with bureau(tmp_path) as provider:
        environment = {"JACKFIELD_SETTLE": "on", "BUREAU": str(provider.folder)}
        with placed(tmp_path, clock, environment=environment) as place:
            place.host.runtime("default").connections.add(
                "desk", "bureau/desk", {"token": "a-secret-of-the-desk"}
            )
            text = token(place, "manage")
            yield Office(place, provider, clock, tmp_path, text, place.signed_in(text))


def _by_cli(office: Office, identifier: str, outcome: str) -> None:
    code, _ = office.cli(
        "invocations", "resolve", identifier, "--as", outcome, "--note", "seen", "--because", "1"
    )
    assert code == 0


def _by_http(office: Office, identifier: str, outcome: str) -> None:
    body = {"as": outcome, "note": "seen", "because": 1}
    assert office.http("POST", f"/v1/invocations/{identifier}/resolve", body)[0] == 200


def _by_console(office: Office, identifier: str, outcome: str) -> None:
    fields = {"as": outcome, f"note-{outcome}": "seen", f"because-{outcome}": "1"}
    answer = office.client.change(
        f"/invocations/{identifier}", f"/invocations/{identifier}/resolve", **fields
    )
    assert answer.headers["location"].endswith("?done=resolved")


PEOPLE: dict[str, Callable[[Office, str, str], None]] = {
    "cli": _by_cli,
    "http": _by_http,
    "console": _by_console,
}


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_person_resolves_alike_on_every_surface(office: Office, outcome: str) -> None:
    """The command line, the HTTP API and the console leave the same entry: outcome, note and the
    look as reason. One event tells it.
    """
    found = {}
    for surface, resolve in PEOPLE.items():
        identifier = office.call(surface, step="lost")["meta"]["invocationId"]
        office.look(7.0)
        resolve(office, identifier, outcome)
        entry = office.shown(identifier)
        resolution = entry["meta"]["resolution"]
        assert (entry["status"], resolution["note"], resolution["because"]["number"]) == (
            outcome,
            "seen",
            1,
        )
        assert [(one["type"], one["previousStatus"]) for one in office.told(identifier)] == [
            ("invocation.resolved", "in_doubt")
        ]
        resolution = {name: value for name, value in resolution.items() if name not in ("by", "at")}
        resolution["because"] = {
            name: value for name, value in resolution["because"].items() if name != "at"
        }
        meta = {"resolution": resolution, "attempts": entry["meta"]["attempts"]}
        looks = [
            {name: value for name, value in look.items() if name != "at"} for look in entry["looks"]
        ]
        tries = [one["outcome"] for one in entry["attempts"]]
        found[surface] = {
            **{name: value for name, value in entry.items() if name not in _OWN},
            "meta": meta,
            "looks": looks,
            "attempts": tries,
        }
    assert found["cli"] == found["http"] == found["console"]


def test_evidence_resolves_alike_on_every_surface(office: Office) -> None:
    """A look settles the doubt: each surface shows the same, one event tells it with the verdict,
    and the key replays it on each.
    """
    lost = office.call("k")
    identifier = lost["meta"]["invocationId"]
    office.look(7.0)
    entry = office.shown(identifier)
    assert (entry["status"], entry["resolvedBy"], entry["looks"][0]["number"]) == (
        "succeeded",
        "evidence",
        1,
    )
    (event,) = office.told(identifier)
    assert (event["type"], event["resolvedBy"], event["verdict"], event["status"]) == (
        "invocation.resolved",
        "evidence",
        "took",
        "succeeded",
    )
    again = {
        "connector": "bureau",
        "action": "createTicket",
        "connection": "desk",
        "inputs": {},
        "idempotencyKey": "k",
    }
    over_http = office.http("POST", "/v1/invocations", again)[1]
    (office.folder / "again.json").write_text(json.dumps(again))
    assert office.cli("invoke", "--file", str(office.folder / "again.json"))[1] == over_http
    assert (over_http["output"], over_http["meta"]["replayed"]) == (entry["output"], True)
    assert len(office.provider.noted("requests")) == 1
    office.look(100_000.0)
    assert len(office.told(identifier)) == 1


@pytest.mark.parametrize("first", ["evidence", "person"])
def test_a_late_answer_wins_on_every_surface(office: Office, first: str) -> None:
    """The process of a call was given up, its doubt was resolved, and then it answers: its own
    outcome is what counts, and is told once more only if it is another one.
    """
    found: list[Json] = []
    thread = threading.Thread(target=lambda: found.append(office.call("k", step="waits")))
    thread.start()
    until(lambda: len(office.provider.noted("tickets")) == 1)
    entry = office.journal.entries(status="running")[0][0]
    assert office.journal.recovery.recover("default", entry)
    if first == "evidence":
        office.look(7.0)
    else:
        office.journal.resolve(entry.id, "failed", "cli:ada")
    before = office.shown(entry.id)
    assert (before["status"], before["resolvedBy"]) == (
        ("succeeded", "evidence") if first == "evidence" else ("failed", "cli:ada")
    )
    (office.provider.folder / "go").touch()
    thread.join(30)
    assert [one["status"] for one in found] == ["succeeded"]
    after = office.shown(entry.id)
    assert (after["status"], after["output"]["id"], after["resolvedBy"]) == (
        "succeeded",
        "t-1",
        before["resolvedBy"],
    )
    assert ("correctedAt" in after) is (first == "person")
    told = [(one["type"], one["status"]) for one in office.told(entry.id)]
    otherwise = [("invocation.contradicted", "succeeded"), ("invocation.resolved", "succeeded")]
    assert told == [
        ("invocation.resolved", before["status"]),
        *(otherwise if first == "person" else []),
    ]
    assert len(office.provider.noted("requests")) == 1


def test_nobody_resolves_in_the_name_of_evidence_or_by_a_look_that_is_none(office: Office) -> None:
    """No surface takes a name of the caller's: the person is who he is. A number of no look is
    refused, and changes nothing.
    """
    identifier = office.call("k")["meta"]["invocationId"]
    assert (
        office.http(
            "POST", f"/v1/invocations/{identifier}/resolve", {"as": "succeeded", "by": "evidence"}
        )[0]
        == 400
    )
    for because, status in ((2, 409), ("1", 400), (True, 400)):
        body = {"as": "succeeded", "because": because}
        assert office.http("POST", f"/v1/invocations/{identifier}/resolve", body)[0] == status, (
            because
        )
    with mock.patch.dict(os.environ, {"USER": "evidence", "LOGNAME": "evidence"}):
        code, refused = office.cli(
            "invocations", "resolve", identifier, "--as", "failed", "--because", "7"
        )
    assert (code, "has no look 7" in refused["error"]["message"]) == (2, True)
    code, late = office.cli("invocations", "cancel", identifier)
    assert (code, "'jackfield invocations resolve'" in late["error"]["hint"]) == (2, True)
    assert office.shown(identifier)["status"] == "in_doubt"
    assert office.cli("invocations", "resolve", identifier, "--as", "failed")[1][
        "resolvedBy"
    ].startswith("cli:")


def test_switched_off_nothing_differs_from_an_action_without_evidence(office: Office) -> None:
    """With ``off``: no marker, no row, no look, no member more than an action has that declares no
    evidence, before and after a person.
    """
    office.place.host.runtime("default").access.workspaces.set("default", {"settle": "off"})
    found = []
    for action in ("createTicket", "plainTicket"):
        lost = office.call(action, action)
        identifier = lost["meta"]["invocationId"]
        office.look(1_000.0)
        open_ = office.shown(identifier)
        office.journal.resolve(identifier, "failed", "cli:ada")
        text = json.dumps([lost, open_, office.shown(identifier)], sort_keys=True)
        text = re.sub(
            r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z|\"fingerprint\": "
            r"\"[^\"]*\"",
            "X",
            text,
        )
        found.append(re.sub(r'"durationMs": [\d.]+', "X", text.replace(action, "ACTION")))
        assert office.http("POST", f"/v1/invocations/{identifier}/look")[0] == 409
    assert found[0] == found[1]
    assert {one["external_id"] for one in office.provider.noted("tickets")} == {None}
    with office.journal.database.read() as transaction:
        assert transaction.execute("SELECT id FROM doubts", {}) == []


def _function(office: Office, look: Callable[[str], Any] | None) -> Callable[[str], Any]:
    """A function of a program in the server's process, which loses its answer."""

    @office.place.host.runtime("default").once("charge", key=lambda order: order, look=look)
    def charge(order: str) -> str:
        raise TimeoutError(order)

    return charge


def _lost(charge: Callable[[str], Any], order: str) -> str:
    """The invocation of a call in doubt."""
    with pytest.raises(InvocationFailed) as raised:
        charge(order)
    return raised.value.result.meta.invocation_id


_OUTPUT = {"value": "ch_1"}


def _given_by_cli(office: Office, identifier: str) -> bool:
    return (
        office.cli(
            "invocations",
            "resolve",
            identifier,
            "--as",
            "succeeded",
            "--output",
            json.dumps(_OUTPUT),
        )[0]
        == 0
    )


def _given_by_http(office: Office, identifier: str) -> bool:
    return (
        office.http(
            "POST", f"/v1/invocations/{identifier}/resolve", {"as": "succeeded", "output": _OUTPUT}
        )[0]
        == 200
    )


def _given_by_console(office: Office, identifier: str) -> bool:
    fields = {"as": "succeeded", "output-succeeded": json.dumps(_OUTPUT)}
    answer = office.client.change(
        f"/invocations/{identifier}", f"/invocations/{identifier}/resolve", **fields
    )
    return answer.headers["location"].endswith("?done=resolved")


_OUTPUTS: dict[str, Callable[[Office, str], bool]] = {
    "cli": _given_by_cli,
    "http": _given_by_http,
    "console": _given_by_console,
}


@pytest.mark.parametrize("surface", _OUTPUTS)
def test_a_person_resolves_the_doubt_of_a_function(office: Office, surface: str) -> None:
    """Where no process declares a look, each surface says so; the person's output is the value of
    repeats.
    """
    charge = _function(office, None)
    identifier = _lost(charge, surface)
    office.look(60.0)
    told = office.http("GET", f"/v1/invocations/{identifier}")[1]["waitsFor"]
    assert told == "the next call of 'charge' with a look, a process that declares one, or a person"
    assert told in office.client.get(f"/invocations/{identifier}").words
    assert told in office.client.get("/").words
    assert _OUTPUTS[surface](office, identifier)
    assert office.shown(identifier)["output"] == _OUTPUT
    assert charge(surface) == "ch_1"


_LOOKS: dict[str, Callable[[Office, str], object]] = {
    "cli": lambda office, identifier: office.cli("invocations", "look", identifier),
    "http": lambda office, identifier: office.http("POST", f"/v1/invocations/{identifier}/look"),
    "console": lambda office, identifier: office.client.change(
        f"/invocations/{identifier}", f"/invocations/{identifier}/look"
    ),
}


@pytest.mark.parametrize("surface", _LOOKS)
def test_a_person_has_the_doubt_of_a_function_looked_up(office: Office, surface: str) -> None:
    """A process that declares the function asks its look at once, as it asks a provider."""
    found: list[Any] = [UNKNOWN, "ch_1"]
    charge = _function(office, lambda _key: found.pop(0))
    identifier = _lost(charge, surface)
    _LOOKS[surface](office, identifier)
    (look,) = office.shown(identifier)["looks"]
    assert (look["result"], look["source"], look["text"]) == ("failed", "charge", "it cannot tell")
    _LOOKS[surface](office, identifier)
    entry = office.shown(identifier)
    assert (entry["status"], entry["resolvedBy"], entry["output"]) == (
        "succeeded",
        "evidence",
        _OUTPUT,
    )
    assert charge(surface) == "ch_1"


def test_a_decisive_look_that_settles_nothing_says_what_to_do(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where evidence is only shown, the command says that its look decides, and how to record that;
    not if it found nothing.
    """
    office.place.host.runtime("default").access.workspaces.set("default", {"settle": "show"})
    identifier = office.call("a-1")["meta"]["invocationId"]
    capsys.readouterr()
    code, entry = office.cli("invocations", "look", identifier)
    assert (code, entry["status"], entry["looks"][-1]["result"]) == (0, "in_doubt", "matched")
    told = capsys.readouterr().err
    assert f"'jackfield invocations resolve {identifier} --as succeeded --because 1'" in told
    assert "JACKFIELD_SETTLE=on" in told
    other = office.call("a-2", step="lost")["meta"]["invocationId"]
    capsys.readouterr()
    office.cli("invocations", "look", other)
    assert "resolve" not in capsys.readouterr().err


def test_the_command_line_and_the_page_refuse_to_ask_without_a_key(office: Office) -> None:
    """A doubt without a key at the provider has no button, and both ways name the member."""
    identifier = office.call("k-ask")["meta"]["invocationId"]
    code, said = office.cli("invocations", "ask", identifier)
    assert (code, said["error"]["details"][0]["path"]) == (2, "/error/retryUntil")
    page = office.client.get(f"/invocations/{identifier}")
    assert "sends the request again under its key" not in page.words
    answer = office.client.change(f"/invocations/{identifier}", f"/invocations/{identifier}/ask")
    assert (answer.status, "/error/retryUntil" in answer.text) == (409, True)
