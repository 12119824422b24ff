"""A marker in a caller's text: appended where people do not see it, and never taken for that of
another call.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from jackfield.connector import MARKER, Look, Marker
from jackfield.connector.evidence import EvidenceFault, places_marker, sent_as
from jackfield.connector.evidence_rows import read_evidence
from jackfield.kernel.errors import InvalidInput
from jackfield_store.recording.findings import link_of

_MATCH = [{"at": "/x", "is": {"$marker": {}}}]
COMMENT = Marker(at="/body", text="\n\n<!-- {marker} -->")


DATA = Marker(
    at="/metadata",
    value={"event_type": "call", "event_payload": {"marker": MARKER, "of": ["jackfield"]}},
)


def _filled(inputs: dict[str, Any], marker: Marker = COMMENT) -> Any:
    return marker.filled(lambda given, **_context: given, inputs, {}, "a" * 26)


@pytest.mark.parametrize(
    ("inputs", "body"),
    [
        ({"body": "Hello"}, f"Hello\n\n<!-- jf1-{'a' * 26} -->"),
        ({}, f"<!-- jf1-{'a' * 26} -->"),
        ({"body": ""}, f"\n\n<!-- jf1-{'a' * 26} -->"),
    ],
)
def test_a_text_is_kept_and_the_marker_follows(inputs: dict[str, Any], body: str) -> None:
    """What the caller wrote comes first, unchanged; nothing of the caller's own object is."""
    before = dict(inputs)
    assert (_filled(inputs), inputs) == ({"body": body}, before)


@pytest.mark.parametrize("body", [None, 7, ["text"], {"text": "x"}, "x" * 16_385])
def test_other_values_and_long_texts_get_none(body: Any) -> None:
    """A text near a provider's limit is sent as it is: then nobody looks by this marker."""
    assert (_filled({"body": body}), places_marker(COMMENT, {"body": body})) == (None, False)


def test_a_place_takes_more_than_a_text() -> None:
    """The declared value is put there, with the marker within; a caller's own value stays, and has
    none.
    """
    data = {
        "event_type": "call",
        "event_payload": {"marker": f"jf1-{'a' * 26}", "of": ["jackfield"]},
    }
    assert _filled({"text": "Hello"}, DATA) == {"text": "Hello", "metadata": data}
    assert (_filled({"metadata": {}}, DATA), places_marker(DATA, {"metadata": {}})) == (None, False)
    row = {
        "marker": DATA.to_json(),
        "evidence": [Look("list", match={"/marker": MARKER}).to_json()],
    }
    assert read_evidence(row)[0] == DATA


@pytest.mark.parametrize(
    "value", ["{}", {"event_payload": {"deep": ["{}"]}}, {"event_payload": {"marker": "see {}"}}]
)
def test_a_value_with_a_marker_of_its_own_is_refused(value: Any) -> None:
    """Wherever the marker of another call is within the place, it would be taken for what that call
    has made.
    """
    given = json.loads(json.dumps(value).replace("{}", f"jf1-{'b' * 26}"))
    with pytest.raises(InvalidInput, match="1 input is not valid"):
        DATA.refuse_foreign({"metadata": given})


def test_a_text_with_a_marker_of_its_own_is_refused() -> None:
    """A copied text would be taken for what another call has made."""
    with pytest.raises(InvalidInput, match="1 input is not valid"):
        COMMENT.refuse_foreign({"body": f"as in <!-- jf1-{'b' * 26} -->"})


@pytest.mark.parametrize(
    "marker", [COMMENT, DATA, Marker(at="/args/jackfield")], ids=["text", "value", "place"]
)
@pytest.mark.parametrize(
    "inputs",
    [{"more": [{"args": {"jackfield": "{}"}}]}, {"title": " {}\n"}, {"args": {"Jackfield": "{}"}}],
)
def test_a_marker_of_its_own_is_refused_wherever_it_is_a_whole_value(
    marker: Marker, inputs: dict[str, Any]
) -> None:
    """Some providers take one value from several members: that of a recipient wins over that of
    all. A text that names a marker is one.
    """
    given = json.loads(json.dumps(inputs).replace("{}", f"jf1-{'b' * 26}"))
    with pytest.raises(InvalidInput, match="1 input is not valid"):
        marker.refuse_foreign(given)
    marker.refuse_foreign(json.loads(json.dumps(inputs).replace("{}", f"who is jf1-{'b' * 26}?")))


