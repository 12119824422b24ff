"""The only place that decides access: which actions, connections and entries a caller may run, see
or change, on every surface.

``require`` refuses a call or a change; ``sees_*`` filters lists, searches, look-ups and
suggestions. All of them call ``decide``. A surface evaluates no rule itself: it uses the catalog,
the connections and the journal that are bound to its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from jackfield.callers.rules import (
    ANY_ACTION,
    INLINE,
    Decision,
    PatternError,
    Request,
    Rules,
    Scope,
    asks,
    decide,
    rule,
    with_wait,
)
from jackfield.kernel.errors import NotAllowed
from jackfield.kernel.fork import at_fork
from jackfield.kernel.hints import NextStep

if TYPE_CHECKING:
    from jackfield.manifest.manifest import ActionManifest, Manifest

_EFFECTS = ("read", "idempotent", "write")

Names = Callable[[], Iterable[tuple[str, str]]]
"""Function that returns the names and types of the workspace's connections."""


class Authorizer:
    """Access decisions for one caller in one workspace.

    ``token`` and ``scope`` are None for the operator's own calls. ``names`` is called only if a
    rule mentions connections. ``ended`` says why nothing is allowed any more: the caller's token
    has ended, or the workspace is suspended. ``remote`` callers use a network, on some surfaces
    without a token.
    """

    def __init__(
        self,
        workspace: Rules,
        token: Rules | None,
        scope: Scope | None,
        names: Names = tuple,
        *,
        ended: str | None = None,
        remote: bool = False,
    ) -> None:
        self.workspace = workspace
        self.token = token or Rules()
        self.scope = scope
        self._names = names
        self._ended = ended
        self._in_full = scope is None and not remote
        self._terms = _connection_terms(self.workspace, self.token)

    @property
    def is_bound(self) -> bool:
        """True if a rule may forbid the caller something."""
        return self.workspace.forbids or self.token.forbids

    @property
    def asks_for_connections(self) -> bool:
        """True if a rule mentions connections. The manifests determine which connections serve an
        action.
        """
        return bool(self._terms)

    def decide(self, request: Request) -> Decision:
        """Decide whether the caller may run ``request``."""
        if self._ended is not None:
            return Decision(False, self._ended, "token", brief=self._ended)
        return decide(self.workspace, self.token, self.scope, request)

    def verdict(self, manifest: Manifest, request: Request) -> Decision:
        """Decide for display before a call. Callers with a token see no patterns, since patterns
        may contain hidden names.

        A request without a connection is allowed if the rules allow it over any connection.
        """
        decision = self.decide(request)
        if request.connection is None and manifest.connection_types and not decision.allowed:
            names = (INLINE, *(name for name, _ in self._samples))
            others = (
                self.decide(Request(request.connector, request.action, request.effect, name))
                for name in names
            )
            decision = next((other for other in others if other.allowed), decision)
        return decision if self._in_full else decision.guarded()

    def require(self, request: Request, note: Callable[[str], object] | None = None) -> None:
        """Raise ``NotAllowed`` if a rule forbids the request, and pass that rule to ``note`` for
        the journal.

        :raises NotAllowed: if a rule forbids it. The operator sees the rule itself; remote callers
            only see whose rule it is.
        """
        decision = self.decide(request)
        if decision.allowed:
            return
        if note is not None:
            note(decision.rule)
        raise decision.refusal(in_full=self._in_full)

    def require_named(
        self, request: Request, reason: str, note: Callable[[str], object] | None = None
    ) -> None:
        """Raise ``NotAllowed`` unless a pattern of the workspace names the action and the
        connection of a request, without a wildcard. If the token has allow patterns, one of them
        must do so, too. ``reason`` says why this is required.

        :raises NotAllowed: if there is no such pattern.
        """
        wanted = f"{request.connector}/{request.action}", request.connection
        if wanted in self._loans():
            return
        source = "token" if wanted in self.workspace.loans else "workspace"
        pattern = f"{request.connector}/{request.action} & connection:{request.connection}"
        text = (
            f"no allow pattern of the {source} names {request}: {reason}, so it needs the "
            f"pattern '{pattern}'"
        )
        if note is not None:
            note(text)
        raise NotAllowed(
            f"not allowed: {text}",
            hint=NextStep(
                "rules", command="workspaces set" if source == "workspace" else "tokens create"
            ),
        )

    def refuse_unknown(
        self,
        manifest: Manifest | None,
        request: Request,
        note: Callable[[str], object] | None = None,
        *,
        any_connection: bool,
    ) -> None:
        """Refuse a call of a hidden or missing action unless the rules would allow the call. So the
        answer does not reveal whether the action exists.

        :raises NotAllowed: if the rules allow no way of running it.
        """
        action = manifest.actions.get(request.action) if manifest is not None else None
        effects = _EFFECTS if action is None else (action.rule_effect,)
        connections = [request.connection]
        if any_connection and (manifest is None or manifest.connection_types):
            connections = [INLINE, *(name for name, _ in self._samples)]
        wishes = [
            Request(request.connector, request.action, effect, name)
            for effect in effects
            for name in connections
        ]
        if not any(self.decide(wish).allowed for wish in wishes):
            # as the caller put it
            self.require(
                Request(request.connector, request.action, effects[-1], request.connection), note
            )
            self.require(
                Request(request.connector, request.action, effects[-1], connections[0]), note
            )

    def asks(self, request: Request) -> str | None:
        """Return the sentence of the rule that makes a request wait for a person's approval; None
        if it need not wait.
        """
        source = asks(self.workspace, self.token, request)
        return (
            None
            if source is None
            else f"the rules of the {source} ask for a person's approval of {request}"
        )

    def explain(self, request: Request) -> Decision:
        """Decide on a request, and say whether an allowed request waits for a person's approval."""
        return with_wait(self.decide(request), self.workspace, self.token, request)

    @property
    def may_ask(self) -> bool:
        """True if a rule may let calls wait for a person's approval."""
        return bool(self.workspace.approve or self.token.approve or self.workspace.asks_writes)

    def permits(self, manifest: Manifest, action: ActionManifest, connection: str | None) -> bool:
        """Return whether the rules allow an action over a connection; the token's scope is
        ignored.
        """
        return self.allows(Request(manifest.key, action.key, action.rule_effect, connection))

    def allows(self, request: Request) -> bool:
        """Return whether the rules allow a request; the token's scope is ignored."""
        return decide(self.workspace, self.token, None, request).allowed

    def sees_action(self, manifest: Manifest, action: ActionManifest) -> bool:
        """Return whether the action can be run over at least one connection, or without one if it
        needs none.
        """
        if not self._terms or not manifest.connection_types:
            return self.permits(manifest, action, None)
        if action.borrows and f"{manifest.key}/{action.key}" in {
            borrower for borrower, _ in self._loans()
        }:
            return True
        if not action.needs_connection and self.permits(manifest, action, None):
            return True
        names = (name for name, kind in self._samples if _serves(manifest, action, kind))
        return any(self.permits(manifest, action, name) for name in (INLINE, *names))

    def _loans(self) -> set[tuple[str, str]]:
        """Return the pairs of action and connection that the workspace's patterns name together,
        limited to the token's pairs if the token has allow patterns.
        """
        return self.workspace.loans & self.token.loans if self.token.allow else self.workspace.loans

    def seen_names(
        self, connector: str, names: Callable[[], Iterable[tuple[str, str]]]
    ) -> list[str]:
        """Return the keys of a connector's visible actions, from their keys and effects
        (``names``), if no rule mentions connections.
        """
        workspace, token = self.workspace.about(connector), self.token.about(connector)
        if workspace is None or token is None:
            return []
        return [
            key
            for key, effect in names()
            if decide(workspace, token, None, Request(connector, key, effect)).allowed
        ]

    def sees_connection(self, name: str, kind: str, manifests: Iterable[Manifest]) -> bool:
        """Return whether this connection of the type ``kind`` may be used for at least one action
        of the ``manifests``.
        """
        return not self.is_bound or any(self.uses(manifest, name, kind) for manifest in manifests)

    def uses(self, manifest: Manifest, name: str, kind: str) -> bool:
        """Return whether this connection of the type ``kind`` may be used for at least one action
        of the connector, without creating its actions.
        """
        workspace, token, found = (
            self.workspace.about(manifest.key, name),
            self.token.about(manifest.key, name),
            manifest.connection_type(kind),
        )
        if workspace is None or token is None or found is None:
            return False
        serving = (row for row in manifest.rows() if found.can_serve(row.key))
        return any(
            decide(workspace, token, None, Request(manifest.key, row.key, row.effect, name)).allowed
            for row in serving
        )

    def hides(self, connector: str, connection: str | None = None) -> bool:
        """Return whether no rule allows any action of a connector, over ``connection`` if it is
        given. This reads no manifest.
        """
        return (
            self.workspace.about(connector, connection) is None
            or self.token.about(connector, connection) is None
        )

    def likeness(self, name: str) -> tuple[bool, ...]:
        """Return the features of a connection's name that the rules depend on. Rules treat names
        with equal features alike.
        """
        return tuple(_fits(term, name) for term in self._terms)

    def require_connection(
        self, name: str, kinds: Iterable[tuple[str, Iterable[Manifest]]]
    ) -> None:
        """Refuse a connection name that the rules allow for none of ``kinds``: types, each with the
        connectors that accept them.

        :raises NotAllowed: if the rules forbid it, whether or not such a connection exists.
        """
        known = list(kinds)
        if any(self.sees_connection(name, kind, manifests) for kind, manifests in known):
            return
        others = Authorizer(self.workspace, None, None)
        source = (
            "token"
            if any(others.sees_connection(name, kind, manifests) for kind, manifests in known)
            else "workspace"
        )
        what = "an inline connection" if name == INLINE else f"the connection '{name[:100]}'"
        raise _refusal(f"the rules of the {source} forbid using {what}")

    def require_all(self, name: str, family: str, connectors: Iterable[str]) -> None:
        """Refuse a connection unless the rules allow every action over it: of the ``connectors``
        that it serves, and of others of its ``family``. Rules cannot judge what a program does with
        the connection's credentials.

        :raises NotAllowed: if a rule forbids one of the actions.
        """
        if not self.is_bound and not self.may_ask and self._ended is None:
            return
        for key in (family, *connectors):
            blocks = [
                rules.block
                for rules in (self.workspace.about(key, name), self.token.about(key, name))
                if rules is not None
            ]
            wishes = [Request(key, ANY_ACTION, effect, name) for effect in _EFFECTS]
            if self.may_ask or any(blocks) or not all(self.decide(wish).allowed for wish in wishes):
                said = self._ended or (
                    "the rules allow less than all actions over the connection "
                    f"'{name[:100]}', and a program could do any"
                )
                raise NotAllowed(
                    f"not allowed: {said}", hint=NextStep("rules", command="workspaces set")
                )

    def require_rename(self, old: str, new: str, kind: str, manifests: Iterable[Manifest]) -> None:
        """Refuse a new name that would allow more than the old name.

        :raises NotAllowed: if the rules would allow more over the new name.
        """
        lent = {name for _, name in self.workspace.loans}
        if new in lent and old not in lent:
            raise _refusal(
                f"a rule names '{new}' for calls of other connectors, and none names '{old}'"
            )
        for manifest in manifests:
            for action in manifest.actions.values():
                widened = self.permits(manifest, action, new) and not self.permits(
                    manifest, action, old
                )
                wishes = [
                    Request(manifest.key, action.key, action.rule_effect, name)
                    for name in (old, new)
                ]
                loosened = (
                    self.may_ask
                    and self.asks(wishes[0]) is not None
                    and self.asks(wishes[1]) is None
                )
                if (widened or loosened) and _serves(manifest, action, kind):
                    raise _refusal(f"the rules allow more with the name '{new}' than with '{old}'")

    def sees_entry(
        self,
        manifest: Manifest | None,
        connector: str,
        action: str,
        effect: str | None,
        connection: str | None,
    ) -> bool:
        """Return whether the token's rules would allow the call of a journal entry, regardless of
        its caller.

        The workspace's rules are ignored: they bind all callers alike, and entries from before the
        rules stay visible. An entry has no connection if none was needed or if it was given inline.
        """
        if not self.token:
            return True
        known = manifest.actions.get(action) if manifest is not None else None
        effects = (
            (effect,)
            if effect is not None
            else (known.rule_effect,)
            if known is not None
            else _EFFECTS
        )
        inline = manifest is None or bool(manifest.connection_types)
        over = connection or (INLINE if inline else None)
        return all(
            decide(Rules(), self.token, None, Request(connector, action, one, over)).allowed
            for one in effects
        )

    @cached_property
    def _samples(self) -> tuple[tuple[str, str], ...]:
        """One connection of each group that the rules treat alike."""
        return tuple(
            {
                (kind, *self.likeness(name)): (name, kind) for name, kind in self._names_in_terms()
            }.values()
        )

    def _names_in_terms(self) -> Iterator[tuple[str, str]]:
        if self._terms:
            yield from self._names()


# Python 3.11 holds one lock for all instances while it computes the value
at_fork(Authorizer.__dict__["_samples"])


def _refusal(sentence: str) -> NotAllowed:
    return NotAllowed(f"not allowed: {sentence}", hint=NextStep("rules", command="tokens create"))


def _connection_terms(*rules: Rules) -> list[str]:
    patterns = (pattern for item in rules for pattern in (*item.allow, *item.block))
    terms = {term.strip() for pattern in patterns for term in pattern.split("&")}
    return sorted(term for term in terms if term.startswith("connection:"))


def _fits(term: str, name: str) -> bool:
    try:
        return rule(term).fits(Request("", "", connection=name))
    except PatternError:
        # stored by a newer jackfield: its pattern is unreadable for every connection
        return False


def _serves(manifest: Manifest, action: ActionManifest, kind: str) -> bool:
    found = manifest.connection_type(kind)
    return found is not None and found.can_serve(action.key)


UNBOUND = Authorizer(Rules(), None, None)
"""Authorizer that allows everything, for the operator's own calls in a workspace without rules."""
