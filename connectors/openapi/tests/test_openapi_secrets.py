"""Members that hold credentials are marked, whether the document says so or only their names do; an
overlay refuses and adds marks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.catalog import Catalog
from jackfield.kernel.walk import is_secret, nodes
from jackfield.testing import Answer, Provider
from jackfield_openapi.conversion import Choices, Converted, converted
from openapi_rig import document, generate, operation
from plugboard import declare, plugged

_TEXT = {"type": "string"}
_CREDENTIALS = """
    token pass password passwd newPassword password_confirmation client_secret clientSecret secretKey api_key apiKey APIKey
    private_key access_token refreshToken id_token code_verifier webhook_secret signing-secret session_token token_secret
    passphrase otp cvc connectionString recovery_code hmacKey accessTokenValue temp_clone_token
    privateKeyPem client_assertion sessionKey
"""
_OTHERS = """
    token_type tokenId token_count max_tokens tokens nextToken next_page_token pageToken continuationToken cursor key
    public_key passed compass passport passwordPolicy password_expires_at secretName secret_arn tokenUrl clientRequestToken
    syncToken sort_key foreignKey idempotencyKey separator_token maskToken include_token has_password secretary tokenizer
    keyboard stopToken grant publicApiKey publishable_api_key method_truncated_token redacted_secret maskedPassword
