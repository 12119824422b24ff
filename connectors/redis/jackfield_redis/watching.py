"""The trigger ``newEntries``: entries of a stream."""

from __future__ import annotations

from jackfield.connector import Inputs, Polled, Since, TriggerEvent
from jackfield_redis import answers
from jackfield_redis.client import RedisClient
from jackfield_redis.connector import connector
from jackfield_redis.streams import Entry, entries_after
from jackfield_redis.values import key_field

_PAGE = 200
_FIRST = "0-0"


class Watched(Inputs):
    """Stream to watch."""

    key: str = key_field()


@connector.poll("newEntries", inputs=Watched, event=Entry, every=60, types=("entryAdded",))
def new_entries(watched: Watched, client: RedisClient, since: Since) -> Polled:
    """Report entries as they are added to a stream, oldest first. Entries that exist when the
    subscription is added are not reported.
    """
    if "after" not in since.mark:
        last = client.read(answers.entries, "XREVRANGE", watched.key, "+", "-", "COUNT", 1)
        return Polled([], {"after": last[0][0] if last else _FIRST})
    entries = entries_after(client, watched.key, since.mark["after"], _PAGE)
    events = [TriggerEvent(entry, entry.id) for entry in entries]
    return Polled(
        events,
        {"after": entries[-1].id if entries else since.mark["after"]},
        more=len(entries) == _PAGE,
    )
