"""The members of an invocation: what each one takes, and every fault at once."""

from __future__ import annotations

import pickle
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growth import calls
from jackfield import Invocation
from jackfield.invocation import DEFAULT_TIMEOUT, MAX_TIMEOUT
from jackfield.kernel.errors import InvalidInvocation

LEAST = {"connector": "echo", "action": "say"}


def faults(data: object) -> dict[str, str]:
    """The faults of an invocation, by place."""
    with pytest.raises(InvalidInvocation) as caught:
        Invocation.from_json(data)
    assert caught.value.code == "invalid_invocation"
    assert caught.value.hint
    return {detail.path: detail.message for detail in caught.value.details}


def test_very_many_faults_are_told_in_part() -> None:
    """A hundred of them, and that there are more; no more are made than are told."""
    many = {f"m{number}": 1 for number in range(100_000)}

    def read() -> None:
        with pytest.raises(InvalidInvocation) as caught:
            Invocation.from_json(many)
        assert len(caught.value.details) == 101
        assert caught.value.details[-1].message == "and there are more faults"

    assert calls(read) < 50_000


def test_h7_a_version_specifier_has_a_length() -> None:
    """200 characters are read and 201 are refused (second review): packaging takes half a second
    for 250 kB of them.
    """
    assert Invocation.from_json({**LEAST, "connectorVersion": (">=1," * 50)}).connector_version
    assert faults({**LEAST, "connectorVersion": ">=1," * 50 + ">"}) == {
        "/connectorVersion": "must have at most 200 characters"
    }


def test_the_least_invocation_has_defaults() -> None:
    """Connector and action are enough: no inputs, no connection, sixty seconds, for real, and doubt
    is reported.
    """
    read = Invocation.from_json(LEAST)
    assert (read.connector, read.action, read.inputs, read.connection) == ("echo", "say", {}, None)
    assert (read.timeout_seconds, read.dry_run, read.on_doubt) == (DEFAULT_TIMEOUT, False, "report")
    assert (read.idempotency_key, read.connector_version, read.context) == (None, None, {})


def test_every_member_is_read() -> None:
    """Each member of the contract arrives where it belongs, and inputs stay as received."""
    inputs = {"text": "hi", "n": "1"}
    context = {"traceparent": "00-abc-def-01", "correlationId": "4711", "labels": {"team": "mail"}}
    members = {
        "idempotencyKey": "order 4711",
        "timeoutSeconds": 900,
        "dryRun": True,
        "connectorVersion": ">=1,<2",
        "onDoubt": "retry",
    }
    read = Invocation.from_json(
        {**LEAST, **members, "connection": "hall", "inputs": inputs, "context": context}
    )
    assert read.inputs is inputs
    assert (read.connection, read.idempotency_key, read.timeout_seconds, read.dry_run) == (
        "hall",
        "order 4711",
        900.0,
        True,
    )
    assert (read.connector_version, read.on_doubt, read.context) == (">=1,<2", "retry", context)


@pytest.mark.parametrize("member", ["maxBytes", "priority"])
def test_a_whole_number_may_have_a_point(member: str) -> None:
    """JSON Schema takes 5.0 as an integer, so the parser does; what is not whole, or no number, is
    refused at its place.
    """
    read = Invocation.from_json({**LEAST, member: 5.0})
    found = {"maxBytes": read.max_bytes, "priority": read.priority}[member]
    assert (found, type(found)) == (5, int)
    for wrong in (5.5, True, "5", None, float("inf")):
        assert list(faults({**LEAST, member: wrong})) == [f"/{member}"], wrong


def test_a_connection_may_be_given_inline() -> None:
    """An inline connection has a type and maybe values; a mapping that is no dict will do."""
    inline = {"type": "token", "values": {"token": "s3cret"}}
    assert Invocation.from_json({**LEAST, "connection": inline}).connection == inline
    assert Invocation.from_json({**LEAST, "connection": {"type": "token"}}).connection == {
        "type": "token"
    }
    assert Invocation.from_json(MappingProxyType(LEAST)).action == "say"


