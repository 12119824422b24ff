"""Who may run what: allow and block patterns of a workspace and of a token, and the rule that decides. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from jackfield.access.patterns import PatternError, Request, Rule, rule
from jackfield.errors import Detail, InvalidInvocation, NotAllowed
from jackfield.hints import NextStep

__all__ = ["SCOPES", "Decision", "Rules", "Scope", "Source", "Step", "decide", "may"]

Scope = Literal["read", "invoke", "manage"]
"""What a token is for: ``read`` sees, ``invoke`` sees and runs, ``manage`` does all."""
Source = Literal["scope", "workspace", "token", "default"]
"""Where the deciding rule stands; ``default`` where no rule was needed."""
SCOPES: tuple[Scope, ...] = ("read", "invoke", "manage")
_MOST = 1000
_FORMS = "Write connector/action, connection:NAME or effect:write, with * for any characters; & between terms that must all fit."


@dataclass(frozen=True, slots=True)
class Rules:
    """Patterns that allow and patterns that block. No allow pattern at all allows everything."""

    allow: tuple[str, ...] = ()
    block: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.allow or self.block)

    @classmethod
    def checked(cls, allow: Iterable[str] = (), block: Iterable[str] = ()) -> Rules:
        """These patterns, each once, if all of them mean something.

        :raises InvalidInvocation: with every fault at once.
        """
        rules = cls(tuple(dict.fromkeys(allow)), tuple(dict.fromkeys(block)))
        faults = [*_faults("allow", rules.allow), *_faults("block", rules.block)]
        if faults:
            count = "1 pattern is" if len(faults) == 1 else f"{len(faults)} patterns are"
            raise InvalidInvocation(f"{count} not valid", details=faults, hint=_FORMS)
        return rules

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Rules:
        """What ``to_json`` wrote."""
        return cls(tuple(data.get("allow", ())), tuple(data.get("block", ())))

    def to_json(self) -> dict[str, list[str]]:
        """``{"allow": […], "block": […]}``."""
        return {"allow": list(self.allow), "block": list(self.block)}


def _faults(name: str, patterns: tuple[str, ...]) -> Iterator[Detail]:
    if len(patterns) > _MOST:
        yield Detail(f"/rules/{name}", f"has more than {_MOST:,} patterns", "maxItems")
        return
    for place, text in enumerate(patterns):
        try:
            rule(text)
        except PatternError as fault:
            yield Detail(f"/rules/{name}/{place}", f"the pattern '{text[:80]}' is not valid: {fault}", "pattern")


@dataclass(frozen=True, slots=True)
class Step:
    """One pattern that was looked at on the way to a decision."""

    source: Source
    kind: Literal["allow", "block"]
    pattern: str
    fits: bool

    def to_json(self) -> dict[str, Any]:
        """The step as a JSON object."""
        return {"source": self.source, "list": self.kind, "pattern": self.pattern, "fits": self.fits}


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request may run. ``rule`` is the sentence that says why, ``trail`` every pattern up to the one that decided, ``brief`` the
    sentence for a caller who may not see the patterns: it says whose rules refuse."""

    allowed: bool
    rule: str
    source: Source
    trail: tuple[Step, ...] = ()
    brief: str = field(default="", compare=False)

    def to_json(self) -> dict[str, Any]:
        """The decision as a JSON object."""
        return {"allowed": self.allowed, "rule": self.rule, "source": self.source, "trail": [step.to_json() for step in self.trail]}

    def guarded(self) -> Decision:
        """Return the decision without patterns, for a caller with a token."""
        return replace(self, rule=self.brief or self.rule, trail=())

    def refusal(self, *, in_full: bool = True) -> NotAllowed:
        """The error for a decision that refuses."""
        where = "workspaces set" if self.source == "workspace" else "tokens create"
        sentence = self.rule if in_full else self.brief or self.rule
        return NotAllowed(f"not allowed: {sentence}", hint=NextStep("rules", command=where))


_FREE = Decision(True, "nothing forbids it: neither the workspace nor the token has rules", "default")


def may(scope: Scope, needed: Scope) -> bool:
    """Whether a token of ``scope`` may do what ``needed`` is for."""
    return SCOPES.index(scope) >= SCOPES.index(needed)


def decide(workspace: Rules, token: Rules | None, scope: Scope | None, request: Request) -> Decision:
    """Whether a request may run, and the rule that decides: the scope, then what blocks (workspace, token), then what allows (both must).

    ``token`` and ``scope`` are None for the operator's own calls, by library and command line, which the workspace's rules bind all the
    same.
    """
    if scope is not None and not may(scope, "invoke"):
        return Decision(False, f"the token's scope '{scope}' may see things and run none", "scope")
    if not workspace and not token:
        return _FREE
    layers: list[tuple[Source, Rules]] = [("workspace", workspace), ("token", token or Rules())]
    trail: list[Step] = []
    for source, rules in layers:
        fault = _first(source, "block", rules.block, request, trail)
        if fault is not None:
            sentence = f"the {source}'s block pattern '{fault.text}' forbids {request}"
            return Decision(False, sentence, source, tuple(trail), _brief(source, request))
    return _allowed(layers, request, trail)


def _allowed(layers: list[tuple[Source, Rules]], request: Request, trail: list[Step]) -> Decision:
    """The decision of the allow patterns; the innermost that fits is named, as the narrowest."""
    last: tuple[Source, Rule] | None = None
    for source, rules in layers:
        if not rules.allow:
            continue
        found = _first(source, "allow", rules.allow, request, trail)
        if found is None:
            patterns = ", ".join(f"'{text}'" for text in rules.allow[:10]) + (", …" if len(rules.allow) > 10 else "")
            sentence = f"no allow pattern of the {source} fits {request}: it has {patterns}"
            return Decision(False, sentence, source, tuple(trail), _brief(source, request))
        last = source, found
    if last is None:
        return Decision(True, f"no block pattern fits {request}, and there are no allow patterns", "default", tuple(trail))
    sentence = f"the {last[0]}'s allow pattern '{last[1].text}' fits {request}"
    return Decision(True, sentence, last[0], tuple(trail), f"the rules of the {last[0]} allow {request}")


def _brief(source: Source, request: Request) -> str:
    return f"the rules of the {source} forbid {request}"


def _first(source: Source, kind: Literal["allow", "block"], patterns: tuple[str, ...], request: Request, trail: list[Step]) -> Rule | None:
    """The first pattern that fits; what was looked at goes to ``trail``."""
    for text in patterns:
        try:
            found = rule(text)
            fits = found.fits(request)
        except PatternError:  # stored by a newer jackfield: what cannot be read blocks, and allows nothing
            found, fits = Rule(text, ()), kind == "block"
        trail.append(Step(source, kind, text, fits))
        if fits:
            return found
    return None
