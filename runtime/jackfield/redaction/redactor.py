"""Redactor, which removes known secrets from texts and JSON."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from weakref import ref

from jackfield.kernel.errors import CODES
from jackfield.kernel.secrecy import SecretHolder
from jackfield.redaction.escapes import Family, View, families, lowered, views
from jackfield.redaction.marks import MASK
from jackfield.redaction.needles import Form

if TYPE_CHECKING:
    from jackfield.redaction.index import Index

_ROUNDS = 8
"""Maximum number of passes. A mask and its neighbours may spell another secret; a text that keeps
doing so is masked whole.
"""
_FEW = 16
"""Maximum number of secrets whose needles are searched for separately, which is as fast in long
texts, and needs no preparation.
"""
_BEGINNING = 4
"""Minimum characters at the end of a text that may be the beginning of a secret."""
_BEFORE_INDEX = 30
_SHORT_TEXT = 1000
"""Number of characters that count as one search, before ``_BEFORE_INDEX`` searches make an index
worthwhile.
"""


class Redactor(SecretHolder):
    """Replacer of secrets, and of their encoded forms, by ``***``. Immutable; ``repr`` displays a
    count, pickle refuses.

    It finds the secret itself: trimmed or not, in either Unicode normal form, with either line end,
    indented, and in any case if it has 8 or more ASCII characters. It finds escaped forms for URLs,
    forms, JSON, JSON Pointers, ``repr``, HTML, XML and quoted-printable, whichever characters the
    encoder chose to escape. In texts of at most 256 Ki characters it also finds text that is
    escaped twice. It finds hexadecimal, UTF-8 and UTF-16 octets, and Base64 at any offset of a
    longer run, with line breaks. Overlapping secrets are masked together, so that no part of the
    longer secret remains.

    A secret of fewer than 4 characters is masked only as a whole token, that is between characters
    that are neither letters nor digits: ``a`` must not destroy every text. Blank secrets, and
    secrets of asterisks only, are ignored. A Redactor without secrets costs nothing; needles are
    built for the first text that is long enough.

    It does not find parts of a secret, a short secret within a longer Base64 run, compressed,
    encrypted or hashed data, hexadecimal with separators, or Base64 of Base64.

    :raises TypeError: if ``secrets`` is a single string, or contains something other than strings.
    """

    __slots__ = ("_families", "_forms", "_index", "_least", "_searched", "_signs")

    _forms: dict[str, Form]
    _families: tuple[Family, ...]
    _index: Index | None
    _least: int
    _searched: int
    _signs: frozenset[str]

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        if isinstance(secrets, str):
            raise TypeError("secrets must be an iterable of texts, not one text")
        self._set_forms({secret: Form(secret) for secret in secrets if _is_searchable(secret)})

    def _set_forms(self, forms: dict[str, Form]) -> None:
        object.__setattr__(self, "_forms", forms)
        spaces, lines = (
            any(form.spaced for form in forms.values()),
            any(form.lined for form in forms.values()),
        )
        found = families(spaces=spaces, lines=lines)
        object.__setattr__(self, "_families", found)
        object.__setattr__(self, "_index", None)
        object.__setattr__(
            self, "_least", min([form.size for form in forms.values()], default=sys.maxsize)
        )
        object.__setattr__(self, "_searched", 0)
        object.__setattr__(self, "_signs", frozenset(family.sign for family in found))

    def clean(self, text: str) -> str:
        """Return the text with every secret masked; the same object if it contains none.
        Idempotent.
        """
        for _ in range(_ROUNDS):
            spans = self._spans(text)
            if not spans:
                return text
            text = _replaced(text, spans)
        return MASK

    def clean_json(self, value: Any) -> Any:
        """Return the JSON value with its strings and member names redacted; the same object if it
        contains no secret.

        All types and numbers are preserved. A member ``code`` with a code of the contract is
        preserved too, because programs match on it. Names that become equal get further asterisks,
        so no member is lost.
        """
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, list):
            items = [self.clean_json(item) for item in value]
            return (
                items
                if any(new is not old for new, old in zip(items, value, strict=True))
                else value
            )
        if isinstance(value, dict):
            return self._clean_members(value)
        return value

    def _clean_members(self, members: dict[Any, Any]) -> dict[Any, Any]:
        cleaned: dict[Any, Any] = {}
        changed = False
        for name, item in members.items():
            if name == "code" and isinstance(item, str) and item in CODES:
                cleaned[name] = item
                continue
            new_name, new = self.clean_json(name), self.clean_json(item)
            changed = changed or new is not item or new_name is not name
            while new_name in cleaned:
                new_name += "*"
            cleaned[new_name] = new
        return cleaned if changed else members

    def holds(self, text: str) -> bool:
        """Return whether ``clean`` would change the text."""
        return self._may_hold(text) and any(True for _ in self._secret_spans(self._readings(text)))

    @property
    def longest(self) -> int:
        """Number of characters of the longest secret."""
        return max(map(len, self._forms), default=0)

    def may_go_on(self, text: str) -> bool:
        """Return whether a text ends with at least 4 characters of the beginning of a secret of 8
        or more characters.
        """
        last = text[-_BEGINNING:]
        return len(last) == _BEGINNING and any(
            last in secret
            and any(text.endswith(secret[:size]) for size in range(_BEGINNING, len(secret)))
            for secret in self._forms
            if len(secret) >= 2 * _BEGINNING
        )

    def _may_hold(self, text: str) -> bool:
        """Return whether the text needs a full search: it is long enough for a secret, and contains
        a needle or the sign of an escape.
        """
        size = len(text)
        if size < self._least:
            return False
        if any(map(text.__contains__, self._signs)):
            return True
        small = text.lower()
        if len(small) != size:
            small = lowered(text)
        index = self._indexed(size) if len(self._forms) > _FEW else None
        if index is not None and any(True for _ in index.spans(text, small)):
            return True
        for form in self._forms.values() if index is None else index.others:
            if form.size > size:
                continue
            exact, folded = form.texts
            if any(map(text.__contains__, exact)) or any(map(small.__contains__, folded)):
                return True
        return False

    def extended(self, more: Iterable[str]) -> Redactor:
        """Return a Redactor of these secrets and ``more``."""
        return self.joined(Redactor(more))

    def limited_to(self, secrets: Iterable[str]) -> Redactor:
        """Return a Redactor of exactly these secrets. It shares the needles that this Redactor has
        built for them.
        """
        return Redactor.of(
            {one: self._forms.get(one) or Form(one) for one in secrets if _is_searchable(one)}
        )

    def joined(self, other: Redactor) -> Redactor:
        """Return a Redactor of the secrets of both, or one of the two if it has all secrets. Built
        needles are shared.
        """
        if other._forms.keys() <= self._forms.keys():
            return self
        if self._forms.keys() <= other._forms.keys():
            return other
        return Redactor.union((other, self))

    @classmethod
    def of(cls, forms: dict[str, Form]) -> Redactor:
        """Return a Redactor that searches only for these forms of secrets."""
        found = cls()
        found._set_forms(forms)
        return found

    @property
    def forms(self) -> Mapping[str, Form]:
        """Secrets with their forms, for a Redactor of some of them."""
        return self._forms

    @staticmethod
    def union(redactors: Iterable[Redactor]) -> Redactor:
        """Return a Redactor of all their secrets. Built needles are shared."""
        return Redactor.of(
            dict(chain.from_iterable(redactor.forms.items() for redactor in redactors))
        )

    def _indexed(self, size: int) -> Index | None:
        """Return the index of the needles; None while building it would take longer than the
        searches so far.
        """
        if self._index is None:
            object.__setattr__(self, "_searched", self._searched + 1 + size // _SHORT_TEXT)
            if self._searched > _BEFORE_INDEX:
                from jackfield.redaction.index import Index

                object.__setattr__(self, "_index", Index(self._forms.values()))
        return self._index

    def _readings(self, text: str) -> Iterator[View]:
        if self._least <= len(text):
            yield from views(text, self._families)

    def _secret_spans(self, readings: Iterable[View]) -> Iterator[tuple[int, int]]:
        for view in readings:
            room = len(view.text)
            index = self._indexed(room) if len(self._forms) > _FEW else None
            if index is not None:
                yield from (view.origin(*span) for span in index.spans(view.text, view.lowered))
            for form in self._forms.values() if index is None else index.others:
                if form.size <= room:
                    for needle in form.needles:
                        text = view.lowered if needle.folded else view.text
                        if needle.text in text:
                            yield from (view.origin(*span) for span in needle.spans(text))

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Return the spans to mask, sorted and disjoint. No span cuts an escape in two."""
        readings = list(self._readings(text))
        found = set(self._secret_spans(readings))
        for view in readings if found else ():
            if view.solid and view.parent is readings[0]:
                found = {view.whole(*span) for span in found}
        return _merged(found)

    def __len__(self) -> int:
        return len(self._forms)

    def __repr__(self) -> str:
        return f"Redactor({len(self)} secrets)"

    def __copy__(self) -> Redactor:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Redactor:
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Redactor is immutable; see extended()")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Redactor is immutable; see extended()")


