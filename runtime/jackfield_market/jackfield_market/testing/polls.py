"""Conformance rules about polls, against a generated source: items with equal times, items that
arrive or change during a read, failures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jackfield.connector import Polled, Since
from jackfield.connector.triggers import Trigger
from jackfield.kernel.failures import Raised, attempt_foreign
from jackfield_market.testing.driving import over_client
from jackfield_market.testing.loopback_provider import RESET, Answer, Provider, Request, Step
from jackfield_market.testing.polled_pages import LARGEST, PolledPages
from jackfield_market.testing.subject import Rule, Subject

_BEGIN = 1_893_456_000
"""Time from which events count, in seconds since 1970: 2030-01-01."""
_PAGE = 10
"""Default number of items on a page."""
_ROUNDS = 8
_PAGES = 60
"""Number of pages from which a poll counts as endless."""
_LARGEST = 64 * 1024
_FAILURES: tuple[tuple[str, Step], ...] = (
    ("a 500", Answer({"message": "no"}, 500)),
    ("a 401", Answer({"message": "no"}, 401)),
    ("a 429", Answer({"message": "no"}, 429)),
    ("a reset", RESET),
)


class Chance:
    """Generator of pseudo-random numbers, the same in each run."""

    def __init__(self, seed: int) -> None:
        self._last = seed

    def below(self, limit: int) -> int:
        """Return a number from 0 to ``limit`` - 1."""
        self._last = (self._last * 1_103_515_245 + 12_345) % 2**31
        return (self._last >> 8) % limit


@dataclass
class GrowingList:
    """Provider with a growing list. An example's ``source`` describes it.

    ``item`` is one item, with its ID at ``id`` and its time at ``at`` (seconds since 1970, or ISO
    8601). ``items`` is the place of the list in a response. ``since``, ``limit`` and ``offset`` are
    the query parameters for the earliest time, the number of items per page and the number before
    the page. With ``changes``, the time is that of an item's last change, and each change may be an
    event.

    ``pages`` are the pages that the binding declares, if any; a page then has ``LARGEST`` items.
    With ``is_ascending``, pages are in the order of the items' times.
    """

    about: Mapping[str, Any]
    chance: Chance
    grows: bool = True
    pages: PolledPages = field(default_factory=lambda: PolledPages({}))
    is_ascending: bool = False
    rows: dict[int, int] = field(default_factory=dict)
    """Times of items, by number of the item."""
    now: int = _BEGIN
    requests: int = 0

    def add(self, count: int, at: int | None = None) -> None:
        """Add items. Without ``at``, most items advance the time by a second, so that some share a
        time.
        """
        for _ in range(count):
            self.rows[len(self.rows)] = self.now if at is None else at
            if at is None and self.chance.below(10) < 7:
                self.now += 1

    def __call__(self, _number: int, request: Request) -> Answer:
        """Serve one page, oldest items first; after every second page, a growing list gets a new
        item.

        Pages by position have the order of creation, unless the list is ascending.
        """
        query = {
            name: values[-1] for name, values in parse_qs(urlsplit(request.path).query).items()
        }
        since, limit = (
            query.get(self.about.get("since", "")),
            query.get(self.about.get("limit", "")),
        )
        least = None if since is None else _parse_time(since)
        kept = [(at, number) for number, at in self.rows.items() if least is None or at >= least]
        found = kept if self.pages and not self.is_ascending else sorted(kept)
        size: int | None = (
            int(limit) if limit and limit.isdigit() else None if least is None else _PAGE
        )
        first = int(query.get(self.about.get("offset", ""), "0"))
        if self.pages:
            first, size = (
                self.pages.begin(request, [str(self.name(number)) for _, number in found]),
                LARGEST,
            )
        page = found[first : None if size is None else first + size]
        self.requests += 1
        if self.grows and self.requests % 2:
            self.add(1, self.now)
            if self.about.get("changes"):
                self.rows[self.chance.below(len(self.rows))] = self.now
        answer: Any = [self.item(number, at) for at, number in page]
        for name in reversed(self.about.get("items", "").split("/")[1:]):
            answer = [answer] if name == "0" else {name: answer}
        return self.pages.answer(request, answer, first + len(page), len(found))

    def item(self, number: int, at: int) -> dict[str, Any]:
        """Return an item in the provider's form; ``at`` is its time."""
        item = json.loads(json.dumps(self.about["item"]))
        _put(item, self.about["id"], self.name(number))
        _put(item, self.about["at"], _format_time(at, _value_at(item, self.about["at"])))
        return dict(item)

    def name(self, number: int) -> Any:
        """Return the ID of an item, of the type that the sample's ID has."""
        return (
            number + 1
            if isinstance(_value_at(self.about["item"], self.about["id"]), int)
            else f"item-{number + 1}"
        )


