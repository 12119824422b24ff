"""Entry of the journal about one invocation: the request, its caller and its outcome. Another
package, which imports this one, stores entries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jackfield.invocation.keyed import KeyFacts, earliest_lost
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.exports import late_hints


@dataclass(frozen=True, slots=True)
class AskedApproval:
    """Approval that a call waits for. ``rule`` is the sentence of the rule that requires it,
    ``requested_by`` the caller as JSON, and ``twin`` the digest of equal calls of the same caller.
    ``asker`` is the name of a caller of whom only some calls may wait. ``about`` is the request for
    the approver, sealed. Times are seconds since 1970.
    """

    rule: str
    requested_by: Mapping[str, Any]
    expires_at: float
    twin: str | None = None
    about: bytes | None = None
    asker: str | None = None


@dataclass(slots=True, repr=False)
class Draft:
    """Entry that is not yet written; the pipeline fills it in stage by stage. Times are seconds
    since 1970.
    """

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
    key_space: str = ""
    """Space of the key: empty for a caller's key, else the part of jackfield that makes such
    keys.
    """
    twin: str | None = None
    """Digest that equal writes of the same caller share (``recording.twins``); None if no twin may
    answer for another.
    """
    dry_run: bool = False
    context: Mapping[str, Any] | None = None
    rule: str | None = None
    started_at: float | None = None
    owner: str | None = None
    """Process that runs the invocation, once it has started."""
    delivery: int = 0
    """Number of this delivery from the queue; 0 for an invocation that was not queued."""
    not_before: float | None = None
    not_after: float | None = None
    priority: int = 5
    inputs: bytes | None = None
    """Encrypted inputs: redacted, if the workspace stores them, or the whole invocation while it is
    queued.
    """
    approval: AskedApproval | None = None
    """Approval that the invocation waits for, instead of for a worker."""
    undecided: Mapping[str, Any] | None = None
    """Output of its Result that no policy has decided on, sealed with the Result."""
    in_transaction: Callable[[Any], None] | None = None
    """Function with more statements for the database transaction that queues the invocation."""
    key_facts: KeyFacts | None = None
    """Facts about its key, if the provider recognises the request by it; else None."""
    queued_by: Callable[[Any], int] | None = None
    """Statements that queue it in the row of a doubt, whose request is sent again; None: its own
    row.
    """
    kept_for: float | None = None
    """Seconds for which an ended invocation holds its key and is stored at least; None: by the
    settings.
    """


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """Entry as read from the database.

    ``result`` is the Result's JSON once settled, secrets masked. ``inputs`` are the redacted
    inputs, if the workspace stores them and the query reads them.
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
    """Time at which the job counts as lost; None until its handle is stored, and for calls without
    a job.
    """
    progress_fraction: float | None
    progress_text: str | None
    kept_for: float | None = None
    """Seconds for which an ended invocation holds its key and is stored at least; None: by the
    settings.
    """
    key_space: str = ""
    """Space of the idempotency key: empty for a caller's key."""
    key_facts: KeyFacts | None = None
    """Facts about its key, if the provider recognises the request by it; else None."""
    asked: tuple[Mapping[str, Any], ...] = ()
    """Requests sent again under the key of a doubt, the newest last: ``at``, ``by`` whom, ``until``
    when at the latest; at their end ``endedAt`` and ``outcome``.
    """
    inputs: Mapping[str, Any] | None = None
    outcomes: tuple[Mapping[str, Any], ...] = ()
    """Outcomes of the objects that the invocation had sent, the most severe first; only for an
    entry that was read alone.
    """
    evidence: Mapping[str, Any] | None = None
    """Looks for a call that is or was in doubt, as displayed members; only for an entry that was
    read alone.
    """
    blocked: Mapping[str, Any] | None = None
    """Reason why the workspace's queue is currently blocked; only for an entry that was read
    alone.
    """
    undecided: Mapping[str, Any] | None = None
    """Output that no policy has decided on, of a job that ends. Entries read from the journal never
    have it.
    """
    damage: str | None = None
    """Description of the damage if the row cannot be read in full; damaged parts are left out."""

    def __repr__(self) -> str:
        return f"<Entry {self.id} {self.status}>"

    @property
    def is_open(self) -> bool:
        """True while the invocation is queued, runs, or waits for a person's approval."""
        return self.status in ("queued", "running", "waiting")

    @property
    def sent_at(self) -> float | None:
        """Time of the earliest run whose end is unknown, in seconds since 1970; None if each run
        has ended clearly.
        """
        moments = [earliest_lost(self.deliveries)]
        moments += [self.started_at] if self.status in ("running", "in_doubt") else []
        return min((one for one in moments if one is not None), default=None)

    @property
    def key_left(self) -> float | None:
        """Time until which the provider knows the key of its request, in seconds since 1970; None
        if no run of it may have taken effect under a key.
        """
        sent_at = self.sent_at
        return None if sent_at is None or self.key_facts is None else sent_at + self.key_facts.kept

    def is_being_asked(self, now: float) -> bool:
        """Return whether its request is being sent again; not after the time for that, since its
        process may have died.
        """
        last = self.asked[-1] if self.asked else {}
        return "endedAt" not in last and float(last.get("until", 0.0)) > now

    @property
    def is_by_caller(self) -> bool:
        """True if a caller has given its idempotency key."""
        return self.idempotency_key is not None and not self.key_space

    @property
    def looks(self) -> Sequence[Mapping[str, Any]]:
        """Looks for evidence, the newest last."""
        found: Sequence[Mapping[str, Any]] = (self.evidence or {}).get("looks", ())
        return found

    @property
    def progress(self) -> Mapping[str, Any] | None:
        """Progress of a running job: ``fraction``, from 0 to 1, and ``text``; None for other
        invocations.
        """
        if self.job_until is None or not self.is_open:
            return None
        return {"fraction": self.progress_fraction or 0.0, "text": self.progress_text or ""}

    @property
    def problem(self) -> str | None:
        """Reason why the entry cannot be read in full, or why no call can repeat it; None if the
        entry has no such problem.
        """
        if (
            self.damage is None
            and self.idempotency_key is not None
            and not self.idempotency_key.strip()
        ):
            return (
                "its idempotency key consists of blanks, which are none: an older version "
                "has taken it"
            )
        return self.damage

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON, with the members of its Result, if any, at the top level."""
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
            "notBefore": iso(self.available_at)
            if self.status == "queued" and (self.available_at or 0.0) > self.created_at
            else None,
            "notAfter": iso(self.not_after) if self.status != "waiting" else None,
            "approval": {"id": self.id, "expiresAt": iso(self.not_after)}
            if self.status == "waiting"
            else None,
            "priority": self.priority if self.status == "queued" else None,
            "blocked": self.blocked,
            "deadAt": iso(self.dead_at),
            "deliveries": [_try(item) for item in self.deliveries] or None,
            "inputs": self.inputs,
            "outcome": _outcome(self.outcomes[0]) if self.outcomes else None,
            "outcomes": [dict(one) for one in self.outcomes] or None,
            **(self.evidence or {}),
            "problem": self.problem,
        }
        known = {name: value for name, value in members.items() if value is not None}
        if self.result is not None:
            known |= {
                name: self.result[name]
                for name in ("output", "error", "meta")
                if name in self.result
            }
            if self.status == "succeeded" and self._resolution:
                if not known.get("output"):
                    known.pop(
                        "output",
                        None,
                        # the provider's answer is unknown; the Result has an empty one because its
                        # schema requires it
                    )
                known |= {"error": self.doubt} if self.doubt is not None else {}
        return known

    @property
    def _resolution(self) -> Mapping[str, Any]:
        """Member ``meta.resolution``: who resolved the doubt, when, and the error that caused the
        doubt; empty if it was not resolved.
        """
        found: Mapping[str, Any] = (self.result or {}).get("meta", {}).get("resolution", {})
        return found

    @property
    def doubt(self) -> Mapping[str, Any] | None:
        """Error of the doubt, if a person has resolved it since; else None."""
        return self._resolution.get("error")


def _outcome(found: Mapping[str, Any]) -> str:
    return ": ".join(str(found[name]) for name in ("status", "text") if name in found)


def _try(item: Mapping[str, Any]) -> dict[str, Any]:
    times = {
        name: iso(item[name])
        for name in ("startedAt", "endedAt")
        if isinstance(item.get(name), int | float)
    }
    return {**item, **times}


def is_elsewhere(there: str, here: str) -> bool:
    """Return whether two places of functions are not one. A function without a file is at any place
    of its name.
    """
    old, name = there.rsplit(":", 1)
    new, other = here.rsplit(":", 1)
    return name != other or (old != new and "" not in (old, new))


late_hints(__name__)
