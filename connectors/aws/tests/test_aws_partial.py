"""``partial: "fail"``: what AWS carried out only in part is a failure that points to each entry that failed."""

from __future__ import annotations

from typing import Any

import pytest

from jackfield.testing import Answer
from virtual_calls import called


def _xml(text: str) -> Answer:
    return Answer(content=text.encode(), headers={"Content-Type": "text/xml"})


def _entries(count: int, *failed: int) -> list[dict[str, Any]]:
    return [{"Id": f"m{number}", "MessageBody": "x"} for number in range(count) if not failed or number in failed]


_FAILED = [{"Id": entry["Id"], "Code": "InternalError", "SenderFault": False, "Message": "Try."} for entry in _entries(10, 2, 5, 9)]


@pytest.mark.parametrize(
    ("action", "inputs", "answer", "details"),
    [
        ("sqs/sendMessageBatch", {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q", "Entries": _entries(10)},
         Answer({"Successful": [], "Failed": _FAILED}),
         [(f"/Failed/{place}", f"{entry['Id']}: InternalError: Try.") for place, entry in enumerate(_FAILED)]),
        ("kinesis/putRecords", {"StreamName": "s", "Records": [{"Data": "x", "PartitionKey": "1"}] * 3},
         Answer({"FailedRecordCount": 1, "Records": [{"SequenceNumber": "1"}, {"ErrorCode": "E", "ErrorMessage": "no"}, {}]}),
         [("/Records/1", "E: no")]),
        ("dynamodb/batchWriteItem", {"RequestItems": {"t": [{"DeleteRequest": {"Key": {"a": "b"}}}] * 2}},
         Answer({"UnprocessedItems": {"t": [{"DeleteRequest": {"Key": {"a": {"S": "b"}}}}] * 2}}),
         [("/UnprocessedItems/t/0", "failed"), ("/UnprocessedItems/t/1", "failed")]),
        ("dynamodb/batchGetItem", {"RequestItems": {"t": {"Keys": [{"a": "b"}]}}},
         Answer({"UnprocessedKeys": {"t": {"Keys": [{"a": {"S": "b"}}]}}}), [("/UnprocessedKeys/t/Keys/0", "failed")]),
        ("lambda/invoke", {"FunctionName": "f"}, Answer({"errorMessage": "no"}, headers={"X-Amz-Function-Error": "Unhandled"}),
         [("/FunctionError", "Unhandled")]),
        ("s3/deleteObjects", {"Bucket": "reports", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}]}},
         _xml("<r><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code><Message>No.</Message></Error></r>"),
         [("/Errors/0", "b: AccessDenied: No.")]),
    ],
)  # fmt: skip
def test_what_failed_in_part_fails_where_the_caller_says_so(
    action: str, inputs: dict[str, Any], answer: Answer, details: list[tuple[str, str]]
) -> None:
    """One request; the error points to each entry that failed, in the answer, which is beside it, and says what AWS said of it."""
    result, requests = called(action, inputs, answer, partial="fail")
    error = result["error"]
    assert (result["status"], error["code"], error["retryable"], len(requests)) == ("failed", "rejected", False, 1)
    assert [(one["path"], one["message"]) for one in error["details"]] == details
    assert all(_at(error["provider"]["details"], path) is not None for path, _ in details)


def _at(found: Any, path: str) -> Any:
    for step in path.removeprefix("/").split("/"):
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found
