"""What a success says of the whole call: that it failed, that something beside it failed, or that
the work goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield.connector import InvalidInput
from jackfield.testing import Answer, Provider
from jackfield_http.conditions import listed
from jackfield_openapi.shelf.services import read_service
from shelved import answered, manifest_of, put, running, services

Json = dict[str, Any]


def _rules() -> Iterator[Any]:
    """Yield each rule of an action, and that of a file with the file's first action, with each of
    its values.
    """
    for key in services():
        manifest = manifest_of(key)
        shared = listed(manifest["http"].get("errors", {}).get("failed", []))
        for row in manifest["actions"]:
            for rule in [*listed(row["http"].get("failed", [])), *shared]:
                if "items" not in rule:
                    values = rule.get(
                        "equals", "another" if "unless" in rule else rule.get("contains", True)
                    )
                    yield from (
                        pytest.param(key, row, rule, one, id=f"{key}-{row['key']}-{one}")
                        for one in listed(values)
                    )
            shared = []


_RULES = [*_rules()]
assert len(_RULES) > 50


def _said(key: str, row: Json, rule: Json, value: Any) -> Answer:
    """Return the answer of which a rule tells, among the members of a success."""
    body: Json = {}
    if "member" in rule:
        put(body, rule["member"], f"It {value}." if "contains" in rule else value)
        for name in {"code", "message"} & rule.keys():
            if not rule[name].startswith(rule["member"]):
                put(body, rule[name], "why")
    if rule.get("status", 200) < 300:
        body = answered(key, row, body)
    return Answer(
        body, rule.get("status", 200), {rule["header"]: str(value)} if "header" in rule else {}
    )


@pytest.mark.parametrize(("key", "row", "rule", "value"), _RULES)
def test_a_success_counts_as_what_it_says(
    tmp_path: Path, key: str, row: Json, rule: Json, value: Any
) -> None:
    """What failed is no success, what failed beside it is a warning, and what goes on is a warning
    of a change and no result of a read.
    """
    asked = row["examples"][0]["invocation"]["inputs"]
    call = {
        "connector": key,
        "action": row["key"],
        "connection": "main",
        "inputs": asked,
        "timeoutSeconds": 1,
    }
    with (
        Provider(lambda _number, _request: _said(key, row, rule, value)) as provider,
        running(tmp_path, key, provider.url) as jackfield,
    ):
        result = jackfield.invoke(call).to_json()
    if "pending" in rule and row["effect"] == "read":
        assert (result["error"]["code"], result["error"]["retryable"]) == ("timeout", True)
        assert not result["meta"].get("complete")
    elif "pending" in rule or "onlyWarns" in rule:
        word = (
            "nothing to do"
            if "member" not in rule and "onlyWarns" in rule
            else "goes on"
            if "pending" in rule
            else "lacks something"
            if row["effect"] == "read"
            else "in part"
        )
        said = [
            one["message"]
            for one in result["meta"]["warnings"]
            if "differs from the schema" not in one["message"]
        ]
        assert (result["status"], [word in one for one in said]) == ("succeeded", [True])
    else:
        assert result["status"] in ("failed", "in_doubt"), result
        assert (
            not ("message" in rule and not rule["message"].startswith(rule["member"]))
            or "why" in result["error"]["message"]
        )


def test_a_result_that_is_not_ready_is_waited_for(tmp_path: Path) -> None:
    """The rows of a query that still runs are no empty list: they are asked for again."""
    asked = {"projectId": "p", "jobId": "j", "fetchAll": True}
    call = {
        "connector": "bigquery",
        "action": "getQueryResults",
        "connection": "main",
        "inputs": asked,
    }
    answers = [Answer({"jobComplete": False}), Answer({"jobComplete": True, "rows": [{"f": []}]})]
    with Provider(answers) as provider, running(tmp_path, "bigquery", provider.url) as jackfield:
        result = jackfield.invoke(call)
    assert (result.meta.complete, len((result.output or {})["rows"])) == (True, 1)


def test_the_rules_of_an_action_and_of_its_file_both_count(tmp_path: Path) -> None:
    """Postmark refuses a mail although the action also has a rule of its own, which only warns."""
    body = {"ErrorCode": 406, "Message": "It will not deliver."}
    row = next(one for one in manifest_of("postmark")["actions"] if one["key"] == "sendEmail")
    call = {
        "connector": "postmark",
        "action": "sendEmail",
        "connection": "main",
        "inputs": row["examples"][0]["invocation"]["inputs"],
    }
    with (
        Provider([Answer(body)]) as provider,
        running(tmp_path, "postmark", provider.url) as jackfield,
    ):
        assert jackfield.invoke(call).status == "failed"


@pytest.mark.parametrize("code", ["internalServerError", "serviceUnavailable", "gatewayTimeout"])
def test_a_failure_of_the_server_within_a_success_is_no_refusal(tmp_path: Path, code: str) -> None:
    """Excel failed on its way, which may be after the change: it is sent once, and nobody is told
    that nothing was done.
    """
    row = next(one for one in manifest_of("excel")["actions"] if one["key"] == "addRows")
    call = {
        "connector": "excel",
        "action": "addRows",
        "connection": "main",
        "inputs": row["examples"][0]["invocation"]["inputs"],
    }
    body = {"status": "failed", "error": {"code": code, "message": "It failed."}}
    with (
        Provider(lambda _number, _request: Answer(body)) as provider,
        running(tmp_path, "excel", provider.url) as jackfield,
    ):
        assert (jackfield.invoke(call).status, len(provider.requests)) == ("in_doubt", 1)


def test_a_file_that_was_shared_without_a_word_is_shared(tmp_path: Path) -> None:
    """Drive refuses with 400 where only the e-mail was not sent, and says so in the first of its
    errors alone.
    """
    one = {
        "reason": "invalidSharingRequest",
        "message": "The items were successfully shared but e-mails could not be sent.",
    }
    body = {"error": {"errors": [one], "code": 400, "message": "Bad Request"}}
    asked = {"fileId": "f", "role": "reader", "type": "user", "emailAddress": "ada@acme.example"}
    call = {
        "connector": "google-drive",
        "action": "shareFile",
        "connection": "main",
        "inputs": asked,
    }
    with (
        Provider([Answer(body, 400)]) as provider,
        running(tmp_path, "google-drive", provider.url) as jackfield,
    ):
        result = jackfield.invoke(call).to_json()
    assert (
        result["status"],
        ["in part" in one["message"] for one in result["meta"]["warnings"]],
    ) == ("succeeded", [True])


_SERVICE = """openapi: 3.1.0
info: {title: Acme, version: '1'}
servers: [{url: 'https://api.acme.example'}]
x-shelf: {key: acme, docs: 'https://acme.example', tasks: {}, signIns: {token: {kind: bearer}}, errors: ERRORS}
paths:
  /things/{id}:
    delete:
      operationId: deleteThing
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'200': {description: x, content: {application/json: {schema: {type: object, properties: {NAME: {type: boolean}}}}}}}
"""


@pytest.mark.parametrize(
    ("name", "errors", "own", "reason"),
    [
        ("deleted", "{}", "", "'deleteThing' answers 'deleted'"),
        ("ok", "{}", "", "answers 'ok'"),
        ("archived", "{}", "", None),
        ("deleted", "{}", "x-jackfield: {failed: {member: /deleted, equals: false}}", None),
        ("success", "{failed: [{member: /success, equals: false}]}", "", None),
        (
            "deleted",
            "{}",
            "x-jackfield: {failed: [{member: /gone, equals: false}]}",
            "names '/gone'",
        ),
    ],
)
def test_the_format_asks_what_false_means(
    tmp_path: Path, name: str, errors: str, own: str, reason: str | None
) -> None:
    """A change whose answer has a boolean that says whether it was made needs a rule for false."""
    file = tmp_path / "acme.yaml"
    shared: dict[str, Json] = {one: {} for one in ("sign-ins", "errors", "paging", "sources.lock")}
    file.write_text(_SERVICE.replace("ERRORS", errors).replace("NAME", name) + f"      {own}\n")
    if reason is None:
        assert read_service(file, shared).key == "acme"
        return
    with pytest.raises(InvalidInput, match=reason):
        read_service(file, shared)


@pytest.mark.parametrize(
    ("key", "action", "status", "code"),
    [
        ("jira", "createIssue", 201, "in_doubt"),
        ("jira", "updateIssue", 204, "in_doubt"),
        ("jira", "updateIssue", 404, "unauthenticated"),
        ("confluence", "createPage", 200, "in_doubt"),
    ],
)
def test_a_change_that_was_made_for_a_stranger_is_not_refused(
    tmp_path: Path, key: str, action: str, status: int, code: str
) -> None:
    """The token has ended, and the site lets strangers do it: the status says that it was done, the
    header field for whom.
    """
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    call = {
        "connector": key,
        "action": action,
        "connection": "main",
        "inputs": row["examples"][0]["invocation"]["inputs"],
    }
    answer = Answer(
        {"id": "1"} if status != 204 else None,
        status,
        {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"},
    )
    with Provider(answer) as provider, running(tmp_path, key, provider.url) as jackfield:
        result = jackfield.invoke(call).to_json()
    assert (result["error"]["code"], len(provider.requests)) == (code, 1)


@pytest.mark.parametrize(
    ("key", "action", "body", "status"),
    [
        ("asana", "createTask", {"errors": [{"message": "bad"}]}, "in_doubt"),
        ("todoist", "createTask", {"error": "bad", "error_tag": "X", "http_code": 400}, "in_doubt"),
        (
            "google-sheets",
            "updateValues",
            {"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}},
            "failed",
        ),
        ("google-sheets", "getValues", {"error": {"code": 400, "message": "bad"}}, "failed"),
        ("asana", "createTask", {"errors": [], "data": {"gid": "1"}}, "succeeded"),
        (
            "asana",
            "createTask",
            {"errors": [{"message": "bad"}], "data": {"gid": "1"}},
            "succeeded",
        ),
    ],
)
def test_a_body_that_is_an_error_is_no_success(
    tmp_path: Path, key: str, action: str, body: Json, status: str
) -> None:
    """No file has a rule for an error with status 200: what the body says is told, once, and a
    change may have been made.
    """
    row = next(one for one in manifest_of(key)["actions"] if one["key"] == action)
    call = {
        "connector": key,
        "action": action,
        "connection": "main",
        "inputs": row["examples"][0]["invocation"]["inputs"],
    }
    with (
        Provider(lambda _number, _request: Answer(body)) as provider,
        running(tmp_path, key, provider.url) as jackfield,
    ):
        result = jackfield.invoke(call).to_json()
    assert (result["status"], len(provider.requests)) == (status, 1)
    assert status == "succeeded" or "bad" in result["error"]["message"]
