"""A connection that a call lacks: the person gets a link, connects, and the call goes on; nobody
else connects anything by it.
"""

from __future__ import annotations

import asyncio
import random
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import jwt
import pytest
from mcp import Client as SdkClient
from mcp_types import ElicitResult
from tests.jackfield_service.shell.pages.console_client import Answer, Place
from tests.jackfield_service.shell.pages.console_client import Client as Browser
from tests.jackfield_service.shell.pages.identity_provider import (
    CLIENT,
    SECRET,
    Provider,
    key_of,
    led_back,
    providing,
    roles_of,
)

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.callers.roles import made_grant
from jackfield_service.shell.commands.serve import mounts
from jackfield_service.shell.http.app import build_app
from jackfield_service.shell.identity.identity_providers import Jwt, Oidc
from jackfield_store.access import Workspaces
from mcp_talk import local, remote
from mcp_tasks import LEGACY, MODERN, WITH_LINKS, executed, modern

_PUBLIC = "http://127.0.0.1:8080"
_SAY = {"connector": "echo", "action": "post", "inputs": {"text": "hello"}}
_STATE = {
    "code": -32602,
    "message": "requestState is not one of this call, or its time is over: call again without it",
}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """The provider of the console's people, and of the clients' tokens."""
    with providing() as found:
        yield found


@pytest.fixture
def stand(tmp_path: Path, provider: Provider) -> Iterator[Stand]:
    """A server where Ada and Bob may manage connections, and Eve may not."""
    oidc, tokens = (
        Oidc(provider.issuer, CLIENT, SECRET),
        Jwt(f"{provider.issuer}/keys", provider.issuer, "jackfield"),
    )
    settings = replace(SETTINGS, oidc=oidc, jwt=tokens, public_url=_PUBLIC)
    with standing(tmp_path, settings) as found:
        Workspaces(found.host.storage.database, found.host.storage.vault, found.host.clock).create(
            "acme"
        )
        place = Place(found.host, build_app(found.host, mounts()))
        for subject, role in (
            ("ada", "connector-manager"),
            ("bob", "connector-manager"),
            ("eve", "operator"),
        ):
            roles_of(place).add(
                made_grant(role, "default", issuer=provider.issuer, subject=subject)
            )
        found.clients["app"] = place.app  # type: ignore[assignment]  # beside the clients
        yield found


def person(stand: Stand, provider: Provider, subject: str, **claims: Any) -> Client:
    """The client of a person, with a token of the provider."""
    usual = {
        "iss": provider.issuer,
        "aud": f"{_PUBLIC}/mcp",
        "sub": subject,
        "exp": time.time() + 3600,
        "workspace": "default",
        "scope": "jackfield:invoke",
    }
    return Client(
        stand.port, jwt.encode({**usual, **claims}, key_of("own"), "RS256", {"kid": "one"})
    )


def browser(stand: Stand, provider: Provider, subject: str = "") -> Browser:
    """A browser, signed in to the console as a person."""
    found = Browser(stand.clients["app"])  # type: ignore[arg-type]
    if subject:
        sign_in(found, provider, subject)
    return found


def sign_in(found: Browser, provider: Provider, subject: str) -> None:
    """Sign in at the provider."""
    provider.claims = {"sub": subject, "name": subject.title()}
    begun = found.get("/login/start")
    assert found.get(led_back(begun.headers["location"]), sec_fetch_site="cross-site").status == 200


def asked(client: Client, **more: Any) -> tuple[str, str]:
    """Call what lacks a connection; the path of the link, and the state."""
    found = executed(client, {**_SAY, **more}, WITH_LINKS)
    assert found["resultType"] == "input_required", found
    (request,) = found["inputRequests"].values()
    assert (request["method"], request["params"]["mode"]) == ("elicitation/create", "url")
    url = request["params"]["url"]
    assert url.startswith(f"{_PUBLIC}/connect/")
    return urlsplit(url).path, found["requestState"]


def again(client: Client, state: str, answer: Any = None, **more: Any) -> Any:
    """Repeat the call with its state; the result or the error."""
    responses = {"connect": answer or {"action": "accept"}}
    arguments = {**_SAY, **more}
    found = modern(
        client,
        "tools/call",
        WITH_LINKS,
        name="execute_action",
        arguments=arguments,
        inputResponses=responses,
        requestState=state,
    )
    return found.json.get("result", found.json.get("error"))


def connect(found: Browser, path: str) -> Answer:
    """Open the link, and connect: the last page."""
    page = found.get(path)
    begun = found.post(path, {"csrf": page.csrf})
    if begun.status != 303 or not begun.headers["location"].startswith("/connect/session"):
        return begun
    place = begun.headers["location"]
    for fields in ({"step": "submit", "value.token": "t-4711"}, {"step": "finish"}):
        last = found.post(place, {"csrf": found.get(place).csrf, **fields})
    return last


def connections(client: Client, stand: Stand) -> list[str]:
    """Names of the connections of the workspace."""
    return [row["name"] for row in stand.client().get("/v1/connections").json["items"]]


