"""The OpenAPI document is that of the routes, and the server keeps to it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from http_stand import Client, Stand
from jackfield.callers import Scope
from jackfield_service.shell.commands.serve import mounts
from jackfield_service.shell.http.app import build_app
from jackfield_service.shell.http.response_headers import PACES
from jackfield_service.shell.http.table import OPERATIONS

ROOT = Path(__file__).resolve().parents[4]
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "409", "410", "412", "416", "422"]
"""
"""What the schema allows may still name things that are not there, or break rules that no schema
can tell.
"""


@pytest.fixture(scope="module")
def document(client: Client) -> Any:
    """The document, as anybody gets it."""
    return Client(client.port).get("/openapi.json").json


def test_document_has_each_route_and_no_other(stand: Stand, document: Any) -> None:
    """Paths and methods of the document are those of the application's table."""
    told = {
        (path, method.upper()) for path, methods in document["paths"].items() for method in methods
    }
    assert told == {(operation.path, operation.method) for operation in OPERATIONS}
    served = {
        route.path_format
        for route in build_app(stand.host, mounts()).routes
        if isinstance(route, Route)
    }
    assert {path for path, _ in told} <= served
    assert {path for path in served if path.startswith("/v1/")} <= {path for path, _ in told}


def test_m24_generators_can_name_every_schema(document: Any) -> None:
    """No inline object is called like a component by generators (owner + member), and no boolean is
    a ``const``.
    """
    components = document["components"]["schemas"]
    inline = {
        f"{name}{member[:1].upper()}{member[1:]}"
        for name, schema in components.items()
        for member, value in schema.get("properties", {}).items()
        if isinstance(value, dict) and value.get("type") == "object"
    }
    assert inline & set(components) == set()
    members = [
        value
        for schema in components.values()
        for value in schema.get("properties", {}).values()
        if isinstance(value, dict)
    ]
    assert [value for value in members if isinstance(value.get("const"), bool)] == []
    for name in ("Result", "Entry"):
        assert components[name]["properties"]["meta"]["properties"]["dryRun"]["enum"] == [True]


@pytest.mark.parametrize("query", ["", "?connector=aws-ses", "?connector=github"])
def test_references_lead_somewhere(client: Client, query: str) -> None:
    """Every ``$ref`` of the document has its target in it."""
    document = client.get(f"/openapi.json{query}").json
    for reference in set(re.findall(r'"\$ref": "(#[^"]*)"', json.dumps(document))):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        assert isinstance(found, dict | bool), reference


def test_m11_actions_are_components_of_their_connectors_document(
    client: Client, document: Any
) -> None:
    """With 1,000 connectors the document had 2,082 schemas of actions and 2,016 duplicate titles:
    it has the API's own alone. A connector's actions are asked for by its key, as components
    ``connector.action`` with that as their title.
    """
    assert not [name for name in document["components"]["schemas"] if "." in name]
    schemas = client.get("/openapi.json?connector=aws-ses").json["components"]["schemas"]
    assert {"aws-ses.sendEmail", "aws-ses.listIdentities", "Invocation"} <= schemas.keys()
    assert "echo.say" not in schemas
    assert "awsRegion" in schemas["aws-ses.sendEmail"]["properties"]
    titles = [schema["title"] for name, schema in schemas.items() if "." in name]
    assert len(titles) == len({*titles})


def test_m11_a_connector_that_is_not_installed_has_no_document(client: Client) -> None:
    """An unknown key is refused with the nearest."""
    refused = client.get("/openapi.json?connector=aws-sess")
    assert (refused.status, refused.json["detail"]) == (
        404,
        "no connector 'aws-sess' is installed; did you mean 'aws-ses'?",
    )


