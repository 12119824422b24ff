"""Facts for looks, stored from the begin of a call on: its inputs are erased then, and its process
may die.
"""

from __future__ import annotations

import json
import logging
from base64 import b32encode
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.call.tally import EVERY
from jackfield.connector.evidence import (
    IN_FRESH,
    KEY,
    EventEvidence,
    Look,
    RecordEvidence,
    is_placeholder,
    placeholders,
    places_marker,
    sent_as,
    stamped,
)
from jackfield.connector.given_evidence import GivenEvidence
from jackfield.kernel.dataclass import replace
from jackfield.kernel.pointers import follow
from jackfield.redaction.marks import masked
from jackfield_store.journal import doubts, marks
from jackfield_store.journal.begins import Begins
from jackfield_store.journal.marks import digest_of
from jackfield_store.recording.credentials import credentials_of

if TYPE_CHECKING:
    from jackfield.call.attempts import Attempts
    from jackfield.call.call_records import Found
    from jackfield.call.reached import Attempting, Planned
    from jackfield.call.record import Barred
    from jackfield.connector.evidence import Evidence
    from jackfield.connector.proofs import Canary, When
    from jackfield.invocation import Result
    from jackfield.invocation.entry import Draft
    from jackfield_store.journal.journal import Journal, Unit

MOST = 4096
"""Maximum bytes of the facts of a doubt, as JSON. Calls with more facts get no looks."""
MARGIN = 60.0
"""Seconds before the begin of a call, and after its end, that count as the time of its request,
since clocks differ.
"""
_LONGEST_SIMILAR = 1024
_EVENT_LOOKS = (2.0, 60.0)
"""Seconds after the begin of a doubt at which events that arrived before it are read. Later events
make it due by themselves.
"""
UNDECIDED = "undecided"
"""Verdict rule for an object if no declared values apply to the call's inputs: none of the object's
values decides.
"""
_LITERAL = "$value"
"""Key of a literal value in place of a placeholder; the value is not interpreted."""
_LOG = logging.getLogger("jackfield.doubts")


class Expectation:
    """Facts of one call that may end in doubt. ``wraps`` the units of its begin and end.

    If ``is_kept``, the facts are stored from the begin on. Facts for events alone are collected at
    the end, or later from the entry: otherwise every mail would pay for a rare doubt.
    """

    def __init__(
        self,
        journal: Journal,
        attempts: Attempting,
        draft: Draft,
        facts: Callable[[], dict[str, Any]],
        *,
        is_kept: bool,
    ) -> None:
        self._journal, self._attempts, self._id, self._delivery = (
            journal,
            attempts,
            draft.id,
            draft.delivery,
        )
        self._find, self._is_kept = facts, is_kept
        self._found: dict[str, Any] | None = None

    @property
    def _facts(self) -> dict[str, Any]:
        if self._found is None:
            self._found = self._find()
        return self._found

    def marker(self, attempt: int) -> str:
        """Return the marker of an attempt, or of ``EVERY`` attempt."""
        return marker_of(self._journal, self._id, self._delivery if attempt else 0, attempt)

    def beginning(self, begin: Unit) -> Unit:
        """Return the unit of the begin, with the facts."""
        if not self._is_kept:
            return begin
        expect = partial(
            doubts.expect,
            workspace=self._journal.workspace,
            identifier=self._id,
            facts=self._sealed(),
        )
        if isinstance(begin, Begins):
            return replace(begin, also=expect)

        def unit(transaction: Any) -> int:
            begun = begin(transaction)
            if begun:
                expect(transaction)
            return begun

        return unit

    def ending(self, end: Unit, result: Result) -> Unit:
        """Return the unit of the end. It schedules the first look of a doubt; any other outcome
        needs none.
        """
        journal, identifier, is_kept = self._journal, self._id, self._is_kept
        if result.status == "in_doubt":
            tally = self._attempts.tally
            now = journal.time.stamp()
            facts = self._facts
            facts |= {
                "markers": [*tally.markers.values()],
                "partial": bool(tally.done),
                "until": now + MARGIN,
            }
            facts["one"] = facts.get("one", False) or tally.tried == 1
            if not facts["markers"] and not is_kept:
                return end
            first = min(look["looks"][0] for look in facts["looks"])
            sealed, digests = (
                self._sealed(),
                digests_of(facts["connector"], facts["looks"], facts["markers"]),
            )

            def opened(transaction: Any) -> int:
                ended = end(transaction)
                if ended:
                    if not is_kept:
                        doubts.expect(transaction, journal.workspace, identifier, sealed)
                    marks.know(transaction, journal.workspace, identifier, digests)
                    doubts.opened(transaction, journal.workspace, identifier, sealed, now, first)
                return ended

            return opened

        if not is_kept:
            return end

        def dropped(transaction: Any) -> int:
            ended = end(transaction)
            if ended:  # else it may be another process's, which has begun it since
                doubts.dropped(transaction, journal.workspace, identifier)
            return ended

        return dropped

    def _sealed(self) -> bytes:
        return doubts.sealed_facts(
            self._journal.vault, self._journal.workspace, self._id, self._facts
        )


