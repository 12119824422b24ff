"""Evidence that lies: statuses, gateways, echoes, things that have failed. A doubt settles by proof
only, and looks say why it does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clocks import StillClock, look_while_due, time_passes
from jackfield.testing import Answer, Provider, Request
from jackfield_store.runtime import Jackfield
from jackfield_store.runtime.evidence_loop import EvidenceLoop, look_now
from jackfield_store.runtime.runtime_pool import RuntimePool
from settling_home import settling_home

_ABSENT = {
    "url": "/parcels/{marker}?nonce={fresh}",
    "pointer": "/reference",
    "absentAfter": 600,
    "page": "its page",
    "canary": "/parcels",
    "canaryShows": "/parcels",
}
_NONE, _LIST = (
    Answer({"error": {"code": "no_such_parcel"}}, status=404),
    Answer({"parcels": [{"id": 1}]}),
)
_PAGE = Answer(
    content=b"<!doctype html><html><body>default backend</body></html>",
    status=404,
    headers={"Content-Type": "text/html"},
)
_TEXT = Answer(content=b"404 page not found", status=404, headers={"Content-Type": "text/plain"})
_BARE = Answer(content=b"", status=404)
_NO_OPTIONS: Mapping[str, Any] = {}
_OUTSIDE = ("failed", "idempotencyHeader")
"""Inputs of the call beside its evidence."""


def _headed(answer: Answer, **fields: str) -> Answer:
    """Return an answer with further header fields."""
    return Answer(
        answer.body,
        status=answer.status,
        headers={name.replace("_", "-"): value for name, value in fields.items()},
    )


_OLD, _NOW = "Sat, 28 Nov 2026 10:00:00 GMT", "Sat, 28 Nov 2026 11:00:00 GMT"
_LOGIN = Answer(
    content=b"<html><body>Sign in</body></html>", status=200, headers={"Content-Type": "text/html"}
)


class _Depot:
    """Provider that hangs up on what it is sent. ``reads`` answer a path, or all of one kind in
    turn.
    """

    def __init__(self, answer: Callable[[str], Any], *, loses: bool = True) -> None:
        self._answer, self.loses = answer, loses
        self.taken, self.requests, self.reads = list[dict[str, Any]](), 0, list[str]()

    def __call__(self, _number: int, request: Request) -> Any:
        """Lose or take a parcel, or answer a read."""
        if request.method == "GET":
            path = request.path.partition("?nonce")[0]
            self.reads.append(path)
            return self._answer(path)
        self.requests += 1
        self.taken += [] if self.loses else [json.loads(request.body)]
        return "close"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home where evidence settles doubts."""
    with settling_home(tmp_path) as found:
        yield found


class _Stage:
    """One process over a depot, whose time is moved."""

    def __init__(self, pool: RuntimePool, clock: StillClock) -> None:
        self.pool, self.clock = pool, clock

    @property
    def runtime(self) -> Jackfield:
        """The workspace."""
        return self.pool.find("default")

    def lose(
        self, evidence: Mapping[str, Any], *, options: Mapping[str, Any] = _NO_OPTIONS, **more: Any
    ) -> str:
        """Send a parcel whose answer is lost, with these ``options`` of the call; return its ID."""
        body = {"reference": {"$marker": {}}, **more}
        beside = {name: evidence[name] for name in _OUTSIDE if name in evidence}
        own = {name: value for name, value in evidence.items() if name not in beside}
        inputs = {"method": "POST", "url": "/parcels", "json": body, "evidence": own, **beside}
        call = {
            "connector": "http",
            "action": "request",
            "connection": "depot",
            "inputs": inputs,
            "timeoutSeconds": 5,
            **options,
        }
        lost = self.runtime.invoke(call)
        assert lost.status == "in_doubt", lost.error
        return lost.meta.invocation_id

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        time_passes(0.0, self.clock, self.pool.storage.database)

    def look(self, identifier: str, *times: float) -> dict[str, Any]:
        """Look as a person does, after each of these times; return the entry."""
        for seconds in times:
            self.move(seconds)
            look_now(self.runtime, identifier)
        return self.entry(identifier)

    def look_due(self, seconds: float) -> None:
        """Let time pass, then make the looks that are due, as a server does."""
        self.move(seconds)
        look_while_due(EvidenceLoop(self.pool))

    def entry(self, identifier: str) -> dict[str, Any]:
        """Return the entry of a call."""
        journal = self.runtime.journal
        assert journal is not None
        found: dict[str, Any] = journal.find(identifier).to_json()
        return found


