"""Events that carry the marker of an attempt, as evidence of doubts. They come before, while or
after a call ends in doubt.

If an event's reference leads to no invocation, the event is stored with the facts for its doubt:
the provider's ID, the trigger and the account. A doubt with its marker becomes due in the same
transaction; a look then judges the event. The first look of a doubt finds earlier events.

Each source of events, a subscription or a log, has a share of the stored events, and so has each
account among the events of one marker. So foreign events cannot displace evidence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield_store.database import Database, Transaction
from jackfield_store.keys.vault import Vault

KEPT = 72 * 3600.0
"""Seconds for which an event is stored."""
MOST = 10_000
"""Maximum number of events stored of one source, newest first."""
MOST_OF_MARKER = 4
"""Maximum number of events with one marker that are stored of one source and account. Two objects
with one marker prove nothing, and more add nothing.
"""
_MOST_READ = 1_000
"""Maximum number of events that one look reads: a marker in events of more subscriptions and
accounts was copied on purpose.
"""
_KNOW = (
    "INSERT INTO doubt_markers (workspace, digest, id) VALUES (:workspace, :digest, :id) ON "
    "CONFLICT DO NOTHING"
)
_KEEP = f"""
INSERT INTO marked_events (workspace, digest, reference, received_at, sealed, source, whose)
SELECT :workspace, :digest, :reference, :received_at, :sealed, :source, :whose
WHERE (SELECT COUNT(*) FROM marked_events WHERE workspace = :workspace AND digest = :digest AND whose = :whose) < {MOST_OF_MARKER}
ON CONFLICT DO NOTHING
"""
_WAKE = """
UPDATE doubts SET look_at = CASE WHEN look_at < :now THEN look_at ELSE :now END, claim = claim + 1
WHERE workspace = :workspace AND since IS NOT NULL
    AND id IN (SELECT id FROM doubt_markers WHERE workspace = :workspace AND digest = :digest AND id <> :besides)
"""
_OLD = "DELETE FROM marked_events WHERE workspace = :workspace AND received_at < :before"
_SURPLUS = f"""
DELETE FROM marked_events WHERE workspace = :workspace AND source = :source AND received_at < (
    SELECT received_at FROM marked_events WHERE workspace = :workspace AND source = :source
    ORDER BY received_at DESC LIMIT 1 OFFSET {MOST}
)
"""
_ID = "SELECT id FROM doubt_markers WHERE workspace = :workspace AND digest = :digest"
_KEPT = """
SELECT digest, reference, sealed FROM marked_events WHERE workspace = :workspace AND digest IN ({digests}) ORDER BY received_at LIMIT {most}
"""
_CONNECTION = (
    "SELECT id, type, version, account_id FROM connections WHERE workspace = :workspace AND "
    "{place} = :place"
)
_REMOVE = "DELETE FROM doubt_markers WHERE workspace = :workspace AND id IN ({ids})"


@dataclass(frozen=True, slots=True, repr=False)
class NewMark:
    """Event that is ready to be stored."""

    digest: str
    reference: str
    received_at: float
    sealed: bytes
    source: str
    """ID of a subscription, or name of a log."""
    whose: str
    """Digest of the event's source and account."""


def digest_of(connector: str, marker: str) -> str:
    """Return the digest by which the marker of an attempt is searched."""
    return hashlib.sha256(f"{connector}\0{marker}".encode()).hexdigest()


def marked_place(digest: str, reference: str) -> tuple[str, ...]:
    """Return the place that a stored event is sealed for."""
    return ("marked", digest, reference)


def sealed_mark(
    vault: Vault,
    workspace: str,
    digest: str,
    reference: str,
    received_at: float,
    about: Mapping[str, Any],
    source: str = "",
    whose: str | None = None,
) -> NewMark:
    """Seal an event's data for looks. Without ``whose``, no account limits the stored events: every
    record of a log counts.
    """
    text = json.dumps(about, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return NewMark(
        digest,
        reference,
        received_at,
        vault.seal(workspace, marked_place(digest, reference), text),
        source,
        whose or reference,
    )


def know(transaction: Transaction, workspace: str, identifier: str, digests: Sequence[str]) -> None:
    """Store the digests of a doubt's markers, so that events find the doubt."""
    transaction.change_all(
        [(_KNOW, [{"workspace": workspace, "digest": one, "id": identifier} for one in digests])]
    )


def keep(
    transaction: Transaction,
    workspace: str,
    found: Sequence[NewMark],
    now: float,
    *,
    besides: str = "",
) -> None:
    """Store events and make their doubts due, except the doubt ``besides``, whose look is running.
    An overdue doubt stays before others. Then delete old events, and excess events of each source.
    """
    filled = set[str]()
    for one in found:
        own = {"workspace": workspace, "digest": one.digest}
        more = {
            "reference": one.reference,
            "received_at": one.received_at,
            "sealed": one.sealed,
            "source": one.source,
            "whose": one.whose,
        }
        if transaction.change(_KEEP, {**own, **more}):
            transaction.change(_WAKE, {**own, "now": now, "besides": besides})
            filled.add(one.source)
    if filled:
        transaction.change(_OLD, {"workspace": workspace, "before": now - KEPT})
    for source in sorted(filled):
        transaction.change(_SURPLUS, {"workspace": workspace, "source": source})


def invocation_of_marker(database: Database, workspace: str, digest: str) -> str | None:
    """Return the invocation in doubt that a marker belongs to; None if it belongs to none, or the
    invocation has not ended yet.
    """
    row = database.look_up(_ID, {"workspace": workspace, "digest": digest})
    return None if row is None else str(row.id)


def kept_events(
    database: Database, vault: Vault, workspace: str, digests: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the stored events with these markers, one for each ID of the provider."""
    if not digests:
        return []
    names = {f"d{place}": digest for place, digest in enumerate(digests)}
    statement = _KEPT.format(digests=", ".join(f":{name}" for name in names), most=_MOST_READ)
    rows = database.dialect.look_up(statement, {"workspace": workspace, **names})
    found: list[dict[str, Any]] = [
        json.loads(vault.open(workspace, marked_place(row.digest, row.reference), row.sealed))
        for row in rows
    ]
    return found


def connection_facts(
    database: Database, workspace: str, name: str | None, identifier: str | None = None
) -> dict[str, Any]:
    """Return ID, type, version and account of a stored connection: by ID, whatever its current
    name, else by name. Empty if the connection does not exist.
    """
    column, place = ("name", name) if identifier is None else ("id", identifier)
    row = (
        None
        if place is None
        else database.look_up(
            _CONNECTION.format(place=column), {"workspace": workspace, "place": place}
        )
    )
    return (
        {}
        if row is None
        else {"id": row.id, "type": row.type, "version": row.version, "account": row.account_id}
    )


def remove(transaction: Transaction, workspace: str, ids: Mapping[str, str]) -> None:
    """Delete the markers of deleted invocations; ``ids`` are their IDs by SQL parameter."""
    transaction.change(
        _REMOVE.format(ids=", ".join(f":{name}" for name in ids)), {"workspace": workspace, **ids}
    )
