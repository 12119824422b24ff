"""Arrival of events: each is stored once, with its key, in a commit that comes no later than the
checkpoint of its poll.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from jackfield.connector.conversion import payload
from jackfield.connector.evidence import marker_in
from jackfield.invocation import new_invocation_id
from jackfield.invocation.provider_ids import reference_of
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import JackfieldError, Unavailable
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.hidden import trimmed
from jackfield.manifest.triggers import WINDOW, event_type
from jackfield_service.subjects.triggers.subscription import Subscription
from jackfield_store.database import Database, Transaction
from jackfield_store.database.batches import JointUnit
from jackfield_store.database.due_rows import held as claimed
from jackfield_store.database.outbox import record_sealed, sealed_place
from jackfield_store.database.slices import slice_of
from jackfield_store.journal.marks import (
    NewMark,
    connection_facts,
    digest_of,
    invocation_of_marker,
    keep,
    sealed_mark,
)
from jackfield_store.journal.outcomes import NewOutcome, invocation_of, note, purge, sealed_outcome
from jackfield_store.keys import Vault

_PURGE = slice_of(
    "event_keys",
    "workspace, subscription_id, digest",
    "workspace = :workspace AND at < :before AND subscription_id = :subscription",
)
_ARRIVED = """
UPDATE subscriptions SET last_event_at = :at
WHERE workspace = :workspace AND id = :subscription AND (last_event_at IS NULL OR last_event_at < :at - 1)
"""
_HINT = """
UPDATE subscriptions SET held = CASE WHEN held = 0 THEN 0 ELSE 2 END, wake_at = CASE WHEN held = 0 THEN :soon ELSE wake_at END
WHERE workspace = :workspace AND id = :subscription AND status = 'active' AND (held = 1 OR (held = 0 AND wake_at > :soon))
"""
_KNOWN = (
    "SELECT at FROM event_keys WHERE workspace = :workspace AND subscription_id = "
    ":subscription AND digest = :digest"
)
LISTENING = ("pending", "active", "degraded", "failing")
"""States in which a webhook's requests are accepted."""
_LISTENS = (
    "SELECT sealed FROM subscriptions WHERE workspace = :workspace AND id = :subscription "
    f"AND status IN {LISTENING!r}"
)
_KEY = """
INSERT INTO event_keys (workspace, subscription_id, digest, at) VALUES (:workspace, :subscription, :digest, :at) ON CONFLICT DO NOTHING
"""
_AGAIN = """
UPDATE event_keys SET at = :at WHERE workspace = :workspace AND subscription_id = :subscription AND digest = :digest AND at < :stale
"""
"""SQL statement that refreshes the key of an event, once a day. A poll reads the last events again
while nothing is new, which may take longer than keys are stored.
"""
_ARRIVED_EVERY = 1.0
"""Seconds between two records of an arrival, which also delete expired keys."""
_LEARN = """
UPDATE subscriptions SET sealed = :sealed, status = 'pending', claim = claim + 1, held = 0, wake_at = 0
WHERE workspace = :workspace AND id = :subscription AND sealed = :before
"""
_SEEN = """
UPDATE subscriptions SET status = CASE WHEN wake_at IS NULL THEN 'active' ELSE status END, last_success_at = :at
WHERE workspace = :workspace AND id = :subscription AND status = 'pending'
"""
"""SQL statement that records the provider's first request. A webhook registered by a person then
needs no further step.
"""
_AT_ONCE = 200
"""Maximum number of events per commit: each takes half a millisecond, for which other writes
wait.
"""
_DAY = 86_400.0
_LONGEST_REFERENCE = 1_000
"""Maximum length of a provider's ID, in characters. It becomes output of the call in doubt that it
settles; a longer ID is ignored.
"""
_LATEST = 1e11
"""Seconds since 1970 from which a time is invalid: it is in milliseconds, or made up."""
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
T = TypeVar("T")
InTransaction = Callable[[Transaction], object]
"""Function that executes further statements of the transaction that stores an event."""
Then = Callable[[Mapping[str, Any], float], InTransaction]
"""Function that gets an event in the form for readers, and its time, and returns the statements for
the transaction that stores it.
"""
Judge = Callable[[Any, str], Any]
"""Function that gets the payload of an event and its type, and returns the part that policies
permit; None if they permit nothing.
"""


@dataclass(frozen=True, slots=True, repr=False)
class Arrival:
    """Event that is ready to be stored: its key, its sealed data, and further statements of its
    transaction.
    """

    id: str
    type: str
    at: float
    digest: str
    sealed: bytes
    in_transaction: InTransaction | None = None
    outcome: NewOutcome | None = None
    mark: NewMark | None = None


class NotReceivingError(Exception):
    """Error for a request that is not accepted: the rights of the subscription's token have
    ``ended`` (with the reason), its workspace is ``suspended``, or the subscription was disabled or
    removed.
    """

    def __init__(self, ended: str | None = None, *, suspended: bool = False) -> None:
        self.ended, self.suspended = ended, suspended


