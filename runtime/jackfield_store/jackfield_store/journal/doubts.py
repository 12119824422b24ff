"""Doubts in the journal that evidence may settle: the data for looks, the time of the next look,
and the findings.

Evidence changes the journal's Result of an invocation, in one transaction and only while the
invocation is in doubt. This module sends nothing.
"""

from __future__ import annotations

import json
import logging
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass, replace
from jackfield_store.database.due_rows import DueRows, DueTable, OvertakenError, held
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.journal import marks, quotas
from jackfield_store.journal import statements as sql
from jackfield_store.journal.entry import DOUBT_KEPT, EVIDENCE
from jackfield_store.journal.outcomes import refer
from jackfield_store.journal.resolving import tell_contradiction

if TYPE_CHECKING:
    from jackfield.invocation.entry import Draft, Entry
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Database, Row, Transaction
    from jackfield_store.database.blocked import BlockedWorkspaces
    from jackfield_store.keys.vault import Vault

    Verdict = Literal["took", "refused", "absent"]

LOOK_RESULTS = ("nothing", "matched", "refused", "pending", "similar", "ambiguous", "failed")
"""Possible findings of a look."""
SHOWN = 20
"""Maximum number of looks that are stored of one doubt, newest first."""
UNKNOWN = b""
"""Facts of a call whose process has died and stored none: its first look collects the facts."""
_NOBODY = 0.0
"""Time of the next look at a function's doubt while no process is known to look: the first one that
declares the function with a look finds it due.
"""
_OVERDUE = 15.0
"""Seconds after which a look at a function's doubt is overdue: no running process declares the
function.
"""
LASTS = 60.0
"""Seconds for which a claim of a doubt lasts: longer than a look."""
_LOG = logging.getLogger("jackfield.doubts")
_PLACE = "workspace = :workspace AND id = :id"
_EXPECT = """
INSERT INTO doubts (workspace, id, facts) VALUES (:workspace, :id, :facts)
ON CONFLICT (workspace, id) DO UPDATE SET facts = excluded.facts, log = NULL, since = NULL, look_at = NULL, looks = 0
"""
_ADOPT = """
INSERT INTO doubts (workspace, id, facts, since, look_at, function) VALUES (:workspace, :id, :facts, :since, :look_at, :function)
ON CONFLICT (workspace, id) DO NOTHING
"""
_KEEP = """
INSERT INTO doubts (workspace, id, facts, since) VALUES (:workspace, :id, :facts, :now)
ON CONFLICT (workspace, id) DO UPDATE SET claim = doubts.claim + 1,
    look_at = CASE WHEN doubts.look_at < :until THEN :until ELSE doubts.look_at END
"""
_OF_FUNCTION = """
INSERT INTO doubts (workspace, id, facts, since, look_at, function) VALUES (:workspace, :id, :facts, :since, :look_at, :function)
ON CONFLICT (workspace, id) DO UPDATE SET since = excluded.since, look_at = excluded.look_at, claim = doubts.claim + 1
"""
_FOUND_OUT = f"UPDATE doubts SET facts = :facts WHERE {_PLACE} AND claim = :claim"
_FORGET = f"DELETE FROM doubts WHERE {_PLACE} AND claim = :claim"
_OPEN = f"UPDATE doubts SET facts = :facts, since = :now, look_at = :look_at WHERE {_PLACE}"
_LEFT = (
    "UPDATE doubts SET since = :now, look_at = :look_at "
    f"WHERE {_PLACE} AND (since IS NULL OR look_at IS NULL)"
)
_STOPPED = f"UPDATE doubts SET since = :now WHERE {_PLACE} AND since IS NULL"
_DROP = f"DELETE FROM doubts WHERE {_PLACE} AND since IS NULL"
_COLUMNS = "workspace, id, facts, log, since, look_at, claim, looks, contradicted_at, function"
_ONE = f"SELECT {_COLUMNS} FROM doubts WHERE {_PLACE}"
_LOOKED = (
    "UPDATE doubts SET log = :log, looks = :looks, look_at = :look_at, claim = claim + 1 "
    f"WHERE {_PLACE} AND claim = :claim"
)
_PUT_OFF = (
    f"UPDATE doubts SET look_at = :look_at, claim = claim + 1 WHERE {_PLACE} AND claim = :claim"
)
_CONTRADICTED = (
    f"UPDATE doubts SET contradicted_at = :now WHERE {_PLACE} AND contradicted_at IS NULL"
)
_COUNT = """
INSERT INTO event_counts (workspace, day, events, deliveries, looks) VALUES (:workspace, :day, 0, 0, :looks)
ON CONFLICT (workspace, day) DO UPDATE SET looks = event_counts.looks + excluded.looks
"""
_DAY = 86_400
_MAY_ANSWER = f"UPDATE invocations SET recovered_at = :now WHERE {_PLACE} AND status = 'in_doubt'"
_NOTE = f"UPDATE invocations SET result = :result WHERE {_PLACE} AND status = :status"


