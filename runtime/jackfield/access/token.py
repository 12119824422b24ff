"""A token as it is shown: without its text, which is stored nowhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast

from jackfield.access.rules import Rules, Scope
from jackfield.clock import iso
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
        }


@dataclass(frozen=True, slots=True, repr=False)
class NewToken:
    """Token with its text, which only its creation returns."""

    text: str
    token: Token

    def __repr__(self) -> str:
        return f"<NewToken {self.token.id}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a new token is not pickled: its text is a secret")


def read_token(row: Row) -> Token:
    """Read a token from a row of the table ``tokens`` that was selected with ``COLUMNS``."""
    return Token(
        workspace=row.workspace,
        id=row.id,
        name=row.name,
        scope=cast("Scope", row.scope),
        rules=Rules.from_json(json.loads(row.rules)),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
