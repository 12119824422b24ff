"""Request in progress. It is built once, and sent again for redirects and retries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypedDict

from jackfield.connector import Rejected, Sent, Unavailable
from jackfield.kernel.dataclass import dataclass, replace
from jackfield_http.bodies import Body, Content
from jackfield_http.errors import Failed
from jackfield_http.headers import Headers
from jackfield_http.links import octets_encoded
from jackfield_http.urls import Url, UrlError

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
TO_OTHER_PLACES = _REDIRECTS | {300, 305}
"""Statuses whose field ``Location`` names another address."""
_NEUTRAL = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "if-modified-since",
        "if-none-match",
        "range",
        "user-agent",
    }
)
"""Header fields that a redirect to another server carries. None of them can hold a credential."""


class RequestOptions(TypedDict, total=False):
    """Options of a request (``HttpClient.request``)."""

    query: Mapping[str, Any] | None
    headers: Mapping[str, str] | None
    json: Any
    form: Mapping[str, Any] | None
    multipart: Mapping[str, Any] | None
    content: Content | None
    content_type: str | None
    expect: Collection[int] | None
    idempotent: bool | str
    safe: bool | None
    step: str | None
    failed: Failed | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """Request: its content, its name in errors, and the successful statuses (None: 200 to 299).

    ``given`` are the folded names of the caller's header fields. ``failed`` judges the JSON of a
    success (None: by the error map).
    """

    method: str
    url: Url
    headers: Mapping[str, str]
    body: Body | None
    step: str
    safe: bool
    signed: bool = True
    expect: Collection[int] | None = None
    given: frozenset[str] = frozenset()
    failed: Failed | None = None

    def accepts(self, status: int) -> bool:
        """Return True if the status is a success."""
        return 200 <= status < 300 if self.expect is None else status in self.expect

    def moved(self, status: int, headers: Headers) -> Url | None:
        """Return the address, without its query, to which a response redirects within the same
        origin; None for any other response.
        """
        if status not in TO_OTHER_PLACES or "location" not in headers:
            return None
        try:
            url = self.url.joined(octets_encoded(headers["location"].partition("#")[0]))
        except UrlError:
            return None
        return (
            replace(url, query="")
            if url.origin == self.url.origin and url.path != self.url.path
            else None
        )

    def after(self, status: int, headers: Headers, origin: tuple[str, str, int]) -> Exchange | None:
        """Return the request that follows a redirect; None if the response is no redirect to
        follow. Only safe requests are redirected.

        To an origin other than ``origin``, the request carries neither credentials nor header
        fields that could hold one.

        :raises Unavailable: if the redirect has no valid target, or leads from https to http.
        """
        if (
            status not in _REDIRECTS
            or self.method not in SAFE
            or self.accepts(status)
            or "location" not in headers
        ):
            return None
        try:
            url = self.url.joined(octets_encoded(headers["location"].partition("#")[0]))
        except UrlError as error:
            raise Unavailable(
                f"'{self.step}' was redirected to a place that {error}",
                sent=Sent.UNKNOWN,
                repeatable=False,
            ) from None
        if self.url.scheme == "https" and url.scheme == "http":
            raise Rejected(
                f"'{self.step}' was redirected from https to http, which would send it in clear "
                "text",
                sent=Sent.REFUSED,
            )
        if url.origin == origin and self.signed:
            return replace(self, url=url)
        kept = {name: value for name, value in self.headers.items() if name.lower() in _NEUTRAL}
        return replace(self, url=url, headers=kept, signed=False, body=None)
