"""All errors of an invocation, and their codes for programs.

::

    JackfieldError
    ├── InvalidInvocation      invalid_invocation      not JSON, too large, too deep, unknown or
    │                                                  missing member
    ├── UnknownName            (a connector, action or connection that does not exist)
    │   ├── UnknownConnector   unknown_connector
    │   ├── UnknownAction      unknown_action
    │   └── UnknownConnection  unknown_connection
    ├── InvalidInput           invalid_input           the inputs break the action's schema or
    │                                                  rules; nothing was sent
    ├── InvalidConnection      invalid_connection      the connection's values break its schema, or
    │                                                  cannot serve the action
    ├── NotAllowed             not_allowed             a rule of the workspace or token forbids the
    │                                                  call; nothing was sent
    │   └── ApprovalRequired   approval_required       a rule asks for a person's approval, and this
    │                                                  call cannot wait; nothing was sent
    ├── Unauthenticated        unauthenticated         the provider refused the credentials
    ├── Forbidden              forbidden               credentials valid, permission missing
    ├── NotFound               not_found               the provider reports that the resource does
    │                                                  not exist
    ├── Conflict               conflict                the provider reports a conflicting state
    ├── Rejected               rejected                the provider refused this request for its
    │                                                  content
    │   └── JobFailed          rejected                the provider has ended a job without success
    ├── RateLimited            rate_limited            throttled even after jackfield's retries
    ├── LimitReached           rate_limited            a limit of the workspace is reached; nothing
    │                                                  was sent, queued or stored
    ├── QuotaExceeded          quota_exceeded          a daily or account quota is used up
    ├── Unavailable            unavailable             not reached or verified, or no clear response
    │                                                  but safe to repeat
    ├── TimedOut               timeout                 the deadline passed, safe to repeat
    │   └── NotYet             timeout                 the awaited state is not reached; a queued
    │                                                  invocation is run again later
    ├── InDoubt                in_doubt                sent, no clear response, effect ``write``
    ├── InvalidOutput          invalid_output          the connector returned output that breaks its
    │                                                  schema
    ├── IdempotencyConflict    idempotency_conflict    same key with another request, or still
    │                                                  running
    ├── Cancelled              cancelled               cancelled before it was sent
    └── Internal               internal                a bug in jackfield

Errors are values: code, message, details and hint are fields, and ``str()`` combines them. No field
ever holds a secret. This module imports nothing but the standard library and ``hints``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from itertools import islice
from time import gmtime, strftime

from jackfield.kernel.dataclass import core_schema, dataclass, readable
from jackfield.kernel.exports import late_hints
from jackfield.kernel.hints import worded

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any, ClassVar


class Sent(Enum):
    """State of the provider's operation when it failed. Together with the action's effect it
    decides whether a retry is safe.
    """

    NOTHING = "nothing"
    """State in which no byte of the request was sent: refused connection, DNS failure, refused TLS
    handshake.
    """
    REFUSED = "refused"
    """State in which the provider answered with an explicit refusal: it did not carry out the
    request.
    """
    UNKNOWN = "unknown"
    """State in which bytes were sent and no clear response was received: the request may have been
    carried out.
    """


@dataclass(frozen=True, slots=True)
class Detail:
    """One fault in the caller's data.

    ``path`` is a JSON Pointer (RFC 6901) into the inputs, the connection's values or the
    invocation; ``keyword`` is the JSON Schema keyword that failed, if any.
    """

    path: str
    message: str
    keyword: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the detail as a JSON object."""
        known = {"path": self.path, "message": self.message}
        return known if self.keyword is None else {**known, "keyword": self.keyword}


