"""How AWS's answers are judged over virtual connectors: throttles, streams of events, conditions,
hosts and values that are odd.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import struct
import textwrap
import zlib
from typing import Any

import botocore.handlers
import botocore.session
import pytest

from jackfield import Jackfield
from jackfield.testing import Answer, Provider
from virtual_calls import KEYS, called

_XML = {"Content-Type": "text/xml"}
_STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/s"
_TAKEN = {
    "actionId": "a",
    "userId": "u",
    "sessionId": "s",
    "timestamp": 1700000000,
    "eventType": "TAKEN",
}
_CREATED = ("UserPool", "CreationDate")
_TALK = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "x"}]}]}
_QUERY = {
    "Bucket": "reports",
    "Key": "k",
    "Expression": "select 1",
    "ExpressionType": "SQL",
    "InputSerialization": {"JSON": {"Type": "LINES"}},
    "OutputSerialization": {"JSON": {}},
}


def _event(kind: str, payload: bytes | dict[str, Any], message: str = "event") -> bytes:
    """One message of an event stream (Amazon's ``application/vnd.amazon.eventstream``)."""
    types = {
        ":message-type": message,
        ":content-type": "application/json",
        f":{message}-type": kind,
    }
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\7" + struct.pack("!H", len(text)) + text.encode()
        for name, text in types.items()
    )
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    lead = struct.pack("!II", 16 + len(head) + len(body), len(head))
    found = lead + struct.pack("!I", zlib.crc32(lead)) + head + body
    return found + struct.pack("!I", zlib.crc32(found))


_STOP = _event("messageStop", {"stopReason": "end_turn"})


def _stream(*events: bytes) -> Answer:
    return Answer(
        content=b"".join(events), headers={"Content-Type": "application/vnd.amazon.eventstream"}
    )


def _xml(text: str, status: int = 200) -> Answer:
    return Answer(content=text.encode(), status=status, headers=_XML)


def _refusal(code: str) -> str:
    return f"<Response><Errors><Error><Code>{code}</Code><Message>No.</Message></Error></Errors></Response>"


def _called(action: str, inputs: dict[str, Any], *script: Answer) -> tuple[dict[str, Any], int]:
    """The Result of one call, as JSON, and the number of its requests."""
    result, requests = called(action, inputs, *script, timeoutSeconds=60)
    return result, len(requests)


def _warnings(result: dict[str, Any]) -> list[str]:
    return [one["message"] for one in result["meta"].get("warnings", [])]


@pytest.mark.parametrize(
    ("action", "inputs", "answer"),
    [
        (
            "ec2/createSecurityGroup",
            {"GroupName": "g", "Description": "d"},
            "<r><groupId>sg-1</groupId></r>",
        ),
        ("ec2/createInternetGateway", {}, "<r><internetGateway/></r>"),
        ("ec2/allocateAddress", {}, "<r><publicIp>192.0.2.1</publicIp></r>"),
    ],
)
def test_a_write_that_ec2_throttles_is_repeated(
    action: str, inputs: dict[str, Any], answer: str
) -> None:
    """EC2 throttles with 503: the code says that nothing was done, so a write is sent again instead
    of ending in doubt.
    """
    said = (
        "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit "
        "exceeded.</Message></Error></Errors></Response>"
    )
    result, requests = _called(action, inputs, _xml(said, 503), _xml(answer))
    assert (result["status"], requests) == ("succeeded", 2)


@pytest.mark.parametrize("code", ["InternalError", "Unavailable", ""])
def test_a_write_that_failed_at_aws_stays_in_doubt(code: str) -> None:
    """A plain 5xx says nothing of what was done."""
    result, requests = _called("ec2/createInternetGateway", {}, _xml(_refusal(code), 500))
    assert (result["status"], requests) == ("in_doubt", 1)


@pytest.mark.parametrize(
    "kind", ["throttlingException", "serviceUnavailableException", "modelStreamErrorException"]
)
def test_a_fault_before_the_first_event_is_judged_by_its_code(kind: str) -> None:
    """An exception within a stream has the meaning of its code and of the model's status; what may
    be repeated is, before any event.

    Of ``ModelStreamErrorException`` AWS says "Retry your request" (Amazon Bedrock API reference,
    ResponseStream).
    """
    fault = _event(kind, {"message": "Too many"}, "exception")
    result, requests = _called(
        "bedrock-runtime/converseStream", _TALK, _stream(fault), _stream(_STOP)
    )
    assert (result["status"], requests) == ("succeeded", 2)


