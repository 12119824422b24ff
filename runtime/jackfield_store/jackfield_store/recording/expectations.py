"""Facts that looks for evidence need, kept from the begin of a call: its inputs are erased then, and its process may die."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.connector.evidence import EventEvidence, Look, RecordEvidence, is_placeholder, placeholders, places_marker, stamped
from jackfield.kernel.clock import iso
from jackfield.kernel.pointers import follow
from jackfield.pipe.evidence import EVERY
from jackfield.redaction.marks import masked
from jackfield_store.journal import doubts, marks
from jackfield_store.journal.marks import digest_of
from jackfield_store.recording.sealing import marker_of

if TYPE_CHECKING:
    from jackfield.connector.evidence import Evidence, Marker
    from jackfield.invocation import Result
    from jackfield.invocation.entry import Draft
    from jackfield.pipe.run import Run
    from jackfield_store.journal import Journal
    from jackfield_store.journal.journal import Unit

MOST = 4096
"""Bytes of the facts of a doubt, as JSON. A call that needs more is not looked for."""
MARGIN = 60.0
"""Seconds before the begin of a call, and after its end, that count as the time of its request: clocks differ."""
_LONGEST_SIMILAR = 1024
_EVENT_LOOKS = (2.0, 60.0)
"""Seconds after a doubt at which the events are read that have overtaken it. Those that come later make it due by themselves."""
_LITERAL = "$value"
"""Stands for a value that is no placeholder, whatever it looks like, until the look is made."""
_FORMS: Mapping[str | None, Callable[[float], Any]] = {"unix": int, "unixText": lambda moment: str(int(moment))}
"""Forms of a time other than RFC 3339."""
_LOG = logging.getLogger("jackfield.doubts")


class Expectation:
    """Facts of one call that may end in doubt. ``wraps`` the units of its begin and end."""

    def __init__(self, journal: Journal, run: Run, identifier: str, facts: dict[str, Any]) -> None:
        self._journal, self._run, self._id, self._facts = journal, run, identifier, facts

    def marker(self, attempt: int) -> str:
        """Return the marker of an attempt, or of ``EVERY`` one."""
        return marker_of(self._journal, self._id, self._facts["delivery"] if attempt else 0, attempt)

    @property
    def _is_kept(self) -> bool:
        """True if the facts are kept from the begin. What only events tell is found out again from the entry: each call of an action that
        sends mail would pay for a doubt that it seldom is."""
        return any("trigger" not in row for row in self._facts["looks"])

    def beginning(self, begin: Unit) -> Unit:
        """Return the unit of the begin, with the facts."""
        if not self._is_kept:
            return begin
        sealed = self._sealed()

        def unit(transaction: Any) -> int:
            begun = begin(transaction)
            if begun:
                doubts.expect(transaction, self._journal.workspace, self._id, sealed)
            return begun

        return unit

    def ending(self, end: Unit, result: Result) -> Unit:
        """Return the unit of the end: a doubt waits for its first look, anything else needs none."""
        journal, identifier, is_kept = self._journal, self._id, self._is_kept
        if result.status == "in_doubt" and self._run.attempts is not None:
            evidence = self._run.attempts.evidence
            now = journal.time.stamp()
            self._facts |= {"markers": [*evidence.markers.values()], "partial": bool(evidence.done), "until": now + MARGIN}
            if not self._facts["markers"] and not is_kept:
                return end
            first = min(look["looks"][0] for look in self._facts["looks"])
            sealed, digests = self._sealed(), digests_of(self._facts["connector"], self._facts["looks"], self._facts["markers"])

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
            doubts.dropped(transaction, journal.workspace, identifier)
            return ended

        return dropped

    def _sealed(self) -> bytes:
        return doubts.sealed_facts(self._journal.vault, self._journal.workspace, self._id, self._facts)


def expected(
    journal: Journal,
    run: Run,
    draft: Draft,
    marker: Marker | None,
    looks: Sequence[Evidence],
    inputs: Mapping[str, Any],
    *,
    is_shared: bool,
) -> Expectation | None:
    """Return the facts of a call; None if nobody could look: over an inline connection, with too much to keep, or where the caller has set
    the marker's place himself. With ``is_shared``, all its attempts have one marker."""
    plan, identifier = run.plan, draft.id
    if run.inline is not None or plan is None:
        return None
    places = marker is not None and places_marker(marker, inputs)
    now = journal.time.stamp()
    shown = masked(plan.action.inputs, inputs) if any(isinstance(look, Look) and look.similar for look in looks) else inputs
    known = {"inputs": inputs, "shown": shown, "key": run.invocation.idempotency_key or identifier, "from": now - MARGIN, "until": None}
    found = [row for look in looks for one in look.of(inputs) if (row := _row(one, known, places=places)) is not None]
    if not found:
        return None
    target = plan.target
    connection = None
    if target is not None:
        kind = plan.manifest.full_name(target.kind)
        connection = {"name": target.name, "id": target.id, "version": target.version, "type": kind}
    by_events = all("trigger" in row for row in found)
    if target is not None and target.id is None and not by_events:
        connection = {**(connection or {}), "digest": journal.fingerprint({"type": target.kind.key, "values": target.values})}
    facts = {
        "connector": plan.manifest.key, "version": plan.manifest.version, "connection": connection, "looks": found,
        "from": now - MARGIN, "until": None, "deadline": draft.expires_at,
        "markers": [marker_of(journal, identifier, 0, EVERY)] if is_shared else None, "delivery": draft.delivery, "partial": False,
        "shared": is_shared,
    }  # fmt: skip
    if not by_events and len(json.dumps(facts, default=str).encode("utf-8", "surrogatepass")) > MOST:
        _LOG.warning("the invocation %s is not looked for if it ends in doubt: that would need more than %d bytes", identifier, MOST)
        return None
    return Expectation(journal, run, identifier, facts)


