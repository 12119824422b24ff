"""Rotation: data keys are wrapped again, or replaced, while calls go on.

Key services are called outside of transactions. A row is changed only if it still has the wrapped
value, and gets a workspace's own wrapper only while that is assigned. Removing a wrapper wraps all
its keys again, since later nothing could unwrap them. During the last check no data key is created,
so none is missed. Rotations can be interrupted anywhere and run again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass
from jackfield_store.database.engine import Database
from jackfield_store.database.faults import DataKeyDamaged, SealBroken, WrongMasterKey
from jackfield_store.database.statements import Row, without
from jackfield_store.database.transaction import Transaction
from jackfield_store.keys.data_keys import COLUMNS, DataKeys, damaged

if TYPE_CHECKING:
    from jackfield_store.keys.data_keys import AnyWrapper

_PAGE = 10
"""Number of rows that one transaction changes, so that no other writer waits for long: 3 ms on
PostgreSQL, less on SQLite.
"""
_SHARED = "workspace NOT IN (SELECT workspace FROM workspace_wrappers)"
_OWN = "workspace = :workspace"
_OF_OTHERS = (
    f"SELECT {COLUMNS} FROM data_keys WHERE (master_key_id < :id OR master_key_id > :id) AND "
    f"{{}} LIMIT :page"
)
"""Query for data keys with another wrapper. It reads the index of wrappers: a scan of all keys
would block other writers for longer, the more workspaces there are.
"""
_AFTER = f"""
SELECT {COLUMNS} FROM data_keys WHERE master_key_id = :id AND (workspace, key_id) > (:after_workspace, :after_key) AND {{}}
ORDER BY workspace, key_id LIMIT :page
"""
_CURRENT = f"SELECT {COLUMNS} FROM data_keys WHERE retired_at IS NULL AND workspace > :after"
_CHANGE = (
    "UPDATE data_keys SET wrapped = :anew, master_key_id = :id WHERE workspace = :workspace AND "
    "key_id = :key_id "
    "AND wrapped = :wrapped AND master_key_id = :before"
)
_LISTS = (
    "SELECT workspace, wrappers FROM workspace_wrappers WHERE workspace > :after AND "
    "workspace <= :last ORDER BY workspace"
)
_RETIRE = (
    "UPDATE data_keys SET retired_at = :now WHERE workspace = :workspace AND key_id = "
    ":key_id AND retired_at IS NULL"
)

Holds = Callable[[Transaction], bool]


def _always(_: Transaction) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rotated:
    """Number of rewrapped data keys, and the workspaces that failed because of their own key
    service or a damaged key.
    """

    count: int
    left: tuple[str, ...] = ()


def rewrap(
    database: Database,
    keys: DataKeys,
    target: AnyWrapper,
    workspace: str | None = None,
    holds: Holds = _always,
    left: set[str] | None = None,
) -> int:
    """Wrap data keys with ``target``: of a workspace, while ``holds`` is True in each transaction,
    or of all workspaces without wrappers of their own. Return the number of keys. Workspaces with a
    damaged key are skipped and added to ``left``; without ``left``, a damaged key raises.
    """
    count = 0
    while True:
        condition, left_out = without(sorted(left or ()))
        statement = _OF_OTHERS.format((_SHARED if workspace is None else _OWN) + condition)
        with database.write() as transaction:
            keys.between_creations(transaction)
            rows = transaction.execute(
                statement, {"id": target.id, "workspace": workspace, "page": _PAGE, **left_out}
            )
        changed = _changed(database, keys, rows, target, holds, left) if rows else None
        if changed is None:
            return count
        count += changed


def refresh(
    database: Database,
    keys: DataKeys,
    target: AnyWrapper,
    workspace: str | None = None,
    holds: Holds = _always,
    left: set[str] | None = None,
) -> int:
    """Wrap keys of a key service again that may have been wrapped with an earlier version of its
    key. Return the number of keys. ``workspace`` and ``left`` are as for ``rewrap``.
    """
    statement = _AFTER.format(_SHARED if workspace is None else _OWN)
    count, last = 0, ("", "")
    while not target.is_local:
        place = {
            "id": target.id,
            "workspace": workspace,
            "after_workspace": last[0],
            "after_key": last[1],
            "page": _PAGE,
        }
        with database.read(flush=False) as transaction:
            rows = transaction.execute(statement, place)
        changed = _changed(database, keys, rows, target, holds, left) if rows else None
        if changed is None:
            break
        count += changed
        last = (rows[-1].workspace, rows[-1].key_id)
    return count


def renew(database: Database, keys: DataKeys, now: float, skipped: Sequence[str] = ()) -> None:
    """Create new data keys for all workspaces that have one, except those in ``skipped``."""
    place = {"after": "", "page": _PAGE}
    while True:
        with database.read(flush=False) as transaction:
            rows = transaction.execute(f"{_CURRENT} ORDER BY workspace LIMIT :page", place)
            if not rows:
                break
            last = {**place, "last": rows[-1].workspace}
            lists = transaction.execute(_LISTS, last)
            targets = [
                (row, keys.target(transaction, row.workspace))
                for row in rows
                if row.workspace not in skipped
            ]
        anew = [(row, keys.fresh(row.workspace, target)) for row, target in targets]
        with database.write() as transaction:
            keys.beside_creations(transaction)
            # another process has moved a workspace to another wrapper
            if transaction.execute(_LISTS, last) != lists:
                continue
            there = transaction.execute(
                f"{_CURRENT} AND workspace <= :last ORDER BY workspace{database.dialect.locks}",
                last,
            )
            present = {row.key_id for row in there}
            # even after a clock was set back, the new key must not sort first
            later = [
                (row, max(now, row.created_at + 0.001), fresh)
                for row, fresh in anew
                if row.key_id in present
            ]
            retired = [
                {"now": at, "workspace": row.workspace, "key_id": row.key_id}
                for row, at, _ in later
            ]
            _, stored = keys.storing([(row.workspace, at, fresh) for row, at, fresh in later])
            transaction.change_all([(_RETIRE, retired), stored])
        place["after"] = rows[-1].workspace
    keys.clear()


def _changed(
    database: Database,
    keys: DataKeys,
    rows: list[Row],
    target: AnyWrapper,
    holds: Holds,
    left: set[str] | None,
) -> int | None:
    # two rotations that lock rows never wait for each other
    in_order = sorted(rows, key=lambda row: (row.workspace, row.key_id))
    anew = [change for row in in_order if (change := _change(keys, row, target, left)) is not None]
    with database.write() as transaction:
        return transaction.change_many(_CHANGE, anew) if holds(transaction) else None


def _change(
    keys: DataKeys, row: Row, target: AnyWrapper, left: set[str] | None
) -> dict[str, Any] | None:
    try:
        anew = _anew(keys, row, target)
    except (DataKeyDamaged, WrongMasterKey):
        if left is None:
            raise
        left.add(row.workspace)
        return None
    values = {
        "workspace": row.workspace,
        "key_id": row.key_id,
        "wrapped": bytes(row.wrapped),
        "before": row.master_key_id,
    }
    return {**values, "anew": anew, "id": target.id}


def _anew(keys: DataKeys, row: Row, target: AnyWrapper) -> bytes:
    context = keys.context(row.workspace, row.key_id)
    try:
        anew = target.rewrap(context, bytes(row.wrapped), row.master_key_id)
    except SealBroken:
        raise damaged(row) from None
    return target.wrap(context, keys.plain(row)) if anew is None else anew
