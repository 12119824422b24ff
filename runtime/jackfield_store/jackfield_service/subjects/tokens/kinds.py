"""Tokens in files: the shape of each token. A token is created unless a valid one has the shape; a
changed shape is a new token.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jackfield.callers.rules import LISTS, Rules
from jackfield.cli.session import every
from jackfield.kernel.clock import Clock, moment
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import NotAllowed
from jackfield_service.shell.http.shape_parts import RULES, STRING, closed_with
from jackfield_service.shell.resource.kinds import Done, Json, Kind, KindRow, Wanted
from jackfield_service.shell.resource.meanings import as_set, as_sets
from jackfield_service.shell.resource.resource import Visit
from jackfield_service.subjects.tokens.shapes import SHAPES
from jackfield_store.access import Token, Tokens
from jackfield_store.database import Database

_HANGS = "SELECT name FROM {} WHERE workspace = :workspace AND token = :token ORDER BY name"


@dataclass(frozen=True, slots=True)
class _Shapes:
    tokens: Tokens
    database: Database
    workspace: str
    clock: Clock
    own: str | None
    """ID of the caller's token; None if the caller has none."""


def _open(visit: Visit) -> _Shapes:
    storage = visit.storage
    tokens = Tokens(storage.database, storage.vault, visit.workspace, visit.clock, visit.actor)
    return _Shapes(tokens, storage.database, visit.workspace, visit.clock, visit.caller.token)


def _row(token: Token, now: float) -> KindRow:
    shown = token.to_json(now)
    stated: dict[str, Any] = {
        name: shown[name] for name in ("scope", "rules", "quotas") if name in shown
    }
    return KindRow(token.name, token.id, stated, shown)


def _all(shapes: _Shapes, wanted: Wanted) -> Iterator[KindRow]:
    now = shapes.clock.time()
    for token in every(lambda cursor, limit: shapes.tokens.list(cursor=cursor, limit=limit)):
        if token.status(now) == "active" and not token.unreadable and wanted(token.name):
            yield _row(token, now)


def _make(shapes: _Shapes, name: str, spec: Json) -> Done:
    rules, expires = spec.get("rules", {}), spec.get("expiresAt")
    until = None if expires is None else moment(str(expires), shapes.clock.time(), 1, "'expiresAt'")
    checked = Rules.checked(*(rules.get(one, ()) for one in LISTS))
    made = shapes.tokens.create(spec["scope"], name, checked, until, spec.get("quotas", ()))
    return Done(_row(made.token, shapes.clock.time()), {"token": made.text})


def _change(shapes: _Shapes, found: KindRow, spec: Json) -> Done:
    _end(shapes, found)
    return _make(shapes, found.name, {**found.stated, **spec})


def _end(shapes: _Shapes, found: KindRow) -> None:
    if found.key == shapes.own:
        raise NotAllowed("a token cannot end itself", hint="Use another one.")
    shapes.tokens.revoke(found.key)


def _hangs(shapes: _Shapes, found: KindRow) -> Iterator[str]:
    """Yield the objects that run with the rights of a token."""
    for kind in ("schedule", "subscription"):
        with shapes.database.read(flush=False) as transaction:
            rows = transaction.execute(
                _HANGS.format(f"{kind}s"), {"workspace": shapes.workspace, "token": found.key}
            )
        yield from (f"{kind} {row.name}" for row in rows)


def _passed(spec: Json, visit: Visit) -> str:
    """Return why a token is not made that would have expired."""
    now, expires = visit.clock.time(), spec.get("expiresAt")
    is_over = expires is not None and moment(str(expires), now, 1, "'expiresAt'") <= now
    return "its 'expiresAt' has passed" if is_over else ""


def _rules(value: Any) -> Any:
    """Return what rules mean: the order of patterns has no meaning, an empty list is none."""
    found = as_sets(value)
    return {name: one for name, one in found.items() if one} if isinstance(found, dict) else found


_SHAPE = SHAPES["NewToken"]["properties"]
KINDS = (
    Kind(
        "tokens",
        closed_with(
            ("scope",),
            {
                "scope": _SHAPE["scope"],
                "rules": RULES,
                "quotas": _SHAPE["quotas"],
                "expiresAt": STRING,
            },
        ),
        _open,
        _all,
        _make,
        _change,
        _end,
        4,
        hangs=_hangs,
        platforms=True,
        meanings={"rules": _rules, "quotas": as_set},
        passed=_passed,
    ),
)
