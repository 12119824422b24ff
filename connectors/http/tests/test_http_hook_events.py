"""What a declared webhook makes of a verified request: forms, several events in one body, keys of
several members, and markers.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from jackfield.connector import (
    DeclarationError,
    Forged,
    Hook,
    HookRequest,
    Inputs,
    Malformed,
    Received,
)
from jackfield.connector.triggers import Webhook
from jackfield_http.bindings.webhooks import webhook_of

_NOW, _SECRET = 1_795_000_000.0, "s" * 16
_URL = "https://jackfield.example/hooks/p"


def webhook(signature: dict[str, Any], event: dict[str, Any], *types: str) -> Webhook:
    """A webhook of a manifest."""
    row = {
        "key": "told",
        "title": "Told",
        "description": "Told.",
        "types": [*types],
        "webhook": {"signature": signature},
    }
    return webhook_of({**row, "http": {"event": event}}, Inputs)


def read(trigger: Webhook, body: bytes, query: str = "", signed: bytes | None = None) -> Received:
    """Read a request that the provider has signed, or has signed with another body."""
    hook = Hook(f"{_URL}?{query}" if query else _URL, _SECRET, None)
    assert trigger.signs is not None
    headers = trigger.signs(body if signed is None else signed, hook, _NOW)
    return trigger.read(
        HookRequest(body, headers, _NOW, {}, "POST", query), Hook(_URL, _SECRET, None)
    )


_FORM = {
    "read": "form",
    "type": {"members": ["/Status"]},
    "reference": "/Sid",
    "marker": {"query": "m"},
    "account": "/Account",
}
_TOLD = {"Sid": "SM1", "Status": "sent", "Account": "AC1"}


def test_a_form_is_an_event() -> None:
    """Its members are the event's; the marker is in the signed query; the same form is the same
    event in any order.
    """
    trigger = webhook({"scheme": "twilio"}, _FORM, "sent", "other")
    mark = f"jf1-{'a' * 26}"
    (event,) = read(trigger, urlencode({**_TOLD, "To": "+491"}).encode(), f"x=1&m={mark}").events
    assert event.data == {**_TOLD, "To": "+491"}
    assert (event.type, event.reference, event.marker, event.account) == (
        "sent",
        "SM1",
        mark,
        "AC1",
    )
    again = read(trigger, urlencode({"To": "+491", **_TOLD}).encode(), f"x=1&m={mark}").events[0]
    assert again.key == event.key
    assert read(trigger, urlencode(_TOLD).encode(), f"x=1&m={mark}").events[0].key != event.key
    assert read(trigger, urlencode([("a", "1"), ("a", "2"), ("a", "3")]).encode()).events[
        0
    ].data == {"a": ["1", "2", "3"]}
    assert read(trigger, urlencode(_TOLD).encode(), f"m={mark}&m={mark}").events[0].marker is None
    with pytest.raises(Forged):
        read(
            trigger,
            urlencode({**_TOLD, "Status": "read"}).encode(),
            signed=urlencode(_TOLD).encode(),
        )


def test_a_moved_border_makes_no_other_event() -> None:
    """Names and values of a signed form have no border between them: what is cut elsewhere has the
    same key, and is told once.
    """
    trigger = webhook({"scheme": "twilio"}, _FORM, "sent", "other")
    honest = read(trigger, b"Account=AC1&Body=Sid&Sid=SM1").events[0]
    moved = read(
        trigger, b"Account=AC1&BodySid=&Sid=SM1", signed=b"Account=AC1&Body=Sid&Sid=SM1"
    ).events[0]
    assert (honest.key, honest.data == moved.data) == (moved.key, False)


def test_a_body_with_several_events() -> None:
    """Each has its key, type, time and marker; a body that is no list, or has something else in it,
    is malformed.
    """
    about = {
        "items": "",
        "key": "/id",
        "type": {"members": ["/event"]},
        "at": "/at",
        "marker": "/jackfield",
        "reference": "/jackfield",
    }
    trigger = webhook({"scheme": "github"}, about, "sent", "opened")
    events = [
        {"id": "1", "event": "sent", "at": 1_795_000_000, "jackfield": "jf1-x"},
        {"id": "2", "event": "opened", "at": "2026-11-18T11:06:40Z"},
        {"id": "3", "event": "unknown"},
    ]
    found = read(trigger, json.dumps(events).encode()).events
    assert [(one.key, one.type, one.at, one.marker, one.reference) for one in found] == [
        ("1", "sent", _NOW, "jf1-x", "jf1-x"),
        ("2", "opened", _NOW, None, None),
    ]
    assert read(trigger, b"[]").events == []
    for body in (b"{}", b"7", b"[[]]", b'["id"]', b'"id"', b"null", b'[{"event": "sent"}]'):
        with pytest.raises(Malformed):
            read(trigger, body)
    nested = webhook({"scheme": "github"}, {"items": "/events"}, "told")
    one, two = read(nested, b'{"events": [{"a": 1}, {"a": 2}]}').events
    assert one.key != two.key == read(nested, b'{"events": [{"a": 2}], "more": 1}').events[0].key
    with pytest.raises(Malformed):
        read(nested, b'{"more": 1}')


def test_types_as_providers_write_them() -> None:
    """Other characters than letters and digits become underscores, and the first letter a small
    one; capitals may be small letters.
    """
    types = ("invoice_paid", "contactMerge", "nOTE", "other")
    trigger = webhook({"scheme": "github"}, {"type": {"members": ["/event"]}}, *types)
    said = ["Invoice.paid", "INVOICE_PAID", "contactMerge", "NOTE", "Note", "CONTACTMERGE"]
    found = [read(trigger, json.dumps({"event": one}).encode()).events[0].type for one in said]
    assert found == ["invoice_paid", "invoice_paid", "contactMerge", "nOTE", "other", "other"]


def test_what_is_no_event_keeps_no_other_away() -> None:
    """Of several, one that is none or lacks its ID: the provider would send all of them again, in
    vain. It is the same by its content.
    """
    about = {
        "items": "",
        "key": "/id",
        "type": {"members": ["/event"]},
        "marker": "/jackfield",
        "reference": "/sid",
    }
    trigger = webhook({"scheme": "github"}, about, "sent", "other")
    own = {"id": "1", "event": "sent", "jackfield": "jf1-x", "sid": "m1"}
    for strange in (
        7,
        None,
        "text",
        [own],
        {},
        {"event": "sent"},
        {"id": ["1"]},
        {"id": ""},
        {"event": "sent", "jackfield": ["jf1-x"]},
    ):
        for both in ([strange, own], [own, strange]):
            found = read(trigger, json.dumps(both).encode()).events
            assert [(one.type, one.marker) for one in found if one.key == "1"] == [
                ("sent", "jf1-x")
            ]
            assert {one.key for one in found} == {
                one.key for one in read(trigger, json.dumps(both[::-1]).encode()).events
            }
            assert len(found) == (2 if isinstance(strange, dict) else 1)


@pytest.mark.parametrize("about", [{}, {"sid": ""}, {"sid": None}, {"sid": ["m1"]}, {"call": "c1"}])
def test_an_event_without_the_reference_is_no_evidence(about: dict[str, Any]) -> None:
    """The provider tells of other things at the same address, as of calls where a message was sent:
    it says nothing of that.
    """
    trigger = webhook(
        {"scheme": "github"}, {"key": "/id", "marker": "/mark", "reference": "/sid"}, "told"
    )
    (found,) = read(trigger, json.dumps({"id": "1", "mark": "jf1-x", **about}).encode()).events
    assert found.marker is None
    (found,) = read(trigger, json.dumps({"id": "1", "mark": "jf1-x", "sid": "m1"}).encode()).events
    assert (found.marker, found.reference) == ("jf1-x", "m1")


def test_a_key_of_several_members() -> None:
    """All must be there; together they make the event the same."""
    trigger = webhook({"scheme": "github"}, {"key": ["/id", "/at"]}, "told")
    first = read(trigger, b'{"id": "1", "at": 5, "x": 1}').events[0]
    assert first.key == read(trigger, b'{"id": "1", "at": 5, "x": 2}').events[0].key
    assert first.key != read(trigger, b'{"id": "15", "at": 6}').events[0].key
    for body in (b'{"id": "1"}', b'{"id": "", "at": 5}', b'{"id": [], "at": 5}'):
        with pytest.raises(Malformed):
            read(trigger, body)


@pytest.mark.parametrize(
    ("signature", "event"),
    [
        ({"scheme": "github"}, {"marker": {"query": "m"}}),
        ({"scheme": "secretPath"}, {"marker": {"query": "m"}}),
        ({"scheme": "github"}, {"read": "form"}),
        ({"scheme": "twilio"}, {}),
        ({"scheme": "token", "header": "x"}, {"read": "form"}),
    ],
)
def test_what_is_not_signed_decides_nothing(
    signature: dict[str, Any], event: dict[str, Any]
) -> None:
    """A marker in a query, or a form, that the signature does not cover, is refused where it is
    declared.
    """
    with pytest.raises(DeclarationError):
        webhook(signature, event, "told")
