"""Pagination of an action, as its manifest declares it. Standard library only, because every cold
command reads a manifest.
"""

from __future__ import annotations

from collections.abc import Mapping

from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.pointers import find
from jackfield.manifest import reading as read

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Json = Mapping[str, Any]


OPEN_END = (
    "the list may go on: the response names no next page, and does not say that there is none"
)
"""Message about a list that is not complete."""
_READ = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def yes_or_no(value: object) -> bool | None:
    """Return a response's answer to a question such as "are there more pages?"; None if the value
    is neither a yes nor a no.
    """
    return _READ.get(str(value).strip().lower()) if isinstance(value, bool | int | str) else None


@dataclass(frozen=True, slots=True)
class Pagination:
    """Pagination of an action: the action fetches one page, the runtime loops over the pages.

    ``token_input`` and ``token_output`` name the input and the output member with the page token.
    ``items`` names the output's array to merge, and ``all_input`` the boolean input that requests
    every page. ``size_input`` and ``max_size`` give the page size for such a request.

    Output members are paths (``kernel.pointers``): a name, ``List.NextMarker``, or alternatives:
    ``NextMarker || Keys[-1].Name``. ``further_tokens`` are pairs of an input and an output path,
    for lists with several tokens; ``further_items`` are merged like ``items``; the list ends if the
    output's ``more`` is a no. Members in ``page_members`` are about one page: the merged output has
    the last page's.

    ``wire`` tells the conformance suite how responses name the next page: ``kind``, and the JSON
    Pointers ``response``, ``items`` and ``more``. It is not part of the manifest.
    """

    token_input: str
    token_output: str
    items: str
    all_input: str | None = None
    size_input: str | None = None
    max_size: int | None = None
    further_tokens: tuple[tuple[str, str], ...] = ()
    further_items: tuple[str, ...] = ()
    more: str | None = None
    page_members: tuple[str, ...] = ()
    wire: Json | None = field(default=None, compare=False, repr=False)
    tokens: tuple[tuple[str, str], ...] = field(init=False, compare=False, repr=False)
    """All pairs of a token's input and its output path."""

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "tokens", ((self.token_input, self.token_output), *self.further_tokens)
        )

    @property
    def merged(self) -> tuple[str, ...]:
        """Paths of all output members to merge."""
        return (self.items, *self.further_items)

    def following(self, output: Json) -> dict[str, Any] | None:
        """Return the inputs that fetch the page after ``output``; None if it is the last page, or
        the provider names no next page.
        """
        if self.more is not None and self._more(output) is False:
            return None
        return {name: token for name, path in self.tokens if (token := find(output, path))} or None

    def found(self, output: Json) -> Iterator[Any]:
        """Yield the page tokens in ``output``, as the same objects."""
        for _, path in self.tokens:
            if token := find(output, path):
                yield token

    def ends(self, output: Json) -> bool:
        """Return whether ``output`` is marked as the last page: by ``more`` if it is declared, else
        by the absence of a token. The number 0 is neither a token nor an absence.
        """
        if self.more is not None:
            return self._more(output) is False
        tokens = [find(output, path) for _, path in self.tokens]
        return not any(tokens) and {int, float}.isdisjoint(map(type, tokens))

    def _more(self, output: Json) -> bool | None:
        return None if self.more is None else yes_or_no(find(output, self.more))

    @classmethod
    def from_json(cls, data: Json, where: str) -> Pagination:
        """Read the ``pagination`` member of an action."""
        more, further = (
            read.optional_text(data, "more", where),
            read.members(data, "furtherTokens", where),
        )
        return cls(
            token_input=read.text(data, "tokenInput", where),
            token_output=read.text(data, "tokenOutput", where),
            items=read.text(data, "items", where),
            all_input=read.optional_text(data, "allInput", where),
            size_input=read.optional_text(data, "sizeInput", where),
            max_size=_max_size(data, where),
            further_tokens=tuple((name, read.text(further, name, where)) for name in further),
            further_items=read.texts(data, "furtherItems", where),
            more=more,
            page_members=read.texts(data, "pageMembers", where),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the ``pagination`` member of an action."""
        members = {
            "tokenInput": self.token_input,
            "tokenOutput": self.token_output,
            "items": self.items,
            "allInput": self.all_input,
            "sizeInput": self.size_input,
            "maxSize": self.max_size,
            "furtherTokens": dict(self.further_tokens) or None,
            "furtherItems": list(self.further_items) or None,
            "more": self.more,
            "pageMembers": list(self.page_members) or None,
        }
        return {name: value for name, value in members.items() if value is not None}


def _max_size(data: Json, where: str) -> int | None:
    value = data.get("maxSize")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise read.ManifestError(f"{where}: 'pagination.maxSize' must be a whole number above 0")
    return value
