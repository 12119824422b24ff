"""Services of a shelf against documents of their providers: what a file uses and a document lacks,
and where documents come from.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from jackfield.cli.main import main
from jackfield.connector import InvalidInput
from jackfield_openapi.shelf.comparison import differences
from jackfield_openapi.shelf.services import Service, read_shelf
from jackfield_openapi.shelf.sources import documents

Json = dict[str, Any]
_SERVICE = """openapi: 3.1.0
info: {title: Acme, version: "1", description: Things., license: {name: Apache-2.0, identifier: Apache-2.0}}
servers: [{url: "https://api.acme.example/v1"}]
x-shelf:
  key: acme
  categories: [things]
  docs: https://acme.example/docs
  signIns: {oauth: {kind: oauth2, title: Account, authorizationUrl: "https://acme.example/auth", tokenUrl: "https://acme.example/token"}}
  account: {id: /id, label: [/email]}
  known: [All]
paths:
  /things:
    get:
      operationId: listThings
      summary: List things
      parameters:
        - {name: cursor, in: query, schema: {type: string}, description: Where the page begins.}
        - {name: order, in: query, schema: {type: string, enum: [new, old]}, description: Order.}
      responses: {"200": {description: They., content: {application/json: {schema: {type: object, properties: {items: {type: array, items:
        {type: object, properties: {id: {type: string}}}}, next: {type: string}}}}}}}
      x-jackfield: {pagination: {kind: token, input: cursor, response: /next, items: /items}}
    post:
      operationId: createThing
      summary: Create a thing
      requestBody: {required: true, content: {application/json: {schema: {type: object, required: [name], properties:
        {name: {type: string}}}}}}
      responses: {"200": {description: It., content: {application/json: {schema: {type: object, properties: {id: {type: string}}}}}}}
"""
_THING: Json = {
    "type": "object",
    "required": ["name"],
    "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
}
_PAGE = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
        "next": {"type": "string"},
    },
}
_DOCUMENT: Json = {
    "openapi": "3.0.3",
    "info": {"title": "Acme", "version": "2"},
    "servers": [{"url": "https://api.acme.example"}],
    "paths": {
        "/v1/things": {
            "get": {
                "parameters": [
                    {"name": "cursor", "in": "query", "schema": {"type": "string"}},
                    {
                        "name": "order",
                        "in": "query",
                        "schema": {"type": "string", "enum": ["new", "old", "size"]},
                    },
                ],
                "responses": {
                    "200": {
                        "description": "They.",
                        "content": {"application/json": {"schema": _PAGE}},
                    }
                },
            },
            "post": {
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                    }
                },
                "responses": {
                    "200": {
                        "description": "It.",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                        },
                    }
                },
            },
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["name"],
                "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
            }
        },
        "securitySchemes": {
            "account": {
                "type": "oauth2",
                "flows": {
                    "authorizationCode": {
                        "authorizationUrl": "https://acme.example/auth",
                        "tokenUrl": "https://acme.example/token",
                    }
                },
            }
        },
    },
}


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A shelf with one service."""
    folder = tmp_path / "shelf"
    (folder / "services").mkdir(parents=True)
    (folder / "services" / "acme.yaml").write_text(_SERVICE)
    return folder


@pytest.fixture
def service(shelf: Path) -> Service:
    """The service."""
    return read_shelf(shelf)[0]


def test_a_secret_of_an_answer_is_declared(service: Service) -> None:
    """What an answer has and a file does not declare is in records as it is: a credential is
    declared, so that they show none.
    """
    document = deepcopy(_DOCUMENT)
    link = {
        "type": "object",
        "properties": {"access_token": {"type": "string"}, "is_token": {"type": "boolean"}},
    }
    document["components"]["schemas"]["Thing"]["properties"] |= {
        "password": {"type": "string"},
        "links": {"type": "array", "items": link},
    }
    assert differences(service, [document]) == [
        f"{name}: the answer has a secret at '{at}{place}', which the file does not declare"
        for name, at in (("GET /things", "/items"), ("POST /things", ""))
        for place in ("/password", "/links/access_token")
    ]


def test_a_document_that_has_everything_is_no_difference(service: Service) -> None:
    """Other operations, further parameters, members and values of it do not count; nor does where
    the server's path ends.
    """
    assert differences(service, [_DOCUMENT]) == []


def test_what_only_answers_have_is_not_needed_in_a_body(service: Service) -> None:
    """OpenAPI: a required member that is read-only is required in answers alone. Documents with one
    schema for both have many.
    """
    document = deepcopy(_DOCUMENT)
    thing = document["components"]["schemas"]["Thing"]
    thing["required"] = ["id", "name"]
    assert differences(service, [document]) == ["POST /things: body needs the member 'id'"]
    thing["properties"]["id"]["readOnly"] = True
    assert differences(service, [document]) == []
    assert (
        differences(service, [{**_DOCUMENT, "paths": {"/v1/others": {"get": {}}}}, _DOCUMENT]) == []
    )


