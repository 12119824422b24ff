"""Foreign responses: HTML pages of proxies, and successes that are not in the service's protocol.

botocore attributes any error status to AWS. It reads an HTML page that is well-formed XML, or
content that is not JSON, as an empty response.
"""

from __future__ import annotations

import codecs
import json
import zlib
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import HTTPClientError

from jackfield.connector import (
    Provider,
    Rejected,
    Sent,
    TimedOut,
    TooCostly,
    Unavailable,
    check_price,
)
from jackfield.connector.meanings import PAGES, Response, meaning_of
from jackfield_aws.endpoints import is_of_aws
from jackfield_aws.rows import BY_STATUS
from jackfield_aws.successes import is_safe, missing_sign

_PROTOCOLS = ("json", "rest-json")
_REDIRECTED = 300
"""First HTTP status that is not a success."""
_REDIRECTS = range(300, 400)
_NOT_DONE = (301, 307, 308)
"""Redirects that ask for the same request elsewhere, so nothing was done here (RFC 9110 §15.4)."""
_LONGEST = 200
_QUALIFIED, _BEGINNING = b"<Error xmlns", 100
_LOGIN_WANTED = HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
_OWN_MEANING = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.NOT_IMPLEMENTED)
"""Statuses whose meaning does not depend on the sender: nothing was executed."""


def check_answer(
    response_dict: dict[str, Any], operation_model: Any, host: str = "", **_: object
) -> None:
    """Check, before botocore parses it, that a response can come from the service. A hook for
    ``before-parse``. ``host`` is the endpoint's.

    :raises HTTPClientError: if a proxy refused the login. Also if the outcome is unclear: the
        response is too costly to parse, damaged, a page of HTML, or not the protocol's JSON. The
        same for the success of a change that lacks what AWS always sends, and for a redirect of
        an endpoint that is not AWS's.
    """
    status = response_dict["status_code"]
    if status in _REDIRECTS and status != HTTPStatus.NOT_MODIFIED and not is_of_aws(host):
        _check_redirect(response_dict, operation_model, host)
    if status == _LOGIN_WANTED:
        raise _login_wanted(operation_model.name)
    _check_form(response_dict, operation_model)
    if status < _REDIRECTED and not is_safe(operation_model.name):
        _check_sign(response_dict, operation_model, host)


def _check_redirect(response_dict: dict[str, Any], operation_model: Any, host: str) -> None:
    """Refuse a redirect that names no region. botocore would ask the redirecting endpoint for the
    bucket's region, in up to 480 requests.
    """
    headers, status = response_dict["headers"], response_dict["status_code"]
    place = headers.get("location", "")
    if "x-amz-bucket-region" in headers or (response_dict["body"] and not place):
        return
    url = _origin_of(place)
    where = "another address" if url is None or url.endswith(f"//{host}") else f"'{url}'"
    name = "the address that it redirects to" if url is None else where
    raise HTTPClientError(
        error=Rejected(
            f"{operation_model.name} was not carried out: the endpoint redirects to {where}"
            if status in _NOT_DONE
            else f"{operation_model.name} was redirected by the endpoint to {where}",
            hint=f"Use {name} as the endpoint of the connection, or of AWS_ENDPOINT_URL.",
            provider=Provider(http_status=status),
            sent=Sent.REFUSED if status in _NOT_DONE else Sent.UNKNOWN,
        )
    )


def _origin_of(place: str) -> str | None:
    """Return scheme, host and port of an absolute URL; None for any other text."""
    try:
        parts = urlsplit(place)
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    return (
        f"{parts.scheme}://{host}"[:_LONGEST]
        if parts.scheme in ("http", "https") and host
        else None
    )


def _check_form(response_dict: dict[str, Any], operation_model: Any) -> None:
    body, status = response_dict["body"], response_dict["status_code"]
    if not isinstance(body, bytes) or not body:  # a stream is the caller's own data
        return
    if status >= _REDIRECTED and body[:_BEGINNING].lstrip().startswith(_QUALIFIED):
        response_dict["body"] = body = _plain_error(body)
    is_refusal, shape = status >= _REDIRECTED, operation_model.output_shape
    if not is_refusal and _is_data(shape):
        return
    _check_price(body, operation_model, status, response_dict["headers"])
    if status in _OWN_MEANING:
        return
    headers, name = response_dict["headers"], operation_model.name
    is_object = body.startswith(b"{")  # as nearly all are: no page begins so
    is_page = not is_object and meaning_of(Response(status, content=body), PAGES) is not None
    if is_page or (not is_object and _is_text_of_a_page(body, headers)):
        raise _unclear(
            f"{name} had no clear answer: a page of HTML with HTTP status {status}", status, headers
        )
    if _is_damaged(body, headers):
        raise _unclear(
            f"the answer to {name} was damaged on its way: its checksum is another", status, headers
        )
    is_json = (
        shape is not None
        and shape.members
        and operation_model.service_model.resolved_protocol in _PROTOCOLS
    )
    if not is_refusal and is_json and not _is_read(body):
        raise _unclear(
            f"{name} had no clear answer: what came is not JSON, or only a part of it",
            status,
            headers,
        )


