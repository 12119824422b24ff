"""Allow, block and approve patterns of a workspace and of a token, and the decision from them.
Pure: no database, no clock.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.errors import Detail, InvalidInvocation, NotAllowed, did_you_mean
from jackfield.kernel.gaps import with_gaps
from jackfield.kernel.hints import NextStep

INLINE = "@inline"
"""Name of every inline connection; no stored connection can have it."""
ANY_ACTION = "@any"
"""Action that no pattern can name. A pattern that fits it fits all actions of its connector."""
_CHANGE = "change"
"""Term of a pattern that means every effect but ``read``."""
_EFFECTS = ("read", "idempotent", "write", _CHANGE)
CONNECTION = "connection:"
"""Prefix of a pattern's term for connections."""
_LONGEST = 500
_CONNECTOR = re.compile(r"[a-z0-9.*-]+\Z")
_ACTION = re.compile(r"[A-Za-z0-9*]+\Z")
_CONNECTION = re.compile(r"[A-Za-z0-9._*-]+\Z")

Fits = Callable[["Request"], bool]


class PatternError(ValueError):
    """Error for a pattern that is not valid; the message says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """Request of a caller to run an action. ``connection`` is a stored connection's name,
    ``INLINE``, or None if none is needed.
    """

    connector: str
    action: str
    effect: str = "write"
    connection: str | None = None

    def __str__(self) -> str:
        called = (
            f"{self.connector}/{self.action}"
            if self.action != ANY_ACTION
            else f"a request of {self.connector} that is no action's"
        )
        if self.connection is None:
            return called
        return f"{called} with " + (
            "an inline connection" if self.connection == INLINE else f"'{self.connection}'"
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One parsed pattern; ``text`` is its original form."""

    text: str
    _terms: tuple[Fits, ...] = field(repr=False, compare=False)
    _connectors: tuple[Callable[[str], bool], ...] = field(default=(), repr=False, compare=False)
    _connections: tuple[Fits, ...] = field(default=(), repr=False, compare=False)

    def may_fit(self, connector: str, connection: str | None = None) -> bool:
        """Return whether the pattern can match a request of the connector, over ``connection`` if
        it is given.
        """
        if connection is not None and not all(
            fits(Request("", "", connection=connection)) for fits in self._connections
        ):
            return False
        return all(fits(connector) for fits in self._connectors)

    def fits(self, request: Request) -> bool:
        """Return whether every term of the pattern matches the request."""
        return all(term(request) for term in self._terms)


@lru_cache(maxsize=10_000)
def rule(text: str) -> Rule:
    """Parse a pattern.

    :raises PatternError: if the pattern is not valid.
    """
    if len(text) > _LONGEST:
        raise PatternError(f"it has more than {_LONGEST} characters")
    parts = [part.strip() for part in text.split("&")]
    terms = [(part, _term(part)) for part in parts]
    connectors = tuple(_glob(part.partition("/")[0]) for part in parts if "/" in part)
    connections = tuple(fits for part, fits in terms if part.startswith(CONNECTION))
    return Rule(text, tuple(fits for _, fits in terms), connectors, connections)


def _term(text: str) -> Fits:
    if text == "*":
        return lambda _request: True
    kind, colon, value = text.partition(":")
    if colon:
        return _kind(kind, value)
    connector, slash, action = text.partition("/")
    if not slash:
        raise PatternError(f"'{text[:80]}' is not a valid term" if text else "it has an empty term")
    if not _CONNECTOR.match(connector) or not _ACTION.match(action):
        raise PatternError(f"'{text[:80]}' is not a connector's key and an action's key")
    fits_connector, fits_action = _glob(connector), _glob(action)
    return lambda request: fits_connector(request.connector) and fits_action(request.action)


def _kind(kind: str, value: str) -> Fits:
    if kind == "effect":
        if value not in _EFFECTS:
            raise PatternError(f"'{value[:80]}' is not an effect{did_you_mean(value, _EFFECTS)}")
        return (
            (lambda request: request.effect != "read")
            if value == _CHANGE
            else (lambda request: request.effect == value)
        )
    if kind == "connection":
        if value != INLINE and not _CONNECTION.match(value):
            raise PatternError(f"'{value[:80]}' is not a connection's name")
        fits = _glob(value)
        return lambda request: request.connection is not None and fits(request.connection)
    raise PatternError(f"unknown prefix '{kind[:80]}:'; expected 'connection:' or 'effect:'")


