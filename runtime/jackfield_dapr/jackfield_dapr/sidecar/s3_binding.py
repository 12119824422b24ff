"""Dapr's binding ``bindings.aws.s3``: objects of one bucket, created, read, deleted, listed and
shared by presigned URLs.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from jackfield_dapr.sidecar.aws_bindings import json_object
from jackfield_dapr.sidecar.calls import BindingError, Call, Response, duration
from jackfield_dapr.sidecar.file_data import file_octets
from jackfield_dapr.sidecar.payload import QuotingError, unquote
from jackfield_formats.dapr_bindings import is_true

_MOST_KEYS = 1000
_FAILED = "s3 binding error: {what}: {reason}"
_LIST_MEMBERS = {"prefix": "Prefix", "marker": "Marker", "delimiter": "Delimiter"}


def s3(call: Call) -> Response:
    """Carry out one operation on the bucket."""
    return {"create": _create, "get": _get, "delete": _delete, "list": _list, "presign": _presign}[
        call.request.operation
    ](call)


def _create(call: Call) -> Response:
    key = call.text("key") or str(uuid.uuid4())
    if call.text("filePath"):
        raise BindingError(
            "s3 binding error: 'filePath' is not supported: jackfield reads no files of its host "
            "for callers; send the data"
        )
    inputs: dict[str, Any] = {
        **_located(call, key),
        "Body": {"data": base64.b64encode(_content(call)).decode()},
    }
    inputs |= {
        name: call.text(given)
        for given, name in (("Content-Type", "ContentType"), ("storageClass", "StorageClass"))
        if call.text(given)
    }
    tags = call.text("tags")
    if tags:
        inputs["Tagging"] = _tagging(tags)
    output = call.invoke("putObject", inputs, _failed("uploading failed"))
    answer: dict[str, Any] = {
        "location": _location(call, key),
        "versionID": output.get("VersionId"),
    }
    if call.text("presignTTL"):
        answer["presignURL"] = _presigned(call, key)
    return Response({"key": key}, json.dumps(answer).encode())


def _get(call: Call) -> Response:
    output = call.invoke(
        "getObject", _located(call, _key(call)), _failed("error downloading S3 object")
    )
    found = file_octets(output.get("Body"), call.read_file)
    return Response({}, base64.b64encode(found) if is_true(call.text("encodeBase64")) else found)


def _delete(call: Call) -> Response:
    call.invoke("deleteObject", _located(call, _key(call)), _failed("delete operation failed"))
    return Response()


def _list(call: Call) -> Response:
    octets = call.request.octets()
    given = json_object(octets) if octets.strip() else {}
    most = given.get("maxResults")
    inputs: dict[str, Any] = {
        "Bucket": call.fields["bucket"],
        "MaxKeys": most if isinstance(most, int) and most > 0 else _MOST_KEYS,
    }
    inputs |= {name: given[member] for member, name in _LIST_MEMBERS.items() if given.get(member)}
    output = call.invoke("listObjects", inputs, _failed("list operation failed"))
    usual = {
        "CommonPrefixes": None,
        "Contents": None,
        "Delimiter": "",
        "Marker": "",
        "NextMarker": None,
        "Prefix": "",
    }
    return Response({}, json.dumps({**usual, **output}, ensure_ascii=False).encode())


def _presign(call: Call) -> Response:
    key = _key(call)
    if not call.text("presignTTL"):
        raise BindingError("s3 binding error: required metadata 'presignTTL' missing")
    return Response({}, json.dumps({"presignURL": _presigned(call, key)}).encode())


def _presigned(call: Call, key: str) -> str:
    lifetime = max(1, round(duration(call.text("presignTTL"), "presignTTL")))
    output = call.invoke(
        "presignGet",
        {**_located(call, key), "expiresIn": lifetime},
        _failed("failed to presign URL"),
    )
    return str(output["url"])


def _failed(what: str) -> str:
    return _FAILED.replace("{what}", what)


def _located(call: Call, key: str) -> dict[str, str]:
    return {"Bucket": call.fields["bucket"], "Key": key}


def _key(call: Call) -> str:
    key = call.text("key")
    if not key:
        raise BindingError("s3 binding error: required metadata 'key' missing")
    return key


def _content(call: Call) -> bytes:
    """Return the content of the object: the text of a literal, else the unchanged data; decoded
    with ``decodeBase64``.
    """
    octets = call.request.octets()
    with suppress(QuotingError, UnicodeError):
        octets = unquote(octets.decode("utf-8")).encode("utf-8")
    if not is_true(call.text("decodeBase64")):
        return octets
    try:
        return base64.b64decode(octets, validate=True)
    except binascii.Error:
        raise BindingError(
            "s3 binding error: the data is not base64, and 'decodeBase64' is true"
        ) from None


def _tagging(text: str) -> str:
    """Return tags (``key=value,key=value``) as the query string for S3."""
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise BindingError(
            "s3 binding error: 'tags' must be pairs such as project=apollo,stage=test"
        )
    return "&".join(
        f"{quote(name.strip(), safe='')}={quote(value.strip(), safe='')}"
        for name, _, value in pairs
    )


def _location(call: Call, key: str) -> str:
    """Return the URL of an object: AWS's URL for the bucket, unless the component names an
    endpoint.
    """
    bucket, name, endpoint = (
        call.fields["bucket"],
        quote(key),
        call.fields.get("endpoint", "").rstrip("/"),
    )
    if endpoint:
        return f"{endpoint}/{bucket}/{name}"
    region = call.fields.get("region", "")
    host = f"s3.{region}.amazonaws.com" if region else "s3.amazonaws.com"
    return (
        f"https://{host}/{bucket}/{name}"
        if call.fields.get("forcePathStyle") == "path"
        else f"https://{bucket}.{host}/{name}"
    )
