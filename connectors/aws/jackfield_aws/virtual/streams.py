"""Event streams in responses: read to their end, which the service's documentation names. Refusals
in them are interpreted by their codes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError, EventStreamError

from jackfield.connector import JackfieldError, Sent, Unavailable, current_call
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.json_answers import cleaned

_REFUSED = 400
"""Default status of an exception without one in the model."""
_MOST = 10_000
"""Maximum number of a stream's events in one output."""
_LAST: Mapping[tuple[str, str], str] = {
    ("bedrock-agent-runtime", "AgenticRetrieveStream"): "result",
    ("bedrock-agent-runtime", "InvokeFlow"): "flowCompletionEvent flowMultiTurnInputRequestEvent",
    ("bedrock-agent-runtime", "OptimizePrompt"): "optimizedPromptEvent",
    ("bedrock-agentcore", "InvokeHarness"): "messageStop",
    ("bedrock-runtime", "ConverseStream"): "messageStop",
    ("devops-agent", "SendMessage"): "responseCompleted responseFailed",
    ("healthlake", "UpdateProfileWithAgent"): "EndOfOutputEvent",
    ("lambda", "InvokeWithResponseStream"): "InvokeComplete",
    ("s3", "SelectObjectContent"): "End",
}
"""Final events of a complete stream, by operation (API references of the services). Streams without
a row end with their connection.
"""


class StreamFault(ClientError):  # type: ignore[misc]  # botocore has no types
    """Refusal or failure within a stream, with the code and the status of the service's model."""

    def __init__(
        self, response: dict[str, Any], operation: str, *, events: int, writes: bool
    ) -> None:
        super().__init__(response, operation)
        self._events = events
        self._writes = writes

    def judge(self, found: JackfieldError) -> JackfieldError:
        """Return the error adjusted to the stream: repeatable only before the first event, and
        never for a ``write``; after an event, a ``write`` may have taken effect.
        """
        if self._events or self._writes:
            found.repeatable = False
        if self._events and self._writes:
            found.sent = Sent.UNKNOWN
        return found


@dataclass(frozen=True, slots=True)
class EventStream:
    """Output member that is an event stream. ``last`` are the events that end it; ``faults``, code
    and status of its exceptions by member; ``writes``: the operation is a ``write``.
    """

    member: str
    last: frozenset[str]
    faults: Mapping[str, tuple[str, int]]
    writes: bool

    def read(self, stream: Any) -> list[Any]:
        """Read a stream to its end, and emit its events as they arrive; warn if it ends without its
        last event.

        :raises StreamFault: if the stream contains a failure.
        :raises Unavailable: if there are more events than an output may hold, which would look
            complete without them.
        """
        found, call = list[Any](), current_call()
        with contextlib.closing(stream):
            if call is not None:
                call.events.closes(stream._raw_stream.shutdown)  # noqa: SLF001 (no other way)
            try:
                for event in self._bounded(stream):
                    found.append(cleaned(event))
                    if call is not None:
                        call.hand_on(found[-1])
            except EventStreamError as error:
                raise self._fault(error, len(found)) from None
        if self.last and not any(self.last & event.keys() for event in found):
            self._warn()
        return found

    def _bounded(self, stream: Any) -> Iterator[Any]:
        for number, event in enumerate(stream):
            if number == _MOST:
                raise Unavailable(
                    f"AWS's answer is a stream of more than {_MOST:,} events",
                    hint="Ask for less in one call.",
                    sent=Sent.UNKNOWN,
                    repeatable=False,
                )
            yield event

    def _fault(self, error: Any, events: int) -> StreamFault:
        call = current_call()
        if call is not None and not events:
            call.refused()  # the head of the answer said 200
        told = error.response.get("Error", {})
        code, status = self.faults.get(str(told.get("Code")), (told.get("Code"), _REFUSED))
        about = {**error.response.get("ResponseMetadata", {}), "HTTPStatusCode": status}
        response = {**error.response, "Error": {**told, "Code": code}, "ResponseMetadata": about}
        return StreamFault(response, error.operation_name, events=events, writes=self.writes)

    def _warn(self) -> None:
        call = current_call()
        if call is not None:
            names = " or ".join(f"'{name}'" for name in sorted(self.last))
            call.warn(
                f"the stream ended without its last event, {names}: the output may be only a part",
                f"/{self.member}",
            )


def event_stream(service: str, operation: Any, *, writes: bool) -> EventStream | None:
    """Return the event stream in a botocore operation's output; None if it has none."""
    if not operation.has_event_stream_output:
        return None
    shape = operation.get_event_stream_output()
    member = next(
        key for key, one in operation.output_shape.members.items() if one.name == shape.name
    )
    last = frozenset(_LAST.get((service, operation.name), "").split())
    return EventStream(member, last, dict(_faults(shape)), writes)


def _faults(shape: Any) -> Iterator[tuple[str, tuple[str, int]]]:
    for name, member in shape.members.items():
        if member.metadata.get("exception"):
            error = member.metadata.get("error", {})
            yield name, (error.get("code", member.name), error.get("httpStatusCode", _REFUSED))
