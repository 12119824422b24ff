"""Composition of a runtime over a database: a record of each call, and paces that all processes share."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jackfield.recording.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jackfield.clock import Clock
    from jackfield.journal import Journal
    from jackfield.pacing.pace import Paces
    from jackfield.pacing.rows import PaceRow
    from jackfield.pipe.evidence import Means
    from jackfield.pipe.recording import Recording
    from jackfield.resources.storage import Storage


def composed(journal: Callable[[], Journal], storage: Storage, means: Means, paces: Paces, clock: Clock) -> Recording:
    """Share the paces, and return what records calls."""
    paces.shared = partial(_row, means.workspace, storage, clock)
    return Recorder(journal, storage, means)


def _row(workspace: str, storage: Storage, clock: Clock, key: tuple[str, str, str], about: Callable[[], Mapping[str, str]]) -> PaceRow:
    from jackfield.pacing.shared_rows import shared_row  # most connections have no account to share

    return shared_row(workspace, lambda: storage.database, clock, key, about)
