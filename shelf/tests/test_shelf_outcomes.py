"""Answers with an outcome for each item: what the provider refused is no success, and what it did
of it is no failure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jackfield.connector import InvalidInput
from jackfield.testing import Answer, Provider
from jackfield_http.conditions import listed
from jackfield_openapi.shelf.services import read_service
from shelved import answered, manifest_of, put, running, services

Json = dict[str, Any]

_LATER = {"Retry-After": "60"}
"""Longer than the calls may take: what could be repeated ends at once."""
CODE, MESSAGE = "ITEM_REFUSED", "the item was refused"
_NAMES = ["a", "b"]


def _rule(row: Json) -> Json:
    """Return the rule of an action for an outcome of each item; empty without one."""
    return next((one for one in listed(row["http"].get("failed", [])) if "items" in one), {})


def _actions() -> Iterator[Any]:
    """Yield each action of the shelf whose answer has an outcome for each item."""
    for service in services().values():
        if '{"items": "' not in json.dumps(service.document["paths"], default=str):
            continue  # what is not built costs nothing
        for row in manifest_of(service.key)["actions"]:
            if _rule(row):
                yield pytest.param(service.key, row, id=f"{service.key}-{row['key']}")


_ACTIONS = [*_actions()]


def _tells_of_all(failed: Json) -> bool:
    """Return whether an answer says that nothing took effect."""
    return "onlyWarns" not in failed and bool(failed.keys() & {"member", "beside", "index"})


def _code(failed: Json) -> str:
    """Return the provider's code of a refused item, which may be the member by which it is
    refused.
    """
    return (
        str(listed(failed["equals"])[0])
        if "equals" in failed and failed.get("code") == failed["member"]
        else CODE
    )


def _item(failed: Json, *, refused: bool, number: int) -> Json | str | None:
    """Return an item as the provider has it, with its own code and message in their places."""
    found: Json = {}
    if refused:
        if "member" in failed and failed["member"] != failed.get("message"):
            if failed["member"] == "":
                return None
            if "equals" in failed or failed["member"] not in "".join(
                str(failed.get(name, "")) for name in ("code", "message")
            ):
                put(found, failed["member"], listed(failed.get("equals", True))[0])
        for name, value in (
            ("code", _code(failed)),
            ("message", MESSAGE),
            ("field", "aField"),
            ("index", number),
        ):
            if name in failed:
                put(found, failed[name], value)
        return found or MESSAGE
    if "named" in failed:
        put(found, failed["named"], _NAMES[number])
        return found
    return {"id": str(number)}


def _body(failed: Json, refused: list[bool]) -> Any:
    """Return the answer to a call with as many items."""
    # a list of what was done only, or of refusals only
    done, alone = "named" in failed, "member" not in failed
    shown = [
        number for number, bad in enumerate(refused) if (not bad if done else bad or not alone)
    ]
    rows = [_item(failed, refused=refused[number], number=number) for number in shown]
    things: Any = (
        {f"k{number}": row for number, row in enumerate(rows)}
        if failed["items"] in ("/results", "/calendars", "/images", "/nodes")
        else rows
    )
    if failed["items"] == "":
        return things
    body: Json = {}
    put(body, failed["items"], things)
    if "beside" in failed:
        put(body, failed["beside"], [{"id": "1"} for bad in refused if not bad])
    return body


def _inputs(row: Json, count: int) -> Json:
    inputs: Json = dict(row["examples"][0]["invocation"]["inputs"])
    place = _rule(row).get("input")
    if place is not None:
        textual = row["inputs"]["properties"][place[1:]]["items"].get("type") == "string"
        inputs[place[1:]] = (
            _NAMES[:count] if textual else [{"id": str(number)} for number in range(count)]
        )
    return inputs


def _called(
    tmp_path: Path, key: str, row: Json, answer: Answer, count: int = 2, **options: Any
) -> Json:
    with (
        Provider(lambda _number, _request: answer) as provider,
        running(tmp_path, key, provider.url) as jackfield,
    ):
        result = jackfield.invoke(
            {
                "connector": key,
                "action": row["key"],
                "connection": "main",
                "inputs": _inputs(row, count),
                **options,
            }
        )
        found: Json = result.to_json()
        return found


@pytest.mark.parametrize(
    ("key", "row"), [one for one in _ACTIONS if _tells_of_all(_rule(one.values[1]))]
)
def test_items_that_are_all_refused_are_a_refusal(tmp_path: Path, key: str, row: Json) -> None:
    """A success status whose items were all refused is ``rejected``, with the provider's code and
    message and a detail for each item.
    """
    failed = _rule(row)
    found = _called(tmp_path, key, row, Answer(_body(failed, [True, True])))
    assert (found["status"], found["error"]["code"]) == ("failed", "rejected")
    assert found["error"]["provider"].get("code") == (_code(failed) if "code" in failed else None)
    assert MESSAGE in found["error"]["message"] or "message" not in failed
    places = [one["path"] for one in found["error"]["details"]]
    assert len(places) == 2
    if "input" in failed:
        assert [place.rpartition("/aField")[0] or place for place in places] == [
            f"{failed['input']}/0",
            f"{failed['input']}/1",
        ]


def _shows_less(row: Json) -> bool:
    """Return whether an action reads, and its items say what of them is not shown."""
    return row["effect"] == "read" and "onlyWarns" in _rule(row)


@pytest.mark.parametrize(
    ("key", "row"), [one for one in _ACTIONS if not _shows_less(one.values[1])]
)
def test_items_of_which_some_are_refused_are_warned_of(tmp_path: Path, key: str, row: Json) -> None:
    """What the provider did of a request is a success, with the refused items as a warning;
    ``partial: fail`` makes it a failure.
    """
    failed = _rule(row)
    answer = Answer(_body(failed, [False, True]))
    found = _called(tmp_path / "a", key, row, answer)
    assert found["status"] == "succeeded", found
    warned = [one for one in found["meta"]["warnings"] if one.get("code") == "partial"]
    assert [one["failed"] for one in warned] == [1]
    assert _code(failed) in warned[0]["entries"][0]["message"] or "code" not in failed
    if "input" in failed:
        assert warned[0]["entries"][0]["input"].startswith(f"{failed['input']}/1")
    strict = _called(tmp_path / "b", key, row, answer, partial="fail")
    assert (strict["status"], strict["error"]["code"]) == ("failed", "rejected")


@pytest.mark.parametrize(("key", "row"), [one for one in _ACTIONS if _shows_less(one.values[1])])
def test_items_that_are_shown_in_part_are_warned_of(tmp_path: Path, key: str, row: Json) -> None:
    """Nothing was refused: the read succeeds, and a warning says at which of the items something is
    missing.
    """
    found = _called(tmp_path, key, row, Answer(_body(_rule(row), [False, True])))
    assert (
        found["status"],
        found["meta"]["warnings"][0]["message"].startswith("the answer lacks something at"),
    ) == ("succeeded", True)


@pytest.mark.parametrize(("key", "row"), _ACTIONS)
def test_items_that_are_all_carried_out_are_a_success(tmp_path: Path, key: str, row: Json) -> None:
    """Without a refused item there is no warning of one."""
    found = _called(tmp_path, key, row, Answer(_body(_rule(row), [False, False])))
    assert found["status"] == "succeeded", found
    assert not [one for one in found["meta"].get("warnings", ()) if one.get("code") == "partial"]


_BLOCKED: Mapping[str, Any] = {
    "block_users": {
        "added_users": [{"input": "+431"}],
        "failed_users": [
            {"input": "+432", "errors": [{"message": "Re-engagement required", "code": 131047}]}
        ],
    },
    "error": {
        "message": "(#139100) Failed to block/unblock users",
        "type": "OAuthException",
        "code": 139100,
    },
}


_QUERIED: Mapping[str, Any] = {
    "A": {"frames": [], "status": 200},
    "B": {"error": "bad query", "errorSource": "plugin", "status": 400},
}


@pytest.mark.parametrize(
    ("key", "body", "told"),
    [
        ("whatsapp", _BLOCKED, ("succeeded", None)),
        (
            "whatsapp",
            {**_BLOCKED, "block_users": {**_BLOCKED["block_users"], "added_users": []}},
            ("failed", "131047"),
        ),
        (
            "whatsapp",
            {"error": {"message": "(#100) Invalid parameter", "code": 100}},
            ("failed", "100"),
        ),
        ("grafana", {"results": _QUERIED}, ("succeeded", None)),
        ("grafana", {"results": {"B": _QUERIED["B"]}}, ("failed", "plugin")),
        ("grafana", {"message": "bad request data"}, ("failed", None)),
        (
            "mailjet",
            {
                "Messages": [
                    {"Status": "success"},
                    {"Status": "error", "Errors": [{"ErrorCode": "mj-0013"}]},
                ]
            },
            ("succeeded", None),
        ),
        (
            "mailjet",
            {"Messages": [{"Status": "error", "Errors": [{"ErrorCode": "mj-0013"}]}] * 2},
            ("failed", "mj-0013"),
        ),
    ],
)
def test_a_refusal_of_some_items_is_none_of_the_others(
    tmp_path: Path, key: str, body: Json, told: tuple[str, str | None]
) -> None:
    """WhatsApp answers 400 if it has not blocked all, Grafana and Mailjet if one of several fails:
    the others were carried out.
    """
    row = next(one for one in manifest_of(key)["actions"] if _rule(one).get("mixed"))
    found = _called(tmp_path, key, row, Answer(body, 400))
    assert (found["status"], found.get("error", {}).get("provider", {}).get("code")) == told


def _fault(code: str, kind: str = "ValidationFault") -> Json:
    """Return an answer of QuickBooks that tells of two errors."""
    errors = [
        {"Message": "Invalid", "Detail": "An ID", "code": code},
        {"Message": "Missing", "Detail": "A name", "code": "2020"},
    ]
    return {"Fault": {"Error": errors, "type": kind}, "time": "t"}


@pytest.mark.parametrize(
    ("key", "action", "body"),
    [
        (
            "cloudflare",
            "createRecord",
            {
                "success": False,
                "errors": [{"code": 9005, "message": "Content is not valid"}],
                "result": None,
            },
        ),
        (
            "openai",
            "createResponse",
            {
                "id": "r",
                "status": "failed",
                "error": {"code": "invalid_prompt", "message": "no"},
                "output": [],
            },
        ),
        ("gemini", "generateContent", {"promptFeedback": {"blockReason": "SAFETY"}}),
        ("gemini", "generateContent", {"candidates": [{"finishReason": "RECITATION", "index": 0}]}),
        (
            "linear",
            "createIssue",
            {"data": {"issueCreate": {"success": False, "issue": {"id": "1"}}}},
        ),
        (
            "telegram",
            "sendMessage",
            {"ok": False, "error_code": 400, "description": "message text is empty"},
        ),
        ("quickbooks", "createInvoice", _fault("2500")),
        ("quickbooks", "updateCustomer", _fault("2010")),
        ("quickbooks", "query", _fault("4000")),
        ("pipedrive", "createDeal", {"success": False, "error": "No such pipeline"}),
        ("whatsapp", "updateProfile", {"success": False}),
        (
            "salesforce",
            "createRecord",
            {"id": "1", "success": False, "errors": [{"message": "No"}]},
        ),
        (
            "salesforce",
            "upsertRecord",
            {"success": False, "errors": [{"errorCode": "X", "message": "No"}]},
        ),
        (
            "xero",
            "createInvoice",
            {
                "Invoices": [
                    {"StatusAttributeString": "ERROR", "ValidationErrors": [{"Message": "No"}]}
                ]
            },
        ),
        ("perplexity", "createRequest", {"id": "1", "status": "FAILED", "error_message": "No"}),
        (
            "zoho-crm",
            "createNote",
            {"code": "MANDATORY_NOT_FOUND", "message": "No", "status": "error"},
        ),
        ("postmark", "sendEmail", {"ErrorCode": 300, "Message": "Invalid 'From' address"}),
        (
            "chargebee",
            "collectPayment",
            {"transaction": {"status": "failure", "error_text": "Declined"}},
        ),
        ("paypal", "captureOrder", {"status": "PAYER_ACTION_REQUIRED"}),
        (
            "jotform",
            "createSubmission",
            {"responseCode": 400, "message": "Invalid question", "content": ""},
        ),
    ],
)
def test_a_success_that_says_that_it_is_none_is_a_refusal(
    tmp_path: Path, key: str, action: str, body: Json
) -> None:
    """Where the body says of the whole that it failed, the status does not matter."""
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    with (
        Provider(lambda _number, _request: Answer(body)) as provider,
        running(tmp_path, key, provider.url) as jackfield,
    ):
        inputs = row["examples"][0]["invocation"]["inputs"]
        result = jackfield.invoke(
            {"connector": key, "action": action, "connection": "main", "inputs": inputs}
        )
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.code == "rejected"


_DROPBOX: dict[str, tuple[str, str, str]] = {
    "to/conflict/file": ("moveFile", "failed", "conflict"),
    "from_lookup/not_found": ("copyFile", "failed", "not_found"),
    "path/conflict/folder": ("createFolder", "failed", "conflict"),
    "path_lookup/not_found": ("deleteFile", "failed", "not_found"),
    "shared_link_already_exists/metadata": ("createSharedLink", "failed", "conflict"),
    "path_write/insufficient_space": ("createFolder", "failed", "quota_exceeded"),
    "path/malformed_path": ("createFolder", "failed", "rejected"),
    "to/too_many_write_operations": ("moveFile", "failed", "rate_limited"),
    "path/too_many_write_operations": ("createFolder", "failed", "rate_limited"),
    "internal_error": ("moveFile", "in_doubt", "in_doubt"),
    "internal_error/": ("copyFile", "in_doubt", "in_doubt"),
}


@pytest.mark.parametrize("words", _DROPBOX)
def test_a_tag_within_a_tag_counts(tmp_path: Path, words: str) -> None:
    """Dropbox says in its summary what the first tag leaves open: another path may help, another
    time, or nobody knows what was done.
    """
    action, *told = _DROPBOX[words]
    tag = words.partition("/")[0]
    answer = Answer(
        {
            "error_summary": f"{words}/..",
            "error": {".tag": tag, tag: {".tag": words.rpartition("/")[2]}},
        },
        409,
        _LATER,
    )
    row = next(one for one in manifest_of("dropbox")["actions"] if one["key"] == action)
    found = _called(tmp_path, "dropbox", row, answer)
    assert [found["status"], found["error"]["code"]] == told


@pytest.mark.parametrize(
    ("key", "action", "body", "words"),
    [
        ("quickbooks", "createInvoice", _fault("2500"), ["Invalid", "An ID", "Missing", "A name"]),
        (
            "reddit",
            "createPost",
            {"json": {"errors": [["NO_TEXT", "No text", "title"], ["NO_SR", "No place", "sr"]]}},
            ["No text", "No place"],
        ),
        (
            "monday",
            "createItem",
            {"errors": [{"message": "One", "extensions": {"code": "X"}}, {"message": "Two"}]},
            ["One", "Two"],
        ),
        (
            "cloudflare",
            "createRecord",
            {"success": False, "errors": [{"message": "One"}, {"message": "Two"}]},
            ["One", "Two"],
        ),
    ],
)
def test_all_errors_of_a_refusal_are_told(
    tmp_path: Path, key: str, action: str, body: Json, words: list[str]
) -> None:
    """Who corrects the first one need not call again to read of the second one."""
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    assert _called(tmp_path, key, row, Answer(body))["error"]["provider"]["message"] == "; ".join(
        words
    )


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("rate_limit_exceeded", "rate_limited"),
        ("server_error", "unavailable"),
        ("other", "rejected"),
    ],
)
def test_an_answer_that_failed_says_why(tmp_path: Path, code: str, told: str) -> None:
    """OpenAI tells in a success of a limit, or of a failure of its own: what may help later is no
    fault of the request.
    """
    row = next(one for one in manifest_of("openai")["actions"] if one["key"] == "createResponse")
    found = _called(
        tmp_path,
        "openai",
        row,
        Answer({"status": "failed", "error": {"code": code, "message": "x"}}, 200, _LATER),
        timeoutSeconds=9,
    )
    assert (found["status"], found["error"]["code"]) == ("failed", told)


@pytest.mark.parametrize(
    ("key", "action", "body"),
    [
        ("quickbooks", "createVendor", _fault("10000", "SystemFault")),
        ("chargebee", "refundInvoice", {"transaction": {"status": "needs_attention"}}),
        (
            "shopify",
            "createProduct",
            {
                "errors": [
                    {"message": "Internal error. Looks like something went wrong on our end."}
                ]
            },
        ),
        (
            "servicenow",
            "createIncident",
            {
                "error": {"message": "Transaction cancelled: maximum execution time exceeded"},
                "status": "failure",
            },
        ),
    ],
)
def test_a_fault_of_the_system_leaves_a_doubt(
    tmp_path: Path, key: str, action: str, body: Json
) -> None:
    """The provider failed on its own side, and says so in a success: what was done is unknown."""
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    found = _called(tmp_path, key, row, Answer(body, 200, _LATER))
    assert (found["status"], found["error"]["code"]) == ("in_doubt", "in_doubt")


@pytest.mark.parametrize(
    ("key", "action", "body"),
    [
        (
            "monday",
            "createItem",
            {
                "errors": [
                    {
                        "message": "x",
                        "extensions": {
                            "code": "COMPLEXITY_BUDGET_EXHAUSTED",
                            "retry_in_seconds": 60,
                        },
                    }
                ]
            },
        ),
        (
            "monday",
            "createItem",
            {
                "errors": [
                    {
                        "message": "x",
                        "extensions": {
                            "code": "FIELD_LIMIT_EXCEEDED",
                            "error_data": {"retry_in_seconds": 60},
                            "status_code": 429,
                        },
                    },
                ]
            },
        ),
        (
            "reddit",
            "createComment",
            {"json": {"ratelimit": 60.0, "errors": [["RATELIMIT", "Take a break", "ratelimit"]]}},
        ),
    ],
)
def test_a_wait_within_a_success_counts(tmp_path: Path, key: str, action: str, body: Json) -> None:
    """The provider names the seconds in the body."""
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    found = _called(tmp_path, key, row, Answer(body), timeoutSeconds=20)
    assert (found["error"]["code"], found["error"]["retryAfterSeconds"]) == (
        "rate_limited",
        pytest.approx(60, abs=2),
    )


_FIRST: Mapping[str, tuple[str, Any, Json]] = {
    "wordpress": ("listPosts", [{"id": 1}], {}),
    "nocodb": (
        "listRecords",
        {"list": [{"Id": 1}], "pageInfo": {"isLastPage": False}},
        {"tableId": "t"},
    ),
}
"""By service, a list, its first page and its inputs."""


@pytest.mark.parametrize(
    ("key", "refusal", "told"),
    [
        (
            "wordpress",
            Answer({"code": "rest_post_invalid_page_number", "message": "no such page"}, 400),
            ("succeeded", True),
        ),
        (
            "wordpress",
            Answer({"code": "rest_invalid_param", "message": "x"}, 400),
            ("failed", None),
        ),
        (
            "wordpress",
            Answer("<html>Blocked</html>", 400, headers={"Content-Type": "text/html"}),
            ("failed", None),
        ),
        ("wordpress", Answer(None, 400), ("failed", None)),
        (
            "nocodb",
            Answer(
                {"error": "ERR_INVALID_OFFSET_VALUE", "msg": "Offset value '1' is invalid"}, 422
            ),
            ("succeeded", True),
        ),
        (
            "nocodb",
            Answer({"error": "ERR_FIELD_NOT_FOUND", "msg": "Field 'x' not found"}, 422),
            ("failed", None),
        ),
    ],
)
def test_a_list_ends_by_the_code_of_its_provider(
    tmp_path: Path, key: str, refusal: Answer, told: tuple[str, bool | None]
) -> None:
    """A code says that there is no such page; what else is answered with the same status ends
    nothing.
    """
    action, first, inputs = _FIRST[key]
    pages = [Answer(first), refusal]
    with (
        Provider(lambda number, _request: pages[min(number, 2) - 1]) as provider,
        running(tmp_path, key, provider.url) as jackfield,
    ):
        asked = {**inputs, "fetchAll": True}
        result = jackfield.invoke(
            {"connector": key, "action": action, "connection": "main", "inputs": asked}
        )
    assert (result.status, result.meta.complete if result.status == "succeeded" else None) == told


_ROWS: Json = {"rows": [{"a": 1}], "rowCount": 1}


@pytest.mark.parametrize(
    ("key", "action", "body", "told"),
    [
        (
            "bamboohr",
            "getReport",
            {"data": [{"a": 1}], "pagination": {"total_pages": 1, "next_page": None}},
            (True, 1),
        ),
        ("google-analytics", "runReport", _ROWS, (True, 1)),
        (
            "google-analytics",
            "runReport",
            {**_ROWS, "metadata": {"dataLossFromOtherRow": True}},
            (False, 1),
        ),
        ("brevo", "listEmails", {"count": 0}, (True, 1)),
        (
            "datadog",
            "searchLogs",
            {"data": [], "meta": {"warnings": [{"title": "An index is missing"}]}},
            (False, 1),
        ),
    ],
)
def test_a_list_that_says_that_it_ends_is_not_asked_again(
    tmp_path: Path, key: str, action: str, body: Json, told: tuple[bool, int]
) -> None:
    """A further page would be the last one once more, or would have no list; what lacks items is
    never complete.
    """
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    with Provider(Answer(body)) as provider, running(tmp_path, key, provider.url) as jackfield:
        inputs = {**row["examples"][0]["invocation"]["inputs"], "fetchAll": True}
        result = jackfield.invoke(
            {"connector": key, "action": action, "connection": "main", "inputs": inputs}
        )
    assert (result.status, result.meta.complete, len(provider.requests)) == ("succeeded", *told)


@pytest.mark.parametrize(
    ("key", "action", "status", "body"),
    [
        (
            "anthropic",
            "createMessage",
            529,
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ),
        ("baserow", "createRow", 409, {"error": "ERROR_DATABASE_DEADLOCK", "detail": "Try again"}),
        ("deepl", "createGlossary", 529, {"message": "Too many requests"}),
        (
            "mailgun",
            "sendMessage",
            420,
            {"message": "recipient limit exceeded, try again after Wed, 22 Feb 2023 10:04:01 UTC"},
        ),
        (
            "openai",
            "createResponse",
            503,
            {
                "error": {
                    "message": "The engine is currently overloaded, please try again later",
                    "code": None,
                }
            },
        ),
        (
            "gemini",
            "generateContent",
            503,
            {
                "error": {
                    "code": 503,
                    "message": "The model is overloaded.",
                    "status": "UNAVAILABLE",
                }
            },
        ),
        (
            "discord",
            "sendMessage",
            403,
            {"message": "This feature has been temporarily disabled server-side", "code": 40006},
        ),
        (
            "outlook",
            "sendMail",
            509,
            {"error": {"code": "BandwidthLimitExceeded", "message": "Throttled"}},
        ),
        (
            "notion",
            "createPage",
            529,
            {"object": "error", "code": "service_overload", "message": "Overloaded"},
        ),
    ],
)
def test_a_refusal_under_load_is_sent_again(
    tmp_path: Path, key: str, action: str, status: int, body: Json
) -> None:
    """The provider says that it did nothing: a write is sent again, and none is in doubt."""
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    with (
        Provider([Answer(body, status), Answer(answered(key, row, {"id": "1"}))]) as provider,
        running(tmp_path, key, provider.url) as jackfield,
    ):
        inputs = row["examples"][0]["invocation"]["inputs"]
        result = jackfield.invoke(
            {"connector": key, "action": action, "connection": "main", "inputs": inputs}
        )
    assert (result.status, len(provider.requests)) == ("succeeded", 2)


@pytest.mark.parametrize("key", [*services()])
def test_no_list_is_ended_by_a_client_error_alone(key: str) -> None:
    """Each status that ends a list, and says many things, has the provider's codes beside it."""
    rows = [one["http"].get("paging", {}) for one in manifest_of(key)["actions"]]
    ends = [end for row in rows for end in row.get("ends", ())]
    assert all(end in (404, 410, 416) or end["codes"] for end in ends)


