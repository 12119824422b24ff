"""Lost writes of the shelf are found by their marker in a list of the provider, wherever it stands
beside the caller's own values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from jackfield.connector.evidence import MARKER_TEXT
from jackfield.kernel.pointers import names
from jackfield.testing import Answer, Provider, Request
from jackfield_openapi.shelf.services import read_shelf
from plugboard import plugged
from settling_home import looked_for, settling_home
from shelved import SHELF, manifest_of, running, shelve

_STRANGE = "jf1-" + "a" * 26
"""The marker of another call."""


def _rows() -> Iterator[Any]:
    """Yield each action of the shelf whose marker is an item of a list."""
    for service in read_shelf(SHELF):
        if '"contains": {' not in json.dumps(service.document["paths"], default=str):
            continue  # what is not built costs nothing
        for row in manifest_of(service.key)["actions"]:
            looks = row.get("evidence", ())
            if any(
                isinstance(rule.get("contains"), dict) and rule["contains"].keys() > {"value"}
                for one in looks
                for rule in one.get("match", ())
            ):
                yield pytest.param(service.key, row, id=f"{service.key}-{row['key']}")


_ROWS = [*_rows()]
assert _ROWS


class _Shop:
    """Provider that does what it is asked and hangs up; its lists show that, with values of its own
    before the caller's.
    """

    def __init__(self, row: dict[str, Any], *, effective: bool) -> None:
        self.row, self.effective = row, effective
        self.key = row["evidence"][0]["match"][0]["contains"]["key"]
        self.made: list[dict[str, Any]] = []
        self.writes: list[bytes] = []

    def __call__(self, _number: int, request: Request) -> Any:
        """Take a write and hang up; answer a list."""
        member = names(self.row["evidence"][0]["match"][0]["at"])[0]
        if request.method == "GET":
            others = [{"id": 1, member: [{"id": 7, "key": self.key, "value": _STRANGE}]}, {"id": 2}]
            items: Any = (
                [*others, *self.made]
                if dict(parse_qsl(urlsplit(request.path).query)).get("offset", "0") == "0"
                else []
            )
            each = self.row["evidence"][0]["each"]
            # a list without a name is "items" of the action
            for name in reversed(names(each) if each != "/items" else ()):
                items = {name: items}
            return Answer(items)
        self.writes.append(request.body)
        if self.effective:
            asked = json.loads(request.body)
            self.made.append(
                {
                    **asked,
                    "id": 4711,
                    "refunded_payment": True,
                    member: [{"id": 8, "key": "_own", "value": "x"}, *asked[member]],
                }
            )
        return "close"


def _settled(
    folder: Path,
    key: str,
    row: dict[str, Any],
    provider: Callable[[int, Request], Any],
    inputs: dict[str, Any],
) -> dict[str, Any]:
    """Call an action whose answer is lost, and look for what became of it; return its entry."""
    manifest = manifest_of(key)
    kind = next(one for one in manifest["connectionTypes"] if "authorizes" not in one)
    hidden = dict.fromkeys(kind["schema"]["required"], "a-secret-of-the-account")
    given = {**row["examples"][0]["invocation"]["inputs"], **inputs}
    with (
        plugged(shelve(folder / "shelf", manifest)),
        settling_home(folder) as environment,
        Provider(provider) as far,
    ):
        call = {"connector": key, "action": row["key"], "inputs": given}
        return looked_for(environment, f"{key}/{kind['key']}", {**hidden, "server": far.url}, call)


@pytest.mark.parametrize("effective", [True, False], ids=["took", "lost"])
@pytest.mark.parametrize(("key", "row"), _ROWS)
def test_a_lost_write_is_found_among_the_values_of_a_list(
    tmp_path: Path, key: str, row: dict[str, Any], *, effective: bool
) -> None:
    """Behind values of the caller and of the provider: found if it took effect, in doubt if not;
    another call's marker proves nothing.
    """
    own = [{"key": "channel", "value": "fair"}]
    shop = _Shop(row, effective=effective)
    (place,) = names(row["marker"]["at"])
    entry = _settled(tmp_path, key, row, shop, {place: own})
    assert [len(MARKER_TEXT.findall(body.decode())) for body in shop.writes] == [1]
    assert json.loads(shop.writes[0])[names(row["evidence"][0]["match"][0]["at"])[0]][0] == own[0]
    assert (entry["status"], [one["result"] for one in entry["looks"]]) == (
        ("succeeded", ["matched"]) if effective else ("in_doubt", ["nothing"])
    )


_LISTED = ("freshdesk", "jira", "paddle")
"""Services that list what is new, among which the marker is looked for; the others find it by their
own search.
"""
_PROFILE: dict[str, Any] = {"type": "profile", "attributes": {"email": "ada@example.com"}}
_INCIDENT = {
    "type": "incident",
    "title": "Down",
    "service": {"id": "P1", "type": "service_reference"},
}


def _transactions(asked: dict[str, Any]) -> dict[str, Any]:
    return {"transactionId": asked["transactionId"], "envelopeId": "e-4711", "status": "sent"}


@pytest.mark.parametrize("effective", [True, False], ids=["took", "lost"])
@pytest.mark.parametrize(
    ("key", "action", "inputs", "shown", "other"),
    [
        (
            "docusign",
            "createEnvelope",
            {},
            _transactions,
            {"transactionId": _STRANGE, "envelopeId": "e-1", "status": "sent"},
        ),
        (
            "klaviyo",
            "createProfile",
            {"data": _PROFILE},
            lambda asked: asked["data"],
            {
                "id": "1",
                **_PROFILE,
                "attributes": {**_PROFILE["attributes"], "external_id": _STRANGE},
            },
        ),
        (
            "pagerduty",
            "createIncident",
            {"incident": _INCIDENT},
            lambda asked: {"status": "triggered", **asked["incident"]},
            {"status": "triggered", **_INCIDENT, "incident_key": _STRANGE},
        ),
        (
            "zendesk",
            "createUser",
            {"user": {"name": "Ada", "email": "ada@example.com"}},
            lambda asked: asked["user"],
            {"id": 1, "name": "Ada", "email": "ada@example.com", "external_id": _STRANGE},
        ),
        (
            "outlook",
            "sendMail",
            {
                "message": {
                    "subject": "Hello",
                    "singleValueExtendedProperties": [
                        {"id": "String {4711} Name own", "value": "x"}
                    ],
                }
            },
            lambda asked: {**asked["message"], "isDraft": False},
            {
                "id": "1",
                "isDraft": False,
                "singleValueExtendedProperties": [
                    {"id": "String {4711} Name jackfield", "value": _STRANGE}
                ],
            },
        ),
        (
            "zendesk",
            "createTicket",
            {"ticket": {"subject": "Lamp", "comment": {"body": "Dark"}}},
            lambda asked: asked["ticket"],
            {"id": 1, "subject": "Lamp", "external_id": _STRANGE},
        ),
        (
            "servicenow",
            "createIncident",
            {"body": {"short_description": "Dark"}},
            dict,
            {"sys_id": "1", "correlation_id": _STRANGE},
        ),
        (
            "freshdesk",
            "createContact",
            {"name": "Ada", "email": "ada@example.com"},
            dict,
            {"id": 1, "unique_external_id": _STRANGE},
        ),
        (
            "jira",
            "createIssue",
            {"properties": [{"key": "own", "value": 1}]},
            lambda asked: {
                "key": "ABC-1",
                "properties": {one["key"]: one["value"] for one in asked["properties"]},
            },
            {"id": "1", "key": "ABC-2", "properties": {"jackfield": {"marker": _STRANGE}}},
        ),
        (
            "paddle",
            "createCustomer",
            {"customData": {"own": "x"}},
            dict,
            {"id": "ctm_1", "custom_data": None},
        ),
        (
            "paddle",
            "createTransaction",
            {"customData": {"own": "x"}},
            dict,
            {"id": "txn_1", "custom_data": {"jackfield": "x"}},
        ),
    ],
    ids=[
        "docusign-createEnvelope",
        "klaviyo-createProfile",
        "pagerduty-createIncident",
        "zendesk-createUser",
        "outlook-sendMail",
        "zendesk-createTicket",
        "servicenow-createIncident",
        "freshdesk-createContact",
        "jira-createIssue",
        "paddle-createCustomer",
        "paddle-createTransaction",
    ],
)
def test_a_lost_write_is_found_by_a_member(
    tmp_path: Path,
    key: str,
    action: str,
    inputs: dict[str, Any],
    shown: Callable[[dict[str, Any]], dict[str, Any]],
    other: dict[str, Any],
    *,
    effective: bool,
) -> None:
    """By an ID of the call, or in data beside the caller's own: found if it took effect, in doubt
    if not.
    """
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    member = names(row["evidence"][0]["each"])[0]
    writes: list[dict[str, Any]] = []
    asked: list[str] = []

    def provider(_number: int, request: Request) -> Any:
        if request.method == "GET":
            asked.append(request.path)
            found = [
                other,
                *([{**shown(one), "id": "made-4711"} for one in writes] if effective else ()),
            ]
            # a list without a name is "items" of the action
            return Answer(found if member == "items" else {member: found})
        writes.append(json.loads(request.body))
        return "close"

    entry = _settled(tmp_path, key, row, provider, inputs)
    (write,) = writes
    (marker,) = MARKER_TEXT.findall(json.dumps(write))
    assert "customData" not in inputs or write["custom_data"] == {"own": "x", "jackfield": marker}
    assert key in _LISTED or any(marker in path for path in asked)
    assert (entry["status"], [one["result"] for one in entry["looks"]]) == (
        ("succeeded", ["matched"]) if effective else ("in_doubt", ["nothing"])
    )


@pytest.mark.parametrize("effective", [True, False], ids=["took", "lost"])
@pytest.mark.parametrize(
    ("action", "member", "inputs"),
    [
        ("createProduct", "products", {"title": "Lamp"}),
        ("createCustomer", "customers", {"email": "ada@example.com"}),
    ],
    ids=["createProduct", "createCustomer"],
)
def test_a_lost_write_of_graphql_is_found_by_its_metafield(
    tmp_path: Path, action: str, member: str, inputs: dict[str, Any], *, effective: bool
) -> None:
    """Beside the caller's own, which stay; of what is listed with another call's, or without any,
    nothing is taken.
    """
    row = next(one for one in manifest_of("shopify")["actions"] if one["key"] == action)
    own = {"namespace": "shop", "key": "colour", "type": "single_line_text_field", "value": "red"}
    writes: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = []

    def provider(_number: int, request: Request) -> Any:
        body = json.loads(request.body)
        if body["query"].startswith("mutation"):
            (made,) = body["variables"].values()
            writes.append(made)
            return "close"
        asked.append(body.get("variables", {}))
        mine = [
            {"id": "gid://shopify/It/3", "jackfield": {"value": one["metafields"][-1]["value"]}}
            for one in writes
            if effective
        ]
        nodes = [
            {"id": "gid://shopify/It/1", "jackfield": None},
            {"id": "gid://shopify/It/2", "jackfield": {"value": _STRANGE}},
            *mine,
        ]
        return Answer(
            {
                "data": {
                    member: {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}
                }
            }
        )

    entry = _settled(tmp_path, "shopify", row, provider, {**inputs, "metafields": [own]})
    (write,) = writes
    assert (write["metafields"][0], len(MARKER_TEXT.findall(json.dumps(write)))) == (own, 1)
    assert any(
        one.get("marked") and one.get("reverse") and one.get("sortKey") == "CREATED_AT"
        for one in asked
    )
    assert (entry["status"], [one["result"] for one in entry["looks"]]) == (
        ("succeeded", ["matched"]) if effective else ("in_doubt", ["nothing"])
    )


_STARTED: dict[str, tuple[str, str, Callable[[str, str], Any], tuple[str, ...]]] = {
    "mistral": (
        "createBatch",
        "data",
        lambda mark, state: {
            "id": "1",
            "status": state,
            "metadata": {"jackfield": mark},
            "errors": [{"message": "no", "count": 1}],
        },
        ("QUEUED", "RUNNING", "SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLED"),
    ),
    "vercel": (
        "createDeployment",
        "deployments",
        lambda mark, state: {
            "uid": "1",
            "state": state,
            "errorCode": "x",
            "meta": {"jackfield": mark},
        },
        ("QUEUED", "BUILDING", "READY", "ERROR", "CANCELED"),
    ),
    "cal-com": (
        "createBooking",
        "data",
        lambda mark, state: {"uid": "1", "status": state, "metadata": {"jackfield": mark}},
        ("accepted", "pending", "cancelled", "rejected"),
    ),
    "postmark": (
        "sendEmail",
        "Messages",
        lambda mark, state: {"MessageID": "1", "Status": state, "Metadata": {"jackfield": mark}},
        ("Queued", "Sent", "Processed"),
    ),
    "mailgun": (
        "sendMessage",
        "items",
        lambda mark, state: {
            "event": state,
            "user-variables": {"reference": mark},
            "message": {"headers": {"message-id": "1@x"}},
        },
        ("accepted", "delivered", "failed", "rejected"),
    ),
    "bigquery": (
        "startJob",
        "jobs",
        lambda mark, state: {
            "state": state,
            "errorResult": {"reason": "invalid"},
            "configuration": {"labels": {"jackfield": mark}},
        },
        ("PENDING", "RUNNING", "DONE"),
    ),
}
"""Writes that begin something: the action, the member of its list, an item of a state, and the
states.
"""


@pytest.mark.parametrize(
    ("key", "state"), [(key, state) for key, (*_, states) in _STARTED.items() for state in states]
)
def test_what_has_begun_was_carried_out_however_it_ends(
    tmp_path: Path, key: str, state: str
) -> None:
    """The action begins a thing. A thing that waits or has failed has begun: the write is a
    success, as with its answer.
    """
    action, member, item, _ = _STARTED[key]
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    marks: list[str] = []

    def provider(_number: int, request: Request) -> Any:
        if request.method != "GET":
            marks.extend(MARKER_TEXT.findall(request.body.decode()))
            return "close"
        return Answer({member: [item(marks[0], state)] if marks and _is_first(request) else []})

    entry = _settled(tmp_path, key, row, provider, {})
    assert (entry["status"], [one["result"] for one in entry["looks"]]) == (
        "succeeded",
        ["matched"],
    )


def _is_first(request: Request) -> bool:
    """Return whether a request is for the first page of a list."""
    asked = dict(parse_qsl(urlsplit(request.path).query))
    return (asked.get("page", "0"), asked.get("offset", "0")) == ("0", "0")


@pytest.mark.parametrize(("key", "row"), _ROWS)
def test_an_item_of_the_caller_at_the_place_of_the_marker_wins(
    tmp_path: Path, key: str, row: dict[str, Any]
) -> None:
    """It is sent as it is, and nobody looks: what has its name at the provider is the caller's."""
    (place,) = names(row["marker"]["at"])
    own = json.loads(json.dumps(row["marker"]["value"]).replace('{"$marker": {}}', '"mine"'))
    shop = _Shop(row, effective=True)
    entry = _settled(tmp_path, key, row, shop, {place: own})
    (sent,) = [
        json.loads(body)[names(row["evidence"][0]["match"][0]["at"])[0]] for body in shop.writes
    ]
    assert (sent, entry["status"], entry.get("looks", [])) == (own, "in_doubt", [])


