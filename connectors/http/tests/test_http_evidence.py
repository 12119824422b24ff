"""Evidence that a caller gives with a request: where its marker goes, and which read finds it
again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clocks import StillClock, time_passes
from jackfield.connector.evidence import MARKER_TEXT
from jackfield.testing import Answer, Harness, Provider, Request
from jackfield_store.runtime.evidence_loop import look_now
from jackfield_store.runtime.runtime_pool import RuntimePool
from settling_home import looked_for, settling_home

PARCEL: dict[str, Any] = {
    "method": "POST",
    "url": "/parcels",
    "json": {"name": "Ada", "reference": {"$marker": {}}, "$filter": {"$eq": 1}},
    "evidence": {"url": "/parcels?since=today", "each": "/parcels", "pointer": "/reference"},
}


class _Depot:
    """Provider that takes parcels and hangs up; reads show what it took. ``loses`` what it is
    sent.
    """

    def __init__(self, *, loses: bool = False) -> None:
        self.loses, self.taken = loses, list[Request]()
        self.reads, self.requests = list[str](), 0

    def __call__(self, _number: int, request: Request) -> Any:
        """Take a parcel, or answer a read."""
        if request.method == "GET":
            self.reads.append(request.path)
            parcels = [{"id": 7, **json.loads(one.body)} for one in self.taken]
            if request.path.startswith("/parcels?"):
                return Answer({"parcels": [{"id": 1, "reference": "of somebody else"}, *parcels]})
            found = [
                one
                for one in parcels
                if str(one["reference"]).endswith(request.path.rpartition("/")[2])
            ]
            return Answer(found[0]) if found else Answer({"error": "none"}, status=404)
        self.requests += 1
        if not self.loses:
            self.taken.append(request)
        return "close"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home where evidence settles doubts."""
    with settling_home(tmp_path) as found:
        yield found


def _lost(
    environment: dict[str, str], depot: Callable[[int, Request], Any], inputs: dict[str, Any]
) -> dict[str, Any]:
    """Send a request whose answer is lost, look for it, and return its entry."""
    with Provider(depot) as provider:
        return looked_for(
            environment,
            "http/anonymous",
            {"server": provider.url},
            {"connector": "http", "action": "request", "inputs": inputs},
        )


@pytest.mark.parametrize("loses", [False, True], ids=["took", "lost"])
def test_a_lost_request_is_found_by_the_callers_evidence(
    environment: dict[str, str], *, loses: bool
) -> None:
    """The marker is in the body where the caller has asked for it; other members with a dollar are
    his.
    """
    depot = _Depot(loses=loses)
    entry = _lost(environment, depot, PARCEL)
    assert (entry["status"], [one["result"] for one in entry["looks"]]) == (
        ("in_doubt", ["nothing"]) if loses else ("succeeded", ["matched"])
    ), entry["looks"]
    assert (depot.requests, depot.reads) == (1, ["/parcels?since=today"])
    if not loses:
        body = json.loads(depot.taken[0].body)
        assert MARKER_TEXT.fullmatch(body["reference"])
        assert body["$filter"] == {"$eq": 1}


def test_a_look_that_is_sent_elsewhere_proves_nothing(environment: dict[str, str]) -> None:
    """The provider redirects the read to another server, which would confirm anything: a look stays
    where its connection leads, as calls do, and nobody asks the other one.
    """
    asked: list[Request] = []

    def confirms(_number: int, request: Request) -> Any:
        asked.append(request)
        return Answer({"parcels": [{"id": 9, **json.loads(one.body)} for one in depot.taken]})

    class _Redirecting(_Depot):
        def __call__(self, number: int, request: Request) -> Any:
            if request.method == "GET":
                return Answer(b"", status=302, headers={"Location": f"{other.url}/parcels"})
            return super().__call__(number, request)

    with Provider(confirms) as other:
        depot = _Redirecting()
        entry = _lost(environment, depot, PARCEL)
    assert (entry["status"], entry["looks"][0]["result"], asked) == ("in_doubt", "failed", [])


