"""What declared evidence says of a thing that is found: only the values of success prove that the
action did what it says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jackfield.connector.evidence import Look
from jackfield.connector.evidence_places import declares, within
from jackfield.connector.evidence_rows import nameless_looks, unfit_looks, unsaid_looks
from jackfield.connector.proofs import When
from jackfield.kernel.pointers import names
from shelved import manifest_of, services

Json = dict[str, Any]

_CONNECTORS = Path(__file__).parents[2] / "connectors"
_CURATED = ("github", "slack", "stripe")
_STRANGE: tuple[Any, ...] = (
    "",
    "processing",
    "requires_action",
    "a state that is new",
    None,
    True,
    0,
    ["succeeded"],
    {},
)
"""Values that are none of the declared ones: under way, unknown, of another type."""


def _manifests() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key in _CURATED:
        yield (
            key,
            json.loads((_CONNECTORS / key / f"jackfield_{key}" / "connector.json").read_bytes()),
        )
    for key, service in services().items():
        if '"evidence"' in json.dumps(service.document["paths"], default=str):
            yield key, manifest_of(key)


_MANIFESTS = dict(_manifests())
_ROWS = [
    pytest.param(When.from_json(row), id=f"{key}-{action['key']}-{one['key']}-{number}")
    for key, manifest in _MANIFESTS.items()
    for action in manifest["actions"]
    for one in action.get("evidence", ())
    for number, row in enumerate(one.get("when", ()))
]
assert len(_ROWS) > 35


def _thing(values: Mapping[str, Any]) -> Json:
    """Return a thing with these values at their JSON Pointers."""
    found: Json = {}
    for at, value in values.items():
        *steps, last = names(at)
        holder = found
        for step in steps:
            holder = holder.setdefault(step, {})
        holder[last] = value
    return found


@pytest.mark.parametrize("row", _ROWS)
def test_only_values_of_success_prove_it(row: When) -> None:
    """Each value of success proves it, each of failure refutes it, and any other, or none, is no
    verdict.
    """
    if not row.took:
        # the thing is there only after a success
        assert row.said({"status": "anything"})[0] == "took"
        return
    best = {at: values[0] for at, values in row.took.items()}
    worst = {at: values[0] for at, values in row.refused.items()}
    assert row.said(_thing(best))[0] == "took"
    for at, values in row.took.items():
        assert {row.said(_thing({**best, at: value}))[0] for value in values} == {"took"}
        assert {
            row.said(_thing({**best, at: value}))[0] for value in _STRANGE if value not in values
        } == {None}
    for at, values in row.refused.items():
        assert {row.said(_thing({**worst, at: value}))[0] for value in values} == {"refused"}
    assert row.said({})[0] is None


@pytest.mark.parametrize("key", _MANIFESTS)
def test_each_thing_with_a_status_says_what_means_success(key: str) -> None:
    """No evidence finds a thing with a status and takes its being there for a success without
    having said so.
    """
    assert list(unsaid_looks(_MANIFESTS[key])) == []


@pytest.mark.parametrize(
    ("key", "action"),
    [
        ("stripe", "createPaymentIntent"),
        ("stripe", "createRefund"),
        ("stripe", "createPayout"),
        ("github", "createIssue"),
        ("outlook", "sendMail"),
        ("github", "createRelease"),
        ("postmark", "sendEmail"),
        ("vercel", "createDeployment"),
        ("mistral", "createBatch"),
        ("docusign", "createEnvelope"),
    ],
)
def test_a_thing_with_a_status_and_no_word_about_it_is_told(key: str, action: str) -> None:
    """What finds a thing with a status, and does not say which values mean success, is named."""
    bare = json.loads(json.dumps(_MANIFESTS[key]))
    for row in bare["actions"]:
        for one in row.get("evidence", ()) if row["key"] == action else ():
            del one["when"]
    told = list(unsaid_looks(bare))
    assert told
    assert all(f"of '{action}' finds a thing with" in text for text in told)


def test_a_job_of_bigquery_succeeded_if_it_has_no_error() -> None:
    """BigQuery leaves 'errorResult' out of a job that has succeeded; a read whose output never has
    it could not tell.
    """
    actions = {row["key"]: row for row in _MANIFESTS["bigquery"]["actions"]}
    [query], [start] = (
        [When.from_json(one) for one in actions[key]["evidence"][0]["when"]]
        for key in ("query", "startJob")
    )
    failed = {"state": "DONE", "errorResult": {"reason": "quotaExceeded"}}
    assert (query.said({"state": "DONE"})[0], query.said(failed)[0]) == ("took", "refused")
    assert query.said({"state": "DONE", "errorResult": {"reason": "new"}})[0] is None
    # the job was started
    assert (start.said({"state": "DONE"})[0], start.said(failed)[0]) == ("took", "took")
    bare = json.loads(json.dumps(_MANIFESTS["bigquery"]))
    [jobs] = [row for row in bare["actions"] if row["key"] == "listJobs"]
    jobs["output"]["properties"]["jobs"]["items"] = {
        "type": "object",
        "properties": {"state": {"type": "string"}},
    }
    assert any("asks whether '/errorResult' is not there" in text for text in unsaid_looks(bare))


@pytest.mark.parametrize("state", ["canceled", "CANCELLED", "stopped", "voided"])
def test_a_failure_that_somebody_brings_about_later_is_told(state: str) -> None:
    """What was made with success can be cancelled before a look: to take that for a failure of the
    action would free its key.
    """
    changed = json.loads(json.dumps(_MANIFESTS["stripe"]))
    row = next(one for one in changed["actions"] if one["key"] == "createRefund")
    row["evidence"][0]["when"][0]["refused"]["/status"].append(state)
    [told] = unsaid_looks(changed)
    assert f"of 'createRefund' takes '{state}' for a failure" in told


@pytest.mark.parametrize("key", _MANIFESTS)
def test_a_thing_on_two_pages_is_known_by_its_id(key: str) -> None:
    """Evidence of a list names an ID that the things of its read have: else one that changes while
    pages shift would be two.
    """
    assert list(nameless_looks(_MANIFESTS[key])) == []
    changed = json.loads(json.dumps(_MANIFESTS[key]))
    lists = [
        one
        for row in changed["actions"]
        for one in row.get("evidence", ())
        if "id" in one and "each" in one
    ]
    for one in lists:
        one["id"] = "/number_of_nothing"
    open_ones = {"mailgun", "slack"}  # what has members of any name, or of several schemas
    assert len(list(nameless_looks(changed))) >= len(lists) - 2 * (key in open_ones)


def test_an_absence_that_is_never_concluded_is_told() -> None:
    """What is not found proves nothing if nothing was shown beside it, or a cache may answer."""
    one = {
        "key": "own",
        "action": "get",
        "inputs": {"id": {"$marker": {}}},
        "match": [],
        "absentAfter": 600,
        "page": "p",
        "when": [{}],
    }
    rows = [
        {"key": "make", "evidence": [one]},
        {"key": "get", "effect": "read", "inputs": {}, "output": {}},
    ]
    assert "no 'canary'" in next(unsaid_looks({"actions": rows}))
    one["canary"] = {"action": "get"}
    assert "no 'shows' of its canary" in next(unsaid_looks({"actions": rows}))
    one["canary"] = {"action": "get", "shows": "/things"}
    assert "$fresh" in next(unsaid_looks({"actions": rows}))
    one["inputs"] = {"id": {"$marker": {}}, "nonce": {"$fresh": {}}}
    assert list(unsaid_looks({"actions": rows})) == []


@pytest.mark.parametrize(
    ("inputs", "thing", "said"),
    [
        ({}, {"draft": False}, "took"),
        ({"draft": False}, {"draft": False}, "took"),
        ({}, {"draft": True}, None),
        ({}, {}, None),
        ({"draft": True}, {"draft": True}, "took"),
        ({"draft": True}, {"draft": False}, "took"),
    ],
)
def test_a_draft_is_what_was_asked_for_only_if_it_was_asked_for(
    inputs: Json, thing: Json, said: str | None
) -> None:
    """A release that is still a draft was not published; one that was asked for as a draft may have
    been published since.
    """
    row = next(one for one in _MANIFESTS["github"]["actions"] if one["key"] == "createRelease")
    when = next(one for one in Look.from_json(row["evidence"][0]).when if one.counts(inputs))
    assert when.said(thing)[0] == said


_PAYMENT = "createPaymentIntent"


@pytest.mark.parametrize(
    ("inputs", "thing", "said"),
    [
        ({"confirm": True}, {"status": "succeeded"}, "took"),
        ({"confirm": True}, {"status": "requires_capture"}, "took"),
        ({"confirm": True}, {"status": "processing"}, None),
        ({"confirm": True}, {"status": "requires_action"}, None),
        ({"confirm": True}, {"status": "requires_confirmation"}, None),
        (
            {"confirm": True},
            {"status": "requires_payment_method", "last_payment_error": {"code": "card_declined"}},
            "refused",
        ),
        ({"confirm": True}, {"status": "canceled"}, None),
        ({"confirm": True}, {}, None),
        ({}, {"status": "requires_payment_method"}, "took"),
        ({"confirm": False}, {"status": "requires_confirmation"}, "took"),
    ],
)
def test_a_payment_is_judged_by_what_was_asked_for(
    inputs: Json, thing: Json, said: str | None
) -> None:
    """Stripe makes a payment that it declines, too: whether one that is there is a success depends
    on 'confirm'.
    """
    row = next(one for one in _MANIFESTS["stripe"]["actions"] if one["key"] == _PAYMENT)
    look = Look.from_json(row["evidence"][0])
    when = next(one for one in look.when if one.counts(inputs))
    assert when.said(thing)[0] == said
    assert said != "refused" or when.error(thing)[0] == thing.get("last_payment_error", {}).get(
        "code"
    )


@pytest.mark.parametrize("key", _MANIFESTS)
def test_markers_and_looks_fit_the_inputs_of_their_actions(key: str) -> None:
    """The marker is at a place that the action takes, and a look gives its read what that
    requires.
    """
    assert list(unfit_looks(_MANIFESTS[key])) == []


@pytest.mark.parametrize("key", [key for key in _MANIFESTS if key not in _CURATED])
def test_what_evidence_compares_is_in_the_answers_of_its_read(key: str) -> None:
    """A member that no answer has would be looked for in vain, each time."""
    manifest = _MANIFESTS[key]
    rows = {row["key"]: row for row in manifest["actions"]}
    for row in manifest["actions"]:
        for one in row.get("evidence", ()) if "marker" in row else ():
            if "action" in one:
                output = rows[one["action"]]["output"]
                thing = within(manifest, output, names(one["each"])) if "each" in one else output
                said = [
                    at
                    for when in one.get("when", ())
                    for at in (*when.get("took", {}), *when.get("refused", {}))
                ]
                assert [
                    at
                    for at in [*(rule["at"] for rule in one["match"]), *said]
                    if not declares(manifest, thing, names(at))
                ] == []


def _row(manifest: Json, action: str) -> Json:
    return next(one for one in manifest["actions"] if one["key"] == action)


_SLIPS: dict[str, tuple[str, str, Json, str]] = {
    "no input": (
        "servicenow",
        "createIncident",
        {"marker": {"at": "/correlationId"}},
        "'/correlationId', which is no input",
    ),
    "no member": (
        "stripe",
        "createCoupon",
        {"marker": {"at": "/currency/jackfield"}},
        "'/currency/jackfield', which is no input",
    ),
    "no list": (
        "outlook",
        "sendMail",
        {"marker": {"at": "/saveToSentItems", "value": [{"id": {"$marker": {}}}]}},
        "not valid: must be true or false",
    ),
    "a number": (
        "woocommerce",
        "createOrder",
        {"marker": {"at": "/customerId"}},
        "must be a whole number, not a string",
    ),
    "none beside": (
        "freshdesk",
        "createContact",
        {"marker": {"at": "/uniqueExternalId", "beside": ["/mail"]}},
        "'/mail', which is no input",
    ),
    "given": (
        "gitlab",
        "createIssue",
        {"marker": {"at": "/title"}},
        "'/title', which the caller always gives",
    ),
    "a given object": (
        "pagerduty",
        "createIncident",
        {"marker": {"at": "/incident", "value": {"incident_key": {"$marker": {}}}}},
        "'/incident', which the caller always gives",
    ),
}
_LOOKS: dict[str, tuple[str, str, Json, str]] = {
    "required": (
        "bigquery",
        "query",
        {"projection": "full"},
        "does not give 'listJobs' the input 'projectId'",
    ),
    "unknown": (
        "zendesk",
        "createTicket",
        {"pageSize": 1, "external": {"$marker": {}}},
        "the input 'external', which it does not have",
    ),
    "too much": (
        "zendesk",
        "createTicket",
        {"pageSize": 1000},
        "that is not valid, '/pageSize': must be at most 100",
    ),
    "a text": (
        "pagerduty",
        "createIncident",
        {"incidentKey": {"$marker": {}}, "limit": "25"},
        "'/limit': must be a whole number",
    ),
    "a marker": (
        "pagerduty",
        "createIncident",
        {"limit": {"$marker": {}}},
        "'/limit': must be a whole number",
    ),
    "a time": (
        "bigquery",
        "query",
        {"projectId": "p", "minCreationTime": {"$sent": "from", "as": "unix"}},
        "'/minCreationTime': must be a string",
    ),
    "a value": (
        "bigquery",
        "query",
        {"projectId": "p", "projection": "all"},
        "'/projection': 'all' is not one of",
    ),
    "no input": (
        "gitlab",
        "createIssue",
        {"id": {"$input": "/project"}},
        "the input '/project' of 'createIssue'",
    ),
}


@pytest.mark.parametrize("name", _SLIPS)
def test_a_marker_where_nothing_takes_it_is_told(name: str) -> None:
    """It would never reach the provider, or the provider would refuse each call."""
    key, action, members, told = _SLIPS[name]
    changed = json.loads(json.dumps(_MANIFESTS[key]))
    _row(changed, action).update(members)
    [fault] = unfit_looks(changed)
    assert told in fault


@pytest.mark.parametrize("name", _LOOKS)
def test_a_look_that_its_read_would_refuse_is_told(name: str) -> None:
    """It would fail each time, and the doubt would stay."""
    key, action, inputs, told = _LOOKS[name]
    changed = json.loads(json.dumps(_MANIFESTS[key]))
    _row(changed, action)["evidence"][0]["inputs"] = inputs
    [fault] = unfit_looks(changed)
    assert told in fault


def test_a_marker_within_a_text_is_not_equal_to_that() -> None:
    """Such a look finds nothing, each time."""
    changed = json.loads(json.dumps(_MANIFESTS["gitlab"]))
    _row(changed, "createIssue")["evidence"][0]["match"] = [
        {"at": "/description", "is": {"$marker": {}}}
    ]
    [fault] = unfit_looks(changed)
    assert (
        "compares '/description' with the marker alone, which is appended to a text there: "
        "'contains' finds it"
    ) in fault


def test_a_canary_that_its_read_would_refuse_is_told() -> None:
    """Without it, nothing that is not found proves anything."""
    one = {
        "key": "own",
        "action": "get",
        "inputs": {"id": {"$marker": {}}},
        "match": [],
        "canary": {"action": "get"},
    }
    read = {
        "key": "get",
        "effect": "read",
        "inputs": {"properties": {"id": {"type": "string"}}, "required": ["id"]},
        "output": {},
    }
    rows = [{"key": "make", "inputs": {"properties": {}}, "evidence": [one]}, read]
    assert list(unfit_looks({"actions": rows})) == [
        "evidence 'own' of 'make' does not give 'get' the input 'id', which it requires"
    ]
