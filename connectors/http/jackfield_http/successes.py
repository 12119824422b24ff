"""Successes of changes: an answer with a status of success is one only if it shows so.

A gateway, a cache or a captive portal may answer in place of the provider, with any status. A body
of the provider has what the action declares; the signs are those of
``jackfield.connector.success_signs``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connector import Provider, Sent, Unavailable, current_call
from jackfield.connector.meanings import (
    DONE,
    EMPTY,
    MISSING,
    ONLY_ERRORS,
    PAGES,
    Response,
    Sign,
    meaning_of,
)
from jackfield.connector.meanings import status as by_status
from jackfield.connector.success_signs import success_signs
from jackfield_http.answers import (
    NO_CONTENT,
    NOT_THE_API,
    Answer,
    StreamedAnswer,
    media_type,
)
from jackfield_http.list_ends import refusal_of
from jackfield_http.parsing import is_json

if TYPE_CHECKING:
    from jackfield_http.errors import HttpErrors
    from jackfield_http.exchange import Exchange

_ASKED = "html"
"""Part of the field ``Accept`` of a request that asks for a page."""
_BEFORE = b"\xef\xbb\xbf \t\r\n"
"""Bytes that may stand before a page or JSON."""
_TEXTUAL = ("html", "json", "xml", "text/plain")
"""Parts of the media types under which proxies send pages."""
_PAGE_SIZE = 2000
"""Number of bytes in which a page is searched."""
_LONGEST = 65_536
"""Maximum number of bytes of a body that is nothing but an error, or is read beside its action."""

Json = Mapping[str, Any]


def refuse_others(exchange: Exchange, answer: Answer, errors: HttpErrors) -> None:
    """Refuse the success of a change that an API has not sent as such. It is a page that nobody
    asked for, or nothing but an error that no rule has judged.

    :raises Unavailable: if something else may have answered.
    """
    if not 200 <= answer.status < 300 or not answer.is_decoded:
        return
    if not _asks_for_page(exchange) and answer.content.lstrip(_BEFORE)[:1] == b"<":
        refuse_page(answer)
    if exchange.failed is None and errors.failed is None:
        refuse_error(answer, errors)


def refuse_streamed_page(exchange: Exchange, answer: StreamedAnswer) -> None:
    """Refuse a page of HTML as the success of a change whose body is read in chunks.

    :raises Unavailable: if the body is such a page.
    """
    kind = media_type(answer.headers)
    is_suspect = not kind or any(part in kind for part in _TEXTUAL)
    if 200 <= answer.status < 300 and is_suspect and not _asks_for_page(exchange):
        content = answer.beginning(_PAGE_SIZE)
        refuse_page(Answer(answer.status, answer.headers, content, answer.url, exchange.step))


def _asks_for_page(exchange: Exchange) -> bool:
    """Return whether a request asks for a page of HTML."""
    return any(
        name.lower() == "accept" and _ASKED in value.lower()
        for name, value in exchange.headers.items()
    )


def refuse_page(answer: Answer) -> None:
    """Refuse a page of HTML: a proxy, a firewall or a sign-in page answers so in place of the
    provider.

    :raises Unavailable: if the body is such a page.
    """
    found = meaning_of(Response(answer.status, content=answer.content), PAGES)
    if found is not None:
        raise _unsigned(answer, found)


def refuse_error(answer: Answer, errors: HttpErrors) -> None:
    """Refuse a success whose body is nothing but an error. Whether a change was made, such an
    answer does not say.

    :raises Unavailable: if the body has an error, and beside it only what describes errors.
    """
    content, media = answer.content, answer.media_type
    if len(content) > _LONGEST or (media and not is_json(media)):
        return
    if content.lstrip(_BEFORE)[:1] != b"{":
        return
    try:
        body = answer.json()
    except Unavailable:
        return
    found = meaning_of(Response(answer.status, content=content, body=body), ONLY_ERRORS)
    if found is not None:
        refused = _unsigned(answer, found, errors)
        refused.hint = "Its message says what went wrong."
        refused.repeatable = False
        raise refused


class Successes:
    """Signs of the success of one bound action, made when it first answers."""

    def __init__(self, row: Json) -> None:
        self._row = row
        self._read: str = row["http"]["response"]["read"]
        self._types: Mapping[str, Any] | None = row["http"]["response"].get("types")
        self._made: tuple[Sign, ...] = ()

    def check(self, answer: Answer, output: Json, errors: HttpErrors) -> None:
        """Check that an answer shows its success. An answer without content is accepted, with a
        warning if the action declares content.

        :raises Unavailable: if it does not: the change may have been made or not.
        """
        content = answer.content if answer.is_decoded else b""
        body: Any = output
        if self._read == "none":
            body = _parsed(content, MISSING)
        elif self._read == "text" and is_json(answer.media_type):
            body = _parsed(content, output)
        found = self._found(answer, content, body)
        if found.meaning not in (DONE, EMPTY):
            raise _unsigned(answer, found, errors)
        # of the others, 'refuse_empty' has told
        if found.meaning == EMPTY and (content or answer.status in NO_CONTENT):
            self._warn(answer)

    def check_unread(self, answer: Answer, content: bytes | None, errors: HttpErrors) -> None:
        """Check a JSON body whose charset is another than the one it names, as far as it can be
        read.

        :raises Unavailable: if it is an object without a sign.
        """
        body = _parsed((content or b"").decode("latin-1").encode(), MISSING)
        if isinstance(body, dict):
            found = self._found(answer, content or b"", body)
            if found.meaning != DONE:
                raise _unsigned(answer, found, errors)

    def _found(self, answer: Answer, content: bytes, body: Any) -> Sign:
        signs = self._signs()
        return meaning_of(Response(answer.status, (), content, body), signs) or signs[-1]

    def _signs(self) -> tuple[Sign, ...]:
        if not self._made:  # two threads that make them at once make the same
            row = self._row
            self._made = success_signs(
                row.get("sign"), row.get("output", {}), by_status(self._is_declared)
            )
        return self._made

    def _is_declared(self, status: int | None) -> bool:
        """Return whether the binding declares a status, or declares none; 204 needs no
        declaration.
        """
        types = self._types
        return types is None or status == 204 or not types.keys().isdisjoint(keys_of(status or 0))

    def _warn(self, answer: Answer) -> None:
        """Warn that an answer has no content, unless the binding declares none for its status."""
        keys = keys_of(answer.status)
        types = self._types or {}
        is_none = next((not types[key] for key in keys if key in types), False)
        call = current_call()
        if not is_none and call is not None:
            call.warn(f"the response to '{answer.step}' has no content: only its status is known")


def keys_of(status: int) -> tuple[str, str, str]:
    """Return the keys under which a binding may declare a status, the most exact first."""
    return str(status), f"{status // 100}XX", "default"


def _parsed(content: bytes, otherwise: Any) -> Any:
    """Return a body as JSON; another value if it is none, or too long to be looked at."""
    try:
        return json.loads(content) if len(content) <= _LONGEST else otherwise
    except (ValueError, RecursionError):
        return otherwise


def _unsigned(answer: Answer, sign: Sign, errors: HttpErrors | None = None) -> Unavailable:
    said = Provider(http_status=answer.status)
    if errors is not None:
        said = refusal_of(answer, errors).provider or said
    words = "" if said.message is None else f": {said.message}"
    text = (
        f"the response to '{answer.step}' does not show a success, although its status is "
        f"{answer.status}: {sign.says}{words}"
    )
    return Unavailable(text, hint=NOT_THE_API, provider=said, sent=Sent.UNKNOWN)
