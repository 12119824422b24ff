"""OAuth clients that are registered once: connections refer to them, and the secret goes where the
client says, and nowhere else.
"""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from inmemory import installed
from jackfield.callers.actor import Actor
from jackfield.catalog import Catalog, installed_here
from jackfield.connections.oauth_clients import VALUES
from jackfield.connections.provenance import Provenance
from jackfield.connector import InvalidConnection
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield_http import OAuth2AuthorizationCode, OAuth2ClientCredentials
from jackfield_market.testing.loopback_provider import Answer, Provider, Request
from jackfield_service.subjects.sealed_rows import SEALED_ROWS
from jackfield_store.access import Audit, Workspaces
from jackfield_store.database import open_database
from jackfield_store.management.oauth_clients import ClientInUse, OAuthClients, oauth_clients
from jackfield_store.resources.verify import StoredContents
from jackfield_store.runtime import Jackfield
from oauth2_people import make_connector
from postgres import database_url, postgres_database, postgres_server, postgres_url

__all__ = ["database_url", "postgres_database", "postgres_server", "postgres_url"]

_SECRET, _NEXT = "s-secret-4711-of-the-operator", "s-secret-4712-of-the-operator"
_REMOTE = Provenance("remote")


@dataclass
class Authority:
    """Authorization server that knows some secrets, and whose tokens last for ``lasts`` seconds."""

    secrets: set[str] = field(default_factory=lambda: {_SECRET})
    lasts: int = 3600
    issued: int = 0
    forms: list[dict[str, str]] = field(default_factory=list)
    used: list[str] = field(default_factory=list)

    def __call__(self, _number: int, request: Request) -> Answer:
        """Answer one request."""
        if request.path.startswith("/token"):
            given = {name.lower(): value for name, value in request.headers.items()}.get(
                "authorization", ""
            )
            secret = next(
                (
                    one
                    for one in self.secrets
                    if given == f"Basic {b64encode(f'app:{one}'.encode()).decode()}"
                ),
                None,
            )
            if secret is None:
                return Answer({"error": "invalid_client"}, 401)
            self.used.append(secret)
            self.forms.append(dict(parse_qsl(request.body.decode())))
            self.issued += 1
            return Answer(
                {
                    "access_token": f"t{self.issued}",
                    "token_type": "Bearer",
                    "refresh_token": "r1",
                    "expires_in": self.lasts,
                }
            )
        return Answer({"sub": "ada"})


class Site:
    """A database with a runtime for each workspace, an authorization server, and a server of an
    attacker.
    """

    def __init__(
        self,
        catalog: Catalog,
        url: str,
        folder: Path,
        server: Provider,
        evil: Provider,
        authority: Authority,
    ) -> None:
        self._catalog, self._url, self._folder = catalog, url, folder
        self.server, self.evil, self.authority = server, evil, authority
        self.runtimes: dict[str, Jackfield] = {}
        self.default = self.of("default")

    def of(self, workspace: str, catalog: Catalog | None = None) -> Jackfield:
        """Return the runtime of a workspace, which is made."""
        if workspace not in self.runtimes:
            if workspace != "default":
                storage = self.default.storage
                Workspaces(storage.database, storage.vault, SystemClock()).create(workspace)
            environment, found = {"JACKFIELD_HOME": str(self._folder)}, catalog or self._catalog
            self.runtimes[workspace] = Jackfield(
                workspace, catalog=found, database_url=self._url, environment=environment
            )
        return self.runtimes[workspace]

    def clients(self, workspace: str = "default", origin: Any = "operator") -> OAuthClients:
        """Return the clients of a workspace."""
        return oauth_clients(
            self.default.storage, workspace, SystemClock(), Actor("cli", "ada"), origin
        )

    def values(self, **more: Any) -> dict[str, Any]:
        """Return the values of the operator's client."""
        url = self.server.url
        return {
            "clientId": "app",
            "clientSecret": _SECRET,
            "authorizationUrl": f"{url}/authorize",
            "tokenUrl": f"{url}/token",
            "revocationUrl": f"{url}/revoke",
            **more,
        }


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Iterator[Site]:
    """A site whose operator has registered the client ``shop``."""
    open_database(database_url, migrate=True).close()
    authority = Authority()
    with (
        installed(
            tmp_path / "catalog", make_connector(OAuth2AuthorizationCode, OAuth2ClientCredentials)
        ) as catalog,
        Provider(authority) as server,
        Provider([Answer({})]) as evil,
    ):
        found = Site(catalog, database_url, tmp_path, server, evil, authority)
        found.clients().add("shop", [], found.values())
        yield found
        for runtime in found.runtimes.values():
            runtime.close()


