"""Sign-ins as data: what an overlay says about tokens, keys, logins, connection tests and accounts,
and the requests that come of it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from jackfield.catalog import Catalog
from jackfield.connector import InvalidInput
from jackfield.kernel.errors import InvalidConnection
from jackfield.testing import Answer, Provider, Request
from jackfield_market.testing.document_cures import CURES
from jackfield_openapi.conversion import Choices, converted
from jackfield_store.runtime import Jackfield
from openapi_rig import document, generate, installed, operation
from plugboard import declare, plugged

REDIRECT = "https://jackfield.example/oauth2/callback"


def _api(
    schemes: Mapping[str, Any],
    paths: Mapping[str, Any] | None = None,
    server: str = "",
    **extension: Any,
) -> dict[str, Any]:
    me = operation(operationId="whoAmI", **{"x-jackfield": {"probe": True}})
    more = {"servers": [{"url": server or "https://api.acme.example"}]}
    components = {"securitySchemes": dict(schemes)}
    return document(
        paths or {"/me": {"get": me}}, components=components, **more, **{"x-jackfield": extension}
    )


_BEARER = {"login": {"type": "http", "scheme": "bearer"}}
_BASIC = {"login": {"type": "http", "scheme": "basic"}}
_KEY = {"login": {"type": "apiKey", "in": "header", "name": "Authorization"}}


def _basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("schemes", "curation", "values", "sent"),
    [
        (_BEARER, {"prefix": "Bot "}, {"token": "t-1"}, "Bot t-1"),
        (_BEARER, {}, {"token": "t-1"}, "Bearer t-1"),
        (_KEY, {"prefix": "Token token="}, {"value": "k-1"}, "Token token=k-1"),
        (_KEY, {}, {"value": "k-1"}, "k-1"),
        (_BASIC, {"fixed": {"password": "x"}}, {"username": "k-1"}, _basic("k-1:x")),
        (
            _BASIC,
            {"fixed": {"username": "{username}/token"}},
            {"username": "ada", "password": "k-1"},
            _basic("ada/token:k-1"),
        ),
        (_BASIC, {"fixed": {"username": "api"}}, {"password": "k-1"}, _basic("api:k-1")),
    ],
)
def test_what_stands_around_a_credential(
    tmp_path: Path,
    schemes: dict[str, Any],
    curation: dict[str, Any],
    values: dict[str, str],
    sent: str,
) -> None:
    """A prefix, and parts of a login that are fixed or made of a value; the form asks for nothing
    else.
    """
    manifest = generate(tmp_path, _api(schemes, connections={"login": curation}))
    assert manifest["connectionTypes"][0]["schema"]["required"] == list(values)
    with (
        Provider([Answer({"ok": True})]) as provider,
        installed(tmp_path, manifest, {**values, "server": provider.url}) as jackfield,
    ):
        jackfield.invoke(
            {"connector": "acme", "action": "whoAmI", "connection": "main", "inputs": {}}
        ).unwrap()
    assert provider.requests[0].headers["Authorization"] == sent


def _paths() -> dict[str, Any]:
    sid = {
        "name": "sid",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "x-jackfield": {"connection": "username"},
    }
    item = {"name": "item", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "/accounts/{sid}/items/{item}": {
            "get": operation(operationId="getItem", parameters=[sid, item])
        }
    }


def test_a_value_of_the_connection_is_part_of_a_path(tmp_path: Path) -> None:
    """It is no input of the action, and a dry run does not show it."""
    manifest = generate(tmp_path, _api(_BASIC, _paths()))
    assert list(manifest["actions"][0]["inputs"]["properties"]) == ["item"]
    values = {"username": "AC 1", "password": "p"}
    with (
        Provider([Answer({})]) as provider,
        installed(tmp_path, manifest, {**values, "server": provider.url}) as jackfield,
    ):
        called = {
            "connector": "acme",
            "action": "getItem",
            "connection": "main",
            "inputs": {"item": "i"},
        }
        shown = jackfield.invoke({**called, "dryRun": True})
        jackfield.invoke(called).unwrap()
    assert provider.requests[0].path == "/accounts/AC%201/items/i"
    assert "AC" not in str(shown.to_json())


def test_a_key_in_a_path_is_a_secret(tmp_path: Path) -> None:
    """A scheme says that its key is part of each path; it is in no error, although the provider
    sends it back.
    """
    scheme = {
        "login": {"type": "apiKey", "in": "header", "name": "token", "x-jackfield": {"in": "path"}}
    }
    paths = {
        "/bot{token}/getMe": {
            "get": operation(operationId="getMe", **{"x-jackfield": {"probe": True}})
        }
    }
    manifest = generate(tmp_path, _api(scheme, paths))
    kind = manifest["connectionTypes"][0]
    assert (kind["schema"]["properties"]["value"]["writeOnly"], kind["schema"]["required"]) == (
        True,
        ["value"],
    )
    assert kind["http"]["probe"] == {
        "path": "/bot{token}/getMe",
        "connection": [{"value": "value", "in": "path", "name": "token"}],
    }

    def refuse(_number: int, request: Request) -> Answer:
        return Answer({"error": {"message": f"no {request.path}"}}, 400)

    with (
        Provider(refuse) as provider,
        installed(
            tmp_path, manifest, {"value": "4711:SECRET-a", "server": provider.url}
        ) as jackfield,
    ):
        result = jackfield.invoke(
            {"connector": "acme", "action": "getMe", "connection": "main", "inputs": {}}
        )
    assert provider.requests[0].path.startswith("/bot4711")
    assert "SECRET" not in str(result.to_json())
    assert "SECRET" in provider.requests[0].path


def test_a_parameter_may_be_a_secret_of_the_connection(tmp_path: Path) -> None:
    """It becomes a required field of each connection type. Calls and the connection's test send it,
    in a header field as well.
    """
    key = {
        "name": "X-App",
        "in": "header",
        "schema": {"type": "string"},
        "x-jackfield": {"connection": "appKey", "secret": True},
    }
    me = operation(operationId="whoAmI", parameters=[key], **{"x-jackfield": {"probe": True}})
    manifest = generate(tmp_path, _api(_BEARER, {"/me": {"get": me}}))
    schema = manifest["connectionTypes"][0]["schema"]
    assert (schema["properties"]["appKey"]["writeOnly"], schema["required"]) == (
        True,
        ["token", "appKey"],
    )
    values = {"token": "t", "appKey": "k-1"}
    with (
        Provider([Answer({}), Answer({})]) as provider,
        installed(tmp_path, manifest, {**values, "server": provider.url}) as jackfield,
    ):
        jackfield.invoke(
            {"connector": "acme", "action": "whoAmI", "connection": "main", "inputs": {}}
        ).unwrap()
        jackfield.connections.test("main")
    assert [request.headers["X-App"] for request in provider.requests] == ["k-1", "k-1"]


def test_a_variable_of_the_servers_address_may_be_a_secret() -> None:
    """One that is called token has no default, whatever sample the document has, and is required
    and masked (F2).
    """
    server = {
        "url": "https://api.acme.example/bot{token}",
        "variables": {"token": {"default": "123:sample"}},
    }
    found = converted(
        document({"/me": {"get": operation(operationId="whoAmI")}}, servers=[server]), Choices()
    ).manifest
    schema = found["connectionTypes"][0]["schema"]
    about = schema["properties"]["serverToken"]
    assert (about.get("default"), about["writeOnly"], about["format"], schema["required"]) == (
        None,
        True,
        "password",
        ["serverToken"],
    )
    assert "sample" not in str(found)


def test_flows_of_one_sign_in_are_one() -> None:
    """Two OAuth schemes of one requirement with the same scopes are not two sign-ins (F3)."""
    page, token = (
        {"authorizationUrl": "https://a.example/auth"},
        {"tokenUrl": "https://a.example/token"},
    )
    schemes = {
        "old": {"type": "oauth2", "flows": {"implicit": {**page, "scopes": {"mail": ""}}}},
        "oauth": {
            "type": "oauth2",
            "flows": {"authorizationCode": {**page, **token, "scopes": {"mail": ""}}},
        },
    }
    about = operation(operationId="whoAmI", security=[{"old": ["mail"], "oauth": ["mail"]}])
    found = converted(
        document({"/me": {"get": about}}, components={"securitySchemes": schemes}), Choices()
    ).manifest
    assert [row["key"] for row in found["connectionTypes"]] == ["oauthAccount", "oauthToken"]


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (
            ["/api.test", "/ping", "/status", "/.well-known/openid-configuration", "/", "/errors"],
            None,
        ),
        (["/goals", "/users/me"], "/users/me"),
        (["/goals", "/status"], "/goals"),
        (["/v1/users", "/v1/whoami"], "/v1/whoami"),
    ],
)
def test_a_connection_test_needs_the_credentials(paths: list[str], chosen: str | None) -> None:
    """Paths that answer to anybody prove nothing, and are not chosen (F4)."""
    source = document(
        {path: {"get": operation(operationId=f"get{number}")} for number, path in enumerate(paths)},
        components={"securitySchemes": _BEARER},
    )
    assert (
        converted(source, Choices()).manifest["connectionTypes"][0]["http"].get("probe") == chosen
    )


def test_sign_ins_replace_those_of_the_document() -> None:
    """``signIns`` at the top leaves none of the document's own, also where single operations name
    them (F5).
    """
    about = operation(operationId="whoAmI", security=[{"old": []}, {}])
    source = _api(
        {"old": {"type": "http", "scheme": "basic"}}, {"/me": {"get": about}}, signIns=_BEARER
    )
    assert [row["key"] for row in converted(source, Choices()).manifest["connectionTypes"]] == [
        "login"
    ]


@pytest.mark.parametrize(
    "extension",
    [
        {"connections": {"Login": {"title": "x"}}},  # F6
        {"connections": {"login": {"titel": "x"}}},
        {"connections": {"login": {"answer": {"server": "/url"}}}, "account": {}},
        {"signIns": {"login": {}}},
        {"account": {"label": ["/name"]}},
    ],
)
def test_a_slip_in_a_sign_in_is_refused(extension: dict[str, Any]) -> None:
    """A type or a member that does not exist is named, instead of being ignored."""
    with pytest.raises(InvalidInput):
        converted(_api(_BEARER, **extension), Choices())


@pytest.mark.parametrize("answer", [{"server": "/url"}, {"nope": "/url"}])
def test_what_an_approval_names_is_declared(answer: dict[str, str]) -> None:
    """A server that is learned needs the hosts that it may have; another value must be one of the
    connection.
    """
    with pytest.raises(InvalidInput):
        converted(
            _api(_oauth("https://a.example"), connections={"loginAccount": {"answer": answer}}),
            Choices(),
        )


@pytest.mark.parametrize(
    ("probe", "answers", "label"),
    [
        (True, [Answer({"id": 7, "email": "ada@example.com"})], "ada@example.com"),
        ({"query": "fields=user"}, [Answer({"id": 7})], "7"),
        ({"body": {"query": "{me}"}}, [Answer({"id": 7, "name": "Ada"})], "Ada"),
        (True, [Answer({"other": 7})], None),
    ],
)
def test_a_connection_test_says_whose_account_it_is(
    tmp_path: Path, probe: Any, answers: list[Answer], label: str | None
) -> None:
    """The account has the first label that the answer has, or its ID; an answer without one fails
    no test (F8).
    """
    method = "post" if isinstance(probe, dict) and "body" in probe else "get"
    me = operation(operationId="whoAmI", **{"x-jackfield": {"probe": probe, "effect": "read"}})
    account = {"id": "/id", "label": ["/email", "/name"]}
    generate(tmp_path, _api(_BEARER, {"/me": {method: me}}, account=account))
    with Provider(answers) as provider, _stored(tmp_path) as jackfield:
        jackfield.connections.add("ada", "acme/login", {"token": "t", "server": provider.url})
        shown = jackfield.connections.test("ada")
    assert shown.get("account") == (None if label is None else {"id": "7", "label": label})
    assert provider.requests[0].path == (
        "/me?fields=user" if probe == {"query": "fields=user"} else "/me"
    )
    if method == "post":
        assert provider.requests[0].json() == {"query": "{me}"}


@contextmanager
def _stored(folder: Path) -> Iterator[Jackfield]:
    declare(
        folder / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    database, home = f"sqlite:///{folder}/j.db", {"JACKFIELD_HOME": str(folder)}
    with (
        plugged(folder / "made"),
        Jackfield(catalog=Catalog.installed(), database_url=database, environment=home) as found,
    ):
        yield found


def _oauth(url: str) -> dict[str, Any]:
    flow = {
        "authorizationUrl": f"{url}/auth",
        "tokenUrl": f"{url}/token",
        "scopes": {"a": "", "b": ""},
    }
    return {"login": {"type": "oauth2", "flows": {"authorizationCode": flow}}}


def _approved(jackfield: Jackfield, **answer: str) -> dict[str, list[str]]:
    """Approve the connection ``ada``; return the parameters of the address at which a person does
    so.
    """
    authorizing = jackfield.connections.authorizing()
    begun = authorizing.begin("ada", REDIRECT)
    asked = parse_qs(urlsplit(begun["url"]).query)
    authorizing.complete(begun["id"], {"code": "c-1", "state": asked["state"][0], **answer})
    return asked


def _provider(tokens: dict[str, Any], further: dict[str, Any] | None = None) -> Provider:
    def play(_number: int, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        if path == "/token":
            return Answer(
                {"access_token": "at-1", "token_type": "bearer", "expires_in": 3600, **tokens}
            )
        return Answer((further or {}).get(path, {"id": 1}))

    return Provider(play)


def _connect(
    folder: Path,
    url: str,
    curation: dict[str, Any],
    paths: dict[str, Any] | None = None,
    server: str = "",
) -> None:
    """Generate a connector whose authorization server is at ``url``: of https only are endpoints
    part of a document.
    """
    manifest = generate(
        folder,
        _api(
            _oauth("https://auth.acme.example"),
            paths,
            server,
            connections={"loginAccount": curation},
        ),
    )
    place = folder / "made" / "jackfield_acme" / "connector.json"
    assert manifest["connectionTypes"][0]["key"] == "loginAccount"
    place.write_text(place.read_text().replace("https://auth.acme.example", url))


def test_how_an_account_is_asked_for(tmp_path: Path) -> None:
    """Further parameters, another separator, no PKCE, and a token request in JSON."""
    curation = {
        "authorize": {"access_type": "offline"},
        "separator": ",",
        "pkce": False,
        "tokenRequest": "json",
        "clientAuthentication": "body",
    }
    with _provider({}) as provider:
        _connect(tmp_path, provider.url, curation)
        with _stored(tmp_path) as jackfield:
            values = {
                "clientId": "app",
                "clientSecret": "s-1",
                "scopes": "a b",
                "server": provider.url,
            }
            jackfield.connections.add("ada", "acme/loginAccount", values, test=False)
            asked = _approved(jackfield)
            called = {"connector": "acme", "action": "whoAmI", "connection": "ada", "inputs": {}}
            jackfield.invoke(called).unwrap()
    assert (asked["access_type"], asked["scope"], "code_challenge" in asked) == (
        ["offline"],
        ["a,b"],
        False,
    )
    token = next(one for one in provider.requests if one.path == "/token")
    assert token.json() == {
        "grant_type": "authorization_code",
        "code": "c-1",
        "redirect_uri": REDIRECT,
        "client_id": "app",
        "client_secret": "s-1",
    }
    assert provider.requests[-1].headers["Authorization"] == "Bearer at-1"


def test_tokens_are_renewed_at_an_address_of_its_own(tmp_path: Path) -> None:
    """The code is exchanged where tokens are issued, the refresh token where they are renewed, and
    nowhere else.
    """
    renewed = {"/renew": {"access_token": "at-2", "token_type": "bearer", "expires_in": 3600}}
    with _provider({"refresh_token": "rt-1", "expires_in": 30}, renewed) as provider:
        _connect(tmp_path, provider.url, {"refreshUrl": "https://auth.acme.example/renew"})
        with _stored(tmp_path) as jackfield:
            values = {
                "clientId": "app",
                "clientSecret": "s-1",
                "scopes": "a b",
                "server": provider.url,
            }
            jackfield.connections.add("ada", "acme/loginAccount", values, test=False)
            _approved(jackfield)
            jackfield.invoke(
                {"connector": "acme", "action": "whoAmI", "connection": "ada", "inputs": {}}
            ).unwrap()
    asked = [
        (one.path, dict(parse_qsl(one.body.decode()))["grant_type"])
        for one in provider.requests
        if one.path in ("/token", "/renew")
    ]
    assert asked == [("/token", "authorization_code"), ("/renew", "refresh_token")]
    assert provider.requests[-1].headers["Authorization"] == "Bearer at-2"


def test_a_form_is_what_token_requests_are_otherwise(tmp_path: Path) -> None:
    """Without curation the request is a form with the verifier, and the secret is in the header
    field.
    """
    with _provider({}) as provider:
        _connect(tmp_path, provider.url, {})
        with _stored(tmp_path) as jackfield:
            values = {
                "clientId": "app",
                "clientSecret": "s-1",
                "scopes": "a b",
                "server": provider.url,
            }
            jackfield.connections.add("ada", "acme/loginAccount", values, test=False)
            asked = _approved(jackfield)
    token = next(one for one in provider.requests if one.path == "/token")
    form = dict(parse_qsl(token.body.decode()))
    assert (asked["scope"], form["code"], "code_verifier" in form, "client_secret" in form) == (
        ["a b"],
        "c-1",
        True,
        False,
    )


_TENANT = {
    "name": "tenant",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "x-jackfield": {"connection": "tenant"},
}
_TENANTS = {
    "/t/{tenant}/me": {
        "get": operation(
            operationId="whoAmI", parameters=[_TENANT], **{"x-jackfield": {"probe": True}}
        )
    }
}
_AFTER = {"items": "/sites", "values": {"tenant": "/id"}, "by": ["/name"], "choose": "site"}
_SITES = {"/sites": {"sites": [{"id": "t-1", "name": "one"}, {"id": "t-2", "name": "two"}]}}


@pytest.mark.parametrize(
    ("curation", "tokens", "callback", "site", "path"),
    [
        ({"answer": {"tenant": "/team/id"}}, {"team": {"id": "t-9"}}, {}, {}, "/t/t-9/me"),
        ({"callback": {"tenant": "realmId"}}, {}, {"realmId": "r-9"}, {}, "/t/r-9/me"),
        ({"after": _AFTER}, {}, {}, {"site": "two"}, "/t/t-2/me"),
    ],
)
def test_an_approval_names_values_of_the_connection(
    tmp_path: Path,
    curation: dict[str, Any],
    tokens: dict[str, Any],
    callback: dict[str, str],
    site: dict[str, str],
    path: str,
) -> None:
    """They come from the token's answer, from the browser's return, or from a further request with
    the token; tests send them, too.
    """
    with _provider(tokens, _SITES) as provider:
        if "after" in curation:
            curation = {"after": {**curation["after"], "get": f"{provider.url}/sites"}}
        _connect(tmp_path, provider.url, curation, _TENANTS)
        with _stored(tmp_path) as jackfield:
            values = {"clientId": "app", "clientSecret": "s-1", "server": provider.url, **site}
            jackfield.connections.add("ada", "acme/loginAccount", values, test=False)
            _approved(jackfield, **callback)
            assert jackfield.connections.test("ada")["status"] == "ok"
            tested = provider.requests[-1].path
            jackfield.invoke(
                {"connector": "acme", "action": "whoAmI", "connection": "ada", "inputs": {}}
            ).unwrap()
    assert [tested, provider.requests[-1].path] == [path, path]


def test_a_token_has_the_prefix_that_its_provider_wants(tmp_path: Path) -> None:
    """The token of an approval, too, where the provider does not call it Bearer."""
    with _provider({}) as provider:
        _connect(
            tmp_path,
            provider.url,
            {"prefix": "Acme-oauthtoken "},
            {"/me": {"get": operation(operationId="whoAmI")}},
        )
        with _stored(tmp_path) as jackfield:
            jackfield.connections.add(
                "ada",
                "acme/loginAccount",
                {"clientId": "app", "clientSecret": "s-1", "server": provider.url},
                test=False,
            )
            _approved(jackfield)
            jackfield.invoke(
                {"connector": "acme", "action": "whoAmI", "connection": "ada", "inputs": {}}
            ).unwrap()
    assert provider.requests[-1].headers["Authorization"].startswith("Acme-oauthtoken ")


def test_of_several_accounts_the_connection_names_one(tmp_path: Path) -> None:
    """Nothing is connected before it does, and the message lists them."""
    with _provider({}, _SITES) as provider:
        _connect(
            tmp_path, provider.url, {"after": {**_AFTER, "get": f"{provider.url}/sites"}}, _TENANTS
        )
        with _stored(tmp_path) as jackfield:
            values = {"clientId": "app", "clientSecret": "s-1", "server": provider.url}
            jackfield.connections.add("ada", "acme/loginAccount", values, test=False)
            with pytest.raises(InvalidConnection, match="one, two"):
                _approved(jackfield)
            assert jackfield.connections.show("ada")["authorization"]["status"] == "none"


@pytest.mark.parametrize(
    "named",
    [
        "https://evil.example",
        "http://my.acme.example",
        "https://acme.example.evil.example",
        "no url",
    ],
)
def test_a_learned_server_is_one_of_the_connectors_hosts(tmp_path: Path, named: str) -> None:
    """A provider's answer cannot send the token elsewhere: over plain http, or to another host."""
    with _provider({"instance_url": named}) as provider:
        _connect(
            tmp_path,
            provider.url,
            {"answer": {"server": "/instance_url"}, "hosts": ["*.acme.example"]},
            None,
            "https://login.acme.example",
        )
        with _stored(tmp_path) as jackfield:
            jackfield.connections.add(
                "ada", "acme/loginAccount", {"clientId": "app", "clientSecret": "s-1"}, test=False
            )
            with pytest.raises(InvalidConnection, match="does not know"):
                _approved(jackfield)
    assert [one.path for one in provider.requests] == ["/token"]