def require_receiving(
    found: Subscription, ended: str | None = None, *, suspended: bool = False
) -> None:
    """Require that a subscription accepts requests. ``ended`` is the reason if the rights of its
    author have ended.

    :raises NotReceivingError: if it accepts no requests.
    """
    if suspended or ended is not None or found.status not in LISTENING:
        raise NotReceivingError(ended, suspended=suspended)


class Sealer:
    """Preparation of events for storing, so that the transaction that stores them is short.
    ``then`` returns further statements of the transaction for each new event. ``types`` are the
    trigger's types of events (default: its key). An event without a type gets the first of them.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        workspace: str,
        subscription: Subscription,
        then: Then | None = None,
        types: Sequence[str] = (),
        judge: Judge | None = None,
    ) -> None:
        self._database = database
        self._workspace = workspace
        self._vault = vault
        self._subscription = subscription
        self._then = then
        self._judge = judge
        self._types = tuple(types) or (subscription.trigger_key,)
        self.suppressing: set[str] = set()
        """References of messages whose recipient is to get nothing more, as an event says."""

    def arrivals(self, events: Iterable[Any], received: float) -> list[Arrival]:
        """Seal the events (``TriggerEvent``) of a webhook's request or a poll's page.

        :raises Unavailable: if an event has no key or a type that the trigger does not have, or
            cannot be JSON.
        """
        found = attempt(lambda: [self._arrival(event, received) for event in events])
        if not isinstance(found, Raised):
            return found
        if isinstance(found.error, JackfieldError):
            raise found.error
        raise Unavailable(
            "the connector's code failed: it returned an event that cannot be stored "
            f"({type(found.error).__name__})"
        )

    def _arrival(self, event: Any, received: float) -> Arrival:
        found = self._subscription
        named = event.type or self._types[0]
        kind, identifier = event_type(found.connector, named), new_invocation_id()
        at = event.at if _is_time(event.at) else received
        if not isinstance(event.key, str) or not trimmed(event.key):
            raise Unavailable("the connector's code failed: it returned an event without a key")
        if named not in self._types:
            raise Unavailable(
                "the connector's code failed: it returned an event of a type that its trigger "
                "does not have"
            )
        invocation, outcome = self._referred(event, at)
        mark = None
        if event.marker is not None:
            invocation, mark = self._marked(event, named, at, received, invocation)
        digest = hashlib.sha256(f"{kind}\0{event.key}".encode("utf-8", "surrogatepass")).hexdigest()
        about = found.facts(
            {
                "receivedAt": iso(received),
                "invocationId": invocation,
                "payload": self._payload(event.data, kind, digest),
            }
        )
        text = _JSON.encode(about).encode("utf-8", "surrogatepass")
        sealed = self._vault.seal(self._workspace, sealed_place(identifier, kind, found.name), text)
        in_transaction = None
        if self._then is not None and not self._is_known(digest):
            in_transaction = self._then(
                {
                    "id": identifier,
                    "type": kind,
                    "subject": found.name,
                    "timestamp": iso(at),
                    "data": about,
                },
                at,
            )
        return Arrival(identifier, kind, at, digest, sealed, in_transaction, outcome, mark)

    def _payload(self, data: Any, kind: str, digest: str) -> Any:
        """Return an event's payload without the parts that policies withhold, which are stored
        nowhere.

        :raises Unavailable: if the policies do not decide: the provider is polled again, or sends
            the event again.
        """
        found = payload(data)
        if self._judge is None or self._is_known(digest):
            return found
        left = self._judge(found, kind)
        return {} if left is None else left

    def _referred(self, event: Any, at: float) -> tuple[str | None, NewOutcome | None]:
        """Return the ended invocation that an event refers to, and the outcome that the event
        reports; None for each that is missing.
        """
        if event.reference is None:
            return None, None
        reference = reference_of(self._subscription.connector, event.reference)
        outcome = (
            None
            if event.outcome is None
            else sealed_outcome(self._vault, self._workspace, reference, at, event.outcome)
        )
        if outcome is not None and outcome.blocks:
            self.suppressing.add(reference)
        return invocation_of(self._database, self._workspace, reference), outcome

    def _marked(
        self, event: Any, kind: str, at: float, received: float, referred: str | None
    ) -> tuple[str | None, NewMark | None]:
        """Return the invocation that an event belongs to by its marker or reference, and the
        event's data as evidence for a doubt. Either is None if it is missing.

        ``referred`` is the invocation in the event's reference. The marker takes precedence: some
        providers' IDs are unique only within one channel, account or day.
        """
        found, marker = self._subscription, marker_in(event.marker)
        if marker is None or not (event.reference is None or _is_reference(event.reference)):
            return referred, None
        digest = digest_of(found.connector, marker)
        marked = invocation_of_marker(self._database, self._workspace, digest)
        if referred is not None and marked in (None, referred):
            return referred, None
        over = connection_facts(self._database, self._workspace, found.connection)
        account = event.account if isinstance(event.account, str) else None
        about = {
            "trigger": found.trigger_key,
            "type": kind,
            "at": iso(at),
            "subscription": found.name,
            "reference": event.reference,
            "account": account,
            "connection": {"name": found.connection, **over},
        }
        whose = reference_of(found.connector, json.dumps([found.id, account]))
        reference = reference_of(found.connector, json.dumps([whose, event.reference or event.key]))
        return marked, sealed_mark(
            self._vault, self._workspace, digest, reference, received, about, found.id, whose
        )

    def _is_known(self, digest: str) -> bool:
        own = {
            "workspace": self._workspace,
            "subscription": self._subscription.id,
            "digest": digest,
        }
        return self._database.look_up(_KNOWN, own) is not None


@dataclass(frozen=True, slots=True, repr=False)
class ArrivalUnit(JointUnit):
    """Events of one subscription that arrived together; for a webhook's request, it is a unit of
    ``Database.record``.

    If a poll closes the gaps of the webhook, the poll runs earlier: ``least`` seconds after the
    last poll. ``learnt`` is the subscription's content with the request's data for ``enable``,
    which is due at once; a process that runs it is superseded.
    """

    subscription: Subscription
    found: Sequence[Arrival]
    now: float
    least: float | None = None
    learnt: bytes | None = None

    def run_all(self, units: Sequence[ArrivalUnit], transaction: Transaction) -> None:
        """Store the events of webhooks' requests.

        :raises NotReceivingError: if a subscription accepts no more requests.
        :raises OvertakenError: if the content of a subscription has changed meanwhile.
        """
        for found in {unit.subscription.sealed: unit.subscription for unit in units}.values():
            row = transaction.find(_LISTENS, _own(found))
            if row is None:
                raise NotReceivingError
            claimed(row.sealed == found.sealed)
        store(transaction, units)
        for unit in units:
            if unit.subscription.status == "pending":
                transaction.change(_SEEN, {**_own(unit.subscription), "at": unit.now})
            if unit.learnt is not None:
                claimed(
                    transaction.change(
                        _LEARN,
                        {
                            **_own(unit.subscription),
                            "sealed": unit.learnt,
                            "before": unit.subscription.sealed,
                        },
                    )
                )
            if unit.least is not None and unit.subscription.polls:
                soon = max(unit.now, (unit.subscription.last_success_at or 0.0) + unit.least)
                transaction.change(_HINT, {**_own(unit.subscription), "soon": soon})


def in_parts(events: Iterable[T]) -> Iterator[tuple[list[T], bool]]:
    """Yield events that arrived together in parts, at least one, each with whether it is the last.
    Each part is one commit, since a long commit keeps all other workspaces waiting.
    """
    following = iter(events)
    part = list(islice(following, _AT_ONCE))
    while True:
        after = list(islice(following, _AT_ONCE)) if len(part) == _AT_ONCE else []
        yield part, not after
        if not after:
            return
        part = after


def store(transaction: Transaction, receipts: Sequence[ArrivalUnit]) -> None:
    """Store the new events among ``receipts``."""
    rows: list[Mapping[str, Any]] = []
    keys = [
        {**_own(one.subscription), "digest": event.digest, "at": one.now}
        for one in receipts
        for event in one.found
    ]
    is_new = iter(transaction.change_all([(_KEY, [key]) for key in keys]))
    for one in receipts:
        own = _own(one.subscription)
        new = [event for event in one.found if next(is_new)]
        if (
            len(new) < len(one.found)
            and (one.subscription.last_success_at or 0.0) // _DAY < one.now // _DAY
        ):
            again, told = (
                {**own, "at": one.now, "stale": one.now - WINDOW / 2},
                {event.id for event in new},
            )
            transaction.change_many(
                _AGAIN,
                [{**again, "digest": event.digest} for event in one.found if event.id not in told],
            )
        about = {"workspace": one.subscription.workspace, "subject": one.subscription.name}
        for event in new:
            rows.append(
                {
                    **about,
                    "id": event.id,
                    "type": event.type,
                    "at": event.at,
                    "sealed": event.sealed,
                }
            )
            if event.in_transaction is not None:
                event.in_transaction(transaction)
            if event.outcome is not None:
                note(transaction, one.subscription.workspace, event.outcome)
        keep(
            transaction,
            one.subscription.workspace,
            [event.mark for event in new if event.mark is not None],
            one.now,
        )
        if new and (one.subscription.last_event_at or 0.0) < one.now - _ARRIVED_EVERY:
            transaction.change(_ARRIVED, {**own, "at": one.now})
            transaction.change(_PURGE, {**own, "before": one.now - WINDOW})
            if any(event.outcome is not None for event in one.found):
                purge(transaction, one.subscription.workspace, one.now)
    if rows:
        record_sealed(transaction, rows)


def _is_time(at: object) -> bool:
    """Return whether the time of an event can be displayed: an invalid time would end every reader
    of the feed.
    """
    return isinstance(at, int | float) and not isinstance(at, bool) and 0 < at < _LATEST


def _is_reference(given: object) -> bool:
    """Return whether a value has the form of a provider's ID for the object of a call."""
    return isinstance(given, str) and 0 < len(given) <= _LONGEST_REFERENCE


def _own(found: Subscription) -> dict[str, Any]:
    return {"workspace": found.workspace, "subscription": found.id}
