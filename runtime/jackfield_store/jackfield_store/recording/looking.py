"""Looks at the sources of one doubt: their findings, judged by the rules of proof."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus

from jackfield.call.masking import concealed
from jackfield.call.settle import check_output
from jackfield.call.waiter import run_in_thread
from jackfield.connector.evidence import PREFIX, RecordEvidence, placeholders
from jackfield.connector.given_evidence import any_marker
from jackfield.connector.proofs import PLAIN, Absent, Canary, When
from jackfield.invocation.provider_ids import reference_of, references_in
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import ApprovalRequired, InvalidOutput, JackfieldError
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.pointers import follow
from jackfield_store.journal import record_reads
from jackfield_store.journal.doubts import Doubt
from jackfield_store.journal.record_reads import place_of
from jackfield_store.recording.answer_signs import is_new, unsound_absence, unsound_success
from jackfield_store.recording.credentials import OF_HOST, credentials_of
from jackfield_store.recording.event_evidence import ToldEvents, markers_of, output_of, plan_of
from jackfield_store.recording.expectations import UNDECIDED, filled
from jackfield_store.recording.findings import Finding, link_of
from jackfield_store.recording.look_log import source_of
from jackfield_store.recording.look_reads import LookReads, Missing
from jackfield_store.recording.record_evidence import LoggedRequests
from jackfield_store.recording.things import Thing, beginning, distinct, has, is_one, same, things

if TYPE_CHECKING:
    from jackfield.call.pipe import Pipe
    from jackfield.call.plan import Plan
    from jackfield.invocation.entry import Entry
    from jackfield.wire.exchanges import Exchange
    from jackfield_store.journal.journal import Journal

_LONGEST, _LONGEST_TEXT = 256, 2_560
"""Maximum characters of a failure's text, and of a displayed object."""
_FINAL = frozenset(
    {
        "not_allowed",
        "approval_required",
        "forbidden",
        "unauthenticated",
        "unknown_connection",
        "unknown_connector",
        "unknown_action",
        "invalid_connection",
        "invalid_input",
    }
)
"""Codes of errors of a look that recur until a person fixes the cause."""
_ROTATED = (
    "not found with credentials that were changed since the call, and may be of another "
    "account: that proves nothing"
)
_NO_CANARY = (
    "not found, and nothing was read beside it (its evidence has no canary): that proves nothing"
)
_SHOWS_NOTHING = (
    "not found, and its evidence does not say what the canary shows: that proves nothing"
)
_NOT_NEW = (
    "not found, but a cache may have answered (the read's address has nothing fresh): that proves "
    "nothing"
)
_FAILED_CANARY = "not found, but the canary beside it failed, too"
_REUSABLE = (
    "has the key of the call, which its caller may have used for an earlier one, too: that "
    "proves nothing"
)
_OF_HOST = (
    "not found with the host's own credentials, which may be of another account than at the "
    "call: that proves nothing"
)


