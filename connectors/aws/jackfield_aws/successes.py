"""Successes of AWS's changes: AWS names each of its answers by a request ID, and some also have an
element that the operation always sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jackfield.kernel.bounded_cache import BoundedCache
from jackfield_aws.endpoints import is_of_aws

_IDS = ("x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id")
"""Header fields with a request ID: of JSON and CBOR services, of S3, and of a few others."""
_IN_BODY = re.compile(rb"<[Rr]equest[Ii][Dd]>\s*[^<\s]")
_END = 4096
"""Number of bytes at the beginning and the end of a body in which EC2 and the Query protocol have
the request ID.
"""
ELEMENTS: Mapping[tuple[str, str], bytes] = {
    ("s3", "CompleteMultipartUpload"): b"<CompleteMultipartUploadResult",
    ("s3", "CopyObject"): b"<CopyObjectResult",
    ("s3", "DeleteObjects"): b"<DeleteResult",
    ("s3", "UploadPartCopy"): b"<CopyPartResult",
}
"""Element that the success of an operation always has (Amazon S3 API reference). S3 sends the
status before the outcome is known.
"""
_SAFE = ("BatchGet", "Describe", "Get", "Head", "List")
"""Name prefixes of AWS operations that change nothing."""
_known: BoundedCache[tuple[str, str], bool] = BoundedCache(1000)
"""Hosts of endpoints that are not AWS's own, with the services that have sent a request ID."""


def missing_sign(
    host: str, operation_model: Any, headers: Mapping[str, str], body: object
) -> str | None:
    """Return what a success of a change lacks that AWS would have sent; None if it lacks nothing.

    An endpoint that is not AWS's own must have a request ID only if it has sent one before: some
    emulators send none.
    """
    service = operation_model.service_model.service_name
    content = body if isinstance(body, bytes) else b""
    is_own = not is_of_aws(host)
    if not (_id_of(headers) or _has_id(content)):
        return None if is_own and not _known.get((host, service)) else "no request ID"
    if is_own and not _known.get((host, service)):
        _known.put((host, service), True)
    element = ELEMENTS.get((service, operation_model.name))
    return None if element is None or element in content else f"no {element.decode()[1:]}"


def is_safe(operation: str) -> bool:
    """Return whether an AWS operation's name means that it changes nothing."""
    return operation.startswith(_SAFE)


def _id_of(headers: Mapping[str, str]) -> str | None:
    found = None
    for name in _IDS:
        found = found or headers.get(name)
    return found


def _has_id(content: bytes) -> bool:
    return (
        _IN_BODY.search(content[:_END]) is not None or _IN_BODY.search(content[-_END:]) is not None
    )
