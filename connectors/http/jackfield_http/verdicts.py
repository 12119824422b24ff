"""Successful responses that say of the whole request that it failed, that something beside it
failed, or that its work goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jackfield.connector import FailedEntry, NotFound, NotYet, Sent, current_call
from jackfield.kernel.dataclass import dataclass
from jackfield_http.conditions import CONDITION, VALUES, Condition
from jackfield_http.outcomes import Refused
from jackfield_http.pointers import find
from jackfield_http.words import FLAG, POINTER, REFUSAL, TEXT, closed, needs_one, read, word

_LONGEST = 200
"""Maximum number of characters of a warning's text."""

_PAUSE, _WITHIN = 2.0, 3600.0
"""Seconds between two reads of a result that is not ready, and for which a queued call reads it
again.
"""

_OWN = {
    "code": word(POINTER, "Place of the provider's code, if it is not that of other errors."),
    "message": word(POINTER, "Place of its message, if it is not that of other errors."),
    "onlyWarns": word(FLAG, "It was carried out: something beside it failed."),
    "pending": word(
        FLAG,
        "The work has not ended: a read waits, and is 'timeout' in the end; a change succeeds "
        "with a warning.",
    ),
    "absent": word(FLAG, "What was asked for does not exist: 'not_found'."),
}
RULE = closed(
    {**CONDITION, **_OWN},
    ["member"],
    "The response reports a failure if this member has this value or text; without one, if it is "
    "there and not empty, false or 0.",
)
IN_HEADER = closed(
    {"header": word(TEXT, "Header field that says it."), "equals": VALUES, "contains": TEXT},
    ["header"],
    "The response reports a failure if this header field has this value or text. A row says "
    "which, by the same field.",
    **needs_one("equals", "contains"),
)
BY_STATUS = closed(
    {
        "status": {"type": "integer", "minimum": 200, "maximum": 299},
        "pending": word(FLAG, "The work has not ended."),
        "absent": word(FLAG, "What was asked for does not exist."),
    },
    ["status"],
    "What this status of success says.",
    **needs_one("pending", "absent"),
)
BESIDE = closed(
    {
        "status": REFUSAL,
        **CONDITION,
        "message": word(POINTER, "Place of its message."),
        "onlyWarns": FLAG,
    },
    ["status", "onlyWarns"],
    "A refusal with this status and member says that the request was carried out: something "
    "beside it failed. Without a member, its "
    "status says that there was nothing to do.",
)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Remark:
    """Response that is no failure and no full success. ``text`` says by which member.

    - ``pending``: the work goes on; ``until`` are members by which it would have ended.
    - ``absent``: what was asked for does not exist.
    - Otherwise something beside the request failed; ``place`` is the member that says so, ``words``
      what it says.
    """

    text: str
    pending: bool = False
    absent: bool = False
    place: str = ""
    words: str = ""
    until: Mapping[str, Any] | None = None

    def note(self, step: str, wait: float | None, *, safe: bool) -> None:
        """Warn the caller. ``safe`` means that the request is a read, ``wait`` are the seconds
        after which the provider asks for another.

        :raises NotFound: if what was asked for does not exist.
        :raises NotYet: if the request reads the result of work that goes on.
        """
        if self.absent:
            raise NotFound(f"what '{step}' asks for does not exist: {self.text}", sent=Sent.REFUSED)
        if self.pending and safe:
            text = f"what '{step}' reads is not ready: {self.text}"
            pause = {"retry_after": max(wait or 0.0, _PAUSE), "within": _WITHIN}
            raise NotYet(
                text, hint="Read it again later.", sent=Sent.REFUSED, until=self.until, **pause
            )
        call = current_call()
        if call is None:
            return
        if self.pending or safe:
            call.unfinished(
                f"'{step}' has begun, and goes on: {self.text}"
                if self.pending
                else f"the answer lacks something: {self.text}"
            )
            return
        call.failed_in_part([FailedEntry(self.place, self.words[:_LONGEST])])


Verdict = bool | Mapping[str, Any] | Refused | Remark
"""Judgement of a response: True or the member with the errors for a failure, the refused items, a
remark, or False.
"""


def strongest(verdicts: Iterator[Verdict]) -> Verdict:
    """Return the verdict that counts: the first failure of the whole request, else the first
    remark, else all refused items together.
    """
    found = [one for one in verdicts if one]
    partial = [one for one in found if isinstance(one, Refused) and not one.is_whole]
    other = [one for one in found if one not in partial]
    if other:
        return next((one for one in other if not isinstance(one, Remark)), other[0])
    entries = tuple(entry for one in partial for entry in one.entries)
    return (
        Refused(entries, (), is_whole=False, only_warns=all(one.only_warns for one in partial))
        if partial
        else False
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """Rule about a response as a whole, from the member ``failed`` of a manifest; ``RULE`` declares
    its words.
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
        return cls(Condition.from_json(given), **read(_OWN, given))

    def judged(self, body: Any) -> Verdict:
        """Return the failure or the remark that a response means; False if it means none."""
        if not self.condition.holds(body):
            return False
        text, place = self.condition.said(body), self.condition.member
        words = (
            None if self.code is None else find(body, self.code),
            None if self.message is None else find(body, self.message),
        )
        if self.pending or self.absent or self.only_warns:
            told = next(
                (one for one in (words[1], find(body, place)) if isinstance(one, str)), text
            )
            until = {place: True} if self.condition.equals == (False,) else None
            return Remark(text, self.pending, self.absent, place, told, until)
        return Refused((), ((body, words),), is_whole=True, verdict=text)

    @property
    def is_harmless(self) -> bool:
        """True if no response of a change fails by this rule."""
        return self.only_warns or self.pending


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules that judge a successful response together. With ``are_harmless``, no response of a
    change fails by them.
    """

    judges: tuple[Callable[[Any], Verdict], ...]
    are_harmless: bool = False

    def __call__(self, body: Any) -> Verdict:
        """Return the verdict that counts."""
        return strongest(judge(body) for judge in self.judges)


def are_harmless(failed: Callable[[Any], Verdict] | None) -> bool:
    """Return whether no response of a change fails by a judge. A function of a connector may always
    find a failure.
    """
    return failed is None or (isinstance(failed, Rules) and failed.are_harmless)