@pytest.fixture
def stage(environment: dict[str, str]) -> Iterator[Callable[[_Depot], _Stage]]:
    """Make the stage of a depot, in a workspace where what is absent has failed."""
    opened: list[Any] = []

    def make(depot: _Depot) -> _Stage:
        provider = Provider(depot)
        opened.append(provider)
        clock = StillClock()
        pool = RuntimePool(environment, clock)
        opened.append(closing(pool))
        url = provider.__enter__().url
        found = _Stage(pool, clock)
        found.runtime.access.workspaces.set("default", {"settleAbsent": True})
        found.move(0.0)
        found.runtime.connections.add("depot", "http/anonymous", {"server": url}, test=False)
        return found

    yield make
    for one in reversed(opened):
        one.__exit__(None, None, None)


Stages = Callable[[_Depot], _Stage]
_STATUSES = [
    ("plain", _NONE, _LIST, {}, "failed", "nothing", ""),
    ("bare", _BARE, _LIST, {}, "failed", "nothing", ""),
    ("gone", Answer({}, status=410), _LIST, {}, "in_doubt", "nothing", "it was there"),
    ("signed out", Answer({}, status=401), _LIST, {}, "in_doubt", "failed", "401"),
    ("forbidden", Answer({}, status=403), _LIST, {}, "in_doubt", "failed", "403"),
    ("censored", Answer({}, status=451), _LIST, {}, "in_doubt", "failed", "451"),
    ("throttled", Answer({}, status=429), _LIST, {}, "in_doubt", "failed", "429"),
    ("down", Answer({}, status=503), _LIST, {}, "in_doubt", "failed", "503"),
    ("another", Answer({"reference": "of somebody else"}), _LIST, {}, "in_doubt", "nothing", ""),
    ("gateway's page", _PAGE, _LIST, {}, "in_doubt", "failed", "404"),
    ("gateway's text", _TEXT, _LIST, {}, "in_doubt", "failed", "404"),
    (
        "redirect",
        Answer(content=b"", status=302, headers={"Location": "/login"}),
        _LIST,
        {},
        "in_doubt",
        "failed",
        "404",
    ),
    ("no canary", _NONE, _LIST, {"canary": None}, "in_doubt", "nothing", "no canary"),
    ("said nothing", _NONE, _LIST, {"canaryShows": None}, "in_doubt", "nothing", "what the canary"),
    ("shown nothing", _NONE, Answer({"parcels": []}), {}, "in_doubt", "failed", "not show"),
    ("shown no list", _NONE, Answer({"parcels": "many"}), {}, "in_doubt", "failed", "not show"),
    ("a portal", _NONE, Answer({"message": "hello"}), {}, "in_doubt", "failed", "not show"),
    ("a whole list", _NONE, Answer([1]), {"canaryShows": ""}, "failed", "nothing", ""),
    ("an empty list", _NONE, Answer([]), {"canaryShows": ""}, "in_doubt", "failed", "not show"),
    (
        "a value",
        _NONE,
        Answer({"name": "north"}),
        {"canaryShows": {"/name": "north"}},
        "failed",
        "nothing",
        "",
    ),
    (
        "another value",
        _NONE,
        Answer({"name": "south"}),
        {"canaryShows": {"/name": ["north", "east"]}},
        "in_doubt",
        "failed",
        "not show",
    ),
    (
        "nothing fresh",
        _NONE,
        _LIST,
        {"url": "/parcels/{marker}"},
        "in_doubt",
        "nothing",
        "a cache may",
    ),
    (
        "fresh where it is not sent",
        _NONE,
        _LIST,
        {"url": "/parcels/{marker}#{fresh}"},
        "in_doubt",
        "nothing",
        "a cache may",
    ),
    ("canary missing", _NONE, _NONE, {}, "in_doubt", "failed", "canary"),
    ("canary's page", _NONE, _PAGE, {}, "in_doubt", "failed", "canary"),
    ("canary signed out", _NONE, Answer({}, status=401), {}, "in_doubt", "failed", "canary"),
    ("canary down", _NONE, Answer({}, status=503), {}, "in_doubt", "failed", "canary"),
    ("canary cut", _NONE, "close", {}, "in_doubt", "failed", "canary"),
    ("canary's login", _NONE, _LOGIN, {}, "in_doubt", "failed", "canary"),
    (
        "canary elsewhere",
        _NONE,
        Answer(content=b"", status=302, headers={"Location": "/login"}),
        {},
        "in_doubt",
        "failed",
        "canary",
    ),
    ("declared", _NONE, _LIST, {"absent": {"code": ["no_such_parcel"]}}, "failed", "nothing", ""),
    (
        "declared, by both",
        _NONE,
        _LIST,
        {"absent": {"status": [404], "code": ["no_such_parcel"]}},
        "failed",
        "nothing",
        "",
    ),
    (
        "declared otherwise",
        _NONE,
        _LIST,
        {"absent": {"code": ["no_such_depot"]}},
        "in_doubt",
        "nothing",
        "not the declared answer",
    ),
    (
        "of its code",
        Answer({"error": {"code": "none"}}, status=400),
        _LIST,
        {"absent": {"code": ["none"]}},
        "failed",
        "nothing",
        "",
    ),
    (
        "of another code",
        Answer({"error": {"code": "bad"}}, status=400),
        _LIST,
        {"absent": {"code": ["none"]}},
        "in_doubt",
        "failed",
        "400",
    ),
    (
        "canary accepted",
        _NONE,
        Answer({"parcels": [{"id": 1}]}, status=202),
        {},
        "in_doubt",
        "failed",
        "status 202",
    ),
    (
        "canary by another",
        _NONE,
        Answer({"parcels": [{"id": 1}]}, status=203),
        {},
        "in_doubt",
        "failed",
        "status 203",
    ),
    ("canary empty", _NONE, Answer(content=b"", status=204), {}, "in_doubt", "failed", "canary"),
    (
        "canary in part",
        _NONE,
        Answer({"parcels": [{"id": 1}]}, status=206),
        {},
        "in_doubt",
        "failed",
        "status 206",
    ),
    (
        "canary moved",
        _NONE,
        Answer(content=b"", status=302, headers={"Location": "/moved"}),
        {},
        "in_doubt",
        "failed",
        "status 302",
    ),
    (
        "canary's error",
        _NONE,
        Answer({"error": {"code": "down"}}),
        {},
        "in_doubt",
        "failed",
        "reports a failure",
    ),
    (
        "canary's errors",
        _NONE,
        Answer({"errors": [{"message": "down"}], "data": None}),
        {},
        "in_doubt",
        "failed",
        "reports a failure",
    ),
    ("canary not ok", _NONE, Answer({"ok": False}), {}, "in_doubt", "failed", "reports a failure"),
    (
        "canary's status",
        _NONE,
        Answer({"status": "error"}),
        {},
        "in_doubt",
        "failed",
        "reports a failure",
    ),
    (
        "canary's word",
        _NONE,
        Answer("under maintenance"),
        {},
        "in_doubt",
        "failed",
        "reports a failure",
    ),
    (
        "canary's null",
        _NONE,
        Answer(content=b"null", headers={"Content-Type": "application/json"}),
        {},
        "in_doubt",
        "failed",
        "canary",
    ),
    (
        "canary's other status",
        _NONE,
        Answer({"status": 503, "title": "down"}),
        {},
        "in_doubt",
        "failed",
        "reports a failure",
    ),
    (
        "canary's code",
        _NONE,
        Answer({"code": "404", "parcels": []}),
        {},
        "in_doubt",
        "failed",
        "reports a failure",
    ),
    (
        "canary's problem",
        _NONE,
        _headed(_LIST, Content_Type="application/problem+json"),
        {},
        "in_doubt",
        "failed",
        "reports a failure",
    ),
    ("canary as a list", _NONE, Answer([]), {}, "in_doubt", "failed", "not show"),
    (
        "canary's plain status",
        _NONE,
        Answer({"status": 200, "code": 0, "parcels": [1]}),
        {},
        "failed",
        "nothing",
        "",
    ),
    (
        "canary's own failure",
        _NONE,
        Answer({"code": 40001}),
        {"failed": {"member": "/code"}},
        "in_doubt",
        "failed",
        "canary",
    ),
    (
        "canary without it",
        _NONE,
        Answer({"code": 0, "error": None, "ok": True}),
        {"failed": {"member": "/code"}, "canaryShows": {"/ok": True}},
        "failed",
        "nothing",
        "",
    ),
    (
        "canary cached",
        _NONE,
        _headed(_LIST, Age="30"),
        {},
        "in_doubt",
        "failed",
        "a cache has answered",
    ),
    ("cached", _headed(_NONE, Age="30"), _LIST, {}, "in_doubt", "nothing", "a cache has answered"),
    (
        "fresh",
        _headed(_NONE, Age="0", X_Cache="Miss from edge"),
        _LIST,
        {},
        "failed",
        "nothing",
        "",
    ),
    (
        "a cache's hit",
        _headed(_NONE, X_Cache="Error from edge, HIT"),
        _LIST,
        {},
        "in_doubt",
        "nothing",
        "a cache has answered",
    ),
    (
        "a cache's rule",
        _headed(_NONE, Cache_Status="edge; hit; ttl=30"),
        _LIST,
        {},
        "in_doubt",
        "nothing",
        "a cache has answered",
    ),
    (
        "another cache's hit",
        _headed(_NONE, X_Vercel_Cache="HIT"),
        _LIST,
        {},
        "in_doubt",
        "nothing",
        "a cache has answered",
    ),
    (
        "a cache's stale",
        _headed(_NONE, CF_Cache_Status="STALE"),
        _LIST,
        {},
        "in_doubt",
        "nothing",
        "a cache has answered",
    ),
    (
        "a cache's own",
        _headed(_NONE, X_Varnish="32770 5"),
        _LIST,
        {},
        "in_doubt",
        "nothing",
        "a cache has answered",
    ),
    (
        "a cache that asked",
        _headed(_NONE, X_Varnish="32770", X_Cache="MISS", Cache_Control="no-store"),
        _LIST,
        {},
        "failed",
        "nothing",
        "",
    ),
    (
        "of an hour ago",
        _headed(_NONE, Date=_OLD),
        _headed(_LIST, Date=_NOW),
        {},
        "in_doubt",
        "nothing",
        "another time",
    ),
    (
        "canary of an hour ago",
        _headed(_NONE, Date=_NOW),
        _headed(_LIST, Date=_OLD),
        {},
        "in_doubt",
        "nothing",
        "another time",
    ),
    (
        "of one time",
        _headed(_NONE, Date=_OLD),
        _headed(_LIST, Date=_OLD),
        {},
        "failed",
        "nothing",
        "",
    ),
    (
        "of no time",
        _headed(_NONE, Date="yesterday"),
        _headed(_LIST, Date=_NOW),
        {},
        "failed",
        "nothing",
        "",
    ),
    (
        "again later",
        _headed(_NONE, Retry_After="1"),
        _LIST,
        {},
        "in_doubt",
        "nothing",
        "field retry-after",
    ),
    (
        "sign in first",
        _headed(_NONE, WWW_Authenticate="Bearer"),
        _LIST,
        {},
        "in_doubt",
        "nothing",
        "field www-authenticate",
    ),
    (
        "gateway's JSON",
        _headed(_NONE, Server="kong/3.4"),
        _headed(_LIST, Server="uvicorn"),
        {},
        "in_doubt",
        "nothing",
        "other software",
    ),
    (
        "by a proxy",
        _headed(_NONE, Via="1.1 a, 1.1 b"),
        _headed(_LIST, Via="1.1 c, 1.1 d"),
        {},
        "failed",
        "nothing",
        "",
    ),
    (
        "of a proxy",
        _NONE,
        _headed(_LIST, Via="1.1 edge"),
        {},
        "in_doubt",
        "nothing",
        "other software",
    ),
    (
        "of another type",
        _headed(_NONE, Content_Type="text/json"),
        _LIST,
        {},
        "failed",
        "nothing",
        "",
    ),
    (
        "a problem",
        _headed(_NONE, Content_Type="application/problem+json"),
        _LIST,
        {},
        "failed",
        "nothing",
        "",
    ),
    (
        "a type of its own",
        _headed(_NONE, Content_Type="text/x-json"),
        _LIST,
        {},
        "in_doubt",
        "nothing",
        "content type",
    ),
    (
        "declared, cached",
        _headed(_NONE, Age="9"),
        _LIST,
        {"absent": {"code": ["no_such_parcel"]}},
        "in_doubt",
        "nothing",
        "cache",
    ),
    (
        "gone by code",
        Answer({"error": {"code": "none"}}, status=410),
        _LIST,
        {"absent": {"code": ["none"]}},
        "in_doubt",
        "nothing",
        "it",
    ),
]