@pytest.mark.parametrize(
    ("kind", "code"),
    [("throttlingException", "rate_limited"), ("internalServerException", "unavailable")],
)
def test_a_fault_after_an_event_is_told_and_not_repeated(kind: str, code: str) -> None:
    """After an event has come, the call is not sent again: the caller is told what AWS said."""
    begun, fault = (
        _event("messageStart", {"role": "assistant"}),
        _event(kind, {"message": "Too many"}, "exception"),
    )
    result, requests = _called(
        "bedrock-runtime/converseStream", _TALK, _stream(begun, fault), _stream()
    )
    assert (result["error"]["code"], requests) == (code, 1)


def test_a_write_that_streams_is_never_repeated() -> None:
    """A throttle within the stream of a write is told; after an event, the write is in doubt."""
    fault = _event("throttlingException", {"message": "Too many"}, "exception")
    inputs = {
        "agentId": "AAAAAAAAAA",
        "agentAliasId": "BBBBBBBBBB",
        "sessionId": "session",
        "inputText": "x",
    }
    result, requests = _called(
        "bedrock-agent-runtime/invokeAgent", inputs, _stream(fault), _stream()
    )
    assert (result["status"], result["error"]["code"], requests) == ("failed", "rate_limited", 1)
    result, requests = _called(
        "bedrock-agent-runtime/invokeAgent",
        inputs,
        _stream(_event("chunk", {"bytes": "eA=="}), fault),
        _stream(),
    )
    assert (result["status"], requests) == ("in_doubt", 1)


@pytest.mark.parametrize(
    ("action", "inputs", "event", "last"),
    [
        ("s3/selectObjectContent", _QUERY, _event("Records", b'{"a":1}\n'), _event("End", b"")),
        (
            "bedrock-runtime/converseStream",
            _TALK,
            _event("messageStart", {"role": "assistant"}),
            _STOP,
        ),
        (
            "lambda/invokeWithResponseStream",
            {"FunctionName": "f"},
            _event("PayloadChunk", b"x"),
            _event("InvokeComplete", {}),
        ),
    ],
)
def test_a_stream_without_its_last_event_is_said_not_to_be_whole(
    action: str, inputs: dict[str, Any], event: bytes, last: bytes
) -> None:
    """A stream that its last event ends has no warning, neither of that nor of its schema; one that
    is cut between events has.
    """
    whole, _ = _called(action, inputs, _stream(event, last))
    assert (whole["status"], _warnings(whole)) == ("succeeded", [])
    cut, _ = _called(action, inputs, _stream(event))
    assert cut["status"] == "succeeded"
    assert ["without its last event" in one for one in _warnings(cut)] == [True]


def test_every_stream_is_in_the_table_or_has_no_last_event() -> None:
    """Operations with a stream of events in the answer, and what ends it: a newer botocore's must
    be looked up.
    """
    session, found = botocore.session.get_session(), set()
    for service in session.get_available_services():
        model = session.get_service_model(service)
        operations = map(model.operation_model, model.operation_names)
        found |= {
            (service, one.name)
            for one in operations
            if one.has_event_stream_output and not one.has_event_stream_input
        }
    from jackfield_aws.virtual.streams import _LAST

    endless = {
        ("bedrock-agent-runtime", "InvokeAgent"),
        ("bedrock-agent-runtime", "InvokeInlineAgent"),
        ("bedrock-agent-runtime", "RetrieveAndGenerateStream"),
        ("bedrock-agentcore", "InvokeAgentRuntimeCommand"),
        ("bedrock-agentcore", "InvokeCodeInterpreter"),
        ("bedrock-runtime", "InvokeModelWithResponseStream"),
        ("iotsitewise", "InvokeAssistant"),
        ("kinesis", "SubscribeToShard"),
        ("logs", "GetLogObject"),
        ("logs", "StartLiveTail"),
        ("sagemaker-runtime", "InvokeEndpointWithResponseStream"),
    }
    assert found == endless | _LAST.keys()


