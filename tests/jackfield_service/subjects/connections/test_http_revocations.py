"""Approvals of removed connections and of deleted tenants are revoked at their providers, with
retries while one does not answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.testing import Answer, Provider, Request
from jackfield_market.testing.registrations import RegistrationProvider
from jackfield_store.access.platform_tokens import PlatformTokens
from oauth2_authority import Codes
from oauth2_site import make_people
from plugboard import plugged
from waiting import until

BACK = "https://j.example/oauth2/callback"


@dataclass
class Authority(Codes):
    """An authorization server with a revocation endpoint, which answers with ``status``."""

    status: int = 200
    revoked: list[str] = field(default_factory=list)

    def __call__(self, number: int, request: Request) -> Answer:
        """Answer a request."""
        if request.path != "/revoke":
            return super().__call__(number, request)
        if self.status == 200:
            self.revoked.append(parse_qs(request.body.decode())["token"][0])
        return Answer({}, self.status)


@pytest.fixture
def authority() -> Authority:
    """An authorization server."""
    return Authority()


@pytest.fixture
def provider(authority: Authority) -> Iterator[Provider]:
    """Its loopback server."""
    with Provider(authority) as found:
        yield found


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A server that runs what is due when it is told to."""
    make_people(tmp_path / "packages")
    with (
        plugged(tmp_path / "packages"),
        standing(tmp_path, replace(SETTINGS, queue_workers=0)) as found,
    ):
        yield found


def connect(
    stand: Stand,
    provider: Provider,
    workspace: str,
    name: str,
    *,
    revocable: bool = True,
    type: str = "people/oauth2AuthorizationCode",
    **more: str,
) -> None:
    """Have somebody approve a new connection."""
    values = {
        "server": provider.url,
        "authorizationUrl": f"{provider.url}/authorize",
        "tokenUrl": f"{provider.url}/token",
        "clientId": "c",
    }
    known = stand.host.runtime(workspace).connections
    if revocable:
        more["revocationUrl"] = f"{provider.url}/revoke"
    known.add(name, type, {**values, **more}, test=False)
    authorizing = known.authorizing()
    begun = authorizing.begin(name, BACK)
    state = parse_qs(urlsplit(begun["url"]).query)["state"][0]
    authorizing.complete(begun["id"], {"code": f"{name}s-code", "state": state})


def left(stand: Stand) -> int:
    """The revocations that are left, which are due from now on."""
    with stand.host.storage.database.write() as transaction:
        return transaction.change("UPDATE revocations SET wake_at = 0", {})


def told(stand: Stand, workspace: str = "default") -> list[tuple[str, bool]]:
    """What the audit log says of ended approvals: the connection, and whether the provider was
    told.
    """
    from jackfield_store.access import Audit

    storage = stand.host.storage
    entries, _ = Audit(storage.database, lambda: storage.vault, workspace, stand.host.clock).list(
        event="connection.approval_ended"
    )
    return [(entry.about["object"], entry.about["details"]["told"]) for entry in entries]


def test_a_removed_connection_is_revoked_when_the_provider_answers(
    stand: Stand, authority: Authority, provider: Provider
) -> None:
    """While the provider is down, the approval is kept, sealed, and told again; one without an
    endpoint, or that it refuses, is over.
    """
    connect(stand, provider, "default", "ada")
    connect(stand, provider, "default", "bob", revocable=False)
    authority.status = 503
    client = stand.client("manage")
    assert client.call("DELETE", "/v1/connections/ada").status == 204
    assert (authority.revoked, told(stand), left(stand)) == ([], [], 1)
    assert stand.host.revoke_approvals() == {}
    authority.status = 200
    assert (left(stand), [*stand.host.revoke_approvals().values()]) == (1, [True])
    assert (authority.revoked, left(stand), stand.host.revoke_approvals()) == (
        ["ada-refresh"],
        0,
        {},
    )
    assert client.call("DELETE", "/v1/connections/bob").status == 204
    assert told(stand) == [("connection:bob", False), ("connection:ada", True)]


@dataclass
class Hub(Authority):
    """An authorization server whose API keeps webhooks, and asks for a token that was not
    revoked.
    """

    hooks: RegistrationProvider = field(default_factory=lambda: RegistrationProvider("/data"))

    def __call__(self, number: int, request: Request) -> Any:
        """Answer a request."""
        if not request.path.startswith("/repos/"):
            return super().__call__(number, request)
        return (
            Answer({}, 401)
            if "ada-refresh" in self.revoked or "Bearer ada-token" not in request.headers.values()
            else self.hooks(number, request)
        )


