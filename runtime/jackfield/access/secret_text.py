"""A token's text: ``jf_``, 43 base62 digits (256 random bits), 6 base62 digits of the CRC-32 of all before them.

The prefix lets secret scanners find one that got loose (``jf_[0-9A-Za-z]{49}``); the checksum tells a mistyped one from a revoked one
without asking the database.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib

__all__ = ["digest", "is_well_formed", "new_text"]

_PREFIX = "jf_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BITS = 256
_RANDOM, _CHECK = 43, 6
"""62**43 > 2**256, 62**6 > 2**32."""


def new_text() -> str:
    """A new token's text."""
    body = _PREFIX + _base62(secrets.randbits(_BITS), _RANDOM)
    return body + _checksum(body)


def is_well_formed(text: str) -> bool:
    """Whether ``text`` can be a token: its form and its checksum are right."""
    if len(text) != len(_PREFIX) + _RANDOM + _CHECK or not text.isascii() or not text.startswith(_PREFIX):
        return False
    return _checksum(text[:-_CHECK]) == text[-_CHECK:]


def digest(text: str) -> str:
    """What is stored of a token: SHA-256, in hexadecimal. 256 random bits need no slow hash: there is nothing to guess from."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
