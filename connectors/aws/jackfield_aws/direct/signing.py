"""Signature Version 4 in request headers (IAM User Guide, "Create a signed AWS API request"); a
day's derived keys are cached.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import quote

from botocore.auth import SIGNED_HEADERS_BLACKLIST
from botocore.utils import normalize_url_path

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.secrecy import SecretHolder

_ALGORITHM, _END = "AWS4-HMAC-SHA256", "aws4_request"
_EMPTY = sha256(b"").hexdigest()
_UNSIGNED = frozenset(SIGNED_HEADERS_BLACKLIST)
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*/?")
"""Pattern of a path that is already canonical."""
_MOST_KEYS = 16
"""Maximum derived keys in a signer's cache: enough for an identity's last sessions, and the few
regions and service names of one client.
"""


class Credentials(Protocol):
    """Frozen credentials of botocore, or Keys in the same form."""

    @property
    def access_key(self) -> str:
        """ID of the access key."""

    @property
    def secret_key(self) -> str:
        """Secret access key."""

    @property
    def token(self) -> str | None:
        """Session token; None without a session."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Region and service name for which a signature is valid."""

    region: str
    name: str


class Signer(SecretHolder):
    """Signer of requests. It caches at most 16 derived keys, which are secrets: it never prints
    them, and cannot be pickled.
    """

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[tuple[str, ...], bytes] = {}

    def __repr__(self) -> str:
        return f"Signer({len(self._keys)} keys)"

    def sign(
        self,
        method: str,
        path: str,
        query: str,
        headers: dict[str, str],
        body: bytes,
        credentials: Credentials,
        scope: Scope,
        host: str,
    ) -> None:
        """Add the date, the session token and the signature to ``headers``. ``path`` and ``query``
        are the request target's, and ``host`` is its Host field.
        """
        stamp = now().strftime("%Y%m%dT%H%M%SZ")
        headers["X-Amz-Date"] = stamp
        if credentials.token:
            headers["X-Amz-Security-Token"] = credentials.token
        lines, names = _canonical_headers(headers, host)
        digest = headers.get("X-Amz-Content-SHA256") or (
            sha256(body).hexdigest() if body else _EMPTY
        )
        canonical = f"{method}\n{_canonical_path(path)}\n{query and _canonical_query(query)}\n{lines}\n{names}\n{digest}"
        area = f"{stamp[:8]}/{scope.region}/{scope.name}/{_END}"
        text = f"{_ALGORITHM}\n{stamp}\n{area}\n{sha256(canonical.encode()).hexdigest()}"
        signature = _digest(self._key(credentials.secret_key, stamp[:8], scope), text).hex()
        headers["Authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{area}, SignedHeaders={names}, "
            f"Signature={signature}"
        )

    def _key(self, secret: str, day: str, scope: Scope) -> bytes:
        key = (secret, day, scope.region, scope.name)
        found = self._keys.get(key)
        if found is None:
            found = f"AWS4{secret}".encode()
            for part in (day, scope.region, scope.name, _END):
                found = _digest(found, part)
            if len(self._keys) >= _MOST_KEYS:
                self._keys.clear()
            self._keys[key] = found
        return found


def now() -> datetime:
    """Return the time of a signature. AWS compares it with its own clock, so it is the system's,
    never the runtime's.
    """
    return datetime.now(UTC)


def _digest(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _canonical_headers(headers: Mapping[str, Any], host: str) -> tuple[str, str]:
    """Return the lines of the signed header fields, and their names joined by ``;``."""
    found = {"host": host}
    for name, value in headers.items():
        lowered = name.lower()
        if lowered not in _UNSIGNED:
            found[lowered] = " ".join(value.split())
    names = sorted(found)
    return "".join([f"{name}:{found[name]}\n" for name in names]), ";".join(names)


def _canonical_path(path: str) -> str:
    return path if _PLAIN_PATH.fullmatch(path) else quote(normalize_url_path(path), safe="/~")


def _canonical_query(query: str) -> str:
    """Return a query sorted by encoded names, then values."""
    if "&" not in query:
        return query if not query or "=" in query else f"{query}="
    pairs = (pair.partition("=") for pair in query.split("&"))
    return "&".join(
        [f"{name}={value}" for name, value in sorted((name, value) for name, _, value in pairs)]
    )
