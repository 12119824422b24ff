"""What AWS says in an error beside code and message reaches the caller: modelled members, and the
reasons of cancelled transactions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from aws_opening import KEY_ID, SECRET, Opener
from aws_paged import Pages
from clocks import FakeClock
from jackfield import Jackfield
from jackfield.connector.context import entered
from jackfield.kernel.errors import MAX_PROVIDER_DETAILS
from jackfield_aws import AWS_ERRORS, ApiKeySecret
from moto_rig import EVERYTHING, Rig, offer

PUT = {"TableName": "t", "Item": {"k": {"S": "x"}}}
JSON, XML = "application/x-amz-json-1.0", "text/xml"


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Any]]:
    environment = offer(tmp_path_factory.mktemp("home"), {"default": EVERYTHING})
    # waits take no time
    with Pages() as server, Jackfield(environment=environment, clock=FakeClock()) as jackfield:
        yield Rig(jackfield, server.url), server


def _failed_result(
    stand: tuple[Rig, Any],
    action: str,
    inputs: dict[str, Any],
    body: str,
    kind: str = JSON,
    **more: Any,
) -> Any:
    rig, server = stand
    headers = {"Content-Type": kind, "x-amzn-RequestId": "r-1", **more.pop("headers", {})}
    server.asked, server.answers = (
        [],
        [{"status_code": more.pop("status", 400), "headers": headers, "body": body}],
    )
    found = rig.result(action, **inputs, **more)
    assert found.error is not None
    return found


CASES: dict[str, tuple[str, dict[str, Any], str, str, int, dict[str, Any]]] = {
    "JSON": (
        "dynamodb/putItem",
        PUT,
        (
            '{"__type": "com.amazonaws#ConditionalCheckFailedException", "message": "no", '
            '"Item": {"k": {"S": "x"}, "b": {"B": "AAE="}}}'
        ),
        JSON,
        400,
        {"Item": {"k": {"S": "x"}, "b": {"B": {"data": "AAE="}}}},
    ),
    "REST with JSON": (
        "ssm/createOpsItem",
        {"Description": "d", "Source": "s", "Title": "t"},
        '{"__type": "OpsItemAlreadyExistsException", "Message": "no", "OpsItemId": "oi-1"}',
        JSON,
        400,
        {"OpsItemId": "oi-1"},
    ),
    "REST with XML": (
        "s3/getObject",
        {"Bucket": "b", "Key": "k"},
        "<Error><Code>InvalidObjectState</Code><Message>no</Message><StorageClass>GLACIER</StorageClass><Other>x</Other></Error>",
        XML,
        403,
        {"StorageClass": "GLACIER"},
    ),
    "query": (
        "sns/verifySMSSandboxPhoneNumber",
        {"PhoneNumber": "+15550100", "OneTimePassword": "12345"},
        "<ErrorResponse><Error><Code>VerificationException</Code><Message>no</Message><Status>Pending</Status></Error></ErrorResponse>",
        XML,
        400,
        {"Status": "Pending"},
    ),
}


@pytest.mark.parametrize("protocol", CASES)
def test_h4_modelled_members_are_in_the_result_and_in_the_journal(
    stand: tuple[Rig, Any], protocol: str
) -> None:
    """The members that the service's model gives an error are in ``provider.details`` under AWS's
    names, as JSON.
    """
    action, inputs, body, kind, status, details = CASES[protocol]
    found = _failed_result(stand, action, inputs, body, kind, status=status)
    told = found.to_json()["error"]["provider"]
    assert told["details"] == details
    assert told["message"] == "no"
    journal = stand[0].jackfield.journal
    assert journal is not None
    assert journal.find(found.meta.invocation_id).to_json()["error"]["provider"] == told


def test_h4_unknown_errors_have_no_details(stand: tuple[Rig, Any]) -> None:
    """An error without a model has code and message only: what else is in its XML, botocore cannot
    read.
    """
    body = "<ErrorResponse><Error><Code>Odd</Code><Message>no</Message></Error><Messages><Message>a</Message></Messages></ErrorResponse>"
    found = _failed_result(stand, "sns/publish", {"TopicArn": "a", "Message": "x"}, body, XML)
    assert found.error.provider.details is None


def test_h4_secrets_in_details_are_masked(stand: tuple[Rig, Any]) -> None:
    """Details are masked by value, as the rest of the error."""
    body = json.dumps(
        {
            "__type": "ConditionalCheckFailedException",
            "message": "no",
            "Item": {"k": {"S": "is moto-secret-4711"}},
        }
    )
    found = _failed_result(stand, "dynamodb/putItem", PUT, body)
    assert found.error.provider.details == {"Item": {"k": {"S": "is ***"}}}


def _transaction(
    stand: tuple[Rig, Any],
    *reasons: dict[str, Any],
    action: str = "transactWriteItems",
    part: str = "TransactItems",
) -> Any:
    body = json.dumps(
        {
            "__type": "TransactionCanceledException",
            "Message": "Transaction cancelled",
            "CancellationReasons": reasons,
        }
    )
    inputs = (
        {part: [{"Put": PUT}] * len(reasons)}
        if part == "TransactItems"
        else {part: [{"Statement": "s"}] * len(reasons)}
    )
    return _failed_result(stand, f"dynamodb/{action}", inputs, body)


NONE, UNMET = (
    {"Code": "None"},
    {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"},
)
BUSY, SLOW = (
    {"Code": "TransactionConflict", "Message": "busy"},
    {"Code": "ThrottlingError", "Message": "slow"},
)
BAD = {"Code": "ValidationError", "Message": "bad"}


@pytest.mark.parametrize(
    ("reasons", "code", "hint"),
    [
        ((NONE, UNMET), "conflict", "condition"),
        ((BUSY, UNMET), "conflict", "condition"),
        ((NONE, BUSY), "conflict", "again"),
        ((BAD, UNMET), "rejected", "Correct"),
        ((NONE, SLOW), "rate_limited", "fewer"),
        ((SLOW, UNMET), "conflict", "condition"),
        ((NONE, {"Code": "BrandNew"}), "conflict", None),
    ],
)
def test_h4_reasons_decide_about_a_transaction(
    stand: tuple[Rig, Any], reasons: tuple[Any, ...], code: str, hint: str | None
) -> None:
    """A cancelled transaction has the code of the reason that no repeat can cure; each part at
    fault is a detail with its place.
    """
    found = _transaction(stand, *reasons)
    assert (found.status, found.error.code) == ("failed", code)
    assert (hint or "") in str(found.error.hint)
    at_fault = [number for number, reason in enumerate(reasons) if reason is not NONE]
    assert [detail.path for detail in found.error.details] == [
        f"/TransactItems/{number}" for number in at_fault
    ]
    assert found.error.provider.details == {"CancellationReasons": list(reasons)}


def test_h4_statements_of_a_transaction_have_places_too(stand: tuple[Rig, Any]) -> None:
    """The parts of a transaction in PartiQL are statements."""
    found = _transaction(
        stand,
        NONE,
        {"Code": "DuplicateItem", "Message": "there"},
        action="executeTransaction",
        part="TransactStatements",
    )
    assert found.error.code == "conflict"
    assert [(item.path, item.message) for item in found.error.details] == [
        ("/TransactStatements/1", "DuplicateItem: there")
    ]


def test_h4_reasons_stay_where_their_items_are_too_long(stand: tuple[Rig, Any]) -> None:
    """Items that exceed the limit of the details are left out, and the reasons are not."""
    found = _transaction(stand, {**UNMET, "Item": {"k": {"S": "x" * MAX_PROVIDER_DETAILS}}}, NONE)
    assert found.error.provider.details == {"CancellationReasons": [UNMET, NONE]}


def test_h4_members_of_a_typed_connector_are_json() -> None:
    """A client with botocore's own types gives times and bytes of an error as JSON, too."""
    body = (
        '{"__type": "ConditionalCheckFailedException", "message": "no", "Item": {"b": {"B": '
        '"AAE="}}}'
    )
    with Pages() as server, Opener() as opener:
        server.answers = [{"status_code": 400, "headers": {"Content-Type": JSON}, "body": body}]
        context = opener.context(awsRegion="eu-west-1")
        endpoint = server.url
        clients = ApiKeySecret.model_validate(
            {"accessKeyId": KEY_ID, "secretAccessKey": SECRET, "endpoint": endpoint}
        ).open(context)
        client = clients.client("dynamodb")
        with (
            entered(context.call),
            pytest.raises(client.exceptions.ConditionalCheckFailedException) as raised,
        ):
            client.put_item(**PUT)
    error = AWS_ERRORS(raised.value, clients)
    assert error is not None
    assert error.provider is not None
    assert error.provider.details == {"Item": {"b": {"B": {"data": "AAE="}}}}