@pytest.mark.parametrize(
    ("named", "path"), [("", "/api/v3/me"), ("/", "/api/v3/me"), ("/own", "/own/me")]
)
def test_requests_go_to_the_learned_server(tmp_path: Path, named: str, path: str) -> None:
    """The server that the provider names takes the place of the document's, whose path it keeps
    unless it has one of its own.
    """
    with _provider({}) as provider, _provider({"instance_url": f"{provider.url}{named}"}) as login:
        curation = {
            "answer": {"server": "/instance_url"},
            "hosts": [f"{provider.url}{named}".rstrip("/")],
        }
        _connect(tmp_path, login.url, curation, None, "https://login.acme.example/api/v3")
        with _stored(tmp_path) as jackfield:
            jackfield.connections.add(
                "ada", "acme/loginAccount", {"clientId": "app", "clientSecret": "s-1"}, test=False
            )
            _approved(jackfield)
            jackfield.invoke(
                {"connector": "acme", "action": "whoAmI", "connection": "ada", "inputs": {}}
            ).unwrap()
    assert (provider.requests[-1].headers["Authorization"], provider.requests[-1].path) == (
        "Bearer at-1",
        path,
    )


def test_a_part_of_the_servers_address_is_named_by_the_approval(tmp_path: Path) -> None:
    """Nobody has to name it before; it stands in the address of requests after the approval."""
    with _provider({"team": {"id": "t-9"}}) as provider:
        _connect(
            tmp_path,
            provider.url,
            {"answer": {"serverTeam": "/team/id"}},
            None,
            f"{provider.url}/ex/{{team}}/v1",
        )
        with _stored(tmp_path) as jackfield:
            jackfield.connections.add(
                "ada", "acme/loginAccount", {"clientId": "app", "clientSecret": "s-1"}, test=False
            )
            called = {"connector": "acme", "action": "whoAmI", "connection": "ada", "inputs": {}}
            _approved(jackfield)
            jackfield.invoke(called).unwrap()
    assert provider.requests[-1].path == "/ex/t-9/v1/me"


