"""Who is let into the console, for how long, and what a form must carry."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, is_in, placed, token

from clocks import FakeClock, StillClock
from jackfield.callers import Rules
from jackfield_service.shell.commands.serve import _announce, mounts
from jackfield_service.shell.http.app import build_app
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_store.access import Workspaces
from jackfield_store.access.sessions import IDLE, LASTS, LINK_LASTS, Sessions


@pytest.fixture
def place(tmp_path: Path, clock: FakeClock) -> Iterator[Place]:
    """A console that nobody has opened yet."""
    with placed(tmp_path, clock) as found:
        yield found


# Signing in


def test_a_stranger_is_sent_to_the_sign_in(place: Place) -> None:
    """Every page asks a stranger to sign in, and remembers where he wanted to go."""
    answer = place.client().get("/invocations?status=failed")
    assert (answer.status, answer.headers["location"]) == (
        303,
        "/login?next=%2Finvocations%3Fstatus%3Dfailed",
    )
    assert place.client().get("/").headers["location"] == "/login"


def test_a_one_time_link_signs_in_once(place: Place) -> None:
    """A one-time link opens a session on `default` with all rights; whoever comes second is
    refused.
    """
    link, first, second = place.link(), place.client(), place.client()
    assert first.get(link).status == 200
    assert is_in(first)
    assert "manage" in first.get("/").words
    answer = second.get(link)
    assert answer.status == 403
    assert "was already used" in answer.words
    assert not is_in(second)


def test_a_one_time_link_gets_old(place: Place, clock: FakeClock) -> None:
    """A one-time link is refused ten minutes after it was made."""
    link, client = place.link(), place.client()
    clock.advance(LINK_LASTS + 1)
    assert client.get(link).status == 403
    assert not is_in(client)


def test_a_one_time_link_is_not_used_up_by_looking_ahead(place: Place) -> None:
    """A browser that fetches the link ahead of its user gets nothing, and the link is still
    good.
    """
    link, client = place.link(), place.client()
    assert client.get(link, sec_purpose="prefetch;prerender").status == 503
    assert client.get(link).status == 200
    assert is_in(client)


def test_h_a_one_time_link_is_opened_by_a_person(place: Place) -> None:
    """A page of another site cannot use up the link by script or in a frame; a person who clicks it
    there can (second review).
    """
    link, client = place.link(), place.client()
    for site in ("cross-site", "same-site"):
        for more in (
            {},
            {"sec_fetch_user": "?1", "sec_fetch_dest": "iframe"},
            {"sec_fetch_dest": "document"},
        ):
            answer = client.get(link, sec_fetch_site=site, sec_fetch_mode="navigate", **more)
            assert (answer.status, "still valid" in answer.words) == (403, True)
    assert not is_in(client)
    person = {
        "sec_fetch_site": "cross-site",
        "sec_fetch_mode": "navigate",
        "sec_fetch_user": "?1",
        "sec_fetch_dest": "document",
    }
    assert client.get(link, **person).status == 200
    assert is_in(client)


def test_a_one_time_link_is_not_used_up_by_a_head(place: Place) -> None:
    """HEAD signs nobody in, and the link is still good."""
    link, client = place.link(), place.client()
    answer = client.send("HEAD", link)
    assert (answer.status, answer.cookies) == (200, ())
    assert not is_in(client)
    assert client.get(link).status == 200


def test_a_link_is_no_token_and_a_token_no_link(place: Place) -> None:
    """The secret of a link does not open the API, and a token does not open the console as a
    link.
    """
    secret = place.link().partition("once=")[2]
    assert place.client().get("/v1/connections", authorization=f"Bearer {secret}").status == 401
    assert place.client().get(f"/login?once={token(place, 'manage')}").status == 403


def test_a_token_signs_in(place: Place) -> None:
    """A pasted token opens its own workspace with its own scope, and leads to where its bearer
    wanted to go.
    """
    place.workspaces.create("acme")
    client = place.client()
    csrf = client.get("/login").csrf
    answer = client.post(
        "/login", {"csrf": csrf, "token": f" {token(place, 'read', 'acme')}\n", "next": "/tokens"}
    )
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
    assert "token is invalid" in answer.words
    assert not text or text not in answer.text
    assert not is_in(client)


def test_guessing_at_the_sign_in_is_slowed_down(tmp_path: Path) -> None:
    """Unknown tokens at the sign-in count as they do at the API: after a while they are 429, and a
    good one has to wait, too.
    """
    clock = StillClock()
    with placed(tmp_path, clock, guesses=3.0) as place:
        client = place.client()
        statuses = [
            client.change("/login", "/login", token=f"jf_{number}").status for number in range(6)
        ]
        assert statuses == [403, 403, 403, 429, 429, 429]
        assert place.client().get("/v1/connections", authorization="Bearer jf_7").status == 429
        clock.advance(1)
        assert client.change("/login", "/login", token=token(place, "read")).status == 200


def test_a_session_shares_its_tokens_budget(tmp_path: Path, clock: FakeClock) -> None:
    """A token has one rate for the API and for the sessions that it began; a one-time link's is not
    limited.
    """
    # one call, and the next a quarter of an hour later
    with placed(tmp_path, clock, rate=0.001) as place:
        text = token(place, "read")
        first, second = place.signed_in(text), place.signed_in(text)
        assert [first.get("/").status, second.get("/").status, first.get("/").status] == [
            200,
            429,
            429,
        ]
        assert place.client().get("/v1/connections", authorization=f"Bearer {text}").status == 429
        clock.advance(1001)
        assert place.client().get("/v1/connections", authorization=f"Bearer {text}").status == 200
        assert first.get("/").status == 429
        operator = place.signed_in()
        assert {operator.get("/").status for _ in range(8)} == {200}


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
    assert (
        client.post("/login", {"csrf": csrf, "token": text}, sec_fetch_site="cross-site").status
        == 403
    )
    assert place.client().post("/login", {"csrf": csrf, "token": text}).status == 403
    assert client.post("/login", {"csrf": client.get("/login").csrf, "token": text}).status == 200


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\r\nX: y",
    ],
)
def test_the_sign_in_leads_nowhere_else(place: Place, address: str) -> None:
    """After the sign-in nobody is led to another site, whatever the address asked for."""
    client = place.client()
    answer = client.post(
        "/login",
        {"csrf": client.get("/login").csrf, "token": token(place, "read"), "next": address},
    )
    assert 'content="0;url=/"' in answer.text
    assert "evil" not in answer.text


def test_a_jwt_signs_in_for_as_long_as_it_lasts(
    place: Place, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JWT of the operator's identity provider opens its workspace with its scope; its session
    ends when it does.
    """
    claims = json.dumps({"exp": clock.time() + 600}).encode()
    text = f"e30.{urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"
    known = {text: Identity("acme", "ada@example.com", "invoke", Rules(), "Ada")}
    monkeypatch.setattr(place.host.identities, "find", known.get)
    Workspaces(place.host.storage.database, place.host.storage.vault, clock).create("acme")
    client = place.signed_in(text)
    assert "acme" in client.get("/").words
    assert "Ada · invoke" in client.get("/").words
    clock.advance(601)
    assert not is_in(client)


