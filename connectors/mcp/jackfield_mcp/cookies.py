"""Cookies of one session, by which a load balancer finds the server that holds the session."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from ipaddress import ip_address

from jackfield.kernel.fork import ProcessLocal
from jackfield_http.urls import Url

_NEXT = re.compile(r",\s*(?=[^\s;=,]+=)")
"""Regular expression of the comma between two cookies in joined header fields. A comma within a
date precedes no name.
"""
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_VALUE = re.compile(r"[\x20-\x3a\x3c-\x7e]{0,4096}")
_MOST = 20
_LARGEST = 8 * 1024
"""Maximum number of characters of all cookies of a session."""
_SECONDS = re.compile(r"-?[0-9]{1,15}")


class SessionCookies(ProcessLocal):
    """Cookies that the server of a session has set, for requests of the same session to the same
    URL. They are never stored.
    """

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._lock = threading.Lock()

    def update(self, field: str, url: Url, now: float, reserved: Collection[str] = ()) -> None:
        """Apply the values of ``Set-Cookie`` in a response of ``url``; ``now`` is the time in
        seconds since 1970.

        Cookies for other hosts or paths are ignored, and cookies whose names are ``reserved`` for
        the sign-in.
        """
        for name, value in _cookies(field, url, now):
            with self._lock:
                left = {other: kept for other, kept in self._values.items() if other != name}
                if value is not None and name not in reserved and len(left) < _MOST:
                    left[name] = value
                if sum(len(other) + len(kept) + 3 for other, kept in left.items()) <= _LARGEST:
                    self._values = left

    def header(self) -> str:
        """Return the value of the field ``Cookie``; an empty string without cookies."""
        return "; ".join(f"{name}={value}" for name, value in self._values.items())


def _cookies(field: str, url: Url, now: float) -> Iterator[tuple[str, str | None]]:
    """Yield the cookies for a URL by name; None for a deleted one."""
    for row in _NEXT.split(field):
        pair, *given = row.split(";")
        name, mark, value = (part.strip() for part in pair.partition("="))
        about = {
            key.strip().lower(): said.strip()
            for key, _, said in (one.partition("=") for one in given)
        }
        if mark and _NAME.fullmatch(name) and _VALUE.fullmatch(value) and _is_for(about, url):
            yield name, None if _is_over(about, now) else value


def _is_for(about: dict[str, str], url: Url) -> bool:
    domain, path = about.get("domain", "").removeprefix(".").lower(), about.get("path", "")
    if (
        domain
        and domain != url.host
        and (_is_address(url.host) or not url.host.endswith(f".{domain}"))
    ):
        return False
    if "secure" in about and url.scheme != "https":
        return False
    return (
        not path.startswith("/")
        or url.path == path
        or url.path.startswith(path if path.endswith("/") else f"{path}/")
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_over(about: dict[str, str], now: float) -> bool:
    """Return whether a cookie has expired already, which is how servers delete cookies."""
    if _SECONDS.fullmatch(said := about.get("max-age", "")):
        return int(said) <= 0
    with suppress(ValueError, TypeError, OverflowError):
        return parsedate_to_datetime(about.get("expires", "")).timestamp() <= now
    return False
