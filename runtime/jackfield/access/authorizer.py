"""The one place where access is decided: what a caller may run, see and change, on every surface.

``require`` is where a call or a change is refused; ``sees_*`` is what lists, searches, look-ups and suggestions show. All of them end in
``decide``. A surface asks no rule itself: it takes the catalog, the connections and the journal that are bound to its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from jackfield.access.patterns import INLINE, PatternError, Request, rule
from jackfield.access.rules import Decision, Rules, Scope, decide
from jackfield.errors import NotAllowed
from jackfield.fork import at_fork
from jackfield.hints import NextStep

if TYPE_CHECKING:
    from jackfield.manifest import ActionManifest, Manifest

__all__ = ["Authorizer"]

_EFFECTS = ("read", "idempotent", "write")

Names = Callable[[], Iterable[tuple[str, str]]]
"""Gives the names and types of the workspace's connections."""


class Authorizer:
    """Decides for one caller in one workspace.

    ``token`` and ``scope`` are None for the operator's own calls. ``names`` is asked only where a rule speaks of connections. ``ended``
    says why the caller's token is not good any more; nothing is allowed then. ``remote`` callers come over a network, without a token over
    Dapr's API.
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
        """Whether any rule narrows what the caller sees."""
        return bool(self.workspace or self.token)

    def decide(self, request: Request) -> Decision:
        """Decide whether the caller may run something."""
        if self._ended is not None:
            sentence = f"the token {self._ended}"
            return Decision(False, sentence, "token", brief=sentence)
        return decide(self.workspace, self.token, self.scope, request)

    def verdict(self, manifest: Manifest, request: Request) -> Decision:
        """Decide as a caller is told beforehand: without patterns for a caller with a token, since they may name what is hidden.

        A request that leaves the connection open stands for whichever the rules allow.
        """
        decision = self.decide(request)
        if request.connection is None and manifest.connection_types and not decision.allowed:
            names = (INLINE, *(name for name, _ in self._samples))
            others = (self.decide(Request(request.connector, request.action, request.effect, name)) for name in names)
            decision = next((other for other in others if other.allowed), decision)
        return decision if self._in_full else decision.guarded()

    def require(self, request: Request, note: Callable[[str], object] | None = None) -> None:
        """Do nothing where the caller may run something. ``note`` takes the deciding rule for the journal.

        :raises NotAllowed: where a rule forbids it. Callers over a network are told whose rule it is, the operator is told the rule.
        """
        decision = self.decide(request)
        if decision.allowed:
            return
        if note is not None:
            note(decision.rule)
        raise decision.refusal(in_full=self._in_full)

    def refuse_unknown(
        self, manifest: Manifest | None, request: Request, note: Callable[[str], object] | None = None, *, any_connection: bool
    ) -> None:
        """Refuse a call of something that is hidden or not there, unless the rules would allow it: both are answered alike.

        :raises NotAllowed: where no way of running it is allowed.
        """
        action = manifest.actions.get(request.action) if manifest is not None else None
        effects = _EFFECTS if action is None else (action.effect,)
        connections = [request.connection]
        if any_connection and (manifest is None or manifest.connection_types):
            connections = [INLINE, *(name for name, _ in self._samples)]
        wishes = [Request(request.connector, request.action, effect, name) for effect in effects for name in connections]
        if not any(self.decide(wish).allowed for wish in wishes):
            self.require(Request(request.connector, request.action, effects[-1], connections[0]), note)

    def permits(self, manifest: Manifest, action: ActionManifest, connection: str | None) -> bool:
        """Return whether the rules allow an action over a connection, whatever the token's scope is."""
        return decide(self.workspace, self.token, None, Request(manifest.key, action.key, action.effect, connection)).allowed

    def sees_action(self, manifest: Manifest, action: ActionManifest) -> bool:
        """Return whether there is a way to run the action: over one connection at least, or over none where it needs none."""
        if not self.is_bound:
            return True
        if not self._terms or not manifest.connection_types:
            return self.permits(manifest, action, None)
        names = (name for name, kind in self._samples if _serves(manifest, action, kind))
        return any(self.permits(manifest, action, name) for name in (INLINE, *names))

    def sees_connection(self, name: str, kind: str, manifests: Iterable[Manifest]) -> bool:
        """Return whether some action of a connector that takes connections of the type ``kind`` may be run over this one."""
        return not self.is_bound or any(self.uses(manifest, name, kind) for manifest in manifests)

    def uses(self, manifest: Manifest, name: str, kind: str) -> bool:
        """Return whether some action of this connector may be run over a connection of the type ``kind``."""
        serving = (action for action in manifest.actions.values() if _serves(manifest, action, kind))
        return any(self.permits(manifest, action, name) for action in serving)

    def require_connection(self, name: str, kinds: Iterable[tuple[str, Iterable[Manifest]]]) -> None:
        """Do nothing where a connection of that name may be used as one of ``kinds``: types, with the connectors that take them.

        :raises NotAllowed: where the rules forbid it, be there such a connection or not.
        """
        known = list(kinds)
        if any(self.sees_connection(name, kind, manifests) for kind, manifests in known):
            return
        others = Authorizer(self.workspace, None, None)
        source = "token" if any(others.sees_connection(name, kind, manifests) for kind, manifests in known) else "workspace"
        what = "an inline connection" if name == INLINE else f"the connection '{name[:100]}'"
        raise _refused(f"the rules of the {source} forbid the use of {what}")

    def require_rename(self, old: str, new: str, kind: str, manifests: Iterable[Manifest]) -> None:
        """Do nothing where the rules allow no more over a connection under its new name than under its old one.

        :raises NotAllowed: where they would.
        """
        for manifest in manifests:
            for action in manifest.actions.values():
                widened = self.permits(manifest, action, new) and not self.permits(manifest, action, old)
                if widened and _serves(manifest, action, kind):
                    raise _refused(f"the rules would allow more over '{new}' than over '{old}'")

    def sees_entry(self, manifest: Manifest | None, connector: str, action: str, effect: str | None, connection: str | None) -> bool:
        """Return whether the token's rules would allow the call of a journal entry, whoever made it.

        The workspace's rules are not asked: they bind everybody alike, and what happened before they were set stays in sight. An entry
        names no connection where none was needed, and where one was given inline.
        """
        if not self.token:
            return True
        known = manifest.actions.get(action) if manifest is not None else None
        effects = (effect,) if effect is not None else (known.effect,) if known is not None else _EFFECTS
        inline = manifest is None or bool(manifest.connection_types)
        over = connection or (INLINE if inline else None)
        return all(decide(Rules(), self.token, None, Request(connector, action, one, over)).allowed for one in effects)

    @cached_property
    def _samples(self) -> tuple[tuple[str, str], ...]:
        """Connections, but of those that the rules cannot tell apart one only."""
        return tuple({(kind, *(_fits(term, name) for term in self._terms)): (name, kind) for name, kind in self._named()}.values())

    def _named(self) -> Iterator[tuple[str, str]]:
        if self._terms:
            yield from self._names()


at_fork(Authorizer.__dict__["_samples"])  # Python 3.11 holds one lock for all while it is made


def _refused(sentence: str) -> NotAllowed:
    return NotAllowed(f"not allowed: {sentence}", hint=NextStep("rules", command="tokens create"))


def _connection_terms(*rules: Rules) -> list[str]:
    """Return the terms of all patterns that speak of connections."""
    patterns = (pattern for item in rules for pattern in (*item.allow, *item.block))
    terms = {term.strip() for pattern in patterns for term in pattern.split("&")}
    return sorted(term for term in terms if term.startswith("connection:"))


def _fits(term: str, name: str) -> bool:
    try:
        return rule(term).fits(Request("", "", connection=name))
    except PatternError:  # stored by a newer jackfield: the pattern that it is part of cannot be read for any connection
        return False


def _serves(manifest: Manifest, action: ActionManifest, kind: str) -> bool:
    found = manifest.connection_type(kind)
    return found is not None and found.can_serve(action.key)