def _plain_error(body: bytes) -> bytes:
    """Return an S3 error without the namespace of its root, with which botocore reads no code."""
    begin = body.index(_QUALIFIED)
    return b"<Error>" + body[body.find(b">", begin) + 1 :]


def _check_sign(response_dict: dict[str, Any], operation_model: Any, host: str) -> None:
    headers, status = response_dict["headers"], response_dict["status_code"]
    body = response_dict["body"]
    is_array = isinstance(body, bytes) and body.lstrip().startswith(b"[")
    if is_array and not _is_data(operation_model.output_shape):
        return  # botocore cannot read it, and its error says so
    lacking = missing_sign(host, operation_model, headers, body)
    if lacking is not None:
        raise _unclear(
            f"{operation_model.name} had no clear answer: HTTP status {status} with {lacking}, so "
            "something else than AWS may have answered",
            status,
            headers,
        )


def _login_wanted(operation: str) -> Exception:
    row = BY_STATUS[_LOGIN_WANTED]
    text = (row.says or "").format(operation=operation)
    provider = Provider(http_status=_LOGIN_WANTED)
    error = row.kind(
        text, hint=row.hint, provider=provider, sent=row.sent, repeatable=row.repeatable
    )
    found: Exception = HTTPClientError(error=error)
    return found


def _is_read(body: bytes) -> bool:
    """Return whether botocore reads a JSON body correctly: it reads a body with a byte order mark
    as empty, and raises at null.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return found is not None and not body.startswith(codecs.BOM_UTF8)


def _is_damaged(body: bytes, headers: Any) -> bool:
    """Return whether a body differs from DynamoDB's checksum of it (in the SDKs' retry guides:
    ``x-amz-crc32``).
    """
    told = headers.get("x-amz-crc32", "")
    return told.isdigit() and "content-encoding" not in headers and told != str(zlib.crc32(body))


def _check_price(body: bytes, operation_model: Any, status: int, headers: Any) -> None:
    protocol = operation_model.service_model.resolved_protocol
    form = "json" if protocol in _PROTOCOLS else "cbor" if "cbor" in protocol else "xml"
    try:
        check_price(body, form)
        if form == "json" and status >= _REDIRECTED:  # a success is parsed by ``check_answer``
            _check_depth(body)
    except TooCostly as reason:
        found = _unclear(
            f"{operation_model.name} had no clear answer: the response {reason}", status, headers
        )
        found.kwargs["error"].retryable = found.kwargs["error"].repeatable = False  # type: ignore[attr-defined]  # botocore's own member
        raise found from None
    except (TimedOut, Unavailable) as error:
        raise HTTPClientError(error=error) from None


def _check_depth(body: bytes) -> None:
    try:
        json.loads(body)
    except RecursionError:
        raise TooCostly("is nested too deeply") from None
    except ValueError:  # botocore makes something of it
        return


def _is_data(shape: Any) -> bool:
    """Return whether the body of a success is the caller's data, such as an image, instead of a
    document of the protocol.
    """
    payload = shape.serialization.get("payload") if shape is not None else None
    return payload is not None and shape.members[payload].type_name in ("blob", "string")


def _is_text_of_a_page(body: bytes, headers: Any) -> bool:
    """Return whether a body is declared as HTML and is neither JSON nor XML. Emulators send JSON
    and XML under that type, too; moto sends empty JSON values if an operation returns nothing.
    """
    is_other = body.lstrip()[:1] not in (b"<", b"{", b"[") and body.strip() not in (b"null", b'""')
    return is_other and headers.get("content-type", "").startswith("text/html")


def _unclear(text: str, status: int, headers: Any) -> Exception:
    """Return botocore's exception for a failed request, which wraps an ``Unavailable`` for
    ``explain_transport``.
    """
    hint = (
        "A proxy, or an endpoint that is not AWS, may have answered instead: check "
        "HTTPS_PROXY and the endpoint."
    )
    provider = Provider(http_status=status, request_id=headers.get("x-amzn-requestid"))
    found: Exception = HTTPClientError(
        error=Unavailable(text, hint=hint, provider=provider, sent=Sent.UNKNOWN)
    )
    return found