_SERVICE = """openapi: 3.1.0
info: {title: Acme, version: '1'}
servers: [{url: 'https://api.acme.example'}]
x-shelf: {key: acme, docs: 'https://acme.example', tasks: {}, signIns: {token: {kind: bearer}}}
components:
  schemas:
    Many: {type: array, items: {type: object}}
    Done: {type: object, properties: {done: {$ref: '#/components/schemas/Many'}, errors: {$ref: '#/components/schemas/Many'}}}
    Things: {type: object, properties: {things: {$ref: '#/components/schemas/Many'}}}
paths:
  /things:
    post:
      operationId: createThings
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Things'}}}}
      responses: {'200': {description: The answer., content: {application/json: {schema: {$ref: '#/components/schemas/Done'}}}}}
"""


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("", "'failed' with 'items'"),
        ("x-jackfield: {atomic: One transaction.}", None),
        ("x-jackfield: {failed: {items: /errors, beside: /done}}", None),
        ("x-jackfield: {failed: {items: /faults}}", "'/faults'"),
    ],
)
def test_the_format_asks_for_the_outcomes_of_a_list(
    tmp_path: Path, told: str, reason: str | None
) -> None:
    """A file whose action sends a list and answers one must say how refused items are told, or that
    there are none.
    """
    file = tmp_path / "acme.yaml"
    file.write_text(_SERVICE + (f"      {told}\n" if told else ""))
    if reason is None:
        assert (
            read_service(
                file, {name: {} for name in ("sign-ins", "errors", "paging", "sources.lock")}
            ).key
            == "acme"
        )
        return
    with pytest.raises(InvalidInput, match=reason):
        read_service(file, {name: {} for name in ("sign-ins", "errors", "paging", "sources.lock")})