@pytest.mark.parametrize(
    ("key", "action"),
    [
        ("outlook", "sendMail"),
        ("jira", "createIssue"),
        ("shopify", "createProduct"),
        ("shopify", "createCustomer"),
        ("resend", "sendEmail"),
    ],
)
def test_an_item_of_the_callers_own_by_its_id_or_key_wins(
    tmp_path: Path, key: str, action: str
) -> None:
    """By whichever member the provider tells the items apart, and however deep the list is."""
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    own = json.loads(json.dumps(row["marker"]["value"]).replace('{"$marker": {}}', '"mine"'))
    first, *others = names(row["marker"]["at"])
    inputs: Any = own
    for name in reversed(others):
        inputs = {name: inputs}
    writes: list[bytes] = []

    def provider(_number: int, request: Request) -> Any:
        writes.append(request.body)
        return "close"

    entry = _settled(tmp_path, key, row, provider, {first: inputs})
    assert all(
        body.count(b'"mine"') == 1 and not MARKER_TEXT.search(body.decode()) for body in writes
    )
    assert (len(writes) > 0, entry["status"], entry.get("looks", [])) == (True, "in_doubt", [])


@pytest.mark.parametrize(
    ("key", "action", "inputs"),
    [
        ("freshdesk", "createContact", {"name": "Ada"}),
        ("klaviyo", "createProfile", {"data": {"type": "profile", "attributes": {}}}),
    ],
    ids=["freshdesk-createContact", "klaviyo-createProfile"],
)
def test_a_marker_does_not_stand_in_for_what_is_required(
    tmp_path: Path, key: str, action: str, inputs: dict[str, Any]
) -> None:
    """The provider requires one of several members, of which the marker's is one: a call without
    any is refused, as without evidence.
    """
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    writes: list[bytes] = []

    def provider(_number: int, request: Request) -> Any:
        writes.append(request.body)
        return "close"

    entry = _settled(tmp_path, key, row, provider, inputs)
    assert (
        len(MARKER_TEXT.findall(b"".join(writes).decode())),
        entry["status"],
        entry.get("looks", []),
    ) == (0, "in_doubt", [])


