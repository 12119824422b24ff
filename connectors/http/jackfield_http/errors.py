"""Error map for HTTP: a table from statuses and provider codes to errors, with the provider's own
message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from jackfield.connector import (
    Conflict,
    Forbidden,
    JackfieldError,
    NotFound,
    Provider,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Sent,
    Unauthenticated,
    Unavailable,
)
from jackfield.connector.meanings import NOT_OF_AN_API, Response, meaning_of
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield_http import rate_limits
from jackfield_http.conditions import Condition
from jackfield_http.headers import Headers
from jackfield_http.parsing import WORDS, plain_name
from jackfield_http.pointers import find
from jackfield_http.verdicts import Verdict

_LONGEST = 1000
"""Maximum number of characters of a provider's message in an error."""
_PLACES = ("error", "fault")
"""Members of a body that may hold the error."""
_CODES = ("code", "type", "error", "errorcode", "errcode", "status", "faultcode")
_REQUEST_IDS = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid", "cf-ray")


@dataclass(frozen=True, slots=True)
class Row:
    """Meaning of a status or a code: the error, a hint, and what was sent if the status does not
    imply it.

    ``repeatable`` is False if a retry cannot help. The seconds to wait are at the JSON Pointer
    ``wait_at`` in the body or in the header field ``wait_in``; ``wait`` is used if the answer has
    neither.
    """

    kind: type[JackfieldError]
    hint: str | None = None
    sent: Sent | None = None
    repeatable: bool = True
    wait_at: str | None = None
    wait: float | None = None
    wait_in: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Row for some refusals of a status or a code. It applies if the body, or else the header field
    ``header``, meets the condition ``when``, and the message contains ``message``, ignoring case.
    Omitted members are not checked.
    """

    row: Row
    status: int | None = None
    codes: tuple[str, ...] = ()
    when: Condition | None = None
    header: str | None = None
    message: str = ""

    def fits(self, refusal: Refusal, status: int, code: str | None, message: str | None) -> bool:
        """Return whether this case applies to a refusal with the provider's code and message."""
        return (
            self.status in (None, status)
            and (not self.codes or code in self.codes)
            and self.message.casefold() in (message or "").casefold()
            and (
                self.when is None
                or self.when.holds(
                    refusal.body if self.header is None else refusal.headers.get(self.header)
                )
            )
        )


@dataclass(frozen=True, slots=True)
class DoneBefore:
    """Refusal that means that the request was carried out before, such as "not modified" or
    "already archived".

    It has this ``status``, one of these ``codes`` and a message that contains ``message`` and no
    text of ``unless``, ignoring case. Omitted members are not checked. A status alone also needs a
    body with a declared member of the provider's errors: proxies and routers have the same
    statuses.
    ``steps`` names the affected requests, in a bound connector the actions; without ``steps``, all
    are affected.
    """

    status: int | None = None
    codes: tuple[str, ...] = ()
    message: str = ""
    unless: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()

    def fits(self, refusal: Refusal, code: str | None, message: str | None) -> bool:
        """Return whether a refusal with the provider's code and message is of this kind."""
        said = (message or "").casefold()
        return (
            self.status in (None, refusal.status)
            and (not self.codes or code in self.codes)
            and self.message.casefold() in said
            and not any(text.casefold() in said for text in self.unless)
            and (not self.steps or refusal.step in self.steps)
        )


Failed = Callable[[Any], Verdict]
"""Function that judges the JSON of a successful response."""
Key = int | str | tuple[int, str]
"""Key of a row: a status, a provider's code, or both. Rows for both take precedence."""

