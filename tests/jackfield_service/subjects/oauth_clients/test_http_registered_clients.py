"""``/v1/oauth-clients``, and connect sessions whose platform names a client: the person approves,
and no tenant has the secret.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.jackfield_service.subjects.connect.connect_attacked import TYPE, Attacked
from tests.jackfield_service.subjects.connect.connect_browser import Person

from http_stand import Client
from jackfield.testing import Answer, Provider, Request
from waiting import until

pytest_plugins = ["tests.jackfield_service.subjects.connect.connect_place"]

_SECRET = "s-secret-4711-of-the-operator"


@pytest.fixture
def operator(site: Attacked) -> Iterator[Client]:
    """May do everything in ``default``, where the client ``shop`` is registered."""
    found, url = site.stand.client(), site.provider.url
    values = {
        "clientId": "c",
        "clientSecret": _SECRET,
        "authorizationUrl": f"{url}/authorize",
        "tokenUrl": f"{url}/token",
        "issuer": url,
    }
    made = found.post("/v1/oauth-clients", {"name": "shop", "values": values})
    assert (made.status, made.headers["location"]) == (201, "/v1/oauth-clients/shop")
    assert _SECRET.encode() not in made.body
    yield found
    found.call("DELETE", "/v1/oauth-clients/shop?force=true")


@pytest.fixture
def tenant(site: Attacked) -> Client:
    """May do everything in the workspace ``acme-1``."""
    return Client(
        site.stand.port,
        site.platform.post("/v1/workspaces/acme-1/tokens", {"scope": "manage"}).json["token"],
    )


def test_a_session_needs_no_secret(site: Attacked, operator: Client, tenant: Client) -> None:
    """The platform names the client: the page asks for nothing, the person approves with it, and
    the connection has its name alone.
    """
    values = {"oauthClient": "shop", "server": site.provider.url}
    begun = site.begin(defaults={"values": values})
    page = Person(site.stand.port).go(begun["url"])
    assert not [
        word
        for word in ("Client", "Secret", "Token URL", "Issuer", "Proxy", "Scopes")
        if word in page.said
    ]
    _, proof = site.approved(begun)
    assert site.confirm(begun, proof).status == 200
    assert site.connected() == "ada"
    stored = tenant.get("/v1/connections/main").json
    assert stored["values"] == values
    assert stored["authorization"]["status"] == "granted"
    shown = b"".join(
        tenant.get(f"/v1/{path}").body for path in ("connections", "audit", "oauth-clients")
    )
    assert _SECRET.encode() not in shown
    assert site.authority.exchanged


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize(
    "member",
    ["tokenUrl", "revocationUrl", "clientId", "clientSecret", "proxy", "caCertificate", "issuer"],
)
def test_a_tenant_sends_the_secret_nowhere(site: Attacked, tenant: Client, member: str) -> None:
    """Each value that would is refused at its place, over each way in."""
    evil = {"oauthClient": "shop", "server": site.provider.url, member: "http://evil.example"}
    draft: dict[str, Any] = {"type": TYPE, "values": evil}
    call = {
        "connector": "people",
        "action": "whoAmI",
        "inputs": {},
        "connection": {"type": "oauth2AuthorizationCode", "values": evil},
    }
    for path, body in (
        ("/v1/connections", {"name": "x", **draft}),
        ("/v1/connections:test", draft),
        ("/v1/invocations", call),
    ):
        answer = tenant.post(path, body)
        found = answer.json.get("error", answer.json)
        assert (answer.status, found["code"], found["details"][0]["path"]) == (
            422,
            "invalid_connection",
            f"/{member}",
        ), (path, answer.body)
    assert site.authority.exchanged == []


def test_clients_are_managed(site: Attacked, operator: Client, tenant: Client) -> None:
    """Shown without secrets, changed, hidden by a workspace's own, and removed once no connection
    names them.
    """
    shown = operator.get("/v1/oauth-clients/shop").json
    assert (shown["inherited"], shown["version"], shown["values"]["clientId"]) == (False, 1, "c")
    rotated = operator.call("PATCH", "/v1/oauth-clients/shop", {"values": {"clientSecret": "next"}})
    assert (rotated.status, rotated.json["version"]) == (200, 2)
    moved = operator.call(
        "PATCH", "/v1/oauth-clients/shop", {"values": {"tokenUrl": "https://evil.example/"}}
    )
    assert (moved.status, moved.json["details"][0]["path"]) == (422, "/values/clientSecret")
    assert (
        operator.post("/v1/oauth-clients", {"name": "shop", "values": {"clientId": "x"}}).status
        == 409
    )
    assert (
        operator.post(
            "/v1/oauth-clients", {"name": "y", "values": {"clientId": "x", "tokenUrl": "no"}}
        ).status
        == 422
    )
    seen = tenant.get("/v1/oauth-clients/shop").json
    assert seen == {"name": "shop", "server": [], "inherited": True, "values": {}}
    assert (
        tenant.call("PATCH", "/v1/oauth-clients/shop", {"values": {"clientSecret": "mine"}}).status
        == 404
    )
    assert tenant.call("DELETE", "/v1/oauth-clients/shop?force=true").status == 404
    assert (
        tenant.post("/v1/oauth-clients", {"name": "shop", "values": {"clientId": "own"}}).status
        == 201
    )
    assert [row["inherited"] for row in tenant.get("/v1/oauth-clients").json["items"]] == [False]
    assert tenant.call("DELETE", "/v1/oauth-clients/shop").json == {
        "removed": "shop",
        "connections": 0,
    }
    values = {"oauthClient": "shop", "server": site.provider.url}
    assert (
        tenant.post(
            "/v1/connections?test=false", {"name": "main", "type": TYPE, "values": values}
        ).status
        == 201
    )
    refused = operator.call("DELETE", "/v1/oauth-clients/shop")
    assert refused.status == 409
    assert "1 connection refers to the OAuth client 'shop': acme-1/main" in refused.json["detail"]
    assert operator.call("DELETE", "/v1/oauth-clients/shop?force=true").json["connections"] == 1
    rows = operator.get("/v1/audit?object=oauth-client:shop").json["items"]
    assert {"oauth_client.created", "oauth_client.changed", "oauth_client.removed"} <= {
        row["event"] for row in rows
    }


def test_a_grant_comes_with_its_connection(
    site: Attacked, operator: Client, tenant: Client
) -> None:
    """No person approves again: the first call refreshes it. It goes to no server that the request
    names, and is never shown.
    """
    assert operator.get("/v1/oauth-clients/shop").status == 200
    token = "grace-refresh"
    grant = {
        "refreshToken": token,
        "scopes": ["a", "b"],
        "user": "u-1",
        "metadata": {"plan": "pro"},
    }
    given = {
        "name": "grace",
        "type": TYPE,
        "values": {"oauthClient": "shop", "server": site.provider.url},
        "grant": grant,
    }
    evil = {
        "clientId": "x",
        "tokenUrl": site.provider.url,
        "authorizationUrl": site.provider.url,
        "server": site.provider.url,
    }
    refused = tenant.post("/v1/connections", {**given, "values": evil})
    assert (
        refused.status,
        {detail["path"] for detail in refused.json["details"]} >= {"/tokenUrl", "/server"},
    ) == (422, True)
    assert tenant.post("/v1/connections", {**given, "grant": {"refreshToken": "a b"}}).status == 422
    assert site.authority.exchanged == []
    made = tenant.post("/v1/connections", given)
    assert (
        made.status,
        made.json["authorization"]["user"],
        made.json["authorization"]["metadata"],
    ) == (201, "u-1", {"plan": "pro"})
    assert tenant.post("/v1/connections", given).status == 409
    call = {"connector": "people", "action": "whoAmI", "connection": "grace", "inputs": {}}
    assert [tenant.post("/v1/invocations", call).json["output"] for _ in range(2)] == [
        {"sub": "grace"}
    ] * 2
    assert [form["refresh_token"] for form in site.authority.exchanged] == [token]
    shown = b"".join(
        tenant.get(f"/v1/{path}").body
        for path in ("connections", "connections/grace", "audit", "invocations")
    )
    assert token.encode() not in shown + made.body + refused.body


@dataclass
class Rotating:
    """A provider that accepts some secrets of its client, and tokens since ``oldest``. ``used`` has
    the secret of each token it gave.
    """

    accepted: set[str] = field(default_factory=lambda: {_SECRET})
    used: list[str] = field(default_factory=list)
    oldest: int = 0
    served: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, _number: int, request: Request) -> Answer:
        """Answer a request."""
        given = next(
            value for name, value in request.headers.items() if name.lower() == "authorization"
        ).split(" ")[1]
        with self.lock:
            if request.path == "/token":
                secret = base64.b64decode(given).decode().partition(":")[2]
                if secret not in self.accepted:
                    return Answer({"error": "invalid_client"}, 401)
                self.used.append(secret)
                return Answer(
                    {
                        "access_token": f"t{len(self.used)}",
                        "token_type": "Bearer",
                        "refresh_token": "ada-refresh",
                    }
                )
            if int(given.removeprefix("t")) < self.oldest:
                return Answer({"error": "expired"}, 401)
            self.served += 1
            return Answer({"sub": "ada"})

    def expire(self, secret: str) -> None:
        """Refuse all tokens given so far; wait until one was got with ``secret`` and served
        calls.
        """
        with self.lock:
            self.oldest, given, served = len(self.used) + 1, len(self.used), self.served
        until(lambda: self.used[given:] and self.used[-1] == secret and self.served > served + 20)


def test_a_secret_is_rotated_beside_calls(site: Attacked, operator: Client, tenant: Client) -> None:
    """No call fails: neither while the provider accepts both secrets, nor once it refuses the old
    one, with tokens that end meanwhile.
    """
    answers, over = Rotating(), threading.Event()
    call = {"connector": "people", "action": "whoAmI", "connection": "rotated", "inputs": {}}

    done = [0] * 4

    def calls(place: int) -> list[Any]:
        failed = []
        while not over.is_set():
            answer = tenant.post("/v1/invocations", call).json
            failed += [] if answer["status"] == "succeeded" else [answer["error"]]
            done[place] += 1
        return failed

    def all_are_newer() -> None:
        before = [*done]
        until(lambda: all(now > then + 1 for then, now in zip(before, done, strict=True)))

    with Provider(answers) as provider, ThreadPoolExecutor(4) as pool:
        places = {
            "authorizationUrl": f"{provider.url}/authorize",
            "tokenUrl": f"{provider.url}/token",
            "issuer": provider.url,
        }
        own = {"clientId": "c", "clientSecret": _SECRET, **places}
        assert operator.post("/v1/oauth-clients", {"name": "rotated", "values": own}).status == 201
        given = {
            "name": "rotated",
            "type": TYPE,
            "values": {"oauthClient": "rotated", "server": provider.url},
        }
        assert (
            tenant.post(
                "/v1/connections", {**given, "grant": {"refreshToken": "ada-refresh"}}
            ).status
            == 201
        )
        running = [pool.submit(calls, place) for place in range(4)]
        try:
            old = _SECRET
            for number in range(5):
                new = f"{_SECRET}-{number}"
                answers.accepted.add(new)
                assert (
                    operator.call(
                        "PATCH", "/v1/oauth-clients/rotated", {"values": {"clientSecret": new}}
                    ).status
                    == 200
                )
                all_are_newer()
                answers.expire(new)
                answers.accepted.remove(old)
                answers.expire(new)
                old = new
        finally:
            over.set()
        assert [fault for one in running for fault in one.result()] == []
    assert operator.call("DELETE", "/v1/oauth-clients/rotated?force=true").json["connections"] == 1
