"""JWTs of the operator's identity provider: fetching of its signing keys, independent of requests,
and validation of claims.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from jackfield.kernel.clock import Clock
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.hidden import has_hidden
from jackfield.wire.client import Wire
from jackfield.wire.connection import WireSettings
from jackfield.wire.faults import WireFault
from jackfield.wire.fetching import fetched
from jackfield.wire.head import Route
from jackfield.wire.tls import client_context
from jackfield_service.shell.identity.identity_providers import Jwt
from jackfield_service.shell.requests.problem import Problem

_LOG = logging.getLogger("jackfield.http")
_ALGORITHMS = ["RS256", "ES256", "EdDSA", "PS256"]
_TIMEOUT = 4.0
"""Timeout in seconds for the provider's response and for reading its keys."""
_LARGEST = 1024 * 1024
"""Maximum size of the provider's keys in bytes."""
_LEAST = 2048
"""Minimum size of an RSA key in bits."""
_PRIMES = (
    3,
    5,
    7,
    11,
    13,
    17,
    19,
    23,
    29,
    31,
    37,
    41,
    43,
    47,
    53,
    59,
    61,
    67,
    71,
    73,
    79,
    83,
    89,
    97,
    101,
    103,
    107,
    109,
    113,
    127,
    131,
    137,
    139,
    149,
    151,
    157,
    163,
    167,
)
_ROCA = tuple(
    (prime, frozenset(pow(65_537, power, prime) for power in range(prime))) for prime in _PRIMES
)
"""Remainders of moduli made by a faulty library of smart cards and TPMs (CVE-2017-15361). Moduli
with these remainders can be factored.
"""
_LONGEST = 200
"""Maximum length of a subject in characters."""
NEEDED = ("exp", "iss", "aud", "sub")
"""Claims that a token of a caller must have."""
_NOBODY = "-"
"""Placeholder for a missing subject in tokens that need none."""
_PATIENCE = 5.0
"""Seconds that a fetch may take in total, and for which requests wait for it."""
LEEWAY = 60
"""Seconds by which the provider's clock and this server's may differ (RFC 7519 §4.1.4): two
machines never agree to the second.
"""
_TIMES = {"iat": 1, "nbf": 1, "exp": -1}
"""Claims that are times, and the sign of an invalid difference to now: 1 for times that must not be
ahead, -1 for expiry.
"""
_LEFT = 3
"""Maximum number of abandoned fetches that still run: a provider that sends a byte a second
occupies at most that many threads, and no request.
"""
_WAITING = 100
"""Maximum number of requests that wait for keys: more would crowd out requests that need no key."""
_AGAIN, _FAILED, _STALE = 30.0, 10.0, 300.0
"""Seconds until keys are fetched again: for an unknown key, after a failure, and in any case."""
_FOREIGN = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""Exceptions that PyJWT and cryptography let through when a token's parts do not match each other
or its key.
"""


class Jwts(ProcessLocal):
    """JWT validator. One thread at a time fetches the keys; tokens with a known key never wait for
    it. ``audience`` returns the audience that a token must name. ``fetch`` returns the document
    with the keys at a URL, by default over ``route``. With ``lone``, a token that names no key is
    verified with the provider's only key (OpenID Connect Core §10.1).
    """

    def __init__(
        self,
        settings: Jwt,
        clock: Clock,
        audience: Callable[[], str],
        fetch: Callable[[str], Any] | None = None,
        *,
        lone: bool = False,
        route: Route | None = None,
    ) -> None:
        self._fetched_by, self._lone = fetch or _document(route), lone
        self._settings = settings
        self._audience = audience
        self._clock = clock
        self._keys: dict[str, Any] = {}
        self._begin_anew()
        self._begun = 0.0
        self._next: float | None = None
        self._fetched = 0.0
        self._failing = False
        self._said = 0.0

    def _begin_anew(self) -> None:
        """Reset the fetch state for this process: a forked child does not have the parent's
        fetching thread.
        """
        self._lock = threading.Lock()
        self._fetching: Future[None] | None = None
        self._given_up: list[Future[None]] = []
        self._waiting = 0

    async def ready(self, text: str) -> None:
        """Fetch a token's key if it is unknown, and wait briefly for it without occupying a
        thread.
        """
        kid = self._key_of(text)
        fetching = self._fetch_for(kid) if kid is not None else None
        if fetching is None or self._waiting >= _WAITING:
            return
        self._waiting += 1
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(fetching)), _PATIENCE)
        except TimeoutError:
            self._give_up(fetching)
        finally:
            self._waiting -= 1

    def wait(self, text: str) -> None:
        """Fetch a token's key if it is unknown, and block briefly for it."""
        kid = self._key_of(text)
        fetching = self._fetch_for(kid) if kid is not None else None
        if fetching is not None:
            try:
                fetching.result(_PATIENCE)
            except TimeoutError:
                self._give_up(fetching)

    def claims(self, text: str, needed: Sequence[str] = NEEDED) -> dict[str, Any] | None:
        """Return a token's claims; None if the provider did not issue it for this server, or a
        ``needed`` claim is missing. Make no request.

        :raises Problem: 503 if no keys are known; 401 if the token has expired, or is not valid
            yet, by more than ``LEEWAY``.
        """
        kid = self._key_of(text)
        if kid is None:
            return None
        if not self._keys:
            raise Problem(
                503,
                "the identity provider's keys are currently unavailable",
                {"Retry-After": f"{_FAILED:.0f}"},
            )
        try:
            found: dict[str, Any] = jwt.decode(
                text,
                self._keys[kid].key,
                algorithms=self._allowed(kid),
                audience=self._audience(),
                issuer=self._settings.issuer,
                options={"require": [*needed]},
                leeway=LEEWAY,
            )
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            # it is verified already
            late: dict[str, Any] = jwt.decode(text, options={"verify_signature": False})
            if _is_fit(late):
                raise self._mistimed(late) from None
            return None
        except (jwt.PyJWTError, UnsupportedAlgorithm, *_FOREIGN):
            return None
        return found if _is_fit(found) else None

    def _mistimed(self, claims: Mapping[str, Any]) -> Problem:
        """Return the refusal of the provider's expired or premature token, and log it, once for
        many tokens.
        """
        now = time.time()
        off = {name: way * (claims[name] - now) for name, way in _TIMES.items() if name in claims}
        name = max(off, key=off.__getitem__)
        where = "in the past" if _TIMES[name] < 0 else "ahead of this server's clock"
        told = f"the token's '{name}' is {off[name]:.0f} seconds {where}, and {LEEWAY} are allowed"
        if (at := self._clock.monotonic()) >= self._said:
            self._said = at + _AGAIN
            _LOG.warning(
                "a token of the identity provider %s is refused: %s; compare the clocks of both",
                self._settings.issuer,
                told,
            )
        return Problem(401, told)

    def _key_of(self, text: str) -> str | None:
        """Return the ID of the key that verifies a token; None if no key can. The ID is empty if
        the token names no key and the provider has several.
        """
        kid = _kid(text, otherwise="" if self._lone else None)
        return next(iter(self._keys)) if kid == "" and len(self._keys) == 1 else kid

    def _allowed(self, kid: str) -> list[str]:
        """Return the algorithms for a key: the algorithm that its own ``alg`` names, otherwise all
        accepted algorithms.
        """
        named = self._keys[kid]._jwk_data.get("alg")  # noqa: SLF001 (PyJWK guesses one where there is none)
        return [one for one in _ALGORITHMS if named is None or one == named]

    def _fetch_for(self, kid: str) -> Future[None] | None:
        """Start a fetch of the keys if one is due. Return the running fetch for a request to wait
        for; None if the key is known, or no fetch runs.
        """
        with self._lock:
            now = self._clock.monotonic()
            wanted = kid not in self._keys
            due = wanted or now - self._fetched > _STALE
            if self._fetching is not None and now - self._begun > _PATIENCE:
                self._abandoned(self._fetching)
            if (
                due
                and self._fetching is None
                and (self._next is None or now >= self._next)
                and self._may_fetch()
            ):
                fetching = Future[None]()
                fetching.set_running_or_notify_cancel()
                threading.Thread(
                    target=self._fetch, args=(fetching,), name="jackfield-jwks", daemon=True
                ).start()
                self._fetching, self._begun = fetching, now
            return self._fetching if wanted else None

    def _may_fetch(self) -> bool:
        self._given_up = [left for left in self._given_up if not left.done()]
        return len(self._given_up) < _LEFT

    def _give_up(self, fetching: Future[None]) -> None:
        with self._lock:
            self._abandoned(fetching)

    def _abandoned(self, fetching: Future[None]) -> None:
        """Abandon a fetch that takes too long; it runs on, and its keys still count."""
        if self._fetching is fetching and not fetching.done():
            self._given_up.append(fetching)
            self._ended({}, f"they did not arrive within {_PATIENCE:g} seconds")

    def _fetch(self, fetching: Future[None]) -> None:
        keys, reason = dict[str, Any](), "an unexpected error"
        try:
            keys, reason = _fetch_keys(self._settings.jwks_url, self._fetched_by)
        finally:  # waiting requests must be released even if the thread fails
            with self._lock:
                if keys or self._fetching is fetching:
                    self._ended(keys, reason)
            fetching.set_result(None)

    def _ended(self, keys: dict[str, Any], reason: str) -> None:
        now = self._clock.monotonic()
        if keys:
            self._keys, self._fetched = keys, now
        elif not self._failing:
            _LOG.warning("the keys of the identity provider cannot be fetched: %s", reason)
        self._failing = not keys
        self._next = now + (_AGAIN if keys else _FAILED)
        self._fetching = None