def test_a_thing_is_read_by_an_id_that_the_marker_made(environment: dict[str, str]) -> None:
    """The marker is part of texts: of a header field and of what is read."""
    inputs = {
        **PARCEL,
        "headers": {"X-Trace": "of {marker}"},
        "json": {"reference": {"$marker": {"text": "order-{marker}"}}},
        "evidence": {
            "url": "/parcels/{marker}",
            "pointer": "/reference",
            "equals": {"$marker": {"text": "order-{marker}"}},
        },
    }
    depot = _Depot()
    entry = _lost(environment, depot, inputs)
    assert (entry["status"], entry["resolvedBy"]) == ("succeeded", "evidence"), entry["looks"]
    sent = depot.taken[0]
    marker = json.loads(sent.body)["reference"].removeprefix("order-")
    assert (sent.headers["X-Trace"], depot.reads[0], len(depot.reads)) == (
        f"of {marker}",
        f"/parcels/{marker}",
        2,
    )
    # that of nobody, which finds nothing
    assert MARKER_TEXT.fullmatch(depot.reads[1].rpartition("/")[2])


@pytest.mark.parametrize(
    ("more", "bodies"),
    [({}, 2), ({"idempotencyHeader": "Idempotency-Key"}, 1)],
    ids=["unkeyed", "keyed"],
)
def test_attempts_under_one_key_are_equal(
    environment: dict[str, str], more: dict[str, str], bodies: int
) -> None:
    """A provider that knows keys compares the requests of one, so they have one marker; without a
    key, each attempt has its own.
    """
    depot, pages = _Depot(), [Answer({}, status=429, headers={"Retry-After": "0"})]
    sent: list[bytes] = []

    def answered(number: int, request: Request) -> Any:
        if request.method == "POST":
            sent.append(request.body)
        return pages.pop() if pages and request.method == "POST" else depot(number, request)

    entry = _lost(environment, answered, {**PARCEL, **more})
    assert (entry["status"], len(sent), len({*sent})) == ("succeeded", 2, bodies), entry["looks"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"json": {"name": "Ada"}}, "/evidence"),
        (
            {"evidence": {"url": "https://elsewhere.example/parcels", "pointer": "/reference"}},
            "/evidence/url",
        ),
        (
            {"evidence": {"url": "/parcels", "pointer": "/reference", "equals": "a constant"}},
            "/evidence",
        ),
        (
            {
                "evidence": {
                    "url": "/parcels",
                    "pointer": "/reference",
                    "equals": {"$marker": {"text": "a constant"}},
                }
            },
            "/evidence",
        ),
        (
            {"evidence": {"url": "/parcels", "pointer": "/reference", "absentAfter": 600}},
            "/evidence",
        ),
        ({"evidence": {"url": "/parcels", "pointer": "/reference", "looks": [30, 5]}}, "/evidence"),
        (
            {
                "evidence": {
                    "url": "/parcels",
                    "pointer": "/reference",
                    "equals": ["x" * 3000, {"$marker": {}}],
                }
            },
            "/evidence",
        ),
        ({"json": {"reference": {"$marker": {}}, "copied": f"jf1-{'a' * 26}"}}, "/json"),
        (
            {
                "json": {"name": "Ada"},
                "evidence": {
                    "url": "/parcels/{marker}",
                    "pointer": "/reference",
                    "equals": {"$key": {}},
                },
            },
            "/evidence",
        ),
        ({"evidence": {"url": f"/parcels/jf1-{'a' * 26}", "pointer": "/reference"}}, "/evidence"),
    ],
)
def test_evidence_that_proves_nothing_is_refused(
    harness: Harness, change: dict[str, Any], path: str
) -> None:
    """Nothing is sent, and the Result says where the fault is."""
    server = harness.serve(Answer({}))
    error = harness.invoke("request", {**PARCEL, **change}).error
    assert error is not None
    assert ([detail.path for detail in error.details][:1], server.requests) == ([path], [])


@pytest.mark.parametrize(
    "server",
    [
        "https://{marker}.depot.example",
        "https://{marker}",
        "https://depot.example:{marker}",
        "https://{marker}@depot.example",
        "https://a:{marker}@depot.example",
        "https://depot.example\\@{marker}.example",
        "{marker}://depot.example",
        "//{marker}.example",
        "HTTPS://depot.{marker}",
        "{marker}",
        "https:{marker}",
    ],
)
@pytest.mark.parametrize("both", [False, True], ids=["look", "request"])
def test_a_marker_chooses_no_server(harness: Harness, server: str, *, both: bool) -> None:
    """It may be in the path and the query of what is sent and read, never before: a look goes where
    the write went.
    """
    harness.serve(Answer({}))
    evidence = {"url": f"{server}/parcels", "pointer": "/reference"}
    error = harness.invoke(
        "request",
        {**PARCEL, "evidence": evidence, **({"url": f"{server}/parcels"} if both else {})},
    ).error
    assert error is not None
    assert [detail.path for detail in error.details] == (
        [*(["/url"] if both else []), "/evidence/url"]
    )