@dataclass(frozen=True, slots=True)
class Provider:
    """Error of the provider: code, message, HTTP status and request ID.

    ``details`` are the further members of the error, under the provider's own names. Members that
    are not JSON, or with which the details would exceed ``MAX_PROVIDER_DETAILS``, are left out.
    """

    code: str | None = None
    message: str | None = None
    http_status: int | None = None
    request_id: str | None = None
    details: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.details is not None:
            object.__setattr__(self, "details", _fitting(self.details) or None)

    @classmethod
    def of(cls, error: BaseException) -> Provider | None:
        """Return the HTTP status of a client's exception: its own, or that of the response that it
        carries. None if it has none. Exceptions of the client's code pass through.
        """
        response: Any = getattr(error, "response", None)
        found = [getattr(one, name, None) for one in (error, response) for name in _STATUSES]
        if isinstance(response, dict):  # botocore's
            found.append(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
        known = (one for one in found if isinstance(one, int) and 100 <= one < 600)
        status = next(known, None)
        return None if status is None else cls(http_status=int(status))

    def to_json(self) -> dict[str, Any]:
        """Return the provider's error as a JSON object, without absent members."""
        members = {
            "code": self.code,
            "message": self.message,
            "httpStatus": self.http_status,
            "requestId": self.request_id,
            "details": self.details,
        }
        return {name: value for name, value in members.items() if value is not None}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Provider:
        """Rebuild the error from the output of ``to_json``."""
        return Provider(
            data.get("code"),
            data.get("message"),
            data.get("httpStatus"),
            data.get("requestId"),
            data.get("details"),
        )


MAX_DETAILS = 100
"""Maximum number of faults that an error lists; one more Detail says that there are others."""
_STATUSES = ("status_code", "http_status", "status", "code")
"""Names by which clients' exceptions, and the responses in them, have the HTTP status."""


def first_faults(found: Iterable[Detail]) -> tuple[Detail, ...]:
    """Return the faults that an error lists. Of those that are left out, a generator makes none:
    each may cost a search for the name that was meant.
    """
    first = tuple(islice(found, MAX_DETAILS + 2))
    if len(first) <= MAX_DETAILS + 1:  # one more than the maximum is a list that has been cut
        return first
    return (*first[:MAX_DETAILS], Detail("", "and there are more faults"))


MAX_PROVIDER_DETAILS = 16 * 1024
"""Maximum size in bytes, as JSON, of the details of a provider's error."""


def _fitting(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are JSON and fit, in their order."""
    import json

    found: dict[str, Any] = {}
    left = MAX_PROVIDER_DETAILS - len("{}")
    for name, value in details.items():
        try:
            text = json.dumps(
                {name: value}, ensure_ascii=False, allow_nan=False, separators=(",", ":")
            )
            size = len(text.encode()) - len("{}") + bool(found)  # and a comma
        except (TypeError, ValueError, RecursionError):
            continue
        if size <= left:
            found[name], left = value, left - size
    return found


READABLE = ("code", "message", "retryable", "details", "hint", "provider")
"""Names of an error's attributes that encoders of dataclasses read."""


class JackfieldError(Exception):
    """Base class of all errors that have a code of the contract.

    ``message`` says what happened, ``details`` where, ``hint`` what to do next. ``sent`` is the
    state of the provider's operation (if omitted, the runtime derives it from the code once the
    operation has begun). ``retry_after`` is the wait in seconds that the provider requested, or
    until a paced call has its turn. ``stale_credentials``: new credentials may help. ``expired``:
    the connection's own credentials have expired, so that a person must replace them.
    ``repeatable``: a retry may help (it does not help with an unverifiable certificate).
    ``done_before``: the refusal says that the request had been carried out before. It is a success
    if an earlier attempt of the same call may have taken effect. ``by_status``: only the status of
    the answer says what it is, and its body is not of the provider's form: something else may have
    refused.
    """

    code: ClassVar[str] = "internal"
    retryable: bool = False
    expired: bool = False
    done_before: bool = False
    by_status: bool = False
    keeps_key: bool = False
    """True if the failure is as final as a success: it holds its idempotency key, and is
    replayed.
    """
    retry_until: str | None = None
    """Time (RFC 3339, UTC) until which the provider knows the key of a request in doubt."""
    http_status: int = 500
    problem: ClassVar[str | None] = None
    """Code of a problem document, if a finer code than ``code`` exists; else None."""
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        details: Iterable[Detail] = (),
        hint: str | None = None,
        provider: Provider | None = None,
        sent: Sent | None = None,
        retry_after: float | None = None,
        stale_credentials: bool = False,
        repeatable: bool = True,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = first_faults(details)
        self.hint = hint
        self.provider = provider
        self.sent = Sent.NOTHING if sent is None else sent
        self.tells_sent = sent is not None
        self.retry_after = retry_after
        self.stale_credentials = stale_credentials
        self.repeatable = repeatable

    def __init_subclass__(cls) -> None:
        readable(cls, *READABLE)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> dict[str, Any]:
        return core_schema(cls, JackfieldError.from_json)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: object, _handler: object) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["code", "message", "retryable"],
            "title": "JackfieldError",
        }

    # without the class's own __init__, whose arguments nobody keeps
    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.args), self.__dict__

    def __str__(self) -> str:
        where = "".join(f"\n  {detail.path or '/'}: {detail.message}" for detail in self.details)
        return f"{self.message}{where}" + (f"\n{self.hint}" if self.hint else "")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"

    def to_json(self, surface: str = "library") -> dict[str, Any]:
        """Return the ``error`` member of a Result, with the hint worded for ``surface``."""
        body: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
        }
        if self.details:
            body["details"] = [detail.to_json() for detail in self.details]
        if self.hint:
            body["hint"] = worded(self.hint, surface)
        if self.provider is not None:
            body["provider"] = self.provider.to_json()
        if self.retry_after is not None:
            body["retryAfterSeconds"] = round(self.retry_after, 3)
        if self.retry_until is not None:
            body["retryUntil"] = self.retry_until
        return body

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> JackfieldError:
        """Rebuild an error from the output of ``to_json``; its code determines the class."""
        said = data.get("provider")
        error = CODES.get(data["code"], Internal)(
            data["message"],
            details=[
                Detail(item["path"], item["message"], item.get("keyword"))
                for item in data.get("details", ())
            ],
            hint=data.get("hint"),
            provider=said and Provider.from_json(said),
            retry_after=data.get("retryAfterSeconds"),
        )
        error.retry_until = data.get("retryUntil")
        error.retryable = data.get("retryable", error.retryable)
        return error