def test_a_person_connects_and_the_call_goes_on(stand: Stand, provider: Provider) -> None:
    """Until it is connected, the same link is shown again; afterwards the call runs once, however
    often it is repeated.
    """
    ada = person(stand, provider, "ada")
    path, state = asked(ada)
    pending = again(ada, state)
    assert (
        pending["resultType"],
        urlsplit(pending["inputRequests"]["connect"]["params"]["url"]).path,
    ) == ("input_required", path)
    assert asked(ada)[0] == path
    assert "Connected" in connect(browser(stand, provider, "ada"), path).words
    assert connections(ada, stand) == ["echo"]
    with ThreadPoolExecutor(10) as threads:
        found = list(threads.map(lambda _: again(ada, state), range(50)))
    assert {one["resultType"] for one in found} == {"complete"}
    told = [one["structuredContent"] for one in found]
    assert {one["status"] for one in told} == {"succeeded"}
    assert len({one["meta"]["invocationId"] for one in told}) == 1
    rows = stand.client().get("/v1/invocations?action=post&status=succeeded").json["items"]
    assert len(rows) == 1


def test_two_states_of_one_call_are_one_effect(stand: Stand, provider: Provider) -> None:
    """A client that lost the first answer asks again, and uses both states once the person has
    connected: the write happens once.
    """
    ada = person(stand, provider, "ada")
    (path, first), (other, second) = asked(ada), asked(ada)
    assert (path == other, first != second) == (True, True)
    connect(browser(stand, provider, "ada"), path)
    found = [again(ada, state)["structuredContent"] for state in (first, second, first)]
    assert [one["status"] for one in found] == ["succeeded"] * 3
    assert len({one["meta"]["invocationId"] for one in found}) == 1
    assert (
        len(stand.client().get("/v1/invocations?action=post&status=succeeded").json["items"]) == 1
    )


def test_nobody_else_connects_by_the_link(stand: Stand, provider: Provider) -> None:
    """Not Bob, who may manage connections himself; not who is not signed in; not by a session begun
    as Ada and gone on as Bob.
    """
    ada, bob = person(stand, provider, "ada"), browser(stand, provider, "bob")
    path, state = asked(ada)
    assert connect(bob, path).status == 403
    nobody = connect(browser(stand, provider), path)
    assert (nobody.status, nobody.headers["location"]) == (
        303,
        f"/login?next={path.replace('/', '%2F')}",
    )
    shared = browser(stand, provider, "ada")
    begun = shared.post(path, {"csrf": shared.get(path).csrf})
    place = begun.headers["location"]
    shared.cookies = {
        name: value for name, value in shared.cookies.items() if "connect" in name
    } | {name: value for name, value in bob.cookies.items() if "connect" not in name}
    for step in ("submit", "finish", "cancel"):
        assert (
            shared.post(
                place, {"csrf": shared.get(place).csrf, "step": step, "value.token": "t-4711"}
            ).status
            == 403
        )
    assert connections(ada, stand) == []
    assert again(ada, state)["resultType"] == "input_required"


def test_who_may_not_manage_connections_makes_none(stand: Stand, provider: Provider) -> None:
    """Her call is refused on the page, and goes on waiting."""
    eve = person(stand, provider, "eve")
    path, _ = asked(eve)
    found = connect(browser(stand, provider, "eve"), path)
    assert (found.status, "may not connect accounts" in found.words) == (403, True)
    assert connections(eve, stand) == []


def test_a_state_is_of_one_call_of_one_person(stand: Stand, provider: Provider) -> None:
    """Changed in any byte, with other arguments, by somebody else, in another workspace, with
    another end, late: one refusal.
    """
    ada = person(stand, provider, "ada")
    path, state = asked(ada)
    connect(browser(stand, provider, "ada"), path)
    assert again(ada, state, inputs={"text": "other"}) == _STATE
    for other in (
        person(stand, provider, "bob"),
        person(stand, provider, "ada", workspace="acme"),
        stand.client("invoke"),
    ):
        assert again(other, state) == _STATE
    sealed, rng = urlsafe_b64decode(state + "=" * (-len(state) % 4)), random.Random(4711)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= rng.randrange(1, 256)
        assert again(ada, urlsafe_b64encode(bytes(changed)).decode().rstrip("=")) == _STATE, place
    for text in ("", "x", state + "=", state[:-1], state + "A", "é"):
        assert again(ada, text) == _STATE, text
    assert stand.client().get("/v1/invocations?action=post&status=succeeded").json["items"] == []
    assert again(ada, state)["structuredContent"]["status"] == "succeeded"


def test_who_declines_gets_the_refusal(stand: Stand, provider: Provider) -> None:
    """As without the link, and the link is over."""
    ada = person(stand, provider, "ada")
    path, state = asked(ada)
    found = again(ada, state, {"action": "decline"})
    assert found["structuredContent"]["error"]["code"] == "invalid_invocation"
    assert "Nothing was connected" in browser(stand, provider, "ada").get(path).words
    assert again(ada, state)["structuredContent"]["error"]["code"] == "invalid_invocation"


