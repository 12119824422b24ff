"""Function shared by all virtual actions: checked input in, botocore's response as JSON out."""

from __future__ import annotations

import contextlib
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ParamValidationError

from jackfield.connector import (
    Detail,
    InvalidInput,
    Output,
    OutputFile,
    Rejected,
    Sent,
    StreamedFile,
    current_call,
    file_name,
)
from jackfield.connector.jobs import Started
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.clients import AwsClients
from jackfield_aws.json_answers import cleaned
from jackfield_aws.virtual.entry_errors import EntryErrors
from jackfield_aws.virtual.inputs import VirtualInputs
from jackfield_aws.virtual.partial import warn_of_failures
from jackfield_aws.virtual.plain_values import add_json, warn_of_rounding
from jackfield_aws.virtual.server_waits import within_deadline
from jackfield_aws.virtual.streams import EventStream
from jackfield_aws.virtual.waits import WAIT_UNTIL, Waiter

REGION = "awsRegion"
"""Input that names the region."""
_TOKENS = uuid.UUID("6f0e3a8c-6a0d-4d6b-9d9e-0f4b3c1c2a11")
"""Namespace of the idempotency tokens."""
INLINE_BODY = 1024 * 1024
"""Maximum bytes of a body in the output as base64; a larger one becomes a stored file."""
MAX_BODY = 64 * 1024 * 1024
"""Maximum bytes of a body in the output as base64 without file storage."""
_CHUNK = 1024 * 1024
_OCTETS = "application/octet-stream"
_DRY_RUN, _WOULD_SUCCEED = ("DryRun", "dryRun"), frozenset({"DryRunOperation", "DryRun"})
_REFUSALS = (400, 500)


class Body(OutputFile):
    """Body of a response, which becomes a stored file or, without file storage, base64."""

    __slots__ = ()

    def without_storage(self) -> Mapping[str, Any]:
        """Return the body as base64.

        :raises Rejected: if it is larger than an output may be.
        """
        pieces, size = [], 0
        for piece in self.chunks():
            size += len(piece)
            if size > MAX_BODY:
                raise Rejected(
                    f"the body has more than {MAX_BODY:,} bytes, and there is no file storage here",
                    hint=(
                        "Fetch it in parts ('Range'), or use a database, in which large "
                        "bodies become files."
                    ),
                    sent=Sent.REFUSED,
                )
            pieces.append(piece)
        return _inline(pieces, self.content_type)


class JsonOutput(Output):
    """Output that is already JSON, except for a body still to be stored. pydantic's own constructor
    would need 20 µs without benefit.
    """

    __slots__ = ("_answer", "_member")
    if TYPE_CHECKING:  # pydantic must not take them for its own
        _answer: Any
        _member: str

    body: OutputFile | None = None

    def __init__(
        self, answer: Any = None, member: str = "", body: OutputFile | None = None
    ) -> None:
        give = object.__setattr__
        give(self, "__dict__", {"body": body})
        give(self, "_answer", answer or {})
        give(self, "_member", member)

    def model_dump(self, **_how: Any) -> Any:
        """Return the JSON."""
        return (
            self._answer if self.body is None else {**self._answer, self._member: self.body.stored}
        )


