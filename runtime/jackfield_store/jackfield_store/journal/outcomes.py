"""Outcomes of objects that invocations had sent, as reported by later events of providers, which
refer to the object by an ID from the provider's answer.

They do not change the states of the journal. An outcome only moves up in severity: events come
late, twice and in any order.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass, replace
from jackfield_store.database import Database, Transaction
from jackfield_store.keys.vault import Vault

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry

KEPT = 400 * 86_400
"""Seconds for which an outcome is stored, and a recipient suppressed: longer than doubts. Outcomes
of a deleted invocation are deleted with it, unless they suppress a recipient.
"""
REASONS = ("bounce", "complaint")
"""Reasons why an outcome suppresses its recipient. The database stores 1 and 2, or 0 for no
reason.
"""
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MOST = 200
"""Maximum number of outcomes that an invocation's entry contains."""
_REFER = """
INSERT INTO invocation_references (workspace, id, reference, connection) VALUES (:workspace, :id, :reference, :connection)
ON CONFLICT DO NOTHING
"""
_INVOCATION = (
    "SELECT id FROM invocation_references WHERE workspace = :workspace AND reference = "
    ":reference LIMIT 1"
)
_NOTE = """
INSERT INTO outcomes (workspace, reference, part, severity, at, sealed, blocks)
VALUES (:workspace, :reference, :part, :severity, :at, :sealed, :blocks)
ON CONFLICT (workspace, reference, part) DO UPDATE
SET severity = excluded.severity, at = excluded.at, sealed = excluded.sealed, blocks = excluded.blocks
WHERE excluded.severity > outcomes.severity OR (excluded.severity = outcomes.severity AND excluded.at > outcomes.at)
"""
_PURGE = "DELETE FROM outcomes WHERE workspace = :workspace AND at < :before"
_OF_INVOCATION = """
SELECT outcomes.reference, outcomes.part, severity, at, sealed FROM invocation_references
INNER JOIN outcomes ON outcomes.workspace = invocation_references.workspace AND outcomes.reference = invocation_references.reference
WHERE invocation_references.workspace = :workspace AND invocation_references.id = :id ORDER BY severity DESC, at DESC LIMIT :limit
"""
_REMOVE = """
DELETE FROM outcomes WHERE workspace = :workspace AND blocks = 0
    AND reference IN (SELECT reference FROM invocation_references WHERE workspace = :workspace AND id IN ({ids}))
"""
_REMOVE_REFERENCES = (
    "DELETE FROM invocation_references WHERE workspace = :workspace AND id IN ({ids})"
)


@dataclass(frozen=True, slots=True, repr=False)
class NewOutcome:
    """Outcome that is ready to be stored. ``part`` is a digest, ``sealed`` the displayed data."""

    reference: str
    part: str
    severity: int
    at: float
    sealed: bytes
    blocks: int


def sealed_outcome(
    vault: Vault, workspace: str, reference: str, at: float, found: Any
) -> NewOutcome:
    """Seal an outcome (``jackfield.connector.Outcome``) of an event that happened at the time
    ``at``.
    """
    part = part_of(vault, workspace, found.part)
    shown = {name: value for name in ("part", "status", "text") if (value := getattr(found, name))}
    text = json.dumps(shown, ensure_ascii=False).encode("utf-8", "surrogatepass")
    reason = 1 + REASONS.index(found.suppresses) if found.suppresses and found.part else 0
    return NewOutcome(
        reference,
        part,
        found.severity,
        at,
        vault.seal(workspace, outcome_place(reference, part), text),
        reason,
    )


def part_of(vault: Vault, workspace: str, name: str) -> str:
    """Return the keyed digest of a part's name, equal for each spelling; keyed, since addresses can
    be guessed.
    """
    return vault.hmac(workspace, _bare(name).encode("utf-8", "surrogatepass"))


def _bare(name: str) -> str:
    """Return an address without display name, comment and needless quotes, in lower case, with the
    domain in ASCII. A suffix after ``+`` stays: it makes another address.
    """
    bare = _without_comment(name.strip())
    bare = bare[bare.rfind("<") + 1 : -1] if bare.endswith(">") else bare
    local, at, domain = bare.strip().lower().rpartition("@")
    # the same mailbox without quotes (RFC 5321 §4.1.2)
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = _ESCAPED.sub(r"\1", local[1:-1])
    if not domain.isascii():
        labels = unicodedata.normalize("NFKC", domain).replace("\u3002", ".").split(".")
        domain = ".".join(
            label if label.isascii() else f"xn--{label.encode('punycode', 'replace').decode()}"
            for label in labels
        )
    return f"{local}{at}{domain.removesuffix('.')}"


def _without_comment(text: str) -> str:
    depth = 0
    for place in range(len(text) - 1 if text.endswith(")") else -1, 0, -1):
        depth += (text[place] == ")") - (text[place] == "(")
        if not depth:
            return text[:place].rstrip()
    return text


def outcome_place(reference: str, part: str) -> tuple[str, ...]:
    """Return the place that an outcome's displayed data are sealed for."""
    return ("outcome", reference, part)


def refer(transaction: Transaction, ended: Sequence[Mapping[str, Any]]) -> None:
    """Store the IDs with which providers have answered invocations that end now. Rows have
    ``workspace``, ``id``, ``connection`` and ``references``.
    """
    rows = [
        {**{name: row[name] for name in ("workspace", "id", "connection")}, "reference": one}
        for row in ended
        for one in row["references"]
    ]
    transaction.change_all([(_REFER, rows)])


def invocation_of(database: Database, workspace: str, reference: str) -> str | None:
    """Return the invocation that a reference belongs to; None if it belongs to none, or the
    invocation has not ended yet.
    """
    row = database.look_up(_INVOCATION, {"workspace": workspace, "reference": reference})
    return None if row is None else str(row.id)


def note(transaction: Transaction, workspace: str, found: NewOutcome) -> None:
    """Store an outcome, unless a more severe one is known."""
    own: dict[str, Any] = {str(name): getattr(found, name) for name in found.__match_args__}
    transaction.change(_NOTE, {"workspace": workspace, **own})


def purge(transaction: Transaction, workspace: str, now: float) -> None:
    """Delete the outcomes that are older than ``KEPT``."""
    transaction.change(_PURGE, {"workspace": workspace, "before": now - KEPT})


def with_outcomes(entry: Entry, database: Database, vault: Vault, workspace: str) -> Entry:
    """Return an entry with the outcomes of the objects that it had sent, the most severe first.

    :raises SealBroken: if a row was changed.
    """
    if entry.status != "succeeded":
        return entry
    with database.read() as transaction:
        rows = transaction.execute(
            _OF_INVOCATION, {"workspace": workspace, "id": entry.id, "limit": _MOST}
        )
    if not rows:
        return entry
    opened = [
        (row, json.loads(vault.open(workspace, outcome_place(row.reference, row.part), row.sealed)))
        for row in rows
    ]
    return replace(entry, outcomes=tuple({**shown, "at": iso(row.at)} for row, shown in opened))


def remove(transaction: Transaction, workspace: str, ids: Mapping[str, str]) -> None:
    """Delete the rows of deleted invocations; ``ids`` are their IDs by SQL parameter."""
    names, values = ", ".join(f":{name}" for name in ids), {"workspace": workspace, **ids}
    transaction.change(_REMOVE.format(ids=names), values)
    transaction.change(_REMOVE_REFERENCES.format(ids=names), values)