def _value_at(item: Any, place: str) -> Any:
    for name in place.split("/")[1:]:
        item = item[name]
    return item


def _put(item: Any, place: str, value: Any) -> None:
    above, _, name = place.rpartition("/")
    _value_at(item, above)[name] = value


def _format_time(at: int, sample: Any) -> Any:
    return (
        datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
        if isinstance(sample, str)
        else at
    )


def _parse_time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()


@dataclass
class _Watching:
    """One poll with the runtime's behaviour: the checkpoint of a page is stored together with its
    events.
    """

    subject: Subject
    trigger: Trigger
    source: GrowingList
    inputs: Mapping[str, Any]
    mark: Mapping[str, Any] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    largest: int = 0
    fault: str = ""

    def poll(self, script: Callable[[int, Request], Step] | None = None) -> Raised | None:
        """Run one poll to its last page; return the exception that it raised, or None after a
        success.
        """
        with Provider(script or self.source) as provider:
            for _ in range(_PAGES):
                page = self.page(provider.url)
                if isinstance(page, Raised):
                    return page
                text = attempt_foreign(json.dumps, dict(page.next), allow_nan=False)
                if isinstance(text, Raised):
                    self.fault = "returns a checkpoint that is no JSON"
                    return None
                self.mark, self.largest = json.loads(text), max(self.largest, len(text))
                self.keys += [event.key for event in page.events]
                if not page.more:
                    return None
        self.fault = f"has not ended after {_PAGES} pages"
        return None

    def page(self, url: str) -> Polled | Raised:
        """Fetch one page after the checkpoint, and store nothing."""
        inputs, since = (
            self.trigger.inputs.model_validate(dict(self.inputs)),
            Since(float(_BEGIN), self.mark, float(self.source.now)),
        )
        function = self.trigger.function or (lambda *_: None)
        found = attempt_foreign(
            over_client, self.subject, url, lambda client: function(inputs, client, since)
        )
        return (
            found
            if isinstance(found, Raised | Polled)
            else Raised(TypeError(f"returned {type(found).__name__}, not Polled"))
        )


def polls(subject: Subject) -> list[Trigger]:
    """Return the polls of a connector that are not left out, including polls that close a webhook's
    gaps.

    Polls that compare whole lists are excluded, since the runtime does the comparison.
    """
    found = subject.connector.triggers.values()
    return [
        one
        for one in found
        if one.function is not None and not one.compares and one.key not in subject.left_out
    ]


def _none(subject: Subject) -> str | None:
    return None if polls(subject) else "it has no poll that asks for what is new"


def _watchings(subject: Subject, seed: int = 7, **about: Any) -> Iterator[_Watching]:
    for trigger in polls(subject):
        for example in trigger.examples:
            if "source" in example:
                polled, pages = _polled(subject, trigger)
                source = GrowingList(
                    example["source"],
                    Chance(seed),
                    pages=pages,
                    is_ascending="ascending" in polled,
                    **about,
                )
                yield _Watching(subject, trigger, source, example.get("inputs", {}))


def _polled(subject: Subject, trigger: Trigger) -> tuple[Mapping[str, Any], PolledPages]:
    """Return the declaration of a poll without code, and the pages of its list; both are empty for
    a poll with code.
    """
    raw = subject.manifest.raw
    rows = (
        row["http"]
        for row in raw.get("triggers", ())
        if row["key"] == trigger.key and "http" in row
    )
    polled: dict[str, Any] = next((row["poll"] for row in rows if "poll" in row), {})
    return polled, PolledPages(
        next(
            (
                row["http"]
                for row in raw["actions"]
                if row["key"] == polled.get("action") and "http" in row
            ),
            {},
        )
    )


def _are_sampled(subject: Subject) -> Iterator[str]:
    sampled = {one.trigger.key for one in _watchings(subject)}
    for trigger in polls(subject):
        if trigger.key not in sampled:
            yield f"'{trigger.key}' has no example with a 'source'"


def _each(
    judge: Callable[[_Watching], Iterator[str]], **about: Any
) -> Callable[[Subject], Iterator[str]]:
    def check(subject: Subject) -> Iterator[str]:
        for one in _watchings(subject, **about):
            yield from (f"'{one.trigger.key}' {fault}" for fault in judge(one))

    return check


def _miss_nothing(one: _Watching) -> Iterator[str]:
    for _ in range(_ROUNDS):
        one.source.add(one.source.chance.below(2 * _PAGE))
        raised = one.poll()
        if raised is not None or one.fault:
            yield one.fault or f"fails: {_error_text(raised)}"
            return
    one.source.grows = False
    for _ in range(2):
        one.poll()
    told = len({*one.keys})
    if told < len(one.source.rows):
        yield (
            f"skips {len(one.source.rows) - told} of {len(one.source.rows)} items that share "
            "a time, or arrive while a page is read"
        )
    elif told > len(one.source.rows) and not one.source.about.get("changes"):
        yield "gives an item another key when it is read again"