def _fetch_keys(url: str, fetch: Callable[[str], Any]) -> tuple[dict[str, Any], str]:
    """Fetch the provider's keys, or return the reason for a failure. PyJWT's cache is unused: Jwts
    has its own cache and fetch intervals.
    """
    try:
        keys = jwt.PyJWKSet.from_dict(fetch(url)).keys
    except WireFault as fault:
        return {}, f"{urlsplit(url).netloc}: {fault.words}"
    except (jwt.PyJWTError, UnsupportedAlgorithm, OSError, JackfieldError, *_FOREIGN) as error:
        return {}, f"{type(error).__name__}: {error}"[:300]
    return {
        item.key_id: item
        for item in keys
        if item.key_id and item.public_key_use in {"sig", None} and _verifies(item)
    }, ""


def _verifies(key: jwt.PyJWK) -> bool:
    """Return whether a key's own members permit it to verify signatures (RFC 7517 §4.3), and the
    key is strong enough (RFC 7518 §3.3).
    """
    operations: Any = key._jwk_data.get("key_ops")  # noqa: SLF001 (PyJWK reads all other members)
    may_verify = operations is None or (isinstance(operations, list) and "verify" in operations)
    return may_verify and not (
        isinstance(key.key, RSAPublicKey | RSAPrivateKey) and _is_weak(key.key)
    )


