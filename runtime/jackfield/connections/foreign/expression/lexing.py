"""From an expression's text to tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["SyntaxFault", "Token", "tokens"]

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>[0-9]+(?:\.[0-9]+)?)
  | (?P<variable>\$[A-Za-z_][A-Za-z0-9_]*)
  | (?P<field>\.[A-Za-z_][A-Za-z0-9_]*)
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<quote>["'])
  | (?P<sign>//|==|!=|<=|>=|[-+<>.,()\[\]|])
  | (?P<end>\Z)
)""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", '"': '"', "'": "'"}
_HEX = re.compile("[0-9A-Fa-f]{4}")


class SyntaxFault(ValueError):
    """The text is not an expression of this language."""


@dataclass(frozen=True, slots=True)
class Token:
    r"""One token. ``parts`` of a text are plain texts and, as lists of tokens, what stands in ``\( )``."""

    kind: str
    text: str
    parts: tuple[str | tuple[Token, ...], ...] = ()


def tokens(text: str) -> tuple[Token, ...]:
    """All tokens of an expression, the last one of the kind ``end``.

    :raises SyntaxFault: for what is no token.
    """
    found, end = _tokens(text, 0, inner=False)
    if end != len(text):
        raise SyntaxFault(f"character {end + 1} is not expected")
    return found


def _tokens(text: str, at: int, *, inner: bool) -> tuple[tuple[Token, ...], int]:
    """The tokens from ``at``: to the end, or (``inner``) to the parenthesis that closes an interpolation."""
    found: list[Token] = []
    depth = 0
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            raise SyntaxFault(f"character {at + 1} is not expected")
        kind, at = str(match.lastgroup), match.end()
        if kind == "quote":
            token, at = _text(text, at, match["quote"])
            found.append(token)
            continue
        word = match[kind]
        depth += (word == "(") - (word == ")")
        if inner and depth < 0:
            return (*found, Token("end", "")), at
        if kind == "end" and inner:
            raise SyntaxFault("an interpolation is not closed")
        found.append(Token(kind, word))
        if kind == "end":
            return tuple(found), at


def _text(text: str, at: int, quote: str) -> tuple[Token, int]:
    parts: list[str | tuple[Token, ...]] = []
    plain: list[str] = []
    while True:
        letter = text[at : at + 1]
        at += 1
        if not letter:
            raise SyntaxFault("a text is not closed")
        if letter == quote:
            parts.append("".join(plain))
            return Token("text", "", tuple(parts)), at
        if letter != "\\":
            plain.append(letter)
            continue
        if text[at : at + 1] == "(":
            parts.append("".join(plain))
            plain.clear()
            inside, at = _tokens(text, at + 1, inner=True)
            parts.append(inside)
            continue
        escaped, at = _escaped(text, at)
        plain.append(escaped)


def _escaped(text: str, at: int) -> tuple[str, int]:
    letter = text[at : at + 1]
    if letter == "u":
        digits = _HEX.match(text, at + 1)
        if digits:
            return chr(int(digits[0], 16)), at + 5
    if letter in _ESCAPES and letter:
        return _ESCAPES[letter], at + 1
    raise SyntaxFault(f"character {at + 1}: there is no such escape")
