"""A response that is cut off in its body is repeated as the operation's effect allows, in streams
as in documents.
"""

from __future__ import annotations

import json
import socket
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any
from zlib import crc32

import botocore.exceptions
import pytest
import urllib3.exceptions

from jackfield import Jackfield
from jackfield.connector import Sent, Unavailable
from jackfield.invocation import Result
from jackfield_aws import AWS_ERRORS
from jackfield_aws.virtual.calls import INLINE_BODY
from moto_rig import EVERYTHING, Rig, offer
from raw_server import RESET, read_request, serving

Response = tuple[tuple[str, ...], bytes]
SELECT: dict[str, Any] = {
    "Bucket": "b",
    "Key": "k",
    "Expression": "SELECT * FROM s3object",
    "ExpressionType": "SQL",
    "InputSerialization": {"CSV": {}},
    "OutputSerialization": {"CSV": {}},
}
_CALLER = "<GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult>"
CALLER = f"<GetCallerIdentityResponse>{_CALLER}</GetCallerIdentityResponse>".encode()


def _event(payload: bytes) -> bytes:
    """One event in AWS's encoding (application/vnd.amazon.eventstream)."""
    headers = b"".join(
        bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
        for name, value in ((b":message-type", b"event"), (b":event-type", b"Records"))
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return message + struct.pack(">I", crc32(message))


def _sized(kind: str, body: bytes, *more: str) -> Response:
    return (f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more), body


def _chunked(kind: str, body: bytes) -> Response:
    middle = len(body) // 2
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:middle], body[middle:])]
    return (f"Content-Type: {kind}", "Transfer-Encoding: chunked"), b"".join(chunks) + b"0\r\n\r\n"


EVENTS = "application/vnd.amazon.eventstream"
SMALL, LARGE = b"x" * 2000, b"x" * (INLINE_BODY * 2)
RESPONSES: dict[str, tuple[str, dict[str, Any], Response]] = {
    "small file": ("s3/getObject", {"Bucket": "b", "Key": "k"}, _sized("text/plain", SMALL)),
    "large file": ("s3/getObject", {"Bucket": "b", "Key": "k"}, _sized("text/plain", LARGE)),
    "chunked file": ("s3/getObject", {"Bucket": "b", "Key": "k"}, _chunked("text/plain", LARGE)),
    "events": ("s3/selectObjectContent", SELECT, _sized(EVENTS, _event(b"a,b\n" * 50) * 20)),
    "chunked events": (
        "s3/selectObjectContent",
        SELECT,
        _chunked(EVENTS, _event(b"a,b\n" * 50) * 20),
    ),
    "XML": ("sts/getCallerIdentity", {}, _sized("text/xml", CALLER)),
    "chunked XML": ("sts/getCallerIdentity", {}, _chunked("text/xml", CALLER)),
    "JSON": (
        "dynamodb/listTables",
        {},
        _sized("application/x-amz-json-1.0", json.dumps({"TableNames": ["t" * 900]}).encode()),
    ),
    "REST JSON": (
        "lambda/listFunctions",
        {},
        _sized(
            "application/json", json.dumps({"Functions": [{"FunctionName": "f" * 900}]}).encode()
        ),
    ),
}
"""Bodies as AWS sends them, by what they are."""


def _talk(*steps: tuple[Response, float | None, bool]) -> Callable[[socket.socket], None]:
    """Answer one request per connection: with a part of the body (None: with all of it), then with
    a close or a reset.
    """
    left = iter(steps)

    def talk(connection: socket.socket) -> None:
        if not read_request(connection):
            return
        (lines, body), part, resets = next(left)
        sent = body if part is None else body[: int(len(body) * part)]
        connection.sendall(
            "\r\n".join(("HTTP/1.1 200 OK", "x-amzn-RequestId: r-1", *lines, "", "")).encode()
            + sent
        )
        if resets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    return talk


