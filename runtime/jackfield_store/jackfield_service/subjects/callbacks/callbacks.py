"""The callbacks of a workspace or a platform: created, changed, rotated and removed, each with an
entry in the audit log; and tested.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from jackfield.call.events import Event
from jackfield.callers.actor import Actor
from jackfield.invocation import new_invocation_id
from jackfield.kernel.clock import Clock, iso
from jackfield.kernel.errors import (
    Detail,
    InvalidInvocation,
    first_faults,
    unknown_members,
)
from jackfield.kernel.hints import NextStep
from jackfield.wire.guard import Guard
from jackfield.wire.signing import PRIVATE, new_secret, public_key
from jackfield_service.subjects.callbacks.callback import (
    COLUMNS,
    MEMBERS,
    Callback,
    Options,
    Origin,
    check_url,
    invalid,
    read_callback,
    stored,
)
from jackfield_service.subjects.callbacks.claims import make_due
from jackfield_service.subjects.callbacks.message import request_of
from jackfield_service.subjects.callbacks.sending import Attempt, Sender
from jackfield_service.subjects.events import positions
from jackfield_service.subjects.events.numbering import Numbering
from jackfield_store.access import DEFAULT, Audit
from jackfield_store.access.audit import difference
from jackfield_store.access.platform_tokens import manages, pattern_of
from jackfield_store.database import Database, Row, SealBroken, Transaction
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.database.slices import delete_in_slices, slice_of
from jackfield_store.keys import Vault

OVERLAP = 24 * 3600.0
"""Seconds for which the old secret of a rotation still signs."""
_LONGEST_OVERLAP = 30 * 24 * 3600.0
_MOST_SECRETS = 5
"""Maximum number of a callback's secrets that sign at the same time."""
_ALL = 1_000_000
MOST = 100
"""Maximum number of callbacks of a workspace."""
_ONE = f"SELECT {COLUMNS} FROM callbacks WHERE workspace = :workspace AND id = :id"
_LIST = (
    f"SELECT {COLUMNS} FROM callbacks WHERE workspace = :workspace AND id > :after ORDER BY "
    "id LIMIT :limit"
)
_COUNT = "SELECT COUNT(*) AS callbacks FROM callbacks WHERE workspace = :workspace"
_FAILING = "SELECT COUNT(*) AS failing FROM callbacks WHERE failing_since < :before"
_LONG = 3600.0
_HEAD = "SELECT last FROM event_heads WHERE workspace = :workspace"
_INSERT = """
INSERT INTO callbacks (workspace, id, url, origin, options, secrets, status, position, created_at, updated_at)
VALUES (:workspace, :id, :url, :origin, :options, :secrets, 'active', :position, :now, :now)
"""
_UPDATE = """
UPDATE callbacks SET url = :url, origin = :origin, options = :options, secrets = :secrets, status = :status, reason = :reason,
    failing_since = CASE WHEN :resumed = 1 THEN NULL ELSE failing_since END,
    warned_at = CASE WHEN :resumed = 1 THEN NULL ELSE warned_at END,
    probe_at = CASE WHEN :decided = 1 THEN NULL ELSE probe_at END, updated_at = :now
WHERE workspace = :workspace AND id = :id
"""
_REMOVE = "DELETE FROM callbacks WHERE workspace = :workspace AND id = :id"
_STOP = (
    "UPDATE callbacks SET status = 'paused', reason = 'it is being removed' WHERE workspace "
    "= :workspace AND id = :id"
)
_REMOVE_DELIVERIES = slice_of(
    "deliveries", "workspace, callback, sequence", "workspace = :workspace AND callback = :id"
)


class UnknownCallback(InvalidInvocation):
    """Error for a callback that does not exist."""

    http_status = 404


class Created(NamedTuple):
    """A callback with its secret, which is displayed once; of an Ed25519 key the public part."""

    callback: Callback
    secret: str

    def shown(self) -> dict[str, str]:
        """Return the data for the receiver, as a member of a JSON object."""
        return (
            {"publicKey": public_key(self.secret)}
            if self.secret.startswith(PRIVATE)
            else {"secret": self.secret}
        )

    def to_json(self) -> dict[str, Any]:
        """Return the callback as a JSON object, with the data for the receiver."""
        return {**self.callback.to_json(), **self.shown()}


def opened_secrets(vault: Vault, workspace: str, row: Row, now: float) -> list[dict[str, Any]]:
    """Return the currently valid secrets of a callback's row, each with the end ``until`` of its
    validity, newest first.

    :raises InvalidInvocation: if its id, URL or origin was changed in the database.
    """
    try:
        found = json.loads(
            vault.open(workspace, secrets_place(row.id, row.url, row.origin), row.secrets)
        )
    except SealBroken:
        raise damaged_callback(row.id) from None
    return [item for item in found if item["until"] is None or item["until"] > now]


