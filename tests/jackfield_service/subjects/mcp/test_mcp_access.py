"""Tokens, workspaces, rules, origins, limits: what holds for ``/mcp`` as for every other route."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from http_stand import SETTINGS, Client, Stand, say, standing
from jackfield.callers import Rules
from jackfield_service.shell.browsers.origins import check_origin
from jackfield_service.shell.process.settings import ServerSettings
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.mcp.tool_names import RESERVED
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.access.tokens import new_text
from mcp_talk import Server, call_of, called, message, remote, tool_names
from sealed_rows import set_token

PAGE = "https://pages.example"
LIST = message("tools/list")


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One server for all of them; a second workspace; a tool for each action; tight limits."""
    settings = replace(SETTINGS, mcp_tools="all", origins=(PAGE,), max_body=600_000)
    with standing(tmp_path_factory.mktemp("access"), settings) as found:
        Workspaces(found.host.storage.database, found.host.storage.vault, found.host.clock).create(
            "other"
        )
        for name in ("hall", "cellar"):
            assert (
                found.client()
                .post(
                    "/v1/connections",
                    {"name": name, "type": "echo/token", "values": {"token": "t-4711"}},
                )
                .status
                == 201
            )
        yield found


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """May do everything."""
    return stand.client()


def ruled(stand: Stand, *, allow: tuple[str, ...] = (), block: tuple[str, ...] = ()) -> Server:
    """A token with rules."""
    return remote(stand.port, stand.client("invoke", rules=Rules(allow, block)).token)


@pytest.mark.parametrize("kind", ["none", "basic", "garbage", "unknown", "expired", "revoked"])
def test_nobody_comes_in(stand: Stand, kind: str) -> None:
    """Without a token that is good now: 401, a problem, and how to sign in."""
    tokens = Tokens(
        stand.host.storage.database, stand.host.storage.vault, "default", stand.host.clock
    )
    made = tokens.create("manage", expires_at=stand.host.clock.time() + 3600)
    if kind == "expired":
        set_token(stand.host.storage, made.token.id, "expires_at = 1")
    if kind == "revoked":
        tokens.revoke(made.token.id)
    text = {"none": None, "basic": None, "garbage": "x' OR 1=1 --", "unknown": new_text()}.get(
        kind, made.text
    )
    headers = {"Authorization": "Basic abc"} if kind == "basic" else {}
    answer = Client(stand.port, text).post("/mcp", LIST, **headers)
    assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["x-request-id"]


def test_another_workspace_has_nothing_of_ours(stand: Stand) -> None:
    """The workspace comes from the token: no connection, no file, no key of another one."""
    server = remote(stand.port, stand.client("manage", "other").token)
    assert called(server, "list_connections").structured_content["items"] == []
    refused = called(server, "execute_action", **say("say", "hall", text="x"))
    assert refused.structured_content["error"]["code"] == "unknown_connection"


def test_a_blocked_action_is_neither_seen_nor_run(stand: Stand) -> None:
    """Rules filter searches, tools and guides; a call says whose rules forbid it."""
    server = ruled(stand, allow=("echo/*",), block=("echo/post",))
    names = tool_names(server)
    assert "echo_say" in names
    assert not {"echo_post", "aws-ses_sendEmail"} & set(names)
    found = called(server, "search_actions").structured_content["items"]
    assert {row["connector"] for row in found} == {"echo"}
    assert "post" not in {row["action"] for row in found}
    guide = called(server, "get_action_guide", connector="echo", action="post")
    assert (guide.is_error, "'echo' has no action 'post'" in guide.content[0].text) == (True, True)  # type: ignore[union-attr]
    for tool, arguments in (
        ("execute_action", say("post", "hall", text="x")),
        ("echo_post", {"text": "x", "connection": "hall"}),
    ):
        refused = called(server, tool, **arguments)
        assert (refused.is_error, refused.structured_content["error"]["code"]) == (
            True,
            "not_allowed",
        )
        assert "echo/post" in refused.structured_content["error"]["message"]


