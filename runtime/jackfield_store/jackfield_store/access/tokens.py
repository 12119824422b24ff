"""The tokens of one workspace."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Generic, Literal, TypeVar, cast

from jackfield.callers.actor import LIBRARY, Actor
from jackfield.callers.rules import (
    APPROVE,
    TOKEN_SCOPES,
    Decision,
    Request,
    Rules,
    Scope,
    decide,
    may,
    with_wait,
)
from jackfield.invocation import new_invocation_id
from jackfield.kernel.clock import Clock, iso
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import Detail, InvalidInvocation, NotAllowed, Unavailable, did_you_mean
from jackfield.kernel.hints import NextStep
from jackfield.kernel.secrecy import SecretHolder
from jackfield.kernel.stored_values import nearest_time, parsed, possible_time
from jackfield_store.access.audit import Audit
from jackfield_store.access.quotas import quota_faults
from jackfield_store.access.rule_warnings import warned
from jackfield_store.access.settings import Settings, read_settings
from jackfield_store.access.token_seals import SET_SEAL, is_sealed, token_seal
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.cursors import cursor_after, place_after
from jackfield_store.database.epoch import EpochCache
from jackfield_store.database.faults import RowDamaged
from jackfield_store.database.part import readings
from jackfield_store.keys.sealing import digest
from jackfield_store.keys.vault import Vault

T = TypeVar("T", bound="TokenTimes")
COLUMNS = (
    "workspace, id, name, scope, rules, created_at, expires_at, revoked_at, last_used_at, "
    "created_by, digest, seal"
)
OPERATORS = ("cli", "library", "link")
"""Kinds of actors that are the operator: they have a shell on the host, or a link from the host."""


class UnknownToken(InvalidInvocation):
    """Error for a token that the workspace does not have."""

    http_status = 404


class TokenTimes:
    """The ID of a token, its times in seconds since 1970, and its status, which follows from
    them.
    """

    __slots__ = ()
    id: str
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None

    def status(self, now: float) -> Literal["active", "expired", "revoked"]:
        """Return the status at the time ``now``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    def times_to_json(self) -> dict[str, str | None]:
        """Return the times as members of a JSON object."""
        return {
            "createdAt": iso(self.created_at),
            "expiresAt": iso(self.expires_at),
            "revokedAt": iso(self.revoked_at),
            "lastUsedAt": iso(self.last_used_at),
        }


def unknown_token(identifier: str) -> UnknownToken:
    """Return the error for an ID that no token has."""
    return UnknownToken(f"no token has the ID '{identifier[:80]}'", hint=NextStep("tokens"))


@dataclass(frozen=True, slots=True)
class Token(TokenTimes):
    """Token of one workspace, with its scope and rules. Times are seconds since 1970;
    ``last_used_at`` is exact to a minute.
    """

    workspace: str
    id: str
    name: str
    scope: Scope
    rules: Rules
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None
    created_by: str | None = None
    """Creator (``Actor.person``); None for an operator, or if the creator was not recorded yet."""
    damage: str | None = None
    """Description of the columns that cannot be read."""
    unreadable: bool = False
    """True if the token's rules cannot be read: then it gives no access."""

    @property
    def is_operators(self) -> bool:
        """True if an operator has created the token."""
        return self.created_by is None or self.created_by.partition(":")[0] in OPERATORS

    def to_json(self, now: float) -> dict[str, Any]:
        """Return the token as a JSON object."""
        return {
            "id": self.id,
            "name": self.name,
            "scope": self.scope,
            "status": self.status(now),
            **self.rules.apart(),
            **self.times_to_json(),
            **({} if self.is_operators else {"createdBy": self.created_by}),
            **({"problem": self.damage} if self.damage is not None else {}),
        }