def test_published_schemas_are_those_of_the_repository() -> None:
    """Invocation and Result in the document are ``schemas/``'s own files."""
    for name in ("invocation", "result"):
        ours = ROOT / "runtime" / "jackfield" / "invocation" / "schemas" / f"{name}.schema.json"
        assert ours.read_text(encoding="utf-8") == (
            ROOT / "schemas" / f"{name}.schema.json"
        ).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "method", "kind"),
    [
        ("/v1/invocations", "post", "text/event-stream"),
        ("/v1/connectors/{key}/actions/{action}", "get", "text/markdown"),
        ("/v1/invocations", "get", "text/csv"),
        ("/v1/invocations:batch", "post", "application/jsonl"),
    ],
)
def test_other_forms_of_an_answer_are_named(
    document: Any, path: str, method: str, kind: str
) -> None:
    """What an Accept header asks for is named in words: of two kinds of content, client generators
    make a union, and a list would be one only after a test for a text.
    """
    answers = document["paths"][path][method]["responses"]
    status = "202" if "batch" in path else "200"
    assert (kind in answers[status]["description"], [*answers[status]["content"]]) == (
        True,
        ["application/json"],
    )
    assert [one for one, found in answers.items() if kind in found.get("description", "")] == [
        status
    ]


def test_no_answer_with_a_schema_is_also_a_text(document: Any) -> None:
    """An answer in JSON has no other kind of content, but the problem of who was refused: its type
    is that of its schema.
    """
    found = [
        kinds
        for path in document["paths"].values()
        for operation in path.values()
        for answer in operation["responses"].values()
        if "application/json" in (kinds := {*answer.get("content", {})})
        and kinds - {"application/json", "application/problem+json"}
    ]
    assert found == []


def test_an_object_without_a_shape_has_any_members(document: Any) -> None:
    """Where a filter or a guard may be null, too: otherwise generators make types of it that take
    an empty object alone.
    """
    schemas = document["components"]["schemas"]
    for name, member in (
        ("NewCallback", "filter"),
        ("Callback", "filter"),
        ("NewSubscription", "guard"),
        ("Subscription", "guard"),
    ):
        assert schemas[name]["properties"][member]["additionalProperties"] is True


def test_a_queued_call_is_told_from_a_result(document: Any) -> None:
    """Both are answered with 202, the latter of a call that waits for a person: types tell them
    apart by what each always has.
    """
    schemas = document["components"]["schemas"]
    assert [one["$ref"].rpartition("/")[2] for one in schemas["Queued"]["anyOf"]] == [
        "QueuedCall",
        "Result",
    ]
    assert schemas["QueuedCall"]["required"] == ["invocationId", "status"]
    assert (
        "meta" in schemas["Result"]["required"],
        "invocationId" in schemas["Result"]["properties"],
    ) == (True, False)


def test_what_a_connection_brings_is_not_required(client: Client) -> None:
    """``?connector=`` types inputs as the server takes them: region and sender come with the
    connection.
    """
    schemas = client.get("/openapi.json?connector=aws-ses").json["components"]["schemas"]
    sending = schemas["aws-ses.sendEmail"]
    assert {"awsRegion", "sender"} <= sending["properties"].keys()
    assert not {"awsRegion", "sender"} & {*sending["required"]}
    assert "subject" in sending["required"]


def test_each_body_can_be_too_slow(document: Any) -> None:
    """408 is among the answers of every operation that takes a body, and 400 among those of all."""
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert {
        "requestBody" in operation for operation in operations if "408" in operation["responses"]
    } == {True}
    assert all(
        "408" in operation["responses"] for operation in operations if "requestBody" in operation
    )
    assert all("400" in operation["responses"] for operation in operations)


def _is_optional(operation: Any) -> bool:
    body = operation.get("requestBody", {"required": True, "content": {}})
    return not body.get("required") and "application/json" in body["content"]