_UNDONE: dict[str, tuple[str, dict[str, Any], Callable[[str], Any], bool]] = {
    "a draft": (
        "outlook",
        {"message": {"subject": "Hello"}},
        lambda mark: {
            "value": [
                {
                    "id": "1",
                    "isDraft": True,
                    "singleValueExtendedProperties": [{"id": "x", "value": mark}],
                }
            ]
        },
        False,
    ),
    "a message": (
        "outlook",
        {"message": {"subject": "Hello"}},
        lambda mark: {
            "value": [
                {
                    "id": "1",
                    "isDraft": False,
                    "singleValueExtendedProperties": [{"id": "x", "value": mark}],
                }
            ]
        },
        True,
    ),
    "a refund that was not paid": (
        "woocommerce",
        {},
        lambda mark: [
            {
                "id": 1,
                "refunded_payment": False,
                "meta_data": [{"key": "_jackfield", "value": mark}],
            }
        ],
        False,
    ),
    "a refund that was paid": (
        "woocommerce",
        {},
        lambda mark: [
            {"id": 1, "refunded_payment": True, "meta_data": [{"key": "_jackfield", "value": mark}]}
        ],
        True,
    ),
    "a refund by hand": (
        "woocommerce",
        {"apiRefund": False},
        lambda mark: [
            {
                "id": 1,
                "refunded_payment": False,
                "meta_data": [{"key": "_jackfield", "value": mark}],
            }
        ],
        True,
    ),
}
"""Things with the marker: the service, inputs, what is listed, and whether it is what was asked
for.
"""
_ACTIONS = {"outlook": "sendMail", "woocommerce": "refundOrder"}


