"""The events of a workspace that one caller may see: events about objects that the rules of the
caller's token permit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from jackfield.call.events import Events
from jackfield.callers import Request, may
from jackfield.connections.connection_types import Kinds
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.subjects.events import Feed, FeedEvents
from jackfield_service.subjects.events.event import OWN

if TYPE_CHECKING:
    from jackfield.callers import Authorizer
    from jackfield.catalog import Catalog
    from jackfield.manifest.manifest import Manifest
    from jackfield_service.subjects.events import Event
    from jackfield_store.resources.storage import Storage


def feed_of(storage: Storage, workspace: str, catalog: Catalog, authorizer: Authorizer) -> Feed:
    """Return the feed of a workspace, limited to events that a caller may see.

    :raises InvalidInvocation: if there is no database.
    :raises UnknownWorkspace: if the database has no such workspace.
    """
    if not storage.enabled:
        raise InvalidInvocation(
            "events need a database, and this runtime has none", hint="Set JACKFIELD_DATABASE_URL."
        )
    storage.require(workspace)
    return Feed(storage.database, storage.vault, workspace, seen_events(catalog, authorizer))


def events_of(
    storage: Storage,
    workspace: str,
    catalog: Catalog,
    authorizer: Authorizer,
    after: str | int | None,
    types: Sequence[str],
    wait: float,
) -> Events:
    """Return an iterable of a workspace's events, limited and checked as by ``feed_of``."""
    return FeedEvents(feed_of(storage, workspace, catalog, authorizer), after, types, wait)


def seen_events(catalog: Catalog, authorizer: Authorizer) -> Callable[[Event], bool] | None:
    """Return a function that decides whether the caller may see an event; None for a caller who may
    see all of them.

    The audit log needs the scope ``manage`` and no rules, here as everywhere. A token with rules
    sees the invocations and schedules whose calls its rules would allow, and the connections over
    which it may call. It also sees events of triggers that it may read.
    """
    manages = authorizer.scope is None or may(authorizer.scope, "manage")
    if manages and not authorizer.token:
        return None
    kinds, manifests = Kinds(catalog), dict[str, "Manifest | None"]()

    def sees(event: Event) -> bool:
        family, data = event.type.partition(".")[0], event.data
        if not authorizer.token:
            return family != "audit"
        if family in ("invocation", "approval", "schedule"):
            key = str(data.get("connector"))
            if key not in manifests:
                manifests[key] = catalog.look(key)[1]
            return authorizer.sees_entry(
                manifests[key],
                key,
                str(data.get("action")),
                data.get("effect"),
                data.get("connection"),
            )
        if family not in OWN:
            return authorizer.decide(
                Request(
                    str(data.get("connector")),
                    str(data.get("trigger")),
                    "read",
                    data.get("connection"),
                )
            ).allowed
        found = kinds.known(str(data.get("type"))) if family == "connection" else None
        return found is not None and authorizer.sees_connection(
            event.subject, str(data.get("type")), found.manifests
        )

    return sees