@pytest.fixture(name="jackfield", scope="module")
def _jackfield(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jackfield]:
    with Jackfield(
        environment=offer(tmp_path_factory.mktemp("home"), {"default": EVERYTHING})
    ) as jackfield:
        yield jackfield


def _result(
    jackfield: Jackfield,
    action: str,
    inputs: dict[str, Any],
    *steps: tuple[Response, float | None, bool],
) -> Result:
    with serving(_talk(*steps)) as port:
        return Rig(jackfield, f"http://127.0.0.1:{port}").result(action, **inputs)


@pytest.mark.parametrize(
    ("what", "part", "resets"),
    [  # each body ends in two of the four ways, the next one in the other two
        pytest.param(
            what,
            part,
            resets,
            id=f"{what}-{part}-{end}",
            marks=() if (place + late + resets) % 2 == 0 else pytest.mark.campaign,
        )
        for place, what in enumerate(RESPONSES)
        for late, part in enumerate([0.0, 0.47])
        for resets, end in ((False, "close"), (True, "reset"))
    ],
)
def test_h1_a_body_cut_midway_is_fetched_again(
    jackfield: Jackfield, what: str, part: float, *, resets: bool
) -> None:
    """A read whose body ends too early is read again, whatever the body is and however the
    connection ended.
    """
    action, inputs, response = RESPONSES[what]
    found = _result(jackfield, action, inputs, (response, part, resets), (response, None, False))
    assert found.error is None, found.error.to_json()
    assert (found.status, found.meta.attempts) == ("succeeded", 2)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nx-amzn-RequestId: r-1\r\n\r\n"
CUTS = {"status line": 14, "name": 25, "value": 47, "blank line": -2}
"""Where a head ends too early: bytes of it that arrive."""


def _headless(cut: int) -> Callable[[socket.socket], None]:
    """Answer the first request with a part of a head, and each later one in full."""
    heads = iter([HEAD[:cut]])

    def talk(connection: socket.socket) -> None:
        if read_request(connection):
            connection.sendall(next(heads, HEAD + b"{}"))

    return talk


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("action", ["s3/getObject", "dynamodb/getItem"])
def test_h1_a_read_whose_head_is_cut_is_read_again(
    jackfield: Jackfield, action: str, cut: int
) -> None:
    """A response that ends within its head is no empty object, and no item that does not exist."""
    inputs: dict[str, Any] = (
        {"Bucket": "b", "Key": "k"}
        if action == "s3/getObject"
        else {"TableName": "t", "Key": {"id": {"S": "1"}}}
    )
    with serving(_headless(cut)) as port:
        found = Rig(jackfield, f"http://127.0.0.1:{port}").result(action, **inputs)
    assert (found.status, found.meta.attempts) == ("succeeded", 2)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_h1_a_write_whose_head_is_cut_is_in_doubt(jackfield: Jackfield, cut: int) -> None:
    """Half a head does not say what became of a message, though its status line says 200."""
    inputs: dict[str, Any] = {
        "QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/q",
        "MessageBody": "x",
    }
    with serving(_headless(cut)) as port:
        found = Rig(jackfield, f"http://127.0.0.1:{port}").result("sqs/sendMessage", **inputs)
    assert (found.status, found.meta.attempts) == ("in_doubt", 1)


def test_h1_a_stream_without_a_length_ends_after_an_event(jackfield: Jackfield) -> None:
    """Where only the end of the connection ends a stream, an event that is cut off shows that it is
    not whole.
    """
    body = _event(b"a,b\n" * 50) * 20
    response = (f"Content-Type: {EVENTS}", "Connection: close"), body
    found = _result(
        jackfield,
        "s3/selectObjectContent",
        SELECT,
        (response, 0.47, False),
        (response, None, False),
    )
    assert found.error is None, found.error.to_json()
    assert (found.meta.attempts, len((found.output or {})["Payload"])) == (2, 20)


