"""Plain JSON for Lambda, Step Functions and DynamoDB: values instead of their text, attributes without the names of their types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.testing import Answer, Provider, Request
from moto_rig import EVERYTHING, Rig, moto_rig, offer


class Aws:
    """AWS that answers as it is told, and what it was sent."""

    def __init__(self, jackfield: Jackfield, provider: Provider) -> None:
        self.jackfield = jackfield
        self.provider = provider
        self.answer = Answer({})

    def call(self, action: str, **inputs: Any) -> Any:
        """Call an action of a service, and return its Result."""
        service, _, key = action.partition("/")
        values = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "wJalrXUtnFEMI", "endpoint": self.provider.url}
        connection = {"type": "apiKeySecret", "values": values}
        return self.jackfield.invoke(
            {"connector": f"aws.{service}", "action": key, "connection": connection, "inputs": {"awsRegion": "eu-west-1", **inputs}}
        )

    @property
    def sent(self) -> bytes:
        """Body of the last request."""
        return self.provider.requests[-1].body


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Aws]:
    """All services, over an endpoint of this test."""
    made: list[Aws] = []

    def answer(_number: int, _request: Request) -> Answer:
        return made[0].answer

    home = offer(tmp_path, {"default": EVERYTHING})
    with Provider(answer) as provider, Jackfield(database_url="none", environment=home) as jackfield:
        made.append(Aws(jackfield, provider))
        yield made[0]


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ({"a": [1, None, "é"]}, '{"a":[1,null,"é"]}'),
        ([1, {"data": "x"}], '[1,{"data":"x"}]'),
        (7, "7"),
        (True, "true"),
        ({"data": "x", "more": 1}, '{"data":"x","more":1}'),
        ({"data": 5}, '{"data":5}'),
        ("text as it is", "text as it is"),
        ('{"b": 2}', '{"b": 2}'),
        ({"data": "eyJjIjozfQ=="}, '{"c":3}'),
        ({"data": "eyJjIjozfQ==", "contentType": "application/json"}, '{"c":3}'),
    ],
)
def test_a_function_gets_json(aws: Aws, payload: Any, body: str) -> None:
    """`Payload:={"a": 1}` is sent as JSON; text and files are sent as before."""
    aws.call("lambda/invoke", FunctionName="f", Payload=payload).unwrap()
    assert aws.sent.decode() == body


@pytest.mark.parametrize(("content", "value"), [(b'{"ok": [1, true]}', {"ok": [1, True]}), (b"null", None), (b'"x"', "x")])
def test_the_json_of_a_function_is_returned(aws: Aws, content: bytes, value: Any) -> None:
    """The answer's JSON is a member of its own beside the bytes."""
    aws.answer = Answer(content=content)
    output = aws.call("lambda/invoke", FunctionName="f").unwrap()
    assert (output["PayloadJson"], "data" in output["Payload"]) == (value, True)


@pytest.mark.parametrize("content", [b"plain", b"\xff", b"NaN", b"", b"[" * 100_000])
def test_what_is_no_json_is_returned_as_bytes_only(aws: Aws, content: bytes) -> None:
    """A function may answer anything; what is no JSON has no such member, and fails no call."""
    aws.answer = Answer(content=content)
    result = aws.call("lambda/invoke", FunctionName="f")
    assert (result.status, "PayloadJson" in result.unwrap()) == ("succeeded", False)


def test_a_state_machine_gets_and_returns_json(aws: Aws) -> None:
    """The input of an execution is a value or its text; an execution's input and output are values beside their texts."""
    arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:m"
    aws.answer = Answer({"executionArn": "e", "startDate": 1})
    for given, text in (({"n": 1}, '{"n":1}'), ('{"n": 2}', '{"n": 2}')):
        aws.call("stepfunctions/startExecution", stateMachineArn=arn, input=given).unwrap()
        assert json.loads(aws.sent)["input"] == text
    aws.answer = Answer(
        {"executionArn": "e", "stateMachineArn": arn, "status": "SUCCEEDED", "startDate": 1, "input": "{", "output": '{"n": 3}'}
    )
    output = aws.call("stepfunctions/describeExecution", executionArn="arn:aws:states:eu-west-1:123456789012:execution:m:e").unwrap()
    assert (output["output"], output["outputJson"], "inputJson" in output) == ('{"n": 3}', {"n": 3}, False)