@pytest.mark.parametrize(
    ("answer", "canary", "more", "status", "result", "text"),
    [row[1:] for row in _STATUSES],
    ids=[row[0] for row in _STATUSES],
)
def test_only_a_plain_answer_beside_a_canary_is_absence(
    stage: Stages,
    answer: Any,
    canary: Any,
    more: dict[str, Any],
    status: str,
    result: str,
    text: str,
) -> None:
    """A lost request is absent by the plain or declared answer of the thing itself, if the canary
    succeeded in the same look. Whatever else is answered leaves the doubt and its key, and the look
    says why; nothing is sent.
    """
    elsewhere = {"/parcels": canary, "/login": _NONE, "/moved": _LIST}
    depot = _Depot(lambda path: elsewhere.get(path, answer))
    here = stage(depot)
    evidence = {name: one for name, one in {**_ABSENT, **more}.items() if one is not None}
    entry = here.look(here.lose(evidence), 1_000.0, 61.0)
    assert (entry["status"], entry["looks"][-1]["result"]) == (status, result), entry["looks"]
    assert text in entry["looks"][-1].get("text", ""), entry["looks"]
    assert depot.requests == 1


@pytest.mark.parametrize("first", [Answer({}, status=410), "pending"], ids=["gone", "found"])
def test_what_was_there_once_is_not_absent_later(stage: Stages, first: Any) -> None:
    """It was gone, or there without a verdict, at the first look; that nothing is found afterwards
    proves nothing.
    """
    answers: list[Any] = [first]

    def answer(path: str) -> Any:
        if path == "/parcels":
            return _LIST
        marker = path.rpartition("/")[2]
        if answers == ["pending"] and depot.taken[0]["reference"] == marker:
            return Answer({"reference": marker, "state": "processing"})
        return answers[0] if answers and answers != ["pending"] else _NONE

    depot = _Depot(answer, loses=first != "pending")
    here = stage(depot)
    lost = here.lose({**_ABSENT, "when": {"took": {"/state": "done"}}})
    here.look(lost, 1_000.0)
    answers.clear()
    entry = here.look(lost, 61.0, 61.0, 61.0)
    assert entry["status"] == "in_doubt", entry["looks"]


