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
         [(f"/Entries/{place}", f"{entry['Id']}: InternalError: Try.") for place, entry in zip((2, 5, 9), _FAILED, strict=True)]),
        ("kinesis/putRecords", {"StreamName": "s", "Records": [{"Data": "x", "PartitionKey": "1"}] * 3},
         Answer({"FailedRecordCount": 1, "Records": [{"SequenceNumber": "1"}, {"ErrorCode": "E", "ErrorMessage": "no"}, {}]}),
         [("/Records/1", "E: no")]),
        ("dynamodb/batchWriteItem", {"RequestItems": {"t": [{"DeleteRequest": {"Key": {"a": "b"}}}] * 2}},
         Answer({"UnprocessedItems": {"t": [{"DeleteRequest": {"Key": {"a": {"S": "b"}}}}] * 2}}),
         [("/RequestItems/t/0", "failed"), ("/RequestItems/t/1", "failed")]),
        ("dynamodb/batchGetItem", {"RequestItems": {"t": {"Keys": [{"a": "b"}]}}},
         Answer({"UnprocessedKeys": {"t": {"Keys": [{"a": {"S": "b"}}]}}}), [("/RequestItems/t/Keys/0", "failed")]),
        ("lambda/invoke", {"FunctionName": "f"}, Answer({"errorMessage": "no"}, headers={"X-Amz-Function-Error": "Unhandled"}),
         [("/FunctionName", "Unhandled")]),
        ("s3/deleteObjects", {"Bucket": "reports", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}]}},
         _xml("<r><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code><Message>No.</Message></Error></r>"),
         [("/Delete/Objects/1", "b: AccessDenied: No.")]),
        ("glue/batchDeleteTable", {"DatabaseName": "d", "TablesToDelete": ["a", "b"]},
         Answer({"Errors": [{"TableName": "b", "ErrorDetail": {"ErrorCode": "E", "ErrorMessage": "No."}}]}),
         [("/TablesToDelete/1", "E: No.")]),
        ("ecr/batchDeleteImage", {"repositoryName": "repo", "imageIds": [{"imageTag": "a"}, {"imageTag": "b"}]},
         Answer({"failures": [{"imageId": {"imageTag": "b"}, "failureCode": "ImageNotFound", "failureReason": "No."}]}),
         [("/imageIds/1", "ImageNotFound: No.")]),
        ("ecs/startTask", {"taskDefinition": "t", "containerInstances": ["one", "two"]},
         Answer({"failures": [{"arn": "arn:aws:ecs:eu-west-1:1:container-instance/c/two", "reason": "MISSING"}]}),
         [("/containerInstances/1", "MISSING")]),
        ("ecs/runTask", {"taskDefinition": "t"},
         Answer({"failures": [{"arn": "arn:aws:ecs:eu-west-1:1:cluster/c", "reason": "RESOURCE:CPU"}]}),
         [("", "/failures/0 of the output: RESOURCE:CPU")]),
        ("firehose/putRecordBatch", {"DeliveryStreamName": "s", "Records": [{"Data": "x"}] * 3},
         Answer({"FailedPutCount": 2, "RequestResponses": [{"ErrorCode": "E", "ErrorMessage": "no"}, {}, {"ErrorCode": "F"}]}),
         [("/Records/0", "E: no"), ("/Records/2", "F")]),
    ],
)  # fmt: skip
def test_what_failed_in_part_fails_where_the_caller_says_so(
    action: str, inputs: dict[str, Any], answer: Answer, details: list[tuple[str, str]]
) -> None:
    """One request; the error points to each entry of the inputs that failed, and says what AWS said of it. The answer is beside it."""
    result, requests = called(action, inputs, answer, partial="fail")
    error = result["error"]
    assert (result["status"], error["code"], error["retryable"], len(requests)) == ("failed", "rejected", False, 1)
    assert [(one["path"], one["message"]) for one in error["details"]] == details
    assert all(not path or _at(inputs, path) is not None for path, _ in details)
    assert error["provider"]["details"]


def _at(found: Any, path: str) -> Any:
    for step in path.removeprefix("/").split("/"):
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found
