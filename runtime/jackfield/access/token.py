"""A token as it is shown: without its text, which is stored nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast

from jackfield.access.rules import Rules, Scope
from jackfield.clock import iso
from jackfield.database.stored_values import nearest_time, parsed, possible_time
from jackfield.errors import InvalidInvocation

if TYPE_CHECKING:
    from jackfield.database import Row

__all__ = ["COLUMNS", "NewToken", "Token", "UnknownToken", "read_token"]

COLUMNS = "workspace, id, name, scope, rules, created_at, expires_at, revoked_at, last_used_at"


class UnknownToken(InvalidInvocation):
    """The workspace has no token with this id."""

    http_status = 404


@dataclass(frozen=True, slots=True)
class Token:
    """Token of one workspace, with its scope and rules. Times are seconds since 1970; ``last_used_at`` is exact to a minute."""

    workspace: str
    id: str
    name: str
    scope: Scope
    rules: Rules
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None
    damage: str | None = None
    """Description of the columns that cannot be read."""
    unreadable: bool = False
    """True if its rules cannot be read: nobody may use it then."""

    def status(self, now: float) -> Literal["active", "expired", "revoked"]:
        """Return the status at the time ``now``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    def to_json(self, now: float) -> dict[str, Any]:
        """Return the token as a JSON object."""
        return {
            "id": self.id,
            "name": self.name,
            "scope": self.scope,
            "status": self.status(now),
            "rules": self.rules.to_json(),
            "createdAt": iso(self.created_at),
            "expiresAt": iso(self.expires_at),
            "revokedAt": iso(self.revoked_at),
            "lastUsedAt": iso(self.last_used_at),
            **({"problem": self.damage} if self.damage is not None else {}),
        }


@dataclass(frozen=True, slots=True, repr=False)
class NewToken:
    """Token with its text, which only its creation returns."""

    text: str
    token: Token

    def __repr__(self) -> str:
        return f"<NewToken {self.token.id}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a new token cannot be pickled: its text is a secret")


def read_token(row: Row) -> Token:
    """Read a token from a row of the table ``tokens`` that was selected with ``COLUMNS``; a damaged row must not hide the others.

    Rules that cannot be read forbid everything. A time that cannot be formatted becomes the nearest one that can, and so keeps its order.
    """
    damaged: list[str] = []
    try:
        rules = Rules.from_json(parsed(row.rules))
    except (ValueError, TypeError):
        rules, damaged = Rules(block=("*",)), ["rules"]
    times: dict[str, float | None] = {}
    for name in ("created_at", "expires_at", "revoked_at", "last_used_at"):
        value = getattr(row, name)
        try:
            times[name] = possible_time(value) if value is not None else None
        except ValueError:
            damaged.append(name)
            times[name] = nearest_time(value)
    damage = f"its row in the database is damaged: {', '.join(damaged)}" if damaged else None
    scope = cast("Scope", row.scope)
    return Token(
        row.workspace, row.id, row.name, scope, rules, times.pop("created_at") or 0.0, **times, damage=damage, unreadable="rules" in damaged
    )
