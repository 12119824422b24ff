"""Meaning of a server's answers: refusals, doubts, and failures that are retried."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from jackfield.connector import (
    Detail,
    Forbidden,
    JackfieldError,
    NotFound,
    Provider,
    RateLimited,
    Rejected,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
)
from jackfield.kernel.dataclass import dataclass
from jackfield_http.errors import ROWS, HttpErrors, Refusal, Row
from jackfield_http.rate_limits import told_in
from jackfield_http.urls import UrlError, parse_url
from jackfield_mcp.bodies import is_stream, refusal_body, shows_work_in
from jackfield_mcp.messages import Message, Session, messages_in, present
from jackfield_mcp.naming import READ
from jackfield_mcp.texts import one_line, plain

_INTERNAL = -32603
_MISMATCH = -32020
_VERSION = -32022
_LACKS = -32021
_ASKS_BY_URL = -32042
_NO_RESOURCE = -32002
_REFUSED = frozenset({-32700, -32600, -32601, -32602, _LACKS, *range(400, 500)} - {408, 425, 499})
"""Error codes, including HTTP statuses, which prove that nothing was done; after any other code the
effect is unknown.
"""
_OF_ACCESS: Mapping[int | str | None, type[JackfieldError]] = {
    401: Unauthenticated,
    403: Forbidden,
    429: RateLimited,
}
"""Errors of HTTP statuses that servers write as JSON-RPC codes."""
_WITH_DATA = frozenset({_MISMATCH, _VERSION, _ASKS_BY_URL})
"""Codes whose data are read separately."""
_INVALID = "-32602"
_MOST_WORDS = 1_000
_OK = 200
_GONE = frozenset({400, 404, 410})
_RESENT = frozenset({404, 410})
"""Statuses of an ended session, whatever the words; 404 is the specification's."""
_SUSPECT = frozenset({"-32000", "-32001", "-32600"})
"""Codes with which servers refuse an unknown session; the codes have other meanings, too."""
_OF_MESSAGE = frozenset(
    {"-32700", "-32601", "-32602", "-32603", "-32002", "-32020", "-32021", "-32022", "-32042"}
)
"""Codes that concern a message, not its session."""
_UNREADABLE = "Invalid request parameters"
"""Whole message in which the Python SDK refuses a request before its session has begun, which an
arguments' fault does not get.
"""
_NO_ID = (None, "", "server-error")
"""IDs of errors that answer no particular request; the last one is the Python SDK's."""
_NO_SESSION = re.compile(
    r"(?:[\w -]{1,40}: )?(?:the |this |your )?(?:"
    r"(?:no|unknown|invalid|missing|expired|stale)(?: (?:or "
    r")?(?:valid|invalid|unknown|missing|expired|active))*[ -](?:mcp[ -])?session\b"
    r"|(?:mcp[ -])?session(?: with)?(?:[ -]id)?(?: header)?(?: [^ ]{1,200})? (?:is |was |has )?"
    r"(?:not (?:found|known|valid|initialized)|unknown|invalid|required|missing|does not "
    r"exist|expired)"
    r"|(?:server|client) (?:is |was )?not (?:yet )?initialized|received request before "
    r"initialization)",
    re.IGNORECASE,
)
"""Regular expression of the beginnings of messages in which servers reject an unknown session."""
_OVER = re.compile(
    r"(?:[\w -]{1,40}: )?(?:the |this |your )?(?:mcp[ -])?session(?: [^ ]{1,200})? "
    r"(?:is |was |has |has been )?(?:terminated|closed|ended)\b",
    re.IGNORECASE,
)
"""Regular expression of the beginnings of messages by which servers report an ended session.

The message may mean another session, such as a browser's: only the status or the code proves that
nothing was done.
"""
_TOKEN = re.compile(r"\b_meta\b|progress_?token", re.IGNORECASE)
_NO_TOOL = re.compile(
    r"(?:[\w -]{1,40}: )?"
    r"(unknown tool\b|no such tool\b|(?:the )?tool (?:[^ ]{1,200} )?(?:is |was |does )?(?:not "
    r"(?:found|known|exist)|unknown)\b)",
    re.IGNORECASE,
)
"""Regular expression of the beginnings of messages in which servers do not know the called tool."""
_IS_NARROW = re.compile(r'\berror="?insufficient_scope\b', re.IGNORECASE)
"""Regular expression of the error of a challenge for more scopes, which a new token of the same
sign-in does not mend.
"""
_SCOPES = re.compile(r'scope="([^"\\]{1,1000})"')
_AGAIN = "Connect it again: a person has to approve the further scopes."