@pytest.mark.parametrize(
    "row",
    [
        {"marker": {"header": "X-Marker", "text": "{marker}"}},
        {"marker": {"at": "/body", "text": "none"}},
        {"marker": {"at": "/body", "text": "{marker}{marker}"}},
        {"marker": {"at": "/body"}, "effect": "idempotent"},
        {"marker": {"header": "X-Marker", "query": "marker"}},
        {"marker": {"at": "/url", "query": "a b"}},
        {"marker": {"at": "/url", "query": "a", "text": "{marker}"}},
        {"marker": {"at": "/url", "query": "a", "value": {"is": {"$marker": {}}}}},
        {"marker": {"header": "X-Marker", "value": {"is": {"$marker": {}}}}},
        {"marker": {"at": "/body", "value": {"is": "constant"}}},
        {"marker": {"at": "/body", "value": {"is": {"$marker": {}}, "and": {"$key": {}}}}},
        {"marker": {"at": "/body", "text": "{marker}", "value": {"is": {"$marker": {}}}}},
        {"noEvidence": "It cannot be read.", "effect": "read"},
        {"noEvidence": ""},
        {"noEvidence": "x" * 301},
        {
            "noEvidence": "It cannot be read.",
            "evidence": [
                {"key": "list", "action": "list", "match": [{"at": "/id", "is": {"$key": {}}}]}
            ],
        },
        {
            "evidence": [
                {"key": "list", "action": "list", "match": [{"at": "/body", "contains": "a text"}]}
            ]
        },
        {
            "evidence": [
                {
                    "key": "list",
                    "action": "list",
                    "match": [{"at": "/body", "contains": {"$marker": {}}}],
                }
            ]
        },
        {"marker": {"header": "X-Call", "beside": ["/email"]}},
        {"marker": {"at": "/x", "beside": ["email"]}},
        {
            "marker": {"at": "/x"},
            "evidence": [
                {"key": "a", "action": "b", "match": _MATCH, "link": "http://example.com/{/id}"}
            ],
        },
        {
            "marker": {"at": "/x"},
            "evidence": [
                {
                    "key": "a",
                    "action": "b",
                    "match": _MATCH,
                    "similar": [{"at": "/x", "is": {"$who": 1}}],
                }
            ],
        },
        {
            "marker": {"at": "/x"},
            "evidence": [
                {
                    "key": "a",
                    "action": "b",
                    "match": _MATCH,
                    "similar": [{"at": f"/{number}", "is": 1} for number in range(9)],
                }
            ],
        },
    ],
)
def test_declarations_that_prove_nothing_are_refused(row: dict[str, Any]) -> None:
    """No place or no marker compared, what is never in doubt, a reason beside evidence, a link that
    others read on its way.
    """
    with pytest.raises(EvidenceFault):
        read_evidence(row)


def test_what_may_be_repeated_under_a_derived_key_may_be_in_doubt() -> None:
    """Such an action declares evidence; a look survives its way through a manifest."""
    look = Look(
        "list",
        each="/items",
        contains={"/body": MARKER},
        similar={"/title": {"$input": "/title"}},
        link="/html_url",
    )
    row = {
        "effect": "idempotent",
        "idempotentBy": "key",
        "marker": COMMENT.to_json(),
        "evidence": [look.to_json()],
    }
    assert read_evidence(row) == (COMMENT, (look,))


@pytest.mark.parametrize(
    ("declared", "link"),
    [
        ("https://desk.example/{/a/id}?x={/name}", "https://desk.example/7%2F8?x=%3Cb%3E"),
        ("/url", "https://desk.example/7"),
        ("/evil", None),
        ("https://desk.example/{/missing}", None),
        (None, None),
    ],
)
def test_links_lead_to_addresses_of_the_provider(declared: str | None, link: str | None) -> None:
    """Values are one part of an address each; what is no https address, or lacks a value, is no
    link.
    """
    item = {
        "a": {"id": "7/8"},
        "name": "<b>",
        "url": "https://desk.example/7",
        "evil": "javascript:alert(1)",
    }
    assert link_of(declared, item) == link


TAGS = Marker(at="/tags", value=[{"name": "jackfield", "value": MARKER}])


def test_a_list_is_appended_to() -> None:
    """The caller's items come first; what is no list, or a long one, is sent as it is."""
    own, tag = (
        {"name": "kind", "value": "welcome"},
        {"name": "jackfield", "value": f"jf1-{'a' * 26}"},
    )
    assert (_filled({}, TAGS), _filled({"tags": [own]}, TAGS)) == (
        {"tags": [tag]},
        {"tags": [own, tag]},
    )
    others: list[Any] = [None, "text", {}, [own] * 50]
    for tags in others:
        assert (_filled({"tags": tags}, TAGS), places_marker(TAGS, {"tags": tags})) == (None, False)
    assert (
        read_evidence(
            {"marker": TAGS.to_json(), "evidence": [{"key": "event", "trigger": "told"}]}
        )[0]
        == TAGS
    )
    with pytest.raises(InvalidInput, match="1 input is not valid"):
        TAGS.refuse_foreign({"tags": [{**own, "value": f"jf1-{'b' * 26}"}]})


