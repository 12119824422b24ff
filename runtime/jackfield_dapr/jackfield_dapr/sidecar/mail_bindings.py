"""Bindings that send mail, by the alias of their type: ``bindings.aws.ses``, ``bindings.smtp``, and
types of other packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jackfield.connections.aliases import is_blank
from jackfield.invocation import Result
from jackfield_dapr.sidecar.calls import BindingError, Call, Response, reason
from jackfield_dapr.sidecar.payload import PayloadError
from jackfield_formats.translating import inputs_of

_LOWEST, _HIGHEST = 1, 5


def by_alias(call: Call) -> Response:
    """Run the action of the request's operation. The alias maps properties and data to inputs."""
    return _answer(call, call.send(_invocation(call)))


def smtp(call: Call) -> Response:
    """Send a mail over SMTP. Unlike in the binding of SES, an empty property leaves the configured
    property unchanged. ``priority`` is a header field.
    """
    request = replace(
        call.request,
        metadata={name: value for name, value in call.request.metadata.items() if value},
    )
    priority = call.text("priority")
    if priority and not (priority.isdecimal() and _LOWEST <= int(priority) <= _HIGHEST):
        raise BindingError(
            f"smtp binding error: priority value must be between {_LOWEST} (lowest) and "
            f"{_HIGHEST} (highest)"
        )
    made = _invocation(replace(call, request=request))
    if priority:
        given = made["inputs"].get("headers")
        made["inputs"]["headers"] = {
            "X-Priority": priority,
            **(given if isinstance(given, Mapping) else {}),
        }
    return _answer(call, call.send(made))


def _invocation(call: Call) -> dict[str, Any]:
    """Convert the request to an invocation.

    :raises BindingError: for a missing property or unreadable data.
    """
    inputs = _inputs(call, _request_properties(call))
    return call.invocation(call.alias.operations[call.request.operation], {**inputs, **_body(call)})


def _answer(call: Call, result: Result) -> Response:
    """Return the response's metadata for a success, or for a job that still runs.

    :raises BindingError: for any other outcome.
    """
    if result.error is not None:
        raise BindingError(call.alias.message("failed", "{reason}", reason=reason(result)), result)
    if result.status == "running":
        return Response({"invocationId": result.meta.invocation_id, "status": result.status})
    output, named = result.output or {}, call.alias.raw.get("result")
    wanted = named.items() if isinstance(named, Mapping) else ()
    return Response({name: str(output[member]) for name, member in wanted if member in output})


def _request_properties(call: Call) -> dict[str, str]:
    """Return the request's properties under the alias's spelling; their names are
    case-insensitive.
    """
    known = {name.lower(): name for name in call.alias.inputs}
    written: dict[str, str] = {}
    metadata = call.request.metadata
    for name in metadata:
        other = written.setdefault(name.lower(), name)
        if other != name and name.lower() in known:
            if call.strict:  # ambiguous properties are not read at all
                return {}
            raise BindingError(
                f"the metadata contains '{other}' and '{name}', which are the same property"
            )
    return {known[name.lower()]: value for name, value in metadata.items() if name.lower() in known}


def _inputs(call: Call, given: Mapping[str, str]) -> dict[str, Any]:
    """Merge the request's properties over the configured ones and convert them to inputs; an empty
    value removes a configured one.
    """
    merged = {
        name: value for name, value in {**call.fields, **given}.items() if name in call.alias.inputs
    }
    inputs = inputs_of(call.alias, merged, strict=call.strict)
    for name in map(str, call.alias.raw.get("needed") or ()):
        if is_blank(merged.get(name)) or inputs[call.alias.inputs[name]] == []:  # only separators
            raise BindingError(
                call.alias.message("absent", "{field} property not supplied", field=name)
            )
    return inputs


def _body(call: Call) -> Mapping[str, Any]:
    members = tuple(map(str, call.alias.raw.get("members") or ()))
    try:
        body = call.request.payload(members, call.strict)
    except PayloadError as error:
        raise BindingError(
            call.alias.message("data", "data: {reason}", reason=str(error))
        ) from None
    return {str(call.alias.raw.get("data", "data")): body} if isinstance(body, str) else body
