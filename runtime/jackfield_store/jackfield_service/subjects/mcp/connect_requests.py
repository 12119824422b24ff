"""Requests to connect a missing connection: the person behind the client gets a link by which to
connect it (URL elicitation), and the call continues.

Only two kinds of callers are asked: a person who has signed in at the identity provider, and the
person who has started ``jackfield mcp``. The link is a connect session for that person alone: the
console admits nobody else who opens it. The client's "accept" only means that it has displayed the
link.

The state that a client of 2026-07-28 sends back is sealed, and valid for one caller, one call and a
limited time. The idempotency key of the following call belongs to the caller, the call and the
link. Of many repeats, and of many states of one link, one takes effect.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, URL_ELICITATION_REQUIRED

from jackfield.call.call_rules import find_action
from jackfield.callers import Caller, Request
from jackfield.callers.actor import Actor
from jackfield.kernel.errors import (
    InvalidConnection,
    InvalidInvocation,
    JackfieldError,
    UnknownConnection,
)
from jackfield.kernel.hints import NextStep
from jackfield_service.subjects.connect.connecting import PAGE, Connecting
from jackfield_service.subjects.connect.session import CANCELLED, Wanted
from jackfield_store.access.settings import theme_of
from jackfield_store.database import SealBroken
from jackfield_store.runtime import Jackfield

if TYPE_CHECKING:
    from jackfield.manifest.manifest import Manifest

LASTS = 600
"""Seconds for which a link is valid."""
_GRACE = 300.0
"""Seconds after the expiry of a link in which its call may still be repeated, for a connection made
at the last moment.
"""
_KNOWN = 1_000
_READ = 200
"""Maximum number of connections read in the search for one that serves an action."""
_LONGEST = 4_096
_INPUT = "connect"
"""Key of the request for input in the protocol's map of requests."""
_STATE = ("mcp", "connect")
_KEY_PREFIX = "mcp-connect-"
_DIGITS = 32
ANSWERS = ("accept", "decline", "cancel")


@dataclass(frozen=True, slots=True)
class Lacking:
    """Missing part of a call: a connection of one of the ``types``, or the approval of an existing
    one.
    """

    connector: str
    action: str
    types: tuple[str, ...]
    connection: str
    mode: Literal["connect", "reauth"]


@dataclass(frozen=True, slots=True)
class Link:
    """Link of an open connect session for its person."""

    session: str
    secret: str
    expires: float


@dataclass(slots=True)
class OpenLinks:
    """Links of this process, so that a person who is asked again gets the same link. There is at
    most one per person and connector, so that callers cannot open sessions without limit.
    """

    _links: OrderedDict[tuple[str, str, str], tuple[Lacking, Link]] = field(
        default_factory=OrderedDict
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key: tuple[str, str, str]) -> tuple[Lacking, Link] | None:
        """Return the last link for a workspace, person and connector; None without such a link."""
        with self._lock:
            return self._links.get(key)

    def keep(self, key: tuple[str, str, str], lacking: Lacking, link: Link) -> None:
        """Store a link."""
        with self._lock:
            self._links[key] = lacking, link
            self._links.move_to_end(key)
            if len(self._links) > _KNOWN:
                self._links.popitem(last=False)