def expected(
    journal: Journal,
    found: Found,
    draft: Draft,
    attempts: Attempts,
    barred: Barred,
    *,
    is_shared: bool,
) -> Expectation | None:
    """Return the facts of a call; None if no look could be made: over an inline connection, with
    too much to store, or if the caller has set the marker's place. ``barred`` returns why the
    caller may not make a read that the caller gives as evidence; with ``is_shared``, all attempts
    have one marker.
    """
    asked, plan, code, inputs = found.asked, found.plan, found.plan.code, attempts.inputs
    marker, looks = code.marker, code.evidence
    if asked.inline is not None:
        return None
    places = marker is not None and places_marker(marker, inputs)
    if {*map(type, looks)} == {EventEvidence}:
        by_events = partial(_facts_of_events, journal, plan, draft, looks, is_shared=is_shared)
        return Expectation(journal, attempts, draft, by_events, is_kept=False) if places else None
    now = journal.time.stamp()
    shown = (
        masked(plan.action.inputs, inputs)
        if any(isinstance(look, Look) and look.similar for look in looks)
        else inputs
    )
    key = asked.invocation.idempotency_key
    known = {
        "inputs": inputs,
        "shown": shown,
        "key": key or draft.id,
        "byCaller": key is not None,
        "from": now - MARGIN,
        "until": None,
    }
    needs, is_given = list[dict[str, Any]](), False
    for look in looks:
        rows = [
            row for one in look.of(inputs) if (row := _row(one, known, places=places)) is not None
        ]
        if isinstance(look, GivenEvidence):
            rows, is_given = (
                [_given(row, barred, look.within) for row in rows],
                is_given or bool(rows),
            )
        needs += rows
    if not needs:
        return None
    facts = _facts(journal, plan, draft, needs, now, is_shared=is_shared)
    if is_shared and code.idempotent_by == "key":
        # to the provider, by its own key: one of a caller's is known to the caller alone
        facts["one"] = True
    if any("absentAfter" in row for row in needs):
        facts["credentials"] = credentials_of(journal.fingerprint, attempts)
    is_kept = any("trigger" not in row for row in needs)
    if is_kept and len(json.dumps(facts, default=str).encode("utf-8", "surrogatepass")) > MOST:
        _LOG.warning(
            "the invocation %s is not looked for if it ends in doubt: that would need more than "
            "%d bytes",
            draft.id,
            MOST,
        )
        return None
    if is_given:
        facts["caller"] = asked.how.caller.to_json()
    return Expectation(journal, attempts, draft, lambda: facts, is_kept=is_kept)


def _facts_of_events(
    journal: Journal, plan: Planned, draft: Draft, looks: Sequence[Evidence], *, is_shared: bool
) -> dict[str, Any]:
    begun = journal.time.stamp() if draft.started_at is None else draft.started_at
    return _facts(journal, plan, draft, event_rows(looks), begun, is_shared=is_shared)


def _facts(
    journal: Journal,
    plan: Planned,
    draft: Draft,
    rows: Sequence[Mapping[str, Any]],
    begun: float,
    *,
    is_shared: bool,
) -> dict[str, Any]:
    target = plan.target
    connection = None
    if target is not None:
        kind = plan.manifest.full_name(target.kind)
        connection = {"name": target.name, "id": target.id, "version": target.version, "type": kind}
    if target is not None and target.id is None and any("trigger" not in row for row in rows):
        connection = {
            **(connection or {}),
            "digest": journal.fingerprint({"type": target.kind.key, "values": target.values}),
        }
    return {
        "connector": plan.manifest.key,
        "version": plan.manifest.version,
        "connection": connection,
        "looks": [*rows],
        "from": begun - MARGIN,
        "until": None,
        "deadline": draft.expires_at,
        "markers": [marker_of(journal, draft.id, 0, EVERY)] if is_shared else None,
        "delivery": draft.delivery,
        "partial": False,
        "shared": is_shared,
    }


def digests_of(
    connector: str, looks: Sequence[Mapping[str, Any]], markers: Sequence[str]
) -> list[str]:
    """Return the digests by which events and records find a doubt; an empty list if neither can be
    evidence of the doubt.
    """
    is_told = any(row.keys() & {"trigger", "source"} for row in looks)
    return [digest_of(connector, marker) for marker in markers] if is_told else []


def event_rows(looks: Sequence[Evidence]) -> list[dict[str, Any]]:
    """Return the evidence of events in its stored form."""
    return [_row_of_events(look) for look in looks if isinstance(look, EventEvidence)]


def _row_of_events(look: EventEvidence) -> dict[str, Any]:
    return {"key": look.key, "trigger": look.trigger, "looks": [*_EVENT_LOOKS]}


