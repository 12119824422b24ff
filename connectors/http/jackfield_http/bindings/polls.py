"""Polls of bound connectors. A poll runs an action that lists, from the last time or cursor.

A list is read to its end, page by page, from one beginning. The time advances after the last page,
and at most to the latest time on the first page. So the order within a page, changes during the
reading and items of equal time do not matter: an item read twice has the same key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from jackfield.connector import (
    Gone,
    Item,
    JackfieldError,
    Listed,
    Output,
    Polled,
    Since,
    TriggerEvent,
)
from jackfield.connector.triggers import Poll
from jackfield.kernel.dataclass import dataclass
from jackfield.manifest.pagination import yes_or_no
from jackfield.manifest.triggers import TriggerManifest
from jackfield_http.bindings.options import Listing
from jackfield_http.pointers import find
from jackfield_http.words import FLAG, KEY, POINTER, closed, some, word

Json = Mapping[str, Any]

_OVERLAP = 1.0
"""Seconds before the last time of a page that are read again in an ascending list. Some providers
include the time of "since", others do not.
"""
_TOO_OLD = 410
"""Status by which providers refuse a time that is too long ago. A list that is not there is refused
with 404.
"""
_NO_CURSOR = frozenset({404, 410})
"""Statuses by which providers refuse a cursor that they no longer have. The status decides, since a
code beside it may be listed as another error.
"""
FORMS: Mapping[str, Callable[[float], Any]] = {
    "rfc3339": lambda at: (
        datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ),
    "date": lambda at: datetime.fromtimestamp(at, UTC).date().isoformat(),
    "unix": int,
    "unixMilliseconds": lambda at: int(at * 1000),
}
"""Formats of a time in requests, by their name in manifests."""
_FORM = {"enum": [*FORMS]}
POLL = closed(
    {
        "action": word(KEY, "The action that lists: a read of this manifest."),
        "inputs": word(
            {"type": "object"}, "Inputs of the action; those of the subscription are added."
        ),
        "items": word(POINTER, "The items in the action's output."),
        "id": word(POINTER, "The ID in an item of a list that is compared."),
        "key": word(some(POINTER), "Members that make an event the same."),
        "at": word(POINTER, "The time in an item."),
        "form": word(_FORM, "How numbers are to be read as times."),
        "since": closed(
            {"input": KEY, "form": _FORM},
            ["input"],
            "Input that takes the time from which items are wanted.",
        ),
        "lookbackSeconds": word(
            {"type": "number", "minimum": 0}, "How late items may appear in the list."
        ),
        "ascending": word(
            FLAG, "The list is in the order of 'at': it is read on from the last time of a page."
        ),
        "cursor": closed(
            {"input": KEY, "output": POINTER, "more": POINTER},
            ["input", "output"],
            "Input and output of a cursor that is never used up.",
        ),
    },
    ["action", "items"],
    "How a bound connector polls: 'key' and 'at' or 'cursor', or 'id' if it compares.",
)


@dataclass(frozen=True, slots=True)
class BoundPoll:
    """Poll that a manifest describes (``http.poll`` of a trigger). ``listing`` finds the action
    that lists.
    """

    about: Json
    listing: Callable[[str], Listing]

    def poll(self, inputs: Any, client: Any, since: Since) -> Polled:
        """Read one page of new items."""
        return (
            self._after_cursor(inputs, client, since)
            if "cursor" in self.about
            else self._after_time(inputs, client, since)
        )

    def compared(self, inputs: Any, client: Any, after: Json | None) -> Listed:
        """Read one page of a list that is compared with the previous reading."""
        page, following, unknown = self._page(client, inputs, after or {})
        return Listed(
            [Item(str(find(item, self.about["id"])), item) for item in self._items(page)],
            following,
            unknown,
        )

    def _after_time(self, inputs: Any, client: Any, since: Since) -> Polled:
        mark = since.mark
        begin = max(since.at, mark.get("at", since.at) - self.about.get("lookbackSeconds", 0))
        high = max(mark.get("high", 0), mark.get("at", since.at))
        asked = self.about.get("since")
        given = (
            {} if asked is None else {asked["input"]: FORMS[asked.get("form", "rfc3339")](begin)}
        )
        given |= mark.get("page", {})
        try:
            page, following, unknown = self._page(client, inputs, given)
        except JackfieldError as error:
            # a second refusal is not about the time, which is new
            if asked is None or _status(error) != _TOO_OLD or "lost" in mark:
                raise
            text = (
                f"the provider no longer lists what changed since {FORMS['rfc3339'](begin)}: "
                "what changed until now is lost"
            )
            return Polled([], {"at": since.now, "lost": True}, unknown=text)
        events = [event for event in self._events(page) if event.at is None or event.at >= begin]
        high = max([high, *(event.at for event in events if event.at is not None)])
        began = mark.get("began", since.now)
        if unknown is not None:  # what the list may have left out is read from the same time on
            return Polled(events, {"at": mark.get("at", since.at)}, unknown=unknown)
        if following is None:  # what changed since the first page was read is read again
            return Polled(events, {"at": min(high, max(began, mark.get("at", since.at)))})
        further = self._from_last(events, given) or {**self._begun(given), **following}
        return Polled(
            events,
            {"at": mark.get("at", since.at), "high": high, "began": began, "page": further},
            more=True,
        )

    def _from_last(self, events: Iterable[TriggerEvent], given: Json) -> Json | None:
        """Return the inputs that continue an ascending list at the last time of a page; None if the
        page spans less than a second.

        A position would skip items if earlier items moved to the end or were deleted in the
        meantime.
        """
        asked, times = (
            self.about.get("since"),
            [event.at for event in events if event.at is not None],
        )
        if not (asked and times and self.about.get("ascending")):
            return None
        value = FORMS[asked.get("form", "rfc3339")](max(times) - _OVERLAP)
        return (
            None
            if value == given.get(asked["input"]) or max(times) - min(times) <= _OVERLAP
            else {asked["input"]: value}
        )

    def _begun(self, given: Json) -> Json:
        """Return the input with the time at which an ascending list begins, which its pages may
        have moved; empty for other lists.
        """
        asked = self.about.get("since")
        return (
            {asked["input"]: given[asked["input"]]} if asked and self.about.get("ascending") else {}
        )

    def _after_cursor(self, inputs: Any, client: Any, since: Since) -> Polled:
        """Read the items after a cursor. Without a cursor, only items later than the subscription's
        beginning are events.
        """
        about, known = self.about["cursor"], since.mark.get("cursor")
        try:
            page, _, _ = self._page(
                client, inputs, {} if known is None else {about["input"]: known}
            )
        except JackfieldError as error:
            if known is None or _status(error) not in _NO_CURSOR:
                raise
            raise Gone from None
        is_old = not since.mark.get("begun", False)
        events = [
            event
            for event in self._events(page)
            if not is_old or (event.at is not None and event.at >= since.at)
        ]
        cursor = find(page, about["output"])
        moved = cursor is not None and cursor != known and bool(self._items(page))
        said = yes_or_no(find(page, about["more"])) if "more" in about else None
        more = moved if said is None else said
        return Polled(
            events,
            {"cursor": known if cursor is None else cursor, "begun": not is_old or not more},
            more,
        )

    def _page(
        self, client: Any, inputs: Any, more: Json
    ) -> tuple[Json, dict[str, Any] | None, str | None]:
        """Return a page, the inputs of the next page (None after the last page), and the reason why
        it is unknown whether a next page exists (else None).
        """
        listing = self.listing(self.about["action"])
        page = listing.fetch(client, {**self.about.get("inputs", {}), **inputs.given, **more})
        return page, *listing.following(page)

    def _items(self, page: Json) -> Iterable[Json]:
        return find(page, self.about["items"]) or ()

    def _events(self, page: Json) -> Iterator[TriggerEvent]:
        for item in self._items(page):
            at = (
                _moment(find(item, self.about["at"]), self.about.get("form", "unix"))
                if "at" in self.about
                else None
            )
            yield TriggerEvent(
                item, "\0".join(str(find(item, place)) for place in self.about["key"]), at=at
            )


def poll_of(row: Json, inputs: type[Any], listing: Callable[[str], Listing]) -> Poll:
    """Return the poll that a row of a manifest's ``triggers`` describes."""
    about, reading = (
        TriggerManifest.from_json(row, "trigger"),
        BoundPoll(row["http"]["poll"], listing),
    )
    facts: dict[str, Any] = {
        "key": about.key,
        "title": about.title,
        "inputs": inputs,
        "event": Output,
        "types": about.types,
        "setup": about.setup,
        "permissions": about.permissions,
        "examples": row.get("examples", ()),
    }
    return Poll(
        reading.compared if about.compares else reading.poll,
        about.every,
        about.least,
        compares=about.compares,
        **facts,
    )


def _moment(value: Any, form: str) -> float | None:
    """Return the time of an item in seconds since 1970; None if the item has none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value) / (1000 if form == "unixMilliseconds" else 1)
        except OverflowError:
            return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def _status(error: JackfieldError) -> int | None:
    return None if error.provider is None else error.provider.http_status
