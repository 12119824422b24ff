"""Documents mean what their owners show: forms chosen by a discriminator, read-only IDs, names,
files, and the owners' own examples.
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.connector import InvalidInput
from jackfield.testing import Answer, Provider
from jackfield_openapi.conversion import Choices, Converted, converted
from jackfield_openapi.sources import read
from openapi_rig import document, generate, installed, operation

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_SERVERS = [{"url": "https://api.example.com"}]


def obj(required: list[str] | None = None, **properties: Any) -> Json:
    """An object of these members."""
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
    }


def ref(name: str) -> Json:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def sending(schema: Any, schemas: Json | None = None, **media: Any) -> Json:
    """A document whose only operation sends a body of this schema."""
    body = {"required": True, "content": {"application/json": {"schema": schema, **media}}}
    paths = {"/x": {"post": operation(operationId="doIt", requestBody=body)}}
    return document(paths, servers=_SERVERS, components={"schemas": schemas or {}})


def getting(*parameters: Json) -> Json:
    """A document whose only operation takes these parameters."""
    return document(
        {"/x": {"get": operation(operationId="doIt", parameters=list(parameters))}},
        servers=_SERVERS,
    )


def query(name: str, **more: Any) -> Json:
    """A parameter in the query."""
    return {"name": name, "in": "query", "schema": _TEXT, **more}


def convert(source: Json) -> Converted:
    """Convert a document."""
    return converted(source, Choices(key="acme"))


def called(folder: Path, source: Json, inputs: Json) -> Any:
    """Call the only action of a document; return the request's body or path, or the faults."""
    folder = folder / f"call{len(list(folder.iterdir()))}"
    folder.mkdir()
    with Provider(lambda _number, _request: Answer({})) as provider:
        with contextlib.redirect_stdout(io.StringIO()):
            made = generate(folder, source)
        with installed(folder, made, {"server": provider.url}) as jackfield:
            call = {"connector": "acme", "action": "doIt", "connection": "main", "inputs": inputs}
            result = jackfield.invoke(call).to_json()
        if "error" in result:
            return [
                f"{detail['path']} {detail['message']}" for detail in result["error"]["details"]
            ]
        request = provider.requests[0]
        return json.loads(request.body) if request.body else request.path


_PETS = {
    "Cat": obj(["kind"], kind=_TEXT, meows=_TEXT),
    "Dog": obj(["kind"], kind=_TEXT, barks=_TEXT),
}
_MAPPED = {"propertyName": "kind", "mapping": {"c": "#/components/schemas/Cat", "d": "Dog"}}


def _pet(**more: Any) -> Json:
    return sending(obj(["pet"], pet={"oneOf": [ref("Cat"), ref("Dog")], **more}), _PETS)


@pytest.mark.parametrize(
    ("source", "pet", "outcome"),
    [
        (_pet(discriminator=_MAPPED), {"kind": "c"}, None),
        (_pet(discriminator=_MAPPED), {"kind": "d", "barks": "x"}, None),
        (
            _pet(discriminator=_MAPPED),
            {"kind": "c", "barks": "x"},
            ["/pet/barks 'barks' is not a member of this object"],
        ),
        (_pet(discriminator={"propertyName": "kind"}), {"kind": "Dog", "barks": "x"}, None),
        (
            _pet(discriminator={"propertyName": "kind"}),
            {"kind": "Cat", "barks": "x"},
            ["/pet/barks 'barks' is not a member of this object"],
        ),
        (_pet(), {"kind": "any"}, None),
    ],
)
def test_a_discriminator_selects_the_form(
    tmp_path: Path, source: Json, pet: Json, outcome: list[str] | None
) -> None:
    """The mapping's value, else the schema's name, selects one form, also among forms with equal
    members.
    """
    assert called(tmp_path, source, {"pet": pet}) == (outcome or {"pet": pet})