def test_pages_of_a_search_are_full_although_rules_leave_rows_out(stand: Stand) -> None:
    """Each action that is left comes once, and no page but the last is short."""
    server = ruled(
        stand, allow=("echo/*", "aws-ses/*"), block=("echo/list", "echo/say", "*/sendEmail")
    )
    first = [row["action"] for row in called(server, "search_actions").structured_content["items"]]
    found: list[str] = []
    given: dict[str, Any] = {"limit": 30}
    while True:
        page = called(server, "search_actions", **given).structured_content
        found += [row["action"] for row in page["items"]]
        if page["nextCursor"] is None:
            break
        assert len(page["items"]) == 30
        given["cursor"] = page["nextCursor"]
    assert found[: len(first)] == first
    assert len(set(found)) == len(found)
    assert {"listIdentities", "post", "put", "sayLater", "wrong"} <= set(found)
    assert not {"list", "say", "sendEmail"} & set(found)


def test_an_effect_that_is_not_allowed_is_not_seen(stand: Stand) -> None:
    """``effect:read`` leaves what reads."""
    found = called(ruled(stand, allow=("effect:read",)), "search_actions").structured_content[
        "items"
    ]
    assert {row["effect"] for row in found} == {"read"}


def test_rules_for_connections_leave_what_they_serve(stand: Stand) -> None:
    """Who may use one connection sees that one, and the actions that it serves."""
    server = ruled(stand, allow=("connection:hall",))
    assert [
        row["name"] for row in called(server, "list_connections").structured_content["items"]
    ] == ["hall"]
    assert {
        row["connector"] for row in called(server, "search_actions").structured_content["items"]
    } == {"echo"}
    assert {name.partition("_")[0] for name in tool_names(server) if name not in RESERVED} == {
        "echo"
    }
    assert not called(server, "echo_say", text="x", connection="hall").is_error
    assert (
        called(server, "echo_say", text="x", connection="cellar").structured_content["error"][
            "code"
        ]
        == "not_allowed"
    )
    blocked = ruled(stand, block=("connection:hall", "echo/say & connection:*"))
    assert [
        row["name"] for row in called(blocked, "list_connections").structured_content["items"]
    ] == ["cellar"]


def test_a_page_of_connections_is_what_rules_leave(stand: Stand) -> None:
    """Pages are full although rules leave rows out, and the last one ends."""
    server = ruled(stand, block=("connection:cellar",))
    page = called(server, "list_connections", limit=1).structured_content
    assert ([row["name"] for row in page["items"]], page["nextCursor"]) == (["hall"], None)
    first = called(
        remote(stand.port, stand.client().token), "list_connections", limit=1
    ).structured_content
    assert ([row["name"] for row in first["items"]], first["nextCursor"]) == (["cellar"], "cellar")


def test_rules_of_the_workspace_count_too(stand: Stand) -> None:
    """What the workspace blocks no token sees."""
    workspaces = stand.host.runtime("other").access.workspaces
    workspaces.set("other", {"rules": {"block": ["echo/*"]}})
    names = tool_names(remote(stand.port, stand.client("invoke", "other").token))
    assert not [name for name in names if name.startswith("echo_")]
    assert "aws-ses_sendEmail" in names


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://127.0.0.1:1",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1.evil:{port}",
    ],
)
def test_pages_from_elsewhere_may_not_call(client: Client, origin: str) -> None:
    """A page of another origin is refused although it has a token."""
    refused = client.post("/mcp", LIST, Origin=origin.format(port=client.port))
    assert (refused.status, refused.headers["content-type"]) == (403, "application/problem+json")


@pytest.mark.parametrize(
    "origin", [PAGE, "http://127.0.0.1:{port}", "http://localhost:{port}", "http://[::1]:{port}"]
)
def test_our_own_pages_and_the_operators_may(client: Client, origin: str) -> None:
    """Our own origin by each of its names, and those of ``--origin``."""
    assert client.post("/mcp", LIST, Origin=origin.format(port=client.port)).status == 200


def test_a_name_that_was_bound_to_us_is_not_ours(client: Client) -> None:
    """DNS rebinding: the page's host is the request's own, and no name of ours."""
    host = f"evil.example:{client.port}"
    assert client.post("/mcp", LIST, Origin=f"http://{host}", Host=host).status == 403


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}])
def test_s3_pages_without_an_origin_may_not_call(client: Client, headers: dict[str, str]) -> None:
    """Cross-site requests, and on this machine any other name in ``Host``, are refused as for
    Dapr's API.
    """
    assert client.post("/mcp", LIST, **headers).status == 403


