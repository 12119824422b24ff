"""Connect a stored connection: a person approves at the provider, and the grant is stored for the connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from jackfield.clock import Deadline, iso
from jackfield.connections.authorizations import Authorizations, Pending, new_state
from jackfield.connections.grants import GrantTable
from jackfield.connector.context import Call, OpenContext, entered
from jackfield.errors import Detail, Internal, InvalidConnection, InvalidInvocation, JackfieldError
from jackfield.failures import Raised, attempt, attempt_foreign
from jackfield.management.connection_test import serving
from jackfield.pipe.errors_map import recognised
from jackfield.pipe.settle import masked_error

if TYPE_CHECKING:
    from jackfield.access import Audit
    from jackfield.catalog import Catalog
    from jackfield.clock import Clock
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connector import Connector, DeviceAuthorization, Grant
    from jackfield.database import Transaction
    from jackfield.pipe.admit import Targets
    from jackfield.pipe.open import OpenConnection, Opener

T = TypeVar("T")

_SECONDS = 30.0
"""Deadline of the requests to the provider for one step."""
_LONGEST = 2000
_LOOPBACK = ("127.0.0.1", "[::1]", "localhost")


@dataclass(frozen=True, slots=True)
class Completed:
    """Authorization that a person has completed. ``return_to`` is where the caller wanted the browser to go afterwards."""

    connection: str
    return_to: str


class Authorizing:
    """Authorizations of one workspace's stored connections. ``finders`` find a connection that the caller may use by its name, and any by
    its id; ``by`` names who acts."""

    def __init__(
        self,
        catalog: Catalog,
        opener: Opener,
        targets: Targets,
        clock: Clock,
        tables: tuple[GrantTable, Authorizations],
        finders: tuple[Callable[[str], NamedConnection], Callable[[str], NamedConnection]],
        audit: Audit | None,
        by: str,
    ) -> None:
        self._catalog = catalog
        self._opener = opener
        self._targets = targets
        self._clock = clock
        self._grants, self._pending = tables
        self._named, self._by_id = finders
        self._audit = audit
        self._by = by

    def begin(self, name: str, redirect_uri: str, *, return_to: str = "", browser: str = "") -> dict[str, Any]:
        """Begin to connect a connection in a browser; return the authorization's ``id``, the ``url`` to open, and ``expiresAt``.

        The provider answers to ``redirect_uri``; pass its parameters to ``complete``. ``browser`` is a secret that only the browser has
        that began it, such as a cookie's value; the same one must complete it.

        :raises UnknownConnection: if there is none with that name.
        :raises InvalidConnection: if it is defined in a file, or its type or values do not allow this flow.
        :raises InvalidInvocation: if ``redirect_uri`` is not valid.
        """
        check_redirect_uri(redirect_uri)
        stored = self._named(name)
        identifier, opening, connector = self._opened(stored, "redirect")
        state = new_state()
        asked = self._attempted(connector, opening, lambda context: opening.kind.authorize(context, redirect_uri, state))
        found = self._pending.begin(
            identifier, "redirect", state, asked.kept, redirect_uri=redirect_uri, return_to=return_to, by=self._by, browser=browser
        )
        return {"id": found.id, "flow": "redirect", "url": asked.url, "expiresAt": iso(found.expires_at)}

    def complete(self, identifier: str, answer: Mapping[str, str], *, browser: str = "") -> Completed:
        """Complete an authorization with the parameters that the provider added to the redirect URI (``code``, ``state``, ``iss`` …).

        :raises UnknownAuthorizationError: if it was completed before, has expired, or was begun by another browser.
        :raises JackfieldError: if the person or the provider refused, or the answer is not the provider's.
        """
        pending = self._pending.take(identifier, answer.get("state", ""), browser)
        given = {name: value for name, value in answer.items() if name != "state"}
        try:
            stored = self._by_id(pending.connection)
            _, opening, connector = self._opened(stored, "redirect")
            grant = self._attempted(
                connector,
                opening,
                lambda context: opening.kind.authorized(context, pending.kept, pending.redirect_uri, given),
                [given.get("code", ""), *_texts(pending.kept)],
            )
            self._keep(stored, pending, grant)
        except JackfieldError as error:
            self._pending.fail(pending.id, error.message)
            raise
        return Completed(stored.name, pending.return_to)

    def page_of(self, identifier: str) -> str:
        """Return where the browser goes after a pending authorization; a path is a page of this server that completes it itself.

        :raises UnknownAuthorizationError: if there is none.
        """
        return self._pending.find(identifier).return_to

    def begin_device(self, name: str) -> dict[str, Any]:
        """Begin to connect a connection on another device; return its ``id``, the ``url``, the ``userCode`` to enter there, the
        ``interval`` in seconds at which ``poll`` asks the provider, and ``expiresAt``.

        :raises UnknownConnection: if there is none with that name.
        :raises InvalidConnection: as ``begin`` does.
        """
        stored = self._named(name)
        identifier, opening, connector = self._opened(stored, "device")
        asked: DeviceAuthorization = self._attempted(connector, opening, opening.kind.authorize_device)
        kept = {"kept": dict(asked.kept), "interval": asked.interval}
        found = self._pending.begin(identifier, "device", new_state(), kept, asked.expires_in, by=self._by)
        return {
            "id": found.id, "flow": "device", "url": asked.url, "userCode": asked.user_code, "completeUrl": asked.complete_url,
            "interval": asked.interval, "expiresAt": iso(found.expires_at),
        }  # fmt: skip

    def poll(self, identifier: str) -> dict[str, Any]:
        """Return the ``status`` of an authorization: ``pending``, ``granted`` or ``failed`` with a ``reason``.

        For a device, the provider is asked, at most once per interval.

        :raises UnknownAuthorizationError: if there is none.
        """
        found = self._pending.find(identifier)
        stored = self._by_id(found.connection)
        if found.flow == "device" and found.status == "pending" and self._pending.turn(found, found.kept["interval"]):
            self._ask(found, stored)
            found = self._pending.find(identifier)
        reason = {} if found.reason is None else {"reason": found.reason}
        about = {"id": found.id, "flow": found.flow, "connection": stored.name, "status": found.status}
        return {**about, **reason, "expiresAt": iso(found.expires_at)}

    def revoke(self, identifier: str) -> None:
        """Tell the provider that the grant of a connection is no longer needed. That it cannot be told stops nobody."""
        if self._grants.state(identifier) is not None:
            attempt(self._revoke, self._by_id(identifier))

    def _revoke(self, stored: NamedConnection) -> None:
        _, opening, connector = self._opened(stored, None)
        self._attempted(connector, opening, opening.kind.revoke)

    def _ask(self, found: Pending, stored: NamedConnection) -> None:
        try:
            _, opening, connector = self._opened(stored, "device")
            kept = found.kept["kept"]
            grant = self._attempted(connector, opening, lambda context: opening.kind.device_authorized(context, kept), _texts(kept))
        except JackfieldError as error:
            if not error.retryable:
                self._pending.fail(found.id, error.message)
            elif error.code == "rate_limited":
                self._pending.turn(found, 0.0, {**found.kept, "interval": found.kept["interval"] + 5.0})
            return
        if grant is not None:
            self._keep(stored, found, grant)

    def _keep(self, stored: NamedConnection, found: Pending, grant: Grant) -> None:
        settle, audit = self._pending.settling(found.id, "granted"), self._audit

        def also(transaction: Transaction) -> None:
            settle(transaction)
            if audit is not None:
                audit.append(transaction, "connection.granted", f"connection:{stored.name}", {"by": found.by, "scopes": list(grant.scopes)})

        self._grants.put(found.connection, grant, found.by, also)

    def _opened(self, stored: NamedConnection, flow: str | None) -> tuple[str, OpenConnection, Connector]:
        if stored.id is None:
            text = f"the connection '{stored.name}' is not stored in the database, so it cannot keep an approval"
            raise InvalidConnection(text, hint="Import it, or add it anew.")
        manifest = serving(self._catalog, stored)[0]
        target = self._targets.find(stored, manifest)
        if flow is not None and flow not in target.kind.authorizes:
            offered = ", ".join(target.kind.authorizes)
            text = f"connections of the type '{stored.type}' are not connected by the flow '{flow}'"
            raise InvalidConnection(text, details=[Detail("/type", text)], hint=f"Use: {offered}." if offered else "Test it instead.")
        connector = self._catalog.load(manifest.key)
        opening = self._opener.find(target, manifest, connector, {})
        if opening.judge is not None:
            opening.judge()
        return stored.id, opening, connector

    def _attempted(self, connector: Connector, opening: OpenConnection, step: Callable[[OpenContext], T], secrets: Iterable[str] = ()) -> T:
        """Run a step of the connection type; its errors are masked, and those that it does not explain hide their text.

        ``secrets`` are those of this authorization, such as the provider's code.

        :raises JackfieldError: if it fails.
        """
        call = Call(Deadline.after(_SECONDS, self._clock), threading.Event(), workspace=self._opener.workspace)
        with entered(call):
            found = attempt_foreign(step, opening.context_for(call))
        if not isinstance(found, Raised):
            return found
        error = found.error if isinstance(found.error, JackfieldError) else recognised(connector, found.error)
        if error is None:
            name = type(found.error).__name__
            raise Internal(f"the connection could not be authorized: {connector.title} failed with {name}", hint="See the server's log.")
        raise masked_error(error, opening.cache.redactor.extended(secrets)) from None


def _texts(kept: Mapping[str, Any]) -> list[str]:
    return [value for value in kept.values() if isinstance(value, str)]


def check_redirect_uri(text: str) -> None:
    """Check an address at which the provider answers: https, or http on this machine (RFC 8252 §7.3), without a fragment.

    :raises InvalidInvocation: if it is not valid.
    """
    fault = None
    try:
        parts = urlsplit(text)
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
        _ = parts.port
    except ValueError:
        fault = "is not a URL"
    else:
        if len(text) > _LONGEST or not text.isprintable() or " " in text or "\\" in text:
            fault = "is not a URL"
        elif not host or parts.username is not None or parts.fragment or "#" in text:
            fault = "must have a host, and neither a user name nor a fragment"
        elif parts.scheme != "https" and (parts.scheme != "http" or host not in _LOOPBACK):
            fault = "must begin with https://, or with http:// on this machine"
    if fault is not None:
        raise InvalidInvocation("the redirect URI is not valid", details=[Detail("/redirectUri", fault)])
