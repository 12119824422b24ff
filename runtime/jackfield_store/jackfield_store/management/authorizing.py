"""Connecting of a stored connection: a person approves at the provider, and the grant is stored for
the connection.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from jackfield.call.errors_map import recognised
from jackfield.call.masking import masked_error
from jackfield.connector.connection_steps import Account
from jackfield.connector.context import Call, OpenContext, entered
from jackfield.connector.grants import Grant
from jackfield.kernel.clock import Deadline, iso
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import (
    Detail,
    Internal,
    InvalidConnection,
    InvalidInvocation,
    JackfieldError,
    Unavailable,
)
from jackfield.kernel.failures import Raised, attempt, attempt_foreign
from jackfield.kernel.frames import bordered
from jackfield_store.connections.authorizations import Authorizations, Pending, state_of
from jackfield_store.connections.grants import GrantTable, changed
from jackfield_store.database.outbox import record
from jackfield_store.keys.sealing import new_secret
from jackfield_store.management.connection_test import serving
from jackfield_store.management.provider_steps import UnstoredGrant

if TYPE_CHECKING:
    from jackfield.call.admit import Targets
    from jackfield.call.open import OpenConnection, Opener
    from jackfield.callers.actor import Actor
    from jackfield.catalog import Catalog
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connector import ClientRegistrations, DeviceAuthorization
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Transaction

T = TypeVar("T")

_SECONDS = 30.0
"""Deadline of the requests to the provider for one step."""
_LONGEST = 2000
_LONGEST_ADDRESS = 8000
_LONGEST_CODE = 100
_LONGEST_INTERVAL = 300.0
_LOOPBACK = ("127.0.0.1", "[::1]", "localhost")


_ERROR_CODE = re.compile(r"[a-z_]{1,40}\Z")
DECLINED = "the approval was declined at the provider (access_denied)"
"""Reason of an authorization that the person declined."""


@dataclass(frozen=True, slots=True)
class Completed:
    """Authorization that a person has completed. ``return_to`` is the caller's address for the
    browser afterwards, ``proof`` a secret for the browser that came back from the provider.
    ``declined`` is the provider's code if the person or the provider declined.
    """

    connection: str
    return_to: str
    proof: str = ""
    declined: str = ""


@bordered
class Authorizing:
    """Authorizations of one workspace's stored connections. ``finders`` find a connection that the
    caller may use by its name, and any by its id; ``audited`` makes the unit that records an event.
    ``tables`` return the clients for a redirect URI. Only the ``actor`` that created an
    authorization completes it.
    """

    def __init__(
        self,
        catalog: Catalog,
        opener: Opener,
        targets: Targets,
        clock: Clock,
        tables: tuple[GrantTable, Authorizations, Callable[[str], ClientRegistrations]],
        finders: tuple[Callable[[str], NamedConnection], Callable[[str], NamedConnection]],
        audited: Callable[..., Callable[[Transaction], None]],
        actor: Actor,
    ) -> None:
        self._catalog = catalog
        self._opener = opener
        self._targets = targets
        self._clock = clock
        self._grants, self._pending, self._registrations = tables
        self._named, self._by_id = finders
        self._audited = audited
        self._owner, self._by = actor.key, actor.name or actor.key

    def begin(
        self, name: str, redirect_uri: str, *, return_to: str = "", browser: str = ""
    ) -> dict[str, Any]:
        """Begin to connect a connection in a browser; return the authorization's ``id``, the
        ``url`` to open, ``expiresAt``, and the ``link``, a secret for ``open_link``.

        The provider answers to ``redirect_uri``; pass its parameters to ``complete``, or to
        ``note_answer`` if the creator is absent. ``browser`` is a secret that only the present
        browser has, such as a cookie's value; the same browser must complete it.

        :raises UnknownConnection: if no connection has that name.
        :raises InvalidConnection: if it is defined in a file, or its type or values do not allow
            this flow.
        :raises InvalidInvocation: if ``redirect_uri`` is not valid.
        """
        check_redirect_uri(redirect_uri)
        stored = self._named(name)
        identifier, opening, connector = self._open_connection(stored, "redirect")
        link, over = new_secret(), self._grants.digest(stored)
        state = state_of(link)
        known = self._registrations(redirect_uri)
        asked = self._attempted(
            connector,
            opening,
            lambda context: opening.kind.authorize(
                replace(context, registrations=known), redirect_uri, state
            ),
        )
        url = checked_address(asked.url)
        found = self._pending.begin(
            identifier,
            "redirect",
            state,
            asked.kept,
            redirect_uri=redirect_uri,
            return_to=return_to,
            by=self._by,
            owner=self._owner,
            session=browser,
            over=over,
            url=url,
        )
        return {
            "id": found.id,
            "flow": "redirect",
            "url": url,
            "expiresAt": iso(found.expires_at),
            "link": link,
        }

    def open_link(self, identifier: str, link: str, visitor: str) -> str:
        """Return the address at which the person approves. ``visitor`` is a secret of the browser
        that opened the start link: from now on, ``note_answer`` accepts the answer of that browser
        only.

        :raises UnknownAuthorizationError: if there is no such authorization, or the link was opened
            before.
        """
        return self._pending.open(identifier, link, visitor)

    def note_answer(self, identifier: str, answer: Mapping[str, str], visitor: str) -> Completed:
        """Store the provider's answer until the owner of the authorization completes it; nothing is
        sent to the provider. A refusal ends the authorization at once, and is reported by the event
        ``connection.declined``.

        :raises UnknownAuthorizationError: if there is no such authorization, it was answered
            before, or it was begun in another browser.
        """
        found, proof = self._pending.note_answer(identifier, answer, visitor)
        stored, code = self._by_id(found.connection), _declined(answer)
        if code:
            self._decline(found, stored, code)
        return Completed(stored.name, found.return_to, proof, code)

    def _decline(self, found: Pending, stored: NamedConnection, code: str) -> None:
        facts = {
            "connection": stored.name,
            "type": stored.type,
            "authorization": found.id,
            "reason": code,
        }

        def tell(transaction: Transaction, workspace: str, at: float) -> None:
            record(transaction, workspace, "connection.declined", stored.name, at, facts)

        reason = (
            DECLINED if code == "access_denied" else f"the provider refused the approval ({code})"
        )
        self._pending.decline(found.id, reason, tell)

    def came_back(self, identifier: str, proof: str) -> bool:
        """Return whether a browser that has this secret brought the provider's answer, which still
        waits.

        :raises UnknownAuthorizationError: if there is no such authorization.
        """
        return self._pending.find(identifier).proves(proof)

    def complete(
        self,
        identifier: str,
        answer: Mapping[str, str] | None = None,
        *,
        browser: str = "",
        proof: str = "",
        accept: Callable[[Account], None] | None = None,
    ) -> Completed:
        """Complete an authorization with the parameters that the provider added to the redirect URI
        (``code``, ``state``, ``iss`` …), or with the parameters that ``note_answer`` has stored.
        Stored parameters need the ``proof`` of a browser that ``note_answer`` has sent to the
        caller's page.

        ``accept`` is called with the account, if the connection's test finds one, before anything
        is stored; it raises to refuse.

        :raises NotAnsweredError: if none are stored yet.
        :raises UnknownAuthorizationError: if it was completed before, has expired, or was begun by
            another actor or browser.
        :raises UnprovenAnswerError: if the proof is missing or wrong; the authorization still
            waits.
        :raises InvalidConnection: if the connection has changed since it was begun.
        :raises JackfieldError: if the person or the provider refused, or the answer is not the
            provider's.
        """
        pending = self._pending.take(
            identifier,
            self._owner,
            browser,
            None if answer is None else answer.get("state", ""),
            proof,
        )
        try:
            stored = self._by_id(pending.connection)
            if pending.grant:
                self._require_unchanged(stored, pending)
                grant = Grant.from_json(pending.grant)
                if accept is not None and pending.account:
                    accept(Account(*pending.account))
            else:
                grant = self._exchanged(
                    stored, pending, pending.answer if answer is None else answer, accept
                )
            self._keep(stored, pending, grant)
        except JackfieldError as error:
            self._pending.fail(pending.id, error.message)
            raise
        return Completed(stored.name, pending.return_to)

    def exchange(self, identifier: str, *, browser: str) -> Account | None:
        """Exchange the stored answer for a grant, and return its account; None if the connection's
        test does not find one. The grant stays sealed with the authorization: nothing uses it
        unless ``complete`` takes it.

        :raises UnknownAuthorizationError: if there is no answer, or another actor or browser began.
        :raises JackfieldError: if the provider refuses the answer; that ends the authorization.
        """
        pending, found = self._pending.answered(identifier, self._owner, browser), list[Account]()
        try:
            grant = self._exchanged(
                self._by_id(pending.connection), pending, pending.answer, found.append
            )
        except JackfieldError as error:
            self._pending.fail(pending.id, error.message)
            raise
        self._pending.hold(
            pending.id, grant.to_json(), [found[-1].id, found[-1].label] if found else []
        )
        return found[-1] if found else None

    def abandon(self, identifier: str, reason: str) -> None:
        """End an abandoned authorization; its grant, if any, is deleted."""
        self._pending.fail(identifier, reason)

    def _exchanged(
        self,
        stored: NamedConnection,
        pending: Pending,
        answer: Mapping[str, str],
        accept: Callable[[Account], None] | None,
    ) -> Grant:
        """Exchange the provider's answer for a grant, which ``accept`` may refuse."""
        _, opening, connector = self._open_connection(stored, "redirect")
        self._require_unchanged(stored, pending)
        known = self._registrations(pending.redirect_uri)
        given = {name: value for name, value in answer.items() if name != "state"}
        grant = self._attempted(
            connector,
            opening,
            lambda context: opening.kind.authorized(
                replace(context, registrations=known), pending.kept, pending.redirect_uri, given
            ),
            [given.get("code", ""), *_texts(pending.kept)],
        )
        return grant if accept is None else self._accepted(connector, opening, grant, accept)

    def page_of(self, identifier: str) -> str:
        """Return the browser's address after a pending authorization; a path is a page of this
        server that completes it.

        :raises UnknownAuthorizationError: if there is no such authorization.
        """
        return self._pending.find(identifier).return_to

    def begin_device(self, name: str) -> dict[str, Any]:
        """Begin to connect a connection on another device; return the authorization's ``id``, the
        ``url``, the ``userCode`` to enter there, the ``interval`` in seconds at which ``poll``
        calls the provider, and ``expiresAt``.

        :raises UnknownConnection: if no connection has that name.
        :raises InvalidConnection: as ``begin`` does.
        """
        stored = self._named(name)
        identifier, opening, connector = self._open_connection(stored, "device")
        over = self._grants.digest(stored)
        asked: DeviceAuthorization = self._attempted(
            connector, opening, opening.kind.authorize_device
        )
        url, code, interval = (
            checked_address(asked.url),
            _checked_code(asked.user_code),
            _checked_interval(asked.interval),
        )
        complete_url = None if asked.complete_url is None else checked_address(asked.complete_url)
        kept = {"kept": dict(asked.kept), "interval": interval}
        found = self._pending.begin(
            identifier,
            "device",
            new_secret(),
            kept,
            asked.expires_in,
            by=self._by,
            owner=self._owner,
            over=over,
        )
        return {
            "id": found.id,
            "flow": "device",
            "url": url,
            "userCode": code,
            "completeUrl": complete_url,
            "interval": interval,
            "expiresAt": iso(found.expires_at),
        }

    def poll(self, identifier: str) -> dict[str, Any]:
        """Return the ``status`` of an authorization: ``pending``, ``answered``, ``granted`` or
        ``failed`` with a ``reason``.

        For a device, the provider is called at most once per interval, and only for the actor that
        began the authorization.

        :raises UnknownAuthorizationError: if there is no such authorization.
        """
        found = self._pending.find(identifier)
        stored = self._by_id(found.connection)
        waits = found.flow == "device" and found.status == "pending" and found.owner == self._owner
        if waits and self._pending.turn(found, found.kept["interval"]):
            self._ask(found, stored)
            found = self._pending.find(identifier)
        reason = {} if found.reason is None else {"reason": found.reason}
        about = {
            "id": found.id,
            "flow": found.flow,
            "connection": stored.name,
            "status": found.status,
        }
        return {**about, **reason, "expiresAt": iso(found.expires_at)}

    def adopted(
        self, opening: OpenConnection, connector: LoadedConnector, tokens: Mapping[str, Any]
    ) -> Grant:
        """Return the grant that a connection's type makes from existing tokens; nothing is sent.

        :raises InvalidConnection: if the type accepts no tokens.
        """
        secrets = [str(tokens[name]) for name in ("refreshToken", "accessToken") if name in tokens]
        grant: Grant = self._attempted(
            connector, opening, lambda _context: opening.kind.adopt(tokens), secrets
        )
        return grant

    def revoke(self, stored: NamedConnection, grant: Grant) -> bool:
        """Notify the provider that the grant of a removed connection is no longer needed; return
        False if the provider has no endpoint for that.

        :raises JackfieldError: if it cannot be notified now.
        """
        _, opening, connector = self._open_connection(stored, None)
        revoking = replace(opening, grants=UnstoredGrant(grant))
        return bool(self._attempted(connector, revoking, opening.kind.revoke, grant.secrets))

    def _accepted(
        self,
        connector: LoadedConnector,
        opening: OpenConnection,
        grant: Grant,
        accept: Callable[[Account], None],
    ) -> Grant:
        """Test the connection with a grant that is not stored, and return the grant with the tokens
        after the test.

        :raises JackfieldError: if the account is not accepted. A test that fails for another reason
            is ignored.
        """
        candidate = UnstoredGrant(replace(grant, id=uuid.uuid4().hex))
        trying = replace(opening, grants=candidate)
        found = attempt(
            self._attempted,
            connector,
            trying,
            lambda context: list(opening.kind.test(context)),
            grant.secrets,
        )
        for item in found if isinstance(found, list) else ():
            if isinstance(item, Account):
                accept(item)
        return candidate.grant

    def _ask(self, found: Pending, stored: NamedConnection) -> None:
        try:
            _, opening, connector = self._open_connection(stored, "device")
            self._require_unchanged(stored, found)
            kept = found.kept["kept"]
            grant = self._attempted(
                connector,
                opening,
                lambda context: opening.kind.device_authorized(context, kept),
                _texts(kept),
            )
        except JackfieldError as error:
            if not error.retryable:
                self._pending.fail(found.id, error.message)
            elif error.code == "rate_limited":
                self._pending.turn(
                    found, 0.0, {**found.kept, "interval": found.kept["interval"] + 5.0}
                )
            return
        if grant is not None:
            self._keep(stored, found, grant)

    def _require_unchanged(self, stored: NamedConnection, found: Pending) -> None:
        """Require the values with which the authorization began: its code must not go to another
        token endpoint.
        """
        if self._grants.digest(stored) != found.over:
            raise changed(stored.name)

    def _keep(self, stored: NamedConnection, found: Pending, grant: Grant) -> None:
        settle = self._pending.settling(found.id, "granted")
        audited = self._audited(
            "connection.granted", stored.name, by=found.by, scopes=list(grant.scopes)
        )

        def in_transaction(transaction: Transaction) -> None:
            settle(transaction)
            audited(transaction)

        self._grants.put(found.connection, grant, found.by, found.over, in_transaction)

    def _open_connection(
        self, stored: NamedConnection, flow: str | None
    ) -> tuple[str, OpenConnection, LoadedConnector]:
        if stored.id is None:
            text = (
                f"the connection '{stored.name}' is not stored in the database, so it cannot "
                "keep an approval"
            )
            raise InvalidConnection(text, hint="Import it, or add it anew.")
        manifest = serving(self._catalog, stored)[0]
        target = self._targets.find(stored, manifest)
        if flow is not None and flow not in target.kind.authorizes:
            offered = ", ".join(target.kind.authorizes)
            text = f"connections of the type '{stored.type}' are not connected by the flow '{flow}'"
            raise InvalidConnection(
                text,
                details=[Detail("/type", text)],
                hint=f"Use: {offered}." if offered else "Test it instead.",
            )
        connector = self._catalog.load(manifest.key)
        opening = self._opener.find(target, manifest, connector)
        if opening.judge is not None:
            opening.judge()
        return stored.id, opening, connector

    def _attempted(
        self,
        connector: LoadedConnector,
        opening: OpenConnection,
        step: Callable[[OpenContext], T],
        secrets: Iterable[str] = (),
    ) -> T:
        """Run a step of the connection type. Secrets in its errors are masked; errors that the type
        does not explain hide their text.

        ``secrets`` are this authorization's, such as the provider's code.

        :raises JackfieldError: if the step fails.
        """
        call = Call(
            Deadline.after(_SECONDS, self._clock),
            threading.Event(),
            workspace=self._opener.workspace,
        )
        with entered(call):
            found = attempt_foreign(step, opening.context_for(call))
        if not isinstance(found, Raised):
            return found
        error = (
            found.error
            if isinstance(found.error, JackfieldError)
            else recognised(connector, found.error)
        )
        if error is None:
            name = type(found.error).__name__
            raise Internal(
                f"the connection could not be authorized: {connector.title} failed with {name}",
                hint="See the server's log.",
            )
        raise masked_error(error, opening.cache.redactor.extended(secrets)) from None