class Callbacks:
    """Callbacks of one workspace, or of the platform whose ``home_of`` is given, changed in the
    name of one actor.

    Changes of a platform's callbacks are in the audit log of the operator's workspace. ``guard``
    decides which hosts the callbacks of others than the operator may reach.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        workspace: str,
        clock: Clock,
        actor: Actor,
        *,
        origin: Origin,
        guard: Guard | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace
        self._time = SharedClock.of(database, clock)
        self._pattern = pattern_of(workspace)
        self._audit = Audit(
            database, lambda: vault, workspace if self._pattern is None else DEFAULT, clock, actor
        )
        self._origin: Origin = origin
        self._guard = guard or Guard()

    def create(self, given: Mapping[str, Any]) -> Created:
        """Create a callback for the events that happen from now on; ``given`` has the members of
        ``MEMBERS``.

        :raises InvalidInvocation: with all faults at once, or if there are too many callbacks.
        """
        if faults := first_faults(unknown_members(given, MEMBERS, "a callback")):
            raise invalid(faults)
        options, url = (
            Options.checked(given),
            check_url(given.get("url"), self._origin, self._guard),
        )
        identifier, secret, now = (
            f"cb_{new_invocation_id()}",
            new_secret(options.signing),
            self._time.now(),
        )
        self._number_all()
        values = {
            "workspace": self._workspace,
            "id": identifier,
            "url": url,
            "origin": self._origin,
            "options": stored(options),
            "now": now,
            "secrets": self._sealed(
                identifier, url, self._origin, [{"secret": secret, "until": None}]
            ),
        }
        with self._database.write() as transaction:
            place = {"workspace": self._workspace}
            if transaction.execute(_COUNT, place)[0].callbacks >= MOST:
                raise InvalidInvocation(
                    f"the workspace has {MOST} callbacks, which is the limit",
                    hint="Remove one that is not used.",
                )
            head = transaction.find(_HEAD, place)
            transaction.change(_INSERT, {**values, "position": 0 if head is None else head.last})
            if self._pattern is not None:
                positions.begin(transaction, self._pattern, identifier)
            self._note(
                transaction, "created", identifier, {"url": url, "types": list(options.types)}
            )
        return Created(self.find(identifier), secret)

    def page(self, cursor: str | None = None, limit: int = 50) -> tuple[list[Callback], str | None]:
        """Return a page of callbacks, the oldest first, and the cursor of the next page; None on
        the last page.
        """
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(
                _LIST, {"workspace": self._workspace, "after": cursor or "", "limit": limit + 1}
            )
        return [read_callback(row) for row in rows[:limit]], rows[limit - 1].id if len(
            rows
        ) > limit else None

    def find(self, identifier: str) -> Callback:
        """Return a callback.

        :raises InvalidInvocation: if no callback has this ID.
        """
        with self._database.read(flush=False) as transaction:
            return read_callback(self._row(transaction, identifier))

    def change(self, identifier: str, given: Mapping[str, Any]) -> Callback:
        """Change the given members. ``status`` is ``active`` or ``paused``; waiting deliveries are
        sent at once when it is active again.

        :raises InvalidInvocation: if there is no such callback, or a member is not valid.
        """
        if faults := first_faults(unknown_members(given, MEMBERS | {"status"}, "a callback")):
            raise invalid(faults)
        if given.get("status", "active") not in ("active", "paused"):
            raise invalid([Detail("/status", "must be 'active' or 'paused'", "enum")])
        url = check_url(given["url"], self._origin, self._guard) if "url" in given else None
        now = self._time.now()
        with self._database.write() as transaction:
            row = self._row(transaction, identifier, locks=True)
            present = read_callback(row)
            options = Options.checked(given, present.options)
            if options.signing != present.options.signing:
                raise invalid(
                    [Detail("/signing", "cannot be changed: make another callback", "const")]
                )
            secrets = opened_secrets(self._vault, self._workspace, row, now)
            origin = present.origin if url is None else self._origin
            status = given.get("status", present.status)
            resumed = status == "active" and present.status == "paused"
            reason = (
                None
                if status == "active"
                else present.reason
                if present.status == "paused"
                else "a person has paused it"
            )
            values = {
                "workspace": self._workspace,
                "id": identifier,
                "url": url or present.url,
                "origin": origin,
                "options": stored(options),
                "secrets": self._sealed(identifier, url or present.url, origin, secrets),
                "status": status,
                "reason": reason,
                "resumed": int(resumed),
                "decided": int("status" in given),
                "now": now,
            }
            transaction.change(_UPDATE, values)
            before = {"url": present.url, **present.options.to_json(), "status": present.status}
            after = {"url": url or present.url, **options.to_json(), "status": status}
            self._note(
                transaction,
                "changed",
                identifier,
                {"members": sorted(given), **difference(before, after)},
            )
        if resumed:
            make_due(self._database, self._workspace, identifier, now)
        return self.find(identifier)

    def rotate(self, identifier: str, overlap: float = OVERLAP) -> tuple[Created, str | None]:
        """Make a new secret. The present secret also signs for ``overlap`` seconds; return the new
        secret, and the end of that time.

        :raises InvalidInvocation: if there is no such callback, or the overlap is longer than 30
            days.
        """
        if not 0 <= overlap <= _LONGEST_OVERLAP:
            text = (
                f"must be a number of seconds from 0 to {_LONGEST_OVERLAP:,.0f}, which are 30 days"
            )
            raise InvalidInvocation(
                f"the overlap {text}", details=[Detail("/overlapSeconds", text, "maximum")]
            )
        now = self._time.now()
        with self._database.write() as transaction:
            row = self._row(transaction, identifier, locks=True)
            present = read_callback(row)
            secret, until = new_secret(present.options.signing), now + overlap
            older = opened_secrets(self._vault, self._workspace, row, now)
            kept = [
                {**item, "until": min(until, item["until"] or until)}
                for item in older[: _MOST_SECRETS - 1]
            ]
            secrets = self._sealed(
                identifier, row.url, row.origin, [{"secret": secret, "until": None}, *kept]
            )
            statement = (
                "UPDATE callbacks SET secrets = :secrets, updated_at = :now WHERE workspace "
                "= :workspace AND id = :id"
            )
            transaction.change(
                statement,
                {"workspace": self._workspace, "id": identifier, "secrets": secrets, "now": now},
            )
            self._note(transaction, "rotated", identifier, {"previousUntil": iso(until)})
        return Created(self.find(identifier), secret), iso(until)

    def remove(self, identifier: str) -> None:
        """Delete a callback and its deliveries, in short commits. The callback is paused first.

        :raises InvalidInvocation: if no callback has this ID.
        """
        place = {"workspace": self._workspace, "id": identifier}
        with self._database.write() as transaction:
            self._row(transaction, identifier, locks=True)
            transaction.change(_STOP, place)
        delete_in_slices(self._database, _REMOVE_DELIVERIES, place)
        with self._database.write() as transaction:
            self._row(transaction, identifier, locks=True)
            while transaction.change(_REMOVE_DELIVERIES, place):  # what came meanwhile
                pass
            positions.remove(transaction, identifier)
            transaction.change(_REMOVE, place)
            self._note(transaction, "removed", identifier, {})

    def test(self, identifier: str, sender: Sender | None = None) -> Attempt:
        """Send an event ``callback.test`` now, once; it is not stored.

        :raises InvalidInvocation: if there is no such callback.
        """
        with self._database.read(flush=False) as transaction:
            row = self._row(transaction, identifier)
        now = self._time.now()
        event = Event(
            new_invocation_id(), 0, "callback.test", identifier, now, {"callback": identifier}
        )
        fields, body = request_of(
            event, opened_secrets(self._vault, self._workspace, row, now), now
        )
        return (sender or Sender(self._guard, os.environ)).send(
            row.url, row.origin, fields, body, now
        )

    def _number_all(self) -> None:
        """Number the new events: many are unnumbered if no server or worker runs."""
        numbering, pattern = Numbering(self._database, self._vault), self._pattern
        waiting = (
            [self._workspace]
            if pattern is None
            else [name for name in numbering.waiting() if manages(pattern, name)]
        )
        for workspace in waiting:
            numbering.run(workspace, slices=_ALL)

    def _row(self, transaction: Transaction, identifier: str, *, locks: bool = False) -> Row:
        locking = self._database.dialect.locks if locks else ""
        row = transaction.find(_ONE + locking, {"workspace": self._workspace, "id": identifier})
        if row is None:
            raise unknown_callback(identifier)
        return row

    def _sealed(self, identifier: str, url: str, origin: str, secrets: object) -> bytes:
        return self._vault.seal(
            self._workspace, secrets_place(identifier, url, origin), json.dumps(secrets).encode()
        )

    def _note(
        self, transaction: Transaction, act: str, identifier: str, details: Mapping[str, Any]
    ) -> None:
        of = {} if self._pattern is None else {"workspaces": self._pattern}
        self._audit.append(
            transaction, f"callback.{act}", f"callback:{identifier}", {**of, **details}
        )


def failing_callbacks(database: Database, now: float) -> int:
    """Count the callbacks of all workspaces whose delivery attempts have all failed for an hour or
    longer.
    """
    found = database.look_up(_FAILING, {"before": now - _LONG})
    return 0 if found is None else int(found.failing)


def unknown_callback(identifier: str) -> UnknownCallback:
    """Return the error for a callback that does not exist."""
    return UnknownCallback(
        f"no callback has the ID '{identifier[:80]}'", hint=NextStep("callbacks")
    )


def damaged_callback(identifier: str) -> InvalidInvocation:
    """Return the error for a callback whose row was changed in the database."""
    text = (
        f"the callback '{identifier[:80]}' cannot be used: its URL or its secrets were "
        "changed in the database"
    )
    return InvalidInvocation(text, hint="Remove it, and add it again.")


def secrets_place(identifier: str, url: str, origin: str) -> tuple[str, ...]:
    """Return the context to which a callback's secrets are sealed."""
    return ("callback", identifier, url, origin)