_BARE = {
    "Cat": {**obj(meows=_TEXT), "additionalProperties": False},
    "Dog": {"allOf": [ref("Animal"), obj(barks=_TEXT)]},
    "Animal": obj(name=_TEXT),
}
_STRAY = ["/pet/barks 'barks' is not a member of this object"]


@pytest.mark.parametrize(
    ("pet", "outcome"),
    [
        ({"kind": "c", "meows": "x"}, None),
        ({"kind": "d", "barks": "x", "name": "y"}, None),
        ({"kind": "c", "barks": "x"}, _STRAY),
        ({"meows": "x"}, None),
        ({"kind": "e", "meows": "x"}, ["/pet/kind must be 'c', not 'e'"]),
    ],
)
@pytest.mark.parametrize("word", ["oneOf", "anyOf"])
def test_the_discriminators_member_need_not_be_declared(
    tmp_path: Path, word: str, pet: Json, outcome: list[str] | None
) -> None:
    """Documents leave it to the discriminator: a form takes it, and is closed with it."""
    source = sending(
        obj(["pet"], pet={word: [ref("Cat"), ref("Dog")], "discriminator": _MAPPED}), _BARE
    )
    assert called(tmp_path, source, {"pet": pet}) == (outcome or {"pet": pet})


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"oneOf": [_TEXT, {"type": "string", "enum": ["a"]}]}, "a", 1),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, 1, "x"),
        (
            {
                "oneOf": [
                    {"type": "string", "nullable": True},
                    {"type": "integer", "nullable": True},
                ]
            },
            None,
            True,
        ),
        (
            {**obj(a=_TEXT, b=_TEXT), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"a": "x"},
            {"a": "x", "b": "x"},
        ),
    ],
    ids=["text and enum", "integer and number", "two nullables", "members that exclude each other"],
)
def test_one_of_means_one_of_these(tmp_path: Path, schema: Json, good: Any, bad: Any) -> None:
    """A value may fit several forms of an input; branches that only say which members go together
    still exclude each other.
    """
    source = sending(obj(v=schema))
    assert called(tmp_path, source, {"v": good}) == {"v": good}
    assert isinstance(called(tmp_path, source, {"v": bad}), list)


@pytest.mark.parametrize(
    "heir", [{"allOf": [ref("Pet"), obj(meows=_TEXT)]}, {"allOf": [ref("Cat"), obj(purrs=_TEXT)]}]
)
def test_derived_types_are_accepted_where_the_base_is_the_body(tmp_path: Path, heir: Json) -> None:
    """The members of all derived types are inputs, also of types that derive from a derived one;
    others are refused.
    """
    pet = {**obj(["kind"], kind=_TEXT), "discriminator": {"propertyName": "kind"}}
    schemas = {"Pet": pet, "Cat": {"allOf": [ref("Pet"), obj(meows=_TEXT)]}, "Lion": heir}
    given = {"kind": "Cat", "meows": "x"}
    assert called(tmp_path, sending(ref("Pet"), schemas), given) == given
    assert called(tmp_path, sending(ref("Pet"), schemas), {"kind": "Cat", "barks": "x"}) == [
        "/barks 'barks' is not an input"
    ]
    assert called(tmp_path, sending({"allOf": [ref("Pet")]}, schemas), {"body": given}) == given


def test_derived_types_of_swagger_2_are_accepted(tmp_path: Path) -> None:
    """Swagger 2.0 names the discriminator by a text."""
    pet = {**obj(["kind"], kind=_TEXT), "discriminator": "kind"}
    cat = {"allOf": [{"$ref": "#/definitions/Pet"}, obj(meows=_TEXT)]}
    parameter = {
        "name": "pet",
        "in": "body",
        "required": True,
        "schema": {"$ref": "#/definitions/Pet"},
    }
    source = {
        "swagger": "2.0",
        "info": {"title": "Acme", "version": "1"},
        "host": "api.example.com",
        "paths": {
            "/x": {
                "post": {
                    "operationId": "doIt",
                    "parameters": [parameter],
                    "responses": {"200": {"description": ""}},
                }
            }
        },
        "definitions": {"Pet": pet, "Cat": cat},
    }
    assert called(tmp_path, source, {"kind": "Cat", "meows": "x"}) == {"kind": "Cat", "meows": "x"}


