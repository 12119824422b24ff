"""Situations that the simulated provider plays for one write, in the order in which they are
played.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Step = Literal["answer", "reset", "close", "silent", "late", "half", "garbled"]
Kill = Literal["before", "during", "after"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One situation. ``takes``: the write has taken effect; ``status``: the status of an answer
    other than success.

    ``always``: for all attempts, not only the first. ``asked``: the situation is played only if
    requested by name. ``blind``: reads after the fault fail; the situation is played if the code
    reads.

    With ``kill``, the process is killed before the write took effect, after the effect and before
    the answer, or after the answer; then it is started again. ``twice``: two runs start at the same
    time.
    """

    name: str
    words: str
    step: Step = "answer"
    takes: bool = True
    status: int = 0
    kill: Kill | None = None
    twice: bool = False
    always: bool = False
    asked: bool = False
    blind: bool = False

    @property
    def is_started_again(self) -> bool:
        """Return whether something outside the code starts it again."""
        return self.kill is not None or self.twice

    @property
    def refuses(self) -> bool:
        """Return whether the provider answers with an error and nothing took effect."""
        return self.status >= 400 and not self.takes

    @property
    def seen(self) -> str:
        """Return the event from the client's side."""
        step = {
            "answer": f"answered {self.status}" if self.status else "answered",
            "half": "half an answer",
            "silent": "no answer",
        }
        step |= {"garbled": "answered with HTML"}
        return "killed" if self.kill in ("before", "during") else step.get(self.step, self.step)


ANSWERED = Fault("answered", "it took effect and was answered")
FAULTS = (
    Fault("refused", "the provider refused it (422)", takes=False, status=422),
    Fault("throttled", "the provider refused it for now (429)", takes=False, status=429),
    Fault("failed-before", "the connection was reset before it took effect", "reset", takes=False),
    Fault("failed-silent", "nothing took effect, and no answer came", "silent", takes=False),
    *(
        Fault(
            f"failed-{status}",
            f"nothing took effect, and the answer was {status}",
            takes=False,
            status=status,
        )
        for status in (500, 503)
    ),
    Fault("taken-reset", "it took effect, then the connection was reset", "reset"),
    Fault(
        "taken-closed", "it took effect, then the connection was closed without an answer", "close"
    ),
    Fault("taken-silent", "it took effect, and no answer came", "silent"),
    Fault("taken-late", "it took effect, and the answer came late", "late"),
    *(
        Fault(f"taken-{status}", f"it took effect, and the answer was {status}", status=status)
        for status in (500, 502, 503, 504)
    ),
    Fault("taken-half", "it took effect, and half of the answer came", "half"),
    Fault("taken-garbled", "it took effect, and the answer was no JSON", "garbled"),
    Fault(
        "taken-always",
        "it took effect, and the answers of all attempts were lost",
        "reset",
        always=True,
    ),
    Fault(
        "look-failed",
        "it took effect, the connection was reset, and the looks after it were answered 503",
        "reset",
        blind=True,
    ),
    Fault(
        "accepted", "it was accepted (202), and failed later", takes=False, status=202, asked=True
    ),
    Fault(
        "killed-before",
        "the process was killed before it took effect, and started again",
        "reset",
        takes=False,
        kill="before",
    ),
    Fault(
        "killed-during",
        "it took effect, the process was killed before the answer, and started again",
        "reset",
        kill="during",
    ),
    Fault(
        "killed-after",
        "it took effect, the process was killed after the answer, and started again",
        kill="after",
    ),
    Fault("twice-at-once", "two runs began at once", twice=True),
)
NAMES = tuple(fault.name for fault in FAULTS)
