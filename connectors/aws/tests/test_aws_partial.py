"""``partial: "fail"``: what AWS carried out only in part is a failure that points to each entry
that failed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jackfield.testing import Answer
from jackfield_aws.virtual.effects import effect_of
from jackfield_aws.virtual.entry_errors import entry_errors
from jackfield_aws.virtual.models import service_model, services
from virtual_calls import called


def _xml(text: str) -> Answer:
    return Answer(content=text.encode(), headers={"Content-Type": "text/xml"})


def _entries(count: int, *failed: int) -> list[dict[str, Any]]:
    return [
        {"Id": f"m{number}", "MessageBody": "x"}
        for number in range(count)
        if not failed or number in failed
    ]


_FAILED = [
    {"Id": entry["Id"], "Code": "InternalError", "SenderFault": False, "Message": "Try."}
    for entry in _entries(10, 2, 5, 9)
]


@pytest.mark.parametrize(
    ("action", "inputs", "answer", "details"),
    [
        (
            "sqs/sendMessageBatch",
            {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q", "Entries": _entries(10)},
            Answer({"Successful": [], "Failed": _FAILED}),
            [
                (f"/Entries/{place}", f"{entry['Id']}: InternalError: Try.")
                for place, entry in zip((2, 5, 9), _FAILED, strict=True)
            ],
        ),
        (
            "kinesis/putRecords",
            {"StreamName": "s", "Records": [{"Data": "x", "PartitionKey": "1"}] * 3},
            Answer(
                {
                    "FailedRecordCount": 1,
                    "Records": [
                        {"SequenceNumber": "1"},
                        {"ErrorCode": "E", "ErrorMessage": "no"},
                        {},
                    ],
                }
            ),
            [("/Records/1", "E: no")],
        ),
        (
            "dynamodb/batchWriteItem",
            {"RequestItems": {"t": [{"DeleteRequest": {"Key": {"a": "b"}}}] * 2}},
            Answer(
                {"UnprocessedItems": {"t": [{"DeleteRequest": {"Key": {"a": {"S": "b"}}}}] * 2}}
            ),
            [("/RequestItems/t/0", "failed"), ("/RequestItems/t/1", "failed")],
        ),
        (
            "dynamodb/batchGetItem",
            {"RequestItems": {"t": {"Keys": [{"a": "b"}]}}},
            Answer({"UnprocessedKeys": {"t": {"Keys": [{"a": {"S": "b"}}]}}}),
            [("/RequestItems/t/Keys/0", "failed")],
        ),
        (
            "lambda/invoke",
            {"FunctionName": "f"},
            Answer({"errorMessage": "no"}, headers={"X-Amz-Function-Error": "Unhandled"}),
            [("/FunctionName", "Unhandled")],
        ),
        (
            "s3/deleteObjects",
            {"Bucket": "reports", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}]}},
            _xml(
                "<r><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code><Message>No.</Message></Error></r>"
            ),
            [("/Delete/Objects/1", "b: AccessDenied: No.")],
        ),
        (
            "glue/batchDeleteTable",
            {"DatabaseName": "d", "TablesToDelete": ["a", "b"]},
            Answer(
                {
                    "Errors": [
                        {"TableName": "b", "ErrorDetail": {"ErrorCode": "E", "ErrorMessage": "No."}}
                    ]
                }
            ),
            [("/TablesToDelete/1", "E: No.")],
        ),
        (
            "ecr/batchDeleteImage",
            {"repositoryName": "repo", "imageIds": [{"imageTag": "a"}, {"imageTag": "b"}]},
            Answer(
                {
                    "failures": [
                        {
                            "imageId": {"imageTag": "b"},
                            "failureCode": "ImageNotFound",
                            "failureReason": "No.",
                        }
                    ]
                }
            ),
            [("/imageIds/1", "ImageNotFound: No.")],
        ),
        (
            "ecs/startTask",
            {"taskDefinition": "t", "containerInstances": ["one", "two"]},
            Answer(
                {
                    "failures": [
                        {
                            "arn": "arn:aws:ecs:eu-west-1:1:container-instance/c/two",
                            "reason": "MISSING",
                        }
                    ]
                }
            ),
            [("/containerInstances/1", "MISSING")],
        ),
        (
            "ecs/runTask",
            {"taskDefinition": "t"},
            Answer(
                {
                    "failures": [
                        {"arn": "arn:aws:ecs:eu-west-1:1:cluster/c", "reason": "RESOURCE:CPU"}
                    ]
                }
            ),
            [("", "/failures/0 of the output: RESOURCE:CPU")],
        ),
        (
            "firehose/putRecordBatch",
            {"DeliveryStreamName": "s", "Records": [{"Data": "x"}] * 3},
            Answer(
                {
                    "FailedPutCount": 2,
                    "RequestResponses": [
                        {"ErrorCode": "E", "ErrorMessage": "no"},
                        {},
                        {"ErrorCode": "F"},
                    ],
                }
            ),
            [("/Records/0", "E: no"), ("/Records/2", "F")],
        ),
        (
            "dynamodb/batchExecuteStatement",
            {"Statements": [{"Statement": "a"}, {"Statement": "b"}]},
            Answer(
                {
                    "Responses": [
                        {"TableName": "t"},
                        {
                            "Error": {"Code": "DuplicateItem", "Message": "Duplicate."},
                            "TableName": "t",
                        },
                    ]
                }
            ),
            [("/Statements/1", "DuplicateItem: Duplicate.")],
        ),
        (
            "sesv2/sendBulkEmail",
            {
                "FromEmailAddress": "a@example.com",
                "ReplyToAddresses": ["b@example.com", "c@example.com"],
                "DefaultContent": {"Template": {}},
                "BulkEmailEntries": [
                    {"Destination": {"ToAddresses": ["d@example.com"]}},
                    {"Destination": {"ToAddresses": ["e@example.com"]}},
                ],
            },
            Answer(
                {
                    "BulkEmailEntryResults": [
                        {"Status": "SUCCESS", "MessageId": "m"},
                        {"Status": "TRANSIENT_FAILURE"},
                    ]
                }
            ),
            [("/BulkEmailEntries/1", "TRANSIENT_FAILURE")],
        ),
        (
            "ses/sendBulkTemplatedEmail",
            {
                "Source": "a@example.com",
                "Template": "t",
                "DefaultTemplateData": "{}",
                "Destinations": [{"Destination": {}}] * 2,
            },
            _xml(
                "<r><SendBulkTemplatedEmailResult><Status><member><Status>MessageRejected</Status><Error>No.</Error></member>"
                "<member><Status>Success</Status><MessageId>m</MessageId></member></Status></SendBulkTemplatedEmailResult></r>"
            ),
            [("/Destinations/0", "No.")],
        ),
        (
            "emr/cancelSteps",
            {"ClusterId": "j", "StepIds": ["s-1", "s-2"]},
            Answer(
                {
                    "CancelStepsInfoList": [
                        {"StepId": "s-1", "Status": "SUBMITTED"},
                        {"StepId": "s-2", "Status": "FAILED"},
                    ]
                }
            ),
            [("", "/CancelStepsInfoList/1 of the output: FAILED")],
        ),
        (
            "location/calculateRouteMatrix",
            {
                "CalculatorName": "c",
                "DeparturePositions": [[12.25, 48.75]],
                "DestinationPositions": [[12.5, 48.5], [13.25, 49.5]],
            },
            Answer(
                {
                    "RouteMatrix": [
                        [{"Distance": 1}, {"Error": {"Code": "RouteNotFound", "Message": "No."}}]
                    ],
                    "Summary": {
                        "DataSource": "Here",
                        "RouteCount": 2,
                        "ErrorCount": 1,
                        "DistanceUnit": "Kilometers",
                    },
                }
            ),
            [("", "/RouteMatrix/0/1 of the output: RouteNotFound: No.")],
        ),
        (
            "logs/putLogEvents",
            {
                "logGroupName": "g",
                "logStreamName": "s",
                "logEvents": [{"timestamp": stamp, "message": "m"} for stamp in range(1, 5)],
            },
            Answer(
                {
                    "rejectedLogEventsInfo": {
                        "tooNewLogEventStartIndex": 3,
                        "tooOldLogEventEndIndex": 1,
                        "expiredLogEventEndIndex": 0,
                    }
                }
            ),
            [
                ("/logEvents/3", "rejected (tooNewLogEventStartIndex 3)"),
                ("/logEvents/0", "rejected (tooOldLogEventEndIndex 1)"),
            ],
        ),
        (
            "codebuild/batchGetBuilds",
            {"ids": ["a:1", "b:2"]},
            Answer({"builds": [], "buildsNotFound": ["b:2"]}),
            [("/ids/1", "failed")],
        ),
        (
            "ssm/deleteParameters",
            {"Names": ["a", "b"]},
            Answer({"DeletedParameters": ["a"], "InvalidParameters": ["b"]}),
            [("/Names/1", "failed")],
        ),
        (
            "lightsail/putAlarm",
            {
                "alarmName": "a",
                "metricName": "CPUUtilization",
                "monitoredResourceName": "i",
                "comparisonOperator": "LessThanThreshold",
                "threshold": 1,
                "evaluationPeriods": 1,
                "contactProtocols": ["Email"],
            },
            Answer({"operations": [{"id": "o", "status": "Failed", "errorCode": "E"}]}),
            [("", "/operations/0 of the output: o: E")],
        ),
    ],
)
def test_what_failed_in_part_fails_where_the_caller_says_so(
    action: str, inputs: dict[str, Any], answer: Answer, details: list[tuple[str, str]]
) -> None:
    """One request; the error points to each entry of the inputs that failed, and says what AWS said
    of it. The answer is beside it.
    """
    result, requests = called(action, inputs, answer, partial="fail")
    error = result["error"]
    assert (result["status"], error["code"], error["retryable"], len(requests)) == (
        "failed",
        "rejected",
        False,
        1,
    )
    assert [(one["path"], one["message"]) for one in error["details"]] == details
    assert all(not path or _at(inputs, path) is not None for path, _ in details)
    assert error["provider"]["details"]


_SENT = [{"Id": entry["Id"], "MessageId": "m"} for entry in _entries(2)]
_ALL = [{"Id": entry["Id"], "Code": "InternalError", "Message": "Try."} for entry in _entries(2)]
_PUT = {"PutRequest": {"Item": {"a": "b"}}}
_UNPUT = {"PutRequest": {"Item": {"a": {"S": "b"}}}}
_GONE = "<member><Status>MessageRejected</Status><Error>No.</Error></member>"
_QUEUE = {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q"}
_WHOLE: list[tuple[str, dict[str, Any], Answer, Answer]] = [
    (
        "sqs/sendMessageBatch",
        {**_QUEUE, "Entries": _entries(2)},
        Answer({"Successful": [], "Failed": _ALL}),
        Answer({"Successful": _SENT[1:], "Failed": _ALL[:1]}),
    ),
    (
        "sqs/deleteMessageBatch",
        {**_QUEUE, "Entries": [{"Id": one["Id"], "ReceiptHandle": "r"} for one in _ALL]},
        Answer({"Failed": _ALL}),
        Answer({"Successful": [{"Id": "m1"}], "Failed": _ALL[:1]}),
    ),
    (
        "sns/publishBatch",
        {
            "TopicArn": "arn:aws:sns:eu-west-1:1:t",
            "PublishBatchRequestEntries": [{"Id": "a", "Message": "x"}],
        },
        _xml(
            "<r><PublishBatchResult><Successful/><Failed><member><Id>a</Id><Code>E</Code><SenderFault>true</SenderFault></member></Failed>"
            "</PublishBatchResult></r>"
        ),
        _xml(
            "<r><PublishBatchResult><Successful><member><Id>b</Id></member></Successful><Failed><member><Id>a</Id><Code>E</Code></member>"
            "</Failed></PublishBatchResult></r>"
        ),
    ),
    (
        "kinesis/putRecords",
        {"StreamName": "s", "Records": [{"Data": "x", "PartitionKey": "1"}] * 2},
        Answer({"FailedRecordCount": 2, "Records": [{"ErrorCode": "E", "ErrorMessage": "no"}] * 2}),
        Answer(
            {
                "FailedRecordCount": 1,
                "Records": [{"ErrorCode": "E", "ErrorMessage": "no"}, {"SequenceNumber": "1"}],
            }
        ),
    ),
    (
        "firehose/putRecordBatch",
        {"DeliveryStreamName": "s", "Records": [{"Data": "x"}] * 2},
        Answer({"FailedPutCount": 2, "RequestResponses": [{"ErrorCode": "E"}] * 2}),
        Answer({"FailedPutCount": 1, "RequestResponses": [{"RecordId": "r"}, {"ErrorCode": "E"}]}),
    ),
    (
        "events/putEvents",
        {"Entries": [{"Detail": "{}"}] * 2},
        Answer({"FailedEntryCount": 2, "Entries": [{"ErrorCode": "E"}] * 2}),
        Answer({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "E"}, {"EventId": "e"}]}),
    ),
    (
        "dynamodb/batchWriteItem",
        {"RequestItems": {"t": [_PUT] * 2, "u": [_PUT]}},
        Answer(
            {
                "UnprocessedItems": {"t": [_UNPUT] * 2, "u": [_UNPUT]},
                "ConsumedCapacity": [{"TableName": "t", "CapacityUnits": 0}],
            }
        ),
        Answer({"UnprocessedItems": {"t": [_UNPUT] * 2}}),
    ),
    (
        "dynamodb/batchGetItem",
        {"RequestItems": {"t": {"Keys": [{"a": "b"}], "AttributesToGet": ["a", "c"]}}},
        Answer({"UnprocessedKeys": {"t": {"Keys": [{"a": {"S": "b"}}]}}}),
        Answer(
            {
                "Responses": {"t": [{"a": {"S": "b"}}]},
                "UnprocessedKeys": {"t": {"Keys": [{"a": {"S": "b"}}]}},
            }
        ),
    ),
    (
        "dynamodb/batchExecuteStatement",
        {"Statements": [{"Statement": "a"}, {"Statement": "b"}]},
        Answer({"Responses": [{"Error": {"Code": "E", "Message": "No."}}] * 2}),
        Answer({"Responses": [{"Error": {"Code": "E", "Message": "No."}}, {"TableName": "t"}]}),
    ),
    (
        "sesv2/sendBulkEmail",
        {
            "ReplyToAddresses": ["b@x.io", "c@x.io"],
            "DefaultContent": {"Template": {}},
            "BulkEmailEntries": [{"Destination": {}}],
        },
        Answer({"BulkEmailEntryResults": [{"Status": "TRANSIENT_FAILURE"}]}),
        Answer(
            {
                "BulkEmailEntryResults": [
                    {"Status": "SUCCESS", "MessageId": "m"},
                    {"Status": "TRANSIENT_FAILURE"},
                ]
            }
        ),
    ),
    (
        "ses/sendBulkTemplatedEmail",
        {
            "Source": "a@example.com",
            "Template": "t",
            "DefaultTemplateData": "{}",
            "Destinations": [{"Destination": {}}] * 2,
        },
        _xml(
            f"<r><SendBulkTemplatedEmailResult><Status>{_GONE * 2}</Status></SendBulkTemplatedEmailResult></r>"
        ),
        _xml(
            f"<r><SendBulkTemplatedEmailResult><Status>{_GONE}<member><Status>Success</Status></member></Status>"
            "</SendBulkTemplatedEmailResult></r>"
        ),
    ),
    (
        "s3/deleteObjects",
        {"Bucket": "reports", "Delete": {"Quiet": True, "Objects": [{"Key": "a"}, {"Key": "b"}]}},
        _xml(
            "<r><Error><Key>a</Key><Code>AccessDenied</Code></Error><Error><Key>b</Key><Code>AccessDenied</Code></Error></r>"
        ),
        _xml("<r><Error><Key>b</Key><Code>AccessDenied</Code></Error></r>"),
    ),
    (
        "glue/batchDeleteTable",
        {"DatabaseName": "d", "TablesToDelete": ["a"]},
        Answer({"Errors": [{"TableName": "a", "ErrorDetail": {"ErrorCode": "E"}}]}),
        Answer({"Errors": [{"TableName": "another", "ErrorDetail": {"ErrorCode": "E"}}]}),
    ),
    (
        "ecs/runTask",
        {"taskDefinition": "t"},
        Answer({"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]}),
        Answer({"tasks": [{"taskArn": "t"}], "failures": [{"reason": "RESOURCE:CPU"}]}),
    ),
    (
        "emr/cancelSteps",
        {"ClusterId": "j", "StepIds": ["s-1"]},
        Answer({"CancelStepsInfoList": [{"StepId": "s-1", "Status": "FAILED"}]}),
        Answer(
            {
                "CancelStepsInfoList": [
                    {"StepId": "s-1", "Status": "FAILED"},
                    {"StepId": "s-2", "Status": "SUBMITTED"},
                ]
            }
        ),
    ),
    (
        "logs/putLogEvents",
        {
            "logGroupName": "g",
            "logStreamName": "s",
            "logEvents": [{"timestamp": 1, "message": "m"}] * 2,
        },
        Answer({"rejectedLogEventsInfo": {"expiredLogEventEndIndex": 2}}),
        Answer({"rejectedLogEventsInfo": {"expiredLogEventEndIndex": 1}}),
    ),
]


@pytest.mark.parametrize(
    ("action", "inputs", "whole", "some"), _WHOLE, ids=[one[0] for one in _WHOLE]
)
def test_a_batch_of_which_all_is_refused_is_a_refusal(
    action: str, inputs: dict[str, Any], whole: Answer, some: Answer
) -> None:
    """A success that has carried out nothing is ``rejected``, with a detail for each entry, and is
    not repeated; beside something that was carried out, or where that is unknown, what failed is a
    warning that names each entry.
    """
    result, requests = called(action, inputs, whole)
    assert (result["status"], len(requests)) == ("failed", 1)
    error = result["error"]
    assert (error["code"], error["retryable"], bool(error["details"])) == ("rejected", False, True)
    assert all(not one["path"] or _at(inputs, one["path"]) is not None for one in error["details"])
    result, requests = called(action, inputs, some)
    assert (result["status"], len(requests)) == ("succeeded", 1)
    (warning,) = [one for one in result["meta"]["warnings"] if one.get("code") == "partial"]
    assert warning["failed"] == len(warning["entries"]) > 0


def test_a_refusal_of_all_settles_no_earlier_attempt() -> None:
    """The first answer was lost, and the second attempt was refused whole: the hint says that the
    first one may have taken effect.
    """
    action, inputs, whole, _ = next(one for one in _WHOLE if one[0] == "dynamodb/batchWriteItem")
    result, requests = called(action, inputs, Answer(content=b"", status=500), whole)
    assert (result["status"], len(requests), result["error"]["code"]) == ("failed", 2, "rejected")
    assert "earlier attempt" in str(result["error"])


@pytest.mark.parametrize(
    ("action", "inputs", "answer"),
    [
        (
            "dynamodb/batchExecuteStatement",
            {"Statements": [{"Statement": "a"}]},
            Answer({"Responses": [{"TableName": "t"}]}),
        ),
        (
            "sesv2/sendBulkEmail",
            {"DefaultContent": {"Template": {}}, "BulkEmailEntries": [{"Destination": {}}]},
            Answer({"BulkEmailEntryResults": [{"Status": "SUCCESS", "MessageId": "m"}]}),
        ),
        (
            "ec2/disassociateNatGatewayAddress",
            {"NatGatewayId": "nat-1", "AssociationIds": ["a"]},
            _xml(
                "<r><natGatewayAddressSet><item><failureMessage>an earlier "
                "one</failureMessage></item></natGatewayAddressSet></r>"
            ),
        ),
        (
            "logs/putLogEvents",
            {
                "logGroupName": "g",
                "logStreamName": "s",
                "logEvents": [{"timestamp": 1, "message": "m"}],
            },
            Answer({"nextSequenceToken": "1"}),
        ),
        (
            "glue/batchGetTriggers",
            {"TriggerNames": ["a"]},
            Answer({"Triggers": [{"Name": "a"}], "TriggersNotFound": []}),
        ),
    ],
)
def test_what_was_carried_out_is_no_failure(
    action: str, inputs: dict[str, Any], answer: Answer
) -> None:
    """Entries that succeeded, empty lists of failures and the state of a thing that had failed
    before leave the call a success.
    """
    result, _ = called(action, inputs, answer, partial="fail")
    assert (result["status"], result["meta"].get("warnings")) == ("succeeded", None)


def test_lists_whose_entries_have_errors_of_their_own_were_read() -> None:
    """Each list that the rule finds in botocore's models was judged; one of a newer botocore is
    found by the rule, and named here.
    """
    found = sorted(
        f"{service} {name} {one.member}"
        for service in services()
        if service != "lightsail"  # each of its answers has the operation that it has begun
        for name in service_model(service).operation_names
        for operation in [service_model(service).operation_model(name)]
        for one in entry_errors(service, operation, effect_of(service, operation))
    )
    assert (
        found
        == (Path(__file__).parent / "entry_errors.txt").read_text(encoding="utf-8").split("\n")[:-1]
    )


def _at(found: Any, path: str) -> Any:
    for step in path.removeprefix("/").split("/"):
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found
