"""Journal entries: the request, its caller and its outcome."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.clock import iso
from jackfield.dataclass import dataclass, replace
from jackfield.exports import late_hints
from jackfield.kernel.exact import read_float
from jackfield.kernel.stored_values import nearest_time, parsed, parsed_object, possible_time

if TYPE_CHECKING:
    from jackfield.database import Transaction

COLUMNS = (
    "id", "status", "connector", "connector_version", "action", "effect", "connection", "caller", "idempotency_key", "key_held",
    "fingerprint", "dry_run", "error_code", "attempts", "attempt_log", "request_id", "created_at", "started_at", "settled_at",
    "expires_at", "owner", "result", "context", "rule", "resolved_by",
    "delivery", "deliveries", "available_at", "not_after", "corrected_at", "cancel_requested_at", "priority", "dead_at",
    "job_until", "progress_fraction", "progress_text",
)  # fmt: skip


@dataclass(slots=True, repr=False)
class Draft:
    """Entry that is not yet written; the pipe fills it in stage by stage. Times are seconds since 1970."""

    id: str
    connector: str
    connector_version: str | None
    action: str
    effect: str | None
    connection: str | None
    caller: str | None
    created_at: float
    expires_at: float
    fingerprint: str | None = None
    idempotency_key: str | None = None
    twin: str | None = None
    """Digest that an equal write of the same caller has (``recording.twins``); None if none is to answer for another."""
    dry_run: bool = False
    context: Mapping[str, Any] | None = None
    rule: str | None = None
    started_at: float | None = None
    owner: str | None = None
    """Process that runs it, once it has started."""
    delivery: int = 0
    """Number of this delivery from the queue; 0 for an invocation that was not queued."""
    not_before: float | None = None
    not_after: float | None = None
    priority: int = 5
    inputs: bytes | None = None
    """Encrypted: the redacted inputs, if the workspace stores them, or the whole invocation while it is queued."""
    in_transaction: Callable[[Transaction], None] | None = None
    """More statements for the transaction that queues the invocation."""


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """Entry as read from the database.

    ``result`` is the Result's JSON once settled, secrets masked. ``inputs`` are the redacted inputs, if the workspace stores them and the
    query reads them.
    """

    id: str
    status: str
    connector: str
    connector_version: str | None
    action: str
    effect: str | None
    connection: str | None
    caller: str | None
    idempotency_key: str | None
    key_held: bool
    fingerprint: str | None
    dry_run: bool
    error_code: str | None
    attempts: int
    attempt_log: tuple[Mapping[str, Any], ...]
    request_id: str | None
    created_at: float
    started_at: float | None
    settled_at: float | None
    expires_at: float | None
    owner: str | None
    result: Mapping[str, Any] | None
    context: Mapping[str, Any]
    rule: str | None
    resolved_by: str | None
    delivery: int
    deliveries: tuple[Mapping[str, Any], ...]
    available_at: float | None
    not_after: float | None
    corrected_at: float | None
    cancel_requested_at: float | None
    priority: int
    dead_at: float | None
    job_until: float | None
    """When the job counts as lost; None until its handle is stored, and for what is no job."""
    progress_fraction: float | None
    progress_text: str | None
    inputs: Mapping[str, Any] | None = None
    outcomes: tuple[Mapping[str, Any], ...] = ()
    """What became of what it had sent, the most severe first; only of an entry that was looked up alone."""
    blocked: Mapping[str, Any] | None = None
    """Why nothing queued of its workspace is begun at present; only of an entry that was looked up alone."""
    damage: str | None = None
    """Description of the damage if the row cannot be read in full; what is damaged is left out."""

    def __repr__(self) -> str:
        return f"<Entry {self.id} {self.status}>"

    @property
    def is_open(self) -> bool:
        """True while the invocation is queued or running."""
        return self.status in ("queued", "running")

    @property
    def progress(self) -> Mapping[str, Any] | None:
        """Progress of a job that runs: ``fraction``, from 0 to 1, and ``text``; None if it is none, or does not run."""
        if self.job_until is None or not self.is_open:
            return None
        return {"fraction": self.progress_fraction or 0.0, "text": self.progress_text or ""}

    def to_json(self) -> dict[str, Any]:
        """Return the entry as the CLI and the HTTP API show it, with the members of its Result, if any, at the top level."""
        members: dict[str, Any] = {
            "invocationId": self.id,
            "status": self.status,
            "connector": self.connector,
            "connectorVersion": self.connector_version,
            "action": self.action,
            "effect": self.effect,
            "connection": self.connection,
            "caller": self.caller,
            "idempotencyKey": self.idempotency_key,
            "fingerprint": self.fingerprint,
            "dryRun": self.dry_run or None,
            "createdAt": iso(self.created_at),
            "startedAt": iso(self.started_at),
            "settledAt": iso(self.settled_at),
            "attempts": [_try(item) for item in self.attempt_log] or None,
            "progress": self.progress,
            "context": dict(self.context) or None,
            "rule": self.rule,
            "resolvedBy": self.resolved_by,
            "resolvedAt": self._resolution.get("at"),
            "correctedAt": iso(self.corrected_at),
            "cancelRequested": self.cancel_requested_at is not None or None,
            "notBefore": iso(self.available_at) if self.status == "queued" and (self.available_at or 0.0) > self.created_at else None,
            "notAfter": iso(self.not_after),
            "priority": self.priority if self.status == "queued" else None,
            "blocked": self.blocked,
            "deadAt": iso(self.dead_at),
            "deliveries": [_try(item) for item in self.deliveries] or None,
            "inputs": self.inputs,
            "outcome": _outcome(self.outcomes[0]) if self.outcomes else None,
            "outcomes": [dict(one) for one in self.outcomes] or None,
            "problem": self.damage,
        }
        known = {name: value for name, value in members.items() if value is not None}
        if self.result is not None:
            known |= {name: self.result[name] for name in ("output", "error", "meta") if name in self.result}
            if self.status == "succeeded" and self._resolution:
                known.pop("output", None)  # the provider's answer is unknown; the Result has an empty one because its schema requires it
                known |= {"error": self.doubt} if self.doubt is not None else {}
        return known

    @property
    def _resolution(self) -> Mapping[str, Any]:
        """``meta.resolution``: who resolved the doubt, when, and the error that had caused it; empty if it was not resolved."""
        found: Mapping[str, Any] = (self.result or {}).get("meta", {}).get("resolution", {})
        return found

    @property
    def doubt(self) -> Mapping[str, Any] | None:
        """Error that had put the invocation in doubt, if a person has resolved it since."""
        return self._resolution.get("error")


LONGEST_NOTE = 1_000
"""Characters of the note with which a person resolves a doubt."""
_BOUND = "bound"
"""Member of a stored Result, beside those of its JSON: the digest of the columns below."""
_BINDING = ("connector", "action", "connection", "caller", "idempotency_key", "fingerprint")
"""Columns that decide who sees a Result, and which request it answers."""


def bound_result(result: Mapping[str, Any], about: Any, *, answers: bool) -> Mapping[str, Any]:
    """Return a Result's JSON as it is stored, with a digest of the columns of its entry: nobody else's may be put beside it.

    A failure that ``answers`` no other request has no output, and may be recorded before the entry's connection is known.
    """
    return {**result, _BOUND: _binding(about)} if answers else result


def opened_result(text: bytes, row: Any) -> Mapping[str, Any]:
    """Parse the Result of a row of the table ``invocations``, decrypted. Versions before this one bound it to the row's ID alone.

    :raises ValueError: if one of the columns was changed since.
    """
    result: dict[str, Any] = json.loads(text, parse_float=read_float)
    if result.pop(_BOUND, None) not in (None, _binding(row)):
        raise ValueError("it belongs to another request or caller")
    return result


def _binding(about: Any) -> str:
    return hashlib.sha256(json.dumps([getattr(about, name) for name in _BINDING]).encode()).hexdigest()[:32]


def _outcome(found: Mapping[str, Any]) -> str:
    """Return an outcome in words: bounced: mailbox full."""
    return ": ".join(str(found[name]) for name in ("status", "text") if name in found)


def _try(item: Mapping[str, Any]) -> dict[str, Any]:
    """Format the times of an attempt like those of the entry."""
    times = {name: iso(item[name]) for name in ("startedAt", "endedAt") if isinstance(item.get(name), int | float)}
    return {**item, **times}


def _tries(text: str | None) -> tuple[Mapping[str, Any], ...]:
    items = parsed(text) if text else []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise TypeError("not an array of objects")
    for item in items:
        for name in ("startedAt", "endedAt"):
            if isinstance(item.get(name), int | float):
                possible_time(item[name])
    return tuple(items)


def _context(text: str | None) -> Mapping[str, Any]:
    return parsed_object(text) if text else {}


def _time(value: float | None) -> float | None:
    return possible_time(value) if value is not None else None


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "attempt_log": _tries, "deliveries": _tries, "context": _context, "key_held": bool, "dry_run": bool,
    **dict.fromkeys(
        ("created_at", "started_at", "settled_at", "expires_at", "available_at", "not_after", "corrected_at", "cancel_requested_at",
         "dead_at", "job_until"), _time
    ),
}  # fmt: skip
"""Readers of columns that somebody may have changed to values of another shape."""
_DAMAGED = "its row in the database is damaged"


def read_entry(row: Mapping[str, Any], result: Mapping[str, Any] | None, inputs: Mapping[str, Any] | None = None) -> Entry:
    """Create an Entry from a row of the table ``invocations``; ``result`` and ``inputs`` are the decrypted columns.

    Columns that cannot be read are left out, and the entry says so.
    """
    values, damaged = {name: row[name] for name in COLUMNS}, []
    for name, read in _READERS.items():
        try:
            values[name] = read(row[name])
        except (ValueError, TypeError):
            values[name] = read(None)
            damaged.append(name)
    if row["status"] == "running" and not values["attempt_log"] and values["started_at"] is not None:
        # "running" is written just before the first attempt begins, so that attempt is in progress
        values["attempt_log"] = ({"startedAt": row["started_at"], "step": row["action"], "outcome": "running"},)
        values["attempts"] = max(1, row["attempts"])
    if "created_at" in damaged:  # every entry has one
        values["created_at"] = nearest_time(row["created_at"])
    values["result"], values["inputs"] = result, inputs
    return Entry(**values, damage=_DAMAGED if damaged else None)


def damaged_entry(row: Mapping[str, Any]) -> Entry:
    """Create an Entry without its Result, which cannot be opened."""
    return replace(read_entry(row, None), damage=_DAMAGED)


late_hints(__name__)