def ask(runtime: Jackfield, connection: str = "app") -> dict[str, Any]:
    """Ask over a connection."""
    found: dict[str, Any] = runtime.invoke(
        {"connector": "people", "action": "whoAmI", "connection": connection, "inputs": {}}
    ).to_json()
    return found


def approve(runtime: Jackfield, name: str = "ada") -> None:
    """Have a connection approved."""
    begun = runtime.connections.authorizing().begin(
        name, "https://jackfield.example/oauth2/callback"
    )
    state = dict(parse_qsl(urlsplit(begun["url"]).query))["state"]
    runtime.connections.authorizing().complete(begun["id"], {"state": state, "code": "a-code"})


def test_a_connection_names_the_client(site: Site) -> None:
    """It stores the name alone; calls over it and approvals use the client's values, in every
    workspace.
    """
    acme = site.of("acme")
    acme.connections.add(
        "app",
        "people/oauth2ClientCredentials",
        {"oauthClient": "shop", "server": site.server.url},
        test=False,
    )
    acme.connections.add(
        "ada",
        "people/oauth2AuthorizationCode",
        {"oauthClient": "shop", "server": site.server.url},
        test=False,
    )
    assert ask(acme)["output"] == {"sub": "ada"}
    approve(acme)
    assert ask(acme, "ada")["output"] == {"sub": "ada"}
    assert [form["grant_type"] for form in site.authority.forms] == [
        "client_credentials",
        "authorization_code",
    ]
    assert acme.connections.show("ada")["values"] == {
        "oauthClient": "shop",
        "server": site.server.url,
    }
    assert acme.connections.test("app")["status"] == "ok"


def test_a_connection_has_a_test_path_of_its_own(site: Site) -> None:
    """What decides neither where a secret goes nor how the network is used stays the connection's:
    its test asks the server then. Without a path, nothing is sent, and the connection is untested
    until an action has succeeded over it.
    """
    acme, beta, known = (
        site.of("acme"),
        site.of("beta", installed_here({})),
        {"oauthClient": "shop", "server": site.server.url},
    )
    shown = acme.connections.add("app", "people/oauth2ClientCredentials", known)
    assert (shown["status"], [step["key"] for step in shown["lastTest"]["steps"]]) == (
        "ok",
        ["token"],
    )
    site.server.requests.clear()
    places = {"testPath": "/me", "accountIdPlace": "/sub"}
    shown = beta.connections.add("app", "http/oauth2ClientCredentials", {**known, **places})
    assert (
        shown["status"],
        [step["key"] for step in shown["lastTest"]["steps"]],
        shown["account"]["id"],
    ) == ("ok", ["probe"], "ada")
    assert [request.path for request in site.server.requests] == ["/token", "/me"]
    beta.connections.add("quiet", "http/oauth2AuthorizationCode", known, test=False)
    approve(beta, "quiet")
    site.server.requests.clear()
    assert (beta.connections.test("quiet")["status"], site.server.requests) == ("untested", [])
    asked = {
        "connector": "http",
        "action": "request",
        "connection": "quiet",
        "inputs": {"url": "/me", "method": "GET"},
    }
    assert beta.invoke(asked).to_json()["status"] == "succeeded"
    assert beta.connections.test("quiet")["status"] == "ok"
    # the operator's
    for member, value in {"freshConnections": True, "proxy": "http://evil.example"}.items():
        with pytest.raises(InvalidConnection, match="decides"):
            beta.connections.add("c", "http/oauth2ClientCredentials", {**known, member: value})