class Looking:
    """Looks of one doubt, for at most ``seconds``."""

    def __init__(
        self, pipeline: Pipe, journal: Journal, doubt: Doubt, entry: Entry, seconds: float
    ) -> None:
        self.journal, self.doubt, self.entry = journal, doubt, entry
        self._pipeline = pipeline
        self.judges = pipeline.policies.must_judge
        self.account: str | None = doubt.log.get("account")
        """Account of the call, as far as events were compared with it."""
        self._reads = LookReads(pipeline, journal, doubt, seconds)
        self._is_sighted = False
        """True once the present look has met an object at the expected place, whatever becomes of
        its other reads.
        """
        self._version, self.other_version = _version_of(pipeline, doubt.facts)

    @property
    def is_over(self) -> bool:
        """True if no time is left for further looks."""
        return self._reads.is_over

    def source(self, row: Mapping[str, Any]) -> str:
        """Return the source of a finding, with its connector."""
        return (
            source_of(row)
            if "source" in row
            else f"{self.doubt.facts['connector']}/{source_of(row)}"
        )

    def made(self, row: Mapping[str, Any], due: float | None) -> Finding:
        """Make one look, and judge its finding; ``due`` is the time up to which a log must have
        been read.
        """
        if "trigger" in row:
            return self._finding_of_events(row)
        if "source" in row:
            return self._logged(row, due)
        self._is_sighted = False
        found = attempt(self._read_and_judged, row)
        if not isinstance(found, Raised):
            return found if not self._is_sighted else replace(found, exists=True)
        if isinstance(found.error, ApprovalRequired):
            # of rules, whatever a policy withholds of providers' words
            return Finding("failed", found.error.message, is_final=True)
        if isinstance(found.error, JackfieldError):
            return self._failed(found.error.code, found.error.message)
        # it counts as a look, or would be made for ever
        return self._failed("invalid_output", _unreadable(row, found.error))

    def _failed(self, code: str, told: str) -> Finding:
        return Finding(
            "failed",
            code if self.judges else told[:_LONGEST],
            is_final=code in _FINAL,
            exists=self._is_sighted,
        )

    def _read_and_judged(self, row: Mapping[str, Any]) -> Finding:
        self._reads.begin(row)
        markers: list[str | None] = [
            f"{PREFIX}{marker}"
            for marker in markers_of(self.journal, self.doubt.id, self.doubt.facts)
        ]
        by_marker = "$marker" in placeholders(row["inputs"])
        found, like, missing = list[Thing](), list[Thing](), list[Missing]()
        for marker in markers if by_marker else [None]:
            pages = self._pages(row, marker)
            if isinstance(pages, Missing):
                self._is_sighted = self._is_sighted or pages.was_there
                missing.append(pages)
                continue
            for thing in things(pages, row.get("each")):
                own = [
                    one
                    for one in ([marker] if by_marker else markers or [None])
                    if self._fits(row, thing.item, one)
                ]
                found += [replace(thing, marker=one) for one in own]
                like += [thing] if not own and self._is_like(row, thing.item) else []
            self._is_sighted = (
                self._is_sighted or bool(found) or (by_marker and row.get("each") is None)
            )
        if found:
            judged = (
                self._of_key(row, found[0])
                if row.get("reusable")
                else self._finding_by_values(row, found, len(markers))
            )
            return self._echo(row, settles=judged.result in ("matched", "refused")) or judged
        if (similar := self._similar(row, like)) is not None:
            return similar
        return (
            self._lacking(row, missing)
            if by_marker and len(missing) == len(markers) > 0
            else Finding("nothing")
        )

    def _pages(
        self, row: Mapping[str, Any], marker: str | None, key: object = None
    ) -> list[Mapping[str, Any]] | Missing:
        """Read the objects with a marker, with the key of the call unless another key is given."""
        own = row if key is None else {**row, "sentKey": key}
        absent, fresh = Absent.from_json(row.get("absent")) or PLAIN, any_marker()
        found = self._reads.pages(
            self._invocation_of(row["action"], self._filled(row["inputs"], marker, own, fresh)),
            absent=absent,
        )
        if not isinstance(found, Missing):
            return found
        # of a client that is not seen, only its evidence says so
        is_seen = bool(found.seen) or "$fresh" in placeholders(row["inputs"])
        return replace(found, is_new=is_seen and is_new(found.seen, fresh))

    def _invocation_of(self, action: str, inputs: Any) -> dict[str, Any]:
        version = {} if self._version is None else {"connectorVersion": self._version}
        return {
            "connector": self.doubt.facts["connector"],
            "action": action,
            "inputs": inputs,
            **version,
        }

    def _finding_by_values(
        self, row: Mapping[str, Any], seen: Sequence[Thing], attempts: int
    ) -> Finding:
        """Judge the objects with a marker of the call by their values, if such values are declared.
        An object that was read twice with different values gives no verdict.
        """
        at = row.get("id", "/id")
        found = distinct(seen, at)
        of_each = len({thing.marker for thing in found})
        when = row.get("when")
        if not when or of_each < len(found):
            return (
                self._matched(row, found[0])
                if len(found) == 1
                else Finding("ambiguous", f"{len(found)} things have the same marker")
            )
        rule = When.from_json(when)
        said = [
            (
                thing,
                *(
                    (None, "nothing is declared for these inputs")
                    if UNDECIDED in when
                    else _verdict(rule, thing, seen, at)
                ),
            )
            for thing in found
        ]
        took, refused = (
            [thing for thing, verdict, _ in said if verdict == wanted]
            for wanted in ("took", "refused")
        )
        if len(took) > 1:
            return Finding("ambiguous", f"{len(took)} things have a marker of the call")
        if len(took) == 1 and len(took) + len(refused) == len(said):
            return self._matched(row, took[0])
        if len(refused) == len(said) == attempts and self._accounts_for_all:
            return self._has_failed(row, refused[-1], rule)
        thing, _, told = next((one for one in said if one[1] is None), said[-1])
        shown = self._excerpt(row, self._masked(thing))
        text = f"neither success nor failure of the call: {told}" if not self.judges else ""
        return Finding(
            "pending",
            f"{text}; {self._text(shown)}"[:_LONGEST_TEXT] if text else "",
            link=self._link_of(row, thing),
            exists=True,
        )

    @property
    def _accounts_for_all(self) -> bool:
        """True if the objects with each marker account for every attempt. If all attempts carry one
        marker, a server that does not know their key may have created several objects, but list
        one.
        """
        facts = self.doubt.facts
        return facts["markers"] is not None and (facts.get("one", False) or not facts["shared"])

    def _of_key(self, row: Mapping[str, Any], thing: Thing) -> Finding:
        """Return the finding of an object that has the caller's key and no marker: an earlier call
        with this key may have made it.
        """
        shown = self._excerpt(row, self._masked(thing))
        return Finding(
            "similar",
            _REUSABLE if self.judges else f"{_REUSABLE}; {self._text(shown)}"[:_LONGEST_TEXT],
            link=self._link_of(row, thing),
            exists=True,
        )

    def _matched(self, row: Mapping[str, Any], thing: Thing) -> Finding:
        shown = self._excerpt(row, self._masked(thing))
        return Finding(
            "matched", self._text(shown), thing.item, link=self._link_of(row, thing), shown=shown
        )

    def _has_failed(self, row: Mapping[str, Any], thing: Thing, rule: When) -> Finding:
        """Return the finding for an object that reports the action's failure, with its own
        error.
        """
        masked = self._masked(thing)
        code, message = (None, None) if self.judges else rule.error(masked)
        shown = self._excerpt(row, masked)
        refusal = {
            "refused": "rejected",
            "error": code,
            "message": message or (None if self.judges else rule.said(masked)[1]),
            "exists": True,
        }
        return Finding(
            "refused",
            self._text(shown),
            thing.item,
            link=self._link_of(row, thing),
            shown=shown,
            refusal=refusal,
        )

    def _echo(self, row: Mapping[str, Any], *, settles: bool) -> Finding | None:
        """Return the finding for a read that echoes its inputs, so that a match proves nothing;
        None for a sound read.

        The read is repeated with an unused marker and key, and the result is stored for this
        evidence and connection. For evidence that ``settles``, it is repeated after every match: a
        read may begin to echo.
        """
        if not {"$marker", "$key"} & {*placeholders(row["inputs"])}:
            return None
        journal, place = self.journal, self._place(row)
        known = record_reads.find(journal.database, journal.workspace, place)
        fault = known.refused
        if known.complete_at is None or (settles and fault is None):
            stranger = any_marker()
            # an unclear end is no verdict
            pages = self._pages(row, f"{PREFIX}{stranger}", stranger)
            found = () if isinstance(pages, Missing) else things(pages, row.get("each"))
            repeats = any(
                self._fits(row, thing.item, f"{PREFIX}{stranger}", stranger) for thing in found
            )
            fault = (
                f"the evidence '{row['key']}' is refused: its read repeats what it is asked for"
                if repeats
                else None
            )
            now = journal.time.now()
            if fault is None and known.complete_at is not None:
                return None
            journal.database.record(
                lambda transaction: record_reads.remember(
                    transaction, journal.workspace, place, fault, now
                )
            )
        return None if fault is None else Finding("failed", fault, is_final=True)

    def _place(self, row: Mapping[str, Any]) -> str:
        """Return the key under which the test for echoed inputs is stored."""
        facts, connection = self.doubt.facts, self.doubt.facts["connection"] or {}
        own = (
            [row["inputs"], row["match"], row.get("contains"), row.get("each")]
            if row.get("given")
            else None
        )
        over = [connection.get(name) for name in ("id", "version", "digest")]
        return place_of(
            "echo", facts["connector"], facts["version"], self.entry.action, row["key"], own, over
        )

    def _lacking(self, row: Mapping[str, Any], missing: Sequence[Missing]) -> Finding:
        """Judge the absence of the requested object. It is a proof only with the declared answer,
        the call's own credentials, and the canary found.
        """
        if any(one.was_there for one in missing):
            return Finding(
                "nothing", "answered as gone: it was there, so that proves no absence", exists=True
            )
        if "absentAfter" not in row:
            return Finding("nothing")
        if (odd := next((one for one in missing if not one.is_proof), None)) is not None:
            return Finding(
                "nothing",
                f"not found, answered with {odd.told}, which is not the declared answer: that "
                "proves nothing",
            )
        if (
            fault := record_reads.find(
                self.journal.database, self.journal.workspace, self._place(row)
            ).refused
        ) is not None:
            return Finding("failed", fault, is_final=True)
        if not all(one.is_new for one in missing):
            return Finding("nothing", _NOT_NEW)
        why = self._unproven() or self._canary(row.get("canary"), missing)
        return Finding("nothing", missing=True) if why is None else why

    def _canary(
        self, canary: Mapping[str, Any] | None, missing: Sequence[Missing]
    ) -> Finding | None:
        """Read the canary of a missing object. Return the finding that it proves nothing; None if
        it shows what it must, and the same API has answered both.
        """
        declared = Canary.from_json(canary)
        if declared is None:
            return Finding("nothing", _NO_CANARY)
        if declared.shows is None:
            return Finding("nothing", _SHOWS_NOTHING)
        inputs = self._filled(declared.inputs, None, None, any_marker())
        found = attempt(self._reads.pages, self._invocation_of(declared.action, inputs), 1)
        if isinstance(found, Raised):
            if not isinstance(found.error, JackfieldError):
                raise found.error
            told = found.error.code if self.judges else found.error.message
            return Finding("failed", f"{_FAILED_CANARY}: {told}"[:_LONGEST])
        seen = self._reads.seen
        if (why := _fault_of_canary(declared, found, seen)) is not None:
            return Finding("failed", f"{_FAILED_CANARY}: {why}")
        odd = next(
            (why for one in missing if (why := unsound_absence(one.seen, seen)) is not None), None
        )
        return (
            self._unproven()
            if odd is None
            else Finding("nothing", f"not found, but {odd}: that proves nothing")
        )

    def _unproven(self) -> Finding | None:
        """Return the finding that the absence in the last read proves nothing, if the read may have
        used other credentials than the call. None if the credentials were the same.
        """
        used = credentials_of(self.journal.fingerprint, self._reads.attempts)
        facts = self.doubt.facts
        if used == OF_HOST:
            return Finding("nothing", _OF_HOST)
        return (
            None
            if "credentials" in facts and facts["credentials"] == used
            else Finding("nothing", _ROTATED)
        )

    def _similar(self, row: Mapping[str, Any], like: Sequence[Thing]) -> Finding | None:
        """Return the finding for an object without the marker that is similar to the request; None
        if there is no such object.
        """
        if not like:
            return None
        sent = {
            at: str(self._clean(self._filled(value, None)))[:_LONGEST]
            for at, value in row["similar"]
        }
        shown = self._excerpt(row, self._masked(like[0]))
        return Finding(
            "similar",
            self._text(shown),
            link=self._link_of(row, like[0]),
            sent=None if self.judges else sent,
        )

    def _clean(self, item: Any) -> Any:
        """Return a found object without the secrets of the connection."""
        attempts = self._reads.attempts
        redactor = None if attempts is None else attempts.redactor
        return item if redactor is None else redactor.clean_json(item)

    def _masked(self, thing: Thing) -> Any:
        """Return an object without secrets, including the secret places of the read's output, which
        are relative to the whole page.
        """
        attempts = self._reads.attempts
        page = thing.page if attempts is None else concealed(thing.page, attempts.plan.secrets)
        try:
            return self._clean(follow(page, thing.at))
        except LookupError:
            return {}

    def _text(self, shown: Mapping[str, str]) -> str:
        return "" if self.judges else json.dumps(shown, ensure_ascii=False)[:_LONGEST_TEXT]

    def _excerpt(self, row: Mapping[str, Any], masked: Any) -> dict[str, str]:
        """Return the beginning of an object, without the envelope of its read."""
        towards = next((at for at, _ in (*row["match"], *row.get("contains", ()))), "")
        return beginning(masked, row.get("within", ""), towards.rpartition("/")[0])

    def _link_of(self, row: Mapping[str, Any], thing: Thing) -> str | None:
        return self._link(row.get("link"), thing.item, self._masked(thing))

    def _link(self, declared: str | None, item: Any, masked: Any) -> str | None:
        """Return the address of a found object; None if it would contain a secret, since an address
        cannot be masked.
        """
        found = None if self.judges else link_of(declared, item)
        if found is None or link_of(declared, masked) != found:
            return None
        return (
            found
            if all(
                self._clean(text) == text for text in (found, unquote(found), unquote_plus(found))
            )
            else None
        )

    def _finding_of_events(self, row: Mapping[str, Any]) -> Finding:
        """Judge the events of a trigger that carry a marker of the doubt."""
        told = ToldEvents(self.journal, self.doubt, row["trigger"])
        self.account = told.account
        if len(told.own) > 1:
            return Finding("ambiguous", f"events of {len(told.own)} things have the same marker")
        if told.own:
            shown = beginning(self._clean(told.own[0]))
            return Finding("matched", self._text(shown), told.own[0], shown=shown)
        if told.foreign:
            return Finding(
                "similar",
                "an event with the marker came from another account than the call's, or from one "
                "that nobody knows",
            )
        return Finding("nothing")

    def _logged(self, row: Mapping[str, Any], due: float | None) -> Finding:
        """Judge the records of a log that carry a marker of the doubt."""

        def read(log: RecordEvidence, inputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
            self._reads.begin({})
            given = {"connector": log.source, "action": row["action"], "inputs": inputs}
            pages = self._reads.pages(given, 1, log.permissions)
            return pages[0] if isinstance(pages, list) else None

        def declared() -> RecordEvidence | None:
            evidence = run_in_thread(
                plan_of(self._pipeline, self.entry, self.doubt.facts)
            ).code.evidence
            return next(
                (
                    one
                    for one in evidence
                    if isinstance(one, RecordEvidence) and one.key == row["key"]
                ),
                None,
            )

        found = LoggedRequests(self.journal, self.doubt, row, read).finding(declared, due, _FINAL)
        if found.item is None or self.judges:
            return replace(
                found, text=found.text if found.result != "failed" or not self.judges else ""
            )
        masked = self._clean(found.item)
        shown = beginning(masked["shown"])
        return replace(
            found, text=self._text(shown), link=self._link("/link", found.item, masked), shown=shown
        )

    def _filled(
        self,
        value: Any,
        marker: str | None,
        row: Mapping[str, Any] | None = None,
        fresh: str = "",
    ) -> Any:
        facts = self.doubt.facts
        until = facts["until"] or facts["deadline"] + 60.0
        return filled(
            value,
            {
                "inputs": {},
                "key": (row or {}).get("sentKey"),
                "from": facts["from"],
                "until": until,
                "marker": marker,
                "fresh": fresh,
            },
        )

    def _fits(
        self, row: Mapping[str, Any], item: Any, marker: str | None, key: object = None
    ) -> bool:
        own = row if key is None else {**row, "sentKey": key}
        asked = {*placeholders([row["match"], row.get("contains", ())])}
        if ("$marker" in asked and marker is None) or (
            "$key" in asked and own.get("sentKey") is None
        ):
            return False  # what was never sent is no sign of the call
        try:
            return all(
                same(follow(item, at), self._filled(value, marker, own))
                for at, value in row["match"]
            ) and all(
                has(follow(item, at), self._filled(value, marker, own))
                for at, value in row.get("contains", ())
            )
        except (LookupError, ValueError):
            return False

    def _is_like(self, row: Mapping[str, Any], item: Any) -> bool:
        """Return whether an object without the marker is similar to the request."""
        try:
            wanted = row.get("similar", ())
            return bool(wanted) and all(
                same(follow(item, at), self._filled(value, None)) for at, value in wanted
            )
        except (LookupError, ValueError):
            return False

    def output(
        self, row: Mapping[str, Any], item: Any
    ) -> tuple[Mapping[str, Any] | None, Sequence[str]]:
        """Return the output that a look declares, or that an event proves, if it fits the action;
        else None. Also return the references by which further events name the object. A log has
        neither.
        """
        if "source" in row:
            return None, ()
        try:
            plan = run_in_thread(plan_of(self._pipeline, self.entry, self.doubt.facts))
            connector = plan.manifest.key
            if "trigger" in row:
                reference = item.get("reference")
                return output_of(plan, item), [
                    reference_of(connector, reference)
                ] if reference else []
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


def _unreadable(row: Mapping[str, Any], error: Exception) -> str:
    """Return the sentence for people about an answer that a look cannot judge."""
    if isinstance(error, LookupError) and "each" in row:
        return (
            f"the answer to '{row['action']}' has no list at '{row['each']}', so it proves nothing"
        )
    return (
        f"the answer to '{row['action']}' has another form than its evidence expects, so it "
        "proves nothing"
    )


def _fault_of_canary(
    declared: Canary, found: Sequence[Mapping[str, Any]] | Missing, seen: Sequence[Exchange]
) -> str | None:
    """Return why the answer to a canary is none that it may have; None without a reason."""
    if isinstance(found, Missing):
        return f"it was not found ({found.told})"
    why = unsound_success(seen)
    is_shown = any(declared.is_shown(page) for page in found)
    return "it does not show what it must" if why is None and not is_shown else why


def _verdict(rule: When, thing: Thing, seen: Sequence[Thing], at: str) -> tuple[str | None, str]:
    """Return the verdict of an object, and the values that decide it; no verdict if the object was
    also seen with other values.
    """
    verdict, told = rule.said(thing.item)
    agrees = all(rule.said(other.item)[0] == verdict for other in seen if is_one(thing, other, at))
    return verdict if agrees else None, told


def _version_of(pipeline: Pipe, facts: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the specifier of the version of the connector that made the call, if it is not the
    default here. If this process has another version, also return the text for looks that it cannot
    make, since reads may differ in meaning. Either is None if it does not apply.
    """
    connector, wanted = facts["connector"], facts["version"]
    present = attempt(pipeline.catalog.find, connector)
    has = None if isinstance(present, Raised) else present.version
    if has == wanted:
        return None, None
    specifier = f"=={wanted}"
    beside = attempt(pipeline.catalog.find, connector, specifier)
    if not isinstance(beside, Raised) and beside.version == wanted:
        return specifier, None
    here = "does not have it" if has is None else f"has {has}"
    return None, f"another version: {connector} {wanted} has made the call, and this process {here}"