_SERVER = Row(Unavailable, "The failure is on the provider's side: try again later.")
_MOVED = Row(Rejected, "Check the server's URL: it redirects to another one.")
_NOWHERE = (
    "It names no other place. Where this is an answer, such as that of an unfinished upload, let "
    "'expect' name the status."
)
_CREDENTIALS = Row(
    Unauthenticated, "Check the credentials of the connection, and that they are for this server."
)
_THROTTLE = Row(RateLimited, "Send fewer requests, or ask the provider for a higher limit.")
_QUOTA = Row(
    QuotaExceeded, "Wait until the quota is renewed, or ask the provider for a higher one."
)
ROWS: Mapping[Key, Row] = {
    301: _MOVED,
    # many servers answer an accepted form so
    **dict.fromkeys((300, 302, 303, 305), replace(_MOVED, sent=Sent.UNKNOWN)),
    # the answer to a condition that holds (RFC 9110 §15.4.5)
    304: Row(
        Conflict,
        "It is as the condition says: use the copy that you have, or leave the condition out.",
    ),
    307: _MOVED,
    308: _MOVED,
    401: _CREDENTIALS,
    402: Row(QuotaExceeded, "The account has to pay, or has used up what it paid for."),
    403: Row(
        Forbidden, "Give the account of the connection the permission that this action needs."
    ),
    404: Row(NotFound),
    407: Row(
        Unavailable,
        "Check 'proxy', with its user name and password.",
        Sent.NOTHING,
        repeatable=False,
    ),
    408: Row(
        Unavailable, "The server did not receive the whole request in time: check the network."
    ),
    409: Row(Conflict),
    410: Row(NotFound),
    412: Row(Conflict),
    421: Row(
        Rejected,
        "The machine that was reached does not serve this host, by a new connection either: look "
        "where its name leads, in DNS and behind "
        "a load balancer.",
    ),
    423: Row(Conflict),
    425: Row(Unavailable),
    429: _THROTTLE,
    # A proxy's caller has hung up (nginx), or Google has cancelled the request: neither says what
    # became of it.
    499: Row(
        Unavailable,
        "The request was cancelled on its way: look for what limits its time, such as a proxy.",
    ),
    **dict.fromkeys(
        ("userRateLimitExceeded", "rateLimitExceeded", "RATE_LIMIT_EXCEEDED"), _THROTTLE
    ),
    **dict.fromkeys(("dailyLimitExceeded", "quotaExceeded"), _QUOTA),
    501: Row(Rejected, "The server does not implement this request."),
    505: Row(Rejected, "The server does not support this version of HTTP."),
}
_OF_GRAPHQL: Mapping[str, Row] = {
    **dict.fromkeys(("THROTTLED", "RATE_LIMITED", "RATELIMITED", "TOO_MANY_REQUESTS"), _THROTTLE),
    **dict.fromkeys(("UNAUTHENTICATED", "AUTHENTICATION_ERROR"), _CREDENTIALS),
    "FORBIDDEN": Row(
        Forbidden, "Give the account of the connection the permission that this action needs."
    ),
}
"""Error codes that GraphQL servers share (Apollo, Shopify, Linear, GitHub)."""
_STATUSES = ("status_code", "statusCode", "status", "http/status")
_OF_ACCESS = frozenset({401, 403, 429})
"""Statuses that a GraphQL error may express in its own words. An error about part of the data says
nothing about the whole answer.
"""
_OF_SERVER: Mapping[str, int] = {
    **dict.fromkeys(("INTERNAL_SERVER_ERROR", "INTERNAL_ERROR"), 500),
    "BAD_GATEWAY": 502,
    "SERVICE_UNAVAILABLE": 503,
    **dict.fromkeys(("TIMEOUT", "GATEWAY_TIMEOUT"), 504),
}
"""Statuses of the codes by which GraphQL servers report their own failure."""
_FAILURES = frozenset(_OF_SERVER.values())
_MOST_TEXTS = 5
_THROTTLED = re.compile(
    r"secondary rate limit|abuse detection|rate limit exceeded|rate limit has been exceeded|too "
    r"many requests",
    re.IGNORECASE,
)
_SECONDARY = re.compile(r"secondary rate limit|abuse detection", re.IGNORECASE)
_CLEAR = re.compile(
    rb"plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server|speaking plain "
    rb"HTTP to an SSL-enabled"
)
"""Regular expression of the answers of nginx, Go's net/http and Apache to a plain HTTP request at a
TLS port.
"""
_OVER_TLS = Row(Rejected, "That port speaks TLS: write https:// in the server's URL.")
_SECONDARY_WAIT = 60.0
"""Minimum wait in seconds after a secondary limit of GitHub whose answer has no header field for
it.
"""
_ONLY_SAFE = frozenset({408, 425})
"""Statuses after which only safe requests may be repeated. Any other explicit refusal is final."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Unsuccessful response: status, header fields and body, also as JSON if the body is JSON.
    ``step`` names the request without its values.

    ``said`` is the provider's code and message, if they are known already; ``verdict`` is the
    reason, if the provider has no words for it. ``is_read`` is False if the body could not be read.
    ``is_item`` means that the body is one of several items of a response.
    """

    step: str
    status: int
    headers: Headers
    body: Any = None
    safe: bool = False
    content: bytes = b""
    said: tuple[Any, Any] = (None, None)
    verdict: str = ""
    is_read: bool = True
    is_item: bool = False

    @property
    def is_foreign(self) -> bool:
        """True if the body cannot come from an API: a page, plain text, or unreadable bytes."""
        if not self.content.strip():
            return not self.is_read
        seen = Response(self.status, content=self.content, body=self.body)
        return meaning_of(seen, NOT_OF_AN_API) is not None


