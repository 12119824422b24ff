"""The audit log: changes, tests, exports and sign-ins, each with its actor. Append-only, one hash
chain per workspace, no secret in it.

Each entry is written in the transaction of the change that it records, so neither exists without
the other. The digest of an entry is SHA-256 over the digest of the previous entry and the entry's
JSON text. Changing, removing or inserting one entry breaks the chain from there on. The head is
sealed (``audit_seals``). A database restored to an earlier state still has an intact chain. So
store the head of ``jackfield audit head`` elsewhere; ``verify`` compares with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from jackfield.callers.actor import LIBRARY, Actor
from jackfield.kernel.clock import Clock, iso
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidInvocation, Unavailable
from jackfield.kernel.stored_values import like_literal
from jackfield.redaction.marks import MASK
from jackfield_store.access.audit_seals import (
    FIRST,
    follows_a_seal,
    head_seal,
    is_sealed,
    must_have_a_head,
    prepare_seals,
)
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.cursors import invalid_cursor
from jackfield_store.database.faults import DataKeyDamaged, UniqueViolation
from jackfield_store.database.transaction import Step

if TYPE_CHECKING:
    from jackfield_store.keys.vault import Vault

_BATCH = 500
_CAUSES = (
    "the log was changed in the database, an older jackfield wrote {}, or the key of "
    "'default' could not be had"
)
_LOWEST = -(2**31)
"""Number below the ``sequence`` of every row, also of rows that somebody inserted."""
_COLUMNS = "sequence, actor, event, object, entry, digest"
_NEXT = """
INSERT INTO audit_heads (workspace, sequence, digest) VALUES (:workspace, 1, :first)
ON CONFLICT (workspace) DO UPDATE SET sequence = audit_heads.sequence + 1 RETURNING sequence, digest, seal
"""
_BEGIN = (
    "INSERT INTO audit_heads (workspace, sequence, digest, seal) VALUES (:workspace, "
    ":sequence, :digest, :seal) ON CONFLICT DO NOTHING"
)
_SET_HEAD = "UPDATE audit_heads SET digest = :digest, seal = :seal WHERE workspace = :workspace"
_INSERT = """
INSERT INTO audit_entries (workspace, sequence, actor, event, object, entry, digest)
VALUES (:workspace, :sequence, :actor, :event, :object, :entry, :digest)
"""
_ABOUT = (
    f"SELECT {_COLUMNS} FROM audit_entries WHERE workspace = :workspace AND object = :target "
    "ORDER BY sequence"
)
_HEAD = "SELECT sequence, digest, seal FROM audit_heads WHERE workspace = :workspace"
_OLDEST_FIRST = f"""
SELECT {_COLUMNS} FROM audit_entries WHERE workspace = :workspace AND sequence > :after ORDER BY sequence LIMIT :limit
"""


_NAMED = "LOWER(entry) LIKE :named ESCAPE '!'"
_RENAMED = "(event = 'connection.renamed' AND LOWER(entry) LIKE :renamed ESCAPE '!')"
_LAST = "SELECT MAX(sequence) AS sequence FROM audit_entries WHERE workspace = :workspace"
_AT = f"""
SELECT {_COLUMNS} FROM audit_entries WHERE workspace = :workspace AND sequence >= :sequence AND sequence < :end ORDER BY sequence LIMIT 1
"""


def difference(
    before: Mapping[str, Any], after: Mapping[str, Any], shown: Collection[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Return the changed members, as an entry stores them: their values ``before`` and ``after``,
    null for a missing value. Members outside ``shown`` are masked, since entries are not encrypted;
    None masks nothing.
    """
    changed = sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )

    def told(side: Mapping[str, Any]) -> dict[str, Any]:
        values = ((name, side.get(name)) for name in changed)
        return {
            name: value if value is None or shown is None or name in shown else MASK
            for name, value in values
        }

    return {"before": told(before), "after": told(after)}


