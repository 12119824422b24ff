"""From a response to what botocore's client would return or raise: its parser, its exceptions, and its functions that change an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.awsrequest import HeadersDict

from jackfield.connector import Call
from jackfield_aws.client_hooks import note_header, note_parsed
from jackfield_aws.direct.requests import Operation
from jackfield_aws.foreign_answers import check_answer

_REDIRECTED = 300
"""First HTTP status that is not a success."""


class Answers:
    """Reads the responses of one service. ``exceptions`` returns botocore's classes for its errors."""

    __slots__ = ("_exceptions", "_parser")

    def __init__(self, parser: Any, exceptions: Callable[[], Any]) -> None:
        self._parser = parser
        self._exceptions = exceptions

    def read(self, operation: Operation, status: int, fields: list[tuple[bytes, bytes]], body: bytes, call: Call | None) -> dict[str, Any]:
        """Return what an operation returned.

        :raises ClientError: if AWS reports an error, in the class of its code.
        :raises HTTPClientError: if the response cannot be the service's.
        """
        model, headers = operation.model, _headers(fields)
        response = {"headers": headers, "status_code": status, "context": {"operation_name": model.name}, "body": body}
        note_header(call, headers)
        check_answer(response, model)
        parsed: dict[str, Any] = self._parser.parse(response, model.output_shape)
        is_error = status >= _REDIRECTED
        if is_error:
            self._add_modeled(parsed, response, model)
        if "ResponseMetadata" in parsed:
            parsed["ResponseMetadata"]["RetryAttempts"] = 0
        context: dict[str, Any] = {}
        for change in operation.verdict.after:
            change(parsed=parsed, model=model, context=context, http_response=None)
        note_parsed(call, parsed, is_success=not is_error)
        if is_error:
            code = context.get("error_code_override") or parsed.get("Error", {}).get("Code")
            raise self._exceptions().from_code(code)(parsed, model.name)
        return parsed

    def _add_modeled(self, parsed: dict[str, Any], response: dict[str, Any], model: Any) -> None:
        """Add the members that the model gives an error."""
        code = parsed.get("Error", {}).get("Code")
        shape = None if code is None else model.service_model.shape_for_error_code(code)
        if shape is not None:
            parsed.update(self._parser.parse(response, shape))


def _headers(fields: list[tuple[bytes, bytes]]) -> Any:
    """Return fields as botocore's parsers want them: by name in any case, with several values of one joined (RFC 9110 §5.2)."""
    joined: dict[str, tuple[str, str]] = {}
    for name, value in fields:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        first = joined.get(key.lower())
        joined[key.lower()] = (key, text) if first is None else (first[0], f"{first[1]}, {text}")
    return HeadersDict(joined.values())