@pytest.mark.parametrize(
    ("plain", "typed"),
    [
        ("ada", {"S": "ada"}),
        ("", {"S": ""}),
        (5, {"N": "5"}),
        (12345678901234567890, {"N": "12345678901234567890"}),
        (0.5, {"N": "0.5"}),
        (True, {"BOOL": True}),
        (None, {"NULL": True}),
        ([1, "a", {"S": "b"}], {"L": [{"N": "1"}, {"S": "a"}, {"S": "b"}]}),
        ({}, {"M": {}}),
        ({"a": {"b": 1}, "S": "x"}, {"M": {"a": {"M": {"b": {"N": "1"}}}, "S": {"S": "x"}}}),
        ({"street": "x"}, {"M": {"street": {"S": "x"}}}),
        ({"SS": ["a", "b"]}, {"SS": ["a", "b"]}),
        ({"M": {"a": 1, "b": {"N": "2"}}}, {"M": {"a": {"N": "1"}, "b": {"N": "2"}}}),
        ({"B": {"data": "AAE="}}, {"B": "AAE="}),
        ({"BOOL": False}, {"BOOL": False}),
    ],
)
def test_attributes_are_plain_or_typed(aws: Aws, plain: Any, typed: Any) -> None:
    """`Item:={"pk": "a", "n": 5}` is as good as the types that DynamoDB wants, in items, keys and values of expressions."""
    aws.call("dynamodb/putItem", TableName="t", Item={"pk": "a", "value": plain}).unwrap()
    assert json.loads(aws.sent)["Item"] == {"pk": {"S": "a"}, "value": typed}
    aws.call("dynamodb/query", TableName="t", KeyConditionExpression="pk = :v", ExpressionAttributeValues={":v": plain}).unwrap()
    assert json.loads(aws.sent)["ExpressionAttributeValues"] == {":v": typed}


def test_requests_of_many_items_take_plain_values(aws: Aws) -> None:
    """Every place of an attribute takes them, whatever is around it."""
    aws.call("dynamodb/batchWriteItem", RequestItems={"t": [{"PutRequest": {"Item": {"pk": 1}}}]}).unwrap()
    assert json.loads(aws.sent)["RequestItems"] == {"t": [{"PutRequest": {"Item": {"pk": {"N": "1"}}}}]}
    aws.call("dynamodb/executeStatement", Statement="SELECT * FROM t WHERE pk = ?", Parameters=["a", {"N": "2"}]).unwrap()
    assert json.loads(aws.sent)["Parameters"] == [{"S": "a"}, {"N": "2"}]


@pytest.mark.parametrize(
    ("value", "path"),
    [({"S": 5}, "/Item/v/S"), ({"N": 5}, "/Item/v/N"), ({"L": [{"S": 1}]}, "/Item/v/L/0/S"), ([{"SS": 1}], "/Item/v/0/SS")],
)
def test_a_typed_value_is_checked_by_its_type(aws: Aws, value: Any, path: str) -> None:
    """A map whose only member is the name of a type is typed, so a wrong value under it is a fault at its place."""
    result = aws.call("dynamodb/putItem", TableName="t", Item={"pk": "a", "v": value})
    assert result.error is not None
    assert ([detail.path for detail in result.error.details], aws.provider.requests) == ([path], [])


def test_a_plain_item_is_stored_and_found(tmp_path: Path) -> None:
    """Moto stores what was written plainly, and returns it with its types."""
    with moto_rig(tmp_path) as rig:
        _table(rig)
        rig.output("dynamodb/putItem", TableName="plain", Item={"k": "a", "n": 5, "tags": ["x", {"deep": None}]})
        found = rig.output("dynamodb/getItem", TableName="plain", Key={"k": "a"})["Item"]
    assert found == {"k": {"S": "a"}, "n": {"N": "5"}, "tags": {"L": [{"S": "x"}, {"M": {"deep": {"NULL": True}}}]}}


def _table(rig: Rig) -> None:
    rig.output(
        "dynamodb/createTable", TableName="plain", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}], KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
    )  # fmt: skip