def test_a_costly_output_has_an_example() -> None:
    """An output that is replaced by one that accepts anything gets an example that is an object
    (F1).
    """
    anything = {"200": {"description": "", "content": {"application/json": {"schema": {}}}}}
    found = converted(
        document({"/file": {"get": operation(operationId="getFile", responses=anything)}}),
        Choices(),
    ).manifest
    assert isinstance(found["actions"][0]["examples"][0]["result"]["output"], dict)


def test_pages_are_declared_by_the_documents_names() -> None:
    """``input`` may be a member of the body as the document calls it, and ``items: ""`` is the list
    itself (F10).
    """
    body = {
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"start_cursor": {"type": "string"}}}
            }
        }
    }
    listed = {
        "200": {
            "description": "",
            "content": {
                "application/json": {"schema": {"type": "array", "items": {"type": "object"}}}
            },
        }
    }
    paging = {"kind": "token", "input": "start_cursor", "header": "X-Next", "items": ""}
    about = operation(
        operationId="search",
        requestBody=body,
        responses=listed,
        **{"x-jackfield": {"effect": "read", "pagination": paging}},
    )
    found = converted(document({"/search": {"post": about}}), Choices()).manifest["actions"][0]
    assert (found["pagination"]["tokenInput"], found["pagination"]["items"]) == (
        "startCursor",
        "items",
    )


def test_posts_that_read_are_declared_safe(tmp_path: Path) -> None:
    """The generator writes into the project what the overlay has decided, for ``check`` (F7)."""
    about = operation(operationId="search", **{"x-jackfield": {"effect": "read"}})
    generate(tmp_path, _api(_BEARER, {"/search": {"post": about}}))
    assert 'safe-posts = ["search"]' in (tmp_path / "made" / "pyproject.toml").read_text()


@pytest.mark.parametrize("rule", ["safe-is-safe", "effects-fit-methods"])
def test_the_cure_of_a_post_that_reads_says_where_it_is_confirmed(rule: str) -> None:
    """An overlay that comes after the project changes no file of its author, so the cure names the
    place: 'effect: read' was there.
    """
    assert "'safe-posts' below [tool.jackfield.check]" in CURES[rule]
