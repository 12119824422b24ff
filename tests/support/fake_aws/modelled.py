"""Operations of Amazon SES that the account does not know, answered from botocore's model of the service; so is mail from a template.

A request is read by the model's routes, refused where it breaks the model, and answered as ``answers`` says or, without an entry there,
with one example of each member of the output.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore.session import get_session
from botocore.validate import ParamValidator

from jackfield_aws_ses.demo.aws import server
from jackfield_aws_ses.demo.aws.access import authenticate
from jackfield_aws_ses.demo.aws.call import Call
from jackfield_aws_ses.demo.aws.exchange import Answer
from jackfield_aws_ses.demo.aws.refusals import Refusal, throttled

from .state import State

_UNKNOWN = "Unknown"
_SCALARS = {"boolean": True, "integer": 1, "long": 1, "double": 1.0, "float": 1.0, "timestamp": 1790000000, "string": "text"}


@functools.cache
def _model() -> Any:
    return get_session().get_service_model("sesv2")


@functools.cache
def _routes() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    found = []
    for name in _model().operation_names:
        http = _model().operation_model(name).http
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(http["requestUri"]))
        found.append((http["method"], re.compile(pattern), name))
    return tuple(found)


def route(call: Call) -> Call:
    """Name the operation of a call that the account does not know, and put all its parameters together."""
    if "Template" in (call.content.get("Content") or ()):
        call.parameters["Content"] = call.content["Content"]
    if call.service != "sesv2" or call.operation != _UNKNOWN:
        return call
    for method, pattern, name in _routes():
        match = pattern.fullmatch(call.http.path)
        if match and method == call.http.method:
            call.operation = name
            call.parameters = {**call.parameters, **_query(call), **{key: unquote(text) for key, text in match.groupdict().items()}}
    return call


def _query(call: Call) -> dict[str, Any]:
    shape = _model().operation_model(call.operation).input_shape
    given, found = parse_qs(call.http.query), {}
    for name, member in shape.members.items():
        values = given.get(member.serialization.get("name", name), [])
        if member.serialization.get("location") == "querystring" and values:
            found[name] = values if member.type_name == "list" else int(values[0]) if member.type_name == "integer" else values[0]
    return found


def answer(state: State, call: Call) -> Answer:
    """Answer as the account does, or for an operation that it does not know, as the model does."""
    if call.service != "sesv2" or (call.operation not in _modelled() and "Content" not in call.parameters):
        return server.answer(state, call)
    try:
        caller = authenticate(state, call)
        caller.authorise("*", f"ses:{call.operation}")
        if state.is_too_fast(call.operation):
            raise throttled()
        _check(call)
    except Refusal as refusal:
        return refusal.answer("sesv2", call.request_id)
    body = _scripted(state, call.operation)
    if body is None:
        shape = _model().operation_model(call.operation).output_shape
        body = _example(shape) if shape is not None else {}
    return Answer(200, json.dumps(body).encode(), headers=(("x-amzn-RequestId", call.request_id),))


@functools.cache
def _modelled() -> frozenset[str]:
    return frozenset(name for _, _, name in _routes()) - {"SendEmail", "GetAccount"}


def _check(call: Call) -> None:
    report = ParamValidator().validate(call.parameters, _model().operation_model(call.operation).input_shape)
    if report.has_errors():
        raise Refusal("ValidationError", report.generate_report(), 400, "BadRequestException")


def _scripted(state: State, operation: str) -> Any:
    """Return the scripted answer; of a list the next, and the last one for ever."""
    found = state.settings.answers.get(operation)
    if not isinstance(found, list):
        return found
    with state.changed:
        turn = state.turns[operation]
        state.turns[operation] += 1
    return found[min(turn, len(found) - 1)]


def _example(shape: Any) -> Any:
    if shape.type_name == "structure":
        found = [(name, _example(member)) for name, member in shape.members.items() if name != "NextToken"]
        return dict(found[:1] if getattr(shape, "is_tagged_union", False) else found)
    if shape.type_name == "list":
        return [_example(shape.member)]
    if shape.type_name == "map":
        return {"key": _example(shape.value)}
    enum: list[str] = getattr(shape, "enum", [])
    return enum[0] if enum else _SCALARS[shape.type_name]