_LOOK = "The server did not say whether it had done it: look there."
_ANSWERED = "install a package that answers (entry points 'jackfield.answers')."
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_CLEAR = (Unauthenticated, Forbidden, NotFound)
"""Errors whose meaning does not depend on their code."""

Json = Mapping[str, Any]


class SessionEnded(Rejected):
    """Refusal by a server that may no longer know the session: nothing was done.

    ``refusal`` is the error for the caller where the request is not sent again: without
    ``is_resent``, or if a new session is refused, too.
    """

    refusal: JackfieldError
    is_resent: bool


class SessionDoubted(Unavailable):
    """Failure at a server that may no longer know the session; it is unknown whether the server has
    done anything.
    """


class VersionRefused(Rejected):
    """Refusal by a server that does not support the request's revision: nothing was done.
    ``supported`` has the revisions that it names.
    """

    supported: tuple[str, ...] = ()


class HeaderMismatch(Rejected):
    """Refusal of header fields that contradict the message in the server's view of the tool:
    nothing was done.
    """


class ScopesMissing(Forbidden):
    """Refusal of a call that the sign-in does not cover: nothing was done. ``scopes`` are the
    scopes that the server requires.
    """

    scopes: tuple[str, ...] = ()


class InputRequired(Forbidden):
    """Refusal by a server that asks a person first. ``requests`` has its questions by name; the
    answer must return ``state``.

    ``had_begun`` means that the server had begun the call before it asked: a call without an answer
    is then in doubt.
    """

    requests: Mapping[str, Json] = {}
    state: str | None = None
    had_begun: bool = False


@dataclass(frozen=True, slots=True)
class McpErrors(HttpErrors):
    """Meaning of HTTP statuses and the JSON-RPC errors that come with them."""

    def explain(self, refusal: Refusal) -> JackfieldError:
        """Return the error for an unsuccessful response. A refusal leaves a doubt if the response
        proves that the request had begun.
        """
        error = self._explained(refusal)
        return doubted(error) if error.sent is Sent.REFUSED and _had_begun(refusal) else error

    def _explained(self, refusal: Refusal) -> JackfieldError:
        body, status = refusal.body if isinstance(refusal.body, Mapping) else {}, refusal.status
        error = body.get("error")
        if error is None and body.get("jsonrpc") == "2.0" and body.get("result") is not None:
            unclear = garbled(f"has a result, and the status {status} of a failure")
            unclear.provider = Provider(http_status=status)
            return unclear
        if isinstance(error, Mapping) and isinstance(_code_of(error), int) and status in (400, 404):
            return explained(error, status)
        found = HttpErrors.explain(self, refusal)
        found.provider = _shortened(found.provider, refusal)
        is_forbidden = status == 403 or (
            status == 401
            and _IS_NARROW.search(refusal.headers.get("www-authenticate", "")) is not None
        )
        return _forbidden(found, refusal) if is_forbidden else found


MCP_ERRORS = McpErrors(
    rows={
        **ROWS,
        **dict.fromkeys((404, 405, 406, 410), Row(Rejected, "Check the server's URL.")),
        **dict.fromkeys((409, 412, 423), Row(Rejected)),
    },
    details=False,
    read=refusal_body,
)


