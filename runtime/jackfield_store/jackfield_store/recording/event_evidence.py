"""Events as evidence of a call in doubt: they carry the marker of one of its attempts, and come
from its own account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.call.how import How
from jackfield.call.settle import check_output
from jackfield.call.waiter import run_in_thread
from jackfield.callers import LIBRARY
from jackfield.kernel.errors import InvalidOutput
from jackfield_store.journal.marks import connection_facts, digest_of, kept_events
from jackfield_store.recording.expectations import digests_of, event_rows, marker_of

if TYPE_CHECKING:
    from jackfield.call.pipe import Pipe
    from jackfield.call.plan import Plan
    from jackfield.call.reached import Reached
    from jackfield.invocation.entry import Entry
    from jackfield_store.journal.doubts import Doubt, Doubts
    from jackfield_store.journal.journal import Journal

CANDIDATES = 5
"""Number of attempts of a lost process whose markers are searched: the real number is unknown."""


def markers_of(journal: Journal, identifier: str, facts: Mapping[str, Any]) -> Sequence[str]:
    """Return the markers of the attempts that may have taken effect; for a lost process, of the
    attempts that it may have made.
    """
    known: Sequence[str] | None = facts["markers"]
    if known is not None:
        return known
    return [
        marker_of(journal, identifier, facts["delivery"], attempt)
        for attempt in range(1, CANDIDATES + 1)
    ]


def found_out(
    pipeline: Pipe, journal: Journal, doubts: Doubts, doubt: Doubt, entry: Entry
) -> Doubt:
    """Collect the facts of a call whose process has died and stored none. It stored none if only
    events can be evidence.

    :raises OvertakenError: if nothing can be evidence.
    """
    plan = run_in_thread(plan_of(pipeline, entry, doubt.facts))
    rows = event_rows(plan.code.evidence) if entry.effect == "write" else []
    if not rows:
        return doubts.find_out(doubt, None, ())
    own = connection_facts(journal.database, journal.workspace, entry.connection)
    connection = None
    if entry.connection is not None:
        connection = {
            "name": entry.connection,
            **{name: own.get(name) for name in ("id", "version", "type")},
        }
    facts = {
        "connector": entry.connector,
        "version": entry.connector_version,
        "connection": connection,
        "looks": rows,
        "from": entry.created_at,
        "until": None,
        "deadline": entry.expires_at or doubt.since,
        "markers": None,
        "delivery": entry.delivery,
        "partial": False,
    }
    return doubts.find_out(
        doubt, facts, digests_of(entry.connector, rows, markers_of(journal, doubt.id, facts))
    )


def made_known(journal: Journal, doubts: Doubts, doubt: Doubt, now: float) -> Doubt:
    """Store the possible markers of a call whose process has died, so that events and records find
    it. Earlier readings did not know these markers.

    :raises OvertakenError: if another process has the claim.
    """
    digests = digests_of(
        doubt.facts["connector"], doubt.facts["looks"], markers_of(journal, doubt.id, doubt.facts)
    )
    return doubts.find_out(doubt, {**doubt.facts, "known": now}, digests)


async def plan_of(pipeline: Pipe, entry: Entry, facts: Mapping[str, Any]) -> Plan:
    """Return the plan of an earlier call, with its action's code. Its connection, known from the
    ``facts`` of its doubt, may have been renamed.
    """
    connection = {} if entry.connection is None else {"connection": entry.connection}
    given = {"connector": entry.connector, "action": entry.action, "inputs": {}, **connection}
    stored = {"invocation": given, "connectionId": (facts.get("connection") or {}).get("id")}
    how = How(pipeline.in_thread, LIBRARY)

    async def work(call: Reached) -> Plan:
        present = await how.waiter.ask(lambda: pipeline.known.followed(stored))
        plan = (await pipeline.plans.find(pipeline.plans.parsed(present, call), call)).plan
        if not plan.is_loaded:
            await plan.load(pipeline.catalog, how.waiter)
        return plan

    return await pipeline.step(how, work)


class ToldEvents:
    """Events of one trigger that carry a marker of a doubt: one ``own`` event per object, and the
    number of ``foreign`` events.

    ``account`` is the account of the call's connection; an earlier look may have read it before the
    connection was changed.
    """

    def __init__(self, journal: Journal, doubt: Doubt, trigger: str) -> None:
        connector = doubt.facts["connector"]
        digests = [
            digest_of(connector, marker) for marker in markers_of(journal, doubt.id, doubt.facts)
        ]
        kept = kept_events(journal.database, journal.vault, journal.workspace, digests)
        self._used = doubt.facts["connection"] or {}
        self._now = connection_facts(
            journal.database, journal.workspace, self._used.get("name"), self._used.get("id")
        )
        used, now = self._used, self._now
        self._is_unchanged = (now.get("id"), now.get("version", used.get("version"))) == (
            used.get("id"),
            used.get("version"),
        )
        self.account: str | None = (
            self._now.get("account") if self._is_unchanged else doubt.log.get("account")
        )
        found = [one for one in kept if one.get("trigger") == trigger]
        own = [one for one in found if self._is_own(one)]
        self.own = [*{one.get("reference") or place: one for place, one in enumerate(own)}.values()]
        self.foreign = len(found) - len(own)

    def _is_own(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event belongs to the call's account: it came over the same connection,
        or both accounts are known and equal.

        A connection that the trigger cannot use, such as SMTP's, has no known account: then the
        marker decides.
        """
        used, now, over = self._used, self._now, event.get("connection") or {}
        unchanged, account = self._is_unchanged, self.account
        told = {event.get("account"), over.get("account")} - {None}
        if account is not None and not told <= {account}:
            # also if an event says that it is of the call's account, and came over a connection of
            # another one
            return False
        # a connection that is renamed keeps its ID
        is_named = now.get("id") is not None or over.get("name") == used.get("name")
        if (
            unchanged
            and is_named
            and all(over.get(name) == now.get(name) for name in ("id", "version"))
        ):
            return True
        if account is not None and told:
            return over.get("name") is None or over.get("account") is not None
        families = [str(one.get("type") or "").rpartition("/")[0] for one in (used, over)]
        return unchanged and account is None and "" not in families and families[0] != families[1]


def output_of(plan: Plan, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the output that an event proves: the member marked as the provider's reference. None
    if another member is required, or none is marked.
    """
    reference = event.get("reference")
    place = next((place for place in plan.references if len(place) == 1), None)
    if reference is None or place is None or plan.action.hands_out:
        return None
    found = {place[0]: reference}
    try:
        check_output(found, plan)
    except InvalidOutput:
        return None
    return found