def test_a_key_in_the_query_and_a_gateway_are_no_difference(service: Service) -> None:
    """A parameter that is a key is one of the document's security schemes, and a document knows
    nothing of a gateway to its server.
    """
    service.document["servers"] = [
        {"url": "https://gateway.example/ex/{site}/v1", "variables": {"site": {"default": "s"}}}
    ]
    row = {"name": "key", "in": "query", "required": True, "schema": {"type": "string"}}
    service.document["paths"]["/things"]["get"]["parameters"].append(row)
    keyed = deepcopy(_DOCUMENT)
    keyed.setdefault("components", {})["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "query", "name": "key"}
    }
    assert [one for one in differences(service, [_DOCUMENT]) if "server" not in one] == [
        "GET /things: it has no parameter 'key'"
    ]
    assert [one for one in differences(service, [keyed]) if "server" not in one] == []


def _operation(document: Json, method: str = "get") -> Json:
    found: Json = document["paths"]["/v1/things"][method]
    return found


def _without_path(document: Json) -> None:
    document["paths"] = {"/v2/things": document["paths"]["/v1/things"]}


def _deprecated(document: Json) -> None:
    _operation(document)["deprecated"] = True


def _without_parameter(document: Json) -> None:
    del _operation(document)["parameters"][0]


def _with_a_further_parameter(document: Json) -> None:
    _operation(document)["parameters"].append(
        {"name": "account", "in": "query", "required": True, "schema": {"type": "string"}}
    )


def _without_a_value(document: Json) -> None:
    _operation(document)["parameters"][1]["schema"]["enum"] = ["new", "size"]


def _without_a_member(document: Json) -> None:
    document["components"]["schemas"]["Thing"]["properties"].pop("name")


def _with_a_further_member(document: Json) -> None:
    document["components"]["schemas"]["Thing"]["required"] = ["name", "colour"]


def _without_the_token(document: Json) -> None:
    document["paths"] = json.loads(json.dumps(document["paths"]).replace('"next"', '"nextCursor"'))


def _on_another_server(document: Json) -> None:
    document["servers"] = [{"url": "https://api.acme-new.example"}]


def _with_other_endpoints(document: Json) -> None:
    document["components"]["securitySchemes"]["account"]["flows"]["authorizationCode"][
        "tokenUrl"
    ] = "https://id.acme.example/token"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without_path, "GET /things: the document has no such operation"),
        (_deprecated, "GET /things: it is deprecated"),
        (_without_parameter, "GET /things: it has no parameter 'cursor'"),
        (_with_a_further_parameter, "GET /things: the parameter 'account' is required"),
        (_without_a_value, "GET /things: parameter 'order' cannot be old"),
        (_without_a_member, "POST /things: body has no member 'name'"),
        (_with_a_further_member, "POST /things: body needs the member 'colour'"),
        (
            _without_the_token,
            "GET /things: the answer has nothing at '/next', where paging looks for it",
        ),
        (_on_another_server, "the server is api.acme-new.example, not api.acme.example"),
        (
            _with_other_endpoints,
            "tokenUrl is https://id.acme.example/token, not https://acme.example/token",
        ),
    ],
)
def test_what_a_document_does_not_have_so_is_told(
    service: Service, change: Callable[[Json], None], said: str
) -> None:
    """Each kind of change of a provider has its sentence."""
    document = deepcopy(_DOCUMENT)
    change(document)
    assert said in differences(service, [document])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"things.read": ""},
            [
                (
                    "POST /things: the sign-in 'oauth' asks for none of its scopes: things.all, "
                    "things.write"
                )
            ],
        ),
        ({"things.read": "", "things.write": ""}, []),
        ({"things.all": ""}, []),
        ({}, []),
    ],
)
def test_a_sign_in_asks_for_a_scope_of_each_operation(
    service: Service, asked: Json, said: list[str]
) -> None:
    """Without one, everybody who approves gets 403. A sign-in without scopes leaves them to the
    application.
    """
    known = deepcopy(_DOCUMENT)
    flow = {**dict.fromkeys(("things.read", "things.write", "things.all"), "")}
    known["components"]["securitySchemes"] = {
        "own": {"type": "oauth2", "flows": {"implicit": {"scopes": flow}}}
    }
    things = next(item for path, item in known["paths"].items() if path.endswith("/things"))
    things["get"]["security"] = [{"own": ["things.read"]}, {"own": ["things.all"]}]
    things["post"]["security"] = [{"own": ["things.write"]}, {"own": ["things.all"]}]
    service.about["signIns"]["oauth"]["scopes"] = asked
    assert differences(service, [known]) == said