@pytest.mark.parametrize("action", ["getObject", "headObject"])
def test_a_condition_that_holds_is_a_conflict_at_once(action: str) -> None:
    """A 304 is the answer to a condition: one request, not repeated, with the state's ETag."""
    inputs = {"Bucket": "reports", "Key": "k", "IfNoneMatch": '"e"'}
    result, requests = _called(
        f"s3/{action}", inputs, Answer(content=b"", status=304, headers={"ETag": '"e"'})
    )
    error = result["error"]
    assert (error["code"], error["retryable"], requests) == ("conflict", False, 1)
    assert (error["provider"]["httpStatus"], error["provider"]["details"]) == (304, {"ETag": '"e"'})


def test_no_input_chooses_a_host() -> None:
    """An input that names another host is refused before anything is signed for it: nothing reaches
    either.
    """
    with Provider([Answer({})]) as other:
        inputs = {"MLModelId": "m", "Record": {"a": "b"}, "PredictEndpoint": other.url}
        result, requests = _called("machinelearning/predict", inputs, Answer({}))
        assert (result["error"]["code"], result["error"]["details"][0]["path"]) == (
            "invalid_input",
            "/PredictEndpoint",
        )
        assert (requests, len(other.requests)) == (0, 0)


@pytest.mark.parametrize(
    "host",
    [
        "https://evil.example",
        "http://realtime.machinelearning.us-east-1.amazonaws.com",
        "https://realtime.machinelearning.us-east-1.amazonaws.com.evil.example",
        "https://x.execute-api.us-east-1.amazonaws.com",
        "https://169.254.169.254",
        "https://realtime.machinelearning.eu-west-1.amazonaws.com",
    ],
)
def test_only_awss_own_host_may_be_named(host: str) -> None:
    """Without an endpoint of the connection's own, the input may name the service's realtime host
    of this region, and nothing else.
    """
    connection = {"type": "aws/apiKeySecret", "values": {**KEYS, "region": "us-east-1"}}
    with Jackfield(
        connections=[{"connections": {"m": connection}}], database_url="none"
    ) as jackfield:
        inputs = {"MLModelId": "m", "Record": {"a": "b"}, "PredictEndpoint": host}
        result = jackfield.invoke(
            {
                "connector": "aws.machinelearning",
                "action": "predict",
                "connection": "m",
                "inputs": inputs,
            }
        ).to_json()
    assert (result["error"]["code"], result["meta"]["attempts"]) == ("invalid_input", 0)
    assert "'https://realtime" not in result["error"]["hint"]
    assert "realtime.machinelearning.us-east-1.amazonaws.com" in result["error"]["hint"]


def test_handlers_of_botocore_that_set_an_address_are_known() -> None:
    """Each of botocore's handlers that assigns to a request's address is looked at by
    ``_check_host``, or keeps the host.
    """

    def assigns(function: Any) -> bool:
        try:
            text = inspect.getsource(function)
        except (OSError, TypeError):
            return False
        nodes = ast.walk(ast.parse(textwrap.dedent(text)))
        targets = [
            target for node in nodes if isinstance(node, ast.Assign) for target in node.targets
        ]
        return "switch_host" in text or any(
            isinstance(target, ast.Attribute) and target.attr == "url" for target in targets
        )

    found = {
        row[0]: row[1].__name__
        for row in botocore.handlers.BUILTIN_HANDLERS
        if callable(row[1]) and assigns(row[1])
    }
    assert found == {"request-created.machinelearning.Predict": "switch_host_machinelearning"}


