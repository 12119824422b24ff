"""Who is let into the console, for how long, and what a form must carry."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from console_client import Client, Place, placed
from jackfield.access import Rules, Tokens, Workspaces
from jackfield.access.sessions import IDLE, LASTS, LINK_LASTS, Sessions
from jackfield.cli.serve import _announce
from jackfield.surfaces.http.app import build_app
from jackfield.surfaces.http.host import Host
from jackfield.surfaces.http.identity import Identity


@pytest.fixture
def clock() -> FakeClock:
    """A clock that tests move."""
    return FakeClock()


@pytest.fixture
def place(tmp_path: Path, clock: FakeClock) -> Iterator[Place]:
    """A console that nobody has opened yet."""
    with placed(tmp_path, clock) as found:
        yield found


def token(place: Place, scope: str, workspace: str = "default", rules: Rules | None = None, expires_at: float | None = None) -> str:
    """The text of a new token."""
    return Tokens(place.host.storage.database, workspace, place.host.clock).create(scope, "Ada", rules, expires_at).text


def is_in(client: Client) -> bool:
    """Whether a browser sees the console, or is sent to the sign-in."""
    answer = client.get("/")
    assert answer.status in (200, 303)
    return answer.status == 200


# Signing in


def test_a_stranger_is_sent_to_the_sign_in(place: Place) -> None:
    """Every page asks a stranger to sign in, and remembers where he wanted to go."""
    answer = place.client().get("/invocations?status=failed")
    assert (answer.status, answer.headers["location"]) == (303, "/login?next=%2Finvocations%3Fstatus%3Dfailed")
    assert place.client().get("/").headers["location"] == "/login"


def test_a_one_time_link_signs_in_once(place: Place) -> None:
    """A one-time link opens a session on `default` with all rights; whoever comes second is refused."""
    link, first, second = place.link(), place.client(), place.client()
    assert first.get(link).status == 200
    assert is_in(first)
    assert "manage" in first.get("/").words
    answer = second.get(link)
    assert answer.status == 403
    assert "used already" in answer.words
    assert not is_in(second)


def test_a_one_time_link_gets_old(place: Place, clock: FakeClock) -> None:
    """A one-time link is refused ten minutes after it was made."""
    link, client = place.link(), place.client()
    clock.advance(LINK_LASTS + 1)
    assert client.get(link).status == 403
    assert not is_in(client)


def test_a_one_time_link_is_not_used_up_by_looking_ahead(place: Place) -> None:
    """A browser that fetches the link ahead of its user gets nothing, and the link is still good."""
    link, client = place.link(), place.client()
    assert client.get(link, sec_purpose="prefetch;prerender").status == 503
    assert client.get(link).status == 200
    assert is_in(client)


def test_a_link_is_no_token_and_a_token_no_link(place: Place) -> None:
    """The secret of a link does not open the API, and a token does not open the console as a link."""
    secret = place.link().partition("once=")[2]
    assert place.client().get("/v1/connections", authorization=f"Bearer {secret}").status == 401
    assert place.client().get(f"/login?once={token(place, 'manage')}").status == 403


def test_a_token_signs_in(place: Place) -> None:
    """A pasted token opens its own workspace with its own scope, and leads to where its bearer wanted to go."""
    Workspaces(place.host.storage.database, place.host.storage.vault, place.host.clock).create("acme")
    client = place.client()
    csrf = client.get("/login").csrf
    answer = client.post("/login", {"csrf": csrf, "token": f" {token(place, 'read', 'acme')}\n", "next": "/tokens"})
    assert answer.status == 200
    assert 'content="0;url=/tokens"' in answer.text
    assert "acme" in client.get("/").words
    assert "read" in client.get("/").words


@pytest.mark.parametrize("text", ["", "jf_nothing", "a.b.c", "x" * 9000])
def test_what_is_no_token_is_refused(place: Place, text: str) -> None:
    """What is no token opens nothing, and the page says so without repeating it."""
    client = place.client()
    answer = client.change("/login", "/login", token=text)
    assert answer.status == 403
    assert "not known" in answer.words
    assert not text or text not in answer.text
    assert not is_in(client)


def test_an_expired_token_is_refused(place: Place, clock: FakeClock) -> None:
    """A token that has expired opens no session."""
    text = token(place, "manage", expires_at=clock.time() + 60)
    clock.advance(61)
    assert place.client().change("/login", "/login", token=text).status == 403


def test_the_sign_in_form_is_of_this_browser(place: Place) -> None:
    """A sign-in that another site sends, or that carries no token of its form, is refused."""
    text, client = token(place, "manage"), place.client()
    csrf = client.get("/login").csrf
    assert client.post("/login", {"token": text}).status == 403
    assert client.post("/login", {"csrf": csrf, "token": text}, sec_fetch_site="cross-site").status == 403
    assert place.client().post("/login", {"csrf": csrf, "token": text}).status == 403
    assert client.post("/login", {"csrf": client.get("/login").csrf, "token": text}).status == 200


@pytest.mark.parametrize("address", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\r\nX: y"])
def test_the_sign_in_leads_nowhere_else(place: Place, address: str) -> None:
    """After the sign-in nobody is led to another site, whatever the address asked for."""
    client = place.client()
    answer = client.post("/login", {"csrf": client.get("/login").csrf, "token": token(place, "read"), "next": address})
    assert 'content="0;url=/"' in answer.text
    assert "evil" not in answer.text


def test_a_jwt_signs_in_for_as_long_as_it_lasts(place: Place, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JWT of the operator's identity provider opens its workspace with its scope; its session ends when it does."""
    claims = json.dumps({"exp": clock.time() + 600}).encode()
    text = f"e30.{urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"
    known = {text: Identity("acme", "ada@example.com", "invoke", Rules(), "Ada")}
    monkeypatch.setattr(place.host.identities, "find", known.get)
    client = place.signed_in(text)
    assert "acme" in client.get("/").words
    assert "Ada · invoke" in client.get("/").words
    clock.advance(601)
    assert not is_in(client)