@pytest.mark.parametrize("given", [{}, {"elicitation": {}}, {"elicitation": {"form": {}}}])
def test_nobody_is_asked_who_cannot_be(
    stand: Stand, provider: Provider, given: dict[str, Any]
) -> None:
    """A client that shows no links; a token, behind which there is no person."""
    found = executed(person(stand, provider, "ada"), _SAY, given)
    assert found["structuredContent"]["error"]["code"] == "invalid_invocation"
    assert (
        executed(stand.client("invoke"), _SAY, WITH_LINKS)["structuredContent"]["error"]["code"]
        == "invalid_invocation"
    )


def test_what_a_rule_forbids_is_not_asked_for(stand: Stand, provider: Provider) -> None:
    """Nor a name that may be misspelt, where another connection fits."""
    ada, boss = person(stand, provider, "ada"), stand.client()
    Workspaces(stand.host.storage.database, stand.host.storage.vault, stand.host.clock).set(
        "default", {"rules": {"block": ["*/post"]}}
    )
    assert executed(ada, _SAY, WITH_LINKS)["structuredContent"]["error"]["code"] == "not_allowed"
    Workspaces(stand.host.storage.database, stand.host.storage.vault, stand.host.clock).set(
        "default", {"rules": {"block": []}}
    )
    assert (
        boss.post(
            "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t"}}
        ).status
        == 201
    )
    assert (
        executed(ada, {**_SAY, "connection": "hal"}, WITH_LINKS)["structuredContent"]["error"][
            "code"
        ]
        == "unknown_connection"
    )


def test_one_person_opens_one_session_for_a_connector(stand: Stand, provider: Provider) -> None:
    """However many names the calls give: the earlier link is over."""
    ada = person(stand, provider, "ada")
    paths = [asked(ada, connection=f"echo-{number}")[0] for number in range(5)]
    assert len(set(paths)) == 5
    shown = [browser(stand, provider).get(path).status for path in paths]
    assert shown == [403, 403, 403, 403, 200]


def test_older_clients_get_an_error_with_the_link(stand: Stand, provider: Provider) -> None:
    """By the capability of the handshake, which the session's id carries; the person connects, and
    the call is repeated.
    """
    ada = person(stand, provider, "ada")
    hello = {
        "protocolVersion": LEGACY,
        "capabilities": {"elicitation": {"url": {}}},
        "clientInfo": {"name": "t", "version": "1"},
    }
    session = ada.post(
        "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    ).headers["mcp-session-id"]
    headers = {"MCP-Protocol-Version": LEGACY, "Mcp-Session-Id": session}

    def call(sent: dict[str, str], **more: Any) -> Any:
        params = {"name": "execute_action", "arguments": {**_SAY, **more}}
        return ada.post(
            "/mcp", {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}, **sent
        ).json

    error = call(headers)["error"]
    assert error["code"] == -32042
    (request,) = error["data"]["elicitations"]
    connect(browser(stand, provider, "ada"), urlsplit(request["url"]).path)
    assert call(headers)["result"]["structuredContent"]["status"] == "succeeded"
    assert call({"MCP-Protocol-Version": LEGACY}, connection="none")["result"]["isError"] is True


def test_the_sdks_client_shows_the_link_and_gets_the_result(
    stand: Stand, provider: Provider
) -> None:
    """Over HTTP: its callback opens the link; the person connects meanwhile."""
    ada, opened = person(stand, provider, "ada"), list[str]()

    async def shown(_context: Any, params: Any) -> ElicitResult:
        opened.append(params.url)
        if len(opened) == 1:
            await asyncio.to_thread(
                lambda: connect(browser(stand, provider, "ada"), urlsplit(params.url).path)
            )
        return ElicitResult(action="accept")

    async def talk() -> Any:
        async with SdkClient(
            remote(ada.port, ada.token)(), mode=MODERN, elicitation_callback=cast("Any", shown)
        ) as found:
            return await found.call_tool("execute_action", dict(_SAY))

    assert asyncio.run(talk()).structured_content["status"] == "succeeded"
    assert len(opened) == 1


def test_over_stdio_the_link_is_that_of_a_server_with_the_same_home(tmp_path: Path) -> None:
    """It needs no sign-in, since whoever started the program is the operator; without a server's
    address, nobody is asked.
    """
    home = {"JACKFIELD_HOME": str(tmp_path / "home"), "JACKFIELD_PUBLIC_URL": _PUBLIC}
    with standing(tmp_path, replace(SETTINGS, public_url=_PUBLIC)) as stand:
        app, opened = build_app(stand.host, mounts()), list[str]()

        async def shown(_context: Any, params: Any) -> ElicitResult:
            opened.append(params.url)
            await asyncio.to_thread(lambda: connect(Browser(app), urlsplit(params.url).path))
            return ElicitResult(action="accept")

        async def talk() -> Any:
            async with SdkClient(
                local(tmp_path / "client", **home)(),
                mode=MODERN,
                elicitation_callback=cast("Any", shown),
            ) as found:
                return await found.call_tool("execute_action", dict(_SAY))

        (tmp_path / "client").mkdir()
        assert asyncio.run(talk()).structured_content["status"] == "succeeded"
        assert len(opened) == 1