@pytest.mark.parametrize(
    ("action", "inputs", "answer", "place", "value"),
    [
        (
            "apigateway/getRestApi",
            {"restApiId": "a"},
            {"id": "a", "createdDate": ""},
            ("createdDate",),
            "",
        ),
        (
            "apigateway/getRestApi",
            {"restApiId": "a"},
            {"id": "a", "createdDate": "yesterday"},
            ("createdDate",),
            "yesterday",
        ),
        (
            "cognito-idp/createUserPool",
            {"PoolName": "p"},
            {"UserPool": {"CreationDate": 1775836321122}},
            _CREATED,
            "1775836321122",
        ),
        (
            "cognito-idp/createUserPool",
            {"PoolName": "p"},
            {"UserPool": {"CreationDate": -6.2e12}},
            _CREATED,
            "-6200000000000.0",
        ),
    ],
)
def test_a_time_that_cannot_be_read_loses_no_answer(
    action: str, inputs: Any, answer: Any, place: tuple[str, ...], value: str
) -> None:
    """It is returned as it came, with a warning; a confirmed effect is a success."""
    result, requests = _called(action, inputs, Answer(answer))
    found = result["output"]
    for name in place:
        found = found[name]
    assert (result["status"], found, requests) == ("succeeded", value, 1)
    assert any("where a time belongs" in one for one in _warnings(result))


@pytest.mark.parametrize(
    ("action", "given", "token"),
    [
        ("kinesis/listShards", {"StreamName": "s"}, "NextToken"),
        ("kinesis/listShards", {"StreamARN": _STREAM, "ExclusiveStartShardId": "x"}, "NextToken"),
        (
            "kinesis/listStreamConsumers",
            {"StreamARN": _STREAM, "StreamCreationTimestamp": 1},
            "NextToken",
        ),
    ],
)
def test_inputs_that_a_token_excludes_are_left_out(
    action: str, given: dict[str, Any], token: str
) -> None:
    """Beside a page token, the inputs that it stands for are not sent: when every page is fetched,
    and when a caller adds ``meta.next``.
    """
    connector, _, key = action.partition("/")
    member = "Shards" if key == "listShards" else "Consumers"
    with Provider(
        [Answer({member: [], token: "n"}), Answer({member: []}), Answer({member: []})]
    ) as provider:
        connection = {"type": "aws/apiKeySecret", "values": {**KEYS, "endpoint": provider.url}}
        with Jackfield(
            connections=[{"connections": {"m": connection}}], database_url="none"
        ) as jackfield:
            asked = {"connector": f"aws.{connector}", "action": key, "connection": "m"}
            assert (
                jackfield.invoke({**asked, "inputs": {**given, "fetchAll": True}}).status
                == "succeeded"
            )
            assert (
                jackfield.invoke({**asked, "inputs": {**given, token: "n"}}).status == "succeeded"
            )
        kept = {"StreamARN": given["StreamARN"]} if key == "listStreamConsumers" else {}
        assert [json.loads(one.body) for one in provider.requests[1:]] == [{**kept, token: "n"}] * 2


def test_inputs_that_the_models_exclude_beside_a_token_are_in_the_table() -> None:
    """What a newer botocore documents so must be looked up."""
    session, found = botocore.session.get_session(), set()
    said = re.compile(
        r"(?:cannot|can't) specify this parameter (?:if you specify|together with)(?: the)? "
        r"(\w*[tT]oken)"
    )
    for service in session.get_available_services():
        model = session.get_service_model(service)
        for operation in map(model.operation_model, model.operation_names):
            members = operation.input_shape.members if operation.input_shape is not None else {}
            texts = {
                name: re.sub(r"\s+", " ", re.sub("<[^>]+>", "", member.documentation))
                for name, member in members.items()
            }
            found |= {
                (service, operation.name, name) for name, text in texts.items() if said.search(text)
            }
    from jackfield_aws.virtual.pages import EXCLUDED

    assert found <= {
        (*operation, name) for operation, (_, names) in EXCLUDED.items() for name in names
    }
    assert len(found) >= 4


