"""Dapr over gRPC: data in quotes and without, errors in Dapr's words, headers that change
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest
from dapr.proto.runtime.v1 import binding_pb2, metadata_pb2
from tests.jackfield_dapr.sidecars import SidecarClient, component, sidecar

from fake_aws import FakeAws

ERROR = "error invoking output binding outbox: "
UNQUOTED = ERROR + "SES binding error. Can't unquote data field: invalid syntax"


@pytest.fixture
def strict(folder: Path, aws: FakeAws) -> Iterator[SidecarClient]:
    """The same, which refuses what the original refuses."""
    (folder / "outbox.yaml").write_text(component())
    with sidecar(folder, strict=True) as running:
        yield running


def request(
    data: bytes,
    metadata: Mapping[str, str] | None = None,
    operation: str = "create",
    name: str = "outbox",
) -> bytes:
    """An InvokeBindingRequest, made by Dapr's own code."""
    made = binding_pb2.InvokeBindingRequest(
        name=name, data=data, operation=operation, metadata=dict(metadata or {})
    )
    octets: bytes = made.SerializeToString()
    return octets


def refusal(
    running: SidecarClient, octets: bytes, headers: Mapping[str, str] | None = None
) -> grpc.RpcError:
    """The error that a call comes to."""
    with pytest.raises(grpc.RpcError) as caught:
        running.call("InvokeBinding", octets, headers)
    return caught.value


QUOTED = [
    (b'"<p>x</p>"', "<p>x</p>"),
    (b'"a\\n\\tb \\u003cb\\u003e \\x41\\101"', "a\n\tb <b> AA"),
    ('"😀"'.encode(), "😀"),
    (b'`<p class="x">raw\r\n</p>`', '<p class="x">raw\n</p>'),
    (b"'x'", "x"),
]
UNQUOTABLE = [
    (b"<p>x</p>", "<p>x</p>"),  # D9
    (json.dumps("😀").encode(), "😀"),  # D10
    (b'"a\\/b"', "a/b"),
    (b"'ab'", "'ab'"),
    (b"12", "12"),
    (b'"open', '"open'),
]


@pytest.mark.parametrize(("data", "html"), QUOTED)
def test_quoted_data_are_the_body_in_either_reading(
    dapr: SidecarClient, aws: FakeAws, data: bytes, html: str
) -> None:
    """Go's literals are unquoted, as the original does."""
    octets, _ = dapr.call("InvokeBinding", request(data))
    assert aws.messages[0].content.html == html
    answer = binding_pb2.InvokeBindingResponse.FromString(octets)
    assert dict(answer.metadata) == {"messageId": aws.messages[0].message_id}
    assert answer.data == b""


@pytest.mark.parametrize(("data", "html"), UNQUOTABLE)
def test_d9_d10_other_texts_are_the_body_as_they_are(
    dapr: SidecarClient, aws: FakeAws, data: bytes, html: str
) -> None:
    """What is no Go literal is a JSON text, or just the text."""
    dapr.call("InvokeBinding", request(data))
    assert aws.messages[0].content.html == html


@pytest.mark.parametrize("data", [data for data, _ in UNQUOTABLE])
def test_d9_d10_strictly_other_texts_are_refused(
    strict: SidecarClient, aws: FakeAws, data: bytes
) -> None:
    """In strict reading the caller must quote."""
    error = refusal(strict, request(data))
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, UNQUOTED)
    assert aws.received == 0


@pytest.mark.parametrize("data", [b'{"a": 1}', b"[1]", b"\xff"])
def test_d8_data_of_another_kind_are_refused(
    dapr: SidecarClient, aws: FakeAws, data: bytes
) -> None:
    """JSON objects and lists, and what is no text, cannot be the body of a mail."""
    error = refusal(dapr, request(data))
    assert error.code() == grpc.StatusCode.INTERNAL
    assert "SES binding error. Can't unquote data field" in error.details()
    assert aws.received == 0


@pytest.mark.parametrize(
    ("operation", "name", "text"),
    [
        ("", "outbox", "operation field is missing from request"),
        (
            "get",
            "outbox",
            "binding outbox does not support operation get. supported operations:create",
        ),
        ("create", "nope", "couldn't find output binding nope"),
    ],
)
def test_d11_what_cannot_be_called_is_internal(
    dapr: SidecarClient, operation: str, name: str, text: str
) -> None:
    """The same texts as over HTTP, with the status that Dapr gives them."""
    error = refusal(dapr, request(b'"x"', operation=operation, name=name))
    assert (error.code(), error.details()) == (
        grpc.StatusCode.INTERNAL,
        f"error invoking output binding {name}: {text}",
    )


def test_d20_headers_of_a_call_are_never_recipients(dapr: SidecarClient, aws: FakeAws) -> None:
    """Headers are no metadata of the binding; traceparent is for the trace only."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    dapr.call(
        "InvokeBinding",
        request(b'"x"'),
        {"emailto": "evil@x.test", "emailbcc": "evil@x.test", "traceparent": trace},
    )
    assert aws.messages[0].recipients == ("desk@rcpt.test",)


def test_d18_a_token_is_asked_for(folder: Path, aws: FakeAws) -> None:
    """A missing token and a wrong one are told apart in the details, not in the message."""
    (folder / "outbox.yaml").write_text(component())
    with sidecar(folder, token="t0ken") as running:
        for headers, why in (
            ({}, "missing api token in request metadata"),
            ({"dapr-api-token": "x"}, "api token mismatch"),
        ):
            error = refusal(running, request(b'"x"'), headers)
            assert (error.code(), error.details()) == (
                grpc.StatusCode.UNAUTHENTICATED,
                "Unauthorized",
            )
            details = dict(error.trailing_metadata())["grpc-status-details-bin"]
            assert f"authentication error: {why}".encode() in details
        running.call("InvokeBinding", request(b'"x"'), {"dapr-api-token": "t0ken"})
    assert aws.received == 1


def test_metadata_are_those_of_http(dapr: SidecarClient) -> None:
    """GetMetadata answers what Dapr's own code can read."""
    octets, _ = dapr.call("GetMetadata", b"")
    found = metadata_pb2.GetMetadataResponse.FromString(octets)
    (listed,) = found.registered_components
    assert (listed.name, listed.type, listed.version, list(listed.capabilities)) == (
        "outbox",
        "bindings.aws.ses",
        "v1",
        ["OUTPUT_BINDING"],
    )
    assert found.runtime_version


def test_other_methods_are_not_implemented(dapr: SidecarClient) -> None:
    """A sidecar for bindings has no other building block."""
    with pytest.raises(grpc.RpcError) as caught:
        dapr.call("GetState", b"")
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("octets", [b"\xff", b"\x0a\xff", b"\x0a\x02\xff\xfe", b"\x00\x01"])
def test_octets_that_are_no_request_are_refused(
    dapr: SidecarClient, aws: FakeAws, octets: bytes
) -> None:
    """A message that cannot be read is an error of the caller, and nothing is sent."""
    error = refusal(dapr, octets)
    assert error.code() == grpc.StatusCode.INTERNAL
    assert "cannot be read" in error.details()
    assert aws.received == 0
