"""Meanings of a provider's answers: ordered lists of signs, and the one function that reads them.

A sign has a condition, and says what an answer that meets it means. The engine reads lists of its
own here, to judge the reads by which a doubt is settled; connectors bring signs of their providers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jackfield.kernel.dataclass import dataclass

MISSING: Any = object()
"""Body of an answer that is not JSON, or was not read."""

CACHED, FOREIGN, ODD, REFUSED = "cached", "foreign", "odd", "refused"
DONE, EMPTY, UNSIGNED = "done", "empty", "unsigned"
MEANINGS = {
    CACHED: "A cache has answered: the answer may be of another time.",
    FOREIGN: "Something other than the provider's API has answered, such as a proxy.",
    ODD: "It is no plain success.",
    REFUSED: "The provider reports a failure, whatever the status.",
    DONE: "It shows what the action declares of its success.",
    EMPTY: "It has no content, and its status is all that it says.",
    UNSIGNED: "It shows nothing that the action declares: something else may have answered.",
}


@dataclass(frozen=True, slots=True)
class Response:
    """Answer of a provider as far as it was read.

    ``status`` is None if no answer came. ``fields`` are header fields with lower-case names.
    ``content`` is the decoded body, at least its beginning; ``body`` is its JSON or what was parsed
    of it, ``MISSING`` if nothing was.
    """

    status: int | None
    fields: Sequence[tuple[str, str]] = ()
    content: bytes = b""
    body: Any = MISSING

    def field(self, name: str) -> str | None:
        """Return the values of a header field; None if the field is missing."""
        found = [value for key, value in self.fields if key == name]
        return ", ".join(found) if found else None


When = Callable[[Response], bool]
"""Condition on an answer."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Sign of a list of meanings: an answer that meets ``when`` means ``meaning``. ``says`` is the
    reason in words.
    """

    when: When
    meaning: str
    says: str


def meaning_of(response: Response, signs: Iterable[Sign]) -> Sign | None:
    """Return the first sign whose condition an answer meets; None if it meets none."""
    return next((sign for sign in signs if sign.when(response)), None)


# Conditions


def status(test: Callable[[int | None], bool]) -> When:
    """Return the condition that the status passes a test."""
    return lambda response: test(response.status)


def field(name: str, test: Callable[[str], bool]) -> When:
    """Return the condition that a header field is there and passes a test."""

    def holds(response: Response) -> bool:
        value = response.field(name)
        return value is not None and test(value)

    return holds


def any_field(named: Callable[[str], bool], test: Callable[[str], bool]) -> When:
    """Return the condition that one of the header fields with such names passes a test."""
    return lambda response: any(named(name) and test(value) for name, value in response.fields)


def member(names: Iterable[str], test: Callable[[Any], bool]) -> When:
    """Return the condition that a member of the body's object passes a test. Its name is one of
    ``names``, in whatever case; the last member of a name counts.
    """
    wanted = frozenset(names)

    def holds(response: Response) -> bool:
        body = response.body
        found = body if isinstance(body, dict) else {}
        told = {str(name).lower(): value for name, value in found.items()}
        return any(name in told and test(told[name]) for name in wanted)

    return holds


# Pages of proxies

_PAGE = re.compile(
    r"\s*+(?>(?:<!--(?>(?:[^-]|-(?!->))*)-->\s*+)*)"
    r"<(?:!doctype\s+html|html|head|body|title|center|div|h1|p)\b",
    re.IGNORECASE,
)
_BEGINNING = 2000
"""Maximum characters searched for a web page at the beginning of an answer."""


def is_page(text: str) -> bool:
    """Return whether a text is an HTML page or the beginning of one."""
    return _PAGE.match(text[:_BEGINNING].lstrip("\ufeff")) is not None


def _is_page(response: Response) -> bool:
    return is_page(response.content[:_BEGINNING].decode("utf-8", "replace"))


def _is_text(response: Response) -> bool:
    """Return whether a body is text that is no JSON string, or bytes that were not parsed."""
    content = response.content.strip()
    is_words = isinstance(response.body, str) and not content.startswith(b'"')
    return bool(content) and (is_words or response.body is None or response.body is MISSING)


PAGES = (Sign(_is_page, FOREIGN, "a page of HTML"),)
"""Signs of answers that are pages, which no API sends."""
NOT_OF_AN_API = (Sign(_is_text, FOREIGN, "a page or a text"),)
"""Signs of refusals that an API with parsed errors cannot have sent."""

# Reads that prove something

_OK = 200
_CACHES = ("hit", "stale", "updating", "revalidated")
"""Values by which caches mark their own answers, in a field with 'cache' in its name; each cache
uses a field of its own.
"""
_TIMED = re.compile(r"cache[^,]*desc=\"?hit", re.IGNORECASE)
"""Regular expression of the timing of a cache's own answer."""
_STALE = re.compile(r"11[0-3]\b")
"""Regular expression of the warnings of a cache about its own answer (RFC 7234 §5.5)."""
_DIRECTIVES = "cache-control"
"""Field with 'cache' in its name that has the server's directives to caches."""
_FAULTS = ("error", "errors", "fault")
"""Members of a success that report a failure, unless they are empty."""
FLAGS = ("ok", "success", "succeeded")
"""Members that report a failure if they are false, and a success if they are true."""
_FAILED = frozenset({"error", "fail", "failed", "failure"})
"""Values of ``status`` that report a failure."""
_STATUSES, _REFUSAL = ("status", "statuscode", "status_code", "code"), re.compile(r"[45]\d\d")
"""Members that report a failure by an HTTP status, and the regular expression of such a status."""
_PROBLEM = "application/problem+json"