@pytest.mark.parametrize(
    ("action", "inputs", "message"),
    [
        (
            "cognito-idp/changePassword",
            {"PreviousPassword": "a" * 6, "ProposedPassword": "b" * 6, "AccessToken": "x"},
            "Wrong password.",
        ),
        (
            "cognito-idp/adminDisableUser",
            {"UserPoolId": "eu-west-1_a", "Username": "ada"},
            "User is disabled.",
        ),
        (
            "cognito-idp/forgotPassword",
            {"ClientId": "a", "Username": "ada"},
            "Unable to verify secret hash for client a",
        ),
    ],
)
def test_a_users_credentials_are_not_the_connections(
    action: str, inputs: dict[str, Any], message: str
) -> None:
    """Cognito refuses its users' passwords and tokens under a code that elsewhere means a lack of
    permissions.
    """
    refusal = Answer({"__type": "NotAuthorizedException", "message": message}, 400)
    error = _called(action, inputs, refusal)[0]["error"]
    assert (error["code"], "No IAM policy" in error["hint"], "Allow" in error["hint"]) == (
        "rejected",
        True,
        False,
    )
    denial = {
        "__type": "NotAuthorizedException",
        "message": "User: arn:aws:iam::1:user/a is not authorized to perform: x:Y",
    }
    assert _called(action, inputs, Answer(denial, 400))[0]["error"]["code"] == "forbidden"


@pytest.mark.parametrize(
    ("action", "inputs", "answer"),
    [
        (
            "iam/getRole",
            {"RoleName": "r"},
            "<Role><AssumeRolePolicyDocument>%7B%7D</AssumeRolePolicyDocument></Role>",
        ),
        (
            "iam/getRolePolicy",
            {"RoleName": "r", "PolicyName": "p"},
            "<PolicyDocument>%7B%7D</PolicyDocument>",
        ),
        (
            "iam/getPolicyVersion",
            {"PolicyArn": "arn:aws:iam::111122223333:policy/p", "VersionId": "v1"},
            "<PolicyVersion><Document>%7B%22Statement%22%3A%5B%5D%7D</Document></PolicyVersion>",
        ),
        (
            "iam/listRoles",
            {},
            "<IsTruncated>false</IsTruncated><Roles><member><AssumeRolePolicyDocument>%7B%7D</AssumeRolePolicyDocument></member></Roles>",
        ),
        ("cloudformation/getTemplate", {"StackName": "s"}, "<TemplateBody>{}</TemplateBody>"),
        (
            "cloudformation/getTemplate",
            {"StackName": "s"},
            "<TemplateBody>Resources: x</TemplateBody>",
        ),
    ],
)
def test_documents_in_outputs_have_the_type_of_the_schema(
    action: str, inputs: dict[str, Any], answer: str
) -> None:
    """Policies and templates come as the JSON that they hold; the schema says so, and no call warns
    of a difference.
    """
    name = action.partition("/")[2]
    name = name[0].upper() + name[1:]
    result, _ = _called(action, inputs, _xml(f"<R><{name}Result>{answer}</{name}Result></R>"))
    assert (result["status"], _warnings(result)) == ("succeeded", [])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_of_json_is_null(number: str) -> None:
    """NaN and Infinity of an answer are null, with a warning that names the place, so that every
    reader of JSON takes the Result.
    """
    body = f'{{"FinalMetricDataList":[{{"MetricName":"m","Value":{number}}}]}}'.encode()
    result, _ = _called(
        "sagemaker/describeTrainingJob", {"TrainingJobName": "t"}, Answer(content=body)
    )
    assert result["output"]["FinalMetricDataList"][0] == {"MetricName": "m", "Value": None}
    assert [(one["path"], "null" in one["message"]) for one in result["meta"]["warnings"]] == [
        ("/FinalMetricDataList/0/Value", True)
    ]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(content=b'{"TableNames":["a"]}', headers={"x-amz-crc32": "1"}),
        Answer(content=b'\xef\xbb\xbf{"TableNames":["a"]}'),
        Answer(content=b'{"TableNames":["a"'),
        Answer(content=b"null"),
    ],
    ids=["checksum", "mark", "cut", "null"],
)
def test_a_damaged_answer_is_an_error(answer: Answer) -> None:
    """A wrong checksum, a byte order mark, a part of JSON: never an empty success; asked again
    while nothing is changed.
    """
    result, requests = _called("dynamodb/listTables", {}, answer, Answer({"TableNames": ["b"]}))
    assert (result["output"], requests) == ({"TableNames": ["b"]}, 2)
    result, _ = _called("dynamodb/updateItem", {"TableName": "t", "Key": {"a": "b"}}, answer)
    assert result["status"] == "in_doubt"


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("sfn", "stepfunctions"),
        ("states", "stepfunctions"),
        ("eventbridge", "events"),
        ("monitoring", "cloudwatch"),
        ("cloudwatchlogs", "logs"),
        ("CloudWatch-Logs", "logs"),
        ("amazon-s3", "s3"),
        ("bedrockruntime", "bedrock-runtime"),
    ],
)
def test_services_are_found_under_the_names_that_people_know(name: str, service: str) -> None:
    """An unknown service that is another's endpoint prefix, signing name or title leads to that
    one, before any spelling.
    """
    with Jackfield(database_url="none") as jackfield:
        error = jackfield.invoke(
            {"connector": f"aws.{name}", "action": "x", "inputs": {}}
        ).to_json()["error"]
    assert f"did you mean 'aws.{service}'?" in error["message"]


