"""Whole documents: versions, keys and their lock, curation, selection, paging and credentials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.cli.main import main
from jackfield.connector import InvalidInput
from jackfield.schema import compile_schema
from jackfield_openapi.command import command
from jackfield_openapi.conversion import Choices, converted, title_in
from jackfield_openapi.naming import title_of
from jackfield_openapi.overlay import applied
from jackfield_openapi.reading import parsed
from jackfield_openapi.sources import read
from openapi_rig import document, generate, operation


def keys(source: dict[str, Any], **choices: Any) -> list[str]:
    """The keys of the actions that a document becomes."""
    return [action["key"] for action in converted(source, Choices(**choices)).manifest["actions"]]


@pytest.mark.parametrize(
    ("method", "path", "about", "key"),
    [
        ("get", "/a", {"operationId": "pets.list_all"}, "petsListAll"),
        ("get", "/a", {"operationId": "listUsersUsingGET_1"}, "listUsers"),
        ("get", "/province", {"operationId": "province"}, "getProvince"),
        ("get", "/api/v2/users/{user_id}", {}, "getUsersByUserId"),
        ("post", "/items/", {"operationId": "create_item_items__post"}, "createItemItemsPost"),
        ("delete", "/", {}, "deleteRoot"),
    ],
)
def test_keys_come_from_ids_or_paths(
    method: str, path: str, about: dict[str, Any], key: str
) -> None:
    """An operation's id gives the key without its generator's noise; without an id, method and path
    do.
    """
    assert keys(document({path: {method: operation(**about)}})) == [key]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["application/*+json", "application/json", "text/json"], "application/json"),
        (["application/*+json"], "application/json"),
        (["application/vnd.api+json", "application/json"], "application/vnd.api+json"),
        (["application/x-www-form-urlencoded", "application/*+json"], "application/json"),
    ],
    ids=str,
)
def test_ranges_of_media_types_are_not_sent(given: list[str], named: str) -> None:
    """Documents of ASP.NET name ``application/*+json`` first; a server refuses it as a content
    type.
    """
    content = {media: {"schema": {"type": "object"}} for media in given}
    about = operation(requestBody={"content": content}) | {
        "responses": {"200": {"description": "", "content": content}}
    }
    binding = converted(document({"/a": {"post": about}}), Choices()).manifest["actions"][0]["http"]
    assert (binding["body"]["contentType"], binding["response"]["accept"]) == (named, named)


@pytest.mark.parametrize(
    ("schema", "refused"),
    [
        ({"type": "string"}, [""]),
        ({"type": "array", "nullable": True, "items": {"type": "integer"}}, [[], None]),
        ({"type": "string", "nullable": True, "enum": ["a"]}, [None]),
        ({"type": "object", "nullable": True}, [{}, None]),
    ],
    ids=str,
)
def test_required_parameters_are_not_empty(schema: dict[str, Any], refused: list[Any]) -> None:
    """An empty value or null would send nothing, as if the parameter had been left out; if it may
    be left out, null does just that.
    """
    parameters = [
        {"name": name, "in": "query", "required": name == "a", "schema": schema} for name in "ab"
    ]
    inputs = compile_schema(
        converted(document({"/a": {"get": operation(parameters=parameters)}}), Choices()).manifest[
            "actions"
        ][0]["inputs"]
    )
    good = {"string": "a", "array": [1], "object": {"x": 1}}[schema["type"]]
    assert inputs.check({"a": good}).details == ()
    assert all(inputs.check({"a": value}).details for value in refused)
    assert "nullable" not in schema or inputs.check({"a": good, "b": None}).details == ()


def test_members_of_objects_in_a_query_keep_apart() -> None:
    """A member that would be sent under the name of another parameter is left out and reported: the
    request could not say whose it is.
    """
    members = {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "note": {"type": "string"}},
    }
    parameters = [{"name": name, "in": "query", "schema": members} for name in ("first", "second")]
    parameters.append({"name": "id", "in": "query", "schema": {"type": "integer"}})
    made = converted(document({"/a": {"get": operation(parameters=parameters)}}), Choices())
    inputs = made.manifest["actions"][0]["inputs"]["properties"]
    assert {
        name: list(inputs[name].get("properties", ())) for name in ("first", "second", "id")
    } == {
        "first": ["note"],
        "second": [],
        "id": [],
    }
    assert [
        note.text.split(" would")[0]
        for note in made.report
        if note.cause == "member with a parameter's name"
    ] == [
        "'id' of 'first'",
        "'id' of 'second'",
        "'note' of 'second'",
    ]


def test_keys_stay_over_versions_of_a_document() -> None:
    """The lock keeps a key although another operation now asks for it; the new one gets a
    number.
    """
    old = converted(document({"/b": {"get": operation(operationId="list")}}), Choices())
    paths = {
        "/a": {"get": operation(operationId="List")},
        "/b": {"get": operation(operationId="list")},
    }
    new = converted(document(paths), Choices(locked=old.locked))
    assert new.locked == {"GET /a": "list2", "GET /b": "list"}


def test_an_id_of_several_operations_names_none() -> None:
    """The keys are made of the paths then, which name calls or things; what such a path says of its
    effect is suggested, too.
    """
    ids = {
        "/getMonitors": "all",
        "/getPages": "all",
        "/newMonitor": "create",
        "/items": "create",
        "/resetMonitor": "reset",
    }
    found = converted(
        document({path: {"post": operation(operationId=name)} for path, name in ids.items()}),
        Choices(),
    )
    keys = [action["key"] for action in found.manifest["actions"]]
    assert keys == ["getMonitors", "getPages", "createNewMonitor", "createItems", "resetMonitor"]
    assert found.report.to_json()["counts"]["id repeated"] == 4
    assert [one["target"] for one in found.overlay["actions"]] == [
        "$.paths['/getMonitors'].post",
        "$.paths['/getPages'].post",
    ]


def test_the_same_document_twice_gives_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second generation writes nothing; '--check' says what a changed document would change, and
    writes nothing either.
    """
    generate(tmp_path, document({"/a": {"get": operation()}}))
    path, out = str(tmp_path / "openapi.json"), str(tmp_path / "made")
    capsys.readouterr()
    assert command([path, "--out", out, "--check"]) == 0
    changed = document({"/a": {"get": operation(deprecated=True)}, "/b": {"get": operation()}})
    (tmp_path / "openapi.json").write_text(json.dumps(changed))
    assert command([path, "--out", out, "--check"]) == 1
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["difference"] == {"added": ["getB"], "removed": [], "changed": ["getA"]}
    assert "getB" not in (tmp_path / "made/jackfield_acme/connector.json").read_text()


def test_an_overlay_curates(tmp_path: Path) -> None:
    """Key, title and effect of the overlay in the project's folder win, at every generation; what
    it removes is gone.
    """
    update = {"x-jackfield": {"key": "search", "title": "Search", "effect": "read"}}
    actions = [
        {"target": "$.paths['/find'].post", "update": update},
        {"target": "$.paths['/old']", "remove": True},
    ]
    (tmp_path / "made").mkdir()
    overlay = {"overlay": "1.0.0", "info": {"title": "x", "version": "1"}, "actions": actions}
    (tmp_path / "made/overlay.json").write_text(json.dumps(overlay))
    found = generate(
        tmp_path, document({"/find": {"post": operation()}, "/old": {"get": operation()}})
    )
    assert [(action["key"], action["title"], action["effect"]) for action in found["actions"]] == [
        ("search", "Search", "read")
    ]


def test_a_selection_keeps_what_it_names(tmp_path: Path) -> None:
    """Tags, paths, methods with paths, and keys select; an exclamation mark excludes. The lock
    keeps the selection.
    """
    paths = {
        "/a": {
            "get": operation(operationId="getA", tags=["X"]),
            "post": operation(operationId="addA", tags=["X"]),
        },
        "/b": {"get": operation(operationId="getB"), "delete": operation(operationId="deleteB")},
        "/c/d": {"get": operation(operationId="listD")},
    }
    options = (
        "--select",
        "tag:X",
        "--select",
        "DELETE /b",
        "--select",
        "/c/*",
        "--select",
        "!add*",
    )
    for chosen in (options, ()):
        assert [
            action["key"] for action in generate(tmp_path, document(paths), *chosen)["actions"]
        ] == ["getA", "deleteB", "listD"]


@pytest.mark.parametrize(
    ("about", "effect"),
    [
        (("get", "/a", "listThings"), "read"),
        (("get", "/logout", "logout"), "write"),
        (("put", "/a", "replaceThing"), "idempotent"),
        (("put", "/a", "sendThing"), "write"),
        (("delete", "/a", "x"), "idempotent"),
        (("post", "/search", "searchThings"), "write"),
    ],
)
def test_effects_are_what_methods_promise(about: tuple[str, str, str], effect: str) -> None:
    """A name only makes an effect more careful: a POST stays a write, and the suggested overlay
    lists it.
    """
    method, path, name = about
    made = converted(document({path: {method: operation(operationId=name)}}), Choices())
    assert made.manifest["actions"][0]["effect"] == effect
    assert bool(made.overlay["actions"]) == (name == "searchThings")


def _listing(
    parameters: list[str], properties: dict[str, Any], headers: dict[str, Any] | None = None
) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"data": {"type": "array", "items": {}}, **properties},
    }
    response = {
        "description": "",
        "content": {"application/json": {"schema": schema}},
        "headers": headers or {},
    }
    counted = ("page", "per_page", "limit", "offset", "start")
    listed = [
        {
            "name": name,
            "in": "query",
            "schema": {"type": "integer" if name in counted else "string"},
        }
        for name in parameters
    ]
    made = converted(
        document({"/a": {"get": operation(parameters=listed, responses={"200": response})}}),
        Choices(),
    )
    action: dict[str, Any] = made.manifest["actions"][0]
    return action


_TEXT = {"type": "string"}
_NEXT = {
    "type": "object",
    "properties": {"next": {"type": "object", "properties": {"after": _TEXT, "link": _TEXT}}},
}
_STARTING = {"type": "object", "properties": {"page": {"type": "integer"}, "starting_after": _TEXT}}
_PAGES = {"type": "object", "properties": {"next": _STARTING}}
_HREF = {"type": "object", "properties": {"href": _TEXT}}


@pytest.mark.parametrize(
    ("parameters", "properties", "headers", "expected"),
    [
        (
            ["pageToken"],
            {"nextPageToken": _TEXT},
            {},
            ("token", "high", "pageToken", "nextPageToken"),
        ),
        (
            ["cursor"],
            {"meta": {"type": "object", "properties": {"next_cursor": _TEXT}}},
            {},
            ("token", "high", "cursor", "nextPage"),
        ),
        (["page"], {}, {"Link": {"schema": _TEXT}}, ("linkHeader", "high", "nextPage", "nextPage")),
        (["page", "limit"], {"next": _TEXT}, {}, ("url", "high", "nextPage", "nextPage")),
        (
            ["starting_after", "limit"],
            {"has_more": {"type": "boolean"}},
            {},
            ("lastId", "high", "startingAfter", "nextPage"),
        ),
        (["page", "per_page"], {}, {}, ("page", "low", None, None)),
        (["offset", "limit"], {}, {}, ("offset", "medium", "offset", "nextPage")),
        (["start", "limit"], {}, {}, ("offset", "low", None, None)),
        (["limit"], {}, {}, None),
        (["after", "limit"], {"paging": _NEXT}, {}, ("token", "high", "after", "nextPage")),
        (["starting_after"], {"pages": _PAGES}, {}, ("token", "high", "startingAfter", "nextPage")),
        (
            ["start_cursor"],
            {"next_cursor": _TEXT, "has_more": {"type": "boolean"}},
            {},
            ("token", "high", "startCursor", "next_cursor"),
        ),
        (
            ["after"],
            {"last_id": _TEXT, "has_more": {"type": "boolean"}},
            {},
            ("token", "high", "after", "last_id"),
        ),
        (
            ["cursor"],
            {"next": {"type": "object", "properties": {"count": _TEXT}}},
            {},
            ("token", "low", None, None),
        ),
        (
            ["page", "limit"],
            {"_links": {"type": "object", "properties": {"next": _HREF}}},
            {},
            ("url", "high", "nextPage", "nextPage"),
        ),
    ],
)
def test_paging_is_found_with_a_confidence(
    parameters: list[str], properties: Any, headers: Any, expected: Any
) -> None:
    """High and medium are switched on, low is only suggested, a limit alone is no paging."""
    action = _listing(parameters, properties, headers)
    paging, row = action.get("pagination"), action["http"].get("paging")
    found = None
    if row is not None:
        found = (
            row["kind"],
            row["confidence"],
            *((paging["tokenInput"], paging["tokenOutput"]) if paging else (None, None)),
        )
    assert found == expected


@pytest.mark.parametrize(
    ("parameter", "kind", "first", "enabled"),
    [
        ({"name": "page", "schema": {"type": "integer", "default": 1}}, "page", None, True),
        ({"name": "page", "schema": {"type": "integer", "default": 0}}, "page", 0, True),
        ({"name": "page", "schema": {"type": "integer", "minimum": 0}}, "page", 0, True),
        ({"name": "page", "schema": {"type": "string", "default": "0"}}, "page", 0, True),
        (
            {"name": "page", "schema": {"type": "integer"}, "description": "Starts with 0."},
            "page",
            0,
            True,
        ),
        (
            {"name": "page", "schema": {"type": "integer"}, "description": "The page, 1-based."},
            "page",
            None,
            True,
        ),
        ({"name": "page", "schema": {"type": "integer"}}, "page", None, False),
        ({"name": "startIndex", "schema": {"type": "integer", "default": 1}}, "offset", 1, True),
        ({"name": "skip", "schema": {"type": "integer"}}, "offset", None, True),
    ],
)
def test_pages_count_from_where_the_document_says(
    parameter: dict[str, Any], kind: str, first: int | None, enabled: bool
) -> None:
    """Page numbers begin where the parameter says (default, minimum, words); without that, paging
    is only suggested, and no beginning is made up: a page could be skipped.
    """
    listed = [
        {"in": "query", **parameter},
        {"name": "limit", "in": "query", "schema": {"type": "integer"}},
    ]
    response = {
        "description": "",
        "content": {"application/json": {"schema": {"type": "array", "items": {}}}},
    }
    made = converted(
        document({"/a": {"get": operation(parameters=listed, responses={"200": response})}}),
        Choices(),
    )
    action = made.manifest["actions"][0]
    row = action["http"]["paging"]
    assert (row["kind"], row.get("first"), "pagination" in action) == (kind, first, enabled)
    assert [
        found["update"]["x-jackfield"]["pagination"].get("first")
        for found in made.overlay["actions"]
    ] == ([] if enabled else [first])


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "pages"},
        {"kind": "token", "input": "cursor"},
        {"kind": "token", "input": "cursor", "response": "meta.next"},
        {"kind": "token", "response": "/next"},
        {"kind": "token", "input": "nope", "response": "/next"},
        {"kind": "url"},
        {"kind": "page", "input": "cursor", "first": "0"},
        {"kind": "page", "input": ["cursor"]},
        {"kind": "linkHeader", "items": True},
        {"kind": "token", "input": "cursor", "response": "/next", "header": "X-Next"},
        {"kind": "page", "input": "cursor", "header": "X-Next"},
        {"kind": "token", "input": "cursor", "header": "X Next"},
        {"kind": "token", "input": "cursor", "response": "/n", "last": "isLast"},
        {"kind": "token", "input": "cursor", "response": "/n", "last": "/last", "more": "/more"},
    ],
)
def test_a_slip_in_the_pages_of_an_overlay(given: dict[str, Any]) -> None:
    """Pages that an overlay declares wrongly are refused, instead of ending a list after its first
    page.
    """
    listed = [{"name": "cursor", "in": "query", "schema": {"type": "string"}}]
    about = operation(parameters=listed, **{"x-jackfield": {"pagination": given}})
    with pytest.raises(InvalidInput, match="'pagination' of GET /a"):
        converted(document({"/a": {"get": about}}), Choices())


def test_pages_of_what_is_no_read_are_refused() -> None:
    """An overlay that declares them, and not that the operation only reads, is told so: they would
    be left out in silence.
    """
    about = operation(
        **{"x-jackfield": {"pagination": {"kind": "token", "input": "cursor", "response": "/next"}}}
    )
    with pytest.raises(
        InvalidInput, match="'pagination' of POST /a is not valid: only a read"
    ) as found:
        converted(document({"/a": {"post": about}}), Choices())
    assert "effect: read" in str(found.value.hint)


def test_credentials_are_alternatives_or_needed_together() -> None:
    """OR gives a connection type each, with the actions that it serves; AND gives one type with the
    values of all.
    """
    schemes = {
        "app": {"type": "apiKey", "in": "header", "name": "X-App"},
        "user": {"type": "apiKey", "in": "query", "name": "user"},
        "login": {"type": "http", "scheme": "basic"},
        "odd": {"type": "http", "scheme": "hoba"},
    }
    paths = {
        "/both": {"get": operation(security=[{"app": [], "user": []}, {"login": []}])},
        "/login": {"get": operation(security=[{"login": []}])},
        "/odd": {"get": operation(security=[{"odd": []}])},
    }
    made = converted(document(paths, components={"securitySchemes": schemes}), Choices())
    types = {row["key"]: row for row in made.manifest["connectionTypes"]}
    assert list(types) == ["login", "appUser"]
    assert types["appUser"]["schema"]["required"] == ["appValue", "userValue", "server"]
    assert types["appUser"]["serves"]["actions"] == ["getBoth"]
    assert "serves" not in types["login"]
    assert [note.cause for note in made.report if note.kind == "left_out"] == ["security scheme"]


def test_oauth2_offers_applications_people_and_tokens() -> None:
    """A scheme gives a connection type for each way to a token; what the document fixes is no
    field, and only https is fixed.
    """
    flows = {
        "clientCredentials": {"tokenUrl": "https://login.acme.example/token", "scopes": {}},
        "authorizationCode": {
            "authorizationUrl": "https://login.acme.example/go",
            "tokenUrl": "/token",
            "scopes": {"mail.read": "Read"},
        },
    }
    schemes = {
        "login": {"type": "oauth2", "flows": flows},
        "sso": {
            "type": "openIdConnect",
            "openIdConnectUrl": "https://id.acme.example/.well-known/openid-configuration",
        },
        "app": {"type": "apiKey", "in": "header", "name": "X-App"},
        "old": {
            "type": "oauth2",
            "flows": {
                "implicit": {"authorizationUrl": "https://login.acme.example/go", "scopes": {}}
            },
        },
    }
    security = [
        {"login": ["mail.read"], "app": []},
        {"sso": []},
        {"old": []},
        {"login": [], "sso": []},
    ]
    made = converted(
        document(
            {"/a": {"get": operation(security=security)}}, components={"securitySchemes": schemes}
        ),
        Choices(),
    )
    types = {row["key"]: row for row in made.manifest["connectionTypes"]}
    assert list(types) == [
        "appLoginClient",
        "appLoginAccount",
        "appLoginToken",
        "ssoAccount",
        "ssoToken",
        "oldAccount",
        "oldToken",
        "loginClientSsoAccount",
        "loginClientSsoToken",
        "loginAccountSsoToken",
        "loginTokenSsoAccount",
        "loginTokenSsoToken",
    ]
    account = types["appLoginAccount"]
    assert account["authorizes"] == ["redirect", "device"]
    assert account["schema"]["required"] == ["appValue", "loginClientId", "loginTokenUrl", "server"]
    assert "mail.read" in account["schema"]["properties"]["loginScopes"]["description"]
    assert account["http"]["credentials"][1]["authorizationUrl"] == "https://login.acme.example/go"
    assert types["ssoAccount"]["http"]["credentials"][0] == {
        "kind": "openIdConnect",
        "scheme": "sso",
        "issuer": "https://id.acme.example",
    }
    assert types["oldAccount"]["schema"]["required"] == ["clientId", "tokenUrl", "server"]
    assert "authorizes" not in types["oldToken"]


def test_swagger_2_is_upgraded() -> None:
    """Host, body and form parameters, collection formats and definitions of Swagger 2.0 mean the
    same afterwards.
    """
    old = {
        "swagger": "2.0",
        "info": {"title": "Old", "version": "2"},
        "host": "api.old.example",
        "basePath": "/v1",
        "schemes": ["http", "https"],
        "consumes": ["application/json"],
        "securityDefinitions": {"key": {"type": "apiKey", "in": "header", "name": "K"}},
        "security": [{"key": []}],
        "definitions": {
            "Pet": {
                "type": "object",
                "properties": {"name": {"type": "string", "x-nullable": True}},
            }
        },
        "paths": {
            "/pets": {
                "parameters": [
                    {
                        "name": "tags",
                        "in": "query",
                        "type": "array",
                        "items": {"type": "string"},
                        "collectionFormat": "pipes",
                    }
                ],
                "post": {
                    "operationId": "addPet",
                    "parameters": [
                        {
                            "name": "pet",
                            "in": "body",
                            "required": True,
                            "schema": {"$ref": "#/definitions/Pet"},
                        }
                    ],
                    "responses": {
                        "200": {"description": "", "schema": {"$ref": "#/definitions/Pet"}}
                    },
                },
            },
            "/photo": {
                "post": {
                    "operationId": "addPhoto",
                    "parameters": [
                        {"name": "file", "in": "formData", "type": "file"},
                        {"name": "note", "in": "formData", "type": "string"},
                    ],
                    "responses": {"204": {"description": ""}},
                }
            },
        },
    }
    manifest = converted(old, Choices()).manifest
    add, photo = manifest["actions"]
    assert manifest["servers"] == [{"url": "https://api.old.example/v1"}]
    assert add["http"]["parameters"] == [{"input": "tags", "in": "query", "style": "pipeDelimited"}]
    assert add["inputs"]["properties"]["name"] == {"type": ["string", "null"]}
    members = {"file": "file", "note": "note"}
    assert photo["http"]["body"] == {
        "encode": "multipart",
        "contentType": "multipart/form-data",
        "files": ["file"],
        "members": members,
    }


def test_yaml_has_the_types_of_json() -> None:
    """'no' stays text, status codes become names, an alias means what it names."""
    found = parsed(
        b"a: no\nb: 010\nc: 2024-01-01\nd: &x [1]\ne: *x\nresponses: {200: {}}\n", "x.yaml"
    )
    assert found == {
        "a": "no",
        "b": 10,
        "c": "2024-01-01",
        "d": [1],
        "e": [1],
        "responses": {"200": {}},
    }
    assert parsed(rb'{"a\ud800": "\udfff"}', "x.json") == {"a\ufffd": "\ufffd"}


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"[1]",
        b"{",
        b"a: [",
        b"a0: &a0 [x, x]\n"
        + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 30)),
        b"[" * 100_000,
        b"{" * 100_000,
        b"a: " + b"[" * 100_000 + b"]" * 100_000,
        b"- " * 100_000 + b"a",
        b"{a: " + b"1" * 5000 + b"}",
    ],
    ids=[
        "not text",
        "no object",
        "not JSON",
        "not YAML",
        "bomb",
        "deep",
        "braces",
        "brackets",
        "dashes",
        "digits",
    ],
)
def test_a_bad_document_is_refused(content: bytes) -> None:
    """What is no document, or would take all memory, is refused with a sentence."""
    with pytest.raises(InvalidInput, match="cannot be read"):
        parsed(content, "x")


@pytest.mark.parametrize(
    ("options", "lock", "text"),
    [
        (["--select", "nope"], None, "keeps no operation"),
        (["--select", "!*"], None, "keeps no operation"),
        (["--connector-version", '1"'], None, "is not a version"),
        (["--out", "a.json"], None, "cannot be written"),
        ([], '{"actions": {"GET /a": "../x"}}', "no lock"),
        ([], "{", "cannot be read"),
    ],
)
def test_what_cannot_be_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], lock: str | None, text: str
) -> None:
    """A slip in an option or in the lock is a sentence, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps(document({"/a": {"get": operation()}})))
    if lock is not None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "openapi.lock.json").write_text(lock)
    with pytest.raises(InvalidInput, match=text):
        command(["a.json", "--out", "out", *options])
    assert not [*tmp_path.rglob("connector.json")]


def test_a_project_keeps_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Generated again without --key, a project whose key is not that of the document's title keeps
    it, and gets no second package.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps(document({"/a": {"get": operation()}})))
    assert command(["a.json", "--out", "out", "--key", "our-crm"]) == 0
    assert command(["a.json", "--out", "out"]) == 0
    assert [json.loads(line)["key"] for line in capsys.readouterr().out.splitlines()] == [
        "our-crm",
        "our-crm",
    ]
    assert [path.name for path in (tmp_path / "out").glob("jackfield_*")] == ["jackfield_our_crm"]
    (tmp_path / "out" / "pyproject.toml").write_text(
        '[project.entry-points."jackfield.connectors"]\n"../up" = "x:http"\n'
    )
    with pytest.raises(InvalidInput, match="is not a key in kebab-case"):
        command(["a.json", "--out", "out"])


def test_a_damaged_project_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A manifest that is no JSON is replaced; a pattern that selects nothing is named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps(document({"/a": {"get": operation()}})))
    (tmp_path / "out" / "jackfield_acme").mkdir(parents=True)
    (tmp_path / "out" / "jackfield_acme" / "connector.json").write_text("{")
    assert command(["a.json", "--out", "out", "--select", "/a", "--select", "/b"]) == 0
    assert "the pattern /b selects nothing" in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "jackfield_acme" / "connector.json").read_text())[
        "actions"
    ]


@pytest.mark.parametrize(
    "reference", ["\0", "x\0y", "/etc/passwd", "../x", "http://[", "file:///etc/passwd"]
)
def test_references_that_lead_nowhere(tmp_path: Path, reference: str) -> None:
    """A reference outside the document's folder, or to what is no path, is reported as broken."""
    path = tmp_path / "a.json"
    path.write_text(
        json.dumps(document({"/a": {"$ref": reference}}, servers=[{"url": "https://[::1"}]))
    )
    made = converted(read(str(path))[0], Choices())
    assert (
        {note.cause for note in made.report} >= {"broken reference", "server is no URL"},
        made.manifest["actions"],
    ) == (True, [])


def test_an_overlay_removes_in_any_order() -> None:
    """Items are removed from the end of their list, and each only once, whatever the order of the
    selection.
    """
    found = {"a": [0, 1, 2, 3], "b": {"c": {"d": 1}}}
    actions = [
        {"target": "$.a[0,2,0,1]", "remove": True},
        {"target": "$['b','b']..*", "remove": True},
    ]
    assert applied(found, {"overlay": "1.0.0", "actions": actions}, "o.yaml") == []
    assert found == {"a": [3], "b": {}}


def test_new_and_diff_take_generated_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """'jackfield new --openapi' writes the project under the given key; 'diff' compares schemas
    behind shared definitions.
    """
    monkeypatch.chdir(tmp_path)
    name: dict[str, Any] = {"type": "string"}
    schemas = {"Item": {"type": "object", "properties": {"name": name}}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}}
    source = document(
        {"/a": {"post": operation(operationId="add", requestBody=body)}},
        components={"schemas": schemas},
    )
    for folder, more in (("old", {}), ("new", {"maxLength": 5})):
        name |= more
        (tmp_path / "api.json").write_text(json.dumps(source))
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        assert main(["new", "acme-crm", "--openapi", "../api.json"]) == 0
    made = capsys.readouterr()
    assert [json.loads(line)["actions"] for line in made.out.splitlines()] == [1, 1]
    then = "then 'pip install --editable acme-crm', then 'jackfield check acme-crm --format lines'"
    assert (
        made.err.count(
            "next read acme-crm/openapi.report.json, which says what was left out or assumed; "
            f"{then}"
        )
        == 2
    )
    assert main(["diff", str(tmp_path / "old/acme-crm"), str(tmp_path / "new/acme-crm")]) == 1
    changes = [
        (change["level"], change["path"])
        for change in json.loads(capsys.readouterr().out)["changes"]
    ]
    assert changes == [("breaking", "/actions/0/inputs/properties/name/maxLength")]


@pytest.mark.parametrize(("paths", "told"), [({}, True), ({"/a": {"get": operation()}}, False)])
def test_a_document_without_operations_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    paths: dict[str, Any],
    told: bool,
) -> None:
    """A connector without actions is made, and somebody has to know it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "api.json").write_text(json.dumps(document(paths)))
    assert main(["generate", "openapi", "api.json", "--key", "acme"]) == 0
    assert (
        "the connector has no actions: acme/openapi.report.json says what was left out"
        in capsys.readouterr().err
    ) == told


@pytest.mark.parametrize(
    ("summary", "title"),
    [
        ("Return all\n applications.", "Return all applications"),
        ("Gotify REST-API.", "Gotify REST-API"),
        ("List labels, milestones etc.", "List labels, milestones etc."),
        ("Find stores in the U.S.", "Find stores in the U.S."),
        ("And so on...", "And so on..."),
        (".", "Create item"),
    ],
)
def test_a_title_is_no_sentence(summary: str, title: str) -> None:
    """Titles of actions and connectors have no full stop, whatever the document's summaries have;
    abbreviations keep theirs.
    """
    assert title_of("createItem", {"summary": summary}) == title
    assert title_in({"info": {"title": summary}}) == (title if summary != "." else "API")