def test_read_only_members_may_be_given_and_are_not_demanded(tmp_path: Path) -> None:
    """A reference in a request names its target by a read-only ID; at the top of a body, a
    read-only member is no input.
    """
    schemas = {
        "Resource": obj(id={"type": "string", "readOnly": True}, type=_TEXT),
        "Reference": {"allOf": [ref("Resource"), {"type": "object", "required": ["id", "type"]}]},
    }
    source = sending(
        obj(["id"], id={"type": "string", "readOnly": True}, service=ref("Reference")), schemas
    )
    whole = {"service": {"id": "P1", "type": "service_reference"}}
    assert called(tmp_path, source, whole) == whole
    assert called(tmp_path, source, {"service": {"type": "x"}}) == {"service": {"type": "x"}}
    assert called(tmp_path, source, {"id": "1"}) == ["/id 'id' is in 'service'; write service.id"]
    source["paths"]["/x"]["post"]["requestBody"]["content"]["application/json"]["example"] = {
        "id": "1"
    }
    assert called(tmp_path, source, {"id": "1"}) == {"id": "1"}


@pytest.mark.parametrize(
    ("names", "inputs", "path"),
    [
        (["Id", "id"], {"id": "a"}, "/x?id=a"),
        (["Id", "id"], {"Id": "a"}, "/x?Id=a"),
        (["id", "Id"], {"Id": "a", "id": "b"}, "/x?id=b&Id=a"),
        (["per_page"], {"per_page": "5"}, "/x?per_page=5"),
        (["filter.name"], {"filter.name": "a"}, "/x?filter.name=a"),
        (["filter.name"], {"filterName": "a"}, "/x?filter.name=a"),
        (
            ["名称", "数量"],
            {"名称": "a", "数量": "b"},
            "/x?%E5%90%8D%E7%A7%B0=a&%E6%95%B0%E9%87%8F=b",
        ),
        (["größe"], {"grosse": "a"}, "/x?gr%C3%B6%C3%9Fe=a"),
        (["größe"], {"größe": "a"}, "/x?gr%C3%B6%C3%9Fe=a"),
        (["имя"], {"имя": "a"}, "/x?%D0%B8%D0%BC%D1%8F=a"),
    ],
)
def test_the_documents_own_names_are_understood(
    tmp_path: Path, names: list[str], inputs: Json, path: str
) -> None:
    """An exact name wins over one that is only written so; parameters' own names are understood;
    other scripts stay readable.
    """
    assert called(tmp_path, getting(*map(query, names)), inputs) == path


def test_a_document_may_have_any_number_of_files(tmp_path: Path) -> None:
    """Schemas, operations, prose and the targets of a mapping come from files; a chain of them is
    not limited by the stack.
    """
    for number in range(1500):
        (tmp_path / f"s{number}.yaml").write_text(
            f"type: object\nproperties: {{next: {{$ref: s{number + 1}.yaml}}}}\n"
        )
    (tmp_path / "s1500.yaml").write_text("type: string\n")
    (tmp_path / "cat.yaml").write_text(
        "type: object\nproperties: {kind: {type: string}, meows: {type: string}}\n"
    )
    (tmp_path / "dog.yaml").write_text(
        "type: object\nproperties: {kind: {type: string}, barks: {type: string}}\n"
    )
    (tmp_path / "about.md").write_text("# About\nThe API: of pets")
    (tmp_path / "list.yaml").write_text("[{name: a, in: query, schema: {type: string}}]")
    mapping = {"c": "cat.yaml", "d": "./dog.yaml"}
    pets = {
        "oneOf": [{"$ref": "cat.yaml"}, {"$ref": "dog.yaml"}],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }
    content = {"application/json": {"schema": obj(pet=pets, chain={"$ref": "s0.yaml"})}}
    shown = operation(
        operationId="doIt", requestBody={"content": content}, parameters=[{"$ref": "list.yaml#/0"}]
    )
    (tmp_path / "do.json").write_text(json.dumps(shown))
    main = document({"/x": {"post": {"$ref": "do.json"}}})
    main["info"]["description"] = {"$ref": "about.md"}
    (tmp_path / "main.json").write_text(json.dumps(main))
    made = convert(read(str(tmp_path / "main.json"))[0])
    assert made.manifest["description"].startswith("# About")
    assert sorted(made.manifest["actions"][0]["inputs"]["properties"]) == ["a", "chain", "pet"]
    forms = made.manifest["actions"][0]["inputs"]["properties"]["pet"]["anyOf"]
    assert [form["allOf"][1]["properties"]["kind"] for form in forms] == [
        {"const": "c"},
        {"const": "d"},
    ]
    assert {"i.cat!", "i.s1499!"} <= made.manifest["$defs"].keys()