@pytest.mark.parametrize("resets", [False, True], ids=["close", "reset"])
@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_h1_a_write_whose_body_is_cut_is_in_doubt(
    jackfield: Jackfield, body: bytes, *, resets: bool
) -> None:
    """A function that was invoked and whose answer is cut off has run: nothing invokes it again."""
    response = _sized("application/octet-stream", body)
    found = _result(jackfield, "lambda/invoke", {"FunctionName": "f"}, (response, 0.47, resets))
    assert found.error is not None
    assert (found.status, found.error.code, found.meta.attempts) == ("in_doubt", "in_doubt", 1)
    assert "broke" in found.error.message


@pytest.mark.parametrize(
    ("action", "inputs", "condition"),
    [
        ("dynamodb/putItem", {"TableName": "t", "Item": {"k": {"S": "1"}}}, "ConditionExpression"),
        ("lambda/updateFunctionConfiguration", {"FunctionName": "f"}, "RevisionId"),
    ],
)
def test_a_call_with_a_condition_is_not_repeated(
    jackfield: Jackfield, action: str, inputs: dict[str, Any], condition: str
) -> None:
    """A call is sent again after a lost answer, unless it has a condition on what it changes
    itself: AWS would refuse the second one, and the first one, which took effect, would end as a
    failure.
    """
    response = _sized("application/json", b"{}")
    again = _result(jackfield, action, inputs, (response, 0.0, True), (response, None, False))
    assert (again.status, again.meta.attempts) == ("succeeded", 2)
    once = _result(jackfield, action, {**inputs, condition: "*"}, (response, 0.0, True))
    assert (once.status, once.meta.attempts) == ("in_doubt", 1)


def test_h1_a_file_that_fails_its_checksum_is_fetched_again(jackfield: Jackfield) -> None:
    """A body whose checksum is not the one in its header was damaged on the way."""
    checksum = b64encode(struct.pack(">I", crc32(SMALL))).decode()
    wrong, right = (
        _sized("text/plain", body, f"x-amz-checksum-crc32: {checksum}")
        for body in (SMALL[1:], SMALL)
    )
    found = _result(
        jackfield,
        "s3/getObject",
        {"Bucket": "b", "Key": "k"},
        (wrong, None, False),
        (right, None, False),
    )
    assert found.error is None, found.error.to_json()
    assert found.meta.attempts == 2


@pytest.mark.parametrize("checksum", ["plain", "1", "x=y;z", "AAAAA==="])
@pytest.mark.parametrize(
    ("action", "more"), [("s3/getObject", {}), ("s3/getObjectAnnotation", {"AnnotationName": "a"})]
)
def test_a_checksum_that_is_none_is_a_damaged_answer(
    jackfield: Jackfield, action: str, more: dict[str, str], checksum: str
) -> None:
    """A header field that should have a checksum, and has no Base64, is no error of ours: the
    object is asked for again.
    """
    odd, right = (
        _sized("text/plain", SMALL, f"x-amz-checksum-crc32: {checksum}"),
        _sized("text/plain", SMALL),
    )
    found = _result(
        jackfield,
        action,
        {"Bucket": "b", "Key": "k", **more},
        (odd, None, False),
        (right, None, False),
    )
    assert (found.status, found.meta.attempts) == ("succeeded", 2)


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        botocore.exceptions.ResponseStreamingError(error="x"),
        botocore.exceptions.FlexibleChecksumError(error_msg="x"),
        botocore.exceptions.ChecksumError(
            checksum_type="a", expected_checksum="b", actual_checksum="c"
        ),
        urllib3.exceptions.ProtocolError("x"),
        urllib3.exceptions.SSLError("x"),
        urllib3.exceptions.DecodeError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_h1_what_ends_a_body_is_in_doubt(error: Exception) -> None:
    """What botocore and urllib3 raise while a body is read says that the request was sent and may
    be repeated.
    """
    found = AWS_ERRORS.explain(error)
    assert found is not None
    assert (type(found), found.sent, found.repeatable) == (Unavailable, Sent.UNKNOWN, True)