def _had_begun(refusal: Refusal) -> bool:
    content_type = refusal.headers.get("content-type", "")
    if not refusal.is_read:  # a stream may have had messages
        return is_stream(b"", content_type)
    try:
        return shows_work_in(refusal.content, content_type)
    except ValueError:
        return True


def _shortened(said: Provider | None, refusal: Refusal) -> Provider:
    """Return the server's own error without hidden characters. A body that is not JSON counts only
    if it reports a lost session.
    """
    found = said or Provider()
    words = plain(found.message, 1000) or one_line(
        refusal.content[:1000].decode("utf-8", "replace"), 200
    )
    told = words if found.message or _NO_SESSION.match(words) else None
    return Provider(
        one_line(found.code, 100) or None, told or None, refusal.status, found.request_id
    )


def _forbidden(found: JackfieldError, refusal: Refusal) -> JackfieldError:
    challenge = refusal.headers.get("www-authenticate", "")
    if "insufficient_scope" not in challenge:
        return found
    scopes = _SCOPES.search(challenge)
    wanted = one_line(scopes[1], 1000) if scopes else ""
    details = [Detail("/scopes", f"the server asks for: {wanted}")] if wanted else []
    missing = ScopesMissing(
        "the sign-in does not cover this call",
        details=details,
        hint=_AGAIN,
        provider=found.provider,
        sent=Sent.REFUSED,
    )
    missing.scopes = tuple(wanted.split())
    return missing


def explained(error: Json, status: int = 200, *, method: str = "") -> JackfieldError:
    """Return the error for a JSON-RPC error that answers a request for ``method``."""
    code, words = _code_of(error), _words_of(error)
    said = Provider(None if code is None else one_line(str(code), 100), words or None, status)
    text = f"the server refused the call: {words or code}"
    if code == _MISMATCH:
        return HeaderMismatch(text, provider=said, sent=Sent.REFUSED)
    if code == _VERSION:
        refused = VersionRefused(text, provider=said, sent=Sent.REFUSED)
        refused.supported = _supported(error.get("data"))
        return refused
    if code == _ASKS_BY_URL:
        return asks_person(error.get("data"), status=status)
    kind = NotFound if code == _NO_RESOURCE and method == READ else _OF_ACCESS.get(code)
    if kind is not None:
        return kind(
            text, provider=said, sent=Sent.REFUSED, retry_after=told_in(error.get("data"), None)
        )
    if code in _REFUSED or (status != 200 and code != _INTERNAL):
        return Rejected(
            text,
            hint=_lacking(error.get("data")) if code == _LACKS else None,
            provider=said,
            sent=Sent.REFUSED,
        )
    why = words or ("it does not say why" if code is None else code)
    return Unavailable(f"the server failed: {why}", hint=_LOOK, provider=said, sent=Sent.UNKNOWN)


def _words_of(error: Json) -> str:
    """Return the message of an error, followed by the error's data."""
    message, data = error.get("message"), error.get("data")
    words = plain(
        json.dumps(message, ensure_ascii=False) if isinstance(message, Mapping | list) else message,
        _MOST_WORDS,
    )
    if not data or _code_of(error) in _WITH_DATA:
        return words
    more = plain(
        data if isinstance(data, str) else json.dumps(data, ensure_ascii=False), _MOST_WORDS
    )
    return words if more in words else plain(f"{words}: {more}" if words else more, _MOST_WORDS)


def _code_of(error: Json) -> int | str | None:
    """Return the code of an error, as an integer where possible: some servers write a string or a
    fraction of zero.
    """
    code = error.get("code")
    if isinstance(code, float) and code.is_integer():
        return int(code)
    if isinstance(code, str):
        return int(code) if _NUMBER.fullmatch(code) else code
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _lacking(data: object) -> str | None:
    """Return advice about the capabilities that a server requires of its clients; None if it names
    none.
    """
    wanted = data.get("requiredCapabilities") if isinstance(data, Mapping) else None
    names = [one_line(name, 40) for name in wanted][:5] if isinstance(wanted, Mapping) else []
    if names == ["elicitation"]:
        return f"It asks a person first: {_ANSWERED}"
    return (
        f"Use the server's own client: it has {', '.join(names)}, which the server wants."
        if names
        else None
    )