@pytest.mark.parametrize("kind", ["oauth2ClientCredentials", "oauth2AuthorizationCode"])
@pytest.mark.parametrize("member", sorted(VALUES - {"scopes"}))
def test_a_connection_sets_nothing_of_the_client(site: Site, member: str, kind: str) -> None:
    """Neither what the client has nor what it leaves out: each is refused before anything is sent,
    and the secret goes nowhere.
    """
    acme, runtime = site.of("acme"), site.default
    schema = runtime.catalog.find("people").connection_types[kind].schema["properties"]
    evil = (
        "http://evil.example/x"
        if member == "server"
        else f"{site.evil.url}/x"
        if schema.get(member, {}).get("x-jackfield", {}).get("destination")
        else "evil"
    )
    values = {"oauthClient": "shop", "server": site.server.url, member: evil}
    for given in (acme, runtime):
        with pytest.raises(InvalidConnection) as caught:
            given.connections.add("app", f"people/{kind}", values, provenance=_REMOTE)
        assert caught.value.details[0].path == f"/{member}"
        assert _SECRET not in json.dumps(caught.value.to_json("library"))
        with pytest.raises(InvalidConnection):
            given.connections.test_draft(f"people/{kind}", values, provenance=_REMOTE)
        failed = given.invoke(
            {
                "connector": "people",
                "action": "whoAmI",
                "connection": {"type": kind, "values": values},
                "inputs": {},
            }
        ).to_json()
        assert failed["error"]["code"] == "invalid_connection"
    assert (site.evil.requests, site.server.requests) == ([], [])


def test_what_was_stored_before_is_refused_too(site: Site) -> None:
    """A connection that sets an endpoint, and gets the name of a client in the database, or by an
    import, is refused at the call.
    """
    acme = site.of("acme")
    values = {
        "clientId": "x",
        "clientSecret": "y",
        "tokenUrl": f"{site.evil.url}/token",
        "server": site.evil.url,
    }
    acme.connections.add("app", "people/oauth2ClientCredentials", values, test=False)
    with pytest.raises(InvalidConnection):
        acme.connections.replace("app", {**values, "oauthClient": "shop"}, test=False)
    rows = acme.connections.import_document(
        json.dumps(
            {
                "connections": {
                    "b": {
                        "type": "people/oauth2ClientCredentials",
                        "values": {**values, "oauthClient": "shop"},
                    }
                }
            }
        )
    )
    assert [row["result"] for row in rows] == ["refused"]
    assert site.evil.requests == []


def test_calls_reach_the_hosts_of_the_client_only(tmp_path: Path, site: Site) -> None:
    """Also where the client leaves the server to the connection: its token goes to no other
    host.
    """
    acme = site.of("acme")
    with pytest.raises(InvalidConnection) as caught:
        acme.connections.add(
            "app",
            "people/oauth2ClientCredentials",
            {"oauthClient": "shop", "server": "https://evil.example"},
            test=False,
        )
    assert [fault.path for fault in caught.value.details] == ["/server"]
    site.clients().change("shop", {"server": ["*.shop.example", "10.0.0.0/8"]})
    acme.connections.add(
        "app",
        "people/oauth2ClientCredentials",
        {"oauthClient": "shop", "server": "https://a.shop.example"},
        test=False,
    )
    site.clients().change("shop", {"server": ["b.shop.example"]})
    error = ask(acme)["error"]
    assert (error["code"], error["details"][0]["path"]) == ("invalid_connection", "/server")