@dataclass(frozen=True, slots=True)
class CalledOperation:
    """Properties of an operation for its calls; made once from its model."""

    service: str
    name: str
    method: str
    tokens: tuple[str, ...]
    waiters: Mapping[str, Waiter]
    default_region: str | None
    stream: str | None
    """Output member that is a body of any length."""
    events: EventStream | None
    has_bytes: bool
    """True if the response may hold bytes that bypass the parser's hooks."""
    sends_body: bool = False
    """True if the request may have a body of any length."""
    excluded: tuple[str, frozenset[str]] | None = None
    """Page token, and the inputs that it replaces, which are left out with it."""
    wait: tuple[str, int] | None = None
    """Input with the seconds that AWS waits before it answers, and its minimum."""
    may_fail_in_part: bool = False
    entry_errors: tuple[EntryErrors, ...] = ()
    """Output lists whose entries may fail individually."""
    json: tuple[str, ...] = ()
    """Output members that hold JSON as text or bytes."""

    def __call__(self, given: VirtualInputs, aws: AwsClients) -> JsonOutput | Started:
        """Call the operation once. Return a job's handle if ``waitUntil`` names a state that has
        not been reached.

        :raises InvalidInput: if botocore cannot write the inputs; nothing was sent.
        :raises JobFailed: if that state can no longer be reached.
        """
        parameters, waiter = (
            self._sent(given.parameters),
            self.waiters.get(given.own.get(WAIT_UNTIL, "")),
        )
        client = aws.client(
            self.service,
            given.own.get(REGION) or aws.region or self.default_region,
            validates=False,
            as_json=True,
        )
        with (
            _open_body(parameters)
            if self.sends_body
            else contextlib.nullcontext(parameters) as sent
        ):
            answer = self._call_method(getattr(client, self.method), sent, waiter)
        if answer is None:
            return JsonOutput()
        is_pending = waiter is not None and (
            waiter.start is not None or not waiter.has_reached(answer)
        )
        answer.pop("ResponseMetadata", None)
        handle = (
            waiter.handle(given.parameters, given.own, answer)
            if waiter is not None and is_pending
            else None
        )
        if handle is not None:
            return Started(handle)
        if self.stream is not None and self.stream in answer:
            body = _received(answer.pop(self.stream), answer)
            if isinstance(body, Body):
                return JsonOutput(cleaned(answer), self.stream, body)
            answer[self.stream] = body
        if self.events is not None and self.events.member in answer:
            answer[self.events.member] = self.events.read(answer[self.events.member])
        if self.json:
            add_json(answer, self.json)
        if self.may_fail_in_part:
            warn_of_failures(answer, given.parameters, self.entry_errors)
        return JsonOutput(cleaned(answer) if self.has_bytes else answer)

    def _sent(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the parameters with the operation's tokens, without the inputs replaced by a page
        token, and with AWS's wait cut to the deadline.
        """
        if self.tokens:
            made = {name: token for name, token in self._tokens().items() if name not in parameters}
            parameters = {**parameters, **made}  # at the end, where botocore puts its own
        if self.excluded is not None and parameters.get(self.excluded[0]) is not None:
            parameters = {
                name: value for name, value in parameters.items() if name not in self.excluded[1]
            }
        if self.service == "dynamodb":
            warn_of_rounding(parameters)
        return parameters if self.wait is None else within_deadline(parameters, self.wait)

    def _call_method(
        self,
        method: Callable[..., dict[str, Any]],
        parameters: Mapping[str, Any],
        waiter: Waiter | None,
    ) -> dict[str, Any] | None:
        try:
            answer = method(**parameters)
        except ClientError as error:
            if _would_have_succeeded(error, parameters):
                return None
            has_reached = (
                None
                if waiter is None or waiter.start is not None
                else waiter.has_reached(error.response)
            )
            if has_reached is None:
                raise
            # an error that is the state to wait for: the resource is gone
            return None if has_reached else error.response
        except (
            ParamValidationError,
            ValueError,
            OverflowError,
            RuntimeError,
            TypeError,
            AttributeError,
        ) as error:
            call = current_call()
            if call is not None and call.begun:
                raise
            raise _unwritable(self.name, error) from None
        return answer

    def _tokens(self) -> dict[str, str]:
        """Return the idempotency tokens, equal on each attempt and for each repeat of an
        idempotency key.
        """
        call = current_call()
        if call is None:
            return {}
        return dict.fromkeys(
            self.tokens,
            str(uuid.uuid5(_TOKENS, f"{call.idempotency_key}/{self.service}/{self.name}")),
        )


def _would_have_succeeded(error: Any, parameters: Mapping[str, Any]) -> bool:
    """Return whether an error means that a request with ``DryRun`` would have succeeded; if so,
    warn the caller.

    EC2, KMS and others answer a dry run with such an error (EC2 API reference, RunInstances,
    DryRun).
    """
    code, status = (
        str(error.response.get("Error", {}).get("Code")),
        error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0),
    )
    is_asked = any(parameters.get(name) is True for name in _DRY_RUN)
    if (
        not is_asked
        or code.removesuffix("Exception") not in _WOULD_SUCCEED
        or not _REFUSALS[0] <= status < _REFUSALS[1]
    ):
        return False
    call = current_call()
    if call is not None:
        call.warn(
            f"{error.operation_name} would have succeeded: AWS checked the request and did "
            f"nothing, because of its dry run ({code})"
        )
    return True


def _unwritable(operation: str, error: Exception) -> Exception:
    """Return the error for inputs that pass the schema but not botocore's serializer: a date that
    does not exist, text outside ASCII.
    """
    if (
        not isinstance(error, ValueError)
        and type(error).__name__ != "ParamValidationError"
        and not isinstance(error, OverflowError | RuntimeError)
    ):
        return error
    if (
        type(error).__module__.startswith("botocore")
        and type(error).__name__ != "ParamValidationError"
    ):
        return error  # endpoints, regions, credentials: the error map explains those
    return InvalidInput(
        "1 input is not valid",
        details=[Detail("", f"{operation} cannot be sent with these inputs: {str(error)[:300]}")],
        hint="Nothing was sent. Check dates, numbers and characters.",
    )


@contextlib.contextmanager
def _open_body(parameters: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Open the file for the request's body, anew for each attempt."""
    name = next(
        (name for name, value in parameters.items() if isinstance(value, StreamedFile)), None
    )
    if name is None:
        yield parameters
        return
    with parameters[name].open() as stream:
        yield {**parameters, name: stream}


def _received(body: Any, answer: Mapping[str, Any]) -> Mapping[str, Any] | Body:
    """Return a small body as base64, and a larger one as a file still to be read."""
    first = b"".join(_pieces(body, INLINE_BODY + 1))
    kind, name = (
        found if isinstance(found := answer.get(member), str) else None
        for member in ("ContentType", "ContentDisposition")
    )
    if len(first) <= INLINE_BODY:
        body.close()
        return _inline([first], kind)
    return Body(_rest(first, body), kind or _OCTETS, file_name(name or ""))


def _pieces(body: Any, most: int) -> Iterator[bytes]:
    while most > 0 and (piece := body.read(min(most, _CHUNK))):
        most -= len(piece)
        yield piece


def _rest(first: bytes, body: Any) -> Iterator[bytes]:
    with contextlib.closing(body):
        yield first
        yield from iter(lambda: body.read(_CHUNK), b"")


def _inline(pieces: Iterable[bytes], content_type: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"data": b64encode(b"".join(pieces)).decode("ascii")}
    return {**found, "contentType": content_type} if content_type is not None else found
