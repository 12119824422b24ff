"""Clients of MCP that sign people in at the operator's identity provider: where they find it, and
what their tokens open.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.jackfield_service.subjects.people.test_http_jwt import Provider

from http_stand import SETTINGS, Client, Stand, say, standing
from jackfield_service.shell.identity.identity_providers import Jwt
from jackfield_store.access import Workspaces
from mcp_talk import call_of, message
from mcp_tasks import legacy

_ISSUER, _API, _PUBLIC = "https://id.example.com", "jackfield", "https://corp.example/jack"
_RESOURCE = f"{_PUBLIC}/mcp"
_METADATA = "/.well-known/oauth-protected-resource"
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def keys() -> Iterator[str]:
    """URL of the provider's keys."""
    provider = Provider()
    provider.published = [
        json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_KEY.public_key()))
        | {"kid": "one", "use": "sig", "alg": "RS256"}
    ]
    yield provider.url
    provider.server.shutdown()
    provider.server.server_close()


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, keys: str) -> Iterator[Stand]:
    """A server with a provider and a public URL."""
    settings = replace(
        SETTINGS, jwt=Jwt(keys, _ISSUER, _API), public_url=_PUBLIC, origins=("https://app.example",)
    )
    with standing(tmp_path_factory.mktemp("signed"), settings) as found:
        Workspaces(found.host.storage.database, found.host.storage.vault, found.host.clock).create(
            "acme"
        )
        yield found


def token(**claims: Any) -> str:
    """A token; a claim of None is left out."""
    usual = {
        "iss": _ISSUER,
        "aud": _RESOURCE,
        "sub": "ada",
        "exp": time.time() + 60,
        "workspace": "default",
        "scope": "jackfield:invoke",
    }
    told = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return jwt.encode(told, _KEY, "RS256", {"kid": "one"})


def client(stand: Stand, **claims: Any) -> Client:
    """A caller with such a token."""
    return Client(stand.port, token(**claims))


def ran(found: Client) -> Any:
    """Status of a call of an action over MCP, and whether it succeeded."""
    reply = found.post(
        "/mcp",
        call_of(
            "execute_action",
            1,
            **say("say", {"type": "token", "values": {"token": "t-4711"}}, text="hello"),
        ),
    )
    return reply.status, reply.status == 200 and not reply.json["result"]["isError"]


@pytest.mark.parametrize("path", [_METADATA, f"{_METADATA}/mcp"])
def test_the_metadata_names_the_provider(stand: Stand, path: str) -> None:
    """Without a token, by the public URL."""
    assert Client(stand.port).get(path, Host="evil.example").json == {
        "resource": _RESOURCE,
        "authorization_servers": [_ISSUER],
        "scopes_supported": ["jackfield:read", "jackfield:invoke"],
        "bearer_methods_supported": ["header"],
        "resource_name": "jackfield",
    }


@pytest.mark.parametrize(
    ("given", "error"),
    [(None, ""), ("jf_nobody", ', error="invalid_token"'), ("a.b.c", ', error="invalid_token"')],
)
def test_a_client_without_a_token_is_told_where_to_get_one(
    stand: Stand, given: str | None, error: str
) -> None:
    """The challenge has the address of the metadata, which no ``Host`` decides; other paths have
    none. Pages of allowed origins read it.
    """
    reply = Client(stand.port, given).post(
        "/mcp", message("tools/list"), Host="evil.example", Origin="https://app.example"
    )
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == (
        f'Bearer realm="jackfield", resource_metadata="{_PUBLIC}{_METADATA}/mcp", '
        f'scope="jackfield:read jackfield:invoke"{error}'
    )
    assert "WWW-Authenticate" in reply.headers["access-control-expose-headers"]
    assert (
        Client(stand.port, given).get("/v1/connectors").headers["www-authenticate"]
        == 'Bearer realm="jackfield"'
    )


@pytest.mark.parametrize(
    ("audience", "over_mcp", "over_http"),
    [
        (_RESOURCE, 200, 401),
        (_API, 401, 200),
        ([_API, _RESOURCE], 200, 200),
        ("https://evil.example/mcp", 401, 401),
        (_PUBLIC, 401, 401),
    ],
)
def test_a_token_is_for_its_resource(
    stand: Stand, audience: Any, over_mcp: int, over_http: int
) -> None:
    """One for MCP opens nothing of the HTTP API, and the reverse, however often and in whichever
    order it is tried.
    """
    found = client(stand, aud=audience)
    for _ in range(2):
        assert ran(found) == (over_mcp, over_mcp == 200)
        assert found.get("/v1/connectors").status == over_http
        assert (
            found.post(
                "/v1/invocations",
                say("say", {"type": "token", "values": {"token": "t-4711"}}, text="x"),
            ).status
            == over_http
        )


def test_nothing_of_the_console_opens(stand: Stand) -> None:
    """A token for MCP signs nobody in."""
    assert stand.host.identities.find(token(scope="manage")) is None


@pytest.mark.parametrize("scope", ["manage", "jackfield:manage jackfield:read"])
def test_the_widest_scope_is_invoke(stand: Stand, scope: str) -> None:
    """What manages has no use over MCP: bodies of exchanges are not kept for it."""
    found = client(stand, scope=scope)
    assert ran(found) == (200, True)
    traced = say("say", {"type": "token", "values": {"token": "t-4711"}}, text="x") | {
        "trace": True
    }
    refused = found.post("/mcp", call_of("execute_action", 1, **traced)).json["result"]["content"][
        0
    ]["text"]
    assert json.loads(refused)["error"]["code"] == "not_allowed"