@pytest.mark.parametrize("by", ["token", "redirect"])
def test_only_the_server_that_is_asked_can_miss_a_thing(
    environment: dict[str, str], by: str
) -> None:
    """A token endpoint or another server that says 404 says nothing about the parcel: the look has
    failed, and the doubt stays.
    """
    inputs = {
        **PARCEL,
        "evidence": {
            "url": "/parcels/{marker}",
            "pointer": "/reference",
            "absentAfter": 300,
            "page": "its page",
        },
    }
    clock, tokens, missing = StillClock(), list[str](), Answer({}, status=404)

    def depot(_number: int, request: Request) -> Any:
        if request.path == "/token":
            tokens.append(request.path)
            return (
                Answer({"access_token": "tok-12345678", "token_type": "Bearer", "expires_in": 1})
                if len(tokens) == 1
                else missing
            )
        if request.method == "POST":
            return "close"
        return (
            Answer({}, status=302, headers={"Location": f"{elsewhere.url}/login"})
            if by == "redirect"
            else Answer({"reference": "none"})
        )

    with Provider(depot) as provider, Provider(lambda _number, _request: missing) as elsewhere:
        login = {
            "tokenUrl": f"{provider.url}/token",
            "clientId": "c",
            "clientSecret": "a-secret-of-the-depot",
        }
        kind, values = (
            ("http/oauth2ClientCredentials", login) if by == "token" else ("http/anonymous", {})
        )
        pool = RuntimePool(environment, clock)
        try:
            runtime = pool.find("default")
            runtime.access.workspaces.set("default", {"settleAbsent": True})
            time_passes(0.0, clock, pool.storage.database)
            runtime.connections.add("depot", kind, {"server": provider.url, **values}, test=False)
            call = {
                "connector": "http",
                "action": "request",
                "connection": "depot",
                "inputs": inputs,
                "timeoutSeconds": 5,
            }
            identifier = runtime.invoke(call).meta.invocation_id
            for seconds in (400.0, 61.0):
                clock.advance(seconds)
                time_passes(0.0, clock, pool.storage.database)
                look_now(runtime, identifier)
            assert runtime.journal is not None
            entry = runtime.journal.find(identifier).to_json()
        finally:
            pool.close()
    assert (entry["status"], {one["result"] for one in entry["looks"]}) == ("in_doubt", {"failed"})


def test_where_nobody_looks_the_request_is_complete_all_the_same(harness: Harness) -> None:
    """Without a store nobody keeps a marker. Its places have values that no other request has."""
    server = harness.serve(Answer({}), Answer({}))
    for _ in range(2):
        assert harness.invoke("request", PARCEL).status == "succeeded"
    sent = [json.loads(request.body)["reference"] for request in server.requests]
    assert all(MARKER_TEXT.fullmatch(one) for one in sent)
    assert sent[0] != sent[1]


def test_without_evidence_placeholders_are_data(harness: Harness) -> None:
    """Objects and texts that look like placeholders are the caller's own."""
    server = harness.serve(Answer({}))
    inputs = {
        "method": "POST",
        "url": "/notes",
        "json": {"$marker": {}},
        "headers": {"X-Trace": "{marker}"},
    }
    assert harness.invoke("request", inputs).status == "succeeded"
    sent = server.requests[0]
    assert (json.loads(sent.body), sent.headers["X-Trace"]) == ({"$marker": {}}, "{marker}")


def test_a_dry_run_shows_the_evidence(harness: Harness) -> None:
    """What would be read is shown beside what would be sent."""
    server = harness.serve(Answer({}))
    shown = harness.invoke("request", PARCEL, dryRun=True).meta.request
    assert shown is not None
    assert (shown["evidence"], shown["body"]["reference"]) == (PARCEL["evidence"], {"$marker": {}})
    assert server.requests == []
