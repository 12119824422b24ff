"""From an author's models to the manifest: every kind of field, titles, and nothing of Python's."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Discriminator, Tag

from jackfield.connector import (
    ConnectionType,
    Connector,
    DeclarationError,
    Field,
    Inputs,
    Output,
    Pagination,
    RateLimit,
    describe,
)
from jackfield.manifest.manifest import Manifest


class Colour(Enum):
    """A colour; the name of this class is for Python."""

    RED = "red"
    BLUE = "blue"


class Address(Inputs):
    """Where somebody lives."""

    street: str
    zip_code: str | None = None


class Every(Inputs):
    """Every kind of field.

    With a second paragraph.
    """

    plain: str
    whole_number: int = Field(title="How Many", schema={"minimum": 1, "maximum": 9})
    fraction: float = 0.5
    flag: bool = False
    choice: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    colours: tuple[Colour, ...] = ()
    maybe: str | None = None
    either: int | str | None = None
    words: tuple[str, ...] = ()
    addresses: list[Address] | None = None
    address: Address = Field(title="Home")
    second: Address
    table: Mapping[str, int] = Field(default={}, title="Table")
    anything: Any = None
    day: dt.date | None = None
    key_arn: str = Field(secret=True)


class Empty(Inputs):
    """Nothing."""


class Nothing(Output):
    """Nothing."""


PROPERTIES: dict[str, Any] = {
    "plain": {"type": "string", "title": "Plain"},
    "wholeNumber": {"type": "integer", "title": "How Many", "minimum": 1, "maximum": 9},
    "fraction": {"type": "number", "title": "Fraction", "default": 0.5},
    "flag": {"type": "boolean", "title": "Flag", "default": False},
    "choice": {"type": "string", "title": "Choice", "enum": ["a", "b"], "default": "a"},
    "colour": {
        "type": "string",
        "title": "Colour",
        "description": Colour.__doc__,
        "enum": ["red", "blue"],
        "default": "red",
    },
    "colours": {
        "type": "array",
        "title": "Colours",
        "items": {"type": "string", "description": Colour.__doc__, "enum": ["red", "blue"]},
        "default": [],
    },
    "maybe": {"type": "string", "title": "Maybe"},
    "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "title": "Either"},
    "words": {"type": "array", "title": "Words", "items": {"type": "string"}, "default": []},
    "table": {
        "type": "object",
        "title": "Table",
        "additionalProperties": {"type": "integer"},
        "default": {},
    },
    "anything": {"title": "Anything"},
    "day": {"type": "string", "title": "Day", "format": "date"},
    "keyArn": {"type": "string", "title": "Key Arn", "writeOnly": True, "format": "password"},
}
ADDRESS: dict[str, Any] = {
    "type": "object",
    "description": "Where somebody lives.",
    "properties": {
        "street": {"type": "string", "title": "Street"},
        "zipCode": {"type": "string", "title": "Zip Code"},
    },
    "required": ["street"],
    "additionalProperties": False,
}


def inputs_schema(model: type[Inputs], **extra: Any) -> dict[str, Any]:
    """The schema of a model as the inputs of an action, as the manifest has it."""
    connector = Connector("shapes", title="Shapes", version="1.0.0")

    def act(values: Inputs) -> Nothing:
        """Act."""
        return Nothing()

    act.__annotations__["values"] = model
    connector.action("act", **extra)(act)
    schema: dict[str, Any] = describe(connector)["actions"][0]["inputs"]
    assert json.loads(json.dumps(schema)) == schema
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def test_every_kind_of_field() -> None:
    """Each kind of field is the JSON Schema that a person would write: no null branches, no
    references, nothing of Python.
    """
    schema = inputs_schema(Every)
    found = schema["properties"]
    assert [field.pop("x-jackfield")["order"] for field in found.values()] == list(
        range(1, len(found) + 1)
    )
    assert list(found) == [
        "plain",
        "wholeNumber",
        "fraction",
        "flag",
        "choice",
        "colour",
        "colours",
        "maybe",
        "either",
        "words",
        "addresses",
        "address",
        "second",
        "table",
        "anything",
        "day",
        "keyArn",
    ]
    assert {name: found[name] for name in PROPERTIES} == PROPERTIES
    assert schema["required"] == ["plain", "wholeNumber", "address", "second", "keyArn"]
    assert "$defs" not in schema


def test_an_object_is_closed_and_explains_itself() -> None:
    """An object takes no unknown members and is described by its model's docstring; so are objects
    within it.
    """
    schema = inputs_schema(Every)
    for name in ("address", "second"):
        schema["properties"][name].pop("x-jackfield")
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["description"] == "Every kind of field.\n\nWith a second paragraph."
    assert schema["additionalProperties"] is False
    assert schema["properties"]["addresses"]["items"] == ADDRESS
    assert schema["properties"]["address"] == {**ADDRESS, "title": "Home"}
    assert schema["properties"]["second"] == {**ADDRESS, "title": "Second"}


def test_marks_for_forms() -> None:
    """What JSON Schema has no word for stands in ``x-jackfield``; marks that were not made are not
    there.
    """

    class Marked(Inputs):
        body: str = Field(
            title="Body",
            description="What it says.",
            examples=["Hello"],
            sensitive=True,
            mask="last4",
            multiline=True,
            language="html",
            options="voices",
            trim=True,
            lowercase=True,
            blank="absent",
            from_connection="sender",
            fixed=True,
            expects="a text",
            alias="TheBody",
        )
        bare: str = Field()

    fields = inputs_schema(Marked)["properties"]
    assert fields["TheBody"] == {
        "type": "string",
        "title": "Body",
        "description": "What it says.",
        "examples": ["Hello"],
        "x-jackfield": {
            "order": 1,
            "sensitive": True,
            "mask": "last4",
            "multiline": True,
            "language": "html",
            "options": "voices",
            "trim": True,
            "lowercase": True,
            "blank": "absent",
            "fromConnection": "sender",
            "fixed": True,
            "expects": "a text",
        },
    }
    assert fields["bare"] == {"type": "string", "title": "Bare", "x-jackfield": {"order": 2}}


def test_keywords_for_the_whole() -> None:
    """``schema`` of an action adds keywords to its inputs; an empty model is an empty closed
    object.
    """
    schema = inputs_schema(
        Every, schema={"anyOf": [{"required": ["plain"]}, {"required": ["maybe"]}]}
    )
    assert schema["anyOf"] == [{"required": ["plain"]}, {"required": ["maybe"]}]
    empty = inputs_schema(Empty)
    assert (empty["properties"], empty["additionalProperties"]) == ({}, False)
    assert "required" not in empty


class Cat(Inputs):
    """A cat."""

    kind: Literal["cat"]
    lives: int = 9


class Dog(Inputs):
    """A dog."""

    kind: Literal["dog"]


def _kind(value: Any) -> str:
    return str(value.get("kind"))


class Pets(Inputs):
    """Pets, told apart by their kind."""

    pet: Cat | Dog = Field()
    tagged: Annotated[Annotated[Cat, Tag("cat")] | Annotated[Dog, Tag("dog")], Discriminator(_kind)]


class Tree(Inputs):
    """A tree of trees."""

    leaves: tuple[Tree, ...] = ()


def test_objects_told_apart() -> None:
    """A choice between objects is told whole, each of them closed, without references into what is
    not there.
    """
    schema = inputs_schema(Pets)
    assert "$defs" not in json.dumps(schema)
    assert [branch["description"] for branch in schema["properties"]["pet"]["anyOf"]] == [
        "A cat.",
        "A dog.",
    ]
    tagged = schema["properties"]["tagged"]
    assert [branch["additionalProperties"] for branch in tagged["oneOf"]] == [False, False]
    assert "discriminator" not in tagged


def test_a_model_that_holds_itself_is_refused() -> None:
    """A model that holds itself has no end that could be written down; the author is told which one
    it is.
    """
    with pytest.raises(DeclarationError, match="the model 'Tree' contains itself"):
        inputs_schema(Tree)


@given(
    st.from_regex(r"[a-z]{1,6}(_[a-z]{1,6}){0,2}", fullmatch=True).filter(
        lambda name: not hasattr(Inputs, name)
    )
)
def test_names_become_titles(name: str) -> None:
    """A field without a title is called by its name, word by word; its JSON name is camelCase."""
    model = type(
        "Made",
        (Inputs,),
        {"__annotations__": {name: str}, "__doc__": "Made.", "__module__": __name__},
    )
    fields = inputs_schema(model)["properties"]
    words = name.split("_")
    assert list(fields) == [words[0] + "".join(word.title() for word in words[1:])]
    assert [field["title"] for field in fields.values()] == [
        " ".join(word.title() for word in words)
    ]


class Key(ConnectionType):
    """A key for the shop.

    It opens all doors.
    """

    key = "shopKey"
    title = "Shop Key"
    auth = "apiKey"
    family = "shop"
    setup = """
        Open **Settings**.

        - Copy the key.
    """

    api_key: str = Field(secret=True, title="API Key")
    endpoint: str | None = Field(None, schema={"format": "uri"})


class Plain(ConnectionType):
    """Nothing special."""

    key = "plain"
    title = "Plain"


class Query(Inputs):
    """What to list."""

    next_token: str | None = None
    fetch_all: bool = False


class Page(Output):
    """One page."""

    items: tuple[str, ...] = Field(alias="Items")
    next_token: str | None = Field(None, alias="NextToken")


def test_the_whole_manifest() -> None:
    """The manifest says all that the author declared, leaves out what was not, and is read back as
    the same.
    """
    connector = Connector(
        "shop",
        title="Shop",
        version="2.1.0",
        description="Sells.",
        connections=[Key, Plain],
        icon="shop.svg",
        categories=["sales"],
        documentation_url="https://example.com",
        license="MIT",
        aliases={"dapr": {"bindings.shop": {}}},
    )

    @connector.action(
        "listItems",
        effect="read",
        permissions={"shop": ["items:read"]},
        pagination=Pagination("nextToken", "NextToken", "Items", all_input="fetchAll"),
        rate_limit=RateLimit(2.5),
        examples=[{"title": "All", "invocation": {}, "result": {}}],
    )
    def list_items(_query: Query, _client: object) -> Page:
        """List what there is."""
        return Page(items=())

    @connector.action("closeShop", title="Close")
    def close_shop(_inputs: Empty) -> Nothing:
        return Nothing()

    manifest = describe(connector)
    listing, closing = manifest["actions"]
    assert {
        name: manifest[name] for name in manifest if name not in ("actions", "connectionTypes")
    } == {
        "manifestVersion": 1,
        "key": "shop",
        "title": "Shop",
        "description": "Sells.",
        "version": "2.1.0",
        "icon": "shop.svg",
        "categories": ["sales"],
        "documentationUrl": "https://example.com",
        "license": "MIT",
        "optionSources": [],
        "aliases": {"dapr": {"bindings.shop": {}}},
    }
    assert (listing["title"], listing["description"], listing["effect"]) == (
        "List Items",
        "List what there is.",
        "read",
    )
    assert listing["pagination"] == {
        "tokenInput": "nextToken",
        "tokenOutput": "NextToken",
        "items": "Items",
        "allInput": "fetchAll",
    }
    assert (listing["permissions"], listing["rateLimit"]) == (
        {"shop": ["items:read"]},
        {"perSecond": 2.5},
    )
    assert (closing["title"], closing["description"], closing["effect"], closing["examples"]) == (
        "Close",
        "",
        "write",
        [],
    )
    assert not {"pagination", "permissions", "rateLimit"} & closing.keys()
    read = Manifest.from_json(json.loads(json.dumps(manifest)))
    assert read.actions["listItems"].pagination == Pagination(
        "nextToken", "NextToken", "Items", all_input="fetchAll"
    )
    assert read.actions["listItems"].rate_limit == RateLimit(2.5)
    assert read.full_name(read.connection_types["shopKey"]) == "shop/shopKey"


def test_connection_types_in_the_manifest() -> None:
    """A connection type says how it signs in, for which family, what it takes, and how to set it
    up, in Markdown without indent.
    """
    key, plain = describe(Connector("keys", title="Keys", version="1", connections=[Key, Plain]))[
        "connectionTypes"
    ]
    schema = key.pop("schema")
    assert key == {
        "key": "shopKey",
        "family": "shop",
        "title": "Shop Key",
        "description": "A key for the shop.\n\nIt opens all doors.",
        "auth": "apiKey",
        "setup": "Open **Settings**.\n\n- Copy the key.",
    }
    assert schema["required"] == ["apiKey"]
    assert "description" not in schema
    assert "family" not in plain
    assert (plain["auth"], plain["setup"]) == ("custom", "")


def test_what_a_connection_type_is_called() -> None:
    """A type is known by its key, by its connector's name before it, and by its family's; by no
    other.
    """
    manifest = Manifest.from_json(
        describe(Connector("aws-shop", title="Keys", version="1", connections=[Key, Plain]))
    )
    for name in ("shopKey", "aws-shop/shopKey", "shop/shopKey"):
        assert manifest.connection_type(name) is manifest.connection_types["shopKey"]
    for name in ("other/shopKey", "shop/plain", "shopkey", "", "/", "shop/"):
        assert manifest.connection_type(name) is None
    assert manifest.full_name(manifest.connection_types["plain"]) == "aws-shop/plain"


class Nested(Inputs):
    """A part that
    is nested.
    """

    name: str


class Whole(Inputs):
    """An input with a part."""

    part: Nested


def test_published_texts_do_not_depend_on_where_the_source_breaks_its_lines() -> None:
    """Paragraphs and list items of docstrings and guides are published on one line each. Code keeps
    its lines.
    """

    class Reached(ConnectionType):
        """A way in
        over two lines.
        """

        key = "reached"
        title = "Reached"
        setup = """
            1. Make a user
               with few rights.
            2. Run this:

                   grant all
                   flush

            ```sh
            one
            two
            ```
            Done.
            - A list
              goes on.
            """

    connector = Connector("prose", title="Prose", version="1.0.0", connections=[Reached])

    @connector.action("act", needs_connection=False)
    def act(inputs: Whole) -> Output:
        """Act, as a summary
        over two lines.

        A second
        paragraph.
        """
        return Output()

    described = describe(connector)
    (kind,), (action,) = described["connectionTypes"], described["actions"]
    assert kind["description"] == "A way in over two lines."
    assert kind["setup"].split("\n") == [
        "1. Make a user with few rights.",
        "2. Run this:",
        "",
        "       grant all",
        "       flush",
        "",
        "```sh",
        "one",
        "two",
        "```",
        "Done.",
        "- A list goes on.",
    ]
    assert action["description"] == "Act, as a summary over two lines.\n\nA second paragraph."
    assert action["inputs"]["properties"]["part"]["description"] == "A part that is nested."