@pytest.mark.parametrize("character", ["\ud800", "\0", "\n", "\x7f"])
@pytest.mark.parametrize("member", ["connector", "action", "connection"])
def test_a_name_is_text(member: str, character: str) -> None:
    """Half a character and control characters are refused where they stand: no name holds them, and
    no database could.
    """
    assert list(faults({**LEAST, "connection": "hall", "inputs": {}, member: f"x{character}"})) == [
        f"/{member}"
    ]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ([LEAST], "an array"),
        ("text", "a string"),
        (5, "a number"),
        (True, "a boolean"),
        (None, "null"),
        (object(), "something else"),
    ],
)
def test_an_invocation_is_an_object(data: object, kind: str) -> None:
    """Anything but an object is refused, and the message says what it is instead."""
    with pytest.raises(InvalidInvocation, match=f"must be a JSON object, not {kind}") as caught:
        Invocation.from_json(data)
    assert caught.value.hint


_FAULTS: list[Any] = [
    ({"connector": ""}, "/connector", "must be a non-empty string"),
    ({"connector": None}, "/connector", "must be a non-empty string"),
    ({"action": 5}, "/action", "must be a non-empty string"),
    ({"inputs": None}, "/inputs", "must be an object, not null"),
    ({"inputs": [1]}, "/inputs", "must be an object, not an array"),
    ({"connection": None}, "/connection", "not null"),
    ({"connection": ""}, "/connection", "must not be empty"),
    ({"connection": 7}, "/connection", "a connection's name or an object, not a number"),
    ({"connection": {}}, "/connection/type", "must name a connection type"),
    ({"connection": {"type": 5}}, "/connection/type", "must name a connection type"),
    (
        {"connection": {"type": "token", "values": []}},
        "/connection/values",
        "must be an object, not an array",
    ),
    (
        {"connection": {"type": "token", "name": "x"}},
        "/connection/name",
        "'name' is not a member of an inline connection; it has only",
    ),
    ({"idempotencyKey": ""}, "/idempotencyKey", "1 to 255 printable ASCII"),
    ({"idempotencyKey": "k" * 256}, "/idempotencyKey", "1 to 255 printable ASCII"),
    ({"idempotencyKey": "   "}, "/idempotencyKey", "not only blanks"),
    ({"idempotencyKey": "clé"}, "/idempotencyKey", "1 to 255 printable ASCII"),
    ({"idempotencyKey": "a\nb"}, "/idempotencyKey", "1 to 255 printable ASCII"),
    ({"idempotencyKey": None}, "/idempotencyKey", "1 to 255 printable ASCII"),
    ({"timeoutSeconds": 0}, "/timeoutSeconds", "above 0 and at most 900"),
    ({"timeoutSeconds": -1}, "/timeoutSeconds", "above 0 and at most 900"),
    ({"timeoutSeconds": 900.5}, "/timeoutSeconds", "above 0 and at most 900"),
    ({"timeoutSeconds": True}, "/timeoutSeconds", "above 0 and at most 900"),
    ({"timeoutSeconds": "30"}, "/timeoutSeconds", "above 0 and at most 900"),
    ({"timeoutSeconds": float("nan")}, "/timeoutSeconds", "above 0 and at most 900"),
    ({"timeoutSeconds": 10**400}, "/timeoutSeconds", "above 0 and at most 900"),
    ({"dryRun": "yes"}, "/dryRun", "must be true or false"),
    ({"dryRun": 1}, "/dryRun", "must be true or false"),
    ({"connectorVersion": " "}, "/connectorVersion", "version specifier"),
    ({"connectorVersion": 1.0}, "/connectorVersion", "version specifier"),
    ({"onDoubt": "ask"}, "/onDoubt", "'report', 'settle' or 'retry'"),
    ({"onDoubt": ["retry"]}, "/onDoubt", "'report', 'settle' or 'retry'"),
    ({"context": []}, "/context", "must be an object, not an array"),
    ({"context": {"trace": "x"}}, "/context/trace", "'trace' is not a member of the context"),
    ({"context": {"traceparent": 5}}, "/context/traceparent", "must be a string"),
    ({"context": {"correlationId": None}}, "/context/correlationId", "must be a string"),
    (
        {"context": {"labels": {"a": 1, "b": "1"}}},
        "/context/labels/a",
        "must be a string, not a number",
    ),
    ({"context": {"labels": {"a/é": None}}}, "/context/labels/a~1é", "must be a string, not null"),
    ({"context": {"labels": ["a"]}}, "/context/labels", "must be an object, not an array"),
    (
        {"inptus": {}},
        "/inptus",
        "'inptus' is not a member of an invocation; did you mean 'inputs'?",
    ),
    ({"a/b~c": 1}, "/a~1b~0c", "is not a member of an invocation"),
    ({5: 1}, "/5", "is not a member of an invocation"),
]


