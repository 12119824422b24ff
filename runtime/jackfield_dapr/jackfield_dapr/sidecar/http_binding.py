"""Dapr's binding ``bindings.http``: any request to one server, carried out by the action
``http/request``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from http.client import responses
from typing import Any

from jackfield.invocation import Result
from jackfield_dapr.sidecar.calls import BindingError, Call, Response, duration, reason
from jackfield_dapr.sidecar.file_data import file_octets
from jackfield_formats.dapr_bindings import is_true

_WITH_BODY = ("POST", "PUT", "PATCH")
_USUAL_TYPE = "application/json; charset=utf-8"
_ANY_STATUS = [status for status in responses if status // 100 in (2, 4, 5)]
"""Statuses that count as answers if ``errorIfNot2XX`` is false."""
_SIZE = re.compile(r"(\d+)\s*(?:([kKMGT])(i?))?B?")
_POWERS = {"k": 1, "M": 2, "G": 3, "T": 4}
_USUAL_SIZE = "64Mi"


def http(call: Call) -> Response:
    """Send the request; the response's data are the body, its metadata status and header fields.

    :raises BindingError: if there is no response, or its status is not 2xx and ``errorIfNot2XX`` is
        not false.
    """
    any_status = not is_true(call.text("errorIfNot2XX") or "true")
    limit = size_of(call.fields.get("maxResponseBodySize") or _USUAL_SIZE)
    made = call.invocation(
        "request", {**_inputs(call), **({"expect": _ANY_STATUS} if any_status else {})}
    )
    wanted = call.fields.get("responseTimeout")
    if wanted and "timeoutSeconds" not in made:
        made["timeoutSeconds"] = duration(wanted, "responseTimeout")
    result = call.send(made)
    if result.error is not None or not isinstance(result.output, Mapping):
        raise BindingError(_failure(result), result)
    output = result.output
    return Response(_metadata(output), file_octets(output.get("file"), call.read_file)[:limit])


def _inputs(call: Call) -> dict[str, Any]:
    operation = call.request.operation
    method = "POST" if operation == "create" else operation.upper()
    headers = {
        name: value for name, value in call.request.metadata.items() if "A" <= name[:1] <= "Z"
    }
    names = {name.lower() for name in headers}
    inputs: dict[str, Any] = {
        "method": method,
        "url": _url(call.fields["url"], call.request.metadata.get("path", "")),
        "response": "file",
    }
    if method in _WITH_BODY:
        written = next((name for name in headers if name.lower() == "content-type"), None)
        kind = headers.pop(written) if written is not None else _USUAL_TYPE
        inputs |= {
            "file": {"data": base64.b64encode(call.request.octets()).decode()},
            "contentType": kind,
        }
    return inputs | {
        "headers": headers if "accept" in names else {**headers, "Accept": _USUAL_TYPE}
    }


def _url(server: str, path: str) -> str:
    return f"{server.rstrip('/')}/{path.lstrip('/')}" if path else server


def _metadata(output: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata of a response: status, and header fields under the names that Go gives
    them.
    """
    status = int(output["status"])
    fields = {
        "-".join(part.capitalize() for part in name.split("-")): str(value)
        for name, value in output["headers"].items()
    }
    return {
        "statusCode": str(status),
        "status": f"{status} {responses.get(status, '')}".rstrip(),
        **fields,
    }


def _failure(result: Result) -> str:
    said = result.error.provider if result.error is not None else None
    if said is not None and said.http_status is not None and result.status == "failed":
        return f"received status code {said.http_status}"
    return reason(result)


def size_of(text: str) -> int | None:
    """Return a number of bytes, such as ``100Mi`` or ``2000``; None for no limit.

    :raises BindingError: if the text is not a size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise BindingError(
            "invalid value for maxResponseBodySize: it must be a number of bytes, such as 20Ki "
            "or 100Mi"
        )
    unit = 1024 if found[3] else 1000
    power = _POWERS["k" if found[2] == "K" else found[2]] if found[2] else 0
    return int(found[1]) * unit**power or None