@pytest.mark.parametrize("name", _UNDONE)
def test_a_thing_that_is_not_yet_what_was_asked_for_proves_nothing(
    tmp_path: Path, name: str
) -> None:
    """A message that is still a draft may be sent later, or never; a refund is stored before the
    money goes back.
    """
    key, inputs, shown, is_done = _UNDONE[name]
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == _ACTIONS[key])
    marks: list[str] = []

    def provider(_number: int, request: Request) -> Any:
        if request.method != "GET":
            marks.extend(MARKER_TEXT.findall(request.body.decode()))
            return "close"
        return Answer(shown(marks[0]) if "page=2" not in request.path else [])

    entry = _settled(tmp_path, key, row, provider, inputs)
    assert (entry["status"], [one["result"] for one in entry["looks"]]) == (
        ("succeeded", ["matched"]) if is_done else ("in_doubt", ["pending"])
    )


def _job(mark: str, **statistics: Any) -> Any:
    failed = {"reason": "invalidQuery", "message": "Division by zero"}
    return {
        "jobs": [
            {
                "id": "1",
                "state": "DONE",
                "errorResult": failed,
                "statistics": statistics,
                "configuration": {"labels": {"jackfield": mark}},
            }
        ]
    }


@pytest.mark.parametrize(
    ("statistics", "status"),
    [
        ({}, "failed"),
        ({"query": {"statementType": "INSERT"}}, "failed"),
        ({"query": {"statementType": "SELECT"}, "numChildJobs": "0"}, "failed"),
        ({"query": {"statementType": "SCRIPT"}, "numChildJobs": "2"}, "in_doubt"),
        ({"query": {"statementType": "SCRIPT"}}, "in_doubt"),
        ({"numChildJobs": "1"}, "in_doubt"),
        ({"query": {"statementType": "CALL"}}, "in_doubt"),
    ],
)
def test_a_script_that_failed_may_have_taken_effect_in_part(
    tmp_path: Path, statistics: dict[str, Any], status: str
) -> None:
    """Each statement takes effect by itself: to call the script failed would free its key, and the
    first ones would run again.
    """
    row = next(one for one in manifest_of("bigquery")["actions"] if one["key"] == "query")
    marks: list[str] = []
    asked: list[str] = []

    def provider(_number: int, request: Request) -> Any:
        if request.method != "GET":
            marks.extend(MARKER_TEXT.findall(request.body.decode()))
            return "close"
        asked.append(request.path)
        return Answer(_job(marks[0], **statistics))

    assert _settled(tmp_path, "bigquery", row, provider, {})["status"] == status
    assert dict(parse_qsl(urlsplit(asked[0]).query))["minCreationTime"].endswith("000")


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("Query error: Division by zero: 1 / 0 at [2:1]", "in_doubt"),
        ("Division by zero: 1 / 0", "failed"),
        ("Syntax error: Unexpected identifier SELEC at [1:1]", "failed"),
        ("Unrecognized name: nobody at [1:8]", "failed"),
    ],
)
def test_a_refusal_of_a_script_in_time_is_a_doubt(
    tmp_path: Path, message: str, status: str
) -> None:
    """BigQuery begins the errors of a script so; a plain query's are refusals, as before."""
    error = {
        "code": 400,
        "message": message,
        "errors": [{"message": message, "domain": "global", "reason": "invalidQuery"}],
    }
    inputs = {"projectId": "p", "query": "SELECT 1"}
    with (
        Provider(lambda _number, _request: Answer({"error": error}, 400)) as far,
        running(tmp_path, "bigquery", far.url) as jackfield,
    ):
        found = jackfield.invoke(
            {"connector": "bigquery", "action": "query", "connection": "main", "inputs": inputs}
        )
    assert found.status == status