def test_what_another_server_says_is_no_evidence(stage: Stages) -> None:
    """The read is redirected to another server, which gets no credentials, and finds there what has
    the marker: that settles nothing. On the server of the request, a redirect does.
    """
    marker = list[str]()
    with Provider(
        lambda _number, _request: Answer({"parcels": [{"reference": marker[0]}]})
    ) as other:
        depot = _Depot(
            lambda path: moved if path == "/parcels" else Answer({"parcels": depot.taken}),
            loses=False,
        )
        here = stage(depot)
        moved = Answer(content=b"", status=302, headers={"Location": f"{other.url}/parcels"})
        lost = here.lose({"url": "/parcels", "each": "/parcels", "pointer": "/reference"})
        marker.append(depot.taken[0]["reference"])
        entry = here.look(lost, 7.0)
        assert (entry["status"], entry["looks"][-1]["result"]) == ("in_doubt", "failed"), entry[
            "looks"
        ]
        assert "another server" in entry["looks"][-1]["text"]
        moved = Answer(content=b"", status=302, headers={"Location": "/moved"})
        assert here.look(lost, 30.0)["status"] == "succeeded"


_ECHOES = [
    (
        "query",
        "/find?ref={marker}",
        "/query/reference",
        lambda asked: {"query": {"reference": asked}, "items": []},
        {},
    ),
    (
        "found: false",
        "/find?ref={marker}",
        "/reference",
        lambda asked: {"reference": asked, "found": False},
        {},
    ),
    (
        "elsewhere in the body",
        "/find?ref={marker}",
        "/meta/request/args/0",
        lambda asked: {"meta": {"request": {"args": [asked]}}},
        {},
    ),
    (
        "a list of one",
        "/find?ref={marker}",
        "/reference",
        lambda asked: {"items": [{"reference": asked}]},
        {"each": "/items"},
    ),
    (
        "a path",
        "/parcels/{marker}",
        "/self",
        lambda asked: {"self": asked, "state": "done"},
        {"when": {"took": {"/state": "done"}}},
    ),
    (
        "failed",
        "/parcels/{marker}",
        "/ref",
        lambda asked: {"ref": asked, "state": "no"},
        {"when": {"took": {"/state": "done"}, "refused": {"/state": "no"}}},
    ),
]