def test_each_fault_has_its_place(subtests: pytest.Subtests) -> None:
    """A member that is wrong, unknown or of the wrong kind is told at its JSON Pointer, and nothing
    else is.
    """
    for members, place, words in _FAULTS:
        with subtests.test(members=members, place=place, words=words):
            found = faults({**LEAST, **members})
            assert list(found) == [place]
            assert words in found[place]


def test_all_faults_are_told_at_once() -> None:
    """One refusal names every fault, and its message says how many there are."""
    data = {
        "conector": "x",
        "inputs": 1,
        "timeoutSeconds": 0,
        "dryRun": 0,
        "context": {"labels": 1, "x": 1},
        "connection": {"values": 1},
    }
    found = faults(data)
    assert found.keys() == {
        "/conector",
        "/connector",
        "/action",
        "/inputs",
        "/timeoutSeconds",
        "/dryRun",
        "/context/labels",
        "/context/x",
        "/connection/type",
        "/connection/values",
    }
    with pytest.raises(InvalidInvocation, match="10 members of the invocation are not valid"):
        Invocation.from_json(data)
    with pytest.raises(InvalidInvocation, match="1 member of the invocation is not valid"):
        Invocation.from_json({**LEAST, "dryRun": 0})


def test_faults_carry_keywords() -> None:
    """A missing member is ``required``, an unknown one ``additionalProperties``: programs need not
    read sentences.
    """
    with pytest.raises(InvalidInvocation) as caught:
        Invocation.from_json({"connector": "echo", "wrong": 1})
    assert {detail.path: detail.keyword for detail in caught.value.details} == {
        "/wrong": "additionalProperties",
        "/action": "required",
    }


def test_timeouts_reach_from_above_0_to_900() -> None:
    """The smallest number above 0 and 900 itself are deadlines."""
    assert Invocation.from_json({**LEAST, "timeoutSeconds": 5e-324}).timeout_seconds > 0
    assert Invocation.from_json({**LEAST, "timeoutSeconds": 900}).timeout_seconds == MAX_TIMEOUT


NAMES = st.sampled_from(
    [*LEAST, "inputs", "connection", "context", "onDoubt", "dryRun", "timeoutSeconds", "other"]
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.lists(st.text())
    | st.dictionaries(st.text(), st.text())
)


@given(st.dictionaries(NAMES, VALUES))
def test_any_object_is_read_or_refused(data: dict[str, Any]) -> None:
    """Whatever is in the object, the answer is an invocation or faults with places."""
    read, places = None, []
    try:
        read = Invocation.from_json(data)
    except InvalidInvocation as error:
        places = [detail.path for detail in error.details]
    assert (read is None) is bool(places)
    assert all(place.startswith("/") for place in places)


def test_repr_tells_no_inputs() -> None:
    """Neither inputs nor inline values show in the text of an invocation."""
    inline = {"type": "token", "values": {"token": "s3cret-token"}}
    read = Invocation.from_json(
        {**LEAST, "inputs": {"text": "private words"}, "connection": inline}
    )
    assert repr(read) == str(read) == "Invocation('echo', 'say')"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(read)
