"""Looks for evidence of the outcome of a call in doubt: reads over its connection, whose findings
are judged, recorded and shown.

A look is a read with the runtime's own rights, like the poll of a job: it may be repeated, and
sends nothing else. Its finding settles the doubt if the workspace and its operator permit that; it
never lets the call be sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.connector.evidence import LEAST_ABSENT
from jackfield.kernel.dataclass import replace
from jackfield_store.database.due_rows import OvertakenError
from jackfield_store.journal.doubt_reports import DoubtReports, Report
from jackfield_store.journal.doubts import LASTS, Doubt, Doubts
from jackfield_store.journal.entry import EVIDENCE
from jackfield_store.recording.event_evidence import found_out, made_known
from jackfield_store.recording.findings import Finding
from jackfield_store.recording.look_log import LookLog
from jackfield_store.recording.look_reads import ROUND, TURN
from jackfield_store.recording.looking import Looking
from jackfield_store.recording.verdicts import CONTRADICTED, SETTLED, judge

if TYPE_CHECKING:
    from jackfield.call.pipe import Pipe
    from jackfield.invocation.entry import Entry
    from jackfield_store.journal.journal import Journal

_AGAIN = 60.0
"""Minimum seconds between two looks that must agree on an absence."""
_PROVED = {"matched": "took", "refused": "refused"}


class Judged(Protocol):
    """Port to the looks of one doubt, for the judgement.

    - ``judges``: True if a policy judges the caller's view.
    - ``account``: account of the call, if the looks know it.
    - ``is_over``: True if no time is left for further looks.
    - ``other_version``: the reason why this process leaves the reads to others; None if it makes
      them.
    """

    journal: Journal
    doubt: Doubt
    entry: Entry
    judges: bool
    account: str | None
    other_version: str | None

    @property
    def is_over(self) -> bool:
        """True if no time is left for further looks."""

    def source(self, row: Mapping[str, Any]) -> str:
        """Return the source of a finding, with its connector."""

    def made(self, row: Mapping[str, Any], due: float | None) -> Finding:
        """Make one look, and judge its finding."""

    def output(
        self, row: Mapping[str, Any], item: Any
    ) -> tuple[Mapping[str, Any] | None, Sequence[str]]:
        """Return the output that a look has found, and the references by which further events name
        the object.
        """


def look(
    pipeline: Pipe,
    journal: Journal,
    doubt: Doubt,
    *,
    settle: str,
    absent: bool,
    by_person: bool = False,
) -> str | None:
    """Look once for a doubt, at each source that is due or, ``by_person``, at all sources. Return
    the verdict that has settled the doubt, or None.

    ``settle`` and ``absent`` are the settings. A settled doubt gets looks only by a person.

    :raises OvertakenError: if another process has recorded a look meanwhile.
    """
    report = _looked(pipeline, journal, doubt, settle=settle, absent=absent, by_person=by_person)
    DoubtReports.of(journal.database).tell(report)
    return report.verdict or None


def _looked(
    pipeline: Pipe, journal: Journal, doubt: Doubt, *, settle: str, absent: bool, by_person: bool
) -> Report:
    doubts = Doubts(journal.database, journal.vault, journal.workspace, pipeline.dependencies.clock)
    known = doubts.present(doubt)
    if known is None or (not by_person and known.claim != doubt.claim):
        raise OvertakenError
    entry, now = journal.find(doubt.id, alone=True), doubts.time.now()
    log = LookLog(known, now)
    if settle == "off":
        doubts.looked(known, log.to_json(), None, looks=0)
        return Report()
    if not known.facts:
        known = found_out(pipeline, journal, doubts, known, entry)
        log = LookLog(known, now)
    elif known.facts["markers"] is None and "known" not in known.facts:
        known = made_known(journal, doubts, known, now)
        log = LookLog(known, now)
    looking = Looking(pipeline, journal, known, entry, ROUND if by_person else TURN)
    return judged(doubts, looking, log, by_person=by_person, settles=settle == "on", absent=absent)


def judged(
    doubts: Doubts, looking: Judged, log: LookLog, *, by_person: bool, settles: bool, absent: bool
) -> Report:
    """Make one round of looks, and record the findings.

    :raises OvertakenError: if another process has recorded a look meanwhile.
    """
    is_open = looking.entry.status == "in_doubt"
    report = _round(
        doubts, looking, log, is_open=is_open, by_person=by_person, settles=settles, absent=absent
    )
    return report or _recorded(doubts, looking.doubt, log, is_open=is_open, by_person=by_person)


def _round(
    doubts: Doubts,
    looking: Judged,
    log: LookLog,
    *,
    is_open: bool,
    by_person: bool,
    settles: bool,
    absent: bool,
) -> Report | None:
    """Make one round of looks; return the report of its decision, None without a decision."""
    for row in log.rows(everything=by_person, is_open=is_open):
        if log.found and looking.is_over:
            break  # the rest stays due, and other doubts have their turn
        if "trigger" not in row and looking.other_version is not None:
            log.leaves(row, Finding("failed", looking.other_version))
            continue
        finding = looking.made(row, log.due_at(row, is_open=is_open, now=by_person))
        log.account = looking.account
        if finding.again is not None:
            log.goes_on(finding.again)
            continue
        if finding.result == "nothing" and not (by_person or log.is_due(row)):
            continue
        log.add(row, finding)
        verdict = _verdict(looking, row, finding, log, log.now, allowed=absent)
        if verdict is not None:
            return replace(
                decided(doubts, looking, log, row, finding, verdict, settles=settles),
                found=log.found,
            )
        if finding.result in ("matched", "refused", "ambiguous"):
            log.ends()
    return None


def _recorded(
    doubts: Doubts, doubt: Doubt, log: LookLog, *, is_open: bool, by_person: bool
) -> Report:
    """Record a round without a decision. A round that only waits for a log needs no commit of its
    own: it is due at the end of its claim, or postponed with the next commit of others.
    """
    at = log.next() if is_open else None
    if by_person or not log.only_waits or at is None:
        doubts.looked(doubt, log.to_json(), at, looks=len(log.found))
    elif at > doubts.time.now() + LASTS:
        doubts.put_off(doubt, at)
    return Report(log.found)


def _verdict(
    looking: Judged,
    row: Mapping[str, Any],
    finding: Finding,
    log: LookLog,
    now: float,
    *,
    allowed: bool,
) -> str | None:
    """Return the verdict of a finding: that the call took effect or, if the operator allows that
    verdict, that it did not. None without a verdict.
    """
    doubt, entry = looking.doubt, looking.entry
    if finding.verdict is not None:
        return finding.verdict
    if doubt.facts["partial"]:
        return None  # a call of several requests: one of them proves nothing about the others
    if not log.agrees(finding):
        return None  # what contradicts an earlier look is shown: a person decides
    if finding.result in _PROVED:
        return _PROVED[finding.result]
    if (
        not finding.missing
        or row.get("absentAfter") is None
        or not allowed
        or doubt.facts["markers"] is None
    ):
        return None  # of a lost process nobody knows how many attempts it had made
    deadline = max(doubt.facts["deadline"], *(float(one["until"]) for one in entry.asked), 0.0)
    complete = now >= deadline + max(LEAST_ABSENT, row["absentAfter"])
    return "absent" if complete and log.was_absent(row, now - _AGAIN) else None


def next_look(doubt: Doubt, first: float) -> float | None:
    """Return the time of the next look, in seconds since 1970, at sources whose first look is due
    within ``first`` seconds of the doubt. None if no look is due.
    """
    left = LookLog(doubt, doubt.since).left(first)
    return None if left is None else doubt.since + left


def waits_for_events(doubt: Doubt) -> bool:
    """Return whether an event may be evidence of a doubt."""
    return any("trigger" in row for row in doubt.facts.get("looks", ()))


def decided(
    doubts: Doubts,
    looking: Judged,
    log: LookLog,
    row: Mapping[str, Any],
    finding: Finding,
    verdict: str,
    *,
    settles: bool,
) -> Report:
    """Decide by a verdict, once, and record the round of looks with it. ``settles`` is True if the
    settings let evidence settle doubts.

    The entry's state in that transaction counts: a person, or the call's own late answer, may have
    decided during the look.
    """
    journal, now = looking.journal, doubts.time.stamp()
    kind = "event" if "trigger" in row else "record" if "source" in row else "object"
    evidence: dict[str, Any] = {
        "verdict": verdict,
        "kind": kind,
        "source": looking.source(row),
        "connection": looking.entry.connection,
        "looks": looking.doubt.looks + len(log.found),
    }
    if verdict != "absent" and not looking.judges:  # no policy judges what a look has found
        evidence["matched"] = dict(finding.shown)
    log.ends()
    output, references = looking.output(row, finding.item) if verdict == "took" else (None, [])
    output = None if looking.judges else output

    unit = partial(
        judge,
        journal,
        doubts,
        looking.doubt.id,
        verdict,
        now,
        evidence,
        output,
        references=references,
        refusal=finding.refusal,
        settles=settles,
        confirms=kind == "event",
    )
    outcome = doubts.looked(looking.doubt, log.to_json(), None, unit, looks=len(log.found))
    if outcome == SETTLED:
        return Report(by=EVIDENCE, verdict=verdict, seconds=now - looking.doubt.since)
    return Report(contradicted=outcome == CONTRADICTED)
