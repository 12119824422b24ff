"""OAuth 2.0 with a person's approval, against a real authorization server: both flows, refresh,
rotation, revocation, attacks.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from inmemory import installed
from jackfield.connector import Forbidden, InvalidConnection
from jackfield.kernel.errors import InvalidInvocation, JackfieldError
from jackfield_http import OAuth2AuthorizationCode, OpenIdConnect
from jackfield_store.connections.authorizations import UnknownAuthorizationError
from jackfield_store.runtime import Jackfield
from oauth2_people import make_connector
from oidc_provider import REDIRECT_URI, SECRET, AuthorizationServer, authorization_server


@pytest.fixture(scope="module")
def provider() -> Iterator[AuthorizationServer]:
    """One authorization server for all tests."""
    with authorization_server() as found:
        yield found


@pytest.fixture
def runtime(tmp_path: Path, provider: AuthorizationServer) -> Iterator[Jackfield]:
    """A runtime with the connection ``ada``, which nobody has approved."""
    with (
        installed(tmp_path, make_connector(OAuth2AuthorizationCode, OpenIdConnect)) as catalog,
        Jackfield(
            catalog=catalog,
            database_url=f"sqlite:///{tmp_path}/j.db",
            environment={"JACKFIELD_HOME": str(tmp_path)},
        ) as found,
    ):
        found.connections.add(
            "ada", "people/oauth2AuthorizationCode", provider.values(), test=False
        )
        yield found


def begin(runtime: Jackfield, **more: Any) -> dict[str, Any]:
    """Begin to connect ``ada``."""
    return runtime.connections.authorizing().begin("ada", REDIRECT_URI, **more)


def connect(runtime: Jackfield, provider: AuthorizationServer) -> None:
    """Connect ``ada`` in a browser."""
    begun = begin(runtime)
    assert (
        runtime.connections.authorizing()
        .complete(begun["id"], provider.browser().approve(begun["url"]))
        .connection
        == "ada"
    )


def ask(runtime: Jackfield, connection: str = "ada") -> Any:
    """Ask who has approved, over a connection."""
    return runtime.invoke(
        {"connector": "people", "action": "whoAmI", "connection": connection, "inputs": {}}
    ).to_json()


def status(runtime: Jackfield) -> dict[str, Any]:
    """What the connection ``ada`` shows of its grant."""
    return dict(runtime.connections.show("ada")["authorization"])


def test_it_says_that_nobody_has_approved(runtime: Jackfield) -> None:
    """Before anybody has approved, an invocation fails without a request and says what to do."""
    error = ask(runtime)["error"]
    assert (error["code"], error["message"]) == (
        "invalid_connection",
        "nobody has approved the connection 'ada' at the provider yet",
    )
    assert "authorizing()" in error["hint"]
    assert status(runtime) == {"status": "none"}


def test_a_person_approves_in_a_browser(runtime: Jackfield, provider: AuthorizationServer) -> None:
    """The address has a PKCE challenge, a state and a nonce; afterwards actions run, and the
    connection shows what was approved.
    """
    begun = begin(runtime)
    asked = {name: value[0] for name, value in parse_qs(urlsplit(begun["url"]).query).items()}
    assert (
        asked["response_type"],
        asked["code_challenge_method"],
        len(asked["code_challenge"]),
    ) == ("code", "S256", 43)
    assert len(asked["state"]) >= 43
    assert asked["nonce"] != asked["state"]
    runtime.connections.authorizing().complete(
        begun["id"], provider.browser().approve(begun["url"])
    )
    assert ask(runtime)["output"] == {"sub": "ada"}
    found = status(runtime)
    assert (found["status"], set(found["scopes"]) >= {"mail.read", "openid"}) == ("granted", True)
    assert runtime.connections.authorizing().poll(begun["id"])["status"] == "granted"


def test_a_person_approves_on_another_device(
    runtime: Jackfield, provider: AuthorizationServer
) -> None:
    """The code is entered in another browser; until then the authorization is pending."""
    authorizing = runtime.connections.authorizing()
    begun = authorizing.begin_device("ada")
    assert authorizing.poll(begun["id"])["status"] == "pending"
    browser = provider.browser()
    _, page = browser.open(begun["completeUrl"])
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
    browser.open(begun["url"], {**fields, "user_code": begun["userCode"], "confirm": "yes"})
    runtime.clock.sleep(begun["interval"])
    assert authorizing.poll(begun["id"])["status"] == "granted"
    assert ask(runtime)["output"] == {"sub": "ada"}


def test_a_rotated_refresh_token_is_kept(runtime: Jackfield, provider: AuthorizationServer) -> None:
    """Each refresh uses up its refresh token; the next one is stored, and the grant stays the
    same.
    """
    connect(runtime, provider)
    table, identifier = _table(runtime)
    first = table.find(identifier, "ada")
    assert ask(runtime)["status"] == "succeeded"
    second = table.find(identifier, "ada")
    assert (second.id, second.value != first.value) == (first.id, True)
    _forget_access_token(runtime)
    assert ask(runtime)["status"] == "succeeded"
    assert table.find(identifier, "ada").value != second.value


def test_one_refresh_serves_all(runtime: Jackfield, provider: AuthorizationServer) -> None:
    """Fifty threads that find no access token make one refresh."""
    connect(runtime, provider)
    before, found = provider.count("/token"), list[str]()
    threads = [
        threading.Thread(target=lambda: found.append(ask(runtime)["status"])) for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["succeeded"] * 50
    assert provider.count("/token") - before == 1


def test_a_grant_that_has_ended_asks_for_a_new_one(
    runtime: Jackfield, provider: AuthorizationServer
) -> None:
    """After the provider has refused the refresh token, the connection says so until somebody
    approves again.
    """
    connect(runtime, provider)
    table, identifier = _table(runtime)
    used = table.find(identifier, "ada")
    table.rotate(
        identifier,
        used,
        type(used)({"refreshToken": "made-up"}, used.scopes, ("made-up",), used.id),
    )
    error = ask(runtime)["error"]
    assert error["code"] == "invalid_connection"
    assert "no longer accepts it" in error["message"]
    assert (status(runtime)["status"], status(runtime)["reason"]) == (
        "ended",
        "the provider no longer accepts it",
    )
    assert runtime.connections.show("ada")["status"] == "expired"
    connect(runtime, provider)
    assert ask(runtime)["status"] == "succeeded"
    assert [event.type for event in runtime.events(types=["connection.*"])] == [
        "connection.expired",
        "connection.recovered",
    ]


def test_removing_a_connection_revokes_its_grant(
    runtime: Jackfield, provider: AuthorizationServer
) -> None:
    """The provider learns that the refresh token is no longer needed, and nothing of it is kept."""
    connect(runtime, provider)
    before = provider.count("/token/revocation")
    runtime.connections.remove("ada")
    assert provider.count("/token/revocation") - before == 1
    with runtime.storage.database.read() as transaction:
        assert transaction.execute("SELECT * FROM grants", {}) == []
        assert transaction.execute("SELECT * FROM authorizations", {}) == []


def test_openid_connect_checks_the_id_token(
    runtime: Jackfield, provider: AuthorizationServer
) -> None:
    """An ID token for another nonce is refused; one that fits names the account, also after a
    refresh has rotated the tokens.
    """
    runtime.connections.add("bob", "people/openIdConnect", provider.values(scopes=[]), test=False)
    authorizing = runtime.connections.authorizing()
    begun = authorizing.begin("bob", REDIRECT_URI)
    answer = provider.browser().approve(
        re.sub(r"nonce=[^&]+", "nonce=of-an-attacker", begun["url"])
    )
    with pytest.raises(InvalidConnection, match="not for this client and this approval"):
        authorizing.complete(begun["id"], answer)
    begun = authorizing.begin("bob", REDIRECT_URI)
    authorizing.complete(begun["id"], provider.browser().approve(begun["url"]))
    assert ask(runtime, "bob")["output"] == {"sub": "ada"}
    runtime.connections.test("bob")
    assert runtime.connections.show("bob")["account"]["id"] == "ada"


def _swapped(answer: dict[str, str], **members: str) -> dict[str, str]:
    return {**answer, **members}


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"state": "made-up"}, id="another-state"),
        pytest.param({"state": ""}, id="no-state"),
        pytest.param({"iss": "https://evil.example"}, id="issuer-mix-up"),
        pytest.param({"code": "made-up"}, id="another-code"),
        pytest.param({"code": ""}, id="no-code"),
        pytest.param(
            {"error": "access_denied", "error_description": "no\r\nSet-Cookie: x=1"}, id="refused"
        ),
    ],
)
def test_forged_answers_are_refused(
    runtime: Jackfield, provider: AuthorizationServer, forged: dict[str, str]
) -> None:
    """An answer with a member that is not the provider's grants nothing, and shows no secret."""
    begun = begin(runtime)
    answer = provider.browser().approve(begun["url"])
    with pytest.raises(JackfieldError) as caught:
        runtime.connections.authorizing().complete(begun["id"], _swapped(answer, **forged))
    assert isinstance(
        caught.value, Forbidden | InvalidConnection | InvalidInvocation | JackfieldError
    )
    assert SECRET not in str(caught.value.to_json("http"))
    assert answer["code"] not in str(caught.value.to_json("http"))
    assert "\n" not in caught.value.message
    assert status(runtime) == {"status": "none"}


