"""Wrappers of data keys: the requests to a key service or a key file, and the circuit breaker in
front of each key service.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from contextvars import Context
from functools import partial
from typing import Any, Protocol, TypeVar

from jackfield.catalog import entry_points
from jackfield.catalog.loading import of_one
from jackfield.kernel.clock import Clock, SystemClock
from jackfield.kernel.errors import Rejected, TimedOut, Unavailable
from jackfield.kernel.failures import BrokenPart, Raised, attempt, contained
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.secrecy import SecretHolder
from jackfield_store.database.faults import DatabaseUnfit, KeyServiceRefused, KeyServiceUnavailable
from jackfield_store.keys import sealing

T = TypeVar("T")

GROUP = "jackfield.key_wrappers"
"""Entry points of wrappers by the scheme of their URIs: functions that take a URI and the
environment, and return a ``Wrapper``.

They raise a ValueError with the reason, without a secret, if the URI is not valid or a setting is
missing.
"""
TIMEOUT = "JACKFIELD_KEY_SERVICE_SECONDS"
"""Setting: seconds for a request, two by default. Wrappers get it with the environment."""
_PAUSE = 5.0
"""Seconds without requests to a key service after a failure to reach it."""
_TRIES = 2
_FAST = 1.0
"""Maximum seconds after which a failed request is repeated at once."""


class Wrapper(Protocol):
    """Key that encrypts data keys. Arguments are plain values, so that a package with a wrapper
    needs nothing from this module.

    ``context`` has the ids of the installation (``installation``), the workspace (``workspace``)
    and the data key (``key``). It is not secret, and must be authenticated: a key wrapped in one
    context cannot be unwrapped in another.

    The methods raise errors of ``jackfield.kernel.errors``: ``Unavailable`` or ``TimedOut`` if the
    service gives no answer, ``Rejected`` if it did not wrap ``wrapped`` in this context. Any other
    error means that the service refuses. A request may take ``JACKFIELD_KEY_SERVICE_SECONDS`` of
    the environment, since calls wait for it; creating a wrapper sends none.
    """

    @property
    def id(self) -> str:
        """Name that is stored with each key that the wrapper wrapped: the URI."""

    def wrap(self, context: Mapping[str, str], data_key: bytes) -> bytes:
        """Encrypt a data key of 32 bytes."""

    def unwrap(self, context: Mapping[str, str], wrapped: bytes) -> bytes:
        """Decrypt a data key that this wrapper encrypted."""

    def rewrap(self, context: Mapping[str, str], wrapped: bytes, source: str) -> bytes | None:
        """Encrypt with this wrapper a key encrypted by the wrapper with the id ``source`` (possibly
        itself), without the key leaving the service. Return None if the service cannot: the key is
        then unwrapped and wrapped.
        """


class KeyService(ProcessLocal, SecretHolder):
    """Wrapper of one key service. While the service cannot be reached, one request is sent in five
    seconds; others fail at once.
    """

    is_local = False

    def __init__(self, wrapper: Wrapper, clock: Clock | None = None) -> None:
        self._wrapper = wrapper
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._closed_until = 0.0
        self._reason: str | None = None
        self.id = wrapper.id
        self.ids = (wrapper.id,)

    def __repr__(self) -> str:
        return f"<KeyService {self.id}>"

    @property
    def trouble(self) -> str | None:
        """Reason why the service cannot be reached; None if the last request was answered, or none
        was sent yet.
        """
        reason = self._reason
        return (
            None if reason is None else f"the key service '{self.id}' cannot be reached: {reason}"
        )

    def wrapper(self, wrapper_id: str) -> KeyService | None:
        """Return this wrapper if it has the id; else None."""
        return self if wrapper_id == self.id else None

    def wrap(self, context: Mapping[str, str], data_key: bytes) -> bytes:
        """Encrypt a data key.

        :raises KeyServiceUnavailable: if the service gives no answer.
        :raises KeyServiceRefused: if it refuses.
        """
        return self._ask_service(partial(self._wrapper.wrap, context, data_key))

    def unwrap(self, context: Mapping[str, str], wrapped: bytes) -> bytes:
        """Decrypt a data key.

        :raises SealBroken: if it was changed, or wrapped in another context.
        :raises KeyServiceUnavailable: as ``wrap`` does.
        :raises KeyServiceRefused: as ``wrap`` does.
        """
        found = self._ask_service(partial(self._wrapper.unwrap, context, wrapped))
        if len(found) != sealing.KEY_BYTES:
            raise sealing.broken()
        return found

    def rewrap(self, context: Mapping[str, str], wrapped: bytes, source: str) -> bytes | None:
        """Encrypt with this wrapper a key encrypted by the wrapper ``source``, inside the service;
        None if that is not possible.

        :raises SealBroken: as ``unwrap`` does.
        :raises KeyServiceUnavailable: as ``wrap`` does.
        :raises KeyServiceRefused: as ``wrap`` does.
        """
        return self._ask_service(partial(self._wrapper.rewrap, context, wrapped, source))

    def _ask_service(self, request: Callable[[], T]) -> T:
        self._enter()
        begun = self._clock.monotonic()
        for number in range(1, _TRIES + 1):
            # without the deadline of the call that happens to need the key first
            found = Context().run(attempt, request)
            if not isinstance(found, Raised):
                self._reason = None
                return found
            error = found.error
            if isinstance(error, Rejected):
                self._reason = None
                raise sealing.broken() from None
            if not isinstance(error, (Unavailable, TimedOut)):
                self._reason = None
                raise self._refusal(error) from None
            if number == _TRIES or self._clock.monotonic() - begun > _FAST:
                break
        self._reason = getattr(error, "message", "no answer")
        with self._lock:
            self._closed_until = self._clock.monotonic() + _PAUSE
        raise self._unavailable()

    def _enter(self) -> None:
        """Refuse the request if the service could not be reached a moment ago; after the pause, one
        caller tries again.

        :raises KeyServiceUnavailable: if the caller must not send a request now.
        """
        with self._lock:
            if self._reason is None:
                return
            now = self._clock.monotonic()
            if now >= self._closed_until:
                self._closed_until = now + _PAUSE
                return
        raise self._unavailable()

    def _unavailable(self) -> KeyServiceUnavailable:
        return KeyServiceUnavailable(
            self.trouble or f"the key service '{self.id}' cannot be reached",
            hint=(
                "Try again in a few seconds. Workspaces whose keys are cached are served; "
                "'jackfield doctor' asks the service."
            ),
        )

    def _refusal(self, error: Exception) -> KeyServiceRefused:
        reason = getattr(error, "message", type(error).__name__)
        return KeyServiceRefused(
            f"the key service '{self.id}' refuses: {reason}",
            hint=(
                "Check that the key exists and is enabled, and that this machine's identity "
                "may use it. 'jackfield doctor' asks again."
            ),
        )


class KeyServices(ProcessLocal):
    """Key services from installed packages, by the scheme of their URIs. Each is opened once in a
    process.
    """

    def __init__(self, environment: Mapping[str, str], clock: Clock | None = None) -> None:
        self._environment = environment
        self._clock = clock
        self._opened: dict[str, KeyService] = {}
        self._lock = threading.Lock()

    def open(self, uri: str) -> KeyService:
        """Return the key service that a URI names.

        :raises DatabaseUnfit: if no installed package has such wrappers, or the URI is not valid.
        """
        with self._lock:
            found = self._opened.get(uri)
            if found is None:
                found = self._opened[uri] = KeyService(self._build_wrapper(uri), self._clock)
        return found

    def _build_wrapper(self, uri: str) -> Wrapper:
        scheme = uri.partition(":")[0]
        points = entry_points().get(GROUP, ())
        try:
            make: Callable[[str, Mapping[str, str]], Any] | None = of_one(
                [one for one in points if one.name == scheme], "key wrapper"
            )
        except BrokenPart as error:
            raise DatabaseUnfit(
                str(error), hint="Reinstall or upgrade the package, or uninstall one of two."
            ) from error
        if make is None:
            known = ", ".join(sorted({"file:", *(f"{one.name}://" for one in points)}))
            raise DatabaseUnfit(
                f"no installed package has key wrappers for '{uri}'",
                hint=(
                    f"This installation has {known}. 'aws-kms://' comes with jackfield-aws, "
                    "'vault-transit://' with 'jackfield[vault]'."
                ),
            )
        seconds = self._environment.get(TIMEOUT) or "2"
        if re.fullmatch(r"[0-9]{1,2}(\.[0-9]+)?", seconds) is None or not float(seconds):
            raise DatabaseUnfit(
                f"{TIMEOUT} is '{seconds[:80]}', and must be a number of seconds below 100",
                hint="Unset it for two seconds.",
            )
        made = attempt(partial(contained, make, uri, {**self._environment, TIMEOUT: seconds}))
        if isinstance(made, Raised):
            reason = (
                str(made.error) if isinstance(made.error, ValueError) else type(made.error).__name__
            )
            raise DatabaseUnfit(
                f"the key wrapper '{uri}' cannot be used: {reason}",
                hint="Correct JACKFIELD_KEY_WRAPPERS.",
            ) from None
        found: Wrapper = made
        return found
