"""Events of a workspace: numbered, and read by cursor; callbacks deliver them.

A change records its event in the outbox (``jackfield_store.database.outbox``). ``Numbering`` moves
committed rows to the table ``events``, in order; ``Feed`` reads them.

A new kind of event needs its name in ``event.TYPES``, and a row of the table in
docs/reference/events.md. ``database.outbox.record`` belongs in the transaction of the change, or in
a trigger if several statements make it.
"""

from __future__ import annotations

from jackfield.call.events import Event
from jackfield_service.subjects.events.event import check_types
from jackfield_service.subjects.events.feed import CursorExpired, EventPage, Feed, FeedEvents

__all__ = ["CursorExpired", "Event", "EventPage", "Feed", "FeedEvents", "check_types"]