@dataclass(frozen=True, slots=True, repr=False)
class NewToken(SecretHolder, Generic[T]):
    """Token of a workspace or a platform with its text, which only its creation returns."""

    text: str
    token: T
    warnings: tuple[dict[str, str], ...] = ()
    """Warnings about gaps of the token's rules (``rule_warnings``)."""

    def to_json(self) -> dict[str, Any]:
        """Return the warnings, if there are any, as a member of an answer."""
        return {"warnings": [*self.warnings]} if self.warnings else {}

    def __repr__(self) -> str:
        return f"<NewToken {self.token.id}>"


def read_token(row: Row, vault: Vault | None) -> Token:
    """Read a token from a row of the table ``tokens`` that was selected with ``COLUMNS``; a damaged
    row must not hide the others.

    Unreadable rules forbid everything, and so does a row that was changed in the database; its seal
    is checked if ``vault`` is given. A time that cannot be formatted becomes the nearest time that
    can, which keeps the order.
    """
    damaged: list[str] = []
    try:
        rules = Rules.from_json(parsed(row.rules))
    except (ValueError, TypeError):
        rules, damaged = Rules(block=("*",)), ["rules"]
    sealed = vault is None or is_sealed(vault, row)
    if not sealed:
        rules, damaged = Rules(block=("*",)), [*damaged, "its seal is missing, or does not fit"]
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
    created = times.pop("created_at") or 0.0
    return Token(
        row.workspace,
        row.id,
        row.name or _usual_name(created),
        scope,
        rules,
        created,
        **times,
        created_by=row.created_by,
        damage=damage,
        unreadable=not sealed or "rules" in damaged,
    )


def _usual_name(created: float) -> str:
    return f"token of {(iso(created) or '')[:19].replace('T', ' ')} UTC"


_PREFIX = "jf_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BITS = 256
_RANDOM, _CHECK = 43, 6
"""Numbers of base-62 digits for 256 random bits and for a CRC-32: 62**43 > 2**256, 62**6 >
2**32.
"""


def new_text() -> str:
    """Return the text of a new token."""
    body = _PREFIX + _base62(secrets.randbits(_BITS), _RANDOM)
    return body + _checksum(body)


def is_well_formed(text: str) -> bool:
    """Return whether ``text`` has the form and checksum of a token."""
    if (
        len(text) != len(_PREFIX) + _RANDOM + _CHECK
        or not text.isascii()
        or not text.startswith(_PREFIX)
    ):
        return False
    return _checksum(text[:-_CHECK]) == text[-_CHECK:]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


_LOG = logging.getLogger("jackfield.access")
NOTED_EVERY = 60.0
"""Seconds between two records of a token's use."""
_LONGEST_NAME = 200
_MOST_CACHED = 1000
_CHANGED = "cannot be used: its row in the database was changed, or cannot be read"
_FIND = f"SELECT {COLUMNS} FROM tokens WHERE workspace = :workspace AND id = :id"
_BY_DIGEST = f"SELECT {COLUMNS} FROM tokens WHERE digest = :digest"
"""The only statement without a workspace, since the token itself determines the workspace."""
_INSERT = """
INSERT INTO tokens (workspace, id, name, scope, digest, rules, created_at, expires_at, created_by, seal)
VALUES (:workspace, :id, :name, :scope, :digest, :rules, :created_at, :expires_at, :created_by, :seal)
"""
_UNREVOKED = f"SELECT {COLUMNS} FROM tokens WHERE workspace = :workspace AND revoked_at IS NULL"
_REVOKE = (
    "UPDATE tokens SET revoked_at = :now WHERE workspace = :workspace AND id = :id AND "
    "revoked_at IS NULL"
)
_NOTE_USE = """
UPDATE tokens SET last_used_at = :now WHERE workspace = :workspace AND id = :id AND (last_used_at IS NULL OR last_used_at <= :before)
"""
_RUNNING = "SELECT name FROM {} WHERE workspace = :workspace AND token = :token ORDER BY name"