def test_serve_prints_the_way_in(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine of its own the server prints a link that signs in; else it prints none, and
    without a database it says why.
    """
    for name, value in place.host.runtimes.environment.items():
        monkeypatch.setenv(name, value)
    _announce("http://127.0.0.1:8080", link=True)
    link = re.search(r"http://127\.0\.0\.1:8080(/login\?once=\S+)", capsys.readouterr().err)
    assert link is not None
    assert place.client().get(link[1]).status == 200
    _announce("https://jackfield.example.com", link=False)
    assert "once" not in capsys.readouterr().err
    monkeypatch.setenv("JACKFIELD_DATABASE_URL", "none")
    _announce("http://127.0.0.1:8080", link=True)
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
        assert any(
            item.startswith("__Host-jackfield=") and "Secure" in item and "Path=/" in item
            for item in answer.cookies
        )


OVER_PLAIN_HTTP = "cookies are for HTTPS only"


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, OVER_PLAIN_HTTP),
        ({"origin": "http://nas:8080", "x_forwarded_proto": "http"}, OVER_PLAIN_HTTP),
        ({"origin": "null"}, OVER_PLAIN_HTTP),
        ({"origin": "https://jackfield.example.com"}, "keeps no cookies of this site"),
        ({"x_forwarded_proto": "https"}, "keeps no cookies of this site"),
    ],
)
def test_a_sign_in_whose_cookie_does_not_stick_says_why(
    tmp_path: Path, headers: dict[str, str], why: str
) -> None:
    """A browser keeps no Secure cookie of a page over plain HTTP: it was told again and again that
    the form had expired.
    """
    with placed(tmp_path, behind_proxy=True) as place:
        text, client = token(place, "manage"), place.client()
        csrf = client.get("/login").csrf
        client.cookies.clear()
        answer = client.post("/login", {"csrf": csrf, "token": text}, **headers)
        assert (answer.status, why in answer.words) == (403, True)


def test_a_link_whose_cookie_does_not_stick_says_why(tmp_path: Path) -> None:
    """After a one-time link, too, which has been used up then; a browser that keeps cookies gets to
    the console.
    """
    with placed(tmp_path, behind_proxy=True) as place:
        for keeps in (True, False):
            client = place.client()
            found = re.search(r'content="0;url=([^"]*)"', client.get(place.link()).text)
            assert found is not None
            if not keeps:
                client.cookies.clear()
            answer = client.get(found[1])
            if keeps:
                assert (answer.status, answer.headers["location"]) == (303, "/")
                assert is_in(client)
            else:
                assert OVER_PLAIN_HTTP in answer.words


def test_a_browser_without_cookies_is_told_so(place: Place) -> None:
    """On loopback without a proxy cookies need no HTTPS, so that only the browser can be why there
    are none.
    """
    client = place.client()
    csrf = client.get("/login").csrf
    client.cookies.clear()
    assert (
        "keeps no cookies of this site" in client.post("/login", {"csrf": csrf, "token": "x"}).words
    )


def test_a_page_that_looks_for_news_is_nobody(place: Place, clock: FakeClock) -> None:
    """A session ends when nothing is done for an hour: the requests of a page that refreshes itself
    do not keep it alive.
    """
    client = place.signed_in()
    for _ in range(3):
        clock.advance(IDLE * 0.4)
        client.get("/invocations?live=1", hx_request="true")
    answer = client.get("/invocations?live=1", hx_request="true")
    assert (answer.status, answer.headers["hx-trigger"], answer.headers["hx-reswap"]) == (
        401,
        "session-ended",
        "none",
    )  # session.js decides


def test_no_session_lasts_for_ever(place: Place, clock: FakeClock) -> None:
    """A session goes on while something is done, and ends after twelve hours, whatever is done."""
    client = place.signed_in()
    for _ in range(int(LASTS / IDLE / 0.5)):
        assert is_in(client)
        clock.advance(IDLE * 0.5)
    assert not is_in(client)


def test_a_revoked_token_ends_its_sessions(place: Place) -> None:
    """When a token is revoked, whoever signed in with it is out."""
    client = place.signed_in(token(place, "manage"))
    assert is_in(client)
    tokens = place.tokens()
    tokens.revoke(tokens.list()[0][0].id)
    assert not is_in(client)


@pytest.mark.parametrize(
    "assignment", ["revoked_at = NULL", "scope = 'manage'", "expires_at = 9e9"]
)
def test_a_session_ends_with_the_seal_of_its_token(place: Place, assignment: str) -> None:
    """Whoever had signed in, and can write to the database, undid the revocation of the token or
    gave it the scope `manage`: the console looked at the columns, and not at their seal.
    """
    client = place.signed_in(token(place, "read"))
    tokens = place.tokens()
    if "revoked" in assignment:
        tokens.revoke(tokens.list()[0][0].id)
    with place.host.storage.database.write() as transaction:
        transaction.change(f"UPDATE tokens SET {assignment}")
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


@pytest.mark.parametrize("address", ["/login", "/logout"])
def test_a_stranger_cannot_send_a_body_without_end(place: Place, address: str) -> None:
    """The forms that need no session, with a cookie that is made up, are read within a limit: 413
    long before the body ends.
    """
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        assert taken < 100, "it reads on"
        return {"type": "http.request", "body": b"x" * 65536, "more_body": True}

    answered = _asked(place, address, receive)
    assert answered[0]["status"] == 413
    assert taken == 1


@pytest.mark.parametrize("address", ["/login", "/logout", "/connections"])
def test_a_caller_who_hangs_up_is_no_fault(
    place: Place, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    """Whoever leaves in the middle of a form leaves no traceback in the log."""
    pieces: list[dict[str, Any]] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": b"csrf=", "more_body": True},
    ]

    async def receive() -> dict[str, Any]:
        return pieces.pop() if len(pieces) > 1 else pieces[0]

    _asked(
        place, address, receive, place.signed_in().cookies if address == "/connections" else None
    )
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def _asked(
    place: Place, address: str, receive: Any, cookies: dict[str, str] | None = None
) -> list[Any]:
    """What the application sends for a POST without a length whose body ``receive`` gives."""
    known = cookies or {"jackfield_8080": "ZGVmYXVsdA.made-up"}
    cookie = "; ".join(f"{name}={value}" for name, value in known.items())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": address,
        "raw_path": address.encode(),
        "query_string": b"",
        "root_path": "",
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8080),
        "headers": [(b"host", b"127.0.0.1:8080"), (b"cookie", cookie.encode())],
        "state": {},
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    with ThreadPoolExecutor(1) as apart:  # this thread may have a browser's event loop
        apart.submit(lambda: asyncio.run(place.app(scope, receive, send))).result()  # type: ignore[arg-type]
    return sent


def test_a_session_is_of_its_workspace(place: Place) -> None:
    """A cookie whose workspace was changed opens nothing."""
    place.workspaces.create("acme")
    client = place.signed_in(token(place, "manage"))
    secret = client.cookies["jackfield_8080"].partition(".")[2]
    for owner in ("YWNtZQ", "", "%%%", "/w=="):
        assert not is_in(Client(place.app, {"jackfield_8080": f"{owner}.{secret}"}))
    assert not is_in(Client(place.app, {"jackfield_8080": "nothing"}))


def test_another_process_knows_the_session(place: Place) -> None:
    """A session that one process began is known to others on the same database."""
    client = place.signed_in()
    host = ServerContext(place.host.settings, place.host.runtimes.environment, place.host.clock)
    assert is_in(Client(build_app(host, mounts()), dict(client.cookies)))
    host.runtimes.close()


def test_what_is_kept_signs_nobody_in(place: Place) -> None:
    """Neither the secret of a session nor that of a link is in the database."""
    client, link = place.signed_in(), place.link().partition("once=")[2]
    secret = client.cookies["jackfield_8080"].partition(".")[2]
    with place.host.storage.database.read() as transaction:
        rows = transaction.execute(
            "SELECT * FROM console_sessions WHERE workspace = :workspace", {"workspace": "default"}
        )
    assert len(rows) == 2
    assert not any(text in str(value) for row in rows for value in row for text in (secret, link))


def test_old_sessions_are_forgotten(place: Place, clock: FakeClock) -> None:
    """Sessions that are over are deleted when a new one begins."""
    sessions = Sessions(
        place.host.storage.database, lambda: place.host.storage.vault, "default", clock
    )
    sessions.begin({"by": "link"})
    clock.advance(LASTS + 1)
    sessions.begin({"by": "link"})
    with place.host.storage.database.read() as transaction:
        rows = transaction.execute(
            "SELECT digest FROM console_sessions WHERE workspace = :workspace",
            {"workspace": "default"},
        )
    assert len(rows) == 1


def test_without_a_database_nobody_signs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server without a database says why nobody can sign in."""
    with placed(tmp_path) as place:
        place.host.storage.enabled = False
        assert "needs a database" in place.client().get("/login").words
        assert place.client().get("/").headers["location"] == "/login"
