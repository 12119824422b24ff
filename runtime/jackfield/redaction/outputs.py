"""Masking of outputs: a secret does not leave in them, and no mask damages data (docs/reference/masking.md).

Of texts, secrets are cut out as everywhere. Of Base64, page tokens and names of members nothing can be cut without making them useless:
such a member is withheld as a whole. Secrets that are short or known to everybody stand in harmless data by chance, so they are searched
for less.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from binascii import Error
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from jackfield.json_tools.pointers import child
from jackfield.redaction.marks import MASK
from jackfield.redaction.needles import Form, encodings, normal_forms, spellings, words
from jackfield.redaction.public_defaults import is_public
from jackfield.redaction.redactor import Redactor
from jackfield.secrecy import SecretHolder

SHORTEST = 8
"""Characters below which a secret is masked in outputs as a whole token only: it is a word, or stands in Base64 by chance."""
_FILE = frozenset({"data", "contentType", "name", "disposition", "contentId"})
"""Members of a file within an output; ``data`` is Base64."""
_BASE64 = re.compile(r"(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+/_-]{14,}={0,2}", re.DOTALL)


def is_short(secret: str) -> bool:
    """Return whether a secret has fewer than 8 characters in one of Unicode's normal forms, without spaces around it."""
    return min(map(len, normal_forms(secret.strip()))) < SHORTEST


class OutputMask(SecretHolder):
    """Masks the secrets of one Redactor in outputs."""

    __slots__ = ("_any", "_encoded", "_long", "_texts")

    def __init__(self, redactor: Redactor) -> None:
        long, short = _sorted(redactor.forms)
        self._long = redactor if len(long) == len(redactor) else Redactor.of(long)
        self._any = Redactor.of({**long, **short}) if short else self._long
        self._texts = Redactor.of({**{one: Form(one, spellings) for one in long}, **short})
        self._encoded = Redactor.of({one: Form(one, encodings) for one in long})

    def masked(self, output: Mapping[str, Any], tokens: Iterable[object] = ()) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return the output with its secrets masked, and JSON Pointers to the members that are withheld; the same object if it has none.

        ``tokens`` are page tokens, as the output has them: whatever of them is the same object is withheld or left as it is.
        """
        # Joined by NUL, which no escape or token contains and which ends them all: one search finds what one per string does.
        if not self._any.holds("\0".join(strings(output))):
            return output, ()
        withheld: list[str] = []
        found: Mapping[str, Any] = self._value(output, "", {*map(id, tokens)}, withheld)
        return found, tuple(withheld)

    def holds_token(self, value: Any) -> bool:
        """Return whether a page token has a secret that masking would have to cut out of it."""
        return self._long.holds("\0".join(strings([value])))

    def _value(self, value: Any, path: str, tokens: set[int], withheld: list[str]) -> Any:
        if tokens and id(value) in tokens:
            return self._whole(value, path, withheld)
        if isinstance(value, str):
            return self._text(value, path, withheld)
        if isinstance(value, list):
            return [self._value(item, child(path, index), tokens, withheld) for index, item in enumerate(value)]
        return self._members(value, path, tokens, withheld) if isinstance(value, Mapping) else value

    def _members(self, members: Mapping[str, Any], path: str, tokens: set[int], withheld: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        is_file = isinstance(members.get("data"), str) and _FILE.issuperset(members)
        for name, item in members.items():
            if self._long.holds(name):
                withheld.append(child(path, self._long.clean(name)))
            elif is_file and name == "data":
                found[name] = self._whole(item, child(path, name), withheld)
            else:
                found[name] = self._value(item, child(path, name), tokens, withheld)
        return found

    def _whole(self, value: Any, path: str, withheld: list[str]) -> Any:
        """Return a value of which nothing may be cut, or the mask in its place."""
        if not self.holds_token(value):
            return value
        withheld.append(path)
        return MASK

    def _text(self, text: str, path: str, withheld: list[str]) -> str:
        if _BASE64.fullmatch(text) and self._texts.clean(text) != MASK:
            return str(self._whole(text, path, withheld))
        if self._encoded.holds(text):
            withheld.append(path)
            return MASK
        return self._texts.clean(text)


def _sorted(forms: Mapping[str, Form]) -> tuple[dict[str, Form], dict[str, Form]]:
    """Return the secrets to search for anywhere, and those to search for as whole tokens. Public defaults are neither, nor is what HTTP
    Basic makes of one."""
    weak = {secret.strip() for secret in forms if is_short(secret) or is_public(secret)}
    long: dict[str, Form] = {}
    short: dict[str, Form] = {}
    for secret, form in forms.items():
        half = secret.strip() if secret.strip() in weak else _weak_half(secret, weak) if weak else None
        if half is None:
            long[secret] = form
        elif not is_public(half):
            short[secret] = Form(secret, words)
    return long, short


def _weak_half(secret: str, weak: Iterable[str]) -> str | None:
    """Return the weak secret of which these are the credentials of HTTP Basic (``hidden_values``); a public default first."""
    try:
        pair = urlsafe_b64decode(secret.translate({43: 45, 47: 95}) + "=" * (-len(secret) % 4)).decode()
    except (Error, ValueError):
        return None
    return next((one for one in sorted(weak, key=is_public, reverse=True) if pair.startswith(f"{one}:") or pair.endswith(f":{one}")), None)


_ATOMS = frozenset({int, float, bool, type(None)})
"""Types of JSON values that hold no text."""


def strings(value: object) -> Sequence[str]:
    """Collect all strings in a JSON value, including member names."""
    kind = type(value)
    if kind is str:
        return [value]  # type: ignore[list-item]  # it is one
    if kind is list:
        kinds = {*map(type, value)}  # type: ignore[call-overload]  # long arrays mostly have items of one type
        if kinds <= _ATOMS:
            return []
        return value if kinds == {str} else [*chain.from_iterable(map(strings, value))]  # type: ignore[call-overload,return-value]
    if kind in _ATOMS:
        return []
    if isinstance(value, (dict, Mapping)):
        found = [*value]
        for item in value.values():
            if type(item) is str:  # here, to save a call for the most frequent type
                found.append(item)
            elif type(item) not in _ATOMS:
                found += strings(item)
        return found
    return strings(str.__str__(value)) if isinstance(value, str) else strings([*value]) if isinstance(value, list) else []
