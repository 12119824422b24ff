"""Calls without botocore's client: which go out this way, what they return and raise, and how they
are turned off.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import socket
from typing import Any

import pytest
from botocore import handlers
from botocore.exceptions import ClientError, NoCredentialsError

from aws_opening import KEY_ID, MAIL, SECRET, TOKEN, Opener
from fake_aws import FakeAws
from jackfield.cli.main import main
from jackfield.connector.context import entered
from jackfield_aws import ApiKeySecret, AwsClients
from jackfield_aws.direct import light
from jackfield_aws.direct.client import DirectClient, open_client
from jackfield_aws.keys import Keys
from jackfield_aws.sessions import ClientSpec, make_client
from raw_server import read_request, serving

KEYS = Keys(KEY_ID, SECRET)


def _clients(opener: Opener, **values: Any) -> AwsClients:
    context = opener.context(awsRegion="eu-west-1")
    return ApiKeySecret.model_validate(
        {"accessKeyId": KEY_ID, "secretAccessKey": SECRET, **values}
    ).open(context)


@contextmanager
def _answering(status: int, headers: dict[str, str], body: bytes) -> Iterator[str]:
    """A server that gives each request this answer, and closes; its URL."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} x\r\n{lines}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"

    def answer(connection: socket) -> None:
        if read_request(connection):
            connection.sendall(head.encode() + body)

    with serving(answer) as port:
        yield f"http://127.0.0.1:{port}"


def _cbor(**members: str) -> bytes:
    """A map of texts in CBOR (RFC 8949 §3.1)."""

    def text(value: str) -> bytes:
        return bytes([0x78, len(value)]) + value.encode()

    return bytes([0xA0 + len(members)]) + b"".join(
        text(name) + text(value) for name, value in members.items()
    )


