"""Proxies on the way to AWS: one setting decides for requests over jackfield's wire and for
botocore's.
"""

from __future__ import annotations

import functools
import os
from urllib.parse import urlsplit

from botocore.httpsession import ProxyConfiguration

from jackfield.connector import ANYWHERE, Guard, InvalidConnection, Target
from jackfield.wire.outbound import ENVIRONMENT, Outbound, outbound, resolves_at_proxy, variables

_PORTS = {"http": 80, "https": 443}


class Proxies(ProxyConfiguration):  # type: ignore[misc]
    """Choice of a proxy for each URL, in the form of botocore. A proxy resolves the names itself,
    so ``guard`` checks names here.
    """

    def __init__(self, guard: Guard = ANYWHERE, path: str = "") -> None:
        super().__init__()
        self._guard, self._path = guard, path

    def proxy_url_for(self, url: str) -> str | None:
        """Return the URL of the proxy; None without a proxy.

        :raises InvalidConnection: if it cannot be used, or the guard does not permit the server.
        """
        route, target = machine_route(), url_target(url)
        named = route.named(target)
        if named is None:
            return None
        if not named[1].lower().startswith("https://"):
            route(target)
        self._guard.at_proxy(target.host, self._path, resolves=resolves_at_proxy(os.environ))
        found: str = self._fix_proxy_url(named[1])
        return found


def machine_route() -> Outbound:
    """Return the machine's route by its current environment variables."""
    return _route(tuple((name, os.environ[name]) for name in variables() if name in os.environ))


@functools.lru_cache(maxsize=8)
def _route(given: tuple[tuple[str, str], ...]) -> Outbound:
    return outbound(dict(given), ENVIRONMENT)


def url_target(url: str) -> Target:
    """Return the server of a URL.

    :raises InvalidConnection: if it has none.
    """
    try:
        parts = urlsplit(url)
        return Target(parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0))
    except ValueError:
        raise InvalidConnection("the endpoint is not a URL") from None
