"""Responses with an outcome for each item: the refused items, and whether any item was carried
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jackfield.connector import FailedEntry, JackfieldError, current_call, pointer
from jackfield.kernel.dataclass import dataclass
from jackfield_http.conditions import CONDITION, Condition
from jackfield_http.pointers import find
from jackfield_http.words import FLAG, PLACE, POINTER, REFUSAL, closed, read, word

_LONGEST = 200
"""Maximum number of characters of an entry's message."""
_LEFT_OUT = "the answer leaves it out"
_MOST_KINDS = 20
"""Maximum number of items whose errors are built to find the error of the whole answer."""

_MOST_NAMED = 5
"""Maximum number of items that the warning of a read names."""
_ITEMS = {"items": word(PLACE, "List or object of outcomes; of refusals if there is no 'member'.")}
_OWN = {
    "code": word(POINTER, "The provider's code within an item."),
    "message": word(POINTER, "Its message."),
    "field": word(POINTER, "The name of the field at fault."),
    "input": word(POINTER, "The list among the inputs that the items answer to."),
    "beside": word(
        POINTER, "What was carried out, beside a list of refusals: if that is empty, nothing was."
    ),
    "index": word(POINTER, "The place of an item in the list among the inputs."),
    "named": word(
        POINTER,
        "The input that an item answers to, where the answer lists what was done and leaves out "
        "the others.",
    ),
    "mixed": word(
        {"type": "array", "items": REFUSAL},
        "Statuses of refusals that may have been carried out in part.",
    ),
    "onlyWarns": word(
        FLAG,
        "An item with an error took effect: something beside it failed. Of a read, the answer "
        "lacks something.",
    ),
}
OUTCOMES = closed(
    {**_ITEMS, **CONDITION, **_OWN},
    ["items"],
    "Each item of a list has an outcome: if all are refused, the call is; if some are, it "
    "succeeds with a warning for each.",
    dependentRequired={"named": ["input"]},
)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """Items that a provider refused: ``entries`` for the caller, and ``faults`` with the provider's
    code and message.

    ``is_whole`` means that no item was carried out. ``verdict`` says why, for a provider that has
    no words for it. With ``only_warns``, the items were carried out, and what is wrong is beside
    them.
    """

    entries: tuple[FailedEntry, ...]
    faults: tuple[tuple[Any, tuple[Any, Any]], ...]
    is_whole: bool
    verdict: str = ""
    only_warns: bool = False

    def note(self, *, safe: bool) -> None:
        """Warn the caller of refused items among others. ``safe`` means that the request is a
        read.
        """
        if (call := current_call()) is None:
            return
        if safe and self.only_warns:
            places = ", ".join(f"'{one.path}'" for one in self.entries[:_MOST_NAMED])
            call.unfinished(f"the answer lacks something at {places}")
        else:
            call.failed_in_part(self.entries, path=self.entries[0].path.rpartition("/")[0])

    def chief(self, errors: Iterator[JackfieldError]) -> JackfieldError:
        """Return the error of the whole answer, with a detail for each item; an error that a retry
        cannot mend is preferred.
        """
        known = list(errors)
        found = next((error for error in known if not error.retryable), known[0])
        found.details = tuple(entry.fault for entry in self.entries)
        return found

    @property
    def first(self) -> tuple[tuple[Any, tuple[Any, Any]], ...]:
        """First faults of the items, from which the error of the whole answer is chosen."""
        return self.faults[:_MOST_KINDS]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Places of each item's outcome in an answer, from the member ``failed`` of a manifest;
    ``OUTCOMES`` declares its words.

    ``refused`` is the condition that a refused item meets; without it, each item was refused.
    """

    items: str
    refused: Condition | None = None
    code: str | None = None
    message: str | None = None
    field: str | None = None
    input: str | None = None
    beside: str | None = None
    index: str | None = None
    named: str | None = None
    only_warns: bool = False
    mixed: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, given: Json) -> Outcomes:
        """Return the outcomes that a manifest declares."""
        refused = Condition.from_json(given) if "member" in given else None
        return cls(refused=refused, **read({**_ITEMS, **_OWN}, given))

    def judged(self, body: Any, inputs: Json) -> Refused | bool:
        """Return the refused items; False if no item was refused, or the answer has no list or
        object of items.
        """
        found = find(body, self.items)
        if not isinstance(found, list | Mapping):
            return False
        if self.named is not None:
            return self._left_out(found if isinstance(found, list) else found.values(), inputs)
        keys, listed = (
            (list(found), list(found.values()))
            if isinstance(found, Mapping)
            else (range(len(found)), found)
        )
        bad = [number for number, item in enumerate(listed) if self._is_refused(item)]
        if not bad:
            return False
        asked = find(inputs, self.input) if self.input is not None else None
        count = len(asked) if isinstance(asked, list) else None
        places = [self._place(listed, number, count) for number in bad]
        entries = tuple(
            self._entry(keys[number], listed[number], at)
            for number, at in zip(bad, places, strict=True)
        )
        faults = tuple((listed[number], self._words(listed[number])) for number in bad)
        return Refused(
            entries, faults, self._is_whole(body, listed, places, count), only_warns=self.only_warns
        )

    def _left_out(self, listed: Iterable[Any], inputs: Json) -> Refused | bool:
        """Return the inputs to which no item answers; False if there are none."""
        there, asked = (
            [find(item, self.named or "") for item in listed],
            find(inputs, self.input or ""),
        )
        missing = [
            number
            for number, value in enumerate(asked if isinstance(asked, list) else ())
            if value not in there
        ]
        if not missing:
            return False
        entries = tuple(
            FailedEntry(self.items or "/items", _LEFT_OUT, input=f"{self.input}/{number}")
            for number in missing
        )
        return Refused(
            entries,
            ((None, (None, _LEFT_OUT)),),
            not self.only_warns and len(missing) == len(asked),
        )

    def _is_refused(self, item: Any) -> bool:
        return item not in (None, "", {}, []) if self.refused is None else self.refused.holds(item)

    def _place(self, listed: list[Any], number: int, count: int | None) -> int | None:
        """Return the position of an item's input; None for an unknown position."""
        if self.index is not None:
            found = find(listed[number], self.index)
            is_place = type(found) is int and found >= 0 and (count is None or found < count)
            return found if is_place else None
        return number if self.refused is not None and len(listed) == count else None

    def _is_whole(
        self, body: Any, listed: list[Any], places: list[int | None], count: int | None
    ) -> bool:
        if self.only_warns:
            return False
        if self.refused is not None:
            return len(places) == len(listed) and (count is None or len(listed) >= count)
        if self.beside is not None:
            return not find(body, self.beside)
        return bool(count) and len({place for place in places if place is not None}) == count

    def _words(self, item: Any) -> tuple[Any, Any]:
        if isinstance(item, str):
            return None, item
        return (
            None if self.code is None else find(item, self.code),
            None if self.message is None else find(item, self.message),
        )

    def _entry(self, key: str | int, item: Any, place: int | None) -> FailedEntry:
        said = ": ".join(
            str(word)[:_LONGEST]
            for word in self._words(item)
            if isinstance(word, str | int) and word != ""
        )
        asked = None if self.input is None or place is None else f"{self.input}/{place}"
        field = None if self.field is None else find(item, self.field)
        if asked is not None and isinstance(field, str) and field:
            asked += pointer(field)
        return FailedEntry(
            f"{self.items or '/items'}{pointer(key)}", said or "refused", input=asked
        )
