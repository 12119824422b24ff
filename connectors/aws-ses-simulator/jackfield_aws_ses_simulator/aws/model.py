"""botocore's models of the services: they name a request's operation, check its parameters, and
give the members of its response.
"""

from __future__ import annotations

import functools
import re
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from jackfield_aws_ses_simulator.aws.exchange import HttpRequest
from jackfield_aws_ses_simulator.aws.refusals import Refusal

UNKNOWN = "Unknown"
SEND_PATH = "/v2/email/outbound-emails"


_SES = "sesv2"


@functools.cache
def _model(service: str = _SES) -> Any:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def shapes(service: str, operation: str) -> tuple[Any, Any]:
    """Return the shapes of an operation's input and output, each None if it has none; both None for
    an unknown operation.
    """
    if operation not in _model(service).operation_names:
        return None, None
    found = _model(service).operation_model(operation)
    return found.input_shape, found.output_shape


@functools.cache
def _routes() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    found = []
    for name in _model().operation_names:
        http = _model().operation_model(name).http
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(http["requestUri"]))
        found.append((http["method"], re.compile(pattern), name))
    return tuple(found)


def route(http: HttpRequest) -> tuple[str, dict[str, Any]]:
    """Return the operation of a request, with its parameters from path and query; ``UNKNOWN`` for
    an operation that the model lacks.
    """
    if http.path == SEND_PATH:
        return "SendEmail", {}  # without the model, which takes 20 ms to load
    for method, pattern, name in _routes():
        match = pattern.fullmatch(http.path)
        if match and method == http.method:
            return name, {
                **_query(http, name),
                **{key: unquote(text) for key, text in match.groupdict().items()},
            }
    return UNKNOWN, {}


def _query(http: HttpRequest, operation: str) -> dict[str, Any]:
    given, found = parse_qs(http.query), {}
    for name, member in _model().operation_model(operation).input_shape.members.items():
        values = given.get(member.serialization.get("name", name), [])
        if member.serialization.get("location") == "querystring" and values:
            found[name] = (
                values
                if member.type_name == "list"
                else _number(values[0])
                if member.type_name == "integer"
                else values[0]
            )
    return found


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


def check(operation: str, parameters: dict[str, Any], service: str = _SES) -> None:
    """Check parameters against the model of a service.

    :raises Refusal: with all faults.
    """
    report = ParamValidator().validate(
        parameters, _model(service).operation_model(operation).input_shape
    )
    if report.has_errors():
        raise Refusal("ValidationError", report.generate_report(), v2_code="BadRequestException")


def shaped(operation: str, body: dict[str, Any], service: str = _SES) -> dict[str, Any]:
    """Return the members of a body that the operation's output has."""
    shape = _model(service).operation_model(operation).output_shape
    found: dict[str, Any] = _members(shape, body) if shape is not None else {}
    return found


def _members(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure":
        return {
            name: _members(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    return [_members(shape.member, item) for item in value] if shape.type_name == "list" else value
