"""What the schema's marks make secret, confidential and shown in part."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from growth import calls
from jackfield.redaction.marks import confidential_values, hidden_values, masked, secret_values
from jackfield.redaction.redactor import Redactor

PASSWORD = {"type": "string", "writeOnly": True, "format": "password"}
CONNECTION: dict[str, Any] = {
    "$defs": {
        "secret": PASSWORD,
        "a/b~c d": {"writeOnly": True},
        "named": {"$anchor": "anchored", "format": "password"},
    },
    "type": "object",
    "properties": {
        "accessKeyId": {"type": "string", "x-jackfield": {"mask": "last4"}},
        "secretAccessKey": PASSWORD,
        "externalId": {"type": "string", "x-jackfield": {"sensitive": True}},
        "region": {"type": "string"},
        "token": {"$ref": "#/$defs/secret"},
        "odd": {"$ref": "#/$defs/a~1b~0c%20d"},
        "anchored": {"$ref": "#anchored"},
        "pin": {"type": "integer", "writeOnly": True},
        "any": {
            "anyOf": [{"type": "null"}, {"oneOf": [{"allOf": [{"$ref": "#/$defs/secret"}]}, True]}]
        },
        "list": {"type": "array", "items": {"$ref": "#/$defs/secret"}},
        "pair": {
            "prefixItems": [{"type": "string"}, PASSWORD],
            "items": {"properties": {"deep": PASSWORD}},
        },
        "headers": {
            "patternProperties": {"^x-": PASSWORD},
            "additionalProperties": {"type": "string"},
        },
        "map": {"type": "object", "additionalProperties": PASSWORD},
        "nested": {"properties": {"inner": {"properties": {"key": PASSWORD, "open": {}}}}},
        "tree": {"writeOnly": True},
        "known": True,
    },
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("values", "secrets"),
    [
        ({"secretAccessKey": "s3cret", "region": "eu-west-1", "accessKeyId": "AKIA"}, {"s3cret"}),
        ({"token": "t", "odd": "o", "anchored": "n"}, {"t", "o", "n"}),
        (
            {"pin": 12345, "tree": {"f": 1.5, "b": True, "n": None, "l": ["x", ""]}},
            {"12345", "1.5", "x"},
        ),
        (
            {"any": "a", "list": ["b", "c"], "pair": ["open", "d", {"deep": "e", "x": "y"}]},
            {"a", "b", "c", "d", "e"},
        ),
        ({"headers": {"x-key": "k", "other": "o"}, "map": {"m": "v"}}, {"k", "v"}),
        ({"nested": {"inner": {"key": "n", "open": "o"}}}, {"n"}),
        (
            {"secretAccessKey": {"$env": "NAME"}, "tree": {"a": {"$file": "/run/x"}, "b": "c"}},
            {"c"},
        ),
        ({"list": "not a list", "map": 5, "unknown": "u"}, set()),
    ],
)
def test_secret_values(values: dict[str, Any], secrets: set[str]) -> None:
    """The texts and numbers below secret marks are found through all parts of the schema, and no
    others.
    """
    assert secret_values(CONNECTION, values) == secrets


@pytest.mark.parametrize("password", ["x", "x1", "\u00e4\u00f6", "x1y2", "long enough"])
def test_the_credentials_of_basic_are_masked_however_short_the_password(password: str) -> None:
    """A password of one character is not searched for in Base64; the header value that it makes
    is.
    """
    schema = {
        "properties": {
            "username": {"type": "string"},
            "password": {"type": "string", "writeOnly": True},
        }
    }
    for user in ("a", "ada", "ada@example.com"):
        header = base64.b64encode(f"{user}:{password}".encode()).decode()
        found = Redactor(hidden_values(schema, {"username": user, "password": password})).clean(
            f'{{"authorization": "Basic {header}"}}'
        )
        assert header.rstrip("=")[-4:] not in found


def test_confidential_values() -> None:
    """Sensitive values are found by their own mark, secrets not among them."""
    values = {"externalId": "acme-17", "secretAccessKey": "s3cret", "region": "eu-west-1"}
    assert confidential_values(CONNECTION, values) == {"acme-17"}
    assert confidential_values(
        {"x-jackfield": {"sensitive": True}}, {"to": ["ada@example.com"], "n": 2}
    ) == {
        "ada@example.com",
        "2",
    }
    assert (
        confidential_values({"properties": {"a": {"x-jackfield": True}}}, {"a": "b"}) == frozenset()
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"properties": {"a": {"$ref": "https://example.com/schema"}}},
        {"properties": {"a": {"$ref": "#/nowhere/0"}}},
        {"properties": {"a": {"$ref": "#/allOf/7"}}, "allOf": []},
        {"properties": {"a": {"$ref": "#nowhere"}}, "allOf": [{}]},
        {"properties": {"a": {"$ref": "#/required/0/x"}}, "required": ["a"]},
        {"properties": {"a": {"$ref": 5, "allOf": "x", "properties": []}}},
    ],
)
def test_references_that_lead_nowhere_do_no_harm(schema: dict[str, Any]) -> None:
    """Circles and references that cannot be followed mark nothing and end."""
    assert secret_values(schema, {"a": "b"}) == frozenset()
    assert masked(schema, {"a": "b"}) == {"a": "b"}


@pytest.mark.parametrize(
    "schema",
    [
        {"if": {"required": ["b"]}, "then": {"properties": {"a": PASSWORD}}},
        {"else": {"properties": {"a": PASSWORD}}},
        {"dependentSchemas": {"b": {"properties": {"a": PASSWORD}}}},
        {"unevaluatedProperties": PASSWORD},
        {"patternProperties": {"^(?<name>a)$": PASSWORD}},
        {
            "$dynamicRef": "#d",
            "$defs": {"x": {"$dynamicAnchor": "d", "properties": {"a": PASSWORD}}},
        },
        {"$ref": "#/allOf/1", "allOf": [{}, {"properties": {"a": PASSWORD}}]},
        {"properties": {"a": {"items": [PASSWORD], "contains": PASSWORD}}},
        {"properties": {"a": {"unevaluatedItems": PASSWORD}}},
        {"properties": {"a": {"additionalItems": PASSWORD, "items": []}}},
        {"writeOnly": True},
    ],
)
def test_marks_in_every_corner_count(schema: dict[str, Any]) -> None:
    """Conditions, dependencies, unevaluated members and patterns that only ECMAScript reads carry
    marks too.
    """
    value = ["hidden"] if "a" in schema.get("properties", {}) else "hidden"
    assert secret_values(schema, {"a": value}) == {"hidden"}
    assert "hidden" not in str(masked(schema, {"a": value}))


def test_masked_connection() -> None:
    """A connection is shown with its secrets masked, its key id cut and its references whole."""
    values = {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE\n",
        "secretAccessKey": "s3cret",
        "externalId": "acme-17",
        "token": {"$env": "TOKEN"},
        "pin": 12345,
        "any": None,
        "list": ["a", {"$file": "/run/secrets/b"}],
        "pair": ("open", "hidden"),
        "tree": {"a": True, "b": {"$vault": {"path": ["x"]}}, "c": ["hidden"]},
        "known": {"$env": "OTHER"},
        "nested": {"inner": {"key": "k", "open": [1]}},
        "misspelt": "s3cret",
    }
    before = repr(values)
    assert masked(CONNECTION, values) == {
        "accessKeyId": "****MPLE",
        "secretAccessKey": "***",
        "externalId": "acme-17",
        "token": {"$env": "TOKEN"},
        "pin": "***",
        "any": None,
        "list": ["***", {"$file": "/run/secrets/b"}],
        "pair": ["open", "***"],
        "tree": {"a": "***", "b": {"$vault": {"path": ["x"]}}, "c": ["***"]},
        "known": {"$env": "OTHER"},
        "nested": {"inner": {"key": "***", "open": [1]}},
        "misspelt": "***",
    }
    assert repr(values) == before


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("12345678", "***"),
        ("123456789", "****6789"),
        (1234567890, "****7890"),
        ("", "***"),
        (None, None),
        (["a"], ["a"]),
    ],
)
def test_last4(value: object, shown: object) -> None:
    """The last 4 characters are shown of 9 or more, and nothing of fewer."""
    assert masked(CONNECTION, {"accessKeyId": value}) == {"accessKeyId": shown}


def test_secret_mark_wins_over_last4() -> None:
    """A value marked secret is masked whole even where another mark would show its end."""
    schema = {"properties": {"key": {"writeOnly": True, "x-jackfield": {"mask": "last4"}}}}
    assert masked(schema, {"key": "1234567890"}) == {"key": "***"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://user:SECRETPW@127.0.0.1:9", "http://***@127.0.0.1:9"),
        ("HTTPS://user@example.com/a", "HTTPS://***@example.com/a"),
        ("https://user:SEC/R#E?T@PW@example.com", "https://***@example.com"),
        ("ada@example.com", "ada@example.com"),
        ("https://example.com/a", "https://example.com/a"),
        (["//u:p@h x//y:z@i"], ["//***@h x//***@i"]),
        ("@" + "//" * 100_000, "@" + "//" * 100_000),
    ],
)
def test_a_password_in_a_url(value: object, shown: object) -> None:
    """Nobody marks a URL as secret, but its user name and password are; an address stays as it
    is.
    """
    assert masked({"properties": {"endpoint": {}}}, {"endpoint": value}) == {"endpoint": shown}


def test_a_closed_schema_beside_one_that_knows_the_member() -> None:
    """A member that another branch knows is shown, even by the schema true; one that no branch
    knows is masked.
    """
    schema = {
        "additionalProperties": False,
        "anyOf": [{"properties": {"a": True}}, {"properties": {"b": {}}}],
    }
    assert masked(schema, {"a": "shown", "b": "shown", "c": "hidden"}) == {
        "a": "shown",
        "b": "shown",
        "c": "***",
    }
    assert masked({}, {"c": "shown"}) == {"c": "shown"}


def test_i23_members_that_no_schema_declares_take_few_steps_each() -> None:
    """A connection of 1 MiB with 70,000 members that its type does not know took 1.3 s: the schemas
    that apply to them were sought again for each, and marks below them, where none can be.
    """
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"key": {"type": "string", "writeOnly": True}},
    }
    work = {}
    for count in (1000, 2000):
        values = {
            "key": "secret",
            **{f"m{number}": {"name": "a", "kinds": ["a"]} for number in range(count)},
        }
        assert secret_values(schema, values) == {"secret"}
        work[count] = calls(lambda values=values: secret_values(schema, values))  # type: ignore[misc]
    assert work[2000] - work[1000] < 10_000


def test_i23_items_after_the_declared_ones_are_alike() -> None:
    """The first items have schemas of their own, by ``prefixItems`` or the older array form, and
    the rest share one.
    """
    secret, plain = {"type": "string", "writeOnly": True}, {"type": "string"}
    values = {"list": ["a", "b", "c", "d", "e"]}
    prefix = {"properties": {"list": {"prefixItems": [plain, secret], "items": secret}}}
    both = {"properties": {"list": {"prefixItems": [plain, plain], "items": [plain, secret]}}}
    assert secret_values(prefix, values) == {"b", "c", "d", "e"}
    assert secret_values(both, values) == {"d"}