class _Known:
    """Tokens of queued invocations, by workspace and ID, without the times of their last use."""

    def __init__(self, epoch: Callable[[], int]) -> None:
        self.tokens: EpochCache[tuple[str, str], Token] = EpochCache(epoch, _MOST_CACHED)

    def close(self) -> None:
        """Do nothing: tokens hold no resource."""


def is_operators(
    database: Database, vault: Vault, workspace: str, clock: Clock, actor: Actor
) -> bool:
    """Return whether an actor is the operator, or a token that the operator has created; False for
    people with a role and tokens they created.
    """
    if actor.kind != "token":
        return actor.kind in OPERATORS
    try:
        return Tokens(database, vault, workspace, clock).find(actor.id or "").is_operators
    except UnknownToken:
        return False


class Tokens:
    """Tokens of one existing workspace: create, show, revoke. The audit log names ``actor``. Tokens
    that approve calls may be created if the actor is an operator, or with ``grants``.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        workspace: str,
        clock: Clock,
        actor: Actor = LIBRARY,
        *,
        grants: bool = False,
    ) -> None:
        self.gives_approve = grants or actor.kind in OPERATORS
        """True if tokens of the scope ``approve`` may be created."""
        self._database = database
        self._vault = vault
        self._workspace = workspace
        self._clock = clock
        self._actor = actor
        self._audit = Audit(database, lambda: vault, workspace, clock, actor)

    def create(
        self,
        scope: str,
        name: str = "",
        rules: Rules | None = None,
        expires_at: float | None = None,
        quotas: Any = (),
    ) -> NewToken[Token]:
        """Create a token, by default named after the time. Its text is returned only here; the
        database stores its SHA-256.

        ``quotas`` count the calls of this token alone.

        :raises InvalidInvocation: if the scope, the name, a rule, a quota or the expiry is not
            valid.
        :raises NotAllowed: if the scope includes approving calls, and the creator may not grant
            that.
        """
        now = self._clock.time()
        known = f"must be one of {', '.join(TOKEN_SCOPES)}{did_you_mean(scope, TOKEN_SCOPES)}"
        wrong = () if scope in TOKEN_SCOPES else (Detail("/scope", known, "enum"),)
        name = named(name, expires_at, now, (*wrong, *quota_faults(quotas)))
        creator = self._actor.person
        if not self.gives_approve and may(cast("Scope", scope), APPROVE):
            fault = Detail("/scope", "only the operator lets somebody approve calls")
            raise NotAllowed(
                f"not allowed: the scope '{scope}'", details=[fault], hint=NextStep("approver")
            )
        rules = (
            Rules.checked(rules.allow, rules.block, rules.approve) if rules is not None else Rules()
        )
        rules = replace(rules, quotas=tuple(json.dumps(one, sort_keys=True) for one in quotas))
        token = Token(
            self._workspace,
            new_invocation_id(),
            name,
            cast("Scope", scope),
            rules,
            now,
            expires_at,
            created_by=creator,
        )
        text = new_text()
        values = {
            "workspace": self._workspace,
            "id": token.id,
            "name": name,
            "scope": token.scope,
            "digest": digest(text),
            "rules": json.dumps(rules.to_json()),
            "created_at": now,
            "expires_at": expires_at,
            "created_by": creator,
        }
        values["seal"] = token_seal(
            self._vault, self._workspace, token.id, SimpleNamespace(**values, revoked_at=None)
        )
        about = {"name": name, "scope": token.scope, **rules.apart(), "expiresAt": iso(expires_at)}
        with self._database.write() as transaction:
            transaction.change(_INSERT, values)
            self._audit.append(transaction, "token.created", f"token:{token.id}", about)
        return NewToken(text, token, warned(rules, self._workspace, f"the token '{name}'"))

    def revoke_all(self, transaction: Transaction) -> int:
        """Revoke every token of the workspace in the given transaction; return the number of tokens
        that were not revoked before.
        """
        now, count = self._clock.time(), 0
        rows = transaction.execute(_UNREVOKED, {"workspace": self._workspace})
        for row in rows:
            place = {"workspace": self._workspace, "id": row.id}
            sealed = is_sealed(self._vault, row)
            count += transaction.change(_REVOKE, {**place, "now": now})
            after = transaction.find(_FIND, place)
            if sealed and after is not None:
                transaction.change(
                    SET_SEAL,
                    {**place, "seal": token_seal(self._vault, self._workspace, row.id, after)},
                )
        return count

    def list(self, *, cursor: str | None = None, limit: int = 50) -> tuple[list[Token], str | None]:
        """Return a page of tokens, newest first, including revoked and expired ones, and the cursor
        of the next page, None on the last page.

        :raises InvalidInvocation: if the cursor did not come from a list.
        """
        where, values = "", {"workspace": self._workspace, "limit": limit + 1}
        if cursor is not None:
            where, values = (
                " AND (created_at < :at OR (created_at = :at AND id < :id))",
                {**values, **place_after(cursor, "at", "id")},
            )
        statement = (
            f"SELECT {COLUMNS} FROM tokens WHERE workspace = :workspace{where} ORDER BY "
            "created_at DESC, id DESC LIMIT :limit"
        )
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(statement, values)
        found = [read_token(row, self._vault) for row in rows[:limit]]
        return found, cursor_after(
            rows[limit - 1] if len(rows) > limit else None, "created_at", "id"
        )

    def find(self, identifier: str) -> Token:
        """Return the token with this ID.

        :raises UnknownToken: if the workspace has none.
        """
        with self._database.read(flush=False) as transaction:
            return self._find_token(transaction, identifier)

    def standing(self, identifier: str) -> tuple[Token, str | None]:
        """Return the token with this id, and the reason if it is currently refused.

        :raises UnknownToken: if the workspace has no such token.
        """
        known = self._database.attached(_Known, lambda: _Known(readings(self._database)))
        token = known.tokens.find((self._workspace, identifier), lambda: self.find(identifier))
        return token, _reason(token, self._clock.time())

    def revoke(self, identifier: str) -> Token:
        """Revoke a token for good. Revoking it again changes nothing.

        :raises UnknownToken: if the workspace has no such token.
        """
        place = {"workspace": self._workspace, "id": identifier}
        self._vault.prepare(self._workspace)
        self._audit.prepare()
        with self._database.write() as transaction:
            before = transaction.find(_FIND, place)
            sealed = before is not None and is_sealed(self._vault, before)
            revoked = transaction.change(_REVOKE, {**place, "now": self._clock.time()})
            row = transaction.find(_FIND, place)
            if revoked and sealed and row is not None:  # what somebody has changed stays refused
                transaction.change(
                    SET_SEAL,
                    {**place, "seal": token_seal(self._vault, self._workspace, row.id, row)},
                )
            found = self._find_token(transaction, identifier)
            if revoked:
                self._audit.append(
                    transaction, "token.revoked", f"token:{found.id}", {"name": found.name}
                )
            return found

    def explain(self, identifier: str, request: Request) -> Decision:
        """Decide whether a token may run something, and return every rule that was tried.

        :raises UnknownToken: if the workspace has none with this id.
        """
        with self._database.read(flush=False) as transaction:
            token = self._find_token(transaction, identifier)
            row = transaction.find(
                "SELECT settings, seal FROM workspaces WHERE name = :workspace",
                {"workspace": self._workspace},
            )
        reason = _reason(token, self._clock.time())
        if reason is not None:
            return Decision(False, f"the token {reason}", "token")
        settings = (
            read_settings(self._vault, self._workspace, row) if row is not None else Settings()
        )
        decision = decide(settings.rules, token.rules, token.scope, request)
        return with_wait(decision, settings.binding, token.rules, request)

    @classmethod
    def authenticate(
        cls, database: Database, vault: Vault, clock: Clock, text: str
    ) -> Token | None:
        """Return the token with this text, of any workspace. None if the token is expired or
        revoked, with the reason in the log, or unknown, such as a platform's token. This is the
        only access to a workspace that does not need its name.

        :raises Unavailable: if the database, or the token's rules, cannot be read.
        """
        if not is_well_formed(text):
            _LOG.info("a token was refused: its form or checksum is wrong")
            return None
        wanted = digest(text)
        with database.read(flush=False) as transaction:
            row = transaction.find(_BY_DIGEST, {"digest": wanted})
        if row is None or not hmac.compare_digest(row.digest, wanted):
            return None
        token, now = read_token(row, vault), clock.time()
        if token.unreadable:
            raise RowDamaged(
                f"the token {token.id} of the workspace '{token.workspace}' {_CHANGED}",
                hint=(
                    "Revoke it and create another one, or restore a backup; 'jackfield db "
                    "check' shows what is damaged."
                ),
            )
        reason = _reason(token, now)
        if reason is not None:
            _LOG.warning(
                "the token %s of the workspace '%s' was refused: it %s",
                token.id,
                token.workspace,
                reason,
            )
            return None
        key = {"workspace": token.workspace, "id": token.id}
        note_use(database, _NOTE_USE, key, token.last_used_at, now, f"the token {token.id}")
        return token

    def running_with(self, identifier: str) -> Sequence[str]:
        """Return the kinds and names of the objects that run with the rights of a token."""
        key = {"workspace": self._workspace, "token": identifier}
        with self._database.read(flush=False) as transaction:
            return [
                f"{kind} {row.name}"
                for kind in ("schedule", "subscription")
                for row in transaction.execute(_RUNNING.format(f"{kind}s"), key)
            ]

    def _find_token(self, transaction: Transaction, identifier: str) -> Token:
        row = transaction.find(_FIND, {"workspace": self._workspace, "id": identifier})
        if row is None:
            raise unknown_token(identifier)
        return read_token(row, self._vault)


def note_use(
    database: Database,
    statement: str,
    key: Mapping[str, str],
    last: float | None,
    now: float,
    whose: str,
) -> None:
    """Record the use of a token, last used at ``last``, at most every ``NOTED_EVERY`` seconds."""
    before = now - NOTED_EVERY
    if last is not None and last > before:
        return
    try:
        database.record(
            lambda transaction: transaction.change(statement, {**key, "now": now, "before": before})
        )
    except Unavailable as fault:  # a read-only database must not lock readers out
        _LOG.warning("the last use of %s could not be recorded: %s", whose, fault.message)


def _reason(token: Token, now: float) -> str | None:
    """Return the reason why a token is refused, None if it is active."""
    status = token.status(now)
    if status == "active":
        return _CHANGED if token.unreadable else None
    return (
        f"was revoked at {iso(token.revoked_at)}"
        if status == "revoked"
        else f"expired at {iso(token.expires_at)}"
    )


def named(name: str, expires_at: float | None, now: float, further: Sequence[Detail] = ()) -> str:
    """Return the name of a new token, by default made from the time: people distinguish dates more
    easily than IDs.

    :raises InvalidInvocation: if the name or the expiry is not valid, or there are ``further``
        faults.
    """
    faults = [*further]
    if len(name) > _LONGEST_NAME or not all(letter.isprintable() for letter in name):
        faults.append(
            Detail("/name", f"must have at most {_LONGEST_NAME} printable characters", "maxLength")
        )
    if expires_at is not None and expires_at <= now:
        faults.append(Detail("/expires", "is in the past", "minimum"))
    if faults:
        count = (
            "1 member of the token is"
            if len(faults) == 1
            else f"{len(faults)} members of the token are"
        )
        raise InvalidInvocation(f"{count} not valid", details=faults)
    return name or _usual_name(now)
