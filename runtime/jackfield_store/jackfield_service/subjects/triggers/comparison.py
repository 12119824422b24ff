"""Lists that are compared with their earlier state: IDs and digests are stored, and each page is
one commit with its events.

A round reads the whole list. The first round only records the list. Items missing in a complete
round were deleted. If more than a fifth of the list is missing, no deletion is reported: a provider
is more likely to return half a list than to delete half of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Unavailable
from jackfield.kernel.hidden import trimmed
from jackfield.manifest.triggers import CHANGES
from jackfield_service.subjects.triggers.arrivals import InTransaction
from jackfield_service.subjects.triggers.subscription import Subscription
from jackfield_store.database import Database, Row
from jackfield_store.keys import Vault
from jackfield_store.keys.sealing import digest

FEWEST, SHARE = 5, 0.2
"""Number of items that may always be missing, and the part of a list that may be missing in
addition.
"""
_AT_ONCE = 500
"""Maximum number of deletions per commit."""
_KNOWN = (
    "SELECT content, sealed FROM subscription_items WHERE workspace = :workspace AND "
    "subscription_id = :id AND item = :item"
)
_SEEN = """
INSERT INTO subscription_items (workspace, subscription_id, item, content, round, sealed)
VALUES (:workspace, :id, :item, :content, :round, :sealed)
ON CONFLICT (workspace, subscription_id, item) DO UPDATE SET content = excluded.content, round = excluded.round
"""
_COUNT = """
SELECT COUNT(*) AS items, COALESCE(SUM(CASE WHEN round < :round THEN 1 ELSE 0 END), 0) AS gone
FROM subscription_items WHERE workspace = :workspace AND subscription_id = :id
"""
_GONE = """
SELECT item, sealed FROM subscription_items WHERE workspace = :workspace AND subscription_id = :id AND round < :round
ORDER BY item LIMIT :limit
"""
_DELETE = (
    "DELETE FROM subscription_items WHERE workspace = :workspace AND subscription_id = :id "
    "AND item = :item"
)


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """Progress of a round. The next page begins at ``after``; ``complete`` is true once the last
    page was read.
    """

    round: int = 1
    after: Any = None
    complete: bool = False
    deletes: bool = False
    """True once some deletions of the round were reported; the remaining ones are still
    reported.
    """
    withheld: bool = False
    """True if the last round's deletions were not reported."""

    def to_json(self) -> dict[str, Any]:
        """Return the checkpoint."""
        return {name: getattr(self, name) for name in self.__match_args__}


@dataclass(frozen=True, slots=True)
class Change:
    """Item that was created, updated or deleted. ``key`` distinguishes it from the next change of
    the same item: a reset sets back rounds, but never claims.
    """

    type: str
    id: str
    item: Mapping[str, Any] | None
    key: str


class Comparison:
    """Comparison of one subscription's list. Only the process that holds the claim reads and
    changes the stored list.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        workspace: str,
        found: Subscription,
        types: Sequence[str],
    ) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace
        self._found = found
        self._types = (
            types
            if len(types) == len(CHANGES)
            else [f"{found.trigger_key}{name}" for name in CHANGES]
        )
        self._own = {"workspace": workspace, "id": found.id}

    def seen(
        self, items: Iterable[tuple[str, Mapping[str, Any]]], mark: RoundProgress
    ) -> tuple[list[Change], InTransaction]:
        """Compare a page; return the changes, and the statements for the transaction that stores
        their events.

        :raises Unavailable: if an item has no ID, since all such items would count as the same.
        """
        rows, changes = dict[str, dict[str, Any]](), list[Change]()
        for identifier, item in items:
            if not trimmed(identifier):
                raise Unavailable("the connector's code failed: it returned an item without an ID")
            place, content = (
                digest(identifier),
                digest(json.dumps(item, sort_keys=True, separators=(",", ":"))),
            )
            known = self._database.look_up(_KNOWN, {**self._own, "item": place})
            before = rows[place]["content"] if place in rows else known and known.content
            if before != content and mark.round > 1:
                change = 0 if before is None else 1
                changes.append(
                    self._change(change, identifier, item, f"{self._found.claim}:{place}:{content}")
                )
            sealed = known.sealed if known is not None else self._sealed(place, identifier)
            rows[place] = {
                **self._own,
                "item": place,
                "content": content,
                "round": mark.round,
                "sealed": sealed,
            }
        return changes, lambda transaction: transaction.change_many(_SEEN, list(rows.values()))

    def counts(self, mark: RoundProgress) -> tuple[int, int]:
        """Return the number of the list's items, and the number of items missing in a complete
        round.
        """
        row = self._database.look_up(_COUNT, {**self._own, "round": mark.round})
        return (0, 0) if row is None else (int(row.items), int(row.gone))

    def deleted(self, mark: RoundProgress) -> tuple[list[Change], InTransaction]:
        """Return some of the items missing in a complete round, and the statements that delete
        their rows.
        """
        with self._database.read() as transaction:
            rows = list(
                transaction.execute(_GONE, {**self._own, "round": mark.round, "limit": _AT_ONCE})
            )
        changes = [
            self._change(2, self._id(row), None, f"{self._found.claim}:{row.item}") for row in rows
        ]
        return changes, lambda transaction: transaction.change_many(
            _DELETE, [{**self._own, "item": row.item} for row in rows]
        )

    def _sealed(self, place: str, identifier: str) -> bytes:
        return self._vault.seal(
            self._workspace,
            item_place(self._found.id, place),
            identifier.encode("utf-8", "surrogatepass"),
        )

    def _id(self, row: Row) -> str:
        return self._vault.open(
            self._workspace, item_place(self._found.id, row.item), row.sealed
        ).decode("utf-8", "surrogatepass")

    def _change(
        self, change: int, identifier: str, item: Mapping[str, Any] | None, key: str
    ) -> Change:
        return Change(self._types[change], identifier, item, key)


def item_place(subscription: str, item: str) -> tuple[str, ...]:
    """Return the context to which the ID of a list's item is sealed."""
    return ("item", subscription, item)


def is_too_much(items: int, gone: int) -> bool:
    """Return whether the number of missing items makes an incomplete list more likely than
    deletions.
    """
    return gone > FEWEST and gone > SHARE * items
