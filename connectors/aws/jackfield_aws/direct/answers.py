"""Conversion of a response to the result or exception of botocore's client, with its parser,
exceptions and functions that change a response.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jackfield.connector import Call
from jackfield_aws.client_hooks import note_parsed, note_request
from jackfield_aws.direct.requests import Operation
from jackfield_aws.foreign_answers import check_answer

_REDIRECTED = 300
"""First HTTP status that is not a success."""


class Answers:
    """Reader of one service's responses. ``exceptions`` returns botocore's classes for its
    errors.
    """

    __slots__ = ("_exceptions", "_parser")

    def __init__(self, parser: Any, exceptions: Callable[[], Any]) -> None:
        self._parser = parser
        self._exceptions = exceptions

    def read(
        self,
        operation: Operation,
        status: int,
        fields: list[tuple[bytes, bytes]],
        body: bytes,
        call: Call | None,
        host: str,
    ) -> dict[str, Any]:
        """Return an operation's output. ``host`` is the endpoint's.

        :raises ClientError: if AWS reports an error, in the class of its code.
        :raises HTTPClientError: if the response cannot come from the service.
        """
        model, headers = operation.model, _Headers(fields)
        response = {
            "headers": headers,
            "status_code": status,
            "context": {"operation_name": model.name},
            "body": body,
        }
        note_request(call, headers.get("x-amzn-requestid"))
        check_answer(response, model, host)
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
        """Add an error's members that the model defines."""
        code = parsed.get("Error", {}).get("Code")
        shape = None if code is None else model.service_model.shape_for_error_code(code)
        if shape is not None:
            parsed.update(self._parser.parse(response, shape))


class _Headers(dict[str, str]):
    """Header fields for botocore's parsers: names in any case, repeated values joined (RFC 9110
    §5.2). botocore's own ``HeadersDict`` creates an object for each look-up.
    """

    __slots__ = ("_names",)

    def __init__(self, fields: list[tuple[bytes, bytes]]) -> None:
        super().__init__()
        self._names: dict[str, str] = {}
        """Names as they came, by their spelling in lower case."""
        for name, value in fields:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            own = self._names.setdefault(key.lower(), key)
            super().__setitem__(
                own, f"{super().__getitem__(own)}, {text}" if super().__contains__(own) else text
            )

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(self._names[name.lower()])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._names

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a field; ``default`` if there is none."""
        own = self._names.get(name.lower())
        return default if own is None else super().__getitem__(own)
