"""Hooks in botocore clients that report requests, their duration and their request IDs to the
runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from jackfield.connector import (
    Call,
    Detail,
    InvalidInput,
    current_call,
)
from jackfield_aws.agents import marked_agent
from jackfield_aws.endpoints import is_of_aws
from jackfield_aws.foreign_answers import check_answer
from jackfield_aws.limits import current_deadline
from jackfield_aws.successes import is_safe
from jackfield_aws.transport import check_sendable

_AWS = (".amazonaws.com", ".amazonaws.com.cn")
_HOST = "jackfield_host"
"""Key in a botocore request's context for its original origin."""
_SWITCHED = {"Predict": ("PredictEndpoint", "realtime.")}
"""Inputs that name the host, by operation, with the prefix that they may add to it (Amazon Machine
Learning API reference, Predict).
"""
_REDIRECTED = 300
"""First HTTP status that is not a success."""


def watch(
    client: Any,
    *,
    begins: bool,
    announce: Callable[..., None] | None = None,
    parsed: Callable[..., None] | None = None,
) -> None:
    """Add hooks to a new client. Set ``begins`` for the provider's operations; STS calls never
    count as an attempt. ``announce`` and ``parsed`` replace the functions that report requests and
    responses to the current call.

    ``before-send`` is botocore's last event before bytes leave. It is emitted in the caller's
    thread after signing, so a failed credential refresh precedes it.
    """
    session = client._endpoint.http_session  # noqa: SLF001 (no event surrounds a request alone)
    session.is_seen = begins and client.meta.service_model.service_name != "sts"
    use_md5(client)
    events = client.meta.events
    host = urlsplit(client.meta.endpoint_url).netloc
    events.register_last("before-parse", partial(check_answer, host=host))
    events.register_last("before-call", _note_host)
    events.register_last("request-created", _check_host)
    if not begins:
        events.register("before-call", _limit)
    else:
        events.register("before-send", _mark)
        events.register_last("before-send", announce or _begin)  # also checks the deadline
        events.register("before-parse", _note_header)
        events.register("after-call", parsed or _note_parsed)


def use_md5(client: Any) -> None:
    """Make requests that must have a checksum carry an MD5, if ``client`` speaks S3 to another
    server than AWS's and sends only required checksums: such servers know no newer ones.
    """
    needed = client.meta.config.request_checksum_calculation == "when_required"
    if needed and not is_of_aws(urlsplit(client.meta.endpoint_url).netloc):
        client.meta.events.register("before-call.s3", _choose_md5)


def _choose_md5(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    checksum = context.get("checksum", {})
    is_chosen = "x-amz-sdk-checksum-algorithm" in params["headers"]  # by the caller
    if "request_algorithm" in checksum and not is_chosen:
        from jackfield_aws.s3.parts import md5_text

        del checksum["request_algorithm"]
        checksum.pop("request_algorithm_header", None)
        body = params["body"]
        content = body.encode() if isinstance(body, str) else bytes(body)
        params["headers"]["Content-MD5"] = md5_text(content)


def _note_host(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    context[_HOST] = _origin(params["url"])


def _check_host(request: Any, operation_name: str = "", **_: object) -> None:
    """Refuse a request directed by an input to a host other than the endpoint's. The request
    carries the connection's signature and session token.

    :raises InvalidInput: for another host; nothing was sent.
    """
    was, now = request.context.pop(_HOST, None), _origin(request.url)
    if was is None:  # AWS has sent a call on to the region of its bucket
        return
    name, before = _SWITCHED.get(operation_name, ("", ""))
    expected = (was[0], f"{before}{was[1]}")
    if now not in (was, expected):
        hint = (
            f"Leave it out, or name '{expected[1]}', AWS's host for it in this region."
            if was[1].endswith(_AWS)
            else "Leave it out."
        )
        details = [
            Detail(f"/{name}".rstrip("/"), f"'{now[1][:100]}' is not a host of this service here")
        ]
        raise InvalidInput("1 input is not valid", details=details, hint=hint)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _limit(**_: object) -> None:
    deadline = current_deadline()
    if deadline is not None:
        deadline.check()


def _mark(request: Any, event_name: str = "", **_: object) -> None:
    """Add the attempt's marker to a write's User-Agent, which is not signed."""
    if not is_safe(event_name.rpartition(".")[2]):
        agent = request.headers.get("User-Agent", "")
        request.headers["User-Agent"] = marked_agent(
            agent.decode() if isinstance(agent, bytes) else agent, current_call()
        )


def _begin(request: Any, event_name: str = "", **_: object) -> None:
    call = current_call()
    if call is not None:
        check_sendable(request.headers)
        operation = event_name.rpartition(".")[2]
        call.begin(operation, safe=is_safe(operation))


def _note_header(response_dict: dict[str, Any], **_: object) -> None:
    note_request(current_call(), response_dict["headers"].get("x-amzn-requestid"))


def _note_parsed(parsed: dict[str, Any], http_response: Any = None, **_: object) -> None:
    note_parsed(
        current_call(),
        parsed,
        is_success=http_response is not None and http_response.status_code < _REDIRECTED,
    )


def note_parsed(call: Call | None, parsed: Mapping[str, Any], *, is_success: bool) -> None:
    """Record the request ID of a parsed response and, on success, its output."""
    note_request(call, parsed.get("ResponseMetadata", {}).get("RequestId"))
    if call is not None and is_success:
        call.returned(
            {name: value for name, value in parsed.items() if isinstance(value, str | int)}
        )


def note_request(call: Call | None, request_id: str | None) -> None:
    """Record a response's request ID. It is read from the header first, since a garbled body is
    never parsed.
    """
    if call is not None and request_id:
        call.request_id = request_id
