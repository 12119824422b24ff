"""Documents that jackfield itself fetches: by GET, within a time and a size, over the outbound
route.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

from jackfield.kernel.clock import monotonic
from jackfield.wire.client import Wire
from jackfield.wire.connection import Limit
from jackfield.wire.head import values_of
from jackfield.wire.reply import Reply
from jackfield.wire.urls import target_of

_MOST_HOPS = 5
_ELSEWHERE = (301, 302, 303, 307, 308)
_SUCCESS = 2


def follow_all(_old: str, _new: str) -> None:
    """Accept every redirect."""


def fetched(
    wire: Wire,
    url: str,
    accept: str,
    within: float,
    most: int,
    follow: Callable[[str, str], None] = follow_all,
) -> bytes:
    """Return the content of a URL, at most ``most`` bytes, ``within`` this number of seconds.

    :raises WireFault: if there is no answer.
    :raises InvalidConnection: if the guard does not permit the server, or the proxy cannot be used.
    :raises ValueError: if the URL is not valid, or the answer cannot be used.
    """
    until = monotonic() + within
    reply = opened(wire, url, accept, lambda: until - monotonic(), follow)
    if reply.status // 100 != _SUCCESS:
        reply.close()
        raise ValueError(f"it answered {reply.status}")
    return reply.read(most)


def opened(
    wire: Wire, url: str, accept: str, limit: Limit, follow: Callable[[str, str], None] = follow_all
) -> Reply:
    """Return the answer to a GET, whatever its status, after redirects. ``follow`` gets the old and
    the new URL, and may raise to refuse a redirect.

    :raises: as ``fetched``.
    """
    for _ in range(_MOST_HOPS + 1):
        target, path, host = target_of(url)
        fields = [
            (b"Host", host),
            (b"Accept", accept.encode()),
            (b"Accept-Encoding", b"identity"),
            (b"User-Agent", b"jackfield"),
        ]
        reply = wire.send("GET", target, path, fields, None, limit, lambda: None)
        location = next(
            (
                value.decode("latin-1")
                for name, value in reply.fields
                if name.lower() == b"location"
            ),
            "",
        )
        if reply.status not in _ELSEWHERE or not location:
            if values_of(reply.fields, b"content-encoding") in ([], [b"identity"]):
                return reply
            reply.close()
            raise ValueError("it is compressed, which was not requested")
        reply.close()
        found = urljoin(url, location)
        follow(url, found)
        url = found
    raise ValueError(f"it was redirected more than {_MOST_HOPS} times")