def _remade(kind: type[JackfieldError], args: tuple[Any, ...]) -> JackfieldError:
    return kind.__new__(kind, *args)  # which notes them as ``args``


readable(JackfieldError, *READABLE)


def is_past(moment: str) -> bool:
    """Return whether a time (RFC 3339, UTC, with milliseconds) is over."""
    return moment <= strftime("%Y-%m-%dT%H:%M:%S.000Z", gmtime())


class InvalidInvocation(JackfieldError):
    """Error for an invocation that is not JSON, is too large or too deep, or has an unknown or
    missing member.
    """

    code = "invalid_invocation"
    http_status = 400
    exit_code = 2


class UnknownName(JackfieldError):
    """Error for a name that does not exist; the message suggests the nearest name."""

    http_status = 404
    exit_code = 2


class UnknownConnector(UnknownName):
    """Error for a connector that is not installed, is broken, or has no matching version."""

    code = "unknown_connector"


class UnknownAction(UnknownName):
    """Error for an action that the connector does not have."""

    code = "unknown_action"


class UnknownConnection(UnknownName):
    """Error for a connection that the workspace does not have."""

    code = "unknown_connection"


class InvalidInput(JackfieldError):
    """Error for inputs that break the action's schema or its rules; nothing was sent."""

    code = "invalid_input"
    http_status = 422
    exit_code = 2


class InvalidConnection(JackfieldError):
    """Error for a connection whose values break its schema, whose secret cannot be read, or whose
    type cannot serve the action.
    """

    code = "invalid_connection"
    http_status = 422
    exit_code = 2


class NotAllowed(JackfieldError):
    """Error for a call that a rule of the workspace or token forbids; nothing was sent."""

    code = "not_allowed"
    http_status = 403
    exit_code = 2


