"""People who sign in to the console at the operator's identity provider: what they may do, and
until when.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from tests.jackfield_service.shell.pages.console_client import Client, Place, is_in, placed, token
from tests.jackfield_service.shell.pages.identity_provider import (
    CLIENT,
    LOGOUT,
    SECRET,
    Provider,
    csrf,
    grant,
    is_in_after,
    led_back,
    roles_of,
    signed_in_at,
)

from clocks import FakeClock
from jackfield.callers.roles import made_grant
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.identity.identity_providers import Oidc, check_people
from jackfield_service.shell.identity.people import LASTS
from jackfield_service.shell.pages.sign_in import ConsoleSessions
from jackfield_store.access import Audit, Workspaces
from postgres import postgres_database, postgres_server, postgres_url

pytest_plugins = ["tests.jackfield_service.subjects.people.console_people"]
__all__ = ["postgres_database", "postgres_server", "postgres_url"]


# Roles


def test_without_a_role_nobody_is_in(place: Place, provider: Provider) -> None:
    """Who has no role is told who the provider says that he is, and has no session. An e-mail
    address gives no role.
    """
    provider.claims = {
        "sub": "eve",
        "name": "Eve <script>",
        "email": "support",
        "email_verified": True,
        "groups": ["other"],
    }
    grant(place, "admin", issuer=provider.issuer, subject="ada@example.com")
    grant(place, "admin", issuer="https://another.example", subject="eve")
    client = place.client()
    answer = signed_in_at(client)
    assert (answer.status, is_in(client)) == (403, False)
    assert "have no role here" in answer.words
    assert "eve" in answer.words
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    "sent",
    [{"_claim_names": {"groups": "src1"}}, {"hasgroups": "true"}, {"groups": ["g"] * 2001}],
    ids=str,
)
def test_groups_that_were_left_out_give_no_role(
    place: Place, provider: Provider, sent: dict[str, Any]
) -> None:
    """Where the provider has too many groups to send, those that it sends are not taken for all."""
    grant(place, "viewer", group="g")
    provider.claims = {"sub": "ada-1", "groups": ["support"], **sent}
    client = place.client()
    assert (signed_in_at(client).status, is_in(client)) == (403, False)


def test_groups_may_come_from_the_userinfo_endpoint(place: Place, provider: Provider) -> None:
    """Groups that the ID token has not are asked for, and are those of the same subject or none."""
    provider.claims = {"sub": "ada-1", "name": "Ada"}
    provider.userinfo = {"sub": "ada-1", "groups": ["support"]}
    assert is_in_after(place)
    provider.userinfo = {"sub": "another", "groups": ["support"]}
    assert not is_in_after(place)


def test_a_role_is_lost_with_the_next_request(place: Place) -> None:
    """Whoever takes a role away does not wait for a session to end."""
    client = place.client()
    signed_in_at(client)
    assert is_in(client)
    roles_of(place).remove(made_grant("operator", "default", group="support"))
    assert not is_in(client)


@pytest.mark.parametrize(
    ("role", "makes_tokens", "connects", "sees_tenants", "approves"),
    [
        ("viewer", 403, 403, 403, False),
        ("operator", 403, 403, 403, False),
        ("connector-manager", 403, 200, 403, False),
        ("approver", 403, 403, 403, True),
        ("admin", 200, 200, 403, True),
        ("platform-admin", 200, 200, 200, True),
    ],
)
def test_roles_are_bundles(
    place: Place,
    provider: Provider,
    role: str,
    makes_tokens: int,
    connects: int,
    sees_tenants: int,
    approves: bool,
) -> None:
    """Each role may what its row says, and nothing of the rows below it."""
    provider.claims["groups"] = ["them"]
    grant(place, role, group="them")
    client = place.client()
    assert signed_in_at(client).status == 200
    home = client.get("/")
    assert home.status == 200
    assert (
        client.post("/tokens", {"csrf": csrf(client), "name": "t", "scope": "read"}).status
        == makes_tokens
    )
    assert client.get("/new-connection?type=echo/token").status in (200, connects)
    assert client.get("/tenants").status == sees_tenants
    approving = client.post(
        "/tokens", {"csrf": csrf(client), "name": "t", "scope": "approve"}
    ).status
    assert approving == (200 if role in ("admin", "platform-admin") else 403)
    assert approves == (role in ("approver", "admin", "platform-admin"))


def test_a_person_goes_on_in_another_workspace(place: Place, provider: Provider) -> None:
    """Who has roles in two workspaces changes between them; into a third nobody gets."""
    storage = place.host.storage
    for name in ("acme", "other"):
        Workspaces(storage.database, storage.vault, place.host.clock).create(name)
    grant(place, "viewer", "acme", group="support")
    client = place.client()
    signed_in_at(client)
    assert "acme" in client.get("/workspaces").words
    assert "other" not in client.get("/workspaces").words
    assert client.post("/workspaces/other", {"csrf": csrf(client)}).status == 404
    assert client.post("/workspaces/acme", {"csrf": csrf(client)}).status == 303
    assert "acme" in client.get("/").words
    assert "read" in client.get("/").words
    provider.claims["groups"] = []
    place.host.clock.advance(LASTS + 1)  # type: ignore[attr-defined]
    assert not is_in(client)


# How long it lasts


def test_a_removed_group_loses_access_within_15_minutes(
    place: Place, clock: FakeClock, provider: Provider
) -> None:
    """What the provider said holds for 15 minutes; then the refresh token asks again, and the group
    is gone.
    """
    client = place.client()
    signed_in_at(client)
    provider.claims["groups"] = []
    clock.advance(LASTS - 1)
    assert is_in(client)
    clock.advance(2)
    assert not is_in(client)


def test_a_session_is_renewed_without_being_seen(
    place: Place, clock: FakeClock, provider: Provider
) -> None:
    """For 12 hours, each quarter of an hour costs one request to the provider; each refresh token
    is used once. Then it ends.
    """
    client = place.client()
    signed_in_at(client)
    for count in range(1, 4):
        clock.advance(LASTS + 1)
        assert [client.get(path).status for path in ("/", "/connections", "/")] == [200, 200, 200]
        assert provider.asked.count("/token") == 1 + count
    assert provider.reused == 0
    for _ in range(46):
        clock.advance(LASTS + 1)
        client.get("/")
    assert not is_in(client)


@pytest.mark.parametrize(
    "granted",
    [{"id_token": None}, {"id_token": "a.b.c"}, {"error": "x", "access_token": None}],
    ids=["no-id-token", "garbage", "odd"],
)
def test_a_renewal_describes_the_same_person(
    place: Place, clock: FakeClock, provider: Provider, granted: dict[str, Any]
) -> None:
    """A renewal without an ID token asks the userinfo endpoint; another subject, or a token that is
    none, ends the session.
    """
    client = place.client()
    signed_in_at(client)
    provider.granted, provider.userinfo = granted, {"sub": "ada-1", "groups": ["support"]}
    clock.advance(LASTS + 1)
    assert is_in(client) == (granted.get("id_token") != "a.b.c")
    provider.granted, provider.userinfo = {"id_token": None}, {"sub": "eve", "groups": ["support"]}
    clock.advance(LASTS + 1)
    assert not is_in(client)


def test_another_person_does_not_renew_a_session(
    place: Place, clock: FakeClock, provider: Provider
) -> None:
    """An ID token of somebody else, with the roles of an admin, ends the session."""
    client = place.client()
    signed_in_at(client)
    provider.claims = {"sub": "eve", "groups": ["support"]}
    clock.advance(LASTS + 1)
    assert not is_in(client)
    provider.claims = {"sub": "ada-1", "groups": ["support"]}
    assert not is_in(client)


def test_a_provider_that_is_away_ends_no_session_for_good(
    place: Place, clock: FakeClock, provider: Provider
) -> None:
    """While the provider is away nobody gets in whose time is over; once it answers, the session
    goes on.
    """
    client = place.client()
    signed_in_at(client)
    clock.advance(LASTS + 1)
    provider.is_away = True
    assert not is_in(client)
    asked = len(provider.asked)
    assert not is_in(client)  # it is not asked again at once
    assert len(provider.asked) == asked
    provider.is_away = False
    clock.advance(11)
    assert is_in(client)


def test_without_a_refresh_token_the_browser_asks(
    place: Place, clock: FakeClock, provider: Provider
) -> None:
    """The page of a session whose time is over asks the provider without showing any page of it;
    who is signed in there goes on.
    """
    provider.refreshes = False
    client = place.client()
    signed_in_at(client)
    clock.advance(LASTS + 1)
    to_sign_in = client.get("/queue").headers["location"]
    assert to_sign_in == "/login?next=%2Fqueue"
    silent = client.get(to_sign_in)
    assert (silent.status, silent.headers["location"]) == (
        303,
        "/login/start?silent=1&next=%2Fqueue",
    )
    asked = client.get(silent.headers["location"]).headers["location"]
    assert "prompt=none" in asked
    answer = client.get(led_back(asked))
    assert 'content="0;url=/queue"' in answer.text
    assert is_in(client)
    clock.advance(LASTS + 1)
    provider.claims = {}
    client.get("/")
    answer = client.get(
        led_back(client.get("/login/start?silent=1&next=%2Fqueue").headers["location"])
    )
    assert (answer.status, answer.headers["location"]) == (303, "/login?why=expired&next=%2Fqueue")
    assert "Sign in" in client.get("/login?next=%2Fqueue").words


def test_many_requests_renew_a_session_once(
    place: Place, clock: FakeClock, provider: Provider
) -> None:
    """Requests that come together use the refresh token once, and all go on: a second use would
    look like a theft to the provider.
    """
    client = place.client()
    signed_in_at(client)
    sessions = ConsoleSessions(place.host)
    clock.advance(LASTS + 1)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: identity_of(sessions, client).name, range(8)))
    assert found == ["Ada Lovelace"] * 8
    assert (provider.asked.count("/token"), provider.reused) == (2, 0)


# Its end


def test_a_sign_out_ends_it_everywhere(place: Place) -> None:
    """After signing out, neither the session's cookie nor that of another workspace opens
    anything.
    """
    client = place.client()
    signed_in_at(client)
    kept = dict(client.cookies)
    assert client.post("/logout", {"csrf": csrf(client)}).headers["location"] == "/login?why=left"
    again = place.client()
    again.cookies.update(kept)
    assert not is_in(again)
    assert again.get("/login").status == 200  # and nobody is signed in again unasked


def logout_token(provider: Provider, **claims: Any) -> str:
    """A logout token; a claim of None is left out."""
    now = int(time.time())
    usual = {
        "iss": provider.issuer,
        "aud": CLIENT,
        "iat": now,
        "exp": now + 120,
        "jti": str(time.monotonic_ns()),
        "events": {LOGOUT: {}},
    }
    return provider.signed(
        {name: value for name, value in {**usual, **claims}.items() if value is not None},
        typ="logout+jwt",
    )


def test_the_provider_ends_sessions(place: Place, provider: Provider) -> None:
    """A logout token ends the session that it names, or all of a person."""
    clients = []
    for session in ("s-1", "s-2"):
        provider.claims["sid"] = session
        clients.append(place.client())
        signed_in_at(clients[-1])
    sent = place.client().post("/login/logout", {"logout_token": logout_token(provider, sid="s-1")})
    assert (sent.status, sent.headers["cache-control"]) == (200, "no-store")
    assert [is_in(client) for client in clients] == [False, True]
    assert (
        place.client()
        .post("/login/logout", {"logout_token": logout_token(provider, sub="ada-1")})
        .status
        == 200
    )
    assert not is_in(clients[1])
    assert _ends(place) == [("user", "the identity provider ended the session")] * 2


def _ends(place: Place) -> list[tuple[str, str]]:
    """Kind of actor and reason of each end of a session that the provider caused, the newest
    first.
    """
    storage = place.host.storage
    found, _ = Audit(storage.database, lambda: storage.vault, "default", place.host.clock).list(
        event="session.ended"
    )
    return [(entry.about["actor"]["kind"], entry.about["details"]["reason"]) for entry in found]


def test_a_refused_renewal_is_in_the_audit_log(
    place: Place, clock: FakeClock, provider: Provider
) -> None:
    """With who it was; a provider that is away is none."""
    client = place.client()
    signed_in_at(client)
    clock.advance(LASTS + 1)
    provider.is_away = True
    assert not is_in(client)
    assert _ends(place) == []
    provider.is_away, provider.granted = False, {"id_token": "a.b.c"}
    clock.advance(11)
    assert not is_in(client)
    assert _ends(place) == [("user", "the identity provider refused to renew the session")]


def test_people_sign_in_with_postgresql(
    tmp_path: Path, clock: FakeClock, provider: Provider, postgres_url: str
) -> None:
    """As with SQLite: a role by a group, its loss, a renewal, a logout of the provider, and the
    first administrator by a link.
    """
    environment = {"JACKFIELD_DATABASE_URL": postgres_url}
    with placed(
        tmp_path, clock, environment=environment, oidc=Oidc(provider.issuer, CLIENT, SECRET)
    ) as place:
        place.host.storage.database.migrate()
        link = roles_of(place).invite(made_grant("platform-admin", "default", group="anybody"))
        first = place.client()
        signed_in_at(first, f"/login/start?invitation={link}")
        assert is_in(first)
        clock.advance(LASTS + 1)
        assert is_in(first)
        provider.claims = {"sub": "bob", "name": "Bob", "groups": ["support"], "sid": "s-2"}
        grant(place, "operator", group="support")
        client = place.client()
        signed_in_at(client)
        assert is_in(client)
        roles_of(place).remove(made_grant("operator", "default", group="support"))
        assert (is_in(client), is_in(first)) == (False, True)
        assert (
            place.client()
            .post("/login/logout", {"logout_token": logout_token(provider, sub="ada-1")})
            .status
            == 200
        )
        assert not is_in(first)
        assert _ends(place) == [("user", "the identity provider ended the session")]


@pytest.mark.parametrize(
    ("role", "offered"),
    [("admin", True), ("platform-admin", True), ("token", False), ("link", True)],
)
def test_only_who_may_give_it_is_offered_approve(place: Place, role: str, offered: bool) -> None:
    """The form of a new token has no scope that would be refused."""
    if role == "token":
        client = place.signed_in(token(place, "manage"))
    elif role == "link":
        client = place.signed_in()
    else:
        grant(place, role, group="support")
        client = place.client()
        signed_in_at(client)
    shown = client.get("/tokens").text
    assert 'value="manage"' in shown
    assert ('value="manage approve"' in shown, 'value="approve"' in shown) == (offered, offered)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"JACKFIELD_ROLES": "[{"}, "JACKFIELD_ROLES: the roles are not valid: it is not JSON"),
        (
            {"JACKFIELD_ROLES": '[{"role": "king", "workspace": "default", "group": "g"}]'},
            "JACKFIELD_ROLES: .*'king' is no role",
        ),
        (
            {"JACKFIELD_OIDC_GROUPS_CLAIM": "roles"},
            "JACKFIELD_OIDC_GROUPS_CLAIM has no effect without JACKFIELD_OIDC_ISSUER",
        ),
        ({"JACKFIELD_OIDC_ISSUER": "https://id.example"}, "go together"),
        (
            {"JACKFIELD_OIDC_ISSUER": "id.example", "JACKFIELD_OIDC_CLIENT_ID": "c"},
            "is not the address of an issuer",
        ),
        ({"JACKFIELD_OIDC_CLIENT_SECRET_FILE": "EMPTY"}, "is empty"),
    ],
    ids=lambda found: "".join(found) if isinstance(found, dict) else "",
)
def test_settings_are_checked_at_the_start(
    tmp_path: Path, variables: dict[str, str], said: str
) -> None:
    """The server does not start with roles, or a provider, that nobody could use; the message names
    the variable.
    """
    (tmp_path / "empty").write_text("\n")
    known = {
        name: str(tmp_path / "empty") if value == "EMPTY" else value
        for name, value in variables.items()
    }
    with pytest.raises(InvalidInvocation, match=said):
        check_people(known)
    assert (
        check_people(
            {"JACKFIELD_ROLES": '[{"role": "operator", "workspace": "default", "group": "g"}]'}
        )
        is None
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"events": None},
        {"events": {}},
        {"events": {LOGOUT: 1}},
        {"nonce": "x"},
        {"sub": None},
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"jti": None},
    ],
    ids=str,
)
def test_a_forged_logout_ends_nothing(
    place: Place, provider: Provider, claims: dict[str, Any]
) -> None:
    """A token that is no logout token of this provider for this client ends no session; an ID token
    is none.
    """
    client = place.client()
    signed_in_at(client)
    assert (
        place.client()
        .post(
            "/login/logout", {"logout_token": logout_token(provider, **{"sub": "ada-1", **claims})}
        )
        .status
        == 400
    )
    assert (
        place.client().post("/login/logout", {"logout_token": provider.id_token("n")}).status == 400
    )
    assert place.client().post("/login/logout", {}).status == 400
    assert is_in(client)


# The first administrator


def test_the_first_administrator_comes_by_a_link(place: Place, provider: Provider) -> None:
    """A link from the host gives whoever signs in by it first the role, bound to issuer and
    subject; to look at it uses it up not.
    """
    provider.claims = {"sub": "root-7", "name": "Grace"}
    secret = roles_of(place).invite(made_grant("platform-admin", "default", group="anybody"))
    client = place.client()
    page = client.get(f"/login?invitation={secret}")
    assert (page.status, "platform-admin" in page.words) == (200, True)
    (start,) = re.findall(r'href="(/login/start[^"]+)"', page.text)
    assert signed_in_at(client, start.replace("&amp;", "&")).status == 200
    assert client.get("/tenants").status == 200
    grants = [one.to_json() for one in roles_of(place).list()]
    assert {
        "role": "platform-admin",
        "workspace": "*",
        "issuer": provider.issuer,
        "subject": "root-7",
    } in grants
    provider.claims = {"sub": "eve"}
    thief = place.client()
    assert thief.get(f"/login?invitation={secret}").status == 403
    assert signed_in_at(thief, f"/login/start?invitation={secret}").status == 403
    assert not is_in(thief)


def test_nothing_of_it_is_there_without_a_provider(tmp_path: Path) -> None:
    """Without a provider there are neither pages nor a button."""
    with placed(tmp_path) as found:
        assert "identity provider" not in found.client().get("/login").words.replace(
            "a JWT from your identity provider", ""
        )
        for path in ("/login/start", "/login/callback"):
            assert found.client().get(path).status == 404


# Approvals


def test_people_approve_and_never_their_own(place: Place, provider: Provider) -> None:
    """An approver by role decides on another's call in the console; his own, and one by a token
    that he created, he may not.
    """
    storage = place.host.storage
    Workspaces(storage.database, storage.vault, place.host.clock).set(
        "default", {"rules": {"approve": ["echo/post"]}}
    )
    grant(place, "admin", group="support")
    ada, bob = place.client(), place.client()
    signed_in_at(ada)
    provider.claims = {"sub": "bob-2", "name": "Bob", "groups": ["support"]}
    signed_in_at(bob)
    runtime = place.host.runtime("default")
    sessions = ConsoleSessions(place.host)
    asked = identity_of(sessions, ada)
    runtime.connections.add("hall", "echo/token", {"token": "t-4711"})
    waiting = runtime.invoke(
        {"connector": "echo", "action": "post", "connection": "hall", "inputs": {"text": "x"}},
        caller=asked.caller,
    )
    assert waiting.status == "waiting"
    identifier = waiting.meta.invocation_id
    page = ada.get(f"/invocations/{identifier}")
    assert "Waiting for approval" in page.words
    assert "You may not approve it" in page.words
    assert ('value="approved"' in page.text, 'value="declined"' in page.text) == (False, True)
    queue = ada.get("/queue").words
    assert "Waiting 0" in queue
    own = ada.change(
        f"/invocations/{identifier}", f"/invocations/{identifier}/approval", **{"as": "approved"}
    )
    assert (own.status, "nobody approves his own call" in own.words) == (403, True)
    other = bob.change(
        f"/invocations/{identifier}", f"/invocations/{identifier}/approval", **{"as": "approved"}
    )
    assert (other.status, other.headers["location"]) == (
        303,
        f"/invocations/{identifier}?done=approved",
    )
    decided = ada.get(f"/invocations/{identifier}").words
    assert "Decision Approved By Bob" in decided
    assert "by Bob" in ada.get("/approvals?status=approved").words


def test_a_role_with_rules_sees_no_tokens(place: Place) -> None:
    """A person is no token: the page is empty, and no error."""
    grant(place, "connector-manager", group="support")
    client = place.client()
    signed_in_at(client)
    answer = client.get("/tokens")
    assert (answer.status, "No tokens yet." in answer.words) == (200, True)


def identity_of(sessions: Any, client: Client) -> Any:
    """The identity behind a browser's session."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items()).encode()
    found = sessions.find(Request({"type": "http", "headers": [(b"cookie", cookies)]}), touch=False)
    assert found is not None
    return found[0]