def _glob(text: str) -> Callable[[str], bool]:
    if "*" not in text:
        return lambda name: name == text
    parts = re.split(r"\*+", text)
    matching = re.compile(with_gaps(parts, [".*?"] * (len(parts) - 1)))
    return lambda name: matching.fullmatch(name) is not None


Scope = Literal[
    "read", "invoke", "manage", "approve", "invoke approve", "manage approve", "platform"
]
"""Rights of a token: ``read`` views, ``invoke`` also runs, ``manage`` does everything in its
workspace except ``approve``, which views and decides on calls that wait for a person. ``platform``
manages workspaces and has no right in any. Several scopes are separated by a space, as in OAuth.
"""
Source = Literal["scope", "workspace", "token", "default"]
"""Origin of the deciding rule; ``default`` if no rule was needed."""
SCOPES: tuple[Scope, ...] = ("read", "invoke", "manage")
"""Scopes in ascending order: each includes the rights of those before it."""
APPROVE: Scope = "approve"
TOKEN_SCOPES: tuple[Scope, ...] = (*SCOPES, APPROVE, "invoke approve", "manage approve")
"""Scopes that a token of a workspace may have."""
LISTS = ("allow", "block", "approve")
"""Names of the lists of patterns."""
_MOST = 1000
_FORMS = (
    "Write connector/action, connection:NAME or effect:change, with * for any characters; "
    "join terms that must all match with &."
)


@dataclass(frozen=True, slots=True)
class Rules:
    """Patterns that allow calls, block calls, or make them wait for a person's approval. Without
    allow patterns, everything is allowed. With ``asks_writes``, which is stored separately, a write
    waits too, unless an allow pattern names its action. ``quotas`` limit the effects of a token.
    """

    allow: tuple[str, ...] = ()
    block: tuple[str, ...] = ()
    approve: tuple[str, ...] = ()
    asks_writes: bool = False
    quotas: tuple[str, ...] = ()
    """Quotas, each as JSON."""

    def __bool__(self) -> bool:
        return bool(self.allow or self.block or self.approve or self.quotas)

    @property
    def forbids(self) -> bool:
        """True if any pattern may forbid something."""
        return bool(self.allow or self.block)

    @property
    def loans(self) -> set[tuple[str, str]]:
        """Pairs of action and connection that an allow pattern names together, without a wildcard,
        as ``("http/request", "acme")``.
        """
        pairs = (
            sorted((term.strip() for term in text.split("&")), key=lambda term: "/" not in term)
            for text in self.allow
        )
        named = (
            pair
            for pair in pairs
            if len(pair) == 2
            and pair[1].startswith(CONNECTION)
            and "/" in pair[0]
            and "*" not in "".join(pair)
        )
        return {(action, name.removeprefix(CONNECTION)) for action, name in named}

    def about(self, connector: str, connection: str | None = None) -> Rules | None:
        """Return the allow and block rules without patterns that match no action of a connector,
        over ``connection`` if it is given. Return None if they allow none of its actions.

        The decision on any of its actions stays the same.
        """
        allow = tuple(
            text for text in self.allow if _may_fit(text, connector, connection, unreadable=False)
        )
        if self.allow and not allow:
            return None
        return Rules(
            allow,
            tuple(
                text
                for text in self.block
                if _may_fit(text, connector, connection, unreadable=True)
            ),
        )

    def name(self, request: Request) -> bool:
        """Return whether an allow pattern that matches a request names its action, without a
        wildcard.
        """
        return any(rule(text).fits(request) for text in self.naming)

    @property
    def naming(self) -> set[str]:
        """Allow patterns that name an action, without a wildcard."""
        return {
            text
            for text in self.allow
            if any("/" in term and "*" not in term for term in text.split("&"))
        }

    @classmethod
    def checked(
        cls, allow: Iterable[str] = (), block: Iterable[str] = (), approve: Iterable[str] = ()
    ) -> Rules:
        """Build rules from valid patterns, without duplicates.

        :raises InvalidInvocation: with all faults at once.
        """
        rules = cls(
            tuple(dict.fromkeys(allow)), tuple(dict.fromkeys(block)), tuple(dict.fromkeys(approve))
        )
        faults = [
            *_faults("allow", rules.allow),
            *_faults("block", rules.block),
            *_faults("approve", rules.approve),
        ]
        if faults:
            count = "1 pattern is" if len(faults) == 1 else f"{len(faults)} patterns are"
            raise InvalidInvocation(f"{count} not valid", details=faults, hint=_FORMS)
        return rules

    @classmethod
    def from_json(cls, data: object) -> Rules:
        """Read rules that ``to_json`` wrote.

        :raises TypeError: if the JSON has another shape.
        """
        found: list[Any] = (
            [data.get(name, []) for name in (*LISTS, "quotas")]
            if isinstance(data, Mapping)
            else [None]
        )
        *lists, quotas = found
        if quotas is None or not all(
            isinstance(patterns, list) and all(isinstance(text, str) for text in patterns)
            for patterns in lists
        ):
            raise TypeError("rules are an object with arrays of patterns")
        allow, block, approve = (tuple(patterns) for patterns in lists)
        return cls(
            allow, block, approve, quotas=tuple(json.dumps(one, sort_keys=True) for one in quotas)
        )

    def to_json(self) -> dict[str, list[Any]]:
        """Return ``{"allow": […], "block": […]}``, and ``approve`` and ``quotas`` if there are
        any.
        """
        quotas = [json.loads(text) for text in self.quotas]
        also = {
            name: [*given]
            for name, given in (("approve", self.approve), ("quotas", quotas))
            if given
        }
        return {"allow": list(self.allow), "block": list(self.block), **also}

    def apart(self) -> dict[str, Any]:
        """Return the rules and quotas as two members of a JSON object: ``rules``, and ``quotas`` if
        there are any.
        """
        rules = self.to_json()
        quotas = rules.pop("quotas", None)
        return {"rules": rules, **({"quotas": quotas} if quotas else {})}


