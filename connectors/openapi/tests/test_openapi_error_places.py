"""Where a refusal has its code, its message and its reason: in several members, in a header field, or in its status alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jackfield.testing import Answer, Provider
from openapi_rig import document, generate, installed, operation

_ERRORS = {
    "code": ["/errors/0/code", "/code"],
    "messageHeader": "X-Reason",
    "failed": {"member": "/status", "equals": "error"},
    "rows": [
        {"status": 429, "when": {"header": "X-Limit-Kind", "equals": "day"}, "error": "quota_exceeded"},
        {"codes": ["gone"], "error": "not_found"},
    ],
}
_ITEMS = {"type": "object", "properties": {"data": {"type": "array", "items": {}}}}
_PAGES = {"kind": "page", "input": "page", "items": "/data", "cuts": [400]}
_PARAMETERS = [{"name": "page", "in": "query", "schema": {"type": "integer"}}]
_SOURCE = document(
    {
        "/thing": {"get": operation(operationId="getThing", **{"x-jackfield": {"failed": {"status": 204, "absent": True}}})},
        "/things": {
            "get": operation(
                operationId="listThings",
                parameters=_PARAMETERS,
                responses={"200": {"description": "ok", "content": {"application/json": {"schema": _ITEMS}}}},
                **{"x-jackfield": {"pagination": _PAGES}},
            ),
        },
    },
    **{"x-jackfield": {"errors": _ERRORS}},
)


def _called(folder: Path, answers: list[Answer], action: str = "getThing", **inputs: Any) -> Any:
    with Provider(answers) as provider, installed(folder, generate(folder, _SOURCE), {"server": provider.url}) as jackfield:
        asked = {"connector": "acme", "action": action, "connection": "main", "inputs": inputs, "timeoutSeconds": 5}
        return jackfield.invoke(asked).to_json()


@pytest.mark.parametrize(
    ("answer", "code", "said", "message"),
    [
        (Answer({"errors": [{"code": "gone"}], "code": "other"}, 400), "not_found", "gone", "gone"),
        (Answer({"code": "gone"}, 400), "not_found", "gone", "gone"),
        (Answer(None, 400, {"X-Reason": "No such employee"}, content=b""), "rejected", None, "No such employee"),
        (Answer({"message": "of the body"}, 400, {"X-Reason": "of the field"}), "rejected", None, "of the body"),
        (
            Answer({"slug": ["is taken", "is short"], "name": ["is missing"]}, 400),
            "rejected",
            None,
            "slug: is taken; slug: is short; name: is missing",
        ),
        (
            Answer({"errors": {"subdomain": ["must be unique"], "plan": "is unknown"}}, 422),
            "rejected",
            None,
            "subdomain: must be unique; plan: is unknown",
        ),
        (Answer({"id": "7", "tags": ["a"]}, 400), "rejected", None, "status 400"),
        (Answer({}, 429, {"X-Limit-Kind": "day"}), "quota_exceeded", None, None),
        (Answer({}, 429, {"X-Limit-Kind": "minute", "Retry-After": "60"}), "rate_limited", None, None),
        (Answer({"X-Limit-Kind": "day"}, 429, {"Retry-After": "60"}), "rate_limited", None, None),
        (Answer({"status": "error", "code": "gone"}), "not_found", "gone", "gone"),
        (Answer(status=204), "not_found", None, None),
    ],
)
def test_a_refusal_is_read_where_the_document_says(
    tmp_path: Path, answer: Answer, code: str, said: str | None, message: str | None
) -> None:
    """The first place of the code that is there counts; a header field gives the message that the body lacks, or the kind of a limit."""
    error = _called(tmp_path, [answer])["error"]
    assert (error["code"], error["provider"].get("code") if "provider" in error else None) == (code, said)
    assert message is None or error["message"].endswith((f": {message}", f"with {message}"))


def test_an_expected_end_of_a_list_is_judged_by_its_status(tmp_path: Path) -> None:
    """A later page's refusal that ends the list has the form of a failure, too: what was read is kept."""
    end = Answer({"status": "error", "code": "PAGE_LIMIT"}, 400)
    result = _called(tmp_path, [Answer({"data": [1]}), end], "listThings", fetchAll=True)
    assert (result["status"], result["output"]["data"], result["meta"]["complete"]) == ("succeeded", [1], False)
