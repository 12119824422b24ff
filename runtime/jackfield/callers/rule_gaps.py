"""Detection of rules that miss idempotent changes: ``writes: ask``, and
patterns that block ``effect:write`` or make it wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from jackfield.callers.rules import CONNECTION, INLINE, PatternError, Request, Rule, Rules, rule
from jackfield.kernel.dataclass import dataclass

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


def gaps(rules: Rules, catalog: Callable[[], Catalog]) -> list[Gap]:
    """Return the gaps of patterns that block or approve ``effect:write``: actions that no other
    pattern covers. ``catalog`` is called only if there is such a pattern.
    """
    narrow = [
        (f"/rules/{name}/{place}", text)
        for name, patterns in (("block", rules.block), ("approve", rules.approve))
        for place, text in enumerate(patterns)
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


def _terms(text: str) -> list[str]:
    return [term.strip() for term in text.split("&")]


def _bare(text: str) -> str:
    return " & ".join(term for term in _terms(text) if not term.startswith(CONNECTION)) or "*"


def _sample(text: str) -> str | None:
    """Return an example of a connection's name that a pattern may match; None if it matches any."""
    names = (term.removeprefix(CONNECTION) for term in _terms(text) if term.startswith(CONNECTION))
    return next((name if name == INLINE else name.replace("*", "") or "x" for name in names), None)
