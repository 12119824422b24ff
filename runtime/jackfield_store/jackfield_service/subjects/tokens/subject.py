"""Access tokens of a workspace. A token with rules manages none: it could otherwise create one
without rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.callers import TOKEN_SCOPES
from jackfield.callers.rules import LISTS, Rules
from jackfield.kernel.clock import Clock, moment
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield_service.shell.http.query_parts import BY_MOMENT
from jackfield_service.shell.http.shape_parts import (
    GAPS,
    MOMENT,
    NULLABLE,
    QUOTAS,
    RULES,
    STRING,
    Json,
)
from jackfield_service.shell.resource.meanings import as_set, as_sets
from jackfield_service.shell.resource.resource import Act, Field, InFiles, Is, Resource, Visit
from jackfield_store.access import Tokens

_MOMENT_OR_NULL: Json = {**NULLABLE, "format": "date-time"}


class OwnToken(InvalidInvocation):
    """Error for a token that is to revoke itself."""

    http_status = 409


@dataclass(frozen=True, slots=True)
class TokenDocuments:
    """Tokens of a workspace as documents; ``own`` is the ID of the caller's token, if it has
    one.
    """

    tokens: Tokens
    clock: Clock
    own: str | None = None

    def page(self, cursor: str | None = None, limit: int = 50) -> tuple[list[Json], str | None]:
        """Return tokens without their text, newest first, and the cursor of the next page."""
        found, following = self.tokens.list(cursor=cursor, limit=limit)
        now = self.clock.time()
        return [token.to_json(now) for token in found], following

    def create(self, given: Mapping[str, Any]) -> Json:
        """Create a token, and return it with its text.

        :raises InvalidInvocation: if a member is not valid.
        """
        now = self.clock.time()
        rules = given.get("rules") or {}
        made = self.tokens.create(
            given["scope"],
            given.get("name") or "",
            Rules.checked(*(rules.get(name) or [] for name in LISTS)),
            _end_of(given, now),
            given.get("quotas") or (),
        )
        return {"token": made.text, **made.token.to_json(now), **made.to_json()}

    def revoke(self, identifier: str) -> None:
        """Revoke a token; to revoke it again has no effect.

        :raises OwnToken: if it is the caller's.
        :raises UnknownToken: if the workspace has no such token.
        """
        if identifier == self.own:
            raise OwnToken("a token cannot revoke itself: use another one")
        self.tokens.revoke(identifier)


def _end_of(given: Mapping[str, Any], now: float) -> float | None:
    expires, lasts = given.get("expiresAt"), given.get("expiresIn")
    if expires is not None and lasts is not None:
        fault = Detail("/expiresIn", "cannot be combined with 'expiresAt'")
        raise InvalidInvocation("1 member of the token is not valid", details=[fault])
    if lasts is not None:
        return now + float(lasts)
    return None if expires is None else moment(expires, now, 1, "'expiresAt'")


def _open(visit: Visit) -> TokenDocuments:
    storage = visit.storage
    tokens = Tokens(storage.database, storage.vault, visit.workspace, visit.clock, visit.actor)
    return TokenDocuments(tokens, visit.clock, visit.caller.token)


def _passed(spec: Json, visit: Visit) -> str:
    """Return why a token is not made that would have expired."""
    now, expires = visit.clock.time(), spec.get("expiresAt")
    is_over = expires is not None and moment(str(expires), now, 1, "'expiresAt'") <= now
    return "its 'expiresAt' has passed" if is_over else ""


def _rules(value: Any) -> Any:
    """Return what rules mean: the order of patterns has no meaning, an empty list is none."""
    found = as_sets(value)
    return {name: one for name, one in found.items() if one} if isinstance(found, dict) else found


TOKENS = Resource(
    "Token",
    "/v1/tokens",
    _open,
    fields=(
        Field("token", {"type": "string", "description": "Shown once."}, Is.ALWAYS | Is.ONCE),
        Field("id", STRING, Is.ALWAYS),
        Field(
            "name",
            STRING,
            Is.ALWAYS | Is.GIVEN,
            {"type": "string", "maxLength": 200},
        ),
        Field("scope", {"enum": [*TOKEN_SCOPES]}, Is.ALWAYS | Is.NEEDED),
        Field("status", {"enum": ["active", "expired", "revoked"]}, Is.ALWAYS),
        Field("rules", RULES, Is.ALWAYS | Is.GIVEN),
        Field("quotas", QUOTAS, Is.GIVEN),
        Field("createdAt", MOMENT, Is.ALWAYS),
        Field(
            "expiresAt",
            _MOMENT_OR_NULL,
            Is.ALWAYS | Is.GIVEN,
            {
                **NULLABLE,
                "maxLength": 40,
                "description": "An RFC 3339 time, a date, or a duration from now, such as 90d.",
            },
        ),
        Field(
            "expiresIn",
            {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 100 * 365 * 86_400,
                "description": "Seconds, in place of 'expiresAt'.",
            },
            Is.GIVEN | Is.UNSEEN,
        ),
        Field("revokedAt", _MOMENT_OR_NULL, Is.ALWAYS),
        Field("lastUsedAt", _MOMENT_OR_NULL, Is.ALWAYS),
        Field(
            "createdBy",
            {
                "type": "string",
                "description": "The token or user that created it; absent if that was the operator.",
            },
        ),
        Field("problem", STRING),
        Field("warnings", GAPS, Is.ONCE),
    ),
    acts=(
        Act("list", TokenDocuments.page, "List the workspace's tokens, newest first."),
        Act(
            "create",
            TokenDocuments.create,
            "Create a token. Only this response contains its text.",
        ),
        Act(
            "revoke",
            TokenDocuments.revoke,
            "Revoke a token.",
            problems=(409,),
        ),
    ),
    cursor=BY_MOMENT,
    key="id",
    argument=("id", "ID"),
    filters=("status", "scope", "name"),
    waits="briefly",
    stated=InFiles(
        rank=4,
        platforms=True,
        hangs=lambda documents, row: documents.tokens.running_with(row.key),
        meanings={"rules": _rules, "quotas": as_set},
        passed=_passed,
        shows=lambda row: row["status"] == "active",
        unread=("expiresAt",),
        without=("expiresIn", "warnings"),
    ),
    unruled="a token with rules cannot list, create or revoke tokens",
)
RESOURCES = (TOKENS,)