def _given(row: dict[str, Any], barred: Barred, within: str) -> dict[str, Any]:
    """Return a look that the caller has given, in its stored form. It is made in the caller's name,
    and never if rules forbid the caller the read now. The requested object is ``within`` the
    answer.
    """
    why = barred(row["action"])
    return {
        **row,
        "given": True,
        **({} if "each" in row else {"within": within}),
        **({} if why is None else {"barred": why}),
    }


def _row(look: Evidence, known: Mapping[str, Any], *, places: bool) -> dict[str, Any] | None:
    """Return a look in its stored form, with the values of this call; None if the call lacks a
    needed value.
    """
    if isinstance(look, EventEvidence):
        return _row_of_events(look) if places else None
    if isinstance(look, RecordEvidence):
        about = look.about(known["inputs"]) if places else None
        row = {
            "key": look.key,
            "source": look.source,
            "action": look.action,
            "looks": [*look.looks],
        }
        return None if about is None else {**row, "about": dict(about)}
    if not isinstance(look, Look):
        raise TypeError(f"nobody knows how to look for {type(look).__name__}")
    compared = {*placeholders([look.match, look.contains])}
    sent_key, own_key = (
        known["key"],
        "$key" in placeholders(look.inputs),
    )  # it stays apart, so that a look can ask for a key that nobody has
    known = {**known, "key": dict(KEY)} if own_key else known
    try:
        inputs = filled(look.inputs, known)
        match, contains = (
            [[at, filled(value, known)] for at, value in rows.items()]
            for rows in (look.match, look.contains)
        )
        similar = _similar(look, known)
    except LookupError:
        return None
    if not places and "$marker" in (
        *placeholders(inputs),
        *placeholders(match),
        *placeholders(contains),
    ):
        return None
    members = {
        "key": look.key,
        "action": look.action,
        "inputs": inputs,
        "match": match,
        "contains": contains or None,
        "each": look.each,
        "output": look.output,
        "looks": [*look.looks],
        "absentAfter": look.absent_after,
        "similar": similar,
        "link": look.link,
        "when": _when(look.when, known["inputs"]),
        "canary": _canary(look.canary, known),
        "absent": None if look.absent is None else look.absent.to_json(),
        "id": look.id if look.id != "/id" else None,
        "sentKey": sent_key if own_key else None,
        "reusable": (known["byCaller"] and "$marker" not in compared) or None,
    }
    return {name: value for name, value in members.items() if value is not None}


def _when(rows: Sequence[When], inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the expected values of an object after a call with these inputs; ``UNDECIDED`` if no
    row applies to the inputs, None if nothing is declared.
    """
    found = next((row for row in rows if row.counts(inputs)), None)
    if found is None:
        return {UNDECIDED: True} if rows else None
    return {name: value for name, value in found.to_json().items() if name != "if"}


def _canary(canary: Canary | None, known: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the read that must succeed beside a missing object; None if this call has none."""
    try:
        return (
            None if canary is None else {**canary.to_json(), "inputs": filled(canary.inputs, known)}
        )
    except LookupError:
        return None


def _similar(look: Look, known: Mapping[str, Any]) -> list[list[Any]] | None:
    """Return the values that a similar object shares with this call, secrets masked; None if the
    call lacks some, or they are long.
    """
    try:
        found = [
            [at, filled(value, {**known, "inputs": known["shown"]})]
            for at, value in look.similar.items()
        ]
    except LookupError:
        return None
    return found if found and len(json.dumps(found, default=str)) <= _LONGEST_SIMILAR else None


def filled(value: Any, known: Mapping[str, Any]) -> Any:
    """Replace placeholders by a call's values. Placeholders without a known value stay.

    :raises LookupError: if an input is missing.
    """
    if isinstance(value, list | tuple):
        return [filled(one, known) for one in value]
    if not isinstance(value, Mapping):
        return value
    return (
        _value(value, known)
        if is_placeholder(value)
        else {name: filled(one, known) for name, one in value.items()}
    )


def _value(placeholder: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    name = next(name for name in placeholder if name.startswith("$"))
    if name == "$input":  # of the caller, who may write what looks like a placeholder
        return {_LITERAL: follow(known["inputs"], placeholder[name])}
    if name == "$marker" and "marker" in known:
        if known["marker"] is None:
            return None
        return stamped(placeholder, known["marker"]).replace(IN_FRESH, known.get("fresh", ""))
    if name == "$sent":
        moment = known["from" if placeholder[name] == "from" else "until"]
        return dict(placeholder) if moment is None else sent_as(placeholder, moment)
    return (
        placeholder[name]
        if name == _LITERAL and "marker" in known
        else known.get(name.removeprefix("$"), dict(placeholder))
    )


def marker_of(journal: Journal, identifier: str, delivery: int, attempt: int) -> str:
    """Return the marker of one attempt of a call, 128 bits of a keyed hash in Base32: it has no
    meaning, and cannot be guessed.
    """
    digest = journal.vault.hmac(
        journal.workspace, b"doubt\0%b\0%d\0%d" % (identifier.encode(), delivery, attempt)
    )
    return b32encode(bytes.fromhex(digest[:32]))[:26].decode().lower()
