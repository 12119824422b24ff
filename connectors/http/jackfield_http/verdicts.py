"""Successful responses that say of the whole request that it failed, that something beside it failed, or that its work goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.connector import FailedEntry, NotFound, NotYet, Sent, current_call
from jackfield.kernel.dataclass import dataclass
from jackfield_http.conditions import Condition
from jackfield_http.outcomes import Refused
from jackfield_http.pointers import find

_LONGEST = 200
"""Maximum number of characters of a warning's text."""

_PAUSE, _WITHIN = 2.0, 3600.0
"""Seconds between two reads of a result that is not ready, and for which a queued call reads it again."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Remark:
    """Response that is no failure and no full success. ``text`` says by which member.

    - ``pending``: the work goes on; ``until`` are members by which it would have ended.
    - ``absent``: what was asked for does not exist.
    - Otherwise something beside the request failed; ``place`` is the member that says so, ``words`` what it says.
    """

    text: str
    pending: bool = False
    absent: bool = False
    place: str = ""
    words: str = ""
    until: Mapping[str, Any] | None = None

    def note(self, step: str, wait: float | None, *, safe: bool) -> None:
        """Warn the caller. ``safe`` means that the request is a read, ``wait`` are the seconds after which the provider asks for another.

        :raises NotFound: if what was asked for does not exist.
        :raises NotYet: if the request reads the result of work that goes on.
        """
        if self.absent:
            raise NotFound(f"what '{step}' asks for does not exist: {self.text}", sent=Sent.REFUSED)
        if self.pending and safe:
            text = f"what '{step}' reads is not ready: {self.text}"
            pause = {"retry_after": max(wait or 0.0, _PAUSE), "within": _WITHIN}
            raise NotYet(text, hint="Read it again later.", sent=Sent.REFUSED, until=self.until, **pause)
        call = current_call()
        if call is None:
            return
        if self.pending or safe:
            call.unfinished(f"'{step}' has begun, and goes on: {self.text}" if self.pending else f"the answer lacks something: {self.text}")
            return
        call.failed_in_part([FailedEntry(self.place, self.words[:_LONGEST])])


Verdict = bool | Mapping[str, Any] | Refused | Remark
"""Judgement of a response: True or the member with the errors for a failure, the refused items, a remark, or False."""


def strongest(verdicts: Iterator[Verdict]) -> Verdict:
    """Return the verdict that counts: the first failure of the whole request, else the first remark, else all refused items together."""
    found = [one for one in verdicts if one]
    partial = [one for one in found if isinstance(one, Refused) and not one.is_whole]
    other = [one for one in found if one not in partial]
    if other:
        return next((one for one in other if not isinstance(one, Remark)), other[0])
    return Refused(tuple(entry for one in partial for entry in one.entries), (), is_whole=False) if partial else False


@dataclass(frozen=True, slots=True)
class Rule:
    """Rule about a response as a whole, from the member ``failed`` of a manifest.

    - ``code``, ``message``: JSON Pointers of the provider's words, if they differ from those of other errors.
    - ``only_warns``: the request was carried out, and only something beside it failed.
    - ``pending``, ``absent``: as in a remark.
    """

    condition: Condition
    code: str | None = None
    message: str | None = None
    only_warns: bool = False
    pending: bool = False
    absent: bool = False

    @classmethod
    def from_json(cls, given: Json) -> Rule:
        """Return the rule that a manifest declares."""
        flags = {"only_warns": given.get("onlyWarns", False), "pending": given.get("pending", False), "absent": given.get("absent", False)}
        return cls(Condition.from_json(given), given.get("code"), given.get("message"), **flags)

    def judged(self, body: Any) -> Verdict:
        """Return the failure or the remark that a response means; False if it means none."""
        if not self.condition.holds(body):
            return False
        text, place = self.condition.said(body), self.condition.member
        words = (None if self.code is None else find(body, self.code), None if self.message is None else find(body, self.message))
        if self.pending or self.absent or self.only_warns:
            told = next((one for one in (words[1], find(body, place)) if isinstance(one, str)), text)
            until = {place: True} if self.condition.values == (False,) else None
            return Remark(text, self.pending, self.absent, place, told, until)
        return Refused((), ((body, words),), is_whole=True, verdict=text)
