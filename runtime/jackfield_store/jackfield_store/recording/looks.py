"""Looks for evidence of what became of a call in doubt: reads over its connection, of which each finding is judged, recorded and shown.

A look is a read with the runtime's own rights, as polls of jobs are: it may be repeated, and nothing here sends anything else. What it
finds settles the doubt if the workspace and its operator want that; it never lets the call be sent again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus

from jackfield.connector.evidence import LEAST_ABSENT, PREFIX, RecordEvidence, placeholders
from jackfield.invocation.provider_ids import reference_of, references_in
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import ApprovalRequired, InvalidOutput, JackfieldError
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.pointers import follow
from jackfield.pipe.masking import concealed
from jackfield.pipe.settle import check_output
from jackfield.pipe.waiter import run_in_thread
from jackfield_store.database.due_rows import OvertakenError
from jackfield_store.journal.doubt_reports import DoubtReports, Report
from jackfield_store.journal.doubts import LASTS, Doubt, Doubts
from jackfield_store.journal.entry import EVIDENCE, bound_result
from jackfield_store.journal.settlement import confirmed, contradicted, contradicts, settled
from jackfield_store.recording.event_evidence import ToldEvents, found_out, made_known, markers_of, output_of, plan_of
from jackfield_store.recording.expectations import OF_HOST, credentials_of, filled
from jackfield_store.recording.findings import Finding, link_of
from jackfield_store.recording.look_log import LookLog, source_of
from jackfield_store.recording.look_reads import LookReads
from jackfield_store.recording.record_evidence import LoggedRequests

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry
    from jackfield.pipe.plan import Plan
    from jackfield.pipe.recording import Pipe
    from jackfield_store.journal import Journal

_AGAIN = 60.0
"""Least seconds between two looks that must agree that something is absent."""
_MEMBERS, _LONGEST, _LONGEST_TEXT = 8, 256, 2_560
"""Members of what was found that are shown, characters of each, and of all together."""
_FINAL = frozenset({"not_allowed", "approval_required", "forbidden", "unauthenticated", "unknown_connection", "unknown_connector",
                    "unknown_action", "invalid_connection", "invalid_input"})  # fmt: skip
"""Errors of a look that further ones would meet again until a person does something."""
_ROTATED = "not found with credentials that were changed since the call, and may be of another account: that proves nothing"
_OF_HOST = "not found with the host's own credentials, which may be of another account than at the call: that proves nothing"
_PROVED = {"matched": "took", "refused": "refused"}


def look(pipeline: Pipe, journal: Journal, doubt: Doubt, *, settle: str, absent: bool, by_person: bool = False) -> str | None:
    """Look once for a doubt, at each source that is due or, ``by_person``, at all; return the verdict that has settled it, if one has.

    ``settle`` and ``absent`` are the settings. A doubt that is none any more is only looked at by a person.

    :raises OvertakenError: if another process has looked meanwhile.
    """
    report = _looked(pipeline, journal, doubt, settle=settle, absent=absent, by_person=by_person)
    DoubtReports.of(journal.database).tell(report)
    return report.verdict or None


def _looked(pipeline: Pipe, journal: Journal, doubt: Doubt, *, settle: str, absent: bool, by_person: bool) -> Report:
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
    looking = _Looking(pipeline, journal, known, entry)
    is_open = entry.status == "in_doubt"
    for row in log.rows(everything=by_person, is_open=is_open):
        finding = looking.made(row, log.due_at(row, is_open=is_open, now=by_person))
        log.account = looking.account
        if finding.again is not None:
            log.goes_on(finding.again)
            continue
        if finding.result == "nothing" and not (by_person or log.is_due(row)):
            continue
        log.add(row, finding)
        verdict = _verdict(known, row, finding, log, now, allowed=absent)
        if verdict is not None:
            decided = _decided(doubts, looking, log, row, finding, verdict, settles=settle == "on")
            return replace(decided, found=log.found)
        if finding.result in ("matched", "refused", "ambiguous"):
            log.ends()
    return _recorded(doubts, known, log, is_open=is_open, by_person=by_person)


def _recorded(doubts: Doubts, doubt: Doubt, log: LookLog, *, is_open: bool, by_person: bool) -> Report:
    """Record a round that has decided nothing. One that only waits for a log waits for no commit: the end of its claim makes it due, or it
    is put off with the next commit of others."""
    if by_person or not is_open or not log.only_waits:
        doubts.looked(doubt, log.to_json(), log.next() if is_open else None, looks=len(log.found))
    elif (at := log.next()) is not None and at > doubts.time.now() + LASTS:
        doubts.put_off(doubt, at)
    return Report(log.found)


def _verdict(doubt: Doubt, row: Mapping[str, Any], finding: Finding, log: LookLog, now: float, *, allowed: bool) -> str | None:
    """Return what a finding proves: that the call took effect, or, if the operator allows it, that it did not. None: nothing."""
    if doubt.facts["partial"]:
        return None  # a call of several requests: one of them proves nothing about the others
    if not log.agrees(finding):
        return None  # what contradicts an earlier look is shown: a person decides
    if finding.result in _PROVED:
        return _PROVED[finding.result]
    if not finding.missing or row.get("absentAfter") is None or not allowed or doubt.facts["markers"] is None:
        return None  # of a lost process nobody knows how many attempts it had made
    complete = now >= doubt.facts["deadline"] + max(LEAST_ABSENT, row["absentAfter"])
    return "absent" if complete and log.was_absent(row, now - _AGAIN) else None


def _decided(
    doubts: Doubts, looking: _Looking, log: LookLog, row: Mapping[str, Any], finding: Finding, verdict: str, *, settles: bool
) -> Report:
    """Settle the doubt in one transaction, if the settings want that; note what contradicts a resolution."""
    entry, journal, now = looking.entry, looking.journal, doubts.time.stamp()
    is_event = "trigger" in row
    kind = "event" if is_event else "record" if "source" in row else "object"
    evidence: dict[str, Any] = {
        "verdict": verdict, "kind": kind, "source": looking.source(row),
        "connection": entry.connection, "looks": looking.doubt.looks + 1,
    }  # fmt: skip
    is_judged = looking.judges  # no policy judges what a look has found
    if verdict != "absent" and not is_judged:
        evidence["matched"] = dict(finding.shown)
    log.ends()
    output, references = looking.output(row, finding.item) if verdict == "took" else (None, [])
    output = None if is_judged else output

    def sealed(result: Mapping[str, Any], *, failed: bool) -> bytes:
        return journal.sealed_result(entry.id, bound_result(result, entry, answers=not failed))

    if entry.status == "in_doubt" and settles:
        result, code = settled(entry, verdict, now, evidence, output, finding.item if verdict == "refused" else None)
        status = result["status"]
        more = doubts.settling(entry, status, code, sealed(result, failed=status == "failed"), references)
        has_settled = doubts.looked(looking.doubt, log.to_json(), None, more, looks=len(log.found))
        return Report(by=EVIDENCE, verdict=verdict, seconds=now - looking.doubt.since) if has_settled else Report()
    further = None
    if contradicts(entry, verdict):
        result = contradicted(entry, now, evidence)
        facts = {"invocationId": entry.id, "status": entry.status, "resolvedBy": entry.resolved_by, "verdict": verdict,
                 "connector": entry.connector, "action": entry.action}  # fmt: skip
        further = doubts.contradicting(entry, sealed(result, failed=entry.status == "failed"), facts)
    elif is_event and settles and entry.status == "succeeded" and not (entry.result or {}).get("output"):
        further = doubts.confirming(entry, sealed(confirmed(entry, evidence, output or {}), failed=False), references)
    is_told = doubts.looked(looking.doubt, log.to_json(), None, further, looks=len(log.found)) and contradicts(entry, verdict)
    return Report(contradicted=is_told)


def next_look(doubt: Doubt, first: float) -> float | None:
    """Return when the next look is due, in seconds since 1970, of the sources whose first one is due within ``first`` seconds of the doubt.
    None if none is."""
    left = LookLog(doubt, doubt.since).left(first)
    return None if left is None else doubt.since + left


def waits_for_events(doubt: Doubt) -> bool:
    """Return whether an event may be evidence of a doubt."""
    return any("trigger" in row for row in doubt.facts.get("looks", ()))


class _Looking:
    """Looks of one doubt."""

    def __init__(self, pipeline: Pipe, journal: Journal, doubt: Doubt, entry: Entry) -> None:
        self.journal, self.doubt, self.entry = journal, doubt, entry
        self._pipeline = pipeline
        self.judges = pipeline.must_judge
        self.account: str | None = doubt.log.get("account")
        """Account of the call, as far as events were compared with it."""
        self._reads = LookReads(pipeline, journal, doubt)

    def source(self, row: Mapping[str, Any]) -> str:
        """Return what has told, with its connector."""
        return source_of(row) if "source" in row else f"{self.doubt.facts['connector']}/{source_of(row)}"

    def made(self, row: Mapping[str, Any], due: float | None) -> Finding:
        """Make one look, and judge what it finds; ``due`` is when a log must have been read."""
        if "trigger" in row:
            return self._told(row)
        if "source" in row:
            return self._logged(row, due)
        found = attempt(self._read_and_judged, row)
        if not isinstance(found, Raised):
            return found
        if isinstance(found.error, ApprovalRequired):
            return Finding("failed", found.error.message, is_final=True)  # of rules, whatever a policy withholds of providers' words
        if isinstance(found.error, JackfieldError):
            return self._failed(found.error.code, found.error.message)
        told = f"the answer cannot be judged ({type(found.error).__name__})"  # it counts as a look, or would be made for ever
        return self._failed("invalid_output", told)

    def _failed(self, code: str, told: str) -> Finding:
        return Finding("failed", code if self.judges else told[:_LONGEST], is_final=code in _FINAL)

    def _read_and_judged(self, row: Mapping[str, Any]) -> Finding:
        self._reads.begin(row)
        markers: list[str | None] = [f"{PREFIX}{marker}" for marker in markers_of(self.journal, self.doubt.id, self.doubt.facts)]
        by_marker = "$marker" in placeholders(row["inputs"])
        found, like, missing = list[_Thing](), list[_Thing](), 0
        for marker in markers if by_marker else [None]:
            asked = {"connector": self.doubt.facts["connector"], "action": row["action"], "inputs": self._filled(row["inputs"], marker)}
            pages = self._reads.pages(asked)
            missing += pages is None
            for thing in _things(pages or (), row.get("each")):
                own = [thing for one in ([marker] if by_marker else markers or [None]) if self._fits(row, thing.item, one)]
                found += own
                like += [thing] if not own and self._is_like(row, thing.item) else []
        if len(found) > 1:
            return Finding("ambiguous", f"{len(found)} things have the same marker")
        if found:
            masked, link = self._masked(found[0]), row.get("link")
            shown = _beginning(masked)
            return Finding("matched", self._text(shown), found[0].item, link=self._link(link, found[0].item, masked), shown=shown)
        if (similar := self._similar(row, like)) is not None:
            return similar
        is_missing = by_marker and missing == len(markers) > 0
        why = self._unproven(row) if is_missing else None
        return Finding("nothing", missing=is_missing) if why is None else Finding("nothing", why)

    def _unproven(self, row: Mapping[str, Any]) -> str | None:
        """Return why a read that would prove something by what it lacks proves nothing: nobody knows that it was made with the credentials
        of the call. None if it was."""
        if "absentAfter" not in row:
            return None
        used, facts = credentials_of(self.journal, self._reads.attempts), self.doubt.facts
        if used == OF_HOST:
            return _OF_HOST
        return None if "credentials" in facts and facts["credentials"] == used else _ROTATED

    def _similar(self, row: Mapping[str, Any], like: Sequence[_Thing]) -> Finding | None:
        """Return the finding of a thing without the marker that has much in common with what was sent; None without one."""
        if not like:
            return None
        sent = {at: str(self._clean(self._filled(value, None)))[:_LONGEST] for at, value in row["similar"]}
        masked = self._masked(like[0])
        link = self._link(row.get("link"), like[0].item, masked)
        return Finding("similar", self._text(_beginning(masked)), link=link, sent=None if self.judges else sent)

    def _clean(self, item: Any) -> Any:
        """Return what was found without the secrets of the connection."""
        attempts = self._reads.attempts
        redactor = None if attempts is None else attempts.run.redactor
        return item if redactor is None else redactor.clean_json(item)

    def _masked(self, thing: _Thing) -> Any:
        """Return a thing without secrets, and without what the read's output has as secret: its places are those of the whole page."""
        attempts = self._reads.attempts
        page = thing.page if attempts is None else concealed(thing.page, attempts.plan.secrets)
        try:
            return self._clean(follow(page, thing.at))
        except LookupError:
            return {}

    def _text(self, shown: Mapping[str, str]) -> str:
        return "" if self.judges else json.dumps(shown, ensure_ascii=False)[:_LONGEST_TEXT]

    def _link(self, declared: str | None, item: Any, masked: Any) -> str | None:
        """Return the address of what was found; None if it would hold a secret, in whatever spelling: an address has no room for masks."""
        found = None if self.judges else link_of(declared, item)
        if found is None or link_of(declared, masked) != found:
            return None
        return found if all(self._clean(text) == text for text in (found, unquote(found), unquote_plus(found))) else None

    def _told(self, row: Mapping[str, Any]) -> Finding:
        """Judge the events of a trigger that carry a marker of the doubt."""
        told = ToldEvents(self.journal, self.doubt, row["trigger"])
        self.account = told.account
        if len(told.own) > 1:
            return Finding("ambiguous", f"events of {len(told.own)} things have the same marker")
        if told.own:
            shown = _beginning(self._clean(told.own[0]))
            return Finding("matched", self._text(shown), told.own[0], shown=shown)
        if told.foreign:
            return Finding("similar", "an event with the marker came from another account than the call's, or from one that nobody knows")
        return Finding("nothing")

    def _logged(self, row: Mapping[str, Any], due: float | None) -> Finding:
        """Judge the records of a log that carry a marker of the doubt."""

        def read(log: RecordEvidence, inputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
            self._reads.begin({})
            given = {"connector": log.source, "action": row["action"], "inputs": inputs}
            pages = self._reads.pages(given, 1, log.permissions)
            return pages[0] if pages else None

        def declared() -> RecordEvidence | None:
            evidence = run_in_thread(plan_of(self._pipeline, self.entry, self.doubt.facts)).code.evidence
            return next((one for one in evidence if isinstance(one, RecordEvidence) and one.key == row["key"]), None)

        found = LoggedRequests(self.journal, self.doubt, row, read).finding(declared, due, _FINAL)
        if found.item is None or self.judges:
            return replace(found, text=found.text if found.result != "failed" or not self.judges else "")
        masked = self._clean(found.item)
        shown = _beginning(masked["shown"])
        return replace(found, text=self._text(shown), link=self._link("/link", found.item, masked), shown=shown)

    def _filled(self, value: Any, marker: str | None) -> Any:
        facts = self.doubt.facts
        until = facts["until"] or facts["deadline"] + 60.0
        return filled(value, {"inputs": {}, "key": None, "from": facts["from"], "until": until, "marker": marker})

    def _fits(self, row: Mapping[str, Any], item: Any, marker: str | None) -> bool:
        try:
            return all(_same(follow(item, at), self._filled(value, marker)) for at, value in row["match"]) and all(
                _has(follow(item, at), self._filled(value, marker)) for at, value in row.get("contains", ())
            )
        except (LookupError, ValueError):
            return False

    def _is_like(self, row: Mapping[str, Any], item: Any) -> bool:
        """Return whether a thing without the marker is like what was sent."""
        try:
            wanted = row.get("similar", ())
            return bool(wanted) and all(_same(follow(item, at), self._filled(value, None)) for at, value in wanted)
        except (LookupError, ValueError):
            return False

    def output(self, row: Mapping[str, Any], item: Any) -> tuple[Mapping[str, Any] | None, Sequence[str]]:
        """Return the output that a look has declared, or that an event proves, if it is one of the action; else None. Return also the
        references by which further events name it. A log has none."""
        if "source" in row:
            return None, ()
        try:
            plan = run_in_thread(plan_of(self._pipeline, self.entry, self.doubt.facts))
            connector = plan.manifest.key
            if "trigger" in row:
                reference = item.get("reference")
                return output_of(plan, item), [reference_of(connector, reference)] if reference else []
            found = self._declared(row, item, plan)
        except (JackfieldError, LookupError, InvalidOutput):
            return None, ()
        return found, () if found is None else references_in(found, plan.references, connector)

    def _declared(self, row: Mapping[str, Any], item: Any, plan: Plan) -> Mapping[str, Any] | None:
        attempts = self._reads.attempts
        if row.get("output") is None or attempts is None:
            return None
        found = follow(item, row["output"]) if row["output"] else item
        if not isinstance(found, Mapping) or plan.action.hands_out:
            return None
        check_output(found, plan)
        opening = attempts.opening
        masked = found if opening is None else opening.cache.output_mask.masked(found)[0]
        told = concealed(masked, plan.secrets)
        return told if isinstance(told, Mapping) else None


@dataclass(frozen=True, slots=True, repr=False)
class _Thing:
    """Thing that a read has found, ``at`` a pointer of its ``page``."""

    item: Any
    page: Mapping[str, Any]
    at: str = ""


def _things(pages: Sequence[Mapping[str, Any]], each: str | None) -> Iterator[_Thing]:
    for page in pages:
        if each is None:
            yield _Thing(page, page)
            continue
        found = follow(page, each)
        if isinstance(found, list):
            yield from (_Thing(item, page, f"{each}/{place}") for place, item in enumerate(found))


def _beginning(item: Any) -> dict[str, str]:
    """Return the beginning of what was found, which is masked: a provider's text, which nobody should take for ours."""
    if not isinstance(item, Mapping):
        return {}
    plain = [(str(name)[:64], str(value)[:_LONGEST]) for name, value in item.items() if isinstance(value, str | int | float)]
    return dict(plain[:_MEMBERS])


def _same(found: Any, wanted: Any) -> bool:
    """Return whether a value is the one that was sent: providers may return a number as text."""
    return (type(found) is type(wanted) and found == wanted) or (isinstance(found, str | int) and str(found) == str(wanted))


def _has(found: Any, wanted: Any) -> bool:
    """Return whether a text contains the one that was sent, or a list an item that is equal to it or, of an object, has its members."""
    if isinstance(found, list):
        return any(_has_members(item, wanted) if isinstance(wanted, Mapping) else _same(item, wanted) for item in found)
    return isinstance(found, str) and isinstance(wanted, str) and bool(wanted) and wanted in found


def _has_members(item: Any, wanted: Mapping[str, Any]) -> bool:
    return isinstance(item, Mapping) and bool(wanted) and all(name in item and _same(item[name], one) for name, one in wanted.items())
