"""Successful responses that report a failure: of the whole request, of some items, or of a side effect."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.connector import FailedEntry, JackfieldError, Sent, Unavailable, current_call, pointer
from jackfield.kernel.dataclass import dataclass
from jackfield_http.pointers import find

_LONGEST = 200
"""Maximum number of characters of an entry's message."""
_MOST_KINDS = 20
"""Maximum number of items whose errors are built to find the error of the whole answer."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """Items that a provider refused: ``entries`` for the caller, and ``faults`` with the provider's code and message.

    ``is_whole`` means that no item was carried out. ``verdict`` says why, for a provider that has no words for it.
    """

    entries: tuple[FailedEntry, ...]
    faults: tuple[tuple[Any, tuple[Any, Any]], ...]
    is_whole: bool
    verdict: str = ""

    def chief(self, errors: Iterator[JackfieldError]) -> JackfieldError:
        """Return the error of the whole answer, with a detail for each item; an error that a retry cannot mend is preferred."""
        known = list(errors)
        found = next((error for error in known if not error.retryable), known[0])
        found.details = tuple(entry.fault for entry in self.entries)
        return found

    @property
    def first(self) -> tuple[tuple[Any, tuple[Any, Any]], ...]:
        """First faults of the items, from which the error of the whole answer is chosen."""
        return self.faults[:_MOST_KINDS]


@dataclass(frozen=True, slots=True)
class Pending:
    """Work that a response reports as unfinished; ``text`` says by which member."""

    text: str


def note_pending(found: Pending, step: str, *, safe: bool) -> None:
    """Warn that the work which a request began goes on.

    :raises Unavailable: if the request is ``safe``: it reads the result of that work.
    """
    if safe:
        raise Unavailable(f"what '{step}' reads is not ready: {found.text}", hint="Read it again later.", sent=Sent.REFUSED)
    if (call := current_call()) is not None:
        call.unfinished(f"'{step}' has begun, and goes on: {found.text}")


Verdict = bool | Mapping[str, Any] | Refused | Pending
"""Judgement of a response: True or the member with the errors for a failure, the refused items, unfinished work, or False."""


def strongest(verdicts: Iterator[Verdict]) -> Verdict:
    """Return the verdict that counts: the first failure of the whole request, else unfinished work, else all refused items together."""
    found = [one for one in verdicts if one]
    partial = [one for one in found if isinstance(one, Refused) and not one.is_whole]
    other = [one for one in found if one not in partial]
    if other:
        return next((one for one in other if not isinstance(one, Pending)), other[0])
    return Refused(tuple(entry for one in partial for entry in one.entries), (), is_whole=False) if partial else False


@dataclass(frozen=True, slots=True)
class Whole:
    """Rule about a response as a whole, from the member ``failed`` of a manifest.

    - ``member``: JSON Pointer of the member that reports the failure: by one of the ``values``, or by containing ``contains``, ignoring
      case; without both, by being present and not empty, false or 0.
    - ``code``, ``message``: JSON Pointers of the provider's words, if they differ from those of other errors.
    - ``only_warns``: the request was carried out, and only a side effect of it failed.
    - ``pending``: the work was begun and has not ended.
    """

    member: str
    values: tuple[Any, ...] = ()
    contains: str = ""
    code: str | None = None
    message: str | None = None
    only_warns: bool = False
    pending: bool = False

    @classmethod
    def from_json(cls, given: Json) -> Whole:
        """Return the rule that a manifest declares."""
        equals = given.get("equals", [])
        values = tuple(equals) if isinstance(equals, list) else (equals,)
        flags = {"only_warns": given.get("onlyWarns", False), "pending": given.get("pending", False)}
        return cls(given["member"], values, given.get("contains", ""), given.get("code"), given.get("message"), **flags)

    def judged(self, body: Any) -> Verdict:
        """Return the failure, the warning or the unfinished work that a response reports; False if it reports none of them."""
        found = find(body, self.member)
        if not self._holds(found):
            return False
        words = (None if self.code is None else find(body, self.code), None if self.message is None else find(body, self.message))
        if self.pending:
            return Pending(f"'{self.member}' is {_shown(found)}")
        if self.only_warns:
            text = words[1] if isinstance(words[1], str) else found if isinstance(found, str) else f"is {_shown(found)}"
            return Refused((FailedEntry(self.member, text[:_LONGEST]),), (), is_whole=False)
        return Refused((), ((body, words),), is_whole=True, verdict=f"'{self.member}' is {_shown(found)}")

    def _holds(self, found: Any) -> bool:
        if self.values:
            return any(_is_same(found, value) for value in self.values)
        if self.contains:
            return isinstance(found, str) and self.contains.casefold() in found.casefold()
        return bool(found)


def _is_same(found: Any, value: Any) -> bool:
    return found is value if isinstance(value, bool) else bool(found == value)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:_LONGEST]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Places of each item's outcome in an answer, from the member ``failed`` of a manifest.

    - ``items``: JSON Pointer of the list, or of an object that has an item under each name. ``member`` is the place within an item that
      marks it as refused: by the value ``equals``, or else by being present and not empty. Without ``member``, each item was refused.
    - ``beside``: JSON Pointer of the list of carried-out items. ``index``: place of an item's position in the inputs. From either, a list
      of only refusals shows whether all items were refused.
    - ``mixed``: statuses of refusals that also have such a list, if only some items were refused.
    - ``input``: JSON Pointer of the list in the inputs that the items answer. ``field``: name of the field at fault within an item.
    - ``only_warns``: an item with an error took effect, and only a side effect of it failed.
    """

    items: str
    member: str | None = None
    equals: Any = None
    code: str | None = None
    message: str | None = None
    field: str | None = None
    input: str | None = None
    beside: str | None = None
    index: str | None = None
    only_warns: bool = False
    mixed: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, given: Json) -> Outcomes:
        """Return the outcomes that a manifest declares."""
        named = {name: value for name, value in given.items() if name not in ("onlyWarns", "mixed")}
        return cls(**named, only_warns=given.get("onlyWarns", False), mixed=tuple(given.get("mixed", ())))

    def judged(self, body: Any, inputs: Json) -> Refused | bool:
        """Return the refused items; False if no item was refused, or the answer has no list or object of items."""
        found = find(body, self.items)
        if not isinstance(found, list | Mapping):
            return False
        keys, listed = (list(found), list(found.values())) if isinstance(found, Mapping) else (range(len(found)), found)
        bad = [number for number, item in enumerate(listed) if self._is_refused(item)]
        if not bad:
            return False
        asked = find(inputs, self.input) if self.input is not None else None
        count = len(asked) if isinstance(asked, list) else None
        places = [self._place(listed, number, count) for number in bad]
        entries = tuple(self._entry(keys[number], listed[number], at) for number, at in zip(bad, places, strict=True))
        faults = tuple((listed[number], self._words(listed[number])) for number in bad)
        return Refused(entries, faults, self._is_whole(body, listed, places, count))

    def _is_refused(self, item: Any) -> bool:
        if self.member is None:
            return item not in (None, "", {}, [])
        found = find(item, self.member)
        if self.equals is None:
            return bool(found)
        return _is_same(found, self.equals)

    def _place(self, listed: list[Any], number: int, count: int | None) -> int | None:
        """Return the position of an item's input; None for an unknown position."""
        if self.index is not None:
            found = find(listed[number], self.index)
            is_place = type(found) is int and found >= 0 and (count is None or found < count)
            return found if is_place else None
        return number if self.member is not None and len(listed) == count else None

    def _is_whole(self, body: Any, listed: list[Any], places: list[int | None], count: int | None) -> bool:
        if self.only_warns:
            return False
        if self.member is not None:
            return len(places) == len(listed) and (count is None or len(listed) >= count)
        if self.beside is not None:
            return not find(body, self.beside)
        return bool(count) and len({place for place in places if place is not None}) == count

    def _words(self, item: Any) -> tuple[Any, Any]:
        if isinstance(item, str):
            return None, item
        return (None if self.code is None else find(item, self.code), None if self.message is None else find(item, self.message))

    def _entry(self, key: str | int, item: Any, place: int | None) -> FailedEntry:
        said = ": ".join(str(word)[:_LONGEST] for word in self._words(item) if isinstance(word, str | int) and word != "")
        asked = None if self.input is None or place is None else f"{self.input}/{place}"
        field = None if self.field is None else find(item, self.field)
        if asked is not None and isinstance(field, str) and field:
            asked += pointer(field)
        return FailedEntry(f"{self.items or '/items'}{pointer(key)}", said or "refused", input=asked)
