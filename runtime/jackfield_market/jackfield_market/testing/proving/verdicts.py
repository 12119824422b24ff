"""Verdicts about one write in one situation, and the advice on what to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jackfield_market.testing.proving.faults import ANSWERED, Fault
from jackfield_market.testing.proving.ledger import Entry

Verdict = Literal[
    "sent once",
    "sent twice",
    "reported falsely",
    "lost",
    "not judged",
    "told as unknown",
    "sent another instead",
    "not sent, and told so",
    "not reached",
]
WRONG: tuple[Verdict, ...] = ("sent twice", "reported falsely", "lost")
"""Verdicts that are faults, the worst first."""
OPEN: tuple[Verdict, ...] = (*WRONG, "not judged")
"""Verdicts that are no all-clear."""
ORDER: tuple[Verdict, ...] = (
    *OPEN,
    "not reached",
    "told as unknown",
    "sent another instead",
    "sent once",
    "not sent, and told so",
)

Word = Literal["success", "failure", "unknown", "not sent", "nothing"]


@dataclass(frozen=True)
class Told:
    """Outcome that code reports at its end. ``nothing`` means that the code was killed, or did not
    end.
    """

    word: Word
    text: str = ""


@dataclass(frozen=True)
class Cell:
    """Verdict about a write in a situation. ``counts`` is False if the fault lies with the program
    that starts the code again.
    """

    write: int
    situation: str
    verdict: Verdict
    told: Told
    effects: int
    entries: tuple[Entry, ...]
    advice: str = ""
    counts: bool = True
    trace: tuple[Entry, ...] = ()
    """All requests of the run, in their order."""

    @property
    def is_wrong(self) -> bool:
        """Return whether the verdict is a fault."""
        return self.verdict in WRONG

    @property
    def is_open(self) -> bool:
        """Return whether the verdict is no all-clear."""
        return self.verdict in OPEN

    def to_json(self) -> dict[str, Any]:
        """Return the cell as JSON."""
        found = {
            "situation": self.situation,
            "verdict": self.verdict,
            "told": self.told.word,
            "said": self.told.text,
        }
        found |= {"change": self.advice}
        rows = {name: value for name, value in found.items() if value}
        return rows | {
            "effects": self.effects,
            "counts": self.counts,
            "requests": [entry.to_json() for entry in self.entries],
        }


def verdict(fault: Fault, effects: int, told: Told, *, another: bool = False) -> Verdict:
    """Judge a write by its effects and by the outcome that the code reports. With ``another``, the
    code then sent an unjudged write.
    """
    if effects > 1:
        return "sent twice"
    if another and effects == 0 and told.word == "success":
        return "sent another instead"
    if told.word == "success":
        return (
            "sent once"
            if effects
            else "reported falsely"
            if fault.refuses or fault.asked
            else "lost"
        )
    if effects == 0:
        return "lost" if told.word == "nothing" else "not sent, and told so"
    is_false = told.word == "not sent" or (fault is ANSWERED and told.word == "failure")
    return "reported falsely" if is_false else "told as unknown"


def advice(
    found: Verdict, fault: Fault, entries: Sequence[Entry], told: Told, *, ignores_keys: bool
) -> str:
    """Return one sentence of advice; empty without a fault."""
    if found == "sent twice":
        return _of_twice(fault, entries, ignores_keys=ignores_keys)
    if found == "reported falsely":
        if fault.asked:
            return _FALSE["accepted"]
        return _FALSE[
            "success" if told.word == "success" else "answered" if fault is ANSWERED else "unknown"
        ]
    return _LOST["nothing" if told.word == "nothing" else "success"] if found == "lost" else ""


BY_ANOTHER = (
    "It is sent again by another request, which no key holds together: look first whether "
    "the first one took effect, or let it fail."
)
"""Advice for a write that is sent again by another route, method, encoding or name."""
OF_ANOTHER = (
    "Its key is that of another write: make a key for each write, of what is sent.",
    "Another write has changed the thing on which it depends: read it again before the next write.",
)
"""Advice for a write of the first run without effect: the first if it has a key, the second if it
has a condition.
"""
_FALSE = {
    "accepted": (
        "It says success although the write was only accepted: ask what became of it, where "
        "'Location' says, before saying so."
    ),
    "success": (
        "It says success although the provider refused: check the status of each answer, and "
        "what it says."
    ),
    "answered": (
        "It fails although the provider answered with success: if it needs another answer, "
        "tell it by --answers or --openapi."
    ),
    "unknown": (
        "It says that nothing was sent, which nobody can know: say that the outcome is "
        "unknown, and look before another attempt."
    ),
}
_LOST = {
    "nothing": "It does not end: give each request a time-out.",
    "success": (
        "Nothing took effect and nobody is told: let the failure out, as an exception or an "
        "exit code other than 0."
    ),
}


def _of_twice(fault: Fault, entries: Sequence[Entry], *, ignores_keys: bool) -> str:
    keys = {entry.key for entry in entries if entry.took}
    if ignores_keys and None not in keys:
        return (
            "This provider ignores keys: do not repeat; look first whether it took effect, "
            "by a marker that the write carries."
        )
    if fault.is_started_again:
        if None not in keys:
            return (
                "Each run has a key of its own: make the key of what is sent, such as an "
                "order's number."
            )
        return (
            "Make an idempotency key of what is sent, such as an order's number, or leave a "
            "marker before sending and look first."
        )
    if fault is ANSWERED:
        return (
            "It repeats a write that was answered with success: stop after the answer, or "
            "send both with one idempotency key."
        )
    if None in keys:
        return (
            "Send all attempts with one idempotency key, made before the first; if the "
            "provider knows none, do not repeat: look first."
        )
    return "Each attempt has a key of its own: make the key once, before the first attempt."