@dataclass(frozen=True, slots=True)
class HttpErrors:
    """Error map of an HTTP API. Immutable; a connector extends it:
    ``HTTP_ERRORS.extended({"card_declined": Row(Rejected)})``.

    - ``rows``: by status, by the provider's code, or by both.
    - ``cases``: rows for some of the refusals of a status or a code; they take precedence.
    - ``code``, ``message``: JSON Pointers into an error's body. Without pointers, or without a
      message there, the usual members are searched. The first code found counts. The message joins
      all texts at its pointers: items of a list, and members of an object with their names.
    - ``message_header``: header field with the message, if the body has none.
    - ``failed_by``: names of header fields, each with the condition by which its value reports a
      failure beside a successful status.
    - ``request_id``: names of the header fields with the provider's request ID.
    - ``details``: True to add the further members of an error to a Result. False for an endpoint
      that answers with credentials.
    - ``proves_success``: a successful status proves that a write took effect although its body
      cannot be read. False for AWS.
    - ``done_before``: refusals which mean that the request was carried out before. If an earlier
      attempt of the call may have taken effect, such a refusal is a success with a warning.
    - ``read``: function that parses bodies other than JSON from bytes and content type; it raises
      ``ValueError``.
    """

    rows: Mapping[Key, Row] = field(default_factory=lambda: ROWS)
    code: str | tuple[str, ...] | None = None
    message: str | tuple[str, ...] | None = None
    message_header: str | None = None
    request_id: tuple[str, ...] = _REQUEST_IDS
    failed: Failed | None = None
    failed_by: tuple[tuple[str, Condition], ...] = ()
    details: bool = True
    proves_success: bool = True
    read: Callable[[bytes, str], Any] | None = None
    done_before: tuple[DoneBefore, ...] = ()
    cases: tuple[Case, ...] = ()

    def extended(self, rows: Mapping[Key, Row], **changes: Any) -> HttpErrors:
        """Return this map with more rows, which replace those with the same key, and other
        ``changes`` of its fields.
        """
        return replace(self, rows={**self.rows, **rows}, **changes)

    def explain(self, refusal: Refusal) -> JackfieldError:
        """Return the error for a refusal."""
        code, message = self._words(refusal)
        row = self._row(refusal, code, message)
        if row.hint == _MOVED.hint and refusal.headers.get("location") is None:
            row = replace(row, hint=_NOWHERE)
        more = _further(refusal, code, message) if self.details else None
        said = Provider(
            code, message, refusal.status, refusal.headers.first(*self.request_id), more
        )
        text = f"the provider refused '{refusal.step}' with status {refusal.status}"
        if row.kind is Unavailable:
            text = f"the provider failed to carry out '{refusal.step}' (status {refusal.status})"
        reason = message or code or refusal.verdict
        error = row.kind(
            f"{text}: {reason}" if reason else text,
            hint=row.hint,
            provider=said,
            sent=row.sent or self._sent(refusal, row),
            retry_after=_wait(refusal, row, message),
            repeatable=row.repeatable
            and (refusal.safe or refusal.status not in _ONLY_SAFE)
            and not _is_final(refusal.headers),
        )
        is_known = row.kind is not Unauthenticated  # to a stranger, some providers show nothing
        has_form = self._has_form(refusal)
        is_usual = (code or message) is not None and not refusal.is_foreign
        error.by_status = not (has_form or (is_usual and not (self.code or self.message)))
        error.done_before = is_known and any(
            one.fits(refusal, code, message)
            for one in self.done_before
            if has_form or one.codes or one.message
        )
        return error

    def _has_form(self, refusal: Refusal) -> bool:
        """Return whether the body of a refusal has a member that this map declares of errors."""
        places = (*_places(self.code), *_places(self.message))
        return any(find(refusal.body, place) not in (None, "", [], {}) for place in places)

    def _sent(self, refusal: Refusal, row: Row) -> Sent:
        """Return what the status says of the request. A row by a code says more: a rate limit
        refused it, whatever the status, and in a success so did anything else.
        """
        status = _status_of(refusal)
        if row is _SERVER or row is self.rows.get(status):
            return _sent(status)
        return Sent.REFUSED if row.kind is RateLimited else _sent(refusal.status)

    def _row(self, refusal: Refusal, code: str | None, message: str | None) -> Row:
        status, known = _status_of(refusal), self.rows
        case = next((one for one in self.cases if one.fits(refusal, status, code, message)), None)
        if case is not None:
            return case.row
        if status == 400 and _CLEAR.search(refusal.content[:_LONGEST]):
            return _OVER_TLS
        keys: tuple[Key, ...] = (status,) if code is None else ((status, code), code, status)
        found = next((known[key] for key in keys if key in known), None)
        if found is None and is_graphql_error(refusal.body):
            found = _OF_GRAPHQL.get(code or "")
        if found is None:
            return Row(Rejected) if status < 500 else _SERVER
        if found is known.get(403) and (
            refusal.headers.rate_limit_remaining == 0
            or "retry-after" in refusal.headers
            or _is_throttle(message)
        ):
            return known.get(429, ROWS[429])  # some providers throttle so
        return found

    def _words(self, refusal: Refusal) -> tuple[str | None, str | None]:
        """Return the provider's code and message; None for each that is missing."""
        body, (code, message) = _one(refusal.body), map(_text, refusal.said)
        found = (
            _first(refusal.body, _places(self.code))
            if self.code is not None
            else _google_reason(body) or _usual_code(body)
        )
        if found is None and self.code is None:
            found = find(refusal.body, "/errors/0/extensions/code")  # GraphQL
        texts = (
            text for place in _places(self.message) for text in _texts(find(refusal.body, place))
        )
        told = (
            _joined(texts) or _text(_usual(body, WORDS)) or _joined(_texts(_fields(refusal.body)))
        )
        if refusal.is_item:  # the members of an item are those of a thing, and not of an error
            told = None if code else _text(_usual(body, WORDS))
        if told is None and self.message_header is not None:
            told = _text(refusal.headers.get(self.message_header))
        return code or _text(found), message or told