def _is_plain(response: Response) -> bool:
    """Return whether a body is JSON and neither an object nor a list: it reports nothing."""
    return response.body is not MISSING and not isinstance(response.body, dict | list)


def _is_named_failure(value: Any) -> bool:
    return isinstance(value, str) and value.lower() in _FAILED


_CACHE = "a cache has answered"
FROM_CACHE = (
    Sign(field("age", lambda value: value.strip("0, ") != ""), CACHED, _CACHE),
    # Varnish names the request that is answered, and the one whose answer it has kept
    Sign(field("x-varnish", lambda value: len(value.split()) > 1), CACHED, _CACHE),
    Sign(
        any_field(
            lambda name: "cache" in name and name != _DIRECTIVES,
            lambda value: any(word in value.lower() for word in _CACHES),
        ),
        CACHED,
        _CACHE,
    ),
    # a cache may leave the fresh parameter of an address out of its key
    Sign(field("x-cache-hits", lambda value: value.strip("0, ") != ""), CACHED, _CACHE),
    Sign(field("server-timing", lambda value: _TIMED.search(value) is not None), CACHED, _CACHE),
    Sign(field("warning", lambda value: _STALE.match(value) is not None), CACHED, _CACHE),
)
"""Signs of answers that a cache has kept."""
_REPORTS = "its answer has status 200 and reports a failure"
FAILED_SUCCESS = (
    Sign(_is_plain, REFUSED, _REPORTS),
    Sign(
        field("content-type", lambda value: value.lower().startswith(_PROBLEM)), REFUSED, _REPORTS
    ),
    Sign(member(_FAULTS, bool), REFUSED, _REPORTS),
    Sign(member(FLAGS, lambda value: value is False), REFUSED, _REPORTS),
    Sign(
        member(_STATUSES, lambda value: _REFUSAL.fullmatch(str(value)) is not None),
        REFUSED,
        _REPORTS,
    ),
    Sign(member(("status",), _is_named_failure), REFUSED, _REPORTS),
)
"""Signs of successes whose JSON reports a failure, as in APIs with one status for all."""
UNSOUND = (*FROM_CACHE, *FAILED_SUCCESS)
"""Signs of answers to a read that prove nothing, although their status is 200."""
NOT_OK = (Sign(status(lambda value: value != _OK), ODD, "it was answered with status {status}"),)
"""Sign of answers that are no plain success."""

# Successes that are errors

WORDS_OF_ERRORS = frozenset(
    {
        *("code", "description", "detail", "details", "error", "error_code", "error_description"),
        *("error_extra", "error_summary", "error_tag", "errorcode", "errors", "fault"),
        *("http_code", "instance", "message", "request_id", "requestid", "status", "status_code"),
        *("statuscode", "timestamp", "title", "trace_id", "traceid", "type"),
    }
)
"""Members, in lower case, that errors have, too: their presence shows no success."""


def only_error(response: Response) -> bool:
    """Return whether a body is nothing but an error: it has an error, and beside it only words of
    errors.
    """
    body = response.body
    if not isinstance(body, dict):
        return False
    told = {str(name).lower(): value for name, value in body.items()}
    return any(told.get(name) for name in _FAULTS) and told.keys() <= WORDS_OF_ERRORS


ONLY_ERRORS = (Sign(only_error, REFUSED, "it is an error, with a status of success"),)
"""Signs of successes that are nothing but an error."""
