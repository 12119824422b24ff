"""Guards of connections: once too many messages bounced or drew complaints, the connection is
paused.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from jackfield.kernel.clock import iso, moment
from jackfield_store.access.settings import MESSAGES, RATES
from jackfield_store.journal.suppressions import Suppressions

if TYPE_CHECKING:
    from jackfield_store.runtime import Jackfield


def pause_exceeding(runtime: Jackfield, references: Collection[str]) -> None:
    """Pause the connections of messages that have just bounced or drawn a complaint, if these
    exceed the guard's limit since the guard was last set.
    """
    if not references or not (settings := runtime.access.settings).guards:
        return
    storage, now = runtime.storage, runtime.clock.time()
    known = Suppressions(storage.database, storage.vault, runtime.workspace, runtime.clock)
    for connection in known.connections(references):
        guard = settings.guard_of(connection)
        if guard is None or "paused" in guard:
            continue
        messages, since = guard.get("messages", MESSAGES), guard.get("since")
        found = known.figures(
            connection, messages, 0.0 if since is None else moment(since, now, 1, "since")
        )
        if any(found[noun] > guard.get(rate, 1) * messages for rate, noun in RATES.items()):
            paused = {**guard, "paused": {"at": iso(now), **found}}
            runtime.access.workspaces.set(runtime.workspace, {"guards": {connection: paused}})