HTTP_ERRORS = HttpErrors()
"""Error map of the HTTP statuses, with the usual places of codes and messages."""


_UNCLEAR = frozenset({*range(300, 400), 499} - {301, 307, 308})
"""Statuses after which the request may have been carried out: a cancelled request, and redirects
that do not ask the client to send the same request elsewhere (RFC 9110 §15.4).
"""


def _sent(status: int) -> Sent:
    return Sent.UNKNOWN if status in _UNCLEAR or (status >= 500 and status != 501) else Sent.REFUSED


def _places(given: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given or ()


def _first(body: Any, places: tuple[str, ...]) -> Any:
    return next((found for place in places if (found := find(body, place)) is not None), None)


def _joined(texts: Iterator[str]) -> str | None:
    return _text("; ".join(dict.fromkeys(islice(texts, _MOST_TEXTS))))


def _fields(body: Any) -> Any:
    """Return the member ``errors`` of a body that is an object by the names of fields, or the body
    if it has nothing but lists of texts by their names (Django REST framework, Rails); None for
    other bodies.
    """
    errors = _member(body, "errors")
    if isinstance(errors, Mapping):
        return errors
    is_named = isinstance(body, Mapping) and all(
        isinstance(one, list) and all(isinstance(text, str) for text in one)
        for one in body.values()
    )
    return body if is_named else None


def _is_final(headers: Headers) -> bool:
    """Return whether the provider asks by ``x-should-retry`` not to repeat (the clients of
    Anthropic and OpenAI obey it).
    """
    return str(headers.get("x-should-retry", "")).lower() == "false"


def _is_throttle(message: str | None) -> bool:
    """Return whether the message of a refusal names a rate limit."""
    return message is not None and _THROTTLED.search(message[:_LONGEST]) is not None


def _wait(refusal: Refusal, row: Row, message: str | None) -> float | None:
    """Return the seconds to wait before a retry, 60 for a secondary limit that names no time; None
    if no time is known.
    """
    headers = refusal.headers
    value = (
        headers.get(row.wait_in)
        if row.wait_in is not None
        else None
        if row.wait_at is None
        else find(refusal.body, row.wait_at)
    )
    said = rate_limits.told(value, headers.get("date"))
    if row.kind is not RateLimited:
        stated = headers.retry_after if said is None else said
        return row.wait if stated is None else stated
    found = headers.retry_after_throttle if said is None else said
    found = rate_limits.told_in(refusal.body, headers.get("date")) if found is None else found
    found = rate_limits.told_by(message or "", headers.get("date")) if found is None else found
    found = row.wait if found is None else found
    return (
        _SECONDARY_WAIT
        if found is None and message is not None and _SECONDARY.search(message[:_LONGEST])
        else found
    )


def is_graphql_error(body: Any) -> bool:
    """Return whether a body has errors in GraphQL's form: objects with a message, and non-standard
    members in ``extensions``.
    """
    return isinstance(find(body, "/errors/0/message"), str) and isinstance(
        find(body, "/errors/0/extensions"), Mapping
    )


def _status_of(refusal: Refusal) -> int:
    """Return the status of a refusal; for a success with GraphQL errors, the access that the first
    error denies or the server's failure that any of them reports.
    """
    if refusal.status >= 300 or not is_graphql_error(refusal.body):
        return refusal.status
    told = [_statuses_of(error) for error in refusal.body["errors"][:_MOST_TEXTS]]
    access, failures = told[0] & _OF_ACCESS, set[int]().union(*told) & _FAILURES
    return min(access or failures, default=refusal.status)


def _statuses_of(error: Any) -> set[int]:
    """Return the statuses that a GraphQL error names in its extensions, or else that of its
    code.
    """
    said = (find(error, f"/extensions/{place}") for place in _STATUSES)
    named = {one for one in said if type(one) is int and one >= 400}
    code = find(error, "/extensions/code")
    return named or ({_OF_SERVER[code]} if isinstance(code, str) and code in _OF_SERVER else set())


def _texts(value: Any, name: str = "") -> Iterator[str]:
    """Yield the texts of a member: for a list, the texts of its items; for an object, its message
    with the field that it names, or else all its texts with their names.
    """
    if isinstance(value, Mapping):
        words, of = _worded([value]), value.get("field")
        rows = [(of if isinstance(of, str) else "", words)] if words is not None else value.items()
    elif isinstance(value, list):
        rows = [(name, one) for one in value]
    else:
        text = _text(value)
        if text is not None:
            yield f"{name}: {text}" if name else text
        return
    for key, one in rows:
        yield from _texts(one, str(key))


def _google_reason(body: Any) -> str | None:
    """Return the reason of an error of Google, whose code only repeats the status: the reason of
    the first error or of the details, or the status. Return None for other errors.
    """
    error = _member(body, "error")
    if not isinstance(error, Mapping) or not isinstance(error.get("code"), int):
        return None
    listed, details = error.get("errors"), error.get("details")
    rows = [
        *(listed if isinstance(listed, list) else ()),
        *(details if isinstance(details, list) else ()),
    ]
    found = (
        row["reason"]
        for row in rows
        if isinstance(row, Mapping) and isinstance(row.get("reason"), str)
    )
    return next(found, error["status"] if isinstance(error.get("status"), str) else None)


def _usual_code(body: Any) -> Any:
    return None if isinstance(body, str) else _usual(body, _CODES)


def _usual(body: Any, names: tuple[str, ...]) -> Any:
    """Search the usual members at the top, in ``error``, ``errors`` and ``fault``, and in the first
    item of each.

    A message may be a list, whose first item counts, or an object around the text.
    """
    fault = _one(_member(body, "fault"))
    places = [
        _one(_member(body, "error")),
        _one(_member(body, "errors")),
        _one(_member(fault, "error")),
        fault,
        body,
    ]
    for place in places:
        members = _plain(place)
        for name in names:
            value = members.get(name) if names is _CODES else _worded(members.get(name))
            if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                return value
    return next((place for place in places if isinstance(place, str)), None)


def _plain(place: Any) -> Mapping[str, Any]:
    """Return the members of an object by their names without namespace."""
    return (
        {plain_name(name): value for name, value in reversed([*place.items()])}
        if isinstance(place, Mapping)
        else {}
    )


def _worded(value: Any) -> Any:
    """Return a member's message: of a list its first item's, of an object the message in its own
    member (OData, FastAPI).
    """
    first = _one(value)
    if not isinstance(first, Mapping):
        return first
    return next(
        (
            text
            for name in (*WORDS, "value")
            if isinstance(text := _plain(first).get(name), str) and text
        ),
        None,
    )


def _member(body: Any, name: str) -> Any:
    """Return a member by its name, also with a capital first letter, as in .NET and XML."""
    if not isinstance(body, Mapping):
        return None
    return body[name] if name in body else body.get(name[:1].upper() + name[1:])


def _one(body: Any) -> Any:
    """Return the first item of a list, as in Salesforce's errors; other values unchanged."""
    return next(iter(body), None) if isinstance(body, list) else body


def _further(refusal: Refusal, *told: str | None) -> Mapping[str, Any] | None:
    """Return the members of an error other than its code and message (``told``), such as the field
    at fault. Return None if the body is not an object.
    """
    body = _one(refusal.body)
    if not isinstance(body, Mapping):
        return None
    error = next((body[name] for name in _PLACES if isinstance(body.get(name), Mapping)), body)
    # of a success that says by a boolean that it is none
    verdict = bool if refusal.status < 300 else ()
    known = {word for word in told if word is not None}
    return {
        name: value
        for name, value in error.items()
        if value is not None and not isinstance(value, verdict) and _text(value) not in known
    }


def _text(value: Any) -> str | None:
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    text = "".join(one if one.isprintable() else " " for one in str(value))
    return text.strip()[:_LONGEST] or None