class Garbled(Unavailable):
    """Error for an answer that was read and is malformed, so that a resumed stream cannot mend
    it.
    """


def garbled(reason: str) -> Garbled:
    """Return the error for a malformed answer, after which the effect is unknown."""
    return Garbled(
        f"the server's answer {reason}",
        hint="Report it to whoever runs the server.",
        sent=Sent.UNKNOWN,
    )


def asks_person(data: object, text: str = "", *, status: int | None = None) -> InputRequired:
    """Return the error for a server that requires an action of a person first; nothing was done.

    ``status`` is the HTTP status if the server requires it by an error.
    """
    host, words = _host_in(data), _question_in(data)
    hint = (
        f"Open the server's own page ('{host}') and finish there what it asks for."
        if host
        else f"Use the tool in the server's own client once, or {_ANSWERED}"
    )
    said = Provider("input_required", words or None, status) if words or status else None
    text = (
        text
        or "the server asks a person for something before it does this, and nobody here answers"
    )
    found = InputRequired(text, hint=hint, provider=said, sent=Sent.REFUSED)
    asked = present(data) if isinstance(data, Mapping) else {}
    if isinstance(asked.get("inputRequests", {}), Mapping):
        found.requests = {
            str(name): row
            for name, row in asked.get("inputRequests", {}).items()
            if isinstance(row, Mapping)
        }
        found.state = (
            asked.get("requestState") if isinstance(asked.get("requestState"), str) else None
        )
    return found


def _supported(data: object) -> tuple[str, ...]:
    listed = data.get("supported") if isinstance(data, Mapping) else None
    return (
        tuple(one for one in listed if isinstance(one, str))[:100]
        if isinstance(listed, list)
        else ()
    )


def _asked_in(data: object) -> list[Json]:
    """Return the parameters of a server's questions."""
    if not isinstance(data, Mapping):
        return []
    listed = data.get("inputRequests") or data.get("elicitations") or ()
    rows = (
        listed.values()
        if isinstance(listed, Mapping)
        else listed
        if isinstance(listed, list)
        else ()
    )
    found = [row.get("params", row) for row in rows if isinstance(row, Mapping)]
    return [params for params in found if isinstance(params, Mapping)]


def _question_in(data: object) -> str:
    """Return the first question of a server, in its own words; an empty string without one."""
    return next(
        (words for params in _asked_in(data) if (words := plain(params.get("message"), 1000))), ""
    )


def _host_in(data: object) -> str:
    """Return the host of the first URL in a server's questions; an empty string without one."""
    for params in _asked_in(data):
        with suppress(UrlError):
            if isinstance(params.get("url"), str):
                return parse_url(params["url"]).host
    return ""


def result_of(found: object, message: Message) -> Json:
    """Return the result in a message's answer, alone or in a batch, without its null members.

    :raises JackfieldError: if the answer is an error, is malformed, or belongs to another message.
    """
    rows = messages_in(found)
    one = next(filter(message.is_answered_by, rows), rows[0] if len(rows) == 1 else {})
    if one.get("jsonrpc") != "2.0" and not message.is_answered_by(one):
        raise garbled("is no message of JSON-RPC")
    if ("result" in one) == ("error" in one):
        raise garbled("has both a result and an error, or neither")
    error = one.get("error")
    if isinstance(error, str):  # in words alone, which say nothing of what was done
        error = {"message": error}
    is_ours = message.has_id(one.get("id"))
    if isinstance(error, Mapping) and (is_ours or one.get("id") in _NO_ID):
        raise explained(error, method=message.method)
    if not is_ours:
        raise garbled("belongs to another request")
    # PHP writes an empty list for an empty object
    result = {} if one.get("result") == [] else one.get("result")
    if not isinstance(result, Mapping):
        raise garbled("has no result that can be read")
    return present(result)