def test_every_name_of_the_models_leads_to_its_service() -> None:
    """The table of other names has each endpoint prefix, signing name and service ID of botocore
    that one service alone has.
    """
    from jackfield_aws.virtual.known_as import service_called

    session = botocore.session.get_session()
    services = session.get_available_services()
    names: dict[str, set[str]] = {}
    for service in services:
        about = session.get_service_model(service).metadata
        for name in (
            about["endpointPrefix"].partition(".")[0],
            about.get("signingName", ""),
            about["serviceId"],
        ):
            names.setdefault(re.sub("[^a-z0-9]", "", name.lower()), set()).add(service)
    plain = {re.sub("[^a-z0-9]", "", service) for service in services}
    single = {
        name: found
        for name, found in names.items()
        if name and len(found) == 1 and name not in plain
    }
    assert {name: service_called(name, services) for name in single} == {
        name: min(found) for name, found in single.items()
    }


@pytest.mark.parametrize(
    ("action", "inputs", "status"),
    [
        (
            "dynamodb/deleteItem",
            {"TableName": "t", "Key": {"pk": "a"}, "ReturnValues": "ALL_OLD"},
            "in_doubt",
        ),
        (
            "dynamodb/putItem",
            {"TableName": "t", "Item": {"pk": "a"}, "ReturnValues": "ALL_OLD"},
            "in_doubt",
        ),
        (
            "dynamodb/putItem",
            {"TableName": "t", "Item": {"pk": "a"}, "ReturnValues": "NONE"},
            "succeeded",
        ),
        ("dynamodb/deleteItem", {"TableName": "t", "Key": {"pk": "a"}}, "succeeded"),
        ("route53/changeResourceRecordSets", "CREATE", "in_doubt"),
        ("route53/changeResourceRecordSets", "DELETE", "in_doubt"),
        ("route53/changeResourceRecordSets", "UPSERT", "succeeded"),
        (
            "personalize-events/putActionInteractions",
            {"trackingId": "t", "actionInteractions": [_TAKEN]},
            "in_doubt",
        ),
        (
            "cognito-idp/changePassword",
            {"PreviousPassword": "a" * 6, "ProposedPassword": "b" * 6, "AccessToken": "x"},
            "in_doubt",
        ),
        ("sqs/purgeQueue", {"QueueUrl": "https://q"}, "succeeded"),
    ],
)
def test_a_repeat_is_harmless_in_effect_answer_and_outcome(
    action: str, inputs: Any, status: str
) -> None:
    """What would answer otherwise the second time, act twice or be refused is a ``write``: a lost
    answer leaves it in doubt.
    """
    if isinstance(inputs, str):
        record = {"Name": "a.", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "192.0.2.1"}]}
        inputs = {
            "HostedZoneId": "Z1",
            "ChangeBatch": {"Changes": [{"Action": inputs, "ResourceRecordSet": record}]},
        }
    answer = _xml("<R/>") if action.startswith("route53") else Answer({})
    result, requests = _called(action, inputs, Answer({"message": None}, 500), answer)
    assert (result["status"], requests) == (status, 1 if status == "in_doubt" else 2)