def test_an_answer_is_taken_once(runtime: Jackfield, provider: AuthorizationServer) -> None:
    """The answer cannot be replayed, and does not fit another authorization."""
    begun, other = begin(runtime), begin(runtime)
    answer = provider.browser().approve(begun["url"])
    authorizing = runtime.connections.authorizing()
    with pytest.raises(UnknownAuthorizationError):
        authorizing.complete(other["id"], answer)
    authorizing.complete(begun["id"], answer)
    with pytest.raises(UnknownAuthorizationError):
        authorizing.complete(begun["id"], answer)


def test_another_browser_cannot_complete(runtime: Jackfield, provider: AuthorizationServer) -> None:
    """Where the browser that began is known, no other one can complete: it would connect somebody
    else's account (RFC 6749 §10.12).
    """
    begun = begin(runtime, browser="a-cookie")
    answer = provider.browser().approve(begun["url"])
    for other in ("", "another-cookie"):
        with pytest.raises(UnknownAuthorizationError):
            runtime.connections.authorizing().complete(begun["id"], answer, browser=other)
    runtime.connections.authorizing().complete(begun["id"], answer, browser="a-cookie")
    assert status(runtime)["status"] == "granted"


@pytest.mark.parametrize(
    "address",
    [
        "http://evil.example/callback",
        "javascript:alert(1)",
        "https://user@evil.example/",
        "https://a.example/#here",
        "//evil.example",
        "https://a.example/\r\nX: y",
        "https://a.example\\@evil.example",
        "http://[::1",
        "",
    ],
)
def test_redirect_uris_are_checked(runtime: Jackfield, address: str) -> None:
    """Codes are only sent over https, or to this machine."""
    with pytest.raises(InvalidInvocation) as caught:
        runtime.connections.authorizing().begin("ada", address)
    assert caught.value.details[0].path == "/redirectUri"


