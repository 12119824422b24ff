"""One call of an output binding: its request, execution and answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jackfield.connections.aliases import Alias
from jackfield.invocation import Result
from jackfield.kernel.errors import LimitReached
from jackfield_dapr.sidecar.durations import seconds_of

Payload = Callable[[tuple[str, ...], bool], "str | Mapping[str, Any]"]
"""Function that reads a request's data as the body of a mail, given the allowed members of an
object and whether to read strictly.
"""
Send = Callable[[Mapping[str, Any]], Result]
"""Function that runs one invocation, within the binding's limits."""
ReadFile = Callable[[str], bytes]
"""Function that reads a stored file that an action has returned, and deletes it."""


class BindingError(Exception):
    """Request that cannot be carried out or failed; the text is the one that Dapr's clients expect.
    ``result`` is set if an action was invoked.
    """

    def __init__(self, text: str, result: Result | None = None) -> None:
        super().__init__(text)
        self.result = result

    @property
    def is_limited(self) -> bool:
        """True if a limit of the workspace prevented the call from beginning: a later repeat may
        succeed.
        """
        return self.result is not None and isinstance(self.result.error, LimitReached)


def _no_data() -> bytes:
    return b""


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """Call of a binding. ``octets`` returns the data as a sidecar passes them on: octets from gRPC,
    JSON text from HTTP.
    """

    operation: str
    metadata: Mapping[str, str]
    payload: Payload
    traceparent: str | None = None
    octets: Callable[[], bytes] = _no_data


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """Answer of a binding: metadata, and data; without data, HTTP 204."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """Request to a component. ``fields`` are its metadata under the alias's spelling,
    ``connection`` is the connection's name.
    """

    name: str
    alias: Alias
    fields: Mapping[str, str]
    connection: str
    request: Request
    send: Send
    read_file: ReadFile
    timeout: float | None = None
    strict: bool = False

    def text(self, name: str) -> str:
        """Return a property of the request, whatever the case of its name; else the configured
        property, else an empty string.
        """
        wanted = name.lower()
        given = next(
            (
                value
                for key, value in self.request.metadata.items()
                if key.lower() == wanted and value
            ),
            "",
        )
        return given or self.fields.get(name, "")

    def invocation(self, action: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return an invocation of an action of the alias's connector."""
        made: dict[str, Any] = {
            "connector": self.alias.connector,
            "action": action,
            "connection": self.connection,
            "inputs": dict(inputs),
        }
        made |= {"timeoutSeconds": self.timeout} if self.timeout is not None else {}
        traceparent = self.request.traceparent
        return {**made, "context": {"traceparent": traceparent}} if traceparent else made

    def invoke(
        self, action: str, inputs: Mapping[str, Any], failed: str = "{reason}"
    ) -> Mapping[str, Any]:
        """Run an action and return its output. ``failed`` is the text of a failure, with
        ``{reason}``.

        :raises BindingError: if the action does not succeed.
        """
        result = self.send(self.invocation(action, inputs))
        if result.error is not None or result.status != "succeeded":
            raise BindingError(failed.replace("{reason}", reason(result)), result)
        return result.output if isinstance(result.output, Mapping) else {}


def reason(result: Result) -> str:
    """Return the provider's message under its own code; else jackfield's message with every
    detail.
    """
    error = result.error
    if error is None:
        return "" if result.status == "succeeded" else f"the call is {result.status}"
    said = error.provider
    if said is not None and said.code:
        return f"{said.code}: {said.message or error.message}"
    faults = (
        f"{detail.path} {detail.message}".lstrip()
        for detail in error.details
        if detail.path or detail.message not in error.message
    )
    details = "; ".join(faults)
    return f"{error.code}: {error.message}" + (f" ({details})" if details else "")


def duration(text: str, name: str) -> float:
    """Return the duration in a property in seconds.

    :raises BindingError: if the text is not a duration.
    """
    try:
        return seconds_of(text)
    except ValueError as error:
        raise BindingError(f"'{name}' {error}") from None