"""


def _converted(members: dict[str, Any], **more: Any) -> Converted:
    body = {"type": "object", "properties": members}
    content = {"application/json": {"schema": body}}
    post = operation(
        operationId="make",
        requestBody={"content": content},
        responses={"200": {"description": "", "content": content}},
        **more,
    )
    return converted(document({"/things": {"post": post}}), Choices())


def _marks(found: Converted, place: str, name: str) -> bool:
    schema = {**found.manifest["actions"][0][place], "$defs": found.manifest.get("$defs", {})}
    member = next(
        node["properties"][name]
        for node in nodes(schema, schema)
        if name in node.get("properties", {})
    )
    return any(map(is_secret, nodes(schema, member)))


def _assumed(found: Converted) -> list[str]:
    return [
        note.at.rpartition("/")[2]
        for note in found.report
        if note.kind == "assumed" and note.cause == "secret"
    ]


@pytest.mark.parametrize("name", _CREDENTIALS.split())
def test_credentials_are_marked_by_name(name: str) -> None:
    """A text named like a credential is marked in inputs and in outputs, and the report says that
    this was assumed, with its place.
    """
    found = _converted({name: _TEXT})
    properties = found.manifest["actions"][0]["inputs"]["properties"]
    assert [is_secret(schema) for schema in properties.values()] == [True]
    assert _marks(found, "output", name)
    assert len(_assumed(found)) == 2


def test_other_names_stay_in_clear() -> None:
    """Names that only mention a credential, those of paging, of counts and of parts of a text are
    not marked.
    """
    found = _converted(dict.fromkeys(_OTHERS.split(), _TEXT))
    assert _assumed(found) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer"},
        {"type": "boolean"},
        {**_TEXT, "enum": ["a"]},
        {**_TEXT, "format": "date-time"},
        {**_TEXT, "example": "true"},
    ],
)
def test_only_texts_are_marked(schema: dict[str, Any]) -> None:
    """Numbers, booleans, enumerations and dates are no credentials, whatever they are called."""
    assert _assumed(_converted({"token": schema})) == []


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ({"pass": {**_TEXT, "description": "The user password. For login."}}, True),
        ({"value": {**_TEXT, "description": "The API key value."}}, True),
        ({"key": {**_TEXT, "description": "API key used to sign requests"}}, True),
        ({"value": {**_TEXT, "description": "Password policy of the group."}}, False),
        ({"key": {**_TEXT, "description": "The API key ID."}}, False),
        ({"token": {**_TEXT, "description": "Token for the next page of results."}}, False),
        ({"clientToken": {**_TEXT, "description": "Makes the request idempotent."}}, False),
        ({"token": _TEXT, "logprob": {"type": "number"}}, False),
        ({"access_tokens": {"type": "array", "items": _TEXT}}, True),
        ({"tokens": {"type": "array", "items": _TEXT}}, False),
    ],
)
def test_descriptions_decide_where_names_do_not(member: dict[str, Any], expected: bool) -> None:
    """A description that begins with a credential's noun marks a neutral name; one about pages or
    repeats refuses a mark.
    """
    assert bool(_assumed(_converted(member))) is expected


def test_references_and_alternatives_are_followed() -> None:
    """A member that refers to a text, or is a text or null, is marked itself; the definition that
    it shares with others is not.
    """
    text = {"$ref": "#/components/schemas/Text"}
    source = document(
        {
            "/me": {
                "get": operation(
                    operationId="me",
                    responses={
                        "200": {
                            "description": "",
                            "content": {
                                "application/json": {
                                    "schema": {
                                        "type": "object",
                                        "properties": {
                                            "token": text,
                                            "name": text,
                                            "password": {"anyOf": [text, {"type": "string"}]},
                                        },
                                    }
                                }
                            },
                        }
                    },
                )
            }
        },
        components={"schemas": {"Text": _TEXT}},
    )
    found = converted(source, Choices())
    assert [_marks(found, "output", name) for name in ("token", "name", "password")] == [
        True,
        False,
        True,
    ]


def test_declared_passwords_are_marked_in_outputs() -> None:
    """``format: password`` marks inputs and outputs, and is not reported: the document says it."""
    found = _converted({"hint": {**_TEXT, "format": "password"}})
    assert (_marks(found, "output", "hint"), _assumed(found)) == (True, [])


def test_overlays_decide() -> None:
    """``secret: false`` refuses a mark, also a declared one; ``secret: true`` adds one; parameters
    take both.
    """
    refused, added = {"x-jackfield": {"secret": False}}, {"x-jackfield": {"secret": True}}
    parameters = [
        {"name": name, "in": "query", "schema": _TEXT, **mark}
        for name, mark in (("otp", refused), ("code", added))
    ]
    members = {
        "token": {**_TEXT, **refused},
        "hint": {**_TEXT, "format": "password", **refused},
        "note": {**_TEXT, **added},
    }
    found = _converted(members, parameters=parameters)
    assert {
        name: _marks(found, "inputs", name) for name in ("token", "hint", "note", "otp", "code")
    } == {
        "token": False,
        "hint": False,
        "note": True,
        "otp": False,
        "code": True,
    }
    assert found.manifest["actions"][0]["inputs"]["properties"]["token"]["x-jackfield"] == {
        "secret": False
    }
    assert _assumed(found) == []


def test_overlays_say_what_hands_out_credentials() -> None:
    """``handsOutCredentials`` of an operation makes its whole output secret, and the action a write
    to rules.
    """
    action = _converted({"name": _TEXT}, **{"x-jackfield": {"handsOutCredentials": True}}).manifest[
        "actions"
    ][0]
    assert action["handsOutCredentials"] is True


def test_tokens_of_paging_stay_in_clear() -> None:
    """A token that leads to a next page is not marked, though it is called just 'token': a replay
    must show it.
    """
    page = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": _TEXT}, "token": _TEXT},
    }
    get = operation(
        operationId="list",
        parameters=[{"name": "token", "in": "query", "schema": _TEXT}],
        responses={"200": {"description": "", "content": {"application/json": {"schema": page}}}},
        **{
            "x-jackfield": {
                "pagination": {
                    "kind": "token",
                    "items": "/items",
                    "input": "token",
                    "response": "/token",
                }
            }
        },
    )
    found = converted(document({"/things": {"get": get}}), Choices())
    action = found.manifest["actions"][0]
    assert "pagination" in action
    assert [_marks(found, place, "token") for place in ("inputs", "output")] == [False, False]


def test_assumed_secrets_are_shown_once_and_never_stored(tmp_path: Path) -> None:
    """The caller gets the whole answer; the journal, a replay, and the error that quotes an input
    do not have the credentials.
    """
    secret, password = "Cabcdefgh12345678", "hunter2-topsecret"
    user = {
        "type": "object",
        "properties": {"name": _TEXT, "pass": _TEXT, "token": _TEXT, "note": _TEXT},
    }
    content = {"application/json": {"schema": user}}
    post = operation(
        operationId="createUser",
        requestBody={"content": content},
        responses={"200": {"description": "", "content": content}},
    )
    manifest = generate(
        tmp_path, document({"/users": {"post": post}}, servers=[{"url": "https://go.example"}])
    )
    answers = [
        Answer({"name": "ada", "token": secret, "note": f"pass is {password}"}),
        Answer({"message": f"weak: {password}"}, 400),
    ]
    call = {
        "connector": "acme",
        "action": "createUser",
        "connection": "main",
        "inputs": {"name": "ada", "pass": password},
    }
    made = tmp_path / "made"
    declare(made, "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"})
    with Provider(answers) as provider, plugged(made):
        values = {"server": provider.url}
        known = [
            {
                "connections": {
                    "main": {
                        "type": f"acme/{manifest['connectionTypes'][0]['key']}",
                        "values": values,
                    }
                }
            }
        ]
        url = f"sqlite:///{tmp_path / 'journal.db'}"
        with Jackfield(
            connections=known, catalog=Catalog.installed(), database_url=url
        ) as jackfield:
            first = jackfield.invoke({**call, "idempotencyKey": "k1"})
            again = jackfield.invoke({**call, "idempotencyKey": "k1"})
            refused = jackfield.invoke(call)
    assert first.unwrap() == {"name": "ada", "token": secret, "note": f"pass is {password}"}
    assert again.unwrap() == {"name": "ada", "token": "***", "note": "pass is ***"}
    assert password not in json.dumps(refused.to_json())
    assert "weak: ***" in json.dumps(refused.to_json())
    assert not any(
        text.encode() in path.read_bytes()
        for path in tmp_path.glob("journal.db*")
        for text in (secret, password)
    )
