"""Where a refusal has its code, its message and its reason: in several members, or in a header
field.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from jackfield.testing import Answer, Provider
from openapi_rig import document, generate, installed, operation

_ERRORS = {
    "code": ["/errors/0/code", "/code"],
    "messageHeader": "X-Reason",
    "failed": {"member": "/status", "equals": "error"},
    "rows": [
        {
            "status": 429,
            "when": {"header": "X-Limit-Kind", "equals": "day"},
            "error": "quota_exceeded",
        },
        {
            "status": 429,
            "when": {"header": "X-Left", "equals": ["0", "-1"]},
            "error": "quota_exceeded",
        },
        {"codes": ["gone"], "error": "not_found"},
    ],
}
_SOURCE = document(
    {"/thing": {"get": operation(operationId="getThing")}}, **{"x-jackfield": {"errors": _ERRORS}}
)


@pytest.mark.parametrize(
    ("answer", "code", "said", "message"),
    [
        (Answer({"errors": [{"code": "gone"}], "code": "other"}, 400), "not_found", "gone", "gone"),
        (Answer({"code": "gone"}, 400), "not_found", "gone", "gone"),
        (
            Answer(None, 400, {"X-Reason": "No such employee"}, content=b""),
            "rejected",
            None,
            "No such employee",
        ),
        (
            Answer({"message": "of the body"}, 400, {"X-Reason": "of the field"}),
            "rejected",
            None,
            "of the body",
        ),
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
        (
            Answer({}, 429, {"X-Limit-Kind": "minute", "Retry-After": "60"}),
            "rate_limited",
            None,
            None,
        ),
        (Answer({}, 429, {"x-left": "-1"}), "quota_exceeded", None, None),
        (Answer({}, 429, {"X-Left": "3", "Retry-After": "60"}), "rate_limited", None, None),
        (Answer({"X-Limit-Kind": "day"}, 429, {"Retry-After": "60"}), "rate_limited", None, None),
        (Answer({"status": "error", "code": "gone"}), "not_found", "gone", "gone"),
    ],
)
def test_a_refusal_is_read_where_the_document_says(
    tmp_path: Path, answer: Answer, code: str, said: str | None, message: str | None
) -> None:
    """The first place of the code that is there counts; a header field gives the message that the
    body lacks, or the kind of a limit.
    """
    with (
        Provider([answer]) as provider,
        installed(tmp_path, generate(tmp_path, _SOURCE), {"server": provider.url}) as jackfield,
    ):
        asked = {
            "connector": "acme",
            "action": "getThing",
            "connection": "main",
            "inputs": {},
            "timeoutSeconds": 5,
        }
        error = jackfield.invoke(asked).to_json()["error"]
    assert (error["code"], error["provider"].get("code") if "provider" in error else None) == (
        code,
        said,
    )
    assert message is None or error["message"].endswith((f": {message}", f"with {message}"))