def test_a_narrow_token_steps_up(stand: Stand) -> None:
    """It looks around; a call that runs something is 403 with the scopes to ask for, also of an
    action's own tool.
    """
    found = client(stand, scope="jackfield:read")
    assert (
        found.post("/mcp", call_of("search_actions", 1, query="say")).json["result"]["isError"]
        is False
    )
    for tool in ("execute_action", "echo_say", "nobody"):
        reply = found.post("/mcp", call_of(tool, 1, text="x"))
        assert (reply.status, reply.json["code"]) == (403, "scope_missing")
        assert reply.headers["www-authenticate"].endswith('error="insufficient_scope"')
    none = client(stand, scope="openid").post("/mcp", message("tools/list"))
    assert (none.status, none.headers["www-authenticate"][-26:]) == (
        403,
        'error="insufficient_scope"',
    )


@pytest.mark.parametrize(
    ("claim", "says"),
    [(None, "has no claim 'workspace'"), (7, "has no claim"), ("nowhere", "does not exist")],
)
def test_a_token_without_a_workspace_is_not_asked_for_again(
    stand: Stand, claim: Any, says: str
) -> None:
    """The client would sign in for ever: it gets the reason, and no challenge. The HTTP API says
    401, as for any token it does not know.
    """
    reply = client(stand, workspace=claim).post("/mcp", message("tools/list"))
    assert (reply.status, says in reply.json["detail"], "www-authenticate" in reply.headers) == (
        403,
        True,
        False,
    )
    assert client(stand, workspace=claim, aud=_API).get("/v1/connectors").status == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": time.time() - 600},
        {"iss": "https://evil.example"},
        {"sub": None},
        {"aud": None},
        {"exp": "later"},
    ],
)
def test_what_the_provider_has_not_issued_is_unknown(stand: Stand, claims: dict[str, Any]) -> None:
    """401 with the challenge, and nothing is told of its claims."""
    reply = client(stand, workspace="nowhere", **claims).post("/mcp", message("tools/list"))
    assert (reply.status, 'error="invalid_token"' in reply.headers["www-authenticate"]) == (
        401,
        True,
    )


def test_workspaces_are_apart(stand: Stand) -> None:
    """The claim decides, over MCP as everywhere."""
    assert ran(client(stand, workspace="acme")) == (200, True)
    assert len(client(stand, workspace="acme", aud=_API).get("/v1/invocations").json["items"]) == 1


def test_our_own_tokens_need_no_provider(stand: Stand) -> None:
    """They open both, and get jackfield's own refusals: no scope of a provider's helps them."""
    assert ran(stand.client("invoke")) == (200, True)
    assert ran(stand.client("read")) == (200, False)


@pytest.mark.parametrize("settings", [{"public_url": ""}, {"issuer": "our-provider"}])
def test_without_an_address_nothing_is_announced(
    tmp_path: Path, keys: str, settings: dict[str, str]
) -> None:
    """A server that knows no public URL, or an issuer that is no URL: tokens of the API's audience
    open MCP where there is no other.
    """
    issuer, public = settings.get("issuer", _ISSUER), settings.get("public_url", _PUBLIC)
    with standing(
        tmp_path, replace(SETTINGS, jwt=Jwt(keys, issuer, _API), public_url=public)
    ) as found:
        assert Client(found.port).get(f"{_METADATA}/mcp").status == 404
        assert (
            Client(found.port).post("/mcp", message("tools/list")).headers["www-authenticate"]
            == 'Bearer realm="jackfield"'
        )
        assert ran(client(found, iss=issuer, aud=_API if not public else _RESOURCE)) == (200, True)


@pytest.mark.parametrize("name", ["search_actions  ", "  search_actions", " search_actions\t"])
def test_blanks_around_a_header_do_not_count(stand: Stand, name: str) -> None:
    """The name of the tool in a header is that of the body (RFC 9110 §5.5)."""
    body = message("tools/call", 1, name="search_actions", arguments={"query": "say"})
    body["params"]["_meta"] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": name}
    assert stand.client("read").post("/mcp", body, **headers).status == 200


def test_a_subject_that_is_called_as_a_token_has_none_of_its_tasks(stand: Stand) -> None:
    """Tasks belong to a person or a token, and not to a name: one who is called as a token lists,
    sees and ends none of that token's.
    """
    theirs = stand.client("manage")
    call = {
        **say("say", {"type": "token", "values": {"token": "t-4711"}}, text="hello"),
        "connection": "tasked",
    }
    assert (
        theirs.post(
            "/v1/connections",
            {"name": "tasked", "type": "echo/token", "values": {"token": "t-4711"}},
        ).status
        == 201
    )
    made = legacy(theirs, "tools/call", name="execute_action", arguments=call, task={})["task"][
        "taskId"
    ]
    listed = legacy(theirs, "tasks/list")["tasks"]
    caller = theirs.get("/v1/invocations").json["items"][0]["caller"]
    other = client(stand, sub=caller)
    assert ([one["taskId"] for one in listed], legacy(other, "tasks/list")) == (
        [made],
        {"tasks": []},
    )
    assert legacy(other, "tasks/cancel", taskId=made)["code"] == -32602
