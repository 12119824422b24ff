"""Log of the looks of one doubt: the due looks, their findings, and whether the findings agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connector.evidence import MAX_LOOKING
from jackfield_store.journal.doubts import SHOWN, Doubt, spread

if TYPE_CHECKING:
    from jackfield_store.recording.findings import Finding

_FRESH = 10.0
"""Maximum age in seconds of a log's reading when a person requests a look."""
_LEFT = 60.0
"""Minimum seconds after which a look that was left to another process is due again."""
_TELLING = frozenset({"matched", "refused", "ambiguous"})
"""Findings that state a fact about the call, so that another such finding contradicts them."""


def source_of(row: Mapping[str, Any]) -> str:
    """Return the read, the trigger or the log that is a look's source."""
    return str(row.get("trigger") or row.get("source") or row["action"])


class LookLog:
    """Log of the looks of one doubt, as it is stored."""

    def __init__(self, doubt: Doubt, now: float) -> None:
        self._doubt, self.now = doubt, now
        self._looks = [*doubt.log.get("looks", ())]
        self._made = dict(doubt.log.get("made", {}))
        self._absent = dict(doubt.log.get("absent", {}))
        self._ended = bool(doubt.log.get("ended", False))
        self._seen = bool(doubt.log.get("seen", False))
        self._told = {
            *doubt.log.get("told", ()),
            *(one["result"] for one in self._looks),
        } & _TELLING
        self._again: float | None = None
        self.account: str | None = doubt.log.get("account")
        """Account of the call, which its connection may have no more at a later look."""
        self.found: tuple[tuple[str, str], ...] = ()
        """Source and result of each look of this round."""

    def rows(self, *, everything: bool, is_open: bool) -> Iterator[Mapping[str, Any]]:
        """Yield the sources to read: those whose next look is due, all events, and ``everything``
        for a person. For a settled doubt, sources other than events are read only for a person.
        """
        for row in self._doubt.facts["looks"]:
            if everything or row.keys() & {"trigger", "source"} or (is_open and self.is_due(row)):
                yield row

    def due_at(self, row: Mapping[str, Any], *, is_open: bool, now: bool) -> float | None:
        """Return the time up to which a log must have been read for its next look; None if no look
        is due. ``now``: a person requests the look.
        """
        if not now and not (is_open and self.is_due(row)):
            return None
        due: float = (
            self.now - _FRESH
            if now
            else self._doubt.since + row["looks"][self._made.get(row["key"], 0)] * 0.79
        )
        known: float = self._doubt.facts.get("known", 0.0)
        return max(due, known)

    def goes_on(self, seconds: float) -> None:
        """Postpone a look that has not read its whole source yet, for ``seconds``."""
        self._again = seconds

    @property
    def only_waits(self) -> bool:
        """True if this round has found nothing, and continues later, but not at once."""
        return not self.found and self._again is not None and self._again > 2.0

    def is_due(self, row: Mapping[str, Any]) -> bool:
        """Return whether the next look at a source is due."""
        made = self._made.get(row["key"], 0)
        return bool(
            made < len(row["looks"]) and row["looks"][made] * 0.79 <= self.now - self._doubt.since
        )

    def add(self, row: Mapping[str, Any], finding: Finding) -> None:
        """Add a look's finding. It ``counts`` as a due look, unless its row says otherwise."""
        key = row["key"]
        number = self._looks[-1].get("number", len(self._looks)) + 1 if self._looks else 1
        one = {"number": number, "at": self.now, "source": source_of(row), **finding.to_json()}
        self._looks = [*self._looks, one][-SHOWN:]
        self.found = (*self.found, (source_of(row), finding.result))
        self._made[key] = (
            len(row["looks"]) if finding.is_final else self._made.get(key, 0) + row.get("counts", 1)
        )
        self._told |= {finding.result} & _TELLING
        self._seen = self._seen or finding.exists
        if not finding.missing:
            self._absent.pop(key, None)

    def leaves(self, row: Mapping[str, Any], finding: Finding) -> None:
        """Leave a look to another process. This is recorded once, and the look counts as not made.
        It becomes due again, the later the older the doubt is.
        """
        last = self._looks[-1] if self._looks else {}
        if (last.get("result"), last.get("text"), last.get("source")) != (
            finding.result,
            finding.text,
            source_of(row),
        ):
            made = dict(self._made)
            self.add(row, finding)
            self._made = made
        self.goes_on(max(_LEFT, (self.now - self._doubt.since) / 4))

    def agrees(self, finding: Finding) -> bool:
        """Return whether no earlier look at this doubt contradicts the finding."""
        return self._told <= {finding.result}

    def was_absent(self, row: Mapping[str, Any], before: float) -> bool:
        """Record that a source lacks the object now. Return whether it also lacked the object
        ``before`` a time, and no other object was ever found.
        """
        first = self._absent.setdefault(row["key"], self.now)
        return bool(first <= before) and not self._seen

    def ends(self) -> None:
        """Make no more automatic looks."""
        self._ended = True

    def left(self, first: float = MAX_LOOKING) -> float | None:
        """Return the age of the doubt, in seconds, at which the next look is due, of sources whose
        first look is within ``first``; None after the last look.
        """
        rows = (
            []
            if self._ended
            else [row for row in self._doubt.facts["looks"] if row["looks"][0] <= first]
        )
        return min(
            (
                row["looks"][made]
                for row in rows
                if (made := self._made.get(row["key"], 0)) < len(row["looks"])
            ),
            default=None,
        )

    def next(self) -> float | None:
        """Return the time at which the next look is due; None after the last look."""
        left = self.left()
        if self.now - self._doubt.since > MAX_LOOKING:
            return None
        if self._again is not None and not self._ended:
            return self.now + self._again
        if left is None:
            return None
        return max(self.now + 1.0, self._doubt.since + spread(left))

    def to_json(self) -> dict[str, Any]:
        """Return the log as JSON."""
        found = {
            "looks": self._looks,
            "made": self._made,
            "absent": self._absent,
            "ended": self._ended or None,
            "seen": self._seen,
            "told": sorted(self._told),
            "account": self.account,
        }
        return {name: value for name, value in found.items() if value}
