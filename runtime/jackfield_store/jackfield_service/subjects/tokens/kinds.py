"""Tokens as files state them: the shape of each, of which one that lives is made once. A changed shape is a new token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.callers.rules import LISTS, Rules
from jackfield.cli.session import every
from jackfield.kernel.clock import Clock, moment
from jackfield.kernel.dataclass import dataclass
from jackfield_service.shell.http.shape_parts import RULES, STRING, closed_with
from jackfield_service.shell.resource.kinds import Json, Kind, KindRow
from jackfield_service.shell.resource.resource import Visit
from jackfield_service.subjects.tokens.shapes import SHAPES
from jackfield_store.access import Tokens
from jackfield_store.database import Database

_HANGS = "SELECT name FROM {} WHERE workspace = :workspace AND token = :token ORDER BY name"


@dataclass(frozen=True, slots=True)
class _Shapes:
    tokens: Tokens
    database: Database
    workspace: str
    clock: Clock


def _open(visit: Visit) -> _Shapes:
    storage = visit.storage
    tokens = Tokens(storage.database, storage.vault, visit.workspace, visit.clock, visit.actor)
    return _Shapes(tokens, storage.database, visit.workspace, visit.clock)


def _all(shapes: _Shapes) -> Iterator[KindRow]:
    now = shapes.clock.time()
    for token in every(lambda cursor, limit: shapes.tokens.list(cursor=cursor, limit=limit)):
        if token.status(now) == "active" and not token.unreadable:
            shown = token.to_json(now)
            stated: dict[str, Any] = {name: shown[name] for name in ("scope", "rules", "quotas") if name in shown}
            yield KindRow(token.name, token.id, stated, shown)


def _make(shapes: _Shapes, name: str, spec: Json) -> Mapping[str, Any]:
    rules, expires = spec.get("rules", {}), spec.get("expiresAt")
    until = None if expires is None else moment(str(expires), shapes.clock.time(), 1, "'expiresAt'")
    checked = Rules.checked(*(rules.get(one, ()) for one in LISTS))
    made = shapes.tokens.create(spec["scope"], name, checked, until, spec.get("quotas", ()))
    return {"token": made.text}


def _change(shapes: _Shapes, found: KindRow, spec: Json) -> Mapping[str, Any]:
    _end(shapes, found)
    return _make(shapes, found.name, {"scope": found.stated["scope"], **spec})


def _end(shapes: _Shapes, found: KindRow) -> None:
    shapes.tokens.revoke(found.key)


def _hangs(shapes: _Shapes, found: KindRow) -> Iterator[str]:
    """Yield what runs with the rights of a token."""
    for kind in ("schedule", "subscription"):
        with shapes.database.read(flush=False) as transaction:
            rows = transaction.execute(_HANGS.format(f"{kind}s"), {"workspace": shapes.workspace, "token": found.key})
        yield from (f"{kind} {row.name}" for row in rows)


_SHAPE = SHAPES["NewToken"]["properties"]
KINDS = (
    Kind(
        "tokens", closed_with(("scope",), {"scope": _SHAPE["scope"], "rules": RULES, "quotas": _SHAPE["quotas"], "expiresAt": STRING}),
        _open, _all, _make, _change, _end, 4, hangs=_hangs, platforms=True,
    ),
)  # fmt: skip