def test_tsv_is_sent_with_tabs(tmp_path: Path) -> None:
    """Swagger's ``collectionFormat: tsv`` joins by tabs."""
    parameter = {
        "name": "ids",
        "in": "query",
        "type": "array",
        "items": _TEXT,
        "collectionFormat": "tsv",
    }
    source = {
        "swagger": "2.0",
        "info": {"title": "Acme", "version": "1"},
        "host": "api.example.com",
        "paths": {
            "/x": {
                "get": {
                    "operationId": "doIt",
                    "parameters": [parameter],
                    "responses": {"200": {"description": ""}},
                }
            }
        },
    }
    assert called(tmp_path, source, {"ids": ["a", "b"]}) == "/x?ids=a%09b"


@pytest.mark.parametrize(
    ("pattern", "read_as", "cause"),
    [
        ("/^[a-z]+$/", "^[a-z]+$", "pattern in slashes"),
        ("/^a/", "^a", "pattern in slashes"),
        ("/^a$/i", None, "pattern"),
        ("/api/", "/api/", None),
        ("^/a/$", "^/a/$", None),
    ],
)
def test_a_pattern_in_slashes_is_read_as_meant(
    pattern: str, read_as: str | None, cause: str | None
) -> None:
    """The slashes of JavaScript are no part of a pattern; with a flag it is not checked; both are
    in the report.
    """
    made = convert(sending(obj(a={"type": "string", "pattern": pattern})))
    assert made.manifest["actions"][0]["inputs"]["properties"]["a"].get("pattern") == read_as
    assert [note.cause for note in made.report if "pattern" in note.cause] == (
        [cause] if cause else []
    )


def _closed(**properties: Any) -> Json:
    return {**obj(**properties), "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [_closed(a=_TEXT), _closed(b=_TEXT)]},
        {"allOf": [ref("A"), ref("B")]},
        {"allOf": [ref("A"), obj(b=_TEXT)]},
        {"allOf": [obj(a=_TEXT), obj(b=_TEXT)], "additionalProperties": False},
    ],
)
def test_closed_objects_that_are_composed_are_closed_together(tmp_path: Path, schema: Json) -> None:
    """By the letter no member of such a composition could be given; the members of all parts are,
    and no others.
    """
    source = sending(obj(v=schema), {"A": _closed(a=_TEXT), "B": _closed(b=_TEXT)})
    assert called(tmp_path, source, {"v": {"a": "x", "b": "x"}}) == {"v": {"a": "x", "b": "x"}}
    assert called(tmp_path, source, {"v": {"c": "x"}}) == [
        "/v/c 'c' is not a member of this object"
    ]