def _storage(status: str, code: str) -> Answer:
    return Answer(
        {"statusCode": status, "code": code, "error": code, "message": "Please try again later."},
        400,
    )


@pytest.mark.parametrize(
    ("first", "is_earlier"),
    [
        ([], False),
        (["close"], True),
        (
            [
                Answer(
                    {"statusCode": "544", "error": "DatabaseTimeout", "message": "timed out"}, 544
                )
            ],
            True,
        ),
        ([_storage("503", "DatabaseReadOnly")], True),
        ([_storage("503", "S3Error")], True),
        ([_storage("503", "LockTimeout")], True),
        ([_storage("423", "ResourceLocked")], True),
    ],
)
def test_what_a_repeat_did_not_do_may_be_done(
    tmp_path: Path, first: list[Any], is_earlier: bool
) -> None:
    """Supabase deletes files in parts, and says 400 where one failed for its own reasons. The
    repeat deletes what is left, and the warning of what it did not delete says that an earlier
    attempt may have.
    """
    asked = {"bucket": "photos", "prefixes": _NAMES}
    with (
        Provider([*first, Answer([{"name": "b"}])]) as provider,
        running(tmp_path, "supabase", provider.url) as jackfield,
    ):
        result = jackfield.invoke(
            {
                "connector": "supabase",
                "action": "deleteFiles",
                "connection": "main",
                "inputs": asked,
            }
        )
    [warning] = result.meta.warnings
    assert (result.status, warning["code"], warning["failed"]) == ("succeeded", "partial", 1)
    assert ("an earlier attempt" in warning["message"]) == is_earlier
