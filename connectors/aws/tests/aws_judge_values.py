"""Values made from AWS's models for the judge beside us: inputs as Python's values and as JSON,
answers in the wire form of a service, and the comparison of outputs. Nothing here uses our own
readers and writers.
"""

from __future__ import annotations

import json
import math
import random
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeSerializer
from botocore.response import StreamingBody
from botocore.serialize import create_serializer
from moto.core.model import ServiceModel
from moto.core.serialize import get_serializer_class

_DEEP, _DEEPEST = 3, 7
_TEXTS = ("ü b+&%", "a b/c=~x", "plain", "<&>\"'", "日本", "%41", "a\tb", "#?;,")
_ASCII = ("plain", "a b", "x=y;z", "1")
_NAMED = {
    "accountid": "123456789012",
    "bucket": "reports-bucket",
    "key": "folder/ü b+&%.txt",
    "region": "us-east-1",
    "mediatype": "text/plain",
    "contenttype": "text/plain",
    "contentlength": 4,
    "queueurl": "http://judge.test/123456789012/q",
}
"""Values by the name of a member in small letters, where any other would be refused before anything
is sent.
"""
_MOMENTS = (
    datetime(2026, 1, 31, 8, 30, tzinfo=UTC),
    datetime(2026, 1, 31, 8, 30, 15, 123000, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2049, 2, 3, tzinfo=UTC),
)
_INT = 2**31 - 1


def native(
    shape: Any, chance: random.Random, name: str = "", depth: int = 0, *, is_answer: bool = False
) -> Any:
    """Return a value of a shape as boto3 takes and gives it."""
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return {"a": [1, "ü", None, True], "b": {"c": 0.5}}
    if kind == "structure":
        return _structure(shape, chance, depth, is_answer=is_answer)
    if kind in ("list", "map"):
        return _many(kind, shape, chance, depth, is_answer=is_answer)
    if kind == "string":
        return _text(shape, chance, name, is_answer=is_answer)
    return _plain(kind, shape, chance, name)


def _plain(kind: str, shape: Any, chance: random.Random, name: str) -> Any:
    if kind in ("integer", "long", "float", "double", "bigdecimal"):
        return _number(kind, shape, chance, name)
    if kind == "timestamp":
        return chance.choice(_MOMENTS[:1] if _is_whole(shape) else _MOMENTS)
    return (
        chance.random() < 0.5
        if kind == "boolean"
        else chance.choice((b"text", b"\x00\xff\xfe", "ü".encode()))
    )


def _is_whole(shape: Any) -> bool:
    return (
        bool(shape.serialization.get("timestampFormat") == "rfc822")
        or shape.serialization.get("location") == "header"
    )


def _structure(shape: Any, chance: random.Random, depth: int, *, is_answer: bool) -> dict[str, Any]:
    members, required = list(shape.members.items()), set(shape.required_members)
    if shape.is_tagged_union or (
        shape.name == "AttributeValue" and {"S", "N"} <= set(shape.members)
    ):
        plain = [one for one in members if one[1].type_name not in ("list", "map", "structure")]
        members = [chance.choice(plain if depth >= _DEEP and plain else members)]
        required = {members[0][0]}
    if getattr(shape, "event_stream_input", None) is not None:
        members = []
    share = 0.0 if depth >= _DEEPEST else (0.6 if depth == 0 else 0.35 if depth < _DEEP else 0.1)
    found = {}
    for name, member in members:
        if getattr(member, "is_event_stream", False) or member.serialization.get("eventstream"):
            continue
        if (name in required and depth < 12) or chance.random() < share:
            found[name] = native(member, chance, name, depth + 1, is_answer=is_answer)
    return found


def _many(kind: str, shape: Any, chance: random.Random, depth: int, *, is_answer: bool) -> Any:
    least = int(shape.metadata.get("min", 0) or 0)
    count = min(
        max(least, 0 if depth >= _DEEPEST else chance.choice((1, 1, 2))), int(_most(shape, 99)), 60
    )
    if kind == "list":
        return [
            native(shape.member, chance, "", depth + 1, is_answer=is_answer) for _ in range(count)
        ]
    keys = dict.fromkeys(_text(shape.key, chance, "", is_answer=is_answer) for _ in range(count))
    if shape.serialization.get("location") == "headers":
        keys = dict.fromkeys(f"k{number}" for number in range(count))
    return {key: native(shape.value, chance, "", depth + 1, is_answer=is_answer) for key in keys}


def _text(shape: Any, chance: random.Random, name: str, *, is_answer: bool) -> Any:
    named = _NAMED.get(name.casefold())
    if isinstance(named, str) and len(named) <= _most(shape, _INT):
        return named
    if shape.enum:
        return str(chance.choice(shape.enum))
    place = shape.serialization.get("location")
    if "jsonvalue" in shape.serialization and place == "header":
        return {"a": [1, "b"]}
    if shape.metadata.get("hostLabel") or shape.serialization.get("hostLabel"):
        return "label-1"
    text = chance.choice(
        _ASCII if place in ("header", "headers") or (is_answer and place) else _TEXTS
    )
    least, most = int(shape.metadata.get("min", 0) or 0), int(_most(shape, 10**6))
    least = max(least, 1) if place == "uri" else least
    return (text + "x" * max(0, least - len(text)))[: max(most, least)]


def _most(shape: Any, otherwise: float) -> float:
    """Return the limit of a number, or of a length; it may be 0."""
    found = shape.metadata.get("max")
    return otherwise if found is None else float(found)