def facts_place(identifier: str) -> tuple[str, ...]:
    """Return the place that the facts of a doubt are sealed for."""
    return ("doubt", identifier, "facts")


def log_place(identifier: str) -> tuple[str, ...]:
    """Return the place that the log of a doubt's looks is sealed for."""
    return ("doubt", identifier, "log")


def sealed_facts(vault: Vault, workspace: str, identifier: str, facts: Mapping[str, Any]) -> bytes:
    """Seal the data for looks."""
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    return vault.seal(workspace, facts_place(identifier), text)


def expect(transaction: Transaction, workspace: str, identifier: str, facts: bytes) -> None:
    """Store the facts of a call in the transaction that records its start."""
    transaction.change(_EXPECT, {"workspace": workspace, "id": identifier, "facts": facts})


def opened(
    transaction: Transaction,
    workspace: str,
    identifier: str,
    facts: bytes,
    now: float,
    first: float,
) -> None:
    """Schedule the first look of a call that ends in doubt, in the transaction of its end."""
    transaction.change(
        _OPEN,
        {
            "workspace": workspace,
            "id": identifier,
            "facts": facts,
            "now": now,
            "look_at": now + spread(first),
        },
    )


def keep_from_looking(
    transaction: Transaction, place: Mapping[str, str], now: float, until: float
) -> None:
    """Let no look be made while the request of a doubt is sent again; a look that is being made is
    overtaken.
    """
    transaction.change(_KEEP, {**place, "facts": UNKNOWN, "now": now, "until": until})


def dropped(transaction: Transaction, workspace: str, identifier: str) -> None:
    """Delete the facts of a call that has ended without a doubt."""
    transaction.change(_DROP, {"workspace": workspace, "id": identifier})


def left(
    transaction: Transaction,
    workspace: str,
    identifier: str,
    status: str,
    now: float,
    function: str | None = None,
) -> None:
    """Schedule the first look of a call that recovery has put in doubt, or delete the facts that
    its process stored. Without facts, the look determines whether events may be evidence. The call
    of a ``function`` stores no facts: its look needs the key alone. Nobody has seen the function
    end, and its process may live.
    """
    values = _first_look(workspace, identifier, now, function, ended=function is None)
    if status != "in_doubt":
        dropped(transaction, workspace, identifier)
    elif function is not None or not transaction.change(_LEFT, {**values, "now": now}):
        transaction.change(_ADOPT, values)


def _first_look(
    workspace: str, identifier: str, now: float, function: str | None, *, ended: bool
) -> dict[str, Any]:
    is_looked_for = function is None or looks_for(function)
    return {
        "workspace": workspace,
        "id": identifier,
        "facts": UNKNOWN,
        "since": now if ended else None,
        "look_at": now + spread(5.0) if is_looked_for else _NOBODY,
        "function": function,
    }


def looks_for(function: str) -> bool:
    """Return whether this process declares a function of this name with a look."""
    looks = sys.modules.get("jackfield.boundary.looks")  # most programs declare no function
    return looks is not None and any(one.name == function for one in looks.functions(looking=True))


