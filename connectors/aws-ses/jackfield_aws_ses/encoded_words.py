"""Encoded words (RFC 2047): non-ASCII text in headers, as ASCII.

A word looks like ``=?utf-8?q?Gr=C3=BC=C3=9Fe?=``. Receivers drop the blank between two words, so
words include the text's own blanks. Only letters, digits and ``!*+-/`` stay readable in a ``q``
word: the strictest set of RFC 2047 §5, which is also safe in display names.
"""

import binascii
import re
import string
from collections.abc import Iterator

MAX_WORD = 66
"""Maximum characters of an encoded word. RFC 2047 §2 allows 75, and 76 per line; the rest of a line
holds ``Reply-To:``.
"""

_MAX_GIVEN_WORD = 75
_ROOM = MAX_WORD - len("=?utf-8?q??=")
_B_ROOM = _ROOM // 4 * 3
_READABLE = frozenset(string.ascii_letters + string.digits + "!*+-/")
_Q = tuple(
    chr(code) if chr(code) in _READABLE else "_" if code == ord(" ") else f"={code:02X}"
    for code in range(256)
)
_READABLE_BYTES = "".join(_READABLE | {" "}).encode()

# Only charsets in which a line break is always octet 13 or 10: others could hide one from the check
# below.
_WORD = re.compile(
    r"=\?(?:utf-8|us-ascii|iso-8859-\d{1,2}|windows-125\d|iso-2022-(?:jp|kr)|gb2312|gbk|gb18030|big5|euc-(?:jp|kr)"
    r"|shift_jis|koi8-[ru])\?(?:q\?(?P<q>(?:[0-9a-z!*+/_-]|=[0-9a-f]{2})+)|b\?(?P<b>[0-9a-z+/]+={0,2}))\?=",
    re.IGNORECASE,
)
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")
_BREAKS = frozenset(b"\0\r\n")


def encode_words(text: str) -> tuple[str, ...]:
    """Encode ``text`` as words of at most `MAX_WORD` characters, without splitting a character.

    Uses the shorter of ``q`` and ``b``; an empty text yields no words. A lone surrogate raises
    `UnicodeEncodeError`.
    """
    data = text.encode()
    quoted = len(data) + 2 * len(data.translate(None, _READABLE_BYTES))
    if quoted <= 4 * -(-len(data) // 3):
        return tuple(
            f"=?utf-8?q?{_quote(chunk.encode())}?=" for chunk in _chunks(text, _ROOM, quoted=True)
        )
    return tuple(
        f"=?utf-8?b?{binascii.b2a_base64(chunk.encode(), newline=False).decode('ascii')}?="
        for chunk in _chunks(text, _B_ROOM, quoted=False)
    )


def is_encoded(text: str) -> bool:
    """Return whether ``text`` already consists of encoded words, alone or among plain atoms, valid
    in a display name (RFC 2047 §5).

    Return False if a word is too long, misplaced, undecodable, or would decode to a line break.
    """
    words = 0
    for token in text.split(" "):
        match = _WORD.fullmatch(token) if len(token) <= _MAX_GIVEN_WORD else None
        if match:
            if not _is_harmless(match):
                return False
            words += 1
        elif "=?" in token or not _ATOM.fullmatch(token):
            return False
    return words > 0


def _is_harmless(word: re.Match[str]) -> bool:
    if word["q"]:
        data = binascii.a2b_qp(word["q"], header=True)
    else:
        try:
            data = binascii.a2b_base64(word["b"], strict_mode=True)
        except binascii.Error:
            return False
    return _BREAKS.isdisjoint(data)


def _quote(data: bytes) -> str:
    return "".join(map(_Q.__getitem__, data))


def _chunks(text: str, room: int, *, quoted: bool) -> Iterator[str]:
    start = used = 0
    for index, character in enumerate(text):
        data = character.encode()
        cost = len(_quote(data)) if quoted else len(data)
        if used + cost > room:
            yield text[start:index]
            start, used = index, 0
        used += cost
    if start < len(text):
        yield text[start:]