def _is_searchable(secret: object) -> bool:
    if not isinstance(secret, str):
        raise TypeError(f"a secret must be a string, not {type(secret).__name__}")
    return bool(secret.strip().strip("*"))


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    apart: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def _replaced(text: str, spans: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end in spans:
        pieces += (text[done:start], MASK)
        done = end
    return "".join((*pieces, text[done:]))


class Holder(Protocol):
    """Object that holds secrets as long as it lives, such as an open connection; its Redactor may
    change.
    """

    @property
    def redactor(self) -> Redactor:
        """Redactor of the secrets that the object holds now."""


_MOST_IN_FORCE = 100
"""Maximum number of holders whose secrets are masked in the log, the most recently used of the
process: a search for the secrets of 1,000 takes 20 ms.
"""


class _InForce:
    """Secrets of the objects used last in this process."""

    def __init__(self) -> None:
        self._recent: OrderedDict[int, ref[Holder]] = OrderedDict()
        self._joint: tuple[frozenset[Redactor], Redactor] = (frozenset(), Redactor())

    def add(self, holder: Holder) -> None:
        """Mask the secrets of a new holder in the log of this process as long as it lives, and is
        one of the holders used last.
        """
        # in the place of one that has died, if it had this ID
        self._recent[id(holder)] = ref(holder)
        self.use(holder)

    def use(self, holder: Holder) -> None:
        """Note that a holder is used again."""
        try:
            self._recent.move_to_end(id(holder))
        except KeyError:
            self._recent[id(holder)] = ref(holder)
        if len(self._recent) > _MOST_IN_FORCE:
            self._recent.popitem(last=False)

    def redactor(self) -> Redactor:
        """Return the Redactor of all holders. While they and their secrets stay, it is the same
        object, which keeps its index.
        """
        # other threads may add some meanwhile
        holders = (reference() for reference in tuple(self._recent.values()))
        found = frozenset(holder.redactor for holder in holders if holder is not None)
        known, joint = self._joint
        if found != known:
            joint = Redactor.union(found)
            self._joint = (found, joint)
        return joint


_IN_FORCE = _InForce()
put_in_force, keep_in_force = _IN_FORCE.add, _IN_FORCE.use


def current_redactor() -> Redactor:
    """Return the Redactor of all secrets in force in this process; a Redactor without secrets if
    none are in force.
    """
    return _IN_FORCE.redactor()
