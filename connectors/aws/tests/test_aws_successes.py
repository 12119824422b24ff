"""Successes of AWS's changes: what AWS names by a request ID, and what something else answers."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import HTTPClientError

from jackfield.connector import Unavailable
from jackfield_aws import successes
from jackfield_aws.foreign_answers import check_answer

_OF_AWS, _OWN = "service.eu-west-1.amazonaws.com", "aws.example:4566"
_NAMED = {"x-amzn-requestid": "1"}
_QUERY = b"<R><ResponseMetadata><RequestId>4711</RequestId></ResponseMetadata></R>"
_EC2 = b"<R xmlns='x'><requestId>4711</requestId></R>"


def _operation(service: str, name: str) -> Any:
    client = boto3.client(service, region_name="eu-west-1")
    return client.meta.service_model.operation_model(name)


def _is_success(
    service: str, name: str, host: str, headers: dict[str, str], body: bytes, status: int = 200
) -> bool:
    answer = {"body": body, "status_code": status, "headers": headers}
    try:
        check_answer(answer, _operation(service, name), host)
    except HTTPClientError as error:
        found = error.kwargs["error"]
        assert isinstance(found, Unavailable)
        assert (found.sent.name, found.retryable) == ("UNKNOWN", True)
        return False
    return True


@pytest.mark.parametrize(
    ("service", "name", "headers", "body", "succeeds"),
    [
        ("dynamodb", "PutItem", _NAMED, b"{}", True),
        ("dynamodb", "PutItem", {}, b"{}", False),
        ("dynamodb", "PutItem", {}, b'{"message": "Request blocked"}', False),
        ("dynamodb", "GetItem", {}, b"{}", True),
        ("s3", "PutObject", {"x-amz-request-id": "1"}, b"", True),
        ("s3", "PutObject", {"X-Request-Id": "1"}, b"", False),
        ("s3", "DeleteObject", {}, b"", False),
        ("iam", "CreateUser", {}, _QUERY, True),
        ("iam", "CreateUser", {}, b"<R><RequestId></RequestId></R>", False),
        ("ec2", "RunInstances", {}, _EC2, True),
        ("ec2", "RunInstances", {}, b"<R/>", False),
        ("s3", "CopyObject", {"x-amz-request-id": "1"}, b"<CopyObjectResult/>", True),
        ("s3", "CopyObject", {"x-amz-request-id": "1"}, b"", False),
        ("s3", "DeleteObjects", {"x-amz-request-id": "1"}, b"<DeleteResult/>", True),
        ("s3", "DeleteObjects", {"x-amz-request-id": "1"}, b"<Other/>", False),
        (
            "s3",
            "CompleteMultipartUpload",
            {"x-amz-request-id": "1"},
            b"<CompleteMultipartUploadResult/>",
            True,
        ),
        ("s3", "CompleteMultipartUpload", {"x-amz-request-id": "1"}, b"", False),
    ],
)
def test_what_aws_always_sends(
    service: str, name: str, headers: dict[str, str], body: bytes, *, succeeds: bool
) -> None:
    """A change at AWS succeeds by an answer with a request ID, in a field or in the body, and with
    the element that some operations always send.
    """
    assert _is_success(service, name, _OF_AWS, headers, body) is succeeds


def test_an_endpoint_of_ones_own_may_send_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator that sends no request IDs is believed; once one has come, each answer of that
    service there must have one.
    """
    monkeypatch.setattr(successes, "_known", type(successes._known)(10))
    assert _is_success("dynamodb", "PutItem", _OWN, {}, b"{}")
    assert _is_success("dynamodb", "PutItem", _OWN, _NAMED, b"{}")
    assert not _is_success("dynamodb", "PutItem", _OWN, {}, b"{}")
    assert _is_success("dynamodb", "PutItem", "other.example", {}, b"{}")
    assert _is_success("s3", "PutObject", _OWN, {}, b"")


@pytest.mark.parametrize("operation", successes.ELEMENTS)
def test_an_element_is_of_the_model(operation: tuple[str, str]) -> None:
    """Each operation of the table has an output with members, which S3 sends in an element."""
    model = _operation(*operation)
    assert model.output_shape.members