_JSON = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "r-1"}
_QUERY = b"<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>no</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
_EC2 = b"<Response><Errors><Error><Code>%s</Code><Message>no</Message></Error></Errors><RequestID>r-1</RequestID></Response>"
_CBOR = {
    "Content-Type": "application/cbor",
    "smithy-protocol": "rpc-v2-cbor",
    "x-amzn-RequestId": "r-1",
}
_TEXT = {"Content-Type": "text/xml", "x-amzn-RequestId": "r-1"}
_CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "json": ("dynamodb", "PutItem", {"TableName": "t", "Item": {}}),
    "query-compatible json": ("sqs", "SendMessage", {"QueueUrl": "q", "MessageBody": "b"}),
    "rest-json": ("lambda", "GetFunctionConfiguration", {"FunctionName": "f"}),
    "query": ("iam", "GetUser", {"UserName": "u"}),
    "ec2": ("ec2", "DescribeInstances", {}),
    "rest-xml": ("cloudfront", "GetDistribution", {"Id": "d"}),
    "cbor": ("eventbridgev2", "", {}),
}
_ERRORS: dict[str, list[tuple[int, dict[str, str], bytes]]] = {
    "json": [
        (
            400,
            _JSON,
            (
                b'{"__type": "x#ConditionalCheckFailedException", "message": "no", "Item": {"a": '
                b'{"S": "x"}}}'
            ),
        ),
        (400, _JSON, b'{"__type": "NobodyKnowsThis", "message": "no"}'),
    ],
    "query-compatible json": [
        (
            400,
            {**_JSON, "x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
            b'{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no"}',
        ),
        (400, _JSON, b'{"__type": "com.amazonaws.sqs#InvalidMessageContents", "message": "no"}'),
    ],
    "rest-json": [
        (
            404,
            {**_JSON, "x-amzn-ErrorType": "ResourceNotFoundException:http://x/"},
            b'{"Type": "User", "Message": "no"}',
        ),
        (
            429,
            {**_JSON, "x-amzn-ErrorType": "TooManyRequestsException", "Retry-After": "3"},
            b'{"message": "no", "Reason": "r"}',
        ),
    ],
    "query": [(404, _TEXT, _QUERY % b"NoSuchEntity"), (400, _TEXT, _QUERY % b"NobodyKnowsThis")],
    "ec2": [
        (400, _TEXT, _EC2 % b"InvalidInstanceID.NotFound"),
        (503, _TEXT, _EC2 % b"RequestLimitExceeded"),
    ],
    "rest-xml": [
        (404, _TEXT, _QUERY % b"NoSuchDistribution"),
        (403, _TEXT, _QUERY % b"AccessDenied"),
    ],
    "cbor": [
        (400, _CBOR, _cbor(__type="x#ValidationException", message="no")),
        (400, _CBOR, _cbor(__type="x#NobodyKnowsThis", message="no")),
    ],
}


@pytest.mark.parametrize("protocol", _CALLS)
def test_errors_are_those_of_botocore(protocol: str) -> None:
    """Three errors of each protocol raise the exception that botocore's client raises: its class,
    its text and the whole answer.
    """
    service, operation, parameters = _CALLS[protocol]
    for status, headers, body in (*_ERRORS[protocol], (500, {"x-amzn-RequestId": "r-1"}, b"")):
        with _answering(status, headers, body) as url:
            spec = ClientSpec(service, "eu-west-1", url, KEYS, validates=False)
            theirs, ours = make_client(spec), open_client(spec, begins=True)
            name = operation or theirs.meta.service_model.operation_names[0]
            method = next(
                key for key, value in theirs.meta.method_to_api_mapping.items() if value == name
            )
            assert not ours._calls._operation(name).verdict.reasons
            expected, found = (
                _raised(getattr(client, method), parameters) for client in (theirs, ours)
            )
        assert [kind.__qualname__ for kind in type(found).__mro__] == [
            kind.__qualname__ for kind in type(expected).__mro__
        ]
        assert (found.response, found.operation_name, str(found)) == (
            expected.response,
            expected.operation_name,
            str(expected),
        )


def _raised(method: Any, parameters: dict[str, Any]) -> ClientError:
    with pytest.raises(ClientError) as raised:
        method(**parameters)
    return raised.value


@pytest.mark.parametrize(
    ("service", "method", "parameters", "body"),
    [
        (
            "iam",
            "get_role",
            {"RoleName": "r"},
            b"<R><GetRoleResult><Role><AssumeRolePolicyDocument>%7B%22a%22%3A1%7D</AssumeRolePolicyDocument></Role></GetRoleResult></R>",
        ),
        (
            "ec2",
            "get_console_output",
            {"InstanceId": "i"},
            b"<GetConsoleOutputResponse><output>aGk=</output></GetConsoleOutputResponse>",
        ),
        (
            "cloudformation",
            "get_template",
            {"StackName": "s"},
            (
                b'<GetTemplateResponse><GetTemplateResult><TemplateBody>{"a": '
                b"1}</TemplateBody></GetTemplateResult></GetTemplateResponse>"
            ),
        ),
        (
            "secretsmanager",
            "list_secrets",
            {},
            b'{"SecretList": [{"ARN": "a", "CreatedDate": 1.5}]}',
        ),
    ],
)
def test_answers_are_those_of_botocore(
    service: str, method: str, parameters: dict[str, Any], body: bytes
) -> None:
    """What a call returns is what botocore's client returns, also where a function of its own
    changes it.
    """
    with _answering(200, {"x-amzn-RequestId": "r-1", "X-Twice": "1"}, body) as url:
        spec = ClientSpec(service, "eu-west-1", url, KEYS)
        theirs, ours = make_client(spec), open_client(spec, begins=True)
        assert getattr(ours, method)(**parameters) == getattr(theirs, method)(**parameters)
        assert ours._calls._operations


def test_exceptions_of_the_client_can_be_caught(opener: Opener, aws: FakeAws) -> None:
    """``client.exceptions`` has the classes that its calls raise."""
    aws.script([{"do": "status", "status": 404}])
    client = _clients(opener).client("sesv2")
    with entered(opener.context().call), pytest.raises(client.exceptions.NotFoundException):
        client.get_account()


def test_a_function_that_listens_is_always_called(opener: Opener, aws: FakeAws) -> None:
    """Whoever registers a function with the events of a client gets botocore's client, also after
    the first call.
    """
    client, heard = _clients(opener).client("sesv2"), list[str]()
    client.send_email(**MAIL)
    client.meta.events.register(
        "before-send.sesv2.SendEmail", lambda event_name, **_: heard.append(event_name)
    )
    client.send_email(**MAIL)
    assert heard == ["before-send.sesv2.SendEmail"]
    assert [
        reason.partition(":")[0] for reason in client._calls._operation("SendEmail").verdict.reasons
    ] == ["before-send"]
    assert not client._calls._operation("GetAccount").verdict.reasons


@pytest.mark.parametrize(("value", "is_direct"), [("0", False), ("1", True), (None, True)])
def test_it_can_be_turned_off(
    opener: Opener,
    aws: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
    *,
    is_direct: bool,
) -> None:
    """``JACKFIELD_AWS_DIRECT=0`` leaves all calls to boto3's client: it adds header fields, and
    methods to that of S3.
    """
    if value is not None:
        monkeypatch.setenv("JACKFIELD_AWS_DIRECT", value)
    client = _clients(opener).client("sesv2")
    assert client.send_email(**MAIL)["MessageId"]
    assert isinstance(client, DirectClient) is is_direct
    assert ("amz-sdk-invocation-id" not in aws.requests[-1].headers) is is_direct
    assert is_direct or hasattr(_clients(opener).client("s3"), "upload_file")


@pytest.mark.parametrize(("value", "warnings"), [("0", 1), ("1", 0)])
def test_it_is_said_where_it_is_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str, warnings: int
) -> None:
    """``jackfield doctor`` without a connection names the variable, and what it costs."""
    monkeypatch.setenv("JACKFIELD_AWS_DIRECT", value)
    assert main(["doctor"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["healthy"], len(found["warnings"])) == (True, warnings)
    assert all(text.startswith("JACKFIELD_AWS_DIRECT=0: ") for text in found["warnings"])


def test_it_has_what_botocores_client_has(opener: Opener, aws: FakeAws) -> None:
    """Pages, metadata and the list of methods are botocore's, and a page is fetched directly."""
    client = _clients(opener).client("ses")
    assert {"send_email", "get_paginator", "meta"} <= set(dir(client))
    pages = list(client.get_paginator("list_identities").paginate())
    assert [page["ResponseMetadata"]["RetryAttempts"] for page in pages] == [0]
    assert "amz-sdk-invocation-id" not in aws.requests[-1].headers
    with pytest.raises(AttributeError):
        _ = client.send_nothing
    with pytest.raises(TypeError):
        client.send_email("a@example.com")


def test_nothing_of_it_shows_a_key(opener: Opener, aws: FakeAws) -> None:
    """Neither the client nor its signer shows a secret or can be pickled."""
    client = _clients(opener).client("sesv2")
    client.get_account()
    signer = client._calls._requests._signer
    for secretive in (client, signer):
        assert not any(secret in repr(secretive) for secret in (KEY_ID, SECRET, TOKEN))
        with pytest.raises(TypeError, match="secrets"):
            pickle.dumps(secretive)


def test_refreshed_credentials_sign_the_next_request(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials that botocore refreshes are asked for before each request, and each pair has keys
    of its own.
    """
    from botocore.credentials import RefreshableCredentials

    monkeypatch.setattr(light, "_table", dict)
    client: Any = open_client(ClientSpec("sesv2", "eu-west-1", aws.url, KEYS), begins=True)
    made = iter(("AKIAFIRST", "AKIASECOND"))

    def fresh() -> dict[str, str]:
        return {
            "access_key": next(made),
            "secret_key": SECRET,
            "token": "",
            "expiry_time": str(datetime.now(UTC) + timedelta(seconds=5)),
        }

    signer = client._calls.client()._request_signer
    signer._credentials = RefreshableCredentials.create_from_metadata(
        fresh(), refresh_using=fresh, method="test"
    )
    client.get_account()
    assert aws.requests[-1].access_key_id == "AKIASECOND"
    signer._credentials = None
    with pytest.raises(NoCredentialsError):
        client.get_account()


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({}, "email.eu-west-1.amazonaws.com"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "email-fips.eu-west-1.amazonaws.com"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "email.eu-west-1.api.aws"),
        ({"AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"}, "email.eu-west-1.amazonaws.com"),
    ],
)
def test_endpoints_are_those_of_botocore(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], host: str
) -> None:
    """FIPS and dual-stack endpoints are used where the environment asks for them, those with an
    account's number never.
    """
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    from jackfield_aws import sessions

    sessions._shared._begin_anew()
    client = open_client(ClientSpec("sesv2", "eu-west-1", None, KEYS), begins=True)
    sessions._shared._begin_anew()
    calls = client._calls
    request = calls._requests.build(calls._operation("GetAccount"), {}, calls._service.credentials)
    assert (request.target.host, request.url) == (host, f"https://{host}/v2/email/account")


@pytest.mark.parametrize("base", ["", "/", "/base", "/base/", "/a//b/"])
@pytest.mark.parametrize("light", [True, False])
def test_an_endpoint_may_have_a_path(
    monkeypatch: pytest.MonkeyPatch, base: str, *, light: bool
) -> None:
    """An endpoint's own path, with or without a slash at its end, is joined to that of an operation
    as botocore joins them.
    """
    if not light:
        monkeypatch.setattr("jackfield_aws.direct.light._table", dict)
    asked: list[bytes] = []

    def answer(connection: socket) -> None:
        asked.append(read_request(connection).partition(b" HTTP/1.1")[0])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    with serving(answer) as port:
        for service, call in (("dynamodb", "list_tables"), ("sesv2", "get_account")):
            spec = ClientSpec(service, "eu-west-1", f"http://127.0.0.1:{port}{base}", KEYS)
            for client in (open_client(spec, begins=True), make_client(spec)):
                getattr(client, call)()
    assert asked[0::2] == asked[1::2]


def test_a_function_in_aws_names_its_caller(monkeypatch: pytest.MonkeyPatch, aws: FakeAws) -> None:
    """In AWS Lambda a request carries the trace by which AWS stops functions that call each other
    for ever.
    """
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988;Sampled=1")
    open_client(ClientSpec("sesv2", "eu-west-1", aws.url, KEYS), begins=True).get_account()
    assert aws.requests[-1].headers["x-amzn-trace-id"] == "Root=1-5759e988;Sampled=1"


_LISTENER = ("before-send", lambda **_: None)


@pytest.mark.parametrize(
    ("variables", "settings", "is_light"),
    [
        ({}, "", True),
        (
            {"AWS_PROFILE": "other", "AWS_REGION": "eu-west-2", "HTTPS_PROXY": ""},
            "region = eu-west-2",
            True,
        ),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "", False),
        ({"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9"}, "", False),
        ({}, "use_dualstack_endpoint = true", False),
        ({}, "[", False),
    ],
)
def test_botocores_client_is_made_where_something_is_set(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variables: dict[str, str],
    settings: str,
    *,
    is_light: bool,
) -> None:
    """For keys no client is made, unless a variable or the AWS configuration says how to call AWS,
    which only botocore knows in full.
    """
    file = tmp_path / "config"
    file.write_text(f"[default]\n{settings}\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (
        light.light_service(ClientSpec("secretsmanager", "eu-west-1", None, KEYS), 60.0) is not None
    ) is is_light


def test_a_client_is_made_where_functions_listen_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that listens to all clients of the process, as moto does, gets botocore's."""
    spec = ClientSpec("sesv2", "eu-west-1", None, KEYS)
    assert light.light_service(spec, 60.0) is not None
    monkeypatch.setattr(handlers, "BUILTIN_HANDLERS", [*handlers.BUILTIN_HANDLERS, _LISTENER])
    assert light.light_service(spec, 60.0) is None


def test_a_cold_call_with_keys_imports_no_client(aws: FakeAws) -> None:
    """The first call of a process imports neither boto3 nor botocore's session or client, and fails
    as later ones do.
    """
    script = f"""
import sys
from jackfield_aws.direct.client import open_client
from jackfield_aws.keys import Keys
from jackfield_aws.sessions import ClientSpec
client = open_client(ClientSpec("sesv2", "eu-west-1", {aws.url!r}, Keys({KEY_ID!r}, {SECRET!r})), begins=True)
assert client.send_email(**{MAIL!r})["MessageId"]
dear = {{"boto3", "botocore.client", "botocore.session", "botocore.handlers", "botocore.credentials"}} & sys.modules.keys()
assert not dear, dear
assert client.meta.region_name == "eu-west-1"
assert "botocore.client" in sys.modules
assert client.exceptions is client._calls.client().exceptions
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