def stopped(
    transaction: Transaction, workspace: str, identifier: str, function: str, now: float
) -> None:
    """Record that a function whose call is in doubt has ended, now. From here on nobody can send,
    and that the effect is absent counts.
    """
    transaction.change(_OF_FUNCTION, _first_look(workspace, identifier, now, function, ended=True))


def waiting(
    end: Callable[[Transaction], int],
    workspace: str,
    draft: Draft | Entry,
    now: float,
    transaction: Transaction,
    *,
    runs_on: bool,
) -> int:
    """End a function's call in doubt and schedule its first look. While the function ``runs_on``,
    it may still send, and return; what it returns then corrects the row.
    """
    ended = end(transaction)
    if ended:
        transaction.change(_MAY_ANSWER, {"workspace": workspace, "id": draft.id, "now": now})
        values = _first_look(workspace, draft.id, now, draft.action, ended=not runs_on)
        transaction.change(_OF_FUNCTION, values)
    return ended


def with_looks(entry: Entry, database: Database, vault: Vault, workspace: str, now: float) -> Entry:
    """Return an entry that is or was in doubt, with its looks, newest last, and the time of the
    next one. If that time has passed, add what the look is waiting for.

    :raises SealBroken: if the row was changed.
    """
    row = database.look_up(_ONE, {"workspace": workspace, "id": entry.id})
    if row is None:
        return entry
    found = (
        {} if row.log is None else json.loads(vault.open(workspace, log_place(entry.id), row.log))
    )
    looks = [{**one, "at": iso(one["at"])} for one in found.get("looks", ())]
    at = row.look_at if entry.status == "in_doubt" else None
    is_overdue = row.function is not None and at is not None and at < now - _OVERDUE
    shown = {
        "looks": looks or None,
        "nextLookAt": None if is_overdue else iso(at),
        "waitsFor": (
            f"the next call of '{row.function}' with a look, a process that declares one, or "
            "a person"
        )
        if is_overdue
        else None,
    }
    return replace(
        entry, evidence={name: value for name, value in shown.items() if value is not None}
    )


def spread(seconds: float) -> float:
    """Vary a time by up to a fifth, so that the doubts of one outage are not all due at one
    moment.
    """
    return seconds * (0.8 + secrets.randbelow(401) / 1000)


@dataclass(frozen=True, slots=True, repr=False)
class Doubt:
    """Row of a doubt. ``log`` has ``looks``, the number of looks ``made`` at each source, and since
    when a source found nothing (``absent``). While ``sealed``, log and facts are empty.
    """

    workspace: str
    id: str
    facts: Mapping[str, Any]
    log: Mapping[str, Any]
    since: float
    claim: int
    looks: int
    look_at: float | None = None
    """Time of the next look; None if no more looks are made automatically."""
    sealed: Row | None = None
    function: str | None = None
    """Name of the program's function that was called; None for a connector's action."""
    is_open: bool = False
    """True while nobody has seen the function end; ``since`` is the time of the reading then."""

    @property
    def name(self) -> str:
        """ID of the doubt, for messages."""
        return self.id