@dataclass(frozen=True, slots=True)
class ConnectRequests:
    """Requests to one person. ``person`` is the issuer and the subject, joined by ``|``, or empty
    for the person who has started the program. ``verify`` is the kind of proof for the console,
    ``base`` the server's address. Methods read the database: call them in a thread.
    """

    runtime: Jackfield
    caller: Caller
    person: str
    verify: Literal["oidc", "link"]
    base: str
    actor: Actor
    open_sessions: Callable[[], Connecting]
    links: OpenLinks

    def lacking(self, invocation: Mapping[str, Any], error: JackfieldError) -> Lacking | None:
        """Return the missing part of a refused call; None if it was refused for another reason, or
        a rule would forbid the call anyway.
        """
        kind, named = (
            error.hint.kind if isinstance(error.hint, NextStep) else "",
            invocation.get("connection"),
        )
        is_missing = isinstance(error, UnknownConnection) or (
            kind == "add_connection" and isinstance(error, InvalidInvocation)
        )
        has_ended = kind == "connect" and isinstance(error, InvalidConnection)
        if not (is_missing or has_ended) or isinstance(named, Mapping):
            return None
        try:
            manifest = self.runtime.catalog_of(self.caller).find(invocation["connector"])
            action = find_action(manifest, invocation["action"])
        except (JackfieldError, KeyError, TypeError):
            return None
        wish = Request(
            manifest.key, action.key, action.rule_effect, named if isinstance(named, str) else None
        )
        if not self.runtime.access.authorizer(self.caller).verdict(manifest, wish).allowed:
            return None
        if has_ended and isinstance(error.hint, NextStep):
            return Lacking(manifest.key, action.key, (), error.hint.facts.get("name", ""), "reauth")
        types = tuple(
            manifest.full_name(one)
            for one in manifest.connection_types.values()
            if one.can_serve(action.key)
        )
        # else a name may be misspelt
        is_offered = bool(types) and not self._has_fitting(manifest, action.key)
        return (
            Lacking(manifest.key, action.key, types, wish.connection or "", "connect")
            if is_offered
            else None
        )

    def ask(self, lacking: Lacking) -> Link | None:
        """Return a link by which the person can make the missing connection; None if no session can
        be opened.
        """
        key, now = (self.runtime.workspace, self.person, lacking.connector), self._now()
        sessions, before = self.open_sessions(), self.links.find(key)
        if before is not None:
            known, link = before
            with suppress(JackfieldError):
                if (
                    known == lacking
                    and now < link.expires
                    and not sessions.find(link.session).is_over
                ):
                    return link
                sessions.cancel(link.session, "the same person was asked again")
        look = theme_of(self.runtime.access.settings.theme)
        wanted = Wanted(  # who manages the workspace's connections may connect any of them again
            lacking.mode,
            self.person,
            self.verify,
            lacking.types,
            lacking.connection,
            theme=look,
            lasts=LASTS,
            all_connections=True,
        )
        try:
            made, secret = sessions.create(wanted, self.actor)
        except JackfieldError:
            return None
        link = Link(made.id, secret, made.expires_at)
        self.links.keep(key, lacking, link)
        return link

    def input_required(
        self, lacking: Lacking, link: Link, name: str, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the result that makes a client of 2026-07-28 ask the person, and repeat the call
        afterwards.
        """
        state = {
            "who": self._who(),
            "call": digest_of_call(name, arguments),
            "session": link.session,
            "link": link.secret,
            "until": link.expires,
            "lacks": [lacking.connector, lacking.action],
        }
        request = {
            "method": "elicitation/create",
            "params": self._request(lacking.connector, lacking.action, link),
        }
        return {
            "resultType": "input_required",
            "inputRequests": {_INPUT: request},
            "requestState": self._vault().seal_text(
                self.runtime.workspace, _STATE, json.dumps(state).encode()
            ),
        }

    def required(self, lacking: Lacking, link: Link) -> MCPError:
        """Return the error that makes a client of 2025-11-25 ask the person."""
        request = self._request(lacking.connector, lacking.action, link)
        return MCPError(URL_ELICITATION_REQUIRED, request["message"], {"elicitations": [request]})

    def resumed(
        self, text: str, name: str, arguments: Mapping[str, Any], responses: object
    ) -> str | dict[str, Any]:
        """Return the idempotency key of a call whose connection was made, or the request for input
        again while it is missing. If the connection will not be made, the call also gets its key,
        and is refused as before.

        :raises MCPError: if the state is not ours, for another caller or call, or has expired.
        """
        state = self._opened(text)
        if (
            state["who"] != self._who()
            or state["call"] != digest_of_call(name, arguments)
            or self._now() > state["until"] + _GRACE
        ):
            refuse_state()
        answer = _answer_of(responses)
        sessions = self.open_sessions()
        try:
            found = sessions.find(state["session"])
        except JackfieldError:
            refuse_state()
        if found.status == "granted" or found.is_over:
            return self._key(found.id, state["call"])
        if answer in ("decline", "cancel"):
            sessions.cancel(found.id, CANCELLED)
            return self._key(found.id, state["call"])
        link = Link(found.id, state["link"], state["until"])
        again = Lacking(state["lacks"][0], state["lacks"][1], (), "", "connect")
        return self.input_required(again, link, name, arguments)

    def _key(self, session: str, call: str) -> str:
        """Return the idempotency key of a call that waited for a link."""
        parts = json.dumps(["mcp connect", *self._who(), session, call]).encode()
        return f"{_KEY_PREFIX}{self._vault().hmac(self.runtime.workspace, parts)[:_DIGITS]}"

    def _request(self, connector: str, action: str, link: Link) -> dict[str, Any]:
        message = (
            f"To run {connector}.{action}, connect an account with {connector}. The link is "
            "for you alone."
        )
        return {
            "mode": "url",
            "elicitationId": link.session,
            "url": f"{self.base}{PAGE}/{link.secret}",
            "message": message,
        }

    def _has_fitting(self, manifest: Manifest, action: str) -> bool:
        connections = self.runtime.connections_of(self.caller)
        for row in islice(connections.list(limit=_READ).items, _READ):
            kind = manifest.connection_type(row["type"])
            if kind is not None and kind.can_serve(action):
                return True
        return False

    def _opened(self, text: str) -> dict[str, Any]:
        if len(text) > _LONGEST or not text.isascii():
            refuse_state()
        try:
            found: dict[str, Any] = json.loads(
                self._vault().open_text(self.runtime.workspace, _STATE, text)
            )
        except (SealBroken, ValueError):
            refuse_state()
        return found

    def _who(self) -> list[str]:
        return [self.person, *((self.caller.identity or ()) if self.caller.remote else ())]

    def _now(self) -> float:
        return self.runtime.clock.time()

    def _vault(self) -> Any:
        return self.runtime.storage.vault


def refuse_state() -> NoReturn:
    """Refuse a state, without the reason."""
    raise MCPError(
        INVALID_PARAMS,
        "requestState is not one of this call, or its time is over: call again without it",
    )


def _answer_of(responses: object) -> str | None:
    """Return the client's answer to the request for input; None if it has not answered.

    :raises MCPError: if the answer has another shape.
    """
    given = responses.get(_INPUT) if isinstance(responses, Mapping) else None
    if given is None:
        return None
    action = given.get("action") if isinstance(given, Mapping) else getattr(given, "action", None)
    if action not in ANSWERS:
        raise MCPError(
            INVALID_PARAMS, f"inputResponses.{_INPUT} must have an action: {', '.join(ANSWERS)}"
        )
    return str(action)


def digest_of_call(name: str, arguments: Mapping[str, Any]) -> str:
    """Return the digest by which a repeated call is recognised."""
    return hashlib.sha256(
        json.dumps([name, arguments], sort_keys=True).encode("utf-8", "surrogatepass")
    ).hexdigest()