def test_a_member_that_several_parts_describe_takes_the_members_of_all(tmp_path: Path) -> None:
    """Closed by one part of a composition, it would refuse what another part has; what none has is
    still refused beside it.
    """
    first, second = (
        obj(path=obj(sets={"type": "array", "items": obj(label=_TEXT)})),
        obj(path=obj(sets={"type": "array", "items": obj(to=_TEXT)})),
    )
    given = {"path": {"sets": [{"label": "x", "to": "y"}]}}
    for number, schema in enumerate(
        (
            {"allOf": [ref("First"), second]},
            {**second, "allOf": [ref("First")]},
            {"allOf": [first, second]},
        )
    ):
        source = sending(obj(v=schema), {"First": first})
        (tmp_path / str(number)).mkdir()
        assert called(tmp_path / str(number), source, {"v": given}) == {"v": given}
        assert called(tmp_path / str(number), source, {"v": {"c": 1}}) == [
            "/v/c 'c' is not a member of this object"
        ]
        assert convert(source).report.counts()["described in several parts"] == 1


def test_what_is_no_request_over_http_is_in_the_report() -> None:
    """Websockets, callbacks and webhooks are left out with an entry each."""
    socket = {"operationId": "stream", "responses": {"101": {"description": "Switching Protocols"}}}
    paths = {
        "/s": {"get": socket},
        "/x": {"get": operation(operationId="doIt", callbacks={"done": {}})},
    }
    hooks = {"created": {"post": operation()}}
    made = convert(
        document(paths, servers=[{"url": "wss://api.example.com"}, *_SERVERS], webhooks=hooks)
    )
    assert {"websocket", "callback", "webhook"} <= made.report.counts().keys()
    assert [row["url"] for row in made.manifest["servers"]] == ["https://api.example.com"]


def test_openapi_3_2_is_refused_with_what_to_give() -> None:
    """The refusal names the version of the document and those that are read."""
    with pytest.raises(
        InvalidInput, match=r"not OpenAPI 3\.0, 3\.1 or Swagger 2\.0: it says '3\.2\.0'"
    ):
        convert({**document({}), "openapi": "3.2.0"})


_SHOWN: Json = {
    "example": {"a": "x"},
    "examples": {
        "good": {"value": {"a": "y"}},
        "bad": {"value": {"b": 1}},
        "gone": {"$ref": "#/no"},
    },
}


def test_every_request_example_is_dry_run() -> None:
    """Examples of media types, of schemas and of parameters are counted; what is refused is in the
    report with the place and the reason.
    """
    schema = {**_closed(a=_TEXT), "example": {"a": "z"}}
    source = sending(schema, **_SHOWN)
    listed = {"type": "array", "items": {"type": "integer"}}
    source["paths"]["/x"]["post"]["parameters"] = [
        query("ids", schema=listed, explode=False, example="1,2"),
        query("n", schema={"type": "integer", "example": 5}),
        query("m", schema={"type": "integer"}, examples={"odd": {"value": "many"}}),
    ]
    made = convert(source)
    assert made.report.examples == {"accepted": 5, "refused": 2}
    refused = {note.at: note.text for note in made.report if note.cause == "example refused"}
    assert refused == {
        "/paths/~1x/post/parameters/2/examples/odd/value": "'doIt' does not accept it: /m must be a whole number, not a string",
        "/paths/~1x/post/requestBody/content/application~1json/examples/bad/value": "'doIt' does not accept it: /b 'b' is not an input",
    }
    assert made.report.to_json()["examples"] == made.report.examples


def test_the_command_prints_how_many_examples_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``generate`` states the number of the document's own examples that its connector accepts and
    refuses.
    """
    generate(tmp_path, sending(_closed(a=_TEXT), **_SHOWN))
    assert json.loads(capsys.readouterr().out)["examples"] == {"accepted": 2, "refused": 1}


def test_an_example_that_is_no_object_is_refused_with_that_reason() -> None:
    """JSON in a text counts as what it stands for; anything else is no body."""
    made = convert(
        sending(_closed(a=_TEXT), examples={"text": {"value": '{"a": "x"}'}, "odd": {"value": [1]}})
    )
    assert made.report.examples == {"accepted": 1, "refused": 1}
    assert [note.text for note in made.report] == [
        "'doIt' does not accept it: the body is an object, and the example is none"
    ]
