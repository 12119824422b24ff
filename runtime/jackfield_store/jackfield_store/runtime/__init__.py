"""``Jackfield`` with the store's types, for packages and programs that use more than the library's
ports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import jackfield as framework  # whose name is found when annotations are read
from jackfield.kernel.exports import exports

if TYPE_CHECKING:
    from jackfield.callers import Caller
    from jackfield.callers.actor import Actor
    from jackfield.runtime import Jackfield as _Jackfield
    from jackfield_store.access import WorkspaceAccess
    from jackfield_store.files.store import Files
    from jackfield_store.journal import Journal
    from jackfield_store.management.connections import ManagedConnections
    from jackfield_store.management.visible_journal import SeenJournal
    from jackfield_store.recording.decisions import WaitingCalls
    from jackfield_store.resources.storage import Storage

    class Jackfield(_Jackfield):
        """Runtime of one workspace over a store. At run time it is ``jackfield.Jackfield``."""

        access: WorkspaceAccess
        files: Files
        storage: Storage

        @property
        def journal(self) -> Journal | None:
            """Journal of the workspace; None without a database."""

        @property
        def connections(self) -> ManagedConnections:
            """Connections of the workspace."""

        def connections_of(self, caller: Caller) -> ManagedConnections:
            """Return the connections that a caller may see and change."""

        def approvals_of(self, caller: Caller, actor: Actor | None = None) -> WaitingCalls:
            """Return the calls that wait for an approval, limited to a caller's view."""

        def journal_of(self, caller: Caller = ...) -> SeenJournal:
            """Return the journal, limited to a caller's view."""


__all__ = ["Jackfield", "stored"]

if not TYPE_CHECKING:  # a command that opens no runtime does not load it
    __getattr__, __dir__ = exports(__name__, {"jackfield.runtime": "Jackfield"})


def stored(jackfield: framework.Jackfield) -> Jackfield:
    """Return a runtime with the types of its store."""
    return cast("Jackfield", jackfield)