@pytest.mark.parametrize(
    ("url", "pointer", "body", "more"),
    [row[1:] for row in _ECHOES],
    ids=[row[0] for row in _ECHOES],
)
def test_an_answer_that_repeats_the_question_is_no_match(
    stage: Stages, url: str, pointer: str, body: Callable[[str], Any], more: dict[str, Any]
) -> None:
    """The provider answers with what it is asked for, wherever in the body. The evidence is refused
    by name, at every look, and asked once with a marker of nobody; the doubt stays, since the
    request never arrived.
    """

    def answer(path: str) -> Any:
        asked = parse_qs(urlsplit(path).query).get("ref", [path.rpartition("/")[2]])[0]
        return Answer(body(asked))

    depot = _Depot(answer)
    here = stage(depot)
    first, second = (
        here.lose({"url": url, "pointer": pointer, **more}, number=number) for number in range(2)
    )
    here.look_due(7.0)
    for entry in (here.entry(first), here.look(second, 7.0)):
        assert entry["status"] == "in_doubt"
        assert {one["result"] for one in entry["looks"]} == {"failed"}
        assert (
            "'given' is refused: its read repeats what it is asked for"
            in entry["looks"][-1]["text"]
        )
    assert len({*depot.reads}) == 3  # of each call, and of nobody


@pytest.mark.parametrize(
    "unclear",
    [Answer({}, status=503), Answer({}, status=401), _PAGE, "close", Answer({}, status=403)],
)
def test_a_read_for_nobody_that_ends_unclearly_is_no_verdict(stage: Stages, unclear: Any) -> None:
    """What was found settles only once the same read has not found what does not exist; then that
    is remembered.
    """
    answers = [unclear]

    def answer(path: str) -> Any:
        found = [one for one in depot.taken if one["reference"] == path.rpartition("/")[2]]
        return Answer({"id": 7, **found[0]}) if found else answers[0] if answers else _NONE

    depot = _Depot(answer, loses=False)
    here = stage(depot)
    evidence = {"url": "/parcels/{marker}", "pointer": "/reference"}
    lost = here.lose(evidence)
    entry = here.look(lost, 7.0)
    assert (entry["status"], entry["looks"][-1]["result"]) == ("in_doubt", "failed"), entry["looks"]
    answers.clear()
    entry = here.look(lost, 30.0)
    assert (entry["status"], entry["resolvedBy"]) == ("succeeded", "evidence"), entry["looks"]
    # the thing, not the answer around it
    assert json.loads(entry["looks"][-1]["text"])["id"] == "7"
    before = len(depot.reads)
    assert here.look(here.lose(evidence, number=2), 7.0)["status"] == "succeeded"
    assert len(depot.reads) == before + 2  # with one for nobody, before it settles