def _is_weak(key: RSAPublicKey | RSAPrivateKey) -> bool:
    modulus = (key.public_key() if isinstance(key, RSAPrivateKey) else key).public_numbers().n
    return key.key_size < _LEAST or all(modulus % prime in left for prime, left in _ROCA)


def _document(route: Route | None) -> Callable[[str], Any]:
    """Return the function that fetches the provider's keys as JSON, over the proxy of ``route``.
    PyJWT's own client reads without a size limit, and without a total timeout.
    """
    wire = Wire(WireSettings(tls=cache(client_context), route=route))
    return lambda url: json.loads(fetched(wire, url, "application/json", _TIMEOUT, _LARGEST))


def _is_fit(claims: Mapping[str, Any]) -> bool:
    """Return whether the claims have the types of RFC 7519 (PyJWT also accepts ``"exp": "17"``),
    and the subject is distinguishable in a list.
    """
    subject, times = (
        claims.get("sub", _NOBODY),
        [claims[name] for name in ("exp", "nbf", "iat") if name in claims],
    )
    if not all(
        isinstance(moment, int | float) and not isinstance(moment, bool) for moment in times
    ) or not isinstance(subject, str):
        return False
    # one name would look like another
    return bool(subject.strip()) and len(subject) <= _LONGEST and not has_hidden(subject)


def _kid(text: str, otherwise: str | None = None) -> str | None:
    """Return the key ID that a token names, or ``otherwise``; None if the token cannot be a
    supported one, so that no fetch is made for it.
    """
    try:
        head = jwt.get_unverified_header(text)
    except (jwt.PyJWTError, *_FOREIGN):
        return None
    kid = head.get("kid", otherwise)
    fits = isinstance(kid, str) and (kid or "kid" not in head)
    return kid if fits and head.get("alg") in _ALGORITHMS else None