def test_scopes_have_a_cap(site: Site) -> None:
    """A connection asks for some of the client's scopes, or for all of them."""
    site.clients().change("shop", {"values": {"scopes": ["read", "write"]}})
    acme = site.of("acme")
    for name, more in (("app", {}), ("b", {"scopes": ["read"]})):
        acme.connections.add(
            name,
            "people/oauth2ClientCredentials",
            {"oauthClient": "shop", "server": site.server.url, **more},
            test=False,
        )
        assert ask(acme, name)["status"] == "succeeded"
    assert [form["scope"] for form in site.authority.forms] == ["read write", "read"]
    with pytest.raises(InvalidConnection, match="decides"):
        acme.connections.add(
            "c",
            "people/oauth2ClientCredentials",
            {"oauthClient": "shop", "server": site.server.url, "scopes": ["read", "admin"]},
            test=False,
        )


def test_a_rotation_touches_one_place(site: Site) -> None:
    """From the next refresh on, every workspace uses the new secret; approvals stay."""
    names = ("acme", "beta")
    for name in names:
        runtime = site.of(name)
        runtime.connections.add(
            "ada",
            "people/oauth2AuthorizationCode",
            {"oauthClient": "shop", "server": site.server.url},
            test=False,
        )
        approve(runtime)
        assert ask(runtime, "ada")["status"] == "succeeded"
    site.authority.secrets = {_NEXT}
    site.clients().change("shop", {"values": {"clientSecret": _NEXT}})
    with site.default.storage.database.write() as transaction:
        transaction.change("DELETE FROM leases")
    for name in names:
        assert ask(site.of(name), "ada")["status"] == "succeeded"
        assert site.of(name).connections.show("ada")["authorization"]["status"] == "granted"
    assert set(site.authority.used[-2:]) == {_NEXT}


def test_a_rotation_under_load_fails_no_call(site: Site) -> None:
    """At 100 calls a second, while tokens last for a second and the secret changes three times,
    none fails.
    """
    site.authority.lasts = 1
    acme, beta = site.of("acme"), site.of("beta")
    for runtime in (acme, beta):
        runtime.connections.add(
            "app",
            "people/oauth2ClientCredentials",
            {"oauthClient": "shop", "server": site.server.url},
            test=False,
        )
    failed, done, over = list[dict[str, Any]](), list[str](), threading.Event()

    def calls(runtime: Jackfield) -> None:
        while not over.is_set():
            found = ask(runtime)
            done.append(found["status"])
            if found["status"] != "succeeded":
                failed.append(found)
            over.wait(0.04)

    threads = [threading.Thread(target=calls, args=(runtime,)) for runtime in (acme, beta) * 2]
    for thread in threads:
        thread.start()
    for number in range(3):
        while len(done) < (number + 1) * 60:
            over.wait(0.01)
        secret = f"s-secret-{number}-of-the-operator"
        # the provider accepts both for a while, as all do that rotate
        site.authority.secrets.add(secret)
        site.clients().change("shop", {"values": {"clientSecret": secret}})
    while len(done) < 320 or secret not in site.authority.used:
        over.wait(0.01)
    over.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert secret in site.authority.used


def test_an_endpoint_that_changes_ends_approvals(site: Site) -> None:
    """A refresh token goes to no other endpoint than a person has approved; a new secret or cap
    ends nothing.
    """
    acme = site.of("acme")
    acme.connections.add(
        "ada",
        "people/oauth2AuthorizationCode",
        {"oauthClient": "shop", "server": site.server.url},
        test=False,
    )
    approve(acme)
    site.clients().change("shop", {"values": {"clientSecret": _SECRET, "scopes": ["read"]}})
    assert acme.connections.show("ada")["authorization"]["status"] == "granted"
    begun = acme.connections.authorizing().begin("ada", "https://jackfield.example/oauth2/callback")
    site.clients().change("shop", {"values": {"tokenUrl": f"{site.evil.url}/token"}})
    assert acme.connections.show("ada")["authorization"]["status"] == "ended"
    assert ask(acme, "ada")["error"]["code"] == "invalid_connection"
    state = dict(parse_qsl(urlsplit(begun["url"]).query))["state"]
    with pytest.raises(InvalidConnection, match="changed since"):
        acme.connections.authorizing().complete(begun["id"], {"state": state, "code": "a-code"})
    assert site.evil.requests == []