def test_a_read_that_begins_to_repeat_is_found_out(stage: Stages) -> None:
    """The first doubt was settled by a read that repeated nothing. The provider then answers with
    what it is asked: the next doubt, whose request never arrived, stays.
    """
    repeats = list[bool]()

    def answer(path: str) -> Any:
        asked = path.rpartition("/")[2]
        found = [one for one in depot.taken if one["reference"] == asked]
        return Answer(found[0]) if found else Answer({"reference": asked}) if repeats else _NONE

    depot = _Depot(answer, loses=False)
    here = stage(depot)
    evidence = {"url": "/parcels/{marker}", "pointer": "/reference"}
    assert here.look(here.lose(evidence), 7.0)["status"] == "succeeded"
    repeats.append(True)
    depot.loses = True
    entry = here.look(here.lose(evidence, number=2), 7.0)
    assert entry["status"] == "in_doubt", entry["looks"]
    assert "repeats what it is asked for" in entry["looks"][-1]["text"]


def test_a_thing_without_a_verdict_is_not_asked_for_nobody_again(stage: Stages) -> None:
    """What settles nothing needs no second read at each look."""
    depot = _Depot(
        lambda path: next(
            (Answer(one) for one in depot.taken if path.endswith(one["reference"])), _NONE
        ),
        loses=False,
    )
    here = stage(depot)
    lost = here.lose(
        {"url": "/parcels/{marker}", "pointer": "/reference", "when": {"took": {"/state": "done"}}},
        state="open",
    )
    assert here.look(lost, 7.0, 30.0, 30.0)["status"] == "in_doubt"
    assert len(depot.reads) == 4


def test_a_list_that_is_not_asked_by_the_marker_is_read_once(stage: Stages) -> None:
    """It cannot repeat what it is not told."""
    depot = _Depot(
        lambda _path: Answer({"parcels": [{"id": 3, **one} for one in depot.taken]}), loses=False
    )
    here = stage(depot)
    entry = here.look(
        here.lose({"url": "/parcels", "each": "/parcels", "pointer": "/reference"}), 7.0
    )
    assert (entry["status"], depot.reads) == ("succeeded", ["/parcels"])


_FAILED = {"state": "failed", "error": {"code": "card_declined", "text": "Your card was declined."}}
_SAID = [
    ({"state": "done"}, "succeeded", "matched"),
    (_FAILED, "failed", "refused"),
    ({"state": "processing"}, "in_doubt", "pending"),
    ({"state": "requires_action"}, "in_doubt", "pending"),
    ({"state": None}, "in_doubt", "pending"),
    ({}, "in_doubt", "pending"),
    ({"state": "DONE"}, "in_doubt", "pending"),
    ({"state": True}, "in_doubt", "pending"),
]


@pytest.mark.parametrize(("thing", "status", "result"), _SAID)
def test_a_thing_that_is_found_must_say_success(
    stage: Stages, thing: dict[str, Any], status: str, result: str
) -> None:
    """Only the declared values are a verdict: success, or failure with the thing's own error. Any
    other is looked at again, until it is one.
    """
    now = [thing]
    depot = _Depot(
        lambda _path: Answer({"data": [{"id": 1, **one, **now[0]} for one in depot.taken]}),
        loses=False,
    )
    here = stage(depot)
    when = {
        "took": {"/state": ["done"]},
        "refused": {"/state": "failed"},
        "code": "/error/code",
        "message": "/error/text",
    }
    lost = here.lose({"url": "/parcels", "each": "/data", "pointer": "/reference", "when": when})
    here.look_due(7.0)
    entry = here.entry(lost)
    assert (entry["status"], entry["looks"][-1]["result"]) == (status, result), entry["looks"]
    if status == "failed":
        assert entry["error"]["provider"] == {
            "code": "card_declined",
            "message": "Your card was declined.",
        }
        assert (
            entry["error"]["code"],
            entry["error"]["retryable"],
            "declined" in entry["error"]["message"],
        ) == ("rejected", False, True)
        assert entry["meta"]["resolution"]["evidence"]["verdict"] == "refused"
    if status == "in_doubt":
        assert "/state is" in entry["looks"][-1]["text"]
        now[0] = {"state": "done"}
        here.look_due(30.0)
        assert here.entry(lost)["status"] == "succeeded"
    assert depot.requests == 1