def test_a_document_without_operations_cannot_be_compared(service: Service) -> None:
    """It is refused, since it would pass for one without a difference."""
    with pytest.raises(InvalidInput, match="no operations to compare"):
        differences(service, [{"openapi": "3.0.3", "paths": {}}])


def _npm(folder: Path) -> bytes:
    content, buffer = json.dumps(_DOCUMENT).encode(), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("package/openapi.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    kept = folder / "npm-@acme-api@2.0.0"
    kept.mkdir(parents=True)
    (kept / "acme-api-2.0.0.tgz").write_bytes(buffer.getvalue())
    return buffer.getvalue()


def _pypi(folder: Path) -> bytes:
    kept = folder / "pypi-acme-api==2.0.0"
    kept.mkdir(parents=True)
    with zipfile.ZipFile(kept / "acme_api-2.0.0-py3-none-any.whl", "w") as archive:
        archive.writestr("package/openapi.json", json.dumps(_DOCUMENT))
    return (kept / "acme_api-2.0.0-py3-none-any.whl").read_bytes()


def _github(folder: Path) -> bytes:
    kept = folder / "github-acme-api-2.0.0" / "package"
    kept.mkdir(parents=True)
    (kept / "openapi.json").write_text(json.dumps(_DOCUMENT))
    return (kept / "openapi.json").read_bytes()


@pytest.mark.parametrize(
    ("package", "fetched"),
    [("npm:@acme/api", _npm), ("pypi:acme-api", _pypi), ("github:acme/api", _github)],
    ids=["npm", "pypi", "github"],
)
def test_documents_are_those_that_the_lock_names(
    shelf: Path, package: str, fetched: Callable[[Path], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """What was fetched once is read again; other bytes than the lock's are refused, and a
    difference is exit code 1.
    """
    cache = shelf / "cache"
    digest = f"sha512-{base64.b64encode(hashlib.sha512(fetched(cache)).digest()).decode()}"
    row = {
        "package": package,
        "version": "2.0.0",
        "integrity": digest,
        "path": "package/openapi.json",
        "licence": "MIT",
        "use": "check",
    }
    lock = shelf / "sources.lock.yaml"
    lock.write_text(json.dumps({"acme": {**row, "on": "2026-11-20"}}))
    words = ["shelf", "diff", "--shelf", str(shelf), "--cache", str(cache), "--json"]
    assert main(words) == 0
    told = {"key": "acme", "source": package, "version": "2.0.0", "differences": []}
    assert json.loads(capsys.readouterr().out) == {"compared": [told]}
    (shelf / "services" / "acme.yaml").write_text(_SERVICE.replace("/things:", "/thing:"))
    assert main(words) == 1
    lock.write_text(json.dumps({"acme": {**row, "integrity": "sha512-AAAA", "on": "2026-11-20"}}))
    assert main(words) == 2
    assert "has the integrity sha512-" in capsys.readouterr().out


def test_a_source_needs_a_licence_that_allows_it(
    shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is only compared with may have any; an unknown registry is refused."""
    row = {
        "package": "npm:acme",
        "version": "1",
        "integrity": "sha512-AAAA",
        "path": "a",
        "licence": "unknown",
        "use": "check",
        "on": "2026-11-20",
    }
    lock = shelf / "sources.lock.yaml"
    lock.write_text(json.dumps({"acme": row}))
    assert main(["shelf", "licences", "--shelf", str(shelf), "--json"]) == 0
    lock.write_text(json.dumps({"acme": {**row, "use": "source"}}))
    capsys.readouterr()
    assert main(["shelf", "licences", "--shelf", str(shelf), "--json"]) == 1
    assert "a document under 'unknown' is no source" in capsys.readouterr().out
    with pytest.raises(InvalidInput, match="is not of npm, pypi, github"):
        documents({**row, "package": "cargo:acme"}, shelf)


def test_endpoints_that_were_seen_elsewhere_are_kept(shelf: Path) -> None:
    """A sign-in that names the page of a fact keeps the endpoints of that page; a page that is no
    fact is refused.
    """
    document, file = deepcopy(_DOCUMENT), shelf / "services" / "acme.yaml"
    _with_other_endpoints(document)
    page = "https://acme.example/clients"
    text = _SERVICE.replace("title: Account,", f'title: Account, seen: "{page}",')
    file.write_text(text)
    with pytest.raises(InvalidInput, match="none of the pages in 'seen'"):
        read_shelf(shelf)
    file.write_text(
        text.replace("known: [All]", f'seen: [{{about: Endpoints, url: "{page}", on: 2026-01-31}}]')
    )
    assert differences(read_shelf(shelf)[0], [document]) == []
