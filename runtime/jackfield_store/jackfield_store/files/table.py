"""Rows of stored files: existing files, their expiry, and the storage that a workspace uses. Quotas
and deletions are exact across processes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from jackfield.invocation.file_refusals import NoRoom, Quota
from jackfield.invocation.stored_file import StoredFile
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Unavailable
from jackfield_store.database import Database, Transaction
from jackfield_store.database.cursors import cursor_after, place_after

_COLUMNS = "workspace, id, name, content_type, size, sealed, caller, created_at, expires_at"
_HELD = """(files.sealed IS NOT NULL AND EXISTS (
    SELECT 1 FROM file_holds h JOIN invocations i ON i.workspace = h.workspace AND i.id = h.invocation_id
    WHERE h.workspace = files.workspace AND h.file_id = files.id AND (i.status IN ('queued', 'running') OR i.dead_at IS NOT NULL)))"""
_ONE = "workspace = :workspace AND id = :id"
_FIND = (
    f"SELECT {_COLUMNS} FROM files WHERE {_ONE} AND sealed IS NOT NULL AND (expires_at >= "
    f":now OR {_HELD})"
)
_USE = (
    "INSERT INTO file_usage (workspace, files, bytes) VALUES (:workspace, 0, 0) ON CONFLICT "
    "(workspace) DO NOTHING"
)
_COUNT = "UPDATE file_usage SET files = files + 1 WHERE workspace = :workspace AND files < :limit"
_GROW = (
    "UPDATE file_usage SET bytes = bytes + :size WHERE workspace = :workspace AND bytes + "
    ":size <= :cap"
)
_GIVE_BACK = (
    "UPDATE file_usage SET files = files - 1, bytes = bytes - :size WHERE workspace = :workspace"
)
_BEGIN = (
    f"INSERT INTO files ({_COLUMNS}) VALUES (:workspace, :id, :name, :content_type, 0, NULL, "
    ":caller, :now, :until)"
)
_ARRIVED = (
    f"UPDATE files SET size = size + :size, expires_at = :until WHERE {_ONE} AND sealed IS NULL"
)
_FINISH = (
    "UPDATE files SET size = size + :size, expires_at = :until, sealed = :sealed WHERE "
    f"{_ONE} AND sealed IS NULL"
)
_RENEW = (
    f"UPDATE files SET expires_at = :until WHERE {_ONE} AND sealed IS NOT NULL AND "
    "expires_at < :until"
)
_HOLD = """INSERT INTO file_holds (workspace, file_id, invocation_id)
    SELECT workspace, id, :invocation FROM files WHERE workspace = :workspace AND id = :id AND sealed IS NOT NULL
    ON CONFLICT (workspace, file_id, invocation_id) DO NOTHING"""
_OWN = (
    "INSERT INTO file_holds (workspace, file_id, invocation_id) VALUES (:workspace, :id, "
    ":invocation)"
)
_UNFINISHED = """SELECT f.id FROM file_holds h JOIN files f ON f.workspace = h.workspace AND f.id = h.file_id
    WHERE h.workspace = :workspace AND h.invocation_id = :invocation AND f.sealed IS NULL"""
_HIDE = (
    f"UPDATE files SET sealed = NULL, expires_at = :until WHERE {_ONE} AND expires_at <= :before"
)
_HIDE_FREE = f"{_HIDE} AND NOT {_HELD}"
_DROP = f"DELETE FROM files WHERE {_ONE} AND sealed IS NULL RETURNING size"
_FORGET = "DELETE FROM file_holds WHERE workspace = :workspace AND file_id = :id"
_EXPIRED = f"""SELECT workspace, id, CASE WHEN sealed IS NULL THEN 0 ELSE 1 END AS finished FROM files
    WHERE expires_at < :now AND NOT {_HELD} ORDER BY expires_at LIMIT :limit"""
_PAGE = f"""SELECT {_COLUMNS} FROM files WHERE (workspace, id) > (:workspace, :id) AND sealed IS NOT NULL
    ORDER BY workspace, id LIMIT :limit"""
_ROWS = 500
_FOREVER = 1e18


@dataclass(frozen=True, slots=True)
class FileTable:
    """Files of all workspaces of one database."""

    database: Database

    def begin(
        self,
        workspace: str,
        identifier: str,
        about: dict[str, Any],
        limit: int,
        quota: Quota,
        announced: int,
        invocation: str | None,
    ) -> None:
        """Record a file whose content arrives from now on, up to ``about['until']`` without
        progress: ``announced`` bytes, if known. The queued ``invocation`` returns the file, if any.

        :raises NoRoom: if the workspace has ``limit`` files, or its files would exceed the server's
            quota.
        :raises LimitReached: if the files would exceed the workspace's own limit.
        """

        def unit(transaction: Transaction) -> None:
            transaction.change(_USE, {"workspace": workspace})
            if not transaction.change(_COUNT, {"workspace": workspace, "limit": limit}):
                raise NoRoom(f"the workspace already has the maximum of {limit:,} files")
            within = {"workspace": workspace, "size": 0, "cap": quota.most - announced}
            if (quota.limit or announced) and not transaction.change(_GROW, within):
                raise quota.refusal()
            transaction.change(_BEGIN, {"workspace": workspace, "id": identifier, **about})
            if invocation is not None:
                transaction.change(
                    _OWN, {"workspace": workspace, "id": identifier, "invocation": invocation}
                )

        self.database.record(unit)

    def arrived(
        self, workspace: str, identifier: str, size: int, until: float, quota: Quota
    ) -> None:
        """Record ``size`` bytes more of an unfinished file.

        :raises NoRoom, LimitReached: if the workspace's files would exceed ``quota``.
        :raises Unavailable: if the upload has been given up.
        """
        self.database.record(
            lambda transaction: _grow(
                transaction, _ARRIVED, workspace, identifier, size, quota, {"until": until}
            )
        )

    def finish(
        self, workspace: str, identifier: str, size: int, until: float, quota: Quota, sealed: bytes
    ) -> None:
        """Record the last ``size`` bytes of a file, which exists from now on.

        :raises NoRoom, LimitReached, Unavailable: like ``arrived``.
        """
        more = {"until": until, "sealed": sealed}
        self.database.record(
            lambda transaction: _grow(
                transaction, _FINISH, workspace, identifier, size, quota, more
            )
        )

    def find(self, workspace: str, identifier: str, now: float) -> StoredFile | None:
        """Return a file that has not expired, or that an open invocation holds; None without such a
        file.
        """
        row = self.database.look_up(_FIND, {"workspace": workspace, "id": identifier, "now": now})
        return None if row is None else StoredFile(*row)

    def unfinished(self, workspace: str, invocation: str) -> list[str]:
        """Return the IDs of the files that a queued invocation has started to store and has not
        finished.
        """
        with self.database.read() as transaction:
            return [
                row.id
                for row in transaction.execute(
                    _UNFINISHED, {"workspace": workspace, "invocation": invocation}
                )
            ]

    def renew(self, workspace: str, identifiers: Collection[str], until: float) -> None:
        """Extend the expiry of files to ``until``; a later expiry stays."""

        def unit(transaction: Transaction) -> None:
            for identifier in sorted(identifiers):
                transaction.change(
                    _RENEW, {"workspace": workspace, "id": identifier, "until": until}
                )

        self.database.record(unit)

    def pages(self) -> Iterator[list[StoredFile]]:
        """Generate the complete files of all workspaces, some hundred at a time, so that no read
        transaction takes long.
        """
        workspace = identifier = ""
        while True:
            with self.database.read(flush=False) as transaction:
                rows = transaction.execute(
                    _PAGE, {"workspace": workspace, "id": identifier, "limit": _ROWS}
                )
            yield [StoredFile(*row) for row in rows]
            if len(rows) < _ROWS:
                return
            workspace, identifier = rows[-1].workspace, rows[-1].id

    def expired(self, now: float, limit: int) -> list[tuple[str, str, bool]]:
        """Return workspace and id of files that may be deleted, and whether each was complete."""
        with self.database.read(flush=False) as transaction:
            return [
                (row.workspace, row.id, bool(row.finished))
                for row in transaction.execute(_EXPIRED, {"now": now, "limit": limit})
            ]

    def hide(
        self, workspace: str, identifier: str, until: float, *, expired_at: float | None = None
    ) -> bool:
        """Make a file unknown before its content is deleted; return False if there is no such file,
        or another process deletes it.

        If this process dies, the deletion is due again at ``until``. With ``expired_at`` the file
        must have expired by then, and must not be held by an invocation.
        """
        statement, before = (_HIDE, _FOREVER) if expired_at is None else (_HIDE_FREE, expired_at)
        values = {"workspace": workspace, "id": identifier, "until": until, "before": before}
        return bool(self.database.record(lambda transaction: transaction.change(statement, values)))

    def drop(self, workspace: str, identifier: str) -> None:
        """Remove a hidden file's row and subtract its size from the workspace's storage."""

        def unit(transaction: Transaction) -> None:
            row = transaction.find(_DROP, {"workspace": workspace, "id": identifier})
            if row is not None:
                transaction.change(_GIVE_BACK, {"workspace": workspace, "size": row.size})
                transaction.change(_FORGET, {"workspace": workspace, "id": identifier})

        self.database.record(unit)

    def usage(self, workspace: str) -> tuple[int, int]:
        """Return number and bytes of the workspace's files."""
        row = self.database.look_up(
            "SELECT files, bytes FROM file_usage WHERE workspace = :workspace",
            {"workspace": workspace},
        )
        return (0, 0) if row is None else (int(row.files), int(row.bytes))

    def list(
        self,
        workspace: str,
        now: float,
        caller: str | None,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> tuple[list[StoredFile], str | None]:
        """Return files, newest first, and the cursor of the next page, None on the last page. With
        ``caller``, return only the caller's files.

        :raises InvalidInvocation: if the cursor did not come from a list.
        """
        values: dict[str, Any] = {"workspace": workspace, "limit": limit + 1, "now": now}
        where = ""
        if cursor is not None:
            values |= place_after(cursor, "at", "id")
            where = " AND (created_at < :at OR (created_at = :at AND id < :id))"
        if caller is not None:
            values["caller"] = caller
            where += " AND caller = :caller"
        statement = f"""SELECT {_COLUMNS} FROM files WHERE workspace = :workspace AND sealed IS NOT NULL AND expires_at >= :now{where}
            ORDER BY created_at DESC, id DESC LIMIT :limit"""
        with self.database.read(flush=False) as transaction:
            rows = transaction.execute(statement, values)
        found = [StoredFile(*row) for row in rows[:limit]]
        return found, cursor_after(found[-1] if len(rows) > limit else None, "created_at", "id")


def holding(
    workspace: str, identifiers: Collection[str], invocation: str
) -> Callable[[Transaction], None] | None:
    """Return the statements that hold files until an invocation has ended, for the transaction that
    queues it; None without files. If a file was deleted meanwhile, its reader reports that.
    """
    if not identifiers:
        return None

    def hold_all(transaction: Transaction) -> None:
        for identifier in identifiers:
            transaction.change(
                _HOLD, {"workspace": workspace, "id": identifier, "invocation": invocation}
            )

    return hold_all


def _grow(
    transaction: Transaction,
    statement: str,
    workspace: str,
    identifier: str,
    size: int,
    quota: Quota,
    more: dict[str, Any],
) -> None:
    if not transaction.change(_GROW, {"workspace": workspace, "size": size, "cap": quota.most}):
        raise quota.refusal()
    if not transaction.change(
        statement, {"workspace": workspace, "id": identifier, "size": size, **more}
    ):
        raise Unavailable(
            "the upload took too long and was discarded", hint="Upload the file again."
        )
