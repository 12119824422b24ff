"""Records of a call, stage by stage. Each is made by one stage, and is never changed: it has the earlier ones in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.invocation import Result
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


class Ended:
    """End of a call: the Result that its caller is shown, and the one that is recorded."""

    __slots__ = ("recorded", "result", "run")

    def __init__(self, run: Run, result: Result, recorded: Result | None = None) -> None:
        self.run, self.result, self.recorded = run, result, result if recorded is None else recorded

    def shown(self, result: Result) -> Ended:
        """Return the end of a call whose caller is shown another Result than what was recorded."""
        return Ended(self.run, result, self.recorded)

    def changed(self, result: Result, recorded: Result | None) -> Ended:
        """Return the end of a call of which something else is recorded as well; None: the same."""
        return Ended(self.run, result, recorded)