class ApprovalRequired(NotAllowed):
    """Error for a call that needs a person's approval and cannot wait for it: over this surface,
    this connection or with this action.
    """

    code = "approval_required"


class Unauthenticated(JackfieldError):
    """Error for credentials that the provider refused."""

    code = "unauthenticated"
    http_status = 502


class Forbidden(JackfieldError):
    """Error for valid credentials without a permission, or with a paused account."""

    code = "forbidden"
    http_status = 502


class NotFound(JackfieldError):
    """Error for a resource that does not exist, as the provider reports."""

    code = "not_found"
    http_status = 502


class Conflict(JackfieldError):
    """Error for a resource in a conflicting state, as the provider reports."""

    code = "conflict"
    http_status = 502


class Rejected(JackfieldError):
    """Error for a request that the provider refused for its content."""

    code = "rejected"
    http_status = 502


class RateLimited(JackfieldError):
    """Error for a request that the provider throttled even after jackfield's retries."""

    code = "rate_limited"
    retryable = True
    http_status = 503


class LimitReached(JackfieldError):
    """Error for a ``limit`` of the workspace that is reached; ``most`` is its value: one of
    ``access.settings.LIMITS``, or the server's limit for each workspace. Nothing was sent, queued
    or stored.
    """

    code = "rate_limited"
    retryable = True
    http_status = 429

    def __init__(
        self,
        limit: str,
        most: float,
        *,
        hint: str = "Try again later. Who manages the workspace can raise the limit.",
    ) -> None:
        super().__init__(
            f"the workspace's limit '{limit}' of {most:,.0f} is reached", hint=hint, retry_after=1.0
        )
        self.limit = limit


class QuotaExceeded(JackfieldError):
    """Error for a daily or account quota that is used up."""

    code = "quota_exceeded"
    http_status = 503


class QuotaReached(QuotaExceeded):
    """Error for a ``quota`` of the workspace or of the token that is used up ``until`` a time,
    which is ``seconds`` away. None: the call is larger than the quota ever allows. Nothing was
    sent.
    """

    def __init__(self, quota: str, until: str | None = None, seconds: float | None = None) -> None:
        super().__init__(
            f"the quota of {quota} "
            + (
                "allows no call as large as this one"
                if until is None
                else f"is used up until {until}"
            ),
            hint="Nothing was sent. Who manages the workspace can raise the quota.",
            retry_after=seconds,
        )


class Unavailable(JackfieldError):
    """Error for a provider that could not be reached or verified, or sent no clear response to an
    action that is safe to repeat.
    """

    code = "unavailable"
    retryable = True
    http_status = 503


class TimedOut(JackfieldError):
    """Error for a deadline that passed before the request was sent, or before a clear response to
    an action that is safe to repeat.
    """

    code = "timeout"
    retryable = True
    http_status = 504
    unexplained = False
    """True if the error says only that a deadline passed, without the step that took too long."""


class NotYet(TimedOut):
    """Error for a state that an action waits for and that has not been reached. A direct invocation
    is retried until its deadline. A queued invocation returns to the queue and is run again after
    ``retry_after`` seconds, until ``within`` seconds after it was queued.

    ``until`` maps JSON Pointers into a response to their values once the state is reached. The
    conformance suite, which has no real wait, then responds with these values.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float,
        within: float,
        until: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(message, retry_after=retry_after, **rest)
        self.within = within
        self.until: Mapping[str, Any] = until or {}


class JobFailed(Rejected):
    """Error for a job that the provider has ended without success. Only this exception of a job's
    ``poll`` ends the job. With ``sent=Sent.UNKNOWN``, a ``write`` ends in doubt.
    """

    @property
    def is_unclear(self) -> bool:
        """True if it is unknown whether the job has taken effect."""
        return self.tells_sent and self.sent is Sent.UNKNOWN


class FailedInPart(JobFailed):
    """Error for a request that the provider carried out in part, if the caller treats this as a
    failure (``partial: "fail"``). It is never repeated.
    """

    keeps_key = True


class InDoubt(JackfieldError):
    """Error for a request that was sent without a clear response, and whose effect a retry could
    repeat.

    ``by_caller``: the request has the caller's key. Until ``retry_until`` the same request may be
    sent again under it.
    """

    code = "in_doubt"
    http_status = 504
    exit_code = 3
    by_caller: bool = False

    @property
    def retryable(self) -> bool:
        """True while the provider knows the caller's key: the same request takes effect once."""
        return self.by_caller and (self.retry_until is None or not is_past(self.retry_until))

    @retryable.setter
    def retryable(self, value: bool) -> None:
        self.by_caller = value