def digests_of(connector: str, looks: Sequence[Mapping[str, Any]], markers: Sequence[str]) -> list[str]:
    """Return the digests by which events and records find a doubt; none if neither are evidence of it."""
    is_told = any(row.keys() & {"trigger", "source"} for row in looks)
    return [digest_of(connector, marker) for marker in markers] if is_told else []


def event_rows(looks: Sequence[Evidence]) -> list[dict[str, Any]]:
    """Return the evidence of events, as it is kept."""
    return [_row_of_events(look) for look in looks if isinstance(look, EventEvidence)]


def _row_of_events(look: EventEvidence) -> dict[str, Any]:
    return {"key": look.key, "trigger": look.trigger, "looks": [*_EVENT_LOOKS]}


def _row(look: Evidence, known: Mapping[str, Any], *, places: bool) -> dict[str, Any] | None:
    """Return a look as it is kept, with the values of this call; None if it needs what the call does not have."""
    if isinstance(look, EventEvidence):
        return _row_of_events(look) if places else None
    if isinstance(look, RecordEvidence):
        about = look.about(known["inputs"]) if places else None
        row = {"key": look.key, "source": look.source, "action": look.action, "looks": [*look.looks]}
        return None if about is None else {**row, "about": dict(about)}
    if not isinstance(look, Look):
        raise TypeError(f"nobody knows how to look for {type(look).__name__}")
    try:
        inputs = filled(look.inputs, known)
        match, contains = ([[at, filled(value, known)] for at, value in rows.items()] for rows in (look.match, look.contains))
        similar = _similar(look, known)
    except LookupError:
        return None
    if not places and "$marker" in (*placeholders(inputs), *placeholders(match), *placeholders(contains)):
        return None
    members = {"key": look.key, "action": look.action, "inputs": inputs, "match": match, "contains": contains or None,
               "each": look.each, "output": look.output, "looks": [*look.looks], "absentAfter": look.absent_after,
               "similar": similar, "link": look.link}  # fmt: skip
    return {name: value for name, value in members.items() if value is not None}


def _similar(look: Look, known: Mapping[str, Any]) -> list[list[Any]] | None:
    """Return what a similar thing has in common with this call, secrets masked; None if the call lacks some of it, or that is long."""
    try:
        found = [[at, filled(value, {**known, "inputs": known["shown"]})] for at, value in look.similar.items()]
    except LookupError:
        return None
    return found if found and len(json.dumps(found, default=str)) <= _LONGEST_SIMILAR else None


def filled(value: Any, known: Mapping[str, Any]) -> Any:
    """Put the values of a call in the place of placeholders. Those that are not known yet stay.

    :raises LookupError: if an input is missing.
    """
    if isinstance(value, list | tuple):
        return [filled(one, known) for one in value]
    if not isinstance(value, Mapping):
        return value
    return _value(value, known) if is_placeholder(value) else {name: filled(one, known) for name, one in value.items()}


def _value(placeholder: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    name = next(name for name in placeholder if name.startswith("$"))
    if name == "$input":  # of the caller, who may write what looks like a placeholder
        return {_LITERAL: follow(known["inputs"], placeholder[name])}
    if name == "$marker" and "marker" in known:
        return None if known["marker"] is None else stamped(placeholder, known["marker"])
    if name == "$sent":
        moment = known["from" if placeholder[name] == "from" else "until"]
        return dict(placeholder) if moment is None else _FORMS.get(placeholder.get("as"), iso)(moment)
    return placeholder[name] if name == _LITERAL and "marker" in known else known.get(name.removeprefix("$"), dict(placeholder))
