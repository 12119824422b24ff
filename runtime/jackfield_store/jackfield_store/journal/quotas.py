"""Places that calls take from quotas in the database, before they begin, each call in a transaction
of its own.

A place has its process as ``owner``, which the transaction of the call's begin removes. So the
places of a dead process whose calls have not begun are recognized, and given back once. A begin
whose place is gone is rolled back. A place to be given back has an owner that does not exist.

Sums are changed in one order, in a transaction without other locks that others may wait for.

A count does not wait for the disk: the begin comes later in the same log, and waits for both.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Unavailable
from jackfield_store.database.batches import JointUnit

if TYPE_CHECKING:
    from jackfield_store.database import Database, Transaction
    from jackfield_store.keys.vault import Vault

_NOBODY = "-"
"""Owner of places that are to be given back: no process has this name."""
_TAKE = """
INSERT INTO quota_counts (workspace, bucket, quota, spent, ends_at) VALUES (:workspace, :bucket, :quota, :amount, :ends_at)
ON CONFLICT (workspace, bucket) DO UPDATE SET spent = quota_counts.spent + excluded.spent
WHERE quota_counts.spent + excluded.spent <= :most
RETURNING spent
"""
_PLACE = """
INSERT INTO quota_places (workspace, id, bucket, mark, amount, owner, ends_at)
VALUES (:workspace, :id, :bucket, :mark, :amount, :owner, :ends_at)
"""
_HELD = "SELECT bucket, owner FROM quota_places WHERE workspace = :workspace AND id = :id"
_TAKE_OVER = (
    "UPDATE quota_places SET mark = :mark, owner = :owner WHERE workspace = :workspace AND "
    "id = :id AND owner IS NOT NULL"
)
_BEGIN = (
    "UPDATE quota_places SET owner = NULL WHERE workspace = :workspace AND id = :id AND mark "
    "= :mark AND owner IS NOT NULL"
)
_DISOWN = f"UPDATE quota_places SET owner = '{_NOBODY}' WHERE workspace = :workspace AND id = :id"
_RETURN = f"""
DELETE FROM quota_places WHERE workspace = :workspace AND id = :id AND (owner = '{_NOBODY}' OR mark = :mark) RETURNING bucket, amount
"""
_TAKE_BACK = (
    "UPDATE quota_counts SET spent = spent - :amount WHERE workspace = :workspace AND bucket "
    "= :bucket"
)
_LEFT = """
SELECT workspace, id, mark FROM quota_places
WHERE owner IS NOT NULL AND NOT EXISTS (SELECT 1 FROM instances WHERE instances.id = quota_places.owner) LIMIT :limit
"""
_USED = """
SELECT quota, COUNT(*) AS buckets, MAX(spent) AS most FROM quota_counts
WHERE workspace = :workspace AND ends_at > :now AND spent > 0 GROUP BY quota
"""
_PURGE_PLACES = """
DELETE FROM quota_places WHERE workspace = :workspace AND (id, bucket) IN (
    SELECT id, bucket FROM quota_places WHERE workspace = :workspace AND ends_at < :before LIMIT :limit
)
"""
_PURGE_COUNTS = """
DELETE FROM quota_counts WHERE workspace = :workspace AND bucket IN (
    SELECT bucket FROM quota_counts WHERE workspace = :workspace AND ends_at < :before LIMIT :limit
)
"""
_KEPT = 86_400.0
"""Seconds after the end of its span for which a place is stored."""
_AT_ONCE = 500


def digest(vault: Vault, workspace: str, value: Any) -> str:
    """Return the keyed digest of a quota's name or of a count's key, since callers and recipients
    can be guessed.
    """
    return vault.hmac(workspace, b"quota\0" + json.dumps(value).encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Share:
    """Amount that a call takes from one quota. ``bucket`` and ``quota`` are digests; ``title``
    names the quota to people.
    """

    bucket: str
    quota: str
    amount: int
    most: int
    ends_at: float
    title: str


@dataclass(frozen=True, slots=True)
class Places:
    """Places that one run of a call has taken."""

    workspace: str
    id: str
    mark: str
    count: int

    @property
    def _run(self) -> Mapping[str, str]:
        return {"workspace": self.workspace, "id": self.id, "mark": self.mark}

    def begin(self, transaction: Transaction) -> bool:
        """Record with the begin that the places are spent; return False if one of them was given
        back meanwhile.
        """
        return transaction.change(_BEGIN, self._run) == self.count

    def return_all(self) -> Returning:
        """Return the unit that gives the places back, unless that was done before."""
        return Returning(self._run)


class FullError(Exception):
    """Signal that a quota has no place left, so that no places of the other quotas are taken."""

    def __init__(self, share: Share) -> None:
        super().__init__(share.title)
        self.share = share


def taking(
    workspace: str,
    identifier: str,
    shares: Sequence[Share],
    owner: str | None,
    *,
    again: bool,
    purge: Callable[[], object],
) -> Callable[[Transaction], Places]:
    """Return the unit that takes a call's places from its quotas: all or nothing, and never twice
    for one call.

    With ``again`` the call may have places already. Places that it has begun with stay spent,
    others are taken over. ``owner`` is None if nothing records the begin before data are sent.
    ``purge`` is called when a span begins.

    The unit raises FullError if a quota is full, with the quota that has a free place last.
    """
    mark = secrets.token_hex(8)
    run = {"workspace": workspace, "id": identifier, "mark": mark, "owner": owner}

    def unit(transaction: Transaction) -> Places:
        taken = transaction.change(_TAKE_OVER, run) if again else 0
        held = {row.bucket for row in transaction.execute(_HELD, run)} if again else ()
        full = []
        for share in shares:
            if share.bucket in held:
                continue
            values = {
                "workspace": workspace,
                "bucket": share.bucket,
                "quota": share.quota,
                "amount": share.amount,
                "most": share.most,
                "ends_at": share.ends_at,
            }
            row = transaction.find(_TAKE, values) if share.amount <= share.most else None
            if row is None:
                full.append(share)
                continue
            transaction.change(
                _PLACE,
                {**run, "bucket": share.bucket, "amount": share.amount, "ends_at": share.ends_at},
            )
            taken += 1
            if row.spent == share.amount:
                purge()
        if full:  # and nothing of this is done
            raise FullError(max(full, key=lambda share: (share.amount > share.most, share.ends_at)))
        return Places(workspace, identifier, mark, taken)

    return unit


def give_back(
    database: Database, transaction: Transaction, workspace: str, identifier: str
) -> None:
    """Give back the places of a call that certainly has not taken effect, according to this
    transaction.

    The transaction only removes the places' owner, so that no sum is locked until it is on the
    disk. Then the places are subtracted from the sums; if that fails, recovery does it.
    """
    place = {"workspace": workspace, "id": identifier, "mark": ""}
    if transaction.change(_DISOWN, place):
        transaction.afterwards = (*transaction.afterwards, partial(_return, database, place))


def _return(database: Database, place: Mapping[str, str]) -> None:
    with suppress(Unavailable):  # it is closed: recovery does it
        database.defer(Returning(place))


@dataclass(frozen=True, slots=True)
class Returning(JointUnit):
    """Unit that subtracts places of a call from the sums: places without an owner, and places with
    the unit's mark. All such units of a commit run as one, which goes first. It changes the sums in
    order, as units that take places do: no two of them can deadlock.
    """

    place: Mapping[str, str]
    goes_first = True

    @property
    def order(self) -> tuple[str, ...]:
        """Place before all others."""
        return ("",)

    def run_all(self, units: Sequence[Returning], transaction: Transaction) -> None:
        """Give back the places of several calls."""
        _returned([unit.place for unit in units], transaction)


def _returned(places: Iterable[Mapping[str, Any]], transaction: Transaction) -> int:
    rows = [
        (place["workspace"], row) for place in places for row in transaction.execute(_RETURN, place)
    ]
    sums = Counter[tuple[str, str]]()
    for workspace, row in rows:
        sums[workspace, row.bucket] += row.amount
    for (workspace, bucket), amount in sorted(sums.items()):
        transaction.change(_TAKE_BACK, {"workspace": workspace, "bucket": bucket, "amount": amount})
    return len(rows)


def recover(database: Database) -> int:
    """Give back the places of dead processes whose calls have not begun; return the number of
    places.
    """
    found = 0
    while True:
        with database.read(flush=False) as transaction:
            rows = transaction.execute(_LEFT, {"limit": _AT_ONCE})
        given = database.adjust(partial(_returned, [row.as_dict() for row in rows])) if rows else 0
        found += given
        if len(rows) < _AT_ONCE or not given:
            return found


def used(database: Database, workspace: str, now: float) -> dict[str, tuple[int, int]]:
    """Return for each quota the number of its keys in use now, and the highest usage of a key, in
    millionths.
    """
    with database.read() as transaction:
        rows = transaction.execute(_USED, {"workspace": workspace, "now": now})
    return {row.quota: (int(row.buckets), int(row.most)) for row in rows}


def purging(database: Database, workspace: str, now: float) -> Callable[[], Any]:
    """Return a function that deletes the places of ended spans, with the next commits of others."""
    values = {"workspace": workspace, "before": now - _KEPT, "limit": _AT_ONCE}

    def unit(transaction: Transaction) -> int:
        return max(
            transaction.change(_PURGE_PLACES, values), transaction.change(_PURGE_COUNTS, values)
        )

    def more(deleted: int | None, _error: object) -> None:
        if deleted == _AT_ONCE:
            database.defer(unit, more)

    return lambda: database.defer(unit, more)