def test_a_workspaces_own_client_hides_the_servers(site: Site) -> None:
    """It is the workspace's alone, and what people have approved for the server's is not sent with
    it.
    """
    acme, beta = site.of("acme"), site.of("beta")
    for runtime in (acme, beta):
        runtime.connections.add(
            "app",
            "people/oauth2ClientCredentials",
            {"oauthClient": "shop", "server": site.server.url},
            test=False,
        )
        runtime.connections.add(
            "ada",
            "people/oauth2AuthorizationCode",
            {"oauthClient": "shop", "server": site.server.url},
            test=False,
        )
        approve(runtime)
    site.clients("acme").add("shop", [], site.values(clientSecret="s-own"))
    site.authority.secrets.add("s-own")
    assert [ask(runtime)["status"] for runtime in (acme, beta)] == ["succeeded"] * 2
    assert site.authority.used[-2:] == ["s-own", _SECRET]
    assert [
        runtime.connections.show("ada")["authorization"]["status"] for runtime in (acme, beta)
    ] == ["ended", "granted"]
    assert site.clients("acme").show("shop")["inherited"] is False
    site.clients("acme").remove("shop", force=True)
    assert acme.connections.show("ada")["authorization"]["status"] == "granted"


def test_what_a_tenant_registers_reaches_no_internal_host(site: Site) -> None:
    """The operator's own connection over it is guarded as the tenant's are."""
    acme = site.of("acme")
    site.clients("acme", "remote").add(
        "own", [], site.values(tokenUrl="http://10.1.2.3/token", server="http://10.1.2.3")
    )
    acme.connections.add(
        "app", "people/oauth2ClientCredentials", {"oauthClient": "own"}, test=False
    )
    error = ask(acme)["error"]
    assert (error["code"], {detail["path"] for detail in error["details"]}) == (
        "invalid_connection",
        {"/tokenUrl", "/server"},
    )


def test_a_client_that_connections_name_is_not_removed(site: Site) -> None:
    """The refusal counts and names them; those with a client of their own of that name are none of
    them. Forced, they are refused then.
    """
    for name in ("acme", "beta"):
        values = {"oauthClient": "shop", "server": site.server.url}
        site.of(name).connections.add("app", "people/oauth2ClientCredentials", values, test=False)
    site.clients("beta").add("shop", [], site.values())
    with pytest.raises(
        ClientInUse, match="1 connection refers to the OAuth client 'shop': acme/app"
    ):
        site.clients().remove("shop")
    with pytest.raises(ClientInUse, match="'shop': app"):
        site.clients("beta").remove("shop")
    assert site.clients().remove("shop", force=True) == {"removed": "shop", "connections": 1}
    error = ask(site.of("acme"))["error"]
    assert (error["code"], error["details"][0]["path"]) == ("invalid_connection", "/oauthClient")
    with pytest.raises(InvalidInvocation, match="no OAuth client"):
        site.clients().remove("shop")