def test_a_changed_connection_must_be_approved_again(
    runtime: Jackfield, provider: AuthorizationServer
) -> None:
    """Whoever changes the token URL does not get the refresh token sent there."""
    connect(runtime, provider)
    shown = runtime.connections.show("ada")["values"]
    runtime.connections.replace(
        "ada",
        {**shown, "tokenUrl": f"{provider.issuer}/elsewhere", "clientSecret": SECRET},
        test=False,
    )
    assert status(runtime)["status"] == "ended"
    before = provider.count("/elsewhere")
    assert "has changed since" in ask(runtime)["error"]["message"]
    assert provider.count("/elsewhere") == before


def test_no_token_is_shown_or_stored_in_clear(
    runtime: Jackfield, provider: AuthorizationServer, tmp_path: Path
) -> None:
    """Neither the database's files nor what is shown contain a token."""
    connect(runtime, provider)
    assert ask(runtime)["status"] == "succeeded"
    table, identifier = _table(runtime)
    token = table.find(identifier, "ada").value["refreshToken"]
    runtime.storage.database.close()
    assert not [path for path in tmp_path.glob("j.db*") if token.encode() in path.read_bytes()]


def _table(runtime: Jackfield) -> tuple[Any, str]:
    """The table of grants, and the id of ``ada``."""
    store: Any = runtime.connections.known.store
    return store.approvals[0], str(store.show("ada").id)


def _forget_access_token(runtime: Jackfield) -> None:
    """Let the access token's lease be due, here and in the database."""
    with runtime.storage.database.write() as transaction:
        transaction.change("DELETE FROM leases", {})
    for cache in runtime.open_connections._stored._caches.values():
        cache._held.clear()