def _texts(kept: Mapping[str, Any]) -> list[str]:
    return [value for value in kept.values() if isinstance(value, str)]


def checked_address(text: str) -> str:
    """Return the address of an approval page. The person reads it and browsers open it, so it must
    be a web address.

    :raises Unavailable: if it is no web address.
    """
    try:
        parts = urlsplit(text)
        fits = (
            parts.scheme in ("https", "http")
            and bool(parts.hostname)
            and len(text) <= _LONGEST_ADDRESS
        )
    except ValueError:
        fits = False
    if not fits or " " in text or not (text.isascii() and text.isprintable()):
        raise Unavailable(
            "the address for the approval is not valid: it must begin with https:// or http://",
            hint="Check the connection's URLs.",
            repeatable=False,
        )
    return text


def _declined(answer: Mapping[str, str]) -> str:
    """Return the error code of an answer that refuses the approval (RFC 6749 §4.1.2.1); an empty
    string for any other answer.
    """
    code = answer.get("error", "")
    if not code or answer.get("code"):
        return ""
    return code if _ERROR_CODE.match(code) else "refused"


def _checked_code(text: str) -> str:
    """Return a code that a person enters, safe for terminals and pages.

    :raises Unavailable: if it is empty, too long or not printable.
    """
    if not text or len(text) > _LONGEST_CODE or not text.isprintable():
        raise Unavailable(
            "the authorization server returned a code for a device that cannot be shown",
            repeatable=False,
        )
    return text


def _checked_interval(seconds: float) -> float:
    """Return the seconds between two requests to the provider, within limits that every clock can
    wait.
    """
    return min(max(seconds, 1.0), _LONGEST_INTERVAL) if isfinite(seconds) else _LONGEST_INTERVAL


def check_redirect_uri(text: str) -> None:
    """Check an address at which the provider answers: https, or http on this machine (RFC 8252
    §7.3), without a fragment.

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
        raise InvalidInvocation(
            "the redirect URI is not valid", details=[Detail("/redirectUri", fault)]
        )