def test_serve_prints_the_way_in(place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine of its own the server prints a link that signs in; else it prints none, and without a database it says why."""
    for name, value in place.host.panels.environment.items():
        monkeypatch.setenv(name, value)
    _announce("http://127.0.0.1:8080", alone=True)
    link = re.search(r"http://127\.0\.0\.1:8080(/login\?once=\S+)", capsys.readouterr().err)
    assert link is not None
    assert place.client().get(link[1]).status == 200
    _announce("https://jackfield.example.com", alone=False)
    assert "once" not in capsys.readouterr().err
    monkeypatch.setenv("JACKFIELD_DATABASE_URL", "none")
    _announce("http://127.0.0.1:8080", alone=True)
    assert "no sign-in to the console: there is no database" in capsys.readouterr().err


# The session


def test_the_cookie_is_kept_from_scripts_and_other_sites(place: Place) -> None:
    """The session's cookie is HttpOnly and SameSite=Strict, and holds no token."""
    text, client = token(place, "manage"), place.client()
    answer = client.change("/login", "/login", token=text)
    cookie = next(item for item in answer.cookies if item.startswith("jackfield_8080="))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert text not in cookie


@pytest.mark.parametrize("settings", [{"behind_proxy": True}, {"certificate": "server.pem"}])
def test_the_cookie_is_secure_with_tls(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Behind TLS the cookie is Secure and bound to the host."""
    with placed(tmp_path, **settings) as place:
        answer = place.client().get(place.link())
        assert any(item.startswith("__Host-jackfield=") and "Secure" in item and "Path=/" in item for item in answer.cookies)


def test_an_idle_session_ends(place: Place, clock: FakeClock) -> None:
    """A session ends when nothing is done for an hour, and not while something is."""
    client = place.signed_in()
    for _ in range(3):
        clock.advance(IDLE * 0.7)
        assert is_in(client)
    clock.advance(IDLE + 1)
    assert not is_in(client)


def test_a_page_that_looks_for_news_is_nobody(place: Place, clock: FakeClock) -> None:
    """The requests of a page that refreshes itself do not keep a session alive."""
    client = place.signed_in()
    for _ in range(3):
        clock.advance(IDLE * 0.4)
        client.get("/invocations?live=1", hx_request="true")
    answer = client.get("/invocations?live=1", hx_request="true")
    assert (answer.status, answer.headers["hx-redirect"]) == (401, "/login?why=expired")


def test_no_session_lasts_for_ever(place: Place, clock: FakeClock) -> None:
    """A session ends after twelve hours, whatever is done."""
    client = place.signed_in()
    for _ in range(int(LASTS / IDLE / 0.5)):
        assert is_in(client)
        clock.advance(IDLE * 0.5)
    assert not is_in(client)


def test_a_revoked_token_ends_its_sessions(place: Place) -> None:
    """When a token is revoked, whoever signed in with it is out."""
    client = place.signed_in(token(place, "manage"))
    assert is_in(client)
    tokens = Tokens(place.host.storage.database, "default", place.host.clock)
    tokens.revoke(tokens.list()[0][0].id)
    assert not is_in(client)


def test_signing_out_ends_the_session_everywhere(place: Place) -> None:
    """After the sign-out a copy of the cookie opens nothing."""
    client = place.signed_in()
    copy = Client(place.app, dict(client.cookies))
    answer = client.change("/", "/logout")
    assert answer.headers["location"] == "/login?why=left"
    assert not is_in(copy)
    assert not is_in(client)


def test_nobody_is_signed_out_by_another_site(place: Place) -> None:
    """A sign-out without the form's token does nothing."""
    client = place.signed_in()
    client.post("/logout", {})
    assert is_in(client)


def test_a_session_is_of_its_workspace(place: Place) -> None:
    """A cookie whose workspace was changed opens nothing."""
    Workspaces(place.host.storage.database, place.host.storage.vault, place.host.clock).create("acme")
    client = place.signed_in(token(place, "manage"))
    secret = client.cookies["jackfield_8080"].partition(".")[2]
    for owner in ("YWNtZQ", "", "%%%", "/w=="):
        assert not is_in(Client(place.app, {"jackfield_8080": f"{owner}.{secret}"}))
    assert not is_in(Client(place.app, {"jackfield_8080": "nothing"}))


def test_another_process_knows_the_session(place: Place) -> None:
    """A session that one process began is known to others on the same database."""
    client = place.signed_in()
    host = Host(place.host.settings, place.host.panels.environment, place.host.clock)
    assert is_in(Client(build_app(host), dict(client.cookies)))
    host.panels.close()


def test_what_is_kept_signs_nobody_in(place: Place) -> None:
    """Neither the secret of a session nor that of a link is in the database."""
    client, link = place.signed_in(), place.link().partition("once=")[2]
    secret = client.cookies["jackfield_8080"].partition(".")[2]
    with place.host.storage.database.read() as transaction:
        rows = transaction.execute("SELECT * FROM console_sessions WHERE workspace = :workspace", {"workspace": "default"})
    assert len(rows) == 2
    assert not any(text in str(value) for row in rows for value in row for text in (secret, link))


def test_old_sessions_are_forgotten(place: Place, clock: FakeClock) -> None:
    """Sessions that are over are deleted when a new one begins."""
    sessions = Sessions(place.host.storage.database, "default", clock)
    sessions.begin({"by": "link"})
    clock.advance(LASTS + 1)
    sessions.begin({"by": "link"})
    with place.host.storage.database.read() as transaction:
        rows = transaction.execute("SELECT digest FROM console_sessions WHERE workspace = :workspace", {"workspace": "default"})
    assert len(rows) == 1


def test_without_a_database_nobody_signs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without a database says why nobody can sign in."""
    with placed(tmp_path) as place:
        place.host.storage.url = "none"
        assert "no database" in place.client().get("/login").words
        assert place.client().get("/").headers["location"] == "/login"


# Forms

CHANGES = [
    "/connections", "/connections/hall/values", "/connections/hall/test", "/connections/hall/name", "/connections/hall/removal",
    "/connectors/echo/actions/say/run", "/connectors/echo/actions/say/code", "/invocations/x/cancel", "/invocations/x/resolve",
    "/uploads", "/tokens", "/tokens/x/revocation", "/workspace",
]  # fmt: skip


@pytest.mark.parametrize("address", CHANGES)
def test_every_change_needs_the_token_of_its_form(place: Place, address: str) -> None:
    """A POST without the session's token, with another one's, or from another site, is refused."""
    client, other = place.signed_in(), place.signed_in()
    csrf = client.get("/").csrf
    assert client.post(address, {}).status == 403
    assert client.post(address, {"csrf": other.get("/").csrf}).status == 403
    assert client.post(address, {"csrf": csrf}, sec_fetch_site="cross-site").status == 403
    assert place.client().post(address, {"csrf": csrf}).status == 303


def test_all_changes_are_tried() -> None:
    """The test above knows every route that changes something."""
    from jackfield.surfaces.console.app import _PAGES

    assert len([path for path, _, method in _PAGES if method == "POST"]) == len(CHANGES)


@pytest.mark.parametrize("scope", ["read", "invoke"])
def test_a_scope_is_a_limit(place: Place, scope: str) -> None:
    """What a scope does not allow is refused, whatever the page would have shown."""
    client = place.signed_in(token(place, scope))
    csrf = client.get("/").csrf
    for address in ("/connections", "/connections/x/values", "/connections/x/name", "/connections/x/removal", "/tokens", "/workspace",
                    "/tokens/x/revocation", "/invocations/x/resolve"):  # fmt: skip
        assert client.post(address, {"csrf": csrf}).status == 403, address
    assert client.get("/new-connection").status == 403
    answer = client.post("/connectors/echo/actions/say/run", {"csrf": csrf, "invocation": "{}"})
    assert answer.status == (403 if scope == "read" else 200)


def test_a_token_with_rules_makes_no_other(place: Place) -> None:
    """Whose token has rules of its own cannot shake them off with a new token, or by changing the workspace."""
    client = place.signed_in(token(place, "manage", rules=Rules(allow=("echo/say",))))
    csrf = client.get("/").csrf
    assert client.post("/tokens", {"csrf": csrf, "scope": "manage"}).status == 403
    assert client.post("/workspace", {"csrf": csrf, "retentionDays": "1"}).status == 403


def test_another_workspaces_things_are_not_there(place: Place) -> None:
    """Connections, invocations and tokens of another workspace are not found, as if they were not there."""
    Workspaces(place.host.storage.database, place.host.storage.vault, place.host.clock).create("acme")
    panel = place.host.panel("default")
    panel.connections.add("hall", "echo/token", {"token": "sesame"})
    identifier = panel.invoke({"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "Hi"}}).meta.invocation_id
    text = token(place, "manage")
    other = place.signed_in(token(place, "manage", "acme"))
    csrf = other.get("/").csrf
    assert other.get("/connections/hall").status == 404
    assert other.get(f"/invocations/{identifier}").status == 404
    assert "hall" not in other.get("/connections").text
    assert identifier not in other.get("/invocations").text
    own = Tokens(place.host.storage.database, "default", place.host.clock).list()[0][0].id
    assert other.post(f"/tokens/{own}/revocation", {"csrf": csrf}).status == 404
    assert other.post("/connections/hall/removal", {"csrf": csrf}).status == 404
    assert is_in(place.signed_in(text))
