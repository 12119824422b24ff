"""Reports of looks, and of settled doubts, for counters in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jackfield.kernel.dataclass import dataclass

if TYPE_CHECKING:
    from jackfield_store.database import Database


@dataclass(frozen=True, slots=True)
class Report:
    """Report of one round of looks, of one resolution, or of one late answer.

    - ``found``: source and result of each look.
    - ``by``: the source that settled the doubt, if any: ``evidence``, ``person``, or ``answer`` for
      the call's own answer.
    - ``verdict``: ``took``, ``refused`` or ``absent``. ``took`` means success. A person's failure
      is ``absent``, an answer's ``refused``.
    - ``seconds``: duration of the doubt.
    - ``contradicted``: evidence has contradicted a resolution, for the first time.
    """

    found: tuple[tuple[str, str], ...] = ()
    by: str | None = None
    verdict: str = ""
    seconds: float = 0.0
    contradicted: bool = False


Listener = Callable[[Report], object]


class DoubtReports:
    """Listeners of one process to the looks and the settled doubts of a database."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    @classmethod
    def of(cls, database: Database) -> DoubtReports:
        """Return the listeners of a database."""
        return database.attached(cls, cls)

    def add(self, listener: Listener) -> None:
        """Send each report from now on to ``listener``."""
        if listener not in self._listeners:
            self._listeners = (*self._listeners, listener)

    @property
    def are_heard(self) -> bool:
        """True if there are listeners."""
        return bool(self._listeners)

    def tell(self, report: Report) -> None:
        """Report to all listeners, which raise nothing."""
        for listener in self._listeners:
            listener(report)

    def close(self) -> None:
        """Forget the listeners."""
        self._listeners = ()
