"""Records of a call, stage by stage. Each is made by one stage, and is never changed: it has the earlier ones in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.kernel.secrecy import Hidden
    from jackfield.pipe.attempts import Attempts
    from jackfield.pipe.plan import Plan
    from jackfield.pipe.recording import Pipe
    from jackfield.pipe.run import Run

# plain classes: of all kinds of records they are made fastest


class Found:
    """A call whose plan is found. ``given`` is the invocation as received, ``row`` what is recorded of it; None without a journal."""

    __slots__ = ("given", "pipe", "plan", "row", "run")

    def __init__(self, run: Run, pipe: Pipe, plan: Plan, given: Hidden) -> None:
        self.run, self.pipe, self.plan, self.given, self.row = run, pipe, plan, given, run.record


class Checked:
    """A call whose ``inputs`` are valid, as they take effect. Its ``attempts`` have its connection, which is found after the checks."""

    __slots__ = ("attempts", "found", "inputs", "row", "run")
    attempts: Attempts

    def __init__(self, found: Found, inputs: Mapping[str, Any]) -> None:
        self.run, self.found, self.row, self.inputs = found.run, found, found.row, inputs