def test_an_empty_page_that_says_that_there_are_more_is_followed(tmp_path: Path) -> None:
    """PagerDuty may leave out all items of a page: what was made is on the next one."""
    row = next(one for one in manifest_of("pagerduty")["actions"] if one["key"] == "createIncident")
    marks: list[str] = []

    def provider(_number: int, request: Request) -> Any:
        if request.method != "GET":
            marks.extend(MARKER_TEXT.findall(request.body.decode()))
            return "close"
        offset = dict(parse_qsl(urlsplit(request.path).query)).get("offset", "0")
        found = (
            [{"id": "P1", "status": "triggered", "incident_key": marks[0]}]
            if offset == "25"
            else []
        )
        return Answer(
            {"incidents": found, "more": offset == "0", "limit": 25, "offset": int(offset)}
        )

    entry = _settled(tmp_path, "pagerduty", row, provider, {"incident": _INCIDENT})
    assert (entry["status"], [one["result"] for one in entry["looks"]]) == (
        "succeeded",
        ["matched"],
    )


@pytest.mark.parametrize(
    "answer", [{}, {"error": "none"}, {"Items": []}], ids=["empty", "an error", "another case"]
)
def test_an_answer_without_its_list_is_told_in_words(
    tmp_path: Path, answer: dict[str, Any]
) -> None:
    """People read what a look has met, and decide."""
    row = next(
        one for one in manifest_of("google-calendar")["actions"] if one["key"] == "createEvent"
    )
    entry = _settled(
        tmp_path,
        "google-calendar",
        row,
        lambda _number, request: Answer(answer) if request.method == "GET" else "close",
        {},
    )
    [look] = entry["looks"]
    assert (entry["status"], look["result"]) == ("in_doubt", "failed")
    assert (
        look["text"] == "the answer to 'listEvents' has no list at '/items', so it proves nothing"
    )
