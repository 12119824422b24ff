"""Declarations of lists that come in pages: the words of a manifest's member ``paging``, their
reading, and what is refused of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Literal, Self, get_args

from jackfield.connector import pointer
from jackfield.kernel.dataclass import dataclass
from jackfield_http.headers import is_token
from jackfield_http.list_ends import NEEDS_CODE, End, ends_of, is_vague
from jackfield_http.words import (
    FLAG,
    KEY,
    POINTER,
    REFUSAL,
    TEXT,
    Json,
    argument,
    closed,
    read,
    some,
    word,
)

Kind = Literal["token", "page", "offset", "linkHeader", "url", "lastId"]
"""Kinds of pages, as manifests and overlays name them, too."""
_FIELD: Json = {"type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "maxLength": 200}
_CODES = word(some(TEXT), "The provider's codes.")
_NAMED = closed(
    {"status": REFUSAL, "codes": _CODES},
    ["status", "codes"],
    "A status that has other reasons, too.",
)
_ENDS: Json = {"type": "array", "items": {"anyOf": [REFUSAL, _NAMED]}}
_NUMBER: Json = {"type": "integer"}
PAGING = closed(
    {
        "kind": {"enum": [*get_args(Kind)]},
        "confidence": {"enum": ["high", "medium", "low"]},
        "enabled": word({"const": False}, "False: a suggestion only."),
        "input": word(KEY, "Input that takes the page."),
        "response": word(POINTER, "Member of the response that names the next page."),
        "items": word(POINTER, "The items in the output."),
        "size": word(KEY, "Input that takes the page's size."),
        "more": word(POINTER, "Member that says whether there are more pages."),
        "last": word(
            POINTER, "Member that says whether this is the last page, where there is no 'more'."
        ),
        "header": word(
            _FIELD, "Header field of the response that names the next page, in place of 'response'."
        ),
        "first": word(
            _NUMBER, "Number of the first page, or of its first item; it is sent.", minimum=0
        ),
        "ends": word(
            _ENDS,
            "Statuses of a page after the first that mean that the list has ended; of client "
            "errors other than 404, 410 "
            "and 416 with codes.",
        ),
        "cuts": word(
            _ENDS,
            "Statuses of a page after the first by which the provider shows no more of the list.",
        ),
        "totalEnds": word(
            FLAG, "The list ends once so many items were read as 'total' says; by offset."
        ),
        "step": word(
            POINTER,
            "Number by which offsets grow, if pages may have fewer items; with 'totalEnds' or "
            "'more'.",
        ),
        "lastHeader": word(
            _FIELD,
            "Header field with the number of the last page, or with true on it; of kind 'page'.",
        ),
        "emptyEnds": word(FLAG, "An empty page is the last, although it names a next one."),
        "absentEnds": word(
            FLAG, "A page without its list is empty; of kind 'page', 'offset' or 'url'."
        ),
        "partial": word(
            POINTER, "Member that is true, or has a reason, if a page lacks items of the list."
        ),
        "total": word(POINTER, "Number of items of the whole list."),
        "most": word(
            _NUMBER, "Items that the provider shows of a list at most; with 'total'.", minimum=1
        ),
        "continue": word(
            POINTER,
            "Path of the pages after the first, if it is another one: they take the token alone.",
        ),
    },
    ["kind", "confidence"],
    "How the next page is found.",
)
_OWN = tuple(
    name
    for name in PAGING["properties"]
    if name not in ("confidence", "enabled", "input", "response", "continue")
)
"""Words that are options under the same name."""
IN_ANSWER = tuple(
    name
    for name, about in PAGING["properties"].items()
    if about.get("pattern") == POINTER["pattern"] and name != "continue"
)
"""Words that are JSON Pointers into an answer."""
_OF_KINDS: Mapping[str, tuple[str, ...]] = {
    "header": ("token",),
    "total_ends": ("offset",),
    "step": ("offset",),
    "last_header": ("page",),
    "empty_ends": ("url", "linkHeader"),
    "absent_ends": ("page", "offset", "url"),
}
"""Kinds of pages for which an option has a meaning."""
_WORDS = {**{argument(name): name for name in _OWN}, "parameter": "input", "next": "response"}
"""Words of a manifest by the options of a declaration."""
_OPTION = re.compile(r"'([a-z]+(?:_[a-z]+)*)'")


@dataclass(frozen=True, slots=True)
class Declared:
    """Declaration of a list: its kind, and the places of the items, the next page and the flags.

    ``PAGING`` declares the options under their names in a manifest: ``parameter`` is ``input``
    there, ``next`` is ``response``. With ``is_assumed``, the document of the provider does not say
    that the list has pages.
    """

    kind: Kind
    items: str
    parameter: str = ""
    next: str = ""
    more: str | None = None
    size: str | None = None
    largest: int | None = None
    first: int = 0
    under: str | None = None
    ends: tuple[End, ...] = ()
    is_assumed: bool = False
    last: str | None = None
    header: str = ""
    cuts: tuple[End, ...] = ()
    empty_ends: bool = False
    absent_ends: bool = False
    partial: str | None = None
    total: str | None = None
    most: int | None = None
    total_ends: bool = False
    step: str | None = None
    last_header: str = ""

    def __post_init__(self) -> None:
        """Refuse options that would end a list after its first page, or never."""
        fault = next(chain(self._of_shape(), self._of_kind(), self._together()), None)
        if fault is not None:
            raise ValueError(fault)

    def _of_shape(self) -> Iterator[str]:
        given = {
            name: at
            for name in ("next", *IN_ANSWER)
            if name != "response" and (at := getattr(self, name))
        }
        yield from (
            f"'{name}' is not a JSON Pointer: it must begin with a slash"
            for name, at in given.items()
            if not at.startswith("/")
        )
        fields = {name: getattr(self, name) for name in ("header", "last_header")}
        yield from (
            f"'{name}' is not the name of a header field"
            for name, field in fields.items()
            if field and not is_token(field)
        )
        if any(map(is_vague, self.ends)):
            yield f"'ends' has a status alone: {NEEDS_CODE}"

    def _of_kind(self) -> Iterator[str]:
        for name, kinds in _OF_KINDS.items():
            if getattr(self, name) and self.kind not in kinds:
                yield (
                    f"'{name}' has a meaning for pages of the kind {' or '.join(kinds)} "
                    f"only, and these are of the kind {self.kind}"
                )
        if self.kind not in {"linkHeader", "url"} and not self.parameter:
            yield f"pages of the kind {self.kind} need 'parameter'"
        if self.kind in {"token", "url"} and not (self.next or self.header):
            yield f"pages of the kind {self.kind} need 'next'"

    def _together(self) -> Iterator[str]:
        if self.header and self.next:
            yield "'header' stands in place of 'next': declare one of them"
        if self.more is not None and self.last is not None:
            yield "'more' and 'last' say the same thing: declare one of them"
        if self.step is not None and not (self.total_ends or self.more):
            yield (
                "'step' needs 'total_ends' or 'more': an empty page does not end a list "
                "whose offsets have gaps"
            )
        if (self.total is None) is (self.most is not None or self.total_ends):
            yield (
                "'most' and 'total_ends' need 'total', the place of the number of all items, "
                "and 'total' needs one of them"
            )

    @classmethod
    def bound(
        cls, row: Mapping[str, Any], token: tuple[str | None, str | None] = (None, None)
    ) -> Self:
        """Return the declaration of a manifest. ``token`` names the action's input and output for
        the next page.

        :raises ValueError: if the list would end after its first page, or never; the message has
            the manifest's words.
        """
        kind = row["kind"]
        usual = (
            {"lastId": "/id", "token": _pointer(token[1] or "")}.get(kind, "")
            if "header" not in row
            else ""
        )
        options: dict[str, Any] = {
            "items": "",
            "first": 1 if kind == "page" else 0,
            **read(_OWN, row),
        }
        options |= {name: ends_of(row[name]) for name in ("ends", "cuts") if name in row}
        options |= {
            "parameter": row.get("input", token[0]) or "",
            "next": row.get("response", usual),
        }
        try:
            return cls(**options, is_assumed=row.get("confidence", "high") != "high")
        except ValueError as error:
            raise ValueError(
                _OPTION.sub(lambda found: f"'{_WORDS.get(found[1], found[1])}'", str(error))
            ) from None


def _pointer(path: str) -> str:
    """Return a manifest's path, which is a name or a JSON Pointer, as a JSON Pointer."""
    return path if path.startswith("/") or not path else pointer(path)