def refuses_token(error: JackfieldError) -> bool:
    """Return whether a server with strict schemas refuses the progress token: the call is then sent
    without the token.
    """
    said = error.provider
    return (
        said is not None and said.code == _INVALID and _TOKEN.search(said.message or "") is not None
    )


def misses_tool(error: JackfieldError, name: str) -> bool:
    """Return whether the server's words say that it does not know the tool ``name``."""
    found = _NO_TOOL.match((error.provider.message if error.provider is not None else None) or "")
    return found is not None and name in found.string[found.start(1) :]


def doubted(error: JackfieldError) -> JackfieldError:
    """Return the error of a request that the server had begun: a refusal by status or code leaves a
    doubt.

    Errors that a tool reports and questions as results have no status. They stay as they are; a
    question notes that the call had begun.
    """
    said = error.provider
    if isinstance(error, InputRequired):
        error.had_begun = True
    return (
        error
        if error.sent is not Sent.REFUSED or said is None or said.http_status is None
        else in_doubt(error)
    )


def doubted_later(error: JackfieldError) -> JackfieldError:
    """Return the error of a request whose call the server had begun in an earlier round.

    It is as ``doubted`` does, and a request that was not sent leaves a doubt, too.
    """
    return doubted(error) if error.sent is Sent.REFUSED else in_doubt(error)


def in_doubt(error: JackfieldError) -> Unavailable:
    """Return an error that leaves a doubt, for the same reason as another one."""
    return Unavailable(error.message, hint=_LOOK, provider=error.provider, sent=Sent.UNKNOWN)


@contextmanager
def doubting(*, had_begun: bool) -> Iterator[None]:
    """Raise the errors of the block as doubts if the server had begun the call."""
    try:
        yield
    except JackfieldError as error:
        if not had_begun:
            raise
        raise in_doubt(error) from error.__cause__


def judged(error: JackfieldError, session: Session | None, *, safe: bool) -> JackfieldError:
    """Return the error of a request, or a session error if the server may no longer know its
    session.

    Only the server's words distinguish such an error from a refusal with the same code. Words alone
    do not prove that a request which is not ``safe`` may be sent again.
    """
    said = error.provider
    if (
        session is None
        or session.is_modern
        or said is None
        or said.http_status is None
        or isinstance(error, RateLimited)
    ):
        return error
    names_it = _NO_SESSION.match(said.message or "") is not None
    is_named = names_it or _OVER.match(said.message or "") is not None
    if not is_named and (session.id is None or isinstance(error, _CLEAR) or not _is_suspect(said)):
        return error
    is_answer = said.http_status == _OK and not isinstance(error, Garbled)
    if error.sent is Sent.REFUSED or (
        safe and names_it and is_answer and said.code in _SUSPECT | {str(_NO_RESOURCE)}
    ):
        ended = SessionEnded(error.message, hint=error.hint, provider=said, sent=Sent.REFUSED)
        ended.refusal = error
        ended.is_resent = safe or (
            session.id is not None
            and (said.http_status in _RESENT or (names_it and said.http_status != _OK))
        )
        return ended
    return SessionDoubted(
        error.message,
        hint=error.hint,
        provider=said,
        sent=error.sent,
        retry_after=error.retry_after,
    )


def is_unanswered(error: JackfieldError) -> bool:
    """Return whether a request was sent, and the server itself did not answer: by a lost
    connection, a deadline, a status of a failure.
    """
    said = error.provider
    is_lost = isinstance(error, Unavailable | TimedOut) and error.sent not in (
        Sent.NOTHING,
        Sent.REFUSED,
    )
    return is_lost and (said is None or said.http_status != _OK)


def _is_suspect(said: Provider) -> bool:
    if said.code == _INVALID:
        return said.message == _UNREADABLE
    return said.code in _SUSPECT or (said.http_status in _GONE and said.code not in _OF_MESSAGE)
