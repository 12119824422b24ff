"""The provider's own log of requests as evidence of a call in doubt: its records with the marker of
an attempt, and their verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.connector.evidence import Record, RecordEvidence
from jackfield.invocation.provider_ids import reference_of
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import JackfieldError
from jackfield_store.journal import record_reads
from jackfield_store.journal.doubts import LASTS, spread
from jackfield_store.journal.marks import (
    NewMark,
    connection_facts,
    digest_of,
    invocation_of_marker,
    keep,
    kept_events,
    sealed_mark,
)
from jackfield_store.journal.record_reads import Reading
from jackfield_store.recording.event_evidence import markers_of
from jackfield_store.recording.findings import Finding

if TYPE_CHECKING:
    from jackfield_store.journal.doubts import Doubt
    from jackfield_store.journal.journal import Journal

_QUARTER = 900.0
"""Seconds to which the time of a reading is rounded, so that doubts of one outage share the
reading.
"""
_GOES_ON = 240.0
"""Seconds after which a doubt looks again, if another doubt has read its log within ``_JUST``
seconds; otherwise its claim ends earlier. A finding makes the doubt due at once: an earlier look
would only take time from calls.
"""
_JUST = 5.0
_REFUSED = 900.0
"""Seconds for which a log's refusal counts for all doubts that need the log: each would be refused
again.
"""
Read = Callable[[RecordEvidence, Mapping[str, Any]], Mapping[str, Any] | None]


class LoggedRequests:
    """Records in one log of the attempts of one call in doubt. ``read`` reads a page of the log."""

    def __init__(self, journal: Journal, doubt: Doubt, row: Mapping[str, Any], read: Read) -> None:
        self._journal, self._doubt, self._row, self._read = journal, doubt, row, read
        self._markers = markers_of(journal, doubt.id, doubt.facts)
        used = doubt.facts["connection"] or {}
        self._own = connection_facts(
            journal.database, journal.workspace, used.get("name"), used.get("id")
        )

    def finding(
        self,
        declared: Callable[[], RecordEvidence | None],
        due: float | None,
        final: frozenset[str],
    ) -> Finding:
        """Return the log's finding, from a reading at the time ``due`` or later; with None, from
        what was read so far. ``final`` are codes of errors that any process would get.
        """
        found = self._judged()
        if found is not None or due is None:
            return found or Finding("nothing")
        reading = record_reads.find(self._journal.database, self._journal.workspace, self._digest)
        now = self._journal.time.now()
        if reading.refused is not None and reading.changed_at > now - _REFUSED:
            return Finding("failed", reading.refused, is_final=True)
        if reading.complete_at is not None and reading.complete_at >= due:
            return self._unfinished()
        if not record_reads.takes_turn(self._journal.database, self._place, now):
            return Finding(
                "nothing", again=spread(_GOES_ON) if reading.changed_at > now - _JUST else LASTS
            )
        source = declared()
        return (
            Finding("failed", "the action has no such evidence any more", is_final=True)
            if source is None
            else self._next(source, reading, now, final)
        )

    @property
    def _span(self) -> tuple[float, float]:
        facts = self._doubt.facts
        until = facts["until"] or facts["deadline"] + 60.0
        return facts["from"] // _QUARTER * _QUARTER, (until // _QUARTER + 1) * _QUARTER

    @property
    def _whose(self) -> str:
        return str(
            self._own.get("account")
            or (self._doubt.facts["connection"] or {}).get("digest")
            or self._own.get("id")
        )

    @property
    def _digest(self) -> str:
        connection = self._doubt.facts["connection"]
        return record_reads.place_of(
            self._row["source"], connection, self._row["about"], *self._span
        )

    @property
    def _place(self) -> str:
        return record_reads.place_of(
            self._row["source"], self._whose, self._row["about"].get("region")
        )

    def _next(
        self, source: RecordEvidence, reading: Reading, now: float, final: frozenset[str]
    ) -> Finding:
        """Read the next page, store its records about any doubt of this workspace, and judge
        them.
        """
        about, workspace, began = (
            self._row["about"],
            self._journal.workspace,
            reading.began_at or now,
        )
        try:
            page = self._read(source, source.asked(about, *self._span, reading.page))
            records, following = source.found(about, page or {})
        except (JackfieldError, LookupError, AttributeError, TypeError, ValueError) as error:
            return self._failed(error, reading, now, final)
        marks = [mark for record in records if (mark := self._kept(record, now)) is not None]
        further = replace(reading, page=following, began_at=began, refused=None)
        changed = Reading(complete_at=began) if following is None else further

        def unit(transaction: Any) -> None:
            keep(transaction, workspace, marks, now, besides=self._doubt.id)
            record_reads.put(transaction, workspace, self._digest, changed, now)

        self._journal.database.record(unit)
        return self._judged() or (
            self._unfinished() if following is None else Finding("nothing", again=record_reads.PACE)
        )

    def _failed(
        self, error: Exception, reading: Reading, now: float, final: frozenset[str]
    ) -> Finding:
        """Store the failure of a reading and return its finding. The next reading starts at the
        first page, since the page token may be invalid.
        """
        code = error.code if isinstance(error, JackfieldError) else "invalid_output"
        told = (
            error.message
            if isinstance(error, JackfieldError)
            else f"a record cannot be read ({type(error).__name__})"
        )
        hint = f" {error.hint}" if isinstance(error, JackfieldError) and error.hint else ""
        text = f"{told}{hint}"[:256]
        changed = Reading(complete_at=reading.complete_at, refused=text if code in final else None)
        workspace = self._journal.workspace
        self._journal.database.record(
            lambda transaction: record_reads.put(transaction, workspace, self._digest, changed, now)
        )
        return Finding("failed", text, is_final=code in final)

    def _kept(self, record: Record, now: float) -> NewMark | None:
        """Seal a record for storing; None if it is about no doubt of this workspace."""
        journal, connector = self._journal, self._doubt.facts["connector"]
        digest = digest_of(connector, record.marker)
        if (
            record.marker not in self._markers
            and invocation_of_marker(journal.database, journal.workspace, digest) is None
        ):
            return None
        about = {
            "source": self._row["source"],
            "about": self._row["about"],
            "reference": record.id,
            "digest": digest,
            "at": record.at,
            "error": record.error,
            "refused": record.refused,
            "account": record.account,
            "shown": dict(record.shown),
            "over": self._doubt.facts["connection"],
            "link": record.link,
        }
        source = self._row["source"]
        return sealed_mark(
            journal.vault,
            journal.workspace,
            digest,
            reference_of(source, record.id),
            now,
            about,
            source,
        )

    def _records(self) -> list[dict[str, Any]]:
        """Return the records of the attempts in doubt that match the call's operation, account,
        region and time.
        """
        journal, facts = self._journal, self._doubt.facts
        digests = [digest_of(facts["connector"], marker) for marker in self._markers]
        until = facts["until"] or facts["deadline"] + 60.0
        return [
            one
            for one in kept_events(journal.database, journal.vault, journal.workspace, digests)
            if one.get("source") == self._row["source"]
            and one["about"] == self._row["about"]
            and facts["from"] <= one["at"] <= until
            and self._is_own(one)
        ]

    def _is_own(self, record: Mapping[str, Any]) -> bool:
        """Return whether a record belongs to the account of the call: both accounts are known and
        equal, or it was read over the same connection.
        """
        accounts = self._own.get("account"), record["account"]
        return (
            accounts[0] == accounts[1]
            if None not in accounts
            else bool(record["over"] == self._doubt.facts["connection"])
        )

    def _judged(self) -> Finding | None:
        """Return the verdict of the records; None without a verdict.

        Attempts have one marker if the provider counts their requests as one, by their key: then
        each may have a record. Otherwise one of two records with the same marker may be a copy.
        """
        records, facts = self._records(), self._doubt.facts
        took = [one for one in records if one["error"] is None]
        if facts.get("shared"):
            return Finding("matched", item=took[0]) if took else None
        if len({one["digest"] for one in records}) < len(records) or len(took) > 1:
            return Finding(
                "ambiguous", f"{len(records)} records have the marker of the same attempt"
            )
        if took:
            return Finding("matched", item=took[0])
        is_whole = facts["markers"] is not None and len(records) == len(self._markers) > 0
        return (
            Finding("refused", item=records[-1], refusal=records[-1])
            if is_whole and all(one["refused"] for one in records)
            else None
        )

    def _unfinished(self) -> Finding:
        """Return the finding of a log that was read to its end and proves nothing."""
        codes: Sequence[str] = sorted(
            {str(one["error"]) for one in self._records() if one["error"] is not None}
        )
        return Finding(
            "nothing",
            f"failed at the provider, which proves nothing: {', '.join(codes)}"[:256]
            if codes
            else "",
        )