class Doubts:
    """Records of one workspace's invocations in doubt, and of the looks for their outcomes."""

    def __init__(self, database: Database, vault: Vault, workspace: str, clock: Clock) -> None:
        self.database, self.vault, self.workspace = database, vault, workspace
        self.time = SharedClock.of(database, clock)

    def find(self, identifier: str) -> Doubt | None:
        """Return the doubt of an invocation; None if no doubt is stored, or its call has not
        ended.
        """
        row = self.database.look_up(
            _ONE, {"workspace": self.workspace, "id": identifier}, flush=True
        )
        is_running = row is not None and row.since is None and row.function is None
        return None if row is None or is_running else self.read(row)

    def stopped(self, doubt: Doubt) -> Doubt:
        """Record that a function has ended, now, since its process is lost or has forgotten the
        call; return the doubt as it is then.
        """
        now = self.time.now()
        values = {"workspace": self.workspace, "id": doubt.id, "now": now}
        self.database.record(lambda transaction: transaction.change(_STOPPED, values))
        return replace(doubt, since=now, is_open=False)

    def read(self, row: Row) -> Doubt:
        """Decrypt a row."""
        facts = (
            json.loads(self.vault.open(row.workspace, facts_place(row.id), row.facts))
            if row.facts
            else {}
        )
        log = (
            {}
            if row.log is None
            else json.loads(self.vault.open(row.workspace, log_place(row.id), row.log))
        )
        return Doubt(
            row.workspace,
            row.id,
            facts,
            log,
            self.time.now() if row.since is None else row.since,
            row.claim,
            row.looks,
            row.look_at,
            function=row.function,
            is_open=row.since is None,
        )

    def present(self, doubt: Doubt) -> Doubt | None:
        """Return a doubt, decrypted: as it was claimed, or in its current state if it was not. None
        if no doubt is stored. Records about the doubt are valid only under its claim.
        """
        return (
            self.find(doubt.id)
            if doubt.sealed is None
            else replace(self.read(doubt.sealed), claim=doubt.claim)
        )

    def claim(self, doubt: Doubt) -> Doubt | None:
        """Claim a doubt for the look that is due; None if no look is due, or another process has
        the claim.
        """
        now = self.time.now()
        values = {
            "workspace": self.workspace,
            "id": doubt.id,
            "claim": doubt.claim,
            "now": now,
            "until": now + LASTS,
        }
        taken = self.database.record(
            lambda transaction: transaction.change(DueDoubts.table.take, values)
        )
        return replace(doubt, claim=doubt.claim + 1) if taken else None

    def looked(
        self,
        doubt: Doubt,
        log: Mapping[str, Any],
        look_at: float | None,
        more: Callable[[Transaction], str | None] | None = None,
        *,
        looks: int = 1,
    ) -> str | None:
        """Record the log of ``looks`` more looks, and the time of the next look. ``more`` runs in
        the same transaction; return its value.

        :raises OvertakenError: if another process has recorded a look meanwhile; nothing is changed
            then.
        """
        sealed = self.vault.seal(
            self.workspace,
            log_place(doubt.id),
            json.dumps(log, ensure_ascii=False).encode("utf-8", "surrogatepass"),
        )
        values = {
            "workspace": self.workspace,
            "id": doubt.id,
            "claim": doubt.claim,
            "log": sealed,
            "look_at": look_at,
            "looks": doubt.looks + looks,
        }
        day = int(self.time.now() // _DAY) * _DAY

        def unit(transaction: Transaction) -> str | None:
            held(transaction.change(_LOOKED, values))
            if looks:
                transaction.change(
                    _COUNT, {"workspace": self.workspace, "day": day, "looks": looks}
                )
            return None if more is None else more(transaction)

        return self.database.record(unit)

    def put_off(self, doubt: Doubt, at: float) -> None:
        """Postpone the next look until ``at``, with the next commit of others. If that commit is
        lost, the look is due when the claim ends.
        """
        values = {"workspace": self.workspace, "id": doubt.id, "claim": doubt.claim, "look_at": at}
        self.database.defer(lambda transaction: transaction.change(_PUT_OFF, values))

    def find_out(
        self, doubt: Doubt, facts: Mapping[str, Any] | None, digests: Sequence[str]
    ) -> Doubt:
        """Store the facts of a call whose process had left none, and the digests of its markers.
        With None, nothing can be evidence.

        :raises OvertakenError: if another process has the claim, or the doubt is settled.
        """
        place = {"workspace": self.workspace, "id": doubt.id, "claim": doubt.claim}
        sealed = (
            None if facts is None else sealed_facts(self.vault, self.workspace, doubt.id, facts)
        )

        def unit(transaction: Transaction) -> None:
            held(
                transaction.change(_FORGET, place)
                if sealed is None
                else transaction.change(_FOUND_OUT, {**place, "facts": sealed})
            )
            if sealed is not None:
                marks.know(transaction, self.workspace, doubt.id, digests)

        self.database.record(unit)
        if facts is None:
            raise OvertakenError
        return replace(doubt, facts=facts)

    def settle(
        self,
        transaction: Transaction,
        entry: Entry,
        status: str,
        code: str | None,
        result: bytes,
        references: Sequence[str] = (),
        inputs: bytes | None = None,
    ) -> None:
        """Settle a doubt by evidence, with the ``inputs`` that are still stored. Later events of
        the provider refer to the invocation by ``references``.
        """
        values = {
            "workspace": self.workspace,
            "id": entry.id,
            "status": status,
            "error_code": code,
            "resolved_by": EVIDENCE,
            "result": result,
            "purge_after": self.time.stamp() + DOUBT_KEPT,
            "key_held": int(status == "succeeded" and entry.key_held),
            "inputs": inputs,
        }
        held(transaction.change(sql.RESOLVE, values))
        if status == "failed":
            quotas.give_back(self.database, transaction, self.workspace, entry.id)
        self._refer(transaction, entry, references)

    def confirm(
        self, transaction: Transaction, entry: Entry, result: bytes, references: Sequence[str]
    ) -> None:
        """Add the facts from evidence to a success reported by a person."""
        held(
            transaction.change(
                _NOTE,
                {
                    "workspace": self.workspace,
                    "id": entry.id,
                    "status": entry.status,
                    "result": result,
                },
            )
        )
        self._refer(transaction, entry, references)

    def _refer(self, transaction: Transaction, entry: Entry, references: Sequence[str]) -> None:
        if references:
            row = {
                "workspace": self.workspace,
                "id": entry.id,
                "connection": entry.connection,
                "references": references,
            }
            refer(transaction, [row])

    def contradict(
        self, transaction: Transaction, entry: Entry, result: bytes, verdict: str
    ) -> bool:
        """Record evidence against a decision, once; return whether it is the first such evidence.
        Status and key stay: a later ``took`` after ``failed`` is for a person to judge, since the
        key may have been used again.
        """
        now, place = self.time.stamp(), {"workspace": self.workspace, "id": entry.id}
        if not transaction.change(_CONTRADICTED, {**place, "now": now}):
            return False
        held(transaction.change(_NOTE, {**place, "status": entry.status, "result": result}))
        tell_contradiction(
            transaction, {**place, "status": entry.status}, entry, verdict, now, "evidence"
        )
        return True


class DueDoubts(DueRows):
    """Doubts about connectors' calls, of all workspaces of a database, that are due for a look."""

    table = DueTable("doubts", _COLUMNS, LASTS, at="look_at", where=" AND function IS NULL")

    def claim(self, limit: int) -> Sequence[Doubt]:
        """Claim up to ``limit`` doubts that are due."""
        return [self._claimed(row) for row in self.claimed_rows(limit)]

    def _claimed(self, row: Row) -> Doubt:
        """Leave decrypting the facts to the look: an undecryptable row concerns only its
        workspace.
        """
        return Doubt(
            row.workspace,
            row.id,
            {},
            {},
            row.since or 0.0,
            row.claim + 1,
            row.looks,
            sealed=row,
            function=row.function,
        )


class DueOfFunctions(DueDoubts):
    """Doubts about calls of ``functions``. Each function is a workspace, empty for any, and a name
    that needs no quoting.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        blocked: BlockedWorkspaces,
        functions: Iterable[tuple[str, str]],
    ) -> None:
        super().__init__(database, clock, blocked)
        named = ", ".join(f"('{workspace}', '{name}')" for workspace, name in functions)
        of_any = f" OR ('', function) IN (VALUES {named})"
        self.table = replace(
            DueDoubts.table,
            where=(
                f" AND function IS NOT NULL AND ((workspace, function) IN (VALUES {named}){of_any})"
            ),
        )