@pytest.mark.parametrize(
    ("item", "own", "wins"),
    [
        ({"name": "jackfield", "value": MARKER}, {"name": "jackfield", "value": "mine"}, True),
        ({"name": "jackfield", "value": MARKER}, {"name": "Jackfield"}, True),
        ({"id": "a-1", "value": MARKER}, {"id": "a-1", "value": None}, True),
        (
            {"namespace": "jackfield", "key": "marker", "value": MARKER},
            {"namespace": "jackfield", "key": "marker", "type": "x"},
            True,
        ),
        ({"name": "jackfield", "value": MARKER}, {"name": "other", "value": "jackfield"}, False),
        ({"name": "jackfield", "value": MARKER}, {"value": "jackfield"}, False),
        ({"name": "jackfield", "value": MARKER}, {"name": None}, False),
        ({"name": "jackfield", "value": MARKER}, "jackfield", False),
        ({"value": MARKER}, {"value": "x"}, False),
    ],
)
def test_an_item_of_the_same_name_wins(item: Any, own: Any, wins: bool) -> None:
    """Two items of one name are refused by some providers, and others keep the last: the caller's
    own is never replaced.
    """
    tags = Marker(at="/tags", value=[item])
    assert places_marker(tags, {"tags": [own]}) is not wins
    filled = _filled({"tags": [own]}, tags)
    assert (None if filled is None else filled["tags"][0], wins) in ((None, True), (own, False))


BESIDE = Marker(at="/externalId", beside=("/email", "/contact/phone"))


@pytest.mark.parametrize(
    ("inputs", "placed"),
    [
        ({"email": "ada@example.com"}, True),
        ({"contact": {"phone": "1"}}, True),
        ({"name": "Ada"}, False),
        ({}, False),
        ({"email": None}, False),
        ({"email": ""}, False),
        ({"contact": "phone"}, False),
        ({"email": "ada@example.com", "externalId": "mine"}, False),
    ],
)
def test_a_marker_stands_beside_what_is_required(inputs: dict[str, Any], placed: bool) -> None:
    """Alone, it would make a request valid that the provider refuses."""
    assert (places_marker(BESIDE, inputs), _filled(inputs, BESIDE) is not None) == (placed, placed)
    assert (
        read_evidence(
            {"marker": BESIDE.to_json(), "evidence": [{"key": "event", "trigger": "told"}]}
        )[0]
        == BESIDE
    )


@pytest.mark.parametrize(
    ("placeholder", "sent"),
    [
        ({"$sent": "from"}, "2001-09-09T01:46:40Z"),
        ({"$sent": "from", "as": "unix"}, 1_000_000_000),
        ({"$sent": "from", "as": "unixText"}, "1000000000"),
        ({"$sent": "from", "as": "unixMillisText"}, "1000000000000"),
    ],
)
def test_the_time_of_a_request_is_in_whole_seconds(
    placeholder: dict[str, Any], sent: object
) -> None:
    """Some providers read no fractions, and the time is a minute wider anyway."""
    assert sent_as(placeholder, 1_000_000_000.75) == sent
    Look("list", inputs={"since": placeholder}, match={"/x": MARKER}).checked()


def test_a_form_of_time_that_nobody_knows_is_refused() -> None:
    """It would be sent as another one."""
    with pytest.raises(EvidenceFault, match="sent as days"):
        Look(
            "list", inputs={"since": {"$sent": "from", "as": "days"}}, match={"/x": MARKER}
        ).checked()


CALLBACK = Marker(at="/statusCallback", query="jackfield")
_MARK = f"jackfield=jf1-{'a' * 26}"


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("https://hooks.example/hooks/p", f"https://hooks.example/hooks/p?{_MARK}"),
        ("https://hooks.example/hooks/p?a=b%20c", f"https://hooks.example/hooks/p?a=b%20c&{_MARK}"),
        ("http://[::1]:8080/p#there", f"http://[::1]:8080/p?{_MARK}#there"),
    ],
)
def test_a_parameter_is_added_to_an_address(address: str, sent: str) -> None:
    """What the caller wrote stays as it is, and the provider sends the marker back to that
    address.
    """
    assert _filled({"statusCallback": address}, CALLBACK) == {"statusCallback": sent}
    row = {"marker": CALLBACK.to_json(), "evidence": [{"key": "event", "trigger": "told"}]}
    assert read_evidence(row)[0] == CALLBACK


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        *(
            {"statusCallback": value}
            for value in (
                None,
                7,
                "",
                "text",
                "ftp://x/",
                "https://",
                "https://[x/",
                "https://x/?jackfield=own",
                "https://x/?jackfield",
                f"https://x/{'y' * 1900}",
            )
        ),
    ],
)
def test_what_is_no_address_gets_no_parameter(inputs: dict[str, Any]) -> None:
    """Nothing is sent that the caller has not asked for: without an address, nobody tells what
    became of it.
    """
    assert (_filled(inputs, CALLBACK), places_marker(CALLBACK, inputs)) == (None, False)


def test_an_address_with_a_marker_of_its_own_is_refused() -> None:
    """It would be taken for what another call has made."""
    for spelled in ("jf1-", "%6Af1-", "jf1%2D", "%6a%66%31%2d"):
        with pytest.raises(InvalidInput, match="1 input is not valid"):
            CALLBACK.refuse_foreign(
                {"statusCallback": f"https://hooks.example/p?x={spelled}{'b' * 26}"}
            )
