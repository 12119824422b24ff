"""Plain JSON for Lambda, Step Functions and DynamoDB: values instead of their text, attributes
without the names of their types.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jackfield.invocation import decode
from jackfield.kernel.exact import exact_json
from jackfield.testing import Answer, Provider, Request
from jackfield_service.shell.requests.json_response import dumps
from jackfield_store.database import open_database
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
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
        values = {
            "accessKeyId": "AKIDEXAMPLE",
            "secretAccessKey": "wJalrXUtnFEMI",
            "endpoint": self.provider.url,
        }
        connection = {"type": "apiKeySecret", "values": values}
        return self.jackfield.invoke(
            {
                "connector": f"aws.{service}",
                "action": key,
                "connection": connection,
                "inputs": {"awsRegion": "eu-west-1", **inputs},
            }
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
    with (
        Provider(answer) as provider,
        Jackfield(database_url="none", environment=home) as jackfield,
    ):
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


@pytest.mark.parametrize(
    ("content", "value"),
    [(b'{"ok": [1, true]}', {"ok": [1, True]}), (b"null", None), (b'"x"', "x")],
)
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
    """The input of an execution is a value or its text; an execution's input and output are values
    beside their texts.
    """
    arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:m"
    aws.answer = Answer({"executionArn": "e", "startDate": 1})
    for given, text in (({"n": 1}, '{"n":1}'), ('{"n": 2}', '{"n": 2}')):
        aws.call("stepfunctions/startExecution", stateMachineArn=arn, input=given).unwrap()
        assert json.loads(aws.sent)["input"] == text
    aws.answer = Answer(
        {
            "executionArn": "e",
            "stateMachineArn": arn,
            "status": "SUCCEEDED",
            "startDate": 1,
            "input": "{",
            "output": '{"n": 3}',
        }
    )
    output = aws.call(
        "stepfunctions/describeExecution",
        executionArn="arn:aws:states:eu-west-1:123456789012:execution:m:e",
    ).unwrap()
    assert (output["output"], output["outputJson"], "inputJson" in output) == (
        '{"n": 3}',
        {"n": 3},
        False,
    )


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
    """`Item:={"pk": "a", "n": 5}` is as good as the types that DynamoDB wants, in items, keys and
    values of expressions.
    """
    aws.call("dynamodb/putItem", TableName="t", Item={"pk": "a", "value": plain}).unwrap()
    assert json.loads(aws.sent)["Item"] == {"pk": {"S": "a"}, "value": typed}
    aws.call(
        "dynamodb/query",
        TableName="t",
        KeyConditionExpression="pk = :v",
        ExpressionAttributeValues={":v": plain},
    ).unwrap()
    assert json.loads(aws.sent)["ExpressionAttributeValues"] == {":v": typed}


def test_requests_of_many_items_take_plain_values(aws: Aws) -> None:
    """Every place of an attribute takes them, whatever is around it."""
    aws.call(
        "dynamodb/batchWriteItem", RequestItems={"t": [{"PutRequest": {"Item": {"pk": 1}}}]}
    ).unwrap()
    assert json.loads(aws.sent)["RequestItems"] == {
        "t": [{"PutRequest": {"Item": {"pk": {"N": "1"}}}}]
    }
    aws.call(
        "dynamodb/executeStatement",
        Statement="SELECT * FROM t WHERE pk = ?",
        Parameters=["a", {"N": "2"}],
    ).unwrap()
    assert json.loads(aws.sent)["Parameters"] == [{"S": "a"}, {"N": "2"}]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"S": 5}, "/Item/v/S"),
        ({"N": 5}, "/Item/v/N"),
        ({"L": [{"S": 1}]}, "/Item/v/L/0/S"),
        ([{"SS": 1}], "/Item/v/0/SS"),
    ],
)
def test_a_typed_value_is_checked_by_its_type(aws: Aws, value: Any, path: str) -> None:
    """A map whose only member is the name of a type is typed, so a wrong value under it is a fault
    at its place.
    """
    result = aws.call("dynamodb/putItem", TableName="t", Item={"pk": "a", "v": value})
    assert result.error is not None
    assert ([detail.path for detail in result.error.details], aws.provider.requests) == ([path], [])


def test_a_plain_item_is_stored_and_found(tmp_path: Path) -> None:
    """Moto stores what was written plainly, and returns it with its types."""
    with moto_rig(tmp_path) as rig:
        _table(rig)
        rig.output(
            "dynamodb/putItem",
            TableName="plain",
            Item={"k": "a", "n": 5, "tags": ["x", {"deep": None}]},
        )
        found = rig.output("dynamodb/getItem", TableName="plain", Key={"k": "a"})["Item"]
    assert found == {
        "k": {"S": "a"},
        "n": {"N": "5"},
        "tags": {"L": [{"S": "x"}, {"M": {"deep": {"NULL": True}}}]},
    }


def _table(rig: Rig) -> None:
    rig.output(
        "dynamodb/createTable",
        TableName="plain",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
    )


DIGITS = "3.1415926535897932384626433832795028842"


@pytest.mark.parametrize(
    ("number", "sent"),
    [
        (DIGITS, DIGITS),
        (f"-{DIGITS}", f"-{DIGITS}"),
        ("0.1", "0.1"),
        ("1.10", "1.1"),
        ("12345678901234567890123456789012345678",) * 2,
        ("3.14159265358979", "3.14159265358979"),
        ("1.2345678901234567890e-100",) * 2,
        ("0.30000000000000004", "0.30000000000000004"),
    ],
)
def test_numbers_of_json_keep_their_digits(aws: Aws, number: str, sent: str) -> None:
    """JSON text and typed values are sent with all digits, in items, lists and values of
    expressions, without a warning.
    """
    for value in (decode(number), {"N": sent}):
        result = aws.call(
            "dynamodb/putItem", TableName="t", Item={"pk": "a", "n": value, "l": [{"m": value}]}
        )
        assert (result.status, result.meta.warnings) == ("succeeded", ())
        item = json.loads(aws.sent)["Item"]
        assert (item["n"], item["l"]) == ({"N": sent}, {"L": [{"M": {"m": {"N": sent}}}]})


@pytest.mark.parametrize(
    "number", [DIGITS, "-0.5", "7", "1E+40", "12345678901234567890123456789012345678"]
)
def test_decimals_of_python_keep_their_digits(aws: Aws, number: str) -> None:
    """A Decimal is a number of the inputs, without a warning; one that is no number is refused."""
    result = aws.call("dynamodb/putItem", TableName="t", Item={"pk": "a", "n": Decimal(number)})
    assert (result.status, result.meta.warnings) == ("succeeded", ())
    assert Decimal(json.loads(aws.sent)["Item"]["n"]["N"]) == Decimal(number)
    refused = aws.call("dynamodb/putItem", TableName="t", Item={"pk": "a", "n": Decimal("NaN")})
    assert refused.error is not None
    assert [detail.path for detail in refused.error.details] == ["/Item/n"]


@pytest.mark.parametrize(
    ("value", "warns"),
    [(3.141592653589793, True), (0.5, False), (1e22, False), (123456789012345.0, False)],
)
def test_a_float_that_may_have_been_rounded_is_told(aws: Aws, value: float, warns: bool) -> None:
    """A float of Python with more than 15 digits has perhaps lost some: a warning says where it is,
    and how to give them.
    """
    result = aws.call("dynamodb/putItem", TableName="t", Item={"pk": "a", "v": {"w": [value]}})
    assert result.status == "succeeded"
    assert [
        "/Item/v/M/w/L/0" in one["message"] and "Decimal" in one["message"]
        for one in result.meta.warnings
    ] == [True] * warns


@pytest.mark.parametrize("queued", [False, True])
def test_digits_pass_the_journal(tmp_path: Path, queued: bool) -> None:
    """What is given as JSON text is sent as it is, from the queue too; another digit is another
    request for the same key.
    """
    with Provider(lambda _number, _request: Answer({})) as provider:
        values = {
            "accessKeyId": "AKIDEXAMPLE",
            "secretAccessKey": "wJalrXUtnFEMI",
            "endpoint": provider.url,
        }
        named = {"connections": {"m": {"type": "aws/apiKeySecret", "values": values}}}
        body = {
            "connector": "aws.dynamodb",
            "action": "putItem",
            "connection": "m",
            "idempotencyKey": "k",
        }
        text = json.dumps(
            {
                **body,
                "inputs": {
                    "awsRegion": "eu-west-1",
                    "TableName": "t",
                    "Item": {"pk": "a", "n": "NUMBER"},
                },
            }
        )
        text, other = (text.replace('"NUMBER"', number) for number in (DIGITS, DIGITS[:-1] + "3"))
        url = f"sqlite:///{tmp_path}/x.db"
        open_database(url, migrate=True).close()
        with Jackfield(
            connections=[named], database_url=url, environment={"JACKFIELD_HOME": str(tmp_path)}
        ) as jackfield:
            if queued:
                assert isinstance(jackfield.enqueue(decode(text)), str)
                (claimed,) = Queue(jackfield.storage.database).claim(1)
                assert asyncio.run(jackfield.arun(claimed)).status == "succeeded"
            else:
                assert jackfield.invoke(decode(text)).status == "succeeded"
            again, differs = jackfield.invoke(decode(text)), jackfield.invoke(decode(other))
        assert [json.loads(request.body)["Item"]["n"] for request in provider.requests] == [
            {"N": DIGITS}
        ]
    assert (again.meta.replayed, differs.error and differs.error.code) == (
        True,
        "idempotency_conflict",
    )


def test_the_json_of_a_function_keeps_its_digits(aws: Aws) -> None:
    """Numbers of a payload are sent and returned with all digits, as JSON text has them."""
    aws.answer = Answer(content=f'{{"v": [{DIGITS}]}}'.encode())
    output = aws.call(
        "lambda/invoke", FunctionName="f", Payload=decode(f'{{"v": [{DIGITS}, 0.5]}}')
    ).unwrap()
    assert aws.sent.decode() == f'{{"v":[{DIGITS},0.5]}}'
    assert exact_json(output["PayloadJson"], json.JSONEncoder()) == f'{{"v": [{DIGITS}]}}'
    assert DIGITS in dumps(output).decode()


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ({"B": "aGk="}, {"B": "aGk="}),
        ({"BS": ["aGk=", "AAE="]}, {"BS": ["aGk=", "AAE="]}),
        ({"M": {"a": {"L": [{"B": "aGk="}]}}}, {"M": {"a": {"L": [{"B": "aGk="}]}}}),
        ({"B": ""}, {"B": ""}),
        ({"B": "data:text/plain;base64,aGk="}, {"B": "aGk="}),
    ],
)
def test_awss_own_json_is_taken_as_what_it_is(aws: Aws, typed: Any, sent: Any) -> None:
    """A text of a binary type is Base64 there, as on AWS's pages, in exports and in events of
    streams; it is not encoded again.
    """
    aws.call("dynamodb/putItem", TableName="t", Item={"pk": {"S": "a"}, "v": typed}).unwrap()
    assert json.loads(aws.sent)["Item"] == {"pk": {"S": "a"}, "v": sent}


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ({"B": "hi!"}, "/Item/v/B"),
        ({"BS": ["aGk=", "é"]}, "/Item/v/BS/1"),
        ({"B": "aGk"}, "/Item/v/B"),
    ],
)
def test_text_that_is_no_base64_is_refused_with_the_way_to_write_it(
    aws: Aws, typed: Any, path: str
) -> None:
    """Nothing is sent, and the message says what to write."""
    result = aws.call("dynamodb/putItem", TableName="t", Item={"pk": {"S": "a"}, "v": typed})
    assert result.error is not None
    assert ([detail.path for detail in result.error.details], aws.provider.requests) == ([path], [])
    assert '{"data": Base64}' in result.error.details[0].message


def test_a_replay_has_all_digits(tmp_path: Path) -> None:
    """What the first caller was told is told again, from the journal and to whoever looks an
    invocation up.
    """
    with Provider(
        lambda _number, _request: Answer(content=f'{{"v": [{DIGITS}, 0.5]}}'.encode())
    ) as provider:
        values = {
            "accessKeyId": "AKIDEXAMPLE",
            "secretAccessKey": "wJalrXUtnFEMI",
            "endpoint": provider.url,
        }
        named = {"connections": {"m": {"type": "aws/apiKeySecret", "values": values}}}
        inputs = {"awsRegion": "eu-west-1", "FunctionName": "f", "Payload": {}}
        body = {
            "connector": "aws.lambda",
            "action": "invoke",
            "connection": "m",
            "idempotencyKey": "k",
            "inputs": inputs,
        }
        url, outputs = f"sqlite:///{tmp_path}/x.db", []
        open_database(url, migrate=True).close()
        for _ in range(2):
            with Jackfield(
                connections=[named], database_url=url, environment={"JACKFIELD_HOME": str(tmp_path)}
            ) as jackfield:
                result = jackfield.invoke(body)
                assert jackfield.journal is not None
                (entry,) = jackfield.journal.entries()[0]
            outputs += [result.output, (entry.result or {})["output"]]
        assert len(provider.requests) == 1
    assert result.meta.replayed
    assert {exact_json(output["PayloadJson"], json.JSONEncoder()) for output in outputs} == {
        f'{{"v": [{DIGITS}, 0.5]}}'
    }