def by_member(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a document with each member of the objects ``names`` as a member of its own, such as
    ``inputs/subject``.
    """
    flat = {name: value for name, value in document.items() if name not in names}
    for name in names:
        flat |= {f"{name}/{member}": value for member, value in (document.get(name) or {}).items()}
    return flat


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One recorded act. ``about`` holds its members as JSON; ``damage`` describes a damaged row,
    None if the row is intact.
    """

    sequence: int
    about: Mapping[str, Any]
    digest: str
    damage: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the entry in the form of ``GET /v1/audit``."""
        shown = {**self.about, "digest": self.digest}
        return (
            shown
            if self.damage is None
            else {**shown, "sequence": self.sequence, "damage": self.damage}
        )


@dataclass(frozen=True, slots=True)
class ChainState:
    """Outcome of a verification. ``head`` is ``sequence:digest`` of the newest entry; ``fault``
    describes the first break, None if there is none.
    """

    entries: int
    head: str
    fault: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as a JSON object."""
        shown: dict[str, Any] = {
            "whole": self.fault is None,
            "entries": self.entries,
            "head": self.head,
        }
        return shown if self.fault is None else {**shown, "fault": self.fault}


class Audit:
    """Audit log of one workspace, written in the name of one actor. Thread-safe."""

    def __init__(
        self,
        database: Database,
        vault: Callable[[], Vault],
        workspace: str,
        clock: Clock,
        actor: Actor = LIBRARY,
    ) -> None:
        self._database = database
        self._vault = vault
        self.workspace = workspace
        self._clock = clock
        self._actor = actor

    def append(
        self,
        transaction: Transaction,
        event: str,
        target: str,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Record one act within ``transaction``: the ``event`` (``connection.created``) and its
        ``target`` (``connection:acme-ses``).

        :param details: further members, without secrets.
        """
        rows = transaction.execute(_NEXT, {"workspace": self.workspace, "first": FIRST})
        is_sealed = follows_a_seal(self._vault(), self.workspace, rows[0], event)
        values = self.values(
            (rows[0].sequence, rows[0].digest), event, target, details, is_sealed=is_sealed
        )
        try:
            transaction.change(_INSERT, values)
        except UniqueViolation:
            text = (
                f"the audit log of '{self.workspace}' was altered in the database: entry "
                f"{rows[0].sequence:,} exists already"
            )
            raise Unavailable(
                text,
                hint="Run 'jackfield audit verify', and find out who else writes to the database.",
            ) from None
        transaction.change(_SET_HEAD, values)

    def values(
        self,
        last: tuple[int, str],
        event: str,
        target: str,
        details: Mapping[str, Any] | None,
        *,
        is_sealed: bool = True,
    ) -> dict[str, Any]:
        """Return the row of an entry and the seal of the log's head.

        ``last`` holds the entry's number and its predecessor's digest; ``is_sealed`` is False if
        the predecessor lacked its seal as the head.
        """
        sequence, before = last
        at = iso(self._clock.time())
        about: dict[str, Any] = {
            "sequence": sequence,
            "at": at,
            "actor": self._actor.to_json(),
            "event": event,
            "object": target,
        }
        further: dict[str, Any] = ({"details": dict(details)} if details else {}) | (
            {} if is_sealed else {"unsealed": True}
        )
        entry = json.dumps(about | further, sort_keys=True)
        digest = _chained(before, entry)
        columns = {
            "workspace": self.workspace,
            "sequence": sequence,
            "actor": self._actor.key,
            "event": event,
            "object": target,
        }
        seal = head_seal(self._vault(), self.workspace, sequence, digest)
        return {**columns, "entry": entry, "digest": digest, "seal": seal}

    def prepare(self) -> Audit:
        """Get the key of the seals, so that no transaction waits for a key service. Return the
        log.
        """
        prepare_seals(self._vault())
        return self

    def record(self, event: str, target: str, details: Mapping[str, Any] | None = None) -> None:
        """Record an act that changes nothing in the database, such as a sign-in or an export.

        :raises Unavailable: if it cannot be recorded; the caller must then abort the act.
        """
        self.prepare()
        with self._database.write() as transaction:
            self.append(transaction, event, target, details)

    def list(
        self,
        *,
        actor: str | None = None,
        target: str | None = None,
        event: str | None = None,
        since: float | None = None,
        until: float | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> tuple[list[AuditEntry], str | None]:
        """Return up to ``limit`` entries, newest first, and the cursor of the next page, None on
        the last page. A filter ``TEXT*`` matches the beginning; ``*TEXT*`` matches any part and
        ignores case, for an actor also in the name. For a ``target`` it also matches the new name
        of a renamed connection.

        :param since: seconds since 1970 from which on entries count, in the order of their writing.
        :param until: seconds since 1970 before which entries count.
        :raises InvalidInvocation: if the cursor did not come from a list.
        """
        values: dict[str, Any] = {"workspace": self.workspace, "limit": limit + 1}
        wanted = []
        for column, text in (("actor", actor), ("object", target), ("event", event)):
            if text:
                condition, values[column] = _condition(column, text)
                if column == "object" and _is_part(text):
                    condition, values["renamed"] = f"({condition} OR {_RENAMED})", _new_name(text)
                if column == "actor" and _is_part(text):
                    condition, values["named"] = f"({condition} OR {_NAMED})", _actor_pattern(text)
                wanted.append(condition)
        if cursor is not None:
            wanted.append("sequence < :before")
            values["before"] = _read_cursor(cursor)
        with self._database.read(flush=False) as transaction:
            for name, at, sign in (("first", since, ">="), ("end", until, "<")):
                if at is not None:
                    wanted.append(f"sequence {sign} :{name}")
                    values[name] = self._first_since(transaction, at)
            further = "".join(f" AND {condition}" for condition in wanted)
            statement = (
                f"SELECT {_COLUMNS} FROM audit_entries WHERE workspace = :workspace{further} "
                "ORDER BY sequence DESC LIMIT :limit"
            )
            rows = transaction.execute(statement, values)
        found = [_entry_from(row) for row in rows[:limit]]
        return found, str(found[-1].sequence) if len(rows) > limit else None

    def _first_since(self, transaction: Transaction, at: float) -> int:
        """Return the number of the first entry that was written at a time or later, by halving:
        entries are written in order.
        """
        wanted, low = iso(at) or "", 1
        last = transaction.find(_LAST, {"workspace": self.workspace})
        high = 1 if last is None or last.sequence is None else last.sequence + 1
        while low < high:
            middle = (low + high) // 2
            row = transaction.find(
                _AT, {"workspace": self.workspace, "sequence": middle, "end": high}
            )
            if row is None:  # entries were removed from the database
                high = middle
            elif str(_entry_from(row).about.get("at", "")) < wanted:
                low = row.sequence + 1
            else:
                high = middle
        return low

    def all(self) -> Iterator[AuditEntry]:
        """Yield every entry, oldest first, in bounded memory."""
        for row in self._rows():
            yield _entry_from(row)

    def verify(self, known_head: str | None = None, *, seals: bool = True) -> ChainState:
        """Check every digest of the chain, its head, and the seals.

        :param known_head: a head that was printed earlier and stored elsewhere; its entry must
            still have its digest. The head vouches for all earlier entries: only later seals are
            checked.
        :param seals: False if the master key is not available.
        :raises InvalidInvocation: if ``known_head`` is not ``sequence:digest``.
        """
        known = _read_head(known_head) if known_head is not None else None
        before = _numbered(self._head())
        vouched = 0 if known is None else known[0]
        last, count, unsealed = FIRST, 0, 0
        for row in self._rows():
            fault = _fault(
                row, count + 1, last, [head for head in (known, before) if head is not None]
            )
            if fault is not None:
                return ChainState(count, f"{count}:{last}", fault)
            last, count = row.digest, count + 1
            if not unsealed and count > vouched and "unsealed" in _entry_from(row).about:
                unsealed = count
        after = self._head()
        fault = _end_fault(count, last, before, _numbered(after), known)
        if fault is None and seals:
            fault = _unsealed_fault(unsealed) if unsealed else self._seal_fault(after, known)
        return ChainState(count, f"{count}:{last}", fault)

    def acts(
        self, target: str, prefix: str, transaction: Transaction | None = None
    ) -> tuple[AuditEntry, ...]:
        """Return the entries about a target whose event begins with ``prefix``, oldest first."""
        values = {"workspace": self.workspace, "target": target}
        with (
            nullcontext(transaction)
            if transaction is not None
            else self._database.read(flush=False) as reading
        ):
            found = [_entry_from(row) for row in reading.execute(_ABOUT, values)]
        return tuple(
            entry
            for entry in found
            if entry.damage is not None or str(entry.about.get("event")).startswith(prefix)
        )

    def fault_since(self, sequence: int) -> str | None:
        """Return the first fault of the chain from the entry ``sequence`` to the sealed head; None
        if the chain is intact.
        """
        head = self._head()
        if fault := self._seal_fault(head, None):
            return fault
        last, count, end = "", sequence, _numbered(head)[0]
        for row in self._rows(sequence - 1):
            if row.sequence > end:
                break
            fault = (
                _fault(row, count, last, [_numbered(head)])
                if last
                else (None if row.sequence == sequence else f"entry {sequence:,} is missing")
            )
            if fault is None and "unsealed" in _entry_from(row).about:
                fault = _unsealed_fault(row.sequence)
            if fault is not None:
                return fault
            last, count = row.digest, count + 1
        return (
            None
            if count > end
            else f"the log ends with entry {count - 1:,}, and its head is entry {end:,}"
        )

    def head(self) -> str:
        """Return the newest entry as ``sequence:digest``, if it is sealed.

        :raises Unavailable: if it is not sealed: it must not be stored elsewhere as proof.
        """
        head = self._head()
        if fault := self._seal_fault(head, None):
            text = f"the audit log of '{self.workspace}' cannot be vouched for: {fault}"
            raise Unavailable(
                text,
                hint="Run 'jackfield audit verify', and find out who else writes to the database.",
            )
        return "{}:{}".format(*_numbered(head))

    def _head(self) -> Row | None:
        with self._database.read(flush=False) as transaction:
            return transaction.find(_HEAD, {"workspace": self.workspace})

    def _seal_fault(self, head: Row | None, known: tuple[int, str] | None) -> str | None:
        if head is None:
            with self._database.read(flush=False) as transaction:
                is_new = not must_have_a_head(transaction, self.workspace)
            return None if is_new else "the log has no head: it was removed from the database"
        if known == _numbered(head):
            return None
        try:
            if is_sealed(self._vault(), self.workspace, *_numbered(head), head.seal):
                return None
        except DataKeyDamaged as fault:
            return f"the seal of its head cannot be judged: {fault.message}"
        return f"its head, entry {head.sequence:,}, is not sealed: {_CAUSES.format('it')}"

    def _rows(self, after: int = _LOWEST) -> Iterator[Row]:
        while True:
            with self._database.read(flush=False) as transaction:
                rows = transaction.execute(
                    _OLDEST_FIRST, {"workspace": self.workspace, "after": after, "limit": _BATCH}
                )
            yield from rows
            if len(rows) < _BATCH:
                return
            after = rows[-1].sequence


def first_acts(acts: Iterable[tuple[Audit, tuple[str, str, Mapping[str, Any]]]]) -> list[Step]:
    """Return the steps that record the first act of each of several workspaces: its event, target
    and details. They insert fewer rows if a workspace has a log already.
    """
    rows = [audit.values((1, FIRST), *act) for audit, act in acts]
    return [(_BEGIN, rows), (f"{_INSERT} ON CONFLICT DO NOTHING", rows)]


def _numbered(head: Row | None) -> tuple[int, str]:
    return (head.sequence, head.digest) if head is not None else (0, FIRST)


def _unsealed_fault(sequence: int) -> str:
    settled = "If that is settled, keep this head, and give it with --head from now on"
    return (
        f"entry {sequence:,} follows a head that was not sealed: "
        f"{_CAUSES.format('the entry before it')}. {settled}"
    )


def _chained(before: str, entry: str) -> str:
    return hashlib.sha256(f"{before}\n{entry}".encode()).hexdigest()


def _is_part(text: str) -> bool:
    return len(text) > 1 and text.startswith("*") and text.endswith("*")


def _actor_pattern(text: str) -> str:
    """Return the LIKE pattern of entries whose actor has a text in the name: an entry begins with
    its actor, followed by its time.
    """
    return (
        f'{{"actor": {{%"name": "%{like_literal(json.dumps(text[1:-1])[1:-1].lower())}%"}}, '
        '"at": "%'
    )


def _condition(column: str, text: str) -> tuple[str, str]:
    if _is_part(text):
        return f"LOWER({column}) LIKE :{column} ESCAPE '!'", f"%{like_literal(text[1:-1].lower())}%"
    if text.endswith("*"):
        return f"{column} LIKE :{column} ESCAPE '!'", f"{like_literal(text[:-1])}%"
    return f"{column} = :{column}", text


def _new_name(text: str) -> str:
    """Return the LIKE pattern of renames whose new name contains a text."""
    return (
        f'%"details": {{"to": "%{like_literal(text[1:-1].lower())}%"}}, "event": '
        '"connection.renamed"%'
    )


def _fault(row: Row, sequence: int, before: str, heads: Iterable[tuple[int, str]]) -> str | None:
    if row.sequence != sequence:
        return f"entry {sequence:,} is missing, or entry {row.sequence:,} was inserted"
    if row.digest != _chained(before, row.entry):
        return f"entry {sequence:,} was changed, or the one before it: its digest does not match"
    if any(head[0] == sequence and head[1] != row.digest for head in heads):
        return f"entry {sequence:,} has another digest than its head: the log was rewritten"
    damage = _entry_from(row).damage
    return None if damage is None else f"entry {sequence:,} {damage}"


def _end_fault(
    count: int,
    last: str,
    before: tuple[int, str],
    after: tuple[int, str],
    known: tuple[int, str] | None,
) -> str | None:
    """Return the fault at the end of the chain; None without a fault. The head is read twice, since
    others may write meanwhile.
    """
    if known is not None and known[0] > count:
        return f"entry {known[0]:,} is missing: the log ends with entry {count:,}"
    if count < before[0]:
        return (
            f"the log ends with entry {count:,}, and its head is entry {before[0]:,}: "
            "entries at the end were removed"
        )
    if count > after[0] or (count == after[0] and last != after[1]):
        return (
            f"the log ends with entry {count:,}, and its head is entry {after[0]:,}: an "
            "entry was inserted, or the head was changed"
        )
    return None


def _entry_from(row: Row) -> AuditEntry:
    try:
        about = json.loads(row.entry)
        actor = Actor.from_json(about["actor"]).key
    except (ValueError, TypeError, KeyError, AttributeError):
        return AuditEntry(row.sequence, {}, row.digest, "cannot be read")
    columns = (row.sequence, actor, row.event, row.object)
    if (about.get("sequence"), row.actor, about.get("event"), about.get("object")) != columns:
        return AuditEntry(row.sequence, about, row.digest, "has columns that differ from its text")
    return AuditEntry(row.sequence, about, row.digest)


def _read_cursor(cursor: str) -> int:
    if cursor.isascii() and cursor.isdigit() and len(cursor) <= 15:
        return int(cursor)
    raise invalid_cursor()


def _read_head(text: str) -> tuple[int, str]:
    sequence, _, digest = text.partition(":")
    if (
        sequence.isascii()
        and sequence.isdigit()
        and len(sequence) <= 15
        and len(digest) == len(FIRST)
    ):
        return int(sequence), digest
    fault = Detail(
        "/head", "must be 'sequence:digest', as printed by 'jackfield audit verify'", "pattern"
    )
    raise InvalidInvocation("the known head is not valid", details=[fault])
