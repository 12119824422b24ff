"""What AWS says before it has done anything, waits of its own, and what its tools fill in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clocks import FakeClock
from jackfield.connector import InvalidInput
from jackfield.connector.context import Call, entered
from jackfield.kernel.clock import Deadline
from jackfield.testing import Answer
from jackfield_aws.virtual.server_waits import within_deadline
from virtual_calls import called


def _refusal(code: str, status: int) -> Answer:
    return Answer({"message": "Not now."}, status, headers={"x-amzn-ErrorType": code})


@pytest.mark.parametrize(
    ("action", "inputs", "refusal"),
    [
        ("lambda/invoke", {"FunctionName": "f"}, _refusal("SnapStartNotReadyException", 409)),
        ("lambda/invoke", {"FunctionName": "f"}, _refusal("ResourceNotReadyException", 502)),
        (
            "lambda/invokeWithResponseStream",
            {"FunctionName": "f"},
            _refusal("ResourceNotReadyException", 502),
        ),
        (
            "bedrock-runtime/invokeModel",
            {"modelId": "m", "body": "{}"},
            _refusal("ModelErrorException", 424),
        ),
        (
            "bedrock-runtime/converse",
            {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "x"}]}]},
            _refusal("ModelErrorException", 424),
        ),
    ],
)
def test_what_is_not_ready_is_asked_again(
    action: str, inputs: dict[str, Any], refusal: Answer
) -> None:
    """The code says that nothing was executed, whatever the status; a model's own failure is
    repeated as its operation may be.
    """
    done = Answer({}) if action != "lambda/invokeWithResponseStream" else Answer(content=b"")
    result, requests = called(action, inputs, refusal, done)
    assert len(requests) == 2
    assert result["status"] == "succeeded", result


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ResourceConflictException", 409, "conflict"),
        ("ServiceException", 502, "in_doubt"),
        ("ModelErrorException", 424, "rejected"),
    ],
)
def test_other_answers_of_a_function_are_not_asked_again(
    code: str, status: int, expected: str
) -> None:
    """A conflict stays one, a plain 502 after a write leaves it in doubt, and 424 is that of
    Bedrock's models only.
    """
    result, requests = called("lambda/invoke", {"FunctionName": "f"}, _refusal(code, status))
    assert (result["error"]["code"], len(requests)) == (expected, 1)


@pytest.mark.parametrize(
    ("action", "inputs", "member", "asked"),
    [
        (
            "sqs/receiveMessage",
            {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q"},
            "WaitTimeSeconds",
            20,
        ),
        (
            "redshift-data/getStatementResult",
            {"Id": "d9b6c0c9-0747-4bf4-b142-e8883122f766"},
            "WaitTimeSeconds",
            30,
        ),
    ],
)
def test_a_wait_ends_before_the_call(
    action: str, inputs: dict[str, Any], member: str, asked: int
) -> None:
    """A wait that is longer than the deadline is shortened, with a warning; one that fits is sent
    as it is.
    """
    result, (request,) = called(action, {**inputs, member: asked}, Answer({}), timeoutSeconds=16)
    sent = json.loads(request.body)[member]
    assert 0 < sent <= 15
    assert [one["message"] for one in result["meta"]["warnings"]][:1] == [
        (
            f"'{member}' was shortened from {asked} to {sent}, so that the answer comes before "
            "the deadline of the call"
        )
    ]
    fitting, (request,) = called(action, {**inputs, member: 1}, Answer({}), timeoutSeconds=300)
    assert (json.loads(request.body)[member], fitting["meta"].get("warnings")) == (1, None)


def test_a_wait_that_cannot_be_short_enough_is_refused() -> None:
    """Where AWS takes no shorter one, nothing is sent, and the input is named; a wait of 0 is
    possible for a queue.
    """
    with entered(Call(Deadline.after(1.5, FakeClock()))), pytest.raises(InvalidInput) as refused:
        within_deadline({"WaitTimeSeconds": 5}, ("WaitTimeSeconds", 1))
    assert [(one.path, one.keyword) for one in refused.value.details] == [
        ("/WaitTimeSeconds", "maximum")
    ]
    with entered(Call(Deadline.after(1.5, FakeClock()))):
        assert within_deadline({"WaitTimeSeconds": 5}, ("WaitTimeSeconds", 0)) == {
            "WaitTimeSeconds": 0
        }


@pytest.mark.parametrize(
    ("given", "sent"), [({}, "-"), ({"accountId": "123456789012"}, "123456789012")]
)
def test_glaciers_account_is_that_of_the_credentials(given: dict[str, str], sent: str) -> None:
    """Left out, it is ``-``, as AWS's own tools send it."""
    _, (request,) = called("glacier/listVaults", given, Answer({"VaultList": []}))
    assert request.path.startswith(f"/{sent}/vaults")
