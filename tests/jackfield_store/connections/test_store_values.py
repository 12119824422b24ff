"""Values in two parts and together again; edited connections keep what their editor did not see."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield.kernel.errors import InvalidConnection
from jackfield.redaction.marks import masked
from jackfield_store.connections.connection_rows import join_secrets, secret_places, split_secrets
from jackfield_store.management.drafts import edited, refuse_placeholders

SECRET = {"type": "string", "writeOnly": True, "format": "password"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "host": {"type": "string"},
        "keyId": {"type": "string", "x-jackfield": {"mask": "last4"}},
        "token": SECRET,
        "pair": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"id": {"type": "string"}, "secret": SECRET},
        },
        "list": {"type": "array", "items": SECRET},
        "free": {"writeOnly": True, "format": "password"},
    },
}
OLD = {
    "host": "h",
    "keyId": "AKIAIOSFODNN7EXAMPLE",
    "token": "old",
    "pair": {"id": "i", "secret": "s"},
    "list": ["a", "b"],
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
texts = st.text(max_size=5)
references = st.builds(lambda name: {"$env": name}, texts)
connection_values = st.fixed_dictionaries(
    {},
    optional={
        "host": texts | references,
        "keyId": texts,
        "token": texts | references,
        "pair": st.fixed_dictionaries({}, optional={"id": texts, "secret": texts | references}),
        "list": st.lists(texts | references, max_size=3),
        "free": json_values,
        "a/b~": texts,
    },
)


@given(connection_values)
def test_parts_make_the_whole(values: dict[str, Any]) -> None:
    """Whatever the values, both parts together are the values again, through JSON as well."""
    parts = split_secrets(SCHEMA, values)
    assert join_secrets(json.loads(json.dumps(parts.public)), parts.secrets) == values


@given(connection_values)
def test_the_open_part_shows_what_masking_shows(values: dict[str, Any]) -> None:
    """The open part masked is the values masked: neither shows a secret."""
    assert masked(SCHEMA, split_secrets(SCHEMA, values).public) == _with_whole_secrets(
        masked(SCHEMA, values), values
    )


def _with_whole_secrets(shown: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A secret that is an object or a list is sealed as a whole, so its shape is not shown."""
    free = values.get("free")
    is_reference = (
        isinstance(free, dict) and len(free) == 1 and all(name.startswith("$") for name in free)
    )
    return {**shown, "free": "***"} if isinstance(free, dict | list) and not is_reference else shown


def test_unknown_members_are_secret() -> None:
    """A member that the schema does not know may be a misspelt secret, and is sealed."""
    assert split_secrets(SCHEMA, {"tokn": "t"}).secrets == {"/tokn": b'"t"'}


def test_places_of_secrets() -> None:
    """The places of secrets are told also where they are only referred to."""
    values = {**OLD, "token": {"$env": "T"}, "host": {"$env": "H"}}
    assert secret_places(SCHEMA, values) == {"/token", "/pair/secret", "/list/0", "/list/1"}


@given(connection_values)
def test_what_is_shown_can_be_sent_back(values: dict[str, Any]) -> None:
    """An edit that sends back what is shown changes nothing."""
    assert edited(SCHEMA, values, masked(SCHEMA, values)) == values


@pytest.mark.parametrize(
    ("given_values", "expected"),
    [
        ({"host": "new"}, {"host": "new", "token": "old"}),
        ({"keyId": "****MPLE", "token": "***"}, {"keyId": OLD["keyId"], "token": "old"}),
        ({"token": "new"}, {"token": "new"}),
        ({"token": None}, {}),
        ({"token": {"$env": "T"}}, {"token": {"$env": "T"}}),
        ({"pair": {"id": "j"}}, {"pair": {"id": "j", "secret": "s"}, "token": "old"}),
        ({"pair": {"id": "j", "secret": None}}, {"pair": {"id": "j"}, "token": "old"}),
        ({"list": ["***", "c"]}, {"list": ["a", "c"], "token": "old"}),
        ({"list": ["c"]}, {"list": ["c"], "token": "old"}),
        ({"keyId": "AKIANEW"}, {"keyId": "AKIANEW", "token": "old"}),
    ],
)
def test_edits(given_values: dict[str, Any], expected: dict[str, Any]) -> None:
    """Secrets that are left out or masked stay, null takes one away, all else is as given."""
    assert edited(SCHEMA, OLD, given_values) == expected


def test_a_kept_reference() -> None:
    """A secret that is referred to stays a reference where it is left out."""
    assert edited(SCHEMA, {"token": {"$env": "T"}}, {"host": "h"}) == {
        "host": "h",
        "token": {"$env": "T"},
    }


def test_placeholders_without_a_secret() -> None:
    """The placeholder where there is nothing to keep is refused at its place, however deep."""
    with pytest.raises(InvalidConnection) as caught:
        refuse_placeholders(
            SCHEMA, {"host": "***", "token": "***", "pair": {"secret": "***"}, "list": ["x", "***"]}
        )
    assert [detail.path for detail in caught.value.details] == ["/list/1", "/pair/secret", "/token"]
    refuse_placeholders(SCHEMA, {"host": "***", "token": "t"})