def test_a_webhook_is_unregistered_before_the_approval_is_revoked(tmp_path: Path) -> None:
    """A removed connection's grant is kept until the provider was told that its webhooks are
    gone.
    """
    hub = Hub()
    hub.hooks.list_of = {"/repos/octocat/Hello-World/hooks": ""}
    with (
        Provider(hub) as provider,
        standing(tmp_path, replace(SETTINGS, public_url="https://j.example")) as stand,
    ):
        connect(stand, provider, "default", "ada", type="github/oauth", server=provider.url)
        client = stand.client()
        inputs = {"owner": "octocat", "repo": "Hello-World", "events": ["issues"]}
        document = {
            "name": "pushes",
            "trigger": "github/repositoryEvents",
            "connection": "ada",
            "inputs": inputs,
        }
        assert client.post("/v1/subscriptions", document).status == 201
        until(lambda: hub.hooks.kept)
        assert client.call("DELETE", "/v1/connections/ada").status == 204
        until(lambda: not hub.hooks.kept)
        assert (hub.revoked, left(stand)) == ([], 1)
        # once it is stored that the provider knows
        until(lambda: left(stand) and [*stand.host.revoke_approvals().values()] == [True])
        assert (hub.revoked, left(stand), told(stand)) == (
            ["ada-refresh"],
            0,
            [("connection:ada", True)],
        )


def test_a_deleted_tenant_leaves_no_webhook_at_its_provider(tmp_path: Path) -> None:
    """Its webhooks are unregistered after the purge, then the approval is revoked that this needed,
    and one of a connection that was removed before, when the provider was down. The suspended
    tenant's provider is asked to send its events later.
    """
    hub = Hub()
    hub.hooks.list_of = {"/repos/octocat/Hello-World/hooks": ""}
    with (
        Provider(hub) as provider,
        standing(tmp_path, replace(SETTINGS, public_url="https://j.example")) as stand,
    ):
        storage = stand.host.storage
        platform = Client(
            stand.port,
            PlatformTokens(storage.database, storage.vault, stand.host.clock)
            .create("acme-*", "shop")
            .text,
        )
        platform.call("PUT", "/v1/workspaces/acme-1", {})
        for name in ("ada", "bob"):
            connect(stand, provider, "acme-1", name, type="github/oauth", server=provider.url)
        tenant = Client(
            stand.port,
            platform.post("/v1/workspaces/acme-1/tokens", {"scope": "manage", "name": "t"}).json[
                "token"
            ],
        )
        inputs = {"owner": "octocat", "repo": "Hello-World", "events": ["issues"]}
        document = {
            "name": "pushes",
            "trigger": "github/repositoryEvents",
            "connection": "ada",
            "inputs": inputs,
        }
        made = tenant.post("/v1/subscriptions", document)
        assert made.status == 201
        until(lambda: hub.hooks.kept)
        hub.status = 503
        assert tenant.call("DELETE", "/v1/connections/bob").status == 204
        hub.status = 200
        platform.call("DELETE", "/v1/workspaces/acme-1")
        refused = Client(stand.port, "").post(urlsplit(made.json["url"]).path, {})
        assert (refused.status, refused.headers["retry-after"]) == (503, "60")
        purged = platform.call("DELETE", "/v1/workspaces/acme-1?purge=true").json
        assert purged["revoked"]["webhooks"] == 1
        until(lambda: not hub.hooks.kept)
        until(lambda: stand.client().get("/v1/subscriptions").json["items"] == [])
        # one try may come too early, or take too long
        until(lambda: not left(stand) or stand.host.revoke_approvals() is None)
        assert sorted(hub.revoked) == ["ada-refresh", "bob-refresh"]
        assert sorted(told(stand)) == [
            ("connection:ada of acme-1", True),
            ("connection:bob of acme-1", True),
        ]


def test_a_deleted_tenant_is_revoked_and_leaves_nothing(
    stand: Stand, authority: Authority, provider: Provider
) -> None:
    """The answer counts the approvals that were revoked and those that wait; the operator's audit
    log tells of these when it happens.
    """
    storage = stand.host.storage
    platform = Client(
        stand.port,
        PlatformTokens(storage.database, storage.vault, stand.host.clock)
        .create("acme-*", "shop")
        .text,
    )
    for workspace in ("acme-1", "acme-2"):
        platform.call("PUT", f"/v1/workspaces/{workspace}", {})
        connect(stand, provider, workspace, "ada")
        connect(stand, provider, workspace, "bob")
        connect(stand, provider, workspace, "eve", revocable=False)
        platform.call("DELETE", f"/v1/workspaces/{workspace}")
    purged = platform.call("DELETE", "/v1/workspaces/acme-1?purge=true").json
    assert (purged["status"], purged["deleted"]["grants"], purged["revoked"]) == (
        "purged",
        3,
        {"approvals": 2, "pending": 0, "webhooks": 0},
    )
    authority.status = 503
    purged = platform.call("DELETE", "/v1/workspaces/acme-2?purge=true").json
    assert purged["revoked"] == {"approvals": 0, "pending": 2, "webhooks": 0}
    authority.status = 200
    assert (left(stand), len(stand.host.revoke_approvals()), left(stand)) == (2, 2, 0)
    assert sorted(authority.revoked) == ["ada-refresh", "ada-refresh", "bob-refresh", "bob-refresh"]
    assert ("connection:ada of acme-2", True) in told(stand)