def test_every_operation_of_a_verb_that_says_too_little_is_looked_up() -> None:
    """Operations under such a verb are writes until they are in the table, and the table names none
    that botocore lacks.
    """
    from jackfield_aws.virtual.effects import effect_of, verb_of
    from jackfield_aws.virtual.reviewed import NOT_REPEATED, REPEATED, VERBS

    session, known, idempotent = botocore.session.get_session(), set(), set()
    for service in session.get_available_services():
        model = session.get_service_model(service)
        for operation in map(model.operation_model, model.operation_names):
            known.add((service, operation.name))
            has_token = operation.idempotent_members or operation._operation_model.get("idempotent")
            if (
                verb_of(operation.name)[0] in VERBS
                and effect_of(service, operation) == "idempotent"
                and not has_token
            ):
                idempotent.add((service, operation.name))
    assert idempotent <= REPEATED
    assert (REPEATED | NOT_REPEATED) - known == set()
    assert not REPEATED & NOT_REPEATED


@pytest.mark.parametrize(
    ("action", "inputs", "gone"),
    [
        (
            "dynamodb/deleteTable",
            {"TableName": "items"},
            Answer({"__type": "ResourceNotFoundException", "message": "No."}, 400),
        ),
        (
            "iam/detachRolePolicy",
            {"RoleName": "r", "PolicyArn": "arn:aws:iam::aws:policy/x"},
            _xml(_refusal("NoSuchEntity"), 404),
        ),
        (
            "s3/abortMultipartUpload",
            {"Bucket": "reports", "Key": "k", "UploadId": "u"},
            _xml("<Error><Code>NoSuchUpload</Code><Message>No.</Message></Error>", 404),
        ),
        (
            "ec2/revokeSecurityGroupIngress",
            {"GroupId": "sg-1"},
            _xml(_refusal("InvalidPermission.NotFound"), 400),
        ),
        (
            "sqs/purgeQueue",
            {"QueueUrl": "https://q"},
            Answer({"__type": "com.amazonaws.sqs#PurgeQueueInProgress", "message": "No."}, 403),
        ),
    ],
)
def test_a_removal_that_finds_nothing_after_a_lost_answer_is_done(
    action: str, inputs: dict[str, Any], gone: Answer
) -> None:
    """After an attempt of this call that nobody has an answer to, "gone" is what was asked for,
    with a warning.
    """
    result, requests = _called(action, inputs, Answer(content=b"", status=500), gone)
    assert (result["status"], result["output"], requests) == ("succeeded", {}, 2)
    assert ["an earlier attempt of this call may have" in one for one in _warnings(result)] == [
        True
    ]
    result, _ = _called(action, inputs, gone)
    assert result["error"]["code"] in ("not_found", "conflict")


def test_a_gateway_that_finds_nothing_after_a_lost_answer_has_not_done_it() -> None:
    """A 404 without a code and without a request ID is not AWS's: the call has failed, and says
    that the earlier attempt may have taken effect.
    """
    lost, gone = Answer(content=b"", status=500), Answer({"message": "no Route matched"}, 404)
    result, requests = _called("dynamodb/deleteTable", {"TableName": "items"}, lost, gone)
    assert (result["status"], result["error"]["code"], requests) == ("failed", "not_found", 2)
    assert "may have taken effect" in result["error"]["details"][0]["message"]


_ENTRIES = [{"Id": "1", "MessageBody": "a"}, {"Id": "2", "MessageBody": "b"}]
_RECORDS = [{"Data": "x", "PartitionKey": "k"}] * 3