def test_secrets_are_shown_nowhere(site: Site) -> None:
    """Not by the client, a connection, its export, the audit log, the journal, or a provider that
    sends it back.
    """
    acme = site.of("acme")
    acme.connections.add(
        "app",
        "people/oauth2ClientCredentials",
        {"oauthClient": "shop", "server": site.server.url},
        test=False,
    )
    site.authority.secrets.clear()
    shown = [
        site.clients().show("shop"),
        site.clients().page()[0],
        site.clients("acme").page()[0],
        acme.connections.show("app"),
        ask(acme),
    ]
    shown.append(acme.connections.export(secrets=True))
    storage = site.default.storage
    logs = [
        Audit(storage.database, lambda: storage.vault, workspace, SystemClock())
        for workspace in ("default", "acme")
    ]
    shown += [entry.to_json() for log in logs for entry in log.all()]
    text = json.dumps(shown, default=str)
    assert _SECRET not in text
    assert "oauth_client.created" in text
    assert site.clients("acme").show("shop") == {
        "name": "shop",
        "server": [],
        "inherited": True,
        "values": {},
    }
    with storage.database.read() as transaction:
        assert _SECRET not in str(
            [row.as_dict() for row in transaction.execute("SELECT * FROM oauth_clients")]
        )


def test_an_edit_over_http_sends_no_stored_secret_elsewhere(site: Site) -> None:
    """Who changes a destination gives the secrets again; the operator may change it alone."""
    own = site.clients("acme", "remote")
    own.add("own", [], site.values())
    for given in (
        {"values": {"tokenUrl": "https://evil.example/token"}},
        {"server": ["evil.example"]},
        {"values": {"caCertificate": "x"}},
    ):
        with pytest.raises(InvalidInvocation, match="new destination"):
            own.change("own", given)
    assert (
        own.change(
            "own", {"values": {"tokenUrl": "https://b.example/token", "clientSecret": "new"}}
        )["version"]
        == 2
    )
    assert own.change("own", {"values": {"clientSecret": None}})["values"].keys() >= {"clientId"}


def test_a_row_that_was_changed_is_refused(site: Site) -> None:
    """Whoever writes to the database sends the secret nowhere else; ``db check`` names the row."""
    acme = site.of("acme")
    acme.connections.add(
        "app",
        "people/oauth2ClientCredentials",
        {"oauthClient": "shop", "server": site.server.url},
        test=False,
    )
    storage = site.default.storage
    assert (
        list(StoredContents(storage.database, lambda: storage.vault, SEALED_ROWS).problems()) == []
    )
    with storage.database.write() as transaction:
        transaction.change("UPDATE oauth_clients SET hosts = '[\"evil.example\"]'")
    assert "changed in the database" in ask(acme)["error"]["message"]
    assert list(
        StoredContents(storage.database, lambda: storage.vault, SEALED_ROWS).problems()
    ) == ["damaged: the OAuth client 'shop' of the workspace 'default'"]


@pytest.mark.parametrize(
    ("name", "server", "more", "path"),
    [
        ("..", [], {}, "/name"),
        ("x", ["http://evil"], {}, "/server/0"),
        ("x", "evil", {}, "/server"),
        ("x", [], {"clientId": ""}, "/values/clientId"),
        ("x", [], {"tokenUrl": "ftp://x"}, "/values/tokenUrl"),
        ("x", [], {"tokenUrl": "https://a@b.example/"}, "/values/tokenUrl"),
        ("x", [], {"clientSecret": {"$env": "HOME"}}, "/values/clientSecret"),
        ("x", [], {"scopes": [1]}, "/values/scopes"),
        ("x", [], {"username": "x"}, "/values/username"),
    ],
)
def test_members_that_are_not_valid(
    site: Site, name: str, server: Any, more: dict[str, Any], path: str
) -> None:
    """Each is refused at its place."""
    with pytest.raises(InvalidInvocation) as caught:
        site.clients().add(name, server, site.values(**more))
    assert [fault.path for fault in caught.value.details] == [path]


def test_only_types_with_a_client_have_one(site: Site) -> None:
    """Their schema says so."""
    kinds = site.default.catalog.find("people").connection_types
    assert all("oauthClient" in kind.schema["properties"] for kind in kinds.values())
    with pytest.raises(InvalidInvocation, match="already"):
        site.clients().add("shop", [], site.values())
