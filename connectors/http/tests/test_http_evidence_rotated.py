"""Credentials that change between a call whose answer was lost and the looks for it: what another
account lacks proves nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import pytest

from clocks import StillClock, time_passes
from jackfield.testing import Answer, Provider, Request
from jackfield_aws import sessions
from jackfield_store.runtime import Jackfield
from jackfield_store.runtime.evidence_loop import look_now
from jackfield_store.runtime.runtime_pool import RuntimePool
from settling_home import settling_home

_PARCEL: dict[str, Any] = {
    "method": "POST",
    "url": "/parcels",
    "json": {"reference": {"$marker": {}}},
    "evidence": {
        "url": "/parcels/{marker}?nonce={fresh}",
        "pointer": "/reference",
        "absentAfter": 300,
        "page": "its page",
        "canary": "/parcels",
        "canaryShows": {"/depot": "north"},
    },
}
_TOKENS = {
    "ours": "first-token-of-ours",
    "renewed": "second-token-of-ours",
    "theirs": "a-token-of-theirs",
}
_SIGNED = re.compile(r"Bearer (.+)|AWS4-HMAC-SHA256 Credential=([^/]+)/.+")


class _Depot:
    """Provider of two accounts, which signs in whoever approves next. It takes a parcel and hangs
    up; ``loses`` what it is sent.
    """

    def __init__(self, *, loses: bool) -> None:
        self.loses, self.requests, self.next = loses, 0, _TOKENS["ours"]
        self.taken: list[tuple[bool, str]] = []

    def __call__(self, _number: int, request: Request) -> Any:
        """Issue a token, take a parcel, or show one of the account that asks, whose token it
        quotes.
        """
        if request.path == "/token":
            return Answer(
                {
                    "access_token": self.next,
                    "refresh_token": "a-refresh-token",
                    "token_type": "Bearer",
                    "expires_in": 500,
                }
            )
        signed = _SIGNED.fullmatch(request.headers["Authorization"])
        assert signed is not None
        token = signed[1] or signed[2]
        is_theirs = token == _TOKENS["theirs"]
        if request.method == "POST":
            self.requests += 1
            self.taken += [] if self.loses else [(is_theirs, json.loads(request.body)["reference"])]
            return "close"
        if request.path == "/parcels":
            return Answer({"depot": "north", "parcels": len(self.taken)})
        found = (is_theirs, request.path.partition("?")[0].rpartition("/")[2]) in self.taken
        return Answer(
            {"reference": self.taken[0][1], "by": signed[1]}
            if found
            else {"error": f"{token} has none"},
            status=200 if found else 404,
        )


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home where evidence settles doubts, and an AWS identity of the host that nobody else
    sees.
    """
    with settling_home(tmp_path) as found, mock.patch.dict(os.environ):
        yield found


def _approve(runtime: Jackfield) -> None:
    begun = runtime.connections.authorizing().begin(
        "depot", "https://jackfield.example/oauth2/callback"
    )
    state = dict(parse_qsl(urlsplit(begun["url"]).query))["state"]
    runtime.connections.authorizing().complete(begun["id"], {"state": state, "code": "a-code"})


def _connect(runtime: Jackfield, server: str, kind: str) -> None:
    """Store the connection: its token is a variable, or that of who approves; or the host's own key
    signs.
    """
    if kind == "host":
        runtime.connections.add(
            "depot", "http/awsSigV4", {"server": server, "region": "eu-west-1"}, test=False
        )
        return
    if kind == "secret":
        runtime.connections.add(
            "depot", "http/bearer", {"server": server, "token": {"$env": "DEPOT"}}, test=False
        )
        return
    login = {"authorizationUrl": f"{server}/auth", "tokenUrl": f"{server}/token", "clientId": "web"}
    runtime.connections.add(
        "depot", "http/oauth2AuthorizationCode", {"server": server, **login}, test=False
    )
    _approve(runtime)


def _signs_in(environment: dict[str, str], who: str) -> None:
    """Give a process the variable of the connection, and an AWS identity of the host, which it
    reads once.
    """
    sessions._shared.forget_machines()
    environment["DEPOT"] = os.environ["AWS_ACCESS_KEY_ID"] = _TOKENS[who]
    os.environ["AWS_SECRET_ACCESS_KEY"] = "a-secret-of-the-host"


def _looked(environment: dict[str, str], depot: _Depot, kind: str, then: str) -> dict[str, Any]:
    """Make a call whose answer is lost. Let its connection have the credentials ``then``, look
    twice, and return the entry.
    """
    clock, depot.next = StillClock(), _TOKENS["ours"]
    with Provider(depot) as provider:
        _signs_in(environment, "ours")
        with closing(RuntimePool(environment, clock)) as pool:
            runtime = pool.find("default")
            runtime.access.workspaces.set("default", {"settleAbsent": True})
            time_passes(0.0, clock, pool.storage.database)
            _connect(runtime, provider.url, kind)
            call = {
                "connector": "http",
                "action": "request",
                "connection": "depot",
                "inputs": _PARCEL,
                "timeoutSeconds": 5,
            }
            lost = runtime.invoke(call)
            assert lost.status == "in_doubt", lost.error
            depot.next = _TOKENS[then]
            _signs_in(environment, then)
            if (kind, then) == ("approval", "theirs"):
                _approve(runtime)
        # another process: it reads the variable anew
        with closing(RuntimePool(environment, clock)) as pool:
            runtime = pool.find("default")
            for seconds in (1_000.0, 61.0):
                clock.advance(seconds)
                time_passes(0.0, clock, pool.storage.database)
                look_now(runtime, lost.meta.invocation_id)
            assert runtime.journal is not None
            entry: dict[str, Any] = runtime.journal.find(lost.meta.invocation_id).to_json()
    assert [name for name, token in _TOKENS.items() if token in json.dumps(entry)] == []
    assert depot.requests == 1
    return entry


@pytest.mark.parametrize("kind", ["secret", "approval", "host"])
def test_what_another_account_lacks_is_not_absent(environment: dict[str, str], kind: str) -> None:
    """The secret that the connection refers to is changed, another person approves it, or the host
    has another identity: its version stays the same. The parcel that the call's own account took is
    not found; the call stays in doubt, and its looks say why.
    """
    entry = _looked(environment, _Depot(loses=False), kind, "theirs")
    assert (entry["status"], {one["result"] for one in entry["looks"]}) == ("in_doubt", {"nothing"})
    assert {"host": "the host's own credentials"}.get(
        kind, "credentials that were changed since"
    ) in entry["looks"][-1]["text"]


@pytest.mark.parametrize(
    ("kind", "then", "loses", "status"),
    [
        ("secret", "ours", True, "failed"),
        ("approval", "ours", True, "failed"),
        ("approval", "renewed", True, "failed"),
        ("secret", "renewed", True, "in_doubt"),
        ("secret", "renewed", False, "succeeded"),
        ("approval", "renewed", False, "succeeded"),
        ("host", "ours", True, "in_doubt"),
        ("host", "ours", False, "succeeded"),
    ],
)
def test_credentials_of_the_same_account_prove_what_they_find(
    environment: dict[str, str], kind: str, then: str, status: str, *, loses: bool
) -> None:
    """A parcel with the marker is the call's own, whoever reads it. That there is none counts with
    the call's credentials, and with tokens that are refreshed under one approval; nobody can tell a
    rotated secret, or a host's identity, from another account's.
    """
    entry = _looked(environment, _Depot(loses=loses), kind, then)
    assert entry["status"] == status, entry["looks"]
