"""The messages and the quoting that Dapr's gRPC needs, held against Dapr's own code and against
Go's rules.
"""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from dapr.proto.runtime.v1 import binding_pb2, metadata_pb2
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from jackfield_dapr.sidecar.messages import (
    GetMetadataResponse,
    InvokeBindingRequest,
    InvokeBindingResponse,
    entries,
)
from jackfield_dapr.sidecar.payload import PayloadError, QuotingError, from_octets, unquote

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
TEXTS = st.dictionaries(TEXT, TEXT, max_size=4)


@given(TEXT, st.binary(max_size=300), TEXT, TEXTS)
def test_requests_of_dapr_are_read(
    name: str, data: bytes, operation: str, metadata: dict[str, str]
) -> None:
    """Whatever Dapr's code encodes is decoded to the same members."""
    made = binding_pb2.InvokeBindingRequest(
        name=name, data=data, operation=operation, metadata=metadata
    )
    found = InvokeBindingRequest.FromString(made.SerializeToString())
    assert (found.name, found.data, found.operation) == (name, data, operation)
    assert {entry.key: entry.value for entry in found.metadata} == metadata


@given(TEXTS)
def test_responses_are_read_by_dapr(metadata: dict[str, str]) -> None:
    """Whatever we encode is decoded by Dapr's code to the same members."""
    made = InvokeBindingResponse(metadata=entries(metadata)).SerializeToString()
    assert dict(binding_pb2.InvokeBindingResponse.FromString(made).metadata) == metadata


@given(
    TEXT,
    TEXT,
    st.lists(st.fixed_dictionaries({"name": TEXT, "type": TEXT, "version": TEXT}), max_size=3),
)
def test_metadata_are_read_by_dapr(app_id: str, version: str, rows: list[dict[str, str]]) -> None:
    """The same holds of the list of components."""
    components = [{**row, "capabilities": ["OUTPUT_BINDING"]} for row in rows]
    made = GetMetadataResponse(id=app_id, registered_components=components, runtime_version=version)
    found = metadata_pb2.GetMetadataResponse.FromString(made.SerializeToString())
    assert (found.id, found.runtime_version) == (app_id, version)
    assert [(item.name, item.type, item.version) for item in found.registered_components] == [
        (row["name"], row["type"], row["version"]) for row in rows
    ]


@given(st.binary(max_size=60))
def test_octets_are_a_message_or_an_error(octets: bytes) -> None:
    """No octets make the decoder fail in any other way."""
    with suppress(DecodeError):
        assert isinstance(InvokeBindingRequest.FromString(octets), InvokeBindingRequest)


def test_unknown_fields_are_skipped() -> None:
    """Fields of later versions, of every kind, change nothing."""
    later = b"\x28\x96\x01" + b"\x31" + bytes(8) + b"\x3d" + bytes(4) + b"\x42\x01x"
    assert InvokeBindingRequest.FromString(later + b"\x0a\x03box").name == "box"


@given(TEXT)
def test_what_is_quoted_comes_back(text: str) -> None:
    """A text that is quoted as Go does, in quotes or in backticks, is the text again."""
    body = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    assert unquote(f'"{body}"') == text
    if "`" not in text:
        assert unquote(f"`{text}`") == text.replace("\r", "")


@given(TEXT)
def test_json_texts_come_back_in_lenient_reading(text: str) -> None:
    """Both forms that Python's json module writes are the text again."""
    for octets in (json.dumps(text).encode(), json.dumps(text, ensure_ascii=False).encode()):
        assert from_octets(octets, (), strict=False) == text


@given(st.binary(max_size=60), st.booleans())
def test_data_are_a_body_or_an_error(octets: bytes, strict: bool) -> None:
    """No octets make the reader fail in any other way."""
    with suppress(PayloadError):
        assert isinstance(from_octets(octets, ("text",), strict=strict), str | dict)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"',
        "x",
        '"a',
        'a"',
        '"a"b"',
        '"a\nb"',
        r'"\/"',
        r'"\'"',
        r"'\"'",
        "''",
        "'ab'",
        "`a`b`",
        r'"\u12"',
        r'"\x1"',
        r'"\400"',
        r'"\ud83d"',
        r'"\U00110000"',
        r'"\q"',
        '"\\',
        r'"\xff"',
        "'''",
    ],
)
def test_what_is_no_literal_is_refused(text: str) -> None:
    """Go's syntax errors are errors here, too."""
    with pytest.raises(QuotingError, match="invalid syntax"):
        unquote(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\a\b\f\n\r\t\v\\\""', '\a\b\f\n\r\t\v\\"'),
        (r'"\u00e9\U0001f600\xc3\xa9\303\251"', "é😀éé"),
        ("'é'", "é"),
        (r"'\''", "'"),
        (r"'\n'", "\n"),
        ('""', ""),
        ("``", ""),
    ],
)
def test_literals_are_read(text: str, value: str) -> None:
    """Each escape of the Go specification stands for its character or octet."""
    assert unquote(text) == value
