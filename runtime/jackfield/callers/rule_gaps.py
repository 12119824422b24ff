"""Detection of patterns that match no installed action, and of rules that miss idempotent changes:
``writes: ask``, and patterns that block ``effect:write`` or make it wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from jackfield.callers.rules import (
    CONNECTION,
    INLINE,
    LISTS,
    PatternError,
    Request,
    Rule,
    Rules,
    rule,
)
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import did_you_mean

if TYPE_CHECKING:
    from jackfield.catalog.installed import Catalog

_WRITE, _WIDER, _LEFT = "effect:write", "effect:change", "effect:idempotent"
_SETTING, _ASKS = "/writes", "writes: ask"


@dataclass(frozen=True, slots=True)
class Gap:
    """Pattern at ``path`` that misses ``count`` installed actions that change something, such as
    ``example``.
    """

    path: str
    pattern: str
    count: int
    example: str

    def to_json(self) -> dict[str, str]:
        """Return the gap as a warning."""
        noun = (
            "1 installed action that changes something"
            if self.count == 1
            else f"{self.count:,} installed actions that change something"
        )
        wider = " & ".join(_WIDER if term == _WRITE else term for term in _terms(self.pattern))
        given = _ASKS if self.path == _SETTING else self.pattern[:80]
        wider = f"approve {wider}" if self.path == _SETTING else wider
        message = (
            f"'{given}' leaves out {noun}, being idempotent, such as '{self.example}'; "
            f"'{wider[:80]}' covers all changes"
        )
        return {"path": self.path, "message": message}


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Pattern at ``path`` that matches no installed action, and why."""

    path: str
    pattern: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """Return the pattern as a warning."""
        message = f"'{self.pattern[:80]}' matches no installed action: {self.reason}"
        return {"path": self.path, "message": message}


def unmatched(rules: Rules, catalog: Callable[[], Catalog]) -> list[Unmatched]:
    """Return the patterns that name a connector which is not installed, or no action of it.
    ``catalog`` is called only if a pattern names a connector.
    """
    named = [
        (path, text, term)
        for path, text in _placed(rules, LISTS)
        for term in _terms(text)
        if "/" in term and "*" not in term.partition("/")[0]
    ]
    whole = catalog() if named else None
    return [
        Unmatched(path, text, reason)
        for path, text, term in named
        if whole is not None and (reason := _why_nothing_fits(term, whole))
    ]


def _why_nothing_fits(term: str, catalog: Catalog) -> str:
    """Return why a term matches nothing that is installed; an empty string if it may match.

    Connectors of a family, such as ``aws.s3``, exist where a workspace is offered or stores them.
    """
    connector, _, action = term.partition("/")
    if "." in connector:
        return ""
    manifest = catalog.look(connector)[1]
    if manifest is None:
        return f"no connector '{connector[:80]}'{did_you_mean(connector, catalog)}"
    rows = manifest.rows()
    pattern = rule(term)
    if any(pattern.fits(Request(connector, row.key)) for row in rows):
        return ""
    keys = [row.key for row in rows]
    return f"'{connector}' has no action '{action[:80]}'{did_you_mean(action, keys)}"


def gaps(rules: Rules, catalog: Callable[[], Catalog]) -> list[Gap]:
    """Return the gaps of patterns that block or approve ``effect:write``: actions that no other
    pattern covers. ``catalog`` is called only if there is such a pattern.
    """
    narrow = [
        (path, text)
        for path, text in _placed(rules, ("block", "approve"))
        if _WRITE in _terms(text)
    ]
    narrow += [(_SETTING, _WRITE)] if rules.asks_writes else []
    if not narrow:
        return []
    covering = [*_parsed((*rules.block, *rules.approve))]
    allowing = [*_parsed(_bare(text) for text in rules.allow)]
    whole, found = catalog(), []
    for path, text in narrow:
        left = [
            f"{one.connector}/{one.action}"
            for one in _idempotent(whole, rule(_bare(text.replace(_WRITE, _LEFT))), _sample(text))
            if not any(other.fits(one) for other in covering)
            and (not allowing or any(other.fits(one) for other in allowing))
        ]
        found += [Gap(path, text, len(left), left[0])] if left else []
    return found


def _idempotent(catalog: Catalog, pattern: Rule, connection: str | None) -> Iterator[Request]:
    for key in catalog:
        manifest = catalog.look(key)[1] if pattern.may_fit(key) else None
        rows = manifest.rows() if manifest is not None else ()
        yield from (
            one
            for row in rows
            if pattern.fits(one := Request(key, row.key, row.effect, connection))
        )


def _parsed(patterns: Iterable[str]) -> Iterator[Rule]:
    for text in patterns:
        try:
            yield rule(text)
        except PatternError:  # stored by a newer jackfield
            continue


def _placed(rules: Rules, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the patterns in the lists ``names``, with their places."""
    for name in names:
        patterns: tuple[str, ...] = getattr(rules, name)
        for place, text in enumerate(patterns):
            yield f"/rules/{name}/{place}", text


def _terms(text: str) -> list[str]:
    return [term.strip() for term in text.split("&")]


def _bare(text: str) -> str:
    return " & ".join(term for term in _terms(text) if not term.startswith(CONNECTION)) or "*"


def _sample(text: str) -> str | None:
    """Return an example of a connection's name that a pattern may match; None if it matches any."""
    names = (term.removeprefix(CONNECTION) for term in _terms(text) if term.startswith(CONNECTION))
    return next((name if name == INLINE else name.replace("*", "") or "x" for name in names), None)