@pytest.mark.parametrize(
    ("thing", "status"),
    [
        ({"state": "DONE"}, "succeeded"),
        ({"state": "DONE", "error": None}, "succeeded"),
        ({"state": "RUNNING"}, "in_doubt"),
        ({"state": "DONE", "error": {"reason": "unknown"}}, "in_doubt"),
        ({"state": "DONE", "error": {"reason": "quota"}}, "failed"),
    ],
)
def test_a_success_that_only_lacks_an_error(
    stage: Stages, thing: dict[str, Any], status: str
) -> None:
    """A job that has ended says that it succeeded by having no error."""
    depot = _Depot(
        lambda _path: Answer({"jobs": [{**one, **thing} for one in depot.taken]}), loses=False
    )
    here = stage(depot)
    when = {
        "took": {"/state": ["DONE"], "/error": [None]},
        "refused": {"/state": ["DONE"], "/error/reason": ["quota"]},
    }
    entry = here.look(
        here.lose({"url": "/jobs", "each": "/jobs", "pointer": "/reference", "when": when}), 7.0
    )
    assert entry["status"] == status, entry["looks"]


@pytest.mark.parametrize(
    "keyed", [{}, {"idempotencyHeader": "Idempotency-Key"}], ids=["unkeyed", "keyed"]
)
@pytest.mark.parametrize("retries", [False, True], ids=["once", "repeated"])
def test_one_failed_thing_speaks_for_one_attempt(
    stage: Stages, keyed: dict[str, Any], *, retries: bool
) -> None:
    """A call was sent once, or repeatedly. With a key of the caller's, all attempts carry one
    marker, and the server may not know the key: the one failed thing that it shows is that of one
    attempt. Another attempt may have succeeded.
    """
    failed = {"state": "failed"}
    depot = _Depot(
        lambda path: next(
            (Answer({**one, **failed}) for one in depot.taken if path.endswith(one["reference"])),
            _NONE,
        )
    )
    depot.loses = False
    here = stage(depot)
    when = {"took": {"/state": ["done"]}, "refused": {"/state": ["failed"]}}
    options = {"onDoubt": "retry"} if retries else {}
    lost = here.lose(
        {"url": "/parcels/{marker}", "pointer": "/reference", "when": when, **keyed},
        options=options,
    )
    assert (depot.requests > 1) is retries
    entry = here.look(lost, 7.0)
    settles = not (keyed and retries)
    assert (entry["status"], entry["looks"][-1]["result"]) == (
        ("failed", "refused") if settles else ("in_doubt", "pending")
    ), entry["looks"]


@pytest.mark.parametrize("same", ["equal", "by its id", "by a declared id"])
def test_one_thing_on_two_pages_is_one(stage: Stages, same: str) -> None:
    """The list shifts while it is read, so the last of one page is the first of the next; a counter
    of it may have changed meanwhile.
    """
    evidence: dict[str, Any] = {"url": "/find/{marker}", "each": "/items", "pointer": "/reference"}
    if same == "by a declared id":
        evidence["id"] = "/meta/key"

    def answer(path: str) -> Any:
        of_call = depot.taken[0]["reference"] == path.rpartition("/")[2]
        of = {"meta": {"key": 5}} if same == "by a declared id" else {"id": 5}
        later = {} if same == "equal" else {"comments": 2}
        return Answer(
            {
                "items": [{**of, **depot.taken[0]}, {**of, **depot.taken[0], **later}]
                if of_call
                else []
            }
        )

    depot = _Depot(answer, loses=False)
    here = stage(depot)
    entry = here.look(here.lose(evidence), 7.0)
    assert (entry["status"], entry["looks"][-1]["result"]) == ("succeeded", "matched"), entry[
        "looks"
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (lambda one: one | {"id": "p-9"}, "/reference"),
        (lambda one: {"data": one | {"id": "p-9"}}, "/data/reference"),
        (
            lambda one: {"ok": True, "data": {"attributes": one, "id": "p-9"}},
            "/data/attributes/reference",
        ),
        (lambda one: {"count": 1, "data": [one | {"id": "p-9"}]}, "/data/0/reference"),
    ],
)
def test_a_matched_look_shows_the_thing(
    stage: Stages, body: Callable[[dict[str, Any]], Any], pointer: str
) -> None:
    """Whoever compares sees what was found, not status and header of the answer around it."""

    def answer(path: str) -> Any:
        found = [one for one in depot.taken if one["reference"] == path.rpartition("/")[2]]
        return Answer(body(found[0])) if found else _NONE

    depot = _Depot(answer, loses=False)
    here = stage(depot)
    entry = here.look(here.lose({"url": "/parcels/{marker}", "pointer": pointer}, name="Ada"), 7.0)
    shown = json.loads(entry["looks"][-1]["text"])
    assert (shown["id"], shown["name"], shown["reference"], "status" in shown) == (
        "p-9",
        "Ada",
        depot.taken[0]["reference"],
        False,
    )