@pytest.mark.parametrize(
    ("action", "inputs", "answer", "path", "places"),
    [
        (
            "sqs/sendMessageBatch",
            {"QueueUrl": "https://q", "Entries": _ENTRIES},
            {"Failed": [{"Id": "2"}]},
            "/Failed",
            "/Failed/0",
        ),
        (
            "kinesis/putRecords",
            {"StreamName": "s", "Records": _RECORDS},
            {
                "FailedRecordCount": 2,
                "Records": [{"ErrorCode": "a"}, {"ShardId": "s"}, {"ErrorCode": "b"}],
            },
            "/FailedRecordCount",
            "/Records/0, /Records/2",
        ),
        (
            "events/putEvents",
            {"Entries": [{"Detail": "{}"}] * 2},
            {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "a"}, {}]},
            "/FailedEntryCount",
            "/Entries/0",
        ),
        (
            "dynamodb/batchWriteItem",
            {"RequestItems": {"t": [{"DeleteRequest": {"Key": {"a": one}}} for one in "bc"]}},
            {"UnprocessedItems": {"t": [{"DeleteRequest": {"Key": {"a": {"S": "b"}}}}]}},
            "/UnprocessedItems",
            "/UnprocessedItems/t",
        ),
        (
            "ecs/runTask",
            {"taskDefinition": "t"},
            {"tasks": [{}], "failures": [{"reason": "x"}] * 12},
            "/failures",
            "and 2 more",
        ),
    ],
)
def test_what_failed_in_part_is_said(
    action: str, inputs: dict[str, Any], answer: dict[str, Any], path: str, places: str
) -> None:
    """A batch of which some entries failed is a success with one warning, which counts them and
    points at each.
    """
    result, requests = _called(action, inputs, Answer(answer))
    assert (result["status"], requests) == ("succeeded", 1)
    assert [
        (one["path"], "succeeded in part" in one["message"], places in one["message"])
        for one in result["meta"]["warnings"]
    ] == [(path, True, True)]


@pytest.mark.parametrize(
    "text",
    ["<Size/>", "<Size></Size>", "<Size>True</Size>", "<Size>1.5</Size>", "<Size>many</Size>"],
)
def test_a_number_of_xml_that_is_none_loses_no_answer(text: str) -> None:
    """Servers that speak S3 send empty and other sizes: the text stays, with a warning that names
    it.
    """
    found = f"<ListBucketResult><Contents><Key>a</Key>{text}</Contents><Contents><Key>b</Key><Size>2</Size></Contents></ListBucketResult>"
    result, requests = _called("s3/listObjectsV2", {"Bucket": "reports"}, _xml(found))
    said = text.removeprefix("<Size>").removesuffix("</Size>").removesuffix("<Size/>")
    assert (result["status"], requests, result["output"]["Contents"]) == (
        "succeeded",
        1,
        [{"Key": "a", "Size": said}, {"Key": "b", "Size": 2}],
    )
    assert f"AWS sent {said!r} where a number belongs: it is returned as it is" in _warnings(result)


def test_a_number_of_a_header_field_that_is_none_confirms_a_write() -> None:
    """The effect that AWS confirmed stays confirmed."""
    answer = Answer(content=b"", headers={"x-amz-object-size": "large", "ETag": '"e"'})
    result, requests = _called(
        "s3/putObject", {"Bucket": "reports", "Key": "k", "Body": "x"}, answer
    )
    assert (result["status"], requests, result["output"]) == (
        "succeeded",
        1,
        {"ETag": '"e"', "Size": "large"},
    )


def test_a_function_that_failed_is_said() -> None:
    """Lambda answers 200 for a function that raised: the warning says so; a function that returned
    has none.
    """
    failed = Answer({"errorMessage": "no"}, headers={"X-Amz-Function-Error": "Unhandled"})
    assert [
        one.startswith("the function failed (Unhandled)")
        for one in _warnings(_called("lambda/invoke", {"FunctionName": "f"}, failed)[0])
    ] == [True]
    assert (
        _warnings(_called("lambda/invoke", {"FunctionName": "f"}, Answer({"Failed": [1]}))[0]) == []
    )


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ({"ErrorCode": "Unhandled", "ErrorDetails": "no"}, ["/EventStream/1/InvokeComplete"]),
        ({}, []),
    ],
)
def test_a_function_whose_stream_ends_with_an_error_is_said(
    end: dict[str, Any], said: list[str]
) -> None:
    """The last event of Lambda's stream has the error of a function that raised after its first
    bytes.
    """
    stream = Answer(
        content=_event("PayloadChunk", b"x") + _event("InvokeComplete", end),
        headers={"Content-Type": "application/vnd.amazon.eventstream"},
    )
    result, _ = _called("lambda/invokeWithResponseStream", {"FunctionName": "f"}, stream)
    assert result["status"] == "succeeded"
    assert [
        one["path"]
        for one in result["meta"].get("warnings", ())
        if "the function failed (Unhandled)" in one["message"]
    ] == said