def _survive_failures(one: _Watching) -> Iterator[str]:
    """Break polls at one of their requests, and yield a fault if unstored events are not reported
    again.
    """
    for round_ in range(_ROUNDS):
        one.source.add(_PAGE + 3)
        broken = round_ % 3 + 1
        source = one.source

        def play(
            number: int, request: Request, broken: int = broken, source: GrowingList = source
        ) -> Step:
            return RESET if number == broken else source(number, request)

        one.poll(play)
    one.source.grows = False
    for _ in range(2):
        one.poll()
    if len({*one.keys}) < len(one.source.rows):
        yield (
            f"loses {len(one.source.rows) - len({*one.keys})} of {len(one.source.rows)} "
            "items when a request fails between two pages"
        )


def _begin_now(one: _Watching) -> Iterator[str]:
    for days in range(1, 4):
        one.source.add(2, _BEGIN - days * 86_400)
    one.poll()
    if one.keys:
        yield f"tells {len(one.keys)} items of the time before it began: compare with since.at"


def _report_failures(one: _Watching) -> Iterator[str]:
    for what, step in _FAILURES:
        one.source.add(3)
        if one.poll(lambda _number, _request, step=step: step) is None:  # type: ignore[misc]
            yield f"takes {what} for an empty page"


def _hold_nothing(one: _Watching) -> Iterator[str]:
    one.source.add(5)
    with Provider(one.source) as provider:
        first, second = one.page(provider.url), one.page(provider.url)
    if isinstance(first, Raised) or isinstance(second, Raised):
        yield f"fails: {_error_text(first if isinstance(first, Raised) else second)}"
    elif [event.key for event in first.events] != [event.key for event in second.events]:
        yield (
            "returns other events for the same checkpoint: it remembers something, which a "
            "crash would lose"
        )


def _keep_marks_small(one: _Watching) -> Iterator[str]:
    sizes = []
    for _ in range(_ROUNDS):
        one.source.add(3 * _PAGE)
        one.poll()
        sizes.append(len(json.dumps(one.mark)))
    if one.fault:
        yield one.fault
    elif one.largest > _LARGEST or sizes[-1] > 2 * sizes[0] + 256:
        yield (
            f"has a checkpoint that grows with what was read: from {sizes[0]:,} to "
            f"{sizes[-1]:,} bytes"
        )


def _error_text(found: object) -> str:
    return f"{type(found.error).__name__}: {found.error}"[:160] if isinstance(found, Raised) else ""


def _rule(
    name: str,
    says: str,
    check: Callable[[Subject], Iterator[str]],
    cure: str,
    *,
    is_silver: bool = False,
) -> Rule:
    return Rule(
        name, says, check, "silver" if is_silver else "bronze", cure, drives=True, reason=_none
    )


POLLS = (
    _rule(
        "polls-are-sampled",
        "Each poll has an example with a source: how the provider's list looks.",
        _are_sampled,
        "Add 'source' to an example: item, id, at, items, since, limit "
        "(docs/tutorial/first-trigger.md).",
        is_silver=True,
    ),
    _rule(
        "polls-miss-nothing",
        "A poll skips no item that shares a time, or arrives while a page is read, and keeps its "
        "key.",
        _each(_miss_nothing),
        "Read the last time again (at or after, not after), and let keys tell what is new.",
    ),
    _rule(
        "polls-survive-failures",
        "A poll that fails between two pages loses nothing: what was not stored comes again.",
        _each(_survive_failures),
        "Return as checkpoint only what this page has told; keep nothing between two calls.",
    ),
    _rule(
        "polls-begin-now",
        "The first poll tells nothing that happened before since.at.",
        _each(_begin_now, grows=False),
        "Begin at since.at while since.mark is empty.",
    ),
    _rule(
        "polls-report-failures",
        "A refusal or a failure of the provider is an error, not an empty page.",
        _each(_report_failures),
        "Let the client's errors pass.",
        is_silver=True,
    ),
    _rule(
        "polls-hold-nothing",
        "A poll returns the same page for the same checkpoint: it remembers nothing itself.",
        _each(_hold_nothing, grows=False),
        "Put what the next page needs into the checkpoint.",
    ),
    _rule(
        "polls-keep-marks-small",
        "Checkpoints are JSON that does not grow with what was read; a poll ends.",
        _each(_keep_marks_small),
        "Keep a time or a cursor in the checkpoint, not the IDs that were seen; set 'more' only "
        "if a page was full.",
    ),
)