class InvalidOutput(JackfieldError):
    """Error for output of the connector that breaks its own schema."""

    code = "invalid_output"


class IdempotencyConflict(JackfieldError):
    """Error for an idempotency key that belongs to another request (HTTP 422), or whose own request
    is still running (HTTP 409, retryable).
    """

    code = "idempotency_conflict"
    http_status = 422
    exit_code = 2

    def __init__(self, message: str, *, running: bool = False, **rest: Any) -> None:
        super().__init__(message, **rest)
        if running:
            self.retryable = True
            self.http_status = 409


class Cancelled(JackfieldError):
    """Error for a call that was cancelled before anything was sent."""

    code = "cancelled"
    http_status = 409


class Internal(JackfieldError):
    """Error for a bug in jackfield; the message contains only the invocation's ID."""

    code = "internal"


def _tree(kind: type[JackfieldError]) -> list[type[JackfieldError]]:
    return [kind, *(sub for child in kind.__subclasses__() for sub in _tree(child))]


CODES: dict[str, type[JackfieldError]] = {
    kind.code: kind
    for kind in reversed(_tree(JackfieldError))
    if kind not in {JackfieldError, UnknownName}
}
"""Error classes by their code in the contract."""


def brief(error: BaseException) -> str:
    """Return an error's message for one line of a log. For an exception without a code return only
    its class, since its message may quote a secret.
    """
    return error.message if isinstance(error, JackfieldError) else type(error).__name__


def missing_extra(sentence: str, extra: str, package: str | None) -> InvalidInvocation:
    """Return the error for a package of an extra that is not installed; ``sentence`` says which
    feature needs it: "the server needs".
    """
    text = f"{sentence} the extra '{extra}': the package '{package}' is not installed"
    return InvalidInvocation(text, hint=f"pip install 'jackfield[{extra}]'")


def nearest(
    name: str, names: Iterable[str], shown: Callable[[str], bool] | None = None
) -> str | None:
    """Return the name in ``names`` most similar to ``name``; None if none is similar. If ``shown``
    is given, it is called with the ten most similar names, and the first that it accepts is
    returned.
    """
    import difflib

    folded, by_folded = name.casefold(), {candidate.casefold(): candidate for candidate in names}
    if folded in by_folded and shown is None:
        return by_folded[folded]
    found = difflib.get_close_matches(folded, by_folded, n=1 if shown is None else 10, cutoff=0.6)
    return next(
        (by_folded[close] for close in found if shown is None or shown(by_folded[close])), None
    )


def did_you_mean(
    name: str, names: Iterable[str], shown: Callable[[str], bool] | None = None
) -> str:
    """Return the end of a sentence about an unknown ``name``: a suggestion of the nearest of
    ``names``, or an empty string.
    """
    close = nearest(name, names, shown)
    return f"; did you mean '{close}'?" if close else ""


def unknown_members(
    given: Iterable[Any], known: Iterable[str], what: str, path: str = ""
) -> Iterator[Detail]:
    """Yield a fault for each name in ``given`` that is not a member of ``what`` ("a
    subscription").
    """
    for name in (str(one) for one in given if one not in known):
        text = f"'{name[:80]}' is not a member of {what}{did_you_mean(name, known)}"
        at = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
        yield Detail(at, text, "additionalProperties")


late_hints(__name__)