def _number(kind: str, shape: Any, chance: random.Random, name: str) -> Any:
    options: list[Any]
    if isinstance(named := _NAMED.get(name.casefold()), int):
        return named
    least, most = float(shape.metadata.get("min", -5) or 0), _most(shape, _INT)
    if kind in ("integer", "long"):
        options = [
            math.ceil(least),
            min(math.floor(most), _INT),
            1 if least <= 1 <= most else math.ceil(least),
        ]
        return chance.choice(
            [*options, 2**53 + 1] if kind == "long" and "max" not in shape.metadata else options
        )
    options = [0.1, 1.5, 12345678.25, 1e-7]
    fitting = [one for one in options if least <= one <= most]
    return chance.choice(fitting) if fitting else least


def as_json(value: Any) -> Any:
    """Return a value of Python as a caller gives it in JSON: bytes as files, times as RFC 3339."""
    if isinstance(value, bytes):
        return {"data": b64encode(value).decode()}
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds" if value.microsecond else "seconds").replace(
            "+00:00", "Z"
        )
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value


def answer(service: str, operation: Any, value: Any) -> tuple[int, dict[str, str], bytes] | None:
    """Return an answer of AWS with a value, in the service's own wire form; None where moto cannot
    write it.
    """
    protocol = operation.service_model.resolved_protocol
    if protocol == "smithy-rpc-v2-cbor":
        writer, body = create_serializer(protocol, include_validation=False), bytearray()
        writer._serialize_data_item(body, value, operation.output_shape)
        return (
            200,
            {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"},
            bytes(body),
        )
    described = ServiceModel(operation.service_model._service_description, service).operation_model(
        operation.name
    )
    try:
        made = get_serializer_class(service, protocol)(described).serialize(value)
    except (KeyError, TypeError, ValueError, AttributeError, NotImplementedError):
        return None
    body = made["body"]
    return (
        made["status_code"],
        made["headers"],
        body.encode() if isinstance(body, str) else bytes(body or b""),
    )


def same(
    ours: Any, theirs: Any, path: str = "", ignored: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Yield the places in which our JSON is not what boto3's value says."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in [*theirs, *(one for one in ours if one not in theirs)]:
            if f"{path}/{name}" in ignored:
                continue
            if name not in ours:
                yield f"{path}/{name} is missing: {str(theirs[name])[:80]}"
            elif name not in theirs:
                yield f"{path}/{name} is added: {str(ours[name])[:80]}"
            else:
                yield from same(ours[name], theirs[name], f"{path}/{name}", ignored)
    elif isinstance(theirs, list | tuple) and isinstance(ours, list):
        if len(ours) != len(theirs):
            yield f"{path}: {len(ours)} items, {len(theirs)} of boto3"
        for number, (one, two) in enumerate(zip(ours, theirs, strict=False)):
            yield from same(one, two, f"{path}/{number}", ignored)
    elif not _equal(ours, theirs):
        yield f"{path}: {ours!r:.120} != {theirs!r:.120}"


def _equal(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, StreamingBody):
        theirs = theirs.read()
    if isinstance(theirs, bytes | bytearray):
        return isinstance(ours, dict) and ours.get("data") == b64encode(theirs).decode()
    if isinstance(theirs, datetime):
        return isinstance(ours, str) and ours == notation(theirs)
    if isinstance(theirs, float) and not math.isfinite(theirs):
        return ours is None
    return type(ours) is type(theirs) and bool(ours == theirs)


def notation(moment: datetime) -> str:
    """Return a time as outputs have it: RFC 3339 in UTC, with as many groups of three digits of a
    second as it has.
    """
    utc = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    how = (
        "seconds"
        if not utc.microsecond
        else "milliseconds"
        if utc.microsecond % 1000 == 0
        else "microseconds"
    )
    return utc.isoformat(timespec=how).replace("+00:00", "Z")


def as_python(shape: Any, value: Any) -> Any:
    """Return a caller's JSON as what boto3 takes: files as bytes, plain attributes of DynamoDB
    typed by boto3 itself.
    """
    kind = shape.type_name
    if kind == "blob":
        return _bytes(value)
    if kind == "structure" and shape.name == "AttributeValue" and {"S", "N"} <= set(shape.members):
        is_typed = isinstance(value, dict) and len(value) == 1 and set(value) <= set(shape.members)
        return _typed(shape, value) if is_typed else TypeSerializer().serialize(_exact(value))
    if kind == "string" and not isinstance(value, str) and "jsonvalue" not in shape.serialization:
        return json.dumps(value)
    return value if getattr(shape, "is_document_type", False) else _compound(kind, shape, value)


def _compound(kind: str, shape: Any, value: Any) -> Any:
    if kind == "structure" and isinstance(value, dict):
        return {
            name: as_python(shape.members[name], item) if name in shape.members else item
            for name, item in value.items()
        }
    if kind == "list" and isinstance(value, list):
        return [as_python(shape.member, item) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {name: as_python(shape.value, item) for name, item in value.items()}
    return value


def _bytes(value: Any) -> bytes:
    if isinstance(value, dict) and "data" in value:
        return b64decode(value["data"])
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def _typed(shape: Any, value: dict[str, Any]) -> dict[str, Any]:
    (name, given), *_ = value.items()
    if name == "B" and isinstance(given, str):
        return {name: b64decode(given)}
    return {name: as_python(shape.members[name], given)}


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: _exact(item) for name, item in value.items()}
    return [_exact(item) for item in value] if isinstance(value, list) else value