@pytest.mark.parametrize("scope", ["manage", "approve"])
def test_a_body_of_optional_members_may_be_left_out(
    stand: Stand, document: Any, scope: Scope
) -> None:
    """The document says so, and no operation refuses a request for want of such a body."""
    client = stand.client(scope)
    operations = [
        (path, method, one)
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    ]
    optional = [(path, method) for path, method, one in operations if _is_optional(one)]
    assert ("/v1/approvals/{id}:approve", "post") in optional
    for path, method in optional:
        answer = client.call(method.upper(), re.sub(r"[{](\w+)[}]", r"no-\1", path))
        assert answer.status != 400, (path, method, answer.body)


def test_document_is_tagged(client: Client) -> None:
    """Who has the document gets 304."""
    tag = client.get("/openapi.json").headers["etag"]
    assert client.get("/openapi.json", If_None_Match=tag).status == 304


def test_docs_page_needs_nothing_from_elsewhere(client: Client, document: Any) -> None:
    """The page names every route and schema, runs no script, and loads nothing."""
    answer = Client(client.port).get("/docs")
    text = answer.body.decode()
    assert all(f"<code>{path}</code>" in text for path in document["paths"])
    assert all(f'id="{name}"' in text for name in document["components"]["schemas"])
    assert not re.search(
        r"<script|<link|<img|<iframe|\son\w+=|src=|https?://[^\s&<\"]*\.(js|css)", text
    )
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


# a run takes 7 s of CPU time; test_http_matrix.py compares one answer of each kind with the
# document
@pytest.mark.campaign
def test_server_keeps_to_its_document(client: Client, tmp_path: Path) -> None:
    """The tool schemathesis with all its checks finds no 500, no undocumented status, no answer
    that breaks its schema.
    """
    client.post(
        "/v1/connections", {"name": "acme", "type": "echo/token", "values": {"token": "a-secret"}}
    )
    identifier = client.invoke("post", text="x", fault={"kind": "reset"}).json["meta"][
        "invocationId"
    ]
    names = {"name": "acme", "id": identifier, "key": "echo", "action": "say", "source": "voices"}
    parameters = "".join(f'"path.{name}" = "{value}"\n' for name, value in names.items())
    (tmp_path / "known.toml").write_text(f"{CONFIG}\n[parameters]\n{parameters}", encoding="utf-8")
    (tmp_path / "random.toml").write_text(CONFIG, encoding="utf-8")
    for name in ("known", "random"):
        command = [
            str(Path(sys.executable).with_name("st")),
            "--config-file",
            str(tmp_path / f"{name}.toml"),
            "run",
            f"http://127.0.0.1:{client.port}/openapi.json",
            "--header",
            f"Authorization: Bearer {client.token}",
            "--checks",
            "all",
            "--max-examples",
            "8",
            "--phases",
            "examples,coverage,fuzzing,stateful",
            "--seed",
            "1",
            "--generation-database",
            "none",
        ]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stdout[done.stdout.find(" FAILURES ") :][:6000]


def test_headers_that_clients_act_on_are_described(client: Client, document: Any) -> None:
    """What was made or queued says where it is, what has a version says which, what is refused for
    now says for how long: in the document and in the answers, which every test of the HTTP API
    compares (``http_stand``).
    """

    def headers(response: Any) -> set[str]:
        found = (
            document["components"]["responses"][response["$ref"].rpartition("/")[2]]
            if "$ref" in response
            else response
        )
        return {*found["headers"]}

    def told(path: str, method: str, status: str) -> set[str]:
        return headers(document["paths"][path][method]["responses"][status]) - {
            "X-Request-Id",
            *PACES,
        }

    assert told("/v1/invocations", "post", "202") == {
        "Location",
        "Preference-Applied",
        "Idempotency-Replayed",
    }
    assert (
        told("/v1/connections", "post", "201"),
        told("/v1/connections/{name}", "put", "412"),
    ) == ({"ETag", "Location"}, {"ETag"})
    assert told("/v1/tokens", "post", "201") == set()
    assert all(
        ("Retry-After" in headers(response)) >= (status in ("429", "503"))
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
    )
    made = client.post("/v1/files", b"a file")
    assert client.get(made.headers["location"]).body == b"a file"