_WHEN = {"took": {"/state": "done"}, "refused": {"/state": "failed"}}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (Answer({"reference": "jackfield", "state": "done"}), _NONE),
        (Answer({"id": 7, "name": "without its reference"}), _NONE),
        (Answer({}, status=410), _NONE),
    ],
    ids=["another reference", "no reference", "gone"],
)
def test_what_answers_at_its_own_address_is_a_sighting(
    stage: Stages, first: Any, then: Any
) -> None:
    """Whatever its own address has answered with once, what is missing there later is no
    absence.
    """
    answers = [first]
    depot = _Depot(
        lambda path: _LIST if path == "/parcels" else answers.pop() if answers else then,
        loses=False,
    )
    here = stage(depot)
    entry = here.look(here.lose(_ABSENT), 1_000.0, 61.0, 61.0)
    assert entry["status"] == "in_doubt", entry["looks"]


@pytest.mark.parametrize("states", [("failed", "done"), ("done", "failed")])
def test_a_thing_that_says_two_things_says_nothing(stage: Stages, states: tuple[str, str]) -> None:
    """A thing that changes between two pages, or fits success and failure, is no verdict, whichever
    comes first.
    """

    def answer(_path: str) -> Any:
        reference = depot.taken[0]["reference"]
        return Answer(
            {"parcels": [{"id": 7, "reference": reference, "state": state} for state in states]}
        )

    depot = _Depot(answer, loses=False)
    here = stage(depot)
    entry = here.look(
        here.lose({"url": "/parcels", "each": "/parcels", "pointer": "/reference", "when": _WHEN}),
        10.0,
    )
    assert (entry["status"], entry["looks"][-1]["result"]) == ("in_doubt", "pending"), entry[
        "looks"
    ]


def test_a_thing_that_fits_success_and_failure_is_no_verdict(stage: Stages) -> None:
    """Values of success and of failure at once prove neither."""
    depot = _Depot(
        lambda _path: Answer(
            {"parcels": [{"reference": depot.taken[0]["reference"], "state": "done", "ok": False}]}
        ),
        loses=False,
    )
    here = stage(depot)
    when = {"took": {"/state": "done"}, "refused": {"/ok": False}}
    entry = here.look(
        here.lose({"url": "/parcels", "each": "/parcels", "pointer": "/reference", "when": when}),
        10.0,
    )
    assert (entry["status"], entry["looks"][-1]["result"]) == ("in_doubt", "pending"), entry[
        "looks"
    ]


@pytest.mark.parametrize("status", [401, 403, 407, 408, 410, 425, 429])
def test_a_declared_code_beside_a_status_of_callers_is_no_absence(
    stage: Stages, status: int
) -> None:
    """A code counts, whatever its status, unless that is about who asks, when and how often."""
    depot = _Depot(
        lambda path: (
            _LIST if path == "/parcels" else Answer({"error": {"code": "none"}}, status=status)
        )
    )
    here = stage(depot)
    entry = here.look(here.lose({**_ABSENT, "absent": {"code": ["none"]}}), 1_000.0, 61.0)
    assert entry["status"] == "in_doubt", entry["looks"]


def test_a_header_that_may_choose_the_account_stands_beside_no_absence(stage: Stages) -> None:
    """The read does not send the call's own header fields: beside one that may choose an account,
    'absentAfter' is refused.
    """
    depot = _Depot(lambda _path: _NONE)
    here = stage(depot)
    inputs = {
        "method": "POST",
        "url": "/parcels",
        "json": {"reference": {"$marker": {}}},
        "evidence": _ABSENT,
    }
    refused = [
        here.runtime.invoke(
            {
                "connector": "http",
                "action": "request",
                "connection": "depot",
                "inputs": {**inputs, "headers": {name: "1"}},
                "dryRun": True,
            }
        )
        for name in ("X-Tenant", "Accept")
    ]
    assert [one.status for one in refused] == ["failed", "succeeded"]
    assert refused[0].error is not None
    assert refused[0].error.details[0].path == "/evidence/absentAfter"


def test_a_key_that_was_never_sent_proves_nothing(stage: Stages) -> None:
    """A thing with null where the key would be is no sign of a call that sent no key."""
    depot = _Depot(lambda _path: Answer({"parcels": [{"id": 1, "key": None}]}), loses=True)
    here = stage(depot)
    evidence = {"url": "/parcels", "each": "/parcels", "pointer": "/key", "equals": {"$key": {}}}
    entry = here.look(here.lose(evidence), 10.0)
    assert entry["status"] == "in_doubt", entry["looks"]