@pytest.mark.parametrize(
    ("settings", "scheme", "host", "origin", "good"),
    [
        (
            ServerSettings(host="0.0.0.0", certificate="c"),
            "https",
            "api.example",
            "https://api.example",
            True,
        ),
        (
            ServerSettings(host="0.0.0.0", certificate="c"),
            "https",
            "api.example",
            "https://other.example",
            False,
        ),
        (ServerSettings(behind_proxy=True), "https", "api.example", "https://api.example", True),
        (ServerSettings(behind_proxy=True), "http", "evil.example", "http://evil.example", False),
        (ServerSettings(port=80), "http", "localhost", "http://localhost", True),
    ],
)
def test_own_origin_is_vouched_for_by_tls(
    settings: ServerSettings, scheme: str, host: str, origin: str, good: bool
) -> None:
    """Where others reach the server, the request's host is believed over TLS only."""
    headers: Any = SimpleNamespace(getlist=lambda _name: [origin], get=lambda _name, _default: host)
    request: Any = SimpleNamespace(
        headers=headers, scope={"scheme": scheme, "server": ("127.0.0.1", settings.port)}
    )
    if good:
        check_origin(request, settings, "")
    else:
        with pytest.raises(Problem):
            check_origin(request, settings, "")


def test_browsers_may_send_the_protocols_headers(client: Client) -> None:
    """A preflight of the operator's page lets MCP's headers through."""
    asked = "authorization,content-type,mcp-protocol-version,mcp-method,mcp-name,mcp-session-id"
    answer = client.call(
        "OPTIONS",
        "/mcp",
        Origin=PAGE,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers=asked,
    )
    assert answer.status == 200
    assert (
        client.post("/mcp", LIST, Origin=PAGE)
        .headers["access-control-expose-headers"]
        .endswith("Mcp-Session-Id, WWW-Authenticate")
    )


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_413(stand: Stand, client: Client, announced: bool) -> None:
    """The limit is the API's own, whether the size is told or not."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)
    piece = b" " * 50_000
    headers = {"Authorization": f"Bearer {client.token}"} | (
        {"Content-Length": str(50 * len(piece))} if announced else {}
    )
    connection.request(
        "POST",
        "/mcp",
        iter([piece] * (0 if announced else 50)),
        headers,
        encode_chunked=not announced,
    )
    answer = connection.getresponse()
    assert (answer.status, answer.headers["content-type"]) == (413, "application/problem+json")
    connection.close()


def test_a_large_call_is_worked_on_in_a_thread(client: Client) -> None:
    """Half a megabyte is an invocation like any other."""
    found = called(
        remote(client.port, client.token),
        "execute_action",
        **say("say", "hall", text="x" * 500_000),
        maxBytes=1_000_000,
    )
    assert found.structured_content["output"]["text"] == "x" * 500_000
    assert len(found.content[0].text) < 200  # type: ignore[union-attr]


def test_a_token_that_is_too_fast_waits(tmp_path_factory: pytest.TempPathFactory) -> None:
    """``--rate`` counts calls over MCP with all others."""
    with standing(tmp_path_factory.mktemp("rate"), replace(SETTINGS, rate=0.01)) as stand:
        client = stand.client()
        answers = [client.post("/mcp", LIST).status for _ in range(12)]
    assert set(answers) == {200, 429}


def test_guesses_are_limited(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever tries many tokens has to wait."""
    with standing(tmp_path_factory.mktemp("guess"), replace(SETTINGS, guesses=0.01)) as stand:
        answers = [Client(stand.port, new_text()).post("/mcp", LIST).status for _ in range(12)]
    assert set(answers) == {401, 429}


def test_a_call_of_an_unknown_tool_is_an_error_of_the_protocol(client: Client) -> None:
    """-32602, as MCP asks for; near names are suggested."""
    for name in ("serch_actions", "echo_nope", "nope.say", "", "x" * 5_000):
        error = client.post("/mcp", call_of(name)).json["error"]
        assert error["code"] == -32602
    assert (
        "did you mean 'search_actions'"
        in client.post("/mcp", call_of("serch_actions")).json["error"]["message"]
    )