def _may_fit(text: str, connector: str, connection: str | None, *, unreadable: bool) -> bool:
    try:
        return rule(text).may_fit(connector, connection)
    except PatternError:  # stored by a newer jackfield
        return unreadable


def _faults(name: str, patterns: tuple[str, ...]) -> Iterator[Detail]:
    if len(patterns) > _MOST:
        yield Detail(f"/rules/{name}", f"has more than {_MOST:,} patterns", "maxItems")
        return
    for place, text in enumerate(patterns):
        try:
            rule(text)
        except PatternError as fault:
            yield Detail(
                f"/rules/{name}/{place}",
                f"the pattern '{text[:80]}' is not valid: {fault}",
                "pattern",
            )


@dataclass(frozen=True, slots=True)
class TriedPattern:
    """Pattern that was tested for a decision."""

    source: Source
    kind: Literal["allow", "block"]
    pattern: str
    fits: bool

    def to_json(self) -> dict[str, Any]:
        """Return the tested pattern as a JSON object."""
        return {
            "source": self.source,
            "list": self.kind,
            "pattern": self.pattern,
            "fits": self.fits,
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """Verdict on a request. ``rule`` is the sentence that gives the reason, ``trail`` lists every
    pattern up to the deciding one. ``brief`` is the sentence for a caller who may not see the
    patterns: it says whose rules refuse.
    """

    allowed: bool
    rule: str
    source: Source
    trail: tuple[TriedPattern, ...] = ()
    brief: str = field(default="", compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the decision as a JSON object."""
        return {
            "allowed": self.allowed,
            "rule": self.rule,
            "source": self.source,
            "trail": [step.to_json() for step in self.trail],
        }

    def guarded(self) -> Decision:
        """Return the decision without patterns, for a caller with a token."""
        return replace(self, rule=self.brief or self.rule, trail=())

    def refusal(self, *, in_full: bool = True) -> NotAllowed:
        """Return the error for a decision that refuses; without patterns unless ``in_full``."""
        where = "workspaces set" if self.source == "workspace" else "tokens create"
        sentence = self.rule if in_full else self.brief or self.rule
        return NotAllowed(f"not allowed: {sentence}", hint=NextStep("rules", command=where))


_FREE = Decision(True, "allowed: neither the workspace nor the token has rules", "default")


def scope_of(names: Iterable[str]) -> str:
    """Return a set of scopes as one: the highest of ``SCOPES``, combined with ``approve``, which
    includes ``read``.
    """
    given = {*names}
    rung = max((name for name in SCOPES if name in given), key=SCOPES.index, default="read")
    return rung if APPROVE not in given else APPROVE if rung == "read" else f"{rung} {APPROVE}"


def may(scope: Scope, needed: Scope) -> bool:
    """Return whether a token of ``scope`` has the rights of ``needed``."""
    if "platform" in (scope, needed):
        return scope == needed
    held, _, also = scope.partition(" ")
    if needed == APPROVE:
        return APPROVE in (held, also)
    rank = 0 if held == APPROVE else SCOPES.index(held)
    return rank >= SCOPES.index(needed)


def united(ladder: Scope | None, *, approves: bool) -> Scope | None:
    """Return the scope with the rights of ``ladder``, one of ``SCOPES``, and of ``approve`` if it
    ``approves``; None for no rights.
    """
    if not approves:
        return ladder
    return (
        APPROVE
        if ladder in (None, "read")
        else "manage approve"
        if ladder == "manage"
        else "invoke approve"
    )


def decide(
    workspace: Rules, token: Rules | None, scope: Scope | None, request: Request
) -> Decision:
    """Decide on a request: first by the scope, then by the block patterns (workspace, token), then
    by the allow patterns (both must match).

    ``token`` and ``scope`` are None for the operator's own calls by library and command line; the
    workspace's rules bind these calls, too.
    """
    if scope is not None and not may(scope, "invoke"):
        return Decision(
            False, f"the token's scope '{scope}' does not allow running actions", "scope"
        )
    if not workspace and not token:
        return _FREE
    layers: list[tuple[Source, Rules]] = [("workspace", workspace), ("token", token or Rules())]
    trail: list[TriedPattern] = []
    for source, rules in layers:
        fault = _first(source, "block", rules.block, request, trail)
        if fault is not None:
            sentence = f"the {source}'s block pattern '{fault.text}' forbids {request}"
            return Decision(False, sentence, source, tuple(trail), _brief(source, request))
    return _allowed(layers, request, trail)


def asks(workspace: Rules, token: Rules | None, request: Request) -> Source | None:
    """Return the source of the rules that make a request wait for a person's approval; None if no
    rule does. A pattern that cannot be parsed makes all requests wait.
    """
    layers: tuple[tuple[Source, Rules | None], ...] = (("workspace", workspace), ("token", token))
    for source, rules in layers:
        if rules is not None and any(_lets_wait(text, request) for text in rules.approve):
            return source
    return (
        "workspace"
        if workspace.asks_writes and request.effect == "write" and not workspace.name(request)
        else None
    )


def with_wait(
    decision: Decision, workspace: Rules, token: Rules | None, request: Request
) -> Decision:
    """Return a decision whose reason also says whether an allowed call waits for a person's
    approval.
    """
    source = asks(workspace, token, request) if decision.allowed else None
    if source is None:
        return decision
    waits = f"; by the rules of the {source} it waits until a person approves it"
    return replace(
        decision, rule=f"{decision.rule}{waits}", brief=f"{decision.brief or decision.rule}{waits}"
    )


def _lets_wait(text: str, request: Request) -> bool:
    try:
        return rule(text).fits(request)
    except PatternError:  # stored by a newer jackfield
        return True


def _allowed(
    layers: list[tuple[Source, Rules]], request: Request, trail: list[TriedPattern]
) -> Decision:
    """Decide by the allow patterns. The reason names the innermost match, since it is the
    narrowest.
    """
    last: tuple[Source, Rule] | None = None
    for source, rules in layers:
        if not rules.allow:
            continue
        found = _first(source, "allow", rules.allow, request, trail)
        if found is None:
            patterns = ", ".join(f"'{text}'" for text in rules.allow[:10]) + (
                ", …" if len(rules.allow) > 10 else ""
            )
            sentence = f"no allow pattern of the {source} matches {request}: it has {patterns}"
            return Decision(False, sentence, source, tuple(trail), _brief(source, request))
        last = source, found
    if last is None:
        return Decision(
            True,
            f"no block pattern matches {request}, and there are no allow patterns",
            "default",
            tuple(trail),
        )
    sentence = f"the {last[0]}'s allow pattern '{last[1].text}' matches {request}"
    return Decision(
        True, sentence, last[0], tuple(trail), f"the rules of the {last[0]} allow {request}"
    )


def _brief(source: Source, request: Request) -> str:
    return f"the rules of the {source} forbid {request}"


def _first(
    source: Source,
    kind: Literal["allow", "block"],
    patterns: tuple[str, ...],
    request: Request,
    trail: list[TriedPattern],
) -> Rule | None:
    """Return the first pattern that matches; None if none does. Append every tested pattern to
    ``trail``.
    """
    for text in patterns:
        try:
            found = rule(text)
            fits = found.fits(request)
        except PatternError:
            # stored by a newer jackfield: an unreadable pattern blocks, and allows nothing
            found, fits = Rule(text, ()), kind == "block"
        trail.append(TriedPattern(source, kind, text, fits))
        if fits:
            return found
    return None
